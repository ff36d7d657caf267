//! The 61-byte header of a record batch, magic 2 (KIP-98; `org.apache.kafka.common.record.DefaultRecordBatch`).
//!
//! ```text
//!  0 base offset            i64 ┐ outside the CRC: the broker patches these without touching the rest
//!  8 batch length           i32 │ (bytes after this field)
//! 12 partition leader epoch i32 ┘
//! 16 magic                  i8
//! 17 CRC-32C                u32   over everything from 21
//! 21 attributes             i16   bits 0-2 codec, 3 timestamp type, 4 transactional, 5 control, 6 delete horizon
//! 23 last offset delta      i32
//! 27 base timestamp         i64   (the delete horizon when bit 6 is set)
//! 35 max timestamp          i64
//! 43 producer id            i64
//! 51 producer epoch         i16
//! 53 base sequence          i32
//! 57 record count           i32
//! 61 records
//! ```

use crate::ids::{LeaderEpoch, Offset, ProducerEpoch, ProducerId};

/// Size of the header, and so of the smallest batch.
pub const HEADER_BYTES: usize = 61;
/// Size of the base offset and length fields, which the length does not count.
pub const LOG_OVERHEAD: usize = 12;
/// The part before the magic byte: base offset, length, leader epoch. None of it is under the CRC.
pub const PATCHED_PREFIX_BYTES: usize = 16;
/// Where the CRC's range begins.
pub const CRC_START: usize = 21;
/// The only magic this broker writes.
pub const MAGIC: i8 = 2;

/// Attribute bits of the codec; see [`BatchHeader::codec_bits`].
pub const CODEC_MASK: i16 = 0x07;
/// Attribute bit: the timestamps are the broker's append time.
pub const LOG_APPEND_TIME: i16 = 0x08;
/// Attribute bit: the batch belongs to a transaction.
pub const TRANSACTIONAL: i16 = 0x10;
/// Attribute bit: the batch holds control records.
pub const CONTROL: i16 = 0x20;
/// Attribute bit: the base timestamp is the delete horizon (KIP-534).
pub const DELETE_HORIZON: i16 = 0x40;

/// Fields of one batch header, as they stand in the bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BatchHeader {
    /// Offset of the first record that the producer wrote (compaction may have removed it since).
    pub base_offset: Offset,
    /// Bytes after the length field; the batch is [`LOG_OVERHEAD`] bytes longer.
    pub batch_length: i32,
    /// Epoch of the leader that appended the batch.
    pub leader_epoch: LeaderEpoch,
    /// Format version; [`BatchHeader::parse`] accepts only [`MAGIC`].
    pub magic: i8,
    /// CRC-32C of the bytes from [`CRC_START`] on.
    pub crc: u32,
    /// The attribute bits; see the methods.
    pub attributes: i16,
    /// Offset of the last record minus the base offset.
    pub last_offset_delta: i32,
    /// Milliseconds; the first record's timestamp, or the delete horizon.
    pub base_timestamp: i64,
    /// Milliseconds; the largest timestamp of the batch.
    pub max_timestamp: i64,
    /// The idempotent producer, or -1.
    pub producer_id: ProducerId,
    /// Its epoch, or -1.
    pub producer_epoch: ProducerEpoch,
    /// Sequence number of the first record, or -1.
    pub base_sequence: i32,
    /// Number of records in the batch now.
    pub record_count: i32,
}

/// Why bytes are not a batch header.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadHeader {
    /// Fewer than [`HEADER_BYTES`] bytes.
    #[error("{0} bytes are too few for a record batch header of 61")]
    Short(usize),
    /// The length field is negative or smaller than a header.
    #[error("batch length {0} is smaller than a batch header")]
    Length(i32),
    /// Another message format.
    #[error("record batch magic {0} is not supported, only 2")]
    Magic(i8),
}

