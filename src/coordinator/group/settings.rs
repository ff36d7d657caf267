//! The broker's `group.*` and `offsets.*` settings, resolved (`GroupCoordinatorConfig`, `GroupConfig`).

use std::collections::BTreeMap;

/// Settings of every group; times in milliseconds. The defaults are Kafka's.
#[derive(Clone, Debug, PartialEq)]
pub struct Settings {
    /// `group.initial.rebalance.delay.ms`
    pub initial_rebalance_delay_ms: i32,
    /// `group.min.session.timeout.ms`
    pub session_timeout_min_ms: i32,
    /// `group.max.session.timeout.ms`
    pub session_timeout_max_ms: i32,
    /// `group.max.size`: members of a classic group
    pub classic_members_max: i32,
    /// `group.consumer.session.timeout.ms`
    pub consumer_session_timeout_ms: i32,
    /// `group.consumer.heartbeat.interval.ms`
    pub consumer_heartbeat_interval_ms: i32,
    /// `group.consumer.max.size`
    pub consumer_members_max: i32,
    /// `group.consumer.assignors`: names, the first is the default
    pub consumer_assignors: Vec<String>,
    /// `group.consumer.migration.policy`: may a group of one protocol become the other's online
    pub upgrade_allowed: bool,
    /// `group.consumer.migration.policy`: the other direction
    pub downgrade_allowed: bool,
    /// `group.consumer.regex.refresh.interval.ms`
    pub regex_refresh_ms: i32,
    /// `offset.metadata.max.bytes`
    pub offset_metadata_bytes_max: i32,
    /// `offsets.retention.minutes`, in milliseconds
    pub offsets_retention_ms: i64,
    /// `offsets.retention.check.interval.ms`
    pub offsets_retention_check_ms: i64,
    /// Settings of single groups (config resource type GROUP), by group id.
    pub overrides: BTreeMap<String, GroupOverrides>,
}

/// What a group's own config sets (`consumer.session.timeout.ms`, `consumer.heartbeat.interval.ms`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct GroupOverrides {
    /// `consumer.session.timeout.ms`
    pub consumer_session_timeout_ms: Option<i32>,
    /// `consumer.heartbeat.interval.ms`
    pub consumer_heartbeat_interval_ms: Option<i32>,
}

impl Settings {
    /// How long a consumer-protocol member of `group_id` may stay silent.
    pub fn consumer_session_timeout_ms(&self, group_id: &str) -> i32 {
        let own = self.overrides.get(group_id).and_then(|group| group.consumer_session_timeout_ms);
        own.unwrap_or(self.consumer_session_timeout_ms)
    }

    /// How often a consumer-protocol member of `group_id` is told to send a heartbeat.
    pub fn consumer_heartbeat_interval_ms(&self, group_id: &str) -> i32 {
        let own = self.overrides.get(group_id).and_then(|group| group.consumer_heartbeat_interval_ms);
        own.unwrap_or(self.consumer_heartbeat_interval_ms)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            initial_rebalance_delay_ms: 3_000,
            session_timeout_min_ms: 6_000,
            session_timeout_max_ms: 1_800_000,
            classic_members_max: i32::MAX,
            consumer_session_timeout_ms: 45_000,
            consumer_heartbeat_interval_ms: 5_000,
            consumer_members_max: i32::MAX,
            consumer_assignors: vec!["uniform".into(), "range".into()],
            upgrade_allowed: true,
            downgrade_allowed: true,
            regex_refresh_ms: 600_000,
            offset_metadata_bytes_max: 4_096,
            offsets_retention_ms: 7 * 24 * 60 * 60 * 1_000,
            offsets_retention_check_ms: 600_000,
            overrides: BTreeMap::new(),
        }
    }
}
