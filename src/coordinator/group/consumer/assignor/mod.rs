//! Server-side assignors (KIP-848): who of a group shall own which partition.
//!
//! Pure functions. Kafka walks hash maps where the order of members and topics matters; here that order is the order of
//! member ids and topic ids, so that the same group always gets the same answer. For inputs whose hash order is that
//! order, the results are those of Kafka's classes (see `testdata/`). Neither looks at racks, as in Kafka 4.1.

mod balancer;
mod heterogeneous;
mod homogeneous;
mod range;

use crate::group::record::Assignment;
use model::TopicId;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

/// An assignor that members can ask for by name.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Assignor {
    /// Sticky, and as even as can be (`UniformAssignor`).
    Uniform,
    /// Consecutive partitions, the same ones of every topic (`RangeAssignor`).
    Range,
}

impl Assignor {
    /// The assignor that clients call `name`.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "uniform" => Some(Self::Uniform),
            "range" => Some(Self::Range),
            _ => None,
        }
    }

    /// What each member of `spec` shall own; every member is in the answer.
    pub fn assign(self, spec: &Spec) -> Result<BTreeMap<String, Assignment>, AssignError> {
        for topic in spec.members.values().flat_map(|member| member.topics.iter()) {
            if !spec.partitions.contains_key(topic) {
                return Err(AssignError::UnknownTopic(*topic));
            }
        }
        if spec.members.is_empty() {
            return Ok(BTreeMap::new());
        }
        match (self, spec.subscriptions) {
            (Self::Range, _) => Ok(range::assign(spec)),
            (Self::Uniform, Subscriptions::Homogeneous) => homogeneous::assign(spec),
            (Self::Uniform, Subscriptions::Heterogeneous) => Ok(heterogeneous::assign(spec)),
        }
    }
}

/// Whether the members of a group want the same topics (`SubscriptionType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Subscriptions {
    /// All members want the same topics.
    Homogeneous,
    /// Some member wants other topics than another.
    Heterogeneous,
}

/// What an assignor looks at (`GroupSpec`, `SubscribedTopicDescriber`).
#[derive(Clone, Debug)]
pub struct Spec {
    /// By member id.
    pub members: BTreeMap<String, MemberSpec>,
    /// How alike the subscriptions are.
    pub subscriptions: Subscriptions,
    /// How many partitions each subscribed topic has.
    pub partitions: BTreeMap<TopicId, i32>,
    /// The partitions that somebody is to own by now.
    pub assigned: BTreeMap<TopicId, BTreeSet<i32>>,
}

impl Spec {
    fn partition_count(&self, topic: TopicId) -> i32 {
        self.partitions.get(&topic).copied().unwrap_or(0)
    }

    fn is_assigned(&self, topic: TopicId, partition: i32) -> bool {
        self.assigned.get(&topic).is_some_and(|partitions| partitions.contains(&partition))
    }
}

/// A member, as an assignor sees it.
#[derive(Clone, Debug, Default)]
pub struct MemberSpec {
    /// `group.instance.id` of a static member.
    pub instance_id: Option<String>,
    /// The topics it wants, of those that exist.
    pub topics: Rc<BTreeSet<TopicId>>,
    /// What it is to own by now.
    pub current: Assignment,
}

/// Why there is no assignment (`PartitionAssignorException`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum AssignError {
    /// A subscription names a topic that is not there.
    #[error("members are subscribed to topic {0}, which does not exist in the topic metadata")]
    UnknownTopic(TopicId),
    /// The current assignment contradicts itself, so that no room is left.
    #[error("partitions were left unassigned")]
    LeftOver,
}

/// Adds a partition; [`sorted`] puts it in its place.
fn add(assignment: &mut Assignment, topic: TopicId, partition: i32) {
    assignment.entry(topic).or_default().push(partition);
}

fn remove(assignment: &mut Assignment, topic: TopicId, partition: i32) {
    if let Some(partitions) = assignment.get_mut(&topic) {
        partitions.retain(|other| *other != partition);
        if partitions.is_empty() {
            assignment.remove(&topic);
        }
    }
}

fn sorted(mut assignment: Assignment) -> Assignment {
    for partitions in assignment.values_mut() {
        partitions.sort_unstable();
    }
    assignment
}

#[cfg(test)]
#[path = "assignor_tests.rs"]
mod tests;
