//! `.txnindex`: the transactions whose abort marker lies in the segment (`TransactionIndex`, `AbortedTxn`).
//!
//! ```text
//! i16 version, 0
//! i64 producer id
//! i64 first offset of the transaction
//! i64 offset of its marker
//! i64 last stable offset when the marker was written
//! ```

use std::sync::Arc;

use model::{Offset, ProducerId};

use super::file::IndexFile;
use crate::disk::DiskFile;
use crate::error::StorageError;
use crate::names::{Home, TXN_INDEX};

/// One aborted transaction: `first_offset <= last_offset`, and consumers skip its producer's records in between.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct AbortedTxn {
    /// Whose transaction it was.
    pub producer_id: ProducerId,
    /// Offset of its first record.
    pub first_offset: Offset,
    /// Offset of its abort marker.
    pub last_offset: Offset,
    /// Offset below which everything was decided once the marker was written.
    pub last_stable_offset: Offset,
}

#[derive(Clone, Debug)]
pub(crate) struct TxnIndex {
    file: IndexFile<ENTRY_BYTES>,
}

impl TxnIndex {
    /// An index whose file has `len` bytes; most segments never get one.
    pub(crate) fn found(base: Offset, len: Option<u64>) -> Self {
        let file = match len {
            Some(len) => IndexFile::existing(base, TXN_INDEX, len as usize / ENTRY_BYTES),
            None => IndexFile::absent(base, TXN_INDEX),
        };
        Self { file }
    }

    pub(crate) fn exists(&self) -> bool {
        self.file.exists() || self.file.len() > 0
    }

    /// Adds an entry and writes it. On a full disk it stays in memory until the index is written again.
    pub(crate) fn append(&mut self, home: &Home, txn: &AbortedTxn) -> Result<(), StorageError> {
        self.file.push(encode(txn));
        match self.file.flush(home) {
            Err(error) if error.is_passing() => Ok(()),
            result => result,
        }
    }

    /// Adds those transactions to `found` that a read of `from..upper_bound` must know. True when later segments
    /// cannot hold any more of them.
    pub(crate) fn collect(
        &mut self,
        home: &Home,
        from: Offset,
        upper_bound: Offset,
        found: &mut Vec<AbortedTxn>,
    ) -> Result<bool, StorageError> {
        for entry in self.file.all(home)? {
            let txn = decode(&entry);
            if txn.last_offset >= from && txn.first_offset < upper_bound {
                found.push(txn);
            }
            if txn.last_stable_offset >= upper_bound {
                return Ok(true);
            }
        }
        Ok(false)
    }

    /// Drops the transactions whose marker lies at or beyond `offset`.
    pub(crate) fn truncate_to(&mut self, home: &Home, offset: Offset) -> Result<(), StorageError> {
        let kept = self.file.partition_point(home, |entry| decode(entry).last_offset < offset)?;
        self.file.truncate(home, kept)
    }

    /// Drops every entry.
    pub(crate) fn clear(&mut self, home: &Home) -> Result<(), StorageError> {
        if self.exists() { self.file.clear(home) } else { Ok(()) }
    }

    /// Writes what is still in memory.
    pub(crate) fn trim(&mut self, home: &Home) -> Result<(), StorageError> {
        if self.exists() { self.file.trim(home) } else { Ok(()) }
    }

    /// Takes over what searches of a copy have learnt.
    pub(crate) fn take_in(&mut self, copy: Self) {
        self.file.take_in(copy.file);
    }

    /// Takes a file that is open in the place of the one with the index's name.
    pub(crate) fn attach(&mut self, file: Arc<dyn DiskFile>) {
        self.file.attach(file);
    }

    pub(crate) fn close(&mut self, home: &Home) {
        self.file.close(home);
    }

    /// Whether the versions are known and the markers ascend from `base`.
    pub(crate) fn is_sane(&mut self, home: &Home, base: Offset) -> Result<bool, StorageError> {
        let entries = self.file.all(home)?;
        let known = entries.iter().all(|entry| entry.starts_with(&VERSION.to_be_bytes()));
        let txns: Vec<_> = entries.iter().map(decode).collect();
        let legal = txns.iter().all(|txn| txn.last_offset >= base && txn.first_offset <= txn.last_offset);
        Ok(known && legal && txns.is_sorted_by(|a, b| a.last_offset < b.last_offset))
    }
}

pub(crate) const ENTRY_BYTES: usize = 34;
const VERSION: i16 = 0;

pub(crate) fn encode(txn: &AbortedTxn) -> [u8; ENTRY_BYTES] {
    let mut out = [0; ENTRY_BYTES];
    let fields = [
        txn.producer_id.value(),
        txn.first_offset.value(),
        txn.last_offset.value(),
        txn.last_stable_offset.value(),
    ];
    // The version's two bytes stay 0.
    for (place, field) in out.iter_mut().skip(2).zip(fields.iter().flat_map(|field| field.to_be_bytes())) {
        *place = field;
    }
    out
}

pub(crate) fn decode(entry: &[u8; ENTRY_BYTES]) -> AbortedTxn {
    let [_, _, fields @ ..] = entry;
    let (fields, _) = fields.as_chunks();
    let field = |at: usize| fields.get(at).copied().map_or(-1, i64::from_be_bytes);
    AbortedTxn {
        producer_id: ProducerId::new(field(0)),
        first_offset: Offset::new(field(1)),
        last_offset: Offset::new(field(2)),
        last_stable_offset: Offset::new(field(3)),
    }
}
