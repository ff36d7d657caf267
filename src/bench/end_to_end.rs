//! From the moment a record was meant to be sent to the moment its consumer has it, on one clock: producers and consumers
//! are served by one thread.

use std::io::IoSlice;
use std::time::Duration;

use anyhow::ensure;
use bytes::Bytes;
use clap::Args;
use model::batch::{LOG_OVERHEAD, crc_matches};
use model::{BatchHeader, Clock, ErrorCode};
use records::OpenBatch;
use serde_json::{Value, json};
use wire::call;
use wire::fetch::FetchRequest;

use crate::latency::Latencies;
use crate::load::Load;
use crate::poller::{Link, Poller};
use crate::process::{self, Cost};
use crate::produce::{Batches, Sending};
use crate::session::{Limits, Session};
use crate::span::{Span, Stage, Times};
use crate::template::stamp_of;
use crate::topic::{Topic, TopicOptions};
use crate::verify::FETCH;
use crate::window::with_arguments;
use crate::{Broker, target, verify};

/// The consumer's defaults: `fetch.max.wait.ms`, `fetch.max.bytes`, `max.partition.fetch.bytes`.
const LIMITS: Limits = Limits { max_wait_ms: 500, max_bytes: 50 << 20, partition_max_bytes: 1 << 20 };
const DRAIN_MAX: Duration = Duration::from_secs(30);
const TURN_MAX: Duration = Duration::from_millis(20);
/// A batch whose CRC is checked, of so many.
const SAMPLE: u64 = 16;

#[derive(Debug, Args)]
pub struct EndToEnd {
    #[command(flatten)]
    topic: TopicOptions,
    #[command(flatten)]
    batches: Batches,
    #[command(flatten)]
    sending: Sending,
    #[command(flatten)]
    times: Times,
    /// Consumers, each of whom reads everything.
    #[arg(long, default_value_t = 1)]
    consumers: usize,
}

impl EndToEnd {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        ensure!(self.sending.rate.is_some(), "a rate is needed: without one the queue is measured");
        let topic = self.topic.open(broker.bootstrap).await?;
        let mut connection = target::connect(broker.bootstrap, "kbench").await?;
        let before = verify::ends(&mut connection, &topic).await?;
        let batches = self.batches.build(&self.sending, true, &mut connection, clock).await?;
        let mut load = self.sending.open(broker, &topic, &batches, None, clock)?;
        let mut tails = (0..self.consumers)
            .map(|_| Tail::open(broker, &topic, &before))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let mut latencies = Latencies::new()?;
        let cost = self.drive(&mut load, &mut tails, &mut latencies, broker, clock)?;
        verify::counts(broker.bootstrap, &topic, &before, &load.acked).await?;
        let figures = self.figures(&load, &tails, &latencies, cost, broker);
        self.topic.close(&topic, broker.bootstrap).await?;
        figures
    }

    fn drive(
        &self,
        load: &mut Load,
        tails: &mut [Tail],
        latencies: &mut Latencies,
        broker: &Broker,
        clock: &Clock,
    ) -> anyhow::Result<Cost> {
        let mut poller = Poller::new()?;
        load.register(&poller)?;
        for (number, tail) in tails.iter_mut().enumerate() {
            poller.add(&tail.link, (load.connections() + number) as u64)?;
            tail.ask()?;
        }
        let mut span = Span::new(broker, clock, self.times);
        let mut ended = None;
        loop {
            let now = clock.monotonic();
            let stage = span.look(now)?;
            load.is_measuring = stage == Stage::Measuring;
            if stage == Stage::Over {
                let since = *ended.get_or_insert(now);
                for intended in load.stop(now) {
                    latencies.never_sent(intended, now);
                }
                let sent: u64 = load.acked.iter().sum();
                if load.outstanding() == 0 && tails.iter().all(|tail| tail.records == sent) {
                    return span.cost();
                }
                ensure!(now.saturating_sub(since) < DRAIN_MAX, "not all of {sent} records have come");
            } else {
                load.send(now)?;
            }
            let idle = match stage {
                Stage::Over => TURN_MAX,
                _ if self.sending.spin => Duration::ZERO,
                _ => load.idle(clock.monotonic(), TURN_MAX),
            };
            for number in poller.wait(idle)? {
                let number = number as usize;
                match number.checked_sub(load.connections()) {
                    None => load.ready(number, false)?,
                    Some(tail) => {
                        let Some(tail) = tails.get_mut(tail) else { continue };
                        tail.pull(clock, &span, latencies)?;
                    }
                }
            }
        }
    }

    fn figures(
        &self,
        load: &Load,
        tails: &[Tail],
        latencies: &Latencies,
        cost: Cost,
        broker: &Broker,
    ) -> anyhow::Result<Value> {
        ensure!(latencies.count() > 0, "no record that counts has come");
        let records = load.tally.records as f64;
        // The consumers see no lateness of their own: it is that of the sends.
        let mut figures = latencies.figures();
        figures["lateness"] = load.latencies.figures()["lateness"].take();
        let offered = self.sending.rate.unwrap_or_default() * cost.seconds;
        let of_produce = load.latencies.figures();
        figures = with_arguments(
            figures,
            json!({
                "what": "end-to-end",
                "records_per_second": records / cost.seconds,
                "broker_cpu_us_per_record": cost.broker * 1e6 / records.max(1.0),
                "kept_up": records > 0.98 * offered,
                "produce_p50_ms": of_produce["p50_ms"], "produce_p99_ms": of_produce["p99_ms"],
                "produce_p999_ms": of_produce["p999_ms"],
                "records_verified": tails.iter().map(|tail| tail.records).sum::<u64>(),
                "batches_verified": tails.iter().map(|tail| tail.checked).sum::<u64>(),
                "void": load.latencies.void_of(latencies),
                "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
            }),
        );
        Ok(with_arguments(with_arguments(figures, cost.figures()), process::memory(broker.pid)?))
    }
}

