//! Random histories against a naive reading of the log: no committed offset ever goes back or vanishes.
//!
//! `PROPTEST_CASES` sets how many.

use super::tests::{Entry, World, commit_topic, fetch_request, stamp};
use super::*;
use crate::group::record::Decoded;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};

const GROUPS: [&str; 2] = ["g", "h"];
const TOPICS: [&str; 2] = ["t", "u"];
const PARTITIONS: i32 = 2;
const RETENTION_MS: i64 = 1_000;
const CHECK_MS: i64 = 300;

#[derive(Clone, Debug)]
enum Op {
    Commit { key: OffsetKey, retention_ms: i64 },
    TxnCommit { key: OffsetKey, producer_id: i64 },
    Marker { producer_id: i64, commit: bool },
    Delete(OffsetKey),
    DeleteGroup(&'static str),
    DeleteTopic(&'static str),
    Pass(i64),
    Reload,
    Compact,
}

/// What the log says of one offset, found by looking at all of it.
#[derive(Clone, Debug, Default, PartialEq)]
struct Fact {
    visible: Option<OffsetValue>,
    pending: bool,
}

proptest! {
    #[test]
    fn no_committed_offset_goes_back_or_vanishes(ops in prop::collection::vec(any_op(), 1..80)) {
        let mut world = World::default();
        world.settings.offsets_retention_ms = RETENTION_MS;
        world.settings.offsets_retention_check_ms = CHECK_MS;
        world.reload();
        for (number, op) in (0..).zip(ops) {
            run(&mut world, number, op);
            check(&world);
        }
    }
}

fn run(world: &mut World, number: i64, op: Op) {
    let before = facts(&world.log);
    match op {
        Op::Commit { key, retention_ms } => {
            let request = OffsetCommitRequest {
                version: 9,
                group_id: key.group_id.clone(),
                generation: -1,
                member_id: String::new(),
                instance_id: None,
                retention_time_ms: retention_ms,
                topics: vec![commit_topic(&key.topic, &[(key.partition, number)])],
            };
            world.send(Request::OffsetCommit(request));
            assert_eq!(visible_offset(world, &key), Some(number), "an acknowledged commit counts");
        }
        Op::TxnCommit { key, producer_id } => {
            let request = TxnOffsetCommitRequest {
                group_id: key.group_id.clone(),
                producer_id,
                producer_epoch: 0,
                generation: -1,
                member_id: String::new(),
                instance_id: None,
                topics: vec![commit_topic(&key.topic, &[(key.partition, number)])],
            };
            world.send(Request::TxnOffsetCommit(request));
            let meant = Fact { pending: true, ..before.get(&key).cloned().unwrap_or_default() };
            assert_eq!(facts(&world.log).get(&key), Some(&meant), "pending, and nothing else");
        }
        Op::Marker { producer_id, commit } => world.mark(stamp(producer_id), commit),
        Op::Delete(key) => {
            let topics = vec![(key.topic.clone(), vec![key.partition])];
            let request = OffsetDeleteRequest { group_id: key.group_id.clone(), topics };
            let (_, records) = world.send(Request::OffsetDelete(request));
            assert_eq!(records.len(), usize::from(before.contains_key(&key)));
            assert_eq!(facts(&world.log), without(before, |other| *other == key));
        }
        Op::DeleteGroup(group_id) => {
            world.send(Request::DeleteGroup { group_id: group_id.into() });
            assert_eq!(facts(&world.log), without(before, |key| key.group_id == group_id));
        }
        Op::DeleteTopic(topic) => {
            world.topics_deleted(&[topic]);
            let written = world.pass(0).concat();
            assert_eq!(written, [], "no step before its time");
            // Shorter than the time to the next look would be, were it not due.
            let mut left = without(before, |key| key.topic == topic);
            expire(world, &mut left, 20);
            assert_eq!(facts(&world.log), left);
        }
        Op::Pass(ms) => {
            let mut left = before;
            expire(world, &mut left, ms);
            assert_eq!(facts(&world.log), left);
        }
        Op::Reload => {
            let groups: BTreeSet<String> = world.shard.groups.keys().cloned().collect();
            let runtime = std::mem::take(&mut world.shard.offsets);
            world.reload();
            assert_eq!(runtime.groups, world.shard.offsets.groups, "replay makes the same state");
            assert_eq!(runtime.transactions, world.shard.offsets.transactions);
            assert_eq!(groups, world.shard.groups.keys().cloned().collect());
        }
        Op::Compact => {
            world.log = compacted(&world.log);
            assert_eq!(facts(&world.log), before, "the test's own compaction");
            world.reload();
        }
    }
}

/// Lets time pass. What expired meanwhile is taken out of `left`: it must be old enough at the end, and what was old
/// enough a check and a pause before the end must be among it.
fn expire(world: &mut World, left: &mut BTreeMap<OffsetKey, Fact>, ms: i64) {
    let age = |world: &World, value: &OffsetValue| match value.expire_timestamp_ms {
        -1 => world.wall_ms() - value.commit_timestamp_ms - RETENTION_MS,
        at_ms => world.wall_ms() - at_ms,
    };
    let start_ms = world.now_ms;
    world.pass(ms);
    let now = facts(&world.log);
    left.retain(|key, fact| {
        let Some(value) = fact.visible.as_ref().filter(|_| !fact.pending) else { return true };
        let overdue_ms = age(world, value);
        if overdue_ms < 0 {
            return true;
        }
        let looked = overdue_ms > CHECK_MS + 20 && world.now_ms - start_ms > CHECK_MS + 20;
        assert!(!looked || !now.contains_key(key), "{key:?} should have expired {overdue_ms} ms ago");
        now.contains_key(key)
    });
}

/// The shard shows what the log says, for every offset that there may be.
fn check(world: &World) {
    let facts = facts(&world.log);
    for group_id in GROUPS {
        for require_stable in [false, true] {
            let partitions: Vec<i32> = (0..PARTITIONS).collect();
            let topic =
                |name: &&str| FetchTopic { name: (*name).into(), id: None, partitions: partitions.clone() };
            let topics = Some(TOPICS.iter().map(topic).collect());
            let request = OffsetFetchRequest { require_stable, ..fetch_request(group_id, topics) };
            let named = world.shard.fetch_offsets(&request).expect("no refusal");
            for (topic, one) in
                named.iter().flat_map(|topic| topic.partitions.iter().map(move |one| (topic, one)))
            {
                let key = key(group_id, &topic.name, one.index);
                let fact = facts.get(&key).cloned().unwrap_or_default();
                let meant = match fact.visible {
                    _ if require_stable && fact.pending => (-1, ErrorCode::UnstableOffsetCommit),
                    Some(value) => (value.offset, ErrorCode::None),
                    None => (-1, ErrorCode::None),
                };
                assert_eq!((one.offset, one.error), meant, "{key:?}");
            }
        }
        let all = world.shard.fetch_offsets(&fetch_request(group_id, None)).expect("no refusal");
        let all = all.iter().flat_map(|topic| topic.partitions.iter().map(move |one| (topic, one)));
        let all: Vec<_> =
            all.map(|(topic, one)| (key(group_id, &topic.name, one.index), one.offset)).collect();
        let meant = facts.iter().filter(|(key, _)| key.group_id == group_id);
        let meant: Vec<_> =
            meant.filter_map(|(key, fact)| Some((key.clone(), fact.visible.as_ref()?.offset))).collect();
        assert_eq!(all, meant);
    }
}

fn visible_offset(world: &World, key: &OffsetKey) -> Option<i64> {
    Some(facts(&world.log).remove(key)?.visible?.offset)
}

fn without(
    mut facts: BTreeMap<OffsetKey, Fact>,
    mut gone: impl FnMut(&OffsetKey) -> bool,
) -> BTreeMap<OffsetKey, Fact> {
    facts.retain(|key, _| !gone(key));
    facts
}

/// A commit outside transactions, and one in a transaction that was committed, count from their own place in the log
/// on; a tombstone ends everything before it.
fn facts(log: &[Entry]) -> BTreeMap<OffsetKey, Fact> {
    let mut facts: BTreeMap<OffsetKey, Fact> = BTreeMap::new();
    for (at, entry) in log.iter().enumerate() {
        let Some((key, value, stamp)) = offset_of(entry) else { continue };
        let fate = stamp.map(|stamp| fate(log, at, stamp));
        match (value, fate) {
            (None, _) => {
                facts.remove(&key);
            }
            (Some(value), None | Some(Some(true))) => {
                facts.entry(key).or_default().visible = Some(value);
            }
            (Some(_), Some(None)) => facts.entry(key).or_default().pending = true,
            (Some(_), Some(Some(false))) => {}
        }
    }
    facts
}

/// How the transaction that a record belongs to ended.
fn fate(log: &[Entry], at: usize, of: Stamp) -> Option<bool> {
    log[at..].iter().find_map(|entry| match entry {
        Entry::Marker { stamp, commit } if *stamp == of => Some(*commit),
        _ => None,
    })
}

fn offset_of(entry: &Entry) -> Option<(OffsetKey, Option<OffsetValue>, Option<Stamp>)> {
    let Entry::Record { key, value, stamp } = entry else { return None };
    match Record::decode(key, value.as_ref()) {
        Ok(Decoded::Record(Record::Offset(key, value))) => Some((key, value, *stamp)),
        _ => None,
    }
}

/// As a log cleaner does it: up to the first open transaction, the last record of a key stays, tombstones too, and
/// nothing of aborted transactions. Markers stay.
fn compacted(log: &[Entry]) -> Vec<Entry> {
    let is_open = |(at, entry): (usize, &Entry)| match entry {
        Entry::Record { stamp: Some(stamp), .. } => fate(log, at, *stamp).is_none(),
        _ => false,
    };
    let end = log.iter().enumerate().position(is_open).unwrap_or(log.len());
    let aborted =
        |at: usize, stamp: Option<Stamp>| stamp.is_some_and(|stamp| fate(log, at, stamp) == Some(false));
    let mut last = BTreeMap::new();
    for (at, entry) in log[..end].iter().enumerate() {
        if let Entry::Record { key, stamp, .. } = entry
            && !aborted(at, *stamp)
        {
            last.insert(key.clone(), at);
        }
    }
    let stays = |(at, entry): &(usize, &Entry)| match entry {
        Entry::Record { key, .. } => *at >= end || last.get(key) == Some(at),
        Entry::Marker { .. } => true,
    };
    log.iter().enumerate().filter(stays).map(|(_, entry)| entry.clone()).collect()
}

fn key(group_id: &str, topic: &str, partition: i32) -> OffsetKey {
    OffsetKey { group_id: group_id.to_owned(), topic: topic.to_owned(), partition }
}

fn any_key() -> impl Strategy<Value = OffsetKey> {
    let names = (prop::sample::select(&GROUPS[..]), prop::sample::select(&TOPICS[..]), 0..PARTITIONS);
    names.prop_map(|(group_id, topic, partition)| key(group_id, topic, partition))
}

fn any_op() -> impl Strategy<Value = Op> {
    let producer = || 1i64..4;
    let retention = prop_oneof![4 => Just(-1i64), 1 => 0i64..2_000];
    prop_oneof![
        6 => (any_key(), retention).prop_map(|(key, retention_ms)| Op::Commit { key, retention_ms }),
        6 => (any_key(), producer()).prop_map(|(key, producer_id)| Op::TxnCommit { key, producer_id }),
        4 => (producer(), any::<bool>())
            .prop_map(|(producer_id, commit)| Op::Marker { producer_id, commit }),
        1 => any_key().prop_map(Op::Delete),
        1 => prop::sample::select(&GROUPS[..]).prop_map(Op::DeleteGroup),
        1 => prop::sample::select(&TOPICS[..]).prop_map(Op::DeleteTopic),
        3 => (0i64..800).prop_map(Op::Pass),
        2 => Just(Op::Reload),
        1 => Just(Op::Compact),
    ]
}
