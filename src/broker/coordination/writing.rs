//! What a shard writes: its steps' records, and markers; and the wait until that is on disk.

use std::sync::Arc;

use bytes::Bytes;
use coordinator::group::{Stamp, Ticket};
use model::{ErrorCode, Offset, ProducerEpoch, ProducerId};
use records::BatchBuilder;
use storage::{AppendError, Origin, TxnMarker, VerificationGuard};
use tracing::Level;

use super::host::{Cause, State};
use super::{Environment, Host, Lease, Machine, Moment, Parts};
use crate::partition::{Acks, CommitTicket, PartitionError};

impl<M: Machine> Host<M> {
    /// Writes a step's records, and gives the answers that are due then.
    pub(super) fn commit(
        self: &Arc<Self>,
        state: &mut State<M>,
        (moment, context): (Moment, &M::Context<'_>),
        step: M::Step,
        cause: &Cause,
    ) -> Vec<(Ticket, M::Reply)> {
        let stamp = M::stamp(&step);
        if !M::records(&step).is_empty() {
            let acks = if cause.goes_ahead { Acks::Written } else { M::acks(&step) };
            let batch = self.batch(M::records(&step), context, stamp, moment.wall_ms);
            match batch.and_then(|batch| self.append(batch, acks, moment.wall_ms, cause.guard)) {
                Ok(end) => {
                    state.end = end;
                    if acks == Acks::Committed {
                        state.urged = end;
                    }
                }
                Err(code) => {
                    let undone = state.shard.write_failed(context, &step);
                    let refused = M::into_parts(step).replies.into_iter();
                    let refused = refused.map(|(ticket, reply)| (ticket, M::failed(reply, code)));
                    return refused.chain(undone).collect();
                }
            }
        }
        let Parts { records, replies, sequel } = M::into_parts(step);
        for record in records {
            self.shared.environment.appended(&record);
            state.shard.replay(record, stamp);
        }
        let lease = Lease { end: state.end, life: state.life };
        self.shared.environment.follow(self, lease, sequel);
        replies
    }

    fn batch(
        &self,
        records: &[M::Record],
        context: &M::Context<'_>,
        stamp: Option<Stamp>,
        wall_ms: i64,
    ) -> Result<Bytes, ErrorCode> {
        let mut builder = BatchBuilder::new().codec(self.shared.codec, None);
        if let Some(Stamp { producer_id, producer_epoch }) = stamp {
            let (id, epoch) = (ProducerId::new(producer_id), ProducerEpoch::new(producer_epoch));
            builder = builder.producer(id, epoch, -1).transactional();
        }
        let refuse = |error: &dyn std::fmt::Display| {
            M::log(Level::WARN, format_args!("a change of {} is refused: {error}", M::SUBJECT));
        };
        for record in records {
            let (key, value) = M::encode(record, context).map_err(|error| {
                refuse(&error);
                ErrorCode::UnknownServerError
            })?;
            builder.append(wall_ms, Some(&key), value.as_deref(), &[]);
        }
        builder.build().map_err(|error| {
            refuse(&error);
            ErrorCode::RecordListTooLarge
        })
    }

    fn append(
        &self,
        batch: Bytes,
        acks: Acks,
        wall_ms: i64,
        guard: Option<VerificationGuard>,
    ) -> Result<Offset, ErrorCode> {
        if batch.len() > self.partition.topic().settings.load().message_bytes_max {
            return Err(ErrorCode::MessageTooLarge);
        }
        let placed = self.partition.append_verified(Origin::Coordinator, batch, acks, wall_ms, guard);
        let placed = placed.map_err(|error| {
            let name = self.partition.dir_name();
            let level = if is_of_producer(&error) { Level::DEBUG } else { Level::ERROR };
            M::log(level, format_args!("cannot write to {name}: {error}"));
            error.code()
        })?;
        Ok(placed.at.last_offset.next())
    }

    /// Ends a transaction whose records the log may hold. The answer is where the log must be on disk up to before anybody is
    /// told.
    ///
    /// # Errors
    /// The shard is not loaded, or no more, or the marker could not be written.
    pub fn append_marker(self: &Arc<Self>, marker: &TxnMarker) -> Result<Offset, ErrorCode> {
        let _reload = self.reload_after_panic();
        self.shared.with_context(|moment, _context| {
            let mut state = self.ready()?;
            let placed =
                self.partition.append_marker(marker, moment.wall_ms).map_err(|error| error.code())?;
            let end = placed.at.last_offset.next();
            if placed.at.duplicate {
                return Ok(end);
            }
            state.end = end;
            state.urged = end;
            let stamp = Stamp {
                producer_id: marker.producer_id.value(),
                producer_epoch: marker.producer_epoch.value(),
            };
            state.shard.replay_marker(stamp, marker.commit);
            Ok(end)
        })
    }

    /// Somebody is about to wait for all that was appended, also for what was in no hurry.
    pub(super) fn urge(&self, state: &mut State<M>) {
        if state.end > state.urged {
            state.urged = state.end;
            if !self.partition.is_committed(state.end) {
                self.partition.hurry();
            }
        }
    }

    /// Waits until the log is on disk up to `end`.
    ///
    /// # Errors
    /// It took too long, or the partition is gone.
    pub async fn durable(&self, end: Offset) -> Result<(), ErrorCode> {
        if self.partition.is_committed(end) {
            return Ok(());
        }
        let ticket = CommitTicket::new();
        self.partition.await_commit(end, &ticket);
        // Whether it timed out is seen from the offsets.
        let _ = tokio::time::timeout(self.shared.commit_timeout, ticket.all()).await;
        if self.partition.is_committed(end) {
            return Ok(());
        }
        let gone = self.partition.is_gone();
        Err(if gone { ErrorCode::NotLeaderOrFollower } else { ErrorCode::RequestTimedOut })
    }
}

/// Whether the producer was fenced, or its transaction has ended: its own concern.
fn is_of_producer(error: &PartitionError) -> bool {
    let PartitionError::Append(error) = error else { return false };
    matches!(
        error,
        AppendError::InvalidProducerEpoch { .. }
            | AppendError::InvalidTxnState { .. }
            | AppendError::NotVerified { .. }
            | AppendError::EarlierTransaction { .. }
    )
}
