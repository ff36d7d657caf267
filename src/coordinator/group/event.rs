//! What the shell asks a shard, and what it is told. The fields mean what those of Kafka's requests and responses mean;
//! the shell translates every version into these.

use super::Refusal;
use super::record::Assignment;
use crate::append_error;
use bytes::Bytes;
use model::{ErrorCode, TopicId};
use uuid::Uuid;

/// A request of a member.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Request {
    Join(JoinRequest),
    Sync(SyncRequest),
    Heartbeat(HeartbeatRequest),
    Leave(LeaveRequest),
    ConsumerHeartbeat(ConsumerHeartbeatRequest),
    OffsetCommit(OffsetCommitRequest),
    TxnOffsetCommit(TxnOffsetCommitRequest),
    OffsetDelete(OffsetDeleteRequest),
    DeleteGroup { group_id: String },
}

/// Who sent a request.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Client {
    /// The header's client id.
    pub id: String,
    /// The peer's address as Kafka shows it: `/127.0.0.1`.
    pub host: String,
}

/// JoinGroup (KIP-62, 345, 394, 800, 814).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct JoinRequest {
    pub client: Client,
    pub group_id: String,
    /// Empty for a member that has none yet.
    pub member_id: String,
    /// What a new member's id ends in, after the client id or instance id; zeros where the request has an id.
    pub fresh_id: Uuid,
    pub instance_id: Option<String>,
    pub session_timeout_ms: i32,
    /// Version 0 has none: the session timeout stands here then.
    pub rebalance_timeout_ms: i32,
    pub protocol_type: String,
    pub protocols: Vec<(String, Bytes)>,
    pub reason: Option<String>,
    /// From version 4 on a dynamic member must come back with the id it is given (KIP-394).
    pub member_id_required: bool,
    /// From version 9 on (KIP-814).
    pub skip_assignment_known: bool,
}

/// SyncGroup.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct SyncRequest {
    pub group_id: String,
    pub generation: i32,
    pub member_id: String,
    pub instance_id: Option<String>,
    /// From version 5 on (KIP-559).
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    /// Member id and its assignment; the leader's alone counts.
    pub assignments: Vec<(String, Bytes)>,
}

/// Heartbeat.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct HeartbeatRequest {
    pub group_id: String,
    pub generation: i32,
    pub member_id: String,
    pub instance_id: Option<String>,
}

/// LeaveGroup, batched (KIP-345).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct LeaveRequest {
    pub group_id: String,
    pub members: Vec<LeavingMember>,
}

/// One member that leaves.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LeavingMember {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub reason: Option<String>,
}

/// ConsumerGroupHeartbeat (KIP-848, KIP-1082).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct ConsumerHeartbeatRequest {
    pub client: Client,
    /// The request's version: 1 and later must bring their own member id (KIP-1082).
    pub version: i16,
    pub group_id: String,
    pub member_id: String,
    /// A new member's id in version 0; zeros where the request has an id.
    pub fresh_id: Uuid,
    pub member_epoch: i32,
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    pub rebalance_timeout_ms: i32,
    pub subscribed_topics: Option<Vec<String>>,
    pub subscribed_regex: Option<String>,
    pub server_assignor: Option<String>,
    pub owned: Option<Assignment>,
}

/// OffsetCommit.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct OffsetCommitRequest {
    /// The request's version: errors of consumer groups differ before 9.
    pub version: i16,
    pub group_id: String,
    /// Generation or member epoch; -1 for a committer outside the group's protocol.
    pub generation: i32,
    pub member_id: String,
    pub instance_id: Option<String>,
    /// Versions 2 to 4; -1 for the broker's default.
    pub retention_time_ms: i64,
    pub topics: Vec<CommitTopic>,
}

/// TxnOffsetCommit (KIP-98, KIP-447).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct TxnOffsetCommitRequest {
    pub group_id: String,
    pub producer_id: i64,
    pub producer_epoch: i16,
    pub generation: i32,
    pub member_id: String,
    pub instance_id: Option<String>,
    pub topics: Vec<CommitTopic>,
}

/// Offsets of one topic, to be committed.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CommitTopic {
    pub name: String,
    pub id: Option<TopicId>,
    pub partitions: Vec<CommitPartition>,
}

/// One of them.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CommitPartition {
    pub index: i32,
    pub offset: i64,
    pub leader_epoch: i32,
    pub metadata: Option<String>,
}

/// OffsetDelete (KIP-496).
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct OffsetDeleteRequest {
    pub group_id: String,
    pub topics: Vec<(String, Vec<i32>)>,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Reply {
    Join(JoinReply),
    Sync(SyncReply),
    Heartbeat(ErrorCode),
    Leave(LeaveReply),
    ConsumerHeartbeat(Result<ConsumerHeartbeatReply, Refusal>),
    /// Of OffsetCommit and TxnOffsetCommit: an error code per partition, in the request's order.
    OffsetCommit(Vec<CommittedTopic>),
    OffsetDelete(Result<Vec<CommittedTopic>, ErrorCode>),
    DeleteGroup(ErrorCode),
}

/// Topic, and an error code per partition.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct CommittedTopic {
    pub name: String,
    pub id: Option<TopicId>,
    pub partitions: Vec<(i32, ErrorCode)>,
}

/// Of JoinGroup.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub struct JoinReply {
    pub error: ErrorCode,
    pub generation: i32,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub leader: String,
    pub skip_assignment: bool,
    pub member_id: String,
    /// For the leader alone.
    pub members: Vec<JoinedMember>,
}

