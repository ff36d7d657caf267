//! Records about nodes.

use model::BrokerId;
use model::codec::{ReadError, Reader, TaggedField, Writer};
use uuid::Uuid;

use super::fields::{TagWriter, Tags, read_nullable_uuids, read_uuids, write_uuids};

/// Where a node can be reached.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Endpoint {
    /// The listener's name.
    pub name: String,
    /// Host as advertised.
    pub host: String,
    /// Port as advertised.
    pub port: u16,
    /// `org.apache.kafka.common.security.auth.SecurityProtocol`: 0 PLAINTEXT, 1 SSL, 2 SASL_PLAINTEXT,
    /// 3 SASL_SSL.
    pub security_protocol: i16,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

/// The levels of one feature that a node can work with.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FeatureRange {
    /// The feature's name.
    pub name: String,
    /// Lowest level.
    pub min: i16,
    /// Highest level.
    pub max: i16,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

/// A broker process has joined (api key 0, versions 0-4).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterBrokerRecord {
    /// Schema version to write.
    pub version: i16,
    /// The broker.
    pub broker_id: BrokerId,
    /// A ZooKeeper broker in migration mode; only in records of Kafka 3.
    pub is_migrating_zk_broker: bool,
    /// Identity of the process.
    pub incarnation_id: Uuid,
    /// Fences the requests of earlier processes of this broker.
    pub broker_epoch: i64,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// What it supports.
    pub features: Vec<FeatureRange>,
    /// Its rack.
    pub rack: Option<String>,
    /// It may not lead or be in an ISR yet.
    pub fenced: bool,
    /// It is being stopped.
    pub in_controlled_shutdown: bool,
    /// Its available log directories (KIP-858).
    pub log_dirs: Vec<Uuid>,
    /// Those of them that get no more partitions (KIP-1066).
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl RegisterBrokerRecord {
    pub(super) fn read(reader: &mut Reader, version: i16) -> Result<Self, ReadError> {
        let broker_id = BrokerId::new(reader.i32()?);
        let is_migrating_zk_broker = version >= 2 && reader.bool()?;
        let incarnation_id = reader.uuid()?;
        let broker_epoch = reader.i64()?;
        let endpoints = read_array(reader, Endpoint::read)?;
        let features = read_array(reader, FeatureRange::read)?;
        let rack = reader.compact_nullable_string()?;
        let fenced = reader.bool()?;
        let in_controlled_shutdown = version >= 1 && reader.bool()?;
        let mut tags = Tags::read(reader)?;
        let log_dirs = match version {
            3.. => tags.take(0, read_uuids)?.unwrap_or_default(),
            _ => Vec::new(),
        };
        let cordoned_log_dirs = match version {
            4.. => tags.take(1, read_nullable_uuids)?.flatten(),
            _ => None,
        };
        Ok(Self {
            version,
            broker_id,
            is_migrating_zk_broker,
            incarnation_id,
            broker_epoch,
            endpoints,
            features,
            rack,
            fenced,
            in_controlled_shutdown,
            log_dirs,
            cordoned_log_dirs,
            unknown: tags.unknown(),
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.i32(self.broker_id.value());
        if self.version >= 2 {
            writer.bool(self.is_migrating_zk_broker);
        }
        writer.uuid(self.incarnation_id);
        writer.i64(self.broker_epoch);
        write_array(writer, &self.endpoints, Endpoint::write);
        write_array(writer, &self.features, FeatureRange::write);
        writer.compact_nullable_string(self.rack.as_deref());
        writer.bool(self.fenced);
        if self.version >= 1 {
            writer.bool(self.in_controlled_shutdown);
        }
        let mut tags = TagWriter::new(&self.unknown);
        if self.version >= 3 && !self.log_dirs.is_empty() {
            tags.put(0, |writer| write_uuids(writer, &self.log_dirs));
        }
        if let Some(cordoned) = self.cordoned_log_dirs.as_ref().filter(|_| self.version >= 4) {
            tags.put(1, |writer| write_uuids(writer, cordoned));
        }
        tags.write(writer);
    }
}

/// A broker has left for good (api key 1).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnregisterBrokerRecord {
    /// The broker.
    pub broker_id: BrokerId,
    /// Its epoch.
    pub broker_epoch: i64,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl UnregisterBrokerRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self {
            broker_id: BrokerId::new(reader.i32()?),
            broker_epoch: reader.i64()?,
            unknown: reader.tagged_fields()?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        write_id_and_epoch(writer, self.broker_id, self.broker_epoch, &self.unknown);
    }
}

/// A broker may no longer lead (api key 7; Kafka 3.0 to 3.2, now [`BrokerRegistrationChangeRecord`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct FenceBrokerRecord {
    /// The broker.
    pub id: BrokerId,
    /// Its epoch.
    pub epoch: i64,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl FenceBrokerRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self { id: BrokerId::new(reader.i32()?), epoch: reader.i64()?, unknown: reader.tagged_fields()? })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        write_id_and_epoch(writer, self.id, self.epoch, &self.unknown);
    }
}

