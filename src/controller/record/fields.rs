//! Fields that several records share, and tagged fields, of which the unknown ones are kept.

use model::BrokerId;
use model::codec::{ReadError, Reader, TaggedField, Writer};
use uuid::Uuid;

pub(super) fn read_broker_ids(reader: &mut Reader) -> Result<Vec<BrokerId>, ReadError> {
    let count = reader.compact_array_len()?.ok_or(ReadError::Length(-1))?;
    (0..count).map(|_| reader.i32().map(BrokerId::new)).collect()
}

pub(super) fn write_broker_ids(writer: &mut Writer, ids: &[BrokerId]) {
    writer.compact_array_len(ids.len());
    for id in ids {
        writer.i32(id.value());
    }
}

pub(super) fn read_uuids(reader: &mut Reader) -> Result<Vec<Uuid>, ReadError> {
    let count = reader.compact_array_len()?.ok_or(ReadError::Length(-1))?;
    (0..count).map(|_| reader.uuid()).collect()
}

pub(super) fn write_uuids(writer: &mut Writer, ids: &[Uuid]) {
    writer.compact_array_len(ids.len());
    for id in ids {
        writer.uuid(*id);
    }
}

/// The tagged fields of a record while it is read: the known ones are taken out, the rest is kept.
pub(super) struct Tags {
    fields: Vec<TaggedField>,
}

impl Tags {
    pub(super) fn read(reader: &mut Reader) -> Result<Self, ReadError> {
        Ok(Self { fields: reader.tagged_fields()? })
    }

    /// Takes the field with `tag`, if it is there, and reads all of it with `read`.
    pub(super) fn take<T>(
        &mut self,
        tag: u32,
        read: impl FnOnce(&mut Reader) -> Result<T, ReadError>,
    ) -> Result<Option<T>, ReadError> {
        let Some(position) = self.fields.iter().position(|field| field.tag == tag) else {
            return Ok(None);
        };
        let mut reader = Reader::new(self.fields.remove(position).value);
        let value = read(&mut reader)?;
        match reader.remaining() {
            0 => Ok(Some(value)),
            left => Err(ReadError::Length(left as i64)),
        }
    }

    /// The fields that nobody took.
    pub(super) fn unknown(self) -> Vec<TaggedField> {
        self.fields
    }
}

/// The tagged fields of a record while it is written.
pub(super) struct TagWriter {
    fields: Vec<TaggedField>,
}

impl TagWriter {
    pub(super) fn new(unknown: &[TaggedField]) -> Self {
        Self { fields: unknown.to_vec() }
    }

    pub(super) fn put(&mut self, tag: u32, write: impl FnOnce(&mut Writer)) {
        let mut writer = Writer::new();
        write(&mut writer);
        // What was unknown in the version that it was read in may be known in the one that is written.
        self.fields.retain(|field| field.tag != tag);
        self.fields.push(TaggedField { tag, value: writer.freeze() });
    }

    pub(super) fn put_broker_ids(&mut self, tag: u32, ids: Option<&Vec<BrokerId>>) {
        if let Some(ids) = ids {
            self.put(tag, |writer| write_broker_ids(writer, ids));
        }
    }

    pub(super) fn write(mut self, writer: &mut Writer) {
        self.fields.sort_by_key(|field| field.tag);
        writer.tagged_fields(&self.fields);
    }
}

/// A nullable array of broker ids inside a tagged field; present and null means absent.
pub(super) fn read_nullable_broker_ids(reader: &mut Reader) -> Result<Option<Vec<BrokerId>>, ReadError> {
    match reader.compact_array_len()? {
        None => Ok(None),
        Some(count) => {
            (0..count).map(|_| reader.i32().map(BrokerId::new)).collect::<Result<_, _>>().map(Some)
        }
    }
}

/// As [`read_nullable_broker_ids`] for directory ids.
pub(super) fn read_nullable_uuids(reader: &mut Reader) -> Result<Option<Vec<Uuid>>, ReadError> {
    match reader.compact_array_len()? {
        None => Ok(None),
        Some(count) => (0..count).map(|_| reader.uuid()).collect::<Result<_, _>>().map(Some),
    }
}
