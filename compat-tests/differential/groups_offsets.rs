//! OffsetCommit, OffsetFetch, OffsetDelete.

use wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::offset_delete_request::{OffsetDeleteRequestPartition, OffsetDeleteRequestTopic};
use wire::messages::offset_fetch_request::{
    OffsetFetchRequestGroup, OffsetFetchRequestTopic, OffsetFetchRequestTopics,
};
use wire::messages::{OffsetCommitRequest, OffsetDeleteRequest, OffsetFetchRequest};

use crate::ask::{prepare, text, topic};
use crate::groups::{group, joined, loaded};
use crate::pair::Pair;

/// Versions from which many groups are asked for at once, and from which "all topics" can be said.
const MANY_FROM: i16 = 8;

/// A topic, a partition and an offset.
type Place<'a> = (&'a str, i32, i64);
/// A topic and partitions.
type Places<'a> = (&'a str, &'a [i32]);

/// The steps.
pub async fn script(pair: &mut Pair) {
    loaded(pair).await;
    prepare(pair, "kept", 3, &[]).await;
    commits(pair).await;
    fetches(pair).await;
    deletes(pair).await;
}

/// Offsets of somebody without a group protocol.
pub fn commit(name: &str, offsets: &[(&str, i32, i64)]) -> OffsetCommitRequest {
    let topics = offsets.iter().map(|(name, partition, offset)| {
        let partition = OffsetCommitRequestPartition::default()
            .with_partition_index(*partition)
            .with_committed_offset(*offset)
            .with_committed_metadata(Some(text("m")));
        OffsetCommitRequestTopic::default().with_name(topic(name)).with_partitions(vec![partition])
    });
    OffsetCommitRequest::default().with_group_id(group(name)).with_topics(topics.collect())
}

async fn commits(pair: &mut Pair) {
    let cases: [(&str, &[Place]); 10] = [
        ("one", &[("kept", 0, 5)]),
        ("two partitions", &[("kept", 0, 6), ("kept", 1, 7)]),
        ("unknown partition", &[("kept", 9, 5)]),
        ("negative partition", &[("kept", -1, 5)]),
        ("unknown topic", &[("nowhere", 0, 5)]),
        ("good and bad", &[("nowhere", 0, 5), ("kept", 2, 5)]),
        ("invalid topic", &[("a b", 0, 5)]),
        ("negative offset", &[("kept", 0, -1)]),
        ("a partition twice", &[("kept", 1, 1), ("kept", 1, 2)]),
        ("nothing", &[]),
    ];
    for (step, offsets) in cases {
        pair.all(step, |_, v| commit(&format!("keeper-{v}"), offsets)).await;
        pair.newest(&format!("of no group, {step}"), |_, _| commit("", offsets)).await;
    }
    for (step, length) in [("metadata of 4096", 4096), ("metadata of 4097", 4097)] {
        pair.all(step, |_, v| {
            let mut request = commit(&format!("keeper-{v}"), &[("kept", 2, 9)]);
            request.topics[0].partitions[0].committed_metadata = Some(text("x".repeat(length)));
            request
        })
        .await;
    }
    pair.all("null metadata", |_, v| {
        let mut request = commit(&format!("keeper-{v}"), &[("kept", 2, 8)]);
        request.topics[0].partitions[0].committed_metadata = None;
        request
    })
    .await;
    pair.all("leader epoch", |_, v| {
        let mut request = commit(&format!("keeper-{v}"), &[("kept", 2, 7)]);
        request.topics[0].partitions[0].committed_leader_epoch = 3;
        request
    })
    .await;
    for (generation, member) in [(0, ""), (5, "stranger"), (-1, "stranger"), (-2, "")] {
        for name in ["keeper-2", "unheard-of"] {
            pair.all(&format!("generation {generation} of {member:?} in {name}"), |_, _| {
                commit(name, &[("kept", 0, 1)])
                    .with_generation_id_or_member_epoch(generation)
                    .with_member_id(text(member))
            })
            .await;
        }
    }
    pair.all("an instance", |_, _| {
        commit("keeper-2", &[("kept", 0, 1)]).with_group_instance_id(Some(text("instance")))
    })
    .await;
}

