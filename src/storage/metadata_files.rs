//! The files beside the segments of `__cluster_metadata-0`: snapshots of the metadata, the bootstrap records, and the
//! state of the quorum (`org.apache.kafka.snapshot.Snapshots`, `FileQuorumStateStore`). What snapshots hold is the
//! caller's; here they are bytes.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use model::{BrokerId, LeaderEpoch, Offset};
use serde_json::{Map, Value, json};
use uuid::Uuid;

use crate::checkpoints;
use crate::disk::Disk;
use crate::error::StorageError;
use crate::names::{CHECKPOINT, parse_snapshot_id, snapshot_id};

/// Which records a metadata snapshot stands for: all below `offset`, the last of which was written in `epoch`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct SnapshotId {
    /// Exclusive end of the records.
    pub offset: Offset,
    /// Epoch of the last of them.
    pub epoch: LeaderEpoch,
}

/// State of the quorum, which a voter must not forget (`QuorumStateData`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumState {
    /// Leader of the epoch, if known.
    pub leader_id: Option<BrokerId>,
    /// The epoch.
    pub leader_epoch: LeaderEpoch,
    /// Whom this node has voted for in it.
    pub voted_id: Option<BrokerId>,
    /// Directory of that candidate; only known to version 1 of the file.
    pub voted_directory_id: Option<Uuid>,
    /// Version 0 names the voters; version 1 (KIP-853) has them in the log.
    pub voters: Option<Vec<BrokerId>>,
}

/// The files of one metadata log.
#[derive(Clone, Debug)]
pub struct MetadataFiles {
    disk: Arc<dyn Disk>,
    dir: PathBuf,
}

/// Name of the file with the records that a new metadata log begins with; it lies in the log directory itself.
pub const BOOTSTRAP_CHECKPOINT: &str = "bootstrap.checkpoint";

const QUORUM_STATE: &str = "quorum-state";
const DATA_VERSION: &str = "data_version";

impl MetadataFiles {
    /// The files in the directory of the metadata log.
    pub fn new(disk: Arc<dyn Disk>, metadata_dir: &Path) -> Self {
        Self { disk, dir: metadata_dir.to_owned() }
    }

    /// The snapshots, oldest first.
    pub fn snapshots(&self) -> Result<Vec<SnapshotId>, StorageError> {
        let names =
            self.disk.list(&self.dir).map_err(|error| StorageError::fatal("list", &self.dir, error))?;
        let id = |name: &str| parse_snapshot_id(name.strip_suffix(CHECKPOINT)?);
        let ids = names.iter().filter_map(|entry| id(&entry.name));
        let mut ids: Vec<SnapshotId> = ids.map(|(offset, epoch)| SnapshotId { offset, epoch }).collect();
        ids.sort_unstable();
        Ok(ids)
    }

    /// The bytes of a snapshot; `None` when there is none with this id.
    pub fn read_snapshot(&self, id: SnapshotId) -> Result<Option<Vec<u8>>, StorageError> {
        checkpoints::read(&*self.disk, &self.path(id))
    }

    /// Writes a snapshot: it is there as a whole once this returns, or not at all.
    pub fn write_snapshot(&self, id: SnapshotId, bytes: &[u8]) -> Result<(), StorageError> {
        checkpoints::replace(&*self.disk, &self.path(id), bytes)
    }

    /// Removes a snapshot; one that is gone already is no error.
    pub fn remove_snapshot(&self, id: SnapshotId) -> Result<(), StorageError> {
        let path = self.path(id);
        match self.disk.remove_file(&path) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                Err(StorageError::io("remove", &path, error))
            }
            _ => Ok(()),
        }
    }

    /// The quorum's state; `None` when this node has never taken part in one.
    pub fn read_quorum_state(&self) -> Result<Option<QuorumState>, StorageError> {
        let path = self.dir.join(QUORUM_STATE);
        let Some(bytes) = checkpoints::read(&*self.disk, &path)? else { return Ok(None) };
        parse_quorum_state(&bytes).map(Some).map_err(|reason| StorageError::Malformed { path, reason })
    }

    /// Writes the quorum's state; a vote may be answered once this returns.
    pub fn write_quorum_state(&self, state: &QuorumState) -> Result<(), StorageError> {
        let text = quorum_state_json(state).to_string();
        checkpoints::replace(&*self.disk, &self.dir.join(QUORUM_STATE), text.as_bytes())
    }

    fn path(&self, id: SnapshotId) -> PathBuf {
        self.dir.join(format!("{}{CHECKPOINT}", snapshot_id(id.offset, id.epoch)))
    }
}

fn quorum_state_json(state: &QuorumState) -> Value {
    let id = |id: Option<BrokerId>| id.unwrap_or(BrokerId::NONE).value();
    let mut fields = Map::new();
    let mut put = |name: &str, value: Value| fields.insert(name.to_owned(), value);
    if let Some(voters) = &state.voters {
        put("clusterId", json!(""));
        put("leaderId", json!(id(state.leader_id)));
        put("leaderEpoch", json!(state.leader_epoch.value()));
        put("votedId", json!(id(state.voted_id)));
        put("appliedOffset", json!(0));
        put("currentVoters", voters.iter().map(|voter| json!({ "voterId": voter.value() })).collect());
        put(DATA_VERSION, json!(0));
    } else {
        let directory = state.voted_directory_id.unwrap_or_default();
        put("leaderId", json!(id(state.leader_id)));
        put("leaderEpoch", json!(state.leader_epoch.value()));
        put("votedId", json!(id(state.voted_id)));
        put("votedDirectoryId", json!(model::ids::uuid_to_base64(directory)));
        put(DATA_VERSION, json!(1));
    }
    Value::Object(fields)
}

fn parse_quorum_state(bytes: &[u8]) -> Result<QuorumState, String> {
    let value: Value = serde_json::from_slice(bytes).map_err(|error| error.to_string())?;
    let number = |value: &Value, name: &str| -> Result<i32, String> {
        let number = value.get(name).and_then(Value::as_i64).and_then(|number| i32::try_from(number).ok());
        number.ok_or(format!("{name} is missing or no number"))
    };
    let id = |name: &str| number(&value, name).map(|id| Some(BrokerId::new(id)).filter(|id| id.value() >= 0));
    let voters = match number(&value, DATA_VERSION)? {
        0 => {
            let voters = value.get("currentVoters").and_then(Value::as_array).map_or(&[][..], Vec::as_slice);
            let ids: Result<_, _> =
                voters.iter().map(|voter| number(voter, "voterId").map(BrokerId::new)).collect();
            Some(ids?)
        }
        1 => None,
        other => return Err(format!("{DATA_VERSION} {other} is not known, only 0 and 1")),
    };
    let directory = value.get("votedDirectoryId").and_then(Value::as_str);
    let voted_directory_id = match directory {
        None => None,
        Some(text) => {
            let parsed = model::ids::uuid_from_base64(text);
            Some(parsed.ok_or(format!("votedDirectoryId \"{text}\" is not a Kafka UUID"))?)
        }
    };
    Ok(QuorumState {
        leader_id: id("leaderId")?,
        leader_epoch: LeaderEpoch::new(number(&value, "leaderEpoch")?),
        voted_id: id("votedId")?,
        voted_directory_id: voted_directory_id.filter(|id| !id.is_nil()),
        voters,
    })
}
