//! The group coordinator at work: the shell around [`coordinator::group::Shard`], which is that of all coordinators
//! ([`crate::coordination`]).
//!
//! Start reading at [`Groups::ask`].

mod machine;
mod surroundings;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::ArcSwap;
use coordinator::group::{Context, Reply, Request, Shard, TxnOffsetCommitRequest};
use coordinator::txn::ProducerIdAndEpoch;
use model::{Clock, ErrorCode, Offset, ProducerEpoch, ProducerId};
use parking_lot::Mutex;
use storage::TxnMarker;

use crate::context::Fatal;
use crate::coordination::{Clockwork, Coordinator, Shared};
use crate::metadata::View;
use crate::partition::{Partition, Registry};
use crate::transactions::{Admission, Transactions};
use surroundings::Surroundings;

pub(crate) use crate::coordination::partition_of;

/// The groups that this node coordinates.
#[derive(Debug)]
pub struct Groups {
    coordinator: Coordinator<Shard>,
    /// Serialises [`Groups::follow`].
    following: Mutex<()>,
}

impl Groups {
    /// A coordinator without groups. It has some once it follows a metadata view.
    pub fn new(config: &config::BrokerConfig, registry: Arc<Registry>, clock: Clock, fatal: Fatal) -> Self {
        let shared = Shared {
            clockwork: Clockwork::new(clock.clone()),
            clock,
            environment: ArcSwap::from_pointee(Surroundings::of_config(config)),
            commit_timeout: Duration::from_millis(config.offsets.commit_timeout_ms.max(0) as u64),
            codec: codec_of(config.offsets.compression_codec),
            fatal,
        };
        Self { coordinator: Coordinator::new(registry, shared), following: Mutex::new(()) }
    }

    /// Starts the thread that does what is due, and to load the groups that were found.
    pub fn start(&self) -> std::io::Result<()> {
        self.coordinator.start()
    }

    /// Coordinates nobody any more. Whoever waits for the others of its group is told NOT_COORDINATOR, so that a stop
    /// does not wait for them; what has been appended is still answered when it is on disk.
    pub fn resign(&self) {
        self.coordinator.resign();
    }

    /// Ends all threads. Nothing is answered any more.
    pub fn stop(&self) {
        self.coordinator.stop();
    }

    /// Asks the group's coordinator. The effect is there when this is first polled; the answer comes when it is on
    /// disk, or, for a join or a sync, when the group is ready. Cancel-safe in that sense.
    ///
    /// # Errors
    /// Nobody here coordinates the group, or not yet.
    pub async fn ask(&self, request: Request) -> Result<Reply, ErrorCode> {
        self.coordinator.host_of(request.group_id())?.ask(request).await
    }

