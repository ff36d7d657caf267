//! A record batch that is built once and sent many times: of its bytes only the sequence number, or the stamp at the
//! start of its first value, changes from send to send, and the CRC follows without a pass over the rest.

use bytes::Bytes;
use model::batch::{CRC_START, HEADER_BYTES};

/// Where the base sequence and the CRC stand in a batch.
const SEQUENCE_AT: usize = 53;
const CRC_AT: usize = 17;
/// Two times in nanoseconds: the intended send and the send.
pub const STAMP_BYTES: usize = 16;

/// A batch in two parts: what changes, and what never does.
#[derive(Clone, Debug)]
pub struct Template {
    /// The header, and what follows up to the end of the stamp where there is one.
    pub head: Vec<u8>,
    /// The rest.
    pub rest: Bytes,
    seal: Seal,
}

impl Template {
    /// `stamp_at`: where the first value begins, if it is to carry the times.
    pub fn new(batch: &Bytes, stamp_at: Option<usize>) -> Self {
        let split = stamp_at.map_or(HEADER_BYTES, |at| at + STAMP_BYTES).min(batch.len());
        let rest = batch.slice(split..);
        Self { head: batch[..split].to_vec(), seal: Seal::over(&rest, stamp_at), rest }
    }

    /// What [`Seal::patch`] needs once the head has been copied elsewhere.
    pub fn seal(&self) -> &Seal {
        &self.seal
    }
}

/// What changes from send to send.
#[derive(Clone, Copy, Debug, Default)]
pub struct Patch {
    /// Of the idempotent producer.
    pub sequence: Option<i32>,
    /// Nanoseconds of the intended send and of the send.
    pub stamp: Option<[u64; 2]>,
}

/// Sets what changes in the head of a batch and makes its CRC whole again.
#[derive(Clone, Debug)]
pub struct Seal {
    stamp_at: Option<usize>,
    rest_crc: u32,
    shift: Shift,
}

impl Seal {
    fn over(rest: &[u8], stamp_at: Option<usize>) -> Self {
        Self { stamp_at, rest_crc: crc32c::crc32c(rest), shift: Shift::by(rest.len()) }
    }

    /// Patches `head`, which is that of the template this was made for.
    pub fn patch(&self, head: &mut [u8], patch: Patch) {
        if let Some(sequence) = patch.sequence {
            head[SEQUENCE_AT..SEQUENCE_AT + 4].copy_from_slice(&sequence.to_be_bytes());
        }
        if let (Some([intended, sent]), Some(at)) = (patch.stamp, self.stamp_at) {
            head[at..at + 8].copy_from_slice(&intended.to_be_bytes());
            head[at + 8..at + STAMP_BYTES].copy_from_slice(&sent.to_be_bytes());
        }
        let crc = self.shift.apply(crc32c::crc32c(&head[CRC_START..])) ^ self.rest_crc;
        head[CRC_AT..CRC_AT + 4].copy_from_slice(&crc.to_be_bytes());
    }
}

/// The CRC of a followed by so many bytes, but for what those bytes add. It is linear in the CRC of a, so 32 columns say
/// all of it, and using them costs less than a pass over 100 bytes.
#[derive(Clone, Debug)]
struct Shift {
    columns: [u32; 32],
}

impl Shift {
    fn by(bytes: usize) -> Self {
        Self { columns: std::array::from_fn(|bit| crc32c::crc32c_combine(1 << bit, 0, bytes)) }
    }

    fn apply(&self, crc: u32) -> u32 {
        let set = self.columns.iter().enumerate().filter(|(bit, _)| crc >> bit & 1 == 1);
        set.fold(0, |shifted, (_, column)| shifted ^ column)
    }
}

/// The times that a value carries, where it is long enough.
pub fn stamp_of(value: &[u8]) -> Option<[u64; 2]> {
    let (intended, rest) = value.split_first_chunk::<8>()?;
    let sent = rest.first_chunk::<8>()?;
    Some([u64::from_be_bytes(*intended), u64::from_be_bytes(*sent)])
}

#[cfg(test)]
#[path = "template_tests.rs"]
mod tests;
