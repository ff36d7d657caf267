//! What the log says about offsets: committed ones, and those of open transactions.

use super::upkeep::Upkeep;
use crate::group::record::{OffsetKey, OffsetValue};
use crate::group::{CommittedOffset, Stamp};
use model::TopicId;
use std::collections::{BTreeMap, BTreeSet};

/// The offsets of a shard's groups.
///
/// Changed by replay alone; [`Upkeep`] apart, two stores that replayed the same log are equal.
#[derive(Debug, Default)]
pub struct Offsets {
    /// By group id; a group without any offset has no entry.
    pub(super) groups: BTreeMap<Box<str>, GroupOffsets>,
    /// Which offsets the open transaction of a producer id holds.
    pub(super) transactions: BTreeMap<i64, BTreeSet<OffsetKey>>,
    /// Orders pending offsets as the log does. The log's own offsets would do the same.
    records_seen: u64,
    pub(super) upkeep: Upkeep,
}

/// The offsets of one group.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct GroupOffsets {
    /// By topic name; sorted by partition, never empty.
    pub(super) topics: BTreeMap<Box<str>, Vec<Committed>>,
    /// Of open transactions: by topic name, partition and producer id, never empty.
    pub(super) pending: BTreeMap<Box<str>, BTreeMap<i32, BTreeMap<i64, Pending>>>,
}

/// A committed offset. There may be millions: what is rarely set lies in a box.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Committed {
    pub(super) offset: i64,
    pub(super) commit_timestamp_ms: i64,
    /// [`TopicId::ZERO`] where the committer did not know it.
    pub(super) topic_id: TopicId,
    pub(super) partition: i32,
    pub(super) leader_epoch: i32,
    rare: Option<Box<Rare>>,
}

#[derive(Clone, Debug, PartialEq, Eq)]
struct Rare {
    metadata: Box<str>,
    expire_timestamp_ms: i64,
}

/// An offset in an open transaction.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Pending {
    /// When it was written, in [`Offsets::records_seen`].
    seen: u64,
    /// `None` once a later commit of the same partition is visible: this one would take it back.
    value: Option<Committed>,
}

impl Offsets {
    /// Takes in a commit, or a tombstone. A commit in a transaction is not visible before its marker.
    pub(super) fn replay(&mut self, key: OffsetKey, value: Option<OffsetValue>, stamp: Option<Stamp>) {
        self.records_seen += 1;
        match (value, stamp) {
            (Some(value), None) => {
                let committed = Committed::new(key.partition, value);
                let group = self.groups.entry(key.group_id.into()).or_default();
                group.commit(&key.topic, committed, self.records_seen);
            }
            (Some(value), Some(stamp)) => {
                let committed = Committed::new(key.partition, value);
                let pending = Pending { seen: self.records_seen, value: Some(committed) };
                let group = self.groups.entry(key.group_id.as_str().into()).or_default();
                let partitions = group.pending.entry(key.topic.as_str().into()).or_default();
                partitions.entry(key.partition).or_default().insert(stamp.producer_id, pending);
                self.transactions.entry(stamp.producer_id).or_default().insert(key);
            }
            (None, _) => self.forget(&key),
        }
    }

    /// Takes in the end of a producer's transaction.
    pub(super) fn replay_marker(&mut self, producer_id: i64, commit: bool) {
        for key in self.transactions.remove(&producer_id).unwrap_or_default() {
            let Some(group) = self.groups.get_mut(key.group_id.as_str()) else { continue };
            if let Some(Pending { seen, value: Some(committed) }) = group.take_pending(&key, producer_id)
                && commit
            {
                group.commit(&key.topic, committed, seen);
            }
            self.drop_if_empty(&key.group_id);
        }
    }

    /// A tombstone ends pending offsets of its partition too: their transactions hold them no longer.
    fn forget(&mut self, key: &OffsetKey) {
        let Some(group) = self.groups.get_mut(key.group_id.as_str()) else { return };
        group.remove_committed(&key.topic, key.partition);
        for producer_id in group.remove_pending(&key.topic, key.partition) {
            if let Some(keys) = self.transactions.get_mut(&producer_id) {
                keys.remove(key);
                if keys.is_empty() {
                    self.transactions.remove(&producer_id);
                }
            }
        }
        self.drop_if_empty(&key.group_id);
    }

    fn drop_if_empty(&mut self, group_id: &str) {
        let is_empty = |group: &GroupOffsets| group.topics.is_empty() && group.pending.is_empty();
        if self.groups.get(group_id).is_some_and(is_empty) {
            self.groups.remove(group_id);
        }
    }

    /// Every offset of a group that a tombstone would remove, committed or pending, in order.
    pub(super) fn keys_of(&self, group_id: &str) -> Vec<OffsetKey> {
        let Some(group) = self.groups.get(group_id) else { return Vec::new() };
        let committed = group.topics.iter().flat_map(|(topic, offsets)| {
            offsets.iter().map(move |committed| (topic.as_ref(), committed.partition))
        });
        let pending = group.pending.iter().flat_map(|(topic, partitions)| {
            partitions.keys().map(move |partition| (topic.as_ref(), *partition))
        });
        let named: BTreeSet<(&str, i32)> = committed.chain(pending).collect();
        let key = |(topic, partition): (&str, i32)| OffsetKey {
            group_id: group_id.to_owned(),
            topic: topic.to_owned(),
            partition,
        };
        named.into_iter().map(key).collect()
    }

