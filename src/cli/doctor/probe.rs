//! What is at an address: whether its name is one, whether anybody takes connections there, and what is spoken.

use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::time::Duration;

use bytes::Bytes;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::time::{Instant, timeout, timeout_at};
use wire::api_table::ApiKey;
use wire::api_versions::{ApiVersion, ApiVersionsRequest};
use wire::call;
use wire::header::{ClientId, RequestHeader};

/// A host and a port, as a client is given them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Address {
    /// A name or an address.
    pub host: String,
    /// The port.
    pub port: u16,
}

impl Address {
    /// Reads `host:port`, `[::1]:port`, either with `protocol://` before it.
    pub fn parse(entry: &str) -> Option<Self> {
        let bare = entry.rsplit_once("://").map_or(entry, |(_protocol, rest)| rest);
        let (host, port) = bare.rsplit_once(':')?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let port = port.parse().ok().filter(|port| *port > 0)?;
        (!host.is_empty()).then(|| Self { host: host.to_owned(), port })
    }

    /// Whether whoever uses it reaches itself.
    pub fn is_loopback(&self) -> bool {
        self.host.eq_ignore_ascii_case("localhost")
            || self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_loopback())
    }

    /// Whether it is no address that anybody can go to, such as `0.0.0.0`.
    pub fn is_unspecified(&self) -> bool {
        self.host.parse::<std::net::IpAddr>().is_ok_and(|ip| ip.is_unspecified())
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.host.contains(':') {
            write!(f, "[{}]:{}", self.host, self.port)
        } else {
            write!(f, "{}:{}", self.host, self.port)
        }
    }
}

/// What was found at an address.
#[derive(Clone, Debug)]
pub enum Seen {
    /// The name has no address; what the resolver said.
    NoName(String),
    /// Nobody takes a connection; each address of the name with the reason.
    Closed(Vec<(SocketAddr, Denied)>),
    /// Somebody does.
    Open {
        /// Where.
        at: SocketAddr,
        /// The name's addresses before it, which a client may try first.
        denied: Vec<(SocketAddr, Denied)>,
        /// What is spoken there.
        speaks: Speaks,
    },
}

/// Why a connection was not made.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Denied {
    /// The machine answers that nobody listens.
    Refused,
    /// No answer in time.
    Silent,
    /// The system's words for anything else, such as a network that is not reachable.
    Other(String),
}

impl fmt::Display for Denied {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused => f.write_str("the connection is refused"),
            Self::Silent => f.write_str("there is no answer"),
            Self::Other(words) => f.write_str(words),
        }
    }
}

/// What somebody who takes connections answers to a request of Kafka's.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Speaks {
    /// Kafka's protocol, with these APIs.
    Kafka(Vec<ApiVersion>),
    /// TLS.
    Tls,
    /// HTTP; the first line of the answer.
    Http(String),
    /// Something else; the beginning of the answer, printable.
    Other(String),
    /// Nothing, the connection stays open.
    Nothing,
    /// Nothing, the connection is closed.
    HangsUp,
}

/// Looks up the name, connects to the first of its addresses that can be, and asks in Kafka's protocol. Each of these
/// steps is given up after `patience`.
pub async fn look(address: &Address, patience: Duration) -> Seen {
    let lookup = tokio::net::lookup_host((address.host.as_str(), address.port));
    let found: Vec<SocketAddr> = match timeout(patience, lookup).await {
        Ok(Ok(found)) => found.collect(),
        Ok(Err(error)) => return Seen::NoName(error.to_string()),
        Err(_elapsed) => return Seen::NoName("the resolver does not answer".to_owned()),
    };
    let mut denied = Vec::new();
    for at in found {
        match connect(at, patience).await {
            Ok(stream) => return Seen::Open { at, denied, speaks: speaks(stream, at, patience).await },
            Err(reason) => denied.push((at, reason)),
        }
    }
    if denied.is_empty() { Seen::NoName("the name has no address".to_owned()) } else { Seen::Closed(denied) }
}

