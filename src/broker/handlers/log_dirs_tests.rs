//! A node with two log directories, of which one fails (KIP-112, KIP-858).

use std::path::{Path, PathBuf};
use std::sync::Arc;

use controller::command::{DeleteTopics, TopicReference};
use controller::{Command, Reply};
use model::topic_name::{GROUP_METADATA, TRANSACTION_STATE};
use model::{BrokerId, ErrorCode, Offset, TopicId};
use storage::disk_mem::{BreakingDisk, MemoryDisk};
use storage::{ReadRequest, SystemDisk};
use wire::messages::delete_records_request::{DeleteRecordsPartition, DeleteRecordsTopic};
use wire::messages::offset_commit_request::{OffsetCommitRequestPartition, OffsetCommitRequestTopic};
use wire::messages::{
    DeleteRecordsRequest, DescribeLogDirsRequest, FindCoordinatorRequest, InitProducerIdRequest,
    OffsetCommitRequest,
};

use super::answer::{text, topic_name};
use super::test_support::{TOPIC, TestBroker, batch_at, produce, run};
use crate::coordination::partition_of;

const SHARDS: i32 = 4;

/// A node with its metadata log in `sound`, and both on a disk of which `failing` can be broken.
struct TwoDirs {
    disk: BreakingDisk,
    sound: PathBuf,
    failing: PathBuf,
}

impl TwoDirs {
    fn start() -> (Self, TestBroker) {
        let home = Arc::new(tempfile::tempdir().unwrap());
        let disk = BreakingDisk::new(SystemDisk::shared());
        let [sound, failing] = ["sound", "failing"].map(|name| home.path().join(name));
        let dirs = format!("log.dirs={},{}", sound.display(), failing.display());
        let node = TestBroker::start_with(&disk.shared(), home, &[&dirs]);
        (Self { disk, sound, failing }, node)
    }

    fn break_one(&self) {
        self.disk.break_dir(&self.failing);
    }

    /// The partitions of a topic that are in a directory.
    fn indexes(node: &TestBroker, topic: &str, dir: &Path) -> Vec<i32> {
        let all = node.broker.partitions.all().into_iter();
        let here = all.filter(|one| &*one.topic().name == topic && one.dir().path() == dir);
        let mut indexes: Vec<_> = here.map(|one| one.index()).collect();
        indexes.sort_unstable();
        indexes
    }
}

async fn until(what: &str, mut is_so: impl AsyncFnMut() -> bool) {
    for _ in 0..4000 {
        if is_so().await {
            return;
        }
        tokio::time::sleep(std::time::Duration::from_millis(5)).await;
    }
    panic!("not in 20 s: {what}");
}

async fn append(node: &TestBroker, topic: &str, index: i32) -> ErrorCode {
    let request = produce(-1, topic, index, batch_at(&[1]));
    let outcome = super::produce::handle(&node.broker, &node.context, request, None).await;
    let super::produce::ProduceOutcome::Respond(response) = outcome else { panic!("{outcome:?}") };
    response.topics[0].partitions[0].error
}

fn records(node: &TestBroker, topic: &str, index: i32) -> i64 {
    let partition = node.partition(topic, index);
    let offsets = partition.offsets();
    let all = ReadRequest {
        offset: Offset::ZERO,
        bytes_max: 1 << 20,
        upper_bound: offsets.log_end,
        min_one_batch: true,
    };
    assert_eq!(partition.read(all).unwrap().bytes.is_empty(), offsets.log_end == Offset::ZERO);
    offsets.high_watermark.value()
}

/// A key that falls into a shard.
fn key_of(shard: i32) -> String {
    (0..1000).map(|n| format!("key-{n}")).find(|key| partition_of(key, SHARDS) == shard).unwrap()
}

async fn commit(node: &TestBroker, group: &str) -> ErrorCode {
    let partition = OffsetCommitRequestPartition::default().with_partition_index(0).with_committed_offset(1);
    let topic =
        OffsetCommitRequestTopic::default().with_name(topic_name(TOPIC)).with_partitions(vec![partition]);
    let request = OffsetCommitRequest::default().with_group_id(text(group).into()).with_topics(vec![topic]);
    let answer = super::offset_commit::handle(&node.broker, &node.context, request).await;
    ErrorCode::from_code(answer.topics[0].partitions[0].error_code)
}

async fn init(node: &TestBroker, id: &str) -> ErrorCode {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(Some(text(id).into()))
        .with_transaction_timeout_ms(10_000)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    let answer = super::init_producer_id::handle(&node.broker, &node.context, request).await;
    ErrorCode::from_code(answer.error_code)
}

async fn coordinator(node: &TestBroker, key_type: i8, key: &str) -> ErrorCode {
    let request =
        FindCoordinatorRequest::default().with_key_type(key_type).with_coordinator_keys(vec![text(key)]);
    let answer = super::find_coordinator::handle(&node.broker, &node.context, request).await;
    ErrorCode::from_code(answer.coordinators[0].error_code)
}

