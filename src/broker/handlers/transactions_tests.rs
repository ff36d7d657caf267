//! What the APIs of transactions answer before, around and instead of their coordinator.

use model::ErrorCode;
use model::topic_name::GROUP_METADATA;
use wire::api_table::ApiKey;
use wire::messages::add_partitions_to_txn_request::{AddPartitionsToTxnTopic, AddPartitionsToTxnTransaction};
use wire::messages::txn_offset_commit_request::{
    TxnOffsetCommitRequestPartition, TxnOffsetCommitRequestTopic,
};
use wire::messages::write_txn_markers_request::{WritableTxnMarker, WritableTxnMarkerTopic};
use wire::messages::{
    AddOffsetsToTxnRequest, AddPartitionsToTxnRequest, DescribeTransactionsRequest, EndTxnRequest,
    FindCoordinatorRequest, GroupId, InitProducerIdRequest, ListTransactionsRequest, TransactionalId,
    TxnOffsetCommitRequest, WriteTxnMarkersRequest,
};

use super::answer::{text, topic_name};
use super::test_support::{TOPIC, TestBroker, batch_at, run};
use super::{
    add_offsets_to_txn, add_partitions_to_txn, describe_transactions, end_txn, find_coordinator,
    init_producer_id, list_transactions, txn_offset_commit, write_txn_markers,
};
use crate::context::RequestContext;

const ID: &str = "id";
const GROUP: &str = "group";
/// The newest AddPartitionsToTxn of clients, and of brokers.
const CLIENTS: i16 = 3;
const BROKERS: i16 = 5;

type Producer = (i64, i16);

fn id(value: &str) -> TransactionalId {
    TransactionalId(text(value))
}

/// A node with a topic, groups and transactions, and a producer.
async fn start() -> (TestBroker, Producer) {
    let node = TestBroker::start();
    node.create(TOPIC, 3, &[]).await;
    for (key_type, key) in [(0, GROUP), (1, ID), (0, GROUP), (1, ID)] {
        let find =
            FindCoordinatorRequest::default().with_key_type(key_type).with_coordinator_keys(vec![text(key)]);
        find_coordinator::handle(&node.broker, &node.context, find).await;
    }
    let (code, producer) = init(&node, Some(ID), 60_000).await;
    assert_eq!(code, ErrorCode::None);
    (node, producer)
}

fn in_version(node: &TestBroker, api_key: ApiKey, api_version: i16) -> RequestContext {
    let mut context = node.context.clone();
    (context.header.api_key, context.header.api_version) = (api_key, api_version);
    context
}

async fn init(node: &TestBroker, transactional_id: Option<&str>, timeout_ms: i32) -> (ErrorCode, Producer) {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(transactional_id.map(id))
        .with_transaction_timeout_ms(timeout_ms)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let answer = init_producer_id::handle(&node.broker, &node.context, request).await;
    (ErrorCode::from_code(answer.error_code), (answer.producer_id.0, answer.producer_epoch))
}

fn transaction(
    transactional_id: &str,
    producer: Producer,
    topics: &[(&str, &[i32])],
) -> AddPartitionsToTxnTransaction {
    let topics = topics.iter().map(|(name, partitions)| {
        AddPartitionsToTxnTopic::default().with_name(topic_name(*name)).with_partitions(partitions.to_vec())
    });
    AddPartitionsToTxnTransaction::default()
        .with_transactional_id(id(transactional_id))
        .with_producer_id(producer.0.into())
        .with_producer_epoch(producer.1)
        .with_topics(topics.collect())
}

/// The error of every partition, in the order of the answer.
async fn add(
    node: &TestBroker,
    version: i16,
    transactions: Vec<AddPartitionsToTxnTransaction>,
) -> Vec<(i32, ErrorCode)> {
    let context = in_version(node, ApiKey::AddPartitionsToTxn, version);
    let request = AddPartitionsToTxnRequest::default().with_transactions(transactions);
    let answer = add_partitions_to_txn::handle(&node.broker, &context, request).await;
    let topics = answer.results_by_transaction.iter().flat_map(|result| &result.topic_results);
    let partitions = topics.flat_map(|topic| &topic.results_by_partition);
    partitions.map(|one| (one.partition_index, ErrorCode::from_code(one.partition_error_code))).collect()
}

