//! What a broker's memory grows by for each connection, producer id, group or partition, and what they cost it while nobody
//! uses them.

use std::net::SocketAddr;
use std::ops::Range;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::{Args, ValueEnum};
use client::Connection;
use model::{Clock, ErrorCode, TopicId};
use records::BatchBuilder;
use serde_json::{Value, json};
use uuid::Uuid;
use wire::api_versions::ApiVersionsRequest;
use wire::call;
use wire::produce::{ProducePartition, ProduceRequest, ProduceTopic, TransactionSupport};
use wire::topic_ref::TopicRef;

use crate::commits::{self, OFFSET_COMMIT};
use crate::frame::PRODUCE;
use crate::idle::Idle;
use crate::produce;
use crate::target::{self, connect};
use crate::topic::Topic;
use crate::window::with_arguments;
use crate::{Broker, process};

const API_VERSIONS: i16 = 3;
/// Sent before their answers are waited for.
const AT_ONCE: usize = 100;
/// What was allocated for a moment is given back by then.
const SETTLE: Duration = Duration::from_secs(1);
const TRIES_MAX: usize = 200;
const RETRY: Duration = Duration::from_millis(50);

#[derive(Clone, Debug, Args)]
pub struct Footprint {
    of: Of,
    /// How many are made.
    #[arg(long, default_value_t = 1000)]
    count: usize,
    /// How many come before them, so that what the first ones load is not counted; without it a tenth of them.
    #[arg(long)]
    before: Option<usize>,
    /// Partitions of one topic, at most: no broker writes more than 10,000 metadata records at once.
    #[arg(long, default_value_t = 5_000)]
    topic_partitions: usize,
    /// The first of the topics, if their names matter.
    #[arg(long)]
    topic: Option<String>,
    #[command(flatten)]
    idle: Idle,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
enum Of {
    /// Connections that have asked for the versions.
    Connections,
    /// Idempotent producers, with one record each.
    Producers,
    /// Groups with one committed offset each.
    Groups,
    /// Partitions without a record.
    Partitions,
}

impl Footprint {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        let mut maker = Maker::open(self, broker.bootstrap).await?;
        let before = self.before();
        maker.make(0..before).await?;
        tokio::time::sleep(SETTLE).await;
        let rss_before = process::memory_kib(broker.pid)?;
        let started = clock.monotonic();
        maker.make(before..before + self.count).await?;
        let made = clock.monotonic().saturating_sub(started);
        tokio::time::sleep(SETTLE).await;
        let idle = self.idle.run(broker, clock).await?;
        let grown = process::memory_kib(broker.pid)?.saturating_sub(rss_before);
        let figures = json!({
            "what": "footprint", "count": self.count,
            "made_ms": (made.as_secs_f64() * 1e5).round() / 1e2,
            "bytes_each": grown as f64 * 1024.0 / self.count as f64,
            "arguments": std::env::args().skip(1).collect::<Vec<_>>(),
        });
        Ok(with_arguments(idle, figures))
    }

    fn before(&self) -> usize {
        self.before.unwrap_or(self.count / 10)
    }
}

/// Makes them, over one connection unless it is connections.
struct Maker<'a> {
    plan: &'a Footprint,
    address: SocketAddr,
    connection: Connection,
    topic: (String, Uuid),
    /// Those that stay open.
    connections: Vec<Connection>,
}

impl<'a> Maker<'a> {
    async fn open(plan: &'a Footprint, address: SocketAddr) -> anyhow::Result<Self> {
        let topic = target::topic(address, 1).await?;
        if plan.of == Of::Groups {
            target::coordinator(address, "footprint").await?;
        }
        let connection = connect(address, "kbench").await?;
        Ok(Self { plan, address, connection, topic, connections: Vec::new() })
    }

    /// Those with the numbers in `range`.
    async fn make(&mut self, range: Range<usize>) -> anyhow::Result<()> {
        match self.plan.of {
            Of::Connections => self.connect(range).await,
            Of::Partitions => self.partitions(range).await,
            Of::Producers | Of::Groups => {
                let numbers: Vec<usize> = range.collect();
                for numbers in numbers.chunks(AT_ONCE) {
                    if self.plan.of == Of::Groups {
                        self.commit(numbers).await?;
                    } else {
                        self.produce(numbers.len()).await?;
                    }
                }
                Ok(())
            }
        }
    }

    async fn connect(&mut self, range: Range<usize>) -> anyhow::Result<()> {
        for _ in range {
            let mut connection = connect(self.address, "kbench").await?;
            connection.call(API_VERSIONS, &ApiVersionsRequest::default()).await?;
            self.connections.push(connection);
        }
        Ok(())
    }

    async fn partitions(&mut self, range: Range<usize>) -> anyhow::Result<()> {
        let mut from = range.start;
        while from < range.end {
            let count = self.plan.topic_partitions.min(range.end - from);
            let name = match &self.plan.topic {
                Some(name) if from == self.plan.before() => name.clone(),
                _ => format!("{}-{from}", self.topic.0),
            };
            Topic::create(self.address, &name, i32::try_from(count)?, &[]).await?;
            from += count;
        }
        Ok(())
    }

    /// Each id is new.
    async fn produce(&mut self, count: usize) -> anyhow::Result<()> {
        let mut batches = Vec::with_capacity(count);
        for _ in 0..count {
            let (id, epoch) = produce::producer(&mut self.connection).await?;
            let mut batch = BatchBuilder::new().producer(id, epoch, 0);
            batch.append(1, None, Some(b"footprint"), &[]);
            batches.push(batch.build()?);
        }
        for batch in batches {
            let partitions = vec![ProducePartition { partition: 0, records: Some(batch) }];
            let topic = TopicRef::Id(TopicId::new(self.topic.1));
            let request = ProduceRequest {
                transactional_id: None,
                acks: 1,
                timeout_ms: 30_000,
                topics: vec![ProduceTopic { topic, partitions }],
                zstd_allowed: true,
                transaction_support: TransactionSupport::AddsPartitions,
            };
            self.connection.send(PRODUCE, &request).await?;
        }
        for _ in 0..count {
            let (_, answer) = call::decode::<ProduceRequest>(self.connection.receive().await?, PRODUCE)?;
            let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
            let error = partition.context("no partition in the answer")?.error;
            ensure!(error == ErrorCode::None, "a producer was refused: {error}");
        }
        Ok(())
    }

    /// Again while the coordinator of some of them is not there yet.
    async fn commit(&mut self, numbers: &[usize]) -> anyhow::Result<()> {
        for _ in 0..TRIES_MAX {
            for number in numbers {
                let request = commits::request(&format!("{}-{number}", self.topic.0), &self.topic.0, 1);
                self.connection.send(OFFSET_COMMIT, &request).await?;
            }
            let mut is_done = true;
            for _ in numbers {
                is_done &= commits::is_committed(self.connection.receive().await?)?;
            }
            if is_done {
                return Ok(());
            }
            tokio::time::sleep(RETRY).await;
        }
        anyhow::bail!("the coordinator does not take commits")
    }
}
