//! Reads the topics out of what consumers say when they join.

use super::Group;
use bytes::{Buf, Bytes};
use std::collections::BTreeSet;

impl Group {
    /// The topics that the members read; `None` when the group is not one of consumers, or one of them says something
    /// that is not the consumer protocol.
    pub(super) fn read_subscribed(&self) -> Option<BTreeSet<String>> {
        if !self.is_of_consumers() {
            return None;
        }
        if self.members.is_empty() {
            return Some(BTreeSet::new());
        }
        let protocol = Some(self.protocol.as_deref()?);
        let mut topics = BTreeSet::new();
        for member in self.members.values() {
            topics.extend(subscribed_topics(member.metadata(protocol))?);
        }
        Some(topics)
    }
}

/// The topics of a `ConsumerProtocolSubscription`, of any version: all begin as version 0 does.
fn subscribed_topics(mut metadata: Bytes) -> Option<Vec<String>> {
    let version = metadata.try_get_i16().ok()?;
    if version < 0 {
        return None;
    }
    let count = usize::try_from(metadata.try_get_i32().ok()?).ok()?;
    let mut topics = Vec::new();
    for _ in 0..count {
        let bytes = usize::try_from(metadata.try_get_i16().ok()?).ok()?;
        if metadata.remaining() < bytes {
            return None;
        }
        let name = metadata.split_to(bytes);
        topics.push(std::str::from_utf8(&name).ok()?.to_owned());
    }
    Some(topics)
}
