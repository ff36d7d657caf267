//! What a broker spends on reads. The consumers throw the records away in the kernel, so that nearly all the work is the
//! broker's; what they read they still follow offset by offset.

use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use model::Clock;
use serde_json::{Value, json};

use crate::discard::{Counts, Discard};
use crate::load::Load;
use crate::poller::Poller;
use crate::process::{self, Cost};
use crate::produce::{Acks, Batches, Sending};
use crate::schedule::Arrival;
use crate::session::{Limits, Session};
use crate::span::{Span, Stage, Times};
use crate::topic::{Topic, TopicOptions};
use crate::window::{Window, with_arguments};
use crate::{Broker, target, verify};

const MIB: f64 = 1024.0 * 1024.0;
const TURN_MAX: Duration = Duration::from_millis(5);
const GENERATOR_BUSY: f64 = 0.9;
/// Requests in flight of the producer that fills a topic.
const FILL_IN_FLIGHT: usize = 4;

#[derive(Debug, Args)]
pub struct Fetch {
    #[command(flatten)]
    topic: TopicOptions,
    #[command(flatten)]
    batches: Batches,
    #[command(flatten)]
    times: Times,
    /// Fills the topic up to so many MiB before the run.
    #[arg(long, default_value_t = 0)]
    fill_mib: u64,
    /// Consumers, each with a connection and a fetch session of its own, each of whom reads everything.
    #[arg(long, default_value_t = 1)]
    sessions: usize,
    /// Bytes of an answer, at most.
    #[arg(long, default_value_t = 1 << 20)]
    max_bytes: i32,
    /// Bytes of a partition in an answer, at most; by default as many.
    #[arg(long)]
    partition_max_bytes: Option<i32>,
    /// Milliseconds that a fetch waits for records.
    #[arg(long, default_value_t = 500)]
    max_wait_ms: i32,
    /// Begins at the end of the topic. Otherwise a consumer begins at its beginning, again each time it has come to the
    /// end that the topic had when the run began.
    #[arg(long)]
    tail: bool,
    /// Each consumer reads the topic once, and the run ends when all have.
    #[arg(long, conflicts_with = "tail")]
    once: bool,
    /// Records per second, each a request of its own, that are written while the consumers read. What that costs is
    /// measured before they come, and not counted as theirs.
    #[arg(long)]
    rate: Option<f64>,
    /// Partitions that those records go to: the first so many.
    #[arg(long)]
    active: Option<i32>,
    /// One batch of so many is read whole and its CRC checked; 0 for none.
    #[arg(long, default_value_t = 100)]
    sample: u64,
}

