//! What a step gives the shell.

use super::behind::LEFT_BEHIND;
use super::record::{Partitions, Record};
use super::{Reply, Ticket};

/// Proposed by [`super::Shard::step`].
///
/// The shell appends `records` as one batch. When that worked it replays each of them, and once the shard's log is durable
/// up to here it lets `replies` go and has `markers` written; when it failed it calls [`super::Shard::write_failed`] and
/// answers the tickets of `replies` itself.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Step {
    /// To be appended, in this order, all or none.
    pub records: Vec<Record>,
    /// To be sent after the commit.
    pub replies: Vec<(Ticket, Reply)>,
    /// To be written into partitions' logs after the commit, again and again until they are; then the shell calls
    /// [`super::Shard::markers_written`] of the same shard: what a shard that is gone asked for is no longer its concern.
    pub markers: Vec<Marker>,
    /// The context's fresh producer id is used up.
    pub producer_id_taken: bool,
    /// Whoever asked may write into the partitions that were added before the records are on disk; it must not tell anybody
    /// before they are. Once they are appended: [`super::Shard::adopt`] finds the transaction again.
    pub goes_ahead: bool,
}

/// The end of a transaction, for each partition that it touched (WriteTxnMarkers).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Marker {
    /// Whose.
    pub transactional_id: String,
    /// With which producer id.
    pub producer_id: i64,
    /// And epoch: the one that the markers carry.
    pub producer_epoch: i16,
    /// Commit or abort.
    pub commit: bool,
    /// From 2 on the marker's epoch must be above that of the records it ends (KIP-890). A partition that has this epoch
    /// already and no open transaction of the producer has this marker already.
    pub transaction_version: i16,
    /// Which end of the transactional id this is, as long as the shard has it: the acknowledgement of an earlier one, which
    /// may have had the same epoch before KIP-890, is not taken for this one's. An id that expires and comes back is
    /// numbered anew, under another producer id.
    pub round: u64,
    /// Where.
    pub partitions: Partitions,
}

impl Marker {
    /// Whether it is no end of the id's, but one for what [`super::Shard::end_left_behind`] has found.
    pub fn is_for_left_behind(&self) -> bool {
        self.round == LEFT_BEHIND
    }
}

impl Step {
    /// Nothing to write, one answer.
    pub(super) fn reply(ticket: Ticket, reply: Reply) -> Self {
        Self { replies: vec![(ticket, reply)], ..Self::default() }
    }
}
