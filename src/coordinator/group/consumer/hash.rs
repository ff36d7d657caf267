//! The hash over a group's topics (KIP-1101): when it changes, so does the assignment.
//!
//! Byte for byte what Kafka feeds to XXH3 (`Utils.computeTopicHash`, `computeGroupHash`), so that either broker takes over
//! the other's groups without a rebalance.

use super::subscriptions::Wanted;
use crate::group::{TopicFacts, Topics};
use std::collections::BTreeMap;
use twox_hash::XxHash3_64;

/// The version of the function.
const MAGIC: u8 = 0;

/// Hashes of topics at one version of the metadata image.
#[derive(Clone, Debug, Default)]
pub(super) struct TopicHashes {
    version: i64,
    by_name: BTreeMap<String, i64>,
}

impl TopicHashes {
    /// The hash of a group that wants `wanted`; topics that do not exist do not count, and 0 is the hash of none.
    pub(super) fn group_hash(&mut self, wanted: &Wanted, topics: &dyn Topics) -> i64 {
        if self.version != topics.version() {
            self.version = topics.version();
            self.by_name.clear();
        }
        self.by_name.retain(|name, _| wanted.topics.contains_key(name));
        let mut bytes = Vec::new();
        for name in wanted.topics.keys() {
            let known = self.by_name.get(name).copied();
            let hash = known.or_else(|| topics.by_name(name).map(|facts| topic_hash(&facts, topics)));
            let Some(hash) = hash else { continue };
            if known.is_none() {
                self.by_name.insert(name.clone(), hash);
            }
            bytes.extend_from_slice(&hash.to_le_bytes());
        }
        if bytes.is_empty() { 0 } else { XxHash3_64::oneshot(&bytes).cast_signed() }
    }
}

fn topic_hash(facts: &TopicFacts, topics: &dyn Topics) -> i64 {
    let (most, least) = facts.id.uuid().as_u64_pair();
    let mut bytes = vec![MAGIC];
    bytes.extend_from_slice(&most.to_le_bytes());
    bytes.extend_from_slice(&least.to_le_bytes());
    put_string(&mut bytes, &facts.name);
    bytes.extend_from_slice(&facts.partitions.to_le_bytes());
    for partition in 0..facts.partitions {
        bytes.extend_from_slice(&partition.to_le_bytes());
        for rack in topics.racks(facts.id, partition) {
            put_length(&mut bytes, &rack);
            put_string(&mut bytes, &rack);
        }
    }
    XxHash3_64::oneshot(&bytes).cast_signed()
}

/// hash4j's `putString`: the UTF-16 units, then how many there are.
fn put_string(bytes: &mut Vec<u8>, text: &str) {
    for unit in text.encode_utf16() {
        bytes.extend_from_slice(&unit.to_le_bytes());
    }
    put_length(bytes, text);
}

fn put_length(bytes: &mut Vec<u8>, text: &str) {
    let units = i32::try_from(text.encode_utf16().count()).unwrap_or(i32::MAX);
    bytes.extend_from_slice(&units.to_le_bytes());
}

#[cfg(test)]
#[path = "hash_tests.rs"]
mod tests;
