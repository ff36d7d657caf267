//! `ottla topics`.

use std::collections::BTreeMap;

use client::Cluster;
use model::ErrorCode;
use serde_json::{Value, json};

use crate::config_admin;
use crate::kafka::{self, EARLIEST, LATEST, TopicPartition};
use crate::options::{flag, value};
use crate::terminal::{Stop, Terminal};
use crate::topic_admin::{self, Extension, NewTopic};
use crate::topic_description::{self, Topic};

use super::names;
use super::screen::{Cell, Table, Tone, cell, left, maybe, plural, right};
use super::verb::{Call, Completes, Failure, Noun, OneByOne, Verb, YES, report, said_with, wait};

/// The noun.
pub const NOUN: Noun = Noun {
    name: "topics",
    about: "Lists, describes, creates, changes and deletes topics.",
    has_default: true,
    verbs: &[
        Verb {
            name: "list",
            operands: "[NAME...]",
            about: "Shows names, partitions and replicas.",
            completes: Completes::Topics,
            options: &[
                flag(&["all", "a"], "Internal topics too."),
                flag(&["quiet", "q"], "Names alone, one on each line."),
            ],
            run: list,
        },
        Verb {
            name: "describe",
            operands: "NAME...",
            about: "Shows leaders, replicas, offsets and settings.",
            completes: Completes::Topics,
            options: &[],
            run: describe,
        },
        Verb {
            name: "create",
            operands: "NAME...",
            about: "Makes topics.",
            completes: Completes::Nothing,
            options: &[
                value(&["partitions", "p"], "n", "How many partitions; the broker's default."),
                value(&["replicas", "r"], "n", "How many replicas of each; the broker's default."),
                value(&["config", "c"], "key=value", "A setting; may be repeated."),
                flag(&["if-not-exists"], "Nothing to say where the topic is there already."),
            ],
            run: create,
        },
        Verb {
            name: "alter",
            operands: "NAME...",
            about: "Adds partitions, and changes settings.",
            completes: Completes::Topics,
            options: &[
                value(&["partitions", "p"], "n", "How many partitions there are to be."),
                value(&["config", "c"], "key=value", "Sets a setting; may be repeated."),
                value(&["delete-config", "d"], "key", "Takes a setting back; may be repeated."),
            ],
            run: alter,
        },
        Verb {
            name: "delete",
            operands: "NAME...",
            about: "Deletes topics with their records.",
            completes: Completes::Topics,
            options: &[flag(&["if-exists"], "Nothing to say where the topic is not there."), YES],
            run: delete,
        },
    ],
};

fn list(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut cluster = call.cluster()?;
    let found = wait(async {
        let all = call.has("all") || call.operands().iter().any(|name| name.starts_with("__"));
        let metadata = cluster.metadata(None, false).await?;
        let mut topics: Vec<_> = metadata
            .topics
            .into_iter()
            .filter(|topic| all || !topic.is_internal)
            .filter_map(|topic| Some((topic.name.as_ref()?.0.to_string(), topic)))
            .collect();
        topics.sort_by(|(a, _), (b, _)| a.cmp(b));
        if !call.operands().is_empty() {
            let names: Vec<String> = topics.iter().map(|(name, _)| name.clone()).collect();
            let chosen = names::chosen(call.operands(), &names, "topic", false)?;
            topics.retain(|(name, _)| chosen.contains(name));
        }
        Ok(topics)
    })?;
    if call.json() {
        let listed = found.iter().map(|(name, topic)| {
            json!({
                "name": name,
                "id": id_of(topic.topic_id),
                "internal": topic.is_internal,
                "partitions": topic.partitions.len(),
                "replicas": topic.partitions.first().map_or(0, |first| first.replica_nodes.len()),
            })
        });
        terminal.line(Value::from(listed.collect::<Vec<_>>()).to_string());
        return Ok(());
    }
    if call.has("quiet") {
        for (name, _) in &found {
            terminal.line(name);
        }
        return Ok(());
    }
    if found.is_empty() {
        terminal.complain("There are no topics. `ottla topics create NAME` makes one.");
        return Ok(());
    }
    let mut table = Table::new(&[left("NAME"), right("PARTITIONS"), right("REPLICAS"), left("STATE")]);
    for (name, topic) in &found {
        let lacks =
            topic.partitions.iter().filter(|one| one.isr_nodes.len() < one.replica_nodes.len()).count();
        let leaderless = topic.partitions.iter().filter(|one| one.leader_id.0 < 0).count();
        let state = match (leaderless, lacks) {
            _ if topic.error_code != 0 => {
                cell(ErrorCode::from_code(topic.error_code).name()).in_tone(Tone::Bad)
            }
            (0, 0) => cell("ok").in_tone(Tone::Good),
            (0, lacks) => cell(format!("{lacks} under-replicated")).in_tone(Tone::Notable),
            (leaderless, _) => cell(format!("{leaderless} without leader")).in_tone(Tone::Bad),
        };
        let replicas = topic.partitions.first().map_or(0, |first| first.replica_nodes.len());
        let name = if topic.is_internal { cell(name).in_tone(Tone::Dim) } else { cell(name) };
        table.row([name, cell(topic.partitions.len()), cell(replicas), state]);
    }
    terminal.text(table.text(terminal.looks.colour));
    Ok(())
}

