//! Hostile peers: whatever they send, honest clients notice nothing and memory stays bounded.

use std::time::Duration;

use crate::fixture::{Broker, PATIENCE, batch, consume_all, ensure_topic, produce};
use client::Connection;
use model::{Clock, ErrorCode};

const MIB: u64 = 1024 * 1024;
/// What the process may hold whatever its peers send.
const RESIDENT_MAX: u64 = 256 * MIB;

/// A generator of bytes that repeats with its seed (xorshift).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0
    }

    fn bytes(&mut self, count: usize) -> Vec<u8> {
        (0..count).map(|_| self.next() as u8).collect()
    }
}

/// Announces a body of 100 MiB, sends some of it and stalls.
async fn announce_and_stall(broker: &Broker, sent: usize) -> Connection {
    let mut peer = broker.connect().await;
    peer.send_bytes(&(100 * MIB as i32).to_be_bytes()).await.expect("the prefix is taken");
    // A peer that is refused early is as good.
    let _ = peer.send_bytes(&vec![0; sent]).await;
    peer
}

/// How long some produce requests with a megabyte each, and some small ones, took; the slowest last.
async fn produce_times(broker: &Broker) -> Vec<Duration> {
    let clock = Clock::system();
    let mut connection = broker.connect().await;
    let (large, small) = (batch(&[&vec![7; 900_000]]), batch(&[b"small"]));
    let mut times = Vec::new();
    for records in [&large, &small].into_iter().cycle().take(100) {
        let begun = clock.monotonic();
        let answer = produce(&mut connection, "honest", -1, records.clone()).await;
        assert_eq!(answer.error, ErrorCode::None);
        times.push(clock.monotonic().saturating_sub(begun));
    }
    times.sort();
    times
}

/// Memory that stalled peers held would keep every large request waiting; a single slow one is a sync on a busy disk.
#[tokio::test]
async fn stalled_announcements_cost_honest_clients_nothing() {
    const TENTH_SLOWEST: usize = 90;
    let broker = Broker::start(&["queued.max.request.bytes=104857600"]).await;
    ensure_topic(&mut broker.connect().await, "honest").await;
    let alone = produce_times(&broker).await[TENTH_SLOWEST];
    for sent in [0, 8, 100_000] {
        let mut stalled = Vec::new();
        for _ in 0..100 {
            stalled.push(announce_and_stall(&broker, sent).await);
        }
        let beside = produce_times(&broker).await;
        let (tenth, slowest) = (beside[TENTH_SLOWEST], beside[beside.len() - 1]);
        let bound = (alone * 4).max(Duration::from_millis(250));
        assert!(tenth < bound, "{tenth:?} beside peers that sent {sent} bytes, {alone:?} alone");
        assert!(slowest < Duration::from_secs(5), "{slowest:?} beside peers that sent {sent} bytes");
        assert!(broker.resident_bytes() < RESIDENT_MAX, "{} bytes resident", broker.resident_bytes());
    }
}

#[tokio::test]
async fn random_frames_are_closed_connections_and_nothing_else() {
    let broker = Broker::start(&[]).await;
    let mut honest = broker.connect().await;
    ensure_topic(&mut honest, "honest").await;
    let mut random = Random(0x5eed);
    for round in 0..2_000 {
        let mut peer = broker.connect().await;
        let count = (random.next() % 300) as usize;
        let mut body = random.bytes(count);
        // Most frames get a real API key and version, so that they reach the body's decoder.
        if round % 4 != 0 && body.len() > 4 {
            body[0] = 0;
            body[1] %= 76;
            body[2] = 0;
            body[3] %= 14;
        }
        let mut frame = (body.len() as i32).to_be_bytes().to_vec();
        frame.extend_from_slice(&body);
        // The broker may have closed while this was sent.
        let _ = peer.send_bytes(&frame).await;
        if round % 100 == 0 {
            assert_eq!(
                produce(&mut honest, "honest", -1, batch(&[b"still here"])).await.error,
                ErrorCode::None
            );
        }
    }
    assert_eq!(consume_all(&mut honest, "honest").await.len(), 20);
    assert!(broker.resident_bytes() < RESIDENT_MAX, "{} bytes resident", broker.resident_bytes());
    assert!(!broker.log().contains("panicked"), "no handler panicked:\n{}", broker.log());
}

