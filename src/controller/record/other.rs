//! Records about configs, features, producer ids and the log itself.

use model::BrokerId;
use model::codec::{ReadError, Reader, TaggedField, Writer};

use super::fields::{TagWriter, Tags};

/// One config of one resource has a value, or no longer has one (api key 4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ConfigRecord {
    /// `org.apache.kafka.common.config.ConfigResource.Type`.
    pub resource_type: i8,
    /// Topic, group or subscription name, broker id, or empty for all brokers.
    pub resource_name: String,
    /// The config's name.
    pub name: String,
    /// Its value; `None` removes it.
    pub value: Option<String>,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl ConfigRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self {
            resource_type: reader.i8()?,
            resource_name: reader.compact_string()?,
            name: reader.compact_string()?,
            value: reader.compact_nullable_string()?,
            unknown: reader.tagged_fields()?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.i8(self.resource_type);
        writer.compact_string(&self.resource_name);
        writer.compact_string(&self.name);
        writer.compact_nullable_string(self.value.as_deref());
        writer.tagged_fields(&self.unknown);
    }
}

/// A feature is finalized at a level, 0 for not at all (api key 12).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureLevelRecord {
    /// The feature.
    pub name: String,
    /// Its level.
    pub feature_level: i16,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl FeatureLevelRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self {
            name: reader.compact_string()?,
            feature_level: reader.i16()?,
            unknown: reader.tagged_fields()?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.compact_string(&self.name);
        writer.i16(self.feature_level);
        writer.tagged_fields(&self.unknown);
    }
}

/// Producer ids below `next_producer_id` have been handed out (api key 15).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ProducerIdsRecord {
    /// The broker that asked.
    pub broker_id: BrokerId,
    /// Its epoch.
    pub broker_epoch: i64,
    /// First id of the next block.
    pub next_producer_id: i64,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl ProducerIdsRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self {
            broker_id: BrokerId::new(reader.i32()?),
            broker_epoch: reader.i64()?,
            next_producer_id: reader.i64()?,
            unknown: reader.tagged_fields()?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.i32(self.broker_id.value());
        writer.i64(self.broker_epoch);
        writer.i64(self.next_producer_id);
        writer.tagged_fields(&self.unknown);
    }
}

/// Nothing; it moves the end of the log (api key 20, KIP-835).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct NoOpRecord {
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl NoOpRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        reader.tagged_fields().map(|unknown| Self { unknown })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.tagged_fields(&self.unknown);
    }
}

/// The records up to the end or abort record take effect together (api key 23, KIP-868).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BeginTransactionRecord {
    /// What it is for.
    pub name: Option<String>,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl BeginTransactionRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        let (name, unknown) = read_text_tag(reader)?;
        Ok(Self { name, unknown })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        write_text_tag(writer, self.name.as_deref(), &self.unknown);
    }
}

/// The open transaction takes effect (api key 24, KIP-868).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct EndTransactionRecord {
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl EndTransactionRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        reader.tagged_fields().map(|unknown| Self { unknown })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.tagged_fields(&self.unknown);
    }
}

/// The open transaction has no effect (api key 25, KIP-868).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct AbortTransactionRecord {
    /// Why.
    pub reason: Option<String>,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl AbortTransactionRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        let (reason, unknown) = read_text_tag(reader)?;
        Ok(Self { reason, unknown })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        write_text_tag(writer, self.reason.as_deref(), &self.unknown);
    }
}

/// The eligible leader replicas of one topic, or with an empty name of all, are forgotten (api key 28,
/// KIP-966).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct ClearElrRecord {
    /// The topic, or empty for all.
    pub topic_name: String,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl ClearElrRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self { topic_name: reader.compact_string()?, unknown: reader.tagged_fields()? })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.compact_string(&self.topic_name);
        writer.tagged_fields(&self.unknown);
    }
}

fn read_text_tag(reader: &mut Reader) -> Result<(Option<String>, Vec<TaggedField>), ReadError> {
    let mut tags = Tags::read(reader)?;
    let text = tags.take(0, Reader::compact_nullable_string)?.flatten();
    Ok((text, tags.unknown()))
}

fn write_text_tag(writer: &mut Writer, text: Option<&str>, unknown: &[TaggedField]) {
    let mut tags = TagWriter::new(unknown);
    if text.is_some() {
        tags.put(0, |writer| writer.compact_nullable_string(text));
    }
    tags.write(writer);
}
