//! Short forms of the requests about transactions, and what both sides are given between steps.

use wire::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use wire::messages::update_features_request::FeatureUpdateKey;
use wire::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, AddPartitionsToTxnResponse,
    DescribeTransactionsRequest, EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest, ProducerId,
    TransactionalId, UpdateFeaturesRequest,
};

use crate::ask::{text, topic};
use crate::features::shows;
use crate::groups::group;
use crate::pair::{Answers, Pair};
use crate::side::{PATIENCE, Side};

/// Versions from which AddPartitionsToTxn is for many transactions, and from which EndTxn bumps the epoch.
pub const MANY_FROM: i16 = 4;
pub const BUMPS_FROM: i16 = 5;
/// Nobody.
pub const NONE: (i64, i16) = (-1, -1);

/// A transactional id as the generated structs hold it.
pub fn name(id: &str) -> TransactionalId {
    TransactionalId(text(id))
}

/// Who a side takes the producer of this id to be.
pub fn producer(side: &Side, id: &str) -> (i64, i16) {
    (side.number(&format!("{id}.id")), side.number(&format!("{id}.epoch")) as i16)
}

/// As [`producer`], with another epoch.
pub fn shifted(side: &Side, id: &str, by: i16) -> (i64, i16) {
    let (producer_id, epoch) = producer(side, id);
    (producer_id, epoch + by)
}

/// Asks for an id and epoch. `expected` is said from version 3 on.
pub fn init(id: &str, timeout_ms: i32, expected: (i64, i16)) -> InitProducerIdRequest {
    InitProducerIdRequest::default()
        .with_transactional_id(Some(name(id)))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id(ProducerId(expected.0))
        .with_producer_epoch(expected.1)
}

/// Partitions for a transaction, as this version says it.
pub fn add(
    id: &str,
    producer: (i64, i16),
    topics: &[(&str, &[i32])],
    version: i16,
) -> AddPartitionsToTxnRequest {
    let topics = topics.iter().map(|(name, partitions)| {
        AddPartitionsToTxnTopic::default().with_name(topic(name)).with_partitions(partitions.to_vec())
    });
    let request = AddPartitionsToTxnRequest::default();
    if version >= MANY_FROM {
        let one = AddPartitionsToTxnTransaction::default()
            .with_transactional_id(name(id))
            .with_producer_id(ProducerId(producer.0))
            .with_producer_epoch(producer.1)
            .with_topics(topics.collect());
        return request.with_transactions(vec![one]);
    }
    request
        .with_v3_and_below_transactional_id(name(id))
        .with_v3_and_below_producer_id(ProducerId(producer.0))
        .with_v3_and_below_producer_epoch(producer.1)
        .with_v3_and_below_topics(topics.collect())
}

/// The first partition's error.
pub fn added(answer: &AddPartitionsToTxnResponse) -> i16 {
    let newer = answer.results_by_transaction.iter().flat_map(|result| &result.topic_results);
    let mut topics = answer.results_by_topic_v3_and_below.iter().chain(newer);
    let partition = topics.next().and_then(|topic| topic.results_by_partition.first());
    partition.map_or(answer.error_code, |partition| partition.partition_error_code)
}

/// A group for a transaction.
pub fn add_offsets(id: &str, producer: (i64, i16), name_of_group: &str) -> AddOffsetsToTxnRequest {
    AddOffsetsToTxnRequest::default()
        .with_transactional_id(name(id))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_group_id(group(name_of_group))
}

/// The end of a transaction.
pub fn end(id: &str, producer: (i64, i16), commit: bool) -> EndTxnRequest {
    EndTxnRequest::default()
        .with_transactional_id(name(id))
        .with_producer_id(ProducerId(producer.0))
        .with_producer_epoch(producer.1)
        .with_committed(commit)
}

/// Where transactional ids stand.
pub fn describe(ids: &[&str]) -> DescribeTransactionsRequest {
    DescribeTransactionsRequest::default().with_transactional_ids(ids.iter().map(|id| name(id)).collect())
}

