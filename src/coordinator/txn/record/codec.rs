//! Bytes of `__transaction_state` records and back.

use super::{Partitions, Record, Status, Value};
use bytes::Bytes;
use model::codec::{ReadError, Reader, TaggedField, Writer};
use std::collections::BTreeSet;

/// The key type of all our records.
const TRANSACTION_LOG: i16 = 0;
/// The first version with tagged fields; written from `transaction.version` 1 on.
const FLEXIBLE: i16 = 1;

/// The longest text of the older encoding.
pub(in crate::txn) const TEXT_BYTES_MAX: usize = i16::MAX as usize;

const PREVIOUS_PRODUCER_ID: u32 = 0;
const NEXT_PRODUCER_ID: u32 = 1;
const CLIENT_TRANSACTION_VERSION: u32 = 2;

/// Bytes that are no record of ours.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RecordError {
    /// A type of key that this release does not know: later releases may have written it.
    #[error("a key of type {0} is not known here")]
    KeyType(i16),
    /// The key cannot be read.
    #[error("the key cannot be read: {0}")]
    Key(ReadError),
    /// The value is of a version later than this release knows.
    #[error("a value of version {0} is not known here")]
    Version(i16),
    /// The value cannot be read.
    #[error("the value cannot be read: {0}")]
    Value(ReadError),
    /// A text that the format cannot hold, in bytes.
    #[error("a text of {0} bytes does not fit")]
    TooLong(usize),
    /// A state that Kafka does not have.
    #[error("there is no state of a transaction with id {0}")]
    Status(i8),
}

impl Record {
    /// Key and value as Kafka writes them where `transaction.version` has this level. Fails only for texts that the format
    /// cannot hold.
    pub fn encode(&self, transaction_version: i16) -> Result<(Bytes, Option<Bytes>), RecordError> {
        let topics = self.value.iter().flat_map(|value| value.partitions.keys());
        let texts = topics.chain([&self.transactional_id]);
        if let Some(long) = texts.map(String::len).find(|length| *length > TEXT_BYTES_MAX) {
            return Err(RecordError::TooLong(long));
        }
        let mut key = Writer::new();
        key.i16(TRANSACTION_LOG);
        key.string(&self.transactional_id);
        let version = if transaction_version == 0 { 0 } else { FLEXIBLE };
        Ok((key.freeze(), self.value.as_ref().map(|value| value.encode(version))))
    }

    /// Reads key and value.
    pub fn decode(key: &Bytes, value: Option<&Bytes>) -> Result<Self, RecordError> {
        let mut reader = Reader::new(key.clone());
        let key_type = reader.i16().map_err(RecordError::Key)?;
        if key_type != TRANSACTION_LOG {
            return Err(RecordError::KeyType(key_type));
        }
        let transactional_id = reader.string().map_err(RecordError::Key)?;
        let value = value.map(|bytes| Value::decode(bytes.clone())).transpose()?;
        Ok(Self { transactional_id, value })
    }
}

impl Value {
    fn encode(&self, version: i16) -> Bytes {
        let flexible = version >= FLEXIBLE;
        let mut out = Writer::new();
        out.i16(version);
        out.i64(self.producer_id);
        out.i16(self.producer_epoch);
        out.i32(self.timeout_ms);
        out.i8(self.status as i8);
        if self.status == Status::Empty {
            // Kafka writes null here, and reads either.
            if flexible { out.unsigned_varint(0) } else { out.i32(-1) }
        } else {
            encode_partitions(&mut out, &self.partitions, flexible);
        }
        out.i64(self.last_update_ms);
        out.i64(self.start_ms);
        if flexible {
            out.tagged_fields(&self.tagged_fields());
        }
        out.freeze()
    }

