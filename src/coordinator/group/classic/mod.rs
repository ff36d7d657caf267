//! Classic groups (KIP-62 and after): the members choose a leader's assignment, the coordinator keeps them in step.

use super::record::ClassicGroupValue;
use super::timers::{Entry, TimerKey};
use super::{Context, HeartbeatRequest, JoinRequest, LeaveRequest, Reply, Shard, Step, SyncRequest, Ticket};
use bytes::Bytes;
use model::ErrorCode;
use std::collections::BTreeMap;

/// A classic group.
#[derive(Debug)]
pub struct Group {}

impl Group {
    /// A group without members that holds offsets only: made by a commit outside any group protocol.
    pub fn simple(_group_id: &str) -> Self {
        Self {}
    }

    /// Whether it has no members.
    pub fn is_empty(&self) -> bool {
        true
    }

    /// May this committer commit (`ClassicGroup.validateOffsetCommit`)?
    pub fn validate_offset_commit(
        &self,
        _member_id: &str,
        _instance_id: Option<&str>,
        _generation: i32,
        _transactional: bool,
    ) -> Result<(), ErrorCode> {
        Ok(())
    }

    /// May offsets be deleted one by one (`ClassicGroup.validateOffsetDelete`)?
    pub fn validate_offset_delete(&self) -> Result<(), ErrorCode> {
        Ok(())
    }

    /// From when a commit's retention counts; `None` while nothing may expire
    /// (`ClassicGroup.offsetExpirationCondition`).
    pub fn offset_expiry(&self) -> Option<OffsetExpiry> {
        None
    }

    /// Whether members are subscribed to the topic, or may be as far as anybody knows.
    pub fn is_subscribed_to(&self, _topic: &str) -> bool {
        false
    }
}

/// From when an offset's retention counts (KIP-211).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum OffsetExpiry {
    /// From its commit.
    SinceCommit,
    /// From this moment, at which the group became empty.
    Since(i64),
}

impl Shard {
    pub(super) fn join(&mut self, _context: &Context, ticket: Ticket, request: JoinRequest) -> Step {
        Step::reply(ticket, Reply::Join(request.refused(ErrorCode::UnknownMemberId)))
    }

    pub(super) fn sync(&mut self, _context: &Context, ticket: Ticket, request: SyncRequest) -> Step {
        Step::reply(ticket, Reply::Sync(request.refused(ErrorCode::UnknownMemberId)))
    }

    pub(super) fn heartbeat(
        &mut self,
        _context: &Context,
        ticket: Ticket,
        _request: HeartbeatRequest,
    ) -> Step {
        Step::reply(ticket, Reply::Heartbeat(ErrorCode::UnknownMemberId))
    }

    pub(super) fn leave(&mut self, _context: &Context, ticket: Ticket, request: LeaveRequest) -> Step {
        Step::reply(ticket, Reply::Leave(request.refused(ErrorCode::UnknownMemberId)))
    }

    pub(super) fn replay_classic_group(&mut self, _group_id: String, _value: Option<ClassicGroupValue>) {}

    pub(super) fn classic_groups_loaded(&mut self, _context: &Context) -> Step {
        Step::default()
    }

    pub(super) fn classic_alarm(&mut self, _context: &Context, _entry: Entry, _key: &TimerKey) -> Step {
        Step::default()
    }

    pub(super) fn classic_write_failed(&mut self, _context: &Context, _step: &Step) -> Step {
        Step::default()
    }

    pub(super) fn classic_group_downgraded(
        &mut self,
        _context: &Context,
        _group_id: &str,
        _protocols: BTreeMap<String, Vec<(String, Bytes)>>,
        _rebalance: bool,
    ) -> Step {
        Step::default()
    }
}
