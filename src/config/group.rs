//! Settings of one group (`GroupConfig`) and of a client metrics subscription (`ClientMetricsConfigs`).

use std::collections::BTreeMap;

use crate::error::ConfigError;
use crate::keys::{client_metrics, group};
use crate::layers::value_or_default;
use crate::resolved::Groups;
use crate::value::{self, Value};

/// Checks the settings of one group as AlterConfigs does; the text is Kafka's.
pub fn validate_group_configs(
    groups: &Groups,
    settings: &BTreeMap<String, String>,
) -> Result<(), ConfigError> {
    if let Some(unknown) = settings.keys().find(|name| group::group_key(name).is_none()) {
        return Err(ConfigError::UnknownGroupConfig(unknown.clone()));
    }
    let mut values = BTreeMap::new();
    for key in group::GROUP_KEYS {
        if let Value::Int(value) = value_or_default(key, settings.get(key.name))? {
            values.insert(key.name, value);
        }
    }
    check_ranges(groups, &values)
}

/// Checks the settings of a client metrics subscription as AlterConfigs does; the text is Kafka's.
pub fn validate_client_metrics_configs(settings: &BTreeMap<String, String>) -> Result<(), ConfigError> {
    let conflict = |text: String| Err(ConfigError::Conflict(text));
    for (name, text) in settings {
        let Some(key) = client_metrics::client_metrics_key(name) else {
            return conflict(format!("Unknown client metrics configuration: {name}"));
        };
        match (key.name, value::parse(key, text)?) {
            ("interval.ms", Value::Int(ms)) if !(100..=3_600_000).contains(&ms) => {
                return conflict(format!(
                    "Invalid value {ms} for interval.ms, interval must be between 100 and 3600000 (1 hour)"
                ));
            }
            ("match", Value::List(patterns)) => {
                if let Some(pattern) = patterns.iter().find(|pattern| !is_match_pattern(pattern)) {
                    return conflict(format!("Illegal client matching pattern: {pattern}"));
                }
            }
            _ => {}
        }
    }
    Ok(())
}

/// `parameter=regular expression`; the expression itself is compiled by who matches with it.
fn is_match_pattern(pattern: &str) -> bool {
    const PARAMETERS: &[&str] = &[
        "client_instance_id",
        "client_id",
        "client_software_name",
        "client_software_version",
        "client_source_address",
        "client_source_port",
    ];
    let mut parts = pattern.split('=');
    let is_known = parts.next().is_some_and(|name| PARAMETERS.contains(&name.trim()));
    let has_value = parts.next().is_some_and(|value| !value.is_empty());
    is_known && has_value && parts.next().is_none()
}

fn check_ranges(groups: &Groups, values: &BTreeMap<&'static str, i64>) -> Result<(), ConfigError> {
    let (consumer, share, streams) = (&groups.consumer, &groups.share, &groups.streams);
    let ranges = [
        (
            "consumer",
            "heartbeat.interval.ms",
            consumer.heartbeat_interval_ms_min,
            consumer.heartbeat_interval_ms_max,
        ),
        ("consumer", "session.timeout.ms", consumer.session_timeout_ms_min, consumer.session_timeout_ms_max),
        ("share", "heartbeat.interval.ms", share.heartbeat_interval_ms_min, share.heartbeat_interval_ms_max),
        ("share", "session.timeout.ms", share.session_timeout_ms_min, share.session_timeout_ms_max),
        ("share", "record.lock.duration.ms", share.record_lock_ms_min, share.record_lock_ms_max),
        (
            "streams",
            "heartbeat.interval.ms",
            streams.heartbeat_interval_ms_min,
            streams.heartbeat_interval_ms_max,
        ),
        ("streams", "session.timeout.ms", streams.session_timeout_ms_min, streams.session_timeout_ms_max),
    ];
    let value_of = |name: &str| values.get(name).copied().unwrap_or(0);
    let require = |holds: bool, text: String| if holds { Ok(()) } else { Err(ConfigError::Conflict(text)) };
    for (protocol, name, min, max) in ranges {
        let value = value_of(&format!("{protocol}.{name}"));
        require(
            value >= i64::from(min),
            format!("{protocol}.{name} must be greater than or equal to group.{protocol}.min.{name}"),
        )?;
        require(
            value <= i64::from(max),
            format!("{protocol}.{name} must be less than or equal to group.{protocol}.max.{name}"),
        )?;
    }
    require(
        value_of("streams.num.standby.replicas") <= i64::from(streams.standby_replicas_max),
        "streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas"
            .to_owned(),
    )?;
    for protocol in ["consumer", "share", "streams"] {
        let (heartbeat, session) =
            (format!("{protocol}.heartbeat.interval.ms"), format!("{protocol}.session.timeout.ms"));
        require(
            value_of(&session) > value_of(&heartbeat),
            format!("{session} must be greater than {heartbeat}"),
        )?;
    }
    Ok(())
}

#[cfg(test)]
#[path = "group_tests.rs"]
mod tests;
