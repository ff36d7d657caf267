//! What handlers see of old requests, and what old clients see of responses.

mod support;

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::delete_topics_response::DeletableTopicResult;
use kafka_protocol::messages::describe_cluster_response::DescribeClusterBroker;
use kafka_protocol::messages::find_coordinator_response::Coordinator;
use kafka_protocol::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use kafka_protocol::messages::metadata_request::MetadataRequestTopic;
use kafka_protocol::messages::metadata_response::{MetadataResponsePartition, MetadataResponseTopic};
use kafka_protocol::messages::update_features_request::FeatureUpdateKey;
use kafka_protocol::messages::{
    AlterPartitionReassignmentsRequest, BrokerId, DeleteTopicsRequest, DeleteTopicsResponse,
    DescribeClusterResponse, ElectLeadersRequest, ElectLeadersResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, InitProducerIdResponse, ListConfigResourcesRequest, ListOffsetsRequest,
    MetadataRequest, MetadataResponse, OffsetForLeaderEpochRequest, TopicName, UpdateFeaturesRequest,
};
use kafka_protocol::protocol::{Decodable, Encodable};
use model::ErrorCode;
use support::{header, reply_body};
use uuid::Uuid;
use wire::compat::list_offsets::UNSUPPORTED_TIMESTAMP;
use wire::{ApiKey, Request, Response, StrBytes, request, response};

fn encoded<T: Encodable>(value: &T, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    value.encode(&mut out, version).expect("a value of this version");
    out.freeze()
}

/// What a handler gets when a client sends `value` in this version.
fn arrives<T: Encodable>(api: ApiKey, version: i16, value: &T) -> Request {
    request::decode(&header(api, version), encoded(value, version)).expect("decodes")
}

/// What a client of this version reads when a handler answers `value`.
fn reads<T: Decodable>(version: i16, value: Response) -> T {
    let header = header(value.api_key(), version);
    let reply = response::encode(&header, value).expect("encodes");
    T::decode(&mut reply_body(&reply, &header), version).expect("decodes")
}

fn name(text: &'static str) -> TopicName {
    TopicName(StrBytes::from_static_str(text))
}

#[test]
fn metadata_of_all_topics() {
    let topics = |version, topics: Option<Vec<MetadataRequestTopic>>| {
        let request = MetadataRequest::default().with_topics(topics);
        let Request::Metadata(request) = arrives(ApiKey::Metadata, version, &request) else {
            panic!("Metadata")
        };
        (request.topics.map(|topics| topics.len()), request.allow_auto_topic_creation)
    };
    assert_eq!(topics(0, Some(Vec::new())), (None, true), "no topics were all topics once");
    assert_eq!(topics(1, Some(Vec::new())), (Some(0), true));
    assert_eq!(topics(1, None), (None, true));
    assert_eq!(topics(13, None), (None, true));
}

#[test]
fn metadata_by_id_before_its_time_is_refused() {
    let by_id = MetadataRequestTopic::default().with_topic_id(Uuid::from_u128(7)).with_name(None);
    let request = MetadataRequest::default().with_topics(Some(vec![by_id]));
    assert!(matches!(arrives(ApiKey::Metadata, 12, &request), Request::Metadata(_)));
    for version in [10, 11] {
        let Request::Refused(refusal) = arrives(ApiKey::Metadata, version, &request) else {
            panic!("{version}")
        };
        let read: MetadataResponse = reads(version, *refusal);
        assert_eq!(read.topics[0].error_code, ErrorCode::InvalidRequest.code());
        assert_eq!((read.topics[0].topic_id, &read.topics[0].name), (Uuid::from_u128(7), &Some(name(""))));
    }
}

