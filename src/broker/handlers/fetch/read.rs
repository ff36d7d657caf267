//! Carries out what a round has planned: from memory right away, the rest on the I/O threads.

use std::sync::Arc;

use bytes::Bytes;
use model::{ErrorCode, Offset};
use storage::{AbortedLookup, Access, BatchRead, Batches, ReadHint, ReadPlan};
use wire::fetch::{AbortedTransaction, FetchPartitionResponse};

use super::plan::{Limits, Located, Planned, Round, Target};
use crate::context::Broker;
use crate::fetch_memory::Share;
use crate::fetch_session::FetchPartition;
use crate::partition::io_threads::{Ended, Pending};
use crate::partition::{IoThreads, Partition, PartitionError};

/// What the I/O threads do for targets or answers with these numbers.
type Begun<T> = Vec<(usize, Pending<Result<T, PartitionError>>)>;

/// Looks up the places of those partitions that a round could not be planned without.
pub(super) async fn look_up(io: &IoThreads, targets: &[Target], round: Round) -> Located {
    let mut begun: Begun<Option<ReadHint>> = Vec::new();
    for (at, (target, planned)) in targets.iter().zip(round.planned).enumerate() {
        if let (Ok(partition), Planned::Cold(lookup)) = (&target.partition, planned) {
            let partition = Arc::clone(partition);
            begun.push((at, io.run(move || partition.look_up(*lookup))));
        }
    }
    let mut located = Vec::with_capacity(begun.len());
    for (at, begun) in begun {
        located.push((at, outcome(begun.await, &targets[at].wanted)));
    }
    located
}

/// Reads the records of a round and puts the answers of its partitions together, in their order.
pub(super) async fn answers(
    broker: &Broker,
    targets: Vec<Target>,
    round: Round,
    limits: &Limits,
) -> Vec<(FetchPartition, FetchPartitionResponse)> {
    let mut answers = Vec::with_capacity(targets.len());
    let mut cold: Begun<Records> = Vec::new();
    let planned = targets.into_iter().zip(round.planned);
    // Kafka lists the partitions that it does not know behind all others.
    let (served, unknown): (Vec<_>, Vec<_>) = planned.partition(|(_, planned)| !planned.is_unknown());
    for (target, planned) in served.into_iter().chain(unknown) {
        let (mut answer, plan) = planned.answer(broker, &target, limits);
        let Target { wanted, partition } = target;
        if let (None, Ok(partition)) = (&plan, &partition) {
            partition.tally().fetch_answered(answer.error, 0);
        }
        if let (Some(plan), Ok(partition)) = (plan, partition) {
            let share = broker.fetch_memory.take(plan.len());
            let mut read = RecordsRead::new(partition, wanted.fetch_offset, plan, share, limits);
            match read.run(Access::Memory) {
                Err(error) if error.would_block() => {
                    cold.push((answers.len(), broker.partitions.io().run(move || read.run(Access::Disk))));
                }
                read => put(&mut answer, outcome(Ok(read), &wanted)),
            }
        }
        answers.push((wanted, answer));
    }
    for (at, begun) in cold {
        if let Some((wanted, answer)) = answers.get_mut(at) {
            put(answer, outcome(begun.await, wanted));
        }
    }
    answers
}

fn put(answer: &mut FetchPartitionResponse, read: Result<Records, ErrorCode>) {
    match read {
        Ok(Records { bytes, aborted }) => {
            answer.records = vec![bytes];
            answer.aborted_transactions = aborted;
        }
        Err(code) => *answer = FetchPartitionResponse::refused(answer.partition, code),
    }
}

fn outcome<T>(
    done: Result<Result<T, PartitionError>, Ended>,
    wanted: &FetchPartition,
) -> Result<T, ErrorCode> {
    let done = done.map_err(|Ended| ErrorCode::KafkaStorageError)?;
    done.map_err(|error| {
        tracing::error!("Cannot read {:?}-{}: {error}", wanted.topic, wanted.partition);
        error.code()
    })
}

/// Records of one partition, and the aborted transactions among them for a reader of committed ones.
#[derive(Debug)]
struct Records {
    bytes: Bytes,
    aborted: Option<Vec<AbortedTransaction>>,
}

/// A read of the records of one partition: its batches, then the aborted transactions among them.
#[derive(Debug)]
struct RecordsRead {
    partition: Arc<Partition>,
    from: Offset,
    read: BatchRead,
    share: Option<Share>,
    read_committed: bool,
    /// Once they are read.
    batches: Option<Batches>,
    aborted: Option<AbortedLookup>,
}

impl RecordsRead {
    fn new(partition: Arc<Partition>, from: Offset, plan: ReadPlan, share: Share, limits: &Limits) -> Self {
        Self {
            partition,
            from,
            read: plan.begin(),
            share: Some(share),
            read_committed: limits.read_committed,
            batches: None,
            aborted: None,
        }
    }

    /// After an error that would block it goes on where it stopped.
    fn run(&mut self, access: Access) -> Result<Records, PartitionError> {
        let batches = match self.batches.take() {
            Some(batches) => batches,
            None => self.read_batches(access)?,
        };
        let aborted = match self.aborted.take() {
            None => self.read_committed.then(Vec::new),
            Some(mut lookup) => match lookup.run(access) {
                Err(error) if error.would_block() => {
                    (self.batches, self.aborted) = (Some(batches), Some(lookup));
                    return Err(error.into());
                }
                found => {
                    self.partition.note_aborted(lookup);
                    Some(found?.into_iter().map(told).collect())
                }
            },
        };
        let bytes = match self.share.take() {
            Some(share) => share.hold(batches.bytes),
            None => batches.bytes,
        };
        self.partition.tally().fetch_answered(ErrorCode::None, bytes.len());
        Ok(Records { bytes, aborted })
    }

    fn read_batches(&mut self, access: Access) -> Result<Batches, PartitionError> {
        let batches = self.read.run(access)?;
        self.partition.note_read(&batches);
        if let Some(next) = batches.next.filter(|_| self.read_committed) {
            self.aborted = self.partition.aborted_lookup(self.from, next.offset())?;
        }
        Ok(batches)
    }
}

fn told(aborted: storage::AbortedTxn) -> AbortedTransaction {
    AbortedTransaction { producer_id: aborted.producer_id, first_offset: aborted.first_offset }
}
