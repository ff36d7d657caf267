//! `kafka-get-offsets` (`org.apache.kafka.tools.GetOffsetShell`): offsets of partitions by time.

use std::collections::BTreeMap;

use client::Cluster;

use super::topics::filter::TopicFilter;
use crate::kafka::{self, EARLIEST, LATEST, TopicPartition};
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const SYNTAX: Syntax = Syntax {
    about: "An interactive shell for getting topic-partition offsets.",
    options: &[
        value(&["bootstrap-server", "broker-list"], "host:port,...", "Brokers to begin with. Required."),
        value(
            &["topic-partitions"],
            "t:1,t:0-3,t:5-,t:-3",
            "Topics (expressions) with partitions or ranges of them.",
        ),
        value(&["topic"], "name", "The topic; a regular expression."),
        value(&["partitions"], "n,...", "Only these partitions."),
        value(
            &["time"],
            "when",
            "latest (-1), earliest (-2), max-timestamp (-3), earliest-local (-4), latest-tiered (-5), \
             earliest-pending-upload (-6), or milliseconds.",
        ),
        value(&["command-config"], "file", "Properties of the client."),
        flag(&["exclude-internal-topics"], "Leave internal topics out."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(|stop| match stop {
        Stop::Usage { message, .. } => terse(&message),
        other => other,
    })?;
    options.help_or_version()?;
    options.need(&["bootstrap-server"])?;
    let bootstrap = options.required("bootstrap-server").map_err(|_twice| options.usage(""))?;
    kafka::check_bootstrap(&bootstrap).map_err(|message| options.usage(message))?;
    let (rules, time) = (rules(&options)?, time(&options)?);
    let properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let mut cluster = kafka::connect(&bootstrap, &properties, "GetOffsetShell")?;
    let internal = !options.has("exclude-internal-topics");
    kafka::block_on(async { look_up(&mut cluster, &rules, time, internal, terminal).await })
}

fn terse(message: &str) -> Stop {
    Stop::Error(format!("Error occurred: {message}"))
}

async fn look_up(
    cluster: &mut Cluster,
    rules: &[Rule],
    time: i64,
    internal: bool,
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    let names = kafka::topic_names(cluster).await.map_err(|trouble| terse(&trouble.to_string()))?;
    let names: Vec<String> = names
        .into_iter()
        .filter(|(name, is_internal)| {
            (internal || !is_internal) && rules.iter().any(|rule| rule.topic.takes(name))
        })
        .map(|(name, _)| name)
        .collect();
    let leaders = kafka::leaders(cluster, &names).await.map_err(|trouble| terse(&trouble.to_string()))?;
    let wanted: Vec<(TopicPartition, i64)> = leaders
        .into_keys()
        .filter(|(topic, partition)| {
            rules.iter().any(|rule| rule.topic.takes(topic) && rule.partitions.takes(*partition))
        })
        .map(|partition| (partition, time))
        .collect();
    if wanted.is_empty() {
        return Err(terse("Could not match any topic-partitions with the specified filters"));
    }
    let found = kafka::offsets(cluster, &wanted, 0).await.map_err(|trouble| terse(&trouble.to_string()))?;
    // Sorted as text: partition 10 comes before partition 2.
    let mut lines = BTreeMap::new();
    for ((topic, partition), result) in found {
        let name = format!("{topic}-{partition}");
        match result {
            Ok(found) if found.offset >= 0 => {
                lines.insert(name, format!("{topic}:{partition}:{}", found.offset));
            }
            Ok(_none) => {}
            Err(trouble) => terminal
                .complain(format!("Skip getting offsets for topic-partition {name} due to error: {trouble}")),
        }
    }
    for line in lines.into_values() {
        terminal.line(line);
    }
    Ok(())
}

/// Which partitions are wanted.
struct Rule {
    topic: TopicFilter,
    partitions: Partitions,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum Partitions {
    All,
    These(Vec<i32>),
    /// The upper bound is not in it.
    Range(i32, i32),
}

impl Partitions {
    fn takes(&self, partition: i32) -> bool {
        match self {
            Self::All => true,
            Self::These(these) => these.contains(&partition),
            Self::Range(from, to) => (*from..*to).contains(&partition),
        }
    }
}

fn rules(options: &Options) -> Result<Vec<Rule>, Stop> {
    let topic = |text: Option<&str>| TopicFilter::new(text).map_err(|message| terse(&message));
    let (listed, by_topic) = (options.one("topic-partitions")?, options.one("topic")?);
    if listed.is_some() && (by_topic.is_some() || options.has("partitions")) {
        return Err(terse("--topic-partitions cannot be used with --topic or --partitions"));
    }
    let Some(listed) = listed else {
        let partitions = match options.one("partitions")?.filter(|text| !text.is_empty()) {
            None => Partitions::All,
            Some(text) => {
                let numbers: Result<Vec<i32>, _> = text.split(',').map(str::parse).collect();
                Partitions::These(numbers.map_err(|_not_numbers| {
                    terse(&format!(
                        "--partitions expects a comma separated list of numeric partition ids, but received: {text}"
                    ))
                })?)
            }
        };
        return Ok(vec![Rule { topic: topic(by_topic.as_deref())?, partitions }]);
    };
    listed
        .split(',')
        .map(|rule| {
            let (name, range) = rule.split_once(':').unwrap_or((rule, ""));
            let partitions = partition_range(range)
                .ok_or_else(|| terse(&format!("Invalid rule specification: {rule}")))?;
            Ok(Rule { topic: topic(Some(name).filter(|name| !name.is_empty()))?, partitions })
        })
        .collect()
}

/// `` (all), `n`, `a-b`, `a-`, `-b`.
fn partition_range(text: &str) -> Option<Partitions> {
    if text.is_empty() {
        return Some(Partitions::All);
    }
    let Some((from, to)) = text.split_once('-') else {
        return Some(Partitions::These(vec![text.parse().ok()?]));
    };
    let bound = |text: &str, default: i32| if text.is_empty() { Some(default) } else { text.parse().ok() };
    Some(Partitions::Range(bound(from, 0)?, bound(to, i32::MAX)?))
}

fn time(options: &Options) -> Result<i64, Stop> {
    let text = options.one("time")?.unwrap_or_else(|| "latest".to_owned());
    Ok(match text.as_str() {
        "latest" => LATEST,
        "earliest" => EARLIEST,
        "max-timestamp" => -3,
        "earliest-local" => -4,
        "latest-tiered" => -5,
        "earliest-pending-upload" => -6,
        other => other.parse().map_err(|_not_a_time| {
            terse(&format!(
                "Malformed time argument {other}. Please use -1 or latest / -2 or earliest / -3 or max-timestamp / \
                 -4 or earliest-local / -5 or latest-tiered / -6 or earliest-pending-upload, or a specified long \
                 format timestamp"
            ))
        })?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_end_before_their_upper_bound() {
        assert_eq!(partition_range(""), Some(Partitions::All));
        assert_eq!(partition_range("3"), Some(Partitions::These(vec![3])));
        let range = partition_range("1-3").unwrap();
        assert!(range.takes(1) && range.takes(2) && !range.takes(3));
        assert!(partition_range("5-").unwrap().takes(900) && !partition_range("-2").unwrap().takes(2));
        assert_eq!(partition_range("x"), None);
    }
}
