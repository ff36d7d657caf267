//! Reads Fetch responses for next to nothing: lengths and batch headers are read, the records themselves are thrown away
//! in the kernel (`MSG_TRUNC`). Of every so many batches one is read whole, and its CRC checked.

use std::io::{self, Write as _};
use std::net::{SocketAddr, TcpStream};

use anyhow::ensure;
use model::batch::{HEADER_BYTES, crc_matches};
use model::{BatchHeader, ErrorCode};
use rustix::net::{RecvFlags, recv};

const BUFFER_BYTES: usize = 64 * 1024;
/// What is thrown away at once.
const SCRAP_BYTES: usize = 1 << 20;
/// Rests longer than this are thrown away unread.
const DISCARD_MIN: usize = 4 * 1024;
/// Read behind a large batch: the next header and little more.
const AFTER_LARGE: usize = 256;
const LARGE_BATCH: usize = 16 * 1024;

/// A connection on which one answer is awaited at a time.
#[derive(Debug)]
pub struct Discard {
    stream: TcpStream,
    buffer: Box<[u8]>,
    /// `from..to` of the buffer has been received and not yet taken.
    from: usize,
    to: usize,
    /// How much to read at once.
    appetite: usize,
    scrap: Box<[u8]>,
    /// One batch of so many is read whole.
    sample: u64,
    seen: u64,
    pub counts: Counts,
}

/// What was read.
#[derive(Clone, Copy, Debug, Default)]
pub struct Counts {
    /// Bytes of whole batches.
    pub bytes: u64,
    pub batches: u64,
    pub records: u64,
    /// Batches whose CRC was checked.
    pub checked: u64,
}

/// What one answer said beside its records.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Answer {
    pub correlation_id: i32,
    pub session_id: i32,
    /// Partitions that got records, each with the offset after the last one.
    pub moved: Vec<(i32, i64)>,
}

