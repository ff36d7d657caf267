//! DescribeCluster: the brokers and the cluster's id (`AuthHelper.computeDescribeClusterResponse`).

use std::sync::Arc;

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
    if request.endpoint_type != BROKERS {
        return refusal(request.endpoint_type);
    }
    let image = broker.metadata.image();
    let (host, port) = broker.endpoints.node_for(&context.connection);
    let brokers: Vec<_> = image
        .broker(broker.node_id)
        .filter(|registered| !registered.fenced || request.include_fenced_brokers)
        .map(|registered| {
            DescribeClusterBroker::default()
                .with_broker_id(node(registered.id))
                .with_host(text(host))
                .with_port(i32::from(port))
                .with_rack(registered.rack.clone().map(text))
                .with_is_fenced(registered.fenced)
        })
        .into_iter()
        .collect();
    let cluster_operations =
        if request.include_cluster_authorized_operations { operations::CLUSTER } else { operations::OMITTED };
    DescribeClusterResponse::default()
        .with_endpoint_type(BROKERS)
        .with_cluster_id(text(&*broker.cluster_id))
        .with_controller_id(node(alive_broker(broker, &image)))
        .with_brokers(brokers)
        .with_cluster_authorized_operations(cluster_operations)
}

fn refusal(endpoint_type: i8) -> DescribeClusterResponse {
    let (error, message) = if endpoint_type == CONTROLLERS {
        (
            ErrorCode::MismatchedEndpointType,
            "The request was sent to an endpoint of type BROKER, but we wanted an endpoint of type CONTROLLER"
                .to_owned(),
        )
    } else {
        (ErrorCode::UnsupportedEndpointType, format!("Unsupported endpoint type {endpoint_type}"))
    };
    DescribeClusterResponse::default().with_error_code(error.code()).with_error_message(Some(text(message)))
}
