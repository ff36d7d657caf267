//! Configurations from before Kafka 4.0, whose brokers met in ZooKeeper.
//!
//! One such broker is started as the single node it is. One of several is not: alone it would answer its clients for a
//! cluster whose other brokers it does not know.

use crate::error::ConfigError;
use crate::load::{Setting, Settings};

/// Settings whose value above one takes other brokers to be there.
const COPIES: &[&str] = &[
    "default.replication.factor",
    "offsets.topic.replication.factor",
    "transaction.state.log.replication.factor",
    "transaction.state.log.min.isr",
    "min.insync.replicas",
];

pub(crate) fn refuse_several_brokers(settings: &Settings) -> Result<(), ConfigError> {
    let Some((connect, sign)) = settings.get("zookeeper.connect").zip(sign_of_others(settings)) else {
        return Ok(());
    };
    if settings.contains_key("process.roles") {
        return Ok(());
    }
    let (key, setting) = sign;
    let reason = format!(
        "there is no ZooKeeper since Kafka 4.0, and {key}={} ({}) says that this is one of several brokers, which cannot \
         form a cluster yet; for a node of its own set process.roles=broker,controller, node.id=1, \
         controller.listener.names=CONTROLLER and controller.quorum.voters=1@localhost:9093, with \
         CONTROLLER://:9093 among listeners",
        setting.value, setting.source
    );
    Err(ConfigError::Refused {
        key: "zookeeper.connect".to_owned(),
        value: connect.value.clone(),
        reason,
        source_of_value: Some(connect.source.clone()),
    })
}

fn sign_of_others(settings: &Settings) -> Option<(&str, &Setting)> {
    let above_one = |key: &&str| number(settings.get(*key)).is_some_and(|copies| copies > 1);
    let copies = COPIES.iter().copied().find(|key| above_one(key));
    // Brokers are counted from 0 or 1, or begin far from it (1001); the second of a few is none of these.
    let counted = ["broker.id", "node.id"]
        .into_iter()
        .find(|key| number(settings.get(*key)).is_some_and(|id| (2..=9).contains(&id)));
    let key = copies.or(counted)?;
    settings.get_key_value(key).map(|(key, setting)| (key.as_str(), setting))
}

fn number(setting: Option<&Setting>) -> Option<i64> {
    setting?.value.trim().parse().ok()
}

#[cfg(test)]
#[path = "zookeeper_tests.rs"]
mod tests;
