//! `kafka-console-consumer` (`org.apache.kafka.tools.consumer.ConsoleConsumer`): records on standard output.

mod formatter;

use std::time::Duration;

use regex::Regex;
use tokio::signal::unix::{SignalKind, signal};

use crate::consumer::{Consumer, Reading, Wanted};
use crate::kafka::{self, EARLIEST, LATEST};
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

use formatter::Formatter;

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to read data from Kafka topics and outputs it to standard output.",
    options: &[
        value(&["topic"], "name", "The topic."),
        value(&["include"], "expression", "Every topic whose name matches."),
        value(&["partition"], "n", "Only this partition."),
        value(&["offset"], "offset", "Where to begin in it: a number, earliest or latest."),
        value(&["consumer-property"], "key=value", "Deprecated: --command-property."),
        value(&["command-property"], "key=value", "A property of the consumer."),
        value(&["consumer.config"], "file", "Deprecated: --command-config."),
        value(&["command-config"], "file", "Properties of the consumer."),
        value(&["formatter"], "class", "DefaultMessageFormatter or NoOpMessageFormatter."),
        value(&["property"], "key=value", "Deprecated: --formatter-property."),
        value(
            &["formatter-property"],
            "key=value",
            "print.timestamp, print.key, print.offset, print.partition, print.headers, print.value, key.separator, \
             line.separator, headers.separator, null.literal, key.deserializer, value.deserializer.",
        ),
        value(&["formatter-config"], "file", "The same from a file."),
        flag(&["from-beginning"], "Begin at the first record where nothing is committed."),
        value(&["max-messages"], "n", "Stop after so many records."),
        value(&["timeout-ms"], "ms", "Stop when no record came for so long."),
        flag(&["skip-message-on-error"], "Go on after a record that cannot be printed."),
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["key-deserializer"], "class", "One of Kafka's own."),
        value(&["value-deserializer"], "class", "One of Kafka's own."),
        flag(&["enable-systest-events"], "Also print when it ends."),
        value(&["isolation-level"], "level", "read_uncommitted or read_committed."),
        value(&["group"], "id", "The group; without one nothing is committed."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    options.help_or_version()?;
    check_options(&options, terminal)?;
    let properties = properties(&options)?;
    let begin = offset(&options)?;
    let formatter = formatter(&options, terminal)?;
    let (wanted, mut reading) = (wanted(&options, begin)?, Reading::of(&properties)?);
    if options.has("partition") {
        reading.group = None;
    }
    let limits = Limits {
        messages: options.number::<i64>("max-messages").map_err(kafka::plain)?.filter(|max| *max >= 0),
        patience: options
            .number::<i64>("timeout-ms")
            .map_err(kafka::plain)?
            .and_then(|ms| u64::try_from(ms).ok())
            .map(Duration::from_millis),
    };
    let cluster = kafka::connect(&options.required("bootstrap-server")?, &properties, "console-consumer")?;
    if !options.has("partition") {
        terminal.complain(
            "The consumer rebalance protocol (KIP-848) is production-ready! Set group.protocol=consumer to try it \
             out. See https://kafka.apache.org/documentation/#consumer_rebalance_protocol",
        );
    }
    let consumer = Consumer::new(cluster, wanted, reading);
    let result = kafka::block_on(read(consumer, &formatter, limits, terminal));
    if options.has("enable-systest-events") {
        terminal.line("shutdown_complete");
    }
    result
}

/// When to stop.
#[derive(Clone, Copy, Debug)]
struct Limits {
    messages: Option<i64>,
    patience: Option<Duration>,
}

async fn read(
    mut consumer: Consumer,
    formatter: &Formatter,
    limits: Limits,
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    let no_signal = |error| Stop::Error(format!("cannot listen for signals: {error}"));
    let mut interrupted = signal(SignalKind::interrupt()).map_err(no_signal)?;
    let mut terminated = signal(SignalKind::terminate()).map_err(no_signal)?;
    let (mut count, mut status) = (0_i64, 0);
    while limits.messages.is_none_or(|max| count < max) {
        if !consumer.has_ready() {
            terminal.flush();
        }
        let next = tokio::select! {
            next = consumer.next(limits.patience) => next,
            _ = interrupted.recv() => { status = INTERRUPTED; break }
            _ = terminated.recv() => { status = TERMINATED; break }
        };
        match next {
            Ok(Some(record)) => {
                count += 1;
                terminal.bytes(&formatter.format(&record));
                if terminal.is_broken() {
                    terminal.complain("Unable to write to standard out, closing consumer.");
                    break;
                }
            }
            Ok(None) => {
                complain(terminal, "org.apache.kafka.common.errors.TimeoutException");
                break;
            }
            Err(trouble) => {
                complain(terminal, &trouble.to_string());
                break;
            }
        }
    }
    terminal.flush();
    let closed = consumer.close().await;
    terminal.complain(format!("Processed a total of {count} messages"));
    closed.map_err(|trouble| Stop::Error(trouble.to_string()))?;
    if status == 0 { Ok(()) } else { Err(Stop::Status(status)) }
}

fn complain(terminal: &mut Terminal, reason: &str) {
    terminal.log("ERROR", "Error processing message, terminating consumer process: ", LOGGER);
    terminal.complain(reason);
}