    /// Looks at the shard of a group. The answer comes when everything it is based on is on disk.
    ///
    /// # Errors
    /// Nobody here coordinates the group, or not yet.
    pub async fn look<R>(
        &self,
        group_id: &str,
        look: impl FnOnce(&Shard, &Context<'_>) -> R,
    ) -> Result<R, ErrorCode> {
        self.coordinator.host_of(group_id)?.look(look).await
    }

    /// As [`Groups::look`], at every shard.
    ///
    /// # Errors
    /// A shard is still loading.
    pub async fn look_at_all<R>(
        &self,
        look: impl FnMut(&Shard, &Context<'_>) -> R,
    ) -> Result<Vec<R>, ErrorCode> {
        self.coordinator.look_at_all(look).await
    }

    /// The partition of `__consumer_offsets` that holds a group; `configured` is how many there will be while there are
    /// none.
    pub fn partition_of(&self, group_id: &str, configured: i32) -> i32 {
        self.coordinator.partition_of(group_id, configured)
    }

    /// Commits offsets as part of a producer's transaction (TxnOffsetCommit). The transaction coordinator is asked first
    /// whether they may be part of it, unless something of it is in the group's partition already; should it end
    /// meanwhile, nothing is written.
    ///
    /// # Errors
    /// Nobody here coordinates the group, or not yet, or the transaction coordinator refuses.
    pub async fn commit_in_transaction(
        &self,
        transactions: &Transactions,
        transactional_id: &str,
        request: TxnOffsetCommitRequest,
        how: Admission,
    ) -> Result<Reply, ErrorCode> {
        let host = self.coordinator.host_of(&request.group_id)?;
        let partition = host.partition();
        let (producer_id, producer_epoch) = (request.producer_id, request.producer_epoch);
        let (mut guard, mut admitted) = (None, None);
        if how == Admission::Add || partition.topic().settings.load().log.verify_transactions {
            let (id, epoch) = (ProducerId::new(producer_id), ProducerEpoch::new(producer_epoch));
            let now_ms = self.coordinator.shared.clock.wall_ms();
            let asked = partition.begin_verification(id, epoch, NO_SEQUENCE, how == Admission::Add, now_ms);
            guard = asked.map_err(|error| error.code())?;
        }
        if guard.is_some() {
            let producer = ProducerIdAndEpoch { producer_id, producer_epoch };
            let answers = transactions.admit_ahead(transactional_id, producer, &[partition], how).await?;
            let mut codes =
                answers.partitions.iter().flat_map(|(_, partitions)| partitions).map(|(_, code)| *code);
            if let Some(code) = codes.find(|code| *code != ErrorCode::None) {
                return Err(code);
            }
            admitted = Some(answers);
        }
        let asking = host.ask_verified(Request::TxnOffsetCommit(request), guard);
        let Some(admitted) = admitted else { return asking.await };
        // The offsets are appended when the one is first polled, and then the word hurries: one sync takes both.
        let word = async {
            admitted.hurry();
            match &admitted.word {
                Some(word) => word.on_disk().await,
                None => Ok(()),
            }
        };
        let (reply, word) = tokio::join!(biased; asking, word);
        word?;
        reply
    }

    /// Ends a transaction in a partition of `__consumer_offsets`: its offsets are visible from then on, or never were. The
    /// answer comes when that is on disk.
    ///
    /// # Errors
    /// What a client of WriteTxnMarkers is told.
    pub async fn end_transaction(&self, partition: i32, marker: &TxnMarker) -> Result<(), ErrorCode> {
        let host = self.coordinator.host_at(partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let end = host.append_marker(marker)?;
        host.durable(end).await
    }

    /// As [`Groups::end_transaction`], but the answer is where the log must be on disk up to.
    pub(crate) fn append_marker(
        &self,
        partition: i32,
        marker: &TxnMarker,
    ) -> Result<(Arc<Partition>, Offset), ErrorCode> {
        let host = self.coordinator.host_at(partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let end = host.append_marker(marker)?;
        Ok((Arc::clone(host.partition()), end))
    }

    /// Takes over a view of the metadata: settings, topics, and the shards themselves. To be called before the view is
    /// published, so that whoever finds a coordinator in it is answered.
    pub fn follow(&self, view: &View) {
        let _following = self.following.lock();
        let shared = &self.coordinator.shared;
        let before = shared.environment.load_full();
        let after = Arc::new(before.followed_by(view));
        shared.environment.store(Arc::clone(&after));
        self.coordinator.follow(after.image());
        let deleted = before.topics_gone(&after);
        if !deleted.is_empty() || !before.has_topics_of(&after) {
            let hosts = self.coordinator.hosts();
            if !hosts.is_empty() {
                shared.clockwork.topics_changed(hosts, deleted);
            }
        }
    }
}

/// Batches of coordinators have no sequence.
const NO_SEQUENCE: i32 = -1;

/// `offsets.topic.compression.codec`; a number that is no codec means none.
fn codec_of(id: i32) -> records::Codec {
    u8::try_from(id).ok().and_then(records::Codec::from_bits).unwrap_or(records::Codec::None)
}

#[cfg(test)]
mod groups_tests;
