//! Committed offsets (`OffsetMetadataManager`).
//!
//! [`Offsets`] is what the log says; requests are here, reads in `fetch`, expiry in `upkeep`.

mod fetch;
#[cfg(test)]
mod model_tests;
mod store;
#[cfg(test)]
#[path = "offsets_tests.rs"]
mod tests;
mod upkeep;

pub use fetch::{FetchTopic, FetchedPartition, FetchedTopic, OffsetFetchRequest};
pub use store::Offsets;

use super::classic::{self, OffsetExpiry};
use super::record::{OffsetKey, OffsetValue, Record};
use super::shard::Group;
use super::{
    CommitPartition, CommitTopic, CommittedTopic, Context, OffsetCommitRequest, OffsetDeleteRequest, Reply,
    Request, Shard, Stamp, Step, Ticket, TxnOffsetCommitRequest,
};
use model::ErrorCode;

impl Shard {
    pub(super) fn offset_commit(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: OffsetCommitRequest,
    ) -> Step {
        if let Err(code) = self.validate_commit(&request) {
            return Step::reply(ticket, Request::OffsetCommit(request).refused(code));
        }
        self.classic_member_committed(context, &request.group_id, &request.member_id);
        // A moment that cannot be counted is never.
        let expire_timestamp_ms = match request.retention_time_ms {
            -1 => -1,
            retention_ms => context.wall_ms.saturating_add(retention_ms),
        };
        let (records, topics) =
            records_of(context, &request.group_id, request.topics, |topic, partition| OffsetValue {
                topic_id: topic.id.filter(|id| !id.is_zero()),
                expire_timestamp_ms,
                ..value_of(context, partition)
            });
        Step { records, ..Step::reply(ticket, Reply::OffsetCommit(topics)) }
    }

    pub(super) fn txn_offset_commit(
        &mut self,
        context: &Context,
        ticket: Ticket,
        request: TxnOffsetCommitRequest,
    ) -> Step {
        if let Err(code) = self.validate_txn_commit(&request) {
            return Step::reply(ticket, Request::TxnOffsetCommit(request).refused(code));
        }
        let stamp = Stamp { producer_id: request.producer_id, producer_epoch: request.producer_epoch };
        let (records, topics) = records_of(context, &request.group_id, request.topics, |_, partition| {
            value_of(context, partition)
        });
        let stamp = (!records.is_empty()).then_some(stamp);
        Step { records, stamp, replies: vec![(ticket, Reply::OffsetCommit(topics))] }
    }

    pub(super) fn offset_delete(
        &mut self,
        _context: &Context,
        ticket: Ticket,
        request: OffsetDeleteRequest,
    ) -> Step {
        let group = match self.validate_offset_delete(&request.group_id) {
            Ok(group) => group,
            Err(code) => return Step::reply(ticket, Reply::OffsetDelete(Err(code))),
        };
        let mut records = Vec::new();
        let mut topics = Vec::with_capacity(request.topics.len());
        for (name, partitions) in request.topics {
            let mut code = ErrorCode::None;
            if group.is_subscribed_to(&name) {
                code = ErrorCode::GroupSubscribedToTopic;
            } else {
                for &partition in &partitions {
                    if self.offsets.holds(&request.group_id, &name, partition) {
                        records.push(tombstone(&request.group_id, &name, partition));
                    }
                }
            }
            let partitions = partitions.into_iter().map(|partition| (partition, code)).collect();
            topics.push(CommittedTopic { name, id: None, partitions });
        }
        Step { records, ..Step::reply(ticket, Reply::OffsetDelete(Ok(topics))) }
    }

    /// The tombstones of all offsets of a group that is deleted, those of open transactions among them
    /// (`OffsetMetadataManager.deleteAllOffsets`).
    pub(super) fn delete_all_offsets(&self, group_id: &str) -> Vec<Record> {
        self.offsets.keys_of(group_id).into_iter().map(|key| Record::Offset(key, None)).collect()
    }

    /// A commit outside any protocol may be the first that is heard of a group.
    pub(super) fn replay_offset(&mut self, key: OffsetKey, value: Option<OffsetValue>, stamp: Option<Stamp>) {
        if value.is_some() && !self.groups.contains_key(&key.group_id) {
            let group = Group::Classic(classic::Group::simple(&key.group_id));
            self.groups.insert(key.group_id.clone(), group);
        }
        self.offsets.upkeep.replayed(&key);
        self.offsets.replay(key, value, stamp);
    }

    pub(super) fn replay_offsets_marker(&mut self, stamp: Stamp, commit: bool) {
        self.offsets.replay_marker(stamp.producer_id, commit);
    }

    fn validate_commit(&self, request: &OffsetCommitRequest) -> Result<(), ErrorCode> {
        match self.groups.get(&request.group_id) {
            Some(group) => group.validate_offset_commit(&Committer {
                member_id: &request.member_id,
                instance_id: request.instance_id.as_deref(),
                generation: request.generation,
                transactional: false,
                version: request.version,
            }),
            None if request.generation < 0 => Ok(()),
            None if request.version >= 9 => Err(ErrorCode::GroupIdNotFound),
            None => Err(ErrorCode::IllegalGeneration),
        }
    }

