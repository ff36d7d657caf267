//! `kafka-delete-records` (`org.apache.kafka.tools.DeleteRecordsCommand`): forgets records before an offset.

use std::collections::BTreeMap;

use client::{Cluster, Target};
use serde_json::Value;
use wire::messages::delete_records_request::{
    DeleteRecordsPartition, DeleteRecordsRequest, DeleteRecordsTopic,
};

use crate::jvm;
use crate::kafka::{self, TopicPartition, Trouble, check, refused, topic_name};
use crate::options::{HELP, Syntax, VERSION, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to delete records of the given partitions down to the specified offset.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(
            &["offset-json-file"],
            "file",
            "{\"partitions\": [{\"topic\": \"t\", \"partition\": 0, \"offset\": 1}], \"version\": 1}; an offset of -1 \
             is the end. Required.",
        ),
        value(&["command-config"], "file", "Properties of the client."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(kafka::plain)?;
    options.help_or_version()?;
    options.need(&["bootstrap-server", "offset-json-file"])?;
    let properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let mut cluster = kafka::connect(&options.required("bootstrap-server")?, &properties, "adminclient-1")?;
    let path = options.required("offset-json-file")?;
    let text = std::fs::read_to_string(&path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Stop::Error(path.clone()),
        _ => Stop::Error(format!("{path}: {error}")),
    })?;
    let wanted = parse(&text).map_err(Stop::Error)?;
    terminal.line("Executing records delete operation");
    let results = kafka::block_on(async { Ok(delete(&mut cluster, &wanted).await?) })?;
    terminal.line("Records delete operation completed:");
    for ((topic, partition), result) in results {
        match result {
            Ok(low) => terminal.line(format!("partition: {topic}-{partition}\tlow_watermark: {low}")),
            Err(trouble) => terminal.line(format!("partition: {topic}-{partition}\terror: {trouble}")),
        }
    }
    Ok(())
}

fn parse(text: &str) -> Result<Vec<(TopicPartition, i64)>, String> {
    let json: Value =
        serde_json::from_str(text).map_err(|_bad| "The input string is not a valid JSON".to_owned())?;
    match json.get("version").map_or(Some(1), Value::as_i64) {
        Some(1) => {}
        other => {
            let version = other.map_or_else(|| "?".to_owned(), |version| version.to_string());
            return Err(format!("Not supported version field value {version}"));
        }
    }
    let partitions = json.get("partitions").ok_or("Missing partitions field")?;
    let mut wanted: BTreeMap<TopicPartition, Vec<i64>> = BTreeMap::new();
    for entry in partitions.as_array().ok_or("Expected JSON array, received something else")? {
        let field = |name: &str| entry.get(name).ok_or_else(|| format!("No such field exists: `{name}`"));
        let topic = field("topic")?.as_str().ok_or("Expected `String` value")?.to_owned();
        let partition = field("partition")?.as_i64().and_then(|number| i32::try_from(number).ok());
        let offset = field("offset")?.as_i64().ok_or("Expected `Long` value")?;
        let key = (topic, partition.ok_or("Expected `Integer` value")?);
        wanted.entry(key).or_default().push(offset);
    }
    let twice = wanted.iter().filter(|(_, offsets)| offsets.len() > 1);
    let twice: Vec<String> = twice.map(|((topic, partition), _)| format!("{topic}-{partition}")).collect();
    if !twice.is_empty() {
        return Err(format!("Offset json file contains duplicate topic partitions: {}", twice.join(",")));
    }
    Ok(wanted.into_iter().filter_map(|(key, offsets)| Some((key, *offsets.first()?))).collect())
}

type Deleted = (TopicPartition, Result<i64, Trouble>);

/// In the order of the Java tool's map.
async fn delete(cluster: &mut Cluster, wanted: &[(TopicPartition, i64)]) -> Result<Vec<Deleted>, Trouble> {
    let mut topics: Vec<String> = wanted.iter().map(|((topic, _), _)| topic.clone()).collect();
    topics.dedup();
    let leaders = kafka::leaders(cluster, &topics).await?;
    let mut results: Vec<Deleted> = Vec::new();
    let mut by_leader: BTreeMap<i32, BTreeMap<&str, Vec<DeleteRecordsPartition>>> = BTreeMap::new();
    for (key, offset) in wanted {
        let Some(leader) = leaders.get(key).filter(|leader| **leader >= 0) else {
            results.push((key.clone(), Err(refused(UNKNOWN_TOPIC_OR_PARTITION, None))));
            continue;
        };
        let partition = DeleteRecordsPartition::default().with_partition_index(key.1).with_offset(*offset);
        by_leader.entry(*leader).or_default().entry(key.0.as_str()).or_default().push(partition);
    }
    let timeout_ms = cluster.settings().request_timeout.as_millis() as i32;
    for (leader, topics) in by_leader {
        let topics: Vec<DeleteRecordsTopic> = topics
            .into_iter()
            .map(|(name, partitions)| {
                DeleteRecordsTopic::default().with_name(topic_name(name)).with_partitions(partitions)
            })
            .collect();
        let answer = cluster
            .call(Target::Node(leader), |_version| {
                DeleteRecordsRequest::default().with_topics(topics.clone()).with_timeout_ms(timeout_ms)
            })
            .await?;
        for topic in &answer.topics {
            for partition in &topic.partitions {
                let key = (topic.name.0.to_string(), partition.partition_index);
                let result = check(partition.error_code, None).map(|()| partition.low_watermark);
                results.push((key, result));
            }
        }
    }
    results.sort_by(|a, b| a.0.cmp(&b.0));
    Ok(jvm::hash_order(results, |((topic, partition), _)| jvm::topic_partition_hash(topic, *partition)))
}

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_kafka_reads_them() {
        let one = |text: &str| parse(text);
        let wanted = one(r#"{"partitions":[{"topic":"t","partition":1,"offset":-1}]}"#).unwrap();
        assert_eq!(wanted, [(("t".to_owned(), 1), -1)]);
        let twice = r#"{"partitions":[{"topic":"t","partition":1,"offset":1},{"topic":"t","partition":1,"offset":2}]}"#;
        assert!(one(twice).unwrap_err().ends_with("duplicate topic partitions: t-1"));
        assert_eq!(one("{").unwrap_err(), "The input string is not a valid JSON");
        assert_eq!(one("{}").unwrap_err(), "Missing partitions field");
        assert_eq!(one(r#"{"version":2}"#).unwrap_err(), "Not supported version field value 2");
    }
}
