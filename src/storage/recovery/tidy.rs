//! The first look at a log's directory: finishes or undoes what compaction left half done, removes what was deleted,
//! and finds the segments and snapshots.

use std::collections::{BTreeMap, BTreeSet};

use model::Offset;
use tracing::{info, warn};

use crate::error::StorageError;
use crate::names::{
    CHECKPOINT, CLEANED, DELETED, Home, LOG, OFFSET_INDEX, SNAPSHOT, SWAP, TIME_INDEX, TXN_INDEX,
    leading_offset, parse_offset_file,
};
use crate::segment::{FoundFiles, HeaderWalk};

#[derive(Debug, Default)]
pub(super) struct Found {
    pub(super) segments: BTreeMap<Offset, FoundFiles>,
    pub(super) snapshots: BTreeSet<Offset>,
    /// Whether names have changed that are not synced yet.
    pub(super) changed: bool,
}

pub(super) fn tidy(home: &Home) -> Result<Found, StorageError> {
    let mut names = names(home)?;
    let mut changed = remove_leftovers(home, &names)?;
    if names.iter().any(|name| name.ends_with(SWAP)) {
        finish_swaps(home, &names)?;
        changed = true;
    }
    if changed {
        names = self::names(home)?;
    }
    let mut found = Found { changed, ..Found::default() };
    for name in &names {
        if let Some(base) = parse_offset_file(name, LOG) {
            found.segments.insert(base, FoundFiles::default());
        } else if let Some(offset) = parse_offset_file(name, SNAPSHOT) {
            found.snapshots.insert(offset);
        }
    }
    for name in &names {
        measure(home, name, &mut found)?;
    }
    Ok(found)
}

fn names(home: &Home) -> Result<BTreeSet<String>, StorageError> {
    let entries = home.disk.list(&home.dir).map_err(|error| StorageError::fatal("list", &home.dir, error))?;
    Ok(entries.into_iter().filter(|entry| !entry.is_dir).map(|entry| entry.name).collect())
}

/// Removes deleted files, half-made ones, and swaps that belong to a split that did not finish (KAFKA-6264).
fn remove_leftovers(home: &Home, names: &BTreeSet<String>) -> Result<bool, StorageError> {
    let min_cleaned =
        names.iter().filter(|name| name.ends_with(CLEANED)).filter_map(|name| leading_offset(name)).min();
    let is_leftover = |name: &str| {
        let snapshot_of_metadata = name.ends_with(&format!("{CHECKPOINT}{DELETED}"));
        let unfinished_swap = name.ends_with(SWAP)
            && min_cleaned.is_some_and(|min| leading_offset(name).is_some_and(|at| at >= min));
        (name.ends_with(DELETED) && !snapshot_of_metadata) || name.ends_with(CLEANED) || unfinished_swap
    };
    // What tells an unfinished swap from one that is to be finished goes after it.
    let (last, first): (Vec<_>, Vec<_>) =
        names.iter().filter(|name| is_leftover(name)).partition(|name| name.ends_with(CLEANED));
    let remove = |name: &&String| {
        info!("removing {}, a leftover", home.dir.join(name).display());
        home.remove(&home.dir.join(name)).map(|_| ())
    };
    first.iter().try_for_each(remove)?;
    if first.iter().any(|name| name.ends_with(SWAP)) {
        home.sync_dir()?;
    }
    last.iter().try_for_each(remove)?;
    Ok(!first.is_empty() || !last.is_empty())
}

/// Segments that compaction or a split had ready: those they replace go, then they take their names.
fn finish_swaps(home: &Home, names: &BTreeSet<String>) -> Result<(), StorageError> {
    let swaps: Vec<&String> =
        names.iter().filter(|name| name.ends_with(SWAP) && home.disk_has(name)).collect();
    let swapped_log = format!("{LOG}{SWAP}");
    let mut range: Option<(Offset, Offset)> = None;
    for name in &swaps {
        let Some(base) = parse_offset_file(name, &swapped_log) else { continue };
        let path = home.dir.join(name);
        let file = home.open(&path, crate::disk::OpenMode::Read)?;
        let len = file.len().map_err(|error| StorageError::fatal("measure", &path, error))?;
        let mut end = base;
        for batch in HeaderWalk::new(file, path, 0, len) {
            end = batch?.header.last_offset().next();
        }
        range = Some(range.map_or((base, end), |(low, high)| (low.min(base), high.max(end))));
    }
    if let Some((low, high)) = range {
        let replaced =
            |name: &&String| leading_offset(name).is_some_and(|offset| (low..high).contains(&offset));
        for name in names.iter().filter(|name| !name.ends_with(SWAP)).filter(replaced) {
            info!("removing {}, which was replaced", home.dir.join(name).display());
            home.remove(&home.dir.join(name))?;
        }
        // The replaced segments must not come back once the others bear their names.
        home.sync_dir()?;
    }
    // The log files first, durably: as long as one waits, this begins anew and removes what bears the names already.
    let (logs, indexes): (Vec<_>, Vec<_>) = swaps.into_iter().partition(|name| name.ends_with(&swapped_log));
    for names in [logs, indexes] {
        for name in names {
            let target = name.strip_suffix(SWAP).unwrap_or(name);
            home.rename(&home.dir.join(name), &home.dir.join(target))?;
        }
        home.sync_dir()?;
    }
    Ok(())
}

fn measure(home: &Home, name: &str, found: &mut Found) -> Result<(), StorageError> {
    for suffix in [LOG, OFFSET_INDEX, TIME_INDEX, TXN_INDEX] {
        let Some(base) = parse_offset_file(name, suffix) else { continue };
        let path = home.dir.join(name);
        let Some(files) = found.segments.get_mut(&base) else {
            warn!("removing {}, an index without its log file", path.display());
            found.changed |= home.remove(&path)?;
            continue;
        };
        let metadata =
            home.disk.metadata(&path).map_err(|error| StorageError::fatal("look at", &path, error))?;
        let Some(metadata) = metadata else { continue };
        match suffix {
            LOG => {
                files.log = metadata.len;
                files.modified_ms = metadata.modified_ms;
            }
            OFFSET_INDEX => files.offset_index = Some(metadata.len),
            TIME_INDEX => files.time_index = Some(metadata.len),
            _ => files.txn_index = Some(metadata.len),
        }
    }
    Ok(())
}

impl Home {
    fn disk_has(&self, name: &str) -> bool {
        self.disk.metadata(&self.dir.join(name)).is_ok_and(|found| found.is_some())
    }
}
