//! A disk in memory that forgets, at [`MemoryDisk::power_cut`], what was not synced, and fails on demand. For tests and
//! simulation.

mod breaking;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, IoSlice};
use std::os::fd::BorrowedFd;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use rustix::io::Errno;

pub use self::breaking::BreakingDisk;
use crate::disk::{DirEntry, DirLock, Disk, DiskFile, LockOwner, Metadata, OpenMode, Space};

/// See the [module](self). Clones share the disk.
#[derive(Clone, Debug, Default)]
pub struct MemoryDisk {
    state: Arc<Mutex<State>>,
    gates: Arc<Gates>,
}

#[derive(Debug, Default)]
struct Gates {
    reads: Gate,
    syncs: Gate,
}

/// Holds up whoever would pass.
#[derive(Debug, Default)]
struct Gate {
    before: Mutex<Before>,
    opened: Condvar,
}

#[derive(Debug, Default)]
struct Before {
    is_closed: bool,
    waiting: usize,
}

impl Gate {
    fn before(&self) -> MutexGuard<'_, Before> {
        self.before.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn close(&self, is_closed: bool) {
        self.before().is_closed = is_closed;
        self.opened.notify_all();
    }

    fn pass(&self) {
        let mut before = self.before();
        before.waiting += 1;
        let passed = self.opened.wait_while(before, |before| before.is_closed);
        passed.unwrap_or_else(PoisonError::into_inner).waiting -= 1;
    }
}

/// What a power cut does to the writes that were not synced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum PowerCut {
    /// All are lost.
    LoseAll,
    /// Each is kept, lost, torn or zeroed, and each change of a name kept or lost, as this seed decides. A rename is
    /// one change.
    Random(u64),
}

impl MemoryDisk {
    /// An empty disk with only a root directory.
    pub fn new() -> Self {
        Self::default()
    }

    /// As the shared trait object that logs and directories take.
    pub fn shared(&self) -> Arc<dyn Disk> {
        Arc::new(self.clone())
    }

    /// Cuts the power and turns it on again: every open file and lock is void, and only what was synced is sure to be
    /// there.
    pub fn power_cut(&self, mode: PowerCut) {
        self.state().power_cut(mode);
    }

    /// Number of operations so far that change the disk or make a change durable.
    pub fn steps(&self) -> u64 {
        self.state().steps
    }

    /// Makes the step with this number fail, and every one after it, as if the machine had stopped there.
    pub fn stop_at(&self, step: u64) {
        self.state().stop_at = Some(step);
    }

    /// Makes the step with this number fail once with EIO.
    pub fn fail_at(&self, step: u64) {
        self.state().fail_at = Some(step);
    }

    /// Limits the bytes that all files together may take; `None` lifts the limit.
    pub fn limit_space(&self, bytes: Option<u64>) {
        self.state().space = bytes;
    }

    /// Makes the bytes of every file from this position on cold, so that reading them waits for the disk; `None` for
    /// none.
    pub fn set_cold_from(&self, position: Option<u64>) {
        self.state().cold_from = position;
    }

    /// Makes reads wait, as those of a slow disk do, until they may go on.
    pub fn hold_reads(&self, hold: bool) {
        self.gates.reads.close(hold);
    }

    /// As [`MemoryDisk::hold_reads`], for syncs of files.
    pub fn hold_syncs(&self, hold: bool) {
        self.gates.syncs.close(hold);
    }

    /// Syncs of files that are held up.
    pub fn syncs_held(&self) -> usize {
        self.gates.syncs.before().waiting
    }

    /// Number of reads and openings of files so far.
    pub fn looks(&self) -> u64 {
        self.state().looks
    }

    /// Changes bytes of a file behind everybody's back, on disk as well.
    pub fn corrupt(&self, path: &Path, change: impl FnOnce(&mut Vec<u8>)) {
        let mut state = self.state();
        let Some(id) = state.names.get(path).copied() else { return };
        if let Some(inode) = state.inodes.get_mut(&id) {
            change(&mut inode.data);
            inode.durable.clone_from(&inode.data);
            inode.pending.clear();
        }
    }

