//! Checks of dynamic settings as plain functions, for the controller, which knows no configuration of its own.
//!
//! They see the settings of one resource and Kafka's defaults. What depends on a broker's own configuration is
//! checked by [`crate::Layers::validate_dynamic`] and [`crate::topic::TopicDefaults::validate`] before a change
//! reaches the controller.

use std::collections::BTreeMap;

use crate::dynamic::{Scope, validate_names_and_values};
use crate::group::{validate_client_metrics_configs, validate_group_configs};
use crate::key::{Key, KeyType};
use crate::keys;
use crate::layers::Layers;

pub use crate::topic::validate_topic_configs as validate_topic;

/// All settings one broker would have, or with an empty name the default of all brokers.
pub fn validate_broker(name: &str, settings: &BTreeMap<String, String>) -> Result<(), String> {
    let scope = if name.is_empty() { Scope::ClusterDefault } else { Scope::Broker };
    validate_names_and_values(scope, settings).map_err(|error| error.to_string())
}

/// All settings a group would have.
pub fn validate_group(settings: &BTreeMap<String, String>) -> Result<(), String> {
    let built_in = Layers::new(crate::load::embedded()).resolve().map_err(|error| error.to_string())?;
    validate_group_configs(&built_in.groups, settings).map_err(|error| error.to_string())
}

/// All settings a client metrics subscription would have.
pub fn validate_client_metrics(settings: &BTreeMap<String, String>) -> Result<(), String> {
    validate_client_metrics_configs(settings).map_err(|error| error.to_string())
}

/// The default of a topic setting to which values can be appended; `None` when it is not a list, or not known.
pub fn topic_list_default(name: &str) -> Option<String> {
    list_default(&keys::topic::topic_key(name)?.key)
}

/// As [`topic_list_default`], for a broker.
pub fn broker_list_default(name: &str) -> Option<String> {
    list_default(keys::broker_key(name)?)
}

/// As [`topic_list_default`], for a group.
pub fn group_list_default(name: &str) -> Option<String> {
    list_default(keys::group::group_key(name)?)
}

/// As [`topic_list_default`], for a client metrics subscription.
pub fn client_metrics_list_default(name: &str) -> Option<String> {
    list_default(keys::client_metrics::client_metrics_key(name)?)
}

fn list_default(key: &Key) -> Option<String> {
    (key.kind == KeyType::List).then(|| key.default.unwrap_or("").to_owned())
}

#[cfg(test)]
#[path = "rules_tests.rs"]
mod tests;
