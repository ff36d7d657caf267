//! Transactional producers of both generations, for the tests of this room.

use std::collections::BTreeMap;
use std::time::Duration;

use bytes::Bytes;
use coordinator::txn::record::Status;
use coordinator::txn::{
    AddPartitionsRequest, EndTxnRequest, InitProducerIdRequest, PartitionErrors, ProducerIdAndEpoch, Reply,
    Request,
};
use model::topic_name::TRANSACTION_STATE;
use model::{BatchHeader, ErrorCode, Offset, ProducerEpoch, ProducerId};
use records::{BatchBuilder, EndTxnMarker, OpenBatch};
use storage::{Access, ReadRequest};
use wire::produce::{ProducePartitionResponse, ProduceRequest, TransactionSupport};

use super::produce::ProduceOutcome;
use super::test_support::{TOPIC, TestBroker, produce};
use crate::partition::Partition;

/// A producer with a transactional id, which writes to [`TOPIC`].
#[derive(Clone, Debug)]
pub(crate) struct Producer {
    pub id: &'static str,
    pub now: ProducerIdAndEpoch,
    pub support: TransactionSupport,
    next: BTreeMap<i32, i32>,
    /// Of its records. Older ones would have each marker begin a segment.
    wall_ms: i64,
}

impl Producer {
    /// With a topic for its transactional id, where there is none.
    pub(crate) async fn start(node: &TestBroker, id: &'static str, support: TransactionSupport) -> Self {
        if node.broker.metadata.image().topic(TRANSACTION_STATE).is_none() {
            node.create(TRANSACTION_STATE, 1, &[("cleanup.policy", "compact")]).await;
        }
        loop {
            let init =
                InitProducerIdRequest { transactional_id: id.to_owned(), timeout_ms: 60_000, expected: None };
            match node.broker.transactions.ask(Request::InitProducerId(init)).await {
                Ok(Reply::InitProducerId(Ok(now))) => {
                    let wall_ms = node.broker.clock.wall_ms();
                    return Self { id, now, support, next: BTreeMap::new(), wall_ms };
                }
                Err(ErrorCode::CoordinatorLoadInProgress)
                | Ok(Reply::InitProducerId(Err(ErrorCode::ConcurrentTransactions))) => {
                    tokio::time::sleep(Duration::from_millis(5)).await;
                }
                other => panic!("{other:?}"),
            }
        }
    }

    fn bumps(&self) -> bool {
        self.support == TransactionSupport::AddsPartitions
    }

    /// A batch of its present epoch.
    pub(crate) fn batch(&self, sequence: i32, value: &str) -> Bytes {
        let (id, epoch) = (self.now.producer_id, self.now.producer_epoch);
        let builder = BatchBuilder::new().producer(ProducerId::new(id), ProducerEpoch::new(epoch), sequence);
        let mut builder = builder.transactional();
        builder.append(self.wall_ms, Some(b"key"), Some(value.as_bytes()), &[]);
        builder.build().unwrap()
    }

    pub(crate) fn request(&self, acks: i16, partition: i32, batch: Bytes) -> ProduceRequest {
        ProduceRequest {
            transactional_id: Some(self.id.into()),
            transaction_support: self.support,
            ..produce(acks, TOPIC, partition, batch)
        }
    }

    pub(crate) async fn add(&self, node: &TestBroker, partition: i32) -> Result<PartitionErrors, ErrorCode> {
        let add = AddPartitionsRequest {
            transactional_id: self.id.to_owned(),
            producer: self.now,
            partitions: [(TOPIC.to_owned(), [partition].into())].into(),
            verify_only: false,
            transaction_version: 0,
        };
        loop {
            match node.broker.transactions.ask(Request::AddPartitions(add.clone())).await {
                Ok(Reply::AddPartitions(Err(ErrorCode::ConcurrentTransactions))) => {}
                Ok(Reply::AddPartitions(answer)) => return answer,
                other => panic!("{other:?}"),
            }
        }
    }

