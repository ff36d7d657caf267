//! How a record is printed (`org.apache.kafka.tools.consumer.DefaultMessageFormatter` and its two relatives).

use bytes::Bytes;

use crate::consumer::Received;
use crate::properties::Properties;
use crate::terminal::Stop;

/// A formatter of Kafka's console consumer.
#[derive(Clone, Debug)]
pub enum Formatter {
    /// Fields behind each other.
    Default(Box<Fields>),
    /// Nothing.
    NoOp,
}

/// What the default formatter prints.
#[derive(Clone, Debug)]
pub struct Fields {
    timestamp: bool,
    partition: bool,
    offset: bool,
    delivery: bool,
    epoch: bool,
    headers: bool,
    key: bool,
    value: bool,
    separator: Vec<u8>,
    line_end: Vec<u8>,
    headers_separator: Vec<u8>,
    null: Vec<u8>,
    key_type: Type,
    value_type: Type,
    headers_type: Type,
}

/// The deserializers that Kafka ships.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Type {
    Bytes,
    Text,
    Long,
    Integer,
    Short,
    Double,
    Float,
    Boolean,
    Uuid,
}

impl Formatter {
    /// The formatter of this class with these properties.
    ///
    /// # Errors
    /// [`Stop::Error`] for a class that would need a JVM.
    pub fn new(class: &str, properties: &Properties) -> Result<Self, Stop> {
        match class.rsplit('.').next().unwrap_or(class) {
            "DefaultMessageFormatter" => Ok(Self::Default(Box::new(Fields::new(properties)?))),
            "NoOpMessageFormatter" => Ok(Self::NoOp),
            _ => Err(Stop::not_built(&format!("--formatter {class}"))),
        }
    }

    /// The record's bytes on standard output.
    pub fn format(&self, record: &Received) -> Vec<u8> {
        match self {
            Self::Default(fields) => fields.format(record),
            Self::NoOp => Vec::new(),
        }
    }
}

impl Fields {
    fn new(properties: &Properties) -> Result<Self, Stop> {
        let is = |key: &str| properties.is_true(key);
        let bytes = |key: &str, default: &str| properties.get(key).unwrap_or(default).as_bytes().to_vec();
        let kind = |key: &str| properties.get(key).map_or(Ok(Type::Bytes), Type::of_class);
        Ok(Self {
            timestamp: is("print.timestamp"),
            partition: is("print.partition"),
            offset: is("print.offset"),
            delivery: is("print.delivery"),
            epoch: is("print.epoch"),
            headers: is("print.headers"),
            key: is("print.key"),
            value: properties.get("print.value").is_none() || is("print.value"),
            separator: bytes("key.separator", "\t"),
            line_end: bytes("line.separator", "\n"),
            headers_separator: bytes("headers.separator", ","),
            null: bytes("null.literal", "null"),
            key_type: kind("key.deserializer")?,
            value_type: kind("value.deserializer")?,
            headers_type: kind("headers.deserializer")?,
        })
    }

    fn format(&self, record: &Received) -> Vec<u8> {
        let mut columns: Vec<Vec<u8>> = Vec::new();
        if self.timestamp {
            let kind = if record.log_append_time { "LogAppendTime" } else { "CreateTime" };
            columns.push(if record.timestamp < 0 && !record.log_append_time {
                b"CreateTime:-1".to_vec()
            } else {
                format!("{kind}:{}", record.timestamp).into_bytes()
            });
        }
        if self.partition {
            columns.push(format!("Partition:{}", record.partition).into_bytes());
        }
        if self.offset {
            columns.push(format!("Offset:{}", record.offset).into_bytes());
        }
        // The console consumer drops both before it prints.
        if self.delivery {
            columns.push(b"Delivery:NOT_PRESENT".to_vec());
        }
        if self.epoch {
            columns.push(b"Epoch:NOT_PRESENT".to_vec());
        }
        if self.headers {
            columns.push(self.headers(record));
        }
        if self.key {
            columns.push(self.field(record.key.as_ref(), self.key_type));
        }
        if self.value {
            columns.push(self.field(record.value.as_ref(), self.value_type));
        }
        let mut line = columns.join(&self.separator[..]);
        if !columns.is_empty() {
            line.extend_from_slice(&self.line_end);
        }
        line
    }

