//! Limits that stop a client which can connect: settings that a cluster of this size cannot meet, and sizes.

use std::collections::BTreeMap;
use std::time::Duration;

use client::{CoordinatorOf, Settings};
use wire::api_table::ApiKey;

use super::Case;
use super::ask::{Cluster, Talk};
use super::finding::{Diagnosis, Finding};
use super::listeners::Served;
use super::probe::{Address, CLIENT_ID};

/// Reads a broker's settings, where it shows them, and holds them against the cluster and the client.
pub async fn examine(
    first: &Address,
    found: &Served,
    cluster: &Cluster,
    case: &Case,
    diagnosis: &mut Diagnosis,
) {
    let Some(broker) = cluster.brokers.first() else { return };
    let Ok(mut talk) = Talk::open(found.at, &found.offered, case.patience).await else { return };
    // A broker that shows them to administrators only says nothing of them.
    let Ok(settings) = talk.settings(broker.id).await else { return };
    let count = cluster.brokers.len();
    if let Some(finding) = replicas(&settings, count)
        && !talk.has_topic(OFFSETS_TOPIC).await.unwrap_or(true)
        && !coordinates(first, case.patience).await
    {
        diagnosis.findings.push(finding);
    }
    if !found.offered.iter().any(|row| row.api_key == ApiKey::DescribeTopicPartitions.code()) {
        diagnosis.findings.extend(in_sync(&settings, count));
    }
    diagnosis.findings.extend(sizes(&settings, case));
}

/// Whether a group gets a coordinator: a cluster that can makes the topic of offsets for it, as for its first consumer.
async fn coordinates(first: &Address, patience: Duration) -> bool {
    let settings = Settings {
        client_id: CLIENT_ID.to_owned(),
        request_timeout: patience,
        api_timeout: patience,
        ..Settings::default()
    };
    let Ok(mut cluster) = client::Cluster::at(&first.to_string(), settings) else { return false };
    cluster.coordinator(CoordinatorOf::Group(CLIENT_ID)).await.is_ok()
}

/// The topic of offsets, if it cannot be made by a broker that takes its setting at its word.
fn replicas(settings: &BTreeMap<String, String>, count: usize) -> Option<Finding> {
    let wanted = number(settings, "offsets.topic.replication.factor")?;
    (wanted > count).then(|| {
        Finding::problem(
            "offsets-replicas",
            "The topic of committed offsets",
            format!(
                "cannot be made with offsets.topic.replication.factor={wanted} on {}, so that no consumer group works",
                brokers(count)
            ),
            format!(
                "set it to {count}, and transaction.state.log.replication.factor and transaction.state.log.min.isr too"
            ),
        )
    })
}

/// Before KIP-966 (brokers that do not know `DescribeTopicPartitions`) more are demanded than a partition has.
fn in_sync(settings: &BTreeMap<String, String>, count: usize) -> Option<Finding> {
    let wanted = number(settings, "min.insync.replicas")?;
    (wanted > count).then(|| {
        Finding::problem(
            "in-sync-replicas",
            "Every producer with acks=all",
            format!(
                "is refused with NOT_ENOUGH_REPLICAS, because min.insync.replicas={wanted} on {}",
                brokers(count)
            ),
            format!("set min.insync.replicas={count}"),
        )
    })
}

fn sizes(settings: &BTreeMap<String, String>, case: &Case) -> Option<Finding> {
    let most = number(settings, "message.max.bytes")?;
    let asked: usize = case.properties.get("max.request.size")?.trim().parse().ok()?;
    (asked > most).then(|| {
        Finding::problem(
            "request-size",
            "A batch of records",
            format!("may be {asked} bytes for the client (max.request.size) and {most} for the broker (message.max.bytes), which refuses larger ones with MESSAGE_TOO_LARGE"),
            format!("raise message.max.bytes, or set max.request.size={most}"),
        )
        .lighter()
    })
}

fn number(settings: &BTreeMap<String, String>, key: &str) -> Option<usize> {
    settings.get(key)?.trim().parse().ok()
}

fn brokers(count: usize) -> String {
    if count == 1 { "one broker".to_owned() } else { format!("{count} brokers") }
}

const OFFSETS_TOPIC: &str = "__consumer_offsets";

#[cfg(test)]
mod tests {
    use super::*;

    fn settings(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
        pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
    }

    #[test]
    fn more_replicas_than_brokers_stop_groups() {
        let three = settings(&[("offsets.topic.replication.factor", "3")]);
        assert_eq!(replicas(&three, 1).map(|one| one.code), Some("offsets-replicas"));
        assert_eq!(replicas(&three, 3), None);
    }

    #[test]
    fn more_in_sync_replicas_than_brokers_stop_producers() {
        let two = settings(&[("min.insync.replicas", "2")]);
        assert_eq!(in_sync(&two, 1).map(|one| one.code), Some("in-sync-replicas"));
        assert_eq!(in_sync(&two, 2), None);
    }
}
