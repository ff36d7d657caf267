//! One round of a fetch: what each partition has to give, and whether that is enough. Nothing here waits for the disk.

use std::sync::Arc;

use model::{ErrorCode, LeaderEpoch, Offset};
use storage::{OffsetLookup, ReadHint, ReadPlan, ReadRequest, ReadStep};
use wire::TopicRef;
use wire::fetch::{EpochEndOffset, FetchPartitionResponse};
use wire::produce::LeaderIdAndEpoch;

use super::name_of;
use crate::context::Broker;
use crate::fetch_session::{FetchPartition, Wanted};
use crate::partition::{Offsets, Partition, Snapshot};

/// What bounds a fetch as a whole.
#[derive(Clone, Copy, Debug)]
pub(super) struct Limits {
    /// Most record bytes; the first batch of the answer comes in any case. Negative is the client's mistake.
    pub bytes_max: i64,
    /// Bytes to wait for; at most `bytes_max`.
    pub bytes_min: usize,
    /// Whether only decided transactions are seen.
    pub read_committed: bool,
    /// Whether a replica asks. There are none: its partitions are refused.
    pub from_follower: bool,
    /// Whether an error about the leader comes with the leader.
    pub tells_leader: bool,
}

impl Limits {
    /// The same limits for an answer that must fit into `room` bytes of memory.
    pub(super) fn within(self, room: usize) -> Self {
        Self { bytes_max: self.bytes_max.min(i64::try_from(room).unwrap_or(i64::MAX)), ..self }
    }
}

/// The partitions of a fetch.
#[derive(Debug)]
pub(super) struct Targets {
    /// Those that may have something to tell, by their turns.
    pub list: Vec<Target>,
    /// Whether the session has others, which have not.
    pub has_quiet: bool,
}

impl Targets {
    pub(super) fn resolve(snapshot: &Snapshot, wanted: Vec<Wanted>, has_quiet: bool) -> Self {
        let list = wanted.into_iter().map(|wanted| Target::resolve(snapshot, wanted)).collect();
        Self { list, has_quiet }
    }
}

/// A partition that is asked for.
#[derive(Debug)]
pub(super) struct Target {
    pub turn: u64,
    pub wanted: FetchPartition,
    /// The partition, or why there is none.
    pub partition: Result<Arc<Partition>, Missing>,
}

/// Why a partition cannot be read at all.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Missing {
    code: ErrorCode,
    /// Kafka waits in spite of a partition it does not know; what fails when it is read ends the wait.
    ends_wait: bool,
}

impl Target {
    pub(super) fn resolve(snapshot: &Snapshot, Wanted { turn, partition: wanted }: Wanted) -> Self {
        let partition = find(snapshot, &wanted);
        Self { turn, wanted, partition }
    }

    /// One that was there when the fetch began, and is not any more: that ends the wait.
    pub(super) fn lost(snapshot: &Snapshot, wanted: Wanted) -> Self {
        let mut target = Self::resolve(snapshot, wanted);
        if let Err(missing) = &mut target.partition {
            missing.ends_wait = true;
        }
        target
    }

    pub(super) fn found(Wanted { turn, partition: wanted }: Wanted, partition: Arc<Partition>) -> Self {
        Self { turn, wanted, partition: Ok(partition) }
    }

    pub(super) fn bytes_max(&self) -> usize {
        usize::try_from(self.wanted.bytes_max).unwrap_or(0)
    }
}

fn find(snapshot: &Snapshot, wanted: &FetchPartition) -> Result<Arc<Partition>, Missing> {
    let unknown = |code| Missing { code, ends_wait: false };
    if let Some(hosted) = snapshot.topic(&wanted.topic) {
        return match hosted.partition(wanted.partition) {
            Ok(partition) => Ok(Arc::clone(partition)),
            Err(code) => Err(Missing { code, ends_wait: code == ErrorCode::KafkaStorageError }),
        };
    }
    let TopicRef::Id(_) = &wanted.topic else { return Err(unknown(ErrorCode::UnknownTopicOrPartition)) };
    let Some(name) = name_of(wanted) else { return Err(unknown(ErrorCode::UnknownTopicId)) };
    // The id was a topic's when the session began. Whether its name is another topic's now decides the answer.
    match snapshot.named(name).map(|hosted| hosted.partition(wanted.partition)) {
        Some(Ok(_)) => Err(Missing { code: ErrorCode::InconsistentTopicId, ends_wait: true }),
        _ => Err(unknown(ErrorCode::UnknownTopicOrPartition)),
    }
}

