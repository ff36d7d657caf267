//! Which leader epoch wrote from which offset on (KIP-101, KIP-279, KIP-320; `LeaderEpochFileCache`), and the file
//! `leader-epoch-checkpoint`:
//!
//! ```text
//! 0
//! number of entries
//! epoch start-offset
//! ```

use model::{LeaderEpoch, Offset};

use crate::checkpoints;
use crate::error::StorageError;
use crate::names::{Home, LEADER_EPOCHS};

/// The first offset that a leader of this epoch wrote or could have written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EpochEntry {
    /// The epoch.
    pub epoch: LeaderEpoch,
    /// Its first offset.
    pub start_offset: Offset,
}

/// Entries whose epochs and start offsets both ascend.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct LeaderEpochs {
    entries: Vec<EpochEntry>,
}

impl LeaderEpochs {
    /// All entries, oldest first.
    pub fn entries(&self) -> &[EpochEntry] {
        &self.entries
    }

    /// The newest epoch.
    pub fn latest(&self) -> Option<LeaderEpoch> {
        self.entries.last().map(|entry| entry.epoch)
    }

    /// The epoch that wrote `offset`.
    pub fn epoch_for(&self, offset: Offset) -> Option<LeaderEpoch> {
        let above = self.entries.partition_point(|entry| entry.start_offset <= offset);
        self.entries.get(above.checked_sub(1)?).map(|entry| entry.epoch)
    }

    /// Where the largest epoch at or below `epoch` ends, with that epoch: what `OffsetForLeaderEpoch` answers.
    /// `None` when the epoch is unknown, because it is newer than all or the log knows none.
    pub fn end_offset_for(&self, epoch: LeaderEpoch, log_end: Offset) -> Option<(LeaderEpoch, Offset)> {
        if epoch == LeaderEpoch::NONE {
            return None;
        }
        if self.latest() == Some(epoch) {
            return Some((epoch, log_end));
        }
        let above = self.entries.partition_point(|entry| entry.epoch <= epoch);
        let next = self.entries.get(above)?;
        // An epoch older than all is answered with itself: its records have been deleted.
        let floor = above.checked_sub(1).and_then(|at| self.entries.get(at));
        Some((floor.map_or(epoch, |entry| entry.epoch), next.start_offset))
    }

    /// Notes that `epoch` begins at `start_offset`. Entries that contradict it were written by a leader that lost, and
    /// go. True when something changed.
    pub(crate) fn assign(&mut self, epoch: LeaderEpoch, start_offset: Offset) -> bool {
        if epoch.value() < 0 || start_offset.value() < 0 {
            return false;
        }
        let entry = EpochEntry { epoch, start_offset };
        let is_newer = |last: &EpochEntry| epoch > last.epoch;
        if self.entries.last().is_some_and(|last| !is_newer(last) && start_offset >= last.start_offset) {
            return false;
        }
        let stays = |old: &EpochEntry| old.epoch < epoch && old.start_offset < start_offset;
        let kept = self.entries.iter().rposition(stays).map_or(0, |at| at + 1);
        self.entries.truncate(kept);
        self.entries.push(entry);
        true
    }

    /// Drops what begins at or beyond `end`. True when something changed.
    pub(crate) fn truncate_from_end(&mut self, end: Offset) -> bool {
        let kept = self.entries.partition_point(|entry| entry.start_offset < end);
        let changed = kept < self.entries.len();
        self.entries.truncate(kept);
        changed
    }

    /// Drops what ends at or below `start`; the epoch that `start` belongs to then begins there. True when something
    /// changed.
    pub(crate) fn truncate_from_start(&mut self, start: Offset) -> bool {
        let covered = self.entries.partition_point(|entry| entry.start_offset <= start);
        let Some(first) = covered.checked_sub(1) else { return false };
        let changed = first > 0 || self.entries.get(first).is_some_and(|entry| entry.start_offset != start);
        self.entries.drain(..first);
        if let Some(entry) = self.entries.first_mut() {
            entry.start_offset = start;
        }
        changed
    }

    pub(crate) fn clear(&mut self) {
        self.entries.clear();
    }

