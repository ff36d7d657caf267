//! What a broker spends on appends: requests encoded once and patched, so many in flight or at a rate.

use std::time::Duration;

use anyhow::ensure;
use clap::{Args, ValueEnum};
use client::Connection;
use model::{Clock, ProducerEpoch, ProducerId};
use serde_json::{Value, json};
use wire::messages::InitProducerIdRequest;

use crate::load::{Load, Plan};
use crate::payload::{Batch, Compression, Content, Recipe};
use crate::poller::Poller;
use crate::process::{self, Cost};
use crate::schedule::{Arrival, Schedule};
use crate::span::{Span, Stage, Times};
use crate::topic::{Topic, TopicOptions};
use crate::window::with_arguments;
use crate::{Broker, target, verify};

const INIT_PRODUCER_ID: i16 = 4;
const PRODUCER_TRIES: usize = 600;
const PRODUCER_RETRY: Duration = Duration::from_millis(50);
const DRAIN_MAX: Duration = Duration::from_mins(1);
/// The longest that nobody looks at the clock.
const TURN_MAX: Duration = Duration::from_millis(20);
/// Above this share of a core the generator, not the broker, sets the pace.
const GENERATOR_BUSY: f64 = 0.9;
const MIB: f64 = 1024.0 * 1024.0;

#[derive(Debug, Args)]
pub struct Produce {
    #[command(flatten)]
    pub topic: TopicOptions,
    #[command(flatten)]
    pub batches: Batches,
    #[command(flatten)]
    pub sending: Sending,
    #[command(flatten)]
    pub times: Times,
    /// Ends early once so many MiB have been acknowledged in the measured part: what waits for the disk stays bounded.
    #[arg(long)]
    pub mib_max: Option<f64>,
}

/// What the batches are.
#[derive(Clone, Debug, Args)]
pub struct Batches {
    /// Bytes of each value.
    #[arg(long, default_value_t = 1024)]
    pub record_bytes: usize,
    /// Bytes of a batch on the wire; one record is in it at least.
    #[arg(long, default_value_t = 16_384)]
    pub batch_bytes: usize,
    #[arg(long, default_value = "none")]
    pub compression: Compression,
    #[arg(long, default_value = "random")]
    pub content: Content,
}

/// How they are sent.
#[derive(Clone, Debug, Args)]
pub struct Sending {
    /// Connections, all served by one thread.
    #[arg(long, default_value_t = 1)]
    pub connections: usize,
    /// Batches in a request, each to a partition of its own.
    #[arg(long, default_value_t = 1)]
    pub partitions_per_request: usize,
    #[arg(long, default_value = "all")]
    pub acks: Acks,
    /// Each connection is an idempotent producer.
    #[arg(long)]
    pub idempotent: bool,
    /// Requests in flight on a connection, at most.
    #[arg(long, default_value_t = 5)]
    pub in_flight: usize,
    /// Records per second, over all connections, by a schedule that waits for nobody. Without it each connection keeps
    /// as many requests in flight as it may.
    #[arg(long)]
    pub rate: Option<f64>,
    /// How the schedule's sends follow each other.
    #[arg(long, default_value = "poisson")]
    pub arrival: Arrival,
    /// Never sleeps: no wake-up of this process is in the figures. Takes a whole CPU.
    #[arg(long)]
    pub spin: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Acks {
    #[value(name = "0")]
    None,
    #[value(name = "1")]
    Leader,
    All,
}

impl Produce {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        let topic = self.topic.open(broker.bootstrap).await?;
        let mut connection = target::connect(broker.bootstrap, "kbench").await?;
        let before = verify::ends(&mut connection, &topic).await?;
        let batches = self.batches.build(&self.sending, false, &mut connection, clock).await?;
        let mut load = self.sending.open(broker, &topic, &batches, None, clock)?;
        let cost = self.drive(&mut load, broker, clock)?;
        verify::counts(broker.bootstrap, &topic, &before, &load.acked).await?;
        let after = verify::ends(&mut connection, &topic).await?;
        let read = verify::contents(broker.bootstrap, &topic, (&before, &after), &batches[0]).await?;
        let figures = self.figures(&load, cost, &batches[0], read, broker);
        self.topic.close(&topic, broker.bootstrap).await?;
        figures
    }

    fn drive(&self, load: &mut Load, broker: &Broker, clock: &Clock) -> anyhow::Result<Cost> {
        let mut poller = Poller::new()?;
        load.register(&poller)?;
        let mut span = Span::new(broker, clock, self.times);
        let mut ended = None;
        loop {
            let now = clock.monotonic();
            let stage = span.look(now)?;
            load.is_measuring = stage == Stage::Measuring;
            if stage == Stage::Over {
                let since = *ended.get_or_insert(now);
                load.stop(now);
                ensure!(
                    now.saturating_sub(since) < DRAIN_MAX,
                    "{} requests were never answered",
                    load.outstanding()
                );
                if load.outstanding() == 0 {
                    return span.cost();
                }
            } else {
                load.send(now)?;
            }
            if self.mib_max.is_some_and(|mib| load.tally.bytes as f64 >= mib * MIB) {
                span.end();
            }
            let idle = match stage {
                Stage::Over => TURN_MAX,
                _ if self.sending.spin => Duration::ZERO,
                _ => load.idle(clock.monotonic(), TURN_MAX),
            };
            for number in poller.wait(idle)? {
                load.ready(number as usize, stage != Stage::Over)?;
            }
        }
    }

