//! From a typed response in the shape of the newest version to a frame of the version that the client asked in.

use kafka_protocol::messages::{
    AddOffsetsToTxnResponse, AddPartitionsToTxnResponse, AlterConfigsResponse,
    AlterPartitionReassignmentsResponse, AlterReplicaLogDirsResponse, ConsumerGroupDescribeResponse,
    ConsumerGroupHeartbeatResponse, CreateAclsResponse, CreatePartitionsResponse, CreateTopicsResponse,
    DeleteAclsResponse, DeleteGroupsResponse, DeleteRecordsResponse, DeleteTopicsResponse,
    DescribeAclsResponse, DescribeClientQuotasResponse, DescribeClusterResponse, DescribeConfigsResponse,
    DescribeGroupsResponse, DescribeLogDirsResponse, DescribeProducersResponse, DescribeQuorumResponse,
    DescribeTopicPartitionsResponse, DescribeTransactionsResponse, ElectLeadersResponse, EndTxnResponse,
    FindCoordinatorResponse, HeartbeatResponse, IncrementalAlterConfigsResponse, InitProducerIdResponse,
    JoinGroupResponse, LeaveGroupResponse, ListConfigResourcesResponse, ListGroupsResponse,
    ListOffsetsResponse, ListPartitionReassignmentsResponse, ListTransactionsResponse, MetadataResponse,
    OffsetCommitResponse, OffsetDeleteResponse, OffsetFetchResponse, OffsetForLeaderEpochResponse,
    SyncGroupResponse, TxnOffsetCommitResponse, UpdateFeaturesResponse, WriteTxnMarkersResponse,
};
use kafka_protocol::protocol::Encodable;

use crate::api_table::ApiKey;
use crate::api_versions::ApiVersionsResponse;
use crate::compat;
use crate::error::EncodeError;
use crate::fetch::FetchResponse;
use crate::frame::Reply;
use crate::header::RequestHeader;
use crate::out::Out;
use crate::produce::ProduceResponse;

/// A response as handlers give it: every field filled, whatever version the client speaks. What an older version
/// lacks is cleared or translated when it is encoded.
#[derive(Clone, Debug, PartialEq)]
#[allow(missing_docs)]
pub enum Response {
    Produce(ProduceResponse),
    Fetch(FetchResponse),
    ListOffsets(Box<ListOffsetsResponse>),
    Metadata(Box<MetadataResponse>),
    OffsetCommit(Box<OffsetCommitResponse>),
    OffsetFetch(Box<OffsetFetchResponse>),
    FindCoordinator(Box<FindCoordinatorResponse>),
    JoinGroup(Box<JoinGroupResponse>),
    Heartbeat(Box<HeartbeatResponse>),
    LeaveGroup(Box<LeaveGroupResponse>),
    SyncGroup(Box<SyncGroupResponse>),
    DescribeGroups(Box<DescribeGroupsResponse>),
    ListGroups(Box<ListGroupsResponse>),
    ApiVersions(ApiVersionsResponse),
    CreateTopics(Box<CreateTopicsResponse>),
    DeleteTopics(Box<DeleteTopicsResponse>),
    DeleteRecords(Box<DeleteRecordsResponse>),
    InitProducerId(Box<InitProducerIdResponse>),
    OffsetForLeaderEpoch(Box<OffsetForLeaderEpochResponse>),
    AddPartitionsToTxn(Box<AddPartitionsToTxnResponse>),
    AddOffsetsToTxn(Box<AddOffsetsToTxnResponse>),
    EndTxn(Box<EndTxnResponse>),
    WriteTxnMarkers(Box<WriteTxnMarkersResponse>),
    TxnOffsetCommit(Box<TxnOffsetCommitResponse>),
    DescribeAcls(Box<DescribeAclsResponse>),
    CreateAcls(Box<CreateAclsResponse>),
    DeleteAcls(Box<DeleteAclsResponse>),
    DescribeConfigs(Box<DescribeConfigsResponse>),
    AlterConfigs(Box<AlterConfigsResponse>),
    AlterReplicaLogDirs(Box<AlterReplicaLogDirsResponse>),
    DescribeLogDirs(Box<DescribeLogDirsResponse>),
    CreatePartitions(Box<CreatePartitionsResponse>),
    DeleteGroups(Box<DeleteGroupsResponse>),
    ElectLeaders(Box<ElectLeadersResponse>),
    IncrementalAlterConfigs(Box<IncrementalAlterConfigsResponse>),
    AlterPartitionReassignments(Box<AlterPartitionReassignmentsResponse>),
    ListPartitionReassignments(Box<ListPartitionReassignmentsResponse>),
    OffsetDelete(Box<OffsetDeleteResponse>),
    DescribeClientQuotas(Box<DescribeClientQuotasResponse>),
    DescribeQuorum(Box<DescribeQuorumResponse>),
    UpdateFeatures(Box<UpdateFeaturesResponse>),
    DescribeCluster(Box<DescribeClusterResponse>),
    DescribeProducers(Box<DescribeProducersResponse>),
    DescribeTransactions(Box<DescribeTransactionsResponse>),
    ListTransactions(Box<ListTransactionsResponse>),
    ConsumerGroupHeartbeat(Box<ConsumerGroupHeartbeatResponse>),
    ConsumerGroupDescribe(Box<ConsumerGroupDescribeResponse>),
    ListConfigResources(Box<ListConfigResourcesResponse>),
    DescribeTopicPartitions(Box<DescribeTopicPartitionsResponse>),
}

