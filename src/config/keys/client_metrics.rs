//! Settings of a client metrics subscription (KIP-714).

use crate::key::Check::Any;
use crate::key::Importance::Medium;
use crate::key::KeyType::{Int, List};
use crate::key::Support::Accepted;
use crate::key::UpdateMode::ClusterWide;
use crate::key::{Key, key};

/// The subscription setting of this exact name.
pub fn client_metrics_key(name: &str) -> Option<&'static Key> {
    CLIENT_METRICS_KEYS.iter().find(|key| key.name == name)
}

/// Every subscription setting, sorted by name.
#[rustfmt::skip]
pub const CLIENT_METRICS_KEYS: &[Key] = &[
    key("interval.ms", Int, Some("300000"), Any, Medium, ClusterWide, Accepted, "How often matching clients push their metrics, in milliseconds."),
    key("match", List, Some(""), Any, Medium, ClusterWide, Accepted, "Which clients push, as name=pattern; empty matches all."),
    key("metrics", List, Some(""), Any, Medium, ClusterWide, Accepted, "Prefixes of the metrics to push; * is all."),
];
