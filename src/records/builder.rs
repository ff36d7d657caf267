//! Building batches: data, as a producer or compaction writes it, and control batches
//! (`org.apache.kafka.common.record.MemoryRecordsBuilder`).

use bytes::Bytes;
use model::batch::{
    CONTROL, DELETE_HORIZON, HEADER_BYTES, LOG_APPEND_TIME, LOG_OVERHEAD, MAGIC, TRANSACTIONAL, seal,
};
use model::{BatchHeader, LeaderEpoch, Offset, ProducerEpoch, ProducerId};

use crate::codec::{Codec, CodecError, Fold};
use crate::iter::{Header, Headers, Record};
use crate::varint::{put_varint, put_varlong, varint_len, varlong_len};

/// "No timestamp", as empty batches carry it.
const NO_TIMESTAMP: i64 = -1;

/// Why a batch could not be built.
#[derive(Debug, thiserror::Error)]
pub enum BuildError {
    /// More than a 32-bit length can say, in one record or in the batch.
    #[error("a record or the batch is larger than 2 GiB")]
    TooLarge,
    /// The codec refused.
    #[error(transparent)]
    Codec(#[from] CodecError),
}

/// Collects records and seals them into one batch.
#[derive(Clone, Debug)]
pub struct BatchBuilder {
    header: BatchHeader,
    codec: Codec,
    level: Option<i32>,
    /// Room for the header, then the records.
    buffer: Vec<u8>,
    first_timestamp: Option<i64>,
    max_timestamp: i64,
    stamp: Option<i64>,
    next_offset_delta: i32,
    last_offset_delta: Option<i32>,
    too_large: bool,
}

impl Default for BatchBuilder {
    fn default() -> Self {
        Self::new()
    }
}

impl BatchBuilder {
    /// An empty batch at base offset 0, without leader epoch, producer or compression.
    pub fn new() -> Self {
        Self {
            header: BatchHeader {
                base_offset: Offset::ZERO,
                batch_length: (HEADER_BYTES - LOG_OVERHEAD) as i32,
                leader_epoch: LeaderEpoch::NONE,
                magic: MAGIC,
                crc: 0,
                attributes: 0,
                last_offset_delta: 0,
                base_timestamp: NO_TIMESTAMP,
                max_timestamp: NO_TIMESTAMP,
                producer_id: ProducerId::NONE,
                producer_epoch: ProducerEpoch::NONE,
                base_sequence: -1,
                record_count: 0,
            },
            codec: Codec::None,
            level: None,
            buffer: vec![0; HEADER_BYTES],
            first_timestamp: None,
            max_timestamp: NO_TIMESTAMP,
            stamp: None,
            next_offset_delta: 0,
            last_offset_delta: None,
            too_large: false,
        }
    }

    /// Sets the offset of the first record.
    pub fn base_offset(mut self, offset: Offset) -> Self {
        self.header.base_offset = offset;
        self
    }

    /// Sets the epoch of the leader that appends the batch.
    pub fn leader_epoch(mut self, epoch: LeaderEpoch) -> Self {
        self.header.leader_epoch = epoch;
        self
    }

    /// Compresses the records; `level` as in `compression.<codec>.level`.
    pub fn codec(mut self, codec: Codec, level: Option<i32>) -> Self {
        self.codec = codec;
        self.level = level;
        self
    }

    /// Makes the batch an idempotent producer's; `base_sequence` is that of the first record, or -1.
    pub fn producer(mut self, id: ProducerId, epoch: ProducerEpoch, base_sequence: i32) -> Self {
        self.header.producer_id = id;
        self.header.producer_epoch = epoch;
        self.header.base_sequence = base_sequence;
        self
    }

    /// Makes the batch a part of its producer's transaction.
    pub fn transactional(mut self) -> Self {
        self.header.attributes |= TRANSACTIONAL;
        self
    }

    /// Marks the records as control records; see [`BatchBuilder::append_control`].
    pub fn control(mut self) -> Self {
        self.header.attributes |= CONTROL;
        self
    }

    /// Stamps the batch with its append time in milliseconds, which stands for the time of every record.
    pub fn log_append_time(mut self, now_ms: i64) -> Self {
        self.header.attributes |= LOG_APPEND_TIME;
        self.stamp = Some(now_ms);
        self
    }

    /// Sets the time in milliseconds after which compaction may drop the batch's tombstones and markers
    /// (KIP-534). To be called before the first record, whose timestamp is then told from this time.
    pub fn delete_horizon(mut self, horizon_ms: i64) -> Self {
        debug_assert_eq!(self.header.record_count, 0, "the base of all timestamps comes first");
        self.header.attributes |= DELETE_HORIZON;
        self.first_timestamp = Some(horizon_ms);
        self
    }

