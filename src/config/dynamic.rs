//! Changes of broker settings while it runs: which are legal (`DynamicBrokerConfig.validateConfigs`).

use std::collections::BTreeMap;

use crate::error::ConfigError;
use crate::key::{Key, UpdateMode};
use crate::keys;
use crate::layers::Layers;
use crate::resolved::BrokerConfig;
use crate::value;

/// Which dynamic settings a change is for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Scope {
    /// Resource BROKER with an empty name: the default of all brokers.
    ClusterDefault,
    /// Resource BROKER with a broker's id.
    Broker,
}

impl Layers {
    /// Checks the complete set of dynamic settings that `scope` would have after a change, names and values first,
    /// then the whole configuration it would lead to.
    pub fn validate_dynamic(
        &self,
        scope: Scope,
        settings: &BTreeMap<String, String>,
    ) -> Result<BrokerConfig, ConfigError> {
        validate_names_and_values(scope, settings)?;
        let changed = match scope {
            Scope::ClusterDefault => self.with_dynamic(settings.clone(), self.dynamic_broker().clone()),
            Scope::Broker => self.with_dynamic(self.dynamic_default().clone(), settings.clone()),
        };
        let before = self.resolve()?;
        let after = changed.resolve()?;
        check_change(&before, &after)?;
        Ok(after)
    }

    /// The settings of `scope` that are legal, and one sentence for each that is not: what is found in the metadata
    /// log may be from another version and must not stop a start.
    pub fn retain_valid(
        scope: Scope,
        settings: &BTreeMap<String, String>,
    ) -> (BTreeMap<String, String>, Vec<String>) {
        let mut valid = BTreeMap::new();
        let mut complaints = Vec::new();
        for (name, value) in settings {
            let one = BTreeMap::from([(name.clone(), value.clone())]);
            match validate_names_and_values(scope, &one) {
                Ok(()) => {
                    valid.insert(name.clone(), value.clone());
                }
                Err(error) => complaints.push(format!("dynamic setting {name} is ignored: {error}")),
            }
        }
        (valid, complaints)
    }
}

/// Checks a set of dynamic broker settings by themselves; the text is Kafka's.
pub fn validate_names_and_values(
    scope: Scope,
    settings: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    refuse_all(settings, "Cannot update these configs dynamically", |name| {
        keys::broker_key(name).is_some_and(|key| key.update == UpdateMode::ReadOnly)
    })?;
    let only_per_listener =
        "These security configs can be dynamically updated only per-listener using the listener prefix";
    refuse_all(settings, only_per_listener, is_listener_security)?;
    for (name, text) in settings {
        let base = keys::split_listener_override(name).map_or(name.as_str(), |(_, base)| base);
        if let Some(key) = keys::broker_key(base).filter(|key| key.update != UpdateMode::ReadOnly) {
            value::parse(key, text)?;
        }
    }
    if scope == Scope::ClusterDefault {
        refuse_all(
            settings,
            "Cannot update these configs at default cluster level, broker id must be specified",
            is_per_broker,
        )?;
    }
    Ok(())
}

fn refuse_all(
    settings: &BTreeMap<String, String>,
    message: &str,
    is_illegal: impl Fn(&str) -> bool,
) -> Result<(), ConfigError> {
    let illegal: Vec<&str> = settings.keys().map(String::as_str).filter(|name| is_illegal(name)).collect();
    if illegal.is_empty() {
        return Ok(());
    }
    // Scala's print of the set.
    Err(ConfigError::Conflict(format!("{message}: Set({})", illegal.join(", "))))
}

/// `SslConfigs.RECONFIGURABLE_CONFIGS`: legal only behind `listener.name.{listener}.`.
fn is_listener_security(name: &str) -> bool {
    name.starts_with("ssl.")
        && keys::broker_key(name).is_some_and(|key| key.update == UpdateMode::PerBroker)
        && !matches!(name, "ssl.client.auth")
}

fn is_per_broker(name: &str) -> bool {
    match keys::split_listener_override(name) {
        Some((_, base)) => {
            !matches!(base, "max.connections" | "max.connection.creation.rate" | "num.network.threads")
        }
        None => keys::broker_key(name).is_some_and(is_per_broker_key),
    }
}

fn is_per_broker_key(key: &Key) -> bool {
    key.update == UpdateMode::PerBroker
}

/// Changes that need a restart although their keys are dynamic in Kafka.
fn check_change(before: &BrokerConfig, after: &BrokerConfig) -> Result<(), ConfigError> {
    if before.listeners != after.listeners {
        return Err(ConfigError::Conflict(
            "listeners and listener.security.protocol.map cannot be changed while the broker runs yet; change them in \
             its configuration and restart it"
                .to_owned(),
        ));
    }
    check_threads("num.network.threads", before.sockets.network_threads, after.sockets.network_threads)?;
    check_threads("num.io.threads", before.sockets.io_threads, after.sockets.io_threads)
}

/// `DynamicThreadPool.validateReconfiguration`.
fn check_threads(key: &str, before: i32, after: i32) -> Result<(), ConfigError> {
    let update = format!("Dynamic thread count update validation failed for {key}={after}");
    let conflict = |reason: String| Err(ConfigError::Conflict(format!("{update}, {reason}")));
    if after == before {
        Ok(())
    } else if after < before / 2 {
        conflict(format!("value should be at least half the current value {before}"))
    } else if after > before.saturating_mul(2) {
        conflict(format!("value should not be greater than double the current value {before}"))
    } else {
        Ok(())
    }
}

#[cfg(test)]
#[path = "dynamic_tests.rs"]
mod tests;
