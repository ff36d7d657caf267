//! Tests of the real process, through its sockets, signals and files.

mod fixture;
mod hostile;
mod lifecycle;
