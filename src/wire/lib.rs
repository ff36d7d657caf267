//! Bytes ⇄ typed requests and responses, every difference between protocol versions, and bounded decoding.
//!
//! May use: `model`, `kafka-protocol`. Knows nothing of sockets, logs or what a request means: handlers get one
//! request shape and return one response shape, whatever version the client speaks.
//!
//! Start reading at [`api_table`], then follow a request: [`frame`] → [`header`] → [`request`] → (a handler) →
//! [`response`]. Produce, Fetch and `ApiVersions` are decoded and encoded here by hand; all other APIs use the
//! generated structs of `kafka-protocol`, whose decoders run only after [`schema`] has bounded the bytes, and whose
//! encoders run only after [`compat`] has cleared what an older version lacks.
#![forbid(unsafe_code)]
#![cfg_attr(
    not(test),
    deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing, clippy::panic)
)]

pub mod api_table;
pub mod api_versions;
pub mod call;
pub mod compat;
pub mod cursor;
pub mod error;
pub mod fetch;
pub mod frame;
pub mod header;
pub mod out;
pub mod produce;
pub mod request;
pub mod response;
pub mod schema;
pub mod topic_ref;

pub use api_table::{ApiKey, ApiSpec};
pub use error::{DecodeError, EncodeError};
pub use frame::{Frame, Reply};
pub use header::RequestHeader;
/// The generated structs of the APIs that have no own types.
pub use kafka_protocol::messages;
pub use kafka_protocol::protocol::StrBytes;
pub use request::Request;
pub use response::Response;
pub use topic_ref::TopicRef;
