//! The table of every key: Kafka 4.1's own, in files by area, and the few that are ours.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use crate::key::Key;

pub mod client_metrics;
pub mod extra;
pub mod group;
pub mod topic;

mod groups;
mod log;
mod metadata;
mod network;
mod observability;
mod remote;
mod replication;
mod sasl;
mod security;
mod share;
mod ssl;
mod transactions;

/// One part of the broker table.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// What its keys are about.
    pub title: &'static str,
    /// Sorted by name.
    pub keys: &'static [Key],
}

/// All broker keys by area, in the order the documentation shows them.
pub const AREAS: &[Area] = &[
    Area { title: "Node, roles, metadata log and quorum", keys: metadata::KEYS },
    Area { title: "Listeners, sockets, connections and requests", keys: network::KEYS },
    Area { title: "Topics and their logs", keys: log::KEYS },
    Area { title: "Replication and leadership", keys: replication::KEYS },
    Area { title: "Groups and committed offsets", keys: groups::KEYS },
    Area { title: "Transactions and producer ids", keys: transactions::KEYS },
    Area { title: "Share groups", keys: share::KEYS },
    Area { title: "Metrics, quotas and policies", keys: observability::KEYS },
    Area { title: "Access control and tokens", keys: security::KEYS },
    Area { title: "TLS", keys: ssl::KEYS },
    Area { title: "SASL", keys: sasl::KEYS },
    Area { title: "Tiered storage", keys: remote::KEYS },
    Area { title: "Set only while the broker runs", keys: extra::DYNAMIC_ONLY },
    Area { title: "Of later releases", keys: extra::LATER },
    Area { title: "Beyond Kafka", keys: extra::OURS },
];

static BY_NAME: LazyLock<BTreeMap<&'static str, &'static Key>> =
    LazyLock::new(|| broker_keys().map(|key| (key.name, key)).collect());

/// Every broker key.
pub fn broker_keys() -> impl Iterator<Item = &'static Key> {
    AREAS.iter().flat_map(|area| area.keys)
}

/// The broker key of this exact name.
pub fn broker_key(name: &str) -> Option<&'static Key> {
    BY_NAME.get(name).copied()
}

/// Splits `listener.name.{listener}.{key}` into the listener and the rest.
pub fn split_listener_override(name: &str) -> Option<(&str, &str)> {
    name.strip_prefix("listener.name.")?.split_once('.').filter(|(_, rest)| !rest.is_empty())
}

/// Broker keys that mean the same as this one, strongest first (`DynamicBrokerConfig.brokerConfigSynonyms`, without
/// listener overrides); the key itself is among them.
pub fn synonyms(name: &str) -> Vec<&str> {
    const CHAINS: &[&[&str]] = &[
        &["log.roll.ms", "log.roll.hours"],
        &["log.roll.jitter.ms", "log.roll.jitter.hours"],
        &["log.retention.ms", "log.retention.minutes", "log.retention.hours"],
    ];
    // One way only: the scheduler's interval is the default of the other, not another name for it.
    if name == "log.flush.interval.ms" {
        return vec![name, "log.flush.scheduler.interval.ms"];
    }
    match CHAINS.iter().find(|chain| chain.contains(&name)) {
        Some(chain) => chain.to_vec(),
        None => vec![name],
    }
}

/// As [`synonyms`], and for `listener.name.{listener}.[{mechanism}.]{key}` the key itself behind it.
pub fn synonyms_with_listeners(name: &str) -> Vec<&str> {
    /// Keys that also take a mechanism in their prefix.
    const WITH_MECHANISM: &[&str] = &[
        "sasl.jaas.config",
        "sasl.login.callback.handler.class",
        "sasl.login.class",
        "sasl.server.callback.handler.class",
        "connections.max.reauth.ms",
    ];
    match split_listener_override(name) {
        Some((_, rest)) => {
            let base = WITH_MECHANISM.iter().find(|key| rest.ends_with(**key));
            vec![name, base.copied().unwrap_or(rest)]
        }
        None => synonyms(name),
    }
}

#[cfg(test)]
#[path = "keys_tests.rs"]
mod tests;
