//! Features of a cluster and the levels of them that this program works with.

use controller::feature::{
    ELIGIBLE_LEADER_REPLICAS_VERSION, KRAFT_VERSION, METADATA_VERSION, MetadataVersion,
};
use controller::record::FeatureRange;

/// Levels that a new cluster begins with, `metadata.version` and the quorum's own apart.
pub(super) const INITIAL_LEVELS: &[(&str, i16)] = &[(ELIGIBLE_LEADER_REPLICAS_VERSION, 1)];

/// The features that Kafka 4.1 knows. A level of 0 means that the feature is not there yet: group coordination by
/// brokers (KIP-848), share groups (KIP-932) and the second transaction protocol (KIP-890) come with their
/// coordinators.
pub(super) fn supported() -> Vec<FeatureRange> {
    let oldest = MetadataVersion::MINIMUM.level();
    vec![
        FeatureRange::new(ELIGIBLE_LEADER_REPLICAS_VERSION, 0, 1),
        FeatureRange::new("group.version", 0, 0),
        FeatureRange::new(KRAFT_VERSION, 0, KRAFT_VERSION_MAX),
        FeatureRange::new(METADATA_VERSION, oldest, MetadataVersion::LATEST.level()),
        FeatureRange::new("share.version", 0, 0),
        FeatureRange::new("transaction.version", 0, 0),
    ]
}

/// Voters in the log (KIP-853).
pub(super) const KRAFT_VERSION_MAX: i16 = 1;
