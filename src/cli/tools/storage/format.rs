//! What Kafka's formatter puts into a fresh directory: `meta.properties`, and in the metadata directory
//! `bootstrap.checkpoint`, and for a quorum of this node alone the snapshot that names it as the voter (KIP-853).

use std::path::Path;
use std::sync::Arc;

use controller::control_record::{ControlRecord, Voter};
use controller::{MetadataRecord, bootstrap_records};
use model::{BrokerId, LeaderEpoch, Offset};
use records::BatchBuilder;
use storage::metadata_files::{BOOTSTRAP_CHECKPOINT, MetadataFiles, SnapshotId};
use storage::{MetaProperties, SystemDisk};
use uuid::Uuid;

/// Who is to own the directories.
#[derive(Clone, Debug)]
pub struct Identity {
    /// The cluster.
    pub cluster_id: String,
    /// The node.
    pub node_id: BrokerId,
    /// The node's controller listener (name, host, port), where it is to be the only voter.
    pub voter_at: Option<(String, String, u16)>,
}

/// Features that a cluster begins with, beside its `metadata.version`.
const LEVELS: &[(&str, i16)] =
    &[("eligible.leader.replicas.version", 1), ("group.version", 1), ("transaction.version", 2)];
const METADATA_LOG: &str = "__cluster_metadata-0";

/// Formats one directory; `meta.properties` comes last, because it says that the rest is there.
pub fn directory(
    path: &Path,
    is_metadata: bool,
    identity: &Identity,
    now_ms: i64,
) -> Result<(), Box<dyn std::error::Error>> {
    std::fs::create_dir_all(path)?;
    let directory_id = super::random_uuid();
    if is_metadata {
        let records = bootstrap_records(LEVELS);
        std::fs::write(path.join(BOOTSTRAP_CHECKPOINT), snapshot(&[], &records, now_ms)?)?;
        if let Some(endpoint) = &identity.voter_at {
            let quorum = quorum_of_one(identity.node_id, directory_id, endpoint.clone());
            let log = path.join(METADATA_LOG);
            std::fs::create_dir_all(&log)?;
            let id = SnapshotId { offset: Offset::ZERO, epoch: LeaderEpoch::new(0) };
            let files = MetadataFiles::new(Arc::clone(&SystemDisk::shared()), &log);
            files.write_snapshot(id, &snapshot(&quorum, &[], now_ms)?)?;
        }
    }
    let (cluster_id, node_id) = (identity.cluster_id.clone(), identity.node_id);
    let meta = MetaProperties { cluster_id, node_id, directory_id: Some(directory_id) };
    meta.write(&*SystemDisk::shared(), path)?;
    Ok(())
}

fn quorum_of_one(id: BrokerId, directory_id: Uuid, endpoint: (String, String, u16)) -> Vec<ControlRecord> {
    let voter = Voter { id, directory_id, endpoints: vec![endpoint], kraft_versions: (0, 1) };
    vec![ControlRecord::KRaftVersion { level: 1 }, ControlRecord::Voters(vec![voter])]
}

/// A control batch that begins it, the records, a control batch that ends it (KIP-630).
fn snapshot(
    quorum: &[ControlRecord],
    records: &[MetadataRecord],
    now_ms: i64,
) -> Result<Vec<u8>, records::BuildError> {
    let mut bytes = Vec::new();
    let mut next = Offset::ZERO;
    let mut batch = |entries: &[(Option<bytes::Bytes>, bytes::Bytes)], is_control: bool| {
        let builder = BatchBuilder::new().base_offset(next).leader_epoch(LeaderEpoch::new(0));
        let mut builder = if is_control { builder.control() } else { builder };
        for (key, value) in entries {
            builder.append(now_ms, key.as_deref(), Some(value), &[]);
        }
        next = Offset::new(next.value() + entries.len() as i64);
        bytes.extend_from_slice(&builder.build()?);
        Ok::<(), records::BuildError>(())
    };
    let control = |record: &ControlRecord| (Some(record.key()), record.value());
    let mut head = vec![control(&ControlRecord::SnapshotHeader { last_contained_timestamp_ms: 0 })];
    head.extend(quorum.iter().map(control));
    batch(&head, true)?;
    if !records.is_empty() {
        let values: Vec<_> = records.iter().map(|record| (None, record.encode())).collect();
        batch(&values, false)?;
    }
    batch(&[control(&ControlRecord::SnapshotFooter)], true)?;
    Ok(bytes)
}
