//! `kafka-topics --describe`.

use std::collections::BTreeSet;

use client::Cluster;
use uuid::Uuid;

use super::{Failure, chosen, ensure_found};
use crate::options::Options;
use crate::terminal::Terminal;
use crate::topic_description::{self, Partition, Topic};

/// Describes what the command line names.
pub async fn run(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let topics = if let Some(id) = wanted_id(options)? {
        by_id(options, cluster, id).await?
    } else {
        let names = chosen(options, cluster).await?;
        ensure_found(options, &names)?;
        let limit = options.number("partition-size-limit-per-response")?;
        topic_description::by_name(cluster, &names, limit).await?
    };
    let alive: BTreeSet<i32> = cluster.nodes().map(|node| node.id).collect();
    for topic in &topics {
        terminal.text(render(topic, Shown::of(options), &alive));
    }
    Ok(())
}

fn wanted_id(options: &Options) -> Result<Option<Uuid>, Failure> {
    let Some(written) = options.one("topic-id")? else { return Ok(None) };
    let id = model::ids::uuid_from_base64(&written).ok_or_else(|| {
        Failure::Said(format!("Input string with prefix `{written}` is not a base64-encoded UUID"))
    })?;
    Ok(Some(id).filter(|id| !id.is_nil()))
}

/// All topics are listed for it, as the Java tool does: older brokers know no lookup by id.
async fn by_id(options: &Options, cluster: &mut Cluster, id: Uuid) -> Result<Vec<Topic>, Failure> {
    let all = cluster.metadata(None, false).await?;
    let named = all
        .topics
        .iter()
        .find(|topic| topic.topic_id == id && !(options.has("exclude-internal") && topic.is_internal));
    if named.is_none() {
        if options.has("if-exists") {
            return Ok(Vec::new());
        }
        let id = model::ids::uuid_to_base64(id);
        return Err(Failure::Said(format!("TopicId '{id}' does not exist as expected")));
    }
    Ok(topic_description::by_id(cluster, id).await?)
}

/// What the command line wants to see.
#[derive(Clone, Copy, Debug, Default)]
pub struct Shown {
    under_replicated: bool,
    unavailable: bool,
    under_min_isr: bool,
    at_min_isr: bool,
    only_with_overrides: bool,
}

impl Shown {
    fn of(options: &Options) -> Self {
        Self {
            under_replicated: options.has("under-replicated-partitions"),
            unavailable: options.has("unavailable-partitions"),
            under_min_isr: options.has("under-min-isr-partitions"),
            at_min_isr: options.has("at-min-isr-partitions"),
            only_with_overrides: options.has("topics-with-overrides"),
        }
    }

    fn is_report(self) -> bool {
        self.under_replicated || self.unavailable || self.under_min_isr || self.at_min_isr
    }

    fn wants(self, partition: &Partition, min_isr: usize, alive: &BTreeSet<i32>) -> bool {
        let isr = partition.isr.len();
        let has_leader = partition.leader >= 0;
        !self.is_report()
            || self.under_replicated && partition.replication_factor() > isr
            || self.unavailable && !alive.contains(&partition.leader)
            || self.under_min_isr && (!has_leader || isr < min_isr)
            || self.at_min_isr && isr == min_isr
    }
}

/// One topic's lines.
fn render(topic: &Topic, shown: Shown, alive: &BTreeSet<i32>) -> String {
    let mut out = String::new();
    let mut partitions: Vec<&Partition> = topic.partitions.iter().collect();
    partitions.sort_by_key(|partition| partition.index);
    if !shown.is_report() && (!shown.only_with_overrides || !topic.configs.is_empty()) {
        out.push_str(&format!("Topic: {}", topic.name));
        if !topic.id.is_nil() {
            out.push_str(&format!("\tTopicId: {}", model::ids::uuid_to_base64(topic.id)));
        }
        let configs: Vec<String> =
            topic.configs.iter().map(|(key, value)| format!("{key}={value}")).collect();
        out.push_str(&format!(
            "\tPartitionCount: {}\tReplicationFactor: {}\tConfigs: {}\n",
            partitions.len(),
            partitions.first().map_or(0, |first| first.replication_factor()),
            configs.join(",")
        ));
    }
    if shown.only_with_overrides {
        return out;
    }
    for partition in partitions.into_iter().filter(|one| shown.wants(one, topic.min_isr, alive)) {
        let leader = if partition.leader < 0 { "none".to_owned() } else { partition.leader.to_string() };
        out.push_str(&format!(
            "\tTopic: {}\tPartition: {}\tLeader: {leader}\tReplicas: {}\tIsr: {}",
            topic.name,
            partition.index,
            joined(&partition.replicas),
            joined(&partition.isr)
        ));
        if let Some((adding, removing)) = &partition.moving {
            out.push_str(&format!("\tAdding Replicas: {}", joined(adding)));
            out.push_str(&format!("\tRemoving Replicas: {}", joined(removing)));
        }
        match &partition.elr {
            Some((elr, known)) => {
                out.push_str(&format!("\tElr: {}\tLastKnownElr: {}\n", joined(elr), joined(known)));
            }
            None => out.push_str("\tElr: N/A\tLastKnownElr: N/A\n"),
        }
    }
    out
}

fn joined(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn topic() -> Topic {
        let partition = |index, leader, isr: &[i32]| Partition {
            index,
            leader,
            replicas: vec![1, 2],
            isr: isr.to_vec(),
            elr: Some((Vec::new(), Vec::new())),
            moving: None,
        };
        Topic {
            name: "orders".to_owned(),
            id: Uuid::from_u64_pair(1, 2),
            partitions: vec![partition(1, -1, &[]), partition(0, 1, &[1, 2])],
            configs: vec![("cleanup.policy".to_owned(), "compact".to_owned())],
            min_isr: 2,
        }
    }

    #[test]
    fn lines_are_the_java_tools() {
        let shown = render(&topic(), Shown::default(), &BTreeSet::from([1]));
        let expected = "Topic: orders\tTopicId: AAAAAAAAAAEAAAAAAAAAAg\tPartitionCount: 2\tReplicationFactor: 2\tConfigs: cleanup.policy=compact\n\
             \tTopic: orders\tPartition: 0\tLeader: 1\tReplicas: 1,2\tIsr: 1,2\tElr: \tLastKnownElr: \n\
             \tTopic: orders\tPartition: 1\tLeader: none\tReplicas: 1,2\tIsr: \tElr: \tLastKnownElr: \n";
        assert_eq!(shown, expected);
    }

    #[test]
    fn reports_show_their_partitions_only() {
        let alive = BTreeSet::from([1]);
        let of = |shown: Shown| render(&topic(), shown, &alive).lines().count();
        assert_eq!(of(Shown { unavailable: true, ..Shown::default() }), 1);
        assert_eq!(of(Shown { under_replicated: true, ..Shown::default() }), 1);
        assert_eq!(of(Shown { at_min_isr: true, ..Shown::default() }), 1);
        assert_eq!(of(Shown { only_with_overrides: true, ..Shown::default() }), 1);
    }
}
