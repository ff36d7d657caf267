//! The running node: sockets, threads, timers, the handlers of every API, and the shells that give the pure rooms
//! a disk and a clock.
//!
//! May use: every room below it, `tokio`, `parking_lot`, `arc-swap`, `tracing`. Knows no protocol version
//! (that is `wire`'s) and no file format (`storage`'s).
//! Start reading at [`server`], then follow one request: `net/connection` → `dispatch` → `handlers/produce`.
#![forbid(unsafe_code)]

pub mod address;
pub mod context;
mod coordination;
pub mod dispatch;
mod effect;
pub mod fetch_memory;
pub mod fetch_session;
pub mod fetch_session_cache;
pub mod groups;
pub mod handlers;
pub mod logging;
pub mod metadata;
pub mod metrics;
pub mod net;
pub mod open_files;
pub mod partition;
pub mod producer_ids;
pub mod reply;
pub mod server;
pub mod start_topics;
pub mod transactions;

pub use context::{Broker, ConnectionInfo, Fatal, RequestContext};
