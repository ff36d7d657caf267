//! The records of `__cluster_metadata` in Kafka's own format: a frame version, the record's api key and
//! version as unsigned varints, then the body (`MetadataRecordSerde`, schemas of Kafka 4.1).
//!
//! What this room acts on is typed; everything else ([`VerbatimRecord`]) keeps its bytes.

mod broker;
mod fields;
mod other;
mod topic;
mod verbatim;

pub use broker::{
    BrokerRegistrationChangeRecord, Endpoint, FeatureRange, FenceBrokerRecord, FencingChange,
    RegisterBrokerRecord, RegisterControllerRecord, UnfenceBrokerRecord, UnregisterBrokerRecord,
};
pub use other::{
    AbortTransactionRecord, BeginTransactionRecord, ClearElrRecord, ConfigRecord, EndTransactionRecord,
    FeatureLevelRecord, NoOpRecord, ProducerIdsRecord,
};
pub use topic::{PartitionChangeRecord, PartitionRecord, RemoveTopicRecord, TopicRecord};
pub use verbatim::{VerbatimEffect, VerbatimKey, VerbatimRecord};

use bytes::Bytes;
use model::codec::{ReadError, Reader, Writer};

/// The only frame version there is.
const FRAME_VERSION: u32 = 1;

/// One record of the metadata log.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs, reason = "the variants are their structs")]
pub enum MetadataRecord {
    RegisterBroker(RegisterBrokerRecord),
    UnregisterBroker(UnregisterBrokerRecord),
    Topic(TopicRecord),
    Partition(PartitionRecord),
    Config(ConfigRecord),
    PartitionChange(PartitionChangeRecord),
    FenceBroker(FenceBrokerRecord),
    UnfenceBroker(UnfenceBrokerRecord),
    RemoveTopic(RemoveTopicRecord),
    FeatureLevel(FeatureLevelRecord),
    ProducerIds(ProducerIdsRecord),
    BrokerRegistrationChange(BrokerRegistrationChangeRecord),
    NoOp(NoOpRecord),
    BeginTransaction(BeginTransactionRecord),
    EndTransaction(EndTransactionRecord),
    AbortTransaction(AbortTransactionRecord),
    RegisterController(RegisterControllerRecord),
    ClearElr(ClearElrRecord),
    /// A record that this room does not act on, with the bytes it came with.
    Verbatim(VerbatimRecord),
}

