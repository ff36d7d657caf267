//! Feature levels: `metadata.version` and the others that `UpdateFeatures` finalizes.

use std::fmt;

/// Name of the feature that versions the metadata records themselves.
pub const METADATA_VERSION: &str = "metadata.version";
/// Name of the feature that versions the quorum's own records (KIP-853).
pub const KRAFT_VERSION: &str = "kraft.version";
/// Name of the feature that keeps eligible leader replicas (KIP-966).
pub const ELIGIBLE_LEADER_REPLICAS_VERSION: &str = "eligible.leader.replicas.version";

/// A level of `metadata.version` (`org.apache.kafka.server.common.MetadataVersion`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct MetadataVersion(i16);

impl MetadataVersion {
    /// 3.3-IV3: the oldest that Kafka 4.1 reads.
    pub const MINIMUM: Self = Self(7);
    /// 4.1-IV1: what fresh directories get, and the newest that a cluster is upgraded to.
    pub const LATEST: Self = Self(27);
    /// 4.3-IV0: the newest that is understood. A cluster that is there already stays there.
    pub const NEWEST_UNDERSTOOD: Self = Self(30);

    /// 4.3-IV0: the first with cordoned log directories.
    pub(crate) const CORDONED_DIRECTORIES: Self = Self(30);

    /// The newest level of a cluster that is at `current`: none is upgraded beyond [`Self::LATEST`], but one that Kafka
    /// has brought further is served there.
    pub fn newest_of(current: Option<Self>) -> Self {
        Self::LATEST.max(current.unwrap_or(Self::MINIMUM))
    }

    /// The version of this level, if it is one that is understood here.
    pub fn from_level(level: i16) -> Option<Self> {
        (Self::MINIMUM.0..=Self::NEWEST_UNDERSTOOD.0).contains(&level).then_some(Self(level))
    }

    /// The level as feature records and requests carry it.
    pub const fn level(self) -> i16 {
        self.0
    }

    /// Kafka's name of the version, such as `4.1-IV1`.
    pub fn name(self) -> &'static str {
        self.row().0
    }

    /// Whether a downgrade from `self` to `other` would lose records (`checkIfMetadataChanged`).
    pub fn loses_metadata_at(self, other: Self) -> bool {
        NAMES
            .iter()
            .enumerate()
            .any(|(i, row)| row.1 && ((other.0 + 1)..=self.0).contains(&(Self::MINIMUM.0 + i as i16)))
    }

    /// The leader epoch grows when the ISR shrinks (dropped by KAFKA-15021).
    pub fn bumps_leader_epoch_on_isr_shrink(self) -> bool {
        self.0 < 12
    }

    /// Metadata transactions exist (KIP-868).
    pub fn has_transactions(self) -> bool {
        self.0 >= 13
    }

    /// Controllers register themselves (KIP-919).
    pub fn has_controller_registration(self) -> bool {
        self.0 >= 15
    }

    /// Partitions know the log directory of each replica (KIP-858).
    pub fn has_directories(self) -> bool {
        self.0 >= 17
    }

    /// Partition records can carry eligible leader replicas (KIP-966).
    pub fn has_elr(self) -> bool {
        self.0 >= 23
    }

    /// Brokers say which log directories get no more partitions (KIP-1066).
    pub fn has_cordoned_directories(self) -> bool {
        self.0 >= Self::CORDONED_DIRECTORIES.0
    }

    /// Version of `RegisterBrokerRecord`.
    pub fn register_broker_record_version(self) -> i16 {
        match self.0 {
            30.. => 4,
            17.. => 3,
            8.. => 2,
            _ => 1,
        }
    }

    /// Version of `PartitionRecord` and `PartitionChangeRecord`.
    pub fn partition_record_version(self) -> i16 {
        match self.0 {
            23.. => 2,
            17.. => 1,
            _ => 0,
        }
    }

    fn row(self) -> (&'static str, bool) {
        // The constructors keep the level inside the table.
        NAMES[(self.0 - Self::MINIMUM.0) as usize]
    }
}

impl fmt::Display for MetadataVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// Name and "changed the records" of every level from [`MetadataVersion::MINIMUM`] on.
const NAMES: [(&str, bool); 24] = [
    ("3.3-IV3", true),
    ("3.4-IV0", true),
    ("3.5-IV0", false),
    ("3.5-IV1", false),
    ("3.5-IV2", true),
    ("3.6-IV0", false),
    ("3.6-IV1", true),
    ("3.6-IV2", true),
    ("3.7-IV0", true),
    ("3.7-IV1", false),
    ("3.7-IV2", true),
    ("3.7-IV3", false),
    ("3.7-IV4", false),
    ("3.8-IV0", false),
    ("3.9-IV0", false),
    ("4.0-IV0", false),
    ("4.0-IV1", true),
    ("4.0-IV2", false),
    ("4.0-IV3", false),
    ("4.1-IV0", false),
    ("4.1-IV1", false),
    ("4.2-IV0", false),
    ("4.2-IV1", false),
    ("4.3-IV0", true),
];

#[cfg(test)]
mod tests {
    use super::*;

    fn level(level: i16) -> MetadataVersion {
        MetadataVersion::from_level(level).expect("a known level")
    }

    #[test]
    fn names_follow_levels() {
        assert_eq!(MetadataVersion::LATEST.name(), "4.1-IV1");
        assert_eq!(MetadataVersion::MINIMUM.name(), "3.3-IV3");
        assert_eq!(level(17).name(), "3.7-IV2");
        assert_eq!(level(23).name(), "4.0-IV1");
        assert_eq!((MetadataVersion::from_level(6), MetadataVersion::from_level(31)), (None, None));
        assert_eq!(level(30), MetadataVersion::NEWEST_UNDERSTOOD);
        assert_eq!(level(30).name(), "4.3-IV0");
    }

    #[test]
    fn only_some_downgrades_lose_metadata() {
        assert!(!level(27).loses_metadata_at(level(23)), "nothing changed since 4.0-IV1");
        assert!(level(27).loses_metadata_at(level(22)), "4.0-IV1 added ELR");
        assert!(!level(29).loses_metadata_at(level(23)));
        assert!(level(30).loses_metadata_at(level(29)), "4.3-IV0 added cordoned directories");
        assert!(!level(10).loses_metadata_at(level(8)));
        assert!(!level(27).loses_metadata_at(level(27)));
    }
}
