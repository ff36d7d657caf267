//! What a handler is given: the node, and who asks.

use std::net::SocketAddr;
use std::sync::Arc;

use model::{BrokerId, Clock};
use wire::header::RequestHeader;

use crate::address::Endpoints;
use crate::fetch_memory::FetchMemory;
use crate::fetch_session_cache::FetchSessions;
use crate::groups::Groups;
use crate::metadata::Metadata;
use crate::metrics::Metrics;
use crate::partition::Registry;
use crate::producer_ids::ProducerIds;
use crate::transactions::Transactions;

/// The parts of a running node that handlers share.
#[derive(Debug)]
pub struct Broker {
    /// Settings of this process, resolved once at start.
    pub config: Arc<config::BrokerConfig>,
    /// The node's only source of time.
    pub clock: Clock,
    /// `node.id`.
    pub node_id: BrokerId,
    /// Identity of the cluster, from `meta.properties`.
    pub cluster_id: String,
    /// Cluster metadata: the current image, and the way to change it.
    pub metadata: Arc<Metadata>,
    /// The partitions whose logs this node holds.
    pub partitions: Arc<Registry>,
    /// The bytes of fetched records that clients have not read yet.
    pub fetch_memory: FetchMemory,
    /// The fetch sessions that clients hold open.
    pub fetch_sessions: FetchSessions,
    /// The groups this node coordinates.
    pub groups: Arc<Groups>,
    /// The transactional ids this node coordinates.
    pub transactions: Arc<Transactions>,
    /// The block of producer ids this node hands out from.
    pub producer_ids: Arc<ProducerIds>,
    /// The addresses this node answers with.
    pub endpoints: Endpoints,
    /// What is counted on the way.
    pub metrics: Arc<Metrics>,
}

/// What to do when log data or metadata could not be written or synced: say so once and end the process with
/// [`EXIT_STORAGE_FAILED`]. Nothing is acknowledged after it was called.
#[derive(Clone)]
pub struct Fatal(Arc<dyn Fn(&str) + Send + Sync>);

/// Exit status after a failed write or fsync of log data.
pub const EXIT_STORAGE_FAILED: i32 = 74;

impl Fatal {
    /// Ends the process.
    pub fn exit() -> Self {
        Self::call(|what| {
            tracing::error!(target: "ottla.server", "{what}: the node stops, nothing is acknowledged after this");
            std::process::exit(EXIT_STORAGE_FAILED);
        })
    }

    /// Calls `act` instead.
    pub fn call(act: impl Fn(&str) + Send + Sync + 'static) -> Self {
        Self(Arc::new(act))
    }

    /// Reports what failed; in a running node this does not return.
    pub fn report(&self, what: &str) {
        (self.0)(what);
    }

    /// Reports `what` should the thread that holds the answer panic: a node must not go on without it.
    pub(crate) fn alarm(&self, what: &'static str) -> PanicAlarm {
        PanicAlarm { fatal: self.clone(), what }
    }
}

/// See [`Fatal::alarm`].
#[derive(Debug)]
pub(crate) struct PanicAlarm {
    fatal: Fatal,
    what: &'static str,
}

impl Drop for PanicAlarm {
    fn drop(&mut self) {
        if std::thread::panicking() {
            self.fatal.report(self.what);
        }
    }
}

impl std::fmt::Debug for Fatal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Fatal")
    }
}

/// One accepted connection, as handlers see it.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Number of the connection within this process.
    pub id: u64,
    /// Name of the listener that accepted it, such as `PLAINTEXT`.
    pub listener: Arc<str>,
    /// Whether that is a controller's, which serves administrators and nobody else.
    pub is_controllers: bool,
    /// The address the client reached.
    pub local: SocketAddr,
    /// The client's address.
    pub peer: SocketAddr,
}

/// One request's circumstances.
#[derive(Clone, Debug)]
pub struct RequestContext {
    /// The request's header.
    pub header: RequestHeader,
    /// The connection it came on.
    pub connection: Arc<ConnectionInfo>,
}
