//! A compacted segment takes the places of those it was made of (`LocalLog.replaceSegments`).
//!
//! Each step below is on disk before the next begins. `N` is the new segment, `O` are the old ones; `N` bears the
//! base offset of the first of them.
//!
//! ```text
//! 1  N is complete as `.log.cleaned`, its indexes as `.swap`   a crash: a start removes all files of N
//! 2  `N.log.cleaned` → `N.log.swap`                            from here on a start finishes the swap
//! 3  the files of O go
//! 4  `N.log.swap` → `N.log`
//! 5  the indexes of N: `.swap` → their names
//! ```
//!
//! Step 2 happens under the log's lock, together with the exchange in memory. The rest follows without it: N's files
//! are open and stay so until they have their names. Whatever goes by the names of sealed segments has the swap
//! finished first ([`PartitionLog::settle_swap`]).

use std::sync::{Arc, Mutex, PoisonError};

use model::Offset;
use tracing::info;

use super::CompactionError;
use super::run::Cleaned;
use crate::error::StorageError;
use crate::names::{CLEANED, Home, INDEXES, LOG, SNAPSHOT, SWAP};
use crate::partition_log::{Bounds, PartitionLog};
use crate::segment::Segment;
use crate::sync::Shared;

/// A swap whose files are on their way to their names.
#[derive(Debug)]
pub struct Swap {
    home: Home,
    base: Offset,
    replaced: Vec<Offset>,
    shared: Arc<Shared>,
    /// Held while a step is done: the cleaner and whoever cannot wait for it may both be at it.
    done: Mutex<Steps>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Steps {
    Nothing,
    Decided,
    OldRemoved,
    LogNamed,
    All,
}

impl Swap {
    /// Gives the files their names, durably. Does nothing the second time.
    ///
    /// A full disk is no end: the rest is done by whoever needs it, at the latest by the next start. Any other error
    /// is final for the log.
    pub fn finish(&self) -> Result<(), StorageError> {
        let mut done = self.done.lock().unwrap_or_else(PoisonError::into_inner);
        self.advance(&mut done).inspect_err(|error| {
            if !error.is_passing() {
                self.shared.fail(error);
            }
        })
    }

    fn advance(&self, done: &mut Steps) -> Result<(), StorageError> {
        if *done < Steps::Decided {
            self.home.sync_dir()?;
            *done = Steps::Decided;
        }
        if *done < Steps::OldRemoved {
            self.remove_old()?;
            self.home.sync_dir()?;
            *done = Steps::OldRemoved;
        }
        if *done < Steps::LogNamed {
            self.rename(LOG)?;
            self.home.sync_dir()?;
            *done = Steps::LogNamed;
        }
        if *done < Steps::All {
            INDEXES.iter().try_for_each(|suffix| self.rename(suffix))?;
            self.home.sync_dir()?;
            *done = Steps::All;
        }
        Ok(())
    }

    fn remove_old(&self) -> Result<(), StorageError> {
        for base in &self.replaced {
            for suffix in [LOG].into_iter().chain(INDEXES) {
                self.home.remove(&self.home.path(*base, suffix))?;
            }
            // The snapshot of N's own base goes on being one.
            if *base != self.base {
                self.home.remove(&self.home.path(*base, SNAPSHOT))?;
            }
        }
        Ok(())
    }

    fn rename(&self, suffix: &str) -> Result<(), StorageError> {
        let source = self.home.path(self.base, &format!("{suffix}{SWAP}"));
        self.home.rename(&source, &self.home.path(self.base, suffix)).map(|_| ())
    }
}

impl PartitionLog {
    /// Notes that the files of the swap have their names.
    pub fn end_swap(&mut self, swap: &Arc<Swap>) {
        if self.swap.as_ref().is_some_and(|current| Arc::ptr_eq(current, swap)) {
            self.swap = None;
        }
    }

    /// Has a swap that is under way finished, before the names of sealed segments are used.
    pub(crate) fn settle_swap(&mut self) -> Result<(), StorageError> {
        if let Some(swap) = self.swap.clone() {
            swap.finish()?;
            self.end_swap(&swap);
        }
        Ok(())
    }
}

pub(super) fn install(log: &mut PartitionLog, cleaned: Cleaned) -> Result<Arc<Swap>, CompactionError> {
    let Cleaned { written, replaced } = cleaned;
    let (base, end) = (written.files.base(), replaced.last().map_or(Offset::ZERO, |last| last.end));
    let Ok(first) = log.sealed.binary_search_by_key(&base, Segment::base) else {
        return Err(CompactionError::Abandoned);
    };
    let range = first..first + replaced.len();
    let current = log.sealed.get(range.clone()).unwrap_or_default();
    if !current.iter().map(Segment::id).eq(replaced.iter().map(|piece| piece.id)) {
        return Err(CompactionError::Abandoned);
    }
    let modified_ms = current.last().map_or(0, Segment::modified_ms);
    let home = log.home.clone();
    let decided = home.path(base, &format!("{LOG}{SWAP}"));
    home.rename(&home.path(base, &format!("{LOG}{CLEANED}")), &decided)?;
    let segment = Segment::compacted(&home, base, end, &written, &log.config, modified_ms);
    written.files.keep();
    info!(
        "compacted {} segments of {} from {base} to {end} into one: {} bytes became {}",
        replaced.len(),
        home.dir.display(),
        replaced.iter().map(|piece| piece.size).sum::<u64>(),
        segment.size()
    );
    // Their files are closed when the last reader lets go of them.
    log.sealed.splice(range, [segment]);
    for piece in replaced.iter().filter(|piece| piece.base != base) {
        log.snapshots.forget(piece.base);
    }
    log.bounds = Bounds::default();
    let swap = Arc::new(Swap {
        home,
        base,
        replaced: replaced.into_iter().map(|piece| piece.base).collect(),
        shared: Arc::clone(&log.sync.shared),
        done: Mutex::new(Steps::Nothing),
    });
    log.swap = Some(Arc::clone(&swap));
    Ok(swap)
}