    /// The bytes of a file as its readers see them.
    pub fn contents(&self, path: &Path) -> Option<Vec<u8>> {
        let state = self.state();
        let id = state.names.get(path)?;
        state.inodes.get(id).map(|inode| inode.data.clone())
    }

    /// Gives a file a second name.
    pub fn hard_link(&self, source: &Path, target: &Path) {
        let mut state = self.state();
        if let Some(id) = state.names.get(source).copied() {
            state.names.insert(target.to_owned(), id);
            state.durable_names.insert(target.to_owned(), id);
        }
    }

    /// Every file, in order.
    pub fn files(&self) -> Vec<PathBuf> {
        self.state().names.keys().cloned().collect()
    }

    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[derive(Debug, Default)]
struct State {
    /// Counts power cuts: what was opened before one is void.
    boot: u64,
    next_inode: u64,
    inodes: BTreeMap<u64, Inode>,
    names: BTreeMap<PathBuf, u64>,
    durable_names: BTreeMap<PathBuf, u64>,
    dirs: BTreeSet<PathBuf>,
    durable_dirs: BTreeSet<PathBuf>,
    locks: BTreeSet<PathBuf>,
    steps: u64,
    stop_at: Option<u64>,
    fail_at: Option<u64>,
    space: Option<u64>,
    cold_from: Option<u64>,
    looks: u64,
}

#[derive(Debug, Default)]
struct Inode {
    /// What readers see.
    data: Vec<u8>,
    /// What is on disk.
    durable: Vec<u8>,
    /// What leads from the one to the other.
    pending: Vec<Change>,
}

#[derive(Clone, Debug)]
enum Change {
    Write { position: usize, bytes: Vec<u8> },
    SetLen(usize),
}

impl Change {
    fn apply(&self, data: &mut Vec<u8>) {
        match self {
            Self::Write { position, bytes } => write(data, *position, bytes),
            Self::SetLen(len) => data.resize(*len, 0),
        }
    }
}

impl State {
    fn step(&mut self) -> io::Result<()> {
        let step = self.steps;
        self.steps += 1;
        let fails_once = self.fail_at == Some(step);
        if fails_once || self.stop_at.is_some_and(|stop| step >= stop) {
            return Err(Errno::IO.into());
        }
        Ok(())
    }

    fn inode(&mut self, id: u64, boot: u64) -> io::Result<&mut Inode> {
        if boot != self.boot {
            return Err(Errno::IO.into());
        }
        self.inodes.get_mut(&id).ok_or_else(|| Errno::IO.into())
    }

    fn make_room(&self, extra: usize) -> io::Result<()> {
        let used: usize = self.inodes.values().map(|inode| inode.data.len()).sum();
        match self.space {
            Some(space) if (used + extra) as u64 > space => Err(Errno::NOSPC.into()),
            _ => Ok(()),
        }
    }

