//! IncrementalAlterConfigs and the older AlterConfigs. What Kafka checks on the broker that was asked
//! (`ConfigAdminManager.preprocess`) and what its controller checks (`ConfigurationControlManager`) is one
//! sequence here.

use std::collections::{BTreeMap, BTreeSet};

use model::{ErrorCode, topic_name};

use crate::client_metrics;
use crate::command::{
    AlterConfigs, ApiError, ConfigChange, IncrementalAlterConfigs, Outcome, ResourceChanges, ResourceResult,
    ResourceValues,
};
use crate::controller::{Controller, MIN_INSYNC_REPLICAS, too_many_records};
use crate::feature::MetadataVersion;
use crate::image::{ConfigResource, ConfigResourceType};
use crate::record::{ClearElrRecord, ConfigRecord, MetadataRecord};

/// The log directories of a broker that get no more partitions.
const CORDONED_LOG_DIRS: &str = "cordoned.log.dirs";
/// Longest value, in UTF-16 units as Kafka counts.
const VALUE_LENGTH_MAX: usize = i16::MAX as usize;

impl Controller {
    /// Sets, deletes, appends to and subtracts from single configs. Each resource changes as a whole or not at
    /// all. Resources of type BROKER_LOGGER are the caller's to handle: they are not metadata.
    pub fn incremental_alter_configs(
        &self,
        command: IncrementalAlterConfigs,
    ) -> Outcome<Vec<ResourceResult>> {
        let key = |changes: &ResourceChanges| (changes.resource_type, changes.name.clone());
        let repeated = repeated(command.resources.iter().map(key));
        let results = command.resources.iter().map(|changes| {
            let resource =
                ConfigResource { resource_type: changes.resource_type, name: changes.name.clone() };
            let result = if repeated.contains(&key(changes)) {
                Err(mentioned_twice())
            } else {
                self.change_resource(&resource, &changes.changes)
            };
            (resource, result)
        });
        self.outcome(results.collect(), command.validate_only)
    }

    /// Replaces all dynamic configs of the resources.
    pub fn alter_configs(&self, command: AlterConfigs) -> Outcome<Vec<ResourceResult>> {
        let key = |values: &ResourceValues| (values.resource_type, values.name.clone());
        let repeated = repeated(command.resources.iter().map(key));
        let results = command.resources.iter().map(|values| {
            let resource = ConfigResource { resource_type: values.resource_type, name: values.name.clone() };
            let result = if repeated.contains(&key(values)) {
                Err(mentioned_twice())
            } else {
                self.replace_resource(&resource, &values.values)
            };
            (resource, result)
        });
        self.outcome(results.collect(), command.validate_only)
    }

    fn outcome(
        &self,
        results: Vec<(ConfigResource, Result<Vec<ConfigRecord>, ApiError>)>,
        validate_only: bool,
    ) -> Outcome<Vec<ResourceResult>> {
        let mut altered = Vec::new();
        let mut reply: Vec<_> = results
            .into_iter()
            .map(|(resource, result)| ResourceResult {
                resource_type: resource.resource_type,
                name: resource.name,
                error: result.map(|mut records| altered.append(&mut records)).err(),
            })
            .collect();
        let clear_elr = self.clear_elr_for(&altered);
        let mut records: Vec<_> = altered.into_iter().map(MetadataRecord::Config).collect();
        records.extend(clear_elr);
        if let Some(error) = too_many_records(&records) {
            for result in &mut reply {
                result.error = Some(error.clone());
            }
            records.clear();
        }
        if validate_only {
            records.clear();
        }
        Outcome { records, reply }
    }

    fn change_resource(
        &self,
        resource: &ConfigResource,
        changes: &[ConfigChange],
    ) -> Result<Vec<ConfigRecord>, ApiError> {
        check_keys(changes.iter().map(|change| change.name.as_str()))?;
        let needs_value = |change: &&ConfigChange| change.operation != DELETE && change.value.is_none();
        check_nulls(changes.iter().filter(needs_value).map(|change| change.name.as_str()))?;
        self.check_resource(resource)?;
        let mut altered = Vec::new();
        for change in changes {
            let current = self.image.configs().value(resource, &change.name);
            let new = self.changed_value(resource, change, current)?;
            if is_altered(resource, current, new.as_deref()) {
                altered.push(record(resource, &change.name, new));
            }
        }
        self.validate_altered(resource, &altered, &[], false)?;
        Ok(altered)
    }

    fn changed_value(
        &self,
        resource: &ConfigResource,
        change: &ConfigChange,
        current: Option<&str>,
    ) -> Result<Option<String>, ApiError> {
        let operand = change.value.as_deref().unwrap_or_default();
        match change.operation {
            SET => Ok(change.value.clone()),
            DELETE => Ok(None),
            APPEND | SUBTRACT => {
                let default = (self.settings.config_rules.list_default)(resource.resource_type, &change.name)
                    .ok_or_else(|| not_a_list(resource, change))?;
                let mut items: Vec<&str> =
                    current.unwrap_or(&default).split(',').filter(|item| !item.is_empty()).collect();
                for item in java_split(operand) {
                    match items.iter().position(|present| *present == item) {
                        Some(position) if change.operation == SUBTRACT => {
                            items.remove(position);
                        }
                        None if change.operation == APPEND => items.push(item),
                        _ => {}
                    }
                }
                Ok(Some(items.join(",")))
            }
            operation => Err(invalid(format!("Unknown operations type {operation}"))),
        }
    }

