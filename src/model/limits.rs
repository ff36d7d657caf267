//! Bounds that hold whatever the configuration says.

/// Most elements one array of a request may announce (Kafka 4.4's own limit).
pub const ARRAY_ELEMENTS_MAX: usize = 1_000_000;
/// Most tagged fields of one structure (Kafka 4.4's own limit).
pub const TAGGED_FIELDS_MAX: usize = 10_000;
/// Longest legal topic name, in bytes (`org.apache.kafka.common.internals.Topic`).
pub const TOPIC_NAME_BYTES_MAX: usize = 249;
/// Requests of one connection that may wait for their answers; then its reading stops.
pub const REQUESTS_IN_FLIGHT_MAX: usize = 128;
/// Unsent reply bytes of one connection; then its reading stops.
pub const REPLY_BYTES_UNSENT_MAX: usize = 4 * 1024 * 1024;
/// Frames up to this size have a memory share of their own, which large ones cannot take.
pub const SMALL_FRAME_BYTES_MAX: usize = 64 * 1024;
/// Milliseconds without a byte of an announced body after which the connection is closed.
pub const BODY_STALL_MS: u64 = 10_000;
/// Most bytes one batch may unfold to when it is decompressed.
pub const DECOMPRESSED_BYTES_MAX: usize = 128 * 1024 * 1024;
/// Largest zstd window accepted, as a power of two (8 MiB).
pub const ZSTD_WINDOW_LOG_MAX: u32 = 23;
/// Producers that one log remembers, beside those with an open transaction. Kafka has no bound but
/// `producer.id.expiration.ms`; a producer costs some 200 bytes.
pub const PRODUCERS_PER_LOG_MAX: usize = 100_000;
