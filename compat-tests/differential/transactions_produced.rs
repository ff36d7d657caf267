//! Records in transactions, at every level of `transaction.version`: who may write them, and what readers see before,
//! while and after a transaction ends.

use wire::fetch::{FetchRequest, FetchTopic};
use wire::messages::describe_producers_request::TopicRequest;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsTopic};
use wire::messages::{BrokerId, DescribeProducersRequest, DescribeProducersResponse, ListOffsetsRequest};
use wire::produce::ProduceRequest;

use crate::ask::{prepare, text, topic};
use crate::batches::{batch, idempotent, produce_to, show_fetch, topic_ref, transactional, wish};
use crate::pair::Pair;
use crate::side::Side;
use crate::tree::Tree;
use crate::txn::{NONE, add, adds, coordinated, end, ends, finalize, init, initialized, producer, shifted};

/// The newest AddPartitionsToTxn that clients speak.
const ADD_MAX: i16 = 3;
const PRODUCE_MIN: i16 = 3;
const PRODUCE_MAX: i16 = 13;
/// Since when a Produce adds its partitions to the transaction.
const ADDS_FROM: i16 = 12;

/// The steps.
pub async fn script(pair: &mut Pair) {
    coordinated(pair, "transactions_produced").await;
    for level in [2, 1, 0] {
        finalize(pair, level).await;
        let name = &format!("written-{level}");
        prepare(pair, name, 3, &[]).await;
        // At level 0 Kafka cannot write what a Produce adds, and never gets over it.
        for version in (PRODUCE_MIN..=PRODUCE_MAX).filter(|version| level > 0 || *version < ADDS_FROM) {
            written(pair, level, version, name).await;
        }
        isolated(pair, level).await;
        fenced(pair, level).await;
    }
    finalize(pair, 2).await;
}

fn records(
    side: &Side,
    id: &str,
    (off, sequence): (i16, i32),
    now_ms: i64,
    name: &str,
    partition: i32,
    version: i16,
) -> ProduceRequest {
    let (producer_id, epoch) = shifted(side, id, off);
    let records = transactional((producer_id, epoch, sequence), now_ms, &["value"]);
    ProduceRequest {
        transactional_id: Some(text(id)),
        ..produce_to(topic_ref(side, name, version), partition, -1, Some(records))
    }
}

fn first_error(answer: &wire::produce::ProduceResponse) -> i16 {
    let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
    partition.map_or(0, |partition| partition.error.code())
}

/// One record of this id's producer in its transaction.
pub async fn write(
    pair: &mut Pair,
    id: &str,
    step: &str,
    version: i16,
    name: &str,
    partition: i32,
    sequence: i32,
) {
    let now_ms = pair.start_ms;
    let ask = |side: &Side, v| records(side, id, (0, sequence), now_ms, name, partition, v);
    pair.settled(&format!("{id}: {step}"), version, ask, first_error).await;
}

/// The producers of partition 0; when they wrote last is compared for being told.
pub async fn described(pair: &mut Pair, name: &str, step: &str) {
    let ask = |_: &Side, _| {
        let asked = TopicRequest::default().with_name(topic(name)).with_partition_indexes(vec![0]);
        DescribeProducersRequest::default().with_topics(vec![asked])
    };
    let show = |answer: &DescribeProducersResponse| {
        let mut answer = answer.clone();
        for partition in answer.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
            partition
                .active_producers
                .iter_mut()
                .for_each(|one| one.last_timestamp = one.last_timestamp.signum());
        }
        Tree::of(&answer)
    };
    pair.shown(&format!("producers of {name}, {step}"), 0, ask, show).await;
}

