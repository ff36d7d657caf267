//! The transaction coordinator at work: the shell around [`coordinator::txn::Shard`].

use std::sync::Arc;

use coordinator::txn::{Context, PartitionErrors, ProducerIdAndEpoch, Reply, Request, Shard};
use model::{Clock, ErrorCode};

use crate::context::Fatal;
use crate::groups::{Groups, partition_of};
use crate::metadata::View;
use crate::partition::Registry;
use crate::producer_ids::ProducerIds;

/// The transactional ids that this node coordinates.
#[derive(Debug)]
pub struct Transactions {}

/// How a partition gets into a producer's transaction before something is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Admission {
    /// The producer has said before that it would write there (AddPartitionsToTxn, AddOffsetsToTxn): that is checked.
    Verify,
    /// Writing there is how a producer of `transaction.version` 2 says so (KIP-890): it is added.
    Add,
}

impl Transactions {
    /// A coordinator without transactional ids. It has some once it follows a metadata view.
    pub fn new(
        _config: &config::BrokerConfig,
        _registry: Arc<Registry>,
        _groups: Arc<Groups>,
        _clock: Clock,
        _fatal: Fatal,
    ) -> Self {
        Self {}
    }

    /// Starts the thread that does what is due, and to load the transactional ids that were found.
    pub fn start(&self, _producer_ids: Arc<ProducerIds>) -> std::io::Result<()> {
        Ok(())
    }

    /// Coordinates nobody any more. What has been appended is still answered when it is on disk.
    pub fn resign(&self) {}

    /// Ends all threads. Nothing is answered any more.
    pub fn stop(&self) {}

    /// Takes over a view of the metadata: settings, features, and the shards themselves. To be called before the view is
    /// published.
    pub fn follow(&self, _view: &View) {}

    /// Asks the coordinator of a transactional id. The answer comes when its effect is on disk.
    ///
    /// # Errors
    /// Nobody here coordinates the transactional id, or not yet.
    #[allow(clippy::unused_async)]
    pub async fn ask(&self, _request: Request) -> Result<Reply, ErrorCode> {
        Err(ErrorCode::NotCoordinator)
    }

    /// Looks at the shard of a transactional id. The answer comes when everything it is based on is on disk.
    ///
    /// # Errors
    /// Nobody here coordinates the transactional id, or not yet.
    #[allow(clippy::unused_async)]
    pub async fn look<R>(
        &self,
        _transactional_id: &str,
        _look: impl FnOnce(&Shard, &Context<'_>) -> R,
    ) -> Result<R, ErrorCode> {
        Err(ErrorCode::NotCoordinator)
    }

    /// As [`Transactions::look`], at every shard.
    ///
    /// # Errors
    /// A shard is still loading.
    #[allow(clippy::unused_async)]
    pub async fn look_at_all<R>(
        &self,
        _look: impl FnMut(&Shard, &Context<'_>) -> R,
    ) -> Result<Vec<R>, ErrorCode> {
        Ok(Vec::new())
    }

    /// The partition of `__transaction_state` that holds a transactional id; `configured` is how many there will be while
    /// there are none.
    pub fn partition_of(&self, transactional_id: &str, configured: i32) -> i32 {
        partition_of(transactional_id, configured)
    }

    /// Whether a producer may write to these partitions in its open transaction: an error for all, or one for each.
    /// Waits, for as long as a broker of Kafka would ask itself again, while the producer's last transaction is completed.
    ///
    /// # Errors
    /// That of the coordinator.
    #[allow(clippy::unused_async)]
    pub async fn admit(
        &self,
        _transactional_id: &str,
        _producer: ProducerIdAndEpoch,
        _partitions: &[(&str, i32)],
        _how: Admission,
    ) -> Result<PartitionErrors, ErrorCode> {
        Err(ErrorCode::NotCoordinator)
    }
}
