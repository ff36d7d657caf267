//! Hostile frames: no panic, and no more memory than a small multiple of what was received.

mod support;

use bytes::Bytes;
use peak_alloc::PeakAlloc;
use support::rows::ROWS;
use support::{Random, header};
use wire::{ApiKey, RequestHeader, api_table, request};

#[global_allocator]
static MEMORY: PeakAlloc = PeakAlloc;

/// What a decoder may take besides the announced multiple: error texts, first nodes of maps, the test's own harness.
const FREE_BYTES: usize = 64 * 1024;

/// Bytes that decoding takes at its peak, beyond the frame itself.
fn decode_cost(frame: Bytes) -> usize {
    MEMORY.reset_peak_usage();
    let before = MEMORY.current_usage();
    let outcome = RequestHeader::parse(frame).and_then(|(header, body)| request::decode(&header, body));
    let peak = MEMORY.peak_usage();
    drop(outcome);
    peak.saturating_sub(before)
}

fn check(frame: Vec<u8>, weight: usize, what: &str) {
    let length = frame.len();
    let cost = decode_cost(Bytes::from(frame));
    assert!(cost <= weight * length + FREE_BYTES, "{what}: {length} bytes cost {cost}");
}

/// One test, because the peak is one for the whole process.
#[test]
fn frames_cost_a_small_multiple_of_their_bytes() {
    tiny_frames();
    random_frames();
    mutated_frames();
    long_arrays_of_the_smallest_elements();
}

/// Every API and version, followed by the shortest bodies that announce the most.
fn tiny_frames() {
    for spec in api_table::served_apis() {
        for version in -1..=spec.max + 1 {
            for body in
                [&b"\x7f\xff\xff\xff"[..], b"\xff\xff\xff\xff\x0f", b"\0\0\0\0\x7f\xff\xff\xff", b"\xff"]
            {
                for zeroes in 0..12 {
                    let mut frame = frame_start(spec.key, version);
                    frame.extend(std::iter::repeat_n(0, zeroes));
                    frame.extend(body);
                    frame.extend([0; 8]);
                    check(frame, spec.memory_weight, spec.name);
                }
            }
        }
    }
}

fn random_frames() {
    let mut random = Random::new(1);
    for _ in 0..30_000 {
        let length = random.below(200);
        let mut frame: Vec<u8> = (0..length).map(|_| random.next() as u8).collect();
        if length >= 4 {
            // Mostly a served API in a version near its range, or nothing past the header would ever run.
            let row = random.below(api_table::API_TABLE.len());
            let spec = api_table::API_TABLE[row];
            let version = random.below(spec.max as usize + 2) as i16;
            frame[..2].copy_from_slice(&spec.key.code().to_be_bytes());
            frame[2..4].copy_from_slice(&version.to_be_bytes());
        }
        if length >= 10 {
            frame[8..10].copy_from_slice(&[0, 0]);
        }
        check(frame, 64, "random");
    }
}

fn mutated_frames() {
    let mut random = Random::new(2);
    for row in ROWS {
        let spec = row.api.spec();
        for version in spec.min..=spec.max {
            let mut whole = frame_start(row.api, version);
            whole.extend((row.request_body)(7, version));
            for _ in 0..60 {
                check(mutated(&whole, &mut random), spec.memory_weight, spec.name);
            }
        }
    }
}

fn mutated(whole: &[u8], random: &mut Random) -> Vec<u8> {
    let mut frame = whole.to_vec();
    for _ in 0..=random.below(3) {
        let at = 4 + random.below(frame.len() - 4);
        match random.below(4) {
            0 => frame[at] = random.next() as u8,
            1 => frame[at] = [0, 1, 0x7f, 0x80, 0xff][random.below(5)],
            2 => frame.truncate(at.max(5)),
            _ => {
                frame.splice(at..at, [0xff; 4]);
            }
        }
    }
    frame
}

