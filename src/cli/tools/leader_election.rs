//! `kafka-leader-election` (`org.apache.kafka.tools.LeaderElectionCommand`): asks for new leaders.

use std::collections::BTreeMap;

use client::{Cluster, ClusterError, Target};
use model::ErrorCode;
use serde_json::Value;
use wire::messages::elect_leaders_request::{ElectLeadersRequest, TopicPartitions};

use crate::jvm;
use crate::kafka::{self, TopicPartition, Trouble, check, refused, topic_name};
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const SYNTAX: Syntax = Syntax {
    about: "This tool attempts to elect a new leader for a set of topic partitions. The type of elections supported are \
            preferred replicas and unclean replicas.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["admin.config"], "file", "Deprecated: --command-config."),
        value(&["command-config"], "file", "Properties of the client."),
        value(&["path-to-json-file"], "file", "{\"partitions\": [{\"topic\": \"t\", \"partition\": 0}]}"),
        value(&["topic"], "name", "One topic."),
        value(&["partition"], "n", "One partition of it."),
        flag(&["all-topic-partitions"], "Every partition that an election is due for."),
        value(&["election-type"], "preferred|unclean", "Which replica is to lead. Required."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(kafka::plain)?;
    options.help_or_version()?;
    check_options(&options).map_err(Stop::Error)?;
    let kind = Election::of(&options)?;
    let wanted = wanted(&options)?;
    let file = match options.one("command-config").map_err(kafka::plain)? {
        Some(file) => Some(file),
        None => options.one("admin.config").map_err(kafka::plain)?,
    };
    if options.has("admin.config") {
        terminal.line(
            "Option --admin.config has been deprecated and will be removed in a future version. Use --command-config \
             instead.",
        );
    }
    let mut properties = Properties::of_option(file.as_deref())?;
    properties.set_default("default.api.timeout.ms", "30000");
    properties.set_default("request.timeout.ms", "15000");
    let bootstrap = options.one("bootstrap-server").map_err(kafka::plain)?.unwrap_or_default();
    let mut cluster = kafka::connect(&bootstrap, &properties, "adminclient-1")?;
    let results = kafka::block_on(async { Ok(elect(&mut cluster, kind, wanted.as_deref()).await) })?;
    match results {
        Ok(results) => tell(kind, results, terminal),
        Err(trouble) => {
            let told = match (&trouble, trouble.code()) {
                (Trouble::Client(ClusterError::NoNode(_)), _) => "Timeout waiting for election results",
                (_, Some(ErrorCode::ClusterAuthorizationFailed)) => {
                    "Not authorized to perform leader election"
                }
                _ => return Err(trouble.into()),
            };
            Err(Stop::Told { message: told.to_owned(), detail: told.to_owned() })
        }
    }
}

fn check_options(options: &Options) -> Result<(), String> {
    let missing: Vec<&str> =
        ["bootstrap-server", "election-type"].into_iter().filter(|name| !options.has(name)).collect();
    if !missing.is_empty() {
        return Err(format!("Missing required option(s): {}", missing.join(", ")));
    }
    const SCOPES: [&str; 3] = ["topic", "all-topic-partitions", "path-to-json-file"];
    if SCOPES.iter().filter(|scope| options.has(scope)).count() != 1 {
        return Err(format!("One and only one of the following options is required: {}", SCOPES.join(", ")));
    }
    match (options.has("topic"), options.has("partition")) {
        (true, false) => Err("Missing required option(s): partition".to_owned()),
        (false, true) => Err("Option partition is only allowed if topic is used".to_owned()),
        _ => Ok(()),
    }
}

/// Which replica is to lead.
#[derive(Clone, Copy, Debug)]
enum Election {
    Preferred,
    Unclean,
}

impl Election {
    fn of(options: &Options) -> Result<Self, Stop> {
        match options.one("election-type").map_err(kafka::plain)?.unwrap_or_default().to_lowercase().as_str()
        {
            "preferred" => Ok(Self::Preferred),
            "unclean" => Ok(Self::Unclean),
            _ => {
                let given = options.all("election-type").pop().unwrap_or_default();
                Err(Stop::Error(format!("Cannot parse argument '{given}' of option election-type")))
            }
        }
    }

    fn name(self) -> &'static str {
        match self {
            Self::Preferred => "PREFERRED",
            Self::Unclean => "UNCLEAN",
        }
    }
}

/// The partitions of the command line; `None` is all.
fn wanted(options: &Options) -> Result<Option<Vec<TopicPartition>>, Stop> {
    if let Some(path) = options.one("path-to-json-file").map_err(kafka::plain)? {
        let text = std::fs::read_to_string(&path)
            .map_err(|_error| Stop::Error(format!("Unable to read file {path}")))?;
        return parse(&text).map(Some).map_err(Stop::Error);
    }
    let topic = options.one("topic").map_err(kafka::plain)?;
    let partition = options.number::<i32>("partition").map_err(kafka::plain)?;
    Ok(topic.zip(partition).map(|one| vec![one]))
}

