//! The shell with real logs beneath it: whole transactions, and what starts, crashes and full disks leave of them.

use std::collections::BTreeSet;
use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::{Context as TaskContext, Poll, Waker};

use bytes::Bytes;
use controller::Command;
use controller::command::{DeleteTopics, TopicReference};
use coordinator::group::{
    CommitPartition, CommitTopic, FetchTopic, OffsetFetchRequest, Reply as GroupReply, TxnOffsetCommitRequest,
};
use coordinator::txn::record::{Record, Status, Value};
use coordinator::txn::{EndTxnRequest, InitProducerIdRequest, Marker, Step};
use model::topic_name::{GROUP_METADATA, TRANSACTION_STATE};
use model::{BatchHeader, Offset, ProducerEpoch, ProducerId};
use records::{BatchBuilder, EndTxnMarker, OpenBatch};
use storage::disk_mem::MemoryDisk;
use storage::{Origin, ReadRequest, TxnMarker};
use wire::StrBytes;
use wire::messages::FindCoordinatorRequest;

use super::*;
use crate::coordination::{Environment as _, Moment};
use crate::handlers::find_coordinator;
use crate::handlers::test_support::{TOPIC, TestBroker, run};
use crate::partition::{Acks, Partition, PartitionError};

const ID: &str = "transfers";
const GROUP: &str = "group";
const TIMEOUT_MS: i32 = 60_000;

fn disk_and_node(settings: &[&str]) -> (MemoryDisk, TestBroker) {
    let disk = MemoryDisk::new();
    let mut all = vec![
        "transaction.state.log.num.partitions=3",
        "offsets.topic.num.partitions=2",
        "log.index.size.max.bytes=4096",
        "transaction.abort.timed.out.transaction.cleanup.interval.ms=50",
    ];
    all.extend(settings);
    let dir = Arc::new(tempfile::tempdir().expect("a directory"));
    let node = TestBroker::start_with(&disk.shared(), dir, &all);
    (disk, node)
}

/// A node with a topic of three partitions and both coordinators.
async fn start() -> (MemoryDisk, TestBroker) {
    let (disk, node) = disk_and_node(&[]);
    node.create(TOPIC, 3, &[]).await;
    coordinators(&node).await;
    (disk, node)
}

async fn coordinators(node: &TestBroker) {
    for kind in [0, 1, 0, 1] {
        let find = FindCoordinatorRequest::default()
            .with_key_type(kind)
            .with_coordinator_keys(vec![StrBytes::from_static_str(ID)]);
        find_coordinator::handle(&node.broker, &node.context, find).await;
    }
}

async fn delete(node: &TestBroker, topic: &str) {
    let reference = TopicReference { name: Some(topic.to_owned()), id: model::TopicId::ZERO };
    let delete = Command::DeleteTopics(DeleteTopics { topics: vec![reference] });
    node.broker.metadata.submit(delete).await.expect("deleted");
}

async fn init(node: &TestBroker) -> ProducerIdAndEpoch {
    let answer = try_init(node, None, TIMEOUT_MS).await;
    answer.expect("a producer id")
}

async fn try_init(
    node: &TestBroker,
    expected: Option<ProducerIdAndEpoch>,
    timeout_ms: i32,
) -> Result<ProducerIdAndEpoch, ErrorCode> {
    let request = InitProducerIdRequest { transactional_id: ID.to_owned(), timeout_ms, expected };
    match loaded(async || node.broker.transactions.ask(Request::InitProducerId(request.clone())).await)
        .await?
    {
        Reply::InitProducerId(answer) => answer,
        other => panic!("{other:?}"),
    }
}

/// Asks until the coordinator is loaded.
async fn loaded<T>(ask: impl AsyncFn() -> Result<T, ErrorCode>) -> Result<T, ErrorCode> {
    loop {
        match ask().await {
            Err(ErrorCode::CoordinatorLoadInProgress) => pause().await,
            answer => return answer,
        }
    }
}

async fn pause() {
    tokio::time::sleep(Duration::from_millis(1)).await;
}

/// As a producer of KIP-890 writes.
async fn write(
    node: &TestBroker,
    producer: ProducerIdAndEpoch,
    index: i32,
    sequence: i32,
) -> Result<Offset, ErrorCode> {
    let partition = node.partition(TOPIC, index);
    let now_ms = node.broker.clock.wall_ms();
    let (id, epoch) = (ProducerId::new(producer.producer_id), ProducerEpoch::new(producer.producer_epoch));
    let guard =
        partition.begin_verification(id, epoch, sequence, true, now_ms).map_err(|error| error.code())?;
    if guard.is_some() {
        let transactions = &node.broker.transactions;
        let add = async || transactions.admit(ID, producer, &[(TOPIC, index)], Admission::Add).await;
        let admitted = loop {
            match loaded(add).await {
                // The markers of the last transaction took longer than anybody is kept waiting.
                Err(ErrorCode::ConcurrentTransactions) => pause().await,
                answer => break answer?,
            }
        };
        assert_eq!(admitted, [(TOPIC.to_owned(), vec![(index, ErrorCode::None)])]);
    }
    let mut builder = BatchBuilder::new().producer(id, epoch, sequence).transactional();
    builder.append(now_ms, Some(b"key"), Some(b"value"), &[]);
    let batch = builder.build().expect("a batch");
    let placed = partition.append_verified(Origin::Client, batch, Acks::Committed, now_ms, guard);
    let placed = placed.map_err(|error: PartitionError| error.code())?;
    settled(&partition).await;
    Ok(placed.at.base_offset)
}