async fn end(
    node: &TestBroker,
    version: i16,
    transactional_id: &str,
    producer: Producer,
) -> (ErrorCode, Producer) {
    let context = in_version(node, ApiKey::EndTxn, version);
    let request = EndTxnRequest::default()
        .with_transactional_id(id(transactional_id))
        .with_producer_id(producer.0.into())
        .with_producer_epoch(producer.1)
        .with_committed(true);
    let answer = end_txn::handle(&node.broker, &context, request).await;
    (ErrorCode::from_code(answer.error_code), (answer.producer_id.0, answer.producer_epoch))
}

#[test]
fn partitions_are_added_all_or_none() {
    run(async {
        let (node, producer) = start().await;
        let of_client = async |topics: &[(&str, &[i32])]| {
            add(&node, CLIENTS, vec![transaction(ID, producer, topics)]).await
        };
        let (none, unknown) = (ErrorCode::None, ErrorCode::UnknownTopicOrPartition);
        let not_attempted = ErrorCode::OperationNotAttempted;
        assert_eq!(of_client(&[(TOPIC, &[0, 7])]).await, [(0, not_attempted), (7, unknown)]);
        let not_theirs = of_client(&[(GROUP_METADATA, &[0]), (TOPIC, &[1])]).await;
        assert_eq!(not_theirs, [(0, ErrorCode::TopicAuthorizationFailed), (1, not_attempted)]);
        assert_eq!(of_client(&[(TOPIC, &[1, 1, 0])]).await, [(1, none), (1, none), (0, none)]);

        let nobody = add(&node, CLIENTS, vec![transaction("", producer, &[(TOPIC, &[0])])]).await;
        assert_eq!(nobody, [(0, ErrorCode::InvalidRequest)]);
        let nobody = add(&node, CLIENTS, vec![transaction("", producer, &[(TOPIC, &[9])])]).await;
        assert_eq!(nobody, [(9, unknown)], "what is not there is said first");
        node.stop();
    });
}

#[test]
fn brokers_ask_for_many_at_once() {
    run(async {
        let (node, producer) = start().await;
        add(&node, CLIENTS, vec![transaction(ID, producer, &[(TOPIC, &[0])])]).await;
        let asked = transaction(ID, producer, &[(TOPIC, &[0, 1])]).with_verify_only(true);
        let stranger = transaction("other", producer, &[(TOPIC, &[2])]).with_verify_only(true);
        let told = add(&node, BROKERS, vec![asked, stranger]).await;
        let abortable = ErrorCode::TransactionAbortable;
        let wanted = [(0, ErrorCode::None), (1, abortable), (2, ErrorCode::InvalidProducerIdMapping)];
        assert_eq!(told, wanted);
        let own = add(&node, BROKERS, vec![transaction(ID, producer, &[(GROUP_METADATA, &[3])])]).await;
        assert_eq!(own, [(3, ErrorCode::None)], "they add groups so");
        node.stop();
    });
}

#[test]
fn an_end_bumps_the_epoch_of_whoever_knows_of_it() {
    run(async {
        let (node, producer) = start().await;
        let nothing = (-1, -1);
        assert_eq!(end(&node, 5, "", producer).await, (ErrorCode::InvalidRequest, nothing));
        assert_eq!(end(&node, 5, "other", producer).await, (ErrorCode::InvalidProducerIdMapping, nothing));
        add(&node, CLIENTS, vec![transaction(ID, producer, &[(TOPIC, &[0])])]).await;
        assert_eq!(end(&node, 4, ID, producer).await, (ErrorCode::None, nothing));
        add(&node, CLIENTS, vec![transaction(ID, producer, &[(TOPIC, &[0])])]).await;
        let next = (producer.0, producer.1 + 1);
        assert_eq!(end(&node, 5, ID, producer).await, (ErrorCode::None, next));
        node.stop();
    });
}

#[test]
fn timeouts_are_looked_at_before_the_coordinator() {
    run(async {
        let node = TestBroker::start();
        let refused = |code| (code, (-1, -1));
        let most = node.broker.config.transactions.timeout_ms_max;
        for timeout_ms in [0, -1, most + 1] {
            let told = init(&node, Some(ID), timeout_ms).await;
            assert_eq!(told, refused(ErrorCode::InvalidTransactionTimeout), "{timeout_ms}");
        }
        assert_eq!(init(&node, Some(ID), most).await, refused(ErrorCode::NotCoordinator));
        assert_eq!(init(&node, Some(""), most).await, refused(ErrorCode::InvalidRequest));
        assert_eq!(init(&node, None, 0).await.0, ErrorCode::None);
        node.stop();
    });
}

