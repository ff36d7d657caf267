//! What is done to offsets without a request: they expire (KIP-211), and go with their topic.

use super::store::{Committed, GroupOffsets};
use super::{Group, tombstone};
use crate::group::classic::OffsetExpiry;
use crate::group::record::{OffsetKey, Record};
use crate::group::timers::{Alarm, Entry, TimerKey};
use crate::group::{Context, Shard, Step};
use std::collections::{BTreeMap, BTreeSet};
use std::ops::Bound;

/// Most tombstones of one step.
const TOMBSTONES_PER_STEP: usize = 1_000;
/// Most bytes of their keys, the last one apart: a batch must stay below the topic's `max.message.bytes`.
const TOMBSTONE_BYTES_PER_STEP: usize = 256 * 1024;
/// Most offsets that one step looks at, the last group's apart.
const OFFSETS_PER_STEP: usize = 50_000;
/// The pause before the next step, when one was not enough. Requests come first.
const PAUSE_MS: i64 = 5;

/// Work on the offsets that is not done yet.
#[derive(Debug, Default)]
pub(super) struct Upkeep {
    alarm: Alarm,
    /// When all groups are looked through again, on the monotonic clock.
    check_at_ms: i64,
    /// The group at which the present look stopped.
    resume_at: Option<String>,
    /// Offsets of deleted topics, by group id and topic. Only those that were there when the topic went: it may come
    /// back under the same name.
    doomed: BTreeMap<String, BTreeMap<String, BTreeSet<i32>>>,
}

/// What one step may still do.
struct Budget {
    tombstones: usize,
    bytes: usize,
    offsets: usize,
}

impl Shard {
    pub(in crate::group) fn offsets_loaded(&mut self, context: &Context) -> Step {
        self.offsets.upkeep.check_at_ms = context.now_ms.saturating_add(check_interval_ms(context));
        self.schedule_upkeep(context);
        Step::default()
    }

    /// The offsets of these topics are to be removed: the topics were deleted (`onPartitionsDeleted`). The next ticks
    /// do it.
    pub fn topics_deleted(&mut self, context: &Context, names: &[String]) {
        for (group_id, group) in &self.offsets.groups {
            for name in names {
                let partitions = group.partitions_of(name);
                if !partitions.is_empty() {
                    let topics = self.offsets.upkeep.doomed.entry(group_id.to_string()).or_default();
                    topics.entry(name.clone()).or_default().extend(partitions);
                }
            }
        }
        self.schedule_upkeep(context);
    }

    pub(in crate::group) fn offset_expiry_alarm(
        &mut self,
        context: &Context,
        entry: Entry,
        key: &TimerKey,
    ) -> Step {
        let alarm = &mut self.offsets.upkeep.alarm;
        if !alarm.rings(&mut self.timers, context.now_ms, entry, key) {
            return Step::default();
        }
        let mut records = self.offsets.upkeep.tombstones_of_doomed();
        if records.is_empty() && context.now_ms >= self.offsets.upkeep.check_at_ms {
            records = self.expired(context);
        }
        self.schedule_upkeep(context);
        Step { records, ..Step::default() }
    }

    fn schedule_upkeep(&mut self, context: &Context) {
        let upkeep = &mut self.offsets.upkeep;
        let is_behind = !upkeep.doomed.is_empty() || upkeep.resume_at.is_some();
        let at_ms = if is_behind { context.now_ms.saturating_add(PAUSE_MS) } else { upkeep.check_at_ms };
        upkeep.alarm.set(&mut self.timers, at_ms, || TimerKey::OffsetExpiry);
    }

    /// Looks through the groups, as far as the budget goes: the tombstones of expired offsets, and of empty groups
    /// that have none left (`GroupCoordinatorShard.cleanupGroupMetadata`).
    fn expired(&mut self, context: &Context) -> Vec<Record> {
        let mut records = Vec::new();
        let mut budget = Budget::new();
        let start = self.offsets.upkeep.resume_at.take().map_or(Bound::Unbounded, Bound::Included);
        for (group_id, group) in self.groups.range::<String, _>((start, Bound::Unbounded)) {
            if budget.is_spent() {
                self.offsets.upkeep.resume_at = Some(group_id.clone());
                return records;
            }
            let none_left = match self.offsets.groups.get(group_id.as_str()) {
                Some(offsets) => offsets.expired(context, group_id, group, &mut budget, &mut records),
                None => true,
            };
            if none_left && group.is_empty() {
                records.extend(self.group_tombstones(group_id));
            } else if budget.is_spent() {
                // It may have more; what is expired now is gone by then.
                self.offsets.upkeep.resume_at = Some(group_id.clone());
                return records;
            }
        }
        self.offsets.upkeep.check_at_ms = context.now_ms.saturating_add(check_interval_ms(context));
        records
    }
}