/// Who may write into a transaction, in one version of Produce.
async fn written(pair: &mut Pair, level: i16, version: i16, name: &str) {
    let id = &format!("w-{level}-{version}");
    let now_ms = pair.start_ms;
    initialized(pair, id, "begins", 5).await;
    let nobody = |side: &Side, v| {
        let (producer_id, epoch) = producer(side, id);
        let records = transactional((producer_id, epoch, 0), now_ms, &["value"]);
        produce_to(topic_ref(side, name, v), 0, -1, Some(records))
    };
    pair.one(&format!("{id}: without its id"), version, nobody).await;
    let plain = |side: &Side, v| ProduceRequest {
        transactional_id: Some(text(id)),
        ..produce_to(topic_ref(side, name, v), 2, -1, Some(batch(now_ms, &["value"])))
    };
    pair.one(&format!("{id}: records of nobody"), version, plain).await;
    for (step, off) in [("an old epoch", -1), ("an epoch to come", 1)] {
        let ask = |side: &Side, v| records(side, id, (off, 0), now_ms, name, 0, v);
        pair.settled(&format!("{id}: of {step}"), version, ask, first_error).await;
    }
    if version < ADDS_FROM {
        write(pair, id, "not added", version, name, 0, 0).await;
        adds(pair, id, "partition 0", ADD_MAX, &[(name, &[0])]).await;
        write(pair, id, "not added, others are", version, name, 1, 0).await;
    }
    write(pair, id, "first", version, name, 0, 0).await;
    write(pair, id, "first again", version, name, 0, 0).await;
    write(pair, id, "second", version, name, 0, 1).await;
    write(pair, id, "a gap", version, name, 0, 7).await;
    write(pair, id, "to nowhere", version, name, 9, 0).await;
    for (step, off) in [("an old epoch", -1), ("an epoch to come", 1)] {
        let ask = |side: &Side, v| records(side, id, (off, 2), now_ms, name, 0, v);
        pair.settled(&format!("{id}: of {step} while open"), version, ask, first_error).await;
    }
    let plain = |side: &Side, v| {
        let (producer_id, epoch) = producer(side, id);
        produce_to(
            topic_ref(side, name, v),
            0,
            -1,
            Some(idempotent((producer_id, epoch, 2), now_ms, &["value"])),
        )
    };
    pair.one(&format!("{id}: outside its transaction"), version, plain).await;
    let bumps = version >= ADDS_FROM;
    ends(pair, id, "commits", if bumps { 5 } else { 4 }, true).await;
    let off = -i16::from(bumps);
    let late = |side: &Side, v| records(side, id, (off, 2), now_ms, name, 0, v);
    pair.settled(&format!("{id}: too late"), version, late, first_error).await;
    let late = |side: &Side, v| records(side, id, (off, 1), now_ms, name, 0, v);
    pair.settled(&format!("{id}: too late, a duplicate"), version, late, first_error).await;
    if !bumps {
        adds(pair, id, "again", ADD_MAX, &[(name, &[0])]).await;
    }
    let next = if bumps { 0 } else { 2 };
    write(pair, id, "of the next", version, name, 0, next).await;
    ends(pair, id, "aborts", if bumps { 5 } else { 4 }, false).await;
}

/// What readers see of open, committed and aborted transactions.
async fn isolated(pair: &mut Pair, level: i16) {
    let name = &format!("isolated-{level}");
    prepare(pair, name, 1, &[]).await;
    let end_version = if level == 2 { 5 } else { 4 };
    let now_ms = pair.start_ms;
    let [first, second, third] = ["a", "b", "c"].map(|who| format!("iso-{level}-{who}"));
    for id in [&first, &second, &third] {
        initialized(pair, id, "begins", 5).await;
    }
    pair.one(&format!("{name}: before all"), 12, |side, v| {
        produce_to(topic_ref(side, name, v), 0, -1, Some(batch(now_ms, &["plain"])))
    })
    .await;
    let mut sequences = [0, 0, 0];
    let script: [(usize, &str); 12] = [
        (0, "write"),
        (1, "write"),
        (0, "write"),
        (1, "commit"),
        (2, "write"),
        (0, "abort"),
        (1, "write"),
        (2, "abort"),
        (1, "abort"),
        (0, "write"),
        (0, "commit"),
        (2, "write"),
    ];
    for (at, (who, what)) in script.into_iter().enumerate() {
        let id = [&first, &second, &third][who];
        if what == "write" {
            if level < 2 {
                adds(pair, id, &format!("{at} adds"), ADD_MAX, &[(name, &[0])]).await;
            }
            let version = if level < 2 { 11 } else { PRODUCE_MAX };
            write(pair, id, &format!("{at} writes"), version, name, 0, sequences[who]).await;
            sequences[who] += 1;
        } else {
            ends(pair, id, &format!("{at} {what}s"), end_version, what == "commit").await;
            if level == 2 {
                sequences[who] = 0;
            }
        }
        seen(pair, name, &format!("after {at}")).await;
    }
    described(pair, name, "at last").await;
    for version in 4..=18 {
        for isolation_level in [0, 1] {
            let step = format!("{name} at isolation {isolation_level}");
            pair.shown(&step, version, |side, v| reading(side, v, name, isolation_level, 0), show_fetch)
                .await;
        }
        let step = format!("{name} from the middle");
        pair.shown(&step, version, |side, v| reading(side, v, name, 1, 5), show_fetch).await;
    }
    ends(pair, &third, "ends it", end_version, true).await;
    seen(pair, name, "once all have ended").await;
}