/// As a Produce writes the first record of a transaction in a partition: ahead of the coordinator's word, which is answered.
async fn write_ahead(node: &TestBroker, producer: ProducerIdAndEpoch, index: i32) -> Word {
    let partition = node.partition(TOPIC, index);
    let now_ms = node.broker.clock.wall_ms();
    let (id, epoch) = (ProducerId::new(producer.producer_id), ProducerEpoch::new(producer.producer_epoch));
    let guard = partition.begin_verification(id, epoch, 0, true, now_ms).expect("of this epoch");
    let (transactions, asked) = (&node.broker.transactions, [&partition]);
    let admitted =
        loaded(async || transactions.admit_ahead(ID, producer, &asked, Admission::Add).await).await;
    let admitted = admitted.expect("admitted");
    assert_eq!(admitted.partitions, [(TOPIC.to_owned(), vec![(index, ErrorCode::None)])]);
    let mut builder = BatchBuilder::new().producer(id, epoch, 0).transactional();
    builder.append(now_ms, Some(b"key"), Some(b"value"), &[]);
    let batch = builder.build().expect("a batch");
    partition.append_verified(Origin::Client, batch, Acks::Committed, now_ms, guard).expect("written");
    admitted.hurry();
    admitted.word.expect("not on disk yet")
}

async fn settled(partition: &Arc<Partition>) {
    let ticket = crate::partition::CommitTicket::new();
    partition.settle(&ticket);
    ticket.all().await;
}

/// Ends the transaction as KIP-890 does; the answer is what the next one has.
async fn end(
    node: &TestBroker,
    producer: ProducerIdAndEpoch,
    commit: bool,
) -> Result<ProducerIdAndEpoch, ErrorCode> {
    let request = EndTxnRequest { transactional_id: ID.to_owned(), producer, commit, transaction_version: 2 };
    match loaded(async || node.broker.transactions.ask(Request::EndTxn(request.clone())).await).await? {
        Reply::EndTxn(answer) => answer.map(|next| next.expect("a next epoch")),
        other => panic!("{other:?}"),
    }
}

async fn status(node: &TestBroker) -> Option<Status> {
    let look = async || node.broker.transactions.look(ID, |shard, _| shard.describe(ID)).await;
    loaded(look).await.expect("coordinated").map(|described| described.status)
}

async fn becomes(node: &TestBroker, wanted: Status) {
    while status(node).await != Some(wanted) {
        pause().await;
    }
}

/// What is in the log of a partition: `d<epoch>` for data, `c<epoch>` and `a<epoch>` for markers.
fn log(node: &TestBroker, index: i32) -> Vec<String> {
    contents(&node.partition(TOPIC, index))
}

fn contents(partition: &Arc<Partition>) -> Vec<String> {
    let upper_bound = partition.offsets().log_end;
    let request = ReadRequest { offset: Offset::ZERO, bytes_max: 1 << 20, upper_bound, min_one_batch: true };
    let mut bytes = partition.read(request).expect("read").bytes;
    let mut all = Vec::new();
    while !bytes.is_empty() {
        let header = BatchHeader::parse(&bytes).expect("a header");
        let batch: Bytes = bytes.split_to(header.size());
        let opened = OpenBatch::new(&batch, 1 << 20).expect("opened");
        let record = opened.records().next().expect("a record").expect("legible");
        let kind = match EndTxnMarker::of(&record).filter(|_| header.is_control()) {
            None => 'd',
            Some(marker) => {
                if marker.commit {
                    'c'
                } else {
                    'a'
                }
            }
        };
        all.push(format!("{kind}{}", header.producer_epoch.value()));
    }
    all
}

/// Whether readers of committed records see all of it.
fn is_stable(node: &TestBroker, index: i32) -> bool {
    let offsets = node.partition(TOPIC, index).offsets();
    offsets.last_stable == offsets.log_end
}

fn state_log(node: &TestBroker) -> Arc<Partition> {
    node.partition(TRANSACTION_STATE, node.broker.transactions.partition_of(ID, 0))
}

fn ends_at_once<T>(future: impl Future<Output = T>) -> Option<T> {
    match pin!(future).poll(&mut TaskContext::from_waker(Waker::noop())) {
        Poll::Ready(value) => Some(value),
        Poll::Pending => None,
    }
}

