//! The one list of APIs. Dispatch, `ApiVersions`, the documentation and the compatibility matrix come from it.

use std::fmt;

/// An API of Kafka's protocol; the numbers are the protocol's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
#[repr(i16)]
#[non_exhaustive]
#[allow(missing_docs)]
pub enum ApiKey {
    Produce = 0,
    Fetch = 1,
    ListOffsets = 2,
    Metadata = 3,
    OffsetCommit = 8,
    OffsetFetch = 9,
    FindCoordinator = 10,
    JoinGroup = 11,
    Heartbeat = 12,
    LeaveGroup = 13,
    SyncGroup = 14,
    DescribeGroups = 15,
    ListGroups = 16,
    SaslHandshake = 17,
    ApiVersions = 18,
    CreateTopics = 19,
    DeleteTopics = 20,
    DeleteRecords = 21,
    InitProducerId = 22,
    OffsetForLeaderEpoch = 23,
    AddPartitionsToTxn = 24,
    AddOffsetsToTxn = 25,
    EndTxn = 26,
    WriteTxnMarkers = 27,
    TxnOffsetCommit = 28,
    DescribeAcls = 29,
    CreateAcls = 30,
    DeleteAcls = 31,
    DescribeConfigs = 32,
    AlterConfigs = 33,
    AlterReplicaLogDirs = 34,
    DescribeLogDirs = 35,
    SaslAuthenticate = 36,
    CreatePartitions = 37,
    CreateDelegationToken = 38,
    RenewDelegationToken = 39,
    ExpireDelegationToken = 40,
    DescribeDelegationToken = 41,
    DeleteGroups = 42,
    ElectLeaders = 43,
    IncrementalAlterConfigs = 44,
    AlterPartitionReassignments = 45,
    ListPartitionReassignments = 46,
    OffsetDelete = 47,
    DescribeClientQuotas = 48,
    AlterClientQuotas = 49,
    DescribeUserScramCredentials = 50,
    AlterUserScramCredentials = 51,
    Vote = 52,
    BeginQuorumEpoch = 53,
    EndQuorumEpoch = 54,
    DescribeQuorum = 55,
    AlterPartition = 56,
    UpdateFeatures = 57,
    Envelope = 58,
    FetchSnapshot = 59,
    DescribeCluster = 60,
    DescribeProducers = 61,
    BrokerRegistration = 62,
    BrokerHeartbeat = 63,
    UnregisterBroker = 64,
    DescribeTransactions = 65,
    ListTransactions = 66,
    AllocateProducerIds = 67,
    ConsumerGroupHeartbeat = 68,
    ConsumerGroupDescribe = 69,
    ControllerRegistration = 70,
    GetTelemetrySubscriptions = 71,
    PushTelemetry = 72,
    AssignReplicasToDirs = 73,
    ListConfigResources = 74,
    DescribeTopicPartitions = 75,
    ShareGroupHeartbeat = 76,
    ShareGroupDescribe = 77,
    ShareFetch = 78,
    ShareAcknowledge = 79,
    AddRaftVoter = 80,
    RemoveRaftVoter = 81,
    UpdateRaftVoter = 82,
    InitializeShareGroupState = 83,
    ReadShareGroupState = 84,
    WriteShareGroupState = 85,
    DeleteShareGroupState = 86,
    ReadShareGroupStateSummary = 87,
    DescribeShareGroupOffsets = 90,
    AlterShareGroupOffsets = 91,
    DeleteShareGroupOffsets = 92,
}

/// One row of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ApiSpec {
    /// The API.
    pub key: ApiKey,
    /// Its name, as Kafka writes it.
    pub name: &'static str,
    /// Smallest version that is decoded. The minimum of Kafka 3.9 where a decoder exists, else of Kafka 4.0.
    pub min: i16,
    /// Largest version that is decoded and advertised: the largest stable one of Kafka 4.1.
    pub max: i16,
    /// First version with compact lengths and tagged fields (KIP-482), `None` while there is none.
    pub flexible_from: Option<i16>,
    /// Whether this broker serves it; only then it is advertised.
    pub served: bool,
    /// What a client needs rights on.
    pub auth: AuthClass,
    /// When in a connection's life it is allowed.
    pub phase: Phase,
    /// Upper bound of the memory that decoding takes, in bytes per byte of the body. The body itself, which decoded
    /// strings and records are slices of, is not counted.
    pub memory_weight: usize,
}

