//! Rules that span several steps.

use super::world::*;
use crate::txn::record::Status::*;
use crate::txn::record::{Record, Value};
use crate::txn::{AddPartitionsRequest, InitProducerIdRequest, OpenTransactions, Request, Shard, Step};

#[test]
fn requests_that_nothing_can_come_of() {
    let mut world = World::with(None);
    for (id, timeout_ms, meant) in [
        (String::new(), 60_000, "InvalidRequest"),
        ("x".repeat(32_768), 60_000, "InvalidRequest"),
        (String::new(), 0, "InvalidRequest"),
        ("id".into(), 0, "InvalidTransactionTimeout"),
        ("id".into(), -1, "InvalidTransactionTimeout"),
        ("id".into(), 900_001, "InvalidTransactionTimeout"),
        ("id".into(), 900_000, "2000/0 | Empty 2000/0 <-1 >-1 v0 +id"),
    ] {
        let request = InitProducerIdRequest { transactional_id: id, timeout_ms, expected: None };
        assert_eq!(text(&world.ask(Request::InitProducerId(request))), meant);
    }
    for verify_only in [true, false] {
        let request =
            AddPartitionsRequest { transactional_id: String::new(), ..add_request((1, 1), 0, verify_only) };
        assert_eq!(text(&world.ask(Request::AddPartitions(request))), "InvalidRequest");
    }
    for version in [0, 2] {
        let Request::EndTxn(mut request) = end((1, 1), true, version) else { unreachable!() };
        request.transactional_id.clear();
        assert_eq!(text(&world.ask(Request::EndTxn(request))), "InvalidRequest");
    }
}

#[test]
fn a_transaction_that_times_out_is_aborted_once() {
    for (version, meant) in [
        (2, "| PrepareAbort 1000/6 <5 >-1 v2 {0} ! abort 1000/6 v2 {0}"),
        (1, "| PrepareAbort 1000/6 <-1 >-1 v0 {0} ! abort 1000/6 v0 {0}"),
        (0, "| PrepareAbort 1000/6 <-1 >-1 v0 {0} ! abort 1000/6 v0 {0}"),
    ] {
        let mut world = World::with(Some(value(CompleteCommit)));
        world.transaction_version = version;
        world.done(add((1000, 5), 0));
        assert_eq!(world.shard.next_deadline_ms(), Some(60_000));
        world.now_ms = 59_999;
        assert_eq!(text(&world.tick()), "");
        world.now_ms = 60_000;
        let step = world.tick();
        assert_eq!(text(&step), meant);
        world.write(&step);
        assert_eq!(text(&world.tick()), "");
        assert_eq!(text(&world.ask(end((1000, 5), false, 0))), "ProducerFenced");
        let marker = &step.markers[0];
        let completed = world.act(|shard, context| shard.markers_written(context, marker, &partitions(&[0])));
        assert!(text(&completed).starts_with("| CompleteAbort 1000/6"), "{}", text(&completed));
    }
}

#[test]
fn a_timeout_is_that_of_the_last_transaction() {
    let mut world = World::with(Some(value(CompleteCommit)));
    world.done(add((1000, 5), 0));
    world.now_ms = 30_000;
    let ended = world.done(end((1000, 5), true, 2));
    let completed =
        world.act(|shard, context| shard.markers_written(context, &ended.markers[0], &partitions(&[0])));
    world.write(&completed);
    world.done(add((1000, 6), 0));
    world.done(add((1000, 6), 1));
    world.now_ms = 89_999;
    assert_eq!(text(&world.tick()), "");
    world.now_ms = 90_000;
    assert_eq!(text(&world.tick()), "| PrepareAbort 1000/7 <6 >-1 v2 {0, 1} ! abort 1000/7 v2 {0, 1}");
}

