use bytes::{Buf, Bytes};

use super::*;
use crate::header::{ClientId, RequestHeader};
use crate::{Request, Response, request, response};

fn header(api_version: i16) -> RequestHeader {
    RequestHeader {
        api_key: ApiKey::ApiVersions,
        api_version,
        correlation_id: 7,
        client_id: ClientId::default(),
    }
}

fn encode(version: i16, answer: ApiVersionsResponse) -> Bytes {
    let reply = response::encode(&header(version), Response::ApiVersions(answer)).expect("encodes");
    let mut bytes = reply.to_bytes();
    assert_eq!(
        (bytes.get_i32() as usize, bytes.get_i32()),
        (bytes.len() + 4, 7),
        "the header is always version 0"
    );
    bytes
}

fn read(version: i16, body: Bytes) -> ApiVersionsResponse {
    let flexible = ApiKey::ApiVersions.spec().is_flexible(version);
    ApiVersionsResponse::decode(&mut Cursor::new(body, flexible), version).expect("decodes")
}

fn with_features() -> ApiVersionsResponse {
    let supported = |name, min_version, max_version| SupportedFeature {
        name: StrBytes::from_static_str(name),
        min_version,
        max_version,
    };
    let finalized = |name, level| FinalizedFeature {
        name: StrBytes::from_static_str(name),
        max_version_level: level,
        min_version_level: level,
    };
    ApiVersionsResponse {
        supported_features: vec![supported("metadata.version", 7, 27), supported("group.version", 0, 1)],
        finalized_features_epoch: 5,
        finalized_features: vec![finalized("metadata.version", 27), finalized("group.version", 0)],
        ..ApiVersionsResponse::served()
    }
}

#[test]
fn lists_what_is_served_and_nothing_else() {
    let listed = ApiVersionsResponse::served().api_keys;
    let ranges: Vec<_> = listed.iter().map(|api| (api.api_key, api.min_version, api.max_version)).collect();
    let wanted = [
        (0, 0, 13),
        (1, 4, 18),
        (2, 1, 10),
        (3, 0, 13),
        (8, 2, 9),
        (9, 1, 9),
        (10, 0, 6),
        (11, 0, 9),
        (12, 0, 4),
        (13, 0, 5),
        (14, 0, 5),
        (15, 0, 6),
        (16, 0, 5),
        (18, 0, 4),
        (19, 2, 7),
        (20, 1, 6),
        (21, 0, 2),
        (22, 0, 5),
        (23, 2, 4),
        (24, 0, 5),
        (25, 0, 4),
        (26, 0, 5),
        (27, 1, 1),
        (28, 0, 5),
        (29, 1, 3),
        (30, 1, 3),
        (31, 1, 3),
        (32, 1, 4),
        (33, 0, 2),
        (34, 1, 2),
        (35, 1, 4),
        (37, 0, 3),
        (42, 0, 2),
        (43, 0, 2),
        (44, 0, 1),
        (45, 0, 1),
        (46, 0, 0),
        (47, 0, 0),
        (48, 0, 1),
        (55, 0, 2),
        (57, 0, 2),
        (60, 0, 2),
        (61, 0, 0),
        (65, 0, 0),
        (66, 0, 2),
        (68, 0, 1),
        (69, 0, 1),
        (74, 0, 1),
        (75, 0, 0),
    ];
    assert_eq!(ranges, wanted);
}

#[test]
fn an_unknown_version_is_answered_in_version_0() {
    for version in [5, 99, i16::MAX, -1] {
        let Ok(Request::ApiVersions(asked)) = request::decode(&header(version), Bytes::from_static(b"\xff"))
        else {
            panic!("version {version} is answered, not refused");
        };
        assert_eq!(asked.refusal(), Some(ErrorCode::UnsupportedVersion));
        let body = encode(version, ApiVersionsResponse::refused(ErrorCode::UnsupportedVersion));
        assert_eq!(&body[..], b"\0\x23\0\0\0\x01\0\x12\0\0\0\x04", "error 35 and the range of key 18");
    }
}

#[test]
fn names_and_versions_of_clients_follow_the_pattern() {
    let refusal = |name: &'static str, version: &'static str| {
        let software = ClientSoftware {
            name: StrBytes::from_static_str(name),
            version: StrBytes::from_static_str(version),
        };
        ApiVersionsRequest { client_software: Some(software), unsupported_version: false }.refusal()
    };
    assert_eq!(refusal("apache-kafka-java", "4.1.0"), None);
    assert_eq!(refusal("a", "1"), None);
    for bad in ["", "-a", "a-", ".", "a b", "a_b", "ä", "a\n"] {
        assert_eq!(refusal(bad, "1"), Some(ErrorCode::InvalidRequest), "{bad:?}");
        assert_eq!(refusal("a", bad), Some(ErrorCode::InvalidRequest), "{bad:?}");
    }
    assert_eq!(ApiVersionsRequest::default().refusal(), None, "old versions say nothing");
}

#[test]
fn features_are_shown_as_far_as_the_client_can_read_them() {
    let newest = read(4, encode(4, with_features()));
    assert_eq!(newest.supported_features, with_features().supported_features);
    assert_eq!(newest.finalized_features, with_features().finalized_features[..1], "level 0 is not in force");
    assert_eq!(newest.finalized_features_epoch, 5);
    let older = read(3, encode(3, with_features()));
    assert_eq!(older.supported_features, with_features().supported_features[..1], "KAFKA-17011");
    let oldest = read(2, encode(2, with_features()));
    assert_eq!((oldest.supported_features.len(), oldest.finalized_features_epoch), (0, -1));
}
