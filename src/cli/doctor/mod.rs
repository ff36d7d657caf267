//! `ottla doctor`: says why a client cannot connect, to any Kafka. It goes the way of a client: the addresses that the
//! client is given, what is spoken there, the addresses that the cluster then sends it to, and the limits that stop it
//! later. Nothing is changed by it, except that a cluster without a topic of offsets may be asked to make it.
//!
//! Exit status: 0 when a client can connect (there may be warnings), 2 when there is a problem, 1 for a command line
//! that is refused.
//!
//! [`probe`] looks at one address, [`ask`] asks a broker, `listeners`, `advertised` and `limits` judge.

mod advertised;
mod ask;
mod finding;
mod limits;
mod listeners;
mod probe;

use std::time::Duration;

use crate::kafka;
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};
use ask::Cluster;
use finding::{Diagnosis, Finding, Weight};
use probe::Address;

const SYNTAX: Syntax = Syntax {
    about: "Says why a client cannot connect: ottla doctor [host:port ...]. Exit status: 0 it can, 2 a problem was found, \
            1 the command line is refused.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "What the client is given (default: localhost:9092)."),
        value(
            &["command-config"],
            "file",
            "Properties of the client: security.protocol, sasl.mechanism, limits.",
        ),
        value(&["timeout-ms"], "ms", "How long each step may take (default: 3000)."),
        flag(&["json"], "Print one JSON object."),
        HELP,
        VERSION,
    ],
};

/// What is looked at.
#[derive(Clone, Debug)]
pub struct Case {
    /// Addresses that the client is given.
    pub bootstrap: Vec<String>,
    /// Its other properties.
    pub properties: Properties,
    /// How long each step may take.
    pub patience: Duration,
}

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    if !options.is_empty {
        options.help_or_version()?;
    }
    let case = case(&options)?;
    let diagnosis = kafka::block_on(async { Ok(diagnose(&case).await) })?;
    if options.has("json") {
        terminal.line(diagnosis.json().to_string());
    } else {
        terminal.text(diagnosis.text());
    }
    if diagnosis.count(Weight::Problem) > 0 { Err(Stop::Status(SICK)) } else { Ok(()) }
}

fn case(options: &Options) -> Result<Case, Stop> {
    let properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let mut bootstrap = options.operands.clone();
    bootstrap.extend(options.all("bootstrap-server"));
    if bootstrap.is_empty() {
        bootstrap.push(properties.get("bootstrap.servers").unwrap_or(DEFAULT_BOOTSTRAP).to_owned());
    }
    let entries = bootstrap.iter().flat_map(|list| list.split(',')).map(str::trim);
    let bootstrap: Vec<String> = entries.filter(|entry| !entry.is_empty()).map(str::to_owned).collect();
    if bootstrap.is_empty() {
        return Err(options.usage("--bootstrap-server names no address"));
    }
    let protocol = properties.get("security.protocol").unwrap_or("PLAINTEXT");
    if !listeners::PROTOCOLS.contains(&protocol) {
        let legal = listeners::PROTOCOLS.join(", ");
        return Err(Stop::Error(format!("security.protocol={protocol} is none of {legal}.")));
    }
    let patience = Duration::from_millis(options.number("timeout-ms")?.unwrap_or(PATIENCE_MS));
    Ok(Case { bootstrap, properties, patience })
}

/// Looks at everything.
pub async fn diagnose(case: &Case) -> Diagnosis {
    let mut diagnosis = Diagnosis::default();
    let mut served: Vec<(Address, listeners::Served)> = Vec::new();
    for entry in &case.bootstrap {
        let Some(address) = Address::parse(entry) else {
            diagnosis.findings.push(malformed(entry));
            continue;
        };
        if let Some(found) = listeners::examine(&address, case, &mut diagnosis).await {
            served.push((address, found));
        }
    }
    let Some((first, found)) = served.first() else { return diagnosis };
    // A client tries one address after the other: it is enough that one of them works.
    for finding in &mut diagnosis.findings {
        *finding = finding.clone().lighter();
    }
    let Some(cluster) = &found.cluster else { return diagnosis };
    diagnosis.cluster_id.clone_from(&cluster.id);
    for (address, other) in served.iter().skip(1) {
        diagnosis.findings.extend(strangers(first, cluster, address, other.cluster.as_ref()));
    }
    let known: Vec<&Address> = served.iter().map(|(address, _)| address).collect();
    diagnosis.is_reached = advertised::examine(first, &known, cluster, case, &mut diagnosis).await;
    if diagnosis.is_reached {
        limits::examine(first, found, cluster, case, &mut diagnosis).await;
    }
    diagnosis
}

fn malformed(entry: &str) -> Finding {
    Finding::problem(
        "address-malformed",
        format!("The address {entry}"),
        "is not of the form host:port",
        "write the host and the port of a listener, such as localhost:9092, and an IPv6 address in brackets",
    )
}

/// Two addresses of one list that belong to two clusters.
fn strangers(
    first: &Address,
    cluster: &Cluster,
    address: &Address,
    other: Option<&Cluster>,
) -> Option<Finding> {
    let (one, two) = (cluster.id.as_deref()?, other?.id.as_deref()?);
    (one != two).then(|| {
        Finding::problem(
            "two-clusters",
            format!("The list with {first} and {address}"),
            format!("names two clusters, {one} and {two}, and a client gets to either by chance"),
            "give it the brokers of one cluster only",
        )
    })
}

const DEFAULT_BOOTSTRAP: &str = "localhost:9092";
const PATIENCE_MS: u64 = 3000;
/// The exit status where there is a problem.
const SICK: u8 = 2;

#[cfg(test)]
#[path = "doctor_tests.rs"]
mod tests;