impl Discard {
    pub fn open(address: SocketAddr, sample: u64) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(crate::target::CALL_TIMEOUT))?;
        Ok(Self {
            stream,
            buffer: vec![0; BUFFER_BYTES].into(),
            from: 0,
            to: 0,
            appetite: BUFFER_BYTES,
            scrap: vec![0; SCRAP_BYTES].into(),
            sample,
            seen: 0,
            counts: Counts::default(),
        })
    }

    pub fn send(&mut self, request: &[u8]) -> io::Result<()> {
        self.stream.write_all(request)
    }

    /// Reads one answer of version 13. `offset_of` knows where each partition was asked to begin: every batch must begin
    /// where the one before ended.
    pub fn answer(&mut self, offset_of: impl Fn(i32) -> Option<i64>) -> anyhow::Result<Answer> {
        let _frame_bytes = self.i32()?;
        let correlation_id = self.i32()?;
        self.tagged_fields()?;
        let _throttle_time_ms = self.i32()?;
        refuse(self.i16()?, "a fetch")?;
        let session_id = self.i32()?;
        let mut answer = Answer { correlation_id, session_id, moved: Vec::new() };
        for _topic in 0..self.length()? {
            self.skip(16)?;
            for _partition in 0..self.length()? {
                if let Some(moved) = self.partition(&offset_of)? {
                    answer.moved.push(moved);
                }
            }
            self.tagged_fields()?;
        }
        self.tagged_fields()?;
        ensure!(self.from == self.to, "an answer is longer than what it holds");
        Ok(answer)
    }

    fn partition(&mut self, offset_of: &impl Fn(i32) -> Option<i64>) -> anyhow::Result<Option<(i32, i64)>> {
        let partition = self.i32()?;
        refuse(self.i16()?, "a partition")?;
        // High watermark, last stable offset, log start offset.
        self.skip(24)?;
        for _aborted in 0..self.length()? {
            self.skip(16)?;
            self.tagged_fields()?;
        }
        let _preferred_read_replica = self.i32()?;
        let bytes = self.length()?;
        let begun = offset_of(partition).unwrap_or(-1);
        let next = self.records(bytes, begun)?;
        self.tagged_fields()?;
        Ok((next != begun).then_some((partition, next)))
    }

    /// Gives the offset after the last whole batch.
    fn records(&mut self, bytes: usize, begun: i64) -> anyhow::Result<i64> {
        let (mut left, mut next) = (bytes, begun);
        while left >= HEADER_BYTES {
            let header = BatchHeader::parse(self.need(HEADER_BYTES)?)?;
            let size = header.size();
            if size > left {
                break;
            }
            ensure!(header.base_offset.value() == next, "offset {} follows {next}", header.base_offset);
            self.appetite = if size > LARGE_BATCH { AFTER_LARGE } else { BUFFER_BYTES };
            self.seen += 1;
            if self.sample > 0 && self.seen.is_multiple_of(self.sample) {
                ensure!(crc_matches(&self.whole(size)?), "the CRC of the batch at {next} is wrong");
                self.counts.checked += 1;
            } else {
                self.skip(size)?;
            }
            left -= size;
            next = header.last_offset().value() + 1;
            self.counts.bytes += size as u64;
            self.counts.batches += 1;
            self.counts.records += header.record_count as u64;
        }
        // What is cut off at the end of an answer comes again with the next one.
        self.skip(left)?;
        self.appetite = BUFFER_BYTES;
        Ok(next)
    }

    fn i16(&mut self) -> anyhow::Result<i16> {
        let bytes = self.need(2)?;
        let value = i16::from_be_bytes([bytes[0], bytes[1]]);
        self.from += 2;
        Ok(value)
    }

    fn i32(&mut self) -> anyhow::Result<i32> {
        let bytes = self.need(4)?;
        let value = i32::from_be_bytes([bytes[0], bytes[1], bytes[2], bytes[3]]);
        self.from += 4;
        Ok(value)
    }

    fn varint(&mut self) -> anyhow::Result<usize> {
        let mut value = 0usize;
        for shift in (0..35).step_by(7) {
            let byte = self.need(1)?[0];
            self.from += 1;
            value |= usize::from(byte & 0x7f) << shift;
            if byte & 0x80 == 0 {
                return Ok(value);
            }
        }
        anyhow::bail!("a varint does not end")
    }

    /// A length of the compact kind, one more than it says; 0 is null.
    fn length(&mut self) -> anyhow::Result<usize> {
        Ok(self.varint()?.saturating_sub(1))
    }

    fn tagged_fields(&mut self) -> anyhow::Result<()> {
        for _field in 0..self.varint()? {
            let _tag = self.varint()?;
            let bytes = self.varint()?;
            self.skip(bytes)?;
        }
        Ok(())
    }

    /// The next bytes, at least so many; at most a buffer's worth.
    fn need(&mut self, bytes: usize) -> anyhow::Result<&[u8]> {
        if self.to - self.from < bytes && self.from > 0 {
            self.buffer.copy_within(self.from..self.to, 0);
            (self.from, self.to) = (0, self.to - self.from);
        }
        while self.to - self.from < bytes {
            let end = (self.to + self.appetite.max(bytes)).min(self.buffer.len());
            let (_, read) = recv(&self.stream, &mut self.buffer[self.to..end], RecvFlags::empty())?;
            ensure!(read > 0, "the broker closed the connection");
            self.to += read;
        }
        Ok(&self.buffer[self.from..self.to])
    }

    /// Takes so many bytes as they are.
    fn whole(&mut self, bytes: usize) -> anyhow::Result<Vec<u8>> {
        let mut whole = Vec::with_capacity(bytes);
        while whole.len() < bytes {
            let missing = bytes - whole.len();
            let there = self.need(1)?;
            let part = missing.min(there.len());
            whole.extend_from_slice(&there[..part]);
            self.from += part;
        }
        Ok(whole)
    }

    fn skip(&mut self, bytes: usize) -> anyhow::Result<()> {
        let there = bytes.min(self.to - self.from);
        self.from += there;
        let mut left = bytes - there;
        while left > DISCARD_MIN {
            let piece = left.min(self.scrap.len());
            let flags = RecvFlags::TRUNC | RecvFlags::WAITALL;
            let (_, thrown) = recv(&self.stream, &mut self.scrap[..piece], flags)?;
            ensure!(thrown > 0, "the broker closed the connection");
            left -= thrown;
        }
        while left > 0 {
            let part = left.min(self.need(1)?.len());
            self.from += part;
            left -= part;
        }
        Ok(())
    }
}

fn refuse(code: i16, what: &str) -> anyhow::Result<()> {
    ensure!(code == 0, "{what} was refused: {}", ErrorCode::from_code(code));
    Ok(())
}

#[cfg(test)]
#[path = "discard_tests.rs"]
mod tests;