    fn validate_txn_commit(&self, request: &TxnOffsetCommitRequest) -> Result<(), ErrorCode> {
        if request.group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let validated = match self.groups.get(&request.group_id) {
            Some(group) => group.validate_offset_commit(&Committer {
                member_id: &request.member_id,
                instance_id: request.instance_id.as_deref(),
                generation: request.generation,
                transactional: true,
                version: 0,
            }),
            None if request.generation < 0 => Ok(()),
            None => Err(ErrorCode::IllegalGeneration),
        };
        // Producers know generations alone.
        validated.map_err(|code| match code {
            ErrorCode::StaleMemberEpoch => ErrorCode::IllegalGeneration,
            other => other,
        })
    }

    fn validate_offset_delete(&self, group_id: &str) -> Result<&Group, ErrorCode> {
        if group_id.is_empty() {
            return Err(ErrorCode::InvalidGroupId);
        }
        let group = self.groups.get(group_id).ok_or(ErrorCode::GroupIdNotFound)?;
        match group {
            Group::Classic(group) => group.validate_offset_delete()?,
            Group::Consumer(_) => {}
        }
        Ok(group)
    }
}

/// Who commits.
struct Committer<'a> {
    member_id: &'a str,
    instance_id: Option<&'a str>,
    /// Or member epoch.
    generation: i32,
    transactional: bool,
    /// OffsetCommit's.
    version: i16,
}

impl Group {
    fn validate_offset_commit(&self, by: &Committer) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(group) => {
                group.validate_offset_commit(by.member_id, by.instance_id, by.generation, by.transactional)
            }
            Self::Consumer(group) => group.validate_offset_commit(
                by.member_id,
                by.instance_id,
                by.generation,
                by.transactional,
                by.version,
            ),
        }
    }

    fn validate_offset_fetch(&self, member_id: Option<&str>, member_epoch: i32) -> Result<(), ErrorCode> {
        match self {
            Self::Classic(_) => Ok(()),
            Self::Consumer(group) => group.validate_offset_fetch(member_id, member_epoch),
        }
    }

    fn is_subscribed_to(&self, topic: &str) -> bool {
        match self {
            Self::Classic(group) => group.is_subscribed_to(topic),
            Self::Consumer(group) => group.is_subscribed_to(topic),
        }
    }

    fn offset_expiry(&self) -> Option<OffsetExpiry> {
        match self {
            Self::Classic(group) => group.offset_expiry(),
            Self::Consumer(_) => Some(OffsetExpiry::SinceCommit),
        }
    }
}

/// A record and an answer per partition; those with too much metadata get the answer only.
fn records_of(
    context: &Context,
    group_id: &str,
    topics: Vec<CommitTopic>,
    mut value: impl FnMut(&CommitTopic, &CommitPartition) -> OffsetValue,
) -> (Vec<Record>, Vec<CommittedTopic>) {
    let mut records = Vec::with_capacity(topics.iter().map(|topic| topic.partitions.len()).sum());
    let mut committed = Vec::with_capacity(topics.len());
    for topic in topics {
        let mut partitions = Vec::with_capacity(topic.partitions.len());
        for partition in &topic.partitions {
            let is_too_large = partition.metadata.as_deref().is_some_and(|text| is_too_large(context, text));
            if is_too_large {
                partitions.push((partition.index, ErrorCode::OffsetMetadataTooLarge));
                continue;
            }
            partitions.push((partition.index, ErrorCode::None));
            let key = OffsetKey {
                group_id: group_id.to_owned(),
                topic: topic.name.clone(),
                partition: partition.index,
            };
            records.push(Record::Offset(key, Some(value(&topic, partition))));
        }
        committed.push(CommittedTopic { name: topic.name, id: topic.id, partitions });
    }
    (records, committed)
}

fn value_of(context: &Context, partition: &CommitPartition) -> OffsetValue {
    OffsetValue {
        offset: partition.offset,
        leader_epoch: partition.leader_epoch,
        metadata: partition.metadata.clone().unwrap_or_default(),
        commit_timestamp_ms: context.wall_ms,
        expire_timestamp_ms: -1,
        topic_id: None,
    }
}

/// `offset.metadata.max.bytes`, which Kafka compares with the length of a Java string: UTF-16 units.
fn is_too_large(context: &Context, metadata: &str) -> bool {
    let units_max = usize::try_from(context.settings.offset_metadata_bytes_max).unwrap_or(0);
    metadata.len() > units_max && metadata.encode_utf16().count() > units_max
}

fn tombstone(group_id: &str, topic: &str, partition: i32) -> Record {
    let key = OffsetKey { group_id: group_id.to_owned(), topic: topic.to_owned(), partition };
    Record::Offset(key, None)
}