/// A broker may lead again (api key 8; Kafka 3.0 to 3.2, now [`BrokerRegistrationChangeRecord`]).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UnfenceBrokerRecord {
    /// The broker.
    pub id: BrokerId,
    /// Its epoch.
    pub epoch: i64,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl UnfenceBrokerRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self { id: BrokerId::new(reader.i32()?), epoch: reader.i64()?, unknown: reader.tagged_fields()? })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        write_id_and_epoch(writer, self.id, self.epoch, &self.unknown);
    }
}

/// What [`BrokerRegistrationChangeRecord`] says about fencing.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum FencingChange {
    /// The broker may lead from now on (-1).
    Unfence,
    /// Nothing changes (0).
    #[default]
    None,
    /// The broker may not lead from now on (1).
    Fence,
}

/// The state of a registered broker has changed (api key 17, versions 0-3).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct BrokerRegistrationChangeRecord {
    /// Schema version to write.
    pub version: i16,
    /// The broker.
    pub broker_id: BrokerId,
    /// Its epoch.
    pub broker_epoch: i64,
    /// Fencing.
    pub fencing: FencingChange,
    /// The broker is being stopped from now on.
    pub enters_controlled_shutdown: bool,
    /// The log directories that are available from now on; empty when they did not change.
    pub log_dirs: Vec<Uuid>,
    /// Those that get no more partitions from now on (KIP-1066); `None` when they did not change.
    pub cordoned_log_dirs: Option<Vec<Uuid>>,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl BrokerRegistrationChangeRecord {
    pub(super) fn read(reader: &mut Reader, version: i16) -> Result<Self, ReadError> {
        let broker_id = BrokerId::new(reader.i32()?);
        let broker_epoch = reader.i64()?;
        let mut tags = Tags::read(reader)?;
        let fencing = match tags.take(0, Reader::i8)?.unwrap_or(0) {
            -1 => FencingChange::Unfence,
            0 => FencingChange::None,
            1 => FencingChange::Fence,
            other => return Err(ReadError::Length(i64::from(other))),
        };
        let enters_controlled_shutdown = match version {
            1.. => match tags.take(1, Reader::i8)?.unwrap_or(0) {
                0 => false,
                1 => true,
                other => return Err(ReadError::Length(i64::from(other))),
            },
            _ => false,
        };
        let log_dirs = match version {
            2.. => tags.take(2, read_uuids)?.unwrap_or_default(),
            _ => Vec::new(),
        };
        let cordoned_log_dirs = match version {
            3.. => tags.take(3, read_nullable_uuids)?.flatten(),
            _ => None,
        };
        Ok(Self {
            version,
            broker_id,
            broker_epoch,
            fencing,
            enters_controlled_shutdown,
            log_dirs,
            cordoned_log_dirs,
            unknown: tags.unknown(),
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.i32(self.broker_id.value());
        writer.i64(self.broker_epoch);
        let mut tags = TagWriter::new(&self.unknown);
        match self.fencing {
            FencingChange::Unfence => tags.put(0, |writer| writer.i8(-1)),
            FencingChange::None => {}
            FencingChange::Fence => tags.put(0, |writer| writer.i8(1)),
        }
        if self.enters_controlled_shutdown {
            tags.put(1, |writer| writer.i8(1));
        }
        if !self.log_dirs.is_empty() {
            tags.put(2, |writer| write_uuids(writer, &self.log_dirs));
        }
        if let Some(cordoned) = self.cordoned_log_dirs.as_ref().filter(|_| self.version >= 3) {
            tags.put(3, |writer| write_uuids(writer, cordoned));
        }
        tags.write(writer);
    }
}

/// A controller process has joined (api key 27, KIP-919).
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct RegisterControllerRecord {
    /// The controller.
    pub controller_id: BrokerId,
    /// Identity of the process.
    pub incarnation_id: Uuid,
    /// It could migrate from ZooKeeper; only in records of Kafka 3.
    pub zk_migration_ready: bool,
    /// Its listeners.
    pub endpoints: Vec<Endpoint>,
    /// What it supports.
    pub features: Vec<FeatureRange>,
    /// Tagged fields of later versions.
    pub unknown: Vec<TaggedField>,
}

impl RegisterControllerRecord {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self {
            controller_id: BrokerId::new(reader.i32()?),
            incarnation_id: reader.uuid()?,
            zk_migration_ready: reader.bool()?,
            endpoints: read_array(reader, Endpoint::read)?,
            features: read_array(reader, FeatureRange::read)?,
            unknown: reader.tagged_fields()?,
        })
    }

    pub(super) fn write(&self, writer: &mut Writer) {
        writer.i32(self.controller_id.value());
        writer.uuid(self.incarnation_id);
        writer.bool(self.zk_migration_ready);
        write_array(writer, &self.endpoints, Endpoint::write);
        write_array(writer, &self.features, FeatureRange::write);
        writer.tagged_fields(&self.unknown);
    }
}

