use super::*;
use model::codec::ReadError;
use proptest::prelude::*;
use uuid::Uuid;

use crate::test_support::golden;

const GOLDEN: &str = include_str!("testdata/kafka-4.1.2.txt");

#[test]
fn every_record_of_kafka_is_read() {
    let mut left: BTreeMap<&str, Record> = meant().into_iter().collect();
    for (name, key, value) in golden(GOLDEN) {
        let decoded = Record::decode(&key, value.as_ref()).unwrap_or_else(|error| panic!("{name}: {error}"));
        if let Some(meant) = left.remove(name) {
            assert_eq!(decoded, Decoded::Record(meant), "{name}");
        } else {
            assert!(name.starts_with("unknown."), "{name} is not in the table");
            assert_eq!(decoded, Decoded::Unknown(i16::from_be_bytes([key[0], key[1]])), "{name}");
        }
    }
    assert!(left.is_empty(), "not in the file: {left:?}");
}

/// The versions that Kafka 4.1 writes, byte for byte; older ones and those that it wrote in another order are read only.
#[test]
fn what_is_written_is_what_kafka_writes() {
    let read_only = |name: &str| {
        let old = ["v0", "v1", "v2", "v4"].map(|version| format!("classic-group.{version}"));
        old.iter().any(|old| name.starts_with(old))
            || ["offset.v0", "offset.v2", "offset.v3", "target-member.unsorted"].contains(&name)
            || name.starts_with("legacy-")
    };
    let meant: BTreeMap<&str, Record> = meant().into_iter().collect();
    let mut compared = 0;
    for (name, key, value) in golden(GOLDEN) {
        if let Some(record) = meant.get(name).filter(|_| !read_only(name)) {
            assert_eq!(record.encode(), Ok((key, value)), "{name}");
            compared += 1;
        }
    }
    assert_eq!(compared, 29);
}

#[test]
fn a_later_version_is_an_error() {
    for (key_type, version) in
        [(0, 1), (1, 5), (2, 5), (3, 1), (5, 1), (8, 1), (16, 1), (1, -1), (1, i16::MAX)]
    {
        let mut key = vec![0, key_type as u8, 0, 1, b'g', 0, 1, b't'];
        key.extend(0i32.to_be_bytes());
        let value = Bytes::copy_from_slice(&i16::to_be_bytes(version));
        let meant = Err(RecordError::Version { key_type, version });
        assert_eq!(Record::decode(&Bytes::from(key), Some(&value)), meant);
    }
}

#[test]
fn damaged_records_are_errors() {
    let read = |key: &'static [u8], value: Option<&'static [u8]>| {
        Record::decode(&Bytes::from_static(key), value.map(Bytes::from_static).as_ref()).unwrap_err()
    };
    let short = |needed, left| ReadError::Short { needed, left };
    assert_eq!(read(b"\0", None), RecordError::Key { key_type: -1, source: short(2, 1) });
    assert_eq!(read(b"\0\x02\0\x05abc", None), RecordError::Key { key_type: 2, source: short(5, 3) });
    assert_eq!(
        read(b"\0\x02\xff\xff", None),
        RecordError::Key { key_type: 2, source: ReadError::Length(-1) },
        "no group id"
    );
    let key = b"\0\x07\0\x01g\0\x01m";
    assert_eq!(read(key, Some(b"")), RecordError::Value { key_type: 7, version: -1, source: short(2, 0) });
    assert_eq!(
        read(key, Some(b"\0\0\xff\xff\xff\xff\x0f")),
        RecordError::Value { key_type: 7, version: 0, source: ReadError::Length(0xffff_fffe) },
        "4 billion topics"
    );
    assert_eq!(
        read(key, Some(b"\0\0\0\0")),
        RecordError::Value { key_type: 7, version: 0, source: ReadError::Length(-1) },
        "an array that may not be null"
    );
}

#[test]
fn fields_of_later_releases_are_skipped() {
    let key = Bytes::from_static(b"\0\x06\0\x02cg");
    let value = Bytes::from_static(b"\0\0\0\0\0\x12\x01\x07\x02ab and what follows");
    let meant = Decoded::Record(Record::TargetEpoch("cg".into(), Some(18)));
    assert_eq!(Record::decode(&key, Some(&value)), Ok(meant));
}

