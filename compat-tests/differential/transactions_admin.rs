//! What administrators and other brokers ask of transactions: ListTransactions, DescribeTransactions, WriteTxnMarkers, and
//! AddPartitionsToTxn as brokers send it.

use wire::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use wire::messages::{ListTransactionsRequest, ProducerId, WriteTxnMarkersRequest};

use crate::ask::{prepare, text, topic};
use crate::pair::Pair;
use crate::produce::read;
use crate::side::Side;
use crate::transactions_produced::{described, write};
use crate::txn::{MANY_FROM, add, adds, coordinated, describe, ends, initialized, producer, rests, shifted};

/// The newest AddPartitionsToTxn of clients and of brokers.
const ADD_MAX: i16 = 3;
const VERIFY_MAX: i16 = 5;
const PATTERNS_FROM: i16 = 2;
const DURATIONS_FROM: i16 = 1;

/// Ends of transactions: producer, epoch, commit, topics, epoch of the coordinator.
type Marker<'a> = ((i64, i16), bool, &'a [(&'a str, &'a [i32])], i32);

/// The steps.
pub async fn script(pair: &mut Pair) {
    coordinated(pair, "transactions_admin").await;
    prepare(pair, "marked", 3, &[]).await;
    initialized(pair, "adm-empty", "begins", 5).await;
    initialized(pair, "adm-open", "begins", 5).await;
    initialized(pair, "adm-open", "begins again", 5).await;
    adds(pair, "adm-open", "first", ADD_MAX, &[("marked", &[0, 2])]).await;
    initialized(pair, "adm-done", "begins", 5).await;
    adds(pair, "adm-done", "first", ADD_MAX, &[("marked", &[0])]).await;
    ends(pair, "adm-done", "commits", 5, true).await;
    verified(pair).await;
    described_ids(pair).await;
    listed(pair).await;
    marked(pair).await;
}

/// Topics and their partitions.
type Places = &'static [(&'static str, &'static [i32])];

/// A broker asks whether a producer may write.
async fn verified(pair: &mut Pair) {
    let ask = |id: &str, producer: (i64, i16), topics: &[(&str, &[i32])], version: i16| {
        let mut request = add(id, producer, topics, version);
        request.transactions[0].verify_only = true;
        request
    };
    let cases: [(&str, &str, i64, i16, Places); 12] = [
        ("added", "adm-open", 0, 0, &[("marked", &[0])]),
        ("added and not", "adm-open", 0, 0, &[("marked", &[0, 1])]),
        ("not added", "adm-open", 0, 0, &[("marked", &[1])]),
        ("not there", "adm-open", 0, 0, &[("marked", &[0, 9])]),
        ("nothing", "adm-open", 0, 0, &[]),
        ("no transaction", "adm-empty", 0, 0, &[("marked", &[0])]),
        ("over", "adm-done", 0, 0, &[("marked", &[0])]),
        ("before the end", "adm-done", 0, -1, &[("marked", &[0])]),
        ("newer epoch", "adm-open", 0, 1, &[("marked", &[0])]),
        ("another producer", "adm-open", 1 << 40, 0, &[("marked", &[0])]),
        ("unknown id", "adm-unknown", 0, 0, &[("marked", &[0])]),
        ("no id", "", 0, 0, &[("marked", &[0, 1])]),
    ];
    for version in MANY_FROM..=VERIFY_MAX {
        for (step, id, other, off, topics) in cases {
            pair.one(&format!("verifies {step}"), version, |side, v| {
                let (producer_id, epoch) = shifted(side, id, off);
                ask(id, (producer_id + other, epoch), topics, v)
            })
            .await;
        }
        pair.one("verifies two at once", version, |side, v| {
            let mut request = ask("adm-open", producer(side, "adm-open"), &[("marked", &[0, 1])], v);
            let other = ask("adm-unknown", (0, 0), &[("marked", &[0])], v);
            request.transactions.extend(other.transactions);
            request
        })
        .await;
        pair.one("verifies and adds", version, |side, v| {
            let mut request = ask("adm-open", producer(side, "adm-open"), &[("marked", &[1])], v);
            let other = add("adm-empty", (1 << 40, 0), &[("marked", &[0])], v);
            request.transactions.extend(other.transactions);
            request
        })
        .await;
    }
}

async fn described_ids(pair: &mut Pair) {
    let cases: [(&str, &[&str]); 4] = [
        ("nobody", &[]),
        ("unknown", &["adm-unknown"]),
        ("no id", &[""]),
        ("several", &["adm-empty", "adm-unknown", "adm-empty"]),
    ];
    for (step, ids) in cases {
        pair.all(&format!("of {step}"), |_, _| describe(ids)).await;
    }
}