impl GroupOffsets {
    /// Adds the tombstones of expired offsets; says whether none is left then. Offsets of topics that members read
    /// stay, whatever their age, and so do those that a transaction is about to replace.
    fn expired(
        &self,
        context: &Context,
        group_id: &str,
        group: &Group,
        budget: &mut Budget,
        records: &mut Vec<Record>,
    ) -> bool {
        let Some(since) = group.offset_expiry() else { return false };
        let mut none_left = self.pending.is_empty();
        for (topic, offsets) in &self.topics {
            budget.offsets = budget.offsets.saturating_sub(offsets.len());
            if group.is_subscribed_to(topic) {
                none_left = false;
                continue;
            }
            for committed in offsets {
                if budget.tombstones == 0 || budget.bytes == 0 {
                    return false;
                }
                if is_expired(context, committed, since) && !self.is_pending(topic, committed.partition) {
                    records.push(tombstone(group_id, topic, committed.partition));
                    budget.spend(group_id, topic);
                } else {
                    none_left = false;
                }
            }
        }
        none_left
    }

    /// The partitions of a topic with an offset, committed or pending.
    fn partitions_of(&self, topic: &str) -> BTreeSet<i32> {
        let committed = self.topics.get(topic).into_iter().flatten().map(|committed| committed.partition);
        let pending = self.pending.get(topic).into_iter().flat_map(|partitions| partitions.keys().copied());
        committed.chain(pending).collect()
    }
}

/// Old clients named a moment. Otherwise the retention counts from what [`OffsetExpiry`] says.
fn is_expired(context: &Context, committed: &Committed, since: OffsetExpiry) -> bool {
    if let Some(at_ms) = committed.expire_timestamp_ms() {
        return context.aging_ms >= at_ms;
    }
    let since_ms = match since {
        OffsetExpiry::SinceCommit => committed.commit_timestamp_ms,
        OffsetExpiry::Since(empty_ms) => empty_ms,
    };
    context.aging_ms.saturating_sub(since_ms) >= context.settings.offsets_retention_ms
}

impl Upkeep {
    /// A commit makes an offset live on, a tombstone has done what was to be done.
    pub(super) fn replayed(&mut self, key: &OffsetKey) {
        let Some(topics) = self.doomed.get_mut(&key.group_id) else { return };
        let Some(partitions) = topics.get_mut(&key.topic) else { return };
        partitions.remove(&key.partition);
        if partitions.is_empty() {
            topics.remove(&key.topic);
            if topics.is_empty() {
                self.doomed.remove(&key.group_id);
            }
        }
    }

    /// They stay on the list until their replay.
    fn tombstones_of_doomed(&self) -> Vec<Record> {
        let mut records = Vec::new();
        let mut budget = Budget::new();
        for (group_id, topics) in &self.doomed {
            for (topic, partitions) in topics {
                for &partition in partitions {
                    if budget.is_spent() {
                        return records;
                    }
                    records.push(tombstone(group_id, topic, partition));
                    budget.spend(group_id, topic);
                }
            }
        }
        records
    }
}

impl Budget {
    fn new() -> Self {
        Self { tombstones: TOMBSTONES_PER_STEP, bytes: TOMBSTONE_BYTES_PER_STEP, offsets: OFFSETS_PER_STEP }
    }

    fn spend(&mut self, group_id: &str, topic: &str) {
        self.tombstones = self.tombstones.saturating_sub(1);
        self.bytes = self.bytes.saturating_sub(group_id.len() + topic.len());
    }

    fn is_spent(&self) -> bool {
        self.tombstones == 0 || self.bytes == 0 || self.offsets == 0
    }
}

fn check_interval_ms(context: &Context) -> i64 {
    context.settings.offsets_retention_check_ms.max(1)
}