#[test]
fn transactions_one_after_the_other() {
    run(async {
        let (_disk, node) = start().await;
        let first = init(&node).await;
        write(&node, first, 0, 0).await.expect("written");
        write(&node, first, 1, 0).await.expect("written");
        write(&node, first, 0, 1).await.expect("written");
        assert!(!is_stable(&node, 0), "an open transaction");
        assert_eq!(status(&node).await, Some(Status::Ongoing));

        // The next is added at once, and waits by itself for the end of the last.
        let second = end(&node, first, true).await.expect("decided");
        assert_eq!((second.producer_id, second.producer_epoch), (first.producer_id, 1));
        write(&node, second, 1, 0).await.expect("written");
        assert!(is_stable(&node, 0));
        assert_eq!(log(&node, 0), ["d0", "d0", "c1"]);
        assert_eq!(log(&node, 1), ["d0", "c1", "d1"]);

        let third = end(&node, second, false).await.expect("decided");
        assert_eq!(third.producer_epoch, 2);
        becomes(&node, Status::CompleteAbort).await;
        assert!(is_stable(&node, 1));
        assert_eq!(log(&node, 1), ["d0", "c1", "d1", "a2"]);
        assert_eq!(log(&node, 2), [""; 0]);
        node.stop();
    });
}

#[test]
fn what_nobody_waits_for_costs_no_sync_of_its_own() {
    run(async {
        let (_disk, node) = start().await;
        let first = init(&node).await;
        write(&node, first, 0, 0).await.expect("written");
        end(&node, first, true).await.expect("decided");
        while log(&node, 0).len() < 2 || !is_stable(&node, 0) {
            pause().await;
        }
        let offsets = || state_log(&node).offsets();
        while offsets().log_end.value() < 4 {
            pause().await;
        }
        assert_eq!(offsets().high_watermark.value(), 3, "the completion is in no hurry");
        assert_eq!(status(&node).await, Some(Status::CompleteCommit), "who asks is told what is on disk");
        assert_eq!(offsets().high_watermark.value(), 4);
        node.stop();
    });
}

#[test]
fn nothing_is_marked_before_the_decision_is_on_disk() {
    run(async {
        let (disk, node) = start().await;
        let producer = init(&node).await;
        write(&node, producer, 0, 0).await.expect("written");
        node.stop_syncing();
        {
            let mut ending = pin!(end(&node, producer, true));
            assert!(ends_at_once(ending.as_mut()).is_none(), "it waits for the disk");
            let waited = tokio::time::timeout(Duration::from_millis(50), ending).await;
            assert!(waited.is_err(), "for as long as it takes");
        }
        assert_eq!(log(&node, 0), ["d0"]);
        // What was not on disk was not decided.
        let node = node.crash(&disk);
        assert_eq!(status(&node).await, Some(Status::Ongoing));
        let next = end(&node, producer, false).await.expect("decided");
        write(&node, next, 0, 0).await.expect("written");
        assert_eq!(log(&node, 0), ["d0", "a1", "d1"]);
        node.stop();
    });
}

/// The power goes after a record of a transaction has reached the disk, and before the coordinator's word of it has; and, in
/// the second transaction, before its word that the first is complete.
#[test]
fn a_beginning_that_is_lost_is_found_again() {
    run(async {
        for (known, commit) in [(false, true), (true, true), (false, false), (true, false)] {
            let (disk, node) = start().await;
            let first = init(&node).await;
            let node = lose_the_beginning(node, &disk, first, known).await;
            becomes(&node, Status::Ongoing).await;
            assert!(!is_stable(&node, 0));
            // The producer was not answered: it sends the record again, and is told where the first is.
            assert_eq!(write(&node, first, 0, 0).await, Ok(Offset::ZERO));
            let second = end(&node, first, commit).await.expect("decided");
            // Whoever asked would have it put on disk.
            while !matches!(last_value(&node).status, Status::CompleteCommit | Status::CompleteAbort) {
                pause().await;
            }

            let node = lose_the_beginning(node, &disk, second, known).await;
            becomes(&node, Status::Ongoing).await;
            let kind = if commit { 'c' } else { 'a' };
            let ended = format!("{kind}1");
            assert_eq!(log(&node, 0), ["d0", &ended, "d1"], "whose marker is not the last one's");
            let third = init(&node).await;
            assert_eq!(third.producer_epoch, 3, "after it was aborted");
            assert_eq!(log(&node, 0), ["d0", &ended, "d1", "a2"]);
            assert!((0..3).all(|index| is_stable(&node, index)));
            node.stop();
        }
    });
}

/// Begins a transaction in partition 0, after partition 1 if that is to be `known`, and loses the word of 0.
async fn lose_the_beginning(
    node: TestBroker,
    disk: &MemoryDisk,
    producer: ProducerIdAndEpoch,
    known: bool,
) -> TestBroker {
    if known {
        write(&node, producer, 1, 0).await.expect("written");
    }
    node.stop_syncing();
    let word = write_ahead(&node, producer, 0).await;
    let partition = node.partition(TOPIC, 0);
    crate::partition::test_support::sync(&partition);
    assert!(partition.is_committed(partition.offsets().log_end) && !word.is_on_disk());
    node.crash(disk)
}

