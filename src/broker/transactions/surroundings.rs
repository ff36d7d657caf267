//! What is around the shards: settings and features, those who wait for a completion, and who writes the markers.

use std::sync::Arc;

use arc_swap::ArcSwap;
use config::BrokerConfig;
use controller::Image;
use coordinator::txn::{OpenTransactions, Settings};
use parking_lot::Mutex;

use super::markers::Markers;
use super::waiting::Waiting;
use crate::metadata::{TRANSACTION_VERSION, View};

/// What all shards share.
#[derive(Debug)]
pub(crate) struct Around {
    pub(super) surroundings: Arc<ArcSwap<Surroundings>>,
    pub(super) waiting: Waiting,
    pub(super) markers: Markers,
    /// What the logs of all partitions had open before anybody was served from them. A leaf lock.
    pub(super) open_at_start: Mutex<OpenTransactions>,
}

/// One state of the metadata, as shards see it.
#[derive(Debug)]
pub(super) struct Surroundings {
    pub settings: Settings,
    pub transaction_version: i16,
    image: Arc<Image>,
}

impl Surroundings {
    /// An empty cluster.
    pub(super) fn of_config(config: &BrokerConfig) -> Self {
        Self { settings: settings(config), transaction_version: 0, image: Arc::default() }
    }

    pub(super) fn of_view(view: &View) -> Self {
        let image = Arc::clone(view.image());
        let transaction_version = image.features().level(TRANSACTION_VERSION);
        Self { settings: settings(view.config()), transaction_version, image }
    }

    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    /// Whether the cluster has this partition.
    pub(super) fn has_partition(&self, topic: &str, index: i32) -> bool {
        self.image.topic(topic).is_some_and(|topic| topic.partition(index).is_some())
    }
}

fn settings(config: &BrokerConfig) -> Settings {
    let config = &config.transactions;
    Settings {
        timeout_max_ms: config.timeout_ms_max,
        expiration_ms: config.id_expiration_ms,
        expiration_check_ms: config.expiration_check_interval_ms,
        abort_check_ms: config.abort_check_interval_ms,
    }
}
