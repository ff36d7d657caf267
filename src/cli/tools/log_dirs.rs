//! `kafka-log-dirs` (`org.apache.kafka.tools.LogDirsCommand`): what takes how much space where, as JSON.

use client::{Cluster, Target};
use model::ErrorCode;
use serde_json::Value;
use wire::messages::DescribeLogDirsRequest;
use wire::messages::describe_log_dirs_response::DescribeLogDirsResult;

use crate::jvm;
use crate::kafka::{self, Trouble, check};
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to query log directory usage on the specified brokers.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["command-config"], "file", "Properties of the client."),
        flag(&["describe"], "Show the directories. Required."),
        value(&["topic-list"], "name,...", "Only these topics."),
        value(&["broker-list"], "id,...", "Only these brokers."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(kafka::plain)?;
    options.help_or_version()?;
    options.need(&["bootstrap-server", "describe"])?;
    let properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let (topics, brokers) = (listed(&options, "topic-list")?, listed(&options, "broker-list")?);
    let brokers: Result<Vec<i32>, Stop> = brokers
        .iter()
        .map(|id| id.parse().map_err(|_not_a_number| Stop::Error(format!("For input string: \"{id}\""))))
        .collect();
    let brokers = brokers?;
    let mut cluster = kafka::connect(&options.required("bootstrap-server")?, &properties, "log-dirs-tool")?;
    kafka::block_on(async {
        cluster.metadata(Some(&[]), false).await.map_err(Trouble::from)?;
        let known: Vec<i32> = cluster.nodes().map(|node| node.id).collect();
        let unknown: Vec<i32> = brokers.iter().copied().filter(|id| !known.contains(id)).collect();
        if !unknown.is_empty() {
            return Err(Stop::Error(format!(
                "ERROR: The given brokers do not exist from --broker-list: {}. Current existent brokers: {}",
                joined(&unknown),
                joined(&known)
            )));
        }
        let asked = if brokers.is_empty() { known } else { brokers };
        terminal.line("Querying brokers for log directories information");
        let mut described = Vec::new();
        for broker in &asked {
            described.push(describe(&mut cluster, *broker, &topics).await?);
        }
        terminal.line(format!("Received log directory information from brokers {}", joined(&asked)));
        terminal.line(format!("{{\"brokers\":[{}],\"version\":1}}", described.join(",")));
        Ok(())
    })
}

fn listed(options: &Options, name: &str) -> Result<Vec<String>, Stop> {
    let text = options.one(name)?.unwrap_or_default();
    Ok(text.split(',').filter(|part| !part.is_empty()).map(str::to_owned).collect())
}

fn joined(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

/// One broker's object. The keys stand in the order that Java's maps give them.
async fn describe(cluster: &mut Cluster, broker: i32, topics: &[String]) -> Result<String, Trouble> {
    let answer = cluster
        .call(Target::Node(broker), |_version| DescribeLogDirsRequest::default().with_topics(None))
        .await?;
    check(answer.error_code, None)?;
    let dirs: Vec<String> = answer.results.iter().map(|dir| directory(dir, topics)).collect();
    Ok(format!("{{\"broker\":{broker},\"logDirs\":[{}]}}", dirs.join(",")))
}

fn directory(dir: &DescribeLogDirsResult, topics: &[String]) -> String {
    let wanted = dir
        .topics
        .iter()
        .filter(|topic| topics.is_empty() || topics.iter().any(|one| **one == *topic.name.0));
    let partitions = wanted.flat_map(|topic| {
        topic.partitions.iter().map(|partition| {
            let text = format!(
                "{{\"partition\":{},\"size\":{},\"offsetLag\":{},\"isFuture\":{}}}",
                quoted(&format!("{}-{}", &*topic.name.0, partition.partition_index)),
                partition.partition_size,
                partition.offset_lag,
                partition.is_future_key
            );
            (jvm::topic_partition_hash(&topic.name.0, partition.partition_index), text)
        })
    });
    let partitions = jvm::hash_order(partitions.collect(), |(hash, _)| *hash);
    let partitions: Vec<String> = partitions.into_iter().map(|(_, text)| text).collect();
    let error = match ErrorCode::from_code(dir.error_code) {
        ErrorCode::None => "null".to_owned(),
        ErrorCode::KafkaStorageError => quoted("org.apache.kafka.common.errors.KafkaStorageException"),
        code => quoted(code.name()),
    };
    let log_dir = quoted(&dir.log_dir);
    format!("{{\"partitions\":[{}],\"error\":{error},\"logDir\":{log_dir}}}", partitions.join(","))
}

fn quoted(text: &str) -> String {
    Value::from(text).to_string()
}
