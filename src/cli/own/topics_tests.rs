//! What is shown of topics, to the letter.

use super::*;

fn topic() -> Topic {
    let partition = |index, leader, isr: &[i32]| topic_description::Partition {
        index,
        leader,
        replicas: vec![1, 2],
        isr: isr.to_vec(),
        elr: None,
        moving: None,
    };
    Topic {
        name: "orders".to_owned(),
        id: uuid::Uuid::from_u64_pair(1, 2),
        partitions: vec![partition(0, 1, &[1, 2]), partition(10, 2, &[2]), partition(11, -1, &[])],
        configs: vec![
            ("cleanup.policy".to_owned(), "compact".to_owned()),
            ("retention.ms".to_owned(), "-1".to_owned()),
        ],
        min_isr: 1,
    }
}

fn spans() -> BTreeMap<TopicPartition, Span> {
    BTreeMap::from([
        (("orders".to_owned(), 0), (Some(5), Some(12_345))),
        (("orders".to_owned(), 10), (Some(0), Some(0))),
    ])
}

#[test]
fn a_topic_is_a_table_of_its_partitions() {
    assert_eq!(
        described_text(&topic(), &spans(), false),
        "orders: 3 partitions, 2 replicas each, id AAAAAAAAAAEAAAAAAAAAAg\n\n\
         PARTITION  LEADER  REPLICAS  IN-SYNC  START    END  RECORDS\n        \
         0       1  1,2       1,2          5  12345    12340\n       \
         10       2  1,2       2            0      0        0\n       \
         11    none  1,2       -            -      -        -\n\n\
         SETTING         VALUE\n\
         cleanup.policy  compact\n\
         retention.ms    -1\n"
    );
}

#[test]
fn its_json_is_one_line() {
    assert_eq!(
        described_json(&[topic()], &spans()).to_string(),
        r#"[{"configs":{"cleanup.policy":"compact","retention.ms":"-1"},"id":"AAAAAAAAAAEAAAAAAAAAAg","name":"orders","#.to_owned()
            + r#""partitions":[{"endOffset":12345,"isr":[1,2],"leader":1,"partition":0,"replicas":[1,2],"startOffset":5},"#
            + r#"{"endOffset":0,"isr":[2],"leader":2,"partition":10,"replicas":[1,2],"startOffset":0},"#
            + r#"{"endOffset":null,"isr":[],"leader":null,"partition":11,"replicas":[1,2],"startOffset":null}],"replicas":2}]"#
    );
}
