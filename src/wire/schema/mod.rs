//! Bounds of every request that a generated decoder will read.
//!
//! The decoders of `kafka-protocol` 0.18 reserve memory for whatever an array says it has, so eight bytes make them
//! ask for gigabytes, which aborts the process. [`check`] walks a body over our own tables of its fields first and
//! refuses every length, count and null that the bytes cannot back.

mod cluster;
mod field;
mod topics;

use std::ops::Range;

use bytes::Bytes;

use crate::api_table::ApiKey;
use crate::cursor::Cursor;
use crate::error::{BadBytes, DecodeError};
use field::{Field, Kind, Schema};

/// Walks a request body. Bytes after its last field are ignored, as Kafka ignores them.
///
/// # Errors
/// Whatever is not a body of this API and version. An API without table is refused, too: Produce, Fetch and
/// `ApiVersions` have bounded decoders of their own, all others are decoded only after a check.
pub fn check(api: ApiKey, version: i16, body: &Bytes) -> Result<(), DecodeError> {
    walk(api, version, body).map(|_sections| ())
}

/// Walks a request body and gives it without the tagged fields that nobody knows. The generated decoders would keep
/// each in a map of its own, hundreds of bytes for the three that it took to send, and no handler looks at them.
///
/// # Errors
/// As [`check`].
pub(crate) fn bounded(api: ApiKey, version: i16, body: Bytes) -> Result<Bytes, DecodeError> {
    let sections = walk(api, version, &body)?;
    if sections.is_empty() {
        return Ok(body);
    }
    let mut stripped = Vec::with_capacity(body.len());
    let mut kept_from = 0;
    for section in sections {
        stripped.extend_from_slice(body.get(kept_from..section.start).unwrap_or_default());
        stripped.push(0);
        kept_from = section.end;
    }
    stripped.extend_from_slice(body.get(kept_from..).unwrap_or_default());
    Ok(stripped.into())
}

/// Where tagged fields stand of which none is known, in ascending order and apart.
type Sections = Vec<Range<usize>>;

fn walk(api: ApiKey, version: i16, body: &Bytes) -> Result<Sections, DecodeError> {
    let schema = schema_of(api).ok_or(DecodeError::UnknownApi(api.code()))?;
    let cursor = Cursor::new(body.clone(), api.spec().is_flexible(version));
    let mut walk = Walk { cursor, version, at: None, unknown: Vec::new() };
    let walked = walk.fields(schema);
    walked.map_err(|reason| DecodeError::Body {
        api,
        version,
        at: walk.cursor.position(),
        field: walk.at,
        reason,
    })?;
    Ok(walk.unknown)
}

fn schema_of(api: ApiKey) -> Option<Schema> {
    Some(match api {
        ApiKey::ListOffsets => topics::LIST_OFFSETS,
        ApiKey::Metadata => topics::METADATA,
        ApiKey::FindCoordinator => cluster::FIND_COORDINATOR,
        ApiKey::CreateTopics => topics::CREATE_TOPICS,
        ApiKey::DeleteTopics => topics::DELETE_TOPICS,
        ApiKey::DeleteRecords => topics::DELETE_RECORDS,
        ApiKey::InitProducerId => cluster::INIT_PRODUCER_ID,
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
        _ => return None,
    })
}

struct Walk {
    cursor: Cursor,
    version: i16,
    /// The field that was begun last.
    at: Option<&'static str>,
    unknown: Sections,
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
            let value_start = self.cursor.position();
            self.field(field)?;
            self.cursor.tagged_field_end(tag, announced, value_start)?;
        }
        if none_known {
            self.unknown.push(start..self.cursor.position());
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
        match kind {
            Kind::Fixed(size) => self.cursor.skip(size).map(|()| false),
            Kind::Str => Ok(self.cursor.nullable_string()?.is_none()),
            Kind::Bytes => Ok(self.cursor.nullable_bytes()?.is_none()),
            Kind::Struct(schema) => self.fields(schema).map(|()| false),
            Kind::OptionalStruct(schema) => match self.cursor.i8()? {
                -1 => Ok(true),
                1 => self.fields(schema).map(|()| false),
                other => Err(BadBytes::Length(i64::from(other))),
            },
            Kind::Array(element) => {
                let element_bytes_min = bytes_min(*element, self.version, self.cursor.is_flexible());
                let Some(count) = self.cursor.nullable_array(element_bytes_min)? else {
                    return Ok(true);
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
