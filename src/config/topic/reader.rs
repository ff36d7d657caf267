//! Typed values of topic settings, read by name.

use std::collections::BTreeMap;

use super::{Compression, TimestampType};
use crate::value::Value;

/// Kafka's mark for "as `retention.*`".
pub(super) const LOCAL_RETENTION_UNSET: i64 = -2;

/// Reads typed values of topic keys by name; a wrong name or type is a mistake in this crate (see `Values`).
pub(super) struct Reader<'a>(pub(super) &'a BTreeMap<&'static str, Value>);

impl Reader<'_> {
    fn value(&self, name: &str) -> &Value {
        self.0.get(name).unwrap_or(&Value::Null)
    }

    pub(super) fn long(&self, name: &str) -> i64 {
        match self.value(name) {
            Value::Int(value) => *value,
            other => mistyped(name, other),
        }
    }

    pub(super) fn int(&self, name: &str) -> i32 {
        i32::try_from(self.long(name)).unwrap_or_else(|_e| mistyped(name, self.value(name)))
    }

    pub(super) fn double(&self, name: &str) -> f64 {
        match self.value(name) {
            Value::Double(value) => *value,
            other => mistyped(name, other),
        }
    }

    pub(super) fn bool(&self, name: &str) -> bool {
        match self.value(name) {
            Value::Bool(value) => *value,
            other => mistyped(name, other),
        }
    }

    pub(super) fn list(&self, name: &str) -> &[String] {
        match self.value(name) {
            Value::List(items) => items,
            other => mistyped(name, other),
        }
    }

    pub(super) fn list_has(&self, name: &str, wanted: &str) -> bool {
        self.list(name).iter().any(|item| item.eq_ignore_ascii_case(wanted))
    }

    fn text(&self, name: &str) -> &str {
        match self.value(name) {
            Value::Text(text) => text,
            other => mistyped(name, other),
        }
    }

    pub(super) fn internal_segment_bytes(&self) -> Option<i32> {
        match self.value("internal.segment.bytes") {
            Value::Int(bytes) => i32::try_from(*bytes).ok(),
            _ => None,
        }
    }

    pub(super) fn compression(&self) -> Compression {
        match self.text("compression.type") {
            "uncompressed" => Compression::Uncompressed,
            "gzip" => Compression::Gzip { level: self.int("compression.gzip.level") },
            "snappy" => Compression::Snappy,
            "lz4" => Compression::Lz4 { level: self.int("compression.lz4.level") },
            "zstd" => Compression::Zstd { level: self.int("compression.zstd.level") },
            // The table allows one more value, `producer`.
            _ => Compression::Producer,
        }
    }

    pub(super) fn timestamp_type(&self) -> TimestampType {
        match self.text("message.timestamp.type") {
            "LogAppendTime" => TimestampType::LogAppendTime,
            _ => TimestampType::CreateTime,
        }
    }
}

fn mistyped<T>(name: &str, value: &Value) -> T {
    panic!("the table of topic keys has no {name} of the type read: {value:?}")
}
