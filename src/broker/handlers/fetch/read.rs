//! Carries out what a round has planned: from memory right away, the rest on the I/O threads.

use std::sync::Arc;

use bytes::Bytes;
use model::{ErrorCode, Offset};
use storage::{AbortedLookup, Access, BatchRead, Batches, ReadHint, ReadPlan, ReadRange};
use wire::fetch::{AbortedTransaction, FetchPartitionResponse};

use super::Answered;
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
) -> Vec<Answered> {
    let mut answers = Vec::with_capacity(targets.len());
    let mut cold: Begun<Records> = Vec::new();
    let planned = targets.into_iter().zip(round.planned);
    // Kafka lists the partitions that it does not know behind all others.
    let (served, unknown): (Vec<_>, Vec<_>) = planned.partition(|(_, planned)| !planned.is_unknown());
    for (target, planned) in served.into_iter().chain(unknown) {
        let (answer, plan) = planned.answer(broker, &target, limits);
        let Target { wanted, partition, .. } = target;
        if let (None, Ok(partition)) = (&plan, &partition) {
            partition.tally().fetch_answered(answer.error, 0);
        }
        let mut answered = Answered { wanted, answer, range: None };
        if let (Some(plan), Ok(partition)) = (plan, partition) {
            let source = Source::of(broker, &partition, plan);
            let mut read = RecordsRead::new(partition, answered.wanted.fetch_offset, source, limits);
            match read.run(Access::Memory) {
                Err(error) if error.would_block() => {
                    cold.push((answers.len(), broker.partitions.io().run(move || read.run(Access::Disk))));
                }
                read => answered.put(Ok(read)),
            }
        }
        answers.push(answered);
    }
    for (at, begun) in cold {
        if let Some(answered) = answers.get_mut(at) {
            answered.put(begun.await);
        }
    }
    answers
}

impl Answered {
    fn put(&mut self, read: Result<Result<Records, PartitionError>, Ended>) {
        match outcome(read, &self.wanted) {
            Ok(Records { place, aborted }) => {
                self.answer.aborted_transactions = aborted;
                match place {
                    Place::Memory(bytes) => self.answer.records = vec![bytes],
                    Place::File(range) => {
                        self.answer.records_elsewhere = range.len;
                        self.range = Some(range);
                    }
                }
            }
            Err(code) => self.answer = FetchPartitionResponse::refused(self.answer.partition, code),
        }
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
    place: Place,
    aborted: Option<Vec<AbortedTransaction>>,
}

/// Where records are.
#[derive(Debug)]
enum Place {
    Memory(Bytes),
    /// In the log's file, to be sent from there.
    File(ReadRange),
}

/// Where records come from.
#[derive(Debug)]
enum Source {
    /// They are read.
    Read(BatchRead, Option<Share>),
    /// They stay where they are. With the offset behind them.
    Sent(ReadRange, Offset),
}

/// From this size on it costs no more to find the end of the records and to have the kernel send them than to copy them; at
/// a mebibyte it costs two thirds.
const SENT_BYTES_MIN: usize = 256 * 1024;

impl Source {
    fn of(broker: &Broker, partition: &Arc<Partition>, mut plan: ReadPlan) -> Self {
        if plan.len() >= SENT_BYTES_MIN && plan.ranges().iter().all(|range| range.can_be_sent(range.len)) {
            if let Some(lookup) = partition.find_end(&mut plan) {
                // These are read; the next ones will not have to be.
                let partition = Arc::clone(partition);
                drop(broker.partitions.io().run(move || partition.warm_end(lookup)));
            } else if let (Some(next), Some(range)) = (plan.next(), plan.range_to_send()) {
                return Self::Sent(range, next.offset());
            }
        }
        let share = broker.fetch_memory.take(plan.len());
        Self::Read(plan.begin(), Some(share))
    }
}

/// A read of the records of one partition: its batches, then the aborted transactions among them.
#[derive(Debug)]
struct RecordsRead {
    partition: Arc<Partition>,
    from: Offset,
    source: Source,
    read_committed: bool,
    /// Once they are found.
    place: Option<Place>,
    aborted: Option<AbortedLookup>,
}

impl RecordsRead {
    fn new(partition: Arc<Partition>, from: Offset, source: Source, limits: &Limits) -> Self {
        let read_committed = limits.read_committed;
        Self { partition, from, source, read_committed, place: None, aborted: None }
    }

    /// After an error that would block it goes on where it stopped.
    fn run(&mut self, access: Access) -> Result<Records, PartitionError> {
        let place = match self.place.take() {
            Some(place) => place,
            None => self.find(access)?,
        };
        let aborted = match self.aborted.take() {
            None => self.read_committed.then(Vec::new),
            Some(mut lookup) => match lookup.run(access) {
                Err(error) if error.would_block() => {
                    (self.place, self.aborted) = (Some(place), Some(lookup));
                    return Err(error.into());
                }
                found => {
                    self.partition.note_aborted(lookup);
                    Some(found?.into_iter().map(told).collect())
                }
            },
        };
        let len = match &place {
            Place::Memory(bytes) => bytes.len(),
            Place::File(range) => range.len,
        };
        self.partition.tally().fetch_answered(ErrorCode::None, len);
        Ok(Records { place, aborted })
    }

    fn find(&mut self, access: Access) -> Result<Place, PartitionError> {
        let (place, next) = match &mut self.source {
            Source::Sent(range, next) => (Place::File(range.clone()), Some(*next)),
            Source::Read(read, share) => {
                let Batches { bytes, next, .. } = {
                    let batches = read.run(access)?;
                    self.partition.note_read(&batches);
                    batches
                };
                let bytes = match share.take() {
                    Some(share) => share.hold(bytes),
                    None => bytes,
                };
                (Place::Memory(bytes), next.map(|next| next.offset()))
            }
        };
        if let Some(next) = next.filter(|_| self.read_committed) {
            self.aborted = self.partition.aborted_lookup(self.from, next)?;
        }
        Ok(place)
    }
}

fn told(aborted: storage::AbortedTxn) -> AbortedTransaction {
    AbortedTransaction { producer_id: aborted.producer_id, first_offset: aborted.first_offset }
}
