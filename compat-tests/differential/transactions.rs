//! Transactions from the first InitProducerId to the last EndTxn, at every level of `transaction.version`: what both
//! answer, and how DescribeTransactions shows it.

use std::time::Duration;

use wire::messages::DescribeTransactionsResponse;

use crate::ask::prepare;
use crate::pair::Pair;
use crate::side::Side;
use crate::tree::Tree;
use crate::txn::{
    BUMPS_FROM, NONE, add, add_offsets, added, adds, coordinated, describe, end, ends, ends_as, finalize,
    init, initialized, producer, rests, shifted,
};

/// Newest versions, in the order of the keys.
const INIT_MAX: i16 = 5;
/// The newest that clients speak; brokers speak newer ones.
const ADD_MAX: i16 = 3;
const ADD_OFFSETS_MAX: i16 = 4;
const END_MAX: i16 = 5;
/// Since when InitProducerId tells whom the producer takes itself for.
const EXPECTED_FROM: i16 = 3;

/// The steps.
pub async fn script(pair: &mut Pair) {
    coordinated(pair, "transactions").await;
    prepare(pair, "moved", 3, &[]).await;
    refused_inits(pair).await;
    strangers(pair).await;
    for level in [2, 1, 0] {
        finalize(pair, level).await;
        // At level 0 Kafka cannot write what EndTxn 5 changes, and never gets over it.
        for version in (0..=END_MAX).filter(|version| level > 0 || *version < BUMPS_FROM) {
            life(pair, level, version).await;
        }
        for version in 0..=INIT_MAX {
            fenced(pair, level, version).await;
        }
        for version in EXPECTED_FROM..=INIT_MAX {
            resumed(pair, level, version).await;
        }
        timed_out(pair, level).await;
    }
    finalize(pair, 2).await;
}

async fn refused_inits(pair: &mut Pair) {
    let long = "x".repeat(32_768);
    let cases: [(&str, &str, i32, (i64, i16)); 12] = [
        ("no id", "", 1000, NONE),
        ("no time", "t-refused", 0, NONE),
        ("negative time", "t-refused", -1, NONE),
        ("most time", "t-longest", 900_000, NONE),
        ("too much time", "t-refused", 900_001, NONE),
        ("all time", "t-refused", i32::MAX, NONE),
        ("half a producer, the id", "t-refused", 1000, (4, -1)),
        ("half a producer, the epoch", "t-refused", 1000, (-1, 4)),
        ("unknown, taking itself for somebody", "t-unknown", 1000, (1 << 40, 4)),
        ("no id, and no time", "", 0, NONE),
        ("no time, and half a producer", "t-refused", 0, (4, -1)),
        ("longest id of old versions", &long[1..], 1000, NONE),
    ];
    for (step, id, timeout_ms, expected) in cases {
        pair.all(step, |_, v| init(id, timeout_ms, if v >= EXPECTED_FROM { expected } else { NONE })).await;
    }
}

/// Whoever has no such transactional id, or is not the producer that has it.
async fn strangers(pair: &mut Pair) {
    initialized(pair, "known", "begins", 5).await;
    let who: [(&str, &str, i64, i16); 6] = [
        ("nobody's", "unknown", 0, 0),
        ("no id", "", 0, 0),
        ("another producer", "known", 1 << 40, 0),
        ("old epoch", "known", 0, -1),
        ("newer epoch", "known", 0, 1),
        ("negative producer", "known", -2_000_000, 0),
    ];
    for (step, id, other, off) in who {
        let of = |side: &Side| {
            let (producer_id, epoch) = shifted(side, "known", off);
            (producer_id + other, epoch)
        };
        pair.all(&format!("{step} adds"), |side, v| add(id, of(side), &[("moved", &[0, 1])], v)).await;
        pair.all(&format!("{step} adds nothing"), |side, v| add(id, of(side), &[], v)).await;
        pair.all(&format!("{step} adds what is not there"), |side, v| {
            add(id, of(side), &[("moved", &[0, 9])], v)
        })
        .await;
        pair.all(&format!("{step} adds a group"), |side, _| add_offsets(id, of(side), "group")).await;
        pair.all(&format!("{step} commits"), |side, _| end(id, of(side), true)).await;
        pair.all(&format!("{step} aborts"), |side, _| end(id, of(side), false)).await;
        rests(pair, "known").await;
    }
}

