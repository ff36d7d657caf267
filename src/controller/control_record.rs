//! Keys and values of the control records in the metadata log and its snapshots
//! (`org.apache.kafka.common.record.ControlRecordType` and the schemas it names).

use bytes::Bytes;
use model::BrokerId;
use model::codec::{ReadError, Reader, Writer};
use uuid::Uuid;

/// A control record of the quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ControlRecord {
    /// A leader begins its epoch.
    LeaderChange {
        /// The leader.
        leader_id: BrokerId,
        /// All voters.
        voters: Vec<BrokerId>,
        /// The voters that elected it.
        granting_voters: Vec<BrokerId>,
    },
    /// First record of a snapshot.
    SnapshotHeader {
        /// Append time of the last record that the snapshot stands for, in milliseconds since the epoch.
        last_contained_timestamp_ms: i64,
    },
    /// Last record of a snapshot.
    SnapshotFooter,
    /// The level of `kraft.version` (KIP-853).
    KRaftVersion {
        /// 0 for voters from the configuration, 1 for voters from the log.
        level: i16,
    },
    /// The voters (KIP-853).
    Voters(Vec<Voter>),
}

/// One voter of the metadata quorum.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// Its node id.
    pub id: BrokerId,
    /// Id of its metadata directory.
    pub directory_id: Uuid,
    /// Name, host and port of its controller listeners.
    pub endpoints: Vec<(String, String, u16)>,
    /// Lowest and highest level of `kraft.version` that it supports.
    pub kraft_versions: (i16, i16),
}

/// The only version of every key and value here; Kafka repeats it inside the values.
const VERSION: i16 = 0;

impl ControlRecord {
    /// The record's key.
    pub fn key(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.i16(VERSION);
        writer.i16(match self {
            Self::LeaderChange { .. } => 2,
            Self::SnapshotHeader { .. } => 3,
            Self::SnapshotFooter => 4,
            Self::KRaftVersion { .. } => 5,
            Self::Voters(_) => 6,
        });
        writer.freeze()
    }

    /// The record's value.
    pub fn value(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.i16(VERSION);
        match self {
            Self::LeaderChange { leader_id, voters, granting_voters } => {
                writer.i32(leader_id.value());
                for voters in [voters, granting_voters] {
                    writer.compact_array_len(voters.len());
                    for voter in voters {
                        writer.i32(voter.value());
                        writer.tagged_fields(&[]);
                    }
                }
            }
            Self::SnapshotHeader { last_contained_timestamp_ms } => writer.i64(*last_contained_timestamp_ms),
            Self::SnapshotFooter => {}
            Self::KRaftVersion { level } => writer.i16(*level),
            Self::Voters(voters) => {
                writer.compact_array_len(voters.len());
                for voter in voters {
                    voter.write(&mut writer);
                }
            }
        }
        writer.tagged_fields(&[]);
        writer.freeze()
    }

    /// Reads a control record; `None` for a type that is not the quorum's (transaction markers) or not known,
    /// which Kafka skips too.
    pub fn decode(key: Bytes, value: Bytes) -> Result<Option<Self>, ReadError> {
        let mut key = Reader::new(key);
        let _version = key.i16()?;
        let kind = key.i16()?;
        if !(2..=6).contains(&kind) {
            return Ok(None);
        }
        let mut reader = Reader::new(value);
        let _version = reader.i16()?;
        let record = match kind {
            2 => Self::LeaderChange {
                leader_id: BrokerId::new(reader.i32()?),
                voters: read_voter_ids(&mut reader)?,
                granting_voters: read_voter_ids(&mut reader)?,
            },
            3 => Self::SnapshotHeader { last_contained_timestamp_ms: reader.i64()? },
            4 => Self::SnapshotFooter,
            5 => Self::KRaftVersion { level: reader.i16()? },
            _ => {
                let count = reader.compact_array_len()?.ok_or(ReadError::Length(-1))?;
                let mut voters = Vec::new();
                for _ in 0..count {
                    voters.push(Voter::read(&mut reader)?);
                }
                Self::Voters(voters)
            }
        };
        reader.tagged_fields()?;
        Ok(Some(record))
    }
}

impl Voter {
    fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        let id = BrokerId::new(reader.i32()?);
        let directory_id = reader.uuid()?;
        let count = reader.compact_array_len()?.ok_or(ReadError::Length(-1))?;
        let mut endpoints = Vec::new();
        for _ in 0..count {
            endpoints.push((reader.compact_string()?, reader.compact_string()?, reader.u16()?));
            reader.tagged_fields()?;
        }
        let kraft_versions = (reader.i16()?, reader.i16()?);
        reader.tagged_fields()?;
        reader.tagged_fields()?;
        Ok(Self { id, directory_id, endpoints, kraft_versions })
    }

    fn write(&self, writer: &mut Writer) {
        writer.i32(self.id.value());
        writer.uuid(self.directory_id);
        writer.compact_array_len(self.endpoints.len());
        for (name, host, port) in &self.endpoints {
            writer.compact_string(name);
            writer.compact_string(host);
            writer.u16(*port);
            writer.tagged_fields(&[]);
        }
        writer.i16(self.kraft_versions.0);
        writer.i16(self.kraft_versions.1);
        writer.tagged_fields(&[]);
        writer.tagged_fields(&[]);
    }
}

fn read_voter_ids(reader: &mut Reader) -> Result<Vec<BrokerId>, ReadError> {
    let count = reader.compact_array_len()?.ok_or(ReadError::Length(-1))?;
    let mut voters = Vec::new();
    for _ in 0..count {
        voters.push(BrokerId::new(reader.i32()?));
        reader.tagged_fields()?;
    }
    Ok(voters)
}

#[cfg(test)]
#[path = "control_record_tests.rs"]
mod tests;
