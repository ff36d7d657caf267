//! The vocabulary of the tables.

/// The fields of a request in the order of the wire.
pub(super) type Schema = &'static [Field];

/// One field.
#[derive(Clone, Copy, Debug)]
pub(super) struct Field {
    /// Its name in Kafka's documentation, in our spelling.
    pub name: &'static str,
    /// What it holds.
    pub kind: Kind,
    first: i16,
    last: i16,
    null_from: i16,
    /// Its tag, if it stands among the tagged fields.
    pub tag: Option<u32>,
}

/// What a field holds.
#[derive(Clone, Copy, Debug)]
pub(super) enum Kind {
    /// So many bytes.
    Fixed(usize),
    /// A string.
    Str,
    /// Bytes.
    Bytes,
    /// A structure; in a flexible version it ends in tagged fields.
    Struct(Schema),
    /// A structure behind a byte that says whether it is there: 1, or -1 for null.
    OptionalStruct(Schema),
    /// Any number of one kind.
    Array(&'static Kind),
}

pub(super) const BOOL: Kind = Kind::Fixed(1);
pub(super) const I8: Kind = Kind::Fixed(1);
pub(super) const I16: Kind = Kind::Fixed(2);
pub(super) const I32: Kind = Kind::Fixed(4);
pub(super) const I64: Kind = Kind::Fixed(8);
pub(super) const UUID: Kind = Kind::Fixed(16);

/// A field of every version that is never null.
pub(super) const fn f(name: &'static str, kind: Kind) -> Field {
    Field { name, kind, first: 0, last: i16::MAX, null_from: i16::MAX, tag: None }
}

impl Field {
    /// Not in versions before this one.
    pub const fn from(self, first: i16) -> Self {
        Self { first, ..self }
    }

    /// Not in versions after this one.
    pub const fn until(self, last: i16) -> Self {
        Self { last, ..self }
    }

    /// Only in these versions.
    pub const fn versions(self, first: i16, last: i16) -> Self {
        self.from(first).until(last)
    }

    /// May be null since this version.
    pub const fn null_from(self, null_from: i16) -> Self {
        Self { null_from, ..self }
    }

    /// Stands among the tagged fields.
    #[allow(dead_code, reason = "no request of this step has a known tagged field")]
    pub const fn tagged(self, tag: u32) -> Self {
        Self { tag: Some(tag), ..self }
    }

    pub const fn is_in(&self, version: i16) -> bool {
        self.first <= version && version <= self.last
    }

    pub const fn is_nullable(&self, version: i16) -> bool {
        self.null_from <= version
    }
}