fn reading(side: &Side, version: i16, name: &str, isolation_level: i8, offset: i64) -> FetchRequest {
    let topics =
        vec![FetchTopic { topic: topic_ref(side, name, version), partitions: vec![wish(0, offset)] }];
    FetchRequest { topics, isolation_level, ..FetchRequest::default() }
}

async fn seen(pair: &mut Pair, name: &str, step: &str) {
    for isolation_level in [0, 1] {
        let read = format!("{name} {step} at isolation {isolation_level}");
        pair.shown(&read, 12, |side, v| reading(side, v, name, isolation_level, 0), show_fetch).await;
        for timestamp in [-1, -2, -3, 0] {
            pair.one(&format!("{read}, offset at {timestamp}"), 7, |_, _| {
                let partition = ListOffsetsPartition::default().with_timestamp(timestamp);
                let asked =
                    ListOffsetsTopic::default().with_name(topic(name)).with_partitions(vec![partition]);
                ListOffsetsRequest::default()
                    .with_replica_id(BrokerId(-1))
                    .with_isolation_level(isolation_level)
                    .with_topics(vec![asked])
            })
            .await;
        }
    }
    described(pair, name, step).await;
}

/// A producer whose id somebody else takes, with records in its transaction.
async fn fenced(pair: &mut Pair, level: i16) {
    let name = &format!("taken-{level}");
    prepare(pair, name, 2, &[]).await;
    let now_ms = pair.start_ms;
    for version in [11, PRODUCE_MAX].into_iter().filter(|version| level > 0 || *version < ADDS_FROM) {
        let id = &format!("zombie-{level}-{version}");
        initialized(pair, id, "begins", 5).await;
        if version < ADDS_FROM {
            adds(pair, id, "partition 0", ADD_MAX, &[(name, &[0])]).await;
        }
        write(pair, id, "first", version, name, 0, 0).await;
        let taken = |_: &Side, _| init(id, 60_000, NONE);
        pair.settled(&format!("{id}: taken"), 5, taken, |answer| answer.error_code).await;
        let late = |side: &Side, v| records(side, id, (0, 1), now_ms, name, 0, v);
        pair.settled(&format!("{id}: the zombie goes on"), version, late, first_error).await;
        let late = |side: &Side, v| records(side, id, (0, 0), now_ms, name, 1, v);
        pair.settled(&format!("{id}: the zombie goes elsewhere"), version, late, first_error).await;
        let late = |side: &Side, v| add(id, producer(side, id), &[(&**name, &[1])], v);
        pair.settled(&format!("{id}: the zombie adds"), ADD_MAX, late, crate::txn::added).await;
        for end_version in if level > 0 { 4..=5 } else { 4..=4 } {
            let late = |side: &Side, _| end(id, producer(side, id), true);
            pair.settled(&format!("{id}: the zombie commits"), end_version, late, |answer| answer.error_code)
                .await;
        }
        initialized(pair, id, "is another's", 5).await;
        if version < ADDS_FROM {
            adds(pair, id, "partition 0 of another", ADD_MAX, &[(name, &[0])]).await;
        }
        write(pair, id, "of another", version, name, 0, 0).await;
        ends(pair, id, "ends", if version < ADDS_FROM { 4 } else { 5 }, true).await;
        seen(pair, name, &format!("after {id}")).await;
    }
}