/// One transactional id through several transactions. Whatever a version does not have is asked in its newest.
async fn life(pair: &mut Pair, level: i16, version: i16) {
    let id = &format!("life-{level}-{version}");
    let bumps = version >= BUMPS_FROM;
    let adding = version.min(ADD_MAX);
    let offsets = version.min(ADD_OFFSETS_MAX);
    initialized(pair, id, "begins", version.min(INIT_MAX)).await;
    shows(pair, id, "new").await;
    ends(pair, id, "commits nothing", version, true).await;
    ends(pair, id, "aborts nothing", version, false).await;
    shows(pair, id, "nothing ended").await;
    adds(pair, id, "first", adding, &[("moved", &[0])]).await;
    adds(pair, id, "first again", adding, &[("moved", &[0])]).await;
    adds(pair, id, "second", adding, &[("moved", &[0, 1])]).await;
    adds(pair, id, "one that is not there", adding, &[("moved", &[2, 9]), ("nowhere", &[0])]).await;
    adds(pair, id, "twice the same", adding, &[("moved", &[1, 1])]).await;
    shows(pair, id, "open").await;
    ends(pair, id, "commits", version, true).await;
    shows(pair, id, "committed").await;
    // With a bump, its producer has not heard of it.
    ends_as(pair, id, "commits again", version, true, -i16::from(bumps)).await;
    ends_as(pair, id, "aborts what it has committed", version, false, -i16::from(bumps)).await;
    ends(pair, id, "aborts nothing after a commit", version, false).await;
    ends(pair, id, "commits nothing after that", version, true).await;
    adds(pair, id, "for an abort", adding, &[("moved", &[2]), ("__consumer_offsets", &[3])]).await;
    let grouped = |side: &Side, _| add_offsets(id, producer(side, id), "mover");
    pair.settled(&format!("{id}: adds a group"), offsets, grouped, |answer| answer.error_code).await;
    shows(pair, id, "open for an abort").await;
    ends(pair, id, "aborts", version, false).await;
    shows(pair, id, "aborted").await;
    ends_as(pair, id, "aborts again", version, false, -i16::from(bumps)).await;
    ends_as(pair, id, "commits what it has aborted", version, true, -i16::from(bumps)).await;
    let far = |side: &Side, _| end(id, shifted(side, id, -2), true);
    pair.settled(&format!("{id}: commits as of long ago"), version, far, |answer| answer.error_code).await;
    initialized(pair, id, "begins again", version.min(INIT_MAX)).await;
    let old = |side: &Side, v| add(id, shifted(side, id, -1), &[("moved", &[0])], v);
    pair.settled(&format!("{id}: adds as before"), adding, old, added).await;
    let old = |side: &Side, _| end(id, shifted(side, id, -1), true);
    pair.settled(&format!("{id}: commits as before"), version, old, |answer| answer.error_code).await;
    shows(pair, id, "at last").await;
}

/// Somebody else takes the id in the middle of a transaction.
async fn fenced(pair: &mut Pair, level: i16, version: i16) {
    let id = &format!("fenced-{level}-{version}");
    initialized(pair, id, "begins", version).await;
    adds(pair, id, "first", version.min(ADD_MAX), &[("moved", &[0])]).await;
    // Kafka tells the other to come back and ends the transaction meanwhile; Ottla ends it first.
    let taken = |_: &Side, _| init(id, 60_000, NONE);
    pair.settled(&format!("{id}: taken"), version, taken, |answer| answer.error_code).await;
    shows(pair, id, "taken").await;
    for (step, off) in [("old", 0), ("fencing", 1)] {
        let adds = |side: &Side, v| add(id, shifted(side, id, off), &[("moved", &[0])], v);
        pair.settled(&format!("{id}: {step} epoch adds"), version.min(ADD_MAX), adds, added).await;
        let ends = |side: &Side, _| end(id, shifted(side, id, off), true);
        pair.settled(&format!("{id}: {step} epoch commits"), version, ends, |answer| answer.error_code).await;
    }
    let ends = |side: &Side, _| end(id, shifted(side, id, 0), false);
    let answers = pair.settled(&format!("{id}: aborts"), version, ends, |answer| answer.error_code).await;
    drop(answers);
    rests(pair, id).await;
    initialized(pair, id, "belongs to another", version).await;
    shows(pair, id, "of another").await;
}

