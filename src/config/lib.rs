//! Configuration: `server.properties`, `KAFKA_*` variables and `--override` become one table of raw settings, and
//! that table becomes one typed [`BrokerConfig`], checked as Kafka 4.1 checks it.
//!
//! May use: `thiserror`. Pure: files and environment come in as data, nothing is read here; no
//! clock, no sockets. Knows what a key means, never how the broker acts on it.
//!
//! Start reading at [`load`] (raw settings and where each came from; inside a container [`container`]), then [`layers`] (static and dynamic settings
//! together), [`resolved`] (the typed result) and [`keys`] (the table of every key).
#![forbid(unsafe_code)]

pub mod container;
pub mod describe;
pub mod dynamic;
pub mod env;
pub mod error;
pub mod group;
pub mod key;
pub mod keys;
pub mod layers;
pub mod listeners;
pub mod load;
pub mod properties;
pub mod providers;
pub mod resolved;
pub mod rules;
pub mod topic;
pub mod value;

mod checks;
#[cfg(test)]
mod documents;
#[cfg(test)]
mod load_fuzz_tests;
mod review;
mod secrets;
mod zookeeper;

pub use container::{Container, Mounts, Surroundings};
pub use describe::{ConfigEntry, ConfigSource, ConfigSynonym, ConfigType};
pub use env::Dialect;
pub use error::ConfigError;
pub use layers::Layers;
pub use listeners::{Listener, SecurityProtocol};
pub use load::{
    Inputs, Loaded, Notice, NoticeLevel, PropertiesFile, Setting, Settings, Source, load, load_with,
};
pub use resolved::BrokerConfig;
pub use review::edit_distance;
pub use topic::{Cleanup, Compression, TimestampType, TopicConfig, validate_topic_configs};