#[test]
fn a_text_that_does_not_fit_is_not_written() {
    let group_id = "g".repeat(32_768);
    let too_long = RecordError::TooLong { key_type: 3, bytes: 32_768 };
    assert_eq!(Record::ConsumerGroup(group_id, None).encode(), Err(too_long));
    let mut value = offset_value();
    value.metadata = "m".repeat(40_000);
    let key = OffsetKey { group_id: "g".into(), topic: "t".into(), partition: 0 };
    assert!(Record::Offset(key.clone(), Some(value.clone())).encode().is_ok(), "version 4 has no such bound");
    value.expire_timestamp_ms = 1;
    let too_long = RecordError::TooLong { key_type: 1, bytes: 40_000 };
    assert_eq!(Record::Offset(key, Some(value)).encode(), Err(too_long));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    #[test]
    fn what_is_written_is_read_again(record in any_record()) {
        let (key, value) = record.encode().expect("short texts");
        prop_assert_eq!(Record::decode(&key, value.as_ref()), Ok(Decoded::Record(record)));
    }

    #[test]
    fn no_bytes_make_the_reader_panic(key_type in 0i16..20, key in any::<Vec<u8>>(), value in any::<Vec<u8>>()) {
        let key = Bytes::from([&key_type.to_be_bytes()[..], &key].concat());
        let _ = Record::decode(&key, Some(&Bytes::from(value)));
    }

    #[test]
    fn damaged_kafka_records_do_not_make_the_reader_panic(line in 0usize..49, at in any::<prop::sample::Index>(), byte: u8) {
        let (_, key, value) = golden(GOLDEN).nth(line).expect("49 lines");
        for damaged in [Some(&key), value.as_ref()].into_iter().flatten() {
            let mut bytes = damaged.to_vec();
            let at = at.index(bytes.len());
            bytes[at] = byte;
            let bytes = Bytes::from(bytes);
            let _ = Record::decode(&key, Some(&bytes));
            let _ = Record::decode(&bytes, value.as_ref());
            let _ = Record::decode(&key, Some(&bytes.slice(..at)));
        }
    }
}

fn id_a() -> TopicId {
    TopicId::new(Uuid::from_u128(0x0102_0304_0506_0708_090a_0b0c_0d0e_0f10))
}

fn id_b() -> TopicId {
    TopicId::new(Uuid::from_u64_pair(u64::MAX, 42))
}

fn offset_value() -> OffsetValue {
    OffsetValue {
        offset: 1_234_567_890_123,
        leader_epoch: -1,
        metadata: "mäta".into(),
        commit_timestamp_ms: 1_700_000_000_000,
        expire_timestamp_ms: -1,
        topic_id: None,
    }
}

/// What the lines of the file mean.
fn meant() -> Vec<(&'static str, Record)> {
    let mut meant = offsets_meant();
    meant.extend(classic_groups_meant());
    meant.extend(consumer_groups_meant());
    meant
}

fn offsets_meant() -> Vec<(&'static str, Record)> {
    let key = || OffsetKey { group_id: "grüppe".into(), topic: "topic-1".into(), partition: 7 };
    let written = |expire_timestamp_ms, topic_id, leader_epoch, metadata: &str| {
        let key = OffsetKey { group_id: "g".into(), topic: "t".into(), partition: 0 };
        let metadata = metadata.to_owned();
        let value = OffsetValue {
            offset: 5,
            leader_epoch,
            metadata,
            commit_timestamp_ms: 1000,
            expire_timestamp_ms,
            topic_id,
        };
        Record::Offset(key, Some(value))
    };
    let read = |value| Record::Offset(key(), Some(value));
    let plain = offset_value();
    let expires = OffsetValue { expire_timestamp_ms: 1_700_000_600_000, ..plain.clone() };
    let with_epoch = OffsetValue { leader_epoch: 9, ..plain.clone() };
    vec![
        ("offset.v0", read(plain.clone())),
        ("offset.v1", read(expires)),
        ("offset.v2", read(plain.clone())),
        ("offset.v3", read(with_epoch.clone())),
        ("offset.v4", read(OffsetValue { topic_id: Some(id_a()), ..with_epoch })),
        ("offset.v4.no-topic-id", read(OffsetValue { metadata: String::new(), ..plain.clone() })),
        ("offset.tombstone", Record::Offset(key(), None)),
        ("legacy-offset.v0", read(plain)),
        ("legacy-offset.tombstone", Record::Offset(key(), None)),
        ("offset.written", written(-1, Some(id_a()), 3, "m")),
        ("offset.written.no-topic-id", written(-1, None, -1, "")),
        ("offset.written.expires", written(2000, None, -1, "m")),
        (
            "offset.written.tombstone",
            Record::Offset(OffsetKey { group_id: "g".into(), topic: "t".into(), partition: 0 }, None),
        ),
    ]
}

