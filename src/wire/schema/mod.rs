//! Bounds of every request that a generated decoder will read.
//!
//! The decoders of `kafka-protocol` 0.18 reserve memory for whatever an array says it has, so eight bytes make them
//! ask for gigabytes, which aborts the process. [`check`] walks a body over our own tables of its fields first and
//! refuses every length, count and null that the bytes cannot back.

mod cluster;
mod field;
mod groups;
mod topics;
mod transactions;

use bytes::Bytes;

use crate::api_table::ApiKey;
use crate::cursor::Cursor;
use crate::error::{BadBytes, DecodeError};
use crate::out::Out;
use field::{Field, Kind, Schema};

/// Walks a request body. Bytes after its last field are ignored, as Kafka ignores them.
///
/// # Errors
/// Whatever is not a body of this API and version. An API without table is refused, too: Produce, Fetch and
/// `ApiVersions` have bounded decoders of their own, all others are decoded only after a check.
pub fn check(api: ApiKey, version: i16, body: &Bytes) -> Result<(), DecodeError> {
    walk(api, version, body).map(|_walk| ())
}

/// Walks a request body and gives it as the generated decoders are to see it:
///
/// - Without the tagged fields that nobody knows. The decoders would keep each in a map of its own, hundreds of bytes
///   for the three that it took to send, and no handler looks at them.
/// - With replacement characters for what is not UTF-8, and -1 for every negative length: the decoders refuse what
///   Kafka reads so.
///
/// # Errors
/// As [`check`].
pub(crate) fn bounded(api: ApiKey, version: i16, body: Bytes) -> Result<Bytes, DecodeError> {
    let Walk { mut rewritten, kept_from, .. } = walk(api, version, &body)?;
    if kept_from == 0 {
        return Ok(body);
    }
    rewritten.extend_from_slice(body.get(kept_from..).unwrap_or_default());
    Ok(rewritten.into())
}

fn walk(api: ApiKey, version: i16, body: &Bytes) -> Result<Walk, DecodeError> {
    let schema = schema_of(api).ok_or(DecodeError::UnknownApi(api.code()))?;
    let cursor = Cursor::new(body.clone(), api.spec().is_flexible(version));
    let body = body.clone();
    let mut walk = Walk { cursor, version, at: None, body, rewritten: Vec::new(), kept_from: 0 };
    let walked = walk.fields(schema);
    walked.map_err(|reason| DecodeError::Body {
        api,
        version,
        at: walk.cursor.position(),
        field: walk.at,
        reason,
    })?;
    Ok(walk)
}