    fn headers(&self, record: &Received) -> Vec<u8> {
        if record.headers.is_empty() {
            return b"NO_HEADERS".to_vec();
        }
        let one = |(key, value): &(Bytes, Option<Bytes>)| {
            let mut text = [key, &b":"[..]].concat();
            text.extend(self.field(value.as_ref(), self.headers_type));
            text
        };
        record.headers.iter().map(one).collect::<Vec<_>>().join(&self.headers_separator[..])
    }

    fn field(&self, bytes: Option<&Bytes>, kind: Type) -> Vec<u8> {
        let bytes = bytes.map_or(&self.null[..], |bytes| bytes);
        kind.show(bytes)
    }
}

impl Type {
    fn of_class(class: &str) -> Result<Self, Stop> {
        Ok(match class.rsplit('.').next().unwrap_or(class) {
            "ByteArrayDeserializer" | "BytesDeserializer" | "ByteBufferDeserializer" => Self::Bytes,
            "StringDeserializer" => Self::Text,
            "LongDeserializer" => Self::Long,
            "IntegerDeserializer" => Self::Integer,
            "ShortDeserializer" => Self::Short,
            "DoubleDeserializer" => Self::Double,
            "FloatDeserializer" => Self::Float,
            "BooleanDeserializer" => Self::Boolean,
            "UUIDDeserializer" => Self::Uuid,
            _ => return Err(Stop::not_built(&format!("the deserializer {class}"))),
        })
    }

    /// Bytes of another length than the type's are printed as they are.
    fn show(self, bytes: &[u8]) -> Vec<u8> {
        let shown = match self {
            Self::Bytes => None,
            Self::Text | Self::Uuid => Some(String::from_utf8_lossy(bytes).into_owned()),
            Self::Long => bytes.try_into().ok().map(|bytes| i64::from_be_bytes(bytes).to_string()),
            Self::Integer => bytes.try_into().ok().map(|bytes| i32::from_be_bytes(bytes).to_string()),
            Self::Short => bytes.try_into().ok().map(|bytes| i16::from_be_bytes(bytes).to_string()),
            Self::Double => bytes.try_into().ok().map(|bytes| java_float(f64::from_be_bytes(bytes))),
            Self::Float => bytes.try_into().ok().map(|bytes| java_float(f32::from_be_bytes(bytes))),
            Self::Boolean => bytes.first().filter(|_| bytes.len() == 1).map(|byte| (*byte == 1).to_string()),
        };
        shown.map_or_else(|| bytes.to_vec(), String::into_bytes)
    }
}

/// Java always prints a fraction.
fn java_float(number: impl std::fmt::Display) -> String {
    let text = number.to_string();
    if text.contains(['.', 'N', 'i']) { text } else { format!("{text}.0") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record() -> Received {
        Received {
            topic: "t".to_owned(),
            partition: 1,
            offset: 7,
            leader_epoch: 0,
            timestamp: 5,
            log_append_time: false,
            key: Some(Bytes::from_static(b"k")),
            value: None,
            headers: vec![
                (Bytes::from_static(b"h"), Some(Bytes::from_static(b"v"))),
                (Bytes::from_static(b"n"), None),
            ],
        }
    }

    fn shown(properties: &[&str]) -> String {
        let mut read = Properties::default();
        read.extend(&properties.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        let formatter = Formatter::new("DefaultMessageFormatter", &read).unwrap();
        String::from_utf8(formatter.format(&record())).unwrap()
    }

    #[test]
    fn columns_come_in_kafkas_order() {
        let all = [
            "print.key=true",
            "print.offset=true",
            "print.partition=true",
            "print.timestamp=true",
            "print.headers=true",
        ];
        assert_eq!(shown(&all), "CreateTime:5\tPartition:1\tOffset:7\th:v,n:null\tk\tnull\n");
        assert_eq!(shown(&[]), "null\n");
        assert_eq!(shown(&["print.key=true", "key.separator=|", "null.literal=NIL"]), "k|NIL\n");
        assert_eq!(shown(&["print.key=true", "print.value=false", "line.separator=;"]), "k;");
    }

    #[test]
    fn numbers_are_shown_as_java_shows_them() {
        assert_eq!(Type::Long.show(&5_i64.to_be_bytes()), b"5");
        assert_eq!(Type::Double.show(&2_f64.to_be_bytes()), b"2.0");
        assert_eq!(Type::Integer.show(b"xyz"), b"xyz");
    }
}
