//! The records of `__transaction_state`, in Kafka's own schemas (`TransactionLogKey`, `TransactionLogValue`).

mod codec;
#[cfg(test)]
#[path = "record_tests.rs"]
mod tests;

pub use codec::RecordError;
pub(super) use codec::TEXT_BYTES_MAX;

use std::collections::{BTreeMap, BTreeSet};

/// One change of durable state. `None` is a tombstone: the transactional id has expired.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Record {
    /// The key.
    pub transactional_id: String,
    /// The value.
    pub value: Option<Value>,
}

/// Partitions by topic name, sorted.
pub type Partitions = BTreeMap<String, BTreeSet<i32>>;

/// Where a transactional id stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Value {
    /// Its producer id.
    pub producer_id: i64,
    /// The id before the last change: another one after the epochs of that ran out; -1 for none (KIP-890, tagged).
    pub previous_producer_id: i64,
    /// The id that the next transaction uses, while this one's end is written; -1 for none (KIP-890, tagged).
    pub next_producer_id: i64,
    /// Its epoch; -1 before the first InitProducerId has been written.
    pub producer_epoch: i16,
    /// The epoch before this one, when its holder asked for the bump itself and may ask again (KIP-360); -1 otherwise.
    /// It is not stored: after a reload nobody may ask again.
    pub last_producer_epoch: i16,
    /// After this long without an end the coordinator aborts.
    pub timeout_ms: i32,
    /// The state.
    pub status: Status,
    /// What the transaction has touched.
    pub partitions: Partitions,
    /// The last change, milliseconds since the Unix epoch.
    pub last_update_ms: i64,
    /// When the transaction began, milliseconds since the Unix epoch; -1 outside one.
    pub start_ms: i64,
    /// The protocol that the client spoke: 0, 1, or 2 for KIP-890 (tagged).
    pub client_transaction_version: i16,
}

/// Kafka's `TransactionState`, with its ids.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(i8)]
#[allow(missing_docs)]
pub enum Status {
    Empty = 0,
    Ongoing = 1,
    PrepareCommit = 2,
    PrepareAbort = 3,
    CompleteCommit = 4,
    CompleteAbort = 5,
    Dead = 6,
    PrepareEpochFence = 7,
}

impl Status {
    /// The name that tools show (`TransactionState.stateName`).
    pub fn name(self) -> &'static str {
        match self {
            Self::Empty => "Empty",
            Self::Ongoing => "Ongoing",
            Self::PrepareCommit => "PrepareCommit",
            Self::PrepareAbort => "PrepareAbort",
            Self::CompleteCommit => "CompleteCommit",
            Self::CompleteAbort => "CompleteAbort",
            Self::Dead => "Dead",
            Self::PrepareEpochFence => "PrepareEpochFence",
        }
    }

    /// The state of this name.
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|status| status.name() == name)
    }

    const ALL: [Self; 8] = [
        Self::Empty,
        Self::Ongoing,
        Self::PrepareCommit,
        Self::PrepareAbort,
        Self::CompleteCommit,
        Self::CompleteAbort,
        Self::Dead,
        Self::PrepareEpochFence,
    ];

    fn from_id(id: i8) -> Option<Self> {
        Self::ALL.into_iter().find(|status| *status as i8 == id)
    }
}