    fn power_cut(&mut self, mode: PowerCut) {
        self.boot += 1;
        self.locks.clear();
        self.stop_at = None;
        self.fail_at = None;
        let mut dice = Dice(if let PowerCut::Random(seed) = mode { seed } else { 0 });
        let random = mode != PowerCut::LoseAll;
        for inode in self.inodes.values_mut() {
            for change in std::mem::take(&mut inode.pending) {
                if random {
                    dice.apply(&mut inode.durable, change);
                }
            }
            inode.data.clone_from(&inode.durable);
        }
        if random {
            let undone = self.settle_renames(&mut dice);
            let changed: BTreeSet<PathBuf> =
                self.names.keys().chain(self.durable_names.keys()).cloned().collect();
            for path in changed.into_iter().filter(|path| !undone.contains(path)) {
                if self.names.get(&path) != self.durable_names.get(&path) && dice.roll(2) == 0 {
                    match self.names.get(&path) {
                        Some(id) => self.durable_names.insert(path, *id),
                        None => self.durable_names.remove(&path),
                    };
                }
            }
        }
        self.dirs = self.durable_dirs.clone();
        let dirs = &self.dirs;
        self.durable_names.retain(|path, _| path.parent().is_none_or(|dir| dirs.contains(dir)));
        self.names.clone_from(&self.durable_names);
    }
}

impl State {
    /// A rename takes place as a whole or not at all, as file systems promise: either both names change or neither.
    /// Answers the names of those that did not.
    fn settle_renames(&mut self, dice: &mut Dice) -> BTreeSet<PathBuf> {
        let mut undone = BTreeSet::new();
        let targets: BTreeMap<u64, PathBuf> = self
            .names
            .iter()
            .filter(|(path, id)| self.durable_names.get(*path) != Some(*id))
            .map(|(path, id)| (*id, path.clone()))
            .collect();
        let sources: Vec<(PathBuf, u64)> = self
            .durable_names
            .iter()
            .filter(|(path, id)| self.names.get(*path) != Some(*id) && targets.contains_key(*id))
            .map(|(path, id)| (path.clone(), *id))
            .collect();
        for (source, id) in sources {
            let Some(target) = targets.get(&id) else { continue };
            if dice.roll(2) == 0 {
                self.durable_names.remove(&source);
                self.durable_names.insert(target.clone(), id);
            } else {
                undone.extend([source, target.clone()]);
            }
        }
        undone
    }
}

/// A splitmix generator: the same seed, the same crash.
struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        (mixed ^ (mixed >> 31)) % sides
    }

    fn apply(&mut self, durable: &mut Vec<u8>, change: Change) {
        let fate = self.roll(4);
        match change {
            Change::SetLen(len) if fate < 3 => durable.resize(len, 0),
            Change::SetLen(_) => {}
            Change::Write { position, bytes } => match fate {
                0 => {}
                1 => write(durable, position, &bytes),
                2 => {
                    let torn = self.roll(bytes.len() as u64 + 1) as usize;
                    write(durable, position, bytes.get(..torn).unwrap_or_default());
                }
                // The size reached the disk, the bytes did not.
                _ => write(durable, position, &vec![0; bytes.len()]),
            },
        }
    }
}

fn write(data: &mut Vec<u8>, position: usize, bytes: &[u8]) {
    let end = position + bytes.len();
    if data.len() < end {
        data.resize(end, 0);
    }
    if let Some(place) = data.get_mut(position..end) {
        place.copy_from_slice(bytes);
    }
}

fn not_found() -> io::Error {
    Errno::NOENT.into()
}

impl Disk for MemoryDisk {
    fn open(&self, path: &Path, mode: OpenMode) -> io::Result<Arc<dyn DiskFile>> {
        let mut state = self.state();
        state.looks += 1;
        let known = state.names.get(path).copied();
        let id = match (mode, known) {
            (OpenMode::Read | OpenMode::Write, Some(id)) => id,
            (OpenMode::Read | OpenMode::Write, None) => return Err(not_found()),
            (OpenMode::Create, known) => {
                state.step()?;
                let dir = path.parent().unwrap_or(Path::new(""));
                if !state.is_dir(dir) {
                    return Err(not_found());
                }
                state.create(path, known)
            }
        };
        let boot = state.boot;
        Ok(Arc::new(MemoryFile { state: Arc::clone(&self.state), gates: Arc::clone(&self.gates), id, boot }))
    }

    fn metadata(&self, path: &Path) -> io::Result<Option<Metadata>> {
        let state = self.state();
        if state.is_dir(path) {
            return Ok(Some(Metadata { len: 0, modified_ms: 0, is_dir: true, links: 1 }));
        }
        let Some(id) = state.names.get(path) else { return Ok(None) };
        let links = state.names.values().filter(|other| *other == id).count() as u64;
        let len = state.inodes.get(id).map_or(0, |inode| inode.data.len()) as u64;
        Ok(Some(Metadata { len, modified_ms: 0, is_dir: false, links }))
    }

