//! Every state and request: a row each, as Kafka's `TransactionCoordinator` answers.

use super::world::*;
use crate::txn::record::Status::{self, *};
use crate::txn::record::Value;

const LAST: i16 = i16::MAX - 1;
const UNUSED: [Status; 3] = [Empty, CompleteCommit, CompleteAbort];
const ENDING: [Status; 2] = [PrepareCommit, PrepareAbort];
const IMPOSSIBLE: [Status; 2] = [Dead, PrepareEpochFence];

fn check(value: Option<Value>, request: crate::txn::Request, meant: &str) {
    let case = format!("{value:?} {request:?}");
    assert_eq!(text(&World::with(value).ask(request)), meant, "{case}");
}

#[test]
fn init_of_an_id_that_nobody_has_used() {
    for expected in [None, Some((7, 3)), Some((7, LAST))] {
        check(None, init(expected), "2000/0 | Empty 2000/0 <-1 >-1 v0 +id");
    }
}

#[test]
fn init_of_a_known_id() {
    let fence = "ConcurrentTransactions | PrepareAbort 1000/6 <5 >-1 v2 {0} ! abort 1000/6 v2 {0}";
    // What the producer thinks it has; then without a transaction, in one, at the end of one, in a state that cannot be.
    let rows = [
        (None, "1000/6 | Empty 1000/6 <-1 >-1 v0", fence, "ConcurrentTransactions", "UnknownServerError"),
        (
            Some((1000, 5)),
            "1000/6 | Empty 1000/6 <5 >-1 v0",
            fence,
            "ConcurrentTransactions",
            "UnknownServerError",
        ),
        (
            Some((1000, 4)),
            "1000/5 | Empty 1000/5 <4 >-1 v0",
            fence,
            "ConcurrentTransactions",
            "UnknownServerError",
        ),
        (Some((1000, 3)), "ProducerFenced", fence, "ConcurrentTransactions", "UnknownServerError"),
        (Some((1000, 6)), "ProducerFenced", fence, "ConcurrentTransactions", "UnknownServerError"),
        (Some((900, LAST)), "ProducerFenced", fence, "ConcurrentTransactions", "UnknownServerError"),
        (Some((900, 4)), "ProducerFenced", "ProducerFenced", "ConcurrentTransactions", "ProducerFenced"),
        (Some((7, 5)), "ProducerFenced", "ProducerFenced", "ConcurrentTransactions", "ProducerFenced"),
    ];
    for (expected, unused, open, ending, impossible) in rows {
        for status in UNUSED {
            check(Some(value(status)), init(expected), unused);
        }
        check(Some(value(Ongoing)), init(expected), open);
        for status in ENDING {
            check(Some(value(status)), init(expected), ending);
        }
        for status in IMPOSSIBLE {
            check(Some(value(status)), init(expected), impossible);
        }
    }
}

/// The epoch before the last is the last that a client gets; the last one is for fencing it.
#[test]
fn init_at_the_end_of_the_epochs() {
    let rows = [
        (LAST - 1, LAST - 2, None, "1000/32766 | Empty 1000/32766 <-1 >-1 v0"),
        (LAST - 1, LAST - 2, Some((1000, LAST - 1)), "1000/32766 | Empty 1000/32766 <32765 >-1 v0"),
        // It did not hear of the last bump.
        (LAST, LAST - 1, Some((1000, LAST - 1)), "1000/32766 | Empty 1000/32766 <32765 >-1 v0"),
        (LAST, LAST - 1, Some((1000, LAST - 2)), "ProducerFenced"),
        (LAST, LAST - 1, None, "2000/0 | Empty 2000/0 <-1 >-1 v0 +id"),
        (LAST, LAST - 1, Some((1000, LAST)), "2000/0 | Empty 2000/0 <32766 >-1 v0 +id"),
        // Fenced with the last epoch, which is given to nobody: whoever may come back for it gets another id.
        (i16::MAX, LAST, None, "2000/0 | Empty 2000/0 <-1 >-1 v0 +id"),
        (i16::MAX, LAST, Some((1000, LAST)), "2000/0 | Empty 2000/0 <32766 >-1 v0 +id"),
        (i16::MAX, -1, Some((1000, LAST)), "ProducerFenced"),
        // It did not hear of the new id, of which 900 is the one before.
        (0, LAST, Some((900, LAST)), "1000/0 | Empty 1000/0 <32766 >-1 v0"),
        (0, -1, Some((900, LAST)), "ProducerFenced"),
        (1, LAST, Some((900, LAST - 1)), "ProducerFenced"),
    ];
    for (epoch, last, expected, meant) in rows {
        for status in UNUSED {
            let value = Value { producer_epoch: epoch, last_producer_epoch: last, ..value(status) };
            check(Some(value), init(expected), meant);
        }
    }
}

