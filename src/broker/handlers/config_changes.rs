//! What AlterConfigs and IncrementalAlterConfigs share: the checks that Kafka's broker makes before it asks the
//! controller (`ConfigAdminManager`).

use std::collections::{BTreeMap, HashSet};

use config::dynamic::Scope;
use controller::ApiError;
use controller::command::ResourceResult;
use controller::image::{ConfigResource, ConfigResourceType};
use model::{BrokerId, ErrorCode};

use crate::context::Broker;

/// A resource of a request, as both APIs name it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub(super) struct Target<'a> {
    pub resource_type: i8,
    pub name: &'a str,
}

impl Target<'_> {
    pub(super) fn kind(self) -> ConfigResourceType {
        ConfigResourceType::from_id(self.resource_type)
    }
}

/// Which of the targets are there more than once; every occurrence of those is refused.
pub(super) fn check_unique<'a>(targets: &[Target<'a>]) -> HashSet<Target<'a>> {
    let mut seen = HashSet::new();
    targets.iter().copied().filter(|target| !seen.insert(*target)).collect()
}

pub(super) fn appears_twice() -> ApiError {
    invalid("Each resource must appear at most once.")
}

/// Config names must be there once, and have values where they are `(name, may be null, has a value)`.
pub(super) fn check_names<'a>(names: impl Iterator<Item = (&'a str, bool, bool)>) -> Result<(), ApiError> {
    let (mut seen, mut nulls) = (HashSet::new(), Vec::new());
    for (name, nullable, has_value) in names {
        if !seen.insert(name) {
            return Err(invalid("Error due to duplicate config keys"));
        }
        if !nullable && !has_value {
            nulls.push(name);
        }
    }
    if nulls.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("Null value not supported for : {}", nulls.join(", "))))
}

/// A BROKER resource has no name, or this broker's id.
pub(super) fn check_broker_id(broker: &Broker, name: &str) -> Result<(), ApiError> {
    if name.is_empty() {
        return Ok(());
    }
    match name.parse::<i32>() {
        Ok(id) if BrokerId::new(id) == broker.node_id => Ok(()),
        Ok(_) => {
            Err(invalid(format!("Unexpected broker id, expected {}, but received {name}", broker.node_id)))
        }
        Err(_) => Err(invalid(format!("Node id must be an integer, but it is: {name}"))),
    }
}

/// Checks the dynamic settings that a BROKER resource would have after the change.
pub(super) fn check_broker_settings(
    broker: &Broker,
    name: &str,
    settings: &BTreeMap<String, String>,
) -> Result<(), ApiError> {
    let scope = if name.is_empty() { Scope::ClusterDefault } else { Scope::Broker };
    let checked = broker.metadata.view().layers().validate_dynamic(scope, settings);
    // Kafka answers INVALID_REQUEST where INVALID_CONFIG would say more (KAFKA-13609).
    checked.map(|_| ()).map_err(|error| invalid(error.to_string()))
}

/// The dynamic settings a BROKER resource has now.
pub(super) fn broker_settings(broker: &Broker, name: &str) -> BTreeMap<String, String> {
    let resource = ConfigResource { resource_type: ConfigResourceType::Broker, name: name.to_owned() };
    let image = broker.metadata.image();
    image.configs().of(&resource).map(|settings| BTreeMap::clone(settings)).unwrap_or_default()
}

/// A resource type that has no configs.
pub(super) fn unknown_type(resource_type: i8) -> ApiError {
    invalid(format!("Unknown resource type {resource_type}"))
}

/// What the controller made of a target that had passed the broker's checks.
pub(super) fn outcome_of(results: &[ResourceResult], target: Target<'_>) -> Option<ApiError> {
    let found =
        results.iter().find(|result| result.resource_type == target.kind() && result.name == target.name);
    match found {
        Some(result) => result.error.clone(),
        None => Some(ApiError::silent(ErrorCode::UnknownServerError)),
    }
}

pub(super) fn invalid(message: impl Into<String>) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}
