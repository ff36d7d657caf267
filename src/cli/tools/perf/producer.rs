//! `kafka-producer-perf-test` (`org.apache.kafka.tools.ProducerPerformance`): how fast records can be sent.

use bytes::Bytes;
use tokio::time::Instant;

use crate::argparse::{Command, Parsed, Tool};
use crate::kafka::{self, Trouble};
use crate::options::{flag, value};
use crate::producer::{self, Delivery, Outgoing, Pipeline, Producer, Sending};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};
use crate::throttle::Throttle;

use super::payloads::Payloads;
use super::stats::{Stats, Total, Window};

const COMMAND: Command = Command {
    name: "",
    about: "This tool is used to verify the producer performance.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with."),
        value(&["topic"], "name", "The topic."),
        value(&["num-records"], "n", "How many records."),
        value(&["record-size"], "bytes", "Size of a value."),
        value(&["payload-file"], "file", "Values, one of which is taken at random."),
        flag(&["payload-monotonic"], "Values are numbers that count up."),
        value(&["payload-delimiter"], "expression", "What parts the values in the file; a new line."),
        value(&["throughput"], "n", "At most so many records a second; -1 for no limit."),
        value(&["producer-props"], "key=value ...", "Deprecated: --command-property."),
        value(&["command-property"], "key=value ...", "Properties of the producer."),
        value(&["producer.config"], "file", "Deprecated: --command-config."),
        value(&["command-config"], "file", "Properties of the producer."),
        flag(&["print-metrics"], "Not built."),
        value(&["transactional-id"], "id", "Send in transactions of this id."),
        value(&["transaction-duration-ms"], "ms", "How long a transaction lasts; 3000."),
        value(&["warmup-records"], "n", "How many records to leave out of the second summary."),
        value(&["reporting-interval"], "ms", "How often to report; 5000."),
    ],
    one_of: &["record-size", "payload-file", "payload-monotonic"],
    needed: &["topic", "num-records", "throughput"],
};

const TOOL: Tool =
    Tool { name: "kafka-producer-perf-test", about: COMMAND.about, options: &[], commands: &[COMMAND] };

/// Runs the tool.
pub(crate) fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    if arguments.is_empty() {
        return Err(TOOL.show_help(&COMMAND, terminal));
    }
    let parsed = TOOL.read_flat(&COMMAND, &["producer-props", "command-property"], arguments)?;
    let plan = Plan::of(&parsed)?;
    if parsed.options.has("print-metrics") {
        return Err(Stop::not_built("--print-metrics"));
    }
    let payloads = payloads(&parsed, terminal)?;
    deprecations(&parsed, terminal);
    let mut properties = properties(&parsed)?;
    let transaction = transaction(&parsed, &mut properties)?;
    if plan.warmup > 0 {
        terminal.line(format!(
            "Warmup first {} records. Steady state results will print after the complete test summary.",
            plan.warmup
        ));
    }
    let bootstrap = properties.get("bootstrap.servers").unwrap_or_default().to_owned();
    let cluster = kafka::connect(&bootstrap, &properties, "perf-producer-client")?;
    let mut producer = Producer::new(cluster, &plan.topic, Sending::of(&properties)?, terminal.clock.clone());
    if let Some((id, _)) = &transaction {
        producer = producer.transactional(id, properties.number("transaction.timeout.ms", 60_000));
    }
    let pipeline = Pipeline::new(producer, producer::Window::of(&properties));
    let duration_ms = transaction.map(|(_, duration_ms)| duration_ms);
    kafka::block_on(async { Ok(send(pipeline, plan, payloads, duration_ms, lines, terminal).await?) })
}

/// The Java tool's lines.
fn lines(told: Told<'_>, terminal: &mut Terminal) {
    match told {
        Told::Window(window) => {
            terminal.line(window.to_string());
            terminal.flush();
        }
        Told::Failed(reason) => terminal.complain(reason),
        Told::Total(total) => terminal.line(total.to_string()),
    }
}

