//! From a header and a body to a typed request in the shape of the newest version.

use bytes::Bytes;
use kafka_protocol::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AlterConfigsRequest,
    AlterPartitionReassignmentsRequest, AlterReplicaLogDirsRequest, ConsumerGroupDescribeRequest,
    ConsumerGroupHeartbeatRequest, CreateAclsRequest, CreatePartitionsRequest, CreateTopicsRequest,
    DeleteAclsRequest, DeleteGroupsRequest, DeleteRecordsRequest, DeleteTopicsRequest, DescribeAclsRequest,
    DescribeClientQuotasRequest, DescribeClusterRequest, DescribeConfigsRequest, DescribeGroupsRequest,
    DescribeLogDirsRequest, DescribeProducersRequest, DescribeQuorumRequest, DescribeTopicPartitionsRequest,
    DescribeTransactionsRequest, ElectLeadersRequest, EndTxnRequest, FindCoordinatorRequest,
    HeartbeatRequest, IncrementalAlterConfigsRequest, InitProducerIdRequest, JoinGroupRequest,
    LeaveGroupRequest, ListConfigResourcesRequest, ListGroupsRequest, ListOffsetsRequest,
    ListPartitionReassignmentsRequest, ListTransactionsRequest, MetadataRequest, OffsetCommitRequest,
    OffsetDeleteRequest, OffsetFetchRequest, OffsetForLeaderEpochRequest, SyncGroupRequest,
    TxnOffsetCommitRequest, UpdateFeaturesRequest, WriteTxnMarkersRequest,
};
use kafka_protocol::protocol::Decodable;

use crate::api_table::ApiKey;
use crate::api_versions::ApiVersionsRequest;
use crate::compat;
use crate::compat::acls::HasUnknownKind;
use crate::cursor::Cursor;
use crate::error::{BadBytes, DecodeError};
use crate::fetch::FetchRequest;
use crate::header::RequestHeader;
use crate::produce::ProduceRequest;
use crate::response::Response;
use crate::schema;

