//! `kafka-e2e-latency` (`org.apache.kafka.tools.EndToEndLatency`): how long a record takes from a producer to a consumer.

use std::time::Duration;

use bytes::Bytes;
use client::{Cluster, Target};
use wire::messages::CreateTopicsRequest;
use wire::messages::create_topics_request::CreatableTopic;

use crate::consumer::{Consumer, Reading, Received, Wanted};
use crate::jvm;
use crate::kafka::{self, Trouble, check, topic_name};
use crate::options::{HELP, Options, Syntax, VERSION, value};
use crate::producer::{Outgoing, Producer, Sending};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

use super::fixed;

const SYNTAX: Syntax = Syntax {
    about: "This tool measures end-to-end latency in Kafka by sending messages and timing their reception.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["topic"], "name", "The topic. Required."),
        value(&["num-records"], "n", "How many records. Required."),
        value(&["producer-acks"], "acks", "1 or all. Required."),
        value(&["record-size"], "bytes", "Size of a value. Required."),
        value(&["record-key-size"], "bytes", "Size of a key; 0 for none."),
        value(&["record-header-key-size"], "bytes", "Size of a header's key."),
        value(&["record-header-size"], "bytes", "Size of a header's value; -1 for null."),
        value(&["num-headers"], "n", "Headers of a record."),
        value(&["command-config"], "file", "Properties of the clients."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub(crate) fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let arguments = named(arguments, terminal)?;
    let options = SYNTAX.read(&arguments)?;
    options.help_or_version()?;
    options.need(&["bootstrap-server", "topic", "num-records", "producer-acks", "record-size"])?;
    let plan = Plan::of(&options)?;
    let mut properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    properties.set("linger.ms", "0");
    properties.set("acks", options.required("producer-acks")?);
    properties.set("auto.offset.reset", "latest");
    let bootstrap = options.required("bootstrap-server")?;
    let connect = |name: &str| kafka::connect(&bootstrap, &properties, name);
    let mut admin = connect("adminclient-1")?;
    let producer =
        Producer::new(connect("producer-1")?, &plan.topic, Sending::of(&properties)?, terminal.clock.clone());
    let reading = Reading { group: None, ..Reading::of(&properties)? };
    let consumer = Consumer::new(connect("consumer-1")?, Wanted::Topics(vec![plan.topic.clone()]), reading);
    kafka::block_on(async {
        let topics = kafka::topic_names(&mut admin).await?;
        if !topics.iter().any(|(name, _)| *name == plan.topic) {
            terminal.line(format!(
                "Topic \"{}\" does not exist. Will create topic with 1 partition(s) and replication factor = 1",
                plan.topic
            ));
            if let Err(trouble) = create(&mut admin, &plan.topic).await {
                terminal.line(format!("Creation of topic {} failed", plan.topic));
                return Err(trouble.into());
            }
        }
        measure(producer, consumer, &plan, terminal).await
    })
}

/// The old form, without names.
fn named(arguments: &[String], terminal: &mut Terminal) -> Result<Vec<String>, Stop> {
    if arguments.first().is_none_or(|first| first.starts_with('-')) {
        return Ok(arguments.to_vec());
    }
    if !matches!(arguments.len(), 5 | 6) {
        return Err(Stop::Error(format!(
            "Invalid number of arguments. Expected 5 or 6 positional arguments, but got {}. Usage: bootstrap-server topic \
             num-records producer-acks record-size [optional] command-config",
            arguments.len()
        )));
    }
    terminal.line(
        "WARNING: Positional argument usage is deprecated and will be removed in Apache Kafka 5.0. Please use named \
         arguments instead: --bootstrap-server, --topic, --num-records, --producer-acks, --record-size, --command-config",
    );
    const NAMES: [&str; 6] = [
        "--bootstrap-server",
        "--topic",
        "--num-records",
        "--producer-acks",
        "--record-size",
        "--command-config",
    ];
    let pairs = NAMES.iter().zip(arguments);
    Ok(pairs.flat_map(|(name, argument)| [(*name).to_owned(), argument.clone()]).collect())
}

/// What is sent.
#[derive(Clone, Debug)]
struct Plan {
    topic: String,
    records: i64,
    value_bytes: usize,
    key_bytes: usize,
    headers: usize,
    header_key_bytes: usize,
    header_bytes: Option<usize>,
}

impl Plan {
    fn of(options: &Options) -> Result<Self, Stop> {
        let acks = options.required("producer-acks")?;
        if !matches!(acks.as_str(), "1" | "all") {
            return Err(options.usage(
                "Invalid value for --producer-acks. Latency testing requires synchronous acknowledgement. Please use '1' \
                 or 'all'.",
            ));
        }
        let number = |name: &str| Ok::<i32, Stop>(options.number::<i32>(name)?.unwrap_or_default());
        let records = number("num-records")?;
        if records <= 0 {
            return Err(options.usage("Value for --num-records must be a positive integer."));
        }
        let size = |name: &str| {
            usize::try_from(number(name)?).map_err(|_negative| {
                options.usage(format!("Value for --{name} must be a non-negative integer."))
            })
        };
        let header_bytes = number("record-header-size")?;
        let plan = Self {
            topic: options.required("topic")?,
            records: records.into(),
            value_bytes: size("record-size")?,
            key_bytes: size("record-key-size")?,
            header_key_bytes: size("record-header-key-size")?,
            header_bytes: usize::try_from(header_bytes).ok(),
            headers: size("num-headers")?,
        };
        if header_bytes < -1 {
            return Err(options.usage(
                "Value for --record-header-size must be a non-negative integer or -1 for null header value.",
            ));
        }
        Ok(plan)
    }

    fn record(&self, number: i64) -> Outgoing {
        // One letter, which changes from record to record.
        let letter = b'A' + (number.rem_euclid(26)) as u8;
        let filled = |bytes: usize| Bytes::from(vec![letter; bytes]);
        let header_key = String::from_utf8_lossy(&filled(self.header_key_bytes)).into_owned();
        Outgoing {
            key: (self.key_bytes > 0).then(|| filled(self.key_bytes)),
            value: Some(filled(self.value_bytes)),
            headers: vec![(header_key, self.header_bytes.map(filled)); self.headers],
            ..Outgoing::default()
        }
    }
}

async fn create(admin: &mut Cluster, topic: &str) -> Result<(), Trouble> {
    let wanted = CreatableTopic::default()
        .with_name(topic_name(topic))
        .with_num_partitions(1)
        .with_replication_factor(1);
    let timeout_ms = admin.settings().request_timeout.as_millis() as i32;
    let answer = admin
        .call(Target::Controller, |_version| {
            CreateTopicsRequest::default().with_topics(vec![wanted.clone()]).with_timeout_ms(timeout_ms)
        })
        .await?;
    answer.topics.iter().try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
}

async fn measure(
    mut producer: Producer,
    mut consumer: Consumer,
    plan: &Plan,
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    // It has to stand at the end before anything is sent.
    while !consumer.is_placed() {
        consumer.poll(Some(MOMENT), 1).await?;
    }
    let mut latencies: Vec<i64> = Vec::new();
    let mut total_ns = 0_f64;
    for number in 0..plan.records {
        let record = plan.record(number);
        let begun = tokio::time::Instant::now();
        let mut deliveries = producer.push(record.clone()).await;
        deliveries.extend(producer.flush().await);
        if let Some(Err(reason)) = deliveries.into_iter().map(|delivery| delivery.result).find(Result::is_err)
        {
            return Err(Stop::Error(format!("java.util.concurrent.ExecutionException: {reason}")));
        }
        let polled = consumer.poll(Some(PATIENCE), usize::MAX).await?;
        let elapsed = begun.elapsed();
        check_received(&record, &polled).map_err(Stop::Error)?;
        if number % 1000 == 0 {
            terminal.line(format!("{number}\t{}", jvm::double(elapsed.as_nanos() as f64 / 1e6)));
            terminal.flush();
        }
        total_ns += elapsed.as_nanos() as f64;
        latencies.push(elapsed.as_millis() as i64);
    }
    latencies.sort_unstable();
    let percentile = |share: f64| {
        let at = (latencies.len() as f64 * share) as usize;
        latencies.get(at).copied().unwrap_or_default()
    };
    terminal.line(format!("Avg latency: {} ms", fixed(total_ns / plan.records as f64 / 1e6, 4)));
    terminal.line(format!(
        "Percentiles: 50th = {}, 99th = {}, 99.9th = {}",
        percentile(0.5),
        percentile(0.99),
        percentile(0.999)
    ));
    Ok(())
}

/// Whether exactly the record that was sent has come.
fn check_received(sent: &Outgoing, polled: &[Received]) -> Result<(), String> {
    let Some(read) = polled.first() else {
        return Err("poll() timed out before finding a result (timeout:[60000ms])".to_owned());
    };
    let shown =
        |bytes: &Option<Bytes>| String::from_utf8_lossy(bytes.as_deref().unwrap_or_default()).into_owned();
    for (what, sent, read) in [("value", &sent.value, &read.value), ("key", &sent.key, &read.key)] {
        if sent != read {
            return Err(format!(
                "The message {what} read [{}] did not match the message {what} sent [{}]",
                shown(read),
                shown(sent)
            ));
        }
    }
    if sent.headers.len() != read.headers.len() {
        return Err("Header count mismatch between sent and received messages".to_owned());
    }
    match polled.len() {
        1 => Ok(()),
        count => Err(format!("Only one result was expected during this test. We found [{count}]")),
    }
}

const MOMENT: Duration = Duration::from_millis(1);
const PATIENCE: Duration = Duration::from_mins(1);