/// A transaction under the last epoch is nobody's, unless the log of another broker says so.
#[test]
fn fencing_at_the_end_of_the_epochs() {
    let at = |producer_epoch| Some(Value { producer_epoch, ..value(Ongoing) });
    for (epoch, meant) in [
        (i16::MAX - 1, "PrepareAbort 1000/32767 <32766 >-1 v2 {0} ! abort 1000/32767 v2 {0}"),
        (i16::MAX, "PrepareAbort 1000/32767 <-1 >-1 v0 {0} ! abort 1000/32767 v0 {0}"),
    ] {
        let meant = format!("ConcurrentTransactions | {meant}");
        assert_eq!(text(&World::with(at(epoch)).ask(init(None))), meant);
    }
}

/// What it asks for it gets again when it asks again; and no more once another has the id.
#[test]
fn a_producer_that_is_fenced_at_the_end_of_the_epochs_may_come_back() {
    const LAST: i16 = i16::MAX - 1;
    for (request, again) in [
        (end((1000, LAST), false, 2), "2000/0"),
        (init(Some((1000, LAST))), "2000/0 | Empty 2000/0 <32766 >-1 v2"),
    ] {
        let mut world = World::with(Some(Value { producer_epoch: LAST, ..value(Ongoing) }));
        let fence = world.done(init(None));
        let completed =
            world.act(|shard, context| shard.markers_written(context, &fence.markers[0], &partitions(&[0])));
        world.write(&completed);
        assert!(text(&world.done(request.clone())).starts_with("2000/0 | "), "{request:?}");
        assert_eq!(text(&world.ask(request)), again);
        assert_eq!(text(&world.done(init(None))), "2000/1 | Empty 2000/1 <-1 >-1 v2");
        for request in [end((1000, LAST), false, 2), init(Some((1000, LAST)))] {
            let refused = text(&world.ask(request));
            assert!(["ProducerFenced", "InvalidProducerIdMapping"].contains(&&*refused), "{refused}");
        }
    }
}

#[test]
fn a_fenced_producer_may_come_back_until_another_came() {
    let mut world = World::with(Some(value(Ongoing)));
    let fence = world.done(init(None));
    let completed =
        world.act(|shard, context| shard.markers_written(context, &fence.markers[0], &partitions(&[0])));
    world.write(&completed);
    assert_eq!(text(&world.ask(end((1000, 5), true, 2))), "InvalidTxnState", "it was aborted");
    assert_eq!(text(&world.ask(end((1000, 5), false, 2))), "1000/6");
    assert_eq!(text(&world.ask(init(Some((1000, 5))))), "1000/6 | Empty 1000/6 <5 >-1 v2");
    assert_eq!(text(&world.done(init(None))), "1000/7 | Empty 1000/7 <-1 >-1 v2");
    for request in
        [end((1000, 5), false, 2), end((1000, 6), false, 2), init(Some((1000, 5))), add((1000, 6), 0)]
    {
        assert_eq!(text(&world.ask(request)), "ProducerFenced");
    }
}

#[test]
fn an_end_is_complete_when_every_marker_is_written() {
    let mut world = World::with(Some(Value { partitions: partitions(&[0, 1, 2]), ..value(Ongoing) }));
    let marker = world.done(end((1000, 5), true, 2)).markers.remove(0);
    let written = |world: &mut World, indexes: &[i32]| {
        let step = world.act(|shard, context| shard.markers_written(context, &marker, &partitions(indexes)));
        world.write(&step);
        text(&step)
    };
    assert_eq!(written(&mut world, &[]), "");
    assert_eq!(written(&mut world, &[1, 9]), "");
    assert_eq!(written(&mut world, &[1]), "", "again");
    assert_eq!(world.shard.describe("id").expect("it is there").partitions, partitions(&[0, 2]));
    assert_eq!(written(&mut world, &[0, 2]), "| CompleteCommit 1000/6 <5 >-1 v2");
    assert_eq!(written(&mut world, &[0]), "", "again");
}