/// What a client needs rights on to use an API (the resource types of Kafka's authorizer).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum AuthClass {
    /// Nothing.
    Open,
    /// The topics it names.
    Topic,
    /// The group.
    Group,
    /// The transactional id, where there is one.
    TransactionalId,
    /// The cluster, or the resources that an administrative request names.
    Cluster,
    /// `CLUSTER_ACTION`: brokers and controllers among themselves.
    ClusterAction,
    /// The delegation token or its owner.
    DelegationToken,
}

/// When in a connection's life an API is allowed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Phase {
    /// Also before the client has authenticated.
    Handshake,
    /// Only after it, where the listener demands authentication.
    Authenticated,
}

/// Produce 0-2 are advertised although they are closed on: librdkafka up to 2.11.0 looks for version 0 before it
/// compresses at all (KAFKA-18659).
const PRODUCE_MIN_ADVERTISED: i16 = 0;

impl ApiSpec {
    /// Whether this version is decoded.
    pub const fn supports(&self, version: i16) -> bool {
        self.served && self.min <= version && version <= self.max
    }

    /// Whether this version uses compact lengths and tagged fields.
    pub const fn is_flexible(&self, version: i16) -> bool {
        match self.flexible_from {
            Some(first) => version >= first,
            None => false,
        }
    }

    /// Whether a controller's listener serves it too (KIP-919). What controllers ask of each other is not served.
    pub const fn is_for_controllers(&self) -> bool {
        self.served
            && matches!(
                self.key,
                ApiKey::ApiVersions
                    | ApiKey::CreateTopics
                    | ApiKey::DeleteTopics
                    | ApiKey::DescribeAcls
                    | ApiKey::CreateAcls
                    | ApiKey::DeleteAcls
                    | ApiKey::DescribeConfigs
                    | ApiKey::AlterConfigs
                    | ApiKey::CreatePartitions
                    | ApiKey::ElectLeaders
                    | ApiKey::IncrementalAlterConfigs
                    | ApiKey::AlterPartitionReassignments
                    | ApiKey::ListPartitionReassignments
                    | ApiKey::DescribeQuorum
                    | ApiKey::UpdateFeatures
                    | ApiKey::DescribeCluster
            )
    }

    /// Smallest version that `ApiVersions` shows.
    pub const fn min_advertised(&self) -> i16 {
        match self.key {
            ApiKey::Produce => PRODUCE_MIN_ADVERTISED,
            _ => self.min,
        }
    }

    /// Version of the request header (KIP-482).
    pub const fn request_header_version(&self, version: i16) -> i16 {
        if self.is_flexible(version) { 2 } else { 1 }
    }

    /// Version of the response header. `ApiVersions` stays at 0, because its client may not know yet what the broker
    /// speaks (KIP-511).
    pub const fn response_header_version(&self, version: i16) -> i16 {
        match self.key {
            ApiKey::ApiVersions => 0,
            _ if self.is_flexible(version) => 1,
            _ => 0,
        }
    }
}

impl ApiKey {
    /// The API of a number on the wire.
    pub fn from_code(code: i16) -> Option<Self> {
        spec_of(code).map(|spec| spec.key)
    }

    /// The number on the wire.
    pub const fn code(self) -> i16 {
        self as i16
    }

    /// Its row.
    pub fn spec(self) -> &'static ApiSpec {
        spec_of(self.code()).unwrap_or(&UNLISTED)
    }
}

impl fmt::Display for ApiKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.spec().name)
    }
}

