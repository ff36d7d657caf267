//! `kafka-verifiable-consumer` (`org.apache.kafka.tools.VerifiableConsumer`): reads as a member of a group, and tells what
//! it is given, what it reads and what it commits.

use serde_json::{Value, json};

use crate::argparse::{Command, Parsed, Tool};
use crate::consumer::{Change, Consumer, Reading, Received, Wanted};
use crate::kafka::{self, TopicPartition};
use crate::options::{flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

use super::{Ending, tell};

const COMMAND: Command = Command {
    name: "",
    about: "This tool consumes messages from a specific topic and emits consumer events as JSON objects to STDOUT.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with."),
        value(&["topic"], "name", "The topic."),
        value(&["group-protocol"], "protocol", "classic; consumer is not built."),
        value(&["group-remote-assignor"], "name", "Taken and not needed."),
        value(&["group-id"], "id", "The group."),
        value(&["group-instance-id"], "id", "The member's static name."),
        value(&["max-messages"], "n", "How many records; -1 for no end."),
        value(&["session-timeout"], "ms", "The group's session timeout."),
        flag(&["verbose"], "Also every record."),
        flag(&["enable-autocommit"], "Commit every five seconds, and say nothing of it."),
        value(&["reset-policy"], "policy", "earliest, latest or none."),
        value(&["assignment-strategy"], "class", "Only Kafka's RangeAssignor."),
        value(&["consumer.config"], "file", "Deprecated: --command-config."),
        value(&["command-config"], "file", "Properties of the consumer."),
    ],
    one_of: &[],
    needed: &["bootstrap-server", "topic", "group-id"],
};

const TOOL: Tool =
    Tool { name: "verifiable-consumer", about: COMMAND.about, options: &[], commands: &[COMMAND] };

/// Runs the tool.
pub(crate) fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    if arguments.is_empty() {
        return Err(TOOL.show_help(&COMMAND, terminal));
    }
    let parsed = TOOL.read_flat(&COMMAND, &[], arguments)?;
    if let Some(class) = parsed.value("assignment-strategy").filter(|class| class != RANGE) {
        return Err(Stop::not_built(&format!("--assignment-strategy {class}")));
    }
    let properties = properties(&parsed, terminal)?;
    let bootstrap = parsed.value("bootstrap-server").unwrap_or_default();
    let cluster = kafka::connect(&bootstrap, &properties, "consumer-1")?;
    let topic = parsed.value("topic").unwrap_or_default();
    let consumer = Consumer::new(cluster, Wanted::Topics(vec![topic]), Reading::of(&properties)?);
    let plan = Plan {
        records: parsed.number::<i32>("max-messages")?.and_then(|max| usize::try_from(max).ok()),
        is_verbose: parsed.options.has("verbose"),
        commits: !parsed.options.has("enable-autocommit"),
    };
    kafka::block_on(read(consumer, plan, terminal))
}

fn properties(parsed: &Parsed, terminal: &mut Terminal) -> Result<Properties, Stop> {
    let (old, new) = (parsed.value("consumer.config"), parsed.value("command-config"));
    if old.is_some() && new.is_some() {
        return Err(parsed.refuse("Options --consumer.config and --command-config are mutually exclusive."));
    }
    if old.is_some() {
        terminal.line(
            "Option --consumer.config has been deprecated and will be removed in a future version. Use --command-config \
             instead.",
        );
    }
    let mut properties = Properties::of_option(old.or(new).as_deref())?;
    let given = [
        ("group.protocol", parsed.value("group-protocol").or_else(|| Some("classic".to_owned()))),
        ("session.timeout.ms", parsed.number::<i32>("session-timeout")?.map(|ms| ms.to_string())),
        ("group.id", parsed.value("group-id")),
        ("group.instance.id", parsed.value("group-instance-id")),
        ("enable.auto.commit", Some(parsed.options.has("enable-autocommit").to_string())),
        ("auto.offset.reset", parsed.value("reset-policy").or_else(|| Some("earliest".to_owned()))),
    ];
    for (key, value) in given {
        if let Some(value) = value {
            properties.set(key, value);
        }
    }
    Ok(properties)
}

/// What is read and told.
#[derive(Clone, Copy, Debug)]
struct Plan {
    records: Option<usize>,
    is_verbose: bool,
    commits: bool,
}