    fn tagged_fields(&self) -> Vec<TaggedField> {
        let mut fields = Vec::new();
        for (tag, id) in
            [(PREVIOUS_PRODUCER_ID, self.previous_producer_id), (NEXT_PRODUCER_ID, self.next_producer_id)]
        {
            if id != -1 {
                fields.push(TaggedField { tag, value: Bytes::copy_from_slice(&id.to_be_bytes()) });
            }
        }
        if self.client_transaction_version != 0 {
            let value = Bytes::copy_from_slice(&self.client_transaction_version.to_be_bytes());
            fields.push(TaggedField { tag: CLIENT_TRANSACTION_VERSION, value });
        }
        fields
    }

    fn decode(bytes: Bytes) -> Result<Self, RecordError> {
        let mut reader = Reader::new(bytes);
        let version = reader.i16().map_err(RecordError::Value)?;
        if !(0..=FLEXIBLE).contains(&version) {
            return Err(RecordError::Version(version));
        }
        let status_id = Self::peek_status(&reader).map_err(RecordError::Value)?;
        let status = Status::from_id(status_id).ok_or(RecordError::Status(status_id))?;
        Self::decode_fields(&mut reader, status, version >= FLEXIBLE).map_err(RecordError::Value)
    }

    fn peek_status(reader: &Reader) -> Result<i8, ReadError> {
        let mut ahead = reader.clone();
        ahead.i64()?;
        ahead.i16()?;
        ahead.i32()?;
        ahead.i8()
    }

    fn decode_fields(reader: &mut Reader, status: Status, flexible: bool) -> Result<Self, ReadError> {
        let (producer_id, producer_epoch, timeout_ms) = (reader.i64()?, reader.i16()?, reader.i32()?);
        reader.i8()?;
        let mut partitions = decode_partitions(reader, flexible)?;
        if status == Status::Empty {
            // There is no transaction that they could be in.
            partitions.clear();
        }
        let (last_update_ms, start_ms) = (reader.i64()?, reader.i64()?);
        let mut value = Self {
            producer_id,
            previous_producer_id: -1,
            next_producer_id: -1,
            producer_epoch,
            last_producer_epoch: -1,
            timeout_ms,
            status,
            partitions,
            last_update_ms,
            start_ms,
            client_transaction_version: 0,
        };
        if flexible {
            for field in reader.tagged_fields()? {
                let mut field_reader = Reader::new(field.value);
                match field.tag {
                    PREVIOUS_PRODUCER_ID => value.previous_producer_id = field_reader.i64()?,
                    NEXT_PRODUCER_ID => value.next_producer_id = field_reader.i64()?,
                    CLIENT_TRANSACTION_VERSION => value.client_transaction_version = field_reader.i16()?,
                    // Of a later release: nothing here depends on it.
                    _ => {}
                }
            }
        }
        Ok(value)
    }
}

fn encode_partitions(out: &mut Writer, partitions: &Partitions, flexible: bool) {
    let length =
        |out: &mut Writer, count| if flexible { out.compact_array_len(count) } else { out.array_len(count) };
    let text: fn(&mut Writer, &str) = if flexible { Writer::compact_string } else { Writer::string };
    length(out, partitions.len());
    for (topic, indexes) in partitions {
        text(out, topic);
        length(out, indexes.len());
        for index in indexes {
            out.i32(*index);
        }
        if flexible {
            out.tagged_fields(&[]);
        }
    }
}

fn decode_partitions(reader: &mut Reader, flexible: bool) -> Result<Partitions, ReadError> {
    let length = |reader: &mut Reader| if flexible { reader.compact_array_len() } else { reader.array_len() };
    let mut partitions = Partitions::new();
    for _ in 0..length(reader)?.unwrap_or(0) {
        let topic = if flexible { reader.compact_string()? } else { reader.string()? };
        let indexes: &mut BTreeSet<i32> = partitions.entry(topic).or_default();
        for _ in 0..length(reader)?.unwrap_or(0) {
            indexes.insert(reader.i32()?);
        }
        if flexible {
            reader.tagged_fields()?;
        }
    }
    Ok(partitions)
}