    /// Reads the checkpoint; a missing or damaged one is an empty one, since recovery reads epochs from batches too.
    pub(crate) fn read(home: &Home) -> Result<Self, StorageError> {
        let path = home.dir.join(LEADER_EPOCHS);
        let Some(bytes) = checkpoints::read(&*home.disk, &path)? else { return Ok(Self::default()) };
        let entries = match checkpoints::parse(&path, &bytes, parse_entry) {
            Ok(entries) => entries,
            Err(error) => {
                tracing::warn!("the leader epochs are read from the log instead: {error}");
                Vec::new()
            }
        };
        let mut epochs = Self::default();
        for entry in entries {
            epochs.assign(entry.epoch, entry.start_offset);
        }
        Ok(epochs)
    }

    /// The checkpoint's text.
    pub(crate) fn text(&self) -> String {
        checkpoints::format(
            self.entries.iter().map(|entry| format!("{} {}", entry.epoch, entry.start_offset)),
        )
    }
}

fn parse_entry(fields: &[&str]) -> Option<EpochEntry> {
    match fields {
        [epoch, start] => Some(EpochEntry {
            epoch: LeaderEpoch::new(epoch.parse().ok()?),
            start_offset: Offset::new(start.parse().ok()?),
        }),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn epochs(entries: &[(i32, i64)]) -> LeaderEpochs {
        let mut epochs = LeaderEpochs::default();
        for &(epoch, start) in entries {
            epochs.assign(LeaderEpoch::new(epoch), Offset::new(start));
        }
        epochs
    }

    fn pairs(epochs: &LeaderEpochs) -> Vec<(i32, i64)> {
        epochs.entries().iter().map(|entry| (entry.epoch.value(), entry.start_offset.value())).collect()
    }

    fn end_offset(epochs: &LeaderEpochs, epoch: i32) -> Option<(i32, i64)> {
        let found = epochs.end_offset_for(LeaderEpoch::new(epoch), Offset::new(100));
        found.map(|(epoch, end)| (epoch.value(), end.value()))
    }

    #[test]
    fn assigning_keeps_both_columns_ascending() {
        assert_eq!(pairs(&epochs(&[(1, 0), (1, 5), (2, 5), (4, 9)])), [(1, 0), (2, 5), (4, 9)]);
        assert_eq!(
            pairs(&epochs(&[(1, 0), (2, 5), (3, 5)])),
            [(1, 0), (3, 5)],
            "an epoch that wrote nothing"
        );
        assert_eq!(pairs(&epochs(&[(1, 0), (4, 9), (3, 5)])), [(1, 0), (3, 5)], "a leader that lost");
        assert_eq!(pairs(&epochs(&[(1, 0), (-1, 5), (2, -1)])), [(1, 0)]);
        assert_eq!(pairs(&epochs(&[(3, 7), (2, 9)])), [(3, 7)], "an older epoch says nothing new");
    }

    #[test]
    fn end_offsets_are_those_of_kip_279() {
        let known = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert_eq!(end_offset(&known, 7), Some((7, 100)), "the latest ends where the log does");
        assert_eq!(end_offset(&known, 4), Some((4, 30)));
        assert_eq!(end_offset(&known, 5), Some((4, 30)), "a gap is answered by the epoch before it");
        assert_eq!(end_offset(&known, 1), Some((1, 10)), "an epoch whose records are gone");
        assert_eq!(end_offset(&known, 8), None);
        assert_eq!(end_offset(&known, -1), None);
        assert_eq!(end_offset(&LeaderEpochs::default(), 0), None);
        assert_eq!(known.epoch_for(Offset::new(25)), Some(LeaderEpoch::new(4)));
        assert_eq!(known.epoch_for(Offset::new(9)), None);
    }

    #[test]
    fn truncation_from_both_ends() {
        let mut known = epochs(&[(2, 10), (4, 20), (7, 30)]);
        assert!(known.truncate_from_start(Offset::new(25)) && !known.truncate_from_start(Offset::new(25)));
        assert_eq!(pairs(&known), [(4, 25), (7, 30)]);
        assert!(known.truncate_from_end(Offset::new(30)) && !known.truncate_from_end(Offset::new(30)));
        assert_eq!(pairs(&known), [(4, 25)]);
        assert!(!known.truncate_from_start(Offset::new(3)));
    }
}