impl BatchHeader {
    /// Reads the header at the start of `bytes`. Checks size, magic and that the length can hold a header;
    /// the CRC and the rest of the batch are the caller's to check.
    pub fn parse(bytes: &[u8]) -> Result<Self, BadHeader> {
        let header: &[u8; HEADER_BYTES] = bytes.first_chunk().ok_or(BadHeader::Short(bytes.len()))?;
        let magic = header[16] as i8;
        if magic != MAGIC {
            return Err(BadHeader::Magic(magic));
        }
        let batch_length = i32::from_be_bytes(field(header, 8));
        if (batch_length as i64) < (HEADER_BYTES - LOG_OVERHEAD) as i64 {
            return Err(BadHeader::Length(batch_length));
        }
        Ok(Self {
            base_offset: Offset::new(i64::from_be_bytes(field(header, 0))),
            batch_length,
            leader_epoch: LeaderEpoch::new(i32::from_be_bytes(field(header, 12))),
            magic,
            crc: u32::from_be_bytes(field(header, 17)),
            attributes: i16::from_be_bytes(field(header, 21)),
            last_offset_delta: i32::from_be_bytes(field(header, 23)),
            base_timestamp: i64::from_be_bytes(field(header, 27)),
            max_timestamp: i64::from_be_bytes(field(header, 35)),
            producer_id: ProducerId::new(i64::from_be_bytes(field(header, 43))),
            producer_epoch: ProducerEpoch::new(i16::from_be_bytes(field(header, 51))),
            base_sequence: i32::from_be_bytes(field(header, 53)),
            record_count: i32::from_be_bytes(field(header, 57)),
        })
    }

