//! Producer ids (KIP-98), handed out from a block that the controller reserved on the metadata log (KIP-730), so that no id
//! is given twice, not even across restarts.
//!
//! Kafka's counterpart is `RPCProducerIdManager`.

use std::ops::Range;
use std::sync::Arc;

use controller::command::AllocateProducerIds;
use controller::{Command, Reply};
use model::{BrokerId, ErrorCode, ProducerId};
use parking_lot::Mutex;

use crate::metadata::Metadata;

/// The producer ids that this node gives to producers.
#[derive(Debug)]
pub struct ProducerIds {
    pool: Pool,
    metadata: Arc<Metadata>,
    node_id: BrokerId,
}

/// An id that nobody has: given back when it was not [taken](Self::take) before this is dropped.
#[derive(Debug)]
pub struct Reserved {
    ids: Arc<ProducerIds>,
    id: Option<i64>,
}

impl ProducerIds {
    /// Without a block: the first request asks the controller for one.
    pub fn new(metadata: Arc<Metadata>, node_id: BrokerId) -> Self {
        Self { pool: Pool::default(), metadata, node_id }
    }

    /// The next id. Not cancel-safe in one harmless way: a block reserved by a request that is dropped meanwhile is lost.
    ///
    /// # Errors
    /// `COORDINATOR_LOAD_IN_PROGRESS`, Kafka's own answer while it has no block: producers ask again.
    pub async fn next(&self) -> Result<ProducerId, ErrorCode> {
        self.pool.next(async || self.next_block().await).await.map(ProducerId::new)
    }

    /// As [`ProducerIds::next`], for whoever does not know yet whether it needs one.
    ///
    /// # Errors
    /// As there.
    pub async fn reserve(self: &Arc<Self>) -> Result<Reserved, ErrorCode> {
        let id = self.next().await?.value();
        Ok(Reserved { ids: Arc::clone(self), id: Some(id) })
    }

    async fn next_block(&self) -> Result<Range<i64>, ErrorCode> {
        let command = Command::AllocateProducerIds(AllocateProducerIds {
            broker_id: self.node_id,
            broker_epoch: self.metadata.broker_epoch(),
        });
        match self.metadata.submit(command).await {
            Ok(Reply::AllocateProducerIds(Ok(block))) => {
                Ok(block.first..block.first + i64::from(block.count))
            }
            Ok(Reply::AllocateProducerIds(Err(error))) => {
                tracing::warn!("no producer ids are to be had: {error}");
                Err(ErrorCode::CoordinatorLoadInProgress)
            }
            Ok(other) => unreachable!("AllocateProducerIds was answered {other:?}"),
            Err(_stopping) => Err(ErrorCode::CoordinatorLoadInProgress),
        }
    }
}

impl Reserved {
    /// The id; -1 once it is taken.
    pub fn id(&self) -> i64 {
        self.id.unwrap_or(ProducerId::NONE.value())
    }

    /// It belongs to a producer now.
    pub fn take(&mut self) {
        self.id = None;
    }
}

impl Drop for Reserved {
    fn drop(&mut self) {
        if let Some(id) = self.id {
            self.ids.pool.free.lock().returned.push(id);
        }
    }
}

/// The ids that are still free.
#[derive(Debug, Default)]
struct Pool {
    /// A leaf lock, never held across an await.
    free: Mutex<Free>,
    /// Held by the one request that asks for the next block; others wait for it.
    asking: tokio::sync::Mutex<()>,
}

#[derive(Debug, Default)]
struct Free {
    block: Range<i64>,
    /// Reserved and not needed; no more than there were requests at one time.
    returned: Vec<i64>,
}

impl Pool {
    async fn next<E>(&self, next_block: impl AsyncFn() -> Result<Range<i64>, E>) -> Result<i64, E> {
        loop {
            if let Some(id) = self.take() {
                return Ok(id);
            }
            let _asking = self.asking.lock().await;
            if let Some(id) = self.take() {
                return Ok(id);
            }
            let block = next_block().await?;
            self.free.lock().block = block;
        }
    }

    fn take(&self) -> Option<i64> {
        let mut free = self.free.lock();
        free.returned.pop().or_else(|| free.block.next())
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn hands_out_every_id_of_every_block_once() {
        let asked = AtomicI64::new(0);
        let ids = Pool::default();
        let block = async || -> Result<Range<i64>, ()> {
            let n = asked.fetch_add(1, Ordering::Relaxed);
            tokio::task::yield_now().await;
            Ok(n * 3..n * 3 + 3)
        };
        let (a, b) = tokio::join!(ids.next(&block), ids.next(&block));
        let mut all = vec![a, b];
        for _ in 0..5 {
            all.push(ids.next(&block).await);
        }
        let expected: Vec<_> = (0..7).map(Ok).collect();
        assert_eq!(all, expected);
        assert_eq!(asked.load(Ordering::Relaxed), 3, "concurrent requests share one block");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_refused_block_is_asked_for_again() {
        let ids = Pool::default();
        assert_eq!(ids.next(async || Err("busy")).await, Err("busy"));
        assert_eq!(ids.next(async || Ok::<_, &str>(7..8)).await, Ok(7));
    }
}
