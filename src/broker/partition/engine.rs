//! The partitions of a node from its start to its end.

use std::collections::HashSet;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use config::BrokerConfig;
use model::Clock;
use parking_lot::Mutex;
use storage::{Disk, StorageError, SystemDisk};

use super::checkpoints::{ClosedLog, key_of};
use super::cleaner::Cleaner;
use super::frugal_disk::FrugalDisk;
use super::handle::Partition;
use super::health::{Health, NodeHealth};
use super::host_dir::HostDir;
use super::housekeeping::Housekeeper;
use super::registry::Registry;
use crate::context::Fatal;
use crate::open_files::OpenFiles;

/// Owns the log directories and the threads that serve them.
#[derive(Debug)]
pub struct PartitionEngine {
    registry: Arc<Registry>,
    pub(super) cleaner: Arc<Cleaner>,
}

/// Why the partitions of a node could not be started.
#[derive(Debug, thiserror::Error)]
pub enum OpenError {
    /// A directory or a file in it.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// One directory stands twice in the list.
    #[error("{0} stands more than once in log.dirs: name every directory once")]
    Repeated(String),
    /// A thread was not to be had.
    #[error("a thread could not be started: {0}")]
    Thread(#[from] std::io::Error),
}

impl PartitionEngine {
    /// Takes possession of the log directories of `config` and starts their sync threads. Partitions are opened
    /// when the metadata says which there are: [`Registry::create_all`], then [`Registry::retire_strays`].
    pub fn open(config: &BrokerConfig, clock: Clock, fatal: Fatal) -> Result<Self, OpenError> {
        let disk = FrugalDisk::new(SystemDisk::shared(), OpenFiles::of_process(config).logs);
        let shared: Arc<dyn Disk> = Arc::clone(&disk) as Arc<dyn Disk>;
        let engine = Self::open_on(&shared, config, clock, fatal)?;
        disk.serve(&engine.registry);
        Ok(engine)
    }

    /// As [`PartitionEngine::open`], on another disk.
    pub fn open_on(
        disk: &Arc<dyn Disk>,
        config: &BrokerConfig,
        clock: Clock,
        fatal: Fatal,
    ) -> Result<Self, OpenError> {
        refuse_repeated(&config.storage.log_dirs)?;
        let housekeeper = Arc::new(Housekeeper::new(config, clock.clone()));
        let cleaner = Arc::new(Cleaner::new(config, clock.clone()));
        let health = NodeHealth::new(fatal.clone());
        let open = |path: &Path| {
            let is_vital = path == config.storage.metadata_log_dir;
            let own = Health::new(&health, path, is_vital);
            let opened =
                HostDir::open(Arc::clone(disk), path, clock.clone(), Arc::clone(&own), fatal.clone());
            let opened =
                opened.and_then(|dir| Ok((dir.with(storage::LogDir::deleted_partitions)?, Arc::new(dir))));
            opened.inspect(|_| own.opened()).map_err(|error| {
                own.is_not_opened();
                (error, is_vital)
            })
        };
        let (mut dirs, mut unopened) = (Vec::new(), Vec::new());
        for path in &config.storage.log_dirs {
            match open(path) {
                Ok((deleted, dir)) => {
                    // Left over from before: their time is up.
                    housekeeper.remove_later(
                        &dir,
                        deleted.into_iter().map(|path| (path, std::time::Duration::ZERO)),
                    );
                    dirs.push(dir);
                }
                Err((error, is_vital)) if is_vital || !is_unusable(&error) => return Err(error.into()),
                Err((error, _)) => unopened.push((path.clone(), error)),
            }
        }
        if dirs.is_empty()
            && let Some((_, error)) = unopened.pop()
        {
            return Err(error.into());
        }
        for (path, error) in &unopened {
            tracing::error!(
                "{} is offline until the next start, with the partitions in it: {error}",
                path.display()
            );
        }
        for dir in &dirs {
            dir.committer.start()?;
        }
        let unopened = unopened.into_iter().map(|(path, _)| path).collect();
        let threads = usize::try_from(config.storage.recovery_threads_per_dir).unwrap_or(1).max(1);
        let registry = Registry::new(dirs, unopened, &health, housekeeper, threads, clock, fatal);
        Ok(Self { registry, cleaner })
    }