/// A request as handlers see it. Whatever version the client speaks, the fields mean what they mean in the newest;
/// where a client's version makes a difference, the request says so itself, such as
/// [`FetchRequest::wants_topic_ids`].
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    /// Records to append.
    Produce(ProduceRequest),
    /// What to read.
    Fetch(FetchRequest),
    /// Offsets by time, or of the log's ends.
    ListOffsets(Box<ListOffsetsRequest>),
    /// Brokers, topics and partitions.
    Metadata(Box<MetadataRequest>),
    /// Offsets to keep for a group.
    OffsetCommit(Box<OffsetCommitRequest>),
    /// Offsets that groups have committed; groups always stand in `groups`.
    OffsetFetch(Box<OffsetFetchRequest>),
    /// Who coordinates groups or transactions; keys always stand in `coordinator_keys`.
    FindCoordinator(Box<FindCoordinatorRequest>),
    /// A member that joins a classic group.
    JoinGroup(Box<JoinGroupRequest>),
    /// A member of a classic group that is alive.
    Heartbeat(Box<HeartbeatRequest>),
    /// Members that leave a classic group; they always stand in `members`.
    LeaveGroup(Box<LeaveGroupRequest>),
    /// A member that asks for its assignment.
    SyncGroup(Box<SyncGroupRequest>),
    /// Classic groups to show.
    DescribeGroups(Box<DescribeGroupsRequest>),
    /// Groups to list.
    ListGroups(Box<ListGroupsRequest>),
    /// What the broker speaks.
    ApiVersions(ApiVersionsRequest),
    /// New topics.
    CreateTopics(Box<CreateTopicsRequest>),
    /// Topics to delete; they always stand in `topics`.
    DeleteTopics(Box<DeleteTopicsRequest>),
    /// Records to delete from the start of logs.
    DeleteRecords(Box<DeleteRecordsRequest>),
    /// A producer id and epoch.
    InitProducerId(Box<InitProducerIdRequest>),
    /// Where leader epochs end (KIP-101, KIP-320).
    OffsetForLeaderEpoch(Box<OffsetForLeaderEpochRequest>),
    /// Partitions that belong to transactions; they always stand in `transactions`.
    AddPartitionsToTxn(Box<AddPartitionsToTxnRequest>),
    /// A group whose offsets belong to a transaction.
    AddOffsetsToTxn(Box<AddOffsetsToTxnRequest>),
    /// The end of a transaction.
    EndTxn(Box<EndTxnRequest>),
    /// Ends of transactions, for the logs of partitions.
    WriteTxnMarkers(Box<WriteTxnMarkersRequest>),
    /// Offsets to keep for a group once a transaction is committed.
    TxnOffsetCommit(Box<TxnOffsetCommitRequest>),
    /// Access rules to list.
    DescribeAcls(Box<DescribeAclsRequest>),
    /// Access rules to add.
    CreateAcls(Box<CreateAclsRequest>),
    /// Access rules to delete.
    DeleteAcls(Box<DeleteAclsRequest>),
    /// Configurations to show.
    DescribeConfigs(Box<DescribeConfigsRequest>),
    /// Configurations to replace.
    AlterConfigs(Box<AlterConfigsRequest>),
    /// Replicas to move between directories.
    AlterReplicaLogDirs(Box<AlterReplicaLogDirsRequest>),
    /// Directories and what is in them.
    DescribeLogDirs(Box<DescribeLogDirsRequest>),
    /// Partitions to add.
    CreatePartitions(Box<CreatePartitionsRequest>),
    /// Groups to delete.
    DeleteGroups(Box<DeleteGroupsRequest>),
    /// Leaders to elect.
    ElectLeaders(Box<ElectLeadersRequest>),
    /// Configurations to change.
    IncrementalAlterConfigs(Box<IncrementalAlterConfigsRequest>),
    /// Replicas to move between brokers.
    AlterPartitionReassignments(Box<AlterPartitionReassignmentsRequest>),
    /// Moves under way.
    ListPartitionReassignments(Box<ListPartitionReassignmentsRequest>),
    /// Offsets to forget (KIP-496).
    OffsetDelete(Box<OffsetDeleteRequest>),
    /// Quotas to list.
    DescribeClientQuotas(Box<DescribeClientQuotasRequest>),
    /// State of the metadata quorum.
    DescribeQuorum(Box<DescribeQuorumRequest>),
    /// Feature levels to change.
    UpdateFeatures(Box<UpdateFeaturesRequest>),
    /// The brokers.
    DescribeCluster(Box<DescribeClusterRequest>),
    /// Producers of partitions.
    DescribeProducers(Box<DescribeProducersRequest>),
    /// Transactional ids to show (KIP-664).
    DescribeTransactions(Box<DescribeTransactionsRequest>),
    /// Transactional ids to list (KIP-664).
    ListTransactions(Box<ListTransactionsRequest>),
    /// A member of a consumer group: what it wants and what it owns (KIP-848).
    ConsumerGroupHeartbeat(Box<ConsumerGroupHeartbeatRequest>),
    /// Consumer groups to show (KIP-848).
    ConsumerGroupDescribe(Box<ConsumerGroupDescribeRequest>),
    /// Resources that have configurations (KIP-1142).
    ListConfigResources(Box<ListConfigResourcesRequest>),
    /// Topics in pages (KIP-966).
    DescribeTopicPartitions(Box<DescribeTopicPartitionsRequest>),
    /// A request that its own version forbids, such as a topic id before ids existed. The answer is ready.
    Refused(Box<Response>),
}

