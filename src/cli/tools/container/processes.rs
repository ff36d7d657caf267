//! `kafka-server-stop`, and what is left of `zookeeper-server-start` and `-stop`.

use std::fs;
use std::os::unix::process::CommandExt as _;
use std::path::Path;
use std::process::{Command, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};

use crate::kafka;
use crate::options::{Options, Syntax, value};
use crate::terminal::{Stop, Terminal};
use crate::tool_name;

const SYNTAX: Syntax = Syntax {
    about: "Stops the brokers of this machine.",
    options: &[
        value(&["process-role"], "role", "Only those with this process.roles."),
        value(&["node-id"], "id", "Only the one with this node.id."),
    ],
};

/// Asks every broker of this machine to stop, ours and Apache Kafka's, with the signal of the variable `SIGNAL`.
pub(crate) fn server_stop(arguments: &[String], _terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    let name = std::env::var("SIGNAL").unwrap_or_else(|_| "TERM".to_owned());
    let signal = signal_of(&name).ok_or_else(|| Stop::not_built(&format!("SIGNAL={name}")))?;
    let found = brokers();
    if found.is_empty() {
        return Err(Stop::Told { message: "No kafka server to stop".to_owned(), detail: String::new() });
    }
    for broker in found.iter().filter(|broker| broker.is_wanted(&options)) {
        kill_process(broker.pid, signal).map_err(|error| {
            Stop::Error(format!("process {} cannot be stopped: {error}", broker.pid.as_raw_nonzero()))
        })?;
    }
    Ok(())
}

fn signal_of(name: &str) -> Option<Signal> {
    match name.strip_prefix("SIG").unwrap_or(name) {
        "TERM" => Some(Signal::TERM),
        "INT" => Some(Signal::INT),
        "KILL" => Some(Signal::KILL),
        _ => None,
    }
}

/// A process that serves.
struct Broker {
    pid: Pid,
    /// Its file of settings, where its command line names one.
    file: Option<String>,
}

impl Broker {
    fn is_wanted(&self, options: &Options) -> bool {
        // With both, the id counts, as in Kafka's script.
        let wanted = [("node-id", "node.id"), ("process-role", "process.roles")];
        let Some((option, key)) = wanted.into_iter().find(|(option, _)| options.has(option)) else {
            return true;
        };
        let bytes = self.file.as_ref().and_then(|file| fs::read(file).ok()).unwrap_or_default();
        let found = config::properties::parse(&bytes).unwrap_or_default();
        let found = found.into_iter().rev().find(|property| property.key == key);
        found.is_some_and(|property| options.all(option).last() == Some(&property.value))
    }
}

fn brokers() -> Vec<Broker> {
    let own = fs::read_link("/proc/self/exe").ok();
    let listed = fs::read_dir("/proc").into_iter().flatten().flatten();
    let found = listed.filter_map(|entry| {
        let pid = entry.file_name().to_str()?.parse().ok()?;
        let dir = entry.path();
        let line = fs::read(dir.join("cmdline")).ok()?;
        let words: Vec<String> = line
            .split(|byte| *byte == 0)
            .filter(|word| !word.is_empty())
            .map(|word| String::from_utf8_lossy(word).into_owned())
            .collect();
        // A binary that was replaced since has this behind its name.
        let program = fs::read_link(dir.join("exe")).ok();
        let is_ours = program.is_some() && (program == own || is_named_ottla(program.as_deref()));
        let served = if is_ours { ours(&words)? } else { apaches(&words)? };
        let file = match served {
            Served::By(file) => Some(absolute(&dir, &file)),
            Served::Unnamed => None,
        };
        Some(Broker { pid: Pid::from_raw(pid)?, file })
    });
    found.collect()
}

/// What a broker's command line says of its settings.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Served {
    /// They are in this file.
    By(String),
    /// Nothing.
    Unnamed,
}

impl Served {
    fn of(file: Option<String>) -> Self {
        file.map_or(Self::Unnamed, Self::By)
    }
}

fn is_named_ottla(program: Option<&Path>) -> bool {
    let name = program.and_then(Path::file_name).and_then(|name| name.to_str());
    name.is_some_and(|name| name.trim_end_matches(" (deleted)") == "ottla")
}

/// A path as the other process means it.
fn absolute(dir: &Path, file: &str) -> String {
    let home = fs::read_link(dir.join("cwd")).unwrap_or_default();
    home.join(file).display().to_string()
}

/// Whether this is the command line of one of our brokers, and which file it names.
fn ours(words: &[String]) -> Option<Served> {
    let (called, rest) = words.split_first()?;
    let named = |option: &str| {
        let at = rest.iter().position(|word| word == option)?;
        rest.get(at + 1).cloned()
    };
    let first = rest.first().map(|word| tool_name(word));
    match (tool_name(called), first) {
        ("kafka-server-start", _) | (_, Some("kafka-server-start")) => {
            Some(Served::of(rest.iter().find(|word| word.contains(".properties")).cloned()))
        }
        (_, Some("container")) if rest.get(1).is_some_and(|step| step == "start") => {
            Some(Served::of(named("--final")))
        }
        ("ottla", None | Some("serve")) => Some(Served::of(named("--config"))),
        ("ottla", Some(option)) if option.starts_with("--") && !matches!(option, "--help" | "--version") => {
            Some(Served::of(named("--config")))
        }
        _ => None,
    }
}