    fn replace_resource(
        &self,
        resource: &ConfigResource,
        values: &[(String, Option<String>)],
    ) -> Result<Vec<ConfigRecord>, ApiError> {
        check_keys(values.iter().map(|(name, _)| name.as_str()))?;
        let nulls = values.iter().filter(|(_, value)| value.is_none());
        check_nulls(nulls.map(|(name, _)| name.as_str()))?;
        self.check_resource(resource)?;
        let current = self.image.configs().of(resource);
        let value_of = |name: &str| current.and_then(|current| current.get(name)).map(String::as_str);
        let mut altered: Vec<_> = values
            .iter()
            .filter(|(name, value)| is_altered(resource, value_of(name), value.as_deref()))
            .map(|(name, value)| record(resource, name, value.clone()))
            .collect();
        let kept: BTreeSet<_> = values.iter().map(|(name, _)| name).collect();
        let deleted: Vec<_> = current
            .into_iter()
            .flat_map(|current| current.keys())
            .filter(|name| !kept.contains(name))
            .map(|name| record(resource, name, None))
            .collect();
        self.validate_altered(resource, &altered, &deleted, false)?;
        altered.extend(deleted);
        Ok(altered)
    }

    /// Whether configs of this resource can be altered here at all.
    fn check_resource(&self, resource: &ConfigResource) -> Result<(), ApiError> {
        match resource.resource_type {
            ConfigResourceType::Topic | ConfigResourceType::Group | ConfigResourceType::ClientMetrics => {
                Ok(())
            }
            ConfigResourceType::Broker if resource.name.is_empty() => Ok(()),
            ConfigResourceType::Broker => {
                let name = &resource.name;
                let Ok(id) = name.parse::<i32>() else {
                    return Err(invalid(format!("Node id must be an integer, but it is: {name}")));
                };
                let node_id = self.settings.node_id;
                if id != node_id.value() {
                    return Err(invalid(format!(
                        "Unexpected broker id, expected {node_id}, but received {name}"
                    )));
                }
                Ok(())
            }
            ConfigResourceType::BrokerLogger | ConfigResourceType::Unknown(_) => {
                Err(invalid(format!("Unknown resource type {}", resource.resource_type.id())))
            }
        }
    }

    /// Checks the configs that the resource would have, then that the resource exists.
    pub(crate) fn validate_altered(
        &self,
        resource: &ConfigResource,
        altered: &[ConfigRecord],
        deleted: &[ConfigRecord],
        is_new: bool,
    ) -> Result<(), ApiError> {
        let mut values = match self.image.configs().of(resource) {
            Some(current) if !is_new => current.as_ref().clone(),
            _ => BTreeMap::new(),
        };
        for record in altered.iter().chain(deleted) {
            self.check_min_isr(resource, record)?;
            self.check_cordon(resource, record)?;
            match &record.value {
                None => {
                    values.remove(&record.name);
                }
                Some(value) if value.encode_utf16().count() > VALUE_LENGTH_MAX => {
                    return Err(ApiError::new(
                        ErrorCode::InvalidConfig,
                        format!(
                            "The configuration value cannot be added because it exceeds the maximum value size of \
                             {VALUE_LENGTH_MAX} bytes."
                        ),
                    ));
                }
                Some(value) => {
                    values.insert(record.name.clone(), value.clone());
                }
            }
        }
        self.validate_values(resource, &values)?;
        if is_new {
            return Ok(());
        }
        self.check_existence(resource)
    }

    /// A metadata.version without cordoned directories has nobody to act on them (KIP-1066).
    fn check_cordon(&self, resource: &ConfigResource, record: &ConfigRecord) -> Result<(), ApiError> {
        let is_cordon =
            resource.resource_type == ConfigResourceType::Broker && record.name == CORDONED_LOG_DIRS;
        if !is_cordon || record.value.is_none() || self.image.record_version().has_cordoned_directories() {
            return Ok(());
        }
        let message = format!(
            "The {CORDONED_LOG_DIRS} configuration value cannot be set because it requires metadata.version >= {}",
            MetadataVersion::CORDONED_DIRECTORIES
        );
        Err(ApiError::new(ErrorCode::InvalidConfig, message))
    }

    fn validate_values(
        &self,
        resource: &ConfigResource,
        values: &BTreeMap<String, String>,
    ) -> Result<(), ApiError> {
        let rules = &self.settings.config_rules;
        let illegal = |reason| ApiError::new(ErrorCode::InvalidConfig, reason);
        match resource.resource_type {
            ConfigResourceType::Topic => {
                if resource.name.is_empty() {
                    return Err(invalid("Default topic resources are not allowed.".to_owned()));
                }
                topic_name::validate(&resource.name)
                    .map_err(|error| ApiError::new(ErrorCode::InvalidTopicException, error.to_string()))?;
                (rules.validate_topic)(values).map_err(illegal)
            }
            ConfigResourceType::Broker => (rules.validate_broker)(&resource.name, values).map_err(invalid),
            ConfigResourceType::Group => {
                if resource.name.is_empty() {
                    return Err(invalid("Default group resources are not allowed.".to_owned()));
                }
                (rules.validate_group)(values).map_err(illegal)
            }
            ConfigResourceType::ClientMetrics => client_metrics::validate(&resource.name, values),
            other => Err(invalid(format!("Unknown resource type {other}"))),
        }
    }

