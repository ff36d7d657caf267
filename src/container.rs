//! `ottla container`: what the image's entry points and its health check run.

use std::io::{Read as _, Write as _};
use std::net::{TcpStream, ToSocketAddrs as _};
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, bail, ensure};
use clap::{Args, Subcommand, ValueEnum};
use config::container::RENDERED;
use config::{
    Container, Dialect, Listener, Loaded, Mounts, Notice, NoticeLevel, PropertiesFile, Surroundings,
};
use model::Clock;

use crate::serve::{self, Environment, Format};

/// A step of a container's life.
#[derive(Debug, Subcommand)]
pub enum Step {
    /// Checks the settings and writes them to the final file, where that can be written.
    Configure(Settings),
    /// Runs the broker.
    Start(Settings),
    /// Asks the running broker on each of its listeners; the exit status tells.
    Health(Settings),
}

/// Where the settings come from.
#[derive(Debug, Args)]
pub struct Settings {
    /// The family of images whose entry point was called; without it the variables tell.
    #[arg(long, value_enum)]
    entry: Option<Entry>,
    /// The properties file that the family's scripts write.
    #[arg(long = "final", value_name = "FILE")]
    final_file: PathBuf,
    /// Variables on top of the environment.
    #[arg(value_name = "NAME=VALUE")]
    variables: Vec<String>,
}

#[derive(Clone, Copy, Debug, ValueEnum)]
enum Entry {
    Apache,
    Confluent,
    Bitnami,
}

/// Takes one step.
pub fn run(step: &Step) -> anyhow::Result<()> {
    match step {
        Step::Configure(settings) => configure(settings),
        Step::Start(settings) => start(settings),
        Step::Health(settings) => health(settings),
    }
}

fn configure(settings: &Settings) -> anyhow::Result<()> {
    let (container, mounts) = look_around(settings)?;
    let text = container.rendered();
    container.load(&[], &serve::read_file)?;
    // What the user has mounted here is the user's. Where the file system is read-only the start does without.
    let target = settings.final_file.canonicalize().unwrap_or_else(|_| settings.final_file.clone());
    if !target.ancestors().take(2).any(|path| mounts.contains(path)) {
        let _ = std::fs::write(&target, text);
    }
    Ok(())
}

fn start(settings: &Settings) -> anyhow::Result<()> {
    let clock = Clock::system();
    serve::install_logging(Format::Text, &environment(settings)?, &clock)?;
    let (container, _) = look_around(settings)?;
    let cluster_id = container.cluster_id.clone();
    let family = match container.dialect {
        Dialect::Apache => "apache/kafka",
        Dialect::Confluent => "confluentinc/cp-kafka",
        Dialect::Bitnami => "bitnami/kafka",
    };
    let mut loaded = load(container, &settings.final_file)?;
    let text = format!("The environment is read by the rules of {family}");
    loaded.notices.insert(0, Notice { level: NoticeLevel::Info, text });
    serve::start(loaded, clock, cluster_id.as_deref()).map_err(explain_owner)
}

/// A directory of the host, or a volume that another image has written, often belongs to somebody else.
fn explain_owner(error: anyhow::Error) -> anyhow::Error {
    use std::os::unix::fs::MetadataExt as _;
    let is_denied = |cause: &(dyn std::error::Error + 'static)| {
        let io = cause.downcast_ref::<std::io::Error>();
        io.is_some_and(|io| io.kind() == std::io::ErrorKind::PermissionDenied)
    };
    if !error.chain().any(is_denied) {
        return error;
    }
    let user =
        std::fs::metadata("/proc/self").map_or_else(|_| "this user".to_owned(), |own| own.uid().to_string());
    error.context(format!(
        "what is mounted for the data must belong to user {user}: chown it, or start the container as its owner"
    ))
}

/// The settings, by the final file where an earlier step has written it.
fn load(container: Container, final_file: &Path) -> anyhow::Result<Loaded> {
    let rendered = std::fs::read(final_file).ok().filter(|bytes| bytes.starts_with(RENDERED.as_bytes()));
    let container = match rendered {
        Some(bytes) => {
            let name = final_file.display().to_string();
            container.with_rendered(PropertiesFile { name: &name, bytes: &bytes })?
        }
        None => container,
    };
    Ok(container.load(&[], &serve::read_file)?)
}

fn look_around(settings: &Settings) -> anyhow::Result<(Container, Mounts)> {
    let environment = environment(settings)?;
    let mounts = Mounts::parse(&std::fs::read_to_string("/proc/self/mountinfo").unwrap_or_default());
    let around = Surroundings {
        entry: settings.entry.map(|entry| match entry {
            Entry::Apache => Dialect::Apache,
            Entry::Confluent => Dialect::Confluent,
            Entry::Bitnami => Dialect::Bitnami,
        }),
        environment: &environment,
        read_file: &serve::read_file,
        exists: &|path| path.is_file(),
        mounts: &mounts,
    };
    Ok((Container::of(&around)?, mounts))
}

fn environment(settings: &Settings) -> anyhow::Result<Environment> {
    let mut environment = serve::environment();
    for text in &settings.variables {
        let (name, value) =
            text.split_once('=').with_context(|| format!("{text} is not of the form NAME=VALUE"))?;
        environment.retain(|(known, _)| known != name);
        environment.push((name.to_owned(), value.to_owned()));
    }
    Ok(environment)
}

/// Every listener has to answer ApiVersions, which all brokers do before anything else.
fn health(settings: &Settings) -> anyhow::Result<()> {
    let (container, _) = look_around(settings)?;
    let loaded = load(container, &settings.final_file)?;
    for listener in &loaded.broker.listeners.broker {
        answers(listener).with_context(|| format!("{listener} does not answer"))?;
    }
    Ok(())
}

const ANSWER_WITHIN: Duration = Duration::from_secs(3);
/// ApiVersions in version 0 from a client without a name, and its length in front.
const QUESTION: [u8; 14] = [0, 0, 0, 10, 0, 18, 0, 0, 0, 0, 0, 7, 0xff, 0xff];

fn answers(listener: &Listener) -> anyhow::Result<()> {
    let host = match listener.host.as_deref() {
        None | Some("0.0.0.0" | "::") => "localhost",
        Some(host) => host,
    };
    let mut refused = anyhow::anyhow!("{host} has no address");
    for address in (host, listener.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, ANSWER_WITHIN) {
            Ok(stream) => return ask(stream),
            Err(error) => refused = error.into(),
        }
    }
    bail!(refused)
}

fn ask(mut stream: TcpStream) -> anyhow::Result<()> {
    stream.set_read_timeout(Some(ANSWER_WITHIN))?;
    stream.write_all(&QUESTION)?;
    // Length, the number of the question, and the error code.
    let mut answer = [0_u8; 10];
    stream.read_exact(&mut answer)?;
    let [_, _, _, _, 0, 0, 0, 7, high, low] = answer else {
        bail!("that is no broker of Kafka's protocol");
    };
    let code = i16::from_be_bytes([high, low]);
    ensure!(code == 0, "ApiVersions is answered with error {code}");
    Ok(())
}