async fn read(mut consumer: Consumer, plan: Plan, terminal: &mut Terminal) -> Result<(), Stop> {
    let ending = Ending::listen()?;
    tell(terminal, "startup_complete", &json!({}));
    let (mut count, mut owned) = (0, Vec::new());
    while plan.records.is_none_or(|max| count < max) && !ending.is_asked() {
        let limit = plan.records.map_or(RECORDS_MAX, |max| (max - count).min(RECORDS_MAX));
        let polled = consumer.poll(Some(POLL), limit).await;
        tell_changes(&mut consumer, &mut owned, terminal);
        let polled = match polled {
            Ok(polled) => polled,
            Err(trouble) => {
                terminal.log("ERROR", "Error during processing, terminating consumer process: ", LOGGER);
                terminal.complain(trouble.to_string());
                break;
            }
        };
        if polled.is_empty() {
            continue;
        }
        count += polled.len();
        let offsets = tell_records(&polled, plan.is_verbose, terminal);
        if plan.commits {
            let committed = consumer.commit().await;
            let mut data = json!({ "offsets": offsets, "success": committed.is_ok() });
            if let (Err(trouble), Value::Object(fields)) = (committed, &mut data) {
                fields.insert("error".to_owned(), trouble.to_string().into());
            }
            tell(terminal, "offsets_committed", &data);
        }
    }
    let is_asked = ending.is_asked();
    if is_asked {
        tell(terminal, "shutdown_requested", &json!({}));
    }
    if !owned.is_empty() {
        tell(terminal, "partitions_revoked", &json!({ "partitions": partitions(&owned) }));
    }
    let closed = consumer.close().await;
    tell(terminal, "shutdown_complete", &json!({}));
    if !is_asked {
        // The end of a JVM is a request too.
        tell(terminal, "shutdown_requested", &json!({}));
    }
    closed?;
    ending.result()
}

fn tell_changes(consumer: &mut Consumer, owned: &mut Vec<TopicPartition>, terminal: &mut Terminal) {
    for (change, _age) in consumer.changes() {
        match change {
            Change::Assigned(given) => {
                tell(terminal, "partitions_assigned", &json!({ "partitions": partitions(&given) }));
                *owned = given;
            }
            Change::Revoked(taken) => {
                tell(terminal, "partitions_revoked", &json!({ "partitions": partitions(&taken) }));
                owned.clear();
            }
        }
    }
}

fn partitions(partitions: &[TopicPartition]) -> Value {
    let shown = partitions.iter().map(|(topic, partition)| json!({ "topic": topic, "partition": partition }));
    shown.collect()
}

/// Tells what was read, and gives the offsets behind it.
fn tell_records(polled: &[Received], is_verbose: bool, terminal: &mut Terminal) -> Value {
    let mut keys: Vec<(&str, i32)> = Vec::new();
    for record in polled {
        let key = (record.topic.as_str(), record.partition);
        if !keys.contains(&key) {
            keys.push(key);
        }
    }
    let (mut summaries, mut offsets) = (Vec::new(), Vec::new());
    for (topic, partition) in keys {
        let of_partition: Vec<&Received> =
            polled.iter().filter(|record| record.topic == topic && record.partition == partition).collect();
        let (Some(first), Some(last)) = (of_partition.first(), of_partition.last()) else { continue };
        summaries.push(json!({
            "topic": topic,
            "partition": partition,
            "count": of_partition.len(),
            "minOffset": first.offset,
            "maxOffset": last.offset,
        }));
        offsets.push(json!({ "topic": topic, "partition": partition, "offset": last.offset + 1 }));
        for record in of_partition.iter().filter(|_| is_verbose) {
            let text = |bytes: &Option<bytes::Bytes>| {
                bytes.as_ref().map(|bytes| String::from_utf8_lossy(bytes).into_owned())
            };
            let data = json!({
                "key": text(&record.key),
                "value": text(&record.value),
                "topic": topic,
                "partition": partition,
                "offset": record.offset,
            });
            tell(terminal, "record_data", &data);
        }
    }
    tell(terminal, "records_consumed", &json!({ "count": polled.len(), "partitions": summaries }));
    offsets.into()
}

const RANGE: &str = "org.apache.kafka.clients.consumer.RangeAssignor";
const LOGGER: &str = "org.apache.kafka.tools.VerifiableConsumer";
/// How soon a signal is heard.
const POLL: std::time::Duration = std::time::Duration::from_millis(250);
/// `max.poll.records`
const RECORDS_MAX: usize = 500;
