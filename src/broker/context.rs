//! What a handler is given: the node, and who asks.

use std::net::SocketAddr;
use std::sync::Arc;

use model::{BrokerId, Clock};
use wire::header::RequestHeader;

use crate::metadata::Metadata;
use crate::partition::Registry;

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
    pub metadata: Metadata,
    /// The partitions whose logs this node holds.
    pub partitions: Arc<Registry>,
}

/// One accepted connection, as handlers see it.
#[derive(Clone, Debug)]
pub struct ConnectionInfo {
    /// Number of the connection within this process.
    pub id: u64,
    /// Name of the listener that accepted it, such as `PLAINTEXT`.
    pub listener: Arc<str>,
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
