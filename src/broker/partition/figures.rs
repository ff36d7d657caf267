//! What metrics tell of partitions: read when somebody asks.

use model::Offset;
use storage::ProducerSummary;

use super::handle::Partition;
use super::marks::Offsets;
use super::registry::{HostedTopic, Registry};
use crate::metrics::tally::{Syncs, Traffic};

/// One partition at one moment.
#[derive(Clone, Debug)]
pub struct Figures {
    /// What came and went since the node started.
    pub traffic: Traffic,
    /// Its offsets.
    pub offsets: Offsets,
    /// End of what is on disk.
    pub durable: Offset,
    /// Bytes of its segments.
    pub size_bytes: u64,
    /// Its segments.
    pub segments: usize,
    /// Producer ids that the log remembers.
    pub producers: usize,
    /// Producers with an open transaction.
    pub open_transactions: Vec<ProducerSummary>,
}

impl Partition {
    /// All figures; `None` where it is gone. The log's lock is held for as long as its producers are counted.
    pub fn figures(&self) -> Option<Figures> {
        let traffic = self.traffic();
        // Before the log is asked, so that nothing is published that it does not have.
        let offsets = self.offsets();
        self.with_log(|log| Figures {
            traffic,
            offsets,
            durable: log.durable_offset(),
            size_bytes: log.size_bytes(),
            segments: log.segment_count(),
            producers: log.producer_count(),
            open_transactions: log.open_transactions(),
        })
        .ok()
    }
}

impl Registry {
    /// Whether nobody ends this open transaction any more, by the rule of the log's warning.
    pub fn is_late(&self, producer: &ProducerSummary, now_ms: i64) -> bool {
        self.housekeeper.late_transactions().is_late(producer, now_ms)
    }

    /// What went through partitions that are deleted.
    pub fn departed(&self) -> Traffic {
        *self.departed.lock()
    }

    pub(super) fn depart(&self, partition: &Partition) {
        self.departed.lock().add(&partition.traffic());
    }

    /// What the syncs of all directories have come to.
    pub fn syncs(&self) -> Syncs {
        let mut syncs = Syncs::default();
        self.dirs.iter().for_each(|dir| dir.committer.tally().add_to(&mut syncs));
        syncs
    }
}

impl HostedTopic {
    /// How many of its partitions could not be opened.
    pub fn offline_count(&self) -> usize {
        self.indexes().count() - self.online().count()
    }
}