/// Decodes the body of a request. All its bytes are slices of `body`; what outlives the request must be copied, or
/// it keeps the whole frame in memory.
///
/// # Errors
/// Any error closes the connection. `ApiVersions` in an unknown version is none: it is decoded to a request that asks
/// for the answer `UNSUPPORTED_VERSION`.
pub fn decode(header: &RequestHeader, body: Bytes) -> Result<Request, DecodeError> {
    let spec = header.api_key.spec();
    if !spec.served {
        return Err(DecodeError::UnknownApi(header.api_key.code()));
    }
    if !spec.supports(header.api_version) {
        if header.api_key == ApiKey::ApiVersions {
            return Ok(Request::ApiVersions(ApiVersionsRequest {
                client_software: None,
                unsupported_version: true,
            }));
        }
        return Err(DecodeError::UnsupportedVersion { api: header.api_key, version: header.api_version });
    }
    Ok(match header.api_key {
        ApiKey::Produce => Request::Produce(own(header, body, ProduceRequest::decode)?),
        ApiKey::Fetch => Request::Fetch(own(header, body, FetchRequest::decode)?),
        ApiKey::ListOffsets => {
            let mut request = generated(header, body)?;
            compat::list_offsets::upgrade(&mut request, header.api_version);
            Request::ListOffsets(request)
        }
        ApiKey::Metadata => {
            let mut request = generated(header, body)?;
            match compat::metadata::upgrade(&mut request, header.api_version) {
                Ok(()) => Request::Metadata(request),
                Err(refusal) => Request::Refused(Box::new(Response::Metadata(refusal))),
            }
        }
        ApiKey::FindCoordinator => {
            let mut request = generated(header, body)?;
            match compat::find_coordinator::upgrade(&mut request, header.api_version) {
                Ok(()) => Request::FindCoordinator(request),
                Err(refusal) => Request::Refused(Box::new(Response::FindCoordinator(refusal))),
            }
        }
        ApiKey::ApiVersions => Request::ApiVersions(own(header, body, ApiVersionsRequest::decode)?),
        ApiKey::CreateTopics => Request::CreateTopics(generated(header, body)?),
        ApiKey::DeleteTopics => {
            let mut request = generated(header, body)?;
            compat::delete_topics::upgrade(&mut request, header.api_version);
            Request::DeleteTopics(request)
        }
        ApiKey::DeleteRecords => Request::DeleteRecords(generated(header, body)?),
        ApiKey::InitProducerId => Request::InitProducerId(generated(header, body)?),
        ApiKey::OffsetForLeaderEpoch => Request::OffsetForLeaderEpoch(generated(header, body)?),
        ApiKey::DescribeAcls => Request::DescribeAcls(of_known_kinds(header, body)?),
        ApiKey::CreateAcls => Request::CreateAcls(of_known_kinds(header, body)?),
        ApiKey::DeleteAcls => Request::DeleteAcls(of_known_kinds(header, body)?),
        ApiKey::DescribeConfigs => Request::DescribeConfigs(generated(header, body)?),
        ApiKey::AlterConfigs => Request::AlterConfigs(generated(header, body)?),
        ApiKey::AlterReplicaLogDirs => Request::AlterReplicaLogDirs(generated(header, body)?),
        ApiKey::DescribeLogDirs => Request::DescribeLogDirs(generated(header, body)?),
        ApiKey::CreatePartitions => Request::CreatePartitions(generated(header, body)?),
        ApiKey::ElectLeaders => Request::ElectLeaders(generated(header, body)?),
        ApiKey::IncrementalAlterConfigs => Request::IncrementalAlterConfigs(generated(header, body)?),
        ApiKey::AlterPartitionReassignments => Request::AlterPartitionReassignments(generated(header, body)?),
        ApiKey::ListPartitionReassignments => Request::ListPartitionReassignments(generated(header, body)?),
        ApiKey::DescribeClientQuotas => Request::DescribeClientQuotas(generated(header, body)?),
        ApiKey::DescribeQuorum => Request::DescribeQuorum(generated(header, body)?),
        ApiKey::UpdateFeatures => {
            let mut request = generated(header, body)?;
            compat::update_features::upgrade(&mut request, header.api_version);
            Request::UpdateFeatures(request)
        }
        ApiKey::DescribeCluster => Request::DescribeCluster(generated(header, body)?),
        ApiKey::DescribeProducers => Request::DescribeProducers(generated(header, body)?),
        ApiKey::ListConfigResources => {
            let mut request = generated(header, body)?;
            compat::list_config_resources::upgrade(&mut request, header.api_version);
            Request::ListConfigResources(request)
        }
        ApiKey::DescribeTopicPartitions => Request::DescribeTopicPartitions(generated(header, body)?),
        ApiKey::AddPartitionsToTxn => {
            let mut request = generated(header, body)?;
            compat::add_partitions_to_txn::upgrade(&mut request, header.api_version);
            Request::AddPartitionsToTxn(request)
        }
        ApiKey::AddOffsetsToTxn => Request::AddOffsetsToTxn(generated(header, body)?),
        ApiKey::EndTxn => Request::EndTxn(generated(header, body)?),
        ApiKey::WriteTxnMarkers => Request::WriteTxnMarkers(generated(header, body)?),
        ApiKey::TxnOffsetCommit => Request::TxnOffsetCommit(generated(header, body)?),
        ApiKey::DescribeTransactions => Request::DescribeTransactions(generated(header, body)?),
        ApiKey::ListTransactions => Request::ListTransactions(generated(header, body)?),
        ApiKey::OffsetCommit => Request::OffsetCommit(generated(header, body)?),
        ApiKey::OffsetFetch => {
            let mut request = generated(header, body)?;
            compat::offset_fetch::upgrade(&mut request, header.api_version);
            Request::OffsetFetch(request)
        }
        ApiKey::JoinGroup => {
            let mut request = generated(header, body)?;
            compat::join_group::upgrade(&mut request, header.api_version);
            Request::JoinGroup(request)
        }
        ApiKey::Heartbeat => Request::Heartbeat(generated(header, body)?),
        ApiKey::LeaveGroup => {
            let mut request = generated(header, body)?;
            compat::leave_group::upgrade(&mut request, header.api_version);
            Request::LeaveGroup(request)
        }
        ApiKey::SyncGroup => {
            let request = generated(header, body)?;
            match compat::sync_group::upgrade(&request, header.api_version) {
                Ok(()) => Request::SyncGroup(request),
                Err(refusal) => Request::Refused(Box::new(Response::SyncGroup(refusal))),
            }
        }
        ApiKey::DescribeGroups => Request::DescribeGroups(generated(header, body)?),
        ApiKey::ListGroups => Request::ListGroups(generated(header, body)?),
        ApiKey::DeleteGroups => Request::DeleteGroups(generated(header, body)?),
        ApiKey::OffsetDelete => Request::OffsetDelete(generated(header, body)?),
        ApiKey::ConsumerGroupHeartbeat => Request::ConsumerGroupHeartbeat(generated(header, body)?),
        ApiKey::ConsumerGroupDescribe => Request::ConsumerGroupDescribe(generated(header, body)?),
        other => return Err(DecodeError::UnknownApi(other.code())),
    })
}