#[test]
fn offsets_whose_transaction_is_lost_are_found_again() {
    run(async {
        for commit in [true, false] {
            let (disk, node) = start().await;
            let producer = init(&node).await;
            let log = node.partition(GROUP_METADATA, node.broker.groups.partition_of(GROUP, 0));
            // The coordinator of the group is loaded.
            assert_eq!(offset(&node).await, (-1, ErrorCode::None));
            node.stop_syncing();
            {
                let mut committing = pin!(commit_offsets(&node, producer, 7, Admission::Add));
                assert!(ends_at_once(committing.as_mut()).is_none());
                assert_eq!(contents(&log), ["d0"], "they did not wait for the coordinator's word");
                crate::partition::test_support::sync(&log);
                assert!(ends_at_once(committing.as_mut()).is_none(), "but the answer does");
            }
            let node = node.crash(&disk);
            becomes(&node, Status::Ongoing).await;
            assert_eq!(offset(&node).await, (-1, ErrorCode::UnstableOffsetCommit));
            end(&node, producer, commit).await.expect("decided");
            let wanted = if commit { 7 } else { -1 };
            while offset(&node).await != (wanted, ErrorCode::None) {
                pause().await;
            }
            node.stop();
        }
    });
}

#[test]
fn a_transaction_that_nobody_comes_back_for_is_found_and_aborted() {
    run(async {
        let (disk, node) = start().await;
        let producer = try_init(&node, None, 1_000).await.expect("a producer id");
        let node = lose_the_beginning(node, &disk, producer, false).await;
        becomes(&node, Status::CompleteAbort).await;
        assert_eq!(log(&node, 0), ["d0", "a1"]);
        node.stop();
    });
}

/// Puts a transaction's first record into a partition that its coordinator knows nothing of: what a log holds that was opened
/// after the coordinator's.
fn leave_open(node: &TestBroker, producer: ProducerIdAndEpoch, index: i32) -> OpenTransactions {
    let partition = node.partition(TOPIC, index);
    let now_ms = node.broker.clock.wall_ms();
    let (id, epoch) = (ProducerId::new(producer.producer_id), ProducerEpoch::new(producer.producer_epoch));
    let guard = partition.begin_verification(id, epoch, 0, true, now_ms).expect("of this epoch");
    let mut builder = BatchBuilder::new().producer(id, epoch, 0).transactional();
    builder.append(now_ms, Some(b"key"), Some(b"lost"), &[]);
    let batch = builder.build().expect("a batch");
    partition.append_verified(Origin::Client, batch, Acks::Committed, now_ms, guard).expect("written");
    open_in(&[partition])
}

#[test]
fn what_was_left_behind_is_aborted_and_is_no_part_of_what_comes_later() {
    run(async {
        for how in ["at a start", "when its log is opened", "when it is in the way"] {
            let (_disk, mut node) = start().await;
            let first = init(&node).await;
            let open = leave_open(&node, first, 0);
            let second = init(&node).await;
            assert_eq!(second.producer_epoch, 1);
            write(&node, second, 1, 0).await.expect("written");
            assert_eq!(write(&node, second, 0, 0).await, Err(ErrorCode::NotEnoughReplicas), "{how}");
            match how {
                "at a start" => {
                    settled(&node.partition(TOPIC, 0)).await;
                    node = node.restart();
                }
                "when its log is opened" => {
                    let transactions = &node.broker.transactions;
                    for stage in [Stage::Opened, Stage::Served] {
                        transactions.opened_late(stage, &open);
                        // Who comes again is told the same, and nothing is written twice.
                        transactions.opened_late(stage, &open);
                    }
                }
                _ => node.broker.transactions.end_left_behind_in(&node.partition(TOPIC, 0)),
            }
            while write(&node, second, 0, 0).await == Err(ErrorCode::NotEnoughReplicas) {
                pause().await;
            }
            end(&node, second, true).await.expect("decided");
            becomes(&node, Status::CompleteCommit).await;
            assert_eq!((log(&node, 0), log(&node, 1)), (vec_of("d0 a1 d1 c2"), vec_of("d1 c2")), "{how}");
            assert!((0..3).all(|index| is_stable(&node, index)));
            node.stop();
        }
    });
}

fn vec_of(words: &str) -> Vec<String> {
    words.split(' ').map(str::to_owned).collect()
}

#[test]
fn a_beginning_is_found_in_a_log_that_is_opened_later_too() {
    run(async {
        let (_disk, node) = start().await;
        let producer = init(&node).await;
        let open = leave_open(&node, producer, 0);
        assert_eq!(status(&node).await, Some(Status::Empty));
        node.broker.transactions.opened_late(Stage::Opened, &open);
        assert_eq!(status(&node).await, Some(Status::Ongoing), "before anybody can write there");
        node.broker.transactions.opened_late(Stage::Served, &open);
        write(&node, producer, 0, 1).await.expect("the same transaction");
        end(&node, producer, true).await.expect("decided");
        becomes(&node, Status::CompleteCommit).await;
        assert_eq!(log(&node, 0), ["d0", "d0", "c1"]);
        node.stop();
    });
}

