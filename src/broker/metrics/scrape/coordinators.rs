//! Groups with their lag, and transactional ids.

use std::collections::BTreeMap;

use coordinator::txn::record::Status;

use super::PATIENCE;
use super::partitions::Topics;
use crate::context::Broker;
use crate::metrics::exposition::Exposition;
use crate::metrics::table;

/// What the group coordinator has.
#[derive(Debug, Default)]
pub(super) struct Groups {
    /// By type and state.
    by_state: BTreeMap<(&'static str, &'static str), usize>,
    groups: usize,
    /// Members by group id; empty where there are too many groups.
    members: BTreeMap<String, usize>,
    offsets: usize,
    /// By group id, topic and partition; empty where there are too many.
    committed: BTreeMap<(String, String), BTreeMap<i32, i64>>,
}

/// States that are told also where no group is in them: a dashboard shall see them go to 0.
const STATES: &[(&str, &str)] = &[
    ("classic", "Empty"),
    ("classic", "PreparingRebalance"),
    ("classic", "CompletingRebalance"),
    ("classic", "Stable"),
    ("consumer", "Empty"),
    ("consumer", "Assigning"),
    ("consumer", "Reconciling"),
    ("consumer", "Stable"),
];

impl Groups {
    /// Looks at every group; `None` while they are being loaded.
    pub(super) async fn gather(broker: &Broker, out: &Exposition) -> Option<Self> {
        let mut gathered = Self::default();
        let look = broker.groups.look_at_all(|shard, _context| {
            for group in shard.survey() {
                gathered.groups += 1;
                *gathered.by_state.entry((group.group_type, group.state)).or_insert(0) += 1;
                if !out.is_too_many(gathered.groups) {
                    gathered.members.insert(group.group_id.to_owned(), group.members);
                }
            }
            gathered.offsets += shard.offset_count();
            if !out.is_too_many(gathered.offsets) {
                for committed in shard.committed_offsets() {
                    let key = (committed.group_id.to_owned(), committed.topic.to_owned());
                    let partitions = gathered.committed.entry(key).or_default();
                    partitions.insert(committed.partition, committed.offset);
                }
            }
        });
        tokio::time::timeout(PATIENCE, look).await.ok()?.ok()?;
        Some(gathered)
    }

    pub(super) fn write(&self, out: &mut Exposition, broker: &Broker, topics: &Topics) {
        let classic = |state| self.by_state.get(&("classic", state)).copied().unwrap_or(0);
        out.value(&table::GROUPS, self.groups);
        out.value(&table::GROUPS_PREPARING, classic("PreparingRebalance"));
        out.value(&table::GROUPS_COMPLETING, classic("CompletingRebalance"));
        out.value(&table::GROUPS_STABLE, classic("Stable"));
        out.value(&table::GROUPS_EMPTY, classic("Empty"));
        // A group that goes is gone at once.
        out.value(&table::GROUPS_DEAD, 0);
        out.value(&table::OFFSETS, self.offsets);
        let mut by_state: BTreeMap<_, _> = STATES.iter().map(|state| (*state, 0)).collect();
        by_state.extend(&self.by_state);
        let mut series = out.family(&table::GROUPS_BY_STATE);
        for ((kind, state), count) in &by_state {
            series.put(&[kind, state], count);
        }
        if let Some(mut series) = out.family_of(&table::GROUP_MEMBERS, self.groups) {
            self.members.iter().for_each(|(group, members)| series.put(&[group], members));
        }
        self.write_lag(out, broker, topics);
    }

    fn write_lag(&self, out: &mut Exposition, broker: &Broker, topics: &Topics) {
        let high_watermark = |topic: &str, index| topics.high_watermark(broker, topic, index);
        if let Some(mut series) = out.family_of(&table::GROUP_OFFSET, self.offsets) {
            for ((group, topic), partitions) in &self.committed {
                for (index, offset) in partitions {
                    series.put(&[group, topic, &index.to_string()], offset);
                }
            }
        }
        if let Some(mut series) = out.family_of(&table::GROUP_OFFSET_SUM, self.offsets) {
            for ((group, topic), partitions) in &self.committed {
                series.put(&[group, topic], sum(partitions.values().copied()));
            }
        }
        // Of a topic that is gone there is no lag. An offset beyond the end, as one that was set by hand, has none either.
        let lag = |topic: &str, index: i32, offset: i64| {
            Some(high_watermark(topic, index)?.saturating_sub(offset).max(0))
        };
        if let Some(mut series) = out.family_of(&table::GROUP_LAG, self.offsets) {
            for ((group, topic), partitions) in &self.committed {
                for (index, offset) in partitions {
                    if let Some(lag) = lag(topic, *index, *offset) {
                        series.put(&[group, topic, &index.to_string()], lag);
                    }
                }
            }
        }
        if let Some(mut series) = out.family_of(&table::GROUP_LAG_SUM, self.offsets) {
            for ((group, topic), partitions) in &self.committed {
                let lags = partitions.iter().filter_map(|(index, offset)| lag(topic, *index, *offset));
                series.put(&[group, topic], sum(lags));
            }
        }
    }
}

/// Clients commit whatever offset they like: a sum of them may be more than there is room for.
fn sum(offsets: impl Iterator<Item = i64>) -> i64 {
    offsets.fold(0, i64::saturating_add)
}

/// What the transaction coordinator has.
#[derive(Debug, Default)]
pub(super) struct Transactions {
    by_state: BTreeMap<&'static str, usize>,
    oldest_ms: i64,
}

impl Transactions {
    /// Looks at every transactional id; `None` while they are being loaded.
    pub(super) async fn gather(broker: &Broker) -> Option<Self> {
        const STATES: [Status; 7] = [
            Status::Empty,
            Status::Ongoing,
            Status::PrepareCommit,
            Status::PrepareAbort,
            Status::CompleteCommit,
            Status::CompleteAbort,
            Status::PrepareEpochFence,
        ];
        let mut gathered =
            Self { by_state: STATES.iter().map(|state| (state.name(), 0)).collect(), oldest_ms: 0 };
        let now_ms = broker.clock.wall_ms();
        let look = broker.transactions.look_at_all(|shard, _context| {
            for described in shard.list() {
                *gathered.by_state.entry(described.status.name()).or_insert(0) += 1;
                if described.status == Status::Ongoing && described.start_ms > 0 {
                    let age_ms = now_ms.saturating_sub(described.start_ms);
                    gathered.oldest_ms = gathered.oldest_ms.max(age_ms);
                }
            }
        });
        tokio::time::timeout(PATIENCE, look).await.ok()?.ok()?;
        Some(gathered)
    }

    pub(super) fn write(&self, out: &mut Exposition) {
        let mut series = out.family(&table::TRANSACTIONS);
        self.by_state.iter().for_each(|(state, count)| series.put(&[state], count));
        out.value(&table::TRANSACTION_AGE, self.oldest_ms as f64 / 1e3);
    }
}
