//! Memory of committed offsets, in a process of its own: resident pages are what is measured.

use coordinator::group::Shard;
use coordinator::group::record::{OffsetKey, OffsetValue, Record};

mod resident;

use resident::resident_bytes;

#[test]
fn memory_per_offset() {
    for (groups, topics, partitions, bytes_max) in
        [(1, 1, 400_000, 70), (2_000, 10, 20, 90), (50_000, 1, 8, 250)]
    {
        let before = resident_bytes();
        let mut shard = Shard::default();
        for group in 0..groups {
            for topic in 0..topics {
                for partition in 0..partitions {
                    shard.replay(offset(group, topic, partition), None);
                }
            }
        }
        let bytes = resident_bytes().saturating_sub(before) / (groups * topics * partitions);
        println!("{groups} groups of {topics} topics of {partitions} partitions: {bytes} bytes per offset");
        assert!(bytes <= bytes_max, "{bytes} bytes per offset");
    }
}

fn offset(group: usize, topic: usize, partition: usize) -> Record {
    let key = OffsetKey {
        group_id: format!("group-{group:06}"),
        topic: format!("topic-{topic:06}"),
        partition: i32::try_from(partition).expect("small"),
    };
    let value = OffsetValue {
        offset: 7,
        leader_epoch: 1,
        metadata: String::new(),
        commit_timestamp_ms: 1_700_000_000_000,
        expire_timestamp_ms: -1,
        topic_id: None,
    };
    Record::Offset(key, Some(value))
}
