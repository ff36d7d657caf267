//! Our codecs of Produce, Fetch and `ApiVersions` against the generated ones, which come from Kafka's own schemas:
//! both must write the same bytes, and each must read the other's.

mod support;

use bytes::{Buf, Bytes, BytesMut};
use kafka_protocol::messages as generated;
use kafka_protocol::protocol::{Decodable, Encodable};
use model::{BrokerId, ErrorCode, LeaderEpoch, Offset, ProducerId, TopicId};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use support::{header, reply_body};
use uuid::Uuid;
use wire::api_versions::{
    ApiVersion, ApiVersionsRequest, ApiVersionsResponse, ClientSoftware, FinalizedFeature, SupportedFeature,
};
use wire::call::{self, Call};
use wire::fetch::{
    AbortedTransaction, EpochEndOffset, FetchPartition, FetchPartitionResponse, FetchRequest, FetchResponse,
    FetchTopic, FetchTopicResponse, ForgottenTopic, SnapshotId,
};
use wire::produce::{
    LeaderIdAndEpoch, NodeEndpoint, ProducePartition, ProducePartitionResponse, ProduceRequest,
    ProduceResponse, ProduceTopic, ProduceTopicResponse, RecordError, TransactionSupport,
};
use wire::{ApiKey, Request, RequestHeader, Response, StrBytes, TopicRef, request, response};

fn text() -> impl Strategy<Value = StrBytes> + Clone {
    "[a-z.é]{0,12}".prop_map(StrBytes::from_string)
}

fn records() -> impl Strategy<Value = Bytes> {
    vec(any::<u8>(), 1..200).prop_map(Bytes::from)
}

fn topic(by_id: bool) -> BoxedStrategy<TopicRef> {
    if by_id {
        any::<u128>().prop_map(|id| TopicRef::Id(TopicId::new(Uuid::from_u128(id)))).boxed()
    } else {
        text().prop_map(TopicRef::Name).boxed()
    }
}

fn error() -> impl Strategy<Value = ErrorCode> {
    (-1i16..=133).prop_map(ErrorCode::from_code)
}

fn leader() -> impl Strategy<Value = LeaderIdAndEpoch> {
    (0i32..9, 0i32..9).prop_map(|(id, epoch)| LeaderIdAndEpoch {
        leader_id: BrokerId::new(id),
        leader_epoch: LeaderEpoch::new(epoch),
    })
}

fn endpoints() -> impl Strategy<Value = Vec<NodeEndpoint>> {
    vec((any::<i32>(), text(), any::<i32>(), option::of(text())), 0..3).prop_map(|nodes| {
        let node = |(id, host, port, rack)| NodeEndpoint { node_id: BrokerId::new(id), host, port, rack };
        nodes.into_iter().map(node).collect()
    })
}

fn produce_request(version: i16) -> impl Strategy<Value = ProduceRequest> {
    let partition = (any::<i32>(), option::of(records()))
        .prop_map(|(partition, records)| ProducePartition { partition, records });
    let topics = (topic(version >= 13), vec(partition, 0..3))
        .prop_map(|(topic, partitions)| ProduceTopic { topic, partitions });
    (option::of(text()), any::<i16>(), any::<i32>(), vec(topics, 0..3)).prop_map(
        move |(transactional_id, acks, timeout_ms, topics)| ProduceRequest {
            transactional_id,
            acks,
            timeout_ms,
            topics,
            zstd_allowed: version >= 7,
            transaction_support: match version {
                ..=10 => TransactionSupport::Classic,
                11 => TransactionSupport::AbortableError,
                _ => TransactionSupport::AddsPartitions,
            },
        },
    )
}