/// By directory: the error, and how many partitions are in it.
async fn described(node: &TestBroker, dir: &Path) -> (ErrorCode, usize) {
    let request = DescribeLogDirsRequest::default().with_topics(None);
    let answer = super::describe_log_dirs::handle(&node.broker, &node.context, request).await;
    assert_eq!(answer.results.len(), 2);
    let found = answer.results.iter().find(|result| Path::new(result.log_dir.as_str()) == dir).unwrap();
    (ErrorCode::from_code(found.error_code), found.topics.iter().map(|topic| topic.partitions.len()).sum())
}

fn leader(node: &TestBroker, topic: &str, index: i32) -> BrokerId {
    node.broker.metadata.image().topic(topic).unwrap().partition(index).unwrap().leader
}

/// Whether the metadata names the directory that each partition of a topic is in.
fn is_assigned(node: &TestBroker, topic: &str) -> bool {
    let image = node.broker.metadata.image();
    let topic = image.topic(topic).unwrap();
    let own = node.broker.node_id;
    let mut partitions = topic.partitions.iter();
    partitions.all(|(index, partition)| {
        let actual = node.broker.partitions.directory_of(topic.id, *index);
        actual.is_some() && partition.directory(own) == actual
    })
}

#[test]
fn a_directory_that_fails_goes_alone_and_comes_back_with_the_next_start() {
    run(async {
        let (dirs, node) = TwoDirs::start();
        node.create(TOPIC, 4, &[]).await;
        node.create(GROUP_METADATA, SHARDS, &[("cleanup.policy", "compact")]).await;
        node.create(TRANSACTION_STATE, SHARDS, &[("cleanup.policy", "compact")]).await;
        node.create("gone", 2, &[]).await;
        let in_both = |topic| [&dirs.sound, &dirs.failing].map(|dir| TwoDirs::indexes(&node, topic, dir));
        let [kept, lost] = in_both(TOPIC);
        assert_eq!((kept.len(), lost.len()), (2, 2), "partitions are spread");
        for topic in [TOPIC, GROUP_METADATA, TRANSACTION_STATE, "gone"] {
            assert!(is_assigned(&node, topic), "{topic}");
        }
        let groups = in_both(GROUP_METADATA).map(|shards| key_of(shards[0]));
        let ids = in_both(TRANSACTION_STATE).map(|shards| key_of(shards[0]));
        for index in 0..4 {
            assert_eq!(append(&node, TOPIC, index).await, ErrorCode::None);
        }
        for at in 0..2 {
            until("coordinators are loaded", async || {
                commit(&node, &groups[at]).await.is_none() && init(&node, &ids[at]).await.is_none()
            })
            .await;
        }

        dirs.break_one();
        assert_eq!(append(&node, TOPIC, lost[0]).await, ErrorCode::KafkaStorageError);
        until("the controller knows", async || leader(&node, TOPIC, lost[1]) == BrokerId::NONE).await;
        for index in &lost {
            assert_eq!(append(&node, TOPIC, *index).await, ErrorCode::KafkaStorageError);
            assert_eq!(node.broker.partitions.find(TOPIC, *index).unwrap_err(), ErrorCode::KafkaStorageError);
            assert_eq!(leader(&node, TOPIC, *index), BrokerId::NONE);
        }
        let refused = dirs.disk.refused();
        for index in &kept {
            assert_eq!(append(&node, TOPIC, *index).await, ErrorCode::None);
            assert_eq!((records(&node, TOPIC, *index), leader(&node, TOPIC, *index)), (2, BrokerId::new(1)));
        }
        assert_eq!(commit(&node, &groups[0]).await, ErrorCode::None);
        assert_eq!(init(&node, &ids[0]).await, ErrorCode::None);
        assert_eq!(commit(&node, &groups[1]).await, ErrorCode::NotCoordinator);
        assert_eq!(init(&node, &ids[1]).await, ErrorCode::NotCoordinator);
        for (key_type, [here, lost]) in [(0, &groups), (1, &ids)] {
            assert_eq!(coordinator(&node, key_type, here).await, ErrorCode::None);
            assert_eq!(coordinator(&node, key_type, lost).await, ErrorCode::CoordinatorNotAvailable);
        }
        assert_eq!(described(&node, &dirs.failing).await, (ErrorCode::KafkaStorageError, 0));
        assert_eq!(described(&node, &dirs.sound).await.0, ErrorCode::None);
        node.create("later", 3, &[]).await;
        assert_eq!(TwoDirs::indexes(&node, "later", &dirs.sound), [0, 1, 2], "what is new goes where it can");
        assert!(is_assigned(&node, "later"));
        let gone = TopicReference { name: Some("gone".to_owned()), id: TopicId::ZERO };
        let delete = Command::DeleteTopics(DeleteTopics { topics: vec![gone] });
        let deleted = node.broker.metadata.submit(delete).await;
        assert!(matches!(deleted, Ok(Reply::DeleteTopics(deleted)) if deleted[0].error.is_none()));
        assert_eq!(dirs.disk.refused(), refused, "nobody touches it any more");

        // It is not mended yet.
        let node = node.restart();
        assert_eq!(node.broker.partitions.unopened_dirs(), std::slice::from_ref(&dirs.failing));
        for index in &lost {
            assert_eq!(
                append(&node, TOPIC, *index).await,
                ErrorCode::KafkaStorageError,
                "and it is not made anew"
            );
            assert_eq!(leader(&node, TOPIC, *index), BrokerId::NONE);
        }
        for index in &kept {
            assert_eq!(append(&node, TOPIC, *index).await, ErrorCode::None);
        }
        assert_eq!(described(&node, &dirs.failing).await, (ErrorCode::KafkaStorageError, 0));
        node.create("latest", 3, &[]).await;
        assert_eq!(TwoDirs::indexes(&node, "latest", &dirs.sound), [0, 1, 2]);

        dirs.disk.mend();
        let node = node.restart();
        for (indexes, expected) in [(&kept, 3), (&lost, 1)] {
            for index in indexes {
                assert_eq!(
                    (records(&node, TOPIC, *index), leader(&node, TOPIC, *index)),
                    (expected, BrokerId::new(1))
                );
                assert_eq!(append(&node, TOPIC, *index).await, ErrorCode::None);
            }
        }
        assert_eq!(TwoDirs::indexes(&node, "later", &dirs.sound), [0, 1, 2]);
        assert_eq!(described(&node, &dirs.failing).await.0, ErrorCode::None);
        let strays = std::fs::read_dir(&dirs.failing).unwrap();
        let strays =
            strays.filter(|entry| entry.as_ref().unwrap().path().to_string_lossy().contains("gone-"));
        let strays: Vec<_> = strays.map(|entry| entry.unwrap().file_name()).collect();
        assert!(strays.len() == 1 && strays[0].to_string_lossy().ends_with("-stray"), "{strays:?}");
        node.stop();
    });
}