fn classic_groups_meant() -> Vec<(&'static str, Record)> {
    let member =
        |version, member_id: &str, instance_id: Option<&str>, rebalance_timeout_ms| ClassicMemberValue {
            member_id: member_id.into(),
            instance_id: instance_id.filter(|_| version >= 3).map(Into::into),
            client_id: "client".into(),
            client_host: "/127.0.0.1".into(),
            rebalance_timeout_ms: if version >= 1 { rebalance_timeout_ms } else { -1 },
            session_timeout_ms: 45_000,
            subscription: Bytes::from_static(&[0, 1, 2]),
            assignment: Bytes::from_static(&[3, 4]),
        };
    let state_timestamp_ms = |version| if version >= 2 { 1_700_000_000_001 } else { -1 };
    let full = |version| {
        let value = ClassicGroupValue {
            protocol_type: "consumer".into(),
            generation: 12,
            protocol: Some("range".into()),
            leader: Some("m-1".into()),
            state_timestamp_ms: state_timestamp_ms(version),
            members: vec![member(version, "m-1", Some("i-1"), 60_000), member(version, "m-2", None, 300_000)],
        };
        Record::ClassicGroup("classic".into(), Some(value))
    };
    let empty = |version| {
        let value = ClassicGroupValue {
            protocol_type: String::new(),
            generation: 0,
            protocol: None,
            leader: None,
            state_timestamp_ms: state_timestamp_ms(version),
            members: Vec::new(),
        };
        Record::ClassicGroup("classic".into(), Some(value))
    };
    vec![
        ("classic-group.v0", full(0)),
        ("classic-group.v0.empty", empty(0)),
        ("classic-group.v1", full(1)),
        ("classic-group.v1.empty", empty(1)),
        ("classic-group.v2", full(2)),
        ("classic-group.v2.empty", empty(2)),
        ("classic-group.v3", full(3)),
        ("classic-group.v3.empty", empty(3)),
        ("classic-group.v4", full(4)),
        ("classic-group.v4.empty", empty(4)),
        ("classic-group.tombstone", Record::ClassicGroup("classic".into(), None)),
    ]
}

fn consumer_groups_meant() -> Vec<(&'static str, Record)> {
    let group = || "cg".to_owned();
    let key = || MemberKey { group_id: group(), member_id: "m-1".into() };
    let regex = || RegularExpressionKey { group_id: group(), regex: "x.*".into() };
    let epoch = |metadata_hash| Some(ConsumerGroupValue { epoch: 17, metadata_hash });
    let partition_metadata =
        golden(GOLDEN).find(|(name, ..)| *name == "partition-metadata").and_then(|(_, _, value)| value);
    let target = || Some(Assignment::from([(id_a(), vec![0, 1, 200]), (id_b(), vec![3])]));
    let current = CurrentAssignmentValue {
        member_epoch: 18,
        previous_member_epoch: 17,
        state: 1,
        assigned: Assignment::from([(id_a(), vec![0, 1])]),
        pending_revocation: Assignment::from([(id_b(), vec![2])]),
    };
    let resolved = RegularExpressionValue {
        topics: vec!["x1".into(), "x2".into()],
        version: 321,
        timestamp_ms: 1_700_000_000_002,
    };
    let mut meant = members_meant();
    meant.extend([
        ("consumer-group", Record::ConsumerGroup(group(), epoch(0))),
        ("consumer-group.hash", Record::ConsumerGroup(group(), epoch(-5_123_456_789))),
        ("consumer-group.tombstone", Record::ConsumerGroup(group(), None)),
        ("partition-metadata", Record::PartitionMetadata(group(), partition_metadata)),
        ("partition-metadata.tombstone", Record::PartitionMetadata(group(), None)),
        ("target-epoch", Record::TargetEpoch(group(), Some(18))),
        ("target-epoch.tombstone", Record::TargetEpoch(group(), None)),
        ("target-member", Record::TargetMember(key(), target())),
        ("target-member.empty", Record::TargetMember(key(), Some(Assignment::new()))),
        ("target-member.unsorted", Record::TargetMember(key(), target())),
        ("target-member.tombstone", Record::TargetMember(key(), None)),
        ("current-assignment", Record::CurrentAssignment(key(), Some(current))),
        ("current-assignment.tombstone", Record::CurrentAssignment(key(), None)),
        ("regular-expression", Record::RegularExpression(regex(), Some(resolved))),
        ("regular-expression.tombstone", Record::RegularExpression(regex(), None)),
    ]);
    meant
}

