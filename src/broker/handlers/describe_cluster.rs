//! DescribeCluster: the brokers, or on a controller's listener the controllers (KIP-919), and the cluster's id
//! (`AuthHelper.computeDescribeClusterResponse`).

use std::sync::Arc;

use controller::MetadataVersion;
use model::ErrorCode;
use wire::messages::describe_cluster_response::DescribeClusterBroker;
use wire::messages::{DescribeClusterRequest, DescribeClusterResponse};

use super::answer::{node, operations, text};
use super::metadata::alive_broker;
use crate::context::{Broker, RequestContext};

/// `EndpointType`: a listener for clients and brokers.
const BROKERS: i8 = 1;
/// `EndpointType`: a listener for controllers (KIP-919).
const CONTROLLERS: i8 = 2;

/// Answers a DescribeCluster request.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: DescribeClusterRequest,
) -> DescribeClusterResponse {
    let here = if context.connection.is_controllers { CONTROLLERS } else { BROKERS };
    let image = broker.metadata.image();
    let knows_controllers =
        image.metadata_version().is_some_and(MetadataVersion::has_controller_registration);
    if here == CONTROLLERS && !knows_controllers {
        let message = "Direct-to-controller communication is not supported with the current MetadataVersion.";
        return refused(ErrorCode::UnsupportedVersion, message.to_owned());
    }
    if request.endpoint_type != here {
        return mismatch(request.endpoint_type, here, context.header.api_version);
    }
    let (host, port) = broker.endpoints.node_for(&context.connection);
    let this = DescribeClusterBroker::default()
        .with_broker_id(node(broker.node_id))
        .with_host(text(host))
        .with_port(i32::from(port));
    let (nodes, controller_id) = if here == CONTROLLERS {
        (vec![this], broker.node_id)
    } else {
        let registered = image.broker(broker.node_id);
        let shown = registered.filter(|registered| !registered.fenced || request.include_fenced_brokers);
        let shown = shown.map(|registered| {
            this.with_rack(registered.rack.clone().map(text)).with_is_fenced(registered.fenced)
        });
        (shown.into_iter().collect(), alive_broker(broker, &image))
    };
    let cluster_operations =
        if request.include_cluster_authorized_operations { operations::CLUSTER } else { operations::OMITTED };
    DescribeClusterResponse::default()
        .with_endpoint_type(here)
        .with_cluster_id(text(&*broker.cluster_id))
        .with_controller_id(node(controller_id))
        .with_brokers(nodes)
        .with_cluster_authorized_operations(cluster_operations)
}

/// What a request for another type of listener is told.
fn mismatch(wanted: i8, here: i8, version: i16) -> DescribeClusterResponse {
    let (error, message) = match (name_of(wanted), name_of(here)) {
        (Some(wanted), Some(here)) => (
            ErrorCode::MismatchedEndpointType,
            format!(
                "The request was sent to an endpoint of type {here}, but we wanted an endpoint of type {wanted}"
            ),
        ),
        _ => (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {wanted}")),
    };
    // Version 0 does not know either error.
    let error = if version == 0 { ErrorCode::InvalidRequest } else { error };
    refused(error, message)
}

fn refused(error: ErrorCode, message: String) -> DescribeClusterResponse {
    DescribeClusterResponse::default().with_error_code(error.code()).with_error_message(Some(text(message)))
}

fn name_of(endpoint_type: i8) -> Option<&'static str> {
    match endpoint_type {
        BROKERS => Some("BROKER"),
        CONTROLLERS => Some("CONTROLLER"),
        _ => None,
    }
}
