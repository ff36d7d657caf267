use model::Offset;

use super::*;
use crate::partition::waiters::{Commit, Waiters};

const ALL: Interest = Interest { bytes_max: 1_000, read_committed: false };
const COMMITTED: Interest = Interest { bytes_max: 1_000, read_committed: true };

fn commit(offset: i64, visible_bytes: u64) -> Commit {
    Commit { high_watermark: Offset::new(offset), last_stable: Offset::new(offset), visible_bytes }
}

/// Partitions that one session follows, each in the place of its index.
fn followed(feed: &Arc<Feed>, interests: &[Interest]) -> Vec<Waiters> {
    let follow = |(interest, place): (&Interest, u32)| {
        let mut partition = Waiters::new(Offset::ZERO);
        partition.committed(commit(0, 0));
        partition.followers().follow(feed, place, *interest);
        partition
    };
    interests.iter().zip(0..).map(follow).collect()
}

#[test]
fn a_change_is_told_once() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[ALL, ALL, ALL]);
    partitions[2].committed(commit(1, 10));
    partitions[0].committed(commit(1, 10));
    partitions[2].committed(commit(2, 20));
    assert_eq!(feed.take_news(), [2, 0]);
    partitions[2].committed(commit(3, 30));
    partitions[2].followers().changed();
    assert!(feed.take_news().is_empty(), "the session has not followed it again");
    partitions[2].followers().follow(&feed, 2, ALL);
    partitions[2].followers().changed();
    partitions[1].followers().appended();
    assert_eq!(feed.take_news(), [2, 1]);
}

#[test]
fn a_commit_of_nothing_is_no_news() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[ALL]);
    partitions[0].committed(commit(0, 0));
    assert!(feed.take_news().is_empty());
}

#[test]
fn who_leaves_a_partition_is_not_told() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[ALL, ALL]);
    for partition in &mut partitions {
        partition.followers().leave(&feed);
        partition.followers().leave(&feed);
        partition.committed(commit(1, 10));
        assert_eq!(partition.followers().count(), 0);
    }
    assert!(feed.take_news().is_empty());
}

#[test]
fn who_was_told_is_forgotten_unless_a_fetch_waits() {
    let feed = Feed::new();
    let changes: [fn(&mut Waiters); 3] = [
        |partition| partition.committed(commit(1, 10)),
        |partition| assert!(partition.followers().appended() == (partition.followers().count() == 1)),
        |partition| partition.followers().changed(),
    ];
    for change in changes {
        let mut partitions = followed(&feed, &[ALL]);
        change(&mut partitions[0]);
        assert_eq!((feed.take_news(), partitions[0].followers().count()), (vec![0], 0));

        let mut partitions = followed(&feed, &[ALL]);
        let waiting = feed.wait(&FetchTicket::new(1_000));
        change(&mut partitions[0]);
        assert_eq!(partitions[0].followers().count(), 1, "what comes next counts for it");
        drop(waiting);
        // Another fetch looks for itself.
        let _waiting = feed.wait(&FetchTicket::new(1_000));
        partitions[0].committed(commit(2, 20));
        assert_eq!((feed.take_news(), partitions[0].followers().count()), (vec![0], 0));
    }
}

#[test]
fn a_partition_that_all_have_left_keeps_no_room_for_them() {
    let mut partition = Waiters::new(Offset::ZERO);
    let feeds: Vec<_> = (0..100).map(|_| Feed::new()).collect();
    for is_told in [false, true] {
        for feed in &feeds {
            partition.followers().follow(feed, 0, ALL);
        }
        if is_told {
            partition.followers().changed();
        }
        for feed in &feeds {
            partition.followers().leave(feed);
        }
        assert_eq!(partition.followers().all.capacity(), 0, "told: {is_told}");
    }
}

#[test]
fn nobody_waits_for_a_session_that_is_closed() {
    let feed = Feed::new();
    let (before, after) = (FetchTicket::new(1), FetchTicket::new(1));
    let waiting = feed.wait(&before);
    assert!(!feed.is_closed());
    feed.close();
    assert!(before.has_fired() && feed.is_closed());
    drop(waiting);
    let _waiting = feed.wait(&after);
    assert!(after.has_fired());
}

#[test]
fn a_waiting_fetch_wakes_once_enough_bytes_are_visible() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[ALL, ALL]);
    let ticket = FetchTicket::new(100);
    let waiting = feed.wait(&ticket);
    partitions[0].committed(commit(1, 60));
    assert!(!ticket.has_fired());
    partitions[1].committed(commit(1, 20));
    partitions[0].committed(commit(2, 79));
    assert!(!ticket.has_fired(), "99 of 100");
    partitions[0].committed(commit(3, 80));
    assert!(ticket.has_fired());
    drop(waiting);
    assert_eq!(feed.take_news(), [0, 1]);
}

#[test]
fn only_what_fits_the_partitions_part_of_the_answer_counts() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[Interest { bytes_max: 99, ..ALL }]);
    let ticket = FetchTicket::new(100);
    let _waiting = feed.wait(&ticket);
    partitions[0].committed(commit(1, 5_000));
    partitions[0].committed(commit(2, 9_000));
    assert!(!ticket.has_fired());
}

