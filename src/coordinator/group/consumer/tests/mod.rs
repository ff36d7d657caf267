//! Consumer groups, told as scripts and lived from seeds.

mod cells;
mod migration;
mod requests;
mod simulation;
mod table;
mod world;
