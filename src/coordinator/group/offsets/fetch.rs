//! OffsetFetch: what is committed, as the log stands.

use super::store::Committed;
use crate::group::Shard;
use model::{ErrorCode, TopicId};

/// OffsetFetch for one group; a request may hold several (KIP-709).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct OffsetFetchRequest {
    pub group_id: String,
    /// From version 9 on; -1 and `None` for administrators and for members of classic groups (KIP-848).
    pub member_id: Option<String>,
    pub member_epoch: i32,
    /// Refuse partitions with an offset in an open transaction (KIP-447).
    pub require_stable: bool,
    /// `None` for all that the group has.
    pub topics: Option<Vec<FetchTopic>>,
}

/// Partitions of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FetchTopic {
    pub name: String,
    /// From version 10 on: an offset of another topic of the same name is none.
    pub id: Option<TopicId>,
    pub partitions: Vec<i32>,
}

/// Offsets of one topic.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FetchedTopic {
    pub name: String,
    /// The request's; `None` when all were asked for.
    pub id: Option<TopicId>,
    pub partitions: Vec<FetchedPartition>,
}

/// An offset; -1, -1 and an empty text where there is none.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct FetchedPartition {
    pub index: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: String,
    pub error: ErrorCode,
}

impl Shard {
    /// The committed offsets of a group: those asked for in the request's order, or all, sorted. A group that does not
    /// exist has none, and that is no error.
    ///
    /// What is answered is in the log, and may not be durable yet: the shell lets the answer go once the log is durable
    /// up to here. Otherwise a crash could take back an offset that somebody has seen.
    ///
    /// Fails for a member of a consumer group that is not one any more, or at another epoch (KIP-848).
    pub fn fetch_offsets(&self, request: &OffsetFetchRequest) -> Result<Vec<FetchedTopic>, ErrorCode> {
        let group = self.groups.get(&request.group_id);
        if let Some(group) = group {
            group.validate_offset_fetch(request.member_id.as_deref(), request.member_epoch)?;
        }
        let offsets = group.and_then(|_| self.offsets.groups.get(request.group_id.as_str()));
        let is_unstable = |topic: &str, partition: i32| {
            request.require_stable && offsets.is_some_and(|offsets| offsets.is_pending(topic, partition))
        };
        let answer = |topic: &str, index: i32, committed: Option<&Committed>| {
            if is_unstable(topic, index) {
                return FetchedPartition::none(index, ErrorCode::UnstableOffsetCommit);
            }
            committed.map_or_else(|| FetchedPartition::none(index, ErrorCode::None), FetchedPartition::of)
        };
        let Some(topics) = &request.topics else {
            let all = offsets.into_iter().flat_map(|offsets| &offsets.topics);
            let fetched = all.map(|(name, committed)| FetchedTopic {
                name: name.to_string(),
                id: None,
                partitions: committed.iter().map(|one| answer(name, one.partition, Some(one))).collect(),
            });
            return Ok(fetched.collect());
        };
        let fetched = topics.iter().map(|topic| {
            let one = |&index: &i32| {
                let committed = offsets.and_then(|offsets| offsets.committed(&topic.name, index));
                answer(&topic.name, index, committed.filter(|committed| committed.is_of(topic.id)))
            };
            let partitions = topic.partitions.iter().map(one).collect();
            FetchedTopic { name: topic.name.clone(), id: topic.id, partitions }
        });
        Ok(fetched.collect())
    }
}

impl Committed {
    /// Whether it was committed for the topic of this id, as far as both sides know one.
    fn is_of(&self, id: Option<TopicId>) -> bool {
        let asked = id.unwrap_or(TopicId::ZERO);
        self.topic_id.is_zero() || asked.is_zero() || self.topic_id == asked
    }
}

impl FetchedPartition {
    fn of(committed: &Committed) -> Self {
        Self {
            index: committed.partition,
            offset: committed.offset,
            leader_epoch: committed.leader_epoch,
            metadata: committed.metadata().to_owned(),
            error: ErrorCode::None,
        }
    }

    fn none(index: i32, error: ErrorCode) -> Self {
        Self { index, offset: -1, leader_epoch: -1, metadata: String::new(), error }
    }
}