/// Only ids of this family are compared, but for unknown states and errors.
async fn listed(pair: &mut Pair) {
    let ours = "adm-.*";
    let states: [&[&str]; 8] = [
        &[],
        &["Ongoing"],
        &["Empty", "CompleteCommit"],
        &["Dead", "PrepareEpochFence", "PrepareCommit", "PrepareAbort"],
        &["ongoing"],
        &["Nonsense", "Ongoing"],
        &["Nonsense", "More", "Nonsense"],
        &[""],
    ];
    for states in states {
        let only: Vec<_> = states.iter().map(|state| text(*state)).collect();
        pair.all(&format!("in {states:?}"), |side, v| {
            let request = ListTransactionsRequest::default().with_state_filters(only.clone());
            if v >= PATTERNS_FROM {
                return request.with_transactional_id_pattern(Some(text(ours)));
            }
            request.with_producer_id_filters(all_of(side))
        })
        .await;
    }
    for producers in [&["adm-open"][..], &["adm-open", "adm-done"]] {
        pair.all(&format!("of {producers:?}"), |side, _| {
            let ids = producers.iter().map(|id| ProducerId(producer(side, id).0));
            ListTransactionsRequest::default().with_producer_id_filters(ids.collect())
        })
        .await;
    }
    for (step, duration_ms) in
        [("none", 0), ("an hour", 3_600_000), ("no", -1), ("all", i64::MAX), ("odd", -7)]
    {
        for version in DURATIONS_FROM..=PATTERNS_FROM {
            pair.one(&format!("open for {step} duration"), version, |side, _| {
                ListTransactionsRequest::default()
                    .with_producer_id_filters(all_of(side))
                    .with_duration_filter(duration_ms)
            })
            .await;
        }
    }
    let patterns = [
        "adm-open",
        "adm-",
        "adm-.*",
        "adm-(open|done)",
        "adm-open|adm-done",
        "",
        "(",
        "adm-[eo].*",
        "*",
        "a{2",
        "x)(y",
        "^adm-open$",
        "adm-\\w+",
    ];
    for pattern in patterns {
        pair.one(&format!("like {pattern:?}"), PATTERNS_FROM, |side, _| {
            ListTransactionsRequest::default()
                .with_producer_id_filters(all_of(side))
                .with_transactional_id_pattern(Some(text(pattern)))
        })
        .await;
    }
}

fn all_of(side: &Side) -> Vec<ProducerId> {
    ["adm-empty", "adm-open", "adm-done"].iter().map(|id| ProducerId(producer(side, id).0)).collect()
}

fn markers(markers: &[Marker]) -> WriteTxnMarkersRequest {
    let markers = markers.iter().map(|((producer_id, epoch), commit, topics, coordinator_epoch)| {
        let topics = topics.iter().map(|(name, partitions)| {
            WritableTxnMarkerTopic::default()
                .with_name(topic(name))
                .with_partition_indexes(partitions.to_vec())
        });
        WritableTxnMarker::default()
            .with_producer_id(ProducerId(*producer_id))
            .with_producer_epoch(*epoch)
            .with_transaction_result(*commit)
            .with_topics(topics.collect())
            .with_coordinator_epoch(*coordinator_epoch)
    });
    WriteTxnMarkersRequest::default().with_markers(markers.collect())
}

/// Markers by hand, as for a transaction that hangs.
async fn marked(pair: &mut Pair) {
    pair.all("no marker", |_, _| markers(&[])).await;
    pair.all("nowhere", |_, _| markers(&[((7_000_000, 0), true, &[], 0)])).await;
    let places: [(&str, Places); 5] = [
        ("unknown topic", &[("nowhere", &[0])]),
        ("unknown partition", &[("marked", &[9, -1])]),
        ("good and bad", &[("marked", &[1, 9]), ("nowhere", &[0])]),
        ("no topic name", &[("", &[0])]),
        ("invalid topic", &[("a b", &[0])]),
    ];
    for (step, topics) in places {
        pair.all(step, |_, _| markers(&[((7_000_000, 0), true, topics, 0)])).await;
    }
    write(pair, "adm-open", "written", 11, "marked", 0, 0).await;
    described(pair, "marked", "open").await;
    let cases: [(&str, i64, i16, bool, i32); 12] = [
        ("older epoch", 0, -1, false, 0),
        ("negative epoch", 0, i16::MIN, false, 0),
        ("negative producer", -2_000_000, 0, false, 0),
        ("unknown producer", 1 << 40, 3, true, 0),
        ("abort", 0, 0, false, 0),
        ("abort again", 0, 0, false, 0),
        ("commit after it", 0, 0, true, 0),
        ("newer coordinator", 0, 0, false, 5),
        ("older coordinator", 0, 0, false, 4),
        ("negative coordinator", 0, 0, false, -1),
        ("newer epoch, newer coordinator", 0, 2, true, 6),
        ("epoch before it", 0, 1, true, 6),
    ];
    for (step, other, off, commit, coordinator_epoch) in cases {
        pair.all(step, |side, _| {
            let (producer_id, epoch) = producer(side, "adm-open");
            let who = (producer_id + other, epoch.saturating_add(off));
            markers(&[(who, commit, &[("marked", &[0])], coordinator_epoch)])
        })
        .await;
        described(pair, "marked", &format!("after {step}")).await;
    }
    pair.all("two of one producer", |_, _| {
        let who = (8_000_000, 0);
        markers(&[(who, true, &[("marked", &[1])], 0), (who, false, &[("marked", &[1, 2, 9])], 0)])
    })
    .await;
    pair.all("two producers", |_, _| {
        markers(&[
            ((8_000_001, 0), true, &[("marked", &[1])], 0),
            ((8_000_002, 3), false, &[("marked", &[1])], 2),
        ])
    })
    .await;
    pair.all("groups", |_, _| markers(&[((8_000_001, 0), true, &[("__consumer_offsets", &[0, 49, 50])], 0)]))
        .await;
    read(pair, "marked").await;
    rests(pair, "adm-open").await;
}
