//! The records of a compressed batch as they come out of the codec: only what validation and search need of each,
//! and never more memory than one piece of the codec's output, whatever size a record announces.

use crate::codec::{Codec, CodecError, Fold, Unfold};
use crate::iter::{BadRecord, Record, take_record};
use crate::open::BadBatch;
use crate::varint::{varint_from, varlong_from};

/// What is kept of a record whose bytes have gone by.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Outline {
    /// Milliseconds from the base timestamp.
    pub(crate) timestamp_delta: i64,
    /// Offset from the base offset.
    pub(crate) offset_delta: i32,
    /// Length of the key, -1 for null.
    pub(crate) key_bytes: i32,
    /// Length of the value, -1 for null.
    pub(crate) value_bytes: i32,
}

impl From<&Record<'_>> for Outline {
    #[inline]
    fn from(record: &Record<'_>) -> Self {
        let length = |bytes: Option<&[u8]>| bytes.map_or(-1, |bytes| bytes.len() as i32);
        Self {
            timestamp_delta: record.timestamp_delta,
            offset_delta: record.offset_delta,
            key_bytes: length(record.key),
            value_bytes: length(record.value),
        }
    }
}

/// Walks records as they are decompressed; the same bytes may be compressed again on their way.
pub(crate) struct RecordStream<'a> {
    unfold: Unfold<'a>,
    /// Bytes of the present chunk that are behind us.
    at: usize,
    count: i32,
    tee: Option<Tee>,
}

/// Where the decompressed bytes also go.
pub(crate) struct Tee {
    fold: Fold,
    bytes_max: usize,
}

impl Tee {
    /// Compresses into `out`. Once that holds more than `bytes_max` bytes the rest is not compressed.
    pub(crate) fn new(
        codec: Codec,
        level: Option<i32>,
        out: Vec<u8>,
        bytes_max: usize,
    ) -> Result<Self, CodecError> {
        Ok(Self { fold: Fold::new(codec, level, out)?, bytes_max })
    }

    /// The buffer with all that was compressed. It is cut off, and larger than the limit, if the limit was hit.
    pub(crate) fn finish(self) -> Result<Vec<u8>, CodecError> {
        self.fold.finish()
    }

    fn write(&mut self, chunk: &[u8]) -> Result<(), CodecError> {
        if self.fold.len() <= self.bytes_max {
            self.fold.write(chunk)?;
        }
        Ok(())
    }
}

impl<'a> RecordStream<'a> {
    /// Over the records of a batch that announces `count` of them.
    pub(crate) fn new(unfold: Unfold<'a>, count: i32, tee: Option<Tee>) -> Self {
        Self { unfold, at: 0, count, tee }
    }

    /// The next record; `None` after the last, when the compressed data has ended with it.
    pub(crate) fn next(&mut self) -> Result<Option<Outline>, BadBatch> {
        if self.count <= 0 {
            return self.end();
        }
        self.count -= 1;
        let chunk = self.unfold.chunk();
        let mut left = chunk.get(self.at..).unwrap_or_default();
        // Most records lie within one chunk. What is short there may go on in the next.
        match take_record(&mut left) {
            Ok(record) => {
                let outline = Outline::from(&record);
                self.at = chunk.len() - left.len();
                Ok(Some(outline))
            }
            Err(BadRecord::Short) => self.next_across_chunks().map(Some),
            Err(error) => Err(error.into()),
        }
    }

    /// What the tee made of the bytes. Only complete after [`RecordStream::next`] has given `None`.
    pub(crate) fn into_tee(self) -> Option<Tee> {
        self.tee
    }

    fn end(&mut self) -> Result<Option<Outline>, BadBatch> {
        if self.count < 0 {
            return Err(BadRecord::Count(self.count).into());
        }
        let mut left = self.unfold.chunk().len() - self.at;
        if left == 0 && self.refill()? {
            left = self.unfold.chunk().len();
        }
        if left > 0 {
            return Err(BadRecord::Trailing(left).into());
        }
        Ok(None)
    }

    fn next_across_chunks(&mut self) -> Result<Outline, BadBatch> {
        let size = varint_from(|| self.byte())?;
        let left = usize::try_from(size).map_err(|_negative| BadRecord::Length(size))?;
        let mut body = Body { stream: self, left };
        let _attributes = body.byte()?;
        let timestamp_delta = varlong_from(|| body.byte())?;
        let offset_delta = varint_from(|| body.byte())?;
        let key_bytes = body.skip_nullable()?;
        let value_bytes = body.skip_nullable()?;
        let count = varint_from(|| body.byte())?;
        // A header takes at least its two lengths.
        if count < 0 || count as usize > body.left / 2 {
            return Err(BadRecord::HeaderCount(count).into());
        }
        for _ in 0..count {
            if body.skip_nullable()? < 0 {
                return Err(BadRecord::Length(-1).into());
            }
            body.skip_nullable()?;
        }
        if body.left > 0 {
            return Err(BadRecord::Size(body.left).into());
        }
        Ok(Outline { timestamp_delta, offset_delta, key_bytes, value_bytes })
    }

    fn byte(&mut self) -> Result<u8, BadBatch> {
        loop {
            if let Some(byte) = self.unfold.chunk().get(self.at) {
                self.at += 1;
                return Ok(*byte);
            }
            if !self.refill()? {
                return Err(BadRecord::Short.into());
            }
        }
    }

    fn skip(&mut self, mut bytes: usize) -> Result<(), BadBatch> {
        loop {
            let here = self.unfold.chunk().len() - self.at;
            if bytes <= here {
                self.at += bytes;
                return Ok(());
            }
            bytes -= here;
            if !self.refill()? {
                return Err(BadRecord::Short.into());
            }
        }
    }

    /// Moves to the next chunk; false at the end.
    fn refill(&mut self) -> Result<bool, BadBatch> {
        let chunk = self.unfold.next_chunk()?;
        self.at = 0;
        if let Some(tee) = &mut self.tee {
            tee.write(chunk)?;
        }
        Ok(!chunk.is_empty())
    }
}

/// The body of one record: nothing in it may reach beyond its size.
struct Body<'s, 'a> {
    stream: &'s mut RecordStream<'a>,
    left: usize,
}

impl Body<'_, '_> {
    fn byte(&mut self) -> Result<u8, BadBatch> {
        self.left = self.left.checked_sub(1).ok_or(BadRecord::Short)?;
        self.stream.byte()
    }

    /// Passes over a length and as many bytes; gives the length.
    fn skip_nullable(&mut self) -> Result<i32, BadBatch> {
        let length = varint_from(|| self.byte())?;
        if length == -1 {
            return Ok(length);
        }
        let bytes = usize::try_from(length).map_err(|_below_null| BadRecord::Length(length))?;
        self.left = self.left.checked_sub(bytes).ok_or(BadRecord::Length(length))?;
        self.stream.skip(bytes)?;
        Ok(length)
    }
}

#[cfg(test)]
#[path = "stream_tests.rs"]
mod tests;
