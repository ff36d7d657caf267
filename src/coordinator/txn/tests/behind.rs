//! Each state that an id may be in when a log is opened too late, beside each that the log may be in.

use super::*;
use crate::txn::tests::world::{World, partitions, producer, text, value};
use crate::txn::{Shard, Step};
use Status::*;

fn open(id: i64, epoch: i16, indexes: &[i32]) -> OpenTransactions {
    let mut open = OpenTransactions::default();
    for index in indexes {
        open.add(producer(id, epoch), "t", *index);
    }
    open
}

/// Producer id and epoch of the aborts, and where; the id has 1000 and epoch 5, and partition 0 in its transaction.
fn found(value: &Value, open: &OpenTransactions) -> Vec<(i64, i16, Partitions)> {
    let markers = left_behind("id", value, open);
    assert!(markers.iter().all(|it| !it.commit && it.transaction_version == 2 && it.is_for_left_behind()));
    markers.into_iter().map(|it| (it.producer_id, it.producer_epoch, it.partitions)).collect()
}

#[test]
fn what_is_open_under_an_earlier_epoch_was_left_behind() {
    for status in [Empty, Ongoing, CompleteCommit, CompleteAbort] {
        let value = value(status);
        for epoch in [0, 3, 4] {
            let wanted = vec![(1000, epoch + 1, partitions(&[0, 1]))];
            assert_eq!(found(&value, &open(1000, epoch, &[0, 1])), wanted, "{status:?}");
        }
        for epoch in [5, 6] {
            assert_eq!(found(&value, &open(1000, epoch, &[0, 1])), [], "{status:?}: the id's, or nobody's");
        }
        assert_eq!(found(&value, &open(1001, 3, &[0])), [], "another's");
    }
    for status in [Dead, PrepareEpochFence] {
        assert_eq!(found(&value(status), &open(1000, 3, &[0])), []);
    }
}

/// Kafka's names: the version says whether the end has an epoch of its own, where it is known.
#[test]
fn what_an_end_is_on_its_way_to_is_left_to_it() {
    let at = |epoch: i16| vec![(1000, epoch + 1, partitions(&[0]))];
    for (status, version, epoch, wanted) in [
        // An end with its own epoch, 5, is for 4.
        (PrepareCommit, 2, 4, vec![]),
        (PrepareCommit, 2, 3, at(3)),
        // Of `transaction.version` 0, or read from a log that does not say.
        (PrepareCommit, 0, 4, vec![]),
        (PrepareCommit, 0, 3, at(3)),
        // An abort is as good for what came before.
        (PrepareAbort, 2, 4, vec![]),
        (PrepareAbort, 2, 3, vec![]),
        (PrepareAbort, 0, 4, vec![]),
    ] {
        let value = Value { client_transaction_version: version, ..value(status) };
        assert_eq!(found(&value, &open(1000, epoch, &[0])), wanted, "{status:?} {version} {epoch}");
        let elsewhere = vec![(1000, epoch + 1, partitions(&[1]))];
        assert_eq!(found(&value, &open(1000, epoch, &[1])), elsewhere, "it does not come here");
    }
}

#[test]
fn a_producer_id_that_was_given_up_is_over() {
    let rotated = Value { producer_epoch: 0, ..value(CompleteCommit) };
    assert_eq!(found(&rotated, &open(900, i16::MAX - 1, &[1])), [(900, i16::MAX, partitions(&[1]))]);
    assert_eq!(found(&rotated, &open(900, 2, &[1])), [(900, 3, partitions(&[1]))]);
    let same = Value { previous_producer_id: 1000, ..value(CompleteCommit) };
    assert_eq!(found(&same, &open(1000, 7, &[1])), []);
}

#[test]
fn each_is_ended_once_and_none_is_an_end_of_the_ids() {
    let mut world = World::with(Some(value(PrepareCommit)));
    let open = open(1000, 2, &[1, 2]);
    let found = world.act(|shard, _| shard.end_left_behind(&open));
    assert_eq!(text(&found), "! abort 1000/3 v2 {1, 2}");
    assert_eq!(world.act(|shard, _| shard.end_left_behind(&open)), Step::default(), "it is on its way");
    let marker = &found.markers[0];
    let done = world.act(|shard, context| shard.markers_written(context, marker, &partitions(&[1])));
    assert_eq!(done, Step::default());
    assert_eq!(world.shard.describe("id").expect("known").status, PrepareCommit);
    let again = world.act(|shard, _| shard.end_left_behind(&open));
    assert_eq!(text(&again), "! abort 1000/3 v2 {1}");
}

/// At a start, and while the node lives.
#[test]
fn what_is_adopted_begins_and_what_was_left_behind_ends() {
    let mut open = open(1000, 5, &[1]);
    open.add(producer(1000, 3), "t", 2);
    for at_start in [true, false] {
        let bumping = Value { client_transaction_version: 2, ..value(CompleteCommit) };
        let mut world = World::with(Some(bumping));
        if !at_start {
            world.act(Shard::loaded);
        }
        world.act(|shard, context| {
            shard.adopt(context, &open);
            Step::default()
        });
        let now = world.shard.describe("id").expect("known");
        assert_eq!((now.status, now.partitions), (Ongoing, partitions(&[1])));
        let ends = if at_start {
            world.act(Shard::loaded)
        } else {
            world.act(|shard, _| shard.end_left_behind(&open))
        };
        assert_eq!(text(&ends), "! abort 1000/4 v2 {2}", "{at_start}");
        let step = world.tick();
        world.write(&step);
        assert_eq!(text(&step), "| Ongoing 1000/5 <4 >-1 v2 {1}", "it is written down");
        world.now_ms = 60_001;
        let step = world.tick();
        assert!(text(&step).contains("PrepareAbort 1000/6"), "its timeout runs: {}", text(&step));
    }
}
