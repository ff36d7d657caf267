//! The files of `kafka-reassign-partitions`, and where replicas are proposed to go.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::{Value, json};

use crate::kafka::TopicPartition;

/// Brokers by partition, the preferred leader first.
pub(super) type Assignment = BTreeMap<TopicPartition, Vec<i32>>;

/// Log directories by partition and broker.
pub(super) type Dirs = BTreeMap<(TopicPartition, i32), String>;

/// What a file asks for.
#[derive(Debug, Default, PartialEq, Eq)]
pub(super) struct Plan {
    /// Brokers.
    pub(super) replicas: Assignment,
    /// Directories, where it names them.
    pub(super) dirs: Dirs,
}

/// Why a file is refused.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Refused(pub(super) String);

impl From<String> for Refused {
    fn from(words: String) -> Self {
        Self(words)
    }
}

impl From<&str> for Refused {
    fn from(words: &str) -> Self {
        Self(words.to_owned())
    }
}

pub(super) fn read(path: &str) -> Result<String, Refused> {
    std::fs::read_to_string(path).map_err(|error| match error.kind() {
        std::io::ErrorKind::NotFound => Refused(path.to_owned()),
        _ => Refused(format!("{path}: {error}")),
    })
}

/// The reassignment of a file.
pub(super) fn parse(text: &str) -> Result<Plan, Refused> {
    let json: Value = serde_json::from_str(text).map_err(|bad| Refused(bad.to_string()))?;
    check_version(&json)?;
    let (mut found, mut dirs) = (Assignment::new(), Dirs::new());
    let mut twice = Vec::new();
    for entry in listed(&json, "partitions")? {
        let field = |name: &str| entry.get(name).ok_or_else(|| format!("No such field exists: `{name}`"));
        let topic = field("topic")?.as_str().ok_or("Expected `String` value")?.to_owned();
        let partition = field("partition")?.as_i64().and_then(|number| i32::try_from(number).ok());
        let partition = partition.ok_or("Expected `Integer` value")?;
        let replicas = field("replicas")?.as_array().ok_or("Expected JSON array, received something else")?;
        let ids: Option<Vec<i32>> =
            replicas.iter().map(|id| id.as_i64().and_then(|id| i32::try_from(id).ok())).collect();
        let ids = ids.ok_or("Expected `Integer` value")?;
        let key = (topic, partition);
        for (id, dir) in dirs_of(entry, &ids, &format!("{}-{partition}", key.0))? {
            dirs.insert((key.clone(), id), dir);
        }
        if found.insert(key.clone(), ids).is_some() {
            twice.push(format!("{}-{}", key.0, key.1));
        }
    }
    if twice.is_empty() {
        return Ok(Plan { replicas: found, dirs });
    }
    Err(Refused(format!("Partition reassignment contains duplicate topic partitions: {}", twice.join(","))))
}

fn check_version(json: &Value) -> Result<(), String> {
    match json.get("version").map_or(Some(1), Value::as_i64) {
        Some(1) => Ok(()),
        other => Err(format!("Not supported version field value {}", other.unwrap_or_default())),
    }
}

fn listed<'a>(json: &'a Value, name: &str) -> Result<&'a [Value], String> {
    let Some(found) = json.get(name) else { return Ok(&[]) };
    let found = found.as_array().ok_or("Expected JSON array, received something else")?;
    Ok(found)
}

/// The directories that an entry names, by broker.
fn dirs_of(entry: &Value, ids: &[i32], shown: &str) -> Result<Vec<(i32, String)>, Refused> {
    let Some(dirs) = entry.get("log_dirs") else { return Ok(Vec::new()) };
    let dirs = dirs.as_array().ok_or("Expected JSON array, received something else")?;
    let names: Vec<&str> = dirs.iter().filter_map(Value::as_str).collect();
    if names.len() != ids.len() {
        return Err(Refused(format!(
            "Size of replicas list {ids:?} is different from size of log dirs list [{}] for partition {shown}",
            names.join(", ")
        )));
    }
    let named = ids.iter().zip(names).filter(|(_, name)| *name != ANY);
    Ok(named.map(|(id, name)| (*id, name.to_owned())).collect())
}

/// Refuses what cannot be executed.
pub(super) fn check(target: &Assignment) -> Result<(), String> {
    if target.is_empty() {
        return Err("Partition reassignment list cannot be empty".to_owned());
    }
    if target.values().any(Vec::is_empty) {
        return Err("Partition replica list cannot be empty".to_owned());
    }
    for ((topic, partition), ids) in target {
        let twice = duplicates(ids);
        if !twice.is_empty() {
            let twice: Vec<String> = twice.iter().map(ToString::to_string).collect();
            return Err(format!(
                "Partition replica lists may not contain duplicate entries: {topic}-{partition} contains multiple \
                 entries for {}",
                twice.join(",")
            ));
        }
    }
    Ok(())
}

