//! The coordinators as pure machines: groups, and transactions.
//!
//! `step` proposes: request or deadline → records and replies. `replay` alone changes what is durable, at run time and
//! when a partition of `__consumer_offsets` or `__transaction_state` is loaded. The shell appends the records, replays them, and lets the replies
//! go once everything appended so far is on disk. No clock, randomness, I/O or lock lives here.
//!
//! May use: `model`. Start reading at [`group::Shard`], then [`txn::Shard`].
#![forbid(unsafe_code)]

pub mod group;
mod re2;
#[cfg(test)]
mod test_support;
pub mod txn;

use model::ErrorCode;

/// What clients of a coordinator are told about a failed append to its log.
pub fn append_error(code: ErrorCode) -> ErrorCode {
    match code {
        ErrorCode::UnknownTopicOrPartition | ErrorCode::NotEnoughReplicas | ErrorCode::RequestTimedOut => {
            ErrorCode::CoordinatorNotAvailable
        }
        ErrorCode::NotLeaderOrFollower | ErrorCode::KafkaStorageError => ErrorCode::NotCoordinator,
        ErrorCode::MessageTooLarge | ErrorCode::RecordListTooLarge | ErrorCode::InvalidFetchSize => {
            ErrorCode::UnknownServerError
        }
        other => other,
    }
}
