//! Settings of resources (KIP-339): read, changed, and the names that have some.

use std::collections::BTreeMap;

use client::{Cluster, ClusterError, Target};
use model::ErrorCode;
use wire::messages::ListConfigResourcesRequest;
use wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::messages::describe_configs_response::DescribeConfigsResult;
use wire::messages::incremental_alter_configs_request::{
    AlterConfigsResource, AlterableConfig, IncrementalAlterConfigsRequest,
};

use crate::kafka::{Trouble, check, text};

/// Sets and takes back settings of one resource.
///
/// # Errors
/// See [`Trouble`].
pub async fn alter(
    cluster: &mut Cluster,
    kind: i8,
    name: &str,
    set: &BTreeMap<String, String>,
    deleted: &[String],
) -> Result<(), Trouble> {
    let deleted = deleted.iter().map(|key| {
        AlterableConfig::default()
            .with_name(text(key.as_str()))
            .with_config_operation(DELETE)
            .with_value(Some(text("")))
    });
    let set = set.iter().map(|(key, value)| {
        AlterableConfig::default()
            .with_name(text(key.as_str()))
            .with_config_operation(SET)
            .with_value(Some(text(value.as_str())))
    });
    let resource = AlterConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configs(deleted.chain(set).collect());
    // A controller changes the settings of every broker, and only its own loggers.
    let at = match kind {
        BROKER if cluster.is_of_controllers() => Target::Any,
        _ => node_of(kind, name),
    };
    let answer = cluster
        .call(at, |_version| IncrementalAlterConfigsRequest::default().with_resources(vec![resource.clone()]))
        .await?;
    answer.responses.iter().try_for_each(|result| check(result.error_code, result.error_message.as_deref()))
}

/// The names that have settings; `None` where the cluster does not tell.
///
/// # Errors
/// See [`Trouble`].
pub async fn configured(cluster: &mut Cluster, kind: i8) -> Result<Option<Vec<String>>, Trouble> {
    let asked = cluster
        .call(Target::Any, |version| {
            let request = ListConfigResourcesRequest::default();
            if version >= 1 { request.with_resource_types(vec![kind]) } else { request }
        })
        .await;
    let answer = match asked {
        Err(ClusterError::Unsupported(_)) => return Ok(None),
        other => other?,
    };
    match check(answer.error_code, None) {
        Err(trouble) if trouble.code() == Some(ErrorCode::ClusterAuthorizationFailed) => return Ok(None),
        other => other?,
    }
    let named = answer.config_resources.iter().filter(|one| one.resource_type == kind);
    Ok(Some(named.map(|one| one.resource_name.to_string()).collect()))
}

/// What a resource has, with where it comes from.
///
/// # Errors
/// See [`Trouble`].
pub async fn entries(cluster: &mut Cluster, kind: i8, name: &str) -> Result<DescribeConfigsResult, Trouble> {
    let resource = DescribeConfigsResource::default()
        .with_resource_type(kind)
        .with_resource_name(text(name))
        .with_configuration_keys(None);
    let answer = cluster
        .call(node_of(kind, name), |_version| {
            DescribeConfigsRequest::default()
                .with_resources(vec![resource.clone()])
                .with_include_synonyms(true)
        })
        .await?;
    let found = answer.results.into_iter().next().unwrap_or_default();
    check(found.error_code, found.error_message.as_deref())?;
    Ok(found)
}

/// A broker is asked for what is its own.
fn node_of(kind: i8, name: &str) -> Target {
    match (kind, name.parse()) {
        (BROKER | BROKER_LOGGER, Ok(id)) => Target::Node(id),
        _ => Target::Any,
    }
}

/// Types of resources (`ConfigResource.Type`).
pub const TOPIC: i8 = 2;
/// See [`TOPIC`].
pub const BROKER: i8 = 4;
/// See [`TOPIC`].
pub const BROKER_LOGGER: i8 = 8;
/// See [`TOPIC`].
pub const CLIENT_METRICS: i8 = 16;
/// See [`TOPIC`].
pub const GROUP: i8 = 32;
const SET: i8 = 0;
const DELETE: i8 = 1;
