//! The traps of the generated decoders, each against our own entry points.

use super::*;
use crate::api_table;
use crate::header::{ClientId, RequestHeader};
use crate::request;

fn decode(api_key: ApiKey, api_version: i16, body: &'static [u8]) -> Result<request::Request, DecodeError> {
    let header = RequestHeader { api_key, api_version, correlation_id: 0, client_id: ClientId::default() };
    request::decode(&header, Bytes::from_static(body))
}

fn reason(api: ApiKey, version: i16, body: &'static [u8]) -> BadBytes {
    match decode(api, version, body) {
        Err(DecodeError::Body { reason, .. }) => reason,
        other => panic!("{other:?}"),
    }
}

#[test]
fn every_served_api_is_bounded() {
    for spec in api_table::served_apis() {
        let own = matches!(spec.key, ApiKey::Produce | ApiKey::Fetch | ApiKey::ApiVersions);
        assert_eq!(schema_of(spec.key).is_some(), !own, "{}", spec.name);
    }
}

/// Eight bytes make the generated decoder reserve gigabytes, which aborts the process.
#[test]
fn announced_elements_must_be_backed_by_bytes() {
    let huge = |api, version| reason(api, version, b"\x7f\xff\xff\xff\0\0\0\0");
    let count = i32::MAX as usize;
    assert_eq!(
        huge(ApiKey::Metadata, 0),
        BadBytes::Elements { count, limit: 2 },
        "a name has two bytes or more"
    );
    assert_eq!(huge(ApiKey::CreateTopics, 2), BadBytes::Elements { count, limit: 0 });
    let huge = reason(ApiKey::Metadata, 12, b"\xff\xff\xff\xff\x07\0\0\0");
    assert_eq!(huge, BadBytes::Elements { count: i32::MAX as usize - 1, limit: 0 });
    let huge =
        reason(ApiKey::Fetch, 4, b"\xff\xff\xff\xff\0\0\0\0\0\0\0\0\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0");
    assert_eq!(huge, BadBytes::Elements { count, limit: 0 });
    let huge = reason(ApiKey::Produce, 3, b"\xff\xff\0\0\0\0\0\0\x7f\xff\xff\xff\0\0\0\0");
    assert_eq!(huge, BadBytes::Elements { count, limit: 0 });
}

#[test]
fn the_elements_of_all_arrays_count_together() {
    let partitions = 600_000;
    let mut body = b"\0\0\0\x02".to_vec();
    for _ in 0..2 {
        body.extend(b"\0\x01t");
        body.extend(i32::to_be_bytes(partitions));
        body.resize(body.len() + 4 * partitions as usize, 0);
    }
    body.extend([0; 4]);
    let whole = Bytes::from(body);
    let refused = check(ApiKey::ElectLeaders, 0, &whole).expect_err("1.2 million elements");
    let DecodeError::Body { reason, field, .. } = refused else { panic!("{refused:?}") };
    assert_eq!((reason, field), (BadBytes::Elements { count: 600_000, limit: 399_998 }, Some("partitions")));
}

#[test]
fn tagged_fields_are_limited() {
    let endless = reason(ApiKey::DescribeCluster, 0, b"\0\xff\xff\xff\xff\x0f\0\0");
    assert_eq!(endless, BadBytes::TaggedFields(u32::MAX as usize));
    let mut many = b"\0\x91\x4e".to_vec();
    many.resize(many.len() + 2 * 10_001, 0);
    let refused = check(ApiKey::DescribeCluster, 0, &many.into()).expect_err("10,001 fields");
    assert!(matches!(refused, DecodeError::Body { reason: BadBytes::TaggedFields(10_001), .. }));
    assert!(decode(ApiKey::DescribeCluster, 0, b"\0\x01\x63\x02xx").is_ok(), "an unknown field is legal");
    let long = reason(ApiKey::DescribeCluster, 0, b"\0\x01\x63\x7fxx");
    assert_eq!(long, BadBytes::Short { needed: 127, left: 2 });
}

#[test]
fn nulls_stand_only_where_the_version_has_them() {
    assert_eq!(reason(ApiKey::Metadata, 0, b"\xff\xff\xff\xff"), BadBytes::Null);
    assert!(decode(ApiKey::Metadata, 1, b"\xff\xff\xff\xff").is_ok());
    assert_eq!(reason(ApiKey::Metadata, 1, b"\0\0\0\x01\xff\xff"), BadBytes::Null, "a topic has a name");
    assert_eq!(reason(ApiKey::Metadata, 1, b"\0\0\0\x01\xff\xfe"), BadBytes::Null);
}

/// The generated decoders know null by one length only.
#[test]
fn every_negative_length_is_null() {
    let all = |version, body| decode(ApiKey::Metadata, version, body).unwrap();
    assert_eq!(all(1, b"\xff\xff\xff\xfe"), all(1, b"\xff\xff\xff\xff"));
    assert_eq!(all(1, b"\x80\0\0\0"), all(1, b"\xff\xff\xff\xff"));
    // A compact length counts one more: 0 is -1, and 2^32 - 1 is -2.
    assert_eq!(all(9, b"\xff\xff\xff\xff\x0f\0\0\0\0"), all(9, b"\0\0\0\0\0"));
    let id = |body| decode(ApiKey::InitProducerId, 1, body).unwrap();
    assert_eq!(id(b"\xff\xfe\0\0\0\x05"), id(b"\xff\xff\0\0\0\x05"));
    let cursor = |body| decode(ApiKey::DescribeTopicPartitions, 0, body).unwrap();
    assert_eq!(cursor(b"\x01\0\0\0\0\xfe\0"), cursor(b"\x01\0\0\0\0\xff\0"));
    let there = cursor(b"\x01\0\0\0\0\x02\x02t\0\0\0\x05\0\0");
    assert_eq!(there, cursor(b"\x01\0\0\0\0\x01\x02t\0\0\0\x05\0\0"));
}

