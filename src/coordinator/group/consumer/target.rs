//! The target assignment of a new group epoch (`TargetAssignmentBuilder`).

use super::assignor::{Assignor, MemberSpec, Spec};
use super::group::{Group, refusal};
use super::heartbeat::Growth;
use super::member::Member;
use super::subscriptions::{decrement, increment};
use crate::group::record::{Assignment, Record};
use crate::group::{Context, Refusal, Topics};
use model::{ErrorCode, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;

impl Group {
    /// Assigns the group as it is with `updated` in place of `member`, and of a static member whose place it takes.
    /// Adds the records of what changes; returns the target of `updated`.
    pub(super) fn assign(
        &self,
        context: &Context,
        growth: Growth,
        (member, updated): (&Member, &Member),
        records: &mut Vec<Record>,
    ) -> Result<Assignment, Refusal> {
        let Growth { epoch, subscriptions, .. } = growth;
        let replaced =
            updated.about.instance_id.as_ref().and_then(|instance_id| self.instances.get(instance_id));
        let others = self.all_members().filter(|other| other.id != updated.id && Some(&other.id) != replaced);
        let mut names = Names { topics: context.topics, facts: BTreeMap::new(), sets: BTreeMap::new() };
        let mut members = BTreeMap::new();
        for other in others {
            members.insert(other.id.to_string(), self.spec(other, &other.id, &mut names));
        }
        let heir_of = replaced.unwrap_or(&updated.id);
        members.insert(updated.id.to_string(), self.spec(updated, heir_of, &mut names));
        let partitions: BTreeMap<TopicId, i32> = names.facts.into_values().flatten().collect();
        let assigned = self.assigned(&partitions);
        let spec = Spec { members, subscriptions, partitions, assigned };
        let assignor = self.assignor(context, member, updated);
        let mut targets = assignor.assign(&spec).map_err(|error| {
            let message = format!("Failed to compute a new target assignment for epoch {epoch}: {error}");
            refusal(ErrorCode::UnknownServerError, message)
        })?;
        for (id, target) in &targets {
            if self.targets.get(id.as_str()) != Some(target) {
                let key = super::member::member_key(&self.id, id);
                records.push(Record::TargetMember(key, Some(target.clone())));
            }
        }
        records.push(Record::TargetEpoch(self.id.to_string(), Some(epoch)));
        Ok(targets.remove(&*updated.id).unwrap_or_default())
    }

    /// The assignor that most members ask for; a tie goes to `uniform`, and nobody's choice is the broker's.
    fn assignor(&self, context: &Context, member: &Member, updated: &Member) -> Assignor {
        let mut votes = self.assignors.clone();
        if let Some(name) = &member.about.server_assignor {
            decrement(&mut votes, name);
        }
        if let Some(name) = &updated.about.server_assignor {
            increment(&mut votes, name);
        }
        let chosen =
            votes.iter().max_by_key(|(_, count)| **count).and_then(|(name, _)| Assignor::named(name));
        let default = || context.settings.consumer_assignors.first().and_then(|name| Assignor::named(name));
        chosen.or_else(default).unwrap_or(Assignor::Uniform)
    }

    fn spec<'a>(&'a self, member: &'a Member, heir_of: &str, names: &mut Names<'a>) -> MemberSpec {
        let resolved = member.regex().and_then(|regex| self.resolved.get(regex));
        MemberSpec {
            instance_id: member.about.instance_id.clone(),
            topics: names
                .ids(&member.about.subscribed_topics, resolved.map(|resolved| resolved.topics.as_slice())),
            current: self.targets.get(heir_of).cloned().unwrap_or_default(),
        }
    }

    fn assigned(&self, partitions: &BTreeMap<TopicId, i32>) -> BTreeMap<TopicId, BTreeSet<i32>> {
        let owned = self.target_owners.iter().filter(|(topic, _)| partitions.contains_key(*topic));
        owned.map(|(topic, owners)| (*topic, owners.keys().copied().collect())).collect()
    }
}

/// The name of the assignor that the group uses, for those who look at it.
pub(super) fn assignor_name(group: &Group, default: &[String]) -> String {
    let chosen = group.assignors.iter().max_by_key(|(_, count)| **count).map(|(name, _)| name);
    chosen.or(default.first()).cloned().unwrap_or_default()
}

/// Names that a member gave, and those that its regular expression stands for.
type Subscribed<'a> = (&'a [String], Option<&'a [String]>);

/// Topic names and their ids, each looked up once; members that want the same share one set.
struct Names<'a> {
    topics: &'a dyn Topics,
    /// Id and partitions; `None` for a topic that does not exist.
    facts: BTreeMap<&'a str, Option<(TopicId, i32)>>,
    sets: BTreeMap<Subscribed<'a>, Rc<BTreeSet<TopicId>>>,
}

impl<'a> Names<'a> {
    fn ids(&mut self, named: &'a [String], resolved: Option<&'a [String]>) -> Rc<BTreeSet<TopicId>> {
        if let Some(ids) = self.sets.get(&(named, resolved)) {
            return ids.clone();
        }
        let mut ids = BTreeSet::new();
        for name in named.iter().chain(resolved.into_iter().flatten()) {
            let topics = self.topics;
            let look_up = || topics.by_name(name).map(|facts| (facts.id, facts.partitions));
            ids.extend(self.facts.entry(name).or_insert_with(look_up).map(|(id, _)| id));
        }
        let ids = Rc::new(ids);
        self.sets.insert((named, resolved), ids.clone());
        ids
    }
}
