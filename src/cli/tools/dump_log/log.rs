//! Segments and metadata snapshots: a line for every batch, and one for every record where that is wanted.

use std::path::Path;

use bytes::Bytes;
use model::batch::{BatchHeader, MAGIC, crc_matches};
use model::codec::Reader;
use records::{Codec, EndTxnMarker, OpenBatch, Record};
use storage::SystemDisk;
use storage::inspect::{BatchFile, Found};

use crate::terminal::{Stop, Terminal};

use super::decoders::Decoder;
use super::schema::Schemas;
use super::{base_offset, file_name, not_there};

/// What is shown of a log.
#[derive(Debug)]
pub(super) struct Showing {
    pub(super) bytes_max: i32,
    pub(super) records: bool,
    pub(super) contents: bool,
    pub(super) without_metadata: bool,
    pub(super) decoder: Decoder,
    pub(super) control: Schemas,
}

/// Offsets that do not follow each other: the one before the hole, and the one behind it. Newest first.
pub(super) type Holes = Vec<(i64, i64)>;

impl Showing {
    /// Dumps one file.
    pub(super) fn dump(&self, path: &str, terminal: &mut Terminal) -> Result<Holes, Stop> {
        let name = file_name(path);
        if !name.contains(".checkpoint") {
            terminal.line(format!("Log starting offset: {}", base_offset(path)?));
        } else if name == "bootstrap.checkpoint" {
            terminal.line("KRaft bootstrap snapshot");
        } else {
            let (offset, epoch) = snapshot_id(name)
                .ok_or_else(|| Stop::Error(format!("{path} is not named like a metadata snapshot")))?;
            terminal.line(format!("Snapshot end offset: {offset}, epoch: {epoch}"));
        }
        let limit = self.bytes_max.unsigned_abs().into();
        let mut file =
            BatchFile::open(&SystemDisk, Path::new(path), limit).map_err(|error| not_there(path, &error))?;
        let (mut holes, mut last) = (Holes::new(), -1);
        let mut position = 0;
        while let Some(batch) = next_batch(&mut file, path)? {
            self.batch(&batch, position, &mut last, &mut holes, terminal)
                .map_err(|reason| Stop::Error(format!("{path}: {reason}")))?;
            position = file.position();
        }
        if file.end() > position && self.bytes_max == i32::MAX {
            terminal.line(format!("Found {} invalid bytes at the end of {name}", file.end() - position));
        }
        Ok(holes)
    }

    fn batch(
        &self,
        bytes: &Bytes,
        position: u64,
        last: &mut i64,
        holes: &mut Holes,
        terminal: &mut Terminal,
    ) -> Result<(), String> {
        let header = BatchHeader::parse(bytes).map_err(|error| error.to_string())?;
        terminal.line(batch_line(&header, bytes, position));
        if !self.records {
            return Ok(());
        }
        let open = OpenBatch::new(bytes, BATCH_BYTES_MAX).map_err(|error| error.to_string())?;
        for record in open.records() {
            let record = record.map_err(|error| error.to_string())?;
            let offset = open.offset_of(&record).value();
            if *last != -1 && offset != *last + 1 {
                holes.insert(0, (*last, offset));
            }
            *last = offset;
            terminal.line(self.record_line(&open, &record, offset)?);
        }
        Ok(())
    }

