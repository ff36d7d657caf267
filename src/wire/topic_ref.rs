//! How a request names a topic.

use std::fmt;

use kafka_protocol::protocol::StrBytes;
use model::TopicId;

use crate::cursor::Cursor;
use crate::error::{BadBytes, EncodeError};
use crate::out::Out;

/// A topic by its name, or by its id in versions that have replaced names (KIP-516). A response says it as its
/// request did.
#[derive(Clone, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum TopicRef {
    /// By name, as the client wrote it: not checked for legality.
    Name(StrBytes),
    /// By id; [`TopicId::ZERO`] is what a client without a clue sends.
    Id(TopicId),
}

/// The name, or the id in Kafka's text form.
impl fmt::Display for TopicRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => f.write_str(name),
            Self::Id(id) => id.fmt(f),
        }
    }
}

impl TopicRef {
    /// The name, where it is one.
    pub fn name(&self) -> Option<&str> {
        match self {
            Self::Name(name) => Some(name),
            Self::Id(_) => None,
        }
    }

    /// The id, where it is one.
    pub fn id(&self) -> Option<TopicId> {
        match self {
            Self::Name(_) => None,
            Self::Id(id) => Some(*id),
        }
    }

    /// The same reference in memory of its own: a name is otherwise a slice that keeps its whole frame alive.
    #[must_use]
    pub fn detached(&self) -> Self {
        match self {
            Self::Name(name) => Self::Name(StrBytes::from_string(name.to_string())),
            Self::Id(id) => Self::Id(*id),
        }
    }

    /// Least bytes on the wire.
    pub(crate) const fn bytes_min(by_id: bool, flexible: bool) -> usize {
        match (by_id, flexible) {
            (true, _) => 16,
            (false, true) => 1,
            (false, false) => 2,
        }
    }

    pub(crate) fn decode(cursor: &mut Cursor, by_id: bool) -> Result<Self, BadBytes> {
        if by_id { Ok(Self::Id(TopicId::new(cursor.uuid()?))) } else { Ok(Self::Name(cursor.string()?)) }
    }

    pub(crate) fn encode(&self, out: &mut Out, by_id: bool, version: i16) -> Result<(), EncodeError> {
        match (self, by_id) {
            (Self::Name(name), false) => out.string(name),
            (Self::Id(id), true) => {
                out.uuid(id.uuid());
                Ok(())
            }
            (_, by_id) => Err(EncodeError::TopicRef { version, wanted: if by_id { "id" } else { "name" } }),
        }
    }
}
