//! The simulation of transactions (`coordinator/txn/tests/simulation`) over the logs that the broker has: the same producers,
//! zombies, coordinators and crashes, and the same ledger, but each partition's leader is a `storage::PartitionLog` on a disk
//! that forgets what was not synced. Beside it runs the model, and each answer of the one must be that of the other.
//!
//! It stands here because the coordinator and the log do not know each other.
//!
//! `OTTLA_SEEDS=5000 cargo test -p broker --test transaction_logs` runs more of them, `OTTLA_SEED` a single one.

mod both;
mod real;

use both::Both;
use coordinator::txn;
use simulation::seam::Leader;

#[path = "../../../coordinator/txn/tests/leader.rs"]
mod leader;
#[path = "../../../coordinator/txn/tests/simulation/mod.rs"]
#[allow(dead_code, reason = "the coordinator's own tests use the rest")]
mod simulation;
#[path = "../../../coordinator/test_support.rs"]
#[allow(dead_code, reason = "the coordinator's own tests use the rest")]
mod test_support;
#[path = "../../../coordinator/txn/tests/world.rs"]
#[allow(dead_code, reason = "the coordinator's own tests use the rest")]
mod world;

type Simulation = simulation::Simulation<Both>;

/// Runs in every test run.
const SEEDS: u64 = 120;
const THREADS: usize = 2;

#[test]
fn transactions_hold_in_real_logs() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("OTTLA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("OTTLA_SEEDS").unwrap_or(SEEDS),
    };
    let count = seeds.end - seeds.start;
    // Every other seed each.
    let run = &|from: u64| -> usize {
        let own = seeds.clone().skip(from as usize).step_by(THREADS);
        own.map(|seed| {
            let lived = Simulation::new(seed, None).run();
            lived.unwrap_or_else(|what| panic!("seed {seed}: {what}; run it alone with OTTLA_SEED={seed}"))
        })
        .sum()
    };
    let committed: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..THREADS).map(|at| scope.spawn(move || run(at as u64))).collect();
        threads.into_iter().map(|thread| thread.join().expect("nothing is violated")).sum()
    });
    assert!(count < 20 || committed as u64 > 20 * count, "the producers get something done: {committed}");
}

#[test]
fn a_seed_is_a_whole_run_of_real_logs() {
    let log = |seed| {
        let mut simulation = Simulation::new(seed, None);
        simulation.go().expect("nothing is violated");
        let logs: Vec<_> = simulation.broker.partitions.iter_mut().map(Both::entries).collect();
        (simulation.broker.log, logs)
    };
    for seed in [1, 77] {
        assert_eq!(log(seed), log(seed), "seed {seed} runs the same twice");
    }
}
