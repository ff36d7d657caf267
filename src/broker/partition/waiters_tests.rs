use std::future::Future;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use super::*;

fn is_done(future: impl Future<Output = ()>) -> bool {
    let mut context = Context::from_waker(Waker::noop());
    pin!(future).poll(&mut context) == Poll::Ready(())
}

fn commit(offset: i64, visible_bytes: u64) -> Commit {
    Commit { high_watermark: Offset::new(offset), last_stable: Offset::new(offset), visible_bytes }
}

fn interest(bytes_max: usize) -> Interest {
    Interest { bytes_max, read_committed: false }
}

const COMMITTED: Interest = Interest { bytes_max: 1_000, read_committed: true };

#[test]
fn a_producer_waits_for_all_its_partitions() {
    let (mut a, mut b) = (Waiters::new(Offset::ZERO), Waiters::new(Offset::ZERO));
    let ticket = CommitTicket::new();
    a.await_commit(Offset::new(5), &ticket);
    b.await_commit(Offset::new(2), &ticket);
    let mut all = pin!(ticket.all());
    let mut context = Context::from_waker(Waker::noop());
    assert!(all.as_mut().poll(&mut context).is_pending());
    a.committed(commit(4, 10));
    b.committed(commit(2, 10));
    assert!(all.as_mut().poll(&mut context).is_pending(), "4 is not yet 5");
    a.committed(commit(5, 20));
    assert!(all.as_mut().poll(&mut context).is_ready());
    assert!(a.commits.is_empty() && b.commits.is_empty());
}

#[test]
fn a_producer_without_registration_does_not_wait() {
    assert!(is_done(CommitTicket::new().all()));
}

#[test]
fn a_commit_between_registration_and_wait_is_not_lost() {
    let mut waiters = Waiters::new(Offset::ZERO);
    let ticket = CommitTicket::new();
    waiters.await_commit(Offset::new(1), &ticket);
    waiters.committed(commit(1, 1));
    assert!(is_done(ticket.all()));
}

#[test]
fn a_fetch_wakes_once_enough_bytes_are_visible() {
    let (mut a, mut b) = (Waiters::new(Offset::ZERO), Waiters::new(Offset::ZERO));
    let ticket = FetchTicket::new(100);
    a.park(&ticket, interest(1_000));
    b.park(&ticket, interest(1_000));
    a.committed(commit(1, 60));
    assert!(!ticket.has_fired() && !is_done(ticket.fired()));
    b.committed(commit(1, 39));
    assert!(!ticket.has_fired());
    b.committed(commit(2, 40));
    assert!(is_done(ticket.fired()));
    assert!(a.unpark(&ticket) && b.unpark(&ticket) && !a.unpark(&ticket));
}

#[test]
fn only_what_fits_the_partitions_part_of_the_answer_counts() {
    let mut waiters = Waiters::new(Offset::ZERO);
    let ticket = FetchTicket::new(100);
    waiters.park(&ticket, interest(99));
    waiters.committed(commit(9, 5_000));
    waiters.committed(commit(10, 6_000));
    assert!(!ticket.has_fired());
}

#[test]
fn bytes_from_before_the_fetch_do_not_count() {
    let mut waiters = Waiters::new(Offset::ZERO);
    waiters.committed(commit(9, 5_000));
    let ticket = FetchTicket::new(1);
    waiters.park(&ticket, interest(1_000));
    waiters.committed(commit(9, 5_000));
    assert!(!ticket.has_fired());
    waiters.committed(commit(10, 5_001));
    assert!(ticket.has_fired());
}

#[test]
fn an_open_transaction_hides_records_from_read_committed() {
    let mut waiters = Waiters::new(Offset::ZERO);
    let (all, committed) = (FetchTicket::new(10), FetchTicket::new(10));
    waiters.park(&all, interest(1_000));
    waiters.park(&committed, COMMITTED);
    waiters.committed(Commit { last_stable: Offset::ZERO, ..commit(5, 50) });
    assert!(all.has_fired() && !committed.has_fired());
    waiters.committed(commit(6, 60));
    assert!(committed.has_fired(), "the marker makes all 60 bytes visible");
}

#[test]
fn an_ended_transaction_below_an_open_one_wakes_read_committed() {
    let mut waiters = Waiters::new(Offset::ZERO);
    let committed = FetchTicket::new(10);
    waiters.park(&committed, COMMITTED);
    waiters.committed(Commit { last_stable: Offset::ZERO, ..commit(5, 50) });
    waiters.committed(Commit { last_stable: Offset::new(3), ..commit(6, 60) });
    assert!(committed.has_fired());
}

#[test]
fn a_closed_partition_keeps_nobody_waiting() {
    let mut waiters = Waiters::new(Offset::ZERO);
    let (before, after) = (CommitTicket::new(), CommitTicket::new());
    let (parked, late) = (FetchTicket::new(1), FetchTicket::new(1));
    waiters.await_commit(Offset::new(1), &before);
    waiters.park(&parked, interest(1));
    waiters.close();
    waiters.await_commit(Offset::new(1), &after);
    waiters.park(&late, interest(1));
    assert!(is_done(before.all()) && is_done(after.all()));
    assert!(is_done(parked.fired()) && is_done(late.fired()));
}