#[test]
fn metadata_errors_that_old_clients_cannot_read() {
    let partition = MetadataResponsePartition::default()
        .with_error_code(ErrorCode::ListenerNotFound.code())
        .with_replica_nodes(vec![BrokerId(1), BrokerId(2)])
        .with_isr_nodes(vec![BrokerId(1), BrokerId(2)])
        .with_offline_replicas(vec![BrokerId(2)]);
    let healthy = partition.clone().with_error_code(0);
    let topic = MetadataResponseTopic::default()
        .with_name(Some(name("t")))
        .with_topic_authorized_operations(5)
        .with_partitions(vec![partition, healthy]);
    let whole = MetadataResponse::default().with_topics(vec![topic]).with_cluster_authorized_operations(9);
    let read = |version| -> MetadataResponse { reads(version, Response::Metadata(Box::new(whole.clone()))) };
    let errors =
        |version| read(version).topics[0].partitions.iter().map(|p| p.error_code).collect::<Vec<_>>();
    assert_eq!(errors(6), [ErrorCode::ListenerNotFound.code(), 0]);
    assert_eq!(errors(5), [ErrorCode::LeaderNotAvailable.code(), 0]);
    assert_eq!(errors(0), [ErrorCode::LeaderNotAvailable.code(), ErrorCode::ReplicaNotAvailable.code()]);
    assert_eq!(read(0).topics[0].partitions[1].isr_nodes, [BrokerId(1)]);
    assert_eq!(read(1).topics[0].partitions[1].isr_nodes, [BrokerId(1), BrokerId(2)]);
    let operations = |version| read(version).cluster_authorized_operations;
    assert_eq!([operations(7), operations(8), operations(10), operations(11)], [i32::MIN, 9, 9, i32::MIN]);
    assert_eq!(read(13).topics[0].topic_authorized_operations, 5);
}

#[test]
fn find_coordinator_has_one_key_or_many() {
    let old = FindCoordinatorRequest::default().with_key(StrBytes::from_static_str("g"));
    let Request::FindCoordinator(request) = arrives(ApiKey::FindCoordinator, 3, &old) else { panic!("v3") };
    assert_eq!((&*request.coordinator_keys, &*request.key), (&[StrBytes::from_static_str("g")][..], ""));

    let found = Coordinator::default()
        .with_key(StrBytes::from_static_str("g"))
        .with_node_id(BrokerId(1))
        .with_host(StrBytes::from_static_str("h"))
        .with_port(9092);
    let answer = Response::FindCoordinator(Box::new(
        FindCoordinatorResponse::default().with_coordinators(vec![found.clone()]),
    ));
    let read: FindCoordinatorResponse = reads(3, answer.clone());
    assert_eq!((read.node_id, &*read.host, read.port, read.coordinators.len()), (BrokerId(1), "h", 9092, 0));
    assert_eq!(read.error_message.as_deref(), Some("NONE"));
    let read: FindCoordinatorResponse = reads(4, answer);
    assert_eq!(read.coordinators, [found]);
}

#[test]
fn share_coordinators_are_refused_before_their_time() {
    let keys = vec![StrBytes::from_static_str("g:t:0")];
    let asked = FindCoordinatorRequest::default().with_key_type(2).with_coordinator_keys(keys);
    assert!(matches!(arrives(ApiKey::FindCoordinator, 6, &asked), Request::FindCoordinator(_)));
    let Request::Refused(refusal) = arrives(ApiKey::FindCoordinator, 5, &asked) else { panic!("v5") };
    let read: FindCoordinatorResponse = reads(5, *refusal);
    assert_eq!(read.coordinators[0].error_code, ErrorCode::InvalidRequest.code());
    assert_eq!((&*read.coordinators[0].key, read.coordinators[0].port), ("g:t:0", -1));
}

#[test]
fn special_timestamps_came_one_by_one() {
    let arrives_as = |version, timestamp| {
        let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
        let topic = ListOffsetsTopic::default().with_partitions(vec![partition]);
        let asked = ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(vec![topic]);
        let Request::ListOffsets(request) = arrives(ApiKey::ListOffsets, version, &asked) else {
            panic!("v1")
        };
        request.topics[0].partitions[0].timestamp
    };
    for (timestamp, from) in [(-1, 1), (-2, 1), (-3, 7), (-4, 8), (-5, 9)] {
        for version in 1..=10 {
            let wanted = if version < from { UNSUPPORTED_TIMESTAMP } else { timestamp };
            assert_eq!(arrives_as(version, timestamp), wanted, "{timestamp} in version {version}");
        }
    }
    assert_eq!((arrives_as(10, -6), arrives_as(1, 0)), (UNSUPPORTED_TIMESTAMP, 0));
}