async fn connect(at: SocketAddr, patience: Duration) -> Result<TcpStream, Denied> {
    match timeout(patience, TcpStream::connect(at)).await {
        Ok(Ok(stream)) => Ok(stream),
        Ok(Err(error)) if error.kind() == io::ErrorKind::ConnectionRefused => Err(Denied::Refused),
        Ok(Err(error)) if error.kind() == io::ErrorKind::TimedOut => Err(Denied::Silent),
        Ok(Err(error)) => Err(Denied::Other(error.to_string())),
        Err(_elapsed) => Err(Denied::Silent),
    }
}

async fn speaks(stream: TcpStream, at: SocketAddr, patience: Duration) -> Speaks {
    let Some(request) = api_versions_request() else { return Speaks::Nothing };
    match answer(stream, &request, patience).await {
        Answer::Bytes(bytes) => understand(bytes),
        // A listener of TLS may say nothing to what it does not understand: it is asked in its own language.
        other => match ask_again(at, &client_hello(), patience).await {
            Some(bytes) if is_tls(&bytes) => Speaks::Tls,
            // Others wait for the end of a line.
            _ if matches!(other, Answer::Silence) => {
                ask_again(at, HTTP_REQUEST, patience).await.map_or(Speaks::Nothing, understand)
            }
            _ => Speaks::HangsUp,
        },
    }
}

async fn ask_again(at: SocketAddr, request: &[u8], patience: Duration) -> Option<Vec<u8>> {
    match answer(connect(at, patience).await.ok()?, request, patience).await {
        Answer::Bytes(bytes) => Some(bytes),
        Answer::Closed | Answer::Silence => None,
    }
}

/// What came back first.
enum Answer {
    Bytes(Vec<u8>),
    Closed,
    Silence,
}

/// Sends, and reads until a whole frame of Kafka's is there, something that is none, the end, or the time is over.
async fn answer(mut stream: TcpStream, request: &[u8], patience: Duration) -> Answer {
    let deadline = Instant::now() + patience;
    let mut read = Vec::new();
    let ended = match timeout_at(deadline, stream.write_all(request)).await {
        Ok(Ok(())) => loop {
            let mut part = [0; 4096];
            match timeout_at(deadline, stream.read(&mut part)).await {
                Ok(Ok(0) | Err(_)) => break true,
                Ok(Ok(count)) => read.extend_from_slice(part.get(..count).unwrap_or_default()),
                Err(_elapsed) => break false,
            }
            if read.len() >= LENGTH_BYTES && frame_bytes(&read).is_none_or(|whole| read.len() >= whole) {
                break false;
            }
        },
        Ok(Err(_reset)) => true,
        Err(_elapsed) => false,
    };
    match (read.is_empty(), ended) {
        (false, _) => Answer::Bytes(read),
        (true, true) => Answer::Closed,
        (true, false) => Answer::Silence,
    }
}

/// Bytes of the frame that begins here, with its prefix, if that can be the answer to [`api_versions_request`].
fn frame_bytes(read: &[u8]) -> Option<usize> {
    let prefix: [u8; LENGTH_BYTES] = read.get(..LENGTH_BYTES)?.try_into().ok()?;
    let body = wire::frame::body_len(prefix, ANSWER_BYTES_MAX).ok()?;
    (body >= CORRELATION_BYTES).then_some(LENGTH_BYTES + body)
}

fn understand(bytes: Vec<u8>) -> Speaks {
    if is_tls(&bytes) {
        return Speaks::Tls;
    }
    let body = frame_bytes(&bytes).and_then(|whole| bytes.get(LENGTH_BYTES..whole));
    let decoded = body.map(|body| call::decode::<ApiVersionsRequest>(Bytes::copy_from_slice(body), VERSION));
    if let Some(Ok((CORRELATION, response))) = decoded {
        return Speaks::Kafka(response.api_keys);
    }
    let text = String::from_utf8_lossy(&bytes);
    let line = text.lines().next().unwrap_or_default();
    let printable: String = line
        .chars()
        .take(SHOWN_CHARS_MAX)
        .map(|c| if c.is_control() || c == char::REPLACEMENT_CHARACTER { '.' } else { c })
        .collect();
    if printable.starts_with("HTTP/") { Speaks::Http(printable) } else { Speaks::Other(printable) }
}

