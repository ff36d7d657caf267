//! What is inside a record batch (magic 2): its records, its compression, what a leader checks before it takes
//! one, and how one is built. Every decompression is a stream with an output limit; nothing is allocated from a
//! length that was only announced.
//!
//! May use: `model` and the codecs. Knows nothing of files, sockets, requests or versions.
//! Start reading at [`iter`], then [`validate`].
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]

pub mod builder;
pub mod codec;
pub mod iter;
pub mod open;
pub mod search;
pub mod validate;

mod stream;
mod varint;

pub use builder::{BatchBuilder, BuildError, ControlType, EndTxnMarker};
pub use codec::{Codec, CodecError, compress, decompress};
pub use iter::{BadRecord, Header, Headers, Record, RecordIter};
pub use open::{BadBatch, OpenBatch};
pub use search::{FoundRecord, first_at_or_after, offset_of_max_timestamp};
pub use validate::{
    CompressedValidation, FirstBatch, NoBatch, Origin, ProduceRules, RecordError, RecordsError,
    TimestampType, ValidBatch, validate,
};
