//! Request frames as clients send them, `testdata/<api>_v<version>[_<client>].hex`: each decodes, and says the same
//! when it is encoded again. Those that name a client were captured from it by `compat-tests/capture.py`; `java-broker` are
//! what Kafka writes for requests between brokers.

use std::path::Path;

use bytes::{Bytes, BytesMut};
use wire::frame::{self, Next};
use wire::{EncodeError, Frame, Request, RequestHeader, call, request};

const FRAME_BYTES_MAX: usize = 1 << 20;

#[test]
fn frames_decode_and_round_trip() {
    let files = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata").read_dir().expect("testdata");
    let mut count = 0;
    for file in files {
        let path = file.expect("a directory entry").path();
        if path.extension().is_none_or(|extension| extension != "hex") {
            continue;
        }
        let name = path.file_stem().expect("a file").to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&path).expect("a readable file");
        check(&name, &unhex(&text));
        count += 1;
    }
    assert!(count >= 200, "{count} frames");
}

fn check(name: &str, bytes: &[u8]) {
    let mut buffer = BytesMut::from(bytes);
    let Ok(Next::Frame(whole)) = frame::next(&mut buffer, FRAME_BYTES_MAX) else {
        panic!("{name} is no frame")
    };
    assert!(buffer.is_empty(), "{name} is one frame");
    let (header, body) = RequestHeader::parse(whole).unwrap_or_else(|error| panic!("{name}: {error}"));
    let prefix = format!("{}_v{}", snake(header.api_key.spec().name), header.api_version);
    assert!(name == prefix || name.starts_with(&format!("{prefix}_")), "{name} holds {prefix}");
    let decoded = request::decode(&header, body.clone()).unwrap_or_else(|error| panic!("{name}: {error}"));
    if matches!(&decoded, Request::ApiVersions(request) if request.unsupported_version) {
        return; // Newer than the broker, which answers with what it speaks; the body was not read.
    }
    match encode(&header, &decoded) {
        Ok(again) if !means_all_topics(&header, &decoded) => {
            assert_eq!(parse_own(&again).1, body, "{name}");
        }
        // The newest shape can be one that the old version has no bytes for.
        Ok(_) | Err(_) => {
            let newest = RequestHeader { api_version: header.api_key.spec().max, ..header };
            let again = encode(&newest, &decoded).unwrap_or_else(|error| panic!("{name}: {error}"));
            let (newest, body) = parse_own(&again);
            assert_eq!(request::decode(&newest, body), Ok(decoded), "{name}");
        }
    }
}

/// Before version 1 an empty list asked for all topics; since then null does.
fn means_all_topics(header: &RequestHeader, request: &Request) -> bool {
    matches!(request, Request::Metadata(request) if header.api_version == 0 && request.topics.is_none())
}

fn parse_own(frame: &Frame) -> (RequestHeader, Bytes) {
    RequestHeader::parse(frame.to_bytes().slice(frame::LENGTH_PREFIX_BYTES..)).expect("our own header")
}

fn encode(header: &RequestHeader, request: &Request) -> Result<Frame, EncodeError> {
    match request {
        Request::Produce(request) => call::encode(header, request),
        Request::Fetch(request) => call::encode(header, request),
        Request::ApiVersions(request) => call::encode(header, request),
        Request::ListOffsets(request) => call::encode(header, &**request),
        Request::Metadata(request) => call::encode(header, &**request),
        Request::OffsetCommit(request) => call::encode(header, &**request),
        Request::OffsetFetch(request) => call::encode(header, &**request),
        Request::FindCoordinator(request) => call::encode(header, &**request),
        Request::JoinGroup(request) => call::encode(header, &**request),
        Request::Heartbeat(request) => call::encode(header, &**request),
        Request::LeaveGroup(request) => call::encode(header, &**request),
        Request::SyncGroup(request) => call::encode(header, &**request),
        Request::DescribeGroups(request) => call::encode(header, &**request),
        Request::ListGroups(request) => call::encode(header, &**request),
        Request::CreateTopics(request) => call::encode(header, &**request),
        Request::DeleteTopics(request) => call::encode(header, &**request),
        Request::DeleteRecords(request) => call::encode(header, &**request),
        Request::InitProducerId(request) => call::encode(header, &**request),
        Request::OffsetForLeaderEpoch(request) => call::encode(header, &**request),
        Request::DescribeAcls(request) => call::encode(header, &**request),
        Request::CreateAcls(request) => call::encode(header, &**request),
        Request::DeleteAcls(request) => call::encode(header, &**request),
        Request::DescribeConfigs(request) => call::encode(header, &**request),
        Request::AlterConfigs(request) => call::encode(header, &**request),
        Request::AlterReplicaLogDirs(request) => call::encode(header, &**request),
        Request::DescribeLogDirs(request) => call::encode(header, &**request),
        Request::CreatePartitions(request) => call::encode(header, &**request),
        Request::DeleteGroups(request) => call::encode(header, &**request),
        Request::ElectLeaders(request) => call::encode(header, &**request),
        Request::IncrementalAlterConfigs(request) => call::encode(header, &**request),
        Request::AlterPartitionReassignments(request) => call::encode(header, &**request),
        Request::ListPartitionReassignments(request) => call::encode(header, &**request),
        Request::OffsetDelete(request) => call::encode(header, &**request),
        Request::DescribeClientQuotas(request) => call::encode(header, &**request),
        Request::DescribeQuorum(request) => call::encode(header, &**request),
        Request::UpdateFeatures(request) => call::encode(header, &**request),
        Request::DescribeCluster(request) => call::encode(header, &**request),
        Request::DescribeProducers(request) => call::encode(header, &**request),
        Request::ConsumerGroupHeartbeat(request) => call::encode(header, &**request),
        Request::ConsumerGroupDescribe(request) => call::encode(header, &**request),
        Request::ListConfigResources(request) => call::encode(header, &**request),
        Request::DescribeTopicPartitions(request) => call::encode(header, &**request),
        Request::AddPartitionsToTxn(request) => call::encode(header, &**request),
        Request::AddOffsetsToTxn(request) => call::encode(header, &**request),
        Request::EndTxn(request) => call::encode(header, &**request),
        Request::WriteTxnMarkers(request) => call::encode(header, &**request),
        Request::TxnOffsetCommit(request) => call::encode(header, &**request),
        Request::DescribeTransactions(request) => call::encode(header, &**request),
        Request::ListTransactions(request) => call::encode(header, &**request),
        Request::Refused(answer) => panic!("a golden frame is refused: {answer:?}"),
    }
}

fn snake(name: &str) -> String {
    let mut out = String::new();
    for letter in name.chars() {
        if letter.is_ascii_uppercase() && !out.is_empty() {
            out.push('_');
        }
        out.push(letter.to_ascii_lowercase());
    }
    out
}

fn unhex(text: &str) -> Vec<u8> {
    let digits: Vec<u32> = text.chars().filter_map(|digit| digit.to_digit(16)).collect();
    digits.chunks(2).map(|pair| (pair[0] * 16 + pair[1]) as u8).collect()
}