#[test]
fn add_partitions() {
    for status in IMPOSSIBLE.into_iter().chain(ENDING).chain(UNUSED).chain([Ongoing]) {
        // The next producer id may be known to its holder before its end is written everywhere.
        let first = |otherwise| if ENDING.contains(&status) { "ConcurrentTransactions" } else { otherwise };
        for of in [(7, 5), (7, 4), (900, LAST)] {
            check(Some(value(status)), add(of, 0), first("InvalidProducerIdMapping"));
            check(Some(value(status)), verify(of, 0), "InvalidProducerIdMapping");
        }
        for epoch in [4, 6, -1] {
            check(Some(value(status)), add((1000, epoch), 0), first("ProducerFenced"));
            check(Some(value(status)), verify((1000, epoch), 0), "ProducerFenced");
        }
    }
    for status in UNUSED {
        check(Some(value(status)), add((1000, 5), 1), "ok | Ongoing 1000/5 <4 >-1 v2 {1}");
        check(Some(value(status)), verify((1000, 5), 0), "ok:TransactionAbortable");
    }
    for status in ENDING {
        check(Some(value(status)), add((1000, 5), 0), "ConcurrentTransactions");
        check(Some(value(status)), verify((1000, 5), 0), "ConcurrentTransactions");
    }
    check(Some(value(Ongoing)), add((1000, 5), 0), "ok");
    check(Some(value(Ongoing)), add((1000, 5), 1), "ok | Ongoing 1000/5 <4 >-1 v2 {0, 1}");
    check(Some(value(Ongoing)), verify((1000, 5), 0), "ok");
    check(Some(value(Ongoing)), verify((1000, 5), 1), "ok:TransactionAbortable");
    check(None, add((1000, 5), 0), "InvalidProducerIdMapping");
    check(None, verify((1000, 5), 0), "InvalidProducerIdMapping");
}

#[test]
fn end_before_kip_890() {
    let rows = [
        (Empty, "InvalidTxnState", "InvalidTxnState"),
        (
            Ongoing,
            "ok | PrepareCommit 1000/5 <4 >-1 v0 {0} ! commit 1000/5 v0 {0}",
            "ok | PrepareAbort 1000/5 <4 >-1 v0 {0} ! abort 1000/5 v0 {0}",
        ),
        (PrepareCommit, "ConcurrentTransactions", "ConcurrentTransactions"),
        (PrepareAbort, "ConcurrentTransactions", "ConcurrentTransactions"),
        (CompleteCommit, "ok", "InvalidTxnState"),
        (CompleteAbort, "InvalidTxnState", "ok"),
        (Dead, "UnknownServerError", "UnknownServerError"),
        (PrepareEpochFence, "UnknownServerError", "UnknownServerError"),
    ];
    for (status, commits, aborts) in rows {
        for version in [0, 1] {
            check(Some(value(status)), end((1000, 5), true, version), commits);
            check(Some(value(status)), end((1000, 5), false, version), aborts);
        }
        for commit in [true, false] {
            for of in [(7, 5), (7, 4), (900, LAST)] {
                check(Some(value(status)), end(of, commit, 0), "InvalidProducerIdMapping");
            }
            for epoch in [4, 6] {
                check(Some(value(status)), end((1000, epoch), commit, 0), "ProducerFenced");
            }
        }
    }
    for version in [0, 2] {
        check(None, end((1000, 5), true, version), "InvalidProducerIdMapping");
    }
}

