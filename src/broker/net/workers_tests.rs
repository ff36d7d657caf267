use std::time::Instant;

use model::{ErrorCode, Offset};
use tokio::io::AsyncWriteExt;
use wire::api_table::ApiKey;
use wire::call;
use wire::fetch::{FetchPartition, FetchRequest, FetchTopic};
use wire::header::{ClientId, RequestHeader};

use super::*;
use crate::handlers::test_support::{TOPIC, TestBroker, named};
use crate::net::connection::tests::receive;
use crate::net::limits::{Admission, ConnectionCounts, ConnectionLimits};

const VERSION: i16 = 12;

fn patient_fetch() -> Vec<u8> {
    let partitions = vec![FetchPartition::new(0, Offset::ZERO, 1 << 20)];
    let request = FetchRequest {
        max_wait_ms: 30_000,
        min_bytes: 1,
        topics: vec![FetchTopic { topic: named(TOPIC), partitions }],
        ..FetchRequest::default()
    };
    let header = RequestHeader {
        api_key: ApiKey::Fetch,
        api_version: VERSION,
        correlation_id: 1,
        client_id: ClientId::new("test"),
    };
    call::encode(&header, &request).unwrap().to_bytes().to_vec()
}

#[tokio::test]
#[allow(clippy::disallowed_methods, reason = "measures a wait")]
async fn a_stop_answers_fetches_that_wait_for_data() {
    let node = TestBroker::start();
    node.create(TOPIC, 1, &[]).await;
    let (stop, stopping) = watch::channel(false);
    let service = Service {
        broker: Arc::clone(&node.broker),
        settings: ConnectionSettings { frame_bytes_max: 1 << 20, idle: None },
        budget: Budget::new(64 << 20),
        stop: stopping,
    };
    let workers = Workers::start(2, &service).unwrap();
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let counts = ConnectionCounts::new(ConnectionLimits {
        total_max: 10,
        per_ip_max: 10,
        per_ip_overrides: std::collections::HashMap::new(),
        per_second_max: u32::MAX,
    });
    let mut clients = Vec::new();
    for _ in 0..2 {
        let mut client = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let (stream, peer) = listener.accept().await.unwrap();
        let Admission::Admitted(slot) = counts.admit(peer.ip(), Duration::ZERO) else { panic!("no place") };
        let info = Arc::clone(&node.context.connection);
        workers.serve(Accepted { stream: stream.into_std().unwrap(), info, slot });
        client.write_all(&patient_fetch()).await.unwrap();
        clients.push(client);
    }
    tokio::time::sleep(Duration::from_millis(200)).await;
    let begun = Instant::now();
    stop.send_replace(true);
    for client in &mut clients {
        let (_, answer) = receive::<FetchRequest>(client, VERSION).await;
        assert_eq!(answer.error, ErrorCode::None);
    }
    tokio::task::spawn_blocking(move || workers.join()).await.unwrap();
    assert!(begun.elapsed() < DRAIN_MAX / 2, "{:?}", begun.elapsed());
    node.stop();
}
