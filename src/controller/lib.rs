//! The cluster's metadata as a pure state machine: a command becomes records of `__cluster_metadata`, and
//! only replayed records change the [`Image`] that everybody else looks at.
//!
//! May use: `model`. It knows no clock, random, file, socket, lock or API version: time, random ids and the
//! rules for configs come in from outside, and whoever calls [`Controller::step`] appends the records,
//! replays them and only then answers.
//!
//! Start reading at [`controller`], then [`command`], [`image`] and [`record`].
#![forbid(unsafe_code)]

mod alter_configs;
mod alter_partition;
mod bootstrap;
mod brokers;
mod client_metrics;
pub mod command;
pub mod control_record;
pub mod controller;
mod create_partitions;
mod create_topics;
mod delete_topics;
mod elect_leaders;
pub mod feature;
pub mod image;
mod partition_change;
mod placement;
mod producer_ids;
#[cfg(test)]
mod real_log_tests;
mod reassignments;
pub mod record;
mod replay;
mod snapshot;
#[cfg(test)]
mod testing;
mod update_features;

pub use bootstrap::bootstrap_records;
pub use command::{ApiError, Command, Outcome, Reply};
pub use controller::{ConfigRules, Controller, ControllerSettings, ReplayError};
pub use feature::MetadataVersion;
pub use image::Image;
pub use record::MetadataRecord;