#[test]
fn end_of_kip_890() {
    let nothing = "1000/6 | PrepareAbort 1000/6 <5 >-1 v2 | CompleteAbort 1000/6 <5 >-1 v2";
    let (fenced, wrong, busy) = ("ProducerFenced", "InvalidTxnState", "ConcurrentTransactions");
    let commit = "1000/6 | PrepareCommit 1000/6 <5 >-1 v2 {0} ! commit 1000/6 v2 {0}";
    let abort = "1000/6 | PrepareAbort 1000/6 <5 >-1 v2 {0} ! abort 1000/6 v2 {0}";
    let failed = "UnknownServerError";
    // Commit and abort of a producer that has not heard of the last end; then of one that has the current epoch.
    let rows = [
        (Empty, fenced, fenced, wrong, nothing),
        (Ongoing, fenced, fenced, commit, abort),
        (PrepareCommit, busy, busy, busy, busy),
        (PrepareAbort, busy, busy, busy, busy),
        (CompleteCommit, "1000/5", wrong, wrong, nothing),
        (CompleteAbort, wrong, "1000/5", wrong, nothing),
        (Dead, fenced, fenced, failed, failed),
        (PrepareEpochFence, fenced, fenced, failed, failed),
    ];
    for (status, commits_again, aborts_again, commits, aborts) in rows {
        let first = |otherwise| if ENDING.contains(&status) { busy } else { otherwise };
        check(Some(value(status)), end((1000, 4), true, 2), commits_again);
        check(Some(value(status)), end((1000, 4), false, 2), aborts_again);
        check(Some(value(status)), end((1000, 5), true, 2), commits);
        check(Some(value(status)), end((1000, 5), false, 2), aborts);
        for commit in [true, false] {
            for epoch in [3, 6, i16::MAX] {
                check(Some(value(status)), end((1000, epoch), commit, 2), first(fenced));
            }
            for of in [(7, 5), (7, 4), (900, LAST)] {
                check(Some(value(status)), end(of, commit, 2), first("InvalidProducerIdMapping"));
            }
        }
    }
}

#[test]
fn end_of_kip_890_at_the_end_of_the_epochs() {
    let at = |status, producer_epoch| Value { producer_epoch, ..value(status) };
    let commit = "2000/0 | PrepareCommit 1000/32767 <32766 >2000 v2 {0} ! commit 1000/32767 v2 {0} +id";
    check(Some(at(Ongoing, LAST)), end((1000, LAST), true, 2), commit);
    let abort = "2000/0 | PrepareAbort 1000/32767 <32766 >2000 v2 {0} ! abort 1000/32767 v2 {0} +id";
    check(Some(at(Ongoing, LAST)), end((1000, LAST), false, 2), abort);
    let nothing = "2000/0 | PrepareAbort 1000/32767 <32766 >2000 v2 | CompleteAbort 2000/0 <32766 >-1 v2 +id";
    for status in UNUSED {
        check(Some(at(status, LAST)), end((1000, LAST), false, 2), nothing);
    }
    // It has not heard of the end, which is still written.
    check(Some(at(PrepareCommit, i16::MAX)), end((1000, LAST), true, 2), "ConcurrentTransactions");
    check(Some(at(PrepareAbort, i16::MAX)), end((1000, LAST), true, 2), "ConcurrentTransactions");
    // It was told the new id, and is quick.
    for commit in [true, false] {
        check(Some(at(PrepareCommit, i16::MAX)), end((2000, 0), commit, 2), "ConcurrentTransactions");
    }
    // Or which is written: 1000 is the new id here, 900 the old one.
    check(Some(at(CompleteCommit, 0)), end((900, LAST), true, 2), "1000/0");
    check(Some(at(CompleteAbort, 0)), end((900, LAST), false, 2), "1000/0");
    check(Some(at(CompleteCommit, 0)), end((900, LAST), false, 2), "InvalidTxnState");
    check(Some(at(CompleteAbort, 0)), end((900, LAST), true, 2), "InvalidTxnState");
    for status in [Empty, Ongoing] {
        check(Some(at(status, 0)), end((900, LAST), true, 2), "ProducerFenced");
    }
    check(Some(at(CompleteCommit, 1)), end((900, LAST), true, 2), "InvalidProducerIdMapping");
    // Ended by the coordinator: nobody gets the last epoch. Whoever may come back for it gets another id.
    let ended = |last_producer_epoch| Value { last_producer_epoch, ..at(CompleteAbort, i16::MAX) };
    let another = "2000/0 | PrepareAbort 1000/32767 <32766 >2000 v2 | CompleteAbort 2000/0 <32766 >-1 v2 +id";
    check(Some(ended(LAST)), end((1000, LAST), false, 2), another);
    check(Some(ended(LAST)), end((1000, LAST), true, 2), "InvalidTxnState");
    check(Some(ended(-1)), end((1000, LAST), false, 2), "ProducerFenced");
}
