//! Each state that a crash may leave a coordinator in, beside each that it may leave a partition in.

use super::*;
use crate::txn::tests::world::{World, add, partitions, producer, value};
use Status::*;

fn open(epoch: i16, indexes: &[i32]) -> OpenTransactions {
    let mut open = OpenTransactions::default();
    for index in indexes {
        open.add(producer(1000, epoch), "t", *index);
    }
    open
}

fn bumping(status: Status) -> Value {
    Value { client_transaction_version: 2, ..value(status) }
}

fn now(indexes: &[i32]) -> Lost {
    Lost::Now(partitions(indexes))
}

fn next(indexes: &[i32]) -> Lost {
    Lost::Next(partitions(indexes))
}

#[test]
fn what_is_open_under_the_epoch_is_the_ids() {
    for (status, wanted) in [
        (Empty, Some(now(&[0, 1]))),
        (CompleteCommit, Some(now(&[0, 1]))),
        (CompleteAbort, Some(now(&[0, 1]))),
        (PrepareCommit, Some(next(&[0, 1]))),
        (PrepareAbort, Some(next(&[0, 1]))),
        // Partition 0 is in it.
        (Ongoing, Some(now(&[1]))),
        (Dead, None),
        (PrepareEpochFence, None),
    ] {
        assert_eq!(lost(&bumping(status), true, &open(5, &[0, 1])), wanted, "{status:?}");
        assert_eq!(
            lost(&bumping(status), false, &open(5, &[0, 1])),
            None,
            "{status:?}: whose end has that epoch too"
        );
        for epoch in [4, 6] {
            assert_eq!(lost(&bumping(status), true, &open(epoch, &[0, 1])), None, "{status:?}: another's");
        }
        assert_eq!(lost(&bumping(status), true, &OpenTransactions::default()), None);
    }
    assert_eq!(lost(&bumping(Ongoing), true, &open(5, &[0])), None, "all of it is known");
}

#[test]
fn the_next_transaction_may_have_another_producer_id() {
    let last = Value { next_producer_id: 1001, producer_epoch: i16::MAX, ..bumping(PrepareCommit) };
    let mut open = OpenTransactions::default();
    open.add(producer(1001, 0), "t", 2);
    assert_eq!(lost(&last, true, &open), Some(next(&[2])));
    assert_eq!(lost(&Value { status: CompleteCommit, ..last }, true, &open), None, "there it has it already");
}

#[test]
fn an_epoch_is_its_transactions_own_where_ends_bump_it() {
    for status in [PrepareCommit, PrepareAbort, CompleteCommit, CompleteAbort] {
        assert!(has_own_epoch(&bumping(status), None) && !has_own_epoch(&value(status), None));
    }
    let (before, bumped) = (value(CompleteCommit), bumping(CompleteCommit));
    assert!(!has_own_epoch(&bumping(Ongoing), Some((&before, false))), "after an end that did not");
    assert!(has_own_epoch(&bumping(Ongoing), Some((&bumped, true))));
    assert!(!has_own_epoch(&value(Ongoing), Some((&bumped, true))), "its own end will not");
    assert!(has_own_epoch(&value(Empty), None));
    assert!(!has_own_epoch(&value(Empty), Some((&before, false))), "the epoch was asked for again");
    let fenced = Value { producer_epoch: 4, ..before };
    assert!(has_own_epoch(&value(Empty), Some((&fenced, false))), "a new one");
}

/// Earlier versions of the record have no place for what [`has_own_epoch`] asks: a start would not find the beginning.
#[test]
fn nobody_goes_ahead_unless_the_clusters_version_tells_the_clients_too() {
    for (transaction_version, goes_ahead) in [(0, false), (1, false), (2, true)] {
        let mut world = World::with(Some(bumping(CompleteCommit)));
        world.transaction_version = transaction_version;
        assert_eq!(world.done(add((1000, 5), 0)).goes_ahead, goes_ahead, "{transaction_version}");
    }
}
