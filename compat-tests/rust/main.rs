//! Tests of the real process, through its sockets, signals and files.

mod container;
mod corpus;
mod fixture;
mod groups;
mod hostile;
mod lifecycle;
mod metrics;
mod scale;