/// The rows this broker serves, in ascending order of their keys: what `ApiVersions` lists.
pub fn served_apis() -> impl Iterator<Item = &'static ApiSpec> {
    API_TABLE.iter().filter(|spec| spec.served)
}

/// The rows that a controller's listener serves, in ascending order of their keys.
pub fn controller_apis() -> impl Iterator<Item = &'static ApiSpec> {
    API_TABLE.iter().filter(|spec| spec.is_for_controllers())
}

/// Every API of Kafka 4.1 that has a decoder, in ascending order of the keys.
pub const API_TABLE: &[ApiSpec] = &[
    served(ApiKey::Produce, "Produce", (3, 13), Some(9), AuthClass::Topic),
    served(ApiKey::Fetch, "Fetch", (4, 18), Some(12), AuthClass::Topic),
    served(ApiKey::ListOffsets, "ListOffsets", (1, 10), Some(6), AuthClass::Topic),
    served(ApiKey::Metadata, "Metadata", (0, 13), Some(9), AuthClass::Topic),
    served(ApiKey::OffsetCommit, "OffsetCommit", (2, 9), Some(8), AuthClass::Group),
    served(ApiKey::OffsetFetch, "OffsetFetch", (1, 9), Some(6), AuthClass::Group),
    served(ApiKey::FindCoordinator, "FindCoordinator", (0, 6), Some(3), AuthClass::Group),
    served(ApiKey::JoinGroup, "JoinGroup", (0, 9), Some(6), AuthClass::Group),
    served(ApiKey::Heartbeat, "Heartbeat", (0, 4), Some(4), AuthClass::Group),
    served(ApiKey::LeaveGroup, "LeaveGroup", (0, 5), Some(4), AuthClass::Group),
    served(ApiKey::SyncGroup, "SyncGroup", (0, 5), Some(4), AuthClass::Group),
    served(ApiKey::DescribeGroups, "DescribeGroups", (0, 6), Some(5), AuthClass::Group),
    served(ApiKey::ListGroups, "ListGroups", (0, 5), Some(3), AuthClass::Group),
    known(ApiKey::SaslHandshake, "SaslHandshake", (0, 1), None, AuthClass::Open),
    served(ApiKey::ApiVersions, "ApiVersions", (0, 4), Some(3), AuthClass::Open),
    served(ApiKey::CreateTopics, "CreateTopics", (2, 7), Some(5), AuthClass::Cluster),
    served(ApiKey::DeleteTopics, "DeleteTopics", (1, 6), Some(4), AuthClass::Topic),
    served(ApiKey::DeleteRecords, "DeleteRecords", (0, 2), Some(2), AuthClass::Topic),
    served(ApiKey::InitProducerId, "InitProducerId", (0, 5), Some(2), AuthClass::TransactionalId),
    served(ApiKey::OffsetForLeaderEpoch, "OffsetForLeaderEpoch", (2, 4), Some(4), AuthClass::Topic),
    served(ApiKey::AddPartitionsToTxn, "AddPartitionsToTxn", (0, 5), Some(3), AuthClass::TransactionalId),
    served(ApiKey::AddOffsetsToTxn, "AddOffsetsToTxn", (0, 4), Some(3), AuthClass::TransactionalId),
    served(ApiKey::EndTxn, "EndTxn", (0, 5), Some(3), AuthClass::TransactionalId),
    served(ApiKey::WriteTxnMarkers, "WriteTxnMarkers", (1, 1), Some(1), AuthClass::ClusterAction),
    served(ApiKey::TxnOffsetCommit, "TxnOffsetCommit", (0, 5), Some(3), AuthClass::TransactionalId),
    served(ApiKey::DescribeAcls, "DescribeAcls", (1, 3), Some(2), AuthClass::Cluster),
    served(ApiKey::CreateAcls, "CreateAcls", (1, 3), Some(2), AuthClass::Cluster),
    served(ApiKey::DeleteAcls, "DeleteAcls", (1, 3), Some(2), AuthClass::Cluster),
    served(ApiKey::DescribeConfigs, "DescribeConfigs", (1, 4), Some(4), AuthClass::Cluster),
    served(ApiKey::AlterConfigs, "AlterConfigs", (0, 2), Some(2), AuthClass::Cluster),
    served(ApiKey::AlterReplicaLogDirs, "AlterReplicaLogDirs", (1, 2), Some(2), AuthClass::Cluster),
    served(ApiKey::DescribeLogDirs, "DescribeLogDirs", (1, 4), Some(2), AuthClass::Cluster),
    known(ApiKey::SaslAuthenticate, "SaslAuthenticate", (0, 2), Some(2), AuthClass::Open),
    served(ApiKey::CreatePartitions, "CreatePartitions", (0, 3), Some(2), AuthClass::Topic),
    known(
        ApiKey::CreateDelegationToken,
        "CreateDelegationToken",
        (1, 3),
        Some(2),
        AuthClass::DelegationToken,
    ),
    known(ApiKey::RenewDelegationToken, "RenewDelegationToken", (1, 2), Some(2), AuthClass::DelegationToken),
    known(
        ApiKey::ExpireDelegationToken,
        "ExpireDelegationToken",
        (1, 2),
        Some(2),
        AuthClass::DelegationToken,
    ),
    known(
        ApiKey::DescribeDelegationToken,
        "DescribeDelegationToken",
        (1, 3),
        Some(2),
        AuthClass::DelegationToken,
    ),
    served(ApiKey::DeleteGroups, "DeleteGroups", (0, 2), Some(2), AuthClass::Group),
    served(ApiKey::ElectLeaders, "ElectLeaders", (0, 2), Some(2), AuthClass::Cluster),
    served(ApiKey::IncrementalAlterConfigs, "IncrementalAlterConfigs", (0, 1), Some(1), AuthClass::Cluster),
    served(
        ApiKey::AlterPartitionReassignments,
        "AlterPartitionReassignments",
        (0, 1),
        Some(0),
        AuthClass::Cluster,
    ),
    served(
        ApiKey::ListPartitionReassignments,
        "ListPartitionReassignments",
        (0, 0),
        Some(0),
        AuthClass::Cluster,
    ),
    served(ApiKey::OffsetDelete, "OffsetDelete", (0, 0), None, AuthClass::Group),
    served(ApiKey::DescribeClientQuotas, "DescribeClientQuotas", (0, 1), Some(1), AuthClass::Cluster),
    known(ApiKey::AlterClientQuotas, "AlterClientQuotas", (0, 1), Some(1), AuthClass::Cluster),
    known(
        ApiKey::DescribeUserScramCredentials,
        "DescribeUserScramCredentials",
        (0, 0),
        Some(0),
        AuthClass::Cluster,
    ),
    known(
        ApiKey::AlterUserScramCredentials,
        "AlterUserScramCredentials",
        (0, 0),
        Some(0),
        AuthClass::Cluster,
    ),
    known(ApiKey::Vote, "Vote", (0, 2), Some(0), AuthClass::ClusterAction),
    known(ApiKey::BeginQuorumEpoch, "BeginQuorumEpoch", (0, 1), Some(1), AuthClass::ClusterAction),
    known(ApiKey::EndQuorumEpoch, "EndQuorumEpoch", (0, 1), Some(1), AuthClass::ClusterAction),
    served(ApiKey::DescribeQuorum, "DescribeQuorum", (0, 2), Some(0), AuthClass::Cluster),
    known(ApiKey::AlterPartition, "AlterPartition", (2, 3), Some(0), AuthClass::ClusterAction),
    served(ApiKey::UpdateFeatures, "UpdateFeatures", (0, 2), Some(0), AuthClass::Cluster),
    known(ApiKey::Envelope, "Envelope", (0, 0), Some(0), AuthClass::ClusterAction),
    known(ApiKey::FetchSnapshot, "FetchSnapshot", (0, 1), Some(0), AuthClass::ClusterAction),
    served(ApiKey::DescribeCluster, "DescribeCluster", (0, 2), Some(0), AuthClass::Cluster),
    served(ApiKey::DescribeProducers, "DescribeProducers", (0, 0), Some(0), AuthClass::Topic),
    known(ApiKey::BrokerRegistration, "BrokerRegistration", (0, 4), Some(0), AuthClass::ClusterAction),
    known(ApiKey::BrokerHeartbeat, "BrokerHeartbeat", (0, 1), Some(0), AuthClass::ClusterAction),
    known(ApiKey::UnregisterBroker, "UnregisterBroker", (0, 0), Some(0), AuthClass::Cluster),
    served(ApiKey::DescribeTransactions, "DescribeTransactions", (0, 0), Some(0), AuthClass::TransactionalId),
    served(ApiKey::ListTransactions, "ListTransactions", (0, 2), Some(0), AuthClass::TransactionalId),
    known(ApiKey::AllocateProducerIds, "AllocateProducerIds", (0, 0), Some(0), AuthClass::ClusterAction),
    served(ApiKey::ConsumerGroupHeartbeat, "ConsumerGroupHeartbeat", (0, 1), Some(0), AuthClass::Group),
    served(ApiKey::ConsumerGroupDescribe, "ConsumerGroupDescribe", (0, 1), Some(0), AuthClass::Group),
    known(
        ApiKey::ControllerRegistration,
        "ControllerRegistration",
        (0, 0),
        Some(0),
        AuthClass::ClusterAction,
    ),
    known(ApiKey::GetTelemetrySubscriptions, "GetTelemetrySubscriptions", (0, 0), Some(0), AuthClass::Open),
    known(ApiKey::PushTelemetry, "PushTelemetry", (0, 0), Some(0), AuthClass::Open),
    known(ApiKey::AssignReplicasToDirs, "AssignReplicasToDirs", (0, 0), Some(0), AuthClass::ClusterAction),
    served(ApiKey::ListConfigResources, "ListConfigResources", (0, 1), Some(0), AuthClass::Cluster),
    served(ApiKey::DescribeTopicPartitions, "DescribeTopicPartitions", (0, 0), Some(0), AuthClass::Topic),
    known(ApiKey::ShareGroupHeartbeat, "ShareGroupHeartbeat", (1, 1), Some(0), AuthClass::Group),
    known(ApiKey::ShareGroupDescribe, "ShareGroupDescribe", (1, 1), Some(0), AuthClass::Group),
    known(ApiKey::ShareFetch, "ShareFetch", (1, 1), Some(0), AuthClass::Group),
    known(ApiKey::ShareAcknowledge, "ShareAcknowledge", (1, 1), Some(0), AuthClass::Group),
    known(ApiKey::AddRaftVoter, "AddRaftVoter", (0, 0), Some(0), AuthClass::Cluster),
    known(ApiKey::RemoveRaftVoter, "RemoveRaftVoter", (0, 0), Some(0), AuthClass::Cluster),
    known(ApiKey::UpdateRaftVoter, "UpdateRaftVoter", (0, 0), Some(0), AuthClass::ClusterAction),
    known(
        ApiKey::InitializeShareGroupState,
        "InitializeShareGroupState",
        (0, 0),
        Some(0),
        AuthClass::ClusterAction,
    ),
    known(ApiKey::ReadShareGroupState, "ReadShareGroupState", (0, 0), Some(0), AuthClass::ClusterAction),
    known(ApiKey::WriteShareGroupState, "WriteShareGroupState", (0, 0), Some(0), AuthClass::ClusterAction),
    known(ApiKey::DeleteShareGroupState, "DeleteShareGroupState", (0, 0), Some(0), AuthClass::ClusterAction),
    known(
        ApiKey::ReadShareGroupStateSummary,
        "ReadShareGroupStateSummary",
        (0, 0),
        Some(0),
        AuthClass::ClusterAction,
    ),
    known(ApiKey::DescribeShareGroupOffsets, "DescribeShareGroupOffsets", (0, 0), Some(0), AuthClass::Group),
    known(ApiKey::AlterShareGroupOffsets, "AlterShareGroupOffsets", (0, 0), Some(0), AuthClass::Group),
    known(ApiKey::DeleteShareGroupOffsets, "DeleteShareGroupOffsets", (0, 0), Some(0), AuthClass::Group),
];