    fn record_line(&self, open: &OpenBatch, record: &Record<'_>, offset: i64) -> Result<String, String> {
        let header = &open.header;
        let mut line = "| ".to_owned();
        if !self.without_metadata {
            let size = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i64);
            let keys: Vec<String> =
                record.headers.iter().map(|one| String::from_utf8_lossy(one.key).into_owned()).collect();
            line.push_str(&format!(
                "offset: {offset} {}: {} keySize: {} valueSize: {} sequence: {} headerKeys: [{}]",
                timestamp_type(header),
                open.timestamp_of(record),
                size(record.key),
                size(record.value),
                sequence(header, record.offset_delta),
                keys.join(",")
            ));
            if header.is_control() {
                line.push_str(&self.control_text(record)?);
            }
        } else if header.is_control() {
            return Ok(String::new());
        }
        if self.contents && !header.is_control() {
            let (key, payload) = self.decoder.show(record, offset)?;
            let parts =
                [key.map(|key| format!("key: {key}")), payload.map(|text| format!("payload: {text}"))];
            for part in parts.into_iter().flatten() {
                line.push_str(if line == "| " { "" } else { " " });
                line.push_str(&part);
            }
        }
        Ok(line)
    }

    fn control_text(&self, record: &Record<'_>) -> Result<String, String> {
        let id = record.key.and_then(|key| key.get(2..4)).and_then(|id| id.try_into().ok());
        let id = id.map(i16::from_be_bytes).ok_or_else(|| {
            let found = record.key.map_or(0, <[u8]>::len);
            format!(
                "Invalid value size found for end control record key. Must have at least 4 bytes, but found only {found}"
            )
        })?;
        if let Some(marker) = EndTxnMarker::of(record).filter(|_| id < FIRST_OF_RAFT) {
            let kind = if marker.commit { "COMMIT" } else { "ABORT" };
            return Ok(format!(" endTxnMarker: {kind} coordinatorEpoch: {}", marker.coordinator_epoch));
        }
        let Some(schema) = self.control.find("control", id) else {
            return Ok(format!(" controlType: UNKNOWN({id})"));
        };
        let label = match id {
            LEADER_CHANGE => "LeaderChange:",
            SNAPSHOT_HEADER => "SnapshotHeader",
            SNAPSHOT_FOOTER => "SnapshotFooter",
            KRAFT_VERSION => "KRaftVersion",
            _ => "KRaftVoters",
        };
        let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
        // The record begins with its own version.
        let version = Reader::new(value.clone()).i16().map_err(|error| error.to_string())?;
        let read = schema.read(&mut Reader::new(value), version).map_err(|error| error.to_string())?;
        Ok(format!(" {label} {}", read.json()))
    }
}

/// The next batch of the only format that these logs have had since Kafka 0.11.
pub(super) fn next_batch(file: &mut BatchFile, path: &str) -> Result<Option<Bytes>, Stop> {
    match file.next_batch().map_err(|error| Stop::Error(error.to_string()))? {
        None => Ok(None),
        Some(Found::TooSmall(size)) => Err(Stop::Error(format!(
            "org.apache.kafka.common.errors.CorruptRecordException: Found record size {size} smaller than minimum record \
             overhead (14) in file {path}."
        ))),
        Some(Found::Batch(batch)) => match batch.get(MAGIC_AT).map(|magic| *magic as i8) {
            Some(MAGIC) => Ok(Some(batch)),
            magic => Err(Stop::not_built(&format!("message format {}", magic.unwrap_or(-1)))),
        },
    }
}

fn batch_line(header: &BatchHeader, bytes: &[u8], position: u64) -> String {
    let horizon = header.delete_horizon_ms();
    format!(
        "baseOffset: {} lastOffset: {} count: {} baseSequence: {} lastSequence: {} producerId: {} producerEpoch: {} \
         partitionLeaderEpoch: {} isTransactional: {} isControl: {} deleteHorizonMs: {} position: {position} {}: {} \
         size: {} magic: {} compresscodec: {} crc: {} isvalid: {}",
        header.base_offset.value(),
        header.last_offset().value(),
        header.record_count,
        header.base_sequence,
        header.last_sequence(),
        header.producer_id.value(),
        header.producer_epoch.value(),
        header.leader_epoch.value(),
        header.is_transactional(),
        header.is_control(),
        super::optional_long(horizon),
        timestamp_type(header),
        header.max_timestamp,
        bytes.len(),
        header.magic,
        Codec::from_bits(header.codec_bits()).map_or("unknown", Codec::name),
        header.crc,
        crc_matches(bytes)
    )
}

fn timestamp_type(header: &BatchHeader) -> &'static str {
    if header.is_log_append_time() { "LogAppendTime" } else { "CreateTime" }
}

/// A record's sequence number, which goes on at 0 after the largest number.
fn sequence(header: &BatchHeader, delta: i32) -> i32 {
    if header.base_sequence < 0 {
        return -1;
    }
    ((i64::from(header.base_sequence) + i64::from(delta)) % (i64::from(i32::MAX) + 1)) as i32
}

/// Offset and epoch of `00000000000000000042-0000000003.checkpoint`.
fn snapshot_id(name: &str) -> Option<(i64, i32)> {
    let (offset, epoch) = name.strip_suffix(".checkpoint")?.split_once('-')?;
    Some((offset.parse().ok()?, epoch.parse().ok()?))
}

const MAGIC_AT: usize = 16;
/// Ids of control records, the first of those that Raft writes among them.
const FIRST_OF_RAFT: i16 = 2;
const LEADER_CHANGE: i16 = 2;
const SNAPSHOT_HEADER: i16 = 3;
const SNAPSHOT_FOOTER: i16 = 4;
const KRAFT_VERSION: i16 = 5;
/// Largest batch that is decompressed.
const BATCH_BYTES_MAX: usize = 1 << 30;
