//! The cold APIs as rows: how to fill, encode and read back each by the generated code alone.

use bytes::{Bytes, BytesMut};
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddOffsetsToTxnResponse, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    AlterConfigsRequest, AlterConfigsResponse, AlterPartitionReassignmentsRequest,
    AlterPartitionReassignmentsResponse, AlterReplicaLogDirsRequest, AlterReplicaLogDirsResponse,
    ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse, ConsumerGroupHeartbeatRequest,
    ConsumerGroupHeartbeatResponse, CreateAclsRequest, CreateAclsResponse, CreatePartitionsRequest,
    CreatePartitionsResponse, CreateTopicsRequest, CreateTopicsResponse, DeleteAclsRequest,
    DeleteAclsResponse, DeleteGroupsRequest, DeleteGroupsResponse, DeleteRecordsRequest,
    DeleteRecordsResponse, DeleteTopicsRequest, DeleteTopicsResponse, DescribeAclsRequest,
    DescribeAclsResponse, DescribeClientQuotasRequest, DescribeClientQuotasResponse, DescribeClusterRequest,
    DescribeClusterResponse, DescribeConfigsRequest, DescribeConfigsResponse, DescribeGroupsRequest,
    DescribeGroupsResponse, DescribeLogDirsRequest, DescribeLogDirsResponse, DescribeProducersRequest,
    DescribeProducersResponse, DescribeQuorumRequest, DescribeQuorumResponse, DescribeTopicPartitionsRequest,
    DescribeTopicPartitionsResponse, DescribeTransactionsRequest, DescribeTransactionsResponse,
    ElectLeadersRequest, ElectLeadersResponse, EndTxnRequest, EndTxnResponse, FindCoordinatorRequest,
    FindCoordinatorResponse, HeartbeatRequest, HeartbeatResponse, IncrementalAlterConfigsRequest,
    IncrementalAlterConfigsResponse, InitProducerIdRequest, InitProducerIdResponse, JoinGroupRequest,
    JoinGroupResponse, LeaveGroupRequest, LeaveGroupResponse, ListConfigResourcesRequest,
    ListConfigResourcesResponse, ListGroupsRequest, ListGroupsResponse, ListOffsetsRequest,
    ListOffsetsResponse, ListPartitionReassignmentsRequest, ListPartitionReassignmentsResponse,
    ListTransactionsRequest, ListTransactionsResponse, MetadataRequest, MetadataResponse,
    OffsetCommitRequest, OffsetCommitResponse, OffsetDeleteRequest, OffsetDeleteResponse, OffsetFetchRequest,
    OffsetFetchResponse, OffsetForLeaderEpochRequest, OffsetForLeaderEpochResponse, SyncGroupRequest,
    SyncGroupResponse, TxnOffsetCommitRequest, TxnOffsetCommitResponse, UpdateFeaturesRequest,
    UpdateFeaturesResponse, WriteTxnMarkersRequest, WriteTxnMarkersResponse,
};
use kafka_protocol::protocol::{Decodable, Encodable, Request as Generated};
use wire::{ApiKey, Request, Response};

use super::Filler;

/// One cold API.
pub struct Row {
    pub api: ApiKey,
    /// A request of this version with everything in it, encoded.
    pub request_body: fn(seed: u64, version: i16) -> Bytes,
    /// A response of the newest version with everything in it.
    pub response: fn(seed: u64) -> Response,
    /// Decodes a response body and encodes it again; gives what was encoded and what was left over.
    pub reread: fn(body: Bytes, version: i16) -> (Bytes, usize),
    /// Encodes a request that was decoded in the newest version; `None` for one of another API.
    pub encode_newest: fn(request: &Request) -> Option<Bytes>,
}

fn fill<T: Decodable>(seed: u64, version: i16) -> T {
    T::decode(&mut Filler::new(seed), version).expect("a filler never ends")
}

fn encode<T: Encodable>(value: &T, version: i16) -> Bytes {
    let mut out = BytesMut::new();
    value.encode(&mut out, version).expect("a value of its own version");
    out.freeze()
}

fn request_body<R: Generated>(seed: u64, version: i16) -> Bytes {
    encode(&fill::<R>(seed, version), version)
}

fn reread<T: Encodable + Decodable>(mut body: Bytes, version: i16) -> (Bytes, usize) {
    let value = T::decode(&mut body, version).expect("the generated decoder reads it back");
    (encode(&value, version), body.len())
}