    /// Writes the header, with the CRC field as it stands; see [`seal`].
    pub fn write(&self, out: &mut [u8; HEADER_BYTES]) {
        out[0..8].copy_from_slice(&self.base_offset.value().to_be_bytes());
        out[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        out[12..16].copy_from_slice(&self.leader_epoch.value().to_be_bytes());
        out[16] = self.magic as u8;
        out[17..21].copy_from_slice(&self.crc.to_be_bytes());
        out[21..23].copy_from_slice(&self.attributes.to_be_bytes());
        out[23..27].copy_from_slice(&self.last_offset_delta.to_be_bytes());
        out[27..35].copy_from_slice(&self.base_timestamp.to_be_bytes());
        out[35..43].copy_from_slice(&self.max_timestamp.to_be_bytes());
        out[43..51].copy_from_slice(&self.producer_id.value().to_be_bytes());
        out[51..53].copy_from_slice(&self.producer_epoch.value().to_be_bytes());
        out[53..57].copy_from_slice(&self.base_sequence.to_be_bytes());
        out[57..61].copy_from_slice(&self.record_count.to_be_bytes());
    }

    /// The bytes that replace the first 16 of a batch when the log gives it its place.
    pub fn patched_prefix(&self, base_offset: Offset, epoch: LeaderEpoch) -> [u8; PATCHED_PREFIX_BYTES] {
        let mut prefix = [0; PATCHED_PREFIX_BYTES];
        prefix[0..8].copy_from_slice(&base_offset.value().to_be_bytes());
        prefix[8..12].copy_from_slice(&self.batch_length.to_be_bytes());
        prefix[12..16].copy_from_slice(&epoch.value().to_be_bytes());
        prefix
    }

    /// Bytes of the whole batch, header and length field included.
    pub const fn size(&self) -> usize {
        LOG_OVERHEAD + self.batch_length as usize
    }

    /// Offset of the last record that the producer wrote.
    pub const fn last_offset(&self) -> Offset {
        Offset::new(self.base_offset.value().saturating_add(self.last_offset_delta as i64))
    }

    /// Sequence number of the last record, wrapped at 2^31 as Kafka does, or -1 without sequence.
    pub const fn last_sequence(&self) -> i32 {
        if self.base_sequence < 0 {
            return -1;
        }
        let last = self.base_sequence as i64 + self.last_offset_delta as i64;
        (last % (i32::MAX as i64 + 1)) as i32
    }

    /// The codec bits: 0 none, 1 gzip, 2 snappy, 3 lz4, 4 zstd; others are illegal.
    pub const fn codec_bits(&self) -> u8 {
        (self.attributes & CODEC_MASK) as u8
    }

    /// Whether the broker's append time replaced the producer's timestamps.
    pub const fn is_log_append_time(&self) -> bool {
        self.attributes & LOG_APPEND_TIME != 0
    }

    /// Whether the batch belongs to a transaction.
    pub const fn is_transactional(&self) -> bool {
        self.attributes & TRANSACTIONAL != 0
    }

    /// Whether the batch holds a control record (a transaction marker, a leader change).
    pub const fn is_control(&self) -> bool {
        self.attributes & CONTROL != 0
    }

    /// Milliseconds after which compaction may drop this batch's tombstones, when it carries that time.
    pub const fn delete_horizon_ms(&self) -> Option<i64> {
        if self.attributes & DELETE_HORIZON != 0 { Some(self.base_timestamp) } else { None }
    }

    /// Whether an idempotent producer wrote the batch.
    pub const fn has_producer_id(&self) -> bool {
        self.producer_id.value() > ProducerId::NONE.value()
    }
}

/// Whether the CRC field of a whole batch matches its bytes. False for anything shorter than a header.
pub fn crc_matches(batch: &[u8]) -> bool {
    match (batch.get(17..21), batch.get(CRC_START..)) {
        (Some(stored), Some(covered)) => crc32c::crc32c(covered).to_be_bytes() == *stored,
        _ => false,
    }
}

/// Sets the CRC field of a whole batch from its bytes.
pub fn seal(batch: &mut [u8]) {
    assert!(batch.len() >= HEADER_BYTES, "a batch has at least its header");
    let crc = crc32c::crc32c(&batch[CRC_START..]);
    batch[17..21].copy_from_slice(&crc.to_be_bytes());
}

fn field<const N: usize>(header: &[u8; HEADER_BYTES], at: usize) -> [u8; N] {
    let mut out = [0; N];
    out.copy_from_slice(&header[at..at + N]);
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    fn header() -> BatchHeader {
        BatchHeader {
            base_offset: Offset::new(7),
            batch_length: 49,
            leader_epoch: LeaderEpoch::new(3),
            magic: MAGIC,
            crc: 0,
            attributes: 0x34,
            last_offset_delta: 4,
            base_timestamp: 11,
            max_timestamp: 12,
            producer_id: ProducerId::new(13),
            producer_epoch: ProducerEpoch::new(14),
            base_sequence: i32::MAX - 1,
            record_count: 5,
        }
    }

    #[test]
    fn writes_what_it_parses() {
        let mut bytes = [0; HEADER_BYTES];
        header().write(&mut bytes);
        assert_eq!(BatchHeader::parse(&bytes), Ok(header()));
        assert!(!crc_matches(&bytes));
        seal(&mut bytes);
        assert!(crc_matches(&bytes));
        assert_eq!(bytes[..16], header().patched_prefix(Offset::new(7), LeaderEpoch::new(3)));
    }

    #[test]
    fn derives_offsets_and_sequences() {
        assert_eq!(header().last_offset(), Offset::new(11));
        assert_eq!(header().last_sequence(), 2, "sequences wrap from i32::MAX to 0");
        assert!(header().is_transactional() && header().is_control() && !header().is_log_append_time());
        assert_eq!(header().codec_bits(), 4);
        assert_eq!(header().delete_horizon_ms(), None);
    }

    #[test]
    fn refuses_what_is_no_header() {
        assert_eq!(BatchHeader::parse(&[0; 60]), Err(BadHeader::Short(60)));
        let mut bytes = [0; HEADER_BYTES];
        assert_eq!(BatchHeader::parse(&bytes), Err(BadHeader::Magic(0)));
        bytes[16] = 2;
        assert_eq!(BatchHeader::parse(&bytes), Err(BadHeader::Length(0)));
        bytes[8] = 0x80;
        assert!(matches!(BatchHeader::parse(&bytes), Err(BadHeader::Length(_))));
    }
}
