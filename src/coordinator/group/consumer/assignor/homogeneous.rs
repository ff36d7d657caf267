//! The uniform assignor when all members want the same topics (`UniformHomogeneousAssignmentBuilder`).
//!
//! Every member gets the quotient of partitions and members, the first ones with room one more; a member keeps what it
//! has up to that quota.

use super::{AssignError, MemberSpec, Spec, add, remove, sorted};
use crate::group::record::Assignment;
use model::TopicId;
use std::collections::{BTreeMap, BTreeSet};

pub(super) fn assign(spec: &Spec) -> Result<BTreeMap<String, Assignment>, AssignError> {
    let topics = spec.members.values().next().map(|member| member.topics.clone()).unwrap_or_default();
    if topics.is_empty() {
        return Ok(spec.members.keys().map(|id| (id.clone(), Assignment::new())).collect());
    }
    let mut free = Vec::new();
    let mut total = 0_usize;
    for topic in topics.iter() {
        let partitions = spec.partition_count(*topic);
        total += usize::try_from(partitions).unwrap_or(0);
        free.extend(
            (0..partitions).filter(|index| !spec.is_assigned(*topic, *index)).map(|index| (*topic, index)),
        );
    }
    let members = spec.members.len();
    let mut quotas = Quotas { least: total / members, extras: total % members, members_left: members };
    let mut targets = BTreeMap::new();
    let mut unfilled = Vec::new();
    for (id, member) in &spec.members {
        let (target, room) = quotas.keep(member, &topics, &mut free);
        if room > 0 {
            unfilled.push((id.clone(), room));
        }
        targets.insert(id.clone(), target);
    }
    fill(&mut targets, unfilled, free)
}

/// How much the members that are still to be visited may have.
struct Quotas {
    least: usize,
    /// How many members may have one more.
    extras: usize,
    /// Members not yet visited, this one included.
    members_left: usize,
}

impl Quotas {
    /// What `member` keeps, and how many more it may get. What it must give up goes to `free`.
    fn keep(
        &mut self,
        member: &MemberSpec,
        topics: &BTreeSet<TopicId>,
        free: &mut Vec<(TopicId, i32)>,
    ) -> (Assignment, usize) {
        let mut has_extra = self.extras > 0;
        let mut room = self.least + usize::from(has_extra);
        let mut target = member.current.clone();
        for (topic, partitions) in &member.current {
            if !topics.contains(topic) {
                target.remove(topic);
                continue;
            }
            let kept = partitions.len().min(room);
            room -= kept;
            for partition in &partitions[kept..] {
                remove(&mut target, *topic, *partition);
                free.push((*topic, *partition));
            }
        }
        // The extra one is left for others as long as enough of them are still to come.
        if room > 0 && has_extra && self.members_left > self.extras {
            room -= 1;
            has_extra = false;
        }
        self.extras -= usize::from(has_extra);
        self.members_left -= 1;
        (target, room)
    }
}

fn fill(
    targets: &mut BTreeMap<String, Assignment>,
    unfilled: Vec<(String, usize)>,
    free: Vec<(TopicId, i32)>,
) -> Result<BTreeMap<String, Assignment>, AssignError> {
    let mut free = free.into_iter();
    for (id, room) in unfilled {
        let Some(target) = targets.get_mut(&id) else { continue };
        for (topic, partition) in free.by_ref().take(room) {
            add(target, topic, partition);
        }
    }
    if free.next().is_some() {
        return Err(AssignError::LeftOver);
    }
    Ok(std::mem::take(targets).into_iter().map(|(id, target)| (id, sorted(target))).collect())
}