impl Fetch {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        let topic = self.topic.open(broker.bootstrap).await?;
        let mut connection = target::connect(broker.bootstrap, "kbench").await?;
        self.fill(broker, &topic, &mut connection, clock).await?;
        let ends = verify::ends(&mut connection, &topic).await?;
        ensure!(
            self.tail || ends.iter().any(|end| *end > 0),
            "the topic is empty: nothing can be read from its beginning"
        );
        let mut load = self.load(broker, &topic, &mut connection, clock).await?;
        let alone = match &mut load {
            None => None,
            Some(load) => Some(self.drive(Some(load), None, broker, clock)?),
        };
        let window = Window::new();
        let mut consumers = Vec::with_capacity(self.sessions);
        for _ in 0..self.sessions {
            let consumer = self.consumer(broker, &topic, &ends, &window)?;
            consumers.push(thread::spawn(move || consumer.run()));
        }
        let watched = Watched { window: &window, consumers: &consumers, ends_with_them: self.once };
        let cost = self.drive(load.as_mut(), Some(watched), broker, clock)?;
        let mut total = Fetched::default();
        for consumer in consumers {
            let fetched = consumer.join().map_err(|_panic| anyhow::anyhow!("a consumer panicked"))??;
            total.add(fetched);
        }
        if let Some(load) = &load {
            verify::counts(broker.bootstrap, &topic, &ends, &load.acked).await?;
        }
        let figures = self.figures(&total, cost, alone, broker);
        self.topic.close(&topic, broker.bootstrap).await?;
        figures
    }

    /// Writes until the topic holds what is asked for.
    async fn fill(
        &self,
        broker: &Broker,
        topic: &Topic,
        connection: &mut client::Connection,
        clock: &Clock,
    ) -> anyhow::Result<()> {
        let before = verify::ends(connection, topic).await?;
        if self.fill_mib == 0 || before.iter().any(|end| *end > 0) {
            return Ok(());
        }
        let sending = sending(None);
        let batches = self.batches.build(&sending, false, connection, clock).await?;
        let mut load = sending.open(broker, topic, &batches, None, clock)?;
        load.is_measuring = true;
        let mut poller = Poller::new()?;
        load.register(&poller)?;
        let is_full = |load: &Load| load.tally.bytes >= self.fill_mib << 20;
        while !is_full(&load) || load.outstanding() > 0 {
            if is_full(&load) {
                load.stop(clock.monotonic());
            } else {
                load.send(clock.monotonic())?;
            }
            for number in poller.wait(TURN_MAX)? {
                let goes_on = !is_full(&load);
                load.ready(number as usize, goes_on)?;
            }
        }
        verify::counts(broker.bootstrap, topic, &before, &load.acked).await
    }

    /// The producer that writes while the consumers read.
    async fn load(
        &self,
        broker: &Broker,
        topic: &Topic,
        connection: &mut client::Connection,
        clock: &Clock,
    ) -> anyhow::Result<Option<Load>> {
        let Some(rate) = self.rate else { return Ok(None) };
        let sending = sending(Some(rate));
        let batches = Batches { batch_bytes: 1, ..self.batches.clone() };
        let batches = batches.build(&sending, false, connection, clock).await?;
        Ok(Some(sending.open(broker, topic, &batches, self.active, clock)?))
    }

    fn consumer(
        &self,
        broker: &Broker,
        topic: &Topic,
        ends: &[i64],
        window: &Window,
    ) -> anyhow::Result<Consumer> {
        let limits = Limits {
            max_wait_ms: self.max_wait_ms,
            max_bytes: self.max_bytes,
            partition_max_bytes: self.partition_max_bytes.unwrap_or(self.max_bytes),
        };
        // An empty partition has nothing to begin again with.
        let from = |end: &i64| match *end {
            end if self.tail => end,
            0 => -1,
            _ => 0,
        };
        Ok(Consumer {
            reader: Discard::open(broker.bootstrap, self.sample)?,
            session: Session::new(topic.id, ends.iter().map(from).collect(), limits),
            ends: if self.tail { vec![i64::MAX; ends.len()] } else { ends.to_vec() },
            once: self.once,
            window: window.clone(),
        })
    }

    /// Keeps the producer going, if there is one, while time passes.
    fn drive(
        &self,
        mut load: Option<&mut Load>,
        watched: Option<Watched<'_>>,
        broker: &Broker,
        clock: &Clock,
    ) -> anyhow::Result<Cost> {
        let mut poller = Poller::new()?;
        if let Some(load) = &load {
            load.register(&poller)?;
        }
        let times = if self.once { Times { seconds: 3600.0, warm_up_seconds: 0.0 } } else { self.times };
        let mut span = Span::new(broker, clock, times);
        loop {
            let now = clock.monotonic();
            let stage = span.look(now)?;
            if let Some(watched) = &watched {
                watched.window.show(stage);
                if watched.consumers.iter().any(JoinHandle::is_finished) && stage != Stage::Over {
                    // Before the end that is an error, which joining gives; or all have read everything.
                    ensure!(watched.ends_with_them, "a consumer ended early");
                    if watched.consumers.iter().all(JoinHandle::is_finished) {
                        span.end();
                    }
                }
            }
            let mut idle = TURN_MAX;
            if let Some(load) = load.as_deref_mut() {
                if stage == Stage::Over {
                    load.stop(now);
                } else {
                    load.send(now)?;
                }
                idle = load.idle(clock.monotonic(), TURN_MAX);
            }
            if stage == Stage::Over && load.as_ref().is_none_or(|load| load.outstanding() == 0) {
                return span.cost();
            }
            for number in poller.wait(idle)? {
                if let Some(load) = load.as_deref_mut() {
                    load.ready(number as usize, false)?;
                }
            }
        }
    }

    fn figures(
        &self,
        total: &Fetched,
        cost: Cost,
        alone: Option<Cost>,
        broker: &Broker,
    ) -> anyhow::Result<Value> {
        ensure!(total.fetches > 0, "no fetch was answered while it was measured");
        let mib = total.counts.bytes as f64 / MIB;
        // The producer beside is not the consumers' doing.
        let producer = alone.map_or(0.0, |alone| alone.broker / alone.seconds * cost.seconds);
        let reading = (cost.broker - producer).max(0.0);
        let busy = cost.generator > GENERATOR_BUSY * cost.seconds * self.sessions as f64;
        let void: Vec<&str> = if busy { vec!["mib_per_second", "fetches_per_second"] } else { Vec::new() };
        let figures = json!({
            "what": "fetch",
            "fetches": total.fetches, "mib": mib, "records": total.counts.records,
            "batches": total.counts.batches, "batches_verified": total.checked,
            "fetches_per_second": total.fetches as f64 / cost.seconds,
            "mib_per_second": mib / cost.seconds,
            "bytes_per_fetch": total.counts.bytes / total.fetches,
            "broker_cpu_us_per_mib": reading * 1e6 / mib,
            "broker_cpu_us_per_fetch": reading * 1e6 / total.fetches as f64,
            "producer_broker_cpu_seconds": producer,
            "void": void,
            "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
        });
        Ok(with_arguments(with_arguments(figures, cost.figures()), process::memory(broker.pid)?))
    }
}

