//! The listener, over real sockets.

use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};

use model::Clock;

use super::*;
use crate::metrics::Metrics;

fn front() -> (Front, Arc<Metrics>, SocketAddr) {
    let socket = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let metrics = Metrics::new(Clock::system());
    let settings = config::load(&config::Inputs::default()).unwrap().broker.metrics;
    let front = Front::start(socket, Scraper::new(Arc::clone(&metrics), settings)).unwrap();
    (front, metrics, address)
}

/// What comes back until the listener closes.
fn ask(address: SocketAddr, request: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    // It may have been closed on already.
    let _ = stream.write_all(request);
    let _ = stream.shutdown(Shutdown::Write);
    let mut answer = Vec::new();
    let _ = stream.read_to_end(&mut answer);
    String::from_utf8(answer).unwrap()
}

fn get(address: SocketAddr, path: &str) -> String {
    ask(address, format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n").as_bytes())
}

#[test]
fn a_node_that_does_not_serve_yet_is_alive_and_not_ready() {
    let (_front, metrics, address) = front();
    assert!(get(address, "/health").starts_with("HTTP/1.1 200 OK\r\n"));
    assert!(get(address, "/ready").starts_with("HTTP/1.1 503 "));
    metrics.stopping();
    assert!(get(address, "/ready").ends_with("\r\n\r\nstopping\n"));
    let scraped = get(address, "/metrics?format=prometheus");
    assert!(scraped.contains("\r\nContent-Type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{scraped}");
    assert!(scraped.contains("\nkafka_server_kafkaserver_brokerstate 7\n"), "{scraped}");
}

#[test]
fn the_length_is_that_of_the_body_and_head_has_none() {
    let (_front, _metrics, address) = front();
    let whole = get(address, "/health");
    let (head, body) = whole.split_once("\r\n\r\n").unwrap();
    assert!(head.contains(&format!("\r\nContent-Length: {}", body.len())), "{head}");
    let asked = ask(address, b"HEAD /health HTTP/1.0\r\n\r\n");
    assert_eq!(asked, format!("{head}\r\n\r\n"));
}

#[test]
fn what_is_not_here_is_said_so() {
    let (_front, _metrics, address) = front();
    assert!(get(address, "/").starts_with("HTTP/1.1 404 "));
    assert!(
        ask(address, b"POST /metrics HTTP/1.1\r\nContent-Length: 3\r\n\r\nabc").starts_with("HTTP/1.1 405 ")
    );
}

#[test]
fn hostile_bytes_end_their_connection_and_nothing_else() {
    let (_front, _metrics, address) = front();
    let long = format!("GET /{} HTTP/1.1\r\n", "a".repeat(HEAD_BYTES_MAX));
    let many = format!("GET /health HTTP/1.1\r\n{}\r\n", "a: b\r\n".repeat(HEADERS_MAX + 1));
    for hostile in [
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".as_slice(),
        b"\0\0\0\x10\0\x12\0\x03\0\0\0\x01",
        b"GET\r\n\r\n",
        b"GET /health HTTP/9.9\r\n\r\n",
        long.as_bytes(),
        many.as_bytes(),
        b"",
        b"GET /health",
    ] {
        let answer = ask(address, hostile);
        assert!(answer.is_empty() || answer.starts_with("HTTP/1.1 400 "), "{answer}");
    }
    assert!(get(address, "/health").starts_with("HTTP/1.1 200 "));
}

#[test]
fn connections_beyond_the_limit_are_closed() {
    let (_front, _metrics, address) = front();
    // Whoever says half a request keeps a place until its time is up.
    let silent: Vec<_> = (0..CONNECTIONS_MAX)
        .map(|_| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(b"GET /hea").unwrap();
            stream
        })
        .collect();
    let mut one_more = TcpStream::connect(address).unwrap();
    one_more.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    let mut answer = Vec::new();
    // Closed, in whatever way the system tells.
    let _ = one_more.read_to_end(&mut answer);
    assert!(answer.is_empty());
    drop(silent);
    // Their places are free again as soon as the listener has seen them go.
    while !get(address, "/health").starts_with("HTTP/1.1 200 ") {
        std::thread::yield_now();
    }
}

#[test]
fn it_ends_when_the_node_does() {
    let (front, _metrics, address) = front();
    let mut waiting = TcpStream::connect(address).unwrap();
    waiting.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    waiting.write_all(b"GET /hea").unwrap();
    drop(front);
    let mut answer = Vec::new();
    // Closed, in whatever way the system tells.
    let _ = waiting.read_to_end(&mut answer);
    assert!(answer.is_empty());
}

#[test]
fn who_wants_metrics_waits_for_those_that_are_still_being_read() {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
    let settings = config::load(&config::Inputs::default()).unwrap().broker.metrics;
    let scraper = Scraper::new(Metrics::new(Clock::system()), settings);
    let turns = Turns { scrapes: Semaphore::new(1), patience: Duration::ZERO };
    let get = |path: &str| {
        let request = Request { method: "GET".to_owned(), path: path.to_owned() };
        runtime.block_on(answer(&request, &scraper, &turns))
    };
    let first = get("/metrics");
    assert_eq!(first.status, "200 OK");
    let refused = get("/metrics");
    assert_eq!((refused.status, refused.retry_after), ("503 Service Unavailable", Some(0)));
    assert!(refused.head().contains("\r\nRetry-After: 0\r\n"), "{}", refused.head());
    assert_eq!(get("/health").status, "200 OK", "which has no such length");
    drop(first);
    assert_eq!(get("/metrics").status, "200 OK");
}
