//! How records are sent, from the properties of Kafka's producer.

use std::time::Duration;

use records::Codec;

use crate::properties::Properties;
use crate::terminal::Stop;

/// How records are sent.
#[derive(Clone, Copy, Debug)]
pub struct Sending {
    /// `acks`.
    pub acks: i16,
    /// `compression.type`.
    pub codec: Codec,
    /// `batch.size` in bytes.
    pub batch_bytes: usize,
    /// `linger.ms`.
    pub linger: Duration,
    /// `retries`.
    pub retries: u32,
    /// `request.timeout.ms`.
    pub timeout_ms: i32,
    /// `max.block.ms`: longest wait for the topic.
    pub block_max: Duration,
    /// `max.request.size` in bytes.
    pub record_bytes_max: usize,
    /// `enable.idempotence`.
    pub idempotent: bool,
}

/// How much may be under way.
#[derive(Clone, Copy, Debug)]
pub struct Window {
    /// `buffer.memory` in bytes.
    pub bytes_max: usize,
    /// `max.in.flight.requests.per.connection`
    pub requests_max: usize,
}

impl Sending {
    /// What these properties say, with the defaults of Kafka's producer.
    ///
    /// # Errors
    /// Kafka's sentence for a value that is none.
    pub fn of(properties: &Properties) -> Result<Self, Stop> {
        let invalid = |key: &str, value: &str| {
            Stop::Error(format!(
                "org.apache.kafka.common.config.ConfigException: Invalid value {value} for configuration {key}"
            ))
        };
        let acks = match properties.get("acks").unwrap_or("all").trim() {
            "all" | "-1" => ALL,
            "0" => 0,
            "1" => 1,
            other => return Err(invalid("acks", other)),
        };
        let name = properties.get("compression.type").unwrap_or("none");
        let codec = Codec::from_name(name).ok_or_else(|| invalid("compression.type", name))?;
        Ok(Self {
            acks,
            codec,
            batch_bytes: properties.number("batch.size", 16_384),
            linger: Duration::from_millis(properties.number("linger.ms", 5)),
            retries: properties.number("retries", i32::MAX as u32),
            timeout_ms: properties.number("request.timeout.ms", 30_000),
            block_max: Duration::from_millis(properties.number("max.block.ms", 60_000)),
            record_bytes_max: properties.number("max.request.size", 1 << 20),
            idempotent: properties.get("enable.idempotence").is_none_or(|value| value != "false"),
        })
    }
}

impl Window {
    /// What these properties say, with the defaults of Kafka's producer.
    pub fn of(properties: &Properties) -> Self {
        Self {
            bytes_max: properties.number("buffer.memory", 32 << 20),
            requests_max: properties.number("max.in.flight.requests.per.connection", 5).max(1),
        }
    }
}

/// `acks=all`.
pub const ALL: i16 = -1;
