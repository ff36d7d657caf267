//! `kafka-consumer-perf-test` (`org.apache.kafka.tools.ConsumerPerformance`): how fast records can be read.

use std::time::Duration;

use model::Clock;
use regex::Regex;

use crate::consumer::{Change, Consumer, Reading, Wanted};
use crate::kafka;
use crate::options::{HELP, Options, Syntax, VERSION, flag, maybe, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};
use crate::time;

use super::fixed;

const SYNTAX: Syntax = Syntax {
    about: "This tool is used to verify the consumer performance.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["topic"], "name", "The topic."),
        value(&["include"], "expression", "Every topic whose name matches."),
        value(&["group"], "id", "The group; one of its own."),
        value(&["fetch-size"], "bytes", "Most of one partition in one answer; 1048576."),
        value(&["command-property"], "key=value", "A property of the consumer."),
        flag(&["from-latest"], "Begin behind the last record where nothing is committed."),
        value(&["socket-buffer-size"], "bytes", "receive.buffer.bytes; taken and not needed."),
        value(&["consumer.config"], "file", "Deprecated: --command-config."),
        value(&["command-config"], "file", "Properties of the consumer."),
        flag(&["print-metrics"], "Not built."),
        flag(&["show-detailed-stats"], "A line for every interval."),
        maybe(&["timeout"], "ms", "Stop when no record came for so long; 10000."),
        value(&["messages"], "n", "Deprecated: --num-records."),
        value(&["num-records"], "n", "How many records. Required."),
        value(&["reporting-interval"], "ms", "How often to report; 5000."),
        value(&["date-format"], "pattern", "How times are written; yyyy-MM-dd HH:mm:ss:SSS."),
        flag(&["hide-header"], "No line of names."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub(crate) fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    options.help_or_version()?;
    options.need(&["bootstrap-server"])?;
    options.need_one_of(&["messages", "num-records"])?;
    options.need_one_of(&["topic", "include"])?;
    options.forbid_with("consumer.config", &["command-config"])?;
    for (old, new) in [("messages", "num-records"), ("consumer.config", "command-config")] {
        if options.has(old) {
            terminal.line(format!("Warning: --{old} is deprecated. Use --{new} instead."));
        }
    }
    if options.has("print-metrics") {
        return Err(Stop::not_built("--print-metrics"));
    }
    let plan = Plan::of(&options)?;
    let properties = properties(&options, terminal)?;
    let cluster =
        kafka::connect(&options.required("bootstrap-server")?, &properties, "perf-consumer-client")?;
    let consumer = Consumer::new(cluster, wanted(&options)?, Reading::of(&properties)?);
    if !options.has("hide-header") {
        let first = if plan.is_detailed { "time, threadId" } else { "start.time, end.time" };
        terminal.line(format!(
            "{first}, data.consumed.in.MB, MB.sec, data.consumed.in.nMsg, nMsg.sec, rebalance.time.ms, fetch.time.ms, \
             fetch.MB.sec, fetch.nMsg.sec"
        ));
    }
    if plan.interval_ms <= 0 {
        return Err(Stop::Error("Reporting interval must be greater than 0.".to_owned()));
    }
    kafka::block_on(read(consumer, &plan, terminal))
}

/// How much is read and what is told of it.
#[derive(Clone, Debug)]
struct Plan {
    records: i64,
    timeout: Duration,
    interval_ms: i64,
    is_detailed: bool,
    pattern: String,
}

impl Plan {
    fn of(options: &Options) -> Result<Self, Stop> {
        let records = match options.number::<i64>("num-records")? {
            Some(records) => Some(records),
            None => options.number("messages")?,
        };
        let interval_ms = options.number::<i64>("reporting-interval")?.unwrap_or(5000);
        let timeout_ms = options.number::<i64>("timeout")?.unwrap_or(10_000).max(0);
        let pattern = options.one("date-format")?.unwrap_or_else(|| "yyyy-MM-dd HH:mm:ss:SSS".to_owned());
        if time::in_pattern(0, &pattern).is_none() {
            return Err(Stop::not_built(&format!("--date-format '{pattern}'")));
        }
        Ok(Self {
            records: records.unwrap_or_default(),
            timeout: Duration::from_millis(timeout_ms.unsigned_abs()),
            interval_ms,
            is_detailed: options.has("show-detailed-stats"),
            pattern,
        })
    }

    fn shown(&self, ms: i64) -> String {
        time::in_pattern(ms, &self.pattern).unwrap_or_default()
    }
}

fn properties(options: &Options, terminal: &Terminal) -> Result<Properties, Stop> {
    let file = match options.one("command-config")? {
        Some(file) => Some(file),
        None => options.one("consumer.config")?,
    };
    let mut properties = Properties::of_option(file.as_deref())?;
    properties.extend(&options.all("command-property"));
    let group = options.one("group")?.or_else(|| properties.get("group.id").map(str::to_owned));
    let number = terminal.clock.wall_ms().rem_euclid(100_000);
    properties.set("group.id", group.unwrap_or_else(|| format!("perf-consumer-{number}")));
    let fetch_bytes = options.number::<i32>("fetch-size")?.unwrap_or(1 << 20);
    properties.set("max.partition.fetch.bytes", fetch_bytes.to_string());
    properties.set("auto.offset.reset", if options.has("from-latest") { "latest" } else { "earliest" });
    Ok(properties)
}

fn wanted(options: &Options) -> Result<Wanted, Stop> {
    if let Some(expression) = options.one("include")? {
        let pattern = Regex::new(&format!("^(?:{expression})$"));
        let pattern =
            pattern.map_err(|_invalid| Stop::Error(format!("{expression} is an invalid regex.")))?;
        return Ok(Wanted::Pattern(pattern));
    }
    Ok(Wanted::Topics(vec![options.required("topic")?]))
}

/// What has been read so far.
#[derive(Clone, Copy, Debug, Default)]
struct Progress {
    bytes: i64,
    records: i64,
}

impl Progress {
    fn megabytes(self) -> f64 {
        self.bytes as f64 / (1024.0 * 1024.0)
    }
}

async fn read(mut consumer: Consumer, plan: &Plan, terminal: &mut Terminal) -> Result<(), Stop> {
    let clock = terminal.clock.clone();
    let begun_ms = clock.wall_ms();
    let (mut progress, mut rebalancing) = (Progress::default(), Rebalancing::new(begun_ms));
    let (mut last, mut reported_ms, mut consumed_ms) = (progress, begun_ms, begun_ms);
    while progress.records < plan.records {
        let now_ms = clock.wall_ms();
        if now_ms - consumed_ms > plan.timeout.as_millis() as i64 {
            break;
        }
        let polled = consumer.poll(Some(POLL), RECORDS_MAX).await?;
        rebalancing.note(&mut consumer, &clock);
        let now_ms = clock.wall_ms();
        if !polled.is_empty() {
            consumed_ms = now_ms;
        }
        for record in polled {
            progress.records += 1;
            let sizes =
                [&record.key, &record.value].map(|part| part.as_ref().map_or(0, |part| part.len() as i64));
            progress.bytes += sizes.iter().sum::<i64>();
            if now_ms - reported_ms >= plan.interval_ms {
                if plan.is_detailed {
                    terminal.line(detail(plan, progress, last, (reported_ms, now_ms), rebalancing.round_ms));
                    terminal.flush();
                }
                rebalancing.round_ms = 0;
                (last, reported_ms) = (progress, now_ms);
            }
        }
    }
    if progress.records < plan.records {
        terminal.line(format!(
            "WARNING: Exiting before consuming the expected number of records: timeout ({} ms) exceeded. You can use the \
             --timeout option to increase the timeout.",
            plan.timeout.as_millis()
        ));
    }
    let ended_ms = clock.wall_ms();
    consumer.close().await?;
    if !plan.is_detailed {
        terminal.line(summary(plan, progress, (begun_ms, ended_ms), rebalancing.total_ms));
    }
    Ok(())
}

/// How long the group has taken to share the partitions out.
#[derive(Clone, Copy, Debug)]
struct Rebalancing {
    begun_ms: i64,
    total_ms: i64,
    round_ms: i64,
}

impl Rebalancing {
    fn new(begun_ms: i64) -> Self {
        Self { begun_ms, total_ms: 0, round_ms: 0 }
    }

    fn note(&mut self, consumer: &mut Consumer, clock: &Clock) {
        for (change, age) in consumer.changes() {
            let at_ms = clock.wall_ms() - age.as_millis() as i64;
            match change {
                Change::Revoked(_) => self.begun_ms = at_ms,
                Change::Assigned(_) => {
                    self.total_ms += at_ms - self.begun_ms;
                    self.round_ms += at_ms - self.begun_ms;
                }
            }
        }
    }
}

fn summary(plan: &Plan, progress: Progress, (begun_ms, ended_ms): (i64, i64), joining_ms: i64) -> String {
    let fetching_ms = ended_ms - begun_ms - joining_ms;
    let rate = |amount: f64, ms: i64| fixed(amount / (ms as f64 / 1000.0), 4);
    let (records, whole_ms) = (progress.records as f64, ended_ms - begun_ms);
    [
        plan.shown(begun_ms),
        plan.shown(ended_ms),
        fixed(progress.megabytes(), 4),
        rate(progress.megabytes(), whole_ms),
        progress.records.to_string(),
        rate(records, whole_ms),
        joining_ms.to_string(),
        fetching_ms.to_string(),
        rate(progress.megabytes(), fetching_ms),
        rate(records, fetching_ms),
    ]
    .join(", ")
}

fn detail(
    plan: &Plan,
    progress: Progress,
    last: Progress,
    (from_ms, to_ms): (i64, i64),
    joining_ms: i64,
) -> String {
    let since = Progress { bytes: progress.bytes - last.bytes, records: progress.records - last.records };
    let fetching_ms = to_ms - from_ms - joining_ms;
    let rate = |amount: f64, ms: i64| fixed(if ms <= 0 { 0.0 } else { 1000.0 * amount / ms as f64 }, 4);
    [
        plan.shown(to_ms),
        "0".to_owned(),
        fixed(progress.megabytes(), 4),
        rate(since.megabytes(), to_ms - from_ms),
        progress.records.to_string(),
        rate(since.records as f64, to_ms - from_ms),
        joining_ms.to_string(),
        fetching_ms.to_string(),
        rate(since.megabytes(), fetching_ms),
        rate(since.records as f64, fetching_ms),
    ]
    .join(", ")
}

const POLL: Duration = Duration::from_millis(100);
/// `max.poll.records`
const RECORDS_MAX: usize = 500;
