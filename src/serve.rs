//! Running the broker: as `ottla serve`, and as the `kafka-server-start` of Kafka's own scripts.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use anyhow::{Context as _, bail};
use broker::logging::{self, LogFormat, LogLevels};
use broker::server::{self, Start};
use clap::{Args, ValueEnum};
use config::{Loaded, PropertiesFile};
use model::Clock;

/// The command line of `ottla serve`.
#[derive(Debug, Args)]
pub struct Serve {
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

/// The shape of log lines, as an option spells it.
#[derive(Clone, Copy, Debug, Default, ValueEnum)]
pub enum Format {
    /// Kafka's own pattern.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Variables of the process, without those that are no text.
pub type Environment = Vec<(String, String)>;

/// The process's own.
pub fn environment() -> Environment {
    std::env::vars_os()
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect()
}

/// The value of a variable that is set to something.
pub fn variable<'a>(environment: &'a Environment, name: &str) -> Option<&'a str> {
    let found = environment.iter().find(|(key, value)| key == name && !value.is_empty());
    found.map(|(_, value)| value.as_str())
}

/// Reads a file for the room `config`, which reads none itself.
pub fn read_file(path: &Path) -> Result<Vec<u8>, String> {
    std::fs::read(path).map_err(|error| error.to_string())
}

/// `ottla serve`: until a signal asks for a stop.
pub fn run(serve: &Serve) -> anyhow::Result<()> {
    let environment = environment();
    let clock = Clock::system();
    install_logging(serve.log_format, &environment, &clock)?;
    let file = serve.config.as_deref().map(named_file).transpose()?;
    let inputs = config::Inputs {
        file: file.as_ref().map(|(name, bytes)| PropertiesFile { name, bytes }),
        environment: &environment,
        overrides: &serve.overrides,
    };
    let loaded = config::load_with(&inputs, &read_file)?;
    start(loaded, clock, variable(&environment, "CLUSTER_ID"))
}

/// Starts the node and stays until it has stopped.
pub fn start(loaded: Loaded, clock: Clock, cluster_id: Option<&str>) -> anyhow::Result<()> {
    Ok(server::run(Start { loaded, clock, cluster_id: cluster_id.map(str::to_owned) })?)
}

/// Log lines go to standard output, at the levels of Kafka's variables.
pub fn install_logging(format: Format, environment: &Environment, clock: &Clock) -> anyhow::Result<()> {
    let format = match format {
        Format::Text => LogFormat::Kafka,
        Format::Json => LogFormat::Json,
    };
    let root = variable(environment, "KAFKA_LOG4J_ROOT_LOGLEVEL");
    let levels = LogLevels::parse(root, variable(environment, "KAFKA_LOG4J_LOGGERS"))?;
    logging::install(format, levels, clock.clone());
    Ok(())
}

/// What `kafka-server-start` is called with wrongly.
const USAGE: &str = "USAGE: kafka-server-start [-daemon] server.properties [--override property=value]*";

/// Kafka's default of `log.dir`, which its scripts' users rely on.
const KAFKA_LOG_DIR: &str = "/tmp/kafka-logs";

/// `kafka-server-start`: the file and the overrides alone decide; variables are for the images' entry points.
pub fn kafka_server_start(arguments: &[String]) -> anyhow::Result<()> {
    let (is_daemon, arguments) = match arguments.split_first() {
        Some((first, rest)) if first == "-daemon" => (true, rest),
        _ => (false, arguments),
    };
    let Some((file, options)) = arguments.split_first().filter(|(file, _)| !file.starts_with('-')) else {
        bail!(USAGE);
    };
    let mut overrides = Vec::new();
    let mut options = options.iter();
    while let Some(option) = options.next() {
        match option.split_once('=') {
            _ if option == "--override" => overrides.push(options.next().context(USAGE)?.clone()),
            Some(("--override", setting)) => overrides.push(setting.to_owned()),
            _ => bail!("{option} is not known. {USAGE}"),
        }
    }
    if is_daemon {
        return start_in_background(file, &overrides);
    }
    let environment = environment();
    let clock = Clock::system();
    install_logging(Format::Text, &environment, &clock)?;
    let (name, bytes) = named_file(Path::new(file))?;
    let file = Some(PropertiesFile { name: &name, bytes: &bytes });
    let load = |overrides: &[String]| {
        config::load_with(&config::Inputs { file, environment: &[], overrides }, &read_file)
    };
    let mut loaded = load(&overrides)?;
    if !loaded.layers.is_explicit("log.dirs") && !loaded.layers.is_explicit("log.dir") {
        overrides.push(format!("log.dir={KAFKA_LOG_DIR}"));
        loaded = load(&overrides)?;
    }
    start(loaded, clock, variable(&environment, "CLUSTER_ID"))
}

/// Kafka's `-daemon`: a process of its own whose output goes to `kafkaServer.out` in `LOG_DIR`.
fn start_in_background(file: &str, overrides: &[String]) -> anyhow::Result<()> {
    use std::os::unix::process::CommandExt as _;
    let folder = std::env::var_os("LOG_DIR").map_or_else(|| PathBuf::from("logs"), PathBuf::from);
    std::fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
    let path = folder.join("kafkaServer.out");
    let output = std::fs::File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    let mut command = Command::new(std::env::current_exe()?);
    command.arg("kafka-server-start").arg(file);
    for setting in overrides {
        command.arg("--override").arg(setting);
    }
    command.stdin(Stdio::null()).stdout(output.try_clone()?).stderr(output).process_group(0);
    command.spawn().context("cannot start the broker")?;
    Ok(())
}

/// Reads a file that is named on the command line; its name goes into messages.
pub fn named_file(path: &Path) -> anyhow::Result<(String, Vec<u8>)> {
    let name = path.display().to_string();
    let bytes = std::fs::read(path).with_context(|| format!("cannot read {name}"))?;
    Ok((name, bytes))
}
