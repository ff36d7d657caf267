//! Consumer groups, told as scripts and lived from seeds.

mod cells;
mod migration;
mod offsets;
mod requests;
mod simulation;
mod table;
mod world;