impl Endpoint {
    fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self {
            name: reader.compact_string()?,
            host: reader.compact_string()?,
            port: reader.u16()?,
            security_protocol: reader.i16()?,
            unknown: reader.tagged_fields()?,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.compact_string(&self.name);
        writer.compact_string(&self.host);
        writer.u16(self.port);
        writer.i16(self.security_protocol);
        writer.tagged_fields(&self.unknown);
    }
}

impl FeatureRange {
    /// The levels `min` to `max` of `name`.
    pub fn new(name: &str, min: i16, max: i16) -> Self {
        Self { name: name.to_owned(), min, max, unknown: Vec::new() }
    }

    fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self {
            name: reader.compact_string()?,
            min: reader.i16()?,
            max: reader.i16()?,
            unknown: reader.tagged_fields()?,
        })
    }

    fn write(&self, writer: &mut Writer) {
        writer.compact_string(&self.name);
        writer.i16(self.min);
        writer.i16(self.max);
        writer.tagged_fields(&self.unknown);
    }
}

fn read_array<T>(
    reader: &mut Reader,
    read: impl Fn(&mut Reader) -> Result<T, ReadError>,
) -> Result<Vec<T>, ReadError> {
    let count = reader.compact_array_len()?.ok_or(ReadError::Length(-1))?;
    let mut items = Vec::new();
    for _ in 0..count {
        items.push(read(reader)?);
    }
    Ok(items)
}

fn write_array<T>(writer: &mut Writer, items: &[T], write: impl Fn(&T, &mut Writer)) {
    writer.compact_array_len(items.len());
    for item in items {
        write(item, writer);
    }
}

fn write_id_and_epoch(writer: &mut Writer, id: BrokerId, epoch: i64, unknown: &[TaggedField]) {
    writer.i32(id.value());
    writer.i64(epoch);
    writer.tagged_fields(unknown);
}