fn id_of(id: uuid::Uuid) -> Option<String> {
    (!id.is_nil()).then(|| model::ids::uuid_to_base64(id))
}

/// First and next offset of a partition.
type Span = (Option<i64>, Option<i64>);

fn describe(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    call.named("topic")?;
    let mut cluster = call.cluster()?;
    let (topics, spans) = wait(async {
        let names = names::chosen_topics(&mut cluster, call.operands(), false).await?;
        let mut topics = topic_description::by_name(&mut cluster, &names, None).await?;
        topics.sort_by(|a, b| a.name.cmp(&b.name));
        for topic in &mut topics {
            topic.partitions.sort_by_key(|partition| partition.index);
            topic.configs.sort();
        }
        let spans = spans(&mut cluster, &topics).await?;
        Ok((topics, spans))
    })?;
    if call.json() {
        terminal.line(described_json(&topics, &spans).to_string());
    } else {
        let has_colour = terminal.looks.colour;
        let texts: Vec<String> =
            topics.iter().map(|topic| described_text(topic, &spans, has_colour)).collect();
        terminal.text(texts.join("\n"));
    }
    Ok(())
}

async fn spans(cluster: &mut Cluster, topics: &[Topic]) -> Result<BTreeMap<TopicPartition, Span>, Failure> {
    let all = topics.iter().flat_map(|topic| {
        let led = topic.partitions.iter().filter(|partition| partition.leader >= 0);
        led.map(|partition| (topic.name.clone(), partition.index))
    });
    let all: Vec<TopicPartition> = all.collect();
    let mut spans: BTreeMap<TopicPartition, Span> = BTreeMap::new();
    for time in [EARLIEST, LATEST] {
        let wanted: Vec<(TopicPartition, i64)> = all.iter().map(|one| (one.clone(), time)).collect();
        for (partition, found) in kafka::offsets(cluster, &wanted, 0).await? {
            let offset = found.ok().map(|found| found.offset);
            let span = spans.entry(partition).or_default();
            if time == EARLIEST { span.0 = offset } else { span.1 = offset }
        }
    }
    Ok(spans)
}

fn described_json(topics: &[Topic], spans: &BTreeMap<TopicPartition, Span>) -> Value {
    let topics = topics.iter().map(|topic| {
        let partitions = topic.partitions.iter().map(|one| {
            let (start, end) = spans.get(&(topic.name.clone(), one.index)).copied().unwrap_or_default();
            json!({
                "partition": one.index,
                "leader": (one.leader >= 0).then_some(one.leader),
                "replicas": one.replicas,
                "isr": one.isr,
                "startOffset": start,
                "endOffset": end,
            })
        });
        json!({
            "name": topic.name,
            "id": id_of(topic.id),
            "partitions": partitions.collect::<Vec<_>>(),
            "replicas": topic.partitions.first().map_or(0, topic_description::Partition::replication_factor),
            "configs": topic.configs.iter().cloned().collect::<BTreeMap<_, _>>(),
        })
    });
    Value::from(topics.collect::<Vec<_>>())
}

