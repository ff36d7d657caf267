//! The records of `__consumer_offsets`, in Kafka's own schemas
//! (`group-coordinator/src/main/resources/common/message`).
//!
//! The key's first two bytes are its type; a record without a value removes what its key names.

mod decode;
mod encode;
mod key;
#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;

pub use decode::{Decoded, RecordError};

use bytes::Bytes;
use model::TopicId;
use std::collections::BTreeMap;

/// Partitions per topic id, sorted: how assignments are kept everywhere.
pub type Assignment = BTreeMap<TopicId, Vec<i32>>;

/// One change of durable state. `None` is a tombstone.
#[derive(Clone, Debug, PartialEq)]
pub enum Record {
    /// Key types 0 and 1.
    Offset(OffsetKey, Option<OffsetValue>),
    /// Key type 2: a classic group.
    ClassicGroup(String, Option<ClassicGroupValue>),
    /// Key type 3: a consumer group's epoch.
    ConsumerGroup(String, Option<ConsumerGroupValue>),
    /// Key type 4, deprecated since 4.1 (KIP-1101): only its tombstone is ever written.
    PartitionMetadata(String, Option<Bytes>),
    /// Key type 5: a member as it described itself.
    Member(MemberKey, Option<MemberValue>),
    /// Key type 6: the epoch of the target assignment.
    TargetEpoch(String, Option<i32>),
    /// Key type 7: what a member shall own.
    TargetMember(MemberKey, Option<Assignment>),
    /// Key type 8: what a member owns.
    CurrentAssignment(MemberKey, Option<CurrentAssignmentValue>),
    /// Key type 16: the topics that a regular expression stands for.
    RegularExpression(RegularExpressionKey, Option<RegularExpressionValue>),
}

/// Whose offset, of what.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct OffsetKey {
    /// The group.
    pub group_id: String,
    /// The topic's name.
    pub topic: String,
    /// The partition's index.
    pub partition: i32,
}

/// A committed offset.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OffsetValue {
    /// The next offset to consume.
    pub offset: i64,
    /// The leader epoch of the last consumed record; -1 when unknown (KIP-320).
    pub leader_epoch: i32,
    /// What the client wants to keep with it.
    pub metadata: String,
    /// When it was committed, milliseconds since the Unix epoch.
    pub commit_timestamp_ms: i64,
    /// When it expires, for commits of old clients that named a retention time; -1 otherwise.
    pub expire_timestamp_ms: i64,
    /// The topic's id, where the committer knew it.
    pub topic_id: Option<TopicId>,
}

/// A classic group's last generation.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ClassicGroupValue {
    /// `consumer`, `connect` or another; empty for a group that only holds offsets.
    pub protocol_type: String,
    /// The generation.
    pub generation: i32,
    /// The chosen protocol.
    pub protocol: Option<String>,
    /// The leader's member id.
    pub leader: Option<String>,
    /// When the group got into its state, milliseconds since the Unix epoch; -1 when unknown.
    pub state_timestamp_ms: i64,
    /// Its members.
    pub members: Vec<ClassicMemberValue>,
}

/// A member of a classic group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ClassicMemberValue {
    pub member_id: String,
    /// KIP-345.
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    pub subscription: Bytes,
    pub assignment: Bytes,
}

/// A consumer group's epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ConsumerGroupValue {
    /// Grows with every change of members, subscriptions or topics.
    pub epoch: i32,
    /// The hash over the subscribed topics (KIP-1101); 0 when unknown.
    pub metadata_hash: i64,
}

/// A member of a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct MemberKey {
    pub group_id: String,
    pub member_id: String,
}

/// A member of a consumer group as it described itself.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct MemberValue {
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub subscribed_topics: Vec<String>,
    pub subscribed_regex: Option<String>,
    pub rebalance_timeout_ms: i32,
    pub server_assignor: Option<String>,
    /// Set for a member that speaks the classic protocol in a consumer group.
    pub classic: Option<ClassicMemberMetadata>,
}

/// What a consumer group keeps of a member that speaks the classic protocol.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ClassicMemberMetadata {
    pub session_timeout_ms: i32,
    /// Name and metadata of each protocol.
    pub protocols: Vec<(String, Bytes)>,
}

/// What a member of a consumer group owns.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CurrentAssignmentValue {
    /// The epoch that the member is at.
    pub member_epoch: i32,
    /// The one before: a member that lost our answer still knows it.
    pub previous_member_epoch: i32,
    /// Kafka's `MemberState`: 0 stable, 1 unrevoked partitions, 2 unreleased partitions, 127 unknown.
    pub state: i8,
    /// What it owns.
    pub assigned: Assignment,
    /// What it still has to give back.
    pub pending_revocation: Assignment,
}

/// A regular expression in a group.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
#[allow(missing_docs)]
pub struct RegularExpressionKey {
    pub group_id: String,
    pub regex: String,
}

/// What it resolved to.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RegularExpressionValue {
    /// Topic names.
    pub topics: Vec<String>,
    /// The version of the metadata image it was resolved against.
    pub version: i64,
    /// When, milliseconds since the Unix epoch.
    pub timestamp_ms: i64,
}
