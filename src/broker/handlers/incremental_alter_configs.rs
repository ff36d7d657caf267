//! IncrementalAlterConfigs: single settings to set, delete, append to or subtract from (KIP-339).

use std::collections::{BTreeMap, HashSet};
use std::sync::Arc;

use config::key::KeyType;
use config::keys;
use controller::command::{ConfigChange, IncrementalAlterConfigs, ResourceChanges};
use controller::image::ConfigResourceType;
use controller::{ApiError, Command, Reply};
use model::ErrorCode;
use wire::messages::incremental_alter_configs_request::{AlterConfigsResource, AlterableConfig};
use wire::messages::incremental_alter_configs_response::AlterConfigsResourceResponse;
use wire::messages::{IncrementalAlterConfigsRequest, IncrementalAlterConfigsResponse};

use super::answer::code_and_text;
use super::config_changes::{
    Target, appears_twice, broker_settings, check_broker_id, check_broker_settings, check_names,
    check_unique, outcome_of, unknown_type,
};
use super::{broker_loggers, config_changes};
use crate::context::{Broker, RequestContext};

/// `AlterConfigOp.OpType`.
pub(super) const SET: i8 = 0;
pub(super) const DELETE: i8 = 1;
pub(super) const APPEND: i8 = 2;
pub(super) const SUBTRACT: i8 = 3;

/// Answers an IncrementalAlterConfigs request once the changes are durable and in force.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: IncrementalAlterConfigsRequest,
) -> IncrementalAlterConfigsResponse {
    let targets: Vec<_> = request.resources.iter().map(target).collect();
    let twice = check_unique(&targets);
    let checked: Vec<Result<Next, ApiError>> = request
        .resources
        .iter()
        .map(|resource| check(broker, resource, &twice, request.validate_only))
        .collect();
    let asks_controller =
        |(_, checked): &(_, &Result<Next, ApiError>)| matches!(checked, Ok(Next::AskController));
    let resources: Vec<_> = request
        .resources
        .iter()
        .zip(&checked)
        .filter(asks_controller)
        .map(|(resource, _)| changes(resource))
        .collect();
    let answered = if resources.is_empty() {
        Ok(Vec::new())
    } else {
        let command = IncrementalAlterConfigs { resources, validate_only: request.validate_only };
        match broker.metadata.submit(Command::IncrementalAlterConfigs(command)).await {
            Ok(Reply::IncrementalAlterConfigs(results)) => Ok(results),
            Ok(other) => unreachable!("IncrementalAlterConfigs was answered {other:?}"),
            Err(code) => Err(ApiError::silent(code)),
        }
    };
    let responses = request.resources.iter().zip(checked).map(|(resource, checked)| {
        let error = match (checked, &answered) {
            (Err(error), _) => Some(error),
            (Ok(Next::Done), _) => None,
            (Ok(Next::AskController), Ok(results)) => outcome_of(results, target(resource)),
            (Ok(Next::AskController), Err(error)) => Some(error.clone()),
        };
        let (code, message) = code_and_text(error);
        AlterConfigsResourceResponse::default()
            .with_error_code(code)
            .with_error_message(message)
            .with_resource_type(resource.resource_type)
            .with_resource_name(resource.resource_name.clone())
    });
    IncrementalAlterConfigsResponse::default().with_responses(responses.collect())
}

/// What is left to do for a resource that has passed the broker's own checks.
enum Next {
    AskController,
    Done,
}

fn check(
    broker: &Broker,
    resource: &AlterConfigsResource,
    twice: &HashSet<Target<'_>>,
    validate_only: bool,
) -> Result<Next, ApiError> {
    let target = target(resource);
    if twice.contains(&target) {
        return Err(appears_twice());
    }
    let names = resource.configs.iter();
    check_names(
        names.map(|config| (&*config.name, config.config_operation == DELETE, config.value.is_some())),
    )?;
    match target.kind() {
        ConfigResourceType::BrokerLogger => {
            broker_loggers::alter(broker, target.name, &resource.configs, validate_only)?;
            Ok(Next::Done)
        }
        ConfigResourceType::Broker => {
            check_broker_id(broker, target.name)?;
            let mut settings = broker_settings(broker, target.name);
            resource.configs.iter().try_for_each(|config| apply(&mut settings, config))?;
            check_broker_settings(broker, target.name, &settings)?;
            Ok(Next::AskController)
        }
        ConfigResourceType::Topic | ConfigResourceType::ClientMetrics | ConfigResourceType::Group => {
            Ok(Next::AskController)
        }
        ConfigResourceType::Unknown(other) => Err(unknown_type(other)),
    }
}

/// Makes one change of a broker setting (`ConfigAdminManager.prepareIncrementalConfigs`).
fn apply(settings: &mut BTreeMap<String, String>, change: &AlterableConfig) -> Result<(), ApiError> {
    let name = change.name.to_string();
    let operand = change.value.as_deref().unwrap_or_default();
    let is_append = match change.config_operation {
        SET => {
            settings.insert(name, operand.to_owned());
            return Ok(());
        }
        DELETE => {
            settings.remove(&name);
            return Ok(());
        }
        APPEND => true,
        SUBTRACT => false,
        other => return Err(config_changes::invalid(format!("Unknown operations type {other}"))),
    };
    let refuse = |message: String| Err(ApiError::new(ErrorCode::InvalidConfig, message));
    let Some(key) = keys::broker_key(&name) else {
        return refuse(format!("Unknown config name: {name}"));
    };
    if key.kind != KeyType::List {
        let verb = if is_append { "append" } else { "subtract" };
        return refuse(format!("Config value {verb} is not allowed for config key: {name}"));
    }
    let current = settings.get(&name).map_or(key.default.unwrap_or_default(), String::as_str);
    let old: Vec<&str> = current.split(',').filter(|item| !item.is_empty()).collect();
    let new: Vec<&str> = if is_append {
        let added = operand.split(',').filter(|item| !old.contains(item));
        old.iter().copied().chain(added).collect()
    } else {
        let removed: Vec<&str> = operand.split(',').collect();
        old.iter().copied().filter(|item| !removed.contains(item)).collect()
    };
    let joined = new.join(",");
    settings.insert(name, joined);
    Ok(())
}

fn target(resource: &AlterConfigsResource) -> Target<'_> {
    Target { resource_type: resource.resource_type, name: &resource.resource_name }
}

fn changes(resource: &AlterConfigsResource) -> ResourceChanges {
    let changes = resource.configs.iter().map(|config| ConfigChange {
        name: config.name.to_string(),
        operation: config.config_operation,
        value: config.value.as_ref().map(ToString::to_string),
    });
    ResourceChanges {
        resource_type: target(resource).kind(),
        name: resource.resource_name.to_string(),
        changes: changes.collect(),
    }
}
