//! Batches of the metadata log and of its snapshots: metadata records, or control records of the quorum.

use bytes::Bytes;
use controller::MetadataRecord;
use controller::control_record::ControlRecord;
use model::batch::crc_matches;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::{BatchHeader, LeaderEpoch, Offset};
use records::builder::{BatchBuilder, BuildError};
use records::open::OpenBatch;

/// A batch of metadata records, in their order. All or none of a batch is ever replayed.
pub(super) fn of_metadata(
    records: &[MetadataRecord],
    at: Offset,
    epoch: LeaderEpoch,
    now_ms: i64,
) -> Result<Bytes, BuildError> {
    let mut builder = BatchBuilder::new().base_offset(at).leader_epoch(epoch);
    for record in records {
        builder.append(now_ms, None, Some(&record.encode()), &[]);
    }
    builder.build()
}

/// A batch of control records.
pub(super) fn of_control(
    records: &[ControlRecord],
    at: Offset,
    epoch: LeaderEpoch,
    now_ms: i64,
) -> Result<Bytes, BuildError> {
    let mut builder = BatchBuilder::new().base_offset(at).leader_epoch(epoch).control();
    for record in records {
        builder.append(now_ms, Some(&record.key()), Some(&record.value()), &[]);
    }
    builder.build()
}

/// One record with its offset.
#[derive(Debug, PartialEq)]
pub(super) enum Entry {
    Metadata(Offset, MetadataRecord),
    Control(ControlRecord),
}

/// What was wrong with bytes that should be whole batches of the metadata log or a snapshot.
#[derive(Debug, thiserror::Error)]
pub enum BadBatch {
    /// Not a batch, or not all of it.
    #[error("{0}")]
    Framing(String),
    /// A record that this version cannot read.
    #[error("the record at offset {offset} cannot be read: {reason}")]
    Record {
        /// Its offset.
        offset: Offset,
        /// Why.
        reason: String,
    },
}

/// Reads every record of whole batches, in order. Answers the header of the last batch.
pub(super) fn read_all<E: From<BadBatch>>(
    mut bytes: Bytes,
    mut each: impl FnMut(&BatchHeader, Entry) -> Result<(), E>,
) -> Result<Option<BatchHeader>, E> {
    let mut last = None;
    while !bytes.is_empty() {
        let header = BatchHeader::parse(&bytes).map_err(framing)?;
        if header.size() > bytes.len() {
            let text = format!("a batch of {} bytes is cut off after {}", header.size(), bytes.len());
            return Err(BadBatch::Framing(text).into());
        }
        let batch = bytes.split_to(header.size());
        if !crc_matches(&batch) {
            let text = format!("the CRC of the batch at offset {} does not match", header.base_offset);
            return Err(BadBatch::Framing(text).into());
        }
        let open = OpenBatch::new(&batch, DECOMPRESSED_BYTES_MAX).map_err(framing)?;
        for record in open.records() {
            let record = record.map_err(framing)?;
            let offset = open.offset_of(&record);
            let value = Bytes::copy_from_slice(record.value.unwrap_or_default());
            let unreadable = |reason: String| BadBatch::Record { offset, reason };
            if header.is_control() {
                let key = Bytes::copy_from_slice(record.key.unwrap_or_default());
                let decoded = ControlRecord::decode(key, value).map_err(|e| unreadable(e.to_string()))?;
                if let Some(control) = decoded {
                    each(&header, Entry::Control(control))?;
                }
            } else {
                let decoded = MetadataRecord::decode(value).map_err(|e| unreadable(e.to_string()))?;
                each(&header, Entry::Metadata(offset, decoded))?;
            }
        }
        last = Some(header);
    }
    Ok(last)
}

fn framing(error: impl std::fmt::Display) -> BadBatch {
    BadBatch::Framing(error.to_string())
}
