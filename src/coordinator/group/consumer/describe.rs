//! ConsumerGroupDescribe (KIP-848, KIP-1099): a group as an administrator sees it.

use super::group::Group;
use super::member::Member;
use super::target::assignor_name;
use crate::group::record::Assignment;
use crate::group::{Refusal, Settings, Shard, Topics};
use model::TopicId;

/// A consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ConsumerGroupDescription {
    /// `Empty`, `Assigning`, `Reconciling` or `Stable`.
    pub state: &'static str,
    /// The group's epoch.
    pub epoch: i32,
    /// The epoch of the target assignment.
    pub assignment_epoch: i32,
    /// The assignor that it uses.
    pub assignor: String,
    /// By member id.
    pub members: Vec<ConsumerMemberDescription>,
}

/// A member of a consumer group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ConsumerMemberDescription {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub rack_id: Option<String>,
    pub member_epoch: i32,
    pub client_id: String,
    pub client_host: String,
    pub subscribed_topics: Vec<String>,
    pub subscribed_regex: Option<String>,
    /// What it owns.
    pub assigned: Vec<DescribedPartitions>,
    /// What it shall own.
    pub target: Vec<DescribedPartitions>,
    /// It speaks the classic protocol: member type 0, else 1 (KIP-1099).
    pub classic: bool,
}

/// Partitions of a topic that exists.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DescribedPartitions {
    pub topic_id: TopicId,
    pub topic: String,
    pub partitions: Vec<i32>,
}

impl Shard {
    /// Describes a consumer group. `GROUP_ID_NOT_FOUND` for none, and for a classic one.
    pub fn describe_consumer_group(
        &self,
        group_id: &str,
        topics: &dyn Topics,
        settings: &Settings,
    ) -> Result<ConsumerGroupDescription, Refusal> {
        Ok(self.known_consumer_group(group_id)?.describe(topics, settings))
    }
}

impl Group {
    fn describe(&self, topics: &dyn Topics, settings: &Settings) -> ConsumerGroupDescription {
        ConsumerGroupDescription {
            state: self.state().name(),
            epoch: self.epoch,
            assignment_epoch: self.target_epoch,
            assignor: assignor_name(self, &settings.consumer_assignors),
            members: self.all_members().map(|member| self.describe_member(member, topics)).collect(),
        }
    }

    fn describe_member(&self, member: &Member, topics: &dyn Topics) -> ConsumerMemberDescription {
        let about = &member.about;
        let target = self.targets.get(&member.id).map(|target| named(target, topics)).unwrap_or_default();
        ConsumerMemberDescription {
            member_id: member.id.to_string(),
            instance_id: about.instance_id.clone(),
            rack_id: about.rack_id.clone(),
            member_epoch: member.epoch(),
            client_id: about.client_id.clone(),
            client_host: about.client_host.clone(),
            subscribed_topics: about.subscribed_topics.clone(),
            subscribed_regex: about.subscribed_regex.clone(),
            assigned: named(&member.current.assigned, topics),
            target,
            classic: member.is_classic(),
        }
    }
}

fn named(assignment: &Assignment, topics: &dyn Topics) -> Vec<DescribedPartitions> {
    let described = |(id, partitions): (&TopicId, &Vec<i32>)| {
        let topic = topics.by_id(*id)?.name;
        Some(DescribedPartitions { topic_id: *id, topic, partitions: partitions.clone() })
    };
    assignment.iter().filter_map(described).collect()
}
