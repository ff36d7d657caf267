//! `ub` and `cub`, the helpers of Confluent's images: init containers wait with them.

use std::path::Path;
use std::time::Duration;

use model::Clock;
use rustix::fs::Access;

use crate::kafka;
use crate::options::{Options, Syntax, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

/// The older helper, written in Python.
pub(crate) fn cub(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    run("cub", arguments, terminal)
}

/// The newer one, written in Go.
pub(crate) fn ub(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    run("ub", arguments, terminal)
}

fn run(tool: &str, arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let Some((command, rest)) = arguments.split_first() else {
        return Err(Stop::Error(format!(
            "usage: {tool} {{kafka-ready,wait,listeners,ensure,ensure-atleast-one,path}} ..."
        )));
    };
    match command.as_str() {
        "kafka-ready" => kafka_ready(rest, terminal),
        "zk-ready" => {
            terminal.complain(format!("{tool} zk-ready is ignored: no ZooKeeper is needed."));
            Ok(())
        }
        "wait" => wait(rest),
        "listeners" => listeners(rest, terminal),
        "ensure" | "ensure-atleast-one" => ensure(command, rest),
        "path" | "path-wait" => path(rest, command == "path-wait"),
        other => Err(Stop::not_built(&format!("{tool} {other}"))),
    }
}

const READY: Syntax = Syntax {
    about: "Waits until so many brokers are there: kafka-ready BROKERS SECONDS.",
    options: &[
        value(
            &["bootstrap-servers", "bootstrap_servers", "bootstrap-broker-list", "b"],
            "host:port,...",
            "Brokers.",
        ),
        value(&["zookeeper-connect", "zookeeper_connect", "z"], "address", "Not built."),
        value(&["config", "c"], "file", "Properties of the client."),
        value(&["security-protocol", "s"], "name", "Only PLAINTEXT."),
    ],
};

fn kafka_ready(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = READY.read(arguments)?;
    let (expected, seconds) = expectations(&options)?;
    if options.has("zookeeper-connect") {
        return Err(Stop::not_built("kafka-ready -z"));
    }
    let Some(bootstrap) = options.all("bootstrap-servers").pop() else {
        return Err(options.usage("kafka-ready: -b host:port is needed"));
    };
    let mut properties = Properties::of_option(options.all("config").pop().as_deref())?;
    if let Some(protocol) = options.all("security-protocol").pop() {
        properties.set("security.protocol", protocol);
    }
    let limit = Duration::from_secs(seconds);
    properties.set("default.api.timeout.ms", "1000");
    properties.set("request.timeout.ms", "1000");
    let mut cluster = kafka::connect(&bootstrap, &properties, "cub")?;
    kafka::block_on(async {
        let deadline = tokio::time::Instant::now() + limit;
        loop {
            let asked = cluster.metadata(Some(&[]), false).await;
            let found = if asked.is_ok() { cluster.nodes().count() } else { 0 };
            if found >= expected {
                return Ok(());
            }
            if tokio::time::Instant::now() >= deadline {
                return Err(Stop::Error(format!(
                    "Expected {expected} brokers but found only {found}. Brokers found: {:?}.",
                    cluster.nodes().map(|node| format!("{}:{}", node.host, node.port)).collect::<Vec<_>>()
                )));
            }
            terminal.complain(format!(
                "Expected {expected} brokers but found only {found}. Trying to query Kafka for metadata again ..."
            ));
            tokio::time::sleep(AGAIN).await;
        }
    })
}

/// How many brokers, and how long.
fn expectations(options: &Options) -> Result<(usize, u64), Stop> {
    let [expected, seconds] = options.operands.as_slice() else {
        return Err(options.usage("kafka-ready: how many brokers, and how many seconds?"));
    };
    match (expected.parse(), seconds.parse()) {
        (Ok(expected), Ok(seconds)) => Ok((expected, seconds)),
        _ => Err(options.usage(format!("kafka-ready: '{expected} {seconds}' are no numbers"))),
    }
}

/// `wait HOST PORT SECONDS`
fn wait(arguments: &[String]) -> Result<(), Stop> {
    let [host, port, seconds] = arguments else {
        return Err(Stop::Error("usage: wait HOST PORT SECONDS".to_owned()));
    };
    let (Ok(number), Ok(seconds)) = (port.parse::<u16>(), seconds.parse::<u64>()) else {
        return Err(Stop::Error(format!("wait: '{port} {seconds}' are no port and no seconds")));
    };
    until(seconds, || super::listens(host, number, AGAIN))
        .map_err(|reason| Stop::Error(format!("{host} {port} is not reachable: {reason}")))
}

/// `listeners ADVERTISED`: what a broker listens on that advertises these.
fn listeners(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let [advertised] = arguments else {
        return Err(Stop::Error("usage: listeners ADVERTISED_LISTENERS".to_owned()));
    };
    let derived: Option<Vec<String>> = advertised.split(',').map(|one| listened(one.trim())).collect();
    match derived {
        Some(derived) => {
            terminal.line(derived.join(","));
            Ok(())
        }
        None => Err(Stop::Error(format!("{advertised}: valid listeners are NAME://HOST:PORT,..."))),
    }
}

fn listened(advertised: &str) -> Option<String> {
    let (name, address) = advertised.split_once("://")?;
    let (_, port) = address.rsplit_once(':')?;
    (!name.is_empty() && port.parse::<u16>().is_ok()).then(|| format!("{name}://0.0.0.0:{port}"))
}

/// `ensure NAME`, or one of several.
fn ensure(command: &str, names: &[String]) -> Result<(), Stop> {
    if names.is_empty() {
        return Err(Stop::Error(format!("usage: {command} VARIABLE...")));
    }
    if names.iter().any(|name| std::env::var_os(name).is_some()) {
        return Ok(());
    }
    match names {
        [name] => Err(Stop::Error(format!("{name} is required."))),
        names => Err(Stop::Error(format!("One of these is required: {}.", names.join(", ")))),
    }
}

/// `path PATH MODE`, or `path-wait PATH SECONDS`.
fn path(arguments: &[String], waits: bool) -> Result<(), Stop> {
    let [path, how] = arguments else {
        return Err(Stop::Error("usage: path PATH {exists|readable|writable|executable}".to_owned()));
    };
    if waits {
        let seconds =
            how.parse().map_err(|_not_seconds| Stop::Error(format!("path-wait: {how} is no number")))?;
        return until(seconds, || {
            Path::new(path).try_exists().ok().filter(|there| *there).ok_or(()).map(|_| ())
        })
        .map_err(|()| Stop::Error(format!("{path} is not there.")));
    }
    let access = match how.as_str() {
        "exists" | "existence" => Access::EXISTS,
        "readable" => Access::READ_OK,
        "writable" => Access::WRITE_OK,
        "executable" => Access::EXEC_OK,
        other => {
            return Err(Stop::Error(format!(
                "path: {other} is none of exists, readable, writable, executable"
            )));
        }
    };
    rustix::fs::access(Path::new(path), access)
        .map_err(|error| Stop::Error(format!("{path} is not {how}: {error}")))
}

/// Tries until it succeeds or the time is over.
fn until<E>(seconds: u64, attempt: impl Fn() -> Result<(), E>) -> Result<(), E> {
    let clock = Clock::system();
    let deadline = clock.monotonic() + Duration::from_secs(seconds);
    loop {
        match attempt() {
            Ok(()) => return Ok(()),
            Err(reason) if clock.monotonic() >= deadline => return Err(reason),
            Err(_) => std::thread::sleep(AGAIN),
        }
    }
}

const AGAIN: Duration = Duration::from_millis(200);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn listeners_are_derived_from_what_is_advertised() {
        assert_eq!(listened("PLAINTEXT://kafka:9092").as_deref(), Some("PLAINTEXT://0.0.0.0:9092"));
        assert_eq!(listened("A_B://[::1]:1").as_deref(), Some("A_B://0.0.0.0:1"));
        for bad in ["kafka:9092", "PLAINTEXT://kafka", "://a:1", "A://b:port"] {
            assert_eq!(listened(bad), None, "{bad}");
        }
    }
}
