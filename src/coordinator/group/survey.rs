//! What metrics tell of groups.

use super::Shard;
use super::shard::Group;

/// One group of a shard.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Surveyed<'a> {
    /// Its id.
    pub group_id: &'a str,
    /// As Kafka spells it: `Stable`.
    pub state: &'static str,
    /// `classic` or `consumer`.
    pub group_type: &'static str,
    /// How many there are.
    pub members: usize,
}

/// One committed offset.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CommittedOffset<'a> {
    pub group_id: &'a str,
    pub topic: &'a str,
    pub partition: i32,
    pub offset: i64,
}

impl Shard {
    /// All groups, by id.
    pub fn survey(&self) -> impl Iterator<Item = Surveyed<'_>> {
        self.groups.iter().map(|(group_id, group)| match group {
            Group::Classic(group) => Surveyed {
                group_id,
                state: group.state().name(),
                group_type: "classic",
                members: group.members().count(),
            },
            Group::Consumer(group) => Surveyed {
                group_id,
                state: group.state_name(),
                group_type: "consumer",
                members: group.member_count(),
            },
        })
    }

    /// How many offsets are committed.
    pub fn offset_count(&self) -> usize {
        self.offsets.count()
    }

    /// All committed offsets, by group, topic and partition; those of open transactions are none yet.
    pub fn committed_offsets(&self) -> impl Iterator<Item = CommittedOffset<'_>> {
        self.offsets.committed()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::group::Stamp;
    use crate::group::record::{OffsetKey, OffsetValue, Record};

    fn commit(group: &str, partition: i32, offset: i64) -> Record {
        let key = OffsetKey { group_id: group.to_owned(), topic: "orders".to_owned(), partition };
        let value = OffsetValue {
            offset,
            leader_epoch: -1,
            metadata: String::new(),
            commit_timestamp_ms: 1,
            expire_timestamp_ms: -1,
            topic_id: None,
        };
        Record::Offset(key, Some(value))
    }

    #[test]
    fn committed_offsets_are_counted_and_listed() {
        let mut shard = Shard::default();
        for (partition, offset) in [(1, 20), (0, 10), (1, 21)] {
            shard.replay(commit("a", partition, offset), None);
        }
        shard.replay(commit("b", 0, 5), Some(Stamp { producer_id: 7, producer_epoch: 0 }));
        let seen: Vec<_> = shard.committed_offsets().map(|c| (c.group_id, c.partition, c.offset)).collect();
        assert_eq!(seen, [("a", 0, 10), ("a", 1, 21)]);
        assert_eq!(shard.offset_count(), 2, "an open transaction has committed nothing");
        let groups: Vec<_> =
            shard.survey().map(|group| (group.group_id, group.state, group.members)).collect();
        assert!(groups.iter().all(|(_, state, members)| (*state, *members) == ("Empty", 0)), "{groups:?}");
    }
}
