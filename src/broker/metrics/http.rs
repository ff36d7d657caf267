//! Who is answered: a listener of its own, on a thread of its own, which a busy or a stopping node leaves alone.
//!
//! It knows three addresses, reads no bodies, and closes every connection after its answer. What is no request, comes
//! slowly, or comes from too many at once, is closed.

use std::io;
use std::sync::Arc;
use std::thread::JoinHandle;
use std::time::Duration;

use bytes::{Buf as _, Bytes};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, SemaphorePermit, oneshot};
use tokio::time::timeout;

use super::Stage;
use super::exposition::CONTENT_TYPE;
use super::scrape::Scraper;

/// Connections at one time; those beyond are closed.
const CONNECTIONS_MAX: usize = 32;
/// Answers with all metrics at one time, from the first look to the last byte written: those of a large node have megabytes.
const SCRAPES_MAX: usize = 2;
/// How long others wait for their turn. Less than a scraper's own patience, of 10 s mostly.
const SCRAPE_PATIENCE: Duration = Duration::from_secs(5);
/// Bytes of a request without its body.
const HEAD_BYTES_MAX: usize = 8 * 1024;
/// Lines of it.
const HEADERS_MAX: usize = 64;
/// How long a request may take to come.
const HEAD_PATIENCE: Duration = Duration::from_secs(5);
/// How long an answer may take to leave.
const ANSWER_PATIENCE: Duration = Duration::from_secs(30);
/// How long the peer may take to close after it, and how much it may still send: what comes after an end of the socket
/// would take the answer away from a peer that has not read it yet.
const CLOSE_PATIENCE: Duration = Duration::from_secs(1);
const CLOSE_BYTES_MAX: usize = 64 * 1024;
/// After an accept failed, wait before the next.
const ACCEPT_RETRY: Duration = Duration::from_millis(100);

/// The running listener. It ends with this.
#[derive(Debug)]
pub struct Front {
    /// Gone when the thread is to end.
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
}

impl Front {
    /// Answers on this socket from now on.
    ///
    /// # Errors
    /// The system refused a thread.
    pub fn start(socket: std::net::TcpListener, scraper: Scraper) -> io::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let (stop, stopped) = oneshot::channel();
        let thread = std::thread::Builder::new().name("metrics".to_owned()).spawn(move || {
            runtime.block_on(async {
                tokio::select! {
                    ended = accept(socket, Arc::new(scraper)) => if let Err(error) = ended {
                        tracing::error!(target: "ottla.metrics", "metrics are not answered: {error}");
                    },
                    // An error is the end as well.
                    _ = stopped => {}
                }
            });
        })?;
        Ok(Self { stop: Some(stop), thread: Some(thread) })
    }
}

impl Drop for Front {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(thread) = self.thread.take()
            && thread.join().is_err()
        {
            tracing::error!(target: "ottla.metrics", "the thread that answers metrics had panicked");
        }
    }
}

async fn accept(socket: std::net::TcpListener, scraper: Arc<Scraper>) -> io::Result<()> {
    socket.set_nonblocking(true)?;
    let socket = TcpListener::from_std(socket)?;
    let places = Arc::new(Semaphore::new(CONNECTIONS_MAX));
    let turns = Arc::new(Turns { scrapes: Semaphore::new(SCRAPES_MAX), patience: SCRAPE_PATIENCE });
    loop {
        let Ok((stream, peer)) = socket.accept().await else {
            tokio::time::sleep(ACCEPT_RETRY).await;
            continue;
        };
        let Ok(place) = Arc::clone(&places).try_acquire_owned() else { continue };
        let (scraper, turns) = (Arc::clone(&scraper), Arc::clone(&turns));
        tokio::spawn(async move {
            if let Err(error) = serve(stream, &scraper, &turns).await {
                tracing::debug!(target: "ottla.metrics", "connection of {peer}: {error}");
            }
            drop(place);
        });
    }
}

async fn serve(mut stream: TcpStream, scraper: &Scraper, turns: &Turns) -> io::Result<()> {
    let head = timeout(HEAD_PATIENCE, read_head(&mut stream)).await??;
    let answer = match head {
        Some(request) => answer(&request, scraper, turns).await,
        None => Answer::text("400 Bad Request", "this is no request that is understood here\n"),
    };
    answer.write(&mut stream).await?;
    stream.shutdown().await?;
    let mut rest = stream.take(CLOSE_BYTES_MAX as u64);
    // Whatever it says, or however it ends, it was answered.
    let _ = timeout(CLOSE_PATIENCE, tokio::io::copy(&mut rest, &mut tokio::io::sink())).await;
    Ok(())
}

