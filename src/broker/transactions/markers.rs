//! Writes the ends of transactions into the logs of the partitions that they touched
//! (`TransactionMarkerChannelManager`, which does it over the network).
//!
//! An end is seen through by a task of its own. It waits until the decision is on disk, writes the markers of all
//! partitions, waits until they are on disk, and tells the shard. A marker that cannot be written now is tried again until it
//! is, or its partition is gone, or [`Refused::Over`]. The task runs where the request came in: that thread is woken by the
//! decision anyway.

use std::sync::{Arc, OnceLock};
use std::time::Duration;

use arc_swap::ArcSwap;
use coordinator::txn::record::Partitions;
use coordinator::txn::{Marker, Shard};
use model::topic_name::GROUP_METADATA;
use model::{Clock, ErrorCode, Offset, ProducerEpoch, ProducerId};
use storage::TxnMarker;
use tokio::runtime::Handle;

use super::surroundings::Surroundings;
use crate::context::Broker;
use crate::coordination::{Host, Lease};
use crate::groups::Groups;
use crate::partition::{CommitTicket, Partition, Registry};

/// How long a marker that could not be written waits.
const RETRY: Duration = Duration::from_millis(100);
/// Every so many times the log says that it still cannot be written.
const COMPLAIN_EVERY: u32 = 600;

/// Writes markers.
#[derive(Clone, Debug)]
pub(super) struct Markers(Arc<Parts>);

#[derive(Debug)]
struct Parts {
    registry: Arc<Registry>,
    groups: Arc<Groups>,
    surroundings: Arc<ArcSwap<Surroundings>>,
    clock: Clock,
    /// For ends that no request caused: timeouts, and what a start finds.
    runtime: OnceLock<Handle>,
}

/// A marker that is in a log, and where that must be on disk up to.
struct Written {
    topic: String,
    index: i32,
    partition: Arc<Partition>,
    end: Offset,
}

impl Markers {
    pub(super) fn new(
        registry: Arc<Registry>,
        groups: Arc<Groups>,
        surroundings: Arc<ArcSwap<Surroundings>>,
        clock: Clock,
    ) -> Self {
        Self(Arc::new(Parts { registry, groups, surroundings, clock, runtime: OnceLock::new() }))
    }

    /// From now on ends that no request caused are seen through there.
    pub(super) fn run_on(&self, runtime: Handle) {
        // The first is as good.
        let _ = self.0.runtime.set(runtime);
    }

    /// Has the end of a transaction written everywhere, and the shard told.
    pub(super) fn see_through(&self, host: Arc<Host<Shard>>, lease: Lease, marker: Marker) {
        let here = Handle::try_current().ok().or_else(|| self.0.runtime.get().cloned());
        let Some(runtime) = here else {
            tracing::error!(target: "ottla.transactions", "the end of {} waits for the next start", marker.transactional_id);
            return;
        };
        let parts = Arc::clone(&self.0);
        runtime.spawn(async move { parts.see_through(&host, lease, marker).await });
    }
}

impl Parts {
    async fn see_through(&self, host: &Arc<Host<Shard>>, lease: Lease, marker: Marker) {
        if !decided(host.partition(), lease.end).await {
            return;
        }
        if marker.is_for_left_behind() {
            tracing::warn!(target: "ottla.transactions",
                "a transaction that {} has left behind (producer {}, before epoch {}) is aborted in {:?}: the coordinator's word of it was lost",
                marker.transactional_id, marker.producer_id, marker.producer_epoch, marker.partitions);
        }
        let end = TxnMarker {
            producer_id: ProducerId::new(marker.producer_id),
            producer_epoch: ProducerEpoch::new(marker.producer_epoch),
            commit: marker.commit,
            coordinator_epoch: host.partition().leader_epoch().value(),
            transaction_version: marker.transaction_version,
        };
        let mut left = marker.partitions.clone();
        let mut attempts = 0;
        loop {
            let Round { done, is_over } = self.write(&marker, &mut left, &end, attempts).await;
            if !host.is_alive(lease.life) {
                return;
            }
            if !done.is_empty() {
                host.act(lease.life, |shard, context| shard.markers_written(context, &marker, &done));
            }
            if is_over && marker.is_for_left_behind() {
                // Whoever it is in the way of next has it tried again.
                host.act(lease.life, |shard, context| shard.markers_written(context, &marker, &left));
            }
            if left.is_empty() || is_over {
                return;
            }
            attempts += 1;
            tokio::time::sleep(RETRY).await;
        }
    }

    /// Writes the marker to those that have it not yet. What is done is no longer left.
    async fn write(&self, marker: &Marker, left: &mut Partitions, end: &TxnMarker, attempts: u32) -> Round {
        let (mut done, mut written, mut is_over) = (Partitions::new(), Vec::new(), false);
        for (topic, indexes) in &*left {
            for index in indexes.iter().copied() {
                if marker.is_for_left_behind() && !self.is_open_before(end, topic, index) {
                    done.entry(topic.clone()).or_default().insert(index);
                    continue;
                }
                match append(&self.registry, &self.groups, topic, index, end, self.clock.wall_ms()) {
                    Ok((partition, end)) => {
                        written.push(Written { topic: topic.clone(), index, partition, end });
                    }
                    Err(code) => {
                        match Refused::of(code, self.surroundings.load().has_partition(topic, index)) {
                            Refused::NotNeeded => {
                                done.entry(topic.clone()).or_default().insert(index);
                            }
                            Refused::Now => complain(marker, topic, index, code, attempts),
                            Refused::Over => {
                                is_over = true;
                                give_up(marker, topic, index, code);
                            }
                        }
                    }
                }
            }
        }
        let ticket = CommitTicket::new();
        for one in &written {
            one.partition.await_commit(one.end, &ticket);
        }
        ticket.all().await;
        for Written { topic, index, .. } in
            written.into_iter().filter(|one| one.partition.is_committed(one.end))
        {
            done.entry(topic).or_default().insert(index);
        }
        for (topic, indexes) in &done {
            if let Some(missing) = left.get_mut(topic) {
                missing.retain(|index| !indexes.contains(index));
            }
        }
        left.retain(|_, indexes| !indexes.is_empty());
        Round { done, is_over }
    }
}