const LOGGER: &str = "org.apache.kafka.tools.consumer.ConsoleConsumer";
/// What a shell sees of a process that a signal ended.
const INTERRUPTED: u8 = 128 + 2;
const TERMINATED: u8 = 128 + 15;

fn check_options(options: &Options, terminal: &mut Terminal) -> Result<(), Stop> {
    options.need_one_of(&["topic", "include"])?;
    if options.has("partition") {
        if !options.has("topic") {
            return Err(options.usage("The topic is required when partition is specified."));
        }
        if options.has("from-beginning") && options.has("offset") {
            return Err(options.usage("Options from-beginning and offset cannot be specified together."));
        }
    } else if options.has("offset") {
        return Err(options.usage("The partition is required when offset is specified."));
    }
    options.need(&["bootstrap-server"])?;
    for (old, new) in [("consumer-property", "command-property"), ("consumer.config", "command-config")] {
        if options.has(old) && options.has(new) {
            return Err(options.usage(format!("Options --{old} and --{new} cannot be specified together.")));
        }
    }
    for (old, new) in [("consumer-property", "command-property"), ("consumer.config", "command-config")] {
        if options.has(old) {
            terminal.line(format!(
                "Option --{old} is deprecated and will be removed in a future version. Use --{new} instead."
            ));
        }
    }
    Ok(())
}

/// The consumer's properties: file, arguments, options.
fn properties(options: &Options) -> Result<Properties, Stop> {
    let file = match options.one("consumer.config")? {
        Some(file) => Some(file),
        None => options.one("command-config")?,
    };
    let of_file = Properties::of_option(file.as_deref())?;
    let mut given = Properties::default();
    given.extend(&[options.all("consumer-property"), options.all("command-property")].concat());
    let mut ids: Vec<String> = Vec::new();
    for id in [options.one("group")?.as_deref(), of_file.get("group.id"), given.get("group.id")] {
        ids.extend(id.map(str::to_owned));
    }
    ids.sort();
    ids.dedup();
    if ids.len() > 1 {
        let ids: Vec<String> = ids.iter().map(|id| format!("'{id}'")).collect();
        return Err(options.usage(format!(
            "The group ids provided in different places (directly using '--group', via '--consumer-property', or via \
             '--consumer.config') do not match. Detected group ids: {}",
            ids.join(", ")
        )));
    }
    if !ids.is_empty() && options.has("partition") {
        return Err(options.usage("Options group and partition cannot be specified together."));
    }
    let mut properties = of_file;
    properties.extend(&[options.all("consumer-property"), options.all("command-property")].concat());
    if let Some(id) = ids.pop() {
        properties.set("group.id", id);
    }
    if let Some(level) = options.one("isolation-level")? {
        properties.set("isolation.level", level);
    }
    if let Some(reset) = properties.get("auto.offset.reset") {
        if options.has("from-beginning") && reset != "earliest" {
            return Err(Stop::Error(format!(
                "Can't simultaneously specify --from-beginning and 'auto.offset.reset={reset}', please remove one \
                 option"
            )));
        }
    } else {
        properties
            .set("auto.offset.reset", if options.has("from-beginning") { "earliest" } else { "latest" });
    }
    Ok(properties)
}

fn wanted(options: &Options, begin: i64) -> Result<Wanted, Stop> {
    if let Some(expression) = options.one("include")? {
        let pattern = Regex::new(&format!("^(?:{expression})$"));
        let pattern =
            pattern.map_err(|_invalid| Stop::Error(format!("{expression} is an invalid regex.")))?;
        return Ok(Wanted::Pattern(pattern));
    }
    let topic = options.required("topic")?;
    Ok(match options.number("partition").map_err(kafka::plain)? {
        Some(partition) => Wanted::Partition((topic, partition), begin),
        None => Wanted::Topics(vec![topic]),
    })
}

fn offset(options: &Options) -> Result<i64, Stop> {
    let Some(text) = options.one("offset")? else {
        return Ok(if options.has("from-beginning") { EARLIEST } else { LATEST });
    };
    match text.to_lowercase().as_str() {
        "earliest" => Ok(EARLIEST),
        "latest" => Ok(LATEST),
        _ => text.parse().ok().filter(|offset| *offset >= 0).ok_or_else(|| {
            options.usage(format!(
                "The provided offset value '{text}' is incorrect. Valid values are 'earliest', 'latest', or a \
                 non-negative long."
            ))
        }),
    }
}

fn formatter(options: &Options, terminal: &mut Terminal) -> Result<Formatter, Stop> {
    if options.has("property") && options.has("formatter-property") {
        return Err(
            options.usage("Options --property and --formatter-property cannot be specified together.")
        );
    }
    if options.has("property") {
        terminal.line(
            "Option --property is deprecated and will be removed in a future version. Use --formatter-property instead.",
        );
    }
    let mut properties = Properties::of_option(options.one("formatter-config")?.as_deref())?;
    for (option, key) in
        [("key-deserializer", "key.deserializer"), ("value-deserializer", "value.deserializer")]
    {
        if let Some(class) = options.one(option)?.filter(|class| !class.is_empty()) {
            properties.set(key, class);
        }
    }
    properties.extend(&[options.all("property"), options.all("formatter-property")].concat());
    let class = options.one("formatter")?.unwrap_or_else(|| "DefaultMessageFormatter".to_owned());
    Formatter::new(&class, &properties)
}