/// Until both coordinate transactions and have producer ids.
pub async fn coordinated(pair: &mut Pair, family: &str) {
    let ask = |_: &Side, _| init("", 1000, NONE).with_transactional_id(None);
    pair.settled(&format!("producer ids for {family} are to be had"), 5, ask, |answer| answer.error_code)
        .await;
    for side in &mut pair.sides {
        for _ in 0..100 {
            let found = FindCoordinatorRequest::default().with_key(text("coordinated")).with_key_type(1);
            let is_there = side.call(1, &found).await.is_ok_and(|answer| answer.error_code == 0);
            let answer = side.call(0, &describe(&["coordinated"])).await;
            // TRANSACTIONAL_ID_NOT_FOUND
            if is_there && answer.is_ok_and(|answer| answer.transaction_states[0].error_code == 105) {
                break;
            }
            tokio::time::sleep(PATIENCE / 100).await;
        }
    }
}

/// Both sides' producer of this id, new or come again.
pub async fn initialized(pair: &mut Pair, id: &str, step: &str, version: i16) {
    let ask = |_: &Side, _| init(id, 60_000, NONE);
    let answers = pair.settled(&format!("{id}: {step}"), version, ask, |answer| answer.error_code).await;
    keep(pair, id, answers.map(|answer| answer.map(|answer| (answer.producer_id.0, answer.producer_epoch))));
}

/// Remembers who the producer of this id is.
pub fn keep(pair: &mut Pair, id: &str, producers: [Option<(i64, i16)>; 2]) {
    for (side, producer) in pair.sides.iter_mut().zip(producers) {
        if let Some((producer_id, epoch)) = producer.filter(|producer| producer.0 >= 0) {
            side.keep(&format!("{id}.id"), producer_id);
            side.keep(&format!("{id}.epoch"), i64::from(epoch));
        }
    }
}

/// Partitions are added, and the answer is compared.
pub async fn adds(pair: &mut Pair, id: &str, step: &str, version: i16, topics: &[(&str, &[i32])]) {
    let ask = |side: &Side, version| add(id, producer(side, id), topics, version);
    pair.settled(&format!("{id}: {step}"), version, ask, added).await;
}

/// The transaction is ended, and the producer is who the answer says.
pub async fn ends(pair: &mut Pair, id: &str, step: &str, version: i16, commit: bool) {
    ends_as(pair, id, step, version, commit, 0).await;
}

/// As [`ends`], by a producer whose epoch is so far off.
pub async fn ends_as(pair: &mut Pair, id: &str, step: &str, version: i16, commit: bool, off: i16) {
    let ask = |side: &Side, _| end(id, shifted(side, id, off), commit);
    let answers: Answers<wire::messages::EndTxnResponse> =
        pair.settled(&format!("{id}: {step}"), version, ask, |answer| answer.error_code).await;
    keep(pair, id, answers.map(|answer| answer.map(|answer| (answer.producer_id.0, answer.producer_epoch))));
    rests(pair, id).await;
}

/// Until no end of the id's transaction is under way on either side.
pub async fn rests(pair: &mut Pair, id: &str) {
    for side in &mut pair.sides {
        for _ in 0..500 {
            let answer = side.call(0, &describe(&[id])).await;
            let is_preparing = answer.as_ref().is_ok_and(|answer| {
                answer.transaction_states.iter().any(|state| state.transaction_state.starts_with("Prepare"))
            });
            if !is_preparing {
                break;
            }
            tokio::time::sleep(PATIENCE / 1000).await;
        }
    }
}

/// Finalizes a level of `transaction.version`, and waits until both work with it.
pub async fn finalize(pair: &mut Pair, level: i16) {
    for side in &mut pair.sides {
        for upgrade_type in [1, 2] {
            let update = FeatureUpdateKey::default()
                .with_feature(text("transaction.version"))
                .with_max_version_level(level)
                .with_upgrade_type(upgrade_type);
            let request =
                UpdateFeaturesRequest::default().with_feature_updates(vec![update]).with_timeout_ms(5_000);
            let _ = side.call(1, &request).await;
        }
    }
    for side in &mut pair.sides {
        shows(side, "transaction.version", level).await;
    }
    pair.settle().await;
}
