//! The machine by table, by rule, and by simulation.

mod cells;
mod rules;
mod simulation;
pub(super) mod world;
