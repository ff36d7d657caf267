//! ApiVersions: the range of every key, the features, and the one API that is answered in any version.

use wire::api_versions::{ApiVersionsRequest, ClientSoftware};

use crate::ask::text;
use crate::hostile::{exchange, frame};
use crate::pair::Pair;

/// The steps.
pub async fn script(pair: &mut Pair) {
    pair.all("ranges and features", |_, _| software("apache-kafka-java", "4.1.0")).await;
    for (name, version) in [
        ("", "1"),
        ("a", ""),
        ("-a", "1"),
        ("a-", "1"),
        ("a b", "1"),
        ("a", "1.0_x"),
        ("ä", "1"),
        ("a.b-c", "1"),
    ] {
        pair.all(&format!("software {name:?} {version:?}"), |_, _| software(name, version)).await;
    }
    for version in [5, 6, 99, 32767, -1] {
        // Version 3's header and body; whoever does not know the version reads neither.
        let bytes = frame(18, version, true, &[2, b'a', 2, b'1', 0]);
        exchange(pair, "ApiVersions", version, "unsupported version", &bytes).await;
    }
    exchange(pair, "ApiVersions", 99, "unsupported version, old header", &frame(18, 99, false, &[])).await;
}

/// As a client asks that says who it is.
pub fn software(name: &str, version: &str) -> ApiVersionsRequest {
    let client_software = Some(ClientSoftware { name: text(name), version: text(version) });
    ApiVersionsRequest { client_software, unsupported_version: false }
}