/// Before KIP-890 two transactions have one epoch.
#[test]
fn an_acknowledgement_of_an_earlier_end_is_not_taken_for_a_later_ones() {
    let mut world = World::with(Some(value(Ongoing)));
    let first = world.done(end((1000, 5), true, 0)).markers.remove(0);
    let acknowledge = |world: &mut World, marker| {
        let step = world.act(|shard, context| shard.markers_written(context, marker, &partitions(&[0])));
        world.write(&step);
        text(&step)
    };
    assert_eq!(acknowledge(&mut world, &first), "| CompleteCommit 1000/5 <4 >-1 v0");
    world.done(add((1000, 5), 0));
    let second = world.done(end((1000, 5), true, 0)).markers.remove(0);
    assert_eq!(acknowledge(&mut world, &first), "");
    assert_eq!(acknowledge(&mut world, &second), "| CompleteCommit 1000/5 <4 >-1 v0");
}

/// Its ends are numbered anew, but its producer id is another.
#[test]
fn an_acknowledgement_from_before_an_id_expired_is_not_taken_for_one_after() {
    let mut world = World::with(Some(value(Ongoing)));
    let acknowledge = |world: &mut World, marker| {
        let step = world.act(|shard, context| shard.markers_written(context, marker, &partitions(&[0])));
        world.write(&step);
        text(&step)
    };
    let before = world.done(end((1000, 5), true, 0)).markers.remove(0);
    assert_eq!(acknowledge(&mut world, &before), "| CompleteCommit 1000/5 <4 >-1 v0");
    world.shard.replay(Record { transactional_id: "id".into(), value: None });
    assert_eq!(text(&world.done(init(None))), "2000/0 | Empty 2000/0 <-1 >-1 v0 +id");
    world.done(add((2000, 0), 0));
    let after = world.done(end((2000, 0), true, 0)).markers.remove(0);
    assert_eq!(before.round, after.round);
    assert_eq!(acknowledge(&mut world, &before), "");
    assert_eq!(acknowledge(&mut world, &after), "| CompleteCommit 2000/0 <-1 >-1 v0");
}

#[test]
fn what_is_loaded_goes_on() {
    let mut world = World::with(Some(value(PrepareCommit)));
    let of = |start_ms| Value { start_ms, last_update_ms: start_ms, ..value(Ongoing) };
    world.replay("bare", Some(Value { partitions: partitions(&[]), ..value(PrepareAbort) }));
    world.replay("late", Some(of(WALL_MS - 70_000)));
    world.replay("open", Some(of(WALL_MS - 20_000)));
    world.replay("from the future", Some(of(WALL_MS + 20_000)));
    world.replay("out of time", Some(of(i64::MIN)));
    world.replay("idle", Some(value(Empty)));
    let step = world.act(Shard::loaded);
    assert_eq!(text(&step), "! commit 1000/5 v0 {0}");
    let step = world.tick();
    let ids: Vec<&str> = step.records.iter().map(|record| record.transactional_id.as_str()).collect();
    assert_eq!(ids, ["bare", "late", "out of time"]);
    world.write(&step);
    assert_eq!(world.shard.next_deadline_ms(), Some(40_000));
    world.now_ms = 40_000;
    assert_eq!(world.tick().records[0].transactional_id, "open");
    world.now_ms = 60_000;
    let step = world.tick();
    world.write(&step);
    assert_eq!(world.shard.next_deadline_ms(), Some(3_600_000), "only expiry is left");
}

/// On a full disk, for instance: the ends of other transactions have nothing to do with that.
#[test]
fn what_is_adopted_and_cannot_be_written_down_holds_up_no_end() {
    let mut world = World::with(Some(value(PrepareCommit)));
    let (step, _) = adopted(&mut world, "other", 1001);
    assert_eq!(text(&step), "! commit 1000/5 v0 {0}", "no record that could fail");
    let step = world.tick();
    assert_eq!(text(&step), "| Ongoing 1001/5 <4 >-1 v2 {2}");
    world.act(|shard, context| shard.write_failed(context, &step));
    assert_eq!(world.shard.next_deadline_ms(), Some(10_000));
    world.now_ms = 10_000;
    assert_eq!(world.tick(), step, "again");
    world.write(&step);
    assert_eq!(world.shard.next_deadline_ms(), Some(60_000), "only its timeout is left");
}