    pub(crate) async fn send(
        &self,
        node: &TestBroker,
        partition: i32,
        sequence: i32,
        value: &str,
    ) -> ProducePartitionResponse {
        respond(node, self.request(-1, partition, self.batch(sequence, value))).await
    }

    /// The next record of a transaction, which must be taken.
    pub(crate) async fn write(&mut self, node: &TestBroker, partition: i32, value: &str) -> Offset {
        if !self.bumps() {
            self.add(node, partition).await.unwrap();
        }
        let sequence = *self.next.entry(partition).and_modify(|next| *next += 1).or_insert(0);
        let answer = self.send(node, partition, sequence, value).await;
        assert!(answer.error.is_none(), "{answer:?}");
        answer.base_offset
    }

    /// Decides, and does not wait for the markers.
    pub(crate) async fn decide(&mut self, node: &TestBroker, commit: bool) -> Result<(), ErrorCode> {
        let end = EndTxnRequest {
            transactional_id: self.id.to_owned(),
            producer: self.now,
            commit,
            transaction_version: if self.bumps() { 2 } else { 0 },
        };
        match node.broker.transactions.ask(Request::EndTxn(end)).await? {
            Reply::EndTxn(Ok(next)) => {
                if let Some(next) = next {
                    self.now = next;
                    self.next.clear();
                }
                Ok(())
            }
            Reply::EndTxn(Err(code)) => Err(code),
            other => panic!("{other:?}"),
        }
    }

    /// Ends the transaction: its markers are there when this returns.
    pub(crate) async fn end(&mut self, node: &TestBroker, commit: bool) {
        self.decide(node, commit).await.unwrap();
        loop {
            let described = node.broker.transactions.look(self.id, |shard, _| shard.describe(self.id)).await;
            let status = described.unwrap().unwrap().status;
            if matches!(status, Status::CompleteCommit | Status::CompleteAbort) {
                return;
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
    }
}

/// The values that readers of committed records find in a partition, as consumers sort them out: batches below the last
/// stable offset, without those of producers that the list of aborted transactions has.
pub(crate) fn committed(partition: &Partition) -> Vec<String> {
    let offsets = partition.offsets();
    let mut aborted: Vec<storage::AbortedTxn> =
        match partition.aborted_lookup(offsets.log_start, offsets.last_stable).unwrap() {
            Some(mut lookup) => lookup.run(Access::Disk).unwrap(),
            None => Vec::new(),
        };
    aborted.sort_by_key(|txn| txn.first_offset);
    let (mut open, mut values, mut from) = (std::collections::BTreeSet::new(), Vec::new(), offsets.log_start);
    while from < offsets.last_stable {
        let request =
            ReadRequest { offset: from, bytes_max: 1, upper_bound: offsets.last_stable, min_one_batch: true };
        let batch = partition.read(request).unwrap().bytes;
        let header = BatchHeader::parse(&batch).unwrap();
        from = header.last_offset().next();
        while aborted.first().is_some_and(|txn| txn.first_offset <= header.last_offset()) {
            open.insert(aborted.remove(0).producer_id);
        }
        let records = OpenBatch::new(&batch, 1 << 20).unwrap();
        if header.is_control() {
            let marker = records.records().next().and_then(|record| EndTxnMarker::of(&record.unwrap()));
            if marker.is_some_and(|marker| !marker.commit) {
                open.remove(&header.producer_id);
            }
        } else if !header.is_transactional() || !open.contains(&header.producer_id) {
            let value = |value: &[u8]| String::from_utf8(value.to_vec()).unwrap();
            values.extend(records.records().map(|record| value(record.unwrap().value.unwrap())));
        }
    }
    values
}

pub(crate) async fn respond(node: &TestBroker, request: ProduceRequest) -> ProducePartitionResponse {
    match super::produce::handle(&node.broker, &node.context, request, None).await {
        ProduceOutcome::Respond(mut response) => response.topics.remove(0).partitions.remove(0),
        other => panic!("{other:?}"),
    }
}