#[tokio::test]
async fn eight_bytes_reserve_nothing() {
    let broker = Broker::start(&[]).await;
    let before = broker.resident_bytes();
    // Metadata v0 that announces 2^31 - 1 topics.
    let body = [0, 3, 0, 0, 0, 0, 0, 1, 0xff, 0xff, 0x7f, 0xff, 0xff, 0xff];
    for _ in 0..200 {
        let mut peer = broker.connect().await;
        peer.send_bytes(&(body.len() as i32).to_be_bytes()).await.expect("the prefix is taken");
        peer.send_bytes(&body).await.expect("the body is taken");
        assert!(peer.receive().await.is_err(), "the connection is closed");
    }
    let grown = broker.resident_bytes().saturating_sub(before);
    assert!(grown < 16 * MIB, "{grown} bytes more");
}

/// Everything in the topic, as much of it at once as the broker gives.
fn fetch_all() -> wire::fetch::FetchRequest {
    let partitions = vec![wire::fetch::FetchPartition::new(0, model::Offset::ZERO, i32::MAX)];
    let topic = wire::TopicRef::Name(wire::StrBytes::from_static_str("honest"));
    wire::fetch::FetchRequest {
        wants_topic_ids: false,
        topics: vec![wire::fetch::FetchTopic { topic, partitions }],
        ..wire::fetch::FetchRequest::default()
    }
}

#[tokio::test]
async fn slow_readers_share_a_bounded_memory() {
    let broker = Broker::start(&["queued.max.request.bytes=104857600"]).await;
    let mut honest = broker.connect().await;
    ensure_topic(&mut honest, "honest").await;
    let records = batch(&[&vec![1; 900_000]]);
    for _ in 0..70 {
        assert_eq!(produce(&mut honest, "honest", 1, records.clone()).await.error, ErrorCode::None);
    }
    let mut slow = Vec::new();
    for _ in 0..40 {
        let mut reader =
            Connection::open(broker.address(), "slow", PATIENCE).await.expect("the broker accepts");
        reader.send(11, &fetch_all()).await.expect("the request is taken");
        slow.push(reader);
    }
    let clock = Clock::system();
    assert_eq!(consume_all(&mut honest, "honest").await.len(), 70, "an honest reader gets everything");
    assert!(clock.monotonic() < PATIENCE, "{:?}", clock.monotonic());
    assert!(broker.resident_bytes() < RESIDENT_MAX, "{} bytes resident", broker.resident_bytes());
}

#[tokio::test]
async fn a_slow_reader_stops_only_itself() {
    let broker = Broker::start(&[]).await;
    let mut honest = broker.connect().await;
    ensure_topic(&mut honest, "honest").await;
    produce(&mut honest, "honest", -1, batch(&[&vec![1; 900_000]])).await;
    let mut slow = Connection::open(broker.address(), "slow", PATIENCE).await.expect("the broker accepts");
    let fetch = fetch_all();
    for _ in 0..1_000 {
        if tokio::time::timeout(Duration::from_millis(200), slow.send(11, &fetch)).await.is_err() {
            break;
        }
    }
    assert!(broker.resident_bytes() < RESIDENT_MAX, "{} bytes resident", broker.resident_bytes());
    let clock = Clock::system();
    assert_eq!(produce(&mut honest, "honest", -1, batch(&[b"quick"])).await.error, ErrorCode::None);
    assert!(clock.monotonic() < Duration::from_secs(1), "{:?}", clock.monotonic());
}
