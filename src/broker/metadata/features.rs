//! Features of a cluster and the levels of them that this program works with.

use controller::Image;
use controller::command::FeatureUpdate;
use controller::feature::{
    ELIGIBLE_LEADER_REPLICAS_VERSION, KRAFT_VERSION, METADATA_VERSION, MetadataVersion,
};
use controller::record::FeatureRange;
use model::BrokerId;

/// Levels that a new cluster begins with, `metadata.version` and the quorum's own apart.
pub(super) const INITIAL_LEVELS: &[(&str, i16)] =
    &[(ELIGIBLE_LEADER_REPLICAS_VERSION, 1), (GROUP_VERSION, 1), (TRANSACTION_VERSION, 2)];

/// Group coordination by brokers (KIP-848).
pub(crate) const GROUP_VERSION: &str = "group.version";

/// How producers and coordinators of transactions speak: 1 for records with tagged fields, 2 for an epoch with every
/// transaction (KIP-890).
pub(crate) const TRANSACTION_VERSION: &str = "transaction.version";

/// The features that Kafka 4.1 knows. A level of 0 means that the feature is not there yet: share groups (KIP-932) come
/// with their coordinator.
pub(super) fn supported(image: &Image) -> Vec<FeatureRange> {
    let oldest = MetadataVersion::MINIMUM.level();
    let newest = MetadataVersion::newest_of(image.metadata_version());
    vec![
        FeatureRange::new(ELIGIBLE_LEADER_REPLICAS_VERSION, 0, 1),
        FeatureRange::new(GROUP_VERSION, 0, 1),
        FeatureRange::new(KRAFT_VERSION, 0, KRAFT_VERSION_MAX),
        FeatureRange::new(METADATA_VERSION, oldest, newest.level()),
        FeatureRange::new("share.version", 0, 0),
        FeatureRange::new(TRANSACTION_VERSION, 0, 2),
    ]
}

/// What is to be finalized in a cluster that began when this program lacked the feature: its last registration said
/// that the feature was not there, so that nobody can have chosen to leave it out.
pub(super) fn gained(image: &Image, own: BrokerId) -> Vec<FeatureUpdate> {
    let is_recent =
        image.metadata_version().is_some_and(|version| version.level() >= FINALIZED_FROM_THE_START_SINCE);
    let Some(before) = image.broker(own).filter(|_| is_recent) else { return Vec::new() };
    let lacked = |name: &str| before.features.iter().any(|feature| feature.name == name && feature.max == 0);
    let gained =
        INITIAL_LEVELS.iter().filter(|(name, _)| lacked(name) && image.features().level(name) == 0).map(
            |(name, level)| FeatureUpdate { name: (*name).to_owned(), level: *level, upgrade_type: UPGRADE },
        );
    gained.collect()
}

/// `FeatureUpdate.UpgradeType`
const UPGRADE: i8 = 1;
/// Level of 4.0-IV2. Kafka finalizes what is gained in clusters that begin with it or a later one.
const FINALIZED_FROM_THE_START_SINCE: i16 = 24;

/// Voters in the log (KIP-853).
pub(super) const KRAFT_VERSION_MAX: i16 = 1;

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use controller::controller::ConfigRules;
    use controller::record::RegisterBrokerRecord;
    use controller::{Controller, ControllerSettings, MetadataRecord};
    use model::Offset;
    use uuid::Uuid;

    use super::*;

    /// A cluster that began with `levels` and whose broker 1 last registered with these features up to `known`.
    fn image(levels: &[(&str, i16)], known: i16) -> Arc<Image> {
        let settings = ControllerSettings {
            node_id: BrokerId::new(1),
            cluster_id: String::new(),
            default_partitions: 1,
            default_replication_factor: 1,
            min_insync_replicas: 1,
            unclean_leader_election: false,
            supported_features: supported(&Image::default()),
            kraft_version: 1,
            config_rules: ConfigRules {
                validate_topic: |_| Ok(()),
                validate_broker: |_, _| Ok(()),
                validate_group: |_| Ok(()),
                list_default: |_, _| None,
            },
        };
        let mut controller = Controller::new(settings);
        let mut records = controller::bootstrap_records(levels);
        records.push(MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            version: 3,
            broker_id: BrokerId::new(1),
            is_migrating_zk_broker: false,
            incarnation_id: Uuid::from_u128(1),
            broker_epoch: 1,
            endpoints: Vec::new(),
            features: vec![
                FeatureRange::new(GROUP_VERSION, 0, known),
                FeatureRange::new(TRANSACTION_VERSION, 0, known),
            ],
            rack: None,
            fenced: false,
            in_controlled_shutdown: false,
            log_dirs: Vec::new(),
            cordoned_log_dirs: None,
            unknown: Vec::new(),
        }));
        for (record, offset) in records.iter().zip(0..) {
            controller.replay(Offset::new(offset), record).unwrap();
        }
        controller.image()
    }

    fn gained_of(image: &Image) -> Vec<(String, i16)> {
        gained(image, BrokerId::new(1)).into_iter().map(|update| (update.name, update.level)).collect()
    }

    #[test]
    fn what_an_earlier_version_lacked_is_finalized() {
        let both = [(GROUP_VERSION.to_owned(), 1), (TRANSACTION_VERSION.to_owned(), 2)];
        assert_eq!(gained_of(&image(&[], 0)), both);
        assert_eq!(gained_of(&image(&[(GROUP_VERSION, 1)], 0)), both[1..]);
    }

    #[test]
    fn what_somebody_may_have_chosen_is_left() {
        assert_eq!(gained_of(&image(&[], 1)), [], "it was known, and is not finalized");
        let chosen = image(&[(GROUP_VERSION, 1), (TRANSACTION_VERSION, 1)], 1);
        assert_eq!(gained_of(&chosen), [], "they are finalized");
        assert_eq!(gained_of(&Image::default()), [], "a cluster that begins");
    }
}