/// A member, as the leader is told.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct JoinedMember {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub metadata: Bytes,
}

/// Of SyncGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct SyncReply {
    pub error: ErrorCode,
    pub protocol_type: Option<String>,
    pub protocol_name: Option<String>,
    pub assignment: Bytes,
}

/// Of LeaveGroup.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct LeaveReply {
    pub error: ErrorCode,
    /// In the request's order.
    pub members: Vec<(LeavingMember, ErrorCode)>,
}

/// Of ConsumerGroupHeartbeat.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ConsumerHeartbeatReply {
    pub member_id: String,
    pub member_epoch: i32,
    pub heartbeat_interval_ms: i32,
    /// Absent when nothing changed since the last answer.
    pub assignment: Option<Assignment>,
}

impl Request {
    /// The answer when nothing at all can be done for the request.
    pub fn refused(&self, code: ErrorCode) -> Reply {
        match self {
            Self::Join(request) => Reply::Join(request.refused(code)),
            Self::Sync(request) => Reply::Sync(request.refused(code)),
            Self::Heartbeat(_) => Reply::Heartbeat(code),
            Self::Leave(request) => Reply::Leave(request.refused(code)),
            Self::ConsumerHeartbeat(_) => Reply::ConsumerHeartbeat(Err(code.into())),
            Self::OffsetCommit(request) => Reply::OffsetCommit(refused_topics(&request.topics, code)),
            Self::TxnOffsetCommit(request) => Reply::OffsetCommit(refused_topics(&request.topics, code)),
            Self::OffsetDelete(_) => Reply::OffsetDelete(Err(code)),
            Self::DeleteGroup { .. } => Reply::DeleteGroup(code),
        }
    }

    /// The group that the request is about: it decides which shard is asked.
    pub fn group_id(&self) -> &str {
        match self {
            Self::Join(request) => &request.group_id,
            Self::Sync(request) => &request.group_id,
            Self::Heartbeat(request) => &request.group_id,
            Self::Leave(request) => &request.group_id,
            Self::ConsumerHeartbeat(request) => &request.group_id,
            Self::OffsetCommit(request) => &request.group_id,
            Self::TxnOffsetCommit(request) => &request.group_id,
            Self::OffsetDelete(request) => &request.group_id,
            Self::DeleteGroup { group_id } => group_id,
        }
    }
}

impl JoinRequest {
    /// An answer that tells the error and the member id that came.
    pub fn refused(&self, code: ErrorCode) -> JoinReply {
        JoinReply::error(code, self.member_id.clone())
    }
}

impl SyncRequest {
    /// An answer that tells the error alone.
    pub fn refused(&self, code: ErrorCode) -> SyncReply {
        SyncReply::error(code)
    }
}

impl LeaveRequest {
    /// An answer that tells the error: of an unknown member for each of them, else for the whole request.
    pub fn refused(&self, code: ErrorCode) -> LeaveReply {
        if code == ErrorCode::UnknownMemberId {
            let members = self.members.iter().map(|member| (member.clone(), code)).collect();
            return LeaveReply { error: ErrorCode::None, members };
        }
        LeaveReply { error: code, members: Vec::new() }
    }
}

impl JoinReply {
    /// An error, and the member id it concerns; empty where the member must come back without one.
    pub fn error(code: ErrorCode, member_id: String) -> Self {
        Self {
            error: code,
            generation: -1,
            protocol_type: None,
            protocol_name: None,
            leader: String::new(),
            skip_assignment: false,
            member_id,
            members: Vec::new(),
        }
    }
}

impl SyncReply {
    /// An error.
    pub fn error(code: ErrorCode) -> Self {
        Self { error: code, protocol_type: None, protocol_name: None, assignment: Bytes::new() }
    }
}

impl Reply {
    /// What is sent in place of this reply when the records it depends on could not be written; `code` is what the
    /// append came to. Kafka: `appendGroupMetadataErrorToResponseError`, `GroupCoordinatorService`.
    pub fn failed(self, code: ErrorCode) -> Self {
        let code = append_error(code);
        match self {
            Self::Join(reply) if reply.error != ErrorCode::None => Self::Join(reply),
            Self::Join(_) => Self::Join(JoinReply::error(code, String::new())),
            Self::Sync(reply) if reply.error != ErrorCode::None => Self::Sync(reply),
            Self::Sync(_) => Self::Sync(SyncReply::error(code)),
            Self::Heartbeat(_) => Self::Heartbeat(code),
            Self::Leave(_) => Self::Leave(LeaveReply { error: code, members: Vec::new() }),
            Self::ConsumerHeartbeat(_) => Self::ConsumerHeartbeat(Err(code.into())),
            Self::OffsetCommit(mut topics) => {
                for (_, error) in topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
                    if *error == ErrorCode::None {
                        *error = code;
                    }
                }
                Self::OffsetCommit(topics)
            }
            Self::OffsetDelete(_) => Self::OffsetDelete(Err(code)),
            Self::DeleteGroup(_) => Self::DeleteGroup(code),
        }
    }
}

fn refused_topics(topics: &[CommitTopic], code: ErrorCode) -> Vec<CommittedTopic> {
    let refused = |topic: &CommitTopic| CommittedTopic {
        name: topic.name.clone(),
        id: topic.id,
        partitions: topic.partitions.iter().map(|partition| (partition.index, code)).collect(),
    };
    topics.iter().map(refused).collect()
}