    /// Keeps the last offset that the batch had before compaction took records from its end.
    pub fn last_offset_delta(mut self, delta: i32) -> Self {
        self.last_offset_delta = Some(delta);
        self
    }

    /// Sets the least maximum timestamp: that of a batch that compaction has emptied.
    pub fn max_timestamp(mut self, timestamp: i64) -> Self {
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self
    }

    /// Adds a record at the next offset. `timestamp` is in milliseconds.
    pub fn append(
        &mut self,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: &[Header<'_>],
    ) -> &mut Self {
        let mut raw = Vec::new();
        for header in headers {
            self.too_large |= header.key.len() > i32::MAX as usize;
            put_varint(&mut raw, header.key.len() as i32);
            raw.extend_from_slice(header.key);
            self.too_large |= header.value.is_some_and(|value| value.len() > i32::MAX as usize);
            put_nullable(&mut raw, header.value);
        }
        self.put(self.next_offset_delta, timestamp, [key, value], (headers.len(), &raw))
    }

    /// Adds a record at a given distance from the base offset, which must grow from record to record; headers as
    /// another batch had them, duplicates included.
    pub fn append_at(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        key: Option<&[u8]>,
        value: Option<&[u8]>,
        headers: Headers<'_>,
    ) -> &mut Self {
        debug_assert!(offset_delta >= self.next_offset_delta, "offsets grow within a batch");
        self.put(offset_delta, timestamp, [key, value], (headers.len(), headers.raw()))
    }

    /// Adds a control record and makes the batch a control batch.
    pub fn append_control(&mut self, timestamp: i64, kind: ControlType, value: &[u8]) -> &mut Self {
        self.header.attributes |= CONTROL;
        self.append(timestamp, Some(&kind.key()), Some(value), &[])
    }

    /// Records added so far.
    pub const fn record_count(&self) -> i32 {
        self.header.record_count
    }

    /// Bytes of the batch so far, before compression.
    pub fn size(&self) -> usize {
        self.buffer.len()
    }

    fn put(
        &mut self,
        offset_delta: i32,
        timestamp: i64,
        [key, value]: [Option<&[u8]>; 2],
        (header_count, headers): (usize, &[u8]),
    ) -> &mut Self {
        let base = *self.first_timestamp.get_or_insert(timestamp);
        let body = Body {
            timestamp_delta: timestamp.wrapping_sub(base),
            offset_delta,
            header_count: header_count as i32,
        };
        let bytes = body.size(key, value, headers);
        // A batch of 2 GiB is refused when it is sealed; here only a record is kept from breaking its own lengths.
        if bytes > i32::MAX as usize || self.header.record_count == i32::MAX || offset_delta == i32::MAX {
            self.too_large = true;
            return self;
        }
        self.buffer.reserve(bytes + 5);
        put_varint(&mut self.buffer, bytes as i32);
        body.put(&mut self.buffer, key, value, headers);
        self.max_timestamp = self.max_timestamp.max(timestamp);
        self.header.record_count += 1;
        self.next_offset_delta = offset_delta + 1;
        self
    }

    /// Seals the batch: lengths, timestamps, CRC.
    pub fn build(mut self) -> Result<Bytes, BuildError> {
        if self.too_large {
            return Err(BuildError::TooLarge);
        }
        self.header.base_timestamp = self.first_timestamp.unwrap_or(NO_TIMESTAMP);
        self.header.max_timestamp = self.stamp.unwrap_or(self.max_timestamp);
        let last_appended = (self.next_offset_delta - 1).max(0);
        self.header.last_offset_delta = self.last_offset_delta.unwrap_or(last_appended);
        let mut buffer = self.buffer;
        // An empty batch has nothing to compress.
        if self.codec != Codec::None && self.header.record_count > 0 {
            let mut fold = Fold::new(self.codec, self.level, vec![0; HEADER_BYTES])?;
            fold.write(buffer.get(HEADER_BYTES..).unwrap_or_default())?;
            buffer = fold.finish()?;
            self.header.attributes |= i16::from(self.codec.bits());
        }
        seal_batch(self.header, buffer).ok_or(BuildError::TooLarge)
    }
}

/// Completes a batch whose records stand in `buffer` behind room for the header: writes header, length and CRC.
/// `None` when the length does not fit its field.
pub(crate) fn seal_batch(mut header: BatchHeader, mut buffer: Vec<u8>) -> Option<Bytes> {
    header.batch_length = i32::try_from(buffer.len() - LOG_OVERHEAD).ok()?;
    header.write(buffer.first_chunk_mut()?);
    seal(&mut buffer);
    Some(buffer.into())
}

struct Body {
    timestamp_delta: i64,
    offset_delta: i32,
    header_count: i32,
}

impl Body {
    fn size(&self, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[u8]) -> usize {
        1 + varlong_len(self.timestamp_delta)
            + varint_len(self.offset_delta)
            + nullable_len(key)
            + nullable_len(value)
            + varint_len(self.header_count)
            + headers.len()
    }

