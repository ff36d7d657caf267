//! Producer ids for idempotent producers (KIP-98), handed out from a block that the controller reserved on the
//! metadata log (KIP-730), so that no id is given twice, not even across restarts.
//!
//! Kafka's counterpart is `RPCProducerIdManager`.

use std::ops::Range;

use model::ProducerId;
use parking_lot::Mutex;

/// The ids of the current block that are still free. The lock is a leaf and never held across an await.
#[derive(Debug, Default)]
pub struct ProducerIds {
    free: Mutex<Range<i64>>,
    /// Held by the one request that asks the controller for the next block; others wait for it.
    asking: tokio::sync::Mutex<()>,
}

impl ProducerIds {
    /// Without a block: the first request asks for one.
    pub fn new() -> Self {
        Self::default()
    }

    /// The next id, from the current block or from one that `next_block` reserves.
    ///
    /// Not cancel-safe in one harmless way: a block reserved by a request that is dropped meanwhile is lost.
    pub async fn next<E>(
        &self,
        next_block: impl AsyncFn() -> Result<Range<i64>, E>,
    ) -> Result<ProducerId, E> {
        loop {
            if let Some(id) = self.take() {
                return Ok(id);
            }
            let _asking = self.asking.lock().await;
            if let Some(id) = self.take() {
                return Ok(id);
            }
            let block = next_block().await?;
            *self.free.lock() = block;
        }
    }

    fn take(&self) -> Option<ProducerId> {
        self.free.lock().next().map(ProducerId::new)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicI64, Ordering};

    use super::*;

    #[tokio::test(flavor = "current_thread")]
    async fn hands_out_every_id_of_every_block_once() {
        let asked = AtomicI64::new(0);
        let ids = ProducerIds::new();
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
        let expected: Vec<_> = (0..7).map(|id| Ok(ProducerId::new(id))).collect();
        assert_eq!(all, expected);
        assert_eq!(asked.load(Ordering::Relaxed), 3, "concurrent requests share one block");
    }

    #[tokio::test(flavor = "current_thread")]
    async fn a_refused_block_is_asked_for_again() {
        let ids = ProducerIds::new();
        assert_eq!(ids.next(async || Err("busy")).await, Err("busy"));
        assert_eq!(ids.next(async || Ok::<_, &str>(7..8)).await, Ok(ProducerId::new(7)));
    }
}
