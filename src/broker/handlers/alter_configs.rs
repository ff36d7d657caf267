//! AlterConfigs: all dynamic settings of a resource at once; what is not named is deleted.

use std::collections::HashSet;
use std::sync::Arc;

use controller::command::{AlterConfigs, ResourceValues};
use controller::image::ConfigResourceType;
use controller::{ApiError, Command, Reply};
use wire::messages::alter_configs_request::AlterConfigsResource;
use wire::messages::alter_configs_response::AlterConfigsResourceResponse;
use wire::messages::{AlterConfigsRequest, AlterConfigsResponse};

use super::answer::code_and_text;
use super::config_changes::{
    Target, appears_twice, check_broker_id, check_broker_settings, check_names, check_unique, outcome_of,
    unknown_type,
};
use crate::context::{Broker, RequestContext};

/// Answers an AlterConfigs request once the changes are durable and in force.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: AlterConfigsRequest,
) -> AlterConfigsResponse {
    let targets: Vec<_> = request.resources.iter().map(target).collect();
    let twice = check_unique(&targets);
    let checked: Vec<_> = request.resources.iter().map(|resource| check(broker, resource, &twice)).collect();
    let resources: Vec<_> = request
        .resources
        .iter()
        .zip(&checked)
        .filter(|(_, checked)| checked.is_ok())
        .map(|(resource, _)| values(resource))
        .collect();
    let answered = if resources.is_empty() {
        Ok(Vec::new())
    } else {
        let command = AlterConfigs { resources, validate_only: request.validate_only };
        match broker.metadata.submit(Command::AlterConfigs(command)).await {
            Ok(Reply::AlterConfigs(results)) => Ok(results),
            Ok(other) => unreachable!("AlterConfigs was answered {other:?}"),
            Err(code) => Err(ApiError::silent(code)),
        }
    };
    let responses = request.resources.iter().zip(checked).map(|(resource, checked)| {
        let error = match (checked, &answered) {
            (Err(error), _) => Some(error),
            (Ok(()), Ok(results)) => outcome_of(results, target(resource)),
            (Ok(()), Err(error)) => Some(error.clone()),
        };
        let (code, message) = code_and_text(error);
        AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
    });
    AlterConfigsResponse::default().with_responses(responses.collect())
}

fn check(
    broker: &Broker,
    resource: &AlterConfigsResource,
    twice: &HashSet<Target<'_>>,
) -> Result<(), ApiError> {
    let target = target(resource);
    if twice.contains(&target) {
        return Err(appears_twice());
    }
    check_names(resource.configs.iter().map(|config| (&*config.name, false, config.value.is_some())))?;
    match target.kind() {
        ConfigResourceType::Broker => {
            check_broker_id(broker, target.name)?;
            let settings = resource
                .configs
                .iter()
                .filter_map(|config| Some((config.name.to_string(), config.value.as_ref()?.to_string())));
            check_broker_settings(broker, target.name, &settings.collect())
        }
        ConfigResourceType::Topic | ConfigResourceType::ClientMetrics | ConfigResourceType::Group => Ok(()),
        // Loggers can only be changed one by one.
        ConfigResourceType::BrokerLogger | ConfigResourceType::Unknown(_) => {
            Err(unknown_type(target.resource_type))
        }
    }
}

fn target(resource: &AlterConfigsResource) -> Target<'_> {
    Target { resource_type: resource.resource_type, name: &resource.resource_name }
}

fn values(resource: &AlterConfigsResource) -> ResourceValues {
    let values = resource
        .configs
        .iter()
        .map(|config| (config.name.to_string(), config.value.as_ref().map(ToString::to_string)));
    ResourceValues {
        resource_type: target(resource).kind(),
        name: resource.resource_name.to_string(),
        values: values.collect(),
    }
}
