//! Kafka's command line tools as native code: the same options, output, exit status and error sentences as the Java
//! tools, in milliseconds instead of seconds, against any Kafka. One binary holds them all and is called by the
//! tool's name, with or without `.sh`, or with the name as its first argument.
//!
//! May use: `model`, `wire`, `records`, `client`, `config`, `storage`, `controller`, `tokio`. Knows nothing of the broker.
//!
//! Start reading at [`run`], then a tool under `tools/`. [`options`] reads command lines as the Java tools do,
//! [`kafka`] asks a cluster, [`terminal`] is where everything that is written goes.
#![forbid(unsafe_code)]
#![cfg_attr(not(test), deny(clippy::unwrap_used, clippy::expect_used, clippy::indexing_slicing))]
// Output is put together for people; a formatted piece that is appended reads better than a result that is thrown away.
#![allow(clippy::format_push_string)]

mod argparse;
mod config_admin;
mod consumer;
mod doctor;
mod errors;
mod group_admin;
mod groups;
mod jvm;
mod kafka;
mod lag;
mod offset_plan;
mod options;
mod own;
mod partitioner;
mod producer;
mod properties;
mod share_group_admin;
mod stdin;
mod table;
mod terminal;
mod throttle;
mod time;
mod tools;
mod topic_admin;
mod topic_description;

use model::Clock;

use terminal::{Stop, Terminal};

/// One tool: its name and what it does.
type Tool = (&'static str, fn(&[String], &mut Terminal) -> Result<(), Stop>);

/// The tools, by the name that they are called by.
const TOOLS: &[Tool] = &[
    ("doctor", doctor::run),
    ("cub", tools::container::cub),
    ("kafka-acls", tools::acls::run),
    ("kafka-broker-api-versions", tools::broker_api_versions::run),
    ("kafka-client-metrics", tools::client_metrics::run),
    ("kafka-cluster", tools::cluster::run),
    ("kafka-configs", tools::configs::run),
    ("kafka-console-consumer", tools::console_consumer::run),
    ("kafka-console-producer", tools::console_producer::run),
    ("kafka-consumer-groups", tools::consumer_groups::run),
    ("kafka-consumer-perf-test", tools::perf::consume),
    ("kafka-delete-records", tools::delete_records::run),
    ("kafka-dump-log", tools::dump_log::run),
    ("kafka-e2e-latency", tools::perf::latency),
    ("kafka-features", tools::features::run),
    ("kafka-get-offsets", tools::get_offsets::run),
    ("kafka-groups", tools::groups::run),
    ("kafka-leader-election", tools::leader_election::run),
    ("kafka-log-dirs", tools::log_dirs::run),
    ("kafka-metadata-quorum", tools::metadata_quorum::run),
    ("kafka-producer-perf-test", tools::perf::produce),
    ("kafka-reassign-partitions", tools::reassign_partitions::run),
    ("kafka-run-class", tools::container::run_class),
    ("kafka-server-stop", tools::container::server_stop),
    ("kafka-share-groups", tools::share_groups::run),
    ("kafka-storage", tools::storage::run),
    ("kafka-streams-application-reset", tools::streams_reset::run),
    ("kafka-topics", tools::topics::run),
    ("kafka-transactions", tools::transactions::run),
    ("kafka-verifiable-consumer", tools::verifiable::consumer),
    ("kafka-verifiable-producer", tools::verifiable::producer),
    ("nc", tools::container::nc),
    ("ub", tools::container::ub),
    ("zookeeper-server-start", tools::container::zookeeper_start),
    ("zookeeper-server-stop", tools::container::zookeeper_stop),
];

/// Kafka's programs that have no native form yet.
const NOT_BUILT: &[&str] = &[
    "connect-distributed",
    "connect-mirror-maker",
    "connect-plugin-path",
    "connect-standalone",
    "kafka-console-share-consumer",
    "kafka-delegation-tokens",
    "kafka-jmx",
    "kafka-metadata-shell",
    "kafka-replica-verification",
    "kafka-share-consumer-perf-test",
    "kafka-streams-groups",
    "kafka-verifiable-share-consumer",
    "trogdor",
];

/// Runs the tool of this name; its exit status, or `None` where no tool is called so, or where it is the broker that is
/// to be started (see [`broker_arguments`]).
pub fn run(name: &str, arguments: &[String], clock: &Clock) -> Option<u8> {
    let name = tool_name(name);
    if broker_arguments(name, arguments).is_some() {
        return None;
    }
    let mut terminal = Terminal::of_process(clock.clone());
    // `ottla help topics`
    let asked = [arguments.get(1..).unwrap_or_default(), &["--help".to_owned()]].concat();
    let (name, arguments) = match arguments.first() {
        Some(command) if name == "help" => (command.as_str(), &asked[..]),
        _ => (name, arguments),
    };
    if let Some(result) = own::run(name, arguments, &mut terminal) {
        return Some(terminal.end(result));
    }
    if let Some((_, tool)) = TOOLS.iter().find(|(known, _)| *known == name) {
        let result = tool(arguments, &mut terminal);
        return Some(terminal.end(result));
    }
    let missing = NOT_BUILT.iter().find(|known| **known == name)?;
    Some(terminal.end(Err(Stop::not_built(missing))))
}

/// The commands that have names of our own, and what each is for.
pub fn commands() -> impl Iterator<Item = (&'static str, &'static str)> {
    own::commands()
}

/// The arguments of Kafka's broker, where `kafka-run-class` is to start it by its class.
pub fn broker_arguments<'a>(name: &str, arguments: &'a [String]) -> Option<&'a [String]> {
    if tool_name(name) == "kafka-run-class" { tools::container::starts_broker(arguments) } else { None }
}

/// The name of a tool in a path: without directories and without `.sh`.
fn tool_name(path: &str) -> &str {
    let file = path.rsplit('/').next().unwrap_or(path);
    file.strip_suffix(".sh").unwrap_or(file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_tool_is_found_by_any_of_its_names() {
        for path in ["kafka-topics", "kafka-topics.sh", "/opt/kafka/bin/kafka-topics.sh", "./kafka-topics"] {
            assert_eq!(tool_name(path), "kafka-topics");
        }
    }

    #[test]
    fn no_tool_is_both_built_and_not() {
        assert!(TOOLS.iter().all(|(name, _)| !NOT_BUILT.contains(name)));
    }

    /// Under every name that the image has, something answers: a link to nothing would start a broker.
    #[test]
    fn every_program_of_the_image_is_known() {
        let applets = include_str!("../../docker/applets");
        let names: Vec<&str> =
            applets.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
        let mut known: Vec<&str> =
            TOOLS.iter().map(|(name, _)| *name).chain(NOT_BUILT.iter().copied()).collect();
        known.push("kafka-server-start");
        let unknown: Vec<&&str> = names.iter().filter(|name| !known.contains(name)).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        let absent: Vec<&&str> =
            known.iter().filter(|name| **name != "doctor" && !names.contains(name)).collect();
        assert!(absent.is_empty(), "not in the image: {absent:?}");
    }
}