fn parse(text: &str) -> Result<Vec<TopicPartition>, String> {
    let json: Value =
        serde_json::from_str(text).map_err(|_bad| "Replica election data is empty".to_owned())?;
    let listed = json.get("partitions").ok_or("Replica election data is missing \"partitions\" field")?;
    let mut wanted = Vec::new();
    let mut twice = Vec::new();
    for entry in listed.as_array().ok_or("Expected JSON array, received something else")? {
        let field = |name: &str| entry.get(name).ok_or_else(|| format!("No such field exists: `{name}`"));
        let topic = field("topic")?.as_str().ok_or("Expected `String` value")?.to_owned();
        let partition = field("partition")?.as_i64().and_then(|number| i32::try_from(number).ok());
        let one = (topic, partition.ok_or("Expected `Integer` value")?);
        if wanted.contains(&one) { twice.push(format!("{}-{}", one.0, one.1)) } else { wanted.push(one) }
    }
    if twice.is_empty() {
        return Ok(wanted);
    }
    twice.dedup();
    Err(format!("Replica election data contains duplicate partitions: [{}]", twice.join(", ")))
}

type Elected = (TopicPartition, Result<(), Trouble>);

async fn elect(
    cluster: &mut Cluster,
    kind: Election,
    wanted: Option<&[TopicPartition]>,
) -> Result<Vec<Elected>, Trouble> {
    let mut topics: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in wanted.unwrap_or_default() {
        topics.entry(topic).or_default().push(*partition);
    }
    let topics: Vec<TopicPartitions> = topics
        .into_iter()
        .map(|(topic, partitions)| {
            TopicPartitions::default().with_topic(topic_name(topic)).with_partitions(partitions)
        })
        .collect();
    let timeout_ms = cluster.settings().request_timeout.as_millis() as i32;
    let answer = cluster
        .call(Target::Controller, |version| {
            let request = ElectLeadersRequest::default()
                .with_timeout_ms(timeout_ms)
                .with_topic_partitions(wanted.map(|_| topics.clone()));
            if version >= 1 { request.with_election_type(kind as i8) } else { request }
        })
        .await?;
    check(answer.error_code, None)?;
    let mut results: Vec<Elected> = Vec::new();
    for topic in &answer.replica_election_results {
        for one in &topic.partition_result {
            let key = (topic.topic.0.to_string(), one.partition_id);
            results.push((key, check(one.error_code, one.error_message.as_deref())));
        }
    }
    // A broker may leave out what it does not know; the client says so.
    for one in wanted.unwrap_or_default() {
        if !results.iter().any(|(key, _)| key == one) {
            results.push((one.clone(), Err(refused(ErrorCode::UnknownTopicOrPartition.code(), None))));
        }
    }
    Ok(jvm::hash_order(results, |((topic, partition), _)| jvm::topic_partition_hash(topic, *partition)))
}

fn tell(kind: Election, results: Vec<Elected>, terminal: &mut Terminal) -> Result<(), Stop> {
    let (mut elected, mut already, mut failed) = (Vec::new(), Vec::new(), Vec::new());
    for ((topic, partition), result) in results {
        let shown = format!("{topic}-{partition}");
        match result {
            Ok(()) => elected.push(shown),
            Err(trouble) if trouble.code() == Some(ErrorCode::ElectionNotNeeded) => already.push(shown),
            Err(trouble) => failed.push((shown, trouble)),
        }
    }
    if !elected.is_empty() {
        let (kind, elected) = (kind.name(), elected.join(", "));
        terminal.line(format!("Successfully completed leader election ({kind}) for partitions {elected}"));
    }
    if !already.is_empty() {
        terminal.line(format!("Valid replica already elected for partitions {}", already.join(", ")));
    }
    if failed.is_empty() {
        return Ok(());
    }
    for (shown, trouble) in &failed {
        let class = crate::errors::java_class(trouble.code());
        terminal.line(format!(
            "Error completing leader election ({}) for partition: {shown}: {class}{trouble}",
            kind.name()
        ));
    }
    Err(Stop::Error(format!("{} replica(s) could not be elected", failed.len())))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_kafka_reads_them() {
        let wanted = parse(r#"{"partitions":[{"topic":"t","partition":1}]}"#).unwrap();
        assert_eq!(wanted, [("t".to_owned(), 1)]);
        assert_eq!(parse("{").unwrap_err(), "Replica election data is empty");
        assert_eq!(parse("{}").unwrap_err(), "Replica election data is missing \"partitions\" field");
        let twice = r#"{"partitions":[{"topic":"t","partition":1},{"topic":"t","partition":1}]}"#;
        assert!(parse(twice).unwrap_err().ends_with("duplicate partitions: [t-1]"));
    }
}