/// An end of before KIP-890 leaves its epoch to the next transaction, whose records could be taken for its own.
#[test]
fn nobody_goes_ahead_in_the_epoch_of_another_transaction() {
    run(async {
        let (_disk, node) = start().await;
        let producer = init(&node).await;
        write(&node, producer, 0, 0).await.expect("written");
        let request =
            EndTxnRequest { transactional_id: ID.to_owned(), producer, commit: true, transaction_version: 0 };
        let ended = node.broker.transactions.ask(Request::EndTxn(request)).await;
        assert_eq!(ended, Ok(Reply::EndTxn(Ok(None))));
        becomes(&node, Status::CompleteCommit).await;
        for index in [0, 1] {
            let asked = node.partition(TOPIC, index);
            let admitted =
                node.broker.transactions.admit_ahead(ID, producer, &[&asked], Admission::Add).await;
            assert!(admitted.expect("admitted").word.is_none(), "it was waited for");
        }
        // The next has an epoch of its own.
        let next = end(&node, producer, true).await.expect("decided");
        becomes(&node, Status::CompleteCommit).await;
        let asked = node.partition(TOPIC, 0);
        let admitted = node.broker.transactions.admit_ahead(ID, next, &[&asked], Admission::Add).await;
        assert!(admitted.expect("admitted").word.is_some());
        node.stop();
    });
}

#[test]
fn a_start_goes_on_with_an_open_transaction() {
    run(async {
        let (disk, mut node) = start().await;
        let mut producer = init(&node).await;
        for crash in [false, true] {
            write(&node, producer, 0, 0).await.expect("written");
            node = if crash { node.crash(&disk) } else { node.restart() };
            assert_eq!(status(&node).await, Some(Status::Ongoing));
            assert!(!is_stable(&node, 0));
            write(&node, producer, 0, 1).await.expect("the same transaction");
            write(&node, producer, 2, 0).await.expect("the same transaction");
            producer = end(&node, producer, true).await.expect("decided");
        }
        becomes(&node, Status::CompleteCommit).await;
        assert_eq!(log(&node, 0), ["d0", "d0", "c1", "d1", "d1", "c2"]);
        assert_eq!(log(&node, 2), ["d0", "c1", "d1", "c2"]);
        node.stop();
    });
}

/// What the coordinator's log says last.
fn last_value(node: &TestBroker) -> Value {
    let log = state_log(node);
    let upper_bound = log.offsets().log_end;
    let request = ReadRequest { offset: Offset::ZERO, bytes_max: 1 << 20, upper_bound, min_one_batch: true };
    let mut bytes = log.read(request).expect("read").bytes;
    let mut last = None;
    while !bytes.is_empty() {
        let batch: Bytes = bytes.split_to(BatchHeader::parse(&bytes).expect("a header").size());
        let opened = OpenBatch::new(&batch, 1 << 20).expect("opened");
        for record in opened.records() {
            let record = record.expect("legible");
            let key = Bytes::copy_from_slice(record.key.expect("a key"));
            let value = record.value.map(Bytes::copy_from_slice);
            last = Record::decode(&key, value.as_ref()).expect("a record").value;
        }
    }
    last.expect("a value")
}

/// Puts a record into the log of the coordinator behind its back, as a life before would have left it.
async fn leave(node: &TestBroker, change: impl FnOnce(Value) -> Value) -> Value {
    let (log, value) = (state_log(node), change(last_value(node)));
    let record = Record { transactional_id: ID.to_owned(), value: Some(value.clone()) };
    let (key, bytes) = record.encode(2).expect("encoded");
    let (mut builder, now_ms) = (BatchBuilder::new(), node.broker.clock.wall_ms());
    builder.append(now_ms, Some(&key), bytes.as_deref(), &[]);
    let batch = builder.build().expect("a batch");
    log.append_from(Origin::Coordinator, batch, Acks::Committed, now_ms).expect("written");
    settled(&log).await;
    value
}

#[test]
fn a_start_carries_a_decision_to_its_end() {
    run(async {
        for (transaction_version, commit, marked) in
            [(0, true, false), (2, true, false), (2, false, false), (0, false, true), (2, true, true)]
        {
            let (disk, node) = start().await;
            let producer = init(&node).await;
            write(&node, producer, 0, 0).await.expect("written");
            write(&node, producer, 1, 0).await.expect("written");
            let bumps = i16::from(transaction_version == 2);
            let value = leave(&node, |ongoing| Value {
                status: if commit { Status::PrepareCommit } else { Status::PrepareAbort },
                producer_epoch: ongoing.producer_epoch + bumps,
                client_transaction_version: transaction_version,
                ..ongoing
            })
            .await;
            if marked {
                let marker = TxnMarker {
                    producer_id: ProducerId::new(value.producer_id),
                    producer_epoch: ProducerEpoch::new(value.producer_epoch),
                    commit,
                    coordinator_epoch: 0,
                    transaction_version,
                };
                node.partition(TOPIC, 0).append_marker(&marker, node.broker.clock.wall_ms()).expect("marked");
                settled(&node.partition(TOPIC, 0)).await;
            }
            let node = node.crash(&disk);
            becomes(&node, if commit { Status::CompleteCommit } else { Status::CompleteAbort }).await;
            let end = format!("{}{bumps}", if commit { "c" } else { "a" });
            assert_eq!(log(&node, 1), ["d0", &end]);
            // Before KIP-890 nothing tells a marker that comes again from another.
            let twice = marked && bumps == 0;
            assert_eq!(log(&node, 0).len(), if twice { 3 } else { 2 }, "{:?}", log(&node, 0));
            assert!(is_stable(&node, 0) && is_stable(&node, 1));
            node.stop();
        }
    });
}

