//! `kbench`: measures a Kafka broker from outside, with raw requests. It works against any Kafka; what it prints is one
//! line of JSON per run, so that runs against several brokers can be compared.
//!
//! May use: `model`, `wire`, `records`, `client`, `tokio`. Is not shipped.
#![forbid(unsafe_code)]

mod commits;
mod heartbeats;
mod member;
mod process;
mod rebalance;
mod target;
mod transactions;
mod window;

use std::net::SocketAddr;

use clap::{Args, Parser, Subcommand};
use model::Clock;

/// Measures a Kafka broker.
#[derive(Debug, Parser)]
#[command(name = "kbench", version)]
struct Cli {
    #[command(flatten)]
    broker: Broker,
    #[command(subcommand)]
    what: What,
}

/// The broker under test.
#[derive(Clone, Debug, Args)]
struct Broker {
    /// Its address.
    #[arg(long)]
    bootstrap: SocketAddr,
    /// Its process, whose CPU time and memory are read from /proc.
    #[arg(long)]
    pid: u32,
}

#[derive(Debug, Subcommand)]
enum What {
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
    let figures = runtime.block_on(async {
        match cli.what {
            What::Transactions(transactions) => transactions.run(&cli.broker, &clock).await,
            What::Commits(commits) => commits.run(&cli.broker, &clock).await,
            What::Heartbeats(heartbeats) => heartbeats.run(&cli.broker, &clock).await,
            What::Rebalance(rebalance) => rebalance.run(&cli.broker, &clock).await,
        }
    })?;
    println!("{figures}");
    Ok(())
}