/// Why the value of a metadata record could not be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// The frame is not one that Kafka has ever written to a stable log.
    #[error("metadata record with frame version {0}; only frame version 1 is known")]
    FrameVersion(u32),
    /// The api key or the version does not fit 15 bits.
    #[error("{0} of a metadata record is out of range")]
    Header(&'static str),
    /// The record's version is newer than the newest metadata.version that is understood.
    #[error("metadata record {api_key} has version {version}, the newest known is {newest}")]
    Version {
        /// The record's type.
        api_key: i16,
        /// Its version.
        version: i16,
        /// The newest version of this type.
        newest: i16,
    },
    /// The body ends early or has illegal lengths.
    #[error("metadata record {api_key} cannot be read")]
    Body {
        /// The record's type.
        api_key: i16,
        /// What is wrong.
        source: ReadError,
    },
    /// The header ends early.
    #[error("the header of a metadata record cannot be read")]
    Truncated(#[from] ReadError),
    /// Bytes follow the body.
    #[error("{left} bytes follow metadata record {api_key}")]
    Trailing {
        /// The record's type.
        api_key: i16,
        /// Bytes left.
        left: usize,
    },
}

impl MetadataRecord {
    /// Reads the value of one record of the metadata log.
    pub fn decode(value: Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(value);
        let frame_version = reader.unsigned_varint()?;
        if frame_version != FRAME_VERSION {
            return Err(RecordError::FrameVersion(frame_version));
        }
        let api_key = i16::try_from(reader.unsigned_varint()?).or(Err(RecordError::Header("the api key")))?;
        let version = i16::try_from(reader.unsigned_varint()?).or(Err(RecordError::Header("the version")))?;
        let newest = newest_version(api_key);
        if let Some(newest) = newest.filter(|newest| version > *newest) {
            return Err(RecordError::Version { api_key, version, newest });
        }
        let record = Self::decode_body(api_key, version, &mut reader)
            .map_err(|source| RecordError::Body { api_key, source })?;
        match reader.remaining() {
            0 => Ok(record),
            left => Err(RecordError::Trailing { api_key, left }),
        }
    }

    fn decode_body(api_key: i16, version: i16, reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(match api_key {
            0 => Self::RegisterBroker(RegisterBrokerRecord::read(reader, version)?),
            1 => Self::UnregisterBroker(UnregisterBrokerRecord::read(reader)?),
            2 => Self::Topic(TopicRecord::read(reader)?),
            3 => Self::Partition(PartitionRecord::read(reader, version)?),
            4 => Self::Config(ConfigRecord::read(reader)?),
            5 => Self::PartitionChange(PartitionChangeRecord::read(reader, version)?),
            7 => Self::FenceBroker(FenceBrokerRecord::read(reader)?),
            8 => Self::UnfenceBroker(UnfenceBrokerRecord::read(reader)?),
            9 => Self::RemoveTopic(RemoveTopicRecord::read(reader)?),
            12 => Self::FeatureLevel(FeatureLevelRecord::read(reader)?),
            15 => Self::ProducerIds(ProducerIdsRecord::read(reader)?),
            17 => Self::BrokerRegistrationChange(BrokerRegistrationChangeRecord::read(reader, version)?),
            20 => Self::NoOp(NoOpRecord::read(reader)?),
            23 => Self::BeginTransaction(BeginTransactionRecord::read(reader)?),
            24 => Self::EndTransaction(EndTransactionRecord::read(reader)?),
            25 => Self::AbortTransaction(AbortTransactionRecord::read(reader)?),
            27 => Self::RegisterController(RegisterControllerRecord::read(reader)?),
            28 => Self::ClearElr(ClearElrRecord::read(reader)?),
            _ => Self::Verbatim(VerbatimRecord::read(api_key, version, reader)?),
        })
    }

    /// The value of this record as the metadata log stores it.
    pub fn encode(&self) -> Bytes {
        let mut writer = Writer::new();
        writer.unsigned_varint(FRAME_VERSION);
        // Keys and versions are never negative: they are constants or came through `decode`.
        writer.unsigned_varint(self.api_key() as u32);
        writer.unsigned_varint(self.version() as u32);
        match self {
            Self::RegisterBroker(record) => record.write(&mut writer),
            Self::UnregisterBroker(record) => record.write(&mut writer),
            Self::Topic(record) => record.write(&mut writer),
            Self::Partition(record) => record.write(&mut writer),
            Self::Config(record) => record.write(&mut writer),
            Self::PartitionChange(record) => record.write(&mut writer),
            Self::FenceBroker(record) => record.write(&mut writer),
            Self::UnfenceBroker(record) => record.write(&mut writer),
            Self::RemoveTopic(record) => record.write(&mut writer),
            Self::FeatureLevel(record) => record.write(&mut writer),
            Self::ProducerIds(record) => record.write(&mut writer),
            Self::BrokerRegistrationChange(record) => record.write(&mut writer),
            Self::NoOp(record) => record.write(&mut writer),
            Self::BeginTransaction(record) => record.write(&mut writer),
            Self::EndTransaction(record) => record.write(&mut writer),
            Self::AbortTransaction(record) => record.write(&mut writer),
            Self::RegisterController(record) => record.write(&mut writer),
            Self::ClearElr(record) => record.write(&mut writer),
            Self::Verbatim(record) => writer.raw(&record.body),
        }
        writer.freeze()
    }

    /// The number of the record's type (`MetadataRecordType`).
    pub fn api_key(&self) -> i16 {
        match self {
            Self::RegisterBroker(_) => 0,
            Self::UnregisterBroker(_) => 1,
            Self::Topic(_) => 2,
            Self::Partition(_) => 3,
            Self::Config(_) => 4,
            Self::PartitionChange(_) => 5,
            Self::FenceBroker(_) => 7,
            Self::UnfenceBroker(_) => 8,
            Self::RemoveTopic(_) => 9,
            Self::FeatureLevel(_) => 12,
            Self::ProducerIds(_) => 15,
            Self::BrokerRegistrationChange(_) => 17,
            Self::NoOp(_) => 20,
            Self::BeginTransaction(_) => 23,
            Self::EndTransaction(_) => 24,
            Self::AbortTransaction(_) => 25,
            Self::RegisterController(_) => 27,
            Self::ClearElr(_) => 28,
            Self::Verbatim(record) => record.api_key,
        }
    }

    /// The version of the record's schema that it is written with.
    pub fn version(&self) -> i16 {
        match self {
            Self::RegisterBroker(record) => record.version,
            Self::Partition(record) => record.version,
            Self::PartitionChange(record) => record.version,
            Self::BrokerRegistrationChange(record) => record.version,
            Self::Verbatim(record) => record.version,
            _ => 0,
        }
    }
}

/// The newest version of a typed record; `None` for the verbatim ones, whose body is not looked into.
fn newest_version(api_key: i16) -> Option<i16> {
    match api_key {
        0 => Some(4),
        17 => Some(3),
        3 | 5 => Some(2),
        1 | 2 | 4 | 7 | 8 | 9 | 12 | 15 | 20 | 23 | 24 | 25 | 27 | 28 => Some(0),
        _ => None,
    }
}

#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;