fn schema_of(api: ApiKey) -> Option<Schema> {
    Some(match api {
        ApiKey::ListOffsets => topics::LIST_OFFSETS,
        ApiKey::Metadata => topics::METADATA,
        ApiKey::FindCoordinator => cluster::FIND_COORDINATOR,
        ApiKey::CreateTopics => topics::CREATE_TOPICS,
        ApiKey::DeleteTopics => topics::DELETE_TOPICS,
        ApiKey::DeleteRecords => topics::DELETE_RECORDS,
        ApiKey::InitProducerId => transactions::INIT_PRODUCER_ID,
        ApiKey::OffsetForLeaderEpoch => topics::OFFSET_FOR_LEADER_EPOCH,
        ApiKey::DescribeAcls => cluster::DESCRIBE_ACLS,
        ApiKey::CreateAcls => cluster::CREATE_ACLS,
        ApiKey::DeleteAcls => cluster::DELETE_ACLS,
        ApiKey::DescribeConfigs => cluster::DESCRIBE_CONFIGS,
        ApiKey::AlterConfigs => cluster::ALTER_CONFIGS,
        ApiKey::AlterReplicaLogDirs => cluster::ALTER_REPLICA_LOG_DIRS,
        ApiKey::DescribeLogDirs => cluster::DESCRIBE_LOG_DIRS,
        ApiKey::CreatePartitions => topics::CREATE_PARTITIONS,
        ApiKey::ElectLeaders => topics::ELECT_LEADERS,
        ApiKey::IncrementalAlterConfigs => cluster::INCREMENTAL_ALTER_CONFIGS,
        ApiKey::AlterPartitionReassignments => topics::ALTER_PARTITION_REASSIGNMENTS,
        ApiKey::ListPartitionReassignments => topics::LIST_PARTITION_REASSIGNMENTS,
        ApiKey::DescribeClientQuotas => cluster::DESCRIBE_CLIENT_QUOTAS,
        ApiKey::DescribeQuorum => cluster::DESCRIBE_QUORUM,
        ApiKey::UpdateFeatures => cluster::UPDATE_FEATURES,
        ApiKey::DescribeCluster => cluster::DESCRIBE_CLUSTER,
        ApiKey::DescribeProducers => topics::DESCRIBE_PRODUCERS,
        ApiKey::ListConfigResources => cluster::LIST_CONFIG_RESOURCES,
        ApiKey::DescribeTopicPartitions => topics::DESCRIBE_TOPIC_PARTITIONS,
        ApiKey::AddPartitionsToTxn => transactions::ADD_PARTITIONS_TO_TXN,
        ApiKey::AddOffsetsToTxn => transactions::ADD_OFFSETS_TO_TXN,
        ApiKey::EndTxn => transactions::END_TXN,
        ApiKey::WriteTxnMarkers => transactions::WRITE_TXN_MARKERS,
        ApiKey::TxnOffsetCommit => transactions::TXN_OFFSET_COMMIT,
        ApiKey::DescribeTransactions => transactions::DESCRIBE_TRANSACTIONS,
        ApiKey::ListTransactions => transactions::LIST_TRANSACTIONS,
        ApiKey::OffsetCommit => groups::OFFSET_COMMIT,
        ApiKey::OffsetFetch => groups::OFFSET_FETCH,
        ApiKey::JoinGroup => groups::JOIN_GROUP,
        ApiKey::Heartbeat => groups::HEARTBEAT,
        ApiKey::LeaveGroup => groups::LEAVE_GROUP,
        ApiKey::SyncGroup => groups::SYNC_GROUP,
        ApiKey::DescribeGroups => groups::DESCRIBE_GROUPS,
        ApiKey::ListGroups => groups::LIST_GROUPS,
        ApiKey::DeleteGroups => groups::DELETE_GROUPS,
        ApiKey::OffsetDelete => groups::OFFSET_DELETE,
        ApiKey::ConsumerGroupHeartbeat => groups::CONSUMER_GROUP_HEARTBEAT,
        ApiKey::ConsumerGroupDescribe => groups::CONSUMER_GROUP_DESCRIBE,
        _ => return None,
    })
}

struct Walk {
    cursor: Cursor,
    version: i16,
    /// The field that was begun last.
    at: Option<&'static str>,
    body: Bytes,
    /// The body up to `kept_from` as the decoder is to see it; empty while nothing differs.
    rewritten: Vec<u8>,
    kept_from: usize,
}

impl Walk {
    fn fields(&mut self, schema: Schema) -> Result<(), BadBytes> {
        let version = self.version;
        for field in schema.iter().filter(|f| f.tag.is_none() && f.is_in(version)) {
            self.field(field)?;
        }
        let start = self.cursor.position();
        let count = self.cursor.tagged_fields_count()?;
        let mut none_known = count > 0;
        for _ in 0..count {
            let (tag, announced) = self.cursor.tagged_field_start()?;
            let known = schema.iter().find(|f| f.tag == Some(tag) && f.is_in(version));
            let Some(field) = known else {
                self.cursor.skip(announced)?;
                continue;
            };
            none_known = false;
            let (value_start, kept_from) = (self.cursor.position(), self.kept_from);
            self.field(field)?;
            self.cursor.tagged_field_end(tag, announced, value_start)?;
            if self.kept_from != kept_from {
                // Its announced size would be wrong.
                return Err(BadBytes::Refused);
            }
        }
        if none_known {
            self.rewrite(start, &[0]);
        }
        Ok(())
    }