#[test]
fn delete_topics_by_name_or_id() {
    let old = DeleteTopicsRequest::default().with_topic_names(vec![name("a"), name("b")]);
    let Request::DeleteTopics(request) = arrives(ApiKey::DeleteTopics, 5, &old) else { panic!("v5") };
    let topics: Vec<_> = request.topics.iter().map(|topic| topic.name.clone()).collect();
    assert_eq!((topics, request.topic_names.len()), (vec![Some(name("a")), Some(name("b"))], 0));

    let result = DeletableTopicResult::default()
        .with_name(None)
        .with_topic_id(Uuid::from_u128(1))
        .with_error_code(ErrorCode::TopicDeletionDisabled.code())
        .with_error_message(Some(StrBytes::from_static_str("why")));
    let answer = DeleteTopicsResponse::default().with_responses(vec![result]);
    let read = |version| -> DeleteTopicsResponse {
        reads(version, Response::DeleteTopics(Box::new(answer.clone())))
    };
    assert_eq!(read(6).responses, answer.responses);
    assert_eq!(
        (&read(5).responses[0].name, &read(5).responses[0].error_message.is_some()),
        (&Some(name("")), &true)
    );
    assert_eq!(read(3).responses[0].error_code, ErrorCode::TopicDeletionDisabled.code());
    assert_eq!(read(2).responses[0].error_code, ErrorCode::InvalidRequest.code());
}

#[test]
fn defaults_of_fields_that_old_versions_lack() {
    let asked = AlterPartitionReassignmentsRequest::default();
    let Request::AlterPartitionReassignments(request) =
        arrives(ApiKey::AlterPartitionReassignments, 0, &asked)
    else {
        panic!("v0")
    };
    assert!(request.allow_replication_factor_change);
    let asked = OffsetForLeaderEpochRequest::default();
    let Request::OffsetForLeaderEpoch(request) = arrives(ApiKey::OffsetForLeaderEpoch, 2, &asked) else {
        panic!("v2")
    };
    assert_eq!(request.replica_id, BrokerId(-2));
    let Request::ElectLeaders(request) = arrives(ApiKey::ElectLeaders, 0, &ElectLeadersRequest::default())
    else {
        panic!("v0")
    };
    assert_eq!(request.election_type, 0, "preferred");
    let asked = ListConfigResourcesRequest::default();
    let types = |version| match arrives(ApiKey::ListConfigResources, version, &asked) {
        Request::ListConfigResources(request) => request.resource_types,
        other => panic!("{other:?}"),
    };
    assert_eq!((types(0), types(1)), (vec![16], vec![]));
}

#[test]
fn update_features_from_a_flag() {
    let update_type = |allow_downgrade| {
        let update = FeatureUpdateKey::default().with_allow_downgrade(allow_downgrade);
        let asked = UpdateFeaturesRequest::default().with_feature_updates(vec![update]);
        match arrives(ApiKey::UpdateFeatures, 0, &asked) {
            Request::UpdateFeatures(request) => request.feature_updates[0].upgrade_type,
            other => panic!("{other:?}"),
        }
    };
    assert_eq!((update_type(false), update_type(true)), (1, 1), "the flag allows nothing");
}

#[test]
fn answers_that_old_versions_cannot_say() {
    let fenced = InitProducerIdResponse::default().with_error_code(ErrorCode::ProducerFenced.code());
    let error = |version| {
        reads::<InitProducerIdResponse>(version, Response::InitProducerId(Box::new(fenced.clone())))
            .error_code
    };
    assert_eq!(
        (error(3), error(4)),
        (ErrorCode::InvalidProducerEpoch.code(), ErrorCode::ProducerFenced.code())
    );
    let refused = ElectLeadersResponse::default().with_error_code(1);
    let error = |version| {
        reads::<ElectLeadersResponse>(version, Response::ElectLeaders(Box::new(refused.clone()))).error_code
    };
    assert_eq!((error(0), error(1)), (0, 1));
    let brokers = [false, true].map(|fenced| DescribeClusterBroker::default().with_is_fenced(fenced));
    let cluster = DescribeClusterResponse::default().with_brokers(brokers.to_vec());
    let count = |version| {
        reads::<DescribeClusterResponse>(version, Response::DescribeCluster(Box::new(cluster.clone())))
            .brokers
            .len()
    };
    assert_eq!((count(1), count(2)), (1, 2));
}

#[test]
fn a_response_answers_its_own_api() {
    let answer = Response::ElectLeaders(Box::default());
    let refused = response::encode(&header(ApiKey::Metadata, 1), answer).expect_err("another API");
    assert_eq!(refused.to_string(), "API 43 does not go with a header of API 3");
}

