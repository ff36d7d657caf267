//! Replies on their way out.
//!
//! Records stand in a reply as bytes in memory, or as a range of a log's file that goes from the page cache to the
//! socket without a copy. The network thread sends a range only while it is in memory; one that is not any more, because
//! its reader was slow to take what came before, is read by the I/O threads first.

use std::collections::VecDeque;
use std::future::Future;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::{Buf, Bytes};
use rustix::fs::sendfile;
use rustix::net::{SendAncillaryBuffer, SendFlags, sendmsg};
use storage::{ReadRange, StorageError};
use tokio::io::{AsyncWrite, Interest};
use tokio::net::TcpStream;

use super::budget::Reservation;
use crate::context::Broker;
use crate::metrics::requests::Timing;
use crate::partition::io_threads;
use crate::reply::Piece;

/// Most segments of one vectored write.
const WRITE_SEGMENTS_MAX: usize = 64;
/// Most bytes of a file that are sent, or read, at once.
const RANGE_BYTES_MAX: usize = 1024 * 1024;

/// Replies that wait for the socket, oldest first.
#[derive(Debug, Default)]
pub(super) struct Outbox {
    replies: VecDeque<Reply>,
    bytes: usize,
}

#[derive(Debug)]
struct Reply {
    segments: VecDeque<Segment>,
    timing: Timing,
    _reservation: Reservation,
}

/// None is empty.
#[derive(Debug)]
enum Segment {
    Bytes(Bytes),
    Range(ReadRange),
    /// So many bytes of a range, which are being read.
    Read(io_threads::Pending<Result<Bytes, StorageError>>, usize),
}

impl Outbox {
    pub(super) fn is_empty(&self) -> bool {
        self.replies.is_empty()
    }

    /// Bytes that have not left.
    pub(super) fn bytes(&self) -> usize {
        self.bytes
    }

    pub(super) fn push(&mut self, pieces: Vec<Piece>, reservation: Reservation, timing: Timing) {
        let segments = pieces.into_iter().filter(|piece| !piece.is_empty()).map(|piece| match piece {
            Piece::Bytes(bytes) => Segment::Bytes(bytes),
            Piece::Range(range) => Segment::Range(range),
        });
        let segments: VecDeque<_> = segments.collect();
        self.bytes += segments.iter().map(Segment::len).sum::<usize>();
        if !segments.is_empty() {
            self.replies.push_back(Reply { segments, timing, _reservation: reservation });
        }
    }

    /// Writes what the socket takes now; answers how many bytes, or 0 when the outbox is empty. Not to be called again
    /// before those have been [taken off](Self::advance).
    pub(super) fn poll_write(
        &mut self,
        stream: &mut TcpStream,
        broker: &Broker,
        context: &mut Context<'_>,
    ) -> Poll<io::Result<usize>> {
        while let Some(segments) = self.replies.front_mut().map(|reply| &mut reply.segments) {
            match segments.front_mut() {
                Some(Segment::Bytes(_)) => return self.poll_write_bytes(stream, context),
                Some(Segment::Range(range)) => {
                    // What was evicted stays on the disk until there is room for it in the socket.
                    ready!(stream.poll_write_ready(context))?;
                    let len = range.len.min(RANGE_BYTES_MAX);
                    if range.can_be_sent(len) {
                        return poll_send_range(stream, range, len, context);
                    }
                    begin_read(segments, broker);
                }
                Some(Segment::Read(read, _)) => {
                    let read = ready!(Pin::new(read).poll(context)).map_err(io::Error::other)?;
                    segments[0] = Segment::Bytes(read.map_err(io::Error::other)?);
                }
                None => return Poll::Ready(Ok(0)),
            }
        }
        Poll::Ready(Ok(0))
    }

