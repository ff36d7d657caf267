//! The bytes of a metadata snapshot, and of `bootstrap.checkpoint`, which has the same form: a control batch that
//! begins it, batches of records, a control batch that ends it (KIP-630).

use bytes::{BufMut, Bytes, BytesMut};
use controller::MetadataRecord;
use controller::control_record::{ControlRecord, Voter};
use model::{LeaderEpoch, Offset};
use records::builder::BuildError;

use super::batch::{self, BadBatch, Entry};

/// What a snapshot says.
#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Snapshot {
    /// Records that lead from nothing to the image.
    pub records: Vec<MetadataRecord>,
    /// Append time of the last record it stands for, in milliseconds.
    pub last_contained_timestamp_ms: i64,
    /// Level of `kraft.version` and the voters, from level 1 on (KIP-853).
    pub quorum: Option<QuorumRecords>,
}

/// The quorum's own records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct QuorumRecords {
    /// Level of `kraft.version`.
    pub kraft_version: i16,
    /// The voters, at level 1.
    pub voters: Vec<Voter>,
}

impl QuorumRecords {
    /// As control records, in Kafka's order; none at level 0.
    pub(super) fn to_control_records(&self) -> Vec<ControlRecord> {
        if self.kraft_version < 1 {
            return Vec::new();
        }
        vec![
            ControlRecord::KRaftVersion { level: self.kraft_version },
            ControlRecord::Voters(self.voters.clone()),
        ]
    }

    /// Takes in a control record; others than the two above say nothing here.
    pub(super) fn replay(&mut self, record: ControlRecord) {
        match record {
            ControlRecord::KRaftVersion { level } => self.kraft_version = level,
            ControlRecord::Voters(voters) => self.voters = voters,
            _ => {}
        }
    }
}

/// Records per batch: what a reader has to hold at once.
const BATCH_RECORDS: usize = 1024;

impl Snapshot {
    /// The bytes of the file.
    pub(super) fn encode(&self, epoch: LeaderEpoch, now_ms: i64) -> Result<Bytes, BuildError> {
        let mut header = vec![ControlRecord::SnapshotHeader {
            last_contained_timestamp_ms: self.last_contained_timestamp_ms,
        }];
        header.extend(self.quorum.iter().flat_map(QuorumRecords::to_control_records));
        let mut out = BytesMut::new();
        let mut next = Offset::ZERO;
        let mut put = |batch: Bytes, count: usize| {
            out.put(batch);
            next = Offset::new(next.value() + count as i64);
            next
        };
        let mut at = put(batch::of_control(&header, Offset::ZERO, epoch, now_ms)?, header.len());
        for records in self.records.chunks(BATCH_RECORDS) {
            at = put(batch::of_metadata(records, at, epoch, now_ms)?, records.len());
        }
        put(batch::of_control(&[ControlRecord::SnapshotFooter], at, epoch, now_ms)?, 1);
        Ok(out.freeze())
    }

    /// Reads the bytes of a file. One without its end is not whole.
    pub(super) fn decode(bytes: Bytes) -> Result<Self, BadBatch> {
        let mut snapshot = Self::default();
        let mut quorum = QuorumRecords::default();
        let mut ended = false;
        batch::read_all(bytes, |_, entry| {
            match entry {
                Entry::Metadata(_, record) => snapshot.records.push(record),
                Entry::Control(ControlRecord::SnapshotHeader { last_contained_timestamp_ms }) => {
                    snapshot.last_contained_timestamp_ms = last_contained_timestamp_ms;
                }
                Entry::Control(ControlRecord::SnapshotFooter) => ended = true,
                Entry::Control(other) => quorum.replay(other),
            }
            Ok::<(), BadBatch>(())
        })?;
        if !ended {
            return Err(BadBatch::Framing("the snapshot has no end".to_owned()));
        }
        snapshot.quorum = (quorum.kraft_version > 0).then_some(quorum);
        Ok(snapshot)
    }
}

#[cfg(test)]
#[path = "snapshot_tests.rs"]
mod tests;