fn duplicates<T: Ord + Clone>(items: &[T]) -> Vec<T> {
    let (mut seen, mut twice) = (BTreeSet::new(), BTreeSet::new());
    for item in items {
        if !seen.insert(item) {
            twice.insert(item.clone());
        }
    }
    twice.into_iter().collect()
}

/// As the tool takes it again.
pub(super) fn shown(assignment: &Assignment, dirs: &Dirs) -> String {
    let partitions = assignment.iter().map(|(key, ids)| {
        let (topic, partition) = key;
        let dir = |id: &i32| dirs.get(&(key.clone(), *id)).map_or(ANY, String::as_str);
        let dirs: Vec<&str> = ids.iter().map(dir).collect();
        // Kafka's order of fields, which `json!` does not keep.
        format!(
            "{{\"topic\":{},\"partition\":{partition},\"replicas\":{},\"log_dirs\":{}}}",
            json!(topic),
            json!(ids),
            json!(dirs)
        )
    });
    format!("{{\"version\":1,\"partitions\":[{}]}}", partitions.collect::<Vec<_>>().join(","))
}

/// The ids of `--broker-list`.
pub(super) fn brokers(list: &str) -> Result<Vec<i32>, String> {
    let bad = |id: &str| format!("For input string: \"{id}\"");
    let ids: Result<Vec<i32>, String> = list.split(',').map(|id| id.parse().map_err(|_| bad(id))).collect();
    let ids = ids?;
    let twice = duplicates(&ids);
    if twice.is_empty() { Ok(ids) } else { Err(format!("Broker list contains duplicate entries: {twice:?}")) }
}

/// The topics of a file.
pub(super) fn topics(text: &str) -> Result<BTreeSet<String>, String> {
    let json: Value =
        serde_json::from_str(text).map_err(|_bad| "The input string is not a valid JSON".to_owned())?;
    check_version(&json)?;
    let mut names = Vec::new();
    for entry in listed(&json, "topics")? {
        let name = entry.get("topic").ok_or("No such field exists: `topic`")?;
        names.push(name.as_str().ok_or("Expected `String` value")?.to_owned());
    }
    let twice = duplicates(&names);
    if twice.is_empty() {
        return Ok(names.into_iter().collect());
    }
    Err(format!("List of topics to reassign contains duplicate entries: [{}]", twice.join(", ")))
}

/// Each partition gets as many replicas as it has, on brokers that follow each other in a ring; the next partition begins
/// one broker further.
pub(super) fn spread(current: &Assignment, brokers: &[i32], start: usize) -> Result<Assignment, String> {
    let mut proposed = Assignment::new();
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for ((topic, partition), ids) in current {
        let count = *counts.entry(topic).or_insert(ids.len());
        if count > brokers.len() {
            return Err(format!(
                "org.apache.kafka.common.errors.InvalidReplicationFactorException: The target replication factor of \
                 {count} cannot be reached because only {} broker(s) are registered.",
                brokers.len()
            ));
        }
        let first = start.wrapping_add(partition.unsigned_abs() as usize);
        let ring = (0..count).filter_map(|at| brokers.get(first.wrapping_add(at) % brokers.len()));
        proposed.insert((topic.clone(), *partition), ring.copied().collect());
    }
    Ok(proposed)
}

/// Stands for whichever directory the broker takes.
const ANY: &str = "any";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn files_are_read_as_kafka_reads_them() {
        let text = r#"{"version":1,"partitions":[{"topic":"t","partition":1,"replicas":[2,1],"log_dirs":["any","any"]}]}"#;
        let read = parse(text).unwrap();
        assert_eq!(read.replicas, Assignment::from([(("t".to_owned(), 1), vec![2, 1])]));
        assert!(read.dirs.is_empty());
        assert_eq!(shown(&read.replicas, &read.dirs), text);
        let text = text.replace("[\"any\",", "[\"/d\",");
        let read = parse(&text).unwrap();
        assert_eq!(read.dirs, Dirs::from([((("t".to_owned(), 1), 2), "/d".to_owned())]));
        assert_eq!(shown(&read.replicas, &read.dirs), text);
        let said = |text: &str| match parse(text) {
            Err(Refused(words)) => words,
            Ok(read) => format!("{read:?}"),
        };
        assert_eq!(said(r#"{"version":2}"#), "Not supported version field value 2");
        assert_eq!(
            check(&parse("{}").unwrap().replicas).unwrap_err(),
            "Partition reassignment list cannot be empty"
        );
        assert!(brokers("1,1").is_err() && brokers("1,x").is_err());
    }

    #[test]
    fn replicas_go_round() {
        let current =
            Assignment::from([(("t".to_owned(), 0), vec![1, 2]), (("t".to_owned(), 1), vec![1, 2])]);
        let proposed = spread(&current, &[1, 2, 3], 2).unwrap();
        assert_eq!(proposed.into_values().collect::<Vec<_>>(), [[3, 1], [1, 2]]);
        assert!(spread(&current, &[1], 0).is_err());
    }
}
