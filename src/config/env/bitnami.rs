//! The names of `bitnami/kafka` (`libkafka.sh`, `kafka-env.sh`): `KAFKA_CFG_*`, the older names without `CFG_`, and
//! `*_FILE`.

use std::path::Path;

use super::{Variable, as_property_value};
use crate::providers::ReadFile;

/// What its properties begin with.
pub(super) const PREFIX: &str = "KAFKA_CFG_";

/// Names that only that image knows.
pub(super) const SIGNS: &[&str] =
    &["ALLOW_PLAINTEXT_LISTENER", "KAFKA_KRAFT_CLUSTER_ID", "KAFKA_ENABLE_KRAFT"];

/// Where the name behind `KAFKA_CFG_` is another.
const ALIASES: &[(&str, &str)] = &[
    ("KAFKA_LOGS_DIRS", "LOG_DIRS"),
    ("KAFKA_SEGMENT_BYTES", "LOG_SEGMENT_BYTES"),
    ("KAFKA_MAX_MESSAGE_BYTES", "MESSAGE_MAX_BYTES"),
    ("KAFKA_ZOOKEEPER_CONNECT_TIMEOUT_MS", "ZOOKEEPER_CONNECTION_TIMEOUT_MS"),
];

/// What also works as `KAFKA_*`.
const WITHOUT_CFG: &[&str] = &[
    "ADVERTISED_LISTENERS",
    "AUTO_CREATE_TOPICS_ENABLE",
    "BROKER_ID",
    "NODE_ID",
    "CONTROLLER_QUORUM_VOTERS",
    "PROCESS_ROLES",
    "DEFAULT_REPLICATION_FACTOR",
    "DELETE_TOPIC_ENABLE",
    "INTER_BROKER_LISTENER_NAME",
    "LISTENERS",
    "LISTENER_SECURITY_PROTOCOL_MAP",
    "LOG_DIRS",
    "LOG_FLUSH_INTERVAL_MESSAGES",
    "LOG_FLUSH_INTERVAL_MS",
    "LOG_MESSAGE_FORMAT_VERSION",
    "LOG_RETENTION_BYTES",
    "LOG_RETENTION_CHECK_INTERVALS_MS",
    "LOG_RETENTION_HOURS",
    "LOG_SEGMENT_BYTES",
    "MESSAGE_MAX_BYTES",
    "NUM_IO_THREADS",
    "NUM_NETWORK_THREADS",
    "NUM_PARTITIONS",
    "NUM_RECOVERY_THREADS_PER_DATA_DIR",
    "OFFSETS_TOPIC_REPLICATION_FACTOR",
    "SOCKET_RECEIVE_BUFFER_BYTES",
    "SOCKET_REQUEST_MAX_BYTES",
    "SOCKET_SEND_BUFFER_BYTES",
    "SSL_ENDPOINT_IDENTIFICATION_ALGORITHM",
    "TRANSACTION_STATE_LOG_MIN_ISR",
    "TRANSACTION_STATE_LOG_REPLICATION_FACTOR",
    "ZOOKEEPER_CONNECT",
    "ZOOKEEPER_CONNECTION_TIMEOUT_MS",
];

/// Variables whose value may stand in a file that `NAME_FILE` names.
const FROM_FILES: &[&str] = &[
    "KAFKA_CERTIFICATE_PASSWORD",
    "KAFKA_CFG_SASL_ENABLED_MECHANISMS",
    "KAFKA_CLIENT_LISTENER_NAME",
    "KAFKA_CLIENT_PASSWORDS",
    "KAFKA_CLIENT_USERS",
    "KAFKA_CLUSTER_ID",
    "KAFKA_CONTROLLER_PASSWORD",
    "KAFKA_CONTROLLER_USER",
    "KAFKA_INITIAL_CONTROLLERS",
    "KAFKA_INTER_BROKER_PASSWORD",
    "KAFKA_INTER_BROKER_USER",
    "KAFKA_KRAFT_CLUSTER_ID",
    "KAFKA_MOUNTED_CONF_DIR",
    "KAFKA_OPTS",
    "KAFKA_TLS_CLIENT_AUTH",
    "KAFKA_TLS_TRUSTSTORE_FILE",
    "KAFKA_TLS_TYPE",
];

/// Properties of sorted variables; an older name beats the one with `CFG_`, as it does there.
pub(super) fn properties<'a>(variables: &[(&'a str, &'a str)]) -> Vec<Variable<'a>> {
    let configured = variables.iter().filter_map(|(name, value)| {
        let rest = name.strip_prefix(PREFIX).filter(|rest| !rest.is_empty())?;
        Some((*name, rest, *value))
    });
    let older = variables.iter().filter_map(|(name, value)| {
        let alias = ALIASES.iter().find(|(alias, _)| alias == name).map(|(_, rest)| *rest);
        let rest = name.strip_prefix("KAFKA_").filter(|rest| WITHOUT_CFG.contains(rest));
        Some((*name, alias.or(rest)?, *value))
    });
    configured
        .chain(older)
        .map(|(name, rest, value)| Variable {
            name,
            key: property_name(rest),
            value: as_property_value(value),
        })
        .collect()
}

/// Every underscore is a dot, but in the names of two protocols, which occur as names of listeners.
fn property_name(rest: &str) -> String {
    rest.to_lowercase()
        .replace('_', ".")
        .replace("sasl.ssl", "sasl_ssl")
        .replace("sasl.plaintext", "sasl_plaintext")
}

/// The environment with the variables that `*_FILE` names read from their files, and a sentence for each file that
/// cannot be read: the image goes on without it.
pub(crate) fn with_files(
    environment: &[(String, String)],
    read_file: ReadFile<'_>,
) -> (Vec<(String, String)>, Vec<String>) {
    let mut complete = environment.to_vec();
    let mut unread = Vec::new();
    for name in FROM_FILES {
        let file_name = format!("{name}_FILE");
        let Some((_, path)) =
            environment.iter().find(|(variable, path)| *variable == file_name && !path.is_empty())
        else {
            continue;
        };
        match read_file(Path::new(path)) {
            Ok(bytes) => {
                // The shell drops line ends behind what it reads.
                let value = String::from_utf8_lossy(&bytes).trim_end_matches('\n').to_owned();
                complete.retain(|(variable, _)| variable != name && *variable != file_name);
                complete.push(((*name).to_owned(), value));
            }
            Err(reason) => unread.push(format!("{file_name}={path} is passed over: {reason}")),
        }
    }
    (complete, unread)
}

/// The identity for a directory that has none, by either name.
pub(crate) fn cluster_id(environment: &[(String, String)]) -> Option<String> {
    ["KAFKA_CLUSTER_ID", "KAFKA_KRAFT_CLUSTER_ID"].iter().find_map(|name| {
        let given = environment.iter().find(|(variable, value)| variable == name && !value.is_empty());
        given.map(|(_, value)| value.clone())
    })
}
