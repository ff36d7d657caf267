//! The `ottla` binary: reads its arguments and environment, and runs what they ask for.

mod container;
mod serve;
mod storage_command;

use std::process::ExitCode;

use broker::server::StartError;
use clap::{CommandFactory, FromArgMatches, Parser, Subcommand};
use model::Clock;
use serve::Serve;

/// A Kafka broker in one native binary.
#[derive(Debug, Parser)]
#[command(name = "ottla", version, args_conflicts_with_subcommands = true)]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    serve: Serve,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run the broker; this is also what `ottla` alone does.
    Serve(Serve),
    /// Check directories before they are served, and hand them back to Apache Kafka.
    #[command(subcommand)]
    Storage(storage_command::Step),
    /// What the entry points of the container image run.
    #[command(subcommand, hide = true)]
    Container(container::Step),
}

fn main() -> ExitCode {
    if let Some(status) = tool() {
        return ExitCode::from(status);
    }
    match run() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ottla: {}", sentence(&error));
            let status = error.downcast_ref::<StartError>().map_or(1, StartError::exit_status);
            u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
}

/// Runs the tool that the binary is called as, or that its first argument names; its status.
fn tool() -> Option<u8> {
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    let clock = Clock::system();
    let (called, rest) = arguments.split_first()?;
    cli::run(called, rest, &clock).or_else(|| {
        let (name, rest) = rest.split_first()?;
        cli::run(name, rest, &clock)
    })
}

fn run() -> anyhow::Result<()> {
    let arguments: Vec<String> =
        std::env::args_os().map(|argument| argument.to_string_lossy().into_owned()).collect();
    if let Some(rest) = after_server_start(&arguments).or_else(|| of_run_class(&arguments)) {
        return serve::kafka_server_start(rest);
    }
    if let Some(name) = arguments.iter().take(2).map(|word| bare_name(word)).find(|name| is_of_kafka(name)) {
        anyhow::bail!("{name} has no native form yet");
    }
    let cli = Cli::from_arg_matches(&whole_command().get_matches())?;
    match cli.command {
        Some(Command::Serve(serve)) => serve::run(&serve),
        Some(Command::Storage(step)) => storage_command::run(&step),
        Some(Command::Container(step)) => container::run(&step),
        None => serve::run(&cli.serve),
    }
}

/// Everything that can be behind `ottla`, for the help and for suggestions: [`tool`] has run what `cli` has.
fn whole_command() -> clap::Command {
    let of_cli =
        cli::commands().map(|(name, about)| clap::Command::new(name).about(about.trim_end_matches('.')));
    Cli::command().subcommands(of_cli)
}

/// The arguments of `kafka-server-start`, if the binary is called so or its first argument is.
fn after_server_start(arguments: &[String]) -> Option<&[String]> {
    let at = arguments.iter().take(2).position(|word| bare_name(word) == "kafka-server-start")?;
    arguments.get(at + 1..)
}

/// The same behind `kafka-run-class kafka.Kafka`.
fn of_run_class(arguments: &[String]) -> Option<&[String]> {
    let (called, rest) = arguments.split_first()?;
    cli::broker_arguments(called, rest).or_else(|| {
        let (name, rest) = rest.split_first()?;
        cli::broker_arguments(name, rest)
    })
}

/// The name of a tool in a path: without directories and without `.sh`.
fn bare_name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".sh").unwrap_or(file)
}

/// Whether a link of this name stands for a tool; one that there is none of must not start a broker.
fn is_of_kafka(name: &str) -> bool {
    ["kafka-", "zookeeper-", "connect-"].iter().any(|prefix| name.starts_with(prefix))
        || ["nc", "ub", "cub"].contains(&name)
}

/// An error and its causes in one line, without the causes that it has already told.
fn sentence(error: &anyhow::Error) -> String {
    let mut told = error.to_string();
    for cause in error.chain().skip(1).map(ToString::to_string) {
        if !told.contains(&cause) {
            told = format!("{told}: {cause}");
        }
    }
    told
}
