//! What is printed of a record's key and value: text, or one of Kafka's own records.

use bytes::Bytes;
use client::upper_snake;
use model::codec::{ReadError, Reader};
use records::Record;

use super::schema::{Schemas, Value};

/// How keys and values are read.
#[derive(Debug)]
pub enum Decoder {
    /// By the classes of Kafka's that are named on the command line.
    Plain {
        /// For keys.
        key: Plain,
        /// For values.
        value: Plain,
    },
    /// A coordinator's records, by the kind of their tables: `group`, `transaction` or `share`.
    Coordinator(&'static str, Schemas),
    /// `__cluster_metadata`.
    Metadata(Schemas),
    /// `__remote_log_metadata`.
    RemoteLog(Schemas),
}

/// A decoder of Kafka's own (`org.apache.kafka.tools.api`).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Plain {
    /// UTF-8.
    Text,
    /// Four bytes.
    Integer,
    /// Eight bytes.
    Long,
}

impl Plain {
    /// By the name of its class; `None` for another.
    pub fn of_class(class: &str) -> Option<Self> {
        match class.strip_prefix("org.apache.kafka.tools.api.")? {
            "StringDecoder" => Some(Self::Text),
            "IntegerDecoder" => Some(Self::Integer),
            "LongDecoder" => Some(Self::Long),
            _ => None,
        }
    }

    fn text(self, bytes: &[u8]) -> Result<String, String> {
        let short = || format!("{} bytes are no {self:?}", bytes.len());
        match self {
            Self::Text => Ok(String::from_utf8_lossy(bytes).into_owned()),
            Self::Integer => {
                bytes.first_chunk().map(|four| i32::from_be_bytes(*four).to_string()).ok_or_else(short)
            }
            Self::Long => {
                bytes.first_chunk().map(|eight| i64::from_be_bytes(*eight).to_string()).ok_or_else(short)
            }
        }
    }
}

/// A key and a value as they are printed; nothing is printed of one that is not there.
pub type Shown = (Option<String>, Option<String>);

impl Decoder {
    /// What is printed of a record.
    ///
    /// # Errors
    /// A sentence that ends the dump.
    pub fn show(&self, record: &Record<'_>, offset: i64) -> Result<Shown, String> {
        match self {
            Self::Plain { key, value } => {
                let shown =
                    |plain: &Plain, bytes: Option<&[u8]>| bytes.map(|bytes| plain.text(bytes)).transpose();
                Ok((shown(key, record.key)?, shown(value, record.value)?))
            }
            Self::Coordinator(kind, schemas) => {
                let Some(key) = record.key else {
                    return Err(format!(
                        "Failed to decode message at offset {offset} using the specified decoder (message had a missing \
                         key)"
                    ));
                };
                Ok(match coordinator(schemas, kind, key, record.value) {
                    Ok((key, value)) => (Some(key), Some(value)),
                    Err(Unread::Type(id)) => {
                        (Some(format!("Unknown record type {id} at offset {offset}, skipping.")), None)
                    }
                    Err(Unread::Said(reason)) => {
                        (Some(format!("Error at offset {offset}, skipping. {reason}")), None)
                    }
                })
            }
            Self::Metadata(schemas) => {
                let shown = metadata(schemas, record.value.unwrap_or_default());
                Ok((
                    None,
                    Some(shown.unwrap_or_else(|reason| format!("Error at {offset}, skipping. {reason}"))),
                ))
            }
            Self::RemoteLog(schemas) => {
                let shown = super::remote::show(schemas, record.value.unwrap_or_default());
                let shown =
                    shown.unwrap_or_else(|reason| format!("Error at offset {offset}, skipping. {reason}"));
                Ok((None, Some(shown)))
            }
        }
    }
}

enum Unread {
    Type(i16),
    Said(String),
}

fn coordinator(
    schemas: &Schemas,
    kind: &str,
    key: &[u8],
    value: Option<&[u8]>,
) -> Result<(String, String), Unread> {
    let (key_kind, value_kind) = (format!("{kind}-key"), format!("{kind}-value"));
    let mut key = Reader::new(Bytes::copy_from_slice(key));
    let id = version_of(&mut key, "key")?;
    let schema = schemas.find(&key_kind, id).ok_or(Unread::Type(id))?;
    let read = schema.read(&mut key, 0).map_err(|error| unreadable(id, "key", &error))?;
    let shown_key = Value::Object(vec![("type", Value::Text(id.to_string())), ("data", read)]).json();
    let Some(value) = value else { return Ok((shown_key, "<DELETE>".to_owned())) };
    let schema = schemas.find(&value_kind, id).ok_or(Unread::Type(id))?;
    let mut value = Reader::new(Bytes::copy_from_slice(value));
    let version = version_of(&mut value, "value")?;
    if !schema.has(version) {
        return Err(Unread::Said(format!("Found an unknown record version {version} for {id} type")));
    }
    let mut read = schema.read(&mut value, version).map_err(|error| unreadable(version, "value", &error))?;
    if kind == "group" && id == GROUP_METADATA {
        open_members(schemas, &mut read);
    }
    let shown = Value::Object(vec![("version", Value::Text(version.to_string())), ("data", read)]).json();
    Ok((shown_key, shown))
}

fn version_of(reader: &mut Reader, name: &str) -> Result<i16, Unread> {
    reader.i16().map_err(|_short| Unread::Said(format!("Could not read version from {name}'s buffer.")))
}

