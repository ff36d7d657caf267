use wire::messages::list_offsets_request::ListOffsetsTopic;

use super::*;
use crate::handlers::answer::topic_name;
use crate::handlers::test_support::{TOPIC, TestBroker, batch_at, run};

fn asked(timestamp: i64) -> ListOffsetsPartition {
    ListOffsetsPartition::default().with_timestamp(timestamp).with_current_leader_epoch(-1)
}

fn request(partitions: Vec<ListOffsetsPartition>) -> ListOffsetsRequest {
    let topic = ListOffsetsTopic::default().with_name(topic_name(TOPIC)).with_partitions(partitions);
    ListOffsetsRequest::default().with_replica_id((-1).into()).with_topics(vec![topic])
}

async fn answer(node: &TestBroker, asked: ListOffsetsPartition) -> ListOffsetsPartitionResponse {
    let mut response = handle(&node.broker, &node.context, request(vec![asked])).await;
    response.topics.remove(0).partitions.remove(0)
}

fn parts(found: &ListOffsetsPartitionResponse) -> (i16, i64, i64, i32) {
    (found.error_code, found.offset, found.timestamp, found.leader_epoch)
}

#[test]
fn every_special_timestamp_has_its_place() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let look_up = async |timestamp| parts(&answer(&node, asked(timestamp)).await);
        let nothing = (0, -1, -1, -1);
        assert_eq!(look_up(special::LATEST).await, (0, 0, -1, 0));
        assert_eq!(
            look_up(special::EARLIEST).await,
            (0, 0, -1, 0),
            "the epoch began before the first record"
        );
        assert_eq!(look_up(special::MAX_TIMESTAMP).await, nothing);
        assert_eq!(look_up(0).await, nothing);

        node.append(0, batch_at(&[100, 300, 200])).await;
        node.append(0, batch_at(&[300, 150])).await;
        assert_eq!(look_up(special::LATEST).await, (0, 5, -1, 0));
        assert_eq!(look_up(special::EARLIEST_LOCAL).await, (0, 0, -1, 0));
        assert_eq!(look_up(special::LATEST_TIERED).await, nothing);
        assert_eq!(look_up(special::MAX_TIMESTAMP).await, (0, 1, 300, 0), "the first of several");
        for (timestamp, found) in [(0, (0, 100)), (101, (1, 300)), (300, (1, 300))] {
            assert_eq!(look_up(timestamp).await, (0, found.0, found.1, 0), "{timestamp}");
        }
        assert_eq!(look_up(301).await, nothing);
        let unsupported = ErrorCode::UnsupportedVersion.code();
        assert_eq!(look_up(i64::MIN).await, (unsupported, -1, -1, -1));
        node.stop();
    });
}

#[test]
fn refusals_have_kafkas_codes() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let code = async |asked| answer(&node, asked).await.error_code;
        let at = || asked(special::LATEST);
        assert_eq!(code(at().with_partition_index(1)).await, ErrorCode::UnknownTopicOrPartition.code());
        assert_eq!(code(at().with_current_leader_epoch(1)).await, ErrorCode::UnknownLeaderEpoch.code());
        assert_eq!(code(at().with_current_leader_epoch(0)).await, ErrorCode::None.code());

        let twice = request(vec![at(), at(), at()]);
        let response = handle(&node.broker, &node.context, twice).await;
        let codes: Vec<_> = response.topics[0].partitions.iter().map(|p| p.error_code).collect();
        assert_eq!(codes, [ErrorCode::InvalidRequest.code()]);
        node.stop();
    });
}

#[test]
fn an_acks_1_producer_finds_its_record_counted() {
    run(async {
        let node = TestBroker::start();
        node.create(TOPIC, 1, &[]).await;
        let request = crate::handlers::test_support::produce(1, TOPIC, 0, batch_at(&[1]));
        crate::handlers::produce::handle(&node.broker, &node.context, request, None).await;
        assert_eq!(answer(&node, asked(special::LATEST)).await.offset, 1);
        node.stop();
    });
}
