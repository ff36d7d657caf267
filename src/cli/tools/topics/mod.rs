//! `kafka-topics` (`org.apache.kafka.tools.TopicCommand`): creates, lists, describes, extends and deletes topics.

mod describe;
pub(crate) mod filter;

use std::collections::BTreeMap;

use client::Cluster;
use model::topic_name as names;

use crate::kafka::{self, Trouble};
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};
use crate::topic_admin::{self, Extension, NewTopic};

use filter::TopicFilter;

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to create, delete, describe, or change a topic.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["command-config"], "file", "Properties of the client."),
        flag(&["list"], "Name every topic."),
        flag(&["create"], "Make a topic."),
        flag(&["delete"], "Remove topics."),
        flag(&["alter"], "Add partitions; kafka-configs changes settings."),
        flag(&["describe"], "Show partitions, replicas and settings."),
        value(&["topic"], "name", "The topic; a regular expression, except with --create."),
        value(&["topic-id"], "id", "The topic to describe, by its id."),
        value(&["config"], "key=value", "A setting of the new topic; may be repeated."),
        value(&["delete-config"], "key", "No longer supported; use kafka-configs."),
        value(&["partitions"], "n", "How many partitions the topic is to have."),
        value(&["replication-factor"], "n", "How many replicas each partition is to have."),
        value(&["replica-assignment"], "b:b,b:b,...", "Brokers of each partition, instead of a number."),
        flag(&["under-replicated-partitions"], "Describe only partitions that lack replicas in sync."),
        flag(&["unavailable-partitions"], "Describe only partitions without a live leader."),
        flag(&["under-min-isr-partitions"], "Describe only partitions below min.insync.replicas."),
        flag(&["at-min-isr-partitions"], "Describe only partitions at min.insync.replicas."),
        flag(&["topics-with-overrides"], "Describe only topics that have settings of their own."),
        flag(&["if-exists"], "Do nothing where the topic does not exist."),
        flag(&["if-not-exists"], "Do nothing where the topic exists."),
        flag(&["exclude-internal"], "Leave internal topics out."),
        value(&["partition-size-limit-per-response"], "n", "Most partitions in one answer."),
        HELP,
        VERSION,
    ],
};

const ACTIONS: [&str; 5] = ["alter", "create", "describe", "list", "delete"];
const LOGGER: &str = "org.apache.kafka.tools.TopicCommand";
const CONFIGS_TOOL: &str = " (To alter topic configurations, the kafka-configs tool can be used.)";

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(kafka::plain)?;
    check_options(&options, terminal)?;
    let properties = Properties::of_option(options.one("command-config").map_err(kafka::plain)?.as_deref())?;
    let bootstrap = options.one("bootstrap-server").map_err(kafka::plain)?.unwrap_or_default();
    let mut cluster = kafka::connect(&bootstrap, &properties, "adminclient-1")?;
    kafka::block_on(async {
        let done = match () {
            () if options.has("create") => create(&options, &mut cluster, terminal).await,
            () if options.has("alter") => alter(&options, &mut cluster).await,
            () if options.has("list") => list(&options, &mut cluster, terminal).await,
            () if options.has("describe") => describe::run(&options, &mut cluster, terminal).await,
            () => delete(&options, &mut cluster).await,
        };
        done.map_err(|failure| {
            let stamp = crate::terminal::log_stamp(terminal.clock.wall_ms());
            Stop::Told {
                message: format!("Error while executing topic command : {failure}"),
                detail: format!("[{stamp}] ERROR {failure} ({LOGGER})"),
            }
        })
    })
}

/// Why an action failed, in the words that follow `Error while executing topic command : `.
#[derive(Debug)]
enum Failure {
    Trouble(Trouble),
    Said(String),
}

impl std::fmt::Display for Failure {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Trouble(trouble) => trouble.fmt(f),
            Self::Said(words) => f.write_str(words),
        }
    }
}

impl<E: Into<Trouble>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Usage { message, .. } | Stop::Error(message) | Stop::Told { message, .. } => {
                Self::Said(message)
            }
            Stop::Help(_) | Stop::Version | Stop::Status(_) => Self::Said(String::new()),
        }
    }
}