/// Stands in for a row that is not there; a test finds one for every key.
const UNLISTED: ApiSpec = known(ApiKey::ApiVersions, "?", (0, -1), None, AuthClass::ClusterAction);

fn spec_of(code: i16) -> Option<&'static ApiSpec> {
    let row = API_TABLE.binary_search_by_key(&code, |spec| spec.key.code());
    row.ok().and_then(|row| API_TABLE.get(row))
}

const fn served(
    key: ApiKey,
    name: &'static str,
    (min, max): (i16, i16),
    flexible_from: Option<i16>,
    auth: AuthClass,
) -> ApiSpec {
    ApiSpec {
        key,
        name,
        min,
        max,
        flexible_from,
        served: true,
        auth,
        phase: match key {
            ApiKey::ApiVersions | ApiKey::SaslHandshake | ApiKey::SaslAuthenticate => Phase::Handshake,
            _ => Phase::Authenticated,
        },
        // Measured with arrays of the smallest elements that are legal; the `hostile` test holds them.
        memory_weight: match key {
            ApiKey::Produce | ApiKey::Fetch => 20,
            // What an old version asks of its one group is copied into the newer shape.
            ApiKey::OffsetFetch => 64,
            // Every name of an old version becomes a larger structure.
            ApiKey::DeleteTopics => 112,
            _ => 40,
        },
    }
}

