//! `kafka-console-producer` (`org.apache.kafka.tools.ConsoleProducer`): a record for every line of standard input.

mod lines;

use std::io::IsTerminal as _;

use crate::kafka;
use crate::options::{HELP, Options, Syntax, VERSION, flag, maybe, value};
use crate::producer::{Delivery, Outgoing, Producer, Sending};
use crate::properties::Properties;
use crate::stdin::{LineEnds, read_stdin};
use crate::terminal::{Stop, Terminal};

use lines::LineReader;

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to read data from standard input and publish it to Kafka.",
    options: &[
        value(&["topic"], "name", "The topic. Required."),
        value(&["bootstrap-server", "broker-list"], "host:port,...", "Brokers to begin with. Required."),
        flag(&["sync"], "Wait for each record's answer before the next is sent."),
        maybe(&["compression-codec"], "codec", "none, gzip (also without a value), snappy, lz4 or zstd."),
        value(&["batch-size"], "bytes", "batch.size; 16384."),
        value(&["message-send-max-retries"], "n", "retries; 3."),
        value(&["retry-backoff-ms"], "ms", "retry.backoff.ms; 100."),
        value(&["timeout"], "ms", "linger.ms; 1000."),
        value(&["request-required-acks"], "acks", "acks; -1."),
        value(&["request-timeout-ms"], "ms", "request.timeout.ms; 1500."),
        value(&["metadata-expiry-ms"], "ms", "metadata.max.age.ms; taken and not needed."),
        value(&["max-block-ms"], "ms", "max.block.ms; 60000."),
        value(&["max-memory-bytes"], "bytes", "buffer.memory; taken and not needed."),
        value(&["max-partition-memory-bytes"], "bytes", "Deprecated: --batch-size."),
        value(&["line-reader"], "class", "Only Kafka's LineMessageReader."),
        value(&["socket-buffer-size"], "bytes", "send.buffer.bytes; taken and not needed."),
        value(&["property"], "key=value", "Deprecated: --reader-property."),
        value(
            &["reader-property"],
            "key=value",
            "parse.key, key.separator, parse.headers, headers.delimiter, headers.separator, headers.key.separator, \
             null.marker, ignore.error.",
        ),
        value(&["reader-config"], "file", "The same from a file."),
        value(&["producer-property"], "key=value", "Deprecated: --command-property."),
        value(&["command-property"], "key=value", "A property of the producer."),
        value(&["producer.config"], "file", "Deprecated: --command-config."),
        value(&["command-config"], "file", "Properties of the producer."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    check_options(&options, terminal)?;
    let properties = properties(&options)?;
    let topic = options.required("topic")?;
    if let Some(class) = options.one("line-reader")?.filter(|class| class != LINE_READER) {
        return Err(Stop::not_built(&format!("--line-reader {class}")));
    }
    let mut reading = Properties::of_option(options.one("reader-config")?.as_deref())?;
    reading.extend(&[options.all("property"), options.all("reader-property")].concat());
    let reader = LineReader::new(&reading).map_err(|message| exception(&message))?;
    let cluster = kafka::connect(&options.required("bootstrap-server")?, &properties, "console-producer")?;
    let producer = Producer::new(cluster, &topic, Sending::of(&properties)?, terminal.clock.clone());
    let sync = options.has("sync");
    kafka::block_on(send_lines(producer, reader, Sent { topic, sync }, terminal))
}

const LINE_READER: &str = "org.apache.kafka.tools.LineMessageReader";

fn check_options(options: &Options, terminal: &mut Terminal) -> Result<(), Stop> {
    options.help_or_version()?;
    options.need(&["topic"])?;
    const RENAMED: [(&str, &str); 3] = [
        ("producer.config", "command-config"),
        ("producer-property", "command-property"),
        ("property", "reader-property"),
    ];
    for (old, new) in RENAMED {
        if options.has(old) && options.has(new) {
            return Err(options.usage(format!("Options --{new} and --{old} cannot be specified together.")));
        }
    }
    for (old, new) in [RENAMED[1], RENAMED[0], RENAMED[2]] {
        if options.has(old) {
            terminal.line(format!(
                "Warning: --{old} is deprecated and will be removed in a future version. Use --{new} instead."
            ));
        }
    }
    if options.has("max-partition-memory-bytes") {
        terminal.line(
            "Warning: --max-partition-memory-bytes is deprecated and will be removed in Apache Kafka 5.0. Use \
             --batch-size instead.",
        );
    }
    let bootstrap = options.one("bootstrap-server")?.unwrap_or_default();
    kafka::check_bootstrap(&bootstrap).map_err(|message| options.usage(message))?;
    Ok(())
}

/// The producer's properties: files, then arguments, then options, whose defaults fill what is left.
fn properties(options: &Options) -> Result<Properties, Stop> {
    let file = match options.one("command-config")? {
        Some(file) => Some(file),
        None => options.one("producer.config")?,
    };
    let mut properties = Properties::of_option(file.as_deref())?;
    properties.extend(&[options.all("producer-property"), options.all("command-property")].concat());
    const MERGED: [(&str, &str, &str); 7] = [
        ("linger.ms", "timeout", "1000"),
        ("acks", "request-required-acks", "-1"),
        ("request.timeout.ms", "request-timeout-ms", "1500"),
        ("retries", "message-send-max-retries", "3"),
        ("retry.backoff.ms", "retry-backoff-ms", "100"),
        ("batch.size", "batch-size", "16384"),
        ("max.block.ms", "max-block-ms", "60000"),
    ];
    for (key, option, default) in MERGED {
        match (key, options.number::<i64>(option)) {
            ("acks", _) => match options.one(option)? {
                Some(value) => properties.set(key, value),
                None => properties.set_default(key, default),
            },
            (_, Ok(Some(value))) => properties.set(key, value.to_string()),
            (_, Ok(None)) => properties.set_default(key, default),
            (_, Err(stop)) => return Err(kafka::plain(stop)),
        }
    }
    if let Some(bytes) = options.number::<i64>("max-partition-memory-bytes").map_err(kafka::plain)? {
        properties.set("batch.size", bytes.to_string());
    }
    let codec = match options.one("compression-codec")? {
        Some(codec) if !codec.is_empty() => codec,
        _ if options.has("compression-codec") => "gzip".to_owned(),
        _ => "none".to_owned(),
    };
    properties.set("compression.type", codec);
    Ok(properties)
}

fn exception(message: &str) -> Stop {
    Stop::Error(format!("org.apache.kafka.common.KafkaException: {message}"))
}

/// What the loop needs to know of what it sends.
struct Sent {
    topic: String,
    sync: bool,
}

async fn send_lines(
    mut producer: Producer,
    mut reader: LineReader,
    sent: Sent,
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    let prompt = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    let mut lines = read_stdin(LineEnds::Java);
    let mut ask = prompt;
    loop {
        if std::mem::take(&mut ask) {
            terminal.text(">");
            terminal.flush();
        }
        let next = match producer.due() {
            Some(due) => tokio::time::timeout_at(due, lines.recv()).await,
            None => Ok(lines.recv().await),
        };
        let Ok(chunk) = next else {
            report(producer.flush().await, &sent, terminal)?;
            continue;
        };
        let Some(chunk) = chunk else { break };
        let chunk = match chunk {
            Ok(chunk) => chunk,
            Err(error) => {
                report(producer.flush().await, &sent, terminal)?;
                return Err(exception(&error.to_string()));
            }
        };
        for line in chunk {
            // The Java tool reads text: what is none becomes U+FFFD there too.
            let record = match reader.read(&String::from_utf8_lossy(&line)) {
                Ok(record) => record,
                Err(message) => {
                    report(producer.flush().await, &sent, terminal)?;
                    return Err(exception(&message));
                }
            };
            send(&mut producer, record, &sent, terminal).await?;
        }
        ask = prompt;
    }
    report(producer.flush().await, &sent, terminal)
}

async fn send(
    producer: &mut Producer,
    record: Outgoing,
    sent: &Sent,
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    report(producer.push(record).await, sent, terminal)?;
    if sent.sync {
        report(producer.flush().await, sent, terminal)?;
    }
    Ok(())
}

/// Logs what was not delivered; with `--sync` that is the end.
fn report(deliveries: Vec<Delivery>, sent: &Sent, terminal: &mut Terminal) -> Result<(), Stop> {
    for delivery in deliveries {
        let Err(reason) = delivery.result else { continue };
        if sent.sync {
            return Err(Stop::Error(format!("java.util.concurrent.ExecutionException: {reason}")));
        }
        let bytes = |size: Option<usize>| size.map_or("null".to_owned(), |size| format!("{size} bytes"));
        let (key, value) = delivery.sizes;
        let text = format!(
            "Error when sending message to topic {} with key: {}, value: {} with error: {reason}",
            sent.topic,
            bytes(key),
            bytes(value)
        );
        terminal.log("ERROR", &text, "org.apache.kafka.clients.producer.internals.ErrorLoggingCallback");
    }
    Ok(())
}