/// In the shape that `version` can say, so that it comes back whole.
fn produce_response(version: i16) -> impl Strategy<Value = ProduceResponse> {
    let errors = vec((any::<i32>(), option::of(text())), 0..3);
    let partition = (
        (any::<i32>(), error(), any::<i64>(), any::<i64>(), any::<i64>()),
        (errors, option::of(text()), option::of(leader())),
    )
        .prop_map(move |((partition, error, base, time, start), (errors, message, leader))| {
            let mut response = ProducePartitionResponse::refused(partition, error);
            response.base_offset = Offset::new(base);
            response.log_append_time_ms = time;
            if version >= 5 {
                response.log_start_offset = Offset::new(start);
            }
            if version >= 8 {
                let error = |(batch_index, message)| RecordError { batch_index, message };
                response.record_errors = errors.into_iter().map(error).collect();
                response.error_message = message;
            }
            response.current_leader = leader.filter(|_| version >= 10);
            response
        });
    let topics = (topic(version >= 13), vec(partition, 0..3))
        .prop_map(|(topic, partitions)| ProduceTopicResponse { topic, partitions });
    (vec(topics, 0..3), any::<i32>(), endpoints()).prop_map(move |(topics, throttle_time_ms, nodes)| {
        let node_endpoints = if version >= 10 { nodes } else { Vec::new() };
        ProduceResponse { topics, throttle_time_ms, node_endpoints }
    })
}

fn fetch_request(version: i16) -> impl Strategy<Value = FetchRequest> {
    let partition =
        (any::<[i32; 4]>(), any::<[i64; 3]>(), any::<u128>()).prop_map(move |(small, large, id)| {
            let mut partition = FetchPartition::new(small[0], Offset::new(large[0]), small[1]);
            if version >= 5 {
                partition.log_start_offset = Offset::new(large[1]);
            }
            if version >= 9 {
                partition.current_leader_epoch = LeaderEpoch::new(small[2]);
            }
            if version >= 12 {
                partition.last_fetched_epoch = LeaderEpoch::new(small[3]);
            }
            if version >= 17 {
                partition.replica_directory_id = Uuid::from_u128(id);
            }
            if version >= 18 {
                partition.high_watermark = large[2];
            }
            partition
        });
    let topics = (topic(version >= 13), vec(partition, 0..3))
        .prop_map(|(topic, partitions)| FetchTopic { topic, partitions });
    let forgotten = (topic(version >= 13), vec(any::<i32>(), 0..3))
        .prop_map(|(topic, partitions)| ForgottenTopic { topic, partitions });
    let numbers = (any::<[i32; 6]>(), any::<i64>(), any::<i8>());
    (numbers, vec(topics, 0..3), vec(forgotten, 0..3), text(), option::of(text())).prop_map(
        move |((small, epoch, isolation_level), topics, forgotten, rack, cluster_id)| {
            let mut request = FetchRequest {
                replica_id: BrokerId::new(small[0]),
                max_wait_ms: small[1],
                min_bytes: small[2],
                max_bytes: small[3],
                isolation_level,
                topics,
                wants_topic_ids: version >= 13,
                accepts_preferred_replica: version >= 11,
                accepts_leader: version >= 16,
                ..FetchRequest::default()
            };
            if version >= 7 {
                request.session_id = small[4];
                request.session_epoch = small[5];
                request.forgotten_topics = forgotten;
            }
            if version >= 11 {
                request.rack_id = rack;
            }
            if version >= 12 {
                request.cluster_id = cluster_id;
            }
            if version >= 15 {
                request.replica_epoch = epoch;
            }
            request
        },
    )
}

fn fetch_response(version: i16) -> impl Strategy<Value = FetchResponse> {
    let aborted = vec(any::<[i64; 2]>(), 0..3).prop_map(|all| {
        let one = |[producer, first]: [i64; 2]| AbortedTransaction {
            producer_id: ProducerId::new(producer),
            first_offset: Offset::new(first),
        };
        all.into_iter().map(one).collect::<Vec<_>>()
    });
    let epochs = (option::of(0i32..9), option::of(leader()), option::of(0i32..9));
    let partition = (
        (any::<i32>(), error(), any::<[i64; 3]>(), any::<i32>()),
        (epochs, option::of(aborted), option::of(records())),
    )
        .prop_map(
            move |(
                (partition, error, large, preferred),
                ((diverging, leader, snapshot), aborted, records),
            )| {
                let mut response = FetchPartitionResponse::refused(partition, error);
                if version < 6 && error == ErrorCode::KafkaStorageError {
                    response.error = ErrorCode::NotLeaderOrFollower;
                }
                response.high_watermark = Offset::new(large[0]);
                response.last_stable_offset = Offset::new(large[1]);
                if version >= 5 {
                    response.log_start_offset = Offset::new(large[2]);
                }
                if version >= 11 {
                    response.preferred_read_replica = BrokerId::new(preferred);
                }
                if version >= 12 {
                    let (end_offset, leader_epoch) = (Offset::new(7), LeaderEpoch::new);
                    response.diverging_epoch =
                        diverging.map(|epoch| EpochEndOffset { epoch: leader_epoch(epoch), end_offset });
                    response.current_leader = leader;
                    response.snapshot_id =
                        snapshot.map(|epoch| SnapshotId { end_offset, epoch: leader_epoch(epoch) });
                }
                response.aborted_transactions = aborted;
                response.records = records.into_iter().collect();
                response
            },
        );
    let topics = (topic(version >= 13), vec(partition, 0..3))
        .prop_map(|(topic, partitions)| FetchTopicResponse { topic, partitions });
    (vec(topics, 0..3), any::<[i32; 2]>(), error(), endpoints()).prop_map(
        move |(topics, small, error, nodes)| {
            let mut response = FetchResponse::refused(ErrorCode::None);
            response.throttle_time_ms = small[0];
            response.topics = topics;
            if version >= 7 {
                response.session_id = small[1];
                response.error = error;
            }
            if version >= 16 {
                response.node_endpoints = nodes;
            }
            response
        },
    )
}