    fn field(&mut self, field: &Field) -> Result<(), BadBytes> {
        self.at = Some(field.name);
        let is_null = self.value(field.kind)?;
        if is_null && !field.is_nullable(self.version) {
            return Err(BadBytes::Null);
        }
        Ok(())
    }

    /// Walks one value and says whether it is null.
    fn value(&mut self, kind: Kind) -> Result<bool, BadBytes> {
        let start = self.cursor.position();
        match kind {
            Kind::Fixed(size) => self.cursor.skip(size).map(|()| false),
            Kind::Str => {
                let replaced_bytes = self.cursor.replaced_bytes();
                let Some(text) = self.cursor.nullable_string()? else {
                    return Ok(self.null(start, &[0xff; 2]));
                };
                if self.cursor.replaced_bytes() > replaced_bytes {
                    self.rewrite_text(start, &text)?;
                }
                Ok(false)
            }
            Kind::Bytes => match self.cursor.nullable_bytes()? {
                Some(_) => Ok(false),
                None => Ok(self.null(start, &[0xff; 4])),
            },
            Kind::Struct(schema) => self.fields(schema).map(|()| false),
            Kind::OptionalStruct(schema) => {
                let presence = self.cursor.i8()?;
                let canonical = if presence < 0 { -1 } else { 1 };
                if presence != canonical {
                    self.rewrite(start, &canonical.to_be_bytes());
                }
                if presence < 0 { Ok(true) } else { self.fields(schema).map(|()| false) }
            }
            Kind::Array(element) => {
                let element_bytes_min = bytes_min(*element, self.version, self.cursor.is_flexible());
                let Some(count) = self.cursor.nullable_array(element_bytes_min)? else {
                    return Ok(self.null(start, &[0xff; 4]));
                };
                for _ in 0..count {
                    if self.value(*element)? {
                        return Err(BadBytes::Null);
                    }
                }
                Ok(false)
            }
        }
    }

    /// A null has been read since `start`; the decoders know it by one form only. Always true.
    fn null(&mut self, start: usize, of_minus_1: &[u8]) -> bool {
        let canonical: &[u8] = if self.cursor.is_flexible() { &[0] } else { of_minus_1 };
        if self.body.get(start..self.cursor.position()) != Some(canonical) {
            self.rewrite(start, canonical);
        }
        true
    }

    fn rewrite_text(&mut self, start: usize, text: &str) -> Result<(), BadBytes> {
        const PREFIX_BYTES: usize = 4;
        let mut out = Out::frame(text.len() + PREFIX_BYTES, self.cursor.is_flexible());
        out.nullable_string(Some(text)).map_err(|_too_long| BadBytes::Utf8)?;
        self.rewrite(start, out.buffer().get(PREFIX_BYTES..).unwrap_or_default());
        Ok(())
    }

    /// What was read since `start` is given as these bytes.
    fn rewrite(&mut self, start: usize, bytes: &[u8]) {
        if self.rewritten.is_empty() {
            self.rewritten.reserve(self.body.len());
        }
        self.rewritten.extend_from_slice(self.body.get(self.kept_from..start).unwrap_or_default());
        self.rewritten.extend_from_slice(bytes);
        self.kept_from = self.cursor.position();
    }
}

/// Least bytes that a value takes.
fn bytes_min(kind: Kind, version: i16, flexible: bool) -> usize {
    match (kind, flexible) {
        (Kind::Fixed(size), _) => size,
        (Kind::OptionalStruct(_), _) => 1,
        (Kind::Str | Kind::Bytes | Kind::Array(_), true) => 1,
        (Kind::Str, false) => 2,
        (Kind::Bytes | Kind::Array(_), false) => 4,
        (Kind::Struct(schema), _) => {
            let fields = schema.iter().filter(|f| f.tag.is_none() && f.is_in(version));
            fields.map(|f| bytes_min(f.kind, version, flexible)).sum::<usize>() + usize::from(flexible)
        }
    }
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