/// A consumer that waits at the end.
struct Tail {
    link: Link,
    session: Session,
    records: u64,
    checked: u64,
}

impl Tail {
    fn open(broker: &Broker, topic: &Topic, from: &[i64]) -> anyhow::Result<Self> {
        let session = Session::new(topic.id, from.to_vec(), LIMITS);
        Ok(Self { link: Link::open(broker.bootstrap)?, session, records: 0, checked: 0 })
    }

    /// Asks for what comes next. Requests are small and one at a time, so the socket always has room.
    fn ask(&mut self) -> anyhow::Result<()> {
        let request = self.session.request()?;
        let written = self.link.write(&[IoSlice::new(&request)])?;
        ensure!(written == Some(request.len()), "a fetch of {} bytes found no room", request.len());
        Ok(())
    }

    fn pull(&mut self, clock: &Clock, span: &Span, latencies: &mut Latencies) -> anyhow::Result<()> {
        self.link.read()?;
        let now = clock.monotonic();
        while let Some(frame) = self.link.take_frame()? {
            let frame = Bytes::copy_from_slice(frame);
            let (correlation_id, answer) = call::decode::<FetchRequest>(frame, FETCH)?;
            ensure!(answer.error == ErrorCode::None, "a fetch was refused: {}", answer.error);
            self.session.answered(correlation_id, answer.session_id)?;
            for partition in answer.topics.into_iter().flat_map(|topic| topic.partitions) {
                ensure!(
                    partition.error == ErrorCode::None,
                    "partition {} was not read: {}",
                    partition.partition,
                    partition.error
                );
                let records = Bytes::from(partition.records.concat());
                self.records(partition.partition, records, now, span, latencies)?;
            }
            self.ask()?;
        }
        Ok(())
    }

    fn records(
        &mut self,
        partition: i32,
        mut left: Bytes,
        now: Duration,
        span: &Span,
        latencies: &mut Latencies,
    ) -> anyhow::Result<()> {
        while left.len() > LOG_OVERHEAD {
            let Ok(header) = BatchHeader::parse(&left) else { break };
            if header.size() > left.len() {
                break;
            }
            let batch = left.split_to(header.size());
            let base = header.base_offset.value();
            let next = self.session.offset(partition);
            ensure!(next == Some(base), "partition {partition}: offset {base} follows {next:?}");
            self.records += header.record_count as u64;
            if base.unsigned_abs().is_multiple_of(SAMPLE) {
                ensure!(crc_matches(&batch), "partition {partition}: the CRC at {base} is wrong");
                self.checked += 1;
            }
            let open = OpenBatch::new(&batch, batch.len())?;
            let first = open.records().next().transpose()?.and_then(|record| record.value.and_then(stamp_of));
            if let Some([intended, sent]) = first.map(|stamp| stamp.map(Duration::from_nanos))
                && span.counts(intended)
            {
                latencies.answered(intended, sent, now);
            }
            self.session.move_to(partition, header.last_offset().value() + 1);
        }
        Ok(())
    }
}
