//! Bounds of every request that a generated decoder will read.
//!
//! The decoders of `kafka-protocol` 0.18 reserve memory for whatever an array says it has, so eight bytes make them
//! ask for gigabytes, which aborts the process. [`check`] walks a body over our own tables of its fields first and
//! refuses every length, count and null that the bytes cannot back.

mod cluster;
mod field;
mod topics;

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
    let schema = schema_of(api).ok_or(DecodeError::UnknownApi(api.code()))?;
    let mut cursor = Cursor::new(body.clone(), api.spec().is_flexible(version));
    let mut field = None;
    walk_fields(&mut cursor, schema, version, &mut field).map_err(|reason| DecodeError::Body {
        api,
        version,
        at: cursor.position(),
        field,
        reason,
    })
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

/// Walks a structure; `at` names the field that was begun last.
fn walk_fields(
    cursor: &mut Cursor,
    schema: Schema,
    version: i16,
    at: &mut Option<&'static str>,
) -> Result<(), BadBytes> {
    for field in schema.iter().filter(|f| f.tag.is_none() && f.is_in(version)) {
        walk_field(cursor, field, version, at)?;
    }
    cursor.tagged_fields(|tag, cursor| match schema.iter().find(|f| f.tag == Some(tag) && f.is_in(version)) {
        Some(field) => walk_field(cursor, field, version, at).map(|()| true),
        None => Ok(false),
    })
}

fn walk_field(
    cursor: &mut Cursor,
    field: &Field,
    version: i16,
    at: &mut Option<&'static str>,
) -> Result<(), BadBytes> {
    *at = Some(field.name);
    let is_null = walk_value(cursor, field.kind, version, at)?;
    if is_null && !field.is_nullable(version) {
        return Err(BadBytes::Null);
    }
    Ok(())
}

/// Walks one value and says whether it is null.
fn walk_value(
    cursor: &mut Cursor,
    kind: Kind,
    version: i16,
    at: &mut Option<&'static str>,
) -> Result<bool, BadBytes> {
    match kind {
        Kind::Fixed(size) => cursor.skip(size).map(|()| false),
        Kind::Str => Ok(cursor.nullable_string()?.is_none()),
        Kind::Bytes => Ok(cursor.nullable_bytes()?.is_none()),
        Kind::Struct(schema) => walk_fields(cursor, schema, version, at).map(|()| false),
        Kind::OptionalStruct(schema) => match cursor.i8()? {
            -1 => Ok(true),
            1 => walk_fields(cursor, schema, version, at).map(|()| false),
            other => Err(BadBytes::Length(i64::from(other))),
        },
        Kind::Array(element) => {
            let element_bytes_min = bytes_min(*element, version, cursor.is_flexible());
            let Some(count) = cursor.nullable_array(element_bytes_min)? else {
                return Ok(true);
            };
            for _ in 0..count {
                if walk_value(cursor, *element, version, at)? {
                    return Err(BadBytes::Null);
                }
            }
            Ok(false)
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
