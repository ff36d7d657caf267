//! Many sockets on one thread, with deadlines finer than a timer wheel's: what is due in 20 us leaves in 20 us.

use std::io::{self, IoSlice, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::num::NonZeroU64;
use std::time::Duration;

use rustix::buffer::spare_capacity;
use rustix::event::{PollFd, PollFlags, Timespec, epoll, poll};
use rustix::fd::OwnedFd;
use rustix::net::{RecvFlags, recv};
use wire::frame::{LENGTH_PREFIX_BYTES, body_len};

const EVENTS_MAX: usize = 256;
const READ_BYTES: usize = 64 * 1024;
const REPLY_BYTES_MAX: usize = 1 << 30;

/// Waits for any of its links.
pub struct Poller {
    epoll: OwnedFd,
    events: Vec<epoll::Event>,
}

impl Poller {
    pub fn new() -> io::Result<Self> {
        // The default slack lets the kernel wake this thread 50 us late.
        rustix::thread::set_current_timer_slack(NonZeroU64::new(1))?;
        let epoll = epoll::create(epoll::CreateFlags::CLOEXEC)?;
        Ok(Self { epoll, events: Vec::with_capacity(EVENTS_MAX) })
    }

    /// Reports `link` by this number from now on, each time that more can be read or written than before.
    pub fn add(&self, link: &Link, number: u64) -> io::Result<()> {
        let interest = epoll::EventFlags::IN | epoll::EventFlags::OUT | epoll::EventFlags::ET;
        Ok(epoll::add(&self.epoll, &link.stream, epoll::EventData::new_u64(number), interest)?)
    }

    /// The numbers of the links that are ready, at the latest after `timeout`, then perhaps none.
    pub fn wait(&mut self, timeout: Duration) -> io::Result<Vec<u64>> {
        self.events.clear();
        // `epoll_wait` counts whole milliseconds, rounded up: it would be most of a lateness. `ppoll` counts nanoseconds.
        if !timeout.is_zero() {
            let timeout =
                Timespec { tv_sec: timeout.as_secs() as i64, tv_nsec: i64::from(timeout.subsec_nanos()) };
            match poll(&mut [PollFd::new(&self.epoll, PollFlags::IN)], Some(&timeout)) {
                Ok(0) => return Ok(Vec::new()),
                Ok(_) | Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
        let at_once = Timespec { tv_sec: 0, tv_nsec: 0 };
        match epoll::wait(&self.epoll, spare_capacity(&mut self.events), Some(&at_once)) {
            Ok(_) | Err(rustix::io::Errno::INTR) => {
                Ok(self.events.iter().map(|event| event.data.u64()).collect())
            }
            Err(error) => Err(error.into()),
        }
    }
}

/// A connection that is never waited on.
#[derive(Debug)]
pub struct Link {
    stream: TcpStream,
    incoming: Vec<u8>,
    /// Bytes of `incoming` that have been taken.
    taken: usize,
}

impl Link {
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_nonblocking(true)?;
        Ok(Self { stream, incoming: Vec::with_capacity(READ_BYTES), taken: 0 })
    }

    /// Writes what the socket takes; `None` when that is nothing.
    pub fn write(&mut self, slices: &[IoSlice<'_>]) -> io::Result<Option<usize>> {
        match self.stream.write_vectored(slices) {
            Ok(written) => Ok(Some(written)),
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Reads what has come.
    pub fn read(&mut self) -> io::Result<()> {
        if self.taken > 0 {
            self.incoming.drain(..self.taken);
            self.taken = 0;
        }
        loop {
            self.incoming.reserve(READ_BYTES);
            match recv(&self.stream, spare_capacity(&mut self.incoming), RecvFlags::empty()) {
                Ok((0, _)) => return Err(io::ErrorKind::UnexpectedEof.into()),
                Ok(_) if self.incoming.len() == self.incoming.capacity() => {}
                Ok(_) | Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Takes the next whole frame, without its length prefix.
    pub fn take_frame(&mut self) -> anyhow::Result<Option<&[u8]>> {
        let left = &self.incoming[self.taken..];
        let Some(prefix) = left.first_chunk::<LENGTH_PREFIX_BYTES>() else { return Ok(None) };
        let end = LENGTH_PREFIX_BYTES + body_len(*prefix, REPLY_BYTES_MAX)?;
        if left.len() < end {
            return Ok(None);
        }
        let from = self.taken + LENGTH_PREFIX_BYTES;
        self.taken += end;
        Ok(Some(&self.incoming[from..self.taken]))
    }
}

#[cfg(test)]
mod tests {
    use model::Clock;

    use super::*;

    #[test]
    fn a_short_wait_is_not_rounded_up_to_a_millisecond() {
        let (mut poller, clock) = (Poller::new().unwrap(), Clock::system());
        let is_short = |poller: &mut Poller| {
            let begun = clock.monotonic();
            assert!(poller.wait(Duration::from_micros(50)).unwrap().is_empty());
            clock.monotonic().saturating_sub(begun) < Duration::from_micros(900)
        };
        // One of many is enough: others may use the CPUs.
        assert!((0..10_000).any(|_| is_short(&mut poller)));
    }
}
