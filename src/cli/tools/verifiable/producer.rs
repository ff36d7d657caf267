//! `kafka-verifiable-producer` (`org.apache.kafka.tools.VerifiableProducer`): counts up, and tells of every record what
//! became of it.

use bytes::Bytes;
use serde_json::json;
use tokio::time::Instant;

use crate::argparse::{Command, Parsed, Tool};
use crate::kafka;
use crate::options::value;
use crate::producer::{Delivery, Outgoing, Producer, Sending};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};
use crate::throttle::Throttle;

use super::{Ending, tell};

const COMMAND: Command = Command {
    name: "",
    about: "This tool produces increasing integers to the specified topic and prints JSON metadata to stdout on each \
            \"send\" request.",
    options: &[
        value(&["topic"], "name", "The topic."),
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with."),
        value(&["max-messages"], "n", "How many records; -1 for no end."),
        value(&["throughput"], "n", "At most so many records a second; -1 for no limit."),
        value(&["acks"], "acks", "0, 1 or -1."),
        value(&["producer.config"], "file", "Deprecated: --command-config."),
        value(&["message-create-time"], "ms", "Timestamp of the first record."),
        value(&["value-prefix"], "n", "What stands before the number, and a dot."),
        value(&["repeating-keys"], "n", "Keys count up to here, and begin again at 0."),
        value(&["command-config"], "file", "Properties of the producer."),
    ],
    one_of: &["bootstrap-server"],
    needed: &["topic"],
};

const TOOL: Tool =
    Tool { name: "verifiable-producer", about: COMMAND.about, options: &[], commands: &[COMMAND] };

/// Runs the tool.
pub(crate) fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    if arguments.is_empty() {
        return Err(TOOL.show_help(&COMMAND, terminal));
    }
    let parsed = TOOL.read_flat(&COMMAND, &[], arguments)?;
    let plan = Plan::of(&parsed)?;
    let acks = parsed.number::<i32>("acks")?.unwrap_or(-1);
    if !(-1..=1).contains(&acks) {
        return Err(
            parsed.refuse(&format!("argument --acks: invalid choice: '{acks}' (choose from {{0,1,-1}})"))
        );
    }
    let (old, new) = (parsed.value("producer.config"), parsed.value("command-config"));
    if old.is_some() && new.is_some() {
        return Err(parsed.refuse("Options --producer.config and --command-config are mutually exclusive."));
    }
    if old.is_some() {
        terminal.line(
            "Option --producer.config has been deprecated and will be removed in a future version. Use --command-config \
             instead.",
        );
    }
    let mut properties = Properties::of_option(old.or(new).as_deref())?;
    properties.set_default("acks", acks.to_string());
    properties.set_default("retries", "0");
    let bootstrap = parsed.value("bootstrap-server").unwrap_or_default();
    let cluster = kafka::connect(&bootstrap, &properties, "producer-1")?;
    let topic = parsed.value("topic").unwrap_or_default();
    let producer = Producer::new(cluster, &topic, Sending::of(&properties)?, terminal.clock.clone());
    kafka::block_on(send(producer, &topic, plan, terminal))
}

/// What is sent.
#[derive(Clone, Copy, Debug)]
struct Plan {
    records: u64,
    per_second: i32,
    create_time: Option<i64>,
    prefix: Option<i32>,
    keys: Option<u64>,
}

impl Plan {
    fn of(parsed: &Parsed) -> Result<Self, Stop> {
        let records = parsed.number::<i32>("max-messages")?.unwrap_or(-1);
        Ok(Self {
            records: u64::try_from(records).unwrap_or(u64::MAX),
            per_second: parsed.number("throughput")?.unwrap_or(-1),
            create_time: parsed.number::<i64>("message-create-time")?.filter(|ms| *ms != -1),
            prefix: parsed.number("value-prefix")?,
            keys: parsed.number::<i32>("repeating-keys")?.and_then(|keys| u64::try_from(keys).ok()),
        })
    }

    fn key(&self, number: u64) -> Option<String> {
        self.keys.map(|keys| (number % keys.max(1)).to_string())
    }

    fn value(&self, number: u64) -> String {
        self.prefix.map_or_else(|| number.to_string(), |prefix| format!("{prefix}.{number}"))
    }
}

async fn send(mut producer: Producer, topic: &str, plan: Plan, terminal: &mut Terminal) -> Result<(), Stop> {
    let ending = Ending::listen()?;
    let begun_ms = terminal.clock.wall_ms();
    let mut throttle = Throttle::new(plan.per_second.into(), begun_ms);
    let mut teller = Teller { topic, plan, acked: 0 };
    tell(terminal, "startup_complete", &json!({}));
    let (mut number, mut create_time) = (0, plan.create_time);
    while number < plan.records && !ending.is_asked() {
        let sent_ms = terminal.clock.wall_ms();
        let record = Outgoing {
            key: plan.key(number).map(Bytes::from),
            value: Some(Bytes::from(plan.value(number))),
            timestamp: create_time,
            tag: number,
            ..Outgoing::default()
        };
        create_time = create_time.map(|time| time + (sent_ms - begun_ms));
        teller.tell(producer.push(record).await, terminal);
        let now = Instant::now();
        if producer.due().is_some_and(|due| due <= now) {
            teller.tell(producer.flush().await, terminal);
        }
        if let Some(wait) = throttle.wait(number, sent_ms) {
            pause(&mut producer, now + wait, &ending, &mut teller, terminal).await;
        } else {
            // Signals are heard while this task does not run.
            tokio::task::yield_now().await;
        }
        number += 1;
    }
    teller.tell(producer.flush().await, terminal);
    tell(terminal, "shutdown_complete", &json!({}));
    let elapsed_ms = terminal.clock.wall_ms() - begun_ms;
    let throughput = 1000.0 * (teller.acked as f64 / elapsed_ms as f64);
    let data = json!({
        "sent": number,
        "acked": teller.acked,
        "target_throughput": plan.per_second,
        "avg_throughput": throughput,
    });
    tell(terminal, "tool_data", &data);
    ending.result()
}

/// Waits, and sends what has lingered meanwhile.
async fn pause(
    producer: &mut Producer,
    until: Instant,
    ending: &Ending,
    teller: &mut Teller<'_>,
    terminal: &mut Terminal,
) {
    while Instant::now() < until && !ending.is_asked() {
        let next = producer.due().map_or(until, |due| due.min(until));
        tokio::select! {
            () = tokio::time::sleep_until(next) => {}
            () = ending.wait() => {}
        }
        if producer.due().is_some_and(|due| due <= Instant::now()) {
            teller.tell(producer.flush().await, terminal);
        }
    }
}

/// Tells what became of records.
struct Teller<'a> {
    topic: &'a str,
    plan: Plan,
    acked: u64,
}

impl Teller<'_> {
    fn tell(&mut self, deliveries: Vec<Delivery>, terminal: &mut Terminal) {
        for delivery in deliveries {
            let (key, value) = (self.plan.key(delivery.tag), self.plan.value(delivery.tag));
            let topic = self.topic;
            match delivery.result {
                Ok((partition, offset)) => {
                    self.acked += 1;
                    let data = json!({
                        "key": key, "value": value, "topic": topic, "partition": partition, "offset": offset,
                    });
                    tell(terminal, "producer_send_success", &data);
                }
                Err(reason) => {
                    let data = json!({
                        "key": key, "value": value, "topic": topic,
                        "exception": "class org.apache.kafka.common.KafkaException", "message": reason,
                    });
                    tell(terminal, "producer_send_error", &data);
                }
            }
        }
    }
}
