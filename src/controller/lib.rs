//! The cluster's metadata as a pure state machine: a command becomes records of `__cluster_metadata`, and
//! only replayed records change the [`Image`] that everybody else looks at.
//!
//! May use: `model`. It knows no clock, random, file, socket, lock or API version: time, random ids and the
//! rules for configs come in from outside, and whoever calls [`Controller::step`] appends the records,
//! replays them and only then answers.
//!
//! Start reading at [`controller`], then [`command`], [`image`] and [`record`].
#![forbid(unsafe_code)]

pub mod command;
pub mod control_record;
pub mod controller;
pub mod feature;
pub mod image;
pub mod record;

pub use command::{ApiError, Command, Outcome, Reply};
pub use controller::{Controller, ControllerSettings};
pub use feature::MetadataVersion;
pub use image::Image;
pub use record::MetadataRecord;