    fn check_existence(&self, resource: &ConfigResource) -> Result<(), ApiError> {
        match resource.resource_type {
            ConfigResourceType::Topic if self.image.topic(&resource.name).is_none() => Err(ApiError::new(
                ErrorCode::UnknownTopicOrPartition,
                format!("The topic '{}' does not exist.", resource.name),
            )),
            // The node itself is the controller, and `check_resource` lets no other broker through.
            _ => Ok(()),
        }
    }

    /// With eligible leader replicas, all brokers must agree on `min.insync.replicas` (KIP-966).
    fn check_min_isr(&self, resource: &ConfigResource, record: &ConfigRecord) -> Result<(), ApiError> {
        let is_broker = resource.resource_type == ConfigResourceType::Broker;
        if record.name != MIN_INSYNC_REPLICAS || !is_broker || !self.image.elr_enabled() {
            return Ok(());
        }
        let reason = if !resource.name.is_empty() {
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
        } else if record.value.is_none() {
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
        } else {
            return Ok(());
        };
        Err(ApiError::new(ErrorCode::InvalidConfig, reason))
    }

    /// A new `min.insync.replicas` changes who is eligible, so what is known of that is forgotten.
    pub(crate) fn clear_elr_for(&self, altered: &[ConfigRecord]) -> Vec<MetadataRecord> {
        if !self.image.elr_enabled() {
            return Vec::new();
        }
        altered
            .iter()
            .filter(|record| record.name == MIN_INSYNC_REPLICAS)
            .map(|record| {
                let is_topic = record.resource_type == ConfigResourceType::Topic.id();
                MetadataRecord::ClearElr(ClearElrRecord {
                    topic_name: if is_topic { record.resource_name.clone() } else { String::new() },
                    unknown: Vec::new(),
                })
            })
            .collect()
    }
}

/// `AlterConfigOp.OpType`.
const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Brokers reload their configs at each record, so an unchanged value is written for them too (KAFKA-14136).
fn is_altered(resource: &ConfigResource, current: Option<&str>, new: Option<&str>) -> bool {
    current != new || resource.resource_type == ConfigResourceType::Broker
}

fn record(resource: &ConfigResource, name: &str, value: Option<String>) -> ConfigRecord {
    ConfigRecord {
        resource_type: resource.resource_type.id(),
        resource_name: resource.name.clone(),
        name: name.to_owned(),
        value,
        unknown: Vec::new(),
    }
}

/// The record that sets one config of one resource, or with `None` removes it.
pub(crate) fn config_record(resource: &ConfigResource, name: &str, value: Option<String>) -> MetadataRecord {
    MetadataRecord::Config(record(resource, name, value))
}

/// Java's `String.split`: no empty items at the end, but one for an empty text.
fn java_split(text: &str) -> impl Iterator<Item = &str> {
    let text = match text.trim_end_matches(',') {
        "" if !text.is_empty() => None,
        trimmed => Some(trimmed),
    };
    text.into_iter().flat_map(|text| text.split(','))
}

fn not_a_list(resource: &ConfigResource, change: &ConfigChange) -> ApiError {
    let name = &change.name;
    let (verb, upper) = match change.operation {
        APPEND => ("append", "APPEND"),
        _ => ("subtract", "SUBTRACT"),
    };
    let message = if resource.resource_type == ConfigResourceType::Broker {
        format!("Config value {verb} is not allowed for config key: {name}")
    } else {
        format!("Can't {upper} to key {name} because its type is not LIST.")
    };
    ApiError::new(ErrorCode::InvalidConfig, message)
}

fn check_keys<'a>(mut names: impl Iterator<Item = &'a str>) -> Result<(), ApiError> {
    let mut seen = BTreeSet::new();
    if names.all(|name| seen.insert(name)) {
        return Ok(());
    }
    Err(invalid("Error due to duplicate config keys".to_owned()))
}

fn check_nulls<'a>(names: impl Iterator<Item = &'a str>) -> Result<(), ApiError> {
    let names: Vec<_> = names.collect();
    if names.is_empty() {
        return Ok(());
    }
    Err(invalid(format!("Null value not supported for : {}", names.join(", "))))
}

fn repeated<T: Ord + Clone>(items: impl Iterator<Item = T>) -> BTreeSet<T> {
    let mut seen = BTreeSet::new();
    items.filter(|item| !seen.insert(item.clone())).collect()
}

fn mentioned_twice() -> ApiError {
    invalid("Each resource must appear at most once.".to_owned())
}

fn invalid(message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
#[path = "alter_configs_tests.rs"]
mod tests;
