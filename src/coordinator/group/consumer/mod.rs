//! Consumer groups (KIP-848).

mod assignor;

use super::record::Record;
use super::timers::{Entry, TimerKey};
use super::{
    ConsumerHeartbeatRequest, Context, HeartbeatRequest, JoinRequest, LeaveRequest, Refusal, Reply, Shard,
    Step, SyncRequest, Ticket,
};
use model::ErrorCode;

/// A consumer group.
#[derive(Debug, Default)]
pub struct Group {}

impl Group {
    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// Its state as Kafka shows it (`ConsumerGroupState`).
    pub fn state_name(&self) -> &'static str {
        "Empty"
    }

    /// May this committer commit (`ConsumerGroup.validateOffsetCommit`)? `version` is OffsetCommit's.
    pub fn validate_offset_commit(
        &self,
        _member_id: &str,
        _instance_id: Option<&str>,
        _member_epoch: i32,
        _transactional: bool,
        _version: i16,
    ) -> Result<(), ErrorCode> {
        Ok(())
    }

    /// May this reader see the offsets (`ConsumerGroup.validateOffsetFetch`)?
    pub fn validate_offset_fetch(
        &self,
        _member_id: Option<&str>,
        _member_epoch: i32,
    ) -> Result<(), ErrorCode> {
        Ok(())
    }

    /// Whether a member is subscribed to the topic, by name or by regular expression.
    pub fn is_subscribed_to(&self, _topic: &str) -> bool {
        false
    }
}

impl Shard {
    pub(super) fn consumer_heartbeat(
        &mut self,
        _context: &Context,
        ticket: Ticket,
        _request: ConsumerHeartbeatRequest,
    ) -> Step {
        let refusal = Refusal::from(ErrorCode::UnsupportedVersion);
        Step::reply(ticket, Reply::ConsumerHeartbeat(Err(refusal)))
    }

    /// JoinGroup to a consumer group that has members (`classicGroupJoinToConsumerGroup`).
    pub(super) fn join_consumer_group(
        &mut self,
        _context: &Context,
        ticket: Ticket,
        request: JoinRequest,
    ) -> Step {
        Step::reply(ticket, Reply::Join(request.refused(ErrorCode::InconsistentGroupProtocol)))
    }

    /// SyncGroup to a consumer group that has members (`classicGroupSyncToConsumerGroup`).
    pub(super) fn sync_consumer_group(
        &mut self,
        _context: &Context,
        ticket: Ticket,
        request: SyncRequest,
    ) -> Step {
        Step::reply(ticket, Reply::Sync(request.refused(ErrorCode::UnknownMemberId)))
    }

    /// Heartbeat to a consumer group (`classicGroupHeartbeatToConsumerGroup`).
    pub(super) fn heartbeat_consumer_group(
        &mut self,
        _context: &Context,
        ticket: Ticket,
        _request: HeartbeatRequest,
    ) -> Step {
        Step::reply(ticket, Reply::Heartbeat(ErrorCode::UnknownMemberId))
    }

    /// LeaveGroup to a consumer group (`classicGroupLeaveToConsumerGroup`).
    pub(super) fn leave_consumer_group(
        &mut self,
        _context: &Context,
        ticket: Ticket,
        request: LeaveRequest,
    ) -> Step {
        Step::reply(ticket, Reply::Leave(request.refused(ErrorCode::UnknownMemberId)))
    }

    /// The tombstones of a consumer group, offsets apart (`ConsumerGroup.createGroupTombstoneRecords`).
    pub(super) fn consumer_group_tombstones(&self, _group_id: &str) -> Vec<Record> {
        Vec::new()
    }

    /// Every record but offsets and classic groups.
    pub(super) fn replay_consumer_record(&mut self, _record: Record) {}

    pub(super) fn consumer_groups_loaded(&mut self, _context: &Context) -> Step {
        Step::default()
    }

    pub(super) fn consumer_alarm(&mut self, _context: &Context, _entry: Entry, _key: &TimerKey) -> Step {
        Step::default()
    }

    pub(super) fn consumer_write_failed(&mut self, _context: &Context, _step: &Step) -> Step {
        Step::default()
    }
}