/// What there is to tell while records are sent.
#[derive(Debug)]
pub(crate) enum Told<'a> {
    /// The records since the last time.
    Window(Window),
    /// Why one was not sent.
    Failed(&'a str),
    /// All of them.
    Total(Total),
}

/// What is sent.
#[derive(Clone, Debug)]
pub(crate) struct Plan {
    pub(crate) topic: String,
    pub(crate) records: u64,
    pub(crate) warmup: u64,
    /// Negative for no limit.
    pub(crate) per_second: f64,
    pub(crate) interval_ms: i64,
}

impl Plan {
    fn of(parsed: &Parsed) -> Result<Self, Stop> {
        let has = |name: &str| parsed.options.has(name);
        let number = |name: &str| parsed.number::<i64>(name);
        let records = number("num-records")?.unwrap_or_default();
        let warmup = number("warmup-records")?.unwrap_or_default();
        let per_second = parsed.number::<f64>("throughput")?.unwrap_or(-1.0);
        let size = parsed.number::<i32>("record-size")?;
        let duration = number("transaction-duration-ms")?;
        let interval_ms = number("reporting-interval")?.unwrap_or(INTERVAL_MS);
        const CONFIGURED: [&str; 5] =
            ["bootstrap-server", "command-property", "producer-props", "producer.config", "command-config"];
        let refusals = [
            (records <= 0, "--num-records should be greater than zero."),
            (
                warmup >= records.max(1),
                "The value for --warmup-records must be strictly fewer than the number of records in the test, \
                 --num-records.",
            ),
            (size.is_some_and(|size| size <= 0), "--record-size should be greater than zero."),
            (
                !CONFIGURED.iter().any(|name| has(name)),
                "At least one of --bootstrap-server, --command-property, --producer-props, --producer.config or \
                 --command-config must be specified.",
            ),
            (
                has("command-property") && has("producer-props"),
                "--command-property and --producer-props cannot be specified together.",
            ),
            (
                has("command-config") && has("producer.config"),
                "--command-config and --producer.config cannot be specified together.",
            ),
            (
                duration.is_some_and(|duration| duration <= 0),
                "--transaction-duration-ms should be greater than zero.",
            ),
            (interval_ms <= 0, "--reporting-interval should be greater than zero."),
        ];
        if let Some((_, words)) = refusals.iter().find(|(refused, _)| *refused) {
            return Err(parsed.refuse(words));
        }
        Ok(Self {
            topic: parsed.value("topic").unwrap_or_default(),
            records: records.unsigned_abs(),
            warmup: warmup.max(0).unsigned_abs(),
            per_second,
            interval_ms,
        })
    }
}

fn deprecations(parsed: &Parsed, terminal: &mut Terminal) {
    for (old, new) in [("producer-props", "command-property"), ("producer.config", "command-config")] {
        if parsed.options.has(old) {
            terminal.line(format!(
                "Option --{old} has been deprecated and will be removed in a future version. Use --{new} instead."
            ));
        }
    }
}

fn payloads(parsed: &Parsed, terminal: &mut Terminal) -> Result<Payloads, Stop> {
    if let Some(size) = parsed.number::<usize>("record-size")? {
        return Ok(Payloads::random(size));
    }
    let Some(path) = parsed.value("payload-file") else { return Ok(Payloads::Number) };
    let delimiter = parsed.value("payload-delimiter").filter(|written| written != "\\n");
    Payloads::of_file(&path, delimiter.as_deref().unwrap_or("\n"), terminal)
}

fn properties(parsed: &Parsed) -> Result<Properties, Stop> {
    let file = parsed.value("command-config").or_else(|| parsed.value("producer.config"));
    let mut properties = Properties::of_option(file.as_deref())?;
    let pairs = [parsed.options.all("producer-props"), parsed.options.all("command-property")].concat();
    if let Some(bad) = pairs.iter().find(|pair| pair.split('=').filter(|part| !part.is_empty()).count() != 2)
    {
        return Err(Stop::Error(format!("java.lang.IllegalArgumentException: Invalid property: {bad}")));
    }
    properties.extend(&pairs);
    if let Some(bootstrap) = parsed.value("bootstrap-server") {
        properties.set("bootstrap.servers", bootstrap);
    }
    Ok(properties)
}

