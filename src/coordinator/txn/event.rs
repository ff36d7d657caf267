//! What the shell asks a shard, and what it is told. The shell translates every version into these.

use super::record::{Partitions, Status};
use crate::append_error;
use model::ErrorCode;

/// A request.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Request {
    InitProducerId(InitProducerIdRequest),
    AddPartitions(AddPartitionsRequest),
    EndTxn(EndTxnRequest),
}

/// InitProducerId of a transactional id (KIP-98, KIP-360).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct InitProducerIdRequest {
    pub transactional_id: String,
    pub timeout_ms: i32,
    /// What the producer thinks it has; none for a new one (KIP-360).
    pub expected: Option<ProducerIdAndEpoch>,
}

/// A producer id with its epoch.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ProducerIdAndEpoch {
    pub producer_id: i64,
    pub producer_epoch: i16,
}

/// AddPartitionsToTxn and AddOffsetsToTxn: the latter adds the partition of `__consumer_offsets` that holds the group.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct AddPartitionsRequest {
    pub transactional_id: String,
    pub producer: ProducerIdAndEpoch,
    pub partitions: Partitions,
    /// Only asks whether they are in the transaction (KIP-890).
    pub verify_only: bool,
    /// The protocol that the client speaks: 2 when it adds partitions by producing to them (KIP-890), else 0.
    pub transaction_version: i16,
}

/// EndTxn.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct EndTxnRequest {
    pub transactional_id: String,
    pub producer: ProducerIdAndEpoch,
    pub commit: bool,
    /// 2 when the request has version 5 or more: the epoch is bumped (KIP-890).
    pub transaction_version: i16,
}

/// The answer to a [`Request`].
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Reply {
    InitProducerId(Result<ProducerIdAndEpoch, ErrorCode>),
    /// An error for all, or one for each partition.
    AddPartitions(Result<PartitionErrors, ErrorCode>),
    /// With the producer id and epoch of the next transaction, where the version has them.
    EndTxn(Result<Option<ProducerIdAndEpoch>, ErrorCode>),
}

impl AsRef<Reply> for Reply {
    fn as_ref(&self) -> &Reply {
        self
    }
}

impl Request {
    /// The transactional id that the request is about: it decides which shard is asked.
    pub fn transactional_id(&self) -> &str {
        match self {
            Self::InitProducerId(request) => &request.transactional_id,
            Self::AddPartitions(request) => &request.transactional_id,
            Self::EndTxn(request) => &request.transactional_id,
        }
    }
}

impl Reply {
    /// What is sent in place of this reply when the records it depends on could not be written; `code` is what the append
    /// came to. Kafka: `TransactionStateManager.appendTransactionToLog`.
    pub fn failed(self, code: ErrorCode) -> Self {
        let code = append_error(code);
        match self {
            Self::InitProducerId(_) => Self::InitProducerId(Err(code)),
            Self::AddPartitions(_) => Self::AddPartitions(Err(code)),
            Self::EndTxn(_) => Self::EndTxn(Err(code)),
        }
    }

    /// Whether the producer's last transaction is being completed, and its next has to wait for that.
    pub fn is_concurrent(&self) -> bool {
        const CODE: ErrorCode = ErrorCode::ConcurrentTransactions;
        match self {
            Self::InitProducerId(reply) => *reply == Err(CODE),
            Self::AddPartitions(reply) => *reply == Err(CODE),
            Self::EndTxn(reply) => *reply == Err(CODE),
        }
    }
}

/// An error code for each partition, by topic.
pub type PartitionErrors = Vec<(String, Vec<(i32, ErrorCode)>)>;

/// What ListTransactions and DescribeTransactions show (KIP-664).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Described {
    pub transactional_id: String,
    pub status: Status,
    pub timeout_ms: i32,
    pub start_ms: i64,
    pub producer: ProducerIdAndEpoch,
    /// While the end is written: where its marker is still missing.
    pub partitions: Partitions,
}
