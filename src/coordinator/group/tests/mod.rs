//! Tests of the shard as the shell sees it: requests and time in, replies and records out.

mod admin;
mod cells;
mod rules;
mod script;
mod simulation;
mod world;