fn api_versions_response(version: i16) -> impl Strategy<Value = ApiVersionsResponse> {
    let api = any::<[i16; 3]>().prop_map(|[api_key, min_version, max_version]| ApiVersion {
        api_key,
        min_version,
        max_version,
    });
    let level = (text(), 1i16..9, 1i16..9);
    (error(), vec(api, 0..4), any::<i32>(), vec(level.clone(), 0..3), -1i64..9, vec(level, 0..3)).prop_map(
        move |(error, api_keys, throttle, supported, epoch, finalized)| {
            let mut response = ApiVersionsResponse { api_keys, ..ApiVersionsResponse::refused(error) };
            if version >= 1 {
                response.throttle_time_ms = throttle;
            }
            if version >= 3 {
                let feature =
                    |(name, min_version, max_version)| SupportedFeature { name, min_version, max_version };
                response.supported_features = supported.into_iter().map(feature).collect();
                response.finalized_features_epoch = epoch;
                let feature = |(name, max_version_level, min_version_level)| FinalizedFeature {
                    name,
                    max_version_level,
                    min_version_level,
                };
                response.finalized_features = finalized.into_iter().map(feature).collect();
            }
            response
        },
    )
}

/// The body that the generated code reads from `body` and writes again.
fn through_generated<T: Encodable + Decodable>(body: &Bytes, version: i16) -> Bytes {
    let mut left = body.clone();
    let value = T::decode(&mut left, version).expect("the generated decoder reads ours");
    assert!(left.is_empty(), "{} bytes are left over", left.len());
    let mut out = BytesMut::new();
    value.encode(&mut out, version).expect("the generated encoder writes what it read");
    out.freeze()
}

/// Encodes as a client, compares with the generated code, and decodes as the broker does.
fn request_round_trip<C: Call, G: Encodable + Decodable>(call: &C, header: &RequestHeader) -> Request {
    let mut frame = call::encode(header, call).expect("a request of this version").to_bytes();
    assert_eq!(frame.get_i32() as usize, frame.len(), "length prefix");
    let (parsed, body) = RequestHeader::parse(frame).expect("our own header");
    assert_eq!(parsed, *header);
    assert_eq!(through_generated::<G>(&body, header.api_version), body);
    request::decode(&parsed, body).expect("our own request")
}

