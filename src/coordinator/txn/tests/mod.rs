//! The machine by table, by rule, and by simulation.

mod cells;
mod leader;
mod rules;
mod simulation;
mod simulation_tests;
pub(super) mod world;