#[test]
fn a_completion_that_is_lost_is_made_again() {
    run(async {
        let (disk, node) = start().await;
        let producer = init(&node).await;
        write(&node, producer, 0, 0).await.expect("written");
        let next = end(&node, producer, true).await.expect("decided");
        while !is_stable(&node, 0) {
            pause().await;
        }
        let node = node.crash(&disk);
        write(&node, next, 0, 0).await.expect("written");
        assert_eq!(log(&node, 0), ["d0", "c1", "d1"], "the marker was not written again");
        node.stop();
    });
}

#[test]
fn a_transaction_that_takes_too_long_is_aborted() {
    run(async {
        let (_disk, node) = start().await;
        let producer = try_init(&node, None, 1_000).await.expect("a producer id");
        write(&node, producer, 1, 0).await.expect("written");
        becomes(&node, Status::CompleteAbort).await;
        assert_eq!(log(&node, 1), ["d0", "a1"]);
        assert_eq!(write(&node, producer, 1, 1).await, Err(ErrorCode::InvalidProducerEpoch));
        assert_eq!(end(&node, producer, true).await, Err(ErrorCode::InvalidTxnState), "it was aborted");
        node.stop();
    });
}

#[test]
fn whoever_comes_later_fences_whoever_came_before() {
    run(async {
        let (_disk, node) = start().await;
        let first = init(&node).await;
        write(&node, first, 0, 0).await.expect("written");
        // Aborts, waits for that, and has the next epoch.
        let second = init(&node).await;
        assert_eq!((second.producer_id, second.producer_epoch), (first.producer_id, 2));
        assert_eq!(log(&node, 0), ["d0", "a1"]);
        assert_eq!(write(&node, first, 0, 1).await, Err(ErrorCode::InvalidProducerEpoch));
        assert_eq!(write(&node, first, 2, 0).await, Err(ErrorCode::ProducerFenced));
        assert_eq!(end(&node, first, true).await, Err(ErrorCode::ProducerFenced));
        write(&node, second, 0, 0).await.expect("written");
        node.stop();
    });
}

#[test]
fn a_coordinator_that_is_gone_says_so() {
    run(async {
        let (_disk, node) = start().await;
        let producer = init(&node).await;
        write(&node, producer, 0, 0).await.expect("written");
        delete(&node, TRANSACTION_STATE).await;
        assert_eq!(end(&node, producer, true).await, Err(ErrorCode::NotCoordinator));
        coordinators(&node).await;
        assert_eq!(end(&node, producer, true).await, Err(ErrorCode::InvalidProducerIdMapping));
        let next = init(&node).await;
        assert!(next.producer_id > producer.producer_id, "ids are not given twice");
        node.stop();
    });
}

/// As when their log directory has failed, and the metadata does not say so yet.
#[test]
fn coordinators_whose_logs_are_gone_are_not_looked_at() {
    run(async {
        let (_disk, node) = start().await;
        init(&node).await;
        let count = async || node.broker.transactions.look_at_all(|shard, _| shard.list().len()).await;
        assert_eq!(count().await.map(|counts| counts.into_iter().sum()), Ok(1));
        let ids = [state_log(&node).topic().id];
        node.broker.partitions.delete_topics(&ids).expect("let go");
        assert_eq!(count().await, Ok(Vec::new()));
        node.stop();
    });
}

#[test]
fn partitions_that_are_gone_hold_nothing_up() {
    run(async {
        let (_disk, node) = start().await;
        node.create("brief", 1, &[]).await;
        let producer = init(&node).await;
        write(&node, producer, 0, 0).await.expect("written");
        let transactions = &node.broker.transactions;
        transactions.admit(ID, producer, &[("brief", 0)], Admission::Add).await.expect("admitted");
        delete(&node, "brief").await;
        let next = end(&node, producer, true).await.expect("decided");
        write(&node, next, 0, 0).await.expect("written");
        assert_eq!(log(&node, 0), ["d0", "c1", "d1"]);
        node.stop();
    });
}

#[test]
fn an_end_that_a_later_coordinator_has_overtaken_is_given_up() {
    run(async {
        let (_disk, node) = start().await;
        let producer = init(&node).await;
        // An administrator's, in the name of a coordinator that is yet to come.
        let later = TxnMarker {
            producer_id: ProducerId::new(producer.producer_id),
            producer_epoch: ProducerEpoch::new(producer.producer_epoch),
            commit: false,
            coordinator_epoch: 9,
            transaction_version: 0,
        };
        node.partition(TOPIC, 0).append_marker(&later, node.broker.clock.wall_ms()).expect("marked");
        write(&node, producer, 0, 0).await.expect("written");
        write(&node, producer, 1, 0).await.expect("written");
        let tasks = || tokio::runtime::Handle::current().metrics().num_alive_tasks();
        let before = tasks();
        end(&node, producer, true).await.expect("decided");
        while log(&node, 1).len() < 2 || tasks() > before {
            pause().await;
        }
        assert_eq!(
            (log(&node, 0), log(&node, 1)),
            (vec!["a0".into(), "d0".into()], vec!["d0".into(), "c1".into()])
        );
        let missing =
            node.broker.transactions.look(ID, |shard, _| shard.describe(ID)).await.expect("coordinated");
        let missing = missing.expect("known");
        assert_eq!(missing.status, Status::PrepareCommit);
        assert_eq!(missing.partitions, [(TOPIC.to_owned(), BTreeSet::from([0]))].into());
        node.stop();
    });
}