#[test]
fn what_is_not_utf_8_is_replaced() {
    let topics = |version, body| decode(ApiKey::Metadata, version, body).unwrap();
    let replaced = topics(1, b"\0\0\0\x02\0\x03a\xffb\0\x01t");
    assert_eq!(replaced, topics(1, b"\0\0\0\x02\0\x05a\xef\xbf\xbdb\0\x01t"));
    let replaced = topics(9, b"\x02\x02\xff\x01\x63\0\x01\0\0\0");
    assert_eq!(replaced, topics(9, b"\x02\x04\xef\xbf\xbd\0\x01\0\0\0"), "and unknown tags go");
}

#[test]
fn what_is_replaced_is_limited() {
    let names = |count: i32| {
        let mut body = count.to_be_bytes().to_vec();
        for _ in 0..count {
            body.extend(i16::MAX.to_be_bytes());
            body.resize(body.len() + i16::MAX as usize, 0x80);
        }
        check(ApiKey::Metadata, 1, &body.into())
    };
    let refused = names(3).expect_err("98,301 bytes");
    assert!(matches!(refused, DecodeError::Body { reason: BadBytes::Utf8, .. }));
}

#[test]
fn strings_end_in_the_body_and_within_kafkas_limit() {
    let long = [&b"\x02\x81\x80\x02"[..], &vec![b'a'; 32_768], b"\0\0\0\0"].concat();
    let refused = check(ApiKey::Metadata, 9, &long.into()).expect_err("32,768 bytes");
    assert!(matches!(refused, DecodeError::Body { reason: BadBytes::Long(32_768), .. }));
    assert_eq!(
        reason(ApiKey::Metadata, 1, b"\0\0\0\x01\x7f\xffabc"),
        BadBytes::Short { needed: 32_767, left: 3 }
    );
}

#[test]
fn access_rules_of_unknown_kinds_are_refused() {
    assert!(decode(ApiKey::DescribeAcls, 1, b"\x02\xff\xff\x03\xff\xff\xff\xff\x03\x03").is_ok());
    let unknown = reason(ApiKey::DescribeAcls, 1, b"\0\xff\xff\x03\xff\xff\xff\xff\x03\x03");
    assert_eq!(unknown, BadBytes::UnknownKind);
    let create = b"\0\0\0\x01\x02\0\x01t\x03\0\x01u\0\x01*\0\x03";
    assert_eq!(reason(ApiKey::CreateAcls, 1, create), BadBytes::UnknownKind);
    let delete = b"\0\0\0\x01\x02\xff\xff\x03\xff\xff\xff\xff\x03\0";
    assert_eq!(reason(ApiKey::DeleteAcls, 1, delete), BadBytes::UnknownKind);
}

#[test]
fn errors_name_the_field() {
    let refused = decode(ApiKey::CreateTopics, 2, b"\0\0\0\x01\0\x01t\0\0\0\x01\0\x01\0\0\0\x05\0\0\0\0\0");
    let message = refused.expect_err("five assignments in no bytes").to_string();
    assert_eq!(
        message,
        "malformed CreateTopics version 2 at byte 17 in assignments: 5 elements are more than the 0 that can be here"
    );
}

/// The crate claims versions of requests that its structs do not decode.
#[test]
fn only_versions_of_the_table_are_decoded() {
    let claimed = [(ApiKey::InitProducerId, 6), (ApiKey::OffsetCommit, 10), (ApiKey::OffsetFetch, 10)];
    for (api, version) in claimed.into_iter().chain([(ApiKey::Produce, 2), (ApiKey::Fetch, 3)]) {
        assert_eq!(decode(api, version, b""), Err(DecodeError::UnsupportedVersion { api, version }));
    }
    for api in api_table::served_apis().filter(|spec| spec.key != ApiKey::ApiVersions) {
        for version in [api.min - 1, api.max + 1, -1, i16::MIN, i16::MAX] {
            let refused = decode(api.key, version, b"\0\0\0\0\0\0\0\0");
            assert_eq!(refused, Err(DecodeError::UnsupportedVersion { api: api.key, version }));
        }
    }
    assert_eq!(decode(ApiKey::Vote, 0, b""), Err(DecodeError::UnknownApi(52)));
}

#[test]
fn every_body_cut_short_is_refused() {
    let body: &[u8] = b"\0\0\0\x01\0\x01t\0\0\0\x01\0\x01\0\0\0\0\0\0\0\x01\0\x01k\0\x01v\0\0\0\x05\x01";
    assert!(decode(ApiKey::CreateTopics, 2, body).is_ok());
    for length in 0..body.len() {
        assert!(decode(ApiKey::CreateTopics, 2, &body[..length]).is_err(), "{length}");
    }
}