/// What is asked for.
#[derive(Debug, PartialEq, Eq)]
struct Request {
    method: String,
    path: String,
}

/// Reads up to the end of the headers; `None` for what is no request of HTTP/1.
async fn read_head(stream: &mut TcpStream) -> io::Result<Option<Request>> {
    let mut head = Vec::with_capacity(1024);
    loop {
        if head.len() >= HEAD_BYTES_MAX {
            return Ok(None);
        }
        let room = HEAD_BYTES_MAX - head.len();
        if (&mut *stream).take(room as u64).read_buf(&mut head).await? == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        match parse(&head) {
            Ok(Some(request)) => return Ok(Some(request)),
            Ok(None) => {}
            Err(_no_request) => return Ok(None),
        }
    }
}

/// `None` while it is not complete.
fn parse(head: &[u8]) -> Result<Option<Request>, httparse::Error> {
    let mut headers = [httparse::EMPTY_HEADER; HEADERS_MAX];
    let mut request = httparse::Request::new(&mut headers);
    if request.parse(head)?.is_partial() {
        return Ok(None);
    }
    let path = request.path.unwrap_or_default();
    let path = path.split_once('?').map_or(path, |(path, _query)| path);
    Ok(Some(Request { method: request.method.unwrap_or_default().to_owned(), path: path.to_owned() }))
}

/// Whose turn it is to have all metrics told.
#[derive(Debug)]
struct Turns {
    scrapes: Semaphore,
    patience: Duration,
}

#[derive(Debug)]
struct Answer<'a> {
    status: &'static str,
    content_type: &'static str,
    body: String,
    /// HEAD asks for the length alone.
    without_body: bool,
    /// Kept until it is written.
    turn: Option<SemaphorePermit<'a>>,
    /// Seconds.
    retry_after: Option<u64>,
}

async fn answer<'a>(request: &Request, scraper: &Scraper, turns: &'a Turns) -> Answer<'a> {
    let without_body = request.method == "HEAD";
    if request.method != "GET" && !without_body {
        return Answer::text("405 Method Not Allowed", "only GET and HEAD are answered here\n");
    }
    let answer = match request.path.as_str() {
        "/metrics" => metrics(scraper, turns).await,
        // That somebody answers is the answer: a node that cannot go on ends.
        "/health" => Answer::text("200 OK", "alive\n"),
        "/ready" => match scraper.metrics().stage() {
            Stage::Starting => Answer::text("503 Service Unavailable", "starting\n"),
            Stage::Running => Answer::text("200 OK", "ready\n"),
            Stage::Stopping => Answer::text("503 Service Unavailable", "stopping\n"),
        },
        _ => Answer::text("404 Not Found", "/metrics, /health and /ready are here\n"),
    };
    Answer { without_body, ..answer }
}

async fn metrics<'a>(scraper: &Scraper, turns: &'a Turns) -> Answer<'a> {
    let Ok(Ok(turn)) = timeout(turns.patience, turns.scrapes.acquire()).await else {
        let busy = "others are still reading their metrics\n";
        let retry_after = Some(turns.patience.as_secs());
        return Answer { retry_after, ..Answer::text("503 Service Unavailable", busy) };
    };
    let told = Answer::text("200 OK", scraper.answer().await);
    Answer { content_type: CONTENT_TYPE, turn: Some(turn), ..told }
}

impl Answer<'_> {
    fn text(status: &'static str, body: impl Into<String>) -> Self {
        Self {
            status,
            content_type: "text/plain; charset=utf-8",
            body: body.into(),
            without_body: false,
            turn: None,
            retry_after: None,
        }
    }

    fn head(&self) -> String {
        let Self { status, content_type, body, .. } = self;
        let length = body.len();
        let retry_after = self.retry_after.map_or(String::new(), |after| format!("Retry-After: {after}\r\n"));
        format!(
            "HTTP/1.1 {status}\r\nContent-Type: {content_type}\r\nContent-Length: {length}\r\n\
             {retry_after}Cache-Control: no-store\r\nConnection: close\r\n\r\n"
        )
    }

    async fn write(self, stream: &mut TcpStream) -> io::Result<()> {
        let head = Bytes::from(self.head());
        let body = if self.without_body { Bytes::new() } else { Bytes::from(self.body) };
        let written = timeout(ANSWER_PATIENCE, stream.write_all_buf(&mut head.chain(body))).await;
        drop(self.turn);
        written?
    }
}

#[cfg(test)]
#[path = "http_tests.rs"]
mod tests;