#[test]
fn a_shard_that_panics_is_what_its_log_says() {
    run(async {
        let (_disk, node) = start().await;
        let producer = init(&node).await;
        write(&node, producer, 0, 0).await.expect("written");
        let host = node.broker.transactions.coordinator.host_of(ID).expect("coordinated");
        for life in 0..2 {
            let panicked = std::panic::catch_unwind(AssertUnwindSafe(|| {
                host.act(life, |_, _| panic!("as a fault of the machine would"));
            }));
            assert!(panicked.is_err());
            assert_eq!(status(&node).await, Some(Status::Ongoing));
        }
        let next = end(&node, producer, true).await.expect("decided");
        write(&node, next, 0, 0).await.expect("written");
        assert_eq!(log(&node, 0), ["d0", "c1", "d1"]);
        node.stop();
    });
}

/// As when it panics before what it has found at the start is in its log.
#[test]
fn a_shard_that_is_read_again_finds_what_was_lost_too() {
    run(async {
        let (disk, node) = start().await;
        let producer = init(&node).await;
        let value = Some(last_value(&node));
        let node = lose_the_beginning(node, &disk, producer, false).await;
        let wall_ms = node.broker.clock.wall_ms();
        let moment = Moment { now_ms: 0, wall_ms, aging_ms: wall_ms };
        let around = node.broker.transactions.around();
        let mut shard = Shard::default();
        shard.replay(Record { transactional_id: ID.to_owned(), value });
        around.with_context(moment, |context| around.replayed(&mut shard, context));
        let found = shard.describe(ID).expect("known");
        let wanted = [(TOPIC.to_owned(), BTreeSet::from([0]))].into();
        assert_eq!((found.status, found.producer, found.partitions), (Status::Ongoing, producer, wanted));
        node.stop();
    });
}

#[test]
fn producer_ids_are_never_given_twice() {
    run(async {
        let (disk, mut node) = start().await;
        let mut seen = BTreeSet::new();
        for life in 0..4 {
            for number in 0..5 {
                let transactional_id = format!("{ID}-{life}-{number}");
                let request =
                    InitProducerIdRequest { transactional_id, timeout_ms: TIMEOUT_MS, expected: None };
                let ask =
                    async || node.broker.transactions.ask(Request::InitProducerId(request.clone())).await;
                let Ok(Reply::InitProducerId(Ok(given))) = loaded(ask).await else { panic!("refused") };
                assert!(seen.insert(given.producer_id), "{given:?}");
                // One that is refused takes none.
                let refused = InitProducerIdRequest { timeout_ms: 0, ..request.clone() };
                let refused = node.broker.transactions.ask(Request::InitProducerId(refused)).await;
                let code = ErrorCode::InvalidTransactionTimeout;
                assert_eq!(refused, Ok(Reply::InitProducerId(Err(code))));
                assert!(seen.insert(node.broker.producer_ids.next().await.expect("an id").value()));
            }
            node = if life % 2 == 0 { node.crash(&disk) } else { node.restart() };
        }
        let last = seen.last().expect("ids");
        assert!(*last < 5_000, "{last}: a block of a thousand for each life, and none is wasted");
        node.stop();
    });
}

/// Bytes of all files.
fn used(disk: &MemoryDisk) -> u64 {
    disk.files().iter().filter_map(|path| disk.contents(path)).map(|bytes| bytes.len() as u64).sum()
}

#[test]
fn a_full_disk_delays_an_end_and_changes_nothing_else() {
    run(async {
        let mut refused = 0;
        // From no room at all to room for everything: the decision, the markers, the completion.
        for room in (0..800).step_by(50) {
            let (disk, node) = start().await;
            let producer = init(&node).await;
            write(&node, producer, 0, 0).await.expect("written");
            write(&node, producer, 1, 0).await.expect("written");
            disk.limit_space(Some(used(&disk) + room));
            let mut ended = end(&node, producer, true).await;
            refused += usize::from(ended.is_err());
            tokio::time::sleep(Duration::from_millis(60)).await;
            disk.limit_space(None);
            while ended.is_err() {
                pause().await;
                ended = end(&node, producer, true).await;
            }
            let next = ended.expect("decided");
            assert_eq!(next.producer_epoch, 1);
            becomes(&node, Status::CompleteCommit).await;
            assert_eq!((log(&node, 0), log(&node, 1)), (vec!["d0".into(), "c1".into()], log(&node, 0)));
            write(&node, next, 0, 0).await.expect("written");
            node.stop();
        }
        assert!((1..10).contains(&refused), "refused {refused} times");
    });
}