fn check_options(options: &Options, terminal: &mut Terminal) -> Result<(), Stop> {
    if options.is_empty {
        return Err(options.usage("Create, delete, describe, or change a topic."));
    }
    options.help_or_version()?;
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return Err(options.usage(
            "Command must include exactly one action: --list, --describe, --create, --alter or --delete",
        ));
    }
    if options.has("delete-config") {
        terminal.complain(
            "delete-config option is no longer supported and deprecated since version 4.0. The config will be fully \
             removed in future releases.",
        );
    }
    if !options.has("bootstrap-server") {
        return Err(Stop::Error("--bootstrap-server must be specified".to_owned()));
    }
    if options.has("describe") && options.has("if-exists") {
        if !options.has("topic") && !options.has("topic-id") {
            return Err(options.usage("--topic or --topic-id is required to describe a topic"));
        }
        if options.has("topic") && options.has("topic-id") {
            terminal.line(
                "Only topic id will be used when both --topic and --topic-id are specified and topicId is not \
                 Uuid.ZERO_UUID",
            );
        }
    }
    if !options.has("list") && !options.has("describe") {
        options.need(&["topic"])?;
    }
    if options.has("alter") {
        if options.has("config") {
            return Err(options.usage(format!(
                "Option combination \"[[bootstrap-server], [config]]\" can't be used with option \
                 \"[alter]\"{CONFIGS_TOOL}"
            )));
        }
        options.need(&["partitions"])?;
    }
    check_combinations(options)
}

fn check_combinations(options: &Options) -> Result<(), Stop> {
    const REPORTS: [&str; 4] = [
        "under-replicated-partitions",
        "under-min-isr-partitions",
        "at-min-isr-partitions",
        "unavailable-partitions",
    ];
    let but = |kept: &[&str]| -> Vec<&'static str> {
        ACTIONS.iter().filter(|action| !kept.contains(action)).copied().collect()
    };
    options.forbid_with("config", &but(&["alter", "create"]))?;
    options.forbid_with("partitions", &but(&["alter", "create"]))?;
    options.forbid_with("replication-factor", &but(&["create"]))?;
    options.forbid_with("replica-assignment", &but(&["alter", "create"]))?;
    if options.has("create") {
        options.forbid_with("replica-assignment", &["partitions", "replication-factor"])?;
    }
    for report in REPORTS {
        let mut others = but(&["describe"]);
        others.push("topics-with-overrides");
        options.forbid_with(report, &others)?;
    }
    options.forbid_with("topics-with-overrides", &[&but(&["describe"])[..], &REPORTS].concat())?;
    options.forbid_with("if-exists", &but(&["alter", "delete", "describe"]))?;
    options.forbid_with("if-not-exists", &but(&["create"]))?;
    options.forbid_with("exclude-internal", &but(&["list", "describe"]))
}

async fn create(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let name = options.required("topic")?;
    let partitions: Option<i32> = options.number("partitions")?;
    let replicas: Option<i32> = options.number("replication-factor")?;
    let assignment = assignment(options)?;
    let configs = configs(options)?;
    if names::has_collision_chars(&name) {
        terminal.line(
            "WARNING: Due to limitations in metric names, topics with a period ('.') or underscore ('_') could \
             collide. To avoid issues it is best to use either, but not both.",
        );
    }
    if replicas.is_some_and(|replicas| !(1..=i32::from(i16::MAX)).contains(&replicas)) {
        return Err(Failure::Said("The replication factor must be between 1 and 32767 inclusive".to_owned()));
    }
    if partitions.is_some_and(|partitions| partitions < 1) {
        return Err(Failure::Said("The partitions must be greater than 0".to_owned()));
    }
    let replicas = replicas.and_then(|n| i16::try_from(n).ok());
    let new = NewTopic { name: name.clone(), partitions, replicas, assignment, configs };
    match topic_admin::create(cluster, &new).await {
        Ok(()) => {}
        Err(trouble)
            if options.has("if-not-exists")
                && trouble.code() == Some(model::ErrorCode::TopicAlreadyExists) =>
        {
            return Ok(());
        }
        Err(trouble) => return Err(trouble.into()),
    }
    terminal.line(format!("Created topic {name}."));
    Ok(())
}

