//! Syncs and log directories.

use crate::context::Broker;
use crate::metrics::exposition::{Exposition, Shape};
use crate::metrics::table;

/// From 64 microseconds to 8 seconds.
const MICROS: std::ops::RangeInclusive<usize> = 6..=23;
/// Up to a million.
const SIZES: std::ops::RangeInclusive<usize> = 0..=20;

pub(super) fn write(out: &mut Exposition, broker: &Broker) {
    let syncs = broker.partitions.syncs();
    let mut durations = out.family(&table::SYNC_DURATION);
    let shape = Shape { powers: MICROS, unit: 1e-6, zeros: 0 };
    durations.histogram(&["round"], &syncs.rounds, &shape);
    durations.histogram(&["log"], &syncs.alone, &shape);
    let all = syncs.rounds.count() + syncs.alone.count();
    let zeros = all.saturating_sub(syncs.records.count());
    let shape = Shape { powers: SIZES, unit: 1.0, zeros };
    out.family(&table::SYNC_RECORDS).histogram(&[], &syncs.records, &shape);
    let shape = Shape { powers: 0..=10, unit: 1.0, zeros: 0 };
    out.family(&table::ROUND_PARTITIONS).histogram(&[], &syncs.partitions, &shape);
    out.value(&table::JOURNAL_BYTES, syncs.journal_bytes);

    let dirs = broker.partitions.dirs();
    let (failed, serving): (Vec<_>, Vec<_>) = dirs.iter().partition(|dir| dir.has_failed());
    out.value(&table::OFFLINE_DIRS, failed.len());
    let serving = serving.into_iter();
    let spaces: Vec<_> = serving.filter_map(|dir| Some((dir.absolute_path(), dir.space().ok()?))).collect();
    let mut free = out.family(&table::DIR_FREE);
    for (dir, space) in &spaces {
        free.put(&[dir], space.free_bytes);
    }
    let mut total = out.family(&table::DIR_TOTAL);
    for (dir, space) in &spaces {
        total.put(&[dir], space.total_bytes);
    }
}
