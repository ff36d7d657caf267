use model::codec::Writer;

use super::*;

fn read(kind: &str, id: i16, version: i16, bytes: Bytes) -> Value {
    let schemas = Schemas::new();
    let schema = schemas.find(kind, id).unwrap();
    assert!(schema.has(version));
    let mut reader = Reader::new(bytes);
    let value = schema.read(&mut reader, version).unwrap();
    assert_eq!(reader.remaining(), 0);
    value
}

#[test]
fn every_table_is_read_whole() {
    let schemas = Schemas::new();
    let heads = TABLES.lines().filter(|line| !line.starts_with([' ', '#'])).count();
    assert_eq!(schemas.0.len(), heads);
    for schema in &schemas.0 {
        assert!(schema.has(schema.versions.first) && !schema.name.is_empty());
        let mut names: Vec<_> = schema.fields.iter().map(|field| field.name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), schema.fields.len(), "{}", schema.name);
    }
    let fields = TABLES.lines().filter(|line| line.starts_with(' ') && line.trim() != "}").count();
    assert_eq!(schemas.0.iter().map(|schema| count(&schema.fields)).sum::<usize>(), fields);
}

fn count(fields: &[Field]) -> usize {
    let inner = fields.iter().map(|field| match &field.kind {
        Kind::Struct { fields, .. } => count(fields),
        _ => 0,
    });
    fields.len() + inner.sum::<usize>()
}

#[test]
fn fields_come_with_the_version_that_has_them() {
    let mut old = Writer::new();
    old.i64(7);
    old.raw(&[0, 1, b'm']);
    old.i64(8);
    old.i64(9);
    let value = read("group-value", 1, 1, old.freeze());
    assert_eq!(value.json(), r#"{"offset":7,"metadata":"m","commitTimestamp":8,"expireTimestamp":9}"#);
    let mut new = Writer::new();
    new.i64(7);
    new.i32(2);
    new.raw(&[2, b'"']);
    new.i64(8);
    new.unsigned_varint(0);
    let value = read("group-value", 1, 4, new.freeze());
    assert_eq!(value.json(), r#"{"offset":7,"leaderEpoch":2,"metadata":"\"","commitTimestamp":8}"#);
}

#[test]
fn tagged_fields_are_shown_where_they_say_something() {
    let record = |tags: &[u8]| {
        let mut writer = Writer::new();
        writer.i32(3);
        writer.uuid(Uuid::from_u128(1));
        writer.raw(tags);
        read("metadata", 5, 0, writer.freeze()).json()
    };
    let shown = r#"{"partitionId":3,"topicId":"AAAAAAAAAAAAAAAAAAAAAQ"}"#;
    assert_eq!(record(&[0]), shown);
    assert_eq!(record(&[1, 1, 4, 255, 255, 255, 254]), shown, "a leader of -2 is no change");
    // An empty list is a change where the default is null.
    let shown = r#"{"partitionId":3,"topicId":"AAAAAAAAAAAAAAAAAAAAAQ","leader":1,"removingReplicas":[]}"#;
    assert_eq!(record(&[2, 1, 4, 0, 0, 0, 1, 3, 1, 1]), shown);
}

/// What a coordinator writes of a member that speaks the consumer protocol, and of one that speaks the classic one.
#[test]
fn a_tagged_structure_may_be_null() {
    let member = |tags: &[u8]| {
        let mut writer = Writer::new();
        writer.raw(&[0, 0, 2, b'c', 2, b'h', 1, 1]);
        writer.i32(60_000);
        writer.raw(&[0]);
        writer.raw(tags);
        read("group-value", 5, 0, writer.freeze()).json()
    };
    let before =
        r#"{"instanceId":null,"rackId":null,"clientId":"c","clientHost":"h","subscribedTopicNames":[],"#;
    let before =
        before.to_owned() + r#""subscribedTopicRegex":"","rebalanceTimeoutMs":60000,"serverAssignor":null"#;
    assert_eq!(member(&[0]), before.clone() + "}");
    assert_eq!(member(&[1, 0, 1, 0]), before.clone() + r#","classicMemberMetadata":null}"#);
    let classic = r#","classicMemberMetadata":{"sessionTimeoutMs":9,"supportedProtocols":[]}}"#;
    assert_eq!(member(&[1, 0, 7, 1, 0, 0, 0, 9, 1, 0]), before + classic);
}

#[test]
fn bytes_that_are_no_record_are_refused() {
    let schemas = Schemas::new();
    let schema = schemas.find("transaction-value", 0).unwrap();
    assert!(!schema.has(2));
    for bytes in [&[][..], &[0; 20], &[255; 64]] {
        assert!(schema.read(&mut Reader::new(Bytes::copy_from_slice(bytes)), 1).is_err());
    }
}

#[test]
fn base_64_is_padded() {
    for (bytes, text) in [("", ""), ("f", "Zg=="), ("fo", "Zm8="), ("foo", "Zm9v"), ("\u{ff}~?", "w79+Pw==")]
    {
        assert_eq!(base64(bytes.as_bytes()), text);
    }
}