fn unreadable(version: i16, name: &str, error: &ReadError) -> Unread {
    Unread::Said(format!(
        "Could not read record with version {version} from {name}'s buffer due to: {error}."
    ))
}

/// Opens what a group of consumers keeps for its members, which the coordinator itself does not read.
fn open_members(schemas: &Schemas, group: &mut Value) {
    if group.get("protocolType") != Some(&Value::Text("consumer".to_owned())) {
        return;
    }
    let Some(Value::Array(members)) = group.get_mut("members") else { return };
    for member in members {
        for (name, id) in [("subscription", 0), ("assignment", 1)] {
            let Some(field) = member.get_mut(name) else { continue };
            let Value::Bytes(bytes) = &*field else { continue };
            let mut reader = Reader::new(bytes.clone());
            let opened = reader.i16().ok().and_then(|version| {
                let schema = schemas.find("protocol", id).filter(|schema| schema.has(version))?;
                schema.read(&mut reader, version).ok()
            });
            // What is no subscription stays as it is.
            if let Some(opened) = opened {
                *field = opened;
            }
        }
    }
}

/// A framed record: frame version, type, version, and nothing behind the record.
pub(super) fn framed(
    schemas: &Schemas,
    kind: &str,
    bytes: &[u8],
) -> Result<(i16, &'static str, i16, Value), String> {
    let mut reader = Reader::new(Bytes::copy_from_slice(bytes));
    let frame = number(&mut reader, "frame version")?;
    if frame == 0 {
        return Err("Could not deserialize metadata record with frame version 0. Note that upgrades from the preview \
                    release of KRaft in 2.8 to newer versions are not supported."
            .to_owned());
    }
    if frame != FRAME_VERSION {
        return Err(format!(
            "Could not deserialize metadata record due to unknown frame version {frame}(only frame version \
             {FRAME_VERSION} is supported)"
        ));
    }
    let (id, version) = (number(&mut reader, "type")?, number(&mut reader, "version")?);
    let schema = schemas.find(kind, id).ok_or_else(|| {
        format!("org.apache.kafka.common.errors.UnsupportedVersionException: Unknown metadata id {id}")
    })?;
    let unreadable = || format!("Failed to deserialize record with type {id}");
    if !schema.has(version) {
        return Err(unreadable());
    }
    let value = schema.read(&mut reader, version).map_err(|_bad| unreadable())?;
    match reader.remaining() {
        0 => Ok((id, schema.name, version, value)),
        left => Err(format!("Found {left} byte(s) of garbage after {id}")),
    }
}

fn number(reader: &mut Reader, name: &str) -> Result<i16, String> {
    let read = reader.unsigned_varint().map_err(|_short| format!("Error while reading {name}"))?;
    i16::try_from(read).map_err(|_large| format!("Value for {name} was too large."))
}

fn metadata(schemas: &Schemas, bytes: &[u8]) -> Result<String, String> {
    let (_, name, version, data) = framed(schemas, "metadata", bytes)?;
    let fields = vec![
        ("type", Value::Text(upper_snake(name))),
        ("version", Value::Int(version.into())),
        ("data", data),
    ];
    Ok(Value::Object(fields).json())
}

/// The record type of a classic group in `__consumer_offsets`.
const GROUP_METADATA: i16 = 2;
const FRAME_VERSION: i16 = 1;

#[cfg(test)]
mod tests {
    use super::*;

    fn show(decoder: &Decoder, key: Option<&[u8]>, value: Option<&[u8]>) -> Shown {
        let record = Record {
            attributes: 0,
            timestamp_delta: 0,
            offset_delta: 0,
            key,
            value,
            headers: records::Headers::default(),
        };
        decoder.show(&record, 4).unwrap()
    }

    #[test]
    fn metadata_is_named_and_versioned() {
        let decoder = Decoder::Metadata(Schemas::new());
        let value = [&[1, 2, 0, 2, b't'][..], &[0; 16], &[0]].concat();
        let shown =
            r#"{"type":"TOPIC_RECORD","version":0,"data":{"name":"t","topicId":"AAAAAAAAAAAAAAAAAAAAAA"}}"#;
        assert_eq!(show(&decoder, None, Some(&value)), (None, Some(shown.to_owned())));
        for (bad, reason) in [
            (&[][..], "Error at 4, skipping. Error while reading frame version"),
            (&[1, 2, 0, 2], "Error at 4, skipping. Failed to deserialize record with type 2"),
            (&[1, 20, 0, 0, 0], "Error at 4, skipping. Found 1 byte(s) of garbage after 20"),
        ] {
            assert_eq!(show(&decoder, None, Some(bad)).1.as_deref(), Some(reason));
        }
    }

    #[test]
    fn a_coordinators_records_have_a_key() {
        let decoder = Decoder::Coordinator("group", Schemas::new());
        let key = [0, 1, 0, 1, b'g', 0, 1, b't', 0, 0, 0, 3];
        let shown = r#"{"type":"1","data":{"group":"g","topic":"t","partition":3}}"#.to_owned();
        assert_eq!(show(&decoder, Some(&key), None), (Some(shown), Some("<DELETE>".to_owned())));
        let unknown = "Unknown record type 99 at offset 4, skipping.".to_owned();
        assert_eq!(show(&decoder, Some(&[0, 99]), None), (Some(unknown), None));
    }
}
