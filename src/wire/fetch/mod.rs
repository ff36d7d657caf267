//! Fetch, decoded and encoded by hand: a response is a list of segments, and records are never copied into it.

mod request;
mod response;

pub use request::{FetchPartition, FetchRequest, FetchTopic, ForgottenTopic, IsolationLevel};
pub use response::{
    AbortedTransaction, EpochEndOffset, FetchPartitionResponse, FetchResponse, FetchTopicResponse, SnapshotId,
};

/// The sessions of KIP-227, and with them the top-level error.
const SESSIONS_FROM: i16 = 7;
/// Names give way to ids (KIP-516).
const TOPIC_IDS_FROM: i16 = 13;
/// Fetching from the nearest replica (KIP-392).
const PREFERRED_REPLICA_FROM: i16 = 11;
const LOG_START_OFFSET_FROM: i16 = 5;

fn is_flexible(version: i16) -> bool {
    crate::api_table::ApiKey::Fetch.spec().is_flexible(version)
}