    /// Takes off what was written; shows `left` the requests whose replies have left.
    pub(super) fn advance(&mut self, mut written: usize, left: impl Fn(Timing)) {
        self.bytes -= written;
        while let Some(Reply { segments, timing, .. }) = self.replies.front_mut() {
            while let Some(segment) = segments.front_mut() {
                if written < segment.len() {
                    segment.advance(written);
                    return;
                }
                written -= segment.len();
                segments.pop_front();
            }
            left(*timing);
            self.replies.pop_front();
        }
    }

    fn poll_write_bytes(&self, stream: &mut TcpStream, context: &mut Context<'_>) -> Poll<io::Result<usize>> {
        let mut slices = [IoSlice::new(&[]); WRITE_SEGMENTS_MAX];
        let (mut count, mut goes_on) = (0, false);
        for segment in self.replies.iter().flat_map(|reply| &reply.segments).take(WRITE_SEGMENTS_MAX) {
            let Segment::Bytes(bytes) = segment else {
                goes_on = true;
                break;
            };
            slices[count] = IoSlice::new(bytes);
            count += 1;
        }
        if goes_on {
            poll_send_head(stream, &slices[..count], context)
        } else {
            Pin::new(stream).poll_write_vectored(context, &slices[..count])
        }
    }
}

impl Segment {
    fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Range(range) => range.len,
            Self::Read(_, len) => *len,
        }
    }

    fn advance(&mut self, written: usize) {
        match self {
            Self::Bytes(bytes) => bytes.advance(written),
            Self::Range(range) => drop(range.split_to(written)),
            Self::Read(..) => assert_eq!(written, 0, "nothing is written before it is read"),
        }
    }
}

/// Has the I/O threads read the start of the range that is first.
fn begin_read(segments: &mut VecDeque<Segment>, broker: &Broker) {
    let Some(Segment::Range(mut rest)) = segments.pop_front() else { return };
    let first = rest.split_to(RANGE_BYTES_MAX);
    if rest.len > 0 {
        segments.push_front(Segment::Range(rest));
    }
    let (len, share) = (first.len, broker.fetch_memory.take(first.len));
    let read = broker.partitions.io().run(move || first.read_whole().map(|bytes| share.hold(bytes)));
    segments.push_front(Segment::Read(read, len));
}

/// Writes what stands before a range, which goes into the same packets.
fn poll_send_head(
    stream: &TcpStream,
    slices: &[IoSlice<'_>],
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let flags = SendFlags::NOSIGNAL | SendFlags::MORE;
    loop {
        ready!(stream.poll_write_ready(context))?;
        let sent = stream.try_io(Interest::WRITABLE, || {
            Ok(sendmsg(stream, slices, &mut SendAncillaryBuffer::default(), flags)?)
        });
        match sent {
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => {}
            sent => return Poll::Ready(sent),
        }
    }
}

/// Sends the first `len` bytes of a range, or as many of them as the socket takes.
fn poll_send_range(
    stream: &TcpStream,
    range: &ReadRange,
    len: usize,
    context: &mut Context<'_>,
) -> Poll<io::Result<usize>> {
    let file = range.file.as_fd().ok_or(io::ErrorKind::Unsupported)?;
    loop {
        ready!(stream.poll_write_ready(context))?;
        let mut count = 0;
        let sent = stream.try_io(Interest::WRITABLE, || {
            count = sendfile(stream, file, Some(&mut range.position.clone()), len)?;
            match count {
                0 => Err(io::ErrorKind::UnexpectedEof.into()),
                // The socket is full: the next call waits until it is not, instead of asking.
                _ if count < len => Err(io::ErrorKind::WouldBlock.into()),
                _ => Ok(()),
            }
        });
        match sent {
            Err(error) if error.kind() != io::ErrorKind::WouldBlock => return Poll::Ready(Err(error)),
            _ if count > 0 => return Poll::Ready(Ok(count)),
            _ => {}
        }
    }
}

#[cfg(test)]
#[path = "outbox_tests.rs"]
mod tests;
