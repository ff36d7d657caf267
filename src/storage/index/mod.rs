//! The three indexes of a segment. All are derived data: whatever is wrong with one, the log rebuilds it.

pub(crate) mod entries;
mod file;
pub(crate) mod offset;
pub(crate) mod time;
pub(crate) mod txn;

pub(crate) use offset::{OffsetIndex, OffsetPosition};
pub(crate) use time::{TimeIndex, TimestampOffset};
pub(crate) use txn::TxnIndex;
