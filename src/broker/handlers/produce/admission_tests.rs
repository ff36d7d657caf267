use model::{ProducerEpoch, ProducerId};
use records::BatchBuilder;

use super::super::refusal::refusal_of;
use super::*;
use crate::handlers::test_support::{TOPIC, batch_at, produce};

fn records(producer_id: i64, epoch: i16) -> Bytes {
    let producer = BatchBuilder::new().producer(ProducerId::new(producer_id), ProducerEpoch::new(epoch), 0);
    let mut builder = producer.transactional();
    builder.append(1, Some(b"key"), Some(b"value"), &[]);
    builder.build().unwrap()
}

fn request(support: TransactionSupport, batches: &[Bytes]) -> ProduceRequest {
    let mut request = produce(-1, TOPIC, 0, batches[0].clone());
    for (index, batch) in (1..).zip(&batches[1..]) {
        request.topics[0]
            .partitions
            .extend(produce(-1, TOPIC, index, batch.clone()).topics.remove(0).partitions);
    }
    request.transactional_id = Some("tx".into());
    request.transaction_support = support;
    request
}

fn settings(verify_partitions: bool) -> resolved::Transactions {
    let inputs = config::Inputs::default();
    let transactions = config::load(&inputs).unwrap().broker.transactions;
    resolved::Transactions { verify_partitions, ..transactions }
}

/// `AddPartitionsToTxnHandler` and `ReplicaManager.handleProduceAppend`.
#[test]
fn each_generation_of_clients_is_told_what_it_understands() {
    use ErrorCode as E;
    use TransactionSupport::{AbortableError, AddsPartitions, Classic};
    let told = |support, code| {
        let transaction = Transaction::of(&request(support, &[records(1, 0)]), &settings(true)).unwrap();
        let answer = transaction.told(code).answer(0);
        assert_eq!(answer.log_start_offset.value(), -1);
        (answer.error, answer.error_message.is_some())
    };
    for support in [Classic, AbortableError, AddsPartitions] {
        assert_eq!(told(support, E::ProducerFenced), (E::InvalidProducerEpoch, false));
        assert_eq!(told(support, E::InvalidProducerIdMapping), (E::InvalidProducerIdMapping, false));
        assert_eq!(told(support, E::InvalidTxnState), (E::InvalidTxnState, true));
        for code in [E::NotCoordinator, E::CoordinatorNotAvailable, E::CoordinatorLoadInProgress] {
            assert_eq!(told(support, code), (E::NotEnoughReplicas, true), "{code:?}");
        }
    }
    assert_eq!(told(Classic, E::TransactionAbortable), (E::InvalidTxnState, true));
    assert_eq!(told(AbortableError, E::TransactionAbortable), (E::TransactionAbortable, false));
    assert_eq!(told(AbortableError, E::ConcurrentTransactions), (E::NotEnoughReplicas, true));
    assert_eq!(told(AddsPartitions, E::ConcurrentTransactions), (E::ConcurrentTransactions, false));
}

#[test]
fn who_adds_partitions_always_asks() {
    use TransactionSupport::{AbortableError, AddsPartitions};
    let is_asked = |support, verify| {
        Transaction::of(&request(support, &[records(1, 0)]), &settings(verify)).unwrap().is_asked
    };
    assert!(
        is_asked(AbortableError, true) && is_asked(AddsPartitions, true) && is_asked(AddsPartitions, false)
    );
    assert!(!is_asked(AbortableError, false), "transaction.partition.verification.enable=false");
    assert!(Transaction::of(&produce(-1, TOPIC, 0, batch_at(&[1])), &settings(true)).is_none());
}

#[test]
fn a_request_is_of_one_transactional_producer() {
    let refusal = |batches: &[Bytes]| {
        let refused = refusal_of(&request(TransactionSupport::AddsPartitions, batches));
        refused.map(|refusal| refusal.answer(0).error)
    };
    let plain = batch_at(&[1]);
    assert_eq!(refusal(&[records(1, 0), plain.clone(), records(1, 0)]), None);
    for other in [records(2, 0), records(1, 1)] {
        let refused = refusal(&[plain.clone(), records(1, 0), other]);
        assert_eq!(refused, Some(ErrorCode::InvalidProducerIdMapping));
    }
}
