//! Listening sockets: binding, and accepting within the connection limits.

use std::io;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use model::Clock;
use socket2::{Domain, Protocol, Socket, TcpKeepalive, Type};
use tokio::net::TcpListener;

use super::limits::{Admission, ConnectionCounts};
use super::workers::{Accepted, Workers};
use crate::context::ConnectionInfo;

/// Where and how to listen.
#[derive(Clone, Debug)]
pub struct ListenerSettings {
    /// Listener name, such as `PLAINTEXT`.
    pub name: String,
    /// Whether it is a controller's.
    pub is_controllers: bool,
    /// Host to bind; empty for all interfaces.
    pub host: String,
    /// Port; 0 lets the system choose.
    pub port: u16,
    /// `socket.listen.backlog.size`.
    pub backlog: i32,
    /// `socket.send.buffer.bytes`; `None` leaves the system's automatic tuning on.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; `None` as above.
    pub receive_buffer_bytes: Option<usize>,
}

/// A bound socket that does not accept yet.
#[derive(Debug)]
pub struct BoundListener {
    name: Arc<str>,
    is_controllers: bool,
    socket: std::net::TcpListener,
}

impl BoundListener {
    /// Binds the listener's address. An empty host takes IPv6 and IPv4 with one socket, or IPv4 alone where the
    /// machine has no IPv6.
    pub fn bind(settings: &ListenerSettings) -> io::Result<Self> {
        let socket = if settings.host.is_empty() {
            let any_v6 = SocketAddr::from((Ipv6Addr::UNSPECIFIED, settings.port));
            let any_v4 = SocketAddr::from((Ipv4Addr::UNSPECIFIED, settings.port));
            bind(any_v6, settings).or_else(|error| match error.kind() {
                io::ErrorKind::AddrInUse | io::ErrorKind::PermissionDenied => Err(error),
                _ => bind(any_v4, settings),
            })?
        } else {
            let host = settings.host.trim_start_matches('[').trim_end_matches(']');
            let mut addresses = (host, settings.port).to_socket_addrs()?;
            let none = || io::Error::new(io::ErrorKind::NotFound, "the host name has no address");
            bind(addresses.next().ok_or_else(none)?, settings)?
        };
        Ok(Self { name: settings.name.as_str().into(), is_controllers: settings.is_controllers, socket })
    }

    /// The address bound, with the port that the system chose for port 0.
    pub fn address(&self) -> io::Result<SocketAddr> {
        self.socket.local_addr()
    }

    /// The socket, non-blocking, for whoever accepts there in another way.
    pub fn into_socket(self) -> std::net::TcpListener {
        self.socket
    }

    /// The listener's name.
    pub fn name(&self) -> &str {
        &self.name
    }
}

fn bind(address: SocketAddr, settings: &ListenerSettings) -> io::Result<std::net::TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.ip() == IpAddr::V6(Ipv6Addr::UNSPECIFIED) {
        socket.set_only_v6(false)?;
    }
    socket.set_reuse_address(true)?;
    // Accepted sockets inherit the buffer sizes, which must be set before the handshake.
    if let Some(bytes) = settings.send_buffer_bytes {
        socket.set_send_buffer_size(bytes)?;
    }
    if let Some(bytes) = settings.receive_buffer_bytes {
        socket.set_recv_buffer_size(bytes)?;
    }
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(settings.backlog)?;
    Ok(socket.into())
}

/// Accepts for one listener and hands the connections to the workers.
#[derive(Debug)]
pub struct Acceptor {
    /// Who serves.
    pub workers: Arc<Workers>,
    /// Who may connect.
    pub counts: ConnectionCounts,
    /// Numbers the connections of the process.
    pub next_connection: Arc<AtomicU64>,
    /// The node's clock.
    pub clock: Clock,
}

/// After an accept failed (no descriptor left, say), wait before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

impl Acceptor {
    /// Accepts until the task is dropped.
    pub async fn run(self, listener: BoundListener) -> io::Result<()> {
        let (name, is_controllers) = (listener.name, listener.is_controllers);
        let socket = TcpListener::from_std(listener.socket)?;
        loop {
            match socket.accept().await {
                Ok((stream, peer)) => {
                    if let Err(error) = self.admit(&name, is_controllers, stream, peer).await {
                        tracing::debug!(target: "ottla.net", "connection of {peer} on {name}: {error}");
                    }
                }
                Err(error) => {
                    tracing::warn!(target: "ottla.net", "accept on {name} failed: {error}");
                    tokio::time::sleep(ACCEPT_RETRY).await;
                }
            }
        }
    }

    async fn admit(
        &self,
        name: &Arc<str>,
        is_controllers: bool,
        stream: tokio::net::TcpStream,
        peer: SocketAddr,
    ) -> io::Result<()> {
        let slot = loop {
            match self.counts.admit(peer.ip(), self.clock.monotonic()) {
                Admission::Admitted(slot) => break slot,
                Admission::TooManyFromAddress { max } => {
                    tracing::info!(target: "ottla.net",
                        "closing connection of {peer} on {name}: its address has {max} connections, the limit of \
                         max.connections.per.ip");
                    return Ok(());
                }
                Admission::Later(wait) => tokio::time::sleep(wait).await,
            }
        };
        stream.set_nodelay(true)?;
        let stream = stream.into_std()?;
        let keepalive = TcpKeepalive::new()
            .with_time(Duration::from_mins(1))
            .with_interval(Duration::from_secs(10))
            .with_retries(3);
        socket2::SockRef::from(&stream).set_tcp_keepalive(&keepalive)?;
        let info = ConnectionInfo {
            id: self.next_connection.fetch_add(1, Ordering::Relaxed),
            listener: Arc::clone(name),
            is_controllers,
            local: stream.local_addr()?,
            peer,
        };
        self.workers.serve(Accepted { stream, info: Arc::new(info), slot });
        Ok(())
    }
}
