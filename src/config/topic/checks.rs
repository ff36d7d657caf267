//! Rules between the settings of one topic.

use std::collections::BTreeMap;

use super::reader::{LOCAL_RETENTION_UNSET, Reader};
use crate::error::ConfigError;
use crate::value::Value;

/// `LogConfig.validateValues`.
pub(super) fn check_compaction_lags(values: &BTreeMap<&'static str, Value>) -> Result<(), ConfigError> {
    let reader = Reader(values);
    let (min, max) = (reader.long("min.compaction.lag.ms"), reader.long("max.compaction.lag.ms"));
    if min > max {
        return Err(ConfigError::Conflict(format!(
            "conflict topic config setting min.compaction.lag.ms ({min}) > max.compaction.lag.ms ({max})"
        )));
    }
    Ok(())
}

/// Kafka's rules for tiered storage (KIP-405, KIP-950).
pub(super) fn check_remote(
    values: &BTreeMap<&'static str, Value>,
    system_enabled: bool,
    was_remote: bool,
) -> Result<(), ConfigError> {
    let reader = Reader(values);
    let conflict = |text: &str| Err(ConfigError::Conflict(text.to_owned()));
    if !reader.bool("remote.storage.enable") {
        if was_remote && !reader.bool("remote.log.delete.on.disable") {
            return conflict(
                "It is invalid to disable remote storage without deleting remote data. If you want to keep the remote \
                 data and turn to read only, please set `remote.storage.enable=true,remote.log.copy.disable=true`. If \
                 you want to disable remote storage and delete all remote data, please set \
                 `remote.storage.enable=false,remote.log.delete.on.disable=true`.",
            );
        }
        return Ok(());
    }
    if !system_enabled {
        return conflict(
            "Tiered Storage functionality is disabled in the broker. Topic cannot be configured with remote log \
             storage.",
        );
    }
    if reader.list("cleanup.policy").iter().any(|policy| !policy.eq_ignore_ascii_case("delete")) {
        return conflict("Remote log storage only supports topics with cleanup.policy=delete");
    }
    for (local, total) in
        [("local.retention.bytes", "retention.bytes"), ("local.retention.ms", "retention.ms")]
    {
        check_local_retention(&reader, local, total)?;
    }
    Ok(())
}

fn check_local_retention(reader: &Reader<'_>, local: &str, total: &str) -> Result<(), ConfigError> {
    let (local_value, total_value) = (reader.long(local), reader.long(total));
    if local_value == LOCAL_RETENTION_UNSET {
        return Ok(());
    }
    if total_value > -1 {
        let reason = match local_value {
            -1 => format!("Value must not be -1 as {total} value is set as {total_value}."),
            more if more > total_value => {
                format!("Value must not be more than {total} property value: {total_value}")
            }
            _ => String::new(),
        };
        if !reason.is_empty() {
            return Err(ConfigError::invalid(local, local_value.to_string(), reason));
        }
    }
    if reader.bool("remote.log.copy.disable") && local_value != total_value {
        return Err(ConfigError::Conflict(format!(
            "When `remote.log.copy.disable` is set to true, the `{local}` and `{total}` must be set to the identical \
             value because there will be no more logs copied to the remote storage."
        )));
    }
    Ok(())
}