/// The same for Apache Kafka's.
fn apaches(words: &[String]) -> Option<Served> {
    let at = words.iter().position(|word| word == "kafka.Kafka")?;
    Some(Served::of(words.get(at + 1).cloned()))
}

/// Says that there is nothing to start, and stays until it is asked to end: scripts wait for it or watch it, and for its port,
/// at which every connection is closed at once. With `-daemon` another process stays.
pub(crate) fn zookeeper_start(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    terminal
        .line("zookeeper-server-start is ignored: the metadata is the broker's own, no ZooKeeper is needed.");
    terminal.flush();
    let (options, rest): (Vec<&String>, Vec<&String>) =
        arguments.iter().partition(|argument| argument.as_str() == "-daemon");
    if !options.is_empty() {
        return stay_in_background(&rest);
    }
    let file = rest.into_iter().find(|argument| !argument.starts_with('-'));
    let port = client_port(&file.and_then(|file| fs::read(file).ok()).unwrap_or_default());
    kafka::block_on(async {
        let no_signal = |error| Stop::Error(format!("cannot listen for signals: {error}"));
        let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signal)?;
        let mut terminated = signal(SignalKind::terminate()).map_err(no_signal)?;
        tokio::select! {
            _ = interrupted.recv() => {}
            _ = terminated.recv() => {}
            () = close_at_once(port) => {}
        }
        Ok(())
    })
}

/// The same in a process of its own, which outlives the terminal and has nothing more to say.
fn stay_in_background(arguments: &[&String]) -> Result<(), Stop> {
    let failed = |error| Stop::Error(format!("cannot stay in the background: {error}"));
    let mut command = Command::new(std::env::current_exe().map_err(failed)?);
    command.arg("zookeeper-server-start").args(arguments).process_group(0);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    command.spawn().map(|_stays| ()).map_err(failed)
}

/// The port of ZooKeeper's file of settings; a file that is not there has the usual one.
fn client_port(file: &[u8]) -> u16 {
    let settings = config::properties::parse(file).unwrap_or_default();
    let written = settings.iter().rev().find(|setting| setting.key == "clientPort");
    written.and_then(|setting| setting.value.trim().parse().ok()).unwrap_or(ZOOKEEPER_PORT)
}

/// Takes every connection and lets it go, for ever, also where the port is somebody else's.
async fn close_at_once(port: u16) {
    let listener = match TcpListener::bind(("::", port)).await {
        Ok(listener) => Ok(listener),
        Err(_no_such_protocol) => TcpListener::bind(("0.0.0.0", port)).await,
    };
    if let Ok(listener) = listener {
        close_each(async || listener.accept().await.map(|_closed| ())).await;
    }
    std::future::pending::<()>().await;
}

/// One that fails, for want of file descriptors or because the other side has gone, ends nothing.
async fn close_each(mut accept: impl AsyncFnMut() -> std::io::Result<()>) {
    loop {
        if accept().await.is_err() {
            tokio::time::sleep(ACCEPT_AGAIN).await;
        }
    }
}

const ACCEPT_AGAIN: Duration = Duration::from_millis(100);
const ZOOKEEPER_PORT: u16 = 2181;

/// Says that there is nothing to stop.
pub(crate) fn zookeeper_stop(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    Syntax { about: "There is no ZooKeeper.", options: &[] }.read(arguments)?;
    terminal.line("zookeeper-server-stop is ignored: there is no ZooKeeper.");
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_port_is_that_of_zookeepers_file() {
        assert_eq!(client_port(b"dataDir=/tmp\nclientPort=2182\n"), 2182);
        for file in [&b""[..], b"clientPort=x\n"] {
            assert_eq!(client_port(file), 2181);
        }
    }

    #[test]
    fn a_connection_that_cannot_be_taken_is_not_the_last() {
        let mut asked = 0;
        let taken = kafka::block_on(async {
            let accept = async || {
                asked += 1;
                match asked {
                    1 => Err(rustix::io::Errno::MFILE.into()),
                    2 => Ok(()),
                    _ => std::future::pending().await,
                }
            };
            Ok(tokio::time::timeout(Duration::from_secs(1), close_each(accept)).await.is_ok())
        });
        assert!(!taken.unwrap(), "it came to an end");
        assert_eq!(asked, 3);
    }

    #[test]
    fn brokers_are_told_from_tools() {
        let file = |line: &str| ours(&line.split_whitespace().map(str::to_owned).collect::<Vec<_>>());
        let some = |name: &str| Some(Served::By(name.to_owned()));
        assert_eq!(file("/usr/bin/ottla serve --config a.properties"), some("a.properties"));
        assert_eq!(file("ottla"), Some(Served::Unnamed));
        assert_eq!(file("ottla --config a.properties"), some("a.properties"));
        assert_eq!(
            file("/opt/kafka/bin/kafka-server-start.sh x/server.properties"),
            some("x/server.properties")
        );
        assert_eq!(file("ottla container start --final /f"), some("/f"));
        for tool in
            ["kafka-topics --list", "ottla kafka-topics --list", "ottla --help", "ottla container health"]
        {
            assert_eq!(file(tool), None, "{tool}");
        }
        let java = ["java", "-cp", "x", "kafka.Kafka", "s.properties"].map(str::to_owned);
        assert_eq!(apaches(&java), some("s.properties"));
    }
}