impl Response {
    /// The API it answers.
    pub fn api_key(&self) -> ApiKey {
        match self {
            Self::Produce(_) => ApiKey::Produce,
            Self::Fetch(_) => ApiKey::Fetch,
            Self::ListOffsets(_) => ApiKey::ListOffsets,
            Self::Metadata(_) => ApiKey::Metadata,
            Self::OffsetCommit(_) => ApiKey::OffsetCommit,
            Self::OffsetFetch(_) => ApiKey::OffsetFetch,
            Self::FindCoordinator(_) => ApiKey::FindCoordinator,
            Self::JoinGroup(_) => ApiKey::JoinGroup,
            Self::Heartbeat(_) => ApiKey::Heartbeat,
            Self::LeaveGroup(_) => ApiKey::LeaveGroup,
            Self::SyncGroup(_) => ApiKey::SyncGroup,
            Self::DescribeGroups(_) => ApiKey::DescribeGroups,
            Self::ListGroups(_) => ApiKey::ListGroups,
            Self::ApiVersions(_) => ApiKey::ApiVersions,
            Self::CreateTopics(_) => ApiKey::CreateTopics,
            Self::DeleteTopics(_) => ApiKey::DeleteTopics,
            Self::DeleteRecords(_) => ApiKey::DeleteRecords,
            Self::InitProducerId(_) => ApiKey::InitProducerId,
            Self::OffsetForLeaderEpoch(_) => ApiKey::OffsetForLeaderEpoch,
            Self::AddPartitionsToTxn(_) => ApiKey::AddPartitionsToTxn,
            Self::AddOffsetsToTxn(_) => ApiKey::AddOffsetsToTxn,
            Self::EndTxn(_) => ApiKey::EndTxn,
            Self::WriteTxnMarkers(_) => ApiKey::WriteTxnMarkers,
            Self::TxnOffsetCommit(_) => ApiKey::TxnOffsetCommit,
            Self::DescribeAcls(_) => ApiKey::DescribeAcls,
            Self::CreateAcls(_) => ApiKey::CreateAcls,
            Self::DeleteAcls(_) => ApiKey::DeleteAcls,
            Self::DescribeConfigs(_) => ApiKey::DescribeConfigs,
            Self::AlterConfigs(_) => ApiKey::AlterConfigs,
            Self::AlterReplicaLogDirs(_) => ApiKey::AlterReplicaLogDirs,
            Self::DescribeLogDirs(_) => ApiKey::DescribeLogDirs,
            Self::CreatePartitions(_) => ApiKey::CreatePartitions,
            Self::DeleteGroups(_) => ApiKey::DeleteGroups,
            Self::ElectLeaders(_) => ApiKey::ElectLeaders,
            Self::IncrementalAlterConfigs(_) => ApiKey::IncrementalAlterConfigs,
            Self::AlterPartitionReassignments(_) => ApiKey::AlterPartitionReassignments,
            Self::ListPartitionReassignments(_) => ApiKey::ListPartitionReassignments,
            Self::OffsetDelete(_) => ApiKey::OffsetDelete,
            Self::DescribeClientQuotas(_) => ApiKey::DescribeClientQuotas,
            Self::DescribeQuorum(_) => ApiKey::DescribeQuorum,
            Self::UpdateFeatures(_) => ApiKey::UpdateFeatures,
            Self::DescribeCluster(_) => ApiKey::DescribeCluster,
            Self::DescribeProducers(_) => ApiKey::DescribeProducers,
            Self::DescribeTransactions(_) => ApiKey::DescribeTransactions,
            Self::ListTransactions(_) => ApiKey::ListTransactions,
            Self::ConsumerGroupHeartbeat(_) => ApiKey::ConsumerGroupHeartbeat,
            Self::ConsumerGroupDescribe(_) => ApiKey::ConsumerGroupDescribe,
            Self::ListConfigResources(_) => ApiKey::ListConfigResources,
            Self::DescribeTopicPartitions(_) => ApiKey::DescribeTopicPartitions,
        }
    }
}