#[test]
fn ids_are_described_and_listed() {
    run(async {
        let (node, producer) = start().await;
        assert_eq!(init(&node, Some("idle"), 7).await.0, ErrorCode::None);
        add(&node, CLIENTS, vec![transaction(ID, producer, &[(TOPIC, &[2, 0])])]).await;
        let asked = [ID, "idle", "other", ""].map(id).to_vec();
        let request = DescribeTransactionsRequest::default().with_transactional_ids(asked);
        let told = describe_transactions::handle(&node.broker, &node.context, request).await;
        let states = told.transaction_states.iter();
        let shown: Vec<_> = states
            .map(|one| {
                (ErrorCode::from_code(one.error_code), &*one.transaction_state, one.transaction_timeout_ms)
            })
            .collect();
        let wanted = [
            (ErrorCode::None, "Ongoing", 60_000),
            (ErrorCode::None, "Empty", 7),
            (ErrorCode::TransactionalIdNotFound, "", 0),
            (ErrorCode::InvalidRequest, "", 0),
        ];
        assert_eq!(shown, wanted);
        let open = &told.transaction_states[0];
        assert_eq!((&open.topics[0].partitions, open.producer_id.0), (&vec![0, 2], producer.0));
        assert!(
            open.transaction_start_time_ms > 0 && told.transaction_states[1].transaction_start_time_ms == -1
        );

        let list = async |request: ListTransactionsRequest| {
            let answer = list_transactions::handle(&node.broker, &node.context, request).await;
            let ids = answer.transaction_states.iter().map(|one| one.transactional_id.to_string());
            let unknown = answer.unknown_state_filters.iter().map(ToString::to_string);
            (ErrorCode::from_code(answer.error_code), ids.collect::<Vec<_>>(), unknown.collect::<Vec<_>>())
        };
        let states = ["Ongoing", "Nonsense", "Nonsense"].map(text).to_vec();
        let listed = list(ListTransactionsRequest::default().with_state_filters(states)).await;
        assert_eq!(listed, (ErrorCode::None, vec![ID.to_owned()], vec!["Nonsense".to_owned()]));
        let like = |pattern: &str| {
            ListTransactionsRequest::default().with_transactional_id_pattern(Some(text(pattern)))
        };
        assert_eq!(list(like("id.+")).await.1, ["idle"]);
        assert_eq!(list(like("(")).await.0, ErrorCode::InvalidRegularExpression);
        let for_an_hour = ListTransactionsRequest::default().with_duration_filter(3_600_000);
        assert_eq!(list(for_an_hour).await.1, ["idle"], "what never began is old");
        node.stop();
    });
}

#[test]
fn markers_are_answered_by_producer_and_partition() {
    run(async {
        let (node, _) = start().await;
        node.append(0, batch_at(&[1])).await;
        let marker = |producer_id: i64, epoch, topics: &[(&str, &[i32])]| {
            let topics = topics.iter().map(|(name, partitions)| {
                WritableTxnMarkerTopic::default()
                    .with_name(topic_name(*name))
                    .with_partition_indexes(partitions.to_vec())
            });
            WritableTxnMarker::default()
                .with_producer_id(producer_id.into())
                .with_producer_epoch(epoch)
                .with_topics(topics.collect())
        };
        let write = async |markers| {
            let request = WriteTxnMarkersRequest::default().with_markers(markers);
            let answer = write_txn_markers::handle(&node.broker, &node.context, request).await;
            let mut told = Vec::new();
            for one in &answer.markers {
                for partition in one.topics.iter().flat_map(|topic| &topic.partitions) {
                    let code = ErrorCode::from_code(partition.error_code);
                    told.push((one.producer_id.0, partition.partition_index, code));
                }
            }
            told
        };
        assert_eq!(write(vec![]).await, []);
        let (none, unknown) = (ErrorCode::None, ErrorCode::UnknownTopicOrPartition);
        let told =
            write(vec![marker(5, 3, &[(TOPIC, &[0, 9]), ("nowhere", &[0])]), marker(6, 0, &[(TOPIC, &[1])])]);
        assert_eq!(told.await, [(5, 0, none), (5, 9, unknown), (5, 0, unknown), (6, 1, none)]);
        assert_eq!(node.partition(TOPIC, 0).offsets().last_stable.value(), 2);
        let older = write(vec![marker(5, 2, &[(TOPIC, &[0])]), marker(5, 4, &[(TOPIC, &[2])])]).await;
        assert_eq!(older, [(5, 0, ErrorCode::InvalidProducerEpoch), (5, 2, none)]);
        node.stop();
    });
}

