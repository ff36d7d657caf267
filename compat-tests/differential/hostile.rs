//! Frames of one's own making: what is no request closes the connection, on both.

use std::fmt::Write;

use client::CallError;
use wire::api_table::{API_TABLE, ApiSpec};

use crate::pair::Pair;
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
        Err(CallError::Connection(_)) => "<closed>".to_owned(),
        Err(error) => format!("<{error}>"),
    })
}

/// The steps.
pub async fn script(pair: &mut Pair) {
    frames(pair).await;
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
    let cases: [(&str, &[u8]); 7] = [
        ("no bytes", &[]),
        ("one byte", &[0]),
        ("half a header", &[0, 18, 0]),
        ("no client id", &[0, 18, 0, 0, 0, 0, 0, 1]),
        ("client id beyond the end", &[0, 18, 0, 0, 0, 0, 0, 1, 0, 9, b'a']),
        ("client id of a negative length", &[0, 18, 0, 0, 0, 0, 0, 1, 0xff, 0xfe]),
        ("client id that is not UTF-8", &[0, 18, 0, 0, 0, 0, 0, 1, 0, 1, 0xff]),
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
        let cases: [(&str, &[u8]); 3] = [
            // A tagged field section is the least that a flexible body has; some old bodies are empty.
            ("one byte of body", &[0x7f]),
            ("lengths beyond the end", &[0x7f; 24]),
            ("negative lengths", &[0xff; 24]),
        ];
        for (step, body) in cases {
            exchange(pair, spec.name, version, step, &frame(spec.key as i16, version, flexible, body)).await;
        }
    }
}

fn prefixed(bytes: &[u8]) -> Vec<u8> {
    [&(bytes.len() as i32).to_be_bytes(), bytes].concat()
}