    fn list(&self, dir: &Path) -> io::Result<Vec<DirEntry>> {
        let state = self.state();
        if !state.is_dir(dir) {
            return Err(not_found());
        }
        let entry = |path: &PathBuf, is_dir| {
            let name = path.file_name()?.to_str()?.to_owned();
            (path.parent() == Some(dir)).then_some(DirEntry { name, is_dir })
        };
        let files = state.names.keys().filter_map(|path| entry(path, false));
        let dirs = state.dirs.iter().filter_map(|path| entry(path, true));
        Ok(files.chain(dirs).collect())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        if !path.parent().is_none_or(|parent| state.is_dir(parent)) {
            return Err(not_found());
        }
        state.dirs.insert(path.to_owned());
        Ok(())
    }

    fn rename(&self, source: &Path, target: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        if let Some(id) = state.names.remove(source) {
            state.names.insert(target.to_owned(), id);
            return Ok(());
        }
        if !state.dirs.contains(source) {
            return Err(not_found());
        }
        state.rename_dir(source, target);
        Ok(())
    }

    fn remove_file(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let removed = state.names.remove(path);
        state.collect();
        removed.map(|_| ()).ok_or_else(not_found)
    }

    fn remove_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let parent = Some(path);
        if state.names.keys().chain(&state.dirs).any(|inside| inside.parent() == parent) {
            return Err(Errno::NOTEMPTY.into());
        }
        if state.dirs.remove(path) { Ok(()) } else { Err(not_found()) }
    }

    fn sync_dir(&self, dir: &Path) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let inside = |path: &Path| path.parent().unwrap_or(Path::new("")) == dir;
        state.durable_names.retain(|path, _| !inside(path));
        let names: Vec<_> = state
            .names
            .iter()
            .filter(|(path, _)| inside(path))
            .map(|(path, id)| (path.clone(), *id))
            .collect();
        state.durable_names.extend(names);
        state.durable_dirs.retain(|path| !inside(path));
        let dirs: Vec<_> = state.dirs.iter().filter(|path| inside(path)).cloned().collect();
        state.durable_dirs.extend(dirs);
        state.collect();
        Ok(())
    }

    fn space(&self, _path: &Path) -> io::Result<Space> {
        let state = self.state();
        let used: usize = state.inodes.values().map(|inode| inode.data.len()).sum();
        let total_bytes = state.space.unwrap_or(u64::MAX);
        Ok(Space { total_bytes, free_bytes: total_bytes.saturating_sub(used as u64) })
    }

    fn lock(&self, path: &Path) -> io::Result<Option<DirLock>> {
        let mut state = self.state();
        if !state.locks.insert(path.to_owned()) {
            return Ok(None);
        }
        let boot = state.boot;
        let owner = MemoryLock { state: Arc::clone(&self.state), path: path.to_owned(), boot };
        Ok(Some(DirLock::new(owner)))
    }
}

impl State {
    fn is_dir(&self, path: &Path) -> bool {
        path.as_os_str().is_empty() || path == Path::new("/") || self.dirs.contains(path)
    }

    fn create(&mut self, path: &Path, known: Option<u64>) -> u64 {
        if let Some(id) = known {
            if let Some(inode) = self.inodes.get_mut(&id) {
                inode.data.clear();
                inode.pending.push(Change::SetLen(0));
            }
            return id;
        }
        let id = self.next_inode;
        self.next_inode += 1;
        self.inodes.insert(id, Inode::default());
        self.names.insert(path.to_owned(), id);
        id
    }

    /// A directory's durable contents move with it: they are its own, only its name is its parent's.
    fn rename_dir(&mut self, source: &Path, target: &Path) {
        let moved = |path: &Path| path.strip_prefix(source).ok().map(|rest| target.join(rest));
        let files: Vec<_> = self.names.keys().filter(|path| path.starts_with(source)).cloned().collect();
        for path in files {
            if let (Some(id), Some(target)) = (self.names.remove(&path), moved(&path)) {
                self.names.insert(target.clone(), id);
                if self.durable_names.get(&path) == Some(&id) {
                    self.durable_names.insert(target, id);
                }
            }
        }
        self.dirs.remove(source);
        self.dirs.insert(target.to_owned());
    }

