//! Changes of broker settings while it runs: which are legal (`DynamicBrokerConfig.validateConfigs`).

use std::collections::BTreeMap;

use crate::error::ConfigError;
use crate::key::UpdateMode;
use crate::keys;
use crate::layers::{Layers, Values};
use crate::resolved::BrokerConfig;
use crate::review::check_dynamic_plug_in;
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
    /// then the whole configuration it would lead to, which is the result.
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
        let after = changed.resolve()?;
        if self.resolve()?.listeners != after.listeners {
            return Err(ConfigError::Conflict(
                "listeners and listener.security.protocol.map cannot be changed while the broker runs yet; change them \
                 in its configuration and restart it"
                    .to_owned(),
            ));
        }
        check_threads(&self.lenient_values(), &changed.lenient_values())?;
        Ok(after)
    }
}

/// The settings of `scope` that are legal, and one sentence for each that is not: what is found in the metadata log
/// may be from another version and must not stop a start.
pub fn retain_valid(
    scope: Scope,
    settings: &BTreeMap<String, String>,
) -> (BTreeMap<String, String>, Vec<String>) {
    let mut valid = BTreeMap::new();
    let mut complaints = Vec::new();
    for (name, value) in settings {
        let one = BTreeMap::from([(name.clone(), value.clone())]);
        match validate_names_and_values(scope, &one) {
            Ok(()) => drop(valid.insert(name.clone(), value.clone())),
            Err(error) => complaints.push(format!("dynamic setting {name} is ignored: {error}")),
        }
    }
    (valid, complaints)
}

/// Checks a set of dynamic broker settings by themselves; the text is Kafka's.
pub fn validate_names_and_values(
    scope: Scope,
    settings: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    let illegal = |is_illegal: fn(&str) -> bool| -> Vec<&str> {
        settings.keys().map(String::as_str).filter(|name| is_illegal(name)).collect()
    };
    let read_only =
        illegal(|name| keys::broker_key(name).is_some_and(|key| key.update == UpdateMode::ReadOnly));
    if !read_only.is_empty() {
        return Err(refusal("Cannot update these configs dynamically", set_text(&read_only)));
    }
    let listener_only = illegal(|name| LISTENER_SECURITY.contains(&name));
    if !listener_only.is_empty() {
        return Err(refusal(
            "These security configs can be dynamically updated only per-listener using the listener prefix",
            set_text(&listener_only),
        ));
    }
    for (name, text) in settings {
        let base = keys::split_listener_override(name).map_or(name.as_str(), |(_, base)| base);
        if let Some(key) = keys::broker_key(base).filter(|key| key.update != UpdateMode::ReadOnly) {
            value::parse(key, text)?;
            check_dynamic_plug_in(key, name, text)?;
        }
    }
    let per_broker = if scope == Scope::ClusterDefault { illegal(is_per_broker) } else { Vec::new() };
    if !per_broker.is_empty() {
        return Err(refusal(
            "Cannot update these configs at default cluster level, broker id must be specified",
            set_text(&per_broker),
        ));
    }
    Ok(())
}

/// `SslConfigs.RECONFIGURABLE_CONFIGS`: legal only behind `listener.name.{listener}.`.
const LISTENER_SECURITY: &[&str] = &[
    "ssl.key.password",
    "ssl.keystore.certificate.chain",
    "ssl.keystore.key",
    "ssl.keystore.location",
    "ssl.keystore.password",
    "ssl.keystore.type",
    "ssl.truststore.certificates",
    "ssl.truststore.location",
    "ssl.truststore.password",
    "ssl.truststore.type",
];

fn refusal(message: &str, names: String) -> ConfigError {
    ConfigError::Conflict(format!("{message}: {names}"))
}

/// A set as Java prints it.
fn set_text(names: &[&str]) -> String {
    format!("[{}]", names.join(", "))
}

fn is_per_broker(name: &str) -> bool {
    match keys::split_listener_override(name) {
        Some((_, base)) => {
            !matches!(base, "max.connections" | "max.connection.creation.rate" | "num.network.threads")
        }
        None => keys::broker_key(name).is_some_and(|key| key.update == UpdateMode::PerBroker),
    }
}

/// Thread counts change at most by a factor of two (`DynamicThreadPool`, `SocketServer`, `LogCleaner`).
fn check_threads(before: &Values, after: &Values) -> Result<(), ConfigError> {
    const POOLS: &[&str] = &[
        "num.network.threads",
        "num.io.threads",
        "num.replica.fetchers",
        "num.recovery.threads.per.data.dir",
        "background.threads",
        "remote.log.reader.threads",
        "remote.log.manager.copier.thread.pool.size",
        "remote.log.manager.expiration.thread.pool.size",
    ];
    for key in POOLS {
        let (old, new) = (before.long(key), after.long(key));
        let failed = |reason: String| {
            Err(ConfigError::Conflict(format!(
                "Dynamic thread count update validation failed for {key}={new}, {reason}"
            )))
        };
        if new < old / 2 {
            return failed(format!("value should be at least half the current value {old}"));
        }
        if new > old * 2 {
            return failed(format!("value should not be greater than double the current value {old}"));
        }
    }
    let (old, new) = (before.long("log.cleaner.threads"), after.long("log.cleaner.threads"));
    let cleaner = |direction: &str| {
        Err(ConfigError::Conflict(format!(
            "Log cleaner threads cannot be {direction} the current value {old}"
        )))
    };
    if new < old / 2 {
        return cleaner("reduced to less than half");
    }
    if new > old * 2 {
        return cleaner("increased to more than double");
    }
    Ok(())
}

#[cfg(test)]
#[path = "dynamic_tests.rs"]
mod tests;