/// What the driving thread keeps an eye on.
struct Watched<'a> {
    window: &'a Window,
    consumers: &'a [JoinHandle<anyhow::Result<Fetched>>],
    /// Whether they end by themselves, and the run with them.
    ends_with_them: bool,
}

/// What was read while it counted; `checked` over the whole run.
#[derive(Clone, Copy, Debug, Default)]
struct Fetched {
    fetches: u64,
    counts: Counts,
    checked: u64,
}

impl Fetched {
    fn add(&mut self, other: Self) {
        self.fetches += other.fetches;
        self.counts.bytes += other.counts.bytes;
        self.counts.batches += other.counts.batches;
        self.counts.records += other.counts.records;
        self.checked += other.checked;
    }
}

struct Consumer {
    reader: Discard,
    session: Session,
    /// Where each partition is to be read to.
    ends: Vec<i64>,
    once: bool,
    window: Window,
}

impl Consumer {
    fn run(mut self) -> anyhow::Result<Fetched> {
        let mut fetched = Fetched::default();
        let mut left = self.ends.iter().filter(|end| **end > 0).count();
        while !(self.window.has_ended() || self.once && left == 0) {
            let before = self.reader.counts;
            self.reader.send(&self.session.request()?)?;
            let answer = self.reader.answer(|partition| self.session.offset(partition))?;
            self.session.answered(answer.correlation_id, answer.session_id)?;
            for (partition, next) in answer.moved {
                let end = self.ends.get_mut(partition as usize).context("no such partition")?;
                let is_done = next >= *end;
                if is_done && self.once {
                    left -= 1;
                    *end = i64::MAX;
                }
                self.session.move_to(partition, if is_done && !self.once { 0 } else { next });
            }
            if self.window.is_measuring() {
                let counts = self.reader.counts;
                fetched.fetches += 1;
                fetched.counts.bytes += counts.bytes - before.bytes;
                fetched.counts.batches += counts.batches - before.batches;
                fetched.counts.records += counts.records - before.records;
            }
        }
        fetched.checked = self.reader.counts.checked;
        Ok(fetched)
    }
}

/// A producer of one connection: to fill a topic, or at a rate.
fn sending(rate: Option<f64>) -> Sending {
    Sending {
        connections: 1,
        partitions_per_request: 1,
        acks: Acks::All,
        idempotent: false,
        in_flight: if rate.is_some() { usize::MAX } else { FILL_IN_FLIGHT },
        rate,
        arrival: Arrival::Uniform,
        spin: false,
    }
}
