//! The `ottla` binary: reads its arguments and environment, and runs what they ask for.

mod container;
mod serve;

use std::process::ExitCode;

use broker::server::StartError;
use clap::{Parser, Subcommand};
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
    if let Some(rest) = after_server_start(&arguments) {
        return serve::kafka_server_start(rest);
    }
    let cli = Cli::parse();
    match cli.command {
        Some(Command::Serve(serve)) => serve::run(&serve),
        Some(Command::Container(step)) => container::run(&step),
        None => serve::run(&cli.serve),
    }
}

/// The arguments of `kafka-server-start`, if the binary is called so or its first argument is.
fn after_server_start(arguments: &[String]) -> Option<&[String]> {
    let names = |word: &String| {
        let file = word.rsplit('/').next().unwrap_or(word);
        file.strip_suffix(".sh").unwrap_or(file) == "kafka-server-start"
    };
    let at = arguments.iter().take(2).position(names)?;
    arguments.get(at + 1..)
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