#[test]
fn records_are_deleted_in_a_sound_directory_beside_one_that_fails() {
    run(async {
        let (dirs, node) = TwoDirs::start();
        node.create(TOPIC, 4, &[]).await;
        let failing = TwoDirs::indexes(&node, TOPIC, &dirs.failing);
        assert_eq!(failing.len(), 2);
        for index in 0..4 {
            assert_eq!(append(&node, TOPIC, index).await, ErrorCode::None);
        }
        dirs.break_one();
        let all =
            (0..5).map(|index| DeleteRecordsPartition::default().with_partition_index(index).with_offset(-1));
        let topic = DeleteRecordsTopic::default().with_name(topic_name(TOPIC)).with_partitions(all.collect());
        let request = DeleteRecordsRequest::default().with_topics(vec![topic]);
        let answer = super::delete_records::handle(&node.broker, &node.context, request).await;
        for answered in &answer.topics[0].partitions {
            let expected = match answered.partition_index {
                4 => (ErrorCode::UnknownTopicOrPartition, -1),
                index if failing.contains(&index) => (ErrorCode::KafkaStorageError, -1),
                _ => (ErrorCode::None, 1),
            };
            assert_eq!((ErrorCode::from_code(answered.error_code), answered.low_watermark), expected);
        }
        dirs.disk.mend();
        let node = node.restart();
        for index in 0..4 {
            let log_start = node.partition(TOPIC, index).offsets().log_start;
            assert_eq!(log_start.value() == 1, !failing.contains(&index), "{index}: {log_start}");
        }
        node.stop();
    });
}

#[test]
fn a_directory_that_was_away_while_the_node_crashed_leads_again_when_it_is_back() {
    run(async {
        let memory = MemoryDisk::new();
        let disk = BreakingDisk::new(memory.shared());
        let home = Arc::new(tempfile::tempdir().unwrap());
        let [sound, failing] = ["sound", "failing"].map(|name| home.path().join(name));
        // What a start leaves beside the logs goes past the disk of the test.
        std::fs::create_dir(&sound).unwrap();
        let dirs = format!("log.dirs={},{}", sound.display(), failing.display());
        let node = TestBroker::start_with(&disk.shared(), home, &[&dirs]);
        node.create(TOPIC, 4, &[]).await;
        let lost = TwoDirs::indexes(&node, TOPIC, &failing);
        assert_eq!(lost.len(), 2);
        for index in 0..4 {
            assert_eq!(append(&node, TOPIC, index).await, ErrorCode::None);
        }
        disk.break_dir(&failing);
        assert_eq!(append(&node, TOPIC, lost[0]).await, ErrorCode::KafkaStorageError);
        until("the controller knows", async || leader(&node, TOPIC, lost[1]) == BrokerId::NONE).await;

        let node = node.crash(&memory);
        assert_eq!(node.broker.partitions.unopened_dirs(), std::slice::from_ref(&failing));
        let node = node.crash(&memory);
        assert_eq!(leader(&node, TOPIC, lost[0]), BrokerId::NONE);

        disk.mend();
        let node = node.crash(&memory);
        for index in 0..4 {
            assert_eq!((records(&node, TOPIC, index), leader(&node, TOPIC, index)), (1, BrokerId::new(1)));
            assert_eq!(append(&node, TOPIC, index).await, ErrorCode::None);
        }
        node.stop();
    });
}
