//! Kafka's own records by tables: a record's bytes become the JSON that Kafka's generated converters make of them.

use bytes::Bytes;
use model::codec::{ReadError, Reader};
use uuid::Uuid;

use crate::jvm;

/// Every record that a decoder shows.
const TABLES: &str = include_str!("records.schema");

/// One value of a record.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// `null`
    Null,
    /// A boolean.
    Bool(bool),
    /// A number of any width.
    Int(i64),
    /// A double.
    Float(f64),
    /// A string.
    Text(String),
    /// Shown in base 64.
    Bytes(Bytes),
    /// Shown as Kafka shows ids.
    Id(Uuid),
    /// An array.
    Array(Vec<Value>),
    /// A structure, its fields in the order of the table.
    Object(Vec<(&'static str, Value)>),
}

/// The tables of all records.
#[derive(Debug)]
pub struct Schemas(Vec<Schema>);

/// The table of one record.
#[derive(Debug)]
pub struct Schema {
    kind: &'static str,
    id: i16,
    /// What Kafka calls it.
    pub name: &'static str,
    versions: Versions,
    flexible_from: Option<i16>,
    fields: Vec<Field>,
}

#[derive(Debug)]
struct Field {
    name: &'static str,
    is_array: bool,
    kind: Kind,
    versions: Versions,
    tag: Option<u32>,
    /// What a tagged field is not shown with; empty, zero or false where the table has none.
    hidden: Option<&'static str>,
}

#[derive(Debug)]
enum Kind {
    Bool,
    Int8,
    Int16,
    Uint16,
    Int32,
    Uint32,
    Int64,
    Float64,
    Text,
    Bytes,
    Id,
    Struct { nullable: bool, fields: Vec<Field> },
}

#[derive(Clone, Copy, Debug)]
struct Versions {
    first: i16,
    last: i16,
}

impl Versions {
    const ALL: Self = Self { first: 0, last: i16::MAX };

    /// `2`, `0-4` or `1+`.
    fn parse(text: &str) -> Option<Self> {
        if let Some(first) = text.strip_suffix('+') {
            return Some(Self { first: first.parse().ok()?, last: i16::MAX });
        }
        let (first, last) = text.split_once('-').unwrap_or((text, text));
        Some(Self { first: first.parse().ok()?, last: last.parse().ok()? })
    }

    fn contains(self, version: i16) -> bool {
        (self.first..=self.last).contains(&version)
    }
}

impl Schemas {
    /// Reads the tables.
    pub fn new() -> Self {
        let mut lines = TABLES.lines().filter(|line| !line.starts_with('#')).peekable();
        let mut schemas = Vec::new();
        while let Some(head) = lines.next() {
            let fields = parse_fields(&mut lines);
            schemas.extend(parse_head(head, fields));
        }
        Self(schemas)
    }

    /// The record of this kind and id.
    pub fn find(&self, kind: &str, id: i16) -> Option<&Schema> {
        self.0.iter().find(|schema| schema.kind == kind && schema.id == id)
    }
}

fn parse_head(line: &'static str, fields: Vec<Field>) -> Option<Schema> {
    let mut words = line.split(' ');
    let (kind, id, name) = (words.next()?, words.next()?.parse().ok()?, words.next()?);
    let versions = Versions::parse(words.next()?)?;
    let flexible_from = match words.next() {
        Some("flexible") => Some(words.next()?.parse().ok()?),
        _ => None,
    };
    Some(Schema { kind, id, name, versions, flexible_from, fields })
}

fn parse_fields(lines: &mut std::iter::Peekable<impl Iterator<Item = &'static str>>) -> Vec<Field> {
    let mut fields = Vec::new();
    while let Some(line) = lines.next_if(|line| line.starts_with(' ')) {
        if line.trim() == "}" {
            break;
        }
        let mut words = line.trim().split(' ').peekable();
        let (Some(name), Some(kind)) = (words.next(), words.next()) else { continue };
        let (is_array, kind) = kind.strip_prefix("[]").map_or((false, kind), |element| (true, element));
        let kind = match kind {
            "bool" => Kind::Bool,
            "int8" => Kind::Int8,
            "int16" => Kind::Int16,
            "uint16" => Kind::Uint16,
            "int32" => Kind::Int32,
            "uint32" => Kind::Uint32,
            "int64" => Kind::Int64,
            "float64" => Kind::Float64,
            "string" => Kind::Text,
            "uuid" => Kind::Id,
            "{" | "?{" => Kind::Struct { nullable: kind.starts_with('?'), fields: parse_fields(lines) },
            _ => Kind::Bytes,
        };
        let versions = words.next_if(|word| word.starts_with(|letter: char| letter.is_ascii_digit()));
        let versions = versions.and_then(Versions::parse).unwrap_or(Versions::ALL);
        let tag = words.next_if_eq(&"tag").and_then(|_| words.next()?.parse().ok());
        let hidden = words.next_if_eq(&"=").and_then(|_| words.next());
        fields.push(Field { name, is_array, kind, versions, tag, hidden });
    }
    fields
}

impl Schema {
    /// Whether a record of this version can be read.
    pub fn has(&self, version: i16) -> bool {
        self.versions.contains(version)
    }

    /// Reads a record; what follows it stays in the reader.
    ///
    /// # Errors
    /// Bytes that are none.
    pub fn read(&self, reader: &mut Reader, version: i16) -> Result<Value, ReadError> {
        let flexible = self.flexible_from.is_some_and(|first| version >= first);
        read_fields(&self.fields, reader, Encoding { version, flexible })
    }
}

#[derive(Clone, Copy)]
struct Encoding {
    version: i16,
    flexible: bool,
}

fn read_fields(fields: &[Field], reader: &mut Reader, encoding: Encoding) -> Result<Value, ReadError> {
    let there: Vec<&Field> =
        fields.iter().filter(|field| field.versions.contains(encoding.version)).collect();
    let mut values: Vec<Option<Value>> = Vec::with_capacity(there.len());
    for field in &there {
        values.push(if field.tag.is_some() { None } else { Some(field.read(reader, encoding)?) });
    }
    let tagged = if encoding.flexible { reader.tagged_fields()? } else { Vec::new() };
    for written in tagged {
        let place = there.iter().zip(&mut values).find(|(field, _)| field.tag == Some(written.tag));
        if let Some((field, place)) = place {
            let value = field.read(&mut Reader::new(written.value), encoding)?;
            *place = Some(value).filter(|value| !field.hides(value));
        }
    }
    let named = there.iter().zip(values).filter_map(|(field, value)| Some((field.name, value?)));
    Ok(Value::Object(named.collect()))
}

impl Field {
    fn read(&self, reader: &mut Reader, encoding: Encoding) -> Result<Value, ReadError> {
        if !self.is_array {
            return self.read_one(reader, encoding);
        }
        let count = if encoding.flexible { reader.compact_array_len()? } else { reader.array_len()? };
        let Some(count) = count else { return Ok(Value::Null) };
        let elements = (0..count).map(|_| self.read_one(reader, encoding));
        Ok(Value::Array(elements.collect::<Result<_, _>>()?))
    }

    fn read_one(&self, reader: &mut Reader, encoding: Encoding) -> Result<Value, ReadError> {
        let flexible = encoding.flexible;
        Ok(match &self.kind {
            Kind::Bool => Value::Bool(reader.bool()?),
            Kind::Int8 => Value::Int(reader.i8()?.into()),
            Kind::Int16 => Value::Int(reader.i16()?.into()),
            Kind::Uint16 => Value::Int(reader.u16()?.into()),
            Kind::Int32 => Value::Int(reader.i32()?.into()),
            Kind::Uint32 => Value::Int(reader.i32()?.cast_unsigned().into()),
            Kind::Int64 => Value::Int(reader.i64()?),
            Kind::Float64 => Value::Float(reader.f64()?),
            Kind::Id => Value::Id(reader.uuid()?),
            Kind::Text if flexible => reader.compact_nullable_string()?.map_or(Value::Null, Value::Text),
            Kind::Text => reader.nullable_string()?.map_or(Value::Null, Value::Text),
            Kind::Bytes if flexible => reader.compact_nullable_bytes()?.map_or(Value::Null, Value::Bytes),
            Kind::Bytes => reader.nullable_bytes()?.map_or(Value::Null, Value::Bytes),
            Kind::Struct { nullable, fields } => {
                // An array's structures carry no mark of their own, and a tagged one has an unsigned number for it.
                if *nullable && !self.is_array {
                    let mark = reader.i8()?;
                    let is_null = if self.tag.is_some() { mark == 0 } else { mark < 0 };
                    if is_null {
                        return Ok(Value::Null);
                    }
                }
                read_fields(fields, reader, encoding)?
            }
        })
    }

    /// Whether a tagged field with this value is left out, because it says what its absence says.
    fn hides(&self, value: &Value) -> bool {
        match (value, self.hidden) {
            (Value::Null, hidden) => hidden == Some("null"),
            (_, Some("null")) => false,
            (Value::Int(number), hidden) => hidden.unwrap_or("0").parse() == Ok(*number),
            (Value::Bool(flag), _) => !flag,
            (Value::Float(number), _) => *number == 0.0,
            (Value::Text(text), _) => text.is_empty(),
            (Value::Bytes(bytes), _) => bytes.is_empty(),
            (Value::Id(id), _) => id.is_nil(),
            (Value::Array(elements), _) => elements.is_empty(),
            (Value::Object(_), _) => false,
        }
    }
}

impl Value {
    /// A field of a structure.
    pub fn get(&self, name: &str) -> Option<&Self> {
        match self {
            Self::Object(fields) => fields.iter().find(|(known, _)| *known == name).map(|(_, value)| value),
            _ => None,
        }
    }

    /// The same to change it.
    pub fn get_mut(&mut self, name: &str) -> Option<&mut Self> {
        match self {
            Self::Object(fields) => {
                fields.iter_mut().find(|(known, _)| *known == name).map(|(_, value)| value)
            }
            _ => None,
        }
    }

    /// As Jackson writes it: in one line, without spaces.
    pub fn json(&self) -> String {
        let mut out = String::new();
        self.write(&mut out);
        out
    }

    fn write(&self, out: &mut String) {
        match self {
            Self::Null => out.push_str("null"),
            Self::Bool(flag) => out.push_str(if *flag { "true" } else { "false" }),
            Self::Int(number) => out.push_str(&number.to_string()),
            Self::Float(number) => out.push_str(&jvm::double(*number)),
            Self::Text(text) => write_text(text, out),
            Self::Bytes(bytes) => out.push_str(&format!("\"{}\"", base64(bytes))),
            Self::Id(id) => out.push_str(&format!("\"{}\"", model::ids::uuid_to_base64(*id))),
            Self::Array(elements) => {
                out.push('[');
                for (index, element) in elements.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    element.write(out);
                }
                out.push(']');
            }
            Self::Object(fields) => {
                out.push('{');
                for (index, (name, value)) in fields.iter().enumerate() {
                    out.push_str(if index == 0 { "" } else { "," });
                    write_text(name, out);
                    out.push(':');
                    value.write(out);
                }
                out.push('}');
            }
        }
    }
}

fn write_text(text: &str, out: &mut String) {
    out.push('"');
    for letter in text.chars() {
        match letter {
            '"' => out.push_str("\\\""),
            '\\' => out.push_str("\\\\"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\t' => out.push_str("\\t"),
            '\u{8}' => out.push_str("\\b"),
            '\u{c}' => out.push_str("\\f"),
            letter if (letter as u32) < 0x20 => out.push_str(&format!("\\u{:04X}", letter as u32)),
            letter => out.push(letter),
        }
    }
    out.push('"');
}

fn base64(bytes: &[u8]) -> String {
    const LETTERS: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
    let mut out = String::with_capacity(bytes.len().div_ceil(3) * 4);
    for three in bytes.chunks(3) {
        let group = (0..3).fold(0_u32, |group, at| group << 8 | three.get(at).copied().map_or(0, u32::from));
        for at in 0..4 {
            let letter = LETTERS.get((group >> (18 - 6 * at)) as usize & 63).copied().unwrap_or(b'=');
            out.push(if at <= three.len() { char::from(letter) } else { '=' });
        }
    }
    out
}

#[cfg(test)]
#[path = "schema_tests.rs"]
mod tests;