/// Encodes as the broker, compares with the generated code, and decodes as a client does.
fn response_round_trip<C: Call, G: Encodable + Decodable>(
    response: Response,
    header: &RequestHeader,
) -> C::Response {
    let reply = response::encode(header, response).expect("a response of this version");
    assert!(reply.segments().iter().all(|segment| !segment.is_empty()));
    let body = reply_body(&reply, header);
    assert_eq!(through_generated::<G>(&body, header.api_version), body);
    let mut frame = reply.to_bytes();
    frame.advance(4);
    let (correlation_id, response) = call::decode::<C>(frame, header.api_version).expect("our own response");
    assert_eq!(correlation_id, header.correlation_id);
    response
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn produce_requests((version, request) in (3i16..=13).prop_flat_map(|v| (Just(v), produce_request(v)))) {
        let header = header(ApiKey::Produce, version);
        let decoded = request_round_trip::<_, generated::ProduceRequest>(&request, &header);
        prop_assert_eq!(decoded, Request::Produce(request));
    }

    #[test]
    fn produce_responses((version, response) in (3i16..=13).prop_flat_map(|v| (Just(v), produce_response(v)))) {
        let header = header(ApiKey::Produce, version);
        let sent = Response::Produce(response.clone());
        let read = response_round_trip::<ProduceRequest, generated::ProduceResponse>(sent, &header);
        prop_assert_eq!(read, response);
    }

    #[test]
    fn fetch_requests((version, request) in (4i16..=18).prop_flat_map(|v| (Just(v), fetch_request(v)))) {
        let header = header(ApiKey::Fetch, version);
        let decoded = request_round_trip::<_, generated::FetchRequest>(&request, &header);
        prop_assert_eq!(decoded, Request::Fetch(request));
    }

    #[test]
    fn fetch_responses((version, response) in (4i16..=18).prop_flat_map(|v| (Just(v), fetch_response(v)))) {
        let header = header(ApiKey::Fetch, version);
        let sent = Response::Fetch(response.clone());
        let read = response_round_trip::<FetchRequest, generated::FetchResponse>(sent, &header);
        prop_assert_eq!(read, response);
    }

    #[test]
    fn api_versions_responses((version, response) in (0i16..=4).prop_flat_map(|v| (Just(v), api_versions_response(v)))) {
        let header = header(ApiKey::ApiVersions, version);
        let sent = Response::ApiVersions(response.clone());
        let read = response_round_trip::<ApiVersionsRequest, generated::ApiVersionsResponse>(sent, &header);
        prop_assert_eq!(read, response);
    }

    #[test]
    fn api_versions_requests(version in 0i16..=4, name in text(), software in text()) {
        let header = header(ApiKey::ApiVersions, version);
        let request = ApiVersionsRequest {
            client_software: (version >= 3).then_some(ClientSoftware { name, version: software }),
            unsupported_version: false,
        };
        let decoded = request_round_trip::<_, generated::ApiVersionsRequest>(&request, &header);
        prop_assert_eq!(decoded, Request::ApiVersions(request));
    }
}

/// The newest fields, in a version that has none of them.
#[test]
fn old_versions_leave_out_what_they_lack() {
    let mut partition = ProducePartitionResponse::refused(1, ErrorCode::NotLeaderOrFollower);
    partition.log_start_offset = Offset::new(5);
    partition.record_errors = vec![RecordError { batch_index: 0, message: None }];
    partition.error_message = Some(StrBytes::from_static_str("why"));
    let leader = LeaderIdAndEpoch { leader_id: BrokerId::new(1), leader_epoch: LeaderEpoch::new(2) };
    partition.current_leader = Some(leader);
    let topic = TopicRef::Name(StrBytes::from_static_str("t"));
    let endpoint =
        NodeEndpoint { node_id: BrokerId::new(1), host: StrBytes::from_static_str("h"), port: 1, rack: None };
    let response = ProduceResponse {
        topics: vec![ProduceTopicResponse { topic: topic.clone(), partitions: vec![partition] }],
        throttle_time_ms: 0,
        node_endpoints: vec![endpoint.clone()],
    };
    let old = header(ApiKey::Produce, 3);
    let read =
        response_round_trip::<ProduceRequest, generated::ProduceResponse>(Response::Produce(response), &old);
    let refused = ProducePartitionResponse::refused(1, ErrorCode::NotLeaderOrFollower);
    assert_eq!(read.topics[0].partitions, [refused]);

    let mut partition = FetchPartitionResponse::refused(1, ErrorCode::KafkaStorageError);
    partition.log_start_offset = Offset::new(5);
    partition.current_leader = Some(leader);
    partition.preferred_read_replica = BrokerId::new(3);
    let response = FetchResponse {
        session_id: 9,
        topics: vec![FetchTopicResponse { topic, partitions: vec![partition] }],
        node_endpoints: vec![endpoint],
        ..FetchResponse::refused(ErrorCode::InvalidRequest)
    };
    let old = header(ApiKey::Fetch, 4);
    let read = response_round_trip::<FetchRequest, generated::FetchResponse>(Response::Fetch(response), &old);
    let refused = FetchPartitionResponse::refused(1, ErrorCode::NotLeaderOrFollower);
    assert_eq!((read.session_id, &read.topics[0].partitions[..]), (0, &[refused][..]));
}