    fn put(&self, out: &mut Vec<u8>, key: Option<&[u8]>, value: Option<&[u8]>, headers: &[u8]) {
        out.push(0);
        put_varlong(out, self.timestamp_delta);
        put_varint(out, self.offset_delta);
        put_nullable(out, key);
        put_nullable(out, value);
        put_varint(out, self.header_count);
        out.extend_from_slice(headers);
    }
}

fn nullable_len(bytes: Option<&[u8]>) -> usize {
    bytes.map_or(1, |bytes| varint_len(bytes.len() as i32) + bytes.len())
}

fn put_nullable(out: &mut Vec<u8>, bytes: Option<&[u8]>) {
    match bytes {
        None => put_varint(out, -1),
        Some(bytes) => {
            put_varint(out, bytes.len() as i32);
            out.extend_from_slice(bytes);
        }
    }
}

/// What a control record says; its key is a version and this number
/// (`org.apache.kafka.common.record.ControlRecordType`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i16)]
pub enum ControlType {
    /// The transaction was aborted.
    Abort = 0,
    /// The transaction was committed.
    Commit = 1,
    /// The metadata quorum has a new leader.
    LeaderChange = 2,
    /// First record of a metadata snapshot.
    SnapshotHeader = 3,
    /// Last record of a metadata snapshot.
    SnapshotFooter = 4,
    /// The quorum's `kraft.version` (KIP-853).
    KRaftVersion = 5,
    /// The quorum's voters (KIP-853).
    KRaftVoters = 6,
}

impl ControlType {
    /// The key of a control record of this type.
    pub const fn key(self) -> [u8; 4] {
        let [high, low] = (self as i16).to_be_bytes();
        [0, 0, high, low]
    }

    /// The type of a record of a control batch; `None` for types that came after Kafka 4.1, which are to be
    /// passed over, and for keys that are none.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        let &[version_high, _, high, low, ..] = record.key? else {
            return None;
        };
        if version_high >= 0x80 {
            return None;
        }
        match i16::from_be_bytes([high, low]) {
            0 => Some(Self::Abort),
            1 => Some(Self::Commit),
            2 => Some(Self::LeaderChange),
            3 => Some(Self::SnapshotHeader),
            4 => Some(Self::SnapshotFooter),
            5 => Some(Self::KRaftVersion),
            6 => Some(Self::KRaftVoters),
            _ => None,
        }
    }
}

/// The end of a transaction on one partition (`org.apache.kafka.common.record.EndTransactionMarker`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EndTxnMarker {
    /// Whether the transaction was committed rather than aborted.
    pub commit: bool,
    /// Epoch of the transaction coordinator that decided it.
    pub coordinator_epoch: i32,
}

impl EndTxnMarker {
    /// The marker as a batch of its own for the given producer.
    pub fn batch(
        self,
        timestamp: i64,
        producer_id: ProducerId,
        producer_epoch: ProducerEpoch,
    ) -> Result<Bytes, BuildError> {
        let mut builder = BatchBuilder::new().producer(producer_id, producer_epoch, -1).transactional();
        let kind = if self.commit { ControlType::Commit } else { ControlType::Abort };
        // Version 0, the only one.
        let [e0, e1, e2, e3] = self.coordinator_epoch.to_be_bytes();
        builder.append_control(timestamp, kind, &[0, 0, e0, e1, e2, e3]);
        builder.build()
    }

    /// Reads the marker from a record of a control batch; `None` when it is another control record.
    pub fn of(record: &Record<'_>) -> Option<Self> {
        let commit = match ControlType::of(record)? {
            ControlType::Commit => true,
            ControlType::Abort => false,
            _other => return None,
        };
        let (_version, rest) = record.value?.split_first_chunk::<2>()?;
        Some(Self { commit, coordinator_epoch: i32::from_be_bytes(*rest.first_chunk()?) })
    }
}

#[cfg(test)]
#[path = "builder_tests.rs"]
mod tests;