    /// The partitions.
    pub fn registry(&self) -> Arc<Registry> {
        Arc::clone(&self.registry)
    }

    /// Starts housekeeping and compaction.
    pub fn start(&self) -> Result<(), OpenError> {
        self.registry.housekeeper.start(self.registry())?;
        Ok(self.cleaner.start(&self.registry)?)
    }

    /// Closes all logs: everything is on disk when this returns, and the next start scans nothing. Nothing is
    /// appended or read from then on.
    pub fn stop(&self) {
        let registry = &self.registry;
        self.cleaner.stop();
        registry.housekeeper.stop();
        registry.io().stop();
        registry.dirs().iter().for_each(|dir| dir.committer.stop());
        let all = registry.all();
        for dir in registry.dirs().iter().filter(|dir| !dir.has_failed()) {
            let here = all.iter().filter(|partition| Arc::ptr_eq(partition.dir(), dir));
            let closed = close_in_parallel(here.collect(), registry.recovery_threads);
            if let Err(error) = dir.checkpoint_closed(&closed, registry.broker_epoch()) {
                tracing::error!("{} was not closed cleanly: {error}", dir.path().display());
            }
        }
    }
}

/// Whether the node goes on without a directory that cannot be opened for this, if it has another: as Kafka does when one
/// cannot be read, or a file in it makes no sense.
fn is_unusable(error: &StorageError) -> bool {
    matches!(error, StorageError::Io { .. } | StorageError::Malformed { .. })
}

/// A directory that is listed twice would find its own lock taken, by nobody an operator could name.
fn refuse_repeated(dirs: &[PathBuf]) -> Result<(), OpenError> {
    let mut seen = HashSet::new();
    match dirs
        .iter()
        .find(|dir| !seen.insert(std::path::absolute(dir).unwrap_or_else(|_| PathBuf::from(dir))))
    {
        Some(dir) => Err(OpenError::Repeated(dir.display().to_string())),
        None => Ok(()),
    }
}

/// Threads that close logs, at least. A log takes some five syncs, one after the other, and clients are without the broker
/// meanwhile; what several threads wait for is one commit of the file system's journal.
const CLOSING_THREADS: usize = 16;

fn close_in_parallel(partitions: Vec<&Arc<Partition>>, recovery_threads: usize) -> Vec<ClosedLog> {
    let threads = recovery_threads.max(CLOSING_THREADS).min(partitions.len());
    let queue = Mutex::new(partitions.into_iter());
    let closed = Mutex::new(Vec::new());
    let close_some = || {
        loop {
            let Some(partition) = queue.lock().next() else { return };
            if let Some(log) = close(partition) {
                closed.lock().push(log);
            }
        }
    };
    std::thread::scope(|scope| {
        for _ in 1..threads {
            let thread = std::thread::Builder::new().name("closing".to_owned());
            // Where the system has no more threads, those that there are close all.
            if thread.spawn_scoped(scope, close_some).is_err() {
                break;
            }
        }
        close_some();
    });
    closed.into_inner()
}

fn close(partition: &Partition) -> Option<ClosedLog> {
    let log = partition.take_log()?;
    let (log_start, log_end) = (log.log_start_offset(), log.log_end_offset());
    let result = log.close();
    if let Err(error) = &result {
        tracing::error!("{} was not closed cleanly: {error}", partition.dir_name());
    }
    Some(ClosedLog { partition: key_of(partition), log_start, log_end, clean: result.is_ok() })
}

#[cfg(test)]
#[path = "engine_tests.rs"]
mod tests;