#[test]
fn one_group_becomes_many_and_back() {
    use kafka_protocol::messages::offset_fetch_response::{
        OffsetFetchResponseGroup, OffsetFetchResponsePartitions, OffsetFetchResponseTopics,
    };
    use kafka_protocol::messages::{GroupId, OffsetFetchRequest, OffsetFetchResponse};
    let group = GroupId(StrBytes::from_static_str("g"));
    let asked = OffsetFetchRequest::default().with_group_id(group.clone()).with_topics(None);
    let Request::OffsetFetch(request) = arrives(ApiKey::OffsetFetch, 7, &asked) else { panic!("v7") };
    assert_eq!((&request.groups[0].group_id, &request.groups[0].topics), (&group, &None));

    let refused = ErrorCode::NotCoordinator.code();
    let partition = OffsetFetchResponsePartitions::default().with_error_code(refused);
    let topics = OffsetFetchResponseTopics::default().with_name(name("t")).with_partitions(vec![partition]);
    let answer = OffsetFetchResponseGroup::default()
        .with_group_id(group)
        .with_error_code(refused)
        .with_topics(vec![topics]);
    let answer = OffsetFetchResponse::default().with_groups(vec![answer]);
    let read =
        |version| -> OffsetFetchResponse { reads(version, Response::OffsetFetch(Box::new(answer.clone()))) };
    assert_eq!((read(8).groups[0].error_code, read(8).groups[0].topics.len()), (refused, 0));
    assert_eq!((read(2).error_code, read(2).topics.len()), (refused, 0));
    assert_eq!(read(1).topics[0].partitions[0].error_code, refused, "where the oldest clients look");
}

#[test]
fn members_of_old_groups() {
    use kafka_protocol::messages::describe_groups_response::DescribedGroup;
    use kafka_protocol::messages::leave_group_response::MemberResponse;
    use kafka_protocol::messages::{
        DescribeGroupsResponse, JoinGroupRequest, JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse,
        SyncGroupRequest, SyncGroupResponse,
    };
    let asked = JoinGroupRequest::default().with_session_timeout_ms(7);
    let Request::JoinGroup(request) = arrives(ApiKey::JoinGroup, 0, &asked) else { panic!("v0") };
    assert_eq!(request.rebalance_timeout_ms, 7);
    let joined = |version| -> JoinGroupResponse {
        let answer = JoinGroupResponse::default().with_protocol_name(None).with_skip_assignment(true);
        reads(version, Response::JoinGroup(Box::new(answer)))
    };
    assert_eq!(joined(6).protocol_name.as_deref(), Some(""));
    assert_eq!((joined(7).protocol_name, joined(9).skip_assignment), (None, true));

    let asked = LeaveGroupRequest::default().with_member_id(StrBytes::from_static_str("m"));
    let Request::LeaveGroup(request) = arrives(ApiKey::LeaveGroup, 2, &asked) else { panic!("v2") };
    assert_eq!(&*request.members[0].member_id, "m");
    let gone = MemberResponse::default().with_error_code(ErrorCode::UnknownMemberId.code());
    let answer = LeaveGroupResponse::default().with_members(vec![gone]);
    let read: LeaveGroupResponse = reads(2, Response::LeaveGroup(Box::new(answer)));
    assert_eq!(read.error_code, ErrorCode::UnknownMemberId.code());

    let Request::Refused(refusal) = arrives(ApiKey::SyncGroup, 5, &SyncGroupRequest::default()) else {
        panic!("v5")
    };
    let read: SyncGroupResponse = reads(5, *refusal);
    assert_eq!(read.error_code, ErrorCode::InconsistentGroupProtocol.code());
    assert!(matches!(arrives(ApiKey::SyncGroup, 4, &SyncGroupRequest::default()), Request::SyncGroup(_)));

    let absent = DescribedGroup::default()
        .with_error_code(ErrorCode::GroupIdNotFound.code())
        .with_error_message(Some(StrBytes::from_static_str("why")))
        .with_authorized_operations(3);
    let answer = DescribeGroupsResponse::default().with_groups(vec![absent]);
    let read = |version| -> DescribeGroupsResponse {
        reads(version, Response::DescribeGroups(Box::new(answer.clone())))
    };
    let told = |version| (read(version).groups[0].error_code, read(version).groups[0].authorized_operations);
    assert_eq!(told(2), (0, i32::MIN));
    assert_eq!(told(5), (0, 3));
    assert_eq!(told(6), (ErrorCode::GroupIdNotFound.code(), i32::MIN));
}

