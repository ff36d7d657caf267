//! Makes a directory Apache Kafka's again: what only this program knows goes out of the metadata.

use std::path::PathBuf;
use std::sync::Arc;

use config::BrokerConfig;
use controller::MetadataRecord;
use controller::image::ConfigResourceType;
use controller::record::ConfigRecord;
use model::{BrokerId, Clock};
use storage::{Disk, LogDir, StorageError, SystemDisk};

use super::inspect::{Refusal, inspect_on, own_settings};
use super::open::{OpenError, Start};
use super::worker::Ledger;

/// Why a directory is not handed back.
#[derive(Debug, thiserror::Error)]
pub enum HandBackError {
    /// It could not be served either.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// There is nothing in it.
    #[error("the directories are new: there is nothing to hand back")]
    New,
    /// What was acknowledged may not be in the logs yet.
    #[error(
        "the last owner of {} did not close its logs: start ottla once and stop it, then hand the directory back",
        .0.display()
    )]
    NotClosed(PathBuf),
    /// The metadata.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

/// Removes the settings that Kafka does not know, of which the answer has topic and name, and the files that it does not
/// need. Nobody may have the directories open; the logs stay closed.
///
/// # Errors
/// The directories are in use, or not closed, or not to be served. What was done until then is done when it is asked for
/// again.
pub fn hand_back(config: &BrokerConfig, clock: &Clock) -> Result<Vec<(String, &'static str)>, HandBackError> {
    hand_back_on(&SystemDisk::shared(), config, clock.wall_ms())
}

pub(super) fn hand_back_on(
    disk: &Arc<dyn Disk>,
    config: &BrokerConfig,
    now_ms: i64,
) -> Result<Vec<(String, &'static str)>, HandBackError> {
    let inspection = inspect_on(disk, config)?;
    let Some(cluster_id) = inspection.cluster_id else { return Err(HandBackError::New) };
    let metadata_path = &config.storage.metadata_log_dir;
    let mut dirs = Vec::with_capacity(inspection.dirs.len());
    for found in &inspection.dirs {
        let is_log_dir = config.storage.log_dirs.contains(&found.path);
        if is_log_dir && !found.is_clean {
            return Err(HandBackError::NotClosed(found.path.clone()));
        }
        dirs.push(LogDir::open(Arc::clone(disk), &found.path)?);
    }
    let removed = own_settings(&inspection.image);
    if !removed.is_empty() {
        let is_log_dir = config.storage.log_dirs.contains(metadata_path);
        let holder = dirs.iter().find(|dir| dir.path() == metadata_path && is_log_dir);
        // A mark that outlives an interrupted change of the metadata would vouch for it.
        let last_end = holder.map(LogDir::take_clean_marker).transpose()?;
        let start =
            Start { disk: Arc::clone(disk), config, own: BrokerId::new(config.identity.node_id), now_ms };
        let was_clean = last_end.is_some_and(|end| end.clean);
        remove(&start, &cluster_id, was_clean, &removed)?;
        if let (Some(dir), Some(end)) = (holder, last_end.filter(|end| end.clean)) {
            dir.write_clean_marker(end.broker_epoch.unwrap_or(-1))?;
        }
    }
    for dir in &dirs {
        let path = dir.path().join(crate::partition::RESERVE_FILE);
        match disk.remove_file(&path) {
            Err(source) if source.kind() != std::io::ErrorKind::NotFound => {
                return Err(StorageError::Io { operation: "remove", path, source }.into());
            }
            _ => {}
        }
    }
    Ok(removed)
}

/// Takes the settings out of the metadata, as the leader of an epoch of its own.
fn remove(
    start: &Start<'_>,
    cluster_id: &str,
    was_clean: bool,
    settings: &[(String, &'static str)],
) -> Result<(), OpenError> {
    let mut replayed = start.load_formatted(cluster_id, was_clean)?;
    start.lead(&mut replayed)?;
    let mut ledger = Ledger { controller: replayed.controller, log: replayed.log };
    let records = settings.iter().map(|(topic, name)| {
        MetadataRecord::Config(ConfigRecord {
            resource_type: ConfigResourceType::Topic.id(),
            resource_name: topic.clone(),
            name: (*name).to_owned(),
            value: None,
            unknown: Vec::new(),
        })
    });
    let records: Vec<_> = records.collect();
    let mut all = ledger.controller.activation_records(&replayed.bootstrap);
    all.extend(records);
    ledger.append(start.now_ms, &all)?;
    ledger.sync()?;
    Ok(ledger.log.close()?)
}

#[cfg(test)]
#[path = "inspect_tests.rs"]
mod tests;
