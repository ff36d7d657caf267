//! Consecutive partitions of every topic (`RangeAssignor`): topics with equally many partitions are co-partitioned.

use super::{MemberSpec, Spec};
use crate::group::record::Assignment;
use model::TopicId;
use std::cmp::Ordering;
use std::collections::BTreeMap;

pub(super) fn assign(spec: &Spec) -> BTreeMap<String, Assignment> {
    let mut topics: BTreeMap<TopicId, Ranges> = BTreeMap::new();
    for topic in spec.members.values().flat_map(|member| member.topics.iter()) {
        let partitions = spec.partition_count(*topic);
        topics
            .entry(*topic)
            .or_insert(Ranges { partitions, subscribers: 0, next: 0, served: 0 })
            .subscribers += 1;
    }
    let mut members: Vec<_> = spec.members.iter().collect();
    members.sort_by(|left, right| static_members_first(*left, *right));
    let mut targets = BTreeMap::new();
    for (id, member) in members {
        let mut target = Assignment::new();
        for topic in member.topics.iter() {
            let partitions = topics.get_mut(topic).map(Ranges::take).unwrap_or_default();
            if !partitions.is_empty() {
                target.insert(*topic, partitions);
            }
        }
        targets.insert(id.clone(), target);
    }
    targets
}

/// Static members come first, by instance id: their ids outlive a restart, so they keep their place.
fn static_members_first(left: (&String, &MemberSpec), right: (&String, &MemberSpec)) -> Ordering {
    match (&left.1.instance_id, &right.1.instance_id) {
        (Some(one), Some(other)) => one.cmp(other),
        (Some(_), None) => Ordering::Less,
        (None, Some(_)) => Ordering::Greater,
        (None, None) => left.0.cmp(right.0),
    }
}

/// How far a topic's partitions are given out.
struct Ranges {
    partitions: i32,
    subscribers: i32,
    next: i32,
    served: i32,
}

impl Ranges {
    fn take(&mut self) -> Vec<i32> {
        let extra = i32::from(self.served < self.partitions % self.subscribers);
        let start = self.next;
        let end = start.saturating_add(self.partitions / self.subscribers + extra).min(self.partitions);
        self.next = end;
        self.served += 1;
        (start..end).collect()
    }
}
