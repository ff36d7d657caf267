//! Log levels as configs of this process (resource `BROKER_LOGGER`; `RuntimeLoggerManager`).

use config::ConfigEntry;
use controller::ApiError;
use model::ErrorCode;
use tracing::level_filters::LevelFilter;
use wire::messages::incremental_alter_configs_request::AlterableConfig;

use super::config_changes::invalid;
use super::incremental_alter_configs::{APPEND, DELETE, SET, SUBTRACT};
use crate::context::Broker;

/// log4j's name of the logger that all others inherit from.
const ROOT: &str = "root";
const LEVELS: [&str; 6] = ["DEBUG", "ERROR", "FATAL", "INFO", "TRACE", "WARN"];

/// The loggers and their levels. There is one: all lines of the process pass the same level.
pub(super) fn describe() -> Vec<ConfigEntry> {
    let level = match LevelFilter::current() {
        LevelFilter::TRACE => "TRACE",
        LevelFilter::DEBUG => "DEBUG",
        LevelFilter::INFO => "INFO",
        LevelFilter::WARN => "WARN",
        LevelFilter::ERROR => "ERROR",
        _ => "OFF",
    };
    vec![config::describe::logger(ROOT, level)]
}

/// Checks changes of log levels in Kafka's words. Making them needs a restart with other log settings.
pub(super) fn alter(
    broker: &Broker,
    name: &str,
    changes: &[AlterableConfig],
    validate_only: bool,
) -> Result<(), ApiError> {
    match name.parse::<i32>() {
        Ok(id) if id == broker.node_id.value() => {}
        Ok(id) => {
            let expected = broker.node_id;
            return Err(invalid(format!("Unexpected node id. Expected {expected}, but received {id}")));
        }
        Err(_) => return Err(invalid(format!("Node id must be an integer, but it is: {name}"))),
    }
    changes.iter().try_for_each(check)?;
    if validate_only || changes.is_empty() {
        return Ok(());
    }
    Err(invalid(
        "Log levels cannot be changed while the broker runs; set KAFKA_LOG4J_ROOT_LOGLEVEL and restart it",
    ))
}

fn check(change: &AlterableConfig) -> Result<(), ApiError> {
    let logger = &*change.name;
    let illegal = |message: String| Err(ApiError::new(ErrorCode::InvalidConfig, message));
    match change.config_operation {
        SET | DELETE if logger != ROOT => illegal(format!("Logger {logger} does not exist!")),
        SET => {
            let level = change.value.as_deref().unwrap_or_default();
            if LEVELS.contains(&level) {
                return Ok(());
            }
            illegal(format!(
                "Cannot set the log level of {logger} to {level} as it is not a supported log level. Valid log levels \
                 are {}",
                LEVELS.join(", ")
            ))
        }
        DELETE => Err(invalid(format!("Removing the log level of the {ROOT} logger is not allowed"))),
        APPEND => Err(invalid("APPEND operation is not allowed for the BROKER_LOGGER resource")),
        SUBTRACT => Err(invalid("SUBTRACT operation is not allowed for the BROKER_LOGGER resource")),
        other => Err(invalid(format!(
            "Unknown operation type {other} is not allowed for the BROKER_LOGGER resource"
        ))),
    }
}