/// The transactional id and how long a transaction lasts, where there are to be transactions.
fn transaction(parsed: &Parsed, properties: &mut Properties) -> Result<Option<(String, i64)>, Stop> {
    let duration = parsed.number::<i64>("transaction-duration-ms")?;
    let named = parsed.value("transactional-id");
    let named = named.or_else(|| properties.get("transactional.id").map(str::to_owned));
    if duration.is_none() && named.is_none() {
        return Ok(None);
    }
    let id = named.unwrap_or_else(|| {
        format!("performance-producer-{}", model::ids::uuid_to_base64(uuid::Uuid::new_v4()))
    });
    properties.set("transactional.id", id.as_str());
    Ok(Some((id, duration.unwrap_or(TRANSACTION_MS))))
}

/// Sends, and tells of it.
pub(crate) async fn send(
    mut pipeline: Pipeline,
    plan: Plan,
    mut payloads: Payloads,
    transaction_ms: Option<i64>,
    mut tell: impl FnMut(Told<'_>, &mut Terminal),
    terminal: &mut Terminal,
) -> Result<(), Trouble> {
    pipeline.begin().await?;
    let begun_ms = terminal.clock.wall_ms();
    let mut results =
        Results { whole: Stats::new(plan.records, plan.interval_ms, begun_ms, false), steady: None };
    let mut throttle = Throttle::new(plan.per_second, begun_ms);
    let mut transaction_begun = None;
    for number in 0..plan.records {
        let sent_ms = terminal.clock.wall_ms();
        if plan.warmup > 0 && number == plan.warmup {
            let steady = Stats::new(plan.records - plan.warmup, plan.interval_ms, sent_ms, true);
            results.steady = Some(steady);
            results.whole.silence();
        }
        let tag = (sent_ms.unsigned_abs() << 1) | u64::from(results.steady.is_some());
        let value: Option<Bytes> = Some(payloads.next(number));
        pipeline.push(Outgoing { value, tag, ..Outgoing::default() }).await;
        results.take(pipeline.delivered(), &mut tell, terminal);
        let open_since = *transaction_begun.get_or_insert(sent_ms);
        if transaction_ms.is_some_and(|duration_ms| sent_ms - open_since >= duration_ms) {
            pipeline.commit().await?;
            transaction_begun = None;
        }
        if let Some(wait) = throttle.wait(number, sent_ms) {
            pipeline.pause(Instant::now() + wait).await;
        }
    }
    pipeline.commit().await?;
    results.take(pipeline.delivered(), &mut tell, terminal);
    let now_ms = terminal.clock.wall_ms();
    tell(Told::Total(results.whole.total(now_ms)), terminal);
    if let Some(steady) = &mut results.steady {
        tell(Told::Total(steady.total(now_ms)), terminal);
    }
    Ok(())
}

/// What has been measured, with and without the first records.
struct Results {
    whole: Stats,
    steady: Option<Stats>,
}

impl Results {
    fn take(
        &mut self,
        deliveries: Vec<Delivery>,
        tell: &mut impl FnMut(Told<'_>, &mut Terminal),
        terminal: &mut Terminal,
    ) {
        if deliveries.is_empty() {
            return;
        }
        let now_ms = terminal.clock.wall_ms();
        for delivery in deliveries {
            if let Err(reason) = delivery.result {
                tell(Told::Failed(&reason), terminal);
                continue;
            }
            let (sent_ms, is_steady) = (delivery.tag >> 1, delivery.tag & 1 == 1);
            let latency = (now_ms - sent_ms.cast_signed()) as i32;
            let bytes = delivery.sizes.1.unwrap_or_default();
            let reports = [
                self.whole.record(latency, bytes, now_ms),
                self.steady.as_mut().filter(|_| is_steady).and_then(|one| one.record(latency, bytes, now_ms)),
            ];
            for report in reports.into_iter().flatten() {
                tell(Told::Window(report), terminal);
            }
        }
    }
}

const INTERVAL_MS: i64 = 5000;
const TRANSACTION_MS: i64 = 3000;