#[test]
fn offsets_of_whoever_may_not_are_refused() {
    run(async {
        let (node, producer) = start().await;
        let commit = async |version, group: &str, producer: Producer, places: &[(&str, i32)]| {
            let topics = places.iter().map(|(name, index)| {
                let partition = TxnOffsetCommitRequestPartition::default().with_partition_index(*index);
                TxnOffsetCommitRequestTopic::default()
                    .with_name(topic_name(*name))
                    .with_partitions(vec![partition])
            });
            let request = TxnOffsetCommitRequest::default()
                .with_transactional_id(id(ID))
                .with_group_id(GroupId(text(group)))
                .with_producer_id(producer.0.into())
                .with_producer_epoch(producer.1)
                .with_topics(topics.collect());
            let context = in_version(&node, ApiKey::TxnOffsetCommit, version);
            let answer = txn_offset_commit::handle(&node.broker, &context, request).await;
            let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
            partitions.map(|one| ErrorCode::from_code(one.error_code)).collect::<Vec<_>>()
        };
        let here = [(TOPIC, 0)];
        assert_eq!(commit(4, GROUP, producer, &here).await, [ErrorCode::TransactionAbortable], "not added");
        assert_eq!(commit(5, "", producer, &here).await, [ErrorCode::InvalidGroupId]);
        let newer = (producer.0, producer.1 + 1);
        assert_eq!(commit(5, GROUP, newer, &here).await, [ErrorCode::InvalidProducerEpoch]);
        let mixed = commit(5, GROUP, producer, &[(TOPIC, 0), ("nowhere", 0), (TOPIC, 9)]).await;
        let unknown = ErrorCode::UnknownTopicOrPartition;
        assert_eq!(mixed, [unknown, unknown, ErrorCode::None], "what is refused comes first");
        assert_eq!(
            commit(4, GROUP, producer, &here).await,
            [ErrorCode::None],
            "the newer version has added it"
        );
        node.stop();
    });
}

#[test]
fn a_group_is_added_by_its_partition() {
    run(async {
        let (node, producer) = start().await;
        let add = async |transactional_id: &str| {
            let request = AddOffsetsToTxnRequest::default()
                .with_transactional_id(id(transactional_id))
                .with_producer_id(producer.0.into())
                .with_producer_epoch(producer.1)
                .with_group_id(GroupId(text(GROUP)));
            let answer = add_offsets_to_txn::handle(&node.broker, &node.context, request).await;
            ErrorCode::from_code(answer.error_code)
        };
        assert_eq!(add("").await, ErrorCode::InvalidRequest);
        assert_eq!(add("other").await, ErrorCode::InvalidProducerIdMapping);
        assert_eq!(add(ID).await, ErrorCode::None);
        let request = DescribeTransactionsRequest::default().with_transactional_ids(vec![id(ID)]);
        let told = describe_transactions::handle(&node.broker, &node.context, request).await;
        let topic = &told.transaction_states[0].topics[0];
        assert_eq!(&*topic.topic.0, GROUP_METADATA);
        assert_eq!(topic.partitions, [node.broker.groups.partition_of(GROUP, 0)]);
        node.stop();
    });
}

#[test]
fn coordinators_get_their_topics_whatever_their_segments() {
    run(async {
        let settings = ["offsets.topic.segment.bytes=1000", "transaction.state.log.segment.bytes=1"];
        let dir = std::sync::Arc::new(tempfile::tempdir().expect("a directory"));
        let node = TestBroker::start_with(&storage::SystemDisk::shared(), dir, &settings);
        for key_type in [0, 1] {
            let find = FindCoordinatorRequest::default()
                .with_key_type(key_type)
                .with_coordinator_keys(vec![text(GROUP)]);
            find_coordinator::handle(&node.broker, &node.context, find.clone()).await;
            let found = find_coordinator::handle(&node.broker, &node.context, find).await;
            assert_eq!(found.coordinators[0].error_code, 0);
        }
        node.stop();
    });
}
