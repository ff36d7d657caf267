//! Cluster metadata: the shell around [`controller::Controller`]. One thread owns the controller and the log
//! `__cluster_metadata-0`; everybody else reads the [`View`] it publishes and sends it commands.
//!
//! Start reading at [`open`] (what a start does), then [`worker`] (what happens to a command).

mod batch;
mod diff;
mod features;
mod files;
mod hand_back;
mod headroom;
mod identity;
mod inspect;
mod log;
mod open;
mod quorum;
pub mod random;
mod snapshot;
mod view;
mod worker;

use std::sync::Arc;
use std::thread::JoinHandle;

use arc_swap::ArcSwap;
use controller::record::FeatureRange;
use controller::{Command, Image, Reply};
use model::ErrorCode;
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

pub(crate) use features::{GROUP_VERSION, TRANSACTION_VERSION};
pub use hand_back::{HandBackError, hand_back};
pub use identity::IdentityError;
pub use inspect::{InspectedDir, Inspection, Refusal, inspect};
pub use log::LogError;
pub use open::OpenError;
pub use quorum::{NotAlone, OtherHost, Quorum, QuorumListener, refuse_other_hosts};
pub use view::{Follower, View};
pub use worker::CommitError;

use worker::Request;

/// Commands that may wait for the thread; who comes then waits for a place.
const QUEUE_COMMANDS: usize = 1024;

/// The handle of the metadata: cheap to ask, and the way to change it.
#[derive(Debug)]
pub struct Metadata {
    cluster_id: String,
    broker_epoch: i64,
    view: Arc<ArcSwap<View>>,
    quorum: Arc<ArcSwap<Quorum>>,
    requests: mpsc::Sender<Request>,
    /// Taken by the one who stops the thread. A leaf lock.
    thread: Mutex<Option<JoinHandle<()>>>,
}

impl Metadata {
    /// Identity of the cluster, from `meta.properties`.
    pub fn cluster_id(&self) -> &str {
        &self.cluster_id
    }

    /// Epoch of this broker's registration.
    pub fn broker_epoch(&self) -> i64 {
        self.broker_epoch
    }

    /// The committed metadata. Holds for as long as it is held: ask once per request.
    pub fn image(&self) -> Arc<Image> {
        Arc::clone(self.view.load().image())
    }

    /// The committed metadata together with the configuration it leads to.
    pub fn view(&self) -> Arc<View> {
        self.view.load_full()
    }

    /// The configuration in force, dynamic settings included.
    pub fn config(&self) -> Arc<config::BrokerConfig> {
        Arc::clone(self.view.load().config())
    }

    /// The quorum of the metadata log.
    pub fn quorum(&self) -> Arc<Quorum> {
        self.quorum.load_full()
    }

    /// Features and the levels of them that this program works with, in the cluster as it is now.
    pub fn supported_features(&self) -> Vec<FeatureRange> {
        features::supported(&self.image())
    }

    /// Carries out a command. The answer comes when what it changed is on disk and in the image. A command that was
    /// taken is carried out, also when nobody waits for its answer any longer.
    ///
    /// # Errors
    /// `NOT_CONTROLLER` when the node is stopping: clients retry it elsewhere or later. `KAFKA_STORAGE_ERROR` when the
    /// disk is full: nothing has changed, and the node goes on.
    pub async fn submit(&self, command: Command) -> Result<Reply, ErrorCode> {
        let (answer, answered) = oneshot::channel();
        let sent = self.requests.send(Request::Submit(command, answer)).await;
        sent.map_err(|_stopped| ErrorCode::NotController)?;
        answered.await.unwrap_or(Err(ErrorCode::NotController))
    }

    /// Ends the thread after what it has taken, and closes the log. To be called outside of an async context.
    pub fn stop(&self) {
        let Some(thread) = self.thread.lock().take() else { return };
        // An error means that the thread has ended already.
        let _ = self.requests.blocking_send(Request::Stop);
        if thread.join().is_err() {
            tracing::error!(target: "ottla.metadata", "the metadata thread panicked");
        }
    }
}

/// The machine's name, for listeners that name no host.
fn host_name() -> String {
    let name = std::fs::read_to_string("/proc/sys/kernel/hostname").unwrap_or_default();
    let name = name.trim();
    if name.is_empty() { "localhost".to_owned() } else { name.to_owned() }
}

#[cfg(test)]
mod crash_tests;
#[cfg(test)]
#[path = "metadata_tests.rs"]
mod tests;