fn configs(options: &Options) -> Result<BTreeMap<String, String>, Failure> {
    let mut configs = BTreeMap::new();
    for pair in options.all("config") {
        let parts: Vec<&str> = pair.split('=').collect();
        // Java's split drops empty parts at the end.
        let (Some(key), Some(value), 2) =
            (parts.first(), parts.get(1).filter(|v| !v.is_empty()), parts.len())
        else {
            return Err(Failure::Said(
                "requirement failed: Invalid topic config: all configs to be added must be in the format \"key=val\"."
                    .to_owned(),
            ));
        };
        configs.insert(key.trim().to_owned(), value.trim().to_owned());
    }
    config::validate_topic_configs(&configs).map_err(Failure::Said)?;
    Ok(configs)
}

/// Brokers of each partition; empty where there is no such option.
fn assignment(options: &Options) -> Result<Vec<Vec<i32>>, Failure> {
    let listed = options.one("replica-assignment")?.unwrap_or_default();
    let mut partitions: Vec<Vec<i32>> = Vec::new();
    for (index, list) in listed.split(',').enumerate().filter(|_| !listed.is_empty()) {
        let mut brokers = Vec::new();
        for broker in list.split(':') {
            let id: i32 = broker
                .trim()
                .parse()
                .map_err(|_| Failure::Said(format!("For input string: \"{}\"", broker.trim())))?;
            if brokers.contains(&id) {
                return Err(Failure::Said(format!(
                    "Partition replica lists may not contain duplicate entries: {id}"
                )));
            }
            brokers.push(id);
        }
        if partitions.first().is_some_and(|first| first.len() != brokers.len()) {
            return Err(Failure::Said(format!(
                "Partition {index} has different replication factor: {brokers:?}"
            )));
        }
        partitions.push(brokers);
    }
    Ok(partitions)
}

/// The topics that the command line names.
async fn chosen(options: &Options, cluster: &mut Cluster) -> Result<Vec<String>, Failure> {
    let filter = TopicFilter::new(options.one("topic")?.as_deref()).map_err(Failure::Said)?;
    let exclude_internal = options.has("exclude-internal");
    let all = kafka::topic_names(cluster).await?;
    let chosen = all.into_iter().filter(|(name, is_internal)| {
        filter.takes(name) && !(exclude_internal && (*is_internal || names::is_internal(name)))
    });
    Ok(chosen.map(|(name, _)| name).collect())
}

/// Refuses where the command line names a topic and nothing is called so.
fn ensure_found(options: &Options, found: &[String]) -> Result<(), Failure> {
    let name = options.one("topic")?.unwrap_or_default();
    if !name.is_empty() && !options.has("if-exists") && found.is_empty() {
        return Err(Failure::Said(format!("Topic '{name}' does not exist as expected")));
    }
    Ok(())
}

async fn list(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let topics = chosen(options, cluster).await?;
    terminal.line(topics.join("\n"));
    Ok(())
}

async fn alter(options: &Options, cluster: &mut Cluster) -> Result<(), Failure> {
    let count: i32 = options.number("partitions")?.unwrap_or_default();
    let assignment = assignment(options)?;
    let topics = chosen(options, cluster).await?;
    ensure_found(options, &topics)?;
    if topics.is_empty() {
        return Ok(());
    }
    let mut wanted = Vec::new();
    for topic in kafka::describe(cluster, &topics).await? {
        let added = assignment.iter().skip(topic.partitions.len()).cloned();
        wanted.push(Extension {
            name: topic.name.map(|name| name.0.to_string()).unwrap_or_default(),
            count,
            assignment: (!assignment.is_empty()).then(|| added.collect()),
        });
    }
    first_error(topic_admin::extend(cluster, &wanted).await?)
}

async fn delete(options: &Options, cluster: &mut Cluster) -> Result<(), Failure> {
    let topics = chosen(options, cluster).await?;
    ensure_found(options, &topics)?;
    if topics.is_empty() {
        return Ok(());
    }
    first_error(topic_admin::delete(cluster, &topics).await?)
}

fn first_error(results: topic_admin::Results) -> Result<(), Failure> {
    Ok(results.into_iter().try_for_each(|(_, result)| result)?)
}
