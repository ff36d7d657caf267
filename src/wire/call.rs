//! The other direction: requests as a client writes them and responses as it reads them.

use bytes::Bytes;
use kafka_protocol::protocol::{Decodable, Encodable};

use crate::api_table::ApiKey;
use crate::api_versions::{ApiVersionsRequest, ApiVersionsResponse};
use crate::cursor::Cursor;
use crate::error::{BadBytes, DecodeError, EncodeError};
use crate::fetch::{FetchRequest, FetchResponse};
use crate::frame::Frame;
use crate::header::RequestHeader;
use crate::out::Out;
use crate::produce::{ProduceRequest, ProduceResponse};

/// A request that a client can send, with the response it gets. The generated structs are such requests too; a field
/// that the version lacks must then have its default, or the generated encoder refuses.
pub trait Call {
    /// Number of the API.
    const KEY: i16;
    /// The answer.
    type Response;
    /// Bytes to expect without records, to reserve them once.
    fn size_hint(&self, version: i16) -> usize;
    /// Appends the body.
    fn encode_body(&self, out: &mut Out, version: i16) -> Result<(), EncodeError>;
    /// Reads the answer's body.
    fn decode_body(cursor: Cursor, version: i16) -> Result<Self::Response, BadBytes>;
}

/// Encodes a request, records uncopied.
///
/// # Errors
/// A header of another API, or a request that its version cannot say.
pub fn encode<C: Call>(header: &RequestHeader, call: &C) -> Result<Frame, EncodeError> {
    let api = ApiKey::from_code(C::KEY).filter(|api| *api == header.api_key);
    let api = api.ok_or(EncodeError::WrongApi { request: header.api_key.code(), response: C::KEY })?;
    let spec = api.spec();
    let version = header.api_version;
    if !(spec.min..=spec.max).contains(&version) {
        return Err(EncodeError::Version { api, version });
    }
    let size_hint = call.size_hint(version) + header.client_id.as_bytes().len() + HEADER_BYTES;
    let mut out = Out::frame(size_hint, false);
    header.encode(&mut out)?;
    call.encode_body(&mut out, version)?;
    out.finish()
}

/// Reads a response frame (without its length prefix): the correlation id and the answer.
///
/// Bodies of generated structs are read by decoders that trust their lengths: decode only what a broker one trusts
/// has sent.
///
/// # Errors
/// Bytes that are no response of this version.
pub fn decode<C: Call>(frame: Bytes, version: i16) -> Result<(i32, C::Response), DecodeError> {
    let api = ApiKey::from_code(C::KEY).ok_or(DecodeError::UnknownApi(C::KEY))?;
    let spec = api.spec();
    let mut cursor = Cursor::new(frame, spec.response_header_version(version) >= 1);
    let correlation_id = cursor.i32().map_err(DecodeError::Header)?;
    cursor.skip_tagged_fields().map_err(DecodeError::Header)?;
    let at = cursor.position();
    let body = Cursor::new(cursor.rest(), spec.is_flexible(version));
    let response = C::decode_body(body, version).map_err(|reason| DecodeError::Body {
        api,
        version,
        at,
        field: None,
        reason,
    })?;
    Ok((correlation_id, response))
}

impl<R> Call for R
where
    R: kafka_protocol::protocol::Request + Encodable,
    R::Response: Decodable,
{
    const KEY: i16 = <R as kafka_protocol::protocol::Request>::KEY;
    type Response = <R as kafka_protocol::protocol::Request>::Response;

    fn size_hint(&self, version: i16) -> usize {
        self.compute_size(version).unwrap_or_default()
    }

    fn encode_body(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        Encodable::encode(self, out.buffer(), version).map_err(|error| EncodeError::Generated {
            api: Self::KEY,
            version,
            message: error.to_string(),
        })
    }

    fn decode_body(cursor: Cursor, version: i16) -> Result<Self::Response, BadBytes> {
        Self::Response::decode(&mut cursor.rest(), version).map_err(|_untyped| BadBytes::Refused)
    }
}

impl Call for ProduceRequest {
    const KEY: i16 = ApiKey::Produce.code();
    type Response = ProduceResponse;

    fn size_hint(&self, _version: i16) -> usize {
        self.size_hint()
    }

    fn encode_body(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        self.encode(out, version)
    }

    fn decode_body(mut cursor: Cursor, version: i16) -> Result<ProduceResponse, BadBytes> {
        ProduceResponse::decode(&mut cursor, version)
    }
}

impl Call for FetchRequest {
    const KEY: i16 = ApiKey::Fetch.code();
    type Response = FetchResponse;

    fn size_hint(&self, _version: i16) -> usize {
        self.size_hint()
    }

    fn encode_body(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        self.encode(out, version)
    }

    fn decode_body(mut cursor: Cursor, version: i16) -> Result<FetchResponse, BadBytes> {
        FetchResponse::decode(&mut cursor, version)
    }
}

impl Call for ApiVersionsRequest {
    const KEY: i16 = ApiKey::ApiVersions.code();
    type Response = ApiVersionsResponse;

    fn size_hint(&self, _version: i16) -> usize {
        SOFTWARE_BYTES
    }

    fn encode_body(&self, out: &mut Out, version: i16) -> Result<(), EncodeError> {
        self.encode(out, version)
    }

    /// A broker that does not know the version answers in version 0, and only its error code says so (KIP-511).
    fn decode_body(cursor: Cursor, version: i16) -> Result<ApiVersionsResponse, BadBytes> {
        let as_asked = ApiVersionsResponse::decode(&mut cursor.clone(), version);
        as_asked.or_else(|error| {
            let mut oldest = Cursor::new(cursor.rest(), false);
            ApiVersionsResponse::decode(&mut oldest, 0).map_err(|_oldest| error)
        })
    }
}

/// API, version, correlation id, length of the client id, tagged fields.
const HEADER_BYTES: usize = 2 + 2 + 4 + 2 + 1;
/// What a client's name and version usually take.
const SOFTWARE_BYTES: usize = 48;