pub const ROWS: &[Row] = &[
    Row {
        api: ApiKey::ListOffsets,
        request_body: request_body::<ListOffsetsRequest>,
        response: |seed| Response::ListOffsets(Box::new(fill::<ListOffsetsResponse>(seed, 10))),
        reread: reread::<ListOffsetsResponse>,
        encode_newest: |request| match request {
            Request::ListOffsets(request) => Some(encode(&**request, 10)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::Metadata,
        request_body: request_body::<MetadataRequest>,
        response: |seed| Response::Metadata(Box::new(fill::<MetadataResponse>(seed, 13))),
        reread: reread::<MetadataResponse>,
        encode_newest: |request| match request {
            Request::Metadata(request) => Some(encode(&**request, 13)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::OffsetCommit,
        request_body: request_body::<OffsetCommitRequest>,
        response: |seed| Response::OffsetCommit(Box::new(fill::<OffsetCommitResponse>(seed, 9))),
        reread: reread::<OffsetCommitResponse>,
        encode_newest: |request| match request {
            Request::OffsetCommit(request) => Some(encode(&**request, 9)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::OffsetFetch,
        request_body: request_body::<OffsetFetchRequest>,
        response: |seed| Response::OffsetFetch(Box::new(fill::<OffsetFetchResponse>(seed, 9))),
        reread: reread::<OffsetFetchResponse>,
        encode_newest: |request| match request {
            Request::OffsetFetch(request) => Some(encode(&**request, 9)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::FindCoordinator,
        request_body: request_body::<FindCoordinatorRequest>,
        response: |seed| Response::FindCoordinator(Box::new(fill::<FindCoordinatorResponse>(seed, 6))),
        reread: reread::<FindCoordinatorResponse>,
        encode_newest: |request| match request {
            Request::FindCoordinator(request) => Some(encode(&**request, 6)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::JoinGroup,
        request_body: request_body::<JoinGroupRequest>,
        response: |seed| Response::JoinGroup(Box::new(fill::<JoinGroupResponse>(seed, 9))),
        reread: reread::<JoinGroupResponse>,
        encode_newest: |request| match request {
            Request::JoinGroup(request) => Some(encode(&**request, 9)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::Heartbeat,
        request_body: request_body::<HeartbeatRequest>,
        response: |seed| Response::Heartbeat(Box::new(fill::<HeartbeatResponse>(seed, 4))),
        reread: reread::<HeartbeatResponse>,
        encode_newest: |request| match request {
            Request::Heartbeat(request) => Some(encode(&**request, 4)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::LeaveGroup,
        request_body: request_body::<LeaveGroupRequest>,
        response: |seed| Response::LeaveGroup(Box::new(fill::<LeaveGroupResponse>(seed, 5))),
        reread: reread::<LeaveGroupResponse>,
        encode_newest: |request| match request {
            Request::LeaveGroup(request) => Some(encode(&**request, 5)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::SyncGroup,
        request_body: request_body::<SyncGroupRequest>,
        response: |seed| Response::SyncGroup(Box::new(fill::<SyncGroupResponse>(seed, 5))),
        reread: reread::<SyncGroupResponse>,
        encode_newest: |request| match request {
            Request::SyncGroup(request) => Some(encode(&**request, 5)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeGroups,
        request_body: request_body::<DescribeGroupsRequest>,
        response: |seed| Response::DescribeGroups(Box::new(fill::<DescribeGroupsResponse>(seed, 6))),
        reread: reread::<DescribeGroupsResponse>,
        encode_newest: |request| match request {
            Request::DescribeGroups(request) => Some(encode(&**request, 6)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::ListGroups,
        request_body: request_body::<ListGroupsRequest>,
        response: |seed| Response::ListGroups(Box::new(fill::<ListGroupsResponse>(seed, 5))),
        reread: reread::<ListGroupsResponse>,
        encode_newest: |request| match request {
            Request::ListGroups(request) => Some(encode(&**request, 5)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::CreateTopics,
        request_body: request_body::<CreateTopicsRequest>,
        response: |seed| Response::CreateTopics(Box::new(fill::<CreateTopicsResponse>(seed, 7))),
        reread: reread::<CreateTopicsResponse>,
        encode_newest: |request| match request {
            Request::CreateTopics(request) => Some(encode(&**request, 7)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DeleteTopics,
        request_body: request_body::<DeleteTopicsRequest>,
        response: |seed| Response::DeleteTopics(Box::new(fill::<DeleteTopicsResponse>(seed, 6))),
        reread: reread::<DeleteTopicsResponse>,
        encode_newest: |request| match request {
            Request::DeleteTopics(request) => Some(encode(&**request, 6)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DeleteRecords,
        request_body: request_body::<DeleteRecordsRequest>,
        response: |seed| Response::DeleteRecords(Box::new(fill::<DeleteRecordsResponse>(seed, 2))),
        reread: reread::<DeleteRecordsResponse>,
        encode_newest: |request| match request {
            Request::DeleteRecords(request) => Some(encode(&**request, 2)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::InitProducerId,
        request_body: request_body::<InitProducerIdRequest>,
        response: |seed| Response::InitProducerId(Box::new(fill::<InitProducerIdResponse>(seed, 5))),
        reread: reread::<InitProducerIdResponse>,
        encode_newest: |request| match request {
            Request::InitProducerId(request) => Some(encode(&**request, 5)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::OffsetForLeaderEpoch,
        request_body: request_body::<OffsetForLeaderEpochRequest>,
        response: |seed| {
            Response::OffsetForLeaderEpoch(Box::new(fill::<OffsetForLeaderEpochResponse>(seed, 4)))
        },
        reread: reread::<OffsetForLeaderEpochResponse>,
        encode_newest: |request| match request {
            Request::OffsetForLeaderEpoch(request) => Some(encode(&**request, 4)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::AddPartitionsToTxn,
        request_body: request_body::<AddPartitionsToTxnRequest>,
        response: |seed| Response::AddPartitionsToTxn(Box::new(fill::<AddPartitionsToTxnResponse>(seed, 5))),
        reread: reread::<AddPartitionsToTxnResponse>,
        encode_newest: |request| match request {
            Request::AddPartitionsToTxn(request) => Some(encode(&**request, 5)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::AddOffsetsToTxn,
        request_body: request_body::<AddOffsetsToTxnRequest>,
        response: |seed| Response::AddOffsetsToTxn(Box::new(fill::<AddOffsetsToTxnResponse>(seed, 4))),
        reread: reread::<AddOffsetsToTxnResponse>,
        encode_newest: |request| match request {
            Request::AddOffsetsToTxn(request) => Some(encode(&**request, 4)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::EndTxn,
        request_body: request_body::<EndTxnRequest>,
        response: |seed| Response::EndTxn(Box::new(fill::<EndTxnResponse>(seed, 5))),
        reread: reread::<EndTxnResponse>,
        encode_newest: |request| match request {
            Request::EndTxn(request) => Some(encode(&**request, 5)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::WriteTxnMarkers,
        request_body: request_body::<WriteTxnMarkersRequest>,
        response: |seed| Response::WriteTxnMarkers(Box::new(fill::<WriteTxnMarkersResponse>(seed, 1))),
        reread: reread::<WriteTxnMarkersResponse>,
        encode_newest: |request| match request {
            Request::WriteTxnMarkers(request) => Some(encode(&**request, 1)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::TxnOffsetCommit,
        request_body: request_body::<TxnOffsetCommitRequest>,
        response: |seed| Response::TxnOffsetCommit(Box::new(fill::<TxnOffsetCommitResponse>(seed, 5))),
        reread: reread::<TxnOffsetCommitResponse>,
        encode_newest: |request| match request {
            Request::TxnOffsetCommit(request) => Some(encode(&**request, 5)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeAcls,
        request_body: request_body::<DescribeAclsRequest>,
        response: |seed| Response::DescribeAcls(Box::new(fill::<DescribeAclsResponse>(seed, 3))),
        reread: reread::<DescribeAclsResponse>,
        encode_newest: |request| match request {
            Request::DescribeAcls(request) => Some(encode(&**request, 3)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::CreateAcls,
        request_body: request_body::<CreateAclsRequest>,
        response: |seed| Response::CreateAcls(Box::new(fill::<CreateAclsResponse>(seed, 3))),
        reread: reread::<CreateAclsResponse>,
        encode_newest: |request| match request {
            Request::CreateAcls(request) => Some(encode(&**request, 3)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DeleteAcls,
        request_body: request_body::<DeleteAclsRequest>,
        response: |seed| Response::DeleteAcls(Box::new(fill::<DeleteAclsResponse>(seed, 3))),
        reread: reread::<DeleteAclsResponse>,
        encode_newest: |request| match request {
            Request::DeleteAcls(request) => Some(encode(&**request, 3)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeConfigs,
        request_body: request_body::<DescribeConfigsRequest>,
        response: |seed| Response::DescribeConfigs(Box::new(fill::<DescribeConfigsResponse>(seed, 4))),
        reread: reread::<DescribeConfigsResponse>,
        encode_newest: |request| match request {
            Request::DescribeConfigs(request) => Some(encode(&**request, 4)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::AlterConfigs,
        request_body: request_body::<AlterConfigsRequest>,
        response: |seed| Response::AlterConfigs(Box::new(fill::<AlterConfigsResponse>(seed, 2))),
        reread: reread::<AlterConfigsResponse>,
        encode_newest: |request| match request {
            Request::AlterConfigs(request) => Some(encode(&**request, 2)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::AlterReplicaLogDirs,
        request_body: request_body::<AlterReplicaLogDirsRequest>,
        response: |seed| {
            Response::AlterReplicaLogDirs(Box::new(fill::<AlterReplicaLogDirsResponse>(seed, 2)))
        },
        reread: reread::<AlterReplicaLogDirsResponse>,
        encode_newest: |request| match request {
            Request::AlterReplicaLogDirs(request) => Some(encode(&**request, 2)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeLogDirs,
        request_body: request_body::<DescribeLogDirsRequest>,
        response: |seed| Response::DescribeLogDirs(Box::new(fill::<DescribeLogDirsResponse>(seed, 4))),
        reread: reread::<DescribeLogDirsResponse>,
        encode_newest: |request| match request {
            Request::DescribeLogDirs(request) => Some(encode(&**request, 4)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::CreatePartitions,
        request_body: request_body::<CreatePartitionsRequest>,
        response: |seed| Response::CreatePartitions(Box::new(fill::<CreatePartitionsResponse>(seed, 3))),
        reread: reread::<CreatePartitionsResponse>,
        encode_newest: |request| match request {
            Request::CreatePartitions(request) => Some(encode(&**request, 3)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DeleteGroups,
        request_body: request_body::<DeleteGroupsRequest>,
        response: |seed| Response::DeleteGroups(Box::new(fill::<DeleteGroupsResponse>(seed, 2))),
        reread: reread::<DeleteGroupsResponse>,
        encode_newest: |request| match request {
            Request::DeleteGroups(request) => Some(encode(&**request, 2)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::ElectLeaders,
        request_body: request_body::<ElectLeadersRequest>,
        response: |seed| Response::ElectLeaders(Box::new(fill::<ElectLeadersResponse>(seed, 2))),
        reread: reread::<ElectLeadersResponse>,
        encode_newest: |request| match request {
            Request::ElectLeaders(request) => Some(encode(&**request, 2)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::IncrementalAlterConfigs,
        request_body: request_body::<IncrementalAlterConfigsRequest>,
        response: |seed| {
            Response::IncrementalAlterConfigs(Box::new(fill::<IncrementalAlterConfigsResponse>(seed, 1)))
        },
        reread: reread::<IncrementalAlterConfigsResponse>,
        encode_newest: |request| match request {
            Request::IncrementalAlterConfigs(request) => Some(encode(&**request, 1)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::AlterPartitionReassignments,
        request_body: request_body::<AlterPartitionReassignmentsRequest>,
        response: |seed| {
            Response::AlterPartitionReassignments(Box::new(fill::<AlterPartitionReassignmentsResponse>(
                seed, 1,
            )))
        },
        reread: reread::<AlterPartitionReassignmentsResponse>,
        encode_newest: |request| match request {
            Request::AlterPartitionReassignments(request) => Some(encode(&**request, 1)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::ListPartitionReassignments,
        request_body: request_body::<ListPartitionReassignmentsRequest>,
        response: |seed| {
            Response::ListPartitionReassignments(Box::new(fill::<ListPartitionReassignmentsResponse>(
                seed, 0,
            )))
        },
        reread: reread::<ListPartitionReassignmentsResponse>,
        encode_newest: |request| match request {
            Request::ListPartitionReassignments(request) => Some(encode(&**request, 0)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::OffsetDelete,
        request_body: request_body::<OffsetDeleteRequest>,
        response: |seed| Response::OffsetDelete(Box::new(fill::<OffsetDeleteResponse>(seed, 0))),
        reread: reread::<OffsetDeleteResponse>,
        encode_newest: |request| match request {
            Request::OffsetDelete(request) => Some(encode(&**request, 0)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeClientQuotas,
        request_body: request_body::<DescribeClientQuotasRequest>,
        response: |seed| {
            Response::DescribeClientQuotas(Box::new(fill::<DescribeClientQuotasResponse>(seed, 1)))
        },
        reread: reread::<DescribeClientQuotasResponse>,
        encode_newest: |request| match request {
            Request::DescribeClientQuotas(request) => Some(encode(&**request, 1)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeQuorum,
        request_body: request_body::<DescribeQuorumRequest>,
        response: |seed| Response::DescribeQuorum(Box::new(fill::<DescribeQuorumResponse>(seed, 2))),
        reread: reread::<DescribeQuorumResponse>,
        encode_newest: |request| match request {
            Request::DescribeQuorum(request) => Some(encode(&**request, 2)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::UpdateFeatures,
        request_body: request_body::<UpdateFeaturesRequest>,
        response: |seed| Response::UpdateFeatures(Box::new(fill::<UpdateFeaturesResponse>(seed, 2))),
        reread: reread::<UpdateFeaturesResponse>,
        encode_newest: |request| match request {
            Request::UpdateFeatures(request) => Some(encode(&**request, 2)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeCluster,
        request_body: request_body::<DescribeClusterRequest>,
        response: |seed| Response::DescribeCluster(Box::new(fill::<DescribeClusterResponse>(seed, 2))),
        reread: reread::<DescribeClusterResponse>,
        encode_newest: |request| match request {
            Request::DescribeCluster(request) => Some(encode(&**request, 2)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeProducers,
        request_body: request_body::<DescribeProducersRequest>,
        response: |seed| Response::DescribeProducers(Box::new(fill::<DescribeProducersResponse>(seed, 0))),
        reread: reread::<DescribeProducersResponse>,
        encode_newest: |request| match request {
            Request::DescribeProducers(request) => Some(encode(&**request, 0)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeTransactions,
        request_body: request_body::<DescribeTransactionsRequest>,
        response: |seed| {
            Response::DescribeTransactions(Box::new(fill::<DescribeTransactionsResponse>(seed, 0)))
        },
        reread: reread::<DescribeTransactionsResponse>,
        encode_newest: |request| match request {
            Request::DescribeTransactions(request) => Some(encode(&**request, 0)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::ListTransactions,
        request_body: request_body::<ListTransactionsRequest>,
        response: |seed| Response::ListTransactions(Box::new(fill::<ListTransactionsResponse>(seed, 2))),
        reread: reread::<ListTransactionsResponse>,
        encode_newest: |request| match request {
            Request::ListTransactions(request) => Some(encode(&**request, 2)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::ConsumerGroupHeartbeat,
        request_body: request_body::<ConsumerGroupHeartbeatRequest>,
        response: |seed| {
            Response::ConsumerGroupHeartbeat(Box::new(fill::<ConsumerGroupHeartbeatResponse>(seed, 1)))
        },
        reread: reread::<ConsumerGroupHeartbeatResponse>,
        encode_newest: |request| match request {
            Request::ConsumerGroupHeartbeat(request) => Some(encode(&**request, 1)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::ConsumerGroupDescribe,
        request_body: request_body::<ConsumerGroupDescribeRequest>,
        response: |seed| {
            Response::ConsumerGroupDescribe(Box::new(fill::<ConsumerGroupDescribeResponse>(seed, 1)))
        },
        reread: reread::<ConsumerGroupDescribeResponse>,
        encode_newest: |request| match request {
            Request::ConsumerGroupDescribe(request) => Some(encode(&**request, 1)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::ListConfigResources,
        request_body: request_body::<ListConfigResourcesRequest>,
        response: |seed| {
            Response::ListConfigResources(Box::new(fill::<ListConfigResourcesResponse>(seed, 1)))
        },
        reread: reread::<ListConfigResourcesResponse>,
        encode_newest: |request| match request {
            Request::ListConfigResources(request) => Some(encode(&**request, 1)),
            _ => None,
        },
    },
    Row {
        api: ApiKey::DescribeTopicPartitions,
        request_body: request_body::<DescribeTopicPartitionsRequest>,
        response: |seed| {
            Response::DescribeTopicPartitions(Box::new(fill::<DescribeTopicPartitionsResponse>(seed, 0)))
        },
        reread: reread::<DescribeTopicPartitionsResponse>,
        encode_newest: |request| match request {
            Request::DescribeTopicPartitions(request) => Some(encode(&**request, 0)),
            _ => None,
        },
    },
];