/// A record of TLS: a handshake or an alert, of any version since SSL 3.0.
fn is_tls(bytes: &[u8]) -> bool {
    matches!(bytes, [0x15 | 0x16, 0x03, 0..=4, ..])
}

/// `ApiVersions` in the version that every broker since 0.10 answers.
fn api_versions_request() -> Option<Bytes> {
    let header = RequestHeader {
        api_key: ApiKey::ApiVersions,
        api_version: VERSION,
        correlation_id: CORRELATION,
        client_id: ClientId::new(CLIENT_ID),
    };
    call::encode(&header, &ApiVersionsRequest::default()).ok().map(|frame| frame.to_bytes())
}

/// A greeting of TLS 1.2 that any server understands enough to answer, be it with an alert (RFC 5246, 7.4.1.2).
fn client_hello() -> Vec<u8> {
    // Groups x25519 and secp256r1, uncompressed points, and what nearly every certificate is signed with.
    const EXTENSIONS: &[u8] = &[
        0, 10, 0, 6, 0, 4, 0, 29, 0, 23, 0, 11, 0, 2, 1, 0, 0, 13, 0, 14, 0, 12, 4, 3, 8, 4, 4, 1, 5, 3, 8,
        5, 5, 1,
    ];
    // ECDHE with AES-GCM, RSA with AES.
    const SUITES: &[u8] = &[0xc0, 0x2b, 0xc0, 0x2f, 0xc0, 0x2c, 0xc0, 0x30, 0x00, 0x9c, 0x00, 0x2f];
    let length = |bytes: usize| u16::try_from(bytes).unwrap_or_default().to_be_bytes();
    let mut hello = vec![3, 3];
    hello.extend_from_slice(&[0x5a; 32]);
    hello.push(0);
    hello.extend_from_slice(&length(SUITES.len()));
    hello.extend_from_slice(SUITES);
    hello.extend_from_slice(&[1, 0]);
    hello.extend_from_slice(&length(EXTENSIONS.len()));
    hello.extend_from_slice(EXTENSIONS);
    let mut record = vec![0x16, 3, 1];
    record.extend_from_slice(&length(hello.len() + 4));
    record.extend_from_slice(&[1, 0]);
    record.extend_from_slice(&length(hello.len()));
    record.extend_from_slice(&hello);
    record
}

const HTTP_REQUEST: &[u8] = b"GET / HTTP/1.0\r\n\r\n";

/// What brokers log.
pub const CLIENT_ID: &str = "ottla-doctor";
const VERSION: i16 = 0;
const CORRELATION: i32 = 0x0771a;
const LENGTH_BYTES: usize = 4;
const CORRELATION_BYTES: usize = 4;
/// The answer has six bytes for each API.
const ANSWER_BYTES_MAX: usize = 64 << 10;
const SHOWN_CHARS_MAX: usize = 60;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn who_waits_for_a_line_is_given_one() {
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let at = listener.local_addr().unwrap();
        let server = tokio::spawn(async move {
            let (mut stream, _) = listener.accept().await.unwrap();
            let mut read = Vec::new();
            while !read.ends_with(b"\r\n\r\n") {
                read.push(stream.read_u8().await.unwrap());
            }
            stream.write_all(b"HTTP/1.0 200 OK\r\n\r\n").await.unwrap();
        });
        let answer = ask_again(at, HTTP_REQUEST, Duration::from_secs(20)).await.unwrap();
        assert_eq!(understand(answer), Speaks::Http("HTTP/1.0 200 OK".to_owned()));
        server.await.unwrap();
    }

    #[test]
    fn what_is_no_frame_of_ours_is_shown_printable() {
        assert_eq!(understand(b"\0\0\0\x04\0\0\0\0".to_vec()), Speaks::Other("........".to_owned()));
        assert_eq!(understand(b"\x05\0\0\0\x1aMySQL\n8".to_vec()), Speaks::Other(".....MySQL".to_owned()));
        assert_eq!(understand(vec![0x16, 3, 3, 0, 1]), Speaks::Tls);
    }
}
