//! Committed offsets.

use super::record::{OffsetKey, OffsetValue, Record};
use super::timers::{Entry, TimerKey};
use super::{
    Context, OffsetCommitRequest, OffsetDeleteRequest, Shard, Stamp, Step, Ticket, TxnOffsetCommitRequest,
};

/// The offsets of a shard's groups.
#[derive(Debug, Default)]
pub struct Offsets {}

impl Shard {
    pub(super) fn offset_commit(
        &mut self,
        _context: &Context,
        _ticket: Ticket,
        _request: OffsetCommitRequest,
    ) -> Step {
        Step::default()
    }

    pub(super) fn txn_offset_commit(
        &mut self,
        _context: &Context,
        _ticket: Ticket,
        _request: TxnOffsetCommitRequest,
    ) -> Step {
        Step::default()
    }

    pub(super) fn offset_delete(
        &mut self,
        _context: &Context,
        _ticket: Ticket,
        _request: OffsetDeleteRequest,
    ) -> Step {
        Step::default()
    }

    /// The tombstones of all offsets of a group that is deleted (`OffsetMetadataManager.deleteAllOffsets`).
    pub(super) fn delete_all_offsets(&mut self, _group_id: &str) -> Vec<Record> {
        Vec::new()
    }

    pub(super) fn replay_offset(
        &mut self,
        _key: OffsetKey,
        _value: Option<OffsetValue>,
        _stamp: Option<Stamp>,
    ) {
    }

    pub(super) fn replay_offsets_marker(&mut self, _stamp: Stamp, _commit: bool) {}

    pub(super) fn offsets_loaded(&mut self, _context: &Context) -> Step {
        Step::default()
    }

    pub(super) fn offset_expiry_alarm(&mut self, _context: &Context, _entry: Entry, _key: &TimerKey) -> Step {
        Step::default()
    }
}
