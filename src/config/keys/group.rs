//! Settings of a group (KIP-848, KIP-932, KIP-1071), and the broker key that gives each its default.

use crate::key::Check::{AtLeast, OneOf, ShareOffsetReset};
use crate::key::Importance::Medium;
use crate::key::KeyType::{Int, String};
use crate::key::Support::{Accepted, Honoured};
use crate::key::UpdateMode::ClusterWide;
use crate::key::{Key, key};

/// The group setting of this exact name.
pub fn group_key(name: &str) -> Option<&'static Key> {
    GROUP_KEYS.iter().find(|key| key.name == name)
}

/// The broker key whose value a group has until it sets its own.
pub fn broker_key_of(name: &str) -> Option<std::string::String> {
    match name {
        // These two have no broker-wide form.
        "share.auto.offset.reset" | "share.isolation.level" => None,
        _ => Some(format!("group.{name}")),
    }
}

/// Every group setting, sorted by name.
#[rustfmt::skip]
pub const GROUP_KEYS: &[Key] = &[
    key("consumer.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Medium, ClusterWide, Honoured, "Heartbeat interval given to members of this consumer group, in milliseconds."),
    key("consumer.session.timeout.ms", Int, Some("45000"), AtLeast(1), Medium, ClusterWide, Honoured, "A member of this consumer group that is silent for this long is removed, in milliseconds."),
    key("share.auto.offset.reset", String, Some("latest"), ShareOffsetReset, Medium, ClusterWide, Accepted, "Where this share group begins without committed state: latest, earliest or by_duration:PnDTnHnMn.nS."),
    key("share.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Medium, ClusterWide, Accepted, "Heartbeat interval given to members of this share group, in milliseconds."),
    key("share.isolation.level", String, Some("read_uncommitted"), OneOf(&["read_committed", "read_uncommitted"]), Medium, ClusterWide, Accepted, "Whether this share group sees records of open transactions."),
    key("share.record.lock.duration.ms", Int, Some("30000"), AtLeast(1000), Medium, ClusterWide, Accepted, "How long a member of this share group holds a record, in milliseconds."),
    key("share.session.timeout.ms", Int, Some("45000"), AtLeast(1), Medium, ClusterWide, Accepted, "A member of this share group that is silent for this long is removed, in milliseconds."),
    key("streams.heartbeat.interval.ms", Int, Some("5000"), AtLeast(1), Medium, ClusterWide, Accepted, "Heartbeat interval given to members of this streams group, in milliseconds."),
    key("streams.num.standby.replicas", Int, Some("0"), AtLeast(0), Medium, ClusterWide, Accepted, "Standby tasks per task of this streams group."),
    key("streams.session.timeout.ms", Int, Some("45000"), AtLeast(1), Medium, ClusterWide, Accepted, "A member of this streams group that is silent for this long is removed, in milliseconds."),
];