/// Topics and partitions; all where there are none.
pub fn fetch(names: &[&str], topics: Option<&[(&str, &[i32])]>, version: i16) -> OffsetFetchRequest {
    if version < MANY_FROM {
        let topics = topics.map(|topics| {
            let topics = topics.iter().map(|(name, ids)| {
                OffsetFetchRequestTopic::default().with_name(topic(name)).with_partition_indexes(ids.to_vec())
            });
            topics.collect()
        });
        let name = names.first().copied().unwrap_or_default();
        return OffsetFetchRequest::default().with_group_id(group(name)).with_topics(topics);
    }
    let groups = names.iter().map(|name| {
        let topics = topics.map(|topics| {
            let topics = topics.iter().map(|(name, ids)| {
                OffsetFetchRequestTopics::default()
                    .with_name(topic(name))
                    .with_partition_indexes(ids.to_vec())
            });
            topics.collect()
        });
        OffsetFetchRequestGroup::default().with_group_id(group(name)).with_topics(topics)
    });
    OffsetFetchRequest::default().with_groups(groups.collect())
}

async fn fetches(pair: &mut Pair) {
    let cases: [(&str, Option<&[Places]>); 8] = [
        ("all", None),
        ("none", Some(&[])),
        ("two", Some(&[("kept", &[0, 1])])),
        ("unknown partition", Some(&[("kept", &[9, -1])])),
        ("unknown topic", Some(&[("nowhere", &[0])])),
        ("invalid topic", Some(&[("a b", &[0])])),
        ("no partitions", Some(&[("kept", &[])])),
        ("twice", Some(&[("kept", &[0, 0]), ("kept", &[1])])),
    ];
    for (step, topics) in cases {
        for name in ["keeper-8", "unheard-of", ""] {
            pair.all(&format!("{step} of {name:?}"), |_, v| fetch(&[name], topics, v)).await;
        }
        pair.all(&format!("{step}, stable"), |_, v| {
            fetch(&["keeper-8"], topics, v).with_require_stable(v >= 7)
        })
        .await;
    }
    for names in [&["keeper-8", "keeper-9", "unheard-of"][..], &["keeper-8", "keeper-8"], &[]] {
        for version in MANY_FROM..=9 {
            pair.one(&format!("of {names:?}"), version, |_, v| fetch(names, Some(&[("kept", &[0])]), v))
                .await;
        }
    }
    for (member, epoch) in [(Some("stranger"), 3), (None, 3), (Some("stranger"), -1), (Some(""), -1)] {
        for name in ["keeper-8", "unheard-of"] {
            pair.one(&format!("{name} by {member:?} at {epoch}"), 9, |_, v| {
                let mut request = fetch(&[name], Some(&[("kept", &[0])]), v);
                request.groups[0].member_id = member.map(text);
                request.groups[0].member_epoch = epoch;
                request
            })
            .await;
        }
    }
}

/// Offsets to be forgotten.
pub fn delete_offsets(name: &str, topics: &[(&str, &[i32])]) -> OffsetDeleteRequest {
    let topics = topics.iter().map(|(name, ids)| {
        let partitions =
            ids.iter().map(|id| OffsetDeleteRequestPartition::default().with_partition_index(*id));
        OffsetDeleteRequestTopic::default().with_name(topic(name)).with_partitions(partitions.collect())
    });
    OffsetDeleteRequest::default().with_group_id(group(name)).with_topics(topics.collect())
}

async fn deletes(pair: &mut Pair) {
    joined(pair, "busy", 3).await;
    for name in ["keeper-3", "busy", "unheard-of", ""] {
        let cases: [(&str, &[Places]); 7] = [
            ("one", &[("kept", &[0])]),
            ("the same", &[("kept", &[0])]),
            ("unknown partition", &[("kept", &[9])]),
            ("negative partition", &[("kept", &[-1])]),
            ("unknown topic", &[("nowhere", &[0])]),
            ("good and bad", &[("nowhere", &[0]), ("kept", &[1, 9])]),
            ("nothing", &[]),
        ];
        for (step, topics) in cases {
            pair.all(&format!("{step} of {name:?}"), |_, _| delete_offsets(name, topics)).await;
        }
    }
    pair.all("what is left", |_, v| fetch(&["keeper-3"], Some(&[("kept", &[0, 1, 2])]), v)).await;
}
