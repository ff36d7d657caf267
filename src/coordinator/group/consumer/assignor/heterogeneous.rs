//! The uniform assignor when members want different topics (`UniformHeterogeneousAssignmentBuilder`).
//!
//! Partitions that nobody has go to the least loaded subscriber; then partitions move from loaded to idle subscribers,
//! topic by topic, until no topic can be improved.

use super::balancer::Balancer;
use super::{Spec, add, remove, sorted};
use crate::group::record::Assignment;
use model::TopicId;
use std::cmp::Ordering;
use std::collections::BTreeMap;

/// Overlapping subscriptions converge slowly; by then the assignment is good enough (Kafka's `MAX_ITERATION_COUNT`).
const ROUNDS_MAX: usize = 16;

pub(super) fn assign(spec: &Spec) -> BTreeMap<String, Assignment> {
    let mut work = Work::new(spec);
    if !work.topics.is_empty() {
        work.assign_free();
        work.balance();
    }
    let ids = spec.members.keys().cloned();
    ids.zip(work.targets.into_iter().map(sorted)).collect()
}

/// A topic that somebody wants.
struct Topic {
    /// Indexes of members, ascending.
    subscribers: Vec<usize>,
    /// Per partition: who shall own it.
    owners: Vec<Option<usize>>,
}

struct Work {
    topics: BTreeMap<TopicId, Topic>,
    /// Per member.
    targets: Vec<Assignment>,
    /// Per member: how many partitions its target has.
    loads: Vec<i64>,
}

impl Work {
    /// Everybody keeps what it still wants.
    fn new(spec: &Spec) -> Self {
        let mut topics: BTreeMap<TopicId, Topic> = BTreeMap::new();
        for (index, member) in spec.members.values().enumerate() {
            for id in member.topics.iter() {
                let partitions = usize::try_from(spec.partition_count(*id)).unwrap_or(0);
                let empty = || Topic { subscribers: Vec::new(), owners: vec![None; partitions] };
                topics.entry(*id).or_insert_with(empty).subscribers.push(index);
            }
        }
        let mut targets = Vec::with_capacity(spec.members.len());
        let mut loads = Vec::with_capacity(spec.members.len());
        for (index, member) in spec.members.values().enumerate() {
            if topics.is_empty() {
                // Nobody wants anything: nobody gets anything.
                targets.push(Assignment::new());
                continue;
            }
            let mut target = member.current.clone();
            target.retain(|id, _| member.topics.contains(id));
            let mut load = 0;
            for (id, partitions) in &target {
                load += partitions.len() as i64;
                let Some(topic) = topics.get_mut(id) else { continue };
                for partition in partitions {
                    if let Some(owner) = slot(&mut topic.owners, *partition) {
                        *owner = Some(index);
                    }
                }
            }
            targets.push(target);
            loads.push(load);
        }
        Self { topics, targets, loads }
    }

    fn assign_free(&mut self) {
        for id in self.order(|topic| topic.owners.contains(&None)) {
            let topic = &self.topics[&id];
            let Some(mut balancer) = Balancer::new(&topic.subscribers, &self.loads) else { continue };
            let free: Vec<i32> =
                (0_i32..).zip(&topic.owners).filter(|(_, owner)| owner.is_none()).map(|p| p.0).collect();
            for partition in free {
                let member = balancer.next_receiver(&self.loads);
                self.give(id, partition, member);
            }
        }
    }

    fn balance(&mut self) {
        let order = self.order(|topic| topic.subscribers.len() >= 2);
        // Once all topics were visited since the last change, nothing is left to do.
        let mut last_changed = None;
        for _ in 0..ROUNDS_MAX {
            for (index, id) in order.iter().enumerate() {
                if last_changed == Some(index) {
                    return;
                }
                if self.balance_topic(*id) || last_changed.is_none() {
                    last_changed = Some(index);
                }
            }
        }
    }

    /// Whether a partition moved.
    fn balance_topic(&mut self, id: TopicId) -> bool {
        let topic = &self.topics[&id];
        let Some(mut balancer) = Balancer::new(&topic.subscribers, &self.loads) else { return false };
        if balancer.imbalance() <= 1 {
            return false;
        }
        // What each member can give of this topic, the last one first.
        let mut stock: Vec<Vec<i32>> = vec![Vec::new(); self.loads.len()];
        for (partition, owner) in (0_i32..).zip(&topic.owners) {
            if let Some(owner) = owner {
                stock[*owner].push(partition);
            }
        }
        let mut moved = false;
        while !balancer.is_balanced() {
            let Some(giver) = balancer.next_giver(&self.loads) else { break };
            let Some(partition) = stock[giver].pop() else {
                balancer.exclude_giver();
                continue;
            };
            let receiver = balancer.next_receiver(&self.loads);
            if balancer.is_balanced() {
                break;
            }
            self.give(id, partition, receiver);
            moved = true;
        }
        moved
    }

    fn give(&mut self, id: TopicId, partition: i32, receiver: usize) {
        let Some(topic) = self.topics.get_mut(&id) else { return };
        let Some(owner) = slot(&mut topic.owners, partition) else { return };
        if let Some(giver) = owner.replace(receiver) {
            remove(&mut self.targets[giver], id, partition);
            self.loads[giver] -= 1;
        }
        add(&mut self.targets[receiver], id, partition);
        self.loads[receiver] += 1;
    }

    /// The topics that `wanted` picks: most partitions per subscriber first, then fewest subscribers, then by id.
    fn order(&self, wanted: impl Fn(&Topic) -> bool) -> Vec<TopicId> {
        let mut order: Vec<(&TopicId, &Topic)> =
            self.topics.iter().filter(|(_, topic)| wanted(topic)).collect();
        order.sort_by(|left, right| {
            let share = |topic: &Topic| topic.owners.len() as f64 / topic.subscribers.len() as f64;
            let by_share = share(right.1).total_cmp(&share(left.1));
            let by_subscribers = left.1.subscribers.len().cmp(&right.1.subscribers.len());
            by_share.then(by_subscribers).then_with(|| by_id(*left.0, *right.0))
        });
        order.into_iter().map(|(id, _)| *id).collect()
    }
}

/// Kafka compares the halves of an id as signed numbers.
fn by_id(left: TopicId, right: TopicId) -> Ordering {
    let halves = |id: TopicId| {
        let (most, least) = id.uuid().as_u64_pair();
        (most.cast_signed(), least.cast_signed())
    };
    halves(left).cmp(&halves(right))
}

fn slot(owners: &mut [Option<usize>], partition: i32) -> Option<&mut Option<usize>> {
    owners.get_mut(usize::try_from(partition).ok()?)
}
