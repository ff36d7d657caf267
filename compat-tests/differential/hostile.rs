//! Frames of one's own making: what is no request closes the connection, on both.

use std::fmt::Write;

use client::CallError;
use wire::api_table::{API_TABLE, ApiSpec};

use crate::pair::{CLOSED, Pair, SILENT};
use crate::side::Side;
use crate::tree::Tree;

/// A request: API, version, correlation id 7, client id "raw", the body.
pub fn frame(api: i16, version: i16, flexible: bool, body: &[u8]) -> Vec<u8> {
    let mut bytes = Vec::new();
    bytes.extend(api.to_be_bytes());
    bytes.extend(version.to_be_bytes());
    bytes.extend(7_i32.to_be_bytes());
    bytes.extend([0, 3]);
    bytes.extend(b"raw");
    if flexible {
        bytes.push(0);
    }
    bytes.extend(body);
    prefixed(&bytes)
}

/// Sends bytes on connections of their own and compares the bytes that come back.
pub async fn exchange(pair: &mut Pair, api: &str, version: i16, step: &str, bytes: &[u8]) {
    let [a, b] = &mut pair.sides;
    let trees = tokio::join!(answer(a, bytes), answer(b, bytes));
    pair.compare(api, version, step, [trees.0, trees.1]);
}

async fn answer(side: &mut Side, bytes: &[u8]) -> Tree {
    side.disconnect();
    let connection = side.connection().await;
    let sent = connection.send_bytes(bytes).await;
    let received = match sent {
        Ok(()) => connection.receive().await,
        Err(error) => Err(CallError::Connection(error)),
    };
    side.disconnect();
    Tree::Leaf(match received {
        Ok(bytes) => bytes.iter().fold(String::new(), |mut hex, byte| {
            let _ = write!(hex, "{byte:02x}");
            hex
        }),
        Err(CallError::Connection(_)) => CLOSED.to_owned(),
        Err(CallError::Timeout(_)) => SILENT.to_owned(),
        Err(error) => format!("<{error}>"),
    })
}

/// The steps.
pub async fn script(pair: &mut Pair) {
    frames(pair).await;
    broken_text(pair).await;
    for spec in API_TABLE.iter().filter(|spec| spec.served) {
        versions(pair, spec).await;
        bodies(pair, spec).await;
    }
}

