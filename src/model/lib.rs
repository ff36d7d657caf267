//! The words every room shares: ids, offsets, error codes, limits, the record-batch header, the clock and the
//! primitive types of Kafka's wire and record formats.
//!
//! May use: `bytes`, `crc32c`, `uuid`. Knows nothing of sockets, files, requests or versions.
//! Start reading at [`ids`] and [`batch`].
#![forbid(unsafe_code)]

pub mod aging;
pub mod batch;
pub mod clock;
pub mod codec;
pub mod error_code;
pub mod ids;
pub mod limits;
pub mod topic_name;

pub use batch::BatchHeader;
pub use clock::Clock;
pub use error_code::ErrorCode;
pub use ids::{BrokerId, LeaderEpoch, Offset, ProducerEpoch, ProducerId, TopicId};