const fn known(
    key: ApiKey,
    name: &'static str,
    versions: (i16, i16),
    flexible_from: Option<i16>,
    auth: AuthClass,
) -> ApiSpec {
    ApiSpec { served: false, ..served(key, name, versions, flexible_from, auth) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_ascend_and_every_key_has_one() {
        assert!(API_TABLE.is_sorted_by(|a, b| a.key < b.key));
        for spec in API_TABLE {
            assert_eq!(ApiKey::from_code(spec.key.code()), Some(spec.key));
            assert_eq!(spec.key.spec(), spec);
            assert!(0 <= spec.min && spec.min <= spec.max);
            assert_eq!(spec.name, format!("{:?}", spec.key));
        }
        assert_eq!(ApiKey::from_code(4), None, "retired in Kafka 4.0");
        assert_eq!(ApiKey::from_code(-1), None);
    }

    #[test]
    fn produce_shows_a_minimum_it_does_not_decode() {
        let produce = ApiKey::Produce.spec();
        assert_eq!((produce.min_advertised(), produce.min, produce.max), (0, 3, 13));
        assert!(!produce.supports(2) && produce.supports(3));
        assert!(served_apis().filter(|spec| spec.min_advertised() != spec.min).count() == 1);
    }

    #[test]
    fn controllers_serve_administrators() {
        let served: Vec<i16> = controller_apis().map(|spec| spec.key.code()).collect();
        assert_eq!(served, [18, 19, 20, 29, 30, 31, 32, 33, 37, 43, 44, 45, 46, 55, 57, 60]);
        assert!(!ApiKey::UnregisterBroker.spec().is_for_controllers(), "it is not served at all");
    }

    #[test]
    fn header_versions_are_the_crates() {
        use kafka_protocol::messages::ApiKey as Generated;
        for spec in API_TABLE {
            let generated = Generated::try_from(spec.key.code()).expect("the crate knows every row");
            for version in spec.min..=spec.max {
                assert_eq!(
                    (spec.request_header_version(version), spec.response_header_version(version)),
                    (generated.request_header_version(version), generated.response_header_version(version)),
                    "{} {version}",
                    spec.name
                );
            }
        }
    }
}