#[test]
fn one_transaction_becomes_many_and_back() {
    use kafka_protocol::messages::add_partitions_to_txn_request::AddPartitionsToTxnTopic;
    use kafka_protocol::messages::add_partitions_to_txn_response::{
        AddPartitionsToTxnPartitionResult, AddPartitionsToTxnResult, AddPartitionsToTxnTopicResult,
    };
    use kafka_protocol::messages::{AddPartitionsToTxnRequest, AddPartitionsToTxnResponse, TransactionalId};
    let id = TransactionalId(StrBytes::from_static_str("id"));
    let topics = vec![AddPartitionsToTxnTopic::default().with_name(name("t")).with_partitions(vec![3])];
    let asked = AddPartitionsToTxnRequest::default()
        .with_v3_and_below_transactional_id(id.clone())
        .with_v3_and_below_producer_id(7.into())
        .with_v3_and_below_producer_epoch(2)
        .with_v3_and_below_topics(topics.clone());
    let Request::AddPartitionsToTxn(request) = arrives(ApiKey::AddPartitionsToTxn, 3, &asked) else {
        panic!("v3")
    };
    let only = &request.transactions[0];
    assert_eq!((&only.transactional_id, only.producer_id.0, only.producer_epoch), (&id, 7, 2));
    assert_eq!((&only.topics, only.verify_only), (&topics, false));

    let partition = AddPartitionsToTxnPartitionResult::default()
        .with_partition_error_code(ErrorCode::ProducerFenced.code());
    let topics = vec![AddPartitionsToTxnTopicResult::default().with_results_by_partition(vec![partition])];
    let result =
        AddPartitionsToTxnResult::default().with_transactional_id(id).with_topic_results(topics.clone());
    let answer = AddPartitionsToTxnResponse::default().with_results_by_transaction(vec![result.clone()]);
    let read = |version| -> AddPartitionsToTxnResponse {
        reads(version, Response::AddPartitionsToTxn(Box::new(answer.clone())))
    };
    assert_eq!(read(4).results_by_transaction, [result]);
    assert_eq!(read(2).results_by_topic_v3_and_below, topics);
    let told = read(1).results_by_topic_v3_and_below[0].results_by_partition[0].partition_error_code;
    assert_eq!(told, ErrorCode::InvalidProducerEpoch.code());
}

#[test]
fn errors_of_transactions_that_old_versions_cannot_say() {
    use kafka_protocol::messages::txn_offset_commit_response::{
        TxnOffsetCommitResponsePartition, TxnOffsetCommitResponseTopic,
    };
    use kafka_protocol::messages::{AddOffsetsToTxnResponse, EndTxnResponse, TxnOffsetCommitResponse};
    let (fenced, epoch) = (ErrorCode::ProducerFenced.code(), ErrorCode::InvalidProducerEpoch.code());
    let answer = AddOffsetsToTxnResponse::default().with_error_code(fenced);
    let error = |version| {
        reads::<AddOffsetsToTxnResponse>(version, Response::AddOffsetsToTxn(Box::new(answer.clone())))
            .error_code
    };
    assert_eq!((error(1), error(2)), (epoch, fenced));
    let answer = EndTxnResponse::default().with_error_code(fenced).with_producer_epoch(4);
    let read = |version| -> EndTxnResponse { reads(version, Response::EndTxn(Box::new(answer.clone()))) };
    assert_eq!((read(1).error_code, read(2).error_code), (epoch, fenced));
    assert_eq!((read(4).producer_epoch, read(5).producer_epoch), (-1, 4));

    let told = |version, error: ErrorCode| {
        let partition = TxnOffsetCommitResponsePartition::default().with_error_code(error.code());
        let topic = TxnOffsetCommitResponseTopic::default().with_partitions(vec![partition]);
        let answer = TxnOffsetCommitResponse::default().with_topics(vec![topic]);
        let read: TxnOffsetCommitResponse = reads(version, Response::TxnOffsetCommit(Box::new(answer)));
        read.topics[0].partitions[0].error_code
    };
    let loading = ErrorCode::CoordinatorLoadInProgress;
    assert_eq!((told(1, loading), told(2, loading)), (ErrorCode::CoordinatorNotAvailable.code(), 14));
    let abortable = ErrorCode::TransactionAbortable;
    assert_eq!((told(3, abortable), told(4, abortable)), (ErrorCode::InvalidTxnState.code(), 120));
}