    fn figures(
        &self,
        load: &Load,
        cost: Cost,
        batch: &Batch,
        samples: u64,
        broker: &Broker,
    ) -> anyhow::Result<Value> {
        let tally = load.tally;
        ensure!(tally.requests > 0, "nothing was answered while it was measured");
        let mib = tally.bytes as f64 / MIB;
        let mut void = load.latencies.void();
        // A spinning generator is always busy, and an open loop has its own measure.
        if self.sending.rate.is_none() && cost.generator > GENERATOR_BUSY * cost.seconds {
            void.extend(["records_per_second", "mib_per_second", "requests_per_second"].map(str::to_owned));
        }
        let offered = self.sending.rate.map(|rate| rate * cost.seconds);
        let mut figures = json!({
            "what": "produce",
            "requests": tally.requests, "records": tally.records, "mib": mib,
            "records_per_second": tally.records as f64 / cost.seconds,
            "requests_per_second": tally.requests as f64 / cost.seconds,
            "mib_per_second": mib / cost.seconds,
            "broker_cpu_us_per_mib": cost.broker * 1e6 / mib,
            "broker_cpu_us_per_request": cost.broker * 1e6 / tally.requests as f64,
            "broker_cpu_us_per_record": cost.broker * 1e6 / tally.records as f64,
            "kept_up": offered.is_none_or(|offered| tally.records as f64 > 0.98 * offered),
            "records_verified": load.acked.iter().sum::<u64>(), "batches_verified": samples,
            "void": void,
        });
        if load.latencies.count() > 0 {
            figures = with_arguments(figures, load.latencies.figures());
        }
        figures = with_arguments(figures, cost.figures());
        figures = with_arguments(figures, process::memory(broker.pid)?);
        let arguments = json!({
            "records_per_batch": batch.records, "batch_wire_bytes": batch.bytes.len(),
            "batch_plain_bytes": batch.plain_bytes,
            "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
        });
        Ok(with_arguments(figures, arguments))
    }
}

impl Batches {
    /// The batch that each connection sends: the same one, but for the producer it names.
    pub async fn build(
        &self,
        sending: &Sending,
        is_stamped: bool,
        connection: &mut Connection,
        clock: &Clock,
    ) -> anyhow::Result<Vec<Batch>> {
        let mut recipe = Recipe {
            content: self.content,
            compression: self.compression,
            record_bytes: self.record_bytes,
            batch_bytes: self.batch_bytes,
            producer: None,
            is_stamped,
            timestamp_ms: clock.wall_ms(),
        };
        if !sending.idempotent {
            return Ok(vec![recipe.batch()?]);
        }
        let mut batches = Vec::with_capacity(sending.connections);
        for _ in 0..sending.connections {
            recipe.producer = Some(producer(connection).await?);
            batches.push(recipe.batch()?);
        }
        Ok(batches)
    }
}

impl Sending {
    /// Opens the connections.
    pub fn open(
        &self,
        broker: &Broker,
        topic: &Topic,
        batches: &[Batch],
        active: Option<i32>,
        clock: &Clock,
    ) -> anyhow::Result<Load> {
        let records = batches.first().map_or(1, |batch| batch.records) * self.partitions_per_request;
        let schedule = self.rate.map(|rate| Schedule::new(rate / records as f64, self.arrival, 1));
        let plan = Plan {
            connections: self.connections,
            partitions_per_request: self.partitions_per_request,
            acks: self.acks.code(),
            in_flight: self.in_flight,
            schedule,
            active,
        };
        Load::open(broker.bootstrap, topic, plan, batches, clock)
    }
}

impl Acks {
    fn code(self) -> i16 {
        match self {
            Self::None => 0,
            Self::Leader => 1,
            Self::All => -1,
        }
    }
}

/// A new idempotent producer.
pub async fn producer(connection: &mut Connection) -> anyhow::Result<(ProducerId, ProducerEpoch)> {
    let request = InitProducerIdRequest::default()
        .with_transactional_id(None)
        .with_transaction_timeout_ms(60_000)
        .with_producer_id((-1).into())
        .with_producer_epoch(-1);
    for _ in 0..PRODUCER_TRIES {
        let answer = connection.call(INIT_PRODUCER_ID, &request).await?;
        // The next block of ids is on its way.
        if target::is_not_ready(answer.error_code) {
            tokio::time::sleep(PRODUCER_RETRY).await;
            continue;
        }
        ensure!(answer.error_code == 0, "no producer id: error {}", answer.error_code);
        return Ok((ProducerId::new(answer.producer_id.0), ProducerEpoch::new(answer.producer_epoch)));
    }
    anyhow::bail!("no producer id is given out")
}
