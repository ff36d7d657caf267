//! What is shown of groups, to the letter.

use client::Node;

use super::*;
use crate::group_admin::Member;
use crate::groups::Committed;

fn read() -> Read {
    let member = |id: &str, partitions: Vec<TopicPartition>| Member {
        id: id.to_owned(),
        instance: None,
        client: "app".to_owned(),
        host: "/10.0.0.7".to_owned(),
        partitions,
        target: None,
        upgraded: None,
    };
    let first = ("orders".to_owned(), 0);
    let group = Described {
        id: "billing".to_owned(),
        state: "Stable".to_owned(),
        assignor: "range".to_owned(),
        epochs: None,
        coordinator: Node { id: 1, host: "kafka".to_owned(), port: 9092, rack: None },
        members: vec![member("app-1", vec![first.clone()]), member("app-2", Vec::new())],
    };
    let row = |partition: &TopicPartition, offset: Option<i64>, end, reader| Row {
        partition: Some(partition.clone()),
        committed: offset.map(|offset| Committed { offset, leader_epoch: None }),
        end,
        reader,
    };
    let reader = ("app-1".to_owned(), "/10.0.0.7".to_owned(), "app".to_owned());
    let second = ("orders".to_owned(), 1);
    Read {
        group,
        rows: vec![
            (first.clone(), row(&first, Some(7), Some(1207), Some(reader))),
            (second.clone(), row(&second, None, None, None)),
        ],
    }
}

#[test]
fn a_group_is_a_table_of_its_partitions() {
    assert_eq!(
        read().text(false),
        "billing: Stable, 2 members, lag 1,200, assignor range, coordinator 1 (kafka:9092)\n\n\
         TOPIC   PARTITION  COMMITTED   END   LAG  CLIENT  HOST      MEMBER\n\
         orders          0          7  1207  1200  app     10.0.0.7  app-1\n\
         orders          1          -     -     -  -       -         -\n\n\
         1 member without partitions\n"
    );
}

#[test]
fn its_json_says_the_same() {
    let expected = json!({
        "name": "billing",
        "state": "Stable",
        "assignor": "range",
        "coordinator": { "id": 1, "host": "kafka", "port": 9092 },
        "members": [
            { "id": "app-1", "instance": null, "client": "app", "host": "/10.0.0.7", "partitions": 1 },
            { "id": "app-2", "instance": null, "client": "app", "host": "/10.0.0.7", "partitions": 0 },
        ],
        "partitions": [
            { "topic": "orders", "partition": 0, "committedOffset": 7, "endOffset": 1207, "lag": 1200, "member": "app-1" },
            { "topic": "orders", "partition": 1, "committedOffset": null, "endOffset": null, "lag": null, "member": null },
        ],
        "lag": 1200,
    });
    assert_eq!(read().json(), expected);
}

#[test]
fn the_list_is_a_table() {
    let group = |id: &str, kind: &str, state: &str, protocol: &str| Listed {
        id: id.to_owned(),
        kind: kind.to_owned(),
        state: state.to_owned(),
        protocol: protocol.to_owned(),
    };
    let listed = [group("billing", "Consumer", "Stable", "consumer"), group("old", "", "Empty", "")];
    assert_eq!(
        listed_text(&listed, false),
        "NAME     TYPE      STATE   PROTOCOL\nbilling  Consumer  Stable  consumer\nold      -         Empty   -\n"
    );
    assert_eq!(
        listed_json(&listed).to_string(),
        r#"[{"name":"billing","protocol":"consumer","state":"Stable","type":"Consumer"},{"name":"old","protocol":null,"state":"Empty","type":null}]"#
    );
}
