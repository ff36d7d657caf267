//! Sockets: listeners and their limits, the worker threads, one task per connection, and the memory that requests
//! in flight may take.

pub mod budget;
pub mod connection;
pub mod frames;
pub mod limits;
pub mod listener;
pub mod memory;
mod outbox;
pub mod workers;