/// The worst that is legal: as many of the smallest elements as fit.
fn long_arrays_of_the_smallest_elements() {
    const COUNT: usize = 9_000;
    // What stands before the array, and its smallest element.
    let arrays: &[(ApiKey, i16, &[u8], &[u8])] = &[
        (ApiKey::Produce, 9, &[0; 7], b"\x01\x01\0"),
        (ApiKey::Produce, 9, b"\0\0\0\0\0\0\0\x02\x01", b"\0\0\0\0\0\0"),
        (ApiKey::Fetch, 12, &[0; 25], b"\x01\x01\0"),
        (ApiKey::Fetch, 4, b"\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0\0", &[0; 16]),
        (ApiKey::ListOffsets, 6, &[0; 5], b"\x01\x01\0"),
        (ApiKey::Metadata, 0, b"", b"\0\0"),
        (ApiKey::Metadata, 9, b"", b"\x01\0"),
        (ApiKey::Metadata, 9, b"", b"\x01\x01\0\0"),
        (ApiKey::OffsetCommit, 8, b"\x01\0\0\0\0\x01\0", b"\x01\x01\0"),
        (ApiKey::OffsetCommit, 2, &[0; 16], &[0; 6]),
        (ApiKey::OffsetFetch, 6, b"\x01", b"\x01\x01\0"),
        (ApiKey::OffsetFetch, 1, b"\0\0", &[0; 6]),
        (ApiKey::OffsetFetch, 8, b"", b"\x01\x01\0"),
        (ApiKey::OffsetFetch, 8, b"\x02\x01", b"\x01\x01\0"),
        (ApiKey::FindCoordinator, 4, b"\0", b"\x01"),
        (ApiKey::JoinGroup, 6, b"\x01\0\0\0\0\0\0\0\0\x01\0\x01", b"\x01\x01\0"),
        (ApiKey::LeaveGroup, 4, b"\x01", b"\x01\0\0"),
        (ApiKey::SyncGroup, 4, b"\x01\0\0\0\0\x01\0", b"\x01\x01\0"),
        (ApiKey::DescribeGroups, 5, b"", b"\x01"),
        (ApiKey::ListGroups, 4, b"", b"\x01"),
        (ApiKey::CreateTopics, 5, b"", b"\x01\0\0\0\0\0\0\x01\x01\0"),
        (ApiKey::CreateTopics, 5, b"\x02\x01\0\0\0\0\0\0\x01", b"\x01\0\0"),
        (ApiKey::DeleteTopics, 4, b"", b"\x01"),
        (ApiKey::DeleteTopics, 1, b"", b"\0\0"),
        (ApiKey::DeleteRecords, 2, b"", b"\x01\x01\0"),
        (ApiKey::OffsetForLeaderEpoch, 4, &[0; 4], b"\x01\x01\0"),
        (ApiKey::AddPartitionsToTxn, 3, b"\x01\0\0\0\0\0\0\0\0\0\0", b"\x01\x01\0"),
        (ApiKey::AddPartitionsToTxn, 4, b"", b"\x01\0\0\0\0\0\0\0\0\0\0\0\x01\0"),
        (ApiKey::WriteTxnMarkers, 1, b"", b"\0\0\0\0\0\0\0\0\0\0\0\x01\0\0\0\0\0"),
        (ApiKey::WriteTxnMarkers, 1, b"\x02\0\0\0\0\0\0\0\0\0\0\0", b"\x01\x01\0"),
        (ApiKey::TxnOffsetCommit, 0, &[0; 14], &[0; 6]),
        (ApiKey::TxnOffsetCommit, 3, b"\x01\x01\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x01\0", b"\x01\x01\0"),
        (ApiKey::CreateAcls, 2, b"", b"\x02\x01\x03\x01\x01\x03\x03\0"),
        (ApiKey::DeleteAcls, 2, b"", b"\x01\0\x01\0\0\x01\x01\0"),
        (ApiKey::DescribeConfigs, 4, b"", b"\0\x01\0\0"),
        (ApiKey::DescribeConfigs, 4, b"\x02\0\x01", b"\x01"),
        (ApiKey::AlterConfigs, 2, b"", b"\0\x01\x01\0"),
        (ApiKey::AlterConfigs, 2, b"\x02\0\x01", b"\x01\0\0"),
        (ApiKey::AlterReplicaLogDirs, 2, b"", b"\x01\x01\0"),
        (ApiKey::DescribeLogDirs, 2, b"", b"\x01\x01\0"),
        (ApiKey::CreatePartitions, 2, b"", b"\x01\0\0\0\0\0\0"),
        (ApiKey::CreatePartitions, 2, b"\x02\x01\0\0\0\0", b"\x01\0"),
        (ApiKey::DeleteGroups, 2, b"", b"\x01"),
        (ApiKey::ElectLeaders, 2, b"\0", b"\x01\x01\0"),
        (ApiKey::IncrementalAlterConfigs, 1, b"", b"\0\x01\x01\0"),
        (ApiKey::IncrementalAlterConfigs, 1, b"\x02\0\x01", b"\x01\0\0\0"),
        (ApiKey::AlterPartitionReassignments, 0, &[0; 4], b"\x01\x01\0"),
        (ApiKey::AlterPartitionReassignments, 0, b"\0\0\0\0\x02\x01", b"\0\0\0\0\0\0"),
        (ApiKey::ListPartitionReassignments, 0, &[0; 4], b"\x01\x01\0"),
        (ApiKey::OffsetDelete, 0, b"\0\0", &[0; 6]),
        (ApiKey::DescribeClientQuotas, 1, b"", b"\x01\0\0\0"),
        (ApiKey::DescribeQuorum, 0, b"", b"\x01\x01\0"),
        (ApiKey::UpdateFeatures, 0, &[0; 4], b"\x01\0\0\0\0"),
        (ApiKey::DescribeProducers, 0, b"", b"\x01\x01\0"),
        (ApiKey::DescribeTransactions, 0, b"", b"\x01"),
        (ApiKey::ListTransactions, 0, b"", b"\x01"),
        (ApiKey::ConsumerGroupHeartbeat, 0, b"\x01\x01\0\0\0\0\0\0\0\0\0\0", b"\x01"),
        (ApiKey::ConsumerGroupDescribe, 0, b"", b"\x01"),
        (ApiKey::ListConfigResources, 1, b"", b"\0"),
        (ApiKey::DescribeTopicPartitions, 0, b"", b"\x01\0"),
    ];
    for &(api, version, before, element) in arrays {
        let mut frame = frame_start(api, version);
        frame.extend(before);
        if api.spec().is_flexible(version) {
            // 9,001 as a varint.
            frame.extend([0xa9, 0x46]);
        } else {
            frame.extend((COUNT as i32).to_be_bytes());
        }
        frame.extend(element.repeat(COUNT));
        // Ends open structures: no elements, no text, one unknown tagged field.
        frame.extend([u8::from(api.spec().is_flexible(version)); 24]);
        let decoded = RequestHeader::parse(Bytes::from(frame.clone()));
        let (header, body) = decoded.expect("a header");
        assert!(request::decode(&header, body).is_ok(), "{api} {version} is meant to be legal");
        check(frame, api.spec().memory_weight, api.spec().name);
    }
}

fn frame_start(api: ApiKey, version: i16) -> Vec<u8> {
    let header = header(api, version);
    let mut frame = Vec::new();
    frame.extend(api.code().to_be_bytes());
    frame.extend(version.to_be_bytes());
    frame.extend(header.correlation_id.to_be_bytes());
    frame.extend([0, 0]);
    if api.spec().request_header_version(version) >= 2 {
        frame.push(0);
    }
    frame
}