fn members_meant() -> Vec<(&'static str, Record)> {
    let key = || MemberKey { group_id: "cg".into(), member_id: "m-1".into() };
    let full = MemberValue {
        instance_id: Some("i".into()),
        rack_id: Some("r".into()),
        client_id: "c".into(),
        client_host: "/::1".into(),
        subscribed_topics: vec!["a".into(), "b".into()],
        subscribed_regex: Some("x.*".into()),
        rebalance_timeout_ms: 5_000,
        server_assignor: Some("range".into()),
        classic: Some(ClassicMemberMetadata {
            session_timeout_ms: 45_000,
            protocols: vec![("range".into(), Bytes::from_static(&[1, 2])), ("sticky".into(), Bytes::new())],
        }),
    };
    let least = MemberValue {
        instance_id: None,
        rack_id: None,
        client_id: String::new(),
        client_host: String::new(),
        subscribed_topics: Vec::new(),
        subscribed_regex: None,
        rebalance_timeout_ms: -1,
        server_assignor: None,
        classic: None,
    };
    let default_classic = MemberValue { classic: Some(ClassicMemberMetadata::default()), ..least.clone() };
    vec![
        ("member.full", Record::Member(key(), Some(full))),
        ("member.default-classic", Record::Member(key(), Some(default_classic))),
        ("member.least", Record::Member(key(), Some(least))),
        ("member.tombstone", Record::Member(key(), None)),
    ]
}

fn any_record() -> impl Strategy<Value = Record> {
    prop_oneof![
        any_offset(),
        any_classic_group(),
        any_group_value(),
        any_member(),
        any_assigned(),
        any_regex()
    ]
}

fn text() -> impl Strategy<Value = String> {
    "\\PC{0,12}"
}

fn any_bytes() -> impl Strategy<Value = Bytes> {
    prop::collection::vec(any::<u8>(), 0..200).prop_map(Bytes::from)
}

fn any_offset() -> impl Strategy<Value = Record> {
    let value = (any::<i64>(), any::<i32>(), text(), any::<i64>(), any::<i64>(), any::<u128>(), 0..3);
    let value =
        value.prop_map(|(offset, epoch, metadata, commit_timestamp_ms, expiry, id, kind)| OffsetValue {
            offset,
            leader_epoch: if kind == 0 { -1 } else { epoch },
            metadata,
            commit_timestamp_ms,
            expire_timestamp_ms: if kind == 0 { expiry } else { -1 },
            topic_id: (kind == 1 && id != 0).then(|| TopicId::new(Uuid::from_u128(id))),
        });
    // An "expiry" of -1 is none: then the fields of version 4 are kept, which are at their defaults here anyway.
    let key = (text(), text(), any::<i32>());
    (key, prop::option::of(value)).prop_map(|((group_id, topic, partition), value)| {
        Record::Offset(OffsetKey { group_id, topic, partition }, value)
    })
}