fn own<R>(
    header: &RequestHeader,
    body: Bytes,
    decode: impl FnOnce(&mut Cursor, i16) -> Result<R, BadBytes>,
) -> Result<R, DecodeError> {
    let flexible = header.api_key.spec().is_flexible(header.api_version);
    let mut cursor = Cursor::new(body, flexible);
    decode(&mut cursor, header.api_version).map_err(|reason| DecodeError::Body {
        api: header.api_key,
        version: header.api_version,
        at: cursor.position(),
        field: None,
        reason,
    })
}

fn of_known_kinds<R: Decodable + HasUnknownKind>(
    header: &RequestHeader,
    body: Bytes,
) -> Result<Box<R>, DecodeError> {
    let at = body.len();
    let request: Box<R> = generated(header, body)?;
    if request.has_unknown_kind() {
        let (api, version, reason) = (header.api_key, header.api_version, BadBytes::UnknownKind);
        return Err(DecodeError::Body { api, version, at, field: None, reason });
    }
    Ok(request)
}

/// Bounds the bytes, and only then lets the generated decoder see them.
fn generated<R: Decodable>(header: &RequestHeader, body: Bytes) -> Result<Box<R>, DecodeError> {
    let mut body = schema::bounded(header.api_key, header.api_version, body)?;
    let whole = body.len();
    let decoded = R::decode(&mut body, header.api_version);
    // What the decoder says is an untyped text; the walk has already named everything that a client can get wrong.
    decoded.map(Box::new).map_err(|_untyped| DecodeError::Body {
        api: header.api_key,
        version: header.api_version,
        at: whole - body.len(),
        field: None,
        reason: BadBytes::Refused,
    })
}
