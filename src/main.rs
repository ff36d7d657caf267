//! The `ottla` binary: reads its arguments and environment, and runs what they ask for.

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context as _;
use broker::logging::{self, LogFormat, LogLevels};
use broker::server::{self, Start, StartError};
use clap::{Args, Parser, Subcommand, ValueEnum};
use model::Clock;

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
}

#[derive(Debug, Args)]
struct Serve {
    /// A file in the format of Kafka's server.properties.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting that beats the file and the environment; may be repeated.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
    /// Shape of the log lines on standard output.
    #[arg(long, value_enum, default_value_t = Format::Text)]
    log_format: Format,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Format {
    /// Kafka's own pattern.
    Text,
    /// One JSON object a line.
    Json,
}

fn main() -> ExitCode {
    let cli = Cli::parse();
    let serve = match cli.command {
        Some(Command::Serve(serve)) => serve,
        None => cli.serve,
    };
    match run(&serve) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("ottla: {}", sentence(&error));
            let status = error.downcast_ref::<StartError>().map_or(1, StartError::exit_status);
            u8::try_from(status).map_or(ExitCode::FAILURE, ExitCode::from)
        }
    }
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

fn run(serve: &Serve) -> anyhow::Result<()> {
    let clock = Clock::system();
    let environment: Vec<(String, String)> = std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    let variable =
        |name: &str| environment.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str());
    let format = match serve.log_format {
        Format::Text => LogFormat::Kafka,
        Format::Json => LogFormat::Json,
    };
    let levels = LogLevels::parse(variable("KAFKA_LOG4J_ROOT_LOGLEVEL"), variable("KAFKA_LOG4J_LOGGERS"))?;
    logging::install(format, levels, clock.clone());
    let file = match &serve.config {
        Some(path) => {
            let bytes =
                std::fs::read(path).with_context(|| format!("cannot read --config {}", path.display()))?;
            Some((path.display().to_string(), bytes))
        }
        None => None,
    };
    let inputs = config::Inputs {
        file: file.as_ref().map(|(name, bytes)| config::PropertiesFile { name, bytes }),
        environment: &environment,
        overrides: &serve.overrides,
    };
    let loaded = config::load_with(&inputs, &|path| std::fs::read(path).map_err(|error| error.to_string()))?;
    let cluster_id = variable("CLUSTER_ID").filter(|id| !id.is_empty()).map(str::to_owned);
    server::run(Start { loaded, clock, cluster_id })?;
    Ok(())
}
