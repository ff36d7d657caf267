//! Where the first batch of some bytes ends, before anything in it is believed (`ByteBufferLogInputStream`).

use model::batch::{CODEC_MASK, LOG_OVERHEAD, MAGIC, TRANSACTIONAL};

/// Smallest length field that Kafka takes for a record of any format; below it the input is corrupt.
const RECORD_BYTES_MIN: i32 = 14;
/// Bytes up to and with the magic byte, which stands at the same place in every format.
const MAGIC_END: usize = 17;
/// Where the attributes of magic 2 end.
const ATTRIBUTES_END: usize = 23;

/// A batch, or a message of the formats before, that is wholly there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FirstBatch {
    /// Format version, 0 to 2.
    pub magic: i8,
    /// Bytes of the whole batch; at least 26.
    pub size: usize,
    attributes: i16,
}

/// Why bytes do not even look like a batch. The texts are Kafka's, which its clients are told.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoBatch {
    /// The length field is too small for a record of any format.
    #[error("Record size {0} is less than the minimum record overhead ({RECORD_BYTES_MIN})")]
    Length(i32),
    /// There is no such format.
    #[error("Invalid magic found in record: {0}")]
    Magic(i8),
}

impl FirstBatch {
    /// The batch at the start of `records`, `None` where no whole one is there.
    ///
    /// # Errors
    /// A length or a magic that no batch has.
    pub fn of(records: &[u8]) -> Result<Option<Self>, NoBatch> {
        let Some(length) = records.get(8..LOG_OVERHEAD).and_then(|bytes| bytes.try_into().ok()) else {
            return Ok(None);
        };
        let length = i32::from_be_bytes(length);
        if length < RECORD_BYTES_MIN {
            return Err(NoBatch::Length(length));
        }
        let Some(magic) = records.get(MAGIC_END - 1).map(|magic| *magic as i8) else {
            return Ok(None);
        };
        if !(0..=MAGIC).contains(&magic) {
            return Err(NoBatch::Magic(magic));
        }
        let size = LOG_OVERHEAD + length as usize;
        let attributes =
            match records.get(..size).and_then(|batch| batch.get(ATTRIBUTES_END - 2..ATTRIBUTES_END)) {
                Some(&[high, low]) => i16::from_be_bytes([high, low]),
                _ => return Ok(None),
            };
        Ok(Some(Self { magic, size, attributes }))
    }

    /// Whether the batch says that it belongs to a transaction.
    pub const fn is_transactional(&self) -> bool {
        self.magic == MAGIC && self.attributes & TRANSACTIONAL != 0
    }

    /// The codec bits of magic 2.
    pub(super) const fn codec_bits(&self) -> u8 {
        (self.attributes & CODEC_MASK) as u8
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn bytes(length: i32, magic: i8, size: usize) -> Vec<u8> {
        let mut bytes = vec![0; size];
        bytes[8..12].copy_from_slice(&length.to_be_bytes());
        if let Some(at) = bytes.get_mut(16) {
            *at = magic as u8;
        }
        bytes
    }

    #[test]
    fn what_cannot_be_a_batch_is_told_from_what_is_not_whole() {
        assert_eq!(FirstBatch::of(&[]), Ok(None));
        assert_eq!(FirstBatch::of(&bytes(13, 2, 12)), Err(NoBatch::Length(13)));
        assert_eq!(FirstBatch::of(&bytes(-1, 2, 80)), Err(NoBatch::Length(-1)));
        assert_eq!(FirstBatch::of(&bytes(14, 9, 16)), Ok(None), "the magic is not there yet");
        assert_eq!(FirstBatch::of(&bytes(14, 3, 17)), Err(NoBatch::Magic(3)));
        assert_eq!(FirstBatch::of(&bytes(14, -1, 17)), Err(NoBatch::Magic(-1)));
        assert_eq!(FirstBatch::of(&bytes(14, 1, 25)), Ok(None));
        assert_eq!(FirstBatch::of(&bytes(i32::MAX, 2, 80)), Ok(None));
        let first = FirstBatch::of(&bytes(14, 1, 26)).unwrap().unwrap();
        assert_eq!((first.magic, first.size), (1, 26));
    }

    #[test]
    fn the_texts_are_kafkas() {
        let length = NoBatch::Length(0).to_string();
        assert_eq!(length, "Record size 0 is less than the minimum record overhead (14)");
        assert_eq!(NoBatch::Magic(90).to_string(), "Invalid magic found in record: 90");
    }

    #[test]
    fn only_magic_2_can_be_transactional() {
        for magic in 0..=2 {
            let mut batch = bytes(49, magic, 61);
            batch[22] = 0x10;
            assert_eq!(FirstBatch::of(&batch).unwrap().unwrap().is_transactional(), magic == 2);
        }
    }
}
