//! Why bytes could not be decoded or a response not encoded.

use crate::api_table::ApiKey;

/// Why a frame is refused. Each of them closes the connection, as in Kafka: a peer that sends such bytes cannot be
/// answered in a way that it would understand.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum DecodeError {
    /// The API key is no key of Kafka's, or one that this broker does not serve.
    #[error("API key {0} is not served here")]
    UnknownApi(i16),
    /// The version lies outside what is decoded.
    #[error("{api:?} version {version} is not supported")]
    UnsupportedVersion {
        /// The API.
        api: ApiKey,
        /// The version asked for.
        version: i16,
    },
    /// The header itself cannot be read.
    #[error("malformed request header: {0}")]
    Header(#[source] BadBytes),
    /// The body does not follow the schema of its API and version.
    #[error("malformed {api:?} version {version} at byte {at}{}: {reason}", in_field(*field))]
    Body {
        /// The API.
        api: ApiKey,
        /// The version.
        version: i16,
        /// Where in the body reading stopped.
        at: usize,
        /// Name of the field, where it is known.
        field: Option<&'static str>,
        /// What is wrong there.
        #[source]
        reason: BadBytes,
    },
}

/// What is wrong with bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum BadBytes {
    /// The value needs more bytes than are left.
    #[error("{needed} bytes are needed and {left} are left")]
    Short {
        /// Bytes the value needs.
        needed: usize,
        /// Bytes left.
        left: usize,
    },
    /// An unsigned varint of more than 32 bits.
    #[error("a varint does not end within 32 bits")]
    Varint,
    /// A string of more bytes than Kafka reads.
    #[error("a string has {0} bytes")]
    Long(usize),
    /// A null where the version allows none.
    #[error("null is not allowed here")]
    Null,
    /// More in strings that are not UTF-8 than is replaced.
    #[error("too much text is not UTF-8")]
    Utf8,
    /// An access rule of a kind that does not exist, where Kafka answers nothing.
    #[error("an unknown kind of resource, pattern, operation or permission is not allowed here")]
    UnknownKind,
    /// More elements than the bytes left, or the limit, can hold.
    #[error("{count} elements are more than the {limit} that can be here")]
    Elements {
        /// Elements announced.
        count: usize,
        /// Elements that are possible.
        limit: usize,
    },
    /// More tagged fields than the bytes left, or the limit, can hold.
    #[error("{0} tagged fields are too many")]
    TaggedFields(usize),
    /// A tagged field whose value does not fill its announced size.
    #[error("tagged field {tag} announces {announced} bytes and has {used}")]
    TagSize {
        /// The field's tag.
        tag: u32,
        /// Its announced size.
        announced: usize,
        /// The size of its value.
        used: usize,
    },
    /// The generated decoder refused what the bounds walk had accepted.
    #[error("the decoder refused the body")]
    Refused,
}

/// Why a response or request could not be encoded. Any of them is a defect of this program, not of a peer.
#[derive(Debug, thiserror::Error)]
pub enum EncodeError {
    /// A response of one API was given for a request of another.
    #[error("API {response} does not go with a header of API {request}")]
    WrongApi {
        /// Number of the header's API.
        request: i16,
        /// Number of the body's API.
        response: i16,
    },
    /// A topic was given by name where the version wants its id, or the other way round.
    #[error("version {version} refers to topics by {wanted}")]
    TopicRef {
        /// The version.
        version: i16,
        /// "name" or "id".
        wanted: &'static str,
    },
    /// A version outside the API's range.
    #[error("{api:?} version {version} cannot be encoded")]
    Version {
        /// The API.
        api: ApiKey,
        /// The version.
        version: i16,
    },
    /// A string or frame longer than its length field can say.
    #[error("{0} bytes do not fit the length field")]
    TooLong(usize),
    /// The generated encoder refused.
    #[error("API {api} version {version}: {message}")]
    Generated {
        /// Number of the API.
        api: i16,
        /// The version.
        version: i16,
        /// What the encoder said.
        message: String,
    },
}

fn in_field(field: Option<&'static str>) -> String {
    field.map_or_else(String::new, |name| format!(" in {name}"))
}