#[test]
fn what_is_adopted_and_goes_on_is_written_down_by_that() {
    let mut world = World::with(None);
    let (_, open) = adopted(&mut world, "id", 1000);
    assert_eq!(text(&world.ask(add((1000, 5), 2))), "ok", "it is in already");
    let step = world.done(end((1000, 5), true, 2));
    assert_eq!(text(&step), "1000/6 | PrepareCommit 1000/6 <5 >-1 v2 {2} ! commit 1000/6 v2 {2}");
    assert_eq!(text(&world.tick()), "");
    world.act(|shard, context| {
        shard.adopt(context, &open);
        shard.loaded(context)
    });
    assert_eq!(text(&world.tick()), "", "that epoch is over");
}

#[test]
fn whatever_is_adopted_is_written_down_in_batches_that_a_log_takes() {
    let mut world = World::with(None);
    let mut open = OpenTransactions::default();
    for id in 0..50 {
        let complete = Value { producer_id: id, client_transaction_version: 2, ..value(CompleteCommit) };
        world.replay(&format!("{id}"), Some(complete));
        (0..10_000).for_each(|index| open.add(producer(id, 5), "t", index));
    }
    world.act(|shard, context| {
        shard.adopt(context, &open);
        shard.loaded(context)
    });
    let (mut written, mut ticks) = (0, 0);
    while world.shard.next_deadline_ms().is_some_and(|at_ms| at_ms <= world.now_ms) {
        let step = world.tick();
        world.write(&step);
        assert!(step.records.len() <= 7 && step.records.iter().all(|it| it.value.is_some()));
        written += step.records.len();
        ticks += 1;
        assert!(ticks < 100);
    }
    assert_eq!(written, 50);
}

/// Partition 2 has something of this id open that the id's log does not know of; what loading it comes to.
fn adopted(world: &mut World, transactional_id: &str, producer_id: i64) -> (Step, OpenTransactions) {
    let complete = Value { producer_id, client_transaction_version: 2, ..value(CompleteCommit) };
    world.replay(transactional_id, Some(complete));
    let mut open = OpenTransactions::default();
    open.add(producer(producer_id, 5), "t", 2);
    let step = world.act(|shard, context| {
        shard.adopt(context, &open);
        shard.loaded(context)
    });
    (step, open)
}

#[test]
fn the_epoch_that_may_be_asked_for_again_is_not_stored() {
    let mut world = World::with(None);
    let (key, bytes) =
        Record { transactional_id: "id".into(), value: Some(value(Empty)) }.encode(2).expect("short texts");
    world.shard.replay(Record::decode(&key, bytes.as_ref()).expect("our own bytes"));
    assert_eq!(text(&world.ask(init(Some((1000, 4))))), "ProducerFenced");
    assert_eq!(text(&world.ask(init(Some((1000, 5))))), "1000/6 | Empty 1000/6 <5 >-1 v0");
}

#[test]
fn what_time_brought_is_tried_again_when_it_could_not_be_written() {
    let mut world = World::with(Some(value(CompleteCommit)));
    world.done(add((1000, 5), 0));
    world.now_ms = 60_000;
    let step = world.tick();
    world.act(|shard, context| shard.write_failed(context, &step));
    assert_eq!(world.shard.next_deadline_ms(), Some(70_000));
    world.now_ms = 70_000;
    let step = world.tick();
    assert_eq!(text(&step), "| PrepareAbort 1000/6 <5 >-1 v2 {0} ! abort 1000/6 v2 {0}", "one bump");
    world.write(&step);
    let completed =
        world.act(|shard, context| shard.markers_written(context, &step.markers[0], &partitions(&[0])));
    world.act(|shard, context| shard.write_failed(context, &completed));
    assert_eq!(world.shard.next_deadline_ms(), Some(80_000));
    world.now_ms = 80_000;
    let step = world.tick();
    assert_eq!(text(&step), "| CompleteAbort 1000/6 <5 >-1 v2");
    world.write(&step);
    assert_eq!(world.shard.next_deadline_ms(), None);
}