    /// How many offsets are committed.
    pub(in crate::group) fn count(&self) -> usize {
        self.groups.values().flat_map(|group| group.topics.values()).map(Vec::len).sum()
    }

    /// All committed offsets, in order.
    pub(in crate::group) fn committed(&self) -> impl Iterator<Item = CommittedOffset<'_>> {
        self.groups.iter().flat_map(|(group_id, group)| {
            group.topics.iter().flat_map(move |(topic, offsets)| {
                offsets.iter().map(move |committed| CommittedOffset {
                    group_id,
                    topic,
                    partition: committed.partition,
                    offset: committed.offset,
                })
            })
        })
    }

    /// Whether a tombstone for this offset would remove anything.
    pub(super) fn holds(&self, group_id: &str, topic: &str, partition: i32) -> bool {
        let group = self.groups.get(group_id);
        group.is_some_and(|group| {
            group.committed(topic, partition).is_some() || group.is_pending(topic, partition)
        })
    }
}

impl GroupOffsets {
    pub(super) fn committed(&self, topic: &str, partition: i32) -> Option<&Committed> {
        let offsets = self.topics.get(topic)?;
        let at = offsets.binary_search_by_key(&partition, |committed| committed.partition).ok()?;
        offsets.get(at)
    }

    /// Whether an open transaction holds an offset of this partition.
    pub(super) fn is_pending(&self, topic: &str, partition: i32) -> bool {
        self.pending.get(topic).is_some_and(|partitions| partitions.contains_key(&partition))
    }

    /// Makes a commit visible that was written at `seen`. Offsets of open transactions that were written earlier will
    /// not be visible any more: a transaction that ends late must not take back what was committed after it
    /// (`OffsetMetadataManager.replayEndTransactionMarker`).
    fn commit(&mut self, topic: &str, committed: Committed, seen: u64) {
        let partition = committed.partition;
        if let Some(producers) = self.pending.get_mut(topic).and_then(|topic| topic.get_mut(&partition)) {
            for pending in producers.values_mut().filter(|pending| pending.seen < seen) {
                pending.value = None;
            }
        }
        let Some(offsets) = self.topics.get_mut(topic) else {
            self.topics.insert(topic.into(), vec![committed]);
            return;
        };
        match offsets.binary_search_by_key(&partition, |committed| committed.partition) {
            Ok(at) => offsets[at] = committed,
            Err(at) => {
                if offsets.len() == offsets.capacity() {
                    // An eighth at a time: a topic's partitions are few and come once.
                    offsets.reserve_exact(offsets.len() / 8 + 1);
                }
                offsets.insert(at, committed);
            }
        }
    }

    fn remove_committed(&mut self, topic: &str, partition: i32) {
        let Some(offsets) = self.topics.get_mut(topic) else { return };
        if let Ok(at) = offsets.binary_search_by_key(&partition, |committed| committed.partition) {
            offsets.remove(at);
        }
        if offsets.is_empty() {
            self.topics.remove(topic);
        }
    }

    /// Answers with the producer ids that had one.
    fn remove_pending(&mut self, topic: &str, partition: i32) -> Vec<i64> {
        let Some(partitions) = self.pending.get_mut(topic) else { return Vec::new() };
        let removed = partitions.remove(&partition).unwrap_or_default();
        if partitions.is_empty() {
            self.pending.remove(topic);
        }
        removed.into_keys().collect()
    }

    fn take_pending(&mut self, key: &OffsetKey, producer_id: i64) -> Option<Pending> {
        let partitions = self.pending.get_mut(key.topic.as_str())?;
        let producers = partitions.get_mut(&key.partition)?;
        let taken = producers.remove(&producer_id);
        if producers.is_empty() {
            partitions.remove(&key.partition);
            if partitions.is_empty() {
                self.pending.remove(key.topic.as_str());
            }
        }
        taken
    }
}

impl Committed {
    fn new(partition: i32, value: OffsetValue) -> Self {
        let is_plain = value.metadata.is_empty() && value.expire_timestamp_ms == -1;
        let rare = (!is_plain).then(|| {
            let expire_timestamp_ms = value.expire_timestamp_ms;
            Box::new(Rare { metadata: value.metadata.into(), expire_timestamp_ms })
        });
        Self {
            offset: value.offset,
            commit_timestamp_ms: value.commit_timestamp_ms,
            topic_id: value.topic_id.unwrap_or(TopicId::ZERO),
            partition,
            leader_epoch: value.leader_epoch,
            rare,
        }
    }

    /// What the client wanted to keep with it.
    pub(super) fn metadata(&self) -> &str {
        self.rare.as_ref().map_or("", |rare| &rare.metadata)
    }

    /// When it expires, for commits of old clients that named a retention time.
    pub(super) fn expire_timestamp_ms(&self) -> Option<i64> {
        self.rare.as_ref().map(|rare| rare.expire_timestamp_ms).filter(|at_ms| *at_ms != -1)
    }
}