/// What all partitions have to give, in the order of the targets.
#[derive(Debug)]
pub(super) struct Round {
    pub planned: Vec<Planned>,
    /// Record bytes planned.
    pub bytes: usize,
    /// Whether something must be told at once, however few the bytes.
    is_urgent: bool,
    /// Whether places must be looked up before the round can be planned.
    pub is_cold: bool,
}

/// What lookups have found: the number of the target, and where its read begins. In the order of the targets.
pub(super) type Located = Vec<(usize, Result<Option<ReadHint>, ErrorCode>)>;

impl Round {
    pub(super) fn plan(targets: &Targets, limits: &Limits, located: &Located) -> Self {
        let Targets { list: targets, has_quiet } = targets;
        let mut round = Self {
            planned: Vec::with_capacity(targets.len()),
            bytes: 0,
            is_urgent: targets.is_empty() && !has_quiet,
            is_cold: false,
        };
        let mut some_known = *has_quiet;
        let mut bytes_left = limits.bytes_max;
        let mut located = located.iter().peekable();
        for (at, target) in targets.iter().enumerate() {
            let place = located.next_if(|(number, _)| *number == at).map(|(_, place)| *place);
            // The size limits yield to the first batch of an answer, so that no batch is too large to be read.
            let ask = Ask { limits, bytes_left, min_one_batch: round.bytes == 0 };
            let planned = place
                .unwrap_or(Ok(None))
                .and_then(|hint| Planned::of(target, ask, hint))
                .unwrap_or_else(Planned::Refused);
            round.is_cold |= matches!(planned, Planned::Cold(_));
            some_known |= !planned.is_unknown();
            round.is_urgent |= planned.is_urgent();
            round.bytes += planned.bytes();
            bytes_left = (bytes_left - planned.bytes() as i64).max(0);
            round.planned.push(planned);
        }
        round.is_urgent |= !some_known;
        round
    }

    pub(super) fn is_enough(&self, limits: &Limits) -> bool {
        self.is_urgent || self.bytes >= limits.bytes_min
    }
}

/// What is asked of one partition.
#[derive(Clone, Copy, Debug)]
struct Ask<'a> {
    limits: &'a Limits,
    bytes_left: i64,
    min_one_batch: bool,
}

/// What one partition has to give.
#[derive(Debug)]
pub(super) enum Planned {
    /// Nothing, for this reason.
    Missing(Missing),
    /// An error that ends the wait.
    Refused(ErrorCode),
    /// Not known before this is done.
    Cold(Box<OffsetLookup>),
    /// The client's log differs from this one: it must truncate first.
    Diverges { offsets: Offsets, end: EpochEndOffset },
    /// Records, or none yet.
    Readable {
        /// The offsets that the plan was made by.
        offsets: Offsets,
        /// The records, if there are any.
        plan: Option<ReadPlan>,
        /// Whether there is more that the plan does not reach.
        has_more: bool,
    },
}

impl Planned {
    fn of(target: &Target, ask: Ask<'_>, hint: Option<ReadHint>) -> Result<Self, ErrorCode> {
        let partition = match &target.partition {
            Ok(partition) => partition,
            Err(missing) => return Ok(Self::Missing(*missing)),
        };
        let wanted = &target.wanted;
        if partition.is_gone() {
            return Err(partition.absence().code());
        }
        partition.check_leader_epoch(wanted.current_leader_epoch)?;
        if ask.limits.from_follower {
            // Nobody replicates from this node: the asker is no replica that its partitions know.
            return Err(if wanted.current_leader_epoch > LeaderEpoch::NONE {
                ErrorCode::UnknownLeaderEpoch
            } else {
                ErrorCode::NotLeaderOrFollower
            });
        }
        let offsets = partition.offsets();
        if wanted.last_fetched_epoch > LeaderEpoch::NONE
            && let Some(end) = divergence(partition, wanted.last_fetched_epoch, wanted.fetch_offset, offsets)?
        {
            return Ok(Self::Diverges { offsets, end });
        }
        plan_read(partition, wanted, offsets, ask, hint)
    }

    /// Record bytes that were planned.
    pub(super) fn bytes(&self) -> usize {
        match self {
            Self::Readable { plan, .. } => plan.as_ref().map_or(0, ReadPlan::len),
            _ => 0,
        }
    }

    /// Whether the partition is one that this node does not have.
    pub(super) fn is_unknown(&self) -> bool {
        matches!(self, Self::Missing(Missing { ends_wait: false, .. }))
    }

    fn is_urgent(&self) -> bool {
        match self {
            Self::Missing(missing) => missing.ends_wait,
            Self::Refused(_) | Self::Diverges { .. } => true,
            Self::Cold(_) => false,
            // A plan ends with its segment. Kafka answers a reader of an older segment at once, too.
            Self::Readable { has_more, .. } => *has_more,
        }
    }

