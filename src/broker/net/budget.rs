//! The bytes that requests in flight may hold, over all connections.
//!
//! A reservation is made from a frame's length prefix in steps that follow the bytes received, at most doubling, so
//! that an announcement alone takes nothing: a peer holds budget only in proportion to what it has sent. When the
//! budget is used up by frames that are all half received, none could ever finish; therefore one frame at a time,
//! the *elder*, may go on to its full length from a reserve of its own. Frames of up to 64 KiB have a share that
//! large ones cannot take.
//!
//! Waiters are served in the order in which they came, so a large frame is never passed over for ever.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use model::limits::SMALL_FRAME_BYTES_MAX;
use parking_lot::Mutex;

/// The budget; cheap to clone.
#[derive(Clone, Debug)]
pub struct Budget {
    shared: Arc<Mutex<Shares>>,
}

#[derive(Debug)]
struct Shares {
    small: Share,
    large: Share,
    /// Whether some frame grows from the elder's reserve.
    elder: bool,
}

/// One pool of bytes. `used` may pass `total` by the elder's frame only.
#[derive(Debug)]
struct Share {
    total: usize,
    used: usize,
    waiting: VecDeque<(u64, Waker)>,
    next_ticket: u64,
}

impl Budget {
    /// `large_bytes` for frames above 64 KiB, and a quarter of it, at least 4 MiB, for the others.
    pub fn new(large_bytes: usize) -> Self {
        let small_bytes = (large_bytes / 4).max(64 * SMALL_FRAME_BYTES_MAX);
        let shares = Shares { small: Share::new(small_bytes), large: Share::new(large_bytes), elder: false };
        Self { shared: Arc::new(Mutex::new(shares)) }
    }

    /// An empty reservation for a frame of `frame_bytes`.
    pub fn reservation(&self, frame_bytes: usize) -> Reservation {
        let class = if frame_bytes <= SMALL_FRAME_BYTES_MAX { Class::Small } else { Class::Large };
        Reservation { budget: self.clone(), class, frame_bytes, held: 0, elder: false, ticket: None }
    }

    /// Bytes that frames hold now, small and large.
    pub fn used_bytes(&self) -> usize {
        let shares = self.shared.lock();
        shares.small.used + shares.large.used
    }
}

impl Share {
    fn new(total: usize) -> Self {
        Self { total, used: 0, waiting: VecDeque::new(), next_ticket: 0 }
    }

    /// Whether nobody waits before the holder of `ticket` (or a newcomer).
    fn is_turn_of(&self, ticket: Option<u64>) -> bool {
        let first = self.waiting.front().map(|(first, _)| *first);
        first.is_none() || first == ticket
    }

    fn leave_queue(&mut self, ticket: Option<u64>) {
        if let Some(ticket) = ticket {
            self.waiting.retain(|(waiting, _)| *waiting != ticket);
        }
    }

