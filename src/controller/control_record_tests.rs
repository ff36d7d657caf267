use bytes::Bytes;
use model::BrokerId;
use uuid::Uuid;

use super::*;

fn unhex(text: &str) -> Bytes {
    let digits = text.as_bytes().chunks(2);
    let bytes = digits.map(|pair| u8::from_str_radix(std::str::from_utf8(pair).unwrap(), 16).unwrap());
    bytes.collect::<Vec<_>>().into()
}

#[test]
fn control_records_are_kafkas_bytes_both_ways() {
    let id = BrokerId::new;
    let expected = [
        (
            "leader_change",
            ControlRecord::LeaderChange {
                leader_id: id(1),
                voters: vec![id(1), id(2)],
                granting_voters: vec![id(1)],
            },
        ),
        ("snapshot_header", ControlRecord::SnapshotHeader { last_contained_timestamp_ms: 1_234_567_890_123 }),
        ("snapshot_footer", ControlRecord::SnapshotFooter),
        ("kraft_version", ControlRecord::KRaftVersion { level: 1 }),
        (
            "voters",
            ControlRecord::Voters(vec![Voter {
                id: id(1),
                directory_id: Uuid::from_u64_pair(50, 51),
                endpoints: vec![("CONTROLLER".to_owned(), "localhost".to_owned(), 9093)],
                kraft_versions: (0, 1),
            }]),
        ),
    ];
    let golden = include_str!("testdata/control_records.hex").lines();
    let golden: Vec<Vec<&str>> =
        golden.filter(|line| !line.starts_with('#')).map(|line| line.split(' ').collect()).collect();
    assert_eq!(golden.len(), expected.len());
    for (line, (name, record)) in golden.iter().zip(&expected) {
        assert_eq!(line[0], *name);
        assert_eq!(record.key(), unhex(line[1]), "key of {name}");
        assert_eq!(record.value(), unhex(line[2]), "value of {name}");
        let decoded = ControlRecord::decode(unhex(line[1]), unhex(line[2]));
        assert_eq!(decoded, Ok(Some(record.clone())), "{name}");
    }
}

#[test]
fn markers_of_transactions_are_nobodys() {
    let key = Bytes::from_static(&[0, 0, 0, 1]);
    assert_eq!(ControlRecord::decode(key, Bytes::new()), Ok(None));
    let short = ControlRecord::decode(Bytes::from_static(&[0]), Bytes::new());
    assert!(short.is_err());
}