async fn frames(pair: &mut Pair) {
    for key in [-1, 4, 5, 6, 7, 93, 94, 200, 32767, -32768] {
        exchange(pair, "frames", key, "unknown key", &frame(key, 0, false, &[])).await;
    }
    // Only controllers answer these.
    for key in [52, 53, 54, 56, 58, 59, 62, 63, 67, 70, 73, 80, 82] {
        exchange(pair, "frames", key, "key of another listener", &frame(key, 0, true, &[0; 64])).await;
    }
    // OffsetForLeaderEpoch of no topics.
    let cases: [(&str, &[u8]); 8] = [
        ("no bytes", &[]),
        ("one byte", &[0]),
        ("half a header", &[0, 23, 0]),
        ("no client id", &[0, 23, 0, 2, 0, 0, 0, 1]),
        ("null client id", &[0, 23, 0, 2, 0, 0, 0, 1, 0xff, 0xff, 0, 0, 0, 0]),
        ("client id beyond the end", &[0, 23, 0, 2, 0, 0, 0, 1, 0, 9, b'a']),
        ("client id of a negative length", &[0, 23, 0, 2, 0, 0, 0, 1, 0xff, 0xfe, 0, 0, 0, 0]),
        ("client id that is not UTF-8", &[0, 23, 0, 2, 0, 0, 0, 1, 0, 1, 0xff, 0, 0, 0, 0]),
    ];
    for (step, bytes) in cases {
        exchange(pair, "frames", 0, step, &prefixed(bytes)).await;
    }
    exchange(pair, "frames", 0, "negative length", &(-1_i32).to_be_bytes()).await;
    exchange(pair, "frames", 0, "length above socket.request.max.bytes", &(104_857_601_i32).to_be_bytes())
        .await;
    exchange(pair, "frames", 0, "HTTP", b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n").await;
    exchange(pair, "frames", 0, "TLS", &[0x16, 3, 1, 0, 200, 1, 0, 0, 196, 3, 3]).await;
}

/// Strings that are not UTF-8, where the answer repeats them or tells what was made of them.
async fn broken_text(pair: &mut Pair) {
    let name: &[u8] = b"\x00\x05a\xff\xc3\xe2b";
    let compact: &[u8] = b"\x06a\xff\xc3\xe2b";
    let cases: [(i16, i16, bool, &[&[u8]]); 11] = [
        // Metadata: a topic.
        (3, 1, false, &[&[0, 0, 0, 1], name]),
        // DescribeTopicPartitions: a topic.
        (75, 0, true, &[&[2], compact, &[0, 0, 0, 0, 9, 0xff, 0]]),
        // FindCoordinator: a group.
        (10, 1, false, &[name, &[0]]),
        (10, 4, true, &[&[0, 2], compact, &[0]]),
        // DescribeConfigs: a topic, a broker.
        (32, 1, false, &[&[0, 0, 0, 1, 2], name, &[0xff, 0xff, 0xff, 0xff, 0]]),
        (32, 1, false, &[&[0, 0, 0, 1, 4], name, &[0xff, 0xff, 0xff, 0xff, 0]]),
        // CreateTopics: its name; a config of it.
        (19, 2, false, &[&[0, 0, 0, 1], name, &[0, 0, 0, 1, 0, 1], &[0; 8], &[0, 0, 0x20, 0, 0]]),
        (
            19,
            2,
            false,
            &[
                &[0, 0, 0, 1, 0, 1, b't', 0, 0, 0, 1, 0, 1],
                &[0; 4],
                &[0, 0, 0, 1],
                name,
                name,
                &[0, 0, 0x20, 0, 0],
            ],
        ),
        // Fetch and ListOffsets: a topic.
        (1, 4, false, &[&[0xff; 4], &[0; 8], &[0, 1, 0, 0], &[0, 0, 0, 0, 1], name, &[0, 0, 0, 1], &[0; 16]]),
        (2, 1, false, &[&[0xff; 4], &[0, 0, 0, 1], name, &[0, 0, 0, 1, 0, 0, 0, 0], &[0xff; 8]]),
        // InitProducerId: a transactional id longer than Kafka reads, in a length that could say more.
        (22, 2, true, &[&[0x81, 0x80, 0x02], &vec![b'x'; 32_768], &[0, 0, 0, 1, 0]]),
    ];
    for (i, (key, version, flexible, body)) in cases.into_iter().enumerate() {
        exchange(
            pair,
            "frames",
            version,
            &format!("broken text {i} in {key}"),
            &frame(key, version, flexible, &body.concat()),
        )
        .await;
    }
}

async fn versions(pair: &mut Pair, spec: &ApiSpec) {
    let api = spec.name;
    if api == "ApiVersions" {
        return;
    }
    exchange(
        pair,
        api,
        spec.max + 1,
        "version above",
        &frame(spec.key as i16, spec.max + 1, spec.is_flexible(spec.max), &[0; 64]),
    )
    .await;
    exchange(
        pair,
        api,
        spec.min - 1,
        "version below",
        &frame(spec.key as i16, spec.min - 1, spec.is_flexible(spec.min - 1), &[0; 64]),
    )
    .await;
    exchange(pair, api, 999, "version far above", &frame(spec.key as i16, 999, true, &[0; 64])).await;
}

async fn bodies(pair: &mut Pair, spec: &ApiSpec) {
    for version in spec.min..=spec.max {
        let flexible = spec.is_flexible(version);
        let cases: [(&str, &[u8]); 4] = [
            // A tagged field section is the least that a flexible body has; some old bodies are empty.
            ("one byte of body", &[0x7f]),
            ("lengths beyond the end", &[0x7f; 24]),
            ("negative lengths", &[0xff; 24]),
            ("lengths of -2", &[[0xff, 0xfe]; 12].concat()),
        ];
        for (step, body) in cases {
            exchange(pair, spec.name, version, step, &frame(spec.key as i16, version, flexible, body)).await;
        }
    }
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as i32).to_be_bytes(), bytes].concat()
}