    fn wake_first(&self) {
        if let Some((_, waker)) = self.waiting.front() {
            waker.wake_by_ref();
        }
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Class {
    Small,
    Large,
}

impl Shares {
    fn share(&mut self, class: Class) -> &mut Share {
        match class {
            Class::Small => &mut self.small,
            Class::Large => &mut self.large,
        }
    }
}

/// What one frame holds; given back when dropped, which is when its reply has left.
#[derive(Debug)]
pub struct Reservation {
    budget: Budget,
    class: Class,
    frame_bytes: usize,
    held: usize,
    elder: bool,
    ticket: Option<u64>,
}

impl Reservation {
    /// Bytes of the frame that may be buffered now.
    pub fn held(&self) -> usize {
        self.held
    }

    /// Size of the whole frame.
    pub fn frame_bytes(&self) -> usize {
        self.frame_bytes
    }

    /// Grows to at least `bytes` (at most the frame's size), or registers to be woken when that may succeed.
    pub fn poll_grow(&mut self, bytes: usize, context: &mut Context<'_>) -> Poll<()> {
        let target = bytes.min(self.frame_bytes);
        if target <= self.held {
            return Poll::Ready(());
        }
        let more = target - self.held;
        let shared = Arc::clone(&self.budget.shared);
        let mut shares = shared.lock();
        let share = shares.share(self.class);
        let turn = share.is_turn_of(self.ticket);
        let fits = share.used + more <= share.total;
        if turn && !fits && self.class == Class::Large && !shares.elder {
            shares.elder = true;
            self.elder = true;
        }
        if self.elder || (turn && fits) {
            self.take(&mut shares, more);
            return Poll::Ready(());
        }
        self.wait(&mut shares, context.waker());
        Poll::Pending
    }

    fn take(&mut self, shares: &mut Shares, more: usize) {
        let share = shares.share(self.class);
        share.used += more;
        share.leave_queue(self.ticket.take());
        share.wake_first();
        self.held += more;
    }

    fn wait(&mut self, shares: &mut Shares, waker: &Waker) {
        let share = shares.share(self.class);
        let ticket = *self.ticket.get_or_insert_with(|| {
            share.next_ticket += 1;
            share.next_ticket
        });
        match share.waiting.iter_mut().find(|(waiting, _)| *waiting == ticket) {
            Some((_, registered)) => registered.clone_from(waker),
            None => share.waiting.push_back((ticket, waker.clone())),
        }
    }
}

impl Drop for Reservation {
    fn drop(&mut self) {
        let mut shares = self.budget.shared.lock();
        if self.elder {
            shares.elder = false;
        }
        let share = shares.share(self.class);
        share.used -= self.held;
        share.leave_queue(self.ticket.take());
        share.wake_first();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MIB: usize = 1024 * 1024;

    fn grow(reservation: &mut Reservation, bytes: usize) -> bool {
        reservation.poll_grow(bytes, &mut Context::from_waker(Waker::noop())).is_ready()
    }

    #[test]
    fn an_announcement_takes_nothing() {
        let budget = Budget::new(8 * MIB);
        let stalled: Vec<_> = (0..100).map(|_| budget.reservation(100 * MIB)).collect();
        assert_eq!(budget.used_bytes(), 0);
        let mut honest = budget.reservation(MIB);
        assert!(grow(&mut honest, MIB));
        drop(stalled);
    }

    #[test]
    fn half_received_frames_cannot_block_each_other() {
        let budget = Budget::new(2 * MIB);
        let mut first = budget.reservation(2 * MIB);
        let mut second = budget.reservation(2 * MIB);
        assert!(grow(&mut first, MIB) && grow(&mut second, MIB));
        assert!(grow(&mut first, 2 * MIB), "the elder goes on from the reserve");
        assert!(!grow(&mut second, 2 * MIB));
        drop(first);
        assert!(grow(&mut second, 2 * MIB));
        drop(second);
        assert_eq!(budget.used_bytes(), 0);
    }

    #[test]
    fn small_frames_have_their_own_share() {
        let budget = Budget::new(MIB);
        let mut large = budget.reservation(8 * MIB);
        assert!(grow(&mut large, 8 * MIB), "as elder");
        let mut another = budget.reservation(8 * MIB);
        assert!(!grow(&mut another, MIB));
        let mut small = budget.reservation(1000);
        assert!(grow(&mut small, 1000));
    }

    #[test]
    fn waiters_are_served_in_order() {
        let budget = Budget::new(2 * MIB);
        let mut elder = budget.reservation(4 * MIB);
        assert!(grow(&mut elder, 4 * MIB));
        let mut first = budget.reservation(2 * MIB);
        let mut second = budget.reservation(MIB);
        assert!(!grow(&mut first, 2 * MIB) && !grow(&mut second, MIB));
        drop(elder);
        assert!(grow(&mut first, 2 * MIB));
        let mut third = budget.reservation(MIB);
        drop(first);
        assert!(!grow(&mut third, MIB), "the second came first");
        assert!(grow(&mut second, MIB));
    }
}