#[test]
fn what_was_told_to_an_earlier_wait_counts_for_no_later_one() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[ALL]);
    let first = FetchTicket::new(100);
    let waiting = feed.wait(&first);
    partitions[0].committed(commit(1, 60));
    drop(waiting);
    assert_eq!(feed.take_news(), [0]);
    // The partition is active now, and parks the fetch itself.
    let second = FetchTicket::new(40);
    let _waiting = feed.wait(&second);
    partitions[0].committed(commit(2, 200));
    assert!(!second.has_fired() && !first.has_fired());
    assert!(feed.take_news().is_empty());
}

#[test]
fn a_change_between_the_look_and_the_wait_ends_the_wait() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[ALL]);
    partitions[0].committed(commit(1, 1));
    let ticket = FetchTicket::new(1_000_000);
    let _waiting = feed.wait(&ticket);
    assert!(ticket.has_fired(), "however few the bytes: the fetch must look itself");
}

#[test]
fn readers_of_committed_records_wake_when_a_transaction_ends() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[COMMITTED]);
    let ticket = FetchTicket::new(10);
    let _waiting = feed.wait(&ticket);
    partitions[0].committed(Commit { last_stable: Offset::ZERO, ..commit(5, 50) });
    assert!(!ticket.has_fired(), "the transaction is open");
    partitions[0].committed(commit(6, 60));
    assert!(ticket.has_fired(), "the marker makes all 60 bytes visible");
}

#[test]
fn an_ended_transaction_below_an_open_one_wakes_readers_of_committed_records() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[COMMITTED]);
    let ticket = FetchTicket::new(10);
    let _waiting = feed.wait(&ticket);
    partitions[0].committed(Commit { last_stable: Offset::ZERO, ..commit(5, 50) });
    partitions[0].committed(Commit { last_stable: Offset::new(3), ..commit(5, 50) });
    assert!(ticket.has_fired());
}

#[test]
fn an_append_is_hurried_for_a_fetch_that_waits() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[ALL]);
    assert!(!partitions[0].followers().appended(), "nobody waits");
    partitions[0].followers().follow(&feed, 0, ALL);
    assert_eq!(feed.take_news(), [0]);
    let ticket = FetchTicket::new(1_000);
    let waiting = feed.wait(&ticket);
    assert!(partitions[0].followers().appended());
    assert!(partitions[0].followers().appended(), "for each append while it waits");
    drop(waiting);
    assert!(!partitions[0].followers().appended());
    assert!(!ticket.has_fired(), "there is nothing to be seen yet");
}

#[test]
fn a_partition_that_closes_wakes_its_sessions_and_forgets_them() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[ALL, ALL]);
    let ticket = FetchTicket::new(1_000);
    let _waiting = feed.wait(&ticket);
    partitions[1].close();
    assert!(ticket.has_fired());
    assert_eq!((feed.take_news(), partitions[1].followers().count()), (vec![1], 0));
    partitions[1].followers().follow(&feed, 1, ALL);
    assert_eq!(partitions[1].followers().count(), 0, "nothing is heard of it any more");
}

#[test]
fn the_nodes_stop_wakes_sessions() {
    let feed = Feed::new();
    let mut partitions = followed(&feed, &[ALL]);
    let ticket = FetchTicket::new(1_000);
    let _waiting = feed.wait(&ticket);
    partitions[0].release();
    assert!(ticket.has_fired());
}

#[test]
fn the_wait_of_another_fetch_ends_the_one_before() {
    let feed = Feed::new();
    let (first, second) = (FetchTicket::new(1), FetchTicket::new(1));
    let overtaken = feed.wait(&first);
    let waiting = feed.wait(&second);
    assert!(first.has_fired() && !second.has_fired());
    drop(overtaken);
    feed.wake();
    assert!(second.has_fired(), "the end of the first is not that of the second");
    drop(waiting);
    assert!(feed.state.lock().waiting.is_none());
}

#[test]
fn every_answer_counts_for_those_that_were_quiet_then() {
    let feed = Feed::new();
    feed.answered();
    let mut partitions = followed(&feed, &[ALL]);
    let partition = &mut partitions[0];
    feed.answered();
    feed.answered();
    assert_eq!(partition.followers().passed_by(), 2);
    partition.committed(commit(1, 1));
    feed.answered();
    assert_eq!(partition.followers().passed_by(), 2, "that one told of it");
    partition.followers().follow(&feed, 0, ALL);
    feed.answered();
    partition.followers().follow(&feed, 0, ALL);
    feed.answered();
    partition.followers().leave(&feed);
    feed.answered();
    assert_eq!(partition.followers().passed_by(), 4);
    partition.followers().follow(&feed, 0, ALL);
    feed.answered();
    partition.followers().leave(&feed);
    feed.answered();
    assert_eq!(partition.followers().passed_by(), 5);
}