#[test]
fn a_request_that_could_not_be_written_changes_nothing() {
    for request in [init(None), add((1000, 5), 1), end((1000, 5), true, 0), end((1000, 5), true, 2)] {
        let mut world = World::with(Some(value(Ongoing)));
        world.act(Shard::loaded);
        let (before, deadline) = (world.shard.describe("id"), world.shard.next_deadline_ms());
        let step = world.ask(request.clone());
        world.act(|shard, context| shard.write_failed(context, &step));
        assert_eq!((world.shard.describe("id"), world.shard.next_deadline_ms()), (before, deadline));
        assert_eq!(world.ask(request), step, "the same again");
    }
    let mut world = World::with(None);
    let step = world.ask(init(None));
    world.act(|shard, context| shard.write_failed(context, &step));
    assert_eq!(world.shard.describe("id"), None);
}

#[test]
fn ids_expire_when_nobody_has_used_them() {
    let mut world = World::with(None);
    let old_ms = WALL_MS - 604_800_000;
    for (id, status, last_update_ms) in [
        ("empty", Empty, old_ms),
        ("aborted", CompleteAbort, old_ms),
        ("committed", CompleteCommit, old_ms),
        ("ending", PrepareAbort, old_ms),
        ("open", Ongoing, old_ms),
        ("young", Empty, old_ms + 3_600_001),
    ] {
        let start_ms = WALL_MS;
        let timeout_ms = i32::MAX;
        world.replay(id, Some(Value { timeout_ms, last_update_ms, start_ms, ..value(status) }));
    }
    world.act(Shard::loaded);
    assert_eq!(world.shard.next_deadline_ms(), Some(3_600_000));
    world.now_ms = 3_600_000;
    world.ahead_ms = 10 * 604_800_000;
    let step = world.tick();
    let gone: Vec<&str> = step.records.iter().map(|record| record.transactional_id.as_str()).collect();
    assert_eq!(gone, ["aborted", "committed", "empty"]);
    assert!(step.records.iter().all(|record| record.value.is_none()));
    world.write(&step);
    assert_eq!(world.shard.list().len(), 3);
    assert_eq!(world.shard.next_deadline_ms(), Some(7_200_000));
}

/// A batch that no log takes would be proposed for ever.
#[test]
fn no_tick_proposes_more_than_a_log_takes() {
    let mut world = World::with(None);
    for index in 0..50 {
        let partitions = partitions(&(0..10_000).collect::<Vec<_>>());
        world.replay(&format!("{index:032000}"), Some(Value { partitions, ..value(Ongoing) }));
        world.replay(&format!("x{index:032000}"), Some(Value { last_update_ms: 0, ..value(Empty) }));
    }
    world.act(Shard::loaded);
    world.now_ms = 3_600_000;
    let (mut aborted, mut gone, mut ticks) = (0, 0, 0);
    while world.shard.next_deadline_ms().is_some_and(|at_ms| at_ms <= world.now_ms) {
        let step = world.tick();
        world.write(&step);
        let bytes = |record: &Record| {
            let (key, value) = record.encode(2).expect("short texts");
            key.len() + value.map_or(0, |value| value.len())
        };
        assert!(step.records.iter().map(bytes).sum::<usize>() < 700_000);
        aborted += step.markers.len();
        gone += step.records.iter().filter(|record| record.value.is_none()).count();
        ticks += 1;
        assert!(ticks < 200);
    }
    assert_eq!((aborted, gone), (50, 50));
}

#[test]
fn what_is_shown() {
    let world = World::with(Some(value(Ongoing)));
    let shown = world.shard.describe("id").expect("it is there");
    assert_eq!(shown.producer, producer(1000, 5));
    assert_eq!(shown.partitions, partitions(&[0]));
    assert_eq!((shown.status, shown.timeout_ms, shown.start_ms), (Ongoing, 60_000, WALL_MS - 3000));
    assert_eq!(world.shard.list(), [shown]);
    assert_eq!(world.shard.describe("another"), None);
    assert_eq!(Shard::default().list(), []);
}