/// A producer that takes itself for somebody (KIP-360).
async fn resumed(pair: &mut Pair, level: i16, version: i16) {
    let id = &format!("resumed-{level}-{version}");
    initialized(pair, id, "begins", version).await;
    let cases: [(&str, i64, i16); 8] = [
        ("goes on", 0, 0),
        ("asks again", 0, 0),
        ("and again", 0, 0),
        ("with an epoch of the future", 0, 5),
        ("with the epoch of now", 0, 1),
        ("with the one before", 0, 0),
        ("with none that ever was", 0, -1),
        ("as another", 1 << 40, 0),
    ];
    for (step, other, off) in cases {
        let ask = |side: &Side, _| {
            let (producer_id, epoch) = shifted(side, id, off);
            init(id, 60_000, (producer_id + other, epoch))
        };
        pair.settled(&format!("{id}: {step}"), version, ask, |answer| answer.error_code).await;
    }
    initialized(pair, id, "begins anew", version).await;
    adds(pair, id, "first", ADD_MAX, &[("moved", &[0])]).await;
    for step in ["goes on while open", "asks for that again"] {
        let ask = |side: &Side, _| init(id, 60_000, producer(side, id));
        pair.settled(&format!("{id}: {step}"), version, ask, |answer| answer.error_code).await;
    }
    shows(pair, id, "resumed").await;
}

/// A transaction that is open for too long.
async fn timed_out(pair: &mut Pair, level: i16) {
    let id = &format!("late-{level}");
    let ask = |_: &Side, _| init(id, 500, NONE);
    let answers = pair.settled(&format!("{id}: begins"), 5, ask, |answer| answer.error_code).await;
    crate::txn::keep(
        pair,
        id,
        answers.map(|answer| answer.map(|answer| (answer.producer_id.0, answer.producer_epoch))),
    );
    adds(pair, id, "first", ADD_MAX, &[("moved", &[0])]).await;
    until_aborted(pair, id).await;
    shows(pair, id, "timed out").await;
    for version in [4, 5] {
        for (step, commit) in [("commits", true), ("aborts", false)] {
            let ask = |side: &Side, _| end(id, producer(side, id), commit);
            pair.settled(&format!("{id}: {step} too late"), version, ask, |answer| answer.error_code).await;
            rests(pair, id).await;
        }
    }
    let ask = |side: &Side, v| add(id, producer(side, id), &[("moved", &[0])], v);
    pair.settled(&format!("{id}: adds too late"), ADD_MAX, ask, added).await;
    for step in ["goes on", "asks again"] {
        let ask = |side: &Side, _| init(id, 60_000, producer(side, id));
        pair.settled(&format!("{id}: {step}"), 5, ask, |answer| answer.error_code).await;
    }
    initialized(pair, id, "begins again", 5).await;
}

async fn until_aborted(pair: &mut Pair, id: &str) {
    for side in &mut pair.sides {
        for _ in 0..300 {
            let answer = side.call(0, &describe(&[id])).await;
            let is_aborted = |answer: &DescribeTransactionsResponse| {
                answer.transaction_states.iter().all(|state| &*state.transaction_state == "CompleteAbort")
            };
            if answer.as_ref().is_ok_and(is_aborted) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    }
}

/// How DescribeTransactions shows the id; when it began is compared for being told.
pub async fn shows(pair: &mut Pair, id: &str, step: &str) {
    let show = |answer: &DescribeTransactionsResponse| {
        let mut answer = answer.clone();
        for state in &mut answer.transaction_states {
            state.transaction_start_time_ms = state.transaction_start_time_ms.signum();
        }
        Tree::of(&answer)
    };
    pair.shown(&format!("{id}: {step}"), 0, |_, _| describe(&[id]), show).await;
}