    /// Frees the files that have no name any more, on disk either.
    fn collect(&mut self) {
        let named: BTreeSet<u64> = self.names.values().chain(self.durable_names.values()).copied().collect();
        for (id, inode) in &mut self.inodes {
            if !named.contains(id) {
                inode.pending.clear();
            }
        }
    }
}

#[derive(Debug)]
struct MemoryLock {
    state: Arc<Mutex<State>>,
    path: PathBuf,
    boot: u64,
}

impl LockOwner for MemoryLock {}

impl Drop for MemoryLock {
    fn drop(&mut self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        if state.boot == self.boot {
            state.locks.remove(&self.path);
        }
    }
}

#[derive(Debug)]
struct MemoryFile {
    state: Arc<Mutex<State>>,
    gates: Arc<Gates>,
    id: u64,
    boot: u64,
}

impl MemoryFile {
    fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl MemoryFile {
    fn read(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize> {
        let mut state = self.state();
        state.looks += 1;
        let data = &state.inode(self.id, self.boot)?.data;
        let rest = data.get(position as usize..).unwrap_or_default();
        let taken = rest.get(..len).unwrap_or(rest);
        out.extend_from_slice(taken);
        Ok(taken.len())
    }
}

impl DiskFile for MemoryFile {
    fn read_at(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize> {
        self.gates.reads.pass();
        self.read(out, position, len)
    }

    fn read_cached(&self, out: &mut Vec<u8>, position: u64, len: usize) -> io::Result<usize> {
        let cold_from = self.state().cold_from.unwrap_or(u64::MAX);
        self.read(out, position, len.min(cold_from.saturating_sub(position) as usize))
    }

    fn write_at(&self, slices: &[IoSlice<'_>], position: u64) -> io::Result<usize> {
        let mut state = self.state();
        state.step()?;
        let mut bytes: Vec<u8> = slices.iter().flat_map(|slice| slice.iter().copied()).collect();
        let position = position as usize;
        let len = state.inode(self.id, self.boot)?.data.len();
        let grows = (position + bytes.len()).saturating_sub(len);
        if state.make_room(grows).is_err() {
            // As a real disk does, the part that fits is written.
            let fits = (0..bytes.len())
                .rev()
                .find(|count| state.make_room((position + count).saturating_sub(len)).is_ok() && *count > 0);
            bytes.truncate(fits.ok_or(Errno::NOSPC)?);
        }
        let inode = state.inode(self.id, self.boot)?;
        write(&mut inode.data, position, &bytes);
        let count = bytes.len();
        inode.pending.push(Change::Write { position, bytes });
        Ok(count)
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        let mut state = self.state();
        state.step()?;
        let inode = state.inode(self.id, self.boot)?;
        inode.data.resize(len as usize, 0);
        inode.pending.push(Change::SetLen(len as usize));
        Ok(())
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.state().inode(self.id, self.boot)?.data.len() as u64)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.gates.syncs.pass();
        let mut state = self.state();
        let fails = state.step();
        let inode = state.inode(self.id, self.boot)?;
        if fails.is_err() {
            // What a failed sync should have written is gone for ever, though readers still see it.
            inode.pending.clear();
            return fails;
        }
        // Only what is dirty is written: what an earlier failure threw away stays away.
        for change in std::mem::take(&mut inode.pending) {
            change.apply(&mut inode.durable);
        }
        Ok(())
    }

    fn allocate(&self, _len: u64) -> io::Result<()> {
        Ok(())
    }

    fn drop_cache(&self) -> io::Result<()> {
        let mut state = self.state();
        let inode = state.inode(self.id, self.boot)?;
        if inode.pending.is_empty() {
            inode.data.clone_from(&inode.durable);
        }
        Ok(())
    }

    fn as_fd(&self) -> Option<BorrowedFd<'_>> {
        None
    }
}