fn any_classic_group() -> impl Strategy<Value = Record> {
    let member = (text(), prop::option::of(text()), text(), any::<(i32, i32)>(), any_bytes(), any_bytes());
    let member = member.prop_map(|(member_id, instance_id, client, timeouts, subscription, assignment)| {
        ClassicMemberValue {
            member_id,
            instance_id,
            client_id: client.clone(),
            client_host: client,
            rebalance_timeout_ms: timeouts.0,
            session_timeout_ms: timeouts.1,
            subscription,
            assignment,
        }
    });
    let members = prop::collection::vec(member, 0..4);
    let texts = (text(), prop::option::of(text()), prop::option::of(text()));
    let value =
        (texts, any::<(i32, i64)>(), members).prop_map(
            |((protocol_type, protocol, leader), (generation, state_timestamp_ms), members)| {
                ClassicGroupValue { protocol_type, generation, protocol, leader, state_timestamp_ms, members }
            },
        );
    (text(), prop::option::of(value)).prop_map(|(group_id, value)| Record::ClassicGroup(group_id, value))
}

fn any_group_value() -> impl Strategy<Value = Record> {
    let group =
        any::<(i32, i64)>().prop_map(|(epoch, metadata_hash)| ConsumerGroupValue { epoch, metadata_hash });
    prop_oneof![
        (text(), prop::option::of(group))
            .prop_map(|(group_id, value)| Record::ConsumerGroup(group_id, value)),
        (text(), any::<Option<i32>>()).prop_map(|(group_id, value)| Record::TargetEpoch(group_id, value)),
    ]
}

fn member_key() -> impl Strategy<Value = MemberKey> {
    (text(), text()).prop_map(|(group_id, member_id)| MemberKey { group_id, member_id })
}

fn any_member() -> impl Strategy<Value = Record> {
    let optional = || prop::option::of(text());
    let classic = (any::<i32>(), prop::collection::vec((text(), any_bytes()), 0..4));
    let classic = classic
        .prop_map(|(session_timeout_ms, protocols)| ClassicMemberMetadata { session_timeout_ms, protocols });
    let value = (
        (optional(), optional(), optional(), optional()),
        text(),
        prop::collection::vec(text(), 0..4),
        any::<i32>(),
        prop::option::of(classic),
    );
    let value =
        value.prop_map(|(optional, client, subscribed_topics, rebalance_timeout_ms, classic)| MemberValue {
            instance_id: optional.0,
            rack_id: optional.1,
            client_id: client.clone(),
            client_host: client,
            subscribed_topics,
            subscribed_regex: optional.2,
            rebalance_timeout_ms,
            server_assignor: optional.3,
            classic,
        });
    (member_key(), prop::option::of(value)).prop_map(|(key, value)| Record::Member(key, value))
}

fn any_assignment() -> impl Strategy<Value = Assignment> {
    let partitions = prop::collection::btree_set(any::<i32>(), 0..5);
    prop::collection::btree_map(any::<u128>(), partitions, 0..4).prop_map(|topics| {
        let sorted = |(id, partitions): (u128, std::collections::BTreeSet<i32>)| {
            (TopicId::new(Uuid::from_u128(id)), partitions.into_iter().collect())
        };
        topics.into_iter().map(sorted).collect()
    })
}

fn any_assigned() -> impl Strategy<Value = Record> {
    let current = (any::<(i32, i32, i8)>(), any_assignment(), any_assignment()).prop_map(
        |((member_epoch, previous_member_epoch, state), assigned, pending_revocation)| {
            CurrentAssignmentValue {
                member_epoch,
                previous_member_epoch,
                state,
                assigned,
                pending_revocation,
            }
        },
    );
    prop_oneof![
        (member_key(), prop::option::of(any_assignment()))
            .prop_map(|(key, value)| Record::TargetMember(key, value)),
        (member_key(), prop::option::of(current))
            .prop_map(|(key, value)| Record::CurrentAssignment(key, value)),
    ]
}

fn any_regex() -> impl Strategy<Value = Record> {
    let value = (prop::collection::vec(text(), 0..4), any::<(i64, i64)>());
    let value = value.prop_map(|(topics, (version, timestamp_ms))| RegularExpressionValue {
        topics,
        version,
        timestamp_ms,
    });
    (text(), text(), prop::option::of(value)).prop_map(|(group_id, regex, value)| {
        Record::RegularExpression(RegularExpressionKey { group_id, regex }, value)
    })
}
