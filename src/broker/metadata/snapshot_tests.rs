use controller::record::{FeatureLevelRecord, TopicRecord};
use model::{BrokerId, TopicId};
use uuid::Uuid;

use super::*;

fn records() -> Vec<MetadataRecord> {
    vec![
        MetadataRecord::FeatureLevel(FeatureLevelRecord {
            name: "metadata.version".to_owned(),
            feature_level: 27,
            unknown: Vec::new(),
        }),
        MetadataRecord::Topic(TopicRecord {
            name: "orders".to_owned(),
            topic_id: TopicId::new(Uuid::from_u64_pair(7, 9)),
            unknown: Vec::new(),
        }),
    ]
}

#[test]
fn a_snapshot_round_trips() {
    let snapshot = Snapshot {
        records: records(),
        last_contained_timestamp_ms: 1_234,
        quorum: Some(QuorumRecords {
            kraft_version: 1,
            voters: vec![Voter {
                id: BrokerId::new(1),
                directory_id: Uuid::from_u64_pair(1, 2),
                endpoints: vec![("CONTROLLER".to_owned(), "localhost".to_owned(), 9093)],
                kraft_versions: (0, 1),
            }],
        }),
    };
    let bytes = snapshot.encode(LeaderEpoch::new(3), 5_000).unwrap();
    assert_eq!(Snapshot::decode(bytes.clone()).unwrap(), snapshot);
    for cut in [0, 40, 61, bytes.len() - 76, bytes.len() - 1] {
        assert!(Snapshot::decode(bytes.slice(..cut)).is_err(), "cut at {cut} of {}", bytes.len());
    }
}

/// What Kafka 4.1.2's `kafka-storage format --standalone` has written.
#[test]
fn a_kafka_bootstrap_checkpoint_is_read() {
    let bytes = Bytes::from_static(include_bytes!("testdata/bootstrap.checkpoint"));
    let snapshot = Snapshot::decode(bytes).unwrap();
    let levels: Vec<_> = snapshot
        .records
        .iter()
        .map(|record| match record {
            MetadataRecord::FeatureLevel(record) => (record.name.as_str(), record.feature_level),
            other => panic!("{other:?}"),
        })
        .collect();
    assert_eq!(
        levels,
        [
            ("metadata.version", 27),
            ("eligible.leader.replicas.version", 1),
            ("group.version", 1),
            ("transaction.version", 2)
        ]
    );
    assert_eq!(snapshot.quorum, None);
}