    /// The partition's answer, without records, and the plan of those.
    pub(super) fn answer(
        self,
        broker: &Broker,
        target: &Target,
        limits: &Limits,
    ) -> (FetchPartitionResponse, Option<ReadPlan>) {
        let partition = target.wanted.partition;
        let answer = match self {
            Self::Missing(Missing { code, ends_wait }) => FetchPartitionResponse {
                aborted_transactions: (!ends_wait).then(Vec::new),
                ..FetchPartitionResponse::refused(partition, code)
            },
            Self::Refused(code) => FetchPartitionResponse {
                current_leader: leader_for(broker, target, code).filter(|_| limits.tells_leader),
                ..FetchPartitionResponse::refused(partition, code)
            },
            // Looked up before the round was taken for planned.
            Self::Cold(_) => FetchPartitionResponse::refused(partition, ErrorCode::KafkaStorageError),
            Self::Diverges { offsets, end } => {
                FetchPartitionResponse { diverging_epoch: Some(end), ..found(partition, offsets) }
            }
            Self::Readable { offsets, plan, .. } => {
                let aborted_transactions = limits.read_committed.then(Vec::new);
                let answer = FetchPartitionResponse { aborted_transactions, ..found(partition, offsets) };
                return (answer, plan);
            }
        };
        (answer, None)
    }
}

/// What to read at an offset that this node and the client agree on.
fn plan_read(
    partition: &Arc<Partition>,
    wanted: &FetchPartition,
    offsets: Offsets,
    ask: Ask<'_>,
    hint: Option<ReadHint>,
) -> Result<Planned, ErrorCode> {
    let from = wanted.fetch_offset;
    let bytes_max = ask.bytes_left.min(wanted.bytes_max.into());
    let upper_bound = if ask.limits.read_committed { offsets.last_stable } else { offsets.high_watermark };
    let in_range = offsets.log_start <= from && from <= offsets.log_end;
    if in_range && (from >= upper_bound || (bytes_max == 0 && !ask.min_one_batch)) {
        if from >= offsets.high_watermark && from < offsets.log_end {
            // It may never park here, because other partitions keep it busy: what it waits for is synced all the same.
            partition.hurry();
        }
        // Parked readers come by here often, and need no lock to learn that there is nothing new.
        return Ok(Planned::Readable { offsets, plan: None, has_more: false });
    }
    // Kafka's reader trips over a negative limit once there is something to read.
    let Ok(bytes_max) = usize::try_from(bytes_max) else {
        return Err(if in_range { ErrorCode::UnknownServerError } else { ErrorCode::OffsetOutOfRange });
    };
    let request = ReadRequest { offset: from, bytes_max, upper_bound, min_one_batch: ask.min_one_batch };
    Ok(match partition.plan_read(request, hint).map_err(|error| error.code())? {
        ReadStep::Lookup(lookup) => Planned::Cold(lookup),
        ReadStep::Plan(plan) if plan.is_empty() => Planned::Readable { offsets, plan: None, has_more: false },
        ReadStep::Plan(plan) => {
            let has_more = plan.has_more(upper_bound);
            Planned::Readable { offsets, plan: Some(plan), has_more }
        }
    })
}

/// Where the client's log departs from this one, if it does (KIP-595).
fn divergence(
    partition: &Partition,
    last_fetched: LeaderEpoch,
    fetch_offset: Offset,
    offsets: Offsets,
) -> Result<Option<EpochEndOffset>, ErrorCode> {
    let end = partition.end_offset_for(last_fetched).map_err(|error| error.code())?;
    let Some((epoch, end_offset)) = end else { return Err(ErrorCode::OffsetOutOfRange) };
    if fetch_offset < offsets.log_start {
        return Err(ErrorCode::OffsetOutOfRange);
    }
    let diverges = epoch < last_fetched || end_offset < fetch_offset;
    Ok(diverges.then_some(EpochEndOffset { epoch, end_offset }))
}

/// A client with an old epoch is told the new one (KIP-951).
fn leader_for(broker: &Broker, target: &Target, code: ErrorCode) -> Option<LeaderIdAndEpoch> {
    let partition = target.partition.as_ref().ok()?;
    matches!(code, ErrorCode::FencedLeaderEpoch | ErrorCode::NotLeaderOrFollower)
        .then(|| LeaderIdAndEpoch { leader_id: broker.node_id, leader_epoch: partition.leader_epoch() })
}

fn found(partition: i32, offsets: Offsets) -> FetchPartitionResponse {
    FetchPartitionResponse {
        high_watermark: offsets.high_watermark,
        last_stable_offset: offsets.last_stable,
        log_start_offset: offsets.log_start,
        ..FetchPartitionResponse::refused(partition, ErrorCode::None)
    }
}
