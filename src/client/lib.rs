//! A small async Kafka client. A [`Connection`] makes one call at a time, or sends frames of one's own making, and
//! neither retries nor hides an error; a [`Cluster`] finds brokers, agrees on versions and tries again.
//!
//! May use: `model`, `wire`, `tokio`. Knows nothing of the broker.
//! Start reading at [`Connection`].
#![forbid(unsafe_code)]

mod cluster;

pub use cluster::{Cluster, ClusterError, CoordinatorOf, Dedicated, Node, Settings, Target, upper_snake};

use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use wire::api_table::ApiKey;
use wire::call::{self, Call};
use wire::error::{DecodeError, EncodeError};
use wire::frame::{FrameError, LENGTH_PREFIX_BYTES, body_len};
use wire::header::{ClientId, RequestHeader};

/// Largest answer that is read.
const REPLY_BYTES_MAX: usize = 1 << 30;

/// Why a call failed. Whether the request took effect is then unknown, unless it could not be encoded.
#[derive(Debug, thiserror::Error)]
pub enum CallError {
    /// The request cannot be said in this version.
    #[error("the request cannot be sent: {0}")]
    Encode(#[from] EncodeError),
    /// The answer is not what its version prescribes.
    #[error("the answer cannot be read: {0}")]
    Decode(#[from] DecodeError),
    /// The answer's frame has an impossible length.
    #[error("the answer cannot be read: {0}")]
    Frame(#[from] FrameError),
    /// The connection failed or was closed by the broker.
    #[error("the connection failed: {0}")]
    Connection(#[from] io::Error),
    /// No answer in time.
    #[error("no answer within {0:?}")]
    Timeout(Duration),
    /// The answer to another request.
    #[error("the answer has correlation id {got}, expected was {expected}")]
    Correlation {
        /// Id of the request.
        expected: i32,
        /// Id of the answer.
        got: i32,
    },
    /// The API is not one of Kafka's.
    #[error("API key {0} is unknown")]
    UnknownApi(i16),
}

/// One connection to a broker.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    client_id: String,
    next_correlation_id: i32,
    timeout: Duration,
}

impl Connection {
    /// Connects; every call must be answered within `timeout`.
    ///
    /// # Errors
    /// What the system says.
    pub async fn open(address: SocketAddr, client_id: &str, timeout: Duration) -> io::Result<Self> {
        let stream = tokio::time::timeout(timeout, TcpStream::connect(address)).await??;
        stream.set_nodelay(true)?;
        Ok(Self { stream, client_id: client_id.to_owned(), next_correlation_id: 1, timeout })
    }

    /// Sends one request and reads its answer.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn call<C: Call>(&mut self, version: i16, request: &C) -> Result<C::Response, CallError> {
        let expected = self.send(version, request).await?;
        let (got, response) = call::decode::<C>(self.receive().await?, version)?;
        if got != expected {
            return Err(CallError::Correlation { expected, got });
        }
        Ok(response)
    }

    /// Sends one request without waiting for an answer; gives its correlation id.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn send<C: Call>(&mut self, version: i16, request: &C) -> Result<i32, CallError> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1);
        let frame = frame_of(&self.client_id, correlation_id, version, request)?;
        self.send_bytes(&frame).await?;
        Ok(correlation_id)
    }

    /// Sends bytes as they are.
    ///
    /// # Errors
    /// What the system says.
    pub async fn send_bytes(&mut self, bytes: &[u8]) -> io::Result<()> {
        self.stream.write_all(bytes).await
    }

    /// Reads one frame, without its length prefix.
    ///
    /// # Errors
    /// See [`CallError`]; an end of the stream is a [`CallError::Connection`].
    pub async fn receive(&mut self) -> Result<Bytes, CallError> {
        let timeout = self.timeout;
        tokio::time::timeout(timeout, read_frame(&mut self.stream))
            .await
            .map_err(|_elapsed| CallError::Timeout(timeout))?
    }

    /// Its two directions, for several calls under way at once. Nothing may be under way yet.
    pub fn split(self) -> (Sender, Receiver) {
        let (receive, send) = self.stream.into_split();
        let sender =
            Sender { stream: send, client_id: self.client_id, next_correlation_id: self.next_correlation_id };
        (sender, Receiver { stream: receive })
    }
}

/// The direction to the broker of a connection that was [split](Connection::split).
#[derive(Debug)]
pub struct Sender {
    stream: OwnedWriteHalf,
    client_id: String,
    next_correlation_id: i32,
}

impl Sender {
    /// Sends one request; gives its correlation id. Not cancel-safe: a request that was begun has to be sent whole.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn send<C: Call>(&mut self, version: i16, request: &C) -> Result<i32, CallError> {
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = self.next_correlation_id.wrapping_add(1);
        let frame = frame_of(&self.client_id, correlation_id, version, request)?;
        self.stream.write_all(&frame).await?;
        Ok(correlation_id)
    }
}

/// The direction from the broker of a connection that was [split](Connection::split).
#[derive(Debug)]
pub struct Receiver {
    stream: OwnedReadHalf,
}

impl Receiver {
    /// Reads one frame, without its length prefix, however long it takes. Not cancel-safe.
    ///
    /// # Errors
    /// See [`CallError`].
    pub async fn receive(&mut self) -> Result<Bytes, CallError> {
        read_frame(&mut self.stream).await
    }
}

async fn read_frame(stream: &mut (impl AsyncReadExt + Unpin)) -> Result<Bytes, CallError> {
    let mut prefix = [0; LENGTH_PREFIX_BYTES];
    stream.read_exact(&mut prefix).await?;
    let mut body = vec![0; body_len(prefix, REPLY_BYTES_MAX)?];
    stream.read_exact(&mut body).await?;
    Ok(body.into())
}

fn frame_of<C: Call>(
    client_id: &str,
    correlation_id: i32,
    version: i16,
    request: &C,
) -> Result<Bytes, CallError> {
    let api_key = ApiKey::from_code(C::KEY).ok_or(CallError::UnknownApi(C::KEY))?;
    let client_id = ClientId::new(client_id.to_owned());
    let header = RequestHeader { api_key, api_version: version, correlation_id, client_id };
    Ok(call::encode(&header, request)?.to_bytes())
}
