//! Produce, decoded and encoded by hand: records stay slices of the frame they came in.

mod request;
mod response;

pub use request::{ProducePartition, ProduceRequest, ProduceTopic, TransactionSupport};
pub use response::{
    LeaderIdAndEpoch, NodeEndpoint, ProducePartitionResponse, ProduceResponse, ProduceTopicResponse,
    RecordError,
};
pub(crate) use response::{
    decode_current_leader, decode_node_endpoints, encode_current_leader, encode_node_endpoints,
};

use crate::api_table::ApiKey;

/// Names give way to ids (KIP-516).
const TOPIC_IDS_FROM: i16 = 13;

fn is_flexible(version: i16) -> bool {
    ApiKey::Produce.spec().is_flexible(version)
}
