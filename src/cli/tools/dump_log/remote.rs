//! Records of `__remote_log_metadata`, in the words of their Java classes.

use super::decoders::framed;
use super::schema::{Schemas, Value};

/// What the Java class of a record says of itself.
pub(super) fn show(schemas: &Schemas, bytes: &[u8]) -> Result<String, String> {
    let (id, _, _, record) = framed(schemas, "remote", bytes)?;
    let number = |name: &str| match record.get(name) {
        Some(Value::Int(number)) => *number,
        _ => 0,
    };
    let segment = || record.get("remoteLogSegmentId").map(segment_id).unwrap_or_default();
    let state = || state(&SEGMENT_STATES, number("remoteLogSegmentState"));
    let is_empty = matches!(record.get("txnIndexEmpty"), Some(Value::Bool(true)));
    Ok(match id {
        SEGMENT => format!(
            "RemoteLogSegmentMetadata{{remoteLogSegmentId={}, startOffset={}, endOffset={}, brokerId={}, \
             maxTimestampMs={}, eventTimestampMs={}, segmentLeaderEpochs={}, segmentSizeInBytes={}, customMetadata={}, \
             state={}, txnIdxEmpty={is_empty}}}",
            segment(),
            number("startOffset"),
            number("endOffset"),
            number("brokerId"),
            number("maxTimestampMs"),
            number("eventTimestampMs"),
            epochs(&record),
            number("segmentSizeInBytes"),
            custom(&record),
            state()?,
        ),
        UPDATE => format!(
            "RemoteLogSegmentMetadataUpdate{{remoteLogSegmentId={}, customMetadata={}, state={}, eventTimestampMs={}, \
             brokerId={}}}",
            segment(),
            custom(&record),
            state()?,
            number("eventTimestampMs"),
            number("brokerId"),
        ),
        DELETION => format!(
            "RemotePartitionDeleteMetadata{{topicPartition={}, state={}, eventTimestampMs={}, brokerId={}}}",
            record.get("topicIdPartition").map(partition).unwrap_or_default(),
            self::state(&DELETION_STATES, number("remotePartitionDeleteState"))?,
            number("eventTimestampMs"),
            number("brokerId"),
        ),
        _ => format!(
            "RemoteLogSegmentMetadataSnapshot{{segmentId={}, startOffset={}, endOffset={}, maxTimestampMs={}, \
             segmentLeaderEpochs={}, segmentSizeInBytes={}, customMetadata={}, state={}, txnIdxEmpty={is_empty}}}",
            record.get("segmentId").map(text).unwrap_or_default(),
            number("startOffset"),
            number("endOffset"),
            number("maxTimestampMs"),
            epochs(&record),
            number("segmentSizeInBytes"),
            custom(&record),
            state()?,
        ),
    })
}

fn text(value: &Value) -> String {
    match value {
        Value::Text(text) => text.clone(),
        Value::Id(id) => model::ids::uuid_to_base64(*id),
        other => other.json(),
    }
}

fn segment_id(value: &Value) -> String {
    let at = value.get("topicIdPartition").map(partition).unwrap_or_default();
    let id = value.get("id").map(text).unwrap_or_default();
    format!("RemoteLogSegmentId{{topicIdPartition={at}, id={id}}}")
}

fn partition(value: &Value) -> String {
    let field = |name: &str| value.get(name).map(text).unwrap_or_default();
    format!("{}:{}-{}", field("id"), field("name"), field("partition"))
}

/// As Java shows a sorted map.
fn epochs(record: &Value) -> String {
    let Some(Value::Array(entries)) = record.get("segmentLeaderEpochs") else { return "{}".to_owned() };
    let mut pairs: Vec<(i64, i64)> = Vec::new();
    for entry in entries {
        if let (Some(Value::Int(epoch)), Some(Value::Int(offset))) =
            (entry.get("leaderEpoch"), entry.get("offset"))
        {
            pairs.push((*epoch, *offset));
        }
    }
    pairs.sort_unstable();
    let pairs: Vec<String> = pairs.iter().map(|(epoch, offset)| format!("{epoch}={offset}")).collect();
    format!("{{{}}}", pairs.join(", "))
}

fn custom(record: &Value) -> String {
    match record.get("customMetadata") {
        Some(Value::Bytes(bytes)) => format!("Optional[CustomMetadata{{{} bytes}}]", bytes.len()),
        _ => "Optional.empty".to_owned(),
    }
}

fn state(names: &[&'static str], id: i64) -> Result<&'static str, String> {
    let name = usize::try_from(id).ok().and_then(|id| names.get(id));
    name.copied().ok_or_else(|| format!("there is no state {id}"))
}

const SEGMENT: i16 = 0;
const UPDATE: i16 = 1;
const DELETION: i16 = 2;
const SEGMENT_STATES: [&str; 4] =
    ["COPY_SEGMENT_STARTED", "COPY_SEGMENT_FINISHED", "DELETE_SEGMENT_STARTED", "DELETE_SEGMENT_FINISHED"];
const DELETION_STATES: [&str; 3] =
    ["DELETE_PARTITION_MARKED", "DELETE_PARTITION_STARTED", "DELETE_PARTITION_FINISHED"];

#[cfg(test)]
mod tests {
    use model::codec::Writer;
    use uuid::Uuid;

    use super::*;

    #[test]
    fn an_update_is_told_as_java_tells_it() {
        let mut writer = Writer::new();
        writer.raw(&[1, 1, 0]);
        writer.raw(&[2, b't']);
        writer.uuid(Uuid::nil());
        writer.i32(3);
        writer.raw(&[0]);
        writer.uuid(Uuid::from_u128(1));
        writer.raw(&[0]);
        writer.i32(7);
        writer.i64(9);
        writer.raw(&[0, 1, 0]);
        let shown = show(&Schemas::new(), &writer.freeze()).unwrap();
        assert_eq!(
            shown,
            "RemoteLogSegmentMetadataUpdate{remoteLogSegmentId=RemoteLogSegmentId{\
             topicIdPartition=AAAAAAAAAAAAAAAAAAAAAA:t-3, id=AAAAAAAAAAAAAAAAAAAAAQ}, customMetadata=Optional.empty, \
             state=COPY_SEGMENT_FINISHED, eventTimestampMs=9, brokerId=7}"
        );
    }
}
