//! Key types: the first two bytes of a key (`CoordinatorRecordType`).

/// An offset of Kafka 0.8.1, never written since.
pub(super) const LEGACY_OFFSET: i16 = 0;
pub(super) const OFFSET: i16 = 1;
pub(super) const CLASSIC_GROUP: i16 = 2;
pub(super) const CONSUMER_GROUP: i16 = 3;
pub(super) const PARTITION_METADATA: i16 = 4;
pub(super) const MEMBER: i16 = 5;
pub(super) const TARGET_EPOCH: i16 = 6;
pub(super) const TARGET_MEMBER: i16 = 7;
pub(super) const CURRENT_ASSIGNMENT: i16 = 8;
pub(super) const REGULAR_EXPRESSION: i16 = 16;