/// Encodes a response to the request with this header. Records become segments of the reply, uncopied.
///
/// # Errors
/// A response that no version of this request allows, such as one of another API: a defect of the caller.
pub fn encode(header: &RequestHeader, response: Response) -> Result<Reply, EncodeError> {
    if response.api_key() != header.api_key {
        return Err(EncodeError::WrongApi {
            request: header.api_key.code(),
            response: response.api_key().code(),
        });
    }
    let version = body_version(header)?;
    match response {
        Response::Produce(response) => {
            own(header, version, response.size_hint(), |out| response.encode(out, version))
        }
        Response::Fetch(response) => {
            own(header, version, response.size_hint(), |out| response.encode(out, version))
        }
        Response::ListOffsets(mut response) => {
            compat::list_offsets::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::Metadata(mut response) => {
            compat::metadata::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::FindCoordinator(mut response) => {
            compat::find_coordinator::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::ApiVersions(response) => {
            own(header, version, response.size_hint(), |out| response.encode(out, version))
        }
        Response::CreateTopics(response) => generated(header, version, &*response),
        Response::DeleteTopics(mut response) => {
            compat::delete_topics::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::DeleteRecords(response) => generated(header, version, &*response),
        Response::InitProducerId(mut response) => {
            compat::init_producer_id::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::OffsetForLeaderEpoch(response) => generated(header, version, &*response),
        Response::DescribeAcls(response) => generated(header, version, &*response),
        Response::CreateAcls(response) => generated(header, version, &*response),
        Response::DeleteAcls(response) => generated(header, version, &*response),
        Response::DescribeConfigs(response) => generated(header, version, &*response),
        Response::AlterConfigs(response) => generated(header, version, &*response),
        Response::AlterReplicaLogDirs(response) => generated(header, version, &*response),
        Response::DescribeLogDirs(response) => generated(header, version, &*response),
        Response::CreatePartitions(response) => generated(header, version, &*response),
        Response::ElectLeaders(mut response) => {
            compat::elect_leaders::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::IncrementalAlterConfigs(response) => generated(header, version, &*response),
        Response::AlterPartitionReassignments(response) => generated(header, version, &*response),
        Response::ListPartitionReassignments(response) => generated(header, version, &*response),
        Response::DescribeClientQuotas(response) => generated(header, version, &*response),
        Response::DescribeQuorum(mut response) => {
            compat::describe_quorum::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::UpdateFeatures(response) => generated(header, version, &*response),
        Response::DescribeCluster(mut response) => {
            compat::describe_cluster::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::DescribeProducers(response) => generated(header, version, &*response),
        Response::ListConfigResources(response) => generated(header, version, &*response),
        Response::DescribeTopicPartitions(response) => generated(header, version, &*response),
        Response::AddPartitionsToTxn(mut response) => {
            compat::add_partitions_to_txn::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::AddOffsetsToTxn(mut response) => {
            compat::add_offsets_to_txn::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::EndTxn(mut response) => {
            compat::end_txn::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::WriteTxnMarkers(response) => generated(header, version, &*response),
        Response::TxnOffsetCommit(mut response) => {
            compat::txn_offset_commit::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::DescribeTransactions(response) => generated(header, version, &*response),
        Response::ListTransactions(response) => generated(header, version, &*response),
        Response::OffsetCommit(response) => generated(header, version, &*response),
        Response::OffsetFetch(mut response) => {
            compat::offset_fetch::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::JoinGroup(mut response) => {
            compat::join_group::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::Heartbeat(response) => generated(header, version, &*response),
        Response::LeaveGroup(mut response) => {
            compat::leave_group::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::SyncGroup(response) => generated(header, version, &*response),
        Response::DescribeGroups(mut response) => {
            compat::describe_groups::downgrade(&mut response, version);
            generated(header, version, &*response)
        }
        Response::ListGroups(response) => generated(header, version, &*response),
        Response::DeleteGroups(response) => generated(header, version, &*response),
        Response::OffsetDelete(response) => generated(header, version, &*response),
        Response::ConsumerGroupHeartbeat(response) => generated(header, version, &*response),
        Response::ConsumerGroupDescribe(response) => generated(header, version, &*response),
    }
}

/// The version of the body. A client that asked `ApiVersions` in a version unknown here reads version 0 (KIP-511).
fn body_version(header: &RequestHeader) -> Result<i16, EncodeError> {
    match header.api_key {
        api if api.spec().supports(header.api_version) => Ok(header.api_version),
        ApiKey::ApiVersions => Ok(0),
        api => Err(EncodeError::Version { api, version: header.api_version }),
    }
}

fn own(
    header: &RequestHeader,
    version: i16,
    size_hint: usize,
    encode: impl FnOnce(&mut Out) -> Result<(), EncodeError>,
) -> Result<Reply, EncodeError> {
    let mut out = begin(header, version, size_hint);
    encode(&mut out)?;
    out.finish()
}

fn generated<R: Encodable>(header: &RequestHeader, version: i16, response: &R) -> Result<Reply, EncodeError> {
    let refused =
        |error| EncodeError::Generated { api: header.api_key.code(), version, message: format!("{error}") };
    let size = response.compute_size(version).map_err(refused)?;
    let mut out = begin(header, version, size);
    response.encode(out.buffer(), version).map_err(refused)?;
    out.finish()
}

/// Begins a frame with the response header.
fn begin(header: &RequestHeader, version: i16, size_hint: usize) -> Out {
    let spec = header.api_key.spec();
    let mut out = Out::frame(size_hint + HEADER_BYTES_MAX, spec.is_flexible(version));
    out.i32(header.correlation_id);
    if spec.response_header_version(version) >= 1 {
        out.no_tagged_fields();
    }
    out
}

/// A correlation id and no tagged fields.
const HEADER_BYTES_MAX: usize = 5;
