//! The header of a request: which API, which version, whose.

use std::fmt;

use bytes::Bytes;

use crate::api_table::ApiKey;
use crate::cursor::Cursor;
use crate::error::{BadBytes, DecodeError, EncodeError};
use crate::out::Out;

/// The header of one request (versions 1 and 2 of Kafka's `RequestHeader`).
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct RequestHeader {
    /// The API.
    pub api_key: ApiKey,
    /// The version of the request and of its response; only [`request`](crate::request) and
    /// [`response`](crate::response) look at it.
    pub api_version: i16,
    /// What the client tells its requests apart by; the response carries it.
    pub correlation_id: i32,
    /// What the client calls itself.
    pub client_id: ClientId,
}

/// What a client calls itself: any bytes, empty when it says nothing. Shown with replacement characters where it is
/// not UTF-8.
#[derive(Clone, Default, PartialEq, Eq, Hash)]
pub struct ClientId(Bytes);

impl RequestHeader {
    /// Reads the header at the start of a frame and gives it with the body. Both are slices of the frame.
    ///
    /// The version is not checked here: `ApiVersions` must be answered in any version.
    ///
    /// # Errors
    /// An unknown API, or bytes that are no header.
    pub fn parse(frame: Bytes) -> Result<(Self, Bytes), DecodeError> {
        let mut cursor = Cursor::new(frame, false);
        let code = cursor.i16().map_err(DecodeError::Header)?;
        let api_key = ApiKey::from_code(code).ok_or(DecodeError::UnknownApi(code))?;
        let header = Self::parse_rest(api_key, &mut cursor).map_err(DecodeError::Header)?;
        Ok((header, cursor.rest()))
    }

    fn parse_rest(api_key: ApiKey, cursor: &mut Cursor) -> Result<Self, BadBytes> {
        let api_version = cursor.i16()?;
        let correlation_id = cursor.i32()?;
        // The client id keeps its older encoding in header version 2, so that every broker can read it.
        let client_id = cursor.nullable_bytes_16()?.unwrap_or_default();
        if api_key.spec().request_header_version(api_version) >= 2 {
            cursor.set_flexible(true);
            cursor.skip_tagged_fields()?;
        }
        Ok(Self { api_key, api_version, correlation_id, client_id: ClientId(client_id) })
    }

    /// Writes the header as a client does; leaves `out` in the form of the body.
    pub(crate) fn encode(&self, out: &mut Out) -> Result<(), EncodeError> {
        let spec = self.api_key.spec();
        out.set_flexible(false);
        out.i16(self.api_key.code());
        out.i16(self.api_version);
        out.i32(self.correlation_id);
        out.bytes_16(Some(self.client_id.as_bytes()))?;
        if spec.request_header_version(self.api_version) >= 2 {
            out.set_flexible(true);
            out.no_tagged_fields();
        }
        out.set_flexible(spec.is_flexible(self.api_version));
        Ok(())
    }
}

impl ClientId {
    /// A client id of text.
    pub fn new(text: impl Into<String>) -> Self {
        Self(Bytes::from(text.into()))
    }

    /// The bytes as the client sent them.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Whether the client says nothing.
    pub fn is_empty(&self) -> bool {
        self.0.is_empty()
    }

    /// Frees the id from its frame: a parsed id is a slice that keeps the whole frame's memory alive. `last` is the
    /// connection's id so far, which is shared where it is the same and replaced where it is not.
    pub fn detach(&mut self, last: &mut Self) {
        if *self != *last {
            *last = Self(Bytes::copy_from_slice(&self.0));
        }
        *self = last.clone();
    }
}

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&String::from_utf8_lossy(&self.0))
    }
}

impl fmt::Debug for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?}", String::from_utf8_lossy(&self.0))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(frame: &'static [u8]) -> Result<(RequestHeader, Bytes), DecodeError> {
        RequestHeader::parse(Bytes::from_static(frame))
    }

    #[test]
    fn both_versions_parse() {
        let (header, body) = parse(b"\0\x03\0\x08\0\0\0\x05\0\x02mebody").expect("version 1");
        assert_eq!((header.api_key, header.api_version, header.correlation_id), (ApiKey::Metadata, 8, 5));
        assert_eq!((header.client_id.to_string().as_str(), &body[..]), ("me", &b"body"[..]));
        let (header, body) = parse(b"\0\x03\0\x09\0\0\0\x05\xff\xff\x01\x07\x02xxbody").expect("version 2");
        assert!(header.client_id.is_empty(), "null reads as empty");
        assert_eq!(&body[..], b"body", "tagged fields are stepped over");
    }

    #[test]
    fn short_frames_are_refused_without_panic() {
        let whole = b"\0\x03\0\x09\0\0\0\x05\0\x02me\x01\x07\x02xx";
        for length in 0..whole.len() {
            let refused = RequestHeader::parse(Bytes::from_static(&whole[..length]));
            assert!(matches!(refused, Err(DecodeError::Header(_))), "{length}: {refused:?}");
        }
        assert!(parse(whole).is_ok());
    }

    #[test]
    fn a_client_id_may_be_any_bytes() {
        let (header, _) = parse(b"\0\x12\0\0\0\0\0\0\0\x02\xff\xfe").expect("not UTF-8");
        assert_eq!(header.client_id.as_bytes(), b"\xff\xfe");
        assert_eq!(header.client_id.to_string(), "\u{fffd}\u{fffd}");
    }

    #[test]
    fn unknown_apis_and_endless_tags_are_refused() {
        assert_eq!(parse(b"\0\x04\0\0").expect_err("retired"), DecodeError::UnknownApi(4));
        assert_eq!(parse(b"\xff\xff").expect_err("negative"), DecodeError::UnknownApi(-1));
        let refused = parse(b"\0\x12\0\x03\0\0\0\0\0\0\xff\xff\xff\xff\x0f");
        assert_eq!(
            refused.expect_err("4 billion tags"),
            DecodeError::Header(BadBytes::TaggedFields(u32::MAX as usize))
        );
    }

    #[test]
    fn a_detached_id_shares_the_connections() {
        let mut last = ClientId::default();
        let (mut first, _) = parse(b"\0\x12\0\0\0\0\0\0\0\x02me").expect("header");
        first.client_id.detach(&mut last);
        let (mut second, _) = parse(b"\0\x12\0\0\0\0\0\0\0\x02me").expect("header");
        second.client_id.detach(&mut last);
        assert_eq!(second.client_id.as_bytes().as_ptr(), first.client_id.as_bytes().as_ptr());
    }
}