fn described_text(topic: &Topic, spans: &BTreeMap<TopicPartition, Span>, has_colour: bool) -> String {
    let replicas = topic.partitions.first().map_or(0, topic_description::Partition::replication_factor);
    let (count, replicas) = (topic.partitions.len() as i64, replicas as i64);
    let mut text = format!(
        "{}: {}, {} each",
        Tone::Strong.paint(&topic.name, has_colour),
        plural(count, "partition"),
        plural(replicas, "replica"),
    );
    if let Some(id) = id_of(topic.id) {
        text.push_str(&Tone::Dim.paint(&format!(", id {id}"), has_colour));
    }
    text.push_str("\n\n");
    let mut table = Table::new(&[
        right("PARTITION"),
        right("LEADER"),
        left("REPLICAS"),
        left("IN-SYNC"),
        right("START"),
        right("END"),
        right("RECORDS"),
    ]);
    for one in &topic.partitions {
        let (start, end) = spans.get(&(topic.name.clone(), one.index)).copied().unwrap_or_default();
        let leader = if one.leader >= 0 { cell(one.leader) } else { cell("none").in_tone(Tone::Bad) };
        let is_short = one.isr.len() < one.replicas.len();
        let isr = ids(&one.isr).in_tone(if is_short { Tone::Notable } else { Tone::Plain });
        let records = start.zip(end).map(|(start, end)| end - start);
        table.row([
            cell(one.index),
            leader,
            ids(&one.replicas),
            isr,
            maybe(start),
            maybe(end),
            maybe(records),
        ]);
    }
    text.push_str(&table.text(has_colour));
    if !topic.configs.is_empty() {
        let mut table = Table::new(&[left("SETTING"), left("VALUE")]);
        for (key, value) in &topic.configs {
            table.row([cell(key), cell(value)]);
        }
        text.push('\n');
        text.push_str(&table.text(has_colour));
    }
    text
}

fn ids(brokers: &[i32]) -> Cell {
    let ids: Vec<String> = brokers.iter().map(ToString::to_string).collect();
    maybe(Some(ids.join(",")).filter(|ids| !ids.is_empty()))
}

fn create(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    let names = call.named("topic")?;
    let (partitions, replicas) = (call.number("partitions")?, call.number("replicas")?);
    let configs: BTreeMap<String, String> = call.pairs("config")?.into_iter().collect();
    let mut cluster = call.cluster()?;
    let results = wait(async {
        let (mut results, mut left) = (OneByOne::default(), names.iter());
        while let Some(name) = left.next() {
            let new = NewTopic {
                name: name.clone(),
                partitions,
                replicas,
                configs: configs.clone(),
                ..NewTopic::default()
            };
            let result = match topic_admin::create(&mut cluster, &new).await {
                Err(trouble) if trouble.code() == Some(ErrorCode::TopicAlreadyExists) => {
                    if call.has("if-not-exists") {
                        continue;
                    }
                    let hint = "--if-not-exists makes nothing of it, `ottla topics alter` changes it";
                    Err(said_with(format!("topic '{name}' is there already"), hint))
                }
                other => other.map_err(Failure::from),
            };
            results.note(name, result, &mut left)?;
        }
        Ok(results)
    })?;
    report(call, results.into_all(), "created topic", terminal)
}

fn alter(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    call.named("topic")?;
    let count: Option<i32> = call.number("partitions")?;
    let set: BTreeMap<String, String> = call.pairs("config")?.into_iter().collect();
    let deleted = call.options.all("delete-config");
    if count.is_none() && set.is_empty() && deleted.is_empty() {
        return Err(said_with("there is nothing to change", "give -p, -c or -d"));
    }
    let mut cluster = call.cluster()?;
    let results = wait(async {
        let names = names::chosen_topics(&mut cluster, call.operands(), false).await?;
        let (mut results, mut left) = (OneByOne::default(), names.iter());
        while let Some(name) = left.next() {
            let mut result = Ok(());
            if let Some(count) = count {
                let extension = Extension { name: name.clone(), count, assignment: None };
                let extended = topic_admin::extend(&mut cluster, &[extension]).await;
                result =
                    extended.and_then(|extended| extended.into_iter().try_for_each(|(_, result)| result));
            }
            if result.is_ok() && !(set.is_empty() && deleted.is_empty()) {
                let kind = config_admin::TOPIC;
                result = config_admin::alter(&mut cluster, kind, name, &set, &deleted).await;
            }
            results.note(name, result.map_err(Failure::from), &mut left)?;
        }
        Ok(results)
    })?;
    report(call, results.into_all(), "changed topic", terminal)
}

fn delete(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    call.named("topic")?;
    let mut cluster = call.cluster()?;
    let results = wait(async {
        let chosen = names::chosen_topics(&mut cluster, call.operands(), call.has("if-exists")).await?;
        if chosen.is_empty() {
            return Ok(Vec::new());
        }
        call.may_delete(&chosen, "topic", terminal)?;
        let results = topic_admin::delete(&mut cluster, &chosen).await?;
        if results.is_empty() {
            return Err(Stop::Error("the broker did not say what became of it".to_owned()).into());
        }
        Ok(results)
    })?;
    let results = results.into_iter().map(|(name, result)| (name, result.map_err(Failure::from)));
    report(call, results.collect(), "deleted topic", terminal)
}

#[cfg(test)]
#[path = "topics_tests.rs"]
mod tests;
