//! Configs of client metrics subscriptions (KIP-714, `ClientMetricsConfigs`).

use std::collections::BTreeMap;

use model::ErrorCode;

use crate::command::ApiError;

const INTERVAL_MS: &str = "interval.ms";
const MATCH: &str = "match";
const METRICS: &str = "metrics";
const INTERVAL_MS_RANGE: std::ops::RangeInclusive<i32> = 100..=3_600_000;
const MATCH_KEYS: [&str; 6] = [
    "client_instance_id",
    "client_id",
    "client_software_name",
    "client_software_version",
    "client_source_address",
    "client_source_port",
];

/// Checks the configs that a subscription would have.
pub(crate) fn validate(name: &str, values: &BTreeMap<String, String>) -> Result<(), ApiError> {
    if name.is_empty() {
        return Err(invalid("Subscription name can't be empty".to_owned()));
    }
    let is_unknown = |key: &&String| ![INTERVAL_MS, MATCH, METRICS].contains(&key.as_str());
    if let Some(key) = values.keys().find(is_unknown) {
        return Err(invalid(format!("Unknown client metrics configuration: {key}")));
    }
    if let Some(text) = values.get(INTERVAL_MS) {
        let Ok(interval_ms) = text.trim().parse::<i32>() else {
            let message =
                format!("Invalid value {text} for configuration {INTERVAL_MS}: Not a number of type INT");
            return Err(ApiError::new(ErrorCode::InvalidConfig, message));
        };
        if !INTERVAL_MS_RANGE.contains(&interval_ms) {
            return Err(invalid(format!(
                "Invalid value {interval_ms} for {INTERVAL_MS}, interval must be between 100 and 3600000 (1 hour)"
            )));
        }
    }
    let patterns = values.get(MATCH).map(String::as_str).unwrap_or_default();
    for pattern in patterns.split(',').map(str::trim).filter(|pattern| !pattern.is_empty()) {
        // The regular expression itself is Java's; it is checked where subscriptions are matched.
        let is_legal = match pattern.split('=').collect::<Vec<_>>().as_slice() {
            [key, expression] => MATCH_KEYS.contains(&key.trim()) && !expression.is_empty(),
            _ => false,
        };
        if !is_legal {
            let message = format!("Illegal client matching pattern: {pattern}");
            return Err(ApiError::new(ErrorCode::InvalidConfig, message));
        }
    }
    Ok(())
}

fn invalid(message: String) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

#[cfg(test)]
#[path = "client_metrics_tests.rs"]
mod tests;