impl Parts {
    /// Whether a transaction may be open there of an epoch before that of its end.
    fn is_open_before(&self, end: &TxnMarker, topic: &str, index: i32) -> bool {
        self.registry.by_name(topic, index).is_none_or(|partition| {
            let mut open = partition.open_transactions().into_iter();
            open.any(|it| it.producer_id == end.producer_id && it.producer_epoch < end.producer_epoch)
        })
    }
}

/// What came of writing the markers of an end once.
struct Round {
    /// Partitions that have the marker on disk, or need none.
    done: Partitions,
    /// The end is not written any further.
    is_over: bool,
}

/// What it means that a partition does not take a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Refused {
    /// It may take it later.
    Now,
    /// It needs none.
    NotNeeded,
    /// Nothing of this end is written any more, here or elsewhere, until the coordinator is another, or loaded again: the
    /// transaction stays prepared, and shows the partitions that lack their markers.
    Over,
}

impl Refused {
    /// As `TransactionMarkerRequestCompletionHandler` decides, which hears from the brokers of groups' partitions
    /// NOT_LEADER_OR_FOLLOWER for what their coordinators say (`KafkaApis.handleWriteTxnMarkersRequest`). `exists` is
    /// whether the cluster has the partition.
    fn of(code: ErrorCode, exists: bool) -> Self {
        use ErrorCode as E;
        match code {
            _ if !exists => Self::NotNeeded,
            // The producer has a later epoch there, which began with the end of this one's transactions: this is how the
            // markers of an end are met again whose completion a crash has taken back. Kafka gives up the whole end.
            E::InvalidProducerEpoch => Self::NotNeeded,
            // Nothing of a transaction can be in such a log.
            E::UnsupportedForMessageFormat | E::UnsupportedVersion => Self::NotNeeded,
            E::UnknownTopicOrPartition
            | E::NotLeaderOrFollower
            | E::NotEnoughReplicas
            | E::NotEnoughReplicasAfterAppend
            | E::RequestTimedOut
            | E::KafkaStorageError
            | E::CoordinatorLoadInProgress
            | E::CoordinatorNotAvailable
            | E::NotCoordinator => Self::Now,
            // A later coordinator has ended something of the producer there. The others are faults that time does not mend.
            _ => Self::Over,
        }
    }
}

/// Waits until a decision is on disk: before that nobody may learn of it. False when it never will be.
async fn decided(log: &Arc<Partition>, end: Offset) -> bool {
    let ticket = CommitTicket::new();
    log.await_commit(end, &ticket);
    ticket.all().await;
    log.is_committed(end)
}

fn complain(marker: &Marker, topic: &str, index: i32, code: ErrorCode, attempts: u32) {
    // A coordinator of groups is loading for a moment at every start.
    let passes = code == ErrorCode::CoordinatorLoadInProgress && attempts < COMPLAIN_EVERY;
    if attempts.is_multiple_of(COMPLAIN_EVERY) && !passes {
        let (id, end) = (&marker.transactional_id, if marker.commit { "commit" } else { "abort" });
        tracing::warn!(target: "ottla.transactions",
            "the {end} of {id} (producer {}, epoch {}) hangs: {topic}-{index} does not take it: {code:?}",
            marker.producer_id, marker.producer_epoch);
    }
}

fn give_up(marker: &Marker, topic: &str, index: i32, code: ErrorCode) {
    let (id, end) = (&marker.transactional_id, if marker.commit { "commit" } else { "abort" });
    tracing::error!(target: "ottla.transactions",
        "the {end} of {id} (producer {}, epoch {}) is given up: {topic}-{index} refuses it for good: {code:?}",
        marker.producer_id, marker.producer_epoch);
}

/// Appends a marker to a partition's log; the answer is where that must be on disk up to. Offsets in `__consumer_offsets`
/// take effect with it.
fn append(
    registry: &Registry,
    groups: &Groups,
    topic: &str,
    index: i32,
    marker: &TxnMarker,
    wall_ms: i64,
) -> Result<(Arc<Partition>, Offset), ErrorCode> {
    if topic == GROUP_METADATA {
        return groups.append_marker(index, marker);
    }
    let partition = registry.by_name(topic, index).ok_or(ErrorCode::UnknownTopicOrPartition)?;
    let placed = partition.append_marker(marker, wall_ms).map_err(|error| error.code())?;
    Ok((partition, placed.at.last_offset.next()))
}

/// Writes a marker to one partition (WriteTxnMarkers). The answer comes when it is on disk.
///
/// # Errors
/// What a client of WriteTxnMarkers is told.
pub async fn write(broker: &Broker, topic: &str, index: i32, marker: &TxnMarker) -> Result<(), ErrorCode> {
    let Broker { partitions, groups, clock, .. } = broker;
    let (partition, end) = append(partitions, groups, topic, index, marker, clock.wall_ms())?;
    if decided(&partition, end).await { Ok(()) } else { Err(ErrorCode::NotLeaderOrFollower) }
}

#[cfg(test)]
#[path = "markers_tests.rs"]
mod tests;