#[test]
fn a_next_transaction_waits_for_the_last_and_not_for_ever() {
    run(async {
        let (_disk, node) = start().await;
        let producer = init(&node).await;
        write(&node, producer, 0, 0).await.expect("written");
        let transactions = &node.broker.transactions;
        let host = transactions.coordinator.host_of(ID).expect("coordinated");
        // A decision whose markers take as long as they like.
        let decided = Value { status: Status::PrepareCommit, ..last_value(&node) };
        let marker = Marker {
            transactional_id: ID.to_owned(),
            producer_id: decided.producer_id,
            producer_epoch: decided.producer_epoch,
            commit: true,
            transaction_version: 0,
            round: 1,
            partitions: decided.partitions.clone(),
        };
        host.act(0, |shard, _| {
            shard.replay(Record { transactional_id: ID.to_owned(), value: Some(decided) });
            Step::default()
        });
        let admit = async |how| transactions.admit(ID, producer, &[(TOPIC, 1)], how).await;
        let concurrent = Err(ErrorCode::ConcurrentTransactions);
        assert_eq!(ends_at_once(admit(Admission::Verify)), Some(concurrent.clone()), "who only asks is told");
        let begun = tokio::time::Instant::now();
        assert_eq!(admit(Admission::Add).await, concurrent);
        assert!(begun.elapsed() >= Duration::from_millis(100));

        {
            let mut waiting = pin!(admit(Admission::Add));
            assert!(ends_at_once(waiting.as_mut()).is_none());
            host.act(0, |shard, context| shard.markers_written(context, &marker, &marker.partitions));
            let admitted = waiting.await.expect("admitted");
            assert_eq!(admitted, [(TOPIC.to_owned(), vec![(1, ErrorCode::None)])]);
        }
        node.stop();
    });
}

fn offsets_commit(producer: ProducerIdAndEpoch, index: i32, offset: i64) -> TxnOffsetCommitRequest {
    let partition = CommitPartition { index, offset, leader_epoch: -1, metadata: None };
    TxnOffsetCommitRequest {
        group_id: GROUP.to_owned(),
        producer_id: producer.producer_id,
        producer_epoch: producer.producer_epoch,
        generation: -1,
        member_id: String::new(),
        instance_id: None,
        topics: vec![CommitTopic { name: TOPIC.to_owned(), id: None, partitions: vec![partition] }],
    }
}

async fn commit_offsets(
    node: &TestBroker,
    producer: ProducerIdAndEpoch,
    offset: i64,
    how: Admission,
) -> Result<ErrorCode, ErrorCode> {
    let (groups, transactions) = (&node.broker.groups, &node.broker.transactions);
    let commit = async || {
        let request = offsets_commit(producer, 0, offset);
        groups.commit_in_transaction(transactions, ID, request, how).await
    };
    match loaded(commit).await? {
        GroupReply::OffsetCommit(topics) => Ok(topics[0].partitions[0].1),
        other => panic!("{other:?}"),
    }
}

/// The group's offset, and whether one is pending.
async fn offset(node: &TestBroker) -> (i64, ErrorCode) {
    let fetch = async |require_stable: bool| {
        let topics = Some(vec![FetchTopic { name: TOPIC.to_owned(), id: None, partitions: vec![0] }]);
        let request = OffsetFetchRequest {
            group_id: GROUP.to_owned(),
            member_id: None,
            member_epoch: -1,
            require_stable,
            topics,
        };
        let look = async || node.broker.groups.look(GROUP, |shard, _| shard.fetch_offsets(&request)).await;
        let fetched = loaded(look).await.expect("coordinated").expect("fetched");
        let partition = &fetched[0].partitions[0];
        (partition.offset, partition.error)
    };
    let (offset, _) = fetch(false).await;
    (offset, fetch(true).await.1)
}

#[test]
fn offsets_are_a_groups_with_the_end_of_the_transaction() {
    run(async {
        let (disk, node) = start().await;
        let first = init(&node).await;
        // Who did not add the group before must not commit.
        assert_eq!(
            commit_offsets(&node, first, 7, Admission::Verify).await,
            Err(ErrorCode::TransactionAbortable)
        );
        assert_eq!(commit_offsets(&node, first, 7, Admission::Add).await, Ok(ErrorCode::None));
        assert_eq!(commit_offsets(&node, first, 8, Admission::Verify).await, Ok(ErrorCode::None));
        assert_eq!(offset(&node).await, (-1, ErrorCode::UnstableOffsetCommit));
        let second = end(&node, first, true).await.expect("decided");
        while offset(&node).await != (8, ErrorCode::None) {
            pause().await;
        }
        assert_eq!(commit_offsets(&node, second, 9, Admission::Add).await, Ok(ErrorCode::None));
        let node = node.crash(&disk);
        assert_eq!(offset(&node).await, (8, ErrorCode::UnstableOffsetCommit));
        let third = end(&node, second, false).await.expect("decided");
        becomes(&node, Status::CompleteAbort).await;
        assert_eq!(offset(&node).await, (8, ErrorCode::None));
        // One that was fenced.
        let late = commit_offsets(&node, second, 10, Admission::Add).await;
        assert_eq!(late, Err(ErrorCode::InvalidProducerEpoch));
        assert_eq!(commit_offsets(&node, third, 11, Admission::Add).await, Ok(ErrorCode::None));
        let log = node.partition(GROUP_METADATA, node.broker.groups.partition_of(GROUP, 0));
        assert_eq!(contents(&log), ["d0", "d0", "c1", "d1", "a2", "d2"]);
        node.stop();
    });
}
