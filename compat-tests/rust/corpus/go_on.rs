//! A node on an older directory goes on where that was left.

use std::time::Duration;

use model::{Clock, Offset};

use super::ask::fetch;
use super::fill::{IDEMPOTENT, OPEN, append, idempotent, initialize};
use crate::fixture::{Broker, PATIENCE};

/// Checks it by `known`, what the directory held.
pub async fn check(name: &str, broker: &Broker, known: &str) {
    let mut connection = broker.connect().await;
    let last = known.lines().filter(|line| line.starts_with(&format!("record {IDEMPOTENT}-0"))).count() - 1;
    let producer = producer_of(known, &format!("record {IDEMPOTENT}-0 {last} "));
    let batch = |sequence: usize| idempotent(producer, i32::try_from(sequence).expect("few"));
    let again = append(&mut connection, IDEMPOTENT, 0, None, batch(last)).await;
    assert_eq!(again.base_offset.value(), last as i64, "{name}: a retry is recognized");
    let next = append(&mut connection, IDEMPOTENT, 0, None, batch(last + 1)).await;
    assert_eq!(next.base_offset.value(), last as i64 + 1, "{name}: the producer goes on");

    let open = known.lines().find_map(|line| line.strip_prefix(&format!("transaction {OPEN} of ")));
    let begun: i64 = open.expect("it is known").parse().expect("a number");
    let taken = initialize(&mut connection, Some(OPEN), 60_000).await;
    assert_eq!(taken.producer_id.0, begun, "{name}: the transactional id is known");
    let clock = Clock::system();
    loop {
        let found = fetch(&mut connection, OPEN, 0, Offset::ZERO, true).await;
        let aborted = found.aborted_transactions.unwrap_or_default();
        if found.last_stable_offset == found.high_watermark {
            assert_eq!(aborted.len(), 1, "{name}: what nobody ended is aborted");
            break;
        }
        assert!(clock.monotonic() < PATIENCE, "{name}: the transaction is over");
        tokio::time::sleep(Duration::from_millis(10)).await;
    }

    let new = initialize(&mut connection, None, 60_000).await.producer_id.0;
    let records = known.lines().filter(|line| line.starts_with("record "));
    let largest = records.map(|line| producer_of(line, "record ").0).max().unwrap_or(-1);
    assert!(new > largest.max(begun), "{name}: {new} is a new producer");
}

/// Who wrote the first record whose line begins so.
fn producer_of(known: &str, begins: &str) -> (i64, i16) {
    let line = known.lines().find(|line| line.starts_with(begins)).expect("the record is known");
    let (_, rest) = line.split_once(" by ").expect("a producer");
    let (id, rest) = rest.split_once('/').expect("an id");
    let (epoch, _) = rest.split_once(':').expect("an epoch");
    (id.parse().expect("a number"), epoch.parse().expect("a number"))
}
