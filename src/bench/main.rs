//! `kbench`: measures a Kafka broker from outside, with raw requests. It works against any Kafka; what it prints is one
//! line of JSON per run, so that runs against several brokers can be compared.
//!
//! May use: `model`, `wire`, `records`, `client`, `tokio`. Is not shipped.
#![forbid(unsafe_code)]

mod commits;
mod discard;
mod disk;
mod end_to_end;
mod fetch;
mod footprint;
mod frame;
mod heartbeats;
mod idle;
mod latency;
mod load;
mod member;
mod payload;
mod poller;
mod process;
mod produce;
mod random;
mod ratio;
mod rebalance;
mod schedule;
mod session;
mod span;
mod start;
mod target;
mod template;
mod topic;
mod transactions;
mod units;
mod verify;
mod window;

use std::net::SocketAddr;
use std::path::PathBuf;

use anyhow::Context as _;
use clap::{Args, Parser, Subcommand};
use model::Clock;
use serde_json::Value;

/// Measures a Kafka broker.
#[derive(Debug, Parser)]
#[command(name = "kbench", version)]
struct Cli {
    #[command(flatten)]
    broker: Option<Broker>,
    #[command(subcommand)]
    what: What,
}

/// The broker under test.
#[derive(Clone, Debug, Args)]
struct Broker {
    /// Its address.
    #[arg(long, required = false)]
    bootstrap: SocketAddr,
    /// Its process, whose CPU time and memory are read from /proc.
    #[arg(long, required = false)]
    pid: u32,
    /// The folder of its own cgroup (cpuacct of v1, or v2): its CPU time is then read from there, to the nanosecond.
    #[arg(long)]
    cgroup: Option<PathBuf>,
}

#[derive(Debug, Subcommand)]
enum What {
    /// Producers of batches that were built once.
    Produce(produce::Produce),
    /// Consumers that throw away what they read.
    Fetch(fetch::Fetch),
    /// From the intended send of a record to its arrival at a consumer.
    EndToEnd(end_to_end::EndToEnd),
    /// From the start of a broker to its first answers.
    Start(start::Start),
    /// Appends and syncs of the disk alone.
    Disk(disk::Disk),
    /// What this machine asks for the things that a broker is made of.
    Units(units::Units),
    /// What its memory grows by for each connection, producer id, group or partition.
    Footprint(footprint::Footprint),
    /// CPU time and wake-ups while nobody asks for anything.
    Idle(idle::Idle),
    /// The medians of ratios that were measured in pairs, and their intervals.
    ///
    /// Reads `{name: {"more": bool, "pairs": [[ours, theirs], ...]}}` from standard input; `of`, a list of lists of pairs,
    /// in place of `pairs` gives a geometric mean.
    Ratios,
    /// Producers of one transaction after the other.
    Transactions(transactions::Transactions),
    /// Groups of one standalone committer each, who commit as fast as they are answered.
    Commits(commits::Commits),
    /// Groups of members who only send heartbeats; optionally over a restart of the broker.
    Heartbeats(heartbeats::Heartbeats),
    /// One group: all join at once, then one dies.
    Rebalance(rebalance::Rebalance),
}

fn main() -> anyhow::Result<()> {
    let cli = Cli::parse();
    let clock = Clock::system();
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let figures = runtime.block_on(cli.what.run(cli.broker, &clock))?;
    println!("{figures}");
    Ok(())
}

impl What {
    async fn run(self, broker: Option<Broker>, clock: &Clock) -> anyhow::Result<Value> {
        let broker = broker.context("--bootstrap and --pid name the broker");
        match self {
            Self::Start(start) => start.run(clock).await,
            Self::Disk(disk) => disk.run(clock),
            Self::Units(units) => units.run(clock),
            Self::Ratios => ratio::run(),
            Self::Footprint(footprint) => footprint.run(&broker?, clock).await,
            Self::Idle(idle) => idle.run(&broker?, clock).await,
            Self::Produce(produce) => produce.run(&broker?, clock).await,
            Self::Fetch(fetch) => fetch.run(&broker?, clock).await,
            Self::EndToEnd(end_to_end) => end_to_end.run(&broker?, clock).await,
            Self::Transactions(transactions) => transactions.run(&broker?, clock).await,
            Self::Commits(commits) => commits.run(&broker?, clock).await,
            Self::Heartbeats(heartbeats) => heartbeats.run(&broker?, clock).await,
            Self::Rebalance(rebalance) => rebalance.run(&broker?, clock).await,
        }
    }
}