/// What goes to the disk and what comes from it is never copied here.
#[test]
fn records_are_slices_of_the_frame_and_segments_of_the_reply() {
    let batch = Bytes::from(vec![7; 5000]);
    let partition = ProducePartition { partition: 0, records: Some(batch.clone()) };
    let topic = TopicRef::Name(StrBytes::from_static_str("t"));
    let request = ProduceRequest {
        transactional_id: None,
        acks: -1,
        timeout_ms: 1000,
        topics: vec![ProduceTopic { topic: topic.clone(), partitions: vec![partition] }],
        zstd_allowed: true,
        transaction_support: TransactionSupport::Classic,
    };
    let header = header(ApiKey::Produce, 9);
    let frame = call::encode(&header, &request).expect("a request");
    assert!(
        frame.segments().iter().any(|segment| segment.as_ptr() == batch.as_ptr()),
        "the client copies nothing"
    );
    let frame = frame.to_bytes().slice(4..);
    let (header, body) = RequestHeader::parse(frame.clone()).expect("header");
    let Ok(Request::Produce(decoded)) = request::decode(&header, body) else { panic!("a Produce request") };
    let records = decoded.topics[0].partitions[0].records.clone().expect("records");
    assert!(frame.as_ptr_range().contains(&records.as_ptr()), "the broker copies nothing");

    let mut partition = FetchPartitionResponse::refused(0, ErrorCode::None);
    let pieces = [batch.slice(..2000), batch.slice(2000..)];
    partition.records = pieces.to_vec();
    let response = FetchResponse {
        topics: vec![FetchTopicResponse { topic, partitions: vec![partition] }],
        ..FetchResponse::refused(ErrorCode::None)
    };
    let reply =
        response::encode(&support::header(ApiKey::Fetch, 12), Response::Fetch(response)).expect("a reply");
    let segments: Vec<_> = reply.segments().iter().map(|segment| segment.as_ptr()).collect();
    assert_eq!(segments.len(), 4, "what is before the records, their two pieces, and what is after");
    assert_eq!(segments[1..3], pieces.each_ref().map(|piece| piece.as_ptr()));
}

#[test]
fn a_gap_stands_where_the_records_would() {
    let batch = Bytes::from(vec![7; 5000]);
    for version in ApiKey::Fetch.spec().min..=ApiKey::Fetch.spec().max {
        let topic = if version >= 13 {
            TopicRef::Id(TopicId::ZERO)
        } else {
            TopicRef::Name(StrBytes::from_static_str("t"))
        };
        let whole = |pieces: usize, elsewhere: bool| {
            let mut partition = FetchPartitionResponse::refused(0, ErrorCode::None);
            partition.records = vec![batch.clone(); pieces];
            partition.records_elsewhere = if elsewhere { batch.len() } else { 0 };
            let partitions =
                vec![partition.clone(), FetchPartitionResponse::refused(1, ErrorCode::None), partition];
            let topics = vec![FetchTopicResponse { topic: topic.clone(), partitions }];
            let response = FetchResponse { topics, ..FetchResponse::refused(ErrorCode::None) };
            response::encode(&header(ApiKey::Fetch, version), Response::Fetch(response)).expect("a reply")
        };
        for pieces in [0, 1] {
            let held = whole(pieces + 1, false);
            let with_gaps = whole(pieces, true);
            assert_eq!(with_gaps.len(), held.len());
            let (mut segments, gaps) = with_gaps.into_parts();
            assert_eq!(gaps.iter().map(|gap| gap.len).collect::<Vec<_>>(), [batch.len(); 2]);
            for gap in gaps.iter().rev() {
                segments.insert(gap.before, batch.clone());
            }
            assert_eq!(
                segments.concat(),
                held.to_bytes(),
                "version {version}, {pieces} pieces before the gap"
            );
        }
    }
}

#[test]
fn a_topic_reference_must_fit_the_version() {
    let topic = TopicRef::Id(TopicId::ZERO);
    let response = ProduceResponse {
        topics: vec![ProduceTopicResponse { topic, partitions: Vec::new() }],
        ..ProduceResponse::default()
    };
    let encoded = response::encode(&header(ApiKey::Produce, 12), Response::Produce(response));
    assert!(matches!(encoded, Err(wire::EncodeError::TopicRef { version: 12, wanted: "name" })));
}
