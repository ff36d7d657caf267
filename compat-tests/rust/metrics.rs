//! What Prometheus and orchestrators ask, of the real process.

use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use model::{Clock, ErrorCode};

use crate::fixture::{Broker, PATIENCE, batch, consume_all, ensure_topic, free_address, ottla, produce};

/// Status and body of an answer; `None` where nobody answers.
fn get(address: SocketAddr, path: &str) -> Option<(u16, String)> {
    let mut stream = TcpStream::connect(address).ok()?;
    stream.set_read_timeout(Some(PATIENCE)).ok()?;
    stream.write_all(format!("GET {path} HTTP/1.1\r\nHost: {address}\r\n\r\n").as_bytes()).ok()?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer).ok()?;
    let (head, body) = answer.split_once("\r\n\r\n")?;
    Some((head.split(' ').nth(1)?.parse().ok()?, body.to_owned()))
}

/// 0 for a series that is not there.
fn value(scraped: &str, series: &str) -> f64 {
    let line = scraped.lines().find_map(|line| line.strip_prefix(series)?.strip_prefix(' '));
    line.map_or(0.0, |value| value.parse().expect("a number"))
}

/// The first answer that shows what is waited for: a request and a sync are counted after their clients are told.
fn scrape_until(address: SocketAddr, shows: impl Fn(&str) -> bool) -> String {
    let clock = Clock::system();
    loop {
        let (status, scraped) = get(address, "/metrics").expect("an answer");
        assert_eq!(status, 200);
        if shows(&scraped) {
            return scraped;
        }
        assert!(clock.monotonic() < PATIENCE, "it does not come in\n{scraped}");
    }
}

#[tokio::test]
async fn a_process_tells_what_it_has_done() {
    let metrics = free_address();
    let broker = Broker::start(&[&format!("ottla.metrics.listener={metrics}")]).await;
    let mut connection = broker.connect().await;
    ensure_topic(&mut connection, "told").await;
    let answer = produce(&mut connection, "told", -1, batch(&[b"one", b"two"])).await;
    assert_eq!(answer.error, ErrorCode::None);
    assert_eq!(consume_all(&mut connection, "told").await, [b"one", b"two"]);
    assert_eq!(get(metrics, "/health"), Some((200, "alive\n".to_owned())));
    // A client may be served a moment before the start is over.
    let clock = Clock::system();
    while get(metrics, "/ready") != Some((200, "ready\n".to_owned())) {
        assert!(clock.monotonic() < PATIENCE, "it does not become ready");
    }

    let requests = "kafka_network_requestmetrics_requests_total";
    let produced = format!("{requests}{{request=\"Produce\",version=\"9\"}}");
    let fetched = format!("{requests}{{request=\"FetchConsumer\",version=\"11\"}}");
    let synced = "ottla_sync_records_sum";
    let scraped = scrape_until(metrics, |scraped| {
        value(scraped, &produced) >= 1.0 && value(scraped, &fetched) >= 1.0 && value(scraped, synced) >= 2.0
    });
    assert_eq!(value(&scraped, &produced) as u64, 1);
    let topic = "{topic=\"told\"}";
    assert_eq!(
        value(&scraped, &format!("kafka_server_brokertopicmetrics_messagesin_total{topic}")) as u64,
        2
    );
    let total = "kafka_network_requestmetrics_totaltimems";
    let milliseconds = value(&scraped, &format!("{total}{{request=\"Produce\",quantile=\"0.50\"}}"));
    assert!(milliseconds > 0.0 && milliseconds < PATIENCE.as_millis() as f64, "{milliseconds}");
    let connections = scraped
        .lines()
        .filter(|line| line.starts_with("kafka_server_socket_server_metrics_connection_count{"));
    let open: f64 = connections.map(|line| line.rsplit_once(' ').unwrap().1.parse::<f64>().unwrap()).sum();
    assert!(open >= 1.0, "{scraped}");
    assert_eq!(value(&scraped, "kafka_server_kafkaserver_brokerstate") as u64, 3);
}

/// From the first answer to the last: never ready before clients are served, and not any more once the stop has begun.
#[tokio::test]
async fn ready_is_what_clients_find() {
    let (address, metrics) = (free_address(), free_address());
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = ottla();
    command.args(["serve", "--override", &format!("listeners=PLAINTEXT://{address}")]);
    command.args(["--override", &format!("log.dirs={}", dir.path().display())]);
    command.args(["--override", &format!("ottla.metrics.listener={metrics}")]);
    let mut process = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().expect("ottla starts");
    let clock = Clock::system();
    let mut was_ready = false;
    while !was_ready {
        assert!(clock.monotonic() < PATIENCE, "it did not become ready");
        match get(metrics, "/ready") {
            None => {}
            Some((503, why)) => assert_eq!(why, "starting\n"),
            Some((status, why)) => {
                assert_eq!((status, why.as_str()), (200, "ready\n"));
                was_ready = true;
            }
        }
        std::thread::sleep(Duration::from_millis(1));
    }
    // Ready means that the next connection is served.
    let mut connection = client::Connection::open(address, "test", PATIENCE).await.expect("it accepts");
    let asked = connection.call(0, &wire::messages::MetadataRequest::default()).await;
    assert!(asked.is_ok(), "{asked:?}");

    let kill = std::process::Command::new("kill").args(["-TERM", &process.id().to_string()]).status();
    assert!(kill.expect("kill runs").success());
    let ended = loop {
        // Until the signal has arrived it is ready, then it says that it stops, then nobody answers.
        if let Some((503, why)) = get(metrics, "/ready") {
            assert_eq!(why, "stopping\n");
            // The process may be gone before this is asked.
            assert!(get(metrics, "/health").is_none_or(|(status, _)| status == 200));
        }
        if let Some(status) = process.try_wait().expect("the process can be watched") {
            break status;
        }
        assert!(clock.monotonic() < PATIENCE, "it did not end");
    };
    assert!(ended.success(), "{ended}");
}

#[test]
fn a_taken_address_is_named_before_anything_is_written() {
    let taken = std::net::TcpListener::bind("127.0.0.1:0").expect("a free port");
    let dir = tempfile::tempdir().expect("a temporary directory");
    let mut command = ottla();
    command.args(["serve", "--override", &format!("listeners=PLAINTEXT://{}", free_address())]);
    command.args(["--override", &format!("log.dirs={}", dir.path().join("data").display())]);
    let address = taken.local_addr().expect("its address");
    command.args(["--override", &format!("ottla.metrics.listener={address}")]);
    let output = command.output().expect("ottla runs");
    let told = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(1), "{told}");
    assert!(told.contains("ottla.metrics.listener") && told.contains(&address.to_string()), "{told}");
    assert!(!dir.path().join("data").exists());
}
