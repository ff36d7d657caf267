//! Transactions per second and per second of the broker's CPU time, in the second version of the protocol (KIP-890):
//! one Produce, which adds its partition itself, and one EndTxn, whose answer gives the next epoch.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{bail, ensure};
use bytes::Bytes;
use clap::Args;
use client::Connection;
use model::{Clock, ErrorCode, ProducerEpoch, ProducerId};
use records::BatchBuilder;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use wire::TopicRef;
use wire::messages::{EndTxnRequest, FindCoordinatorRequest, InitProducerIdRequest, TransactionalId};
use wire::produce::{ProducePartition, ProduceRequest, ProduceTopic, TransactionSupport};

use crate::target::{self, is_not_ready, text};
use crate::window::{Window, with_arguments};
use crate::{Broker, process};

const PRODUCE: i16 = 12;
const INIT_PRODUCER_ID: i16 = 5;
const END_TXN: i16 = 5;
const FIND_COORDINATOR: i16 = 4;
/// `FindCoordinatorRequest.CoordinatorType.TRANSACTION`.
const TRANSACTION_KEY: i8 = 1;
const VALUE: [u8; 100] = [b'v'; 100];
const TIMEOUT_MS: i32 = 60_000;
/// Before what was too early is tried again. Kafka's clients wait longer: 20 ms and more.
const BACKOFF: Duration = Duration::from_millis(1);
const ATTEMPTS_MAX: usize = 30_000;

#[derive(Debug, Args)]
pub struct Transactions {
    /// Producers, each with a connection and a transactional id of its own.
    #[arg(long, default_value_t = 1)]
    producers: usize,
    /// Records of 100 bytes in each transaction, in one batch to one partition.
    #[arg(long, default_value_t = 1)]
    records: usize,
    /// Partitions of the topic; producers are spread over them.
    #[arg(long, default_value_t = 16)]
    partitions: i32,
    /// Measured seconds, after a warm-up.
    #[arg(long, default_value_t = 10)]
    seconds: u64,
}

impl Transactions {
    pub async fn run(&self, broker: &Broker, clock: &Clock) -> anyhow::Result<Value> {
        ensure!(self.partitions > 0 && self.records > 0, "a transaction writes something somewhere");
        let (topic, _) = target::topic(broker.bootstrap, self.partitions).await?;
        let window = Window::new();
        let mut producers = JoinSet::new();
        for number in 0..self.producers {
            let producer = Producer {
                transactional_id: format!("{topic}-{number}"),
                topic: topic.clone(),
                partition: i32::try_from(number)? % self.partitions,
                records: self.records,
                producer_id: ProducerId::NONE,
                epoch: ProducerEpoch::NONE,
                retries: 0,
                clock: clock.clone(),
                window: window.clone(),
            };
            producers.spawn(producer.run(broker.bootstrap));
        }
        let cost = window.measure(broker, clock, self.seconds).await?;
        let (mut took, mut retries) = (Vec::new(), 0);
        while let Some(producer) = producers.join_next().await {
            let (times, again) = producer??;
            took.extend(times);
            retries += again;
        }
        let arguments = json!({
            "producers": self.producers, "records": self.records, "partitions": self.partitions,
            "retries": retries, "broker_memory_kib": process::memory_kib(broker.pid)?,
        });
        Ok(with_arguments(cost.figures("transactions", took, 1)?, arguments))
    }
}

/// A transactional producer without a client library around it.
struct Producer {
    transactional_id: String,
    topic: String,
    partition: i32,
    records: usize,
    producer_id: ProducerId,
    epoch: ProducerEpoch,
    /// Requests that came before the end of the transaction before, and were sent again.
    retries: usize,
    clock: Clock,
    window: Window,
}

impl Producer {
    /// Commits one transaction after the other until told to stop; gives the time that each measured one took, and how
    /// many requests were sent again.
    async fn run(mut self, address: SocketAddr) -> anyhow::Result<(Vec<Duration>, usize)> {
        let mut connection = target::connect(address, "kbench").await?;
        self.begin(&mut connection).await?;
        let mut took = Vec::new();
        while !self.window.has_ended() {
            let started = self.clock.monotonic();
            self.produce(&mut connection).await?;
            self.commit(&mut connection).await?;
            if self.window.is_measuring() {
                took.push(self.clock.monotonic().saturating_sub(started));
            }
        }
        Ok((took, self.retries))
    }

    /// Finds the coordinator, which makes its topic where there is none, and gets an id and an epoch.
    async fn begin(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        let find = FindCoordinatorRequest::default()
            .with_key_type(TRANSACTION_KEY)
            .with_coordinator_keys(vec![text(self.transactional_id.as_str())]);
        let init = InitProducerIdRequest::default()
            .with_transactional_id(Some(TransactionalId(text(self.transactional_id.as_str()))))
            .with_transaction_timeout_ms(TIMEOUT_MS)
            .with_producer_id((-1).into())
            .with_producer_epoch(-1);
        for _ in 0..ATTEMPTS_MAX {
            let found = connection.call(FIND_COORDINATOR, &find).await?;
            let mut code = found.coordinators.first().map_or(-1, |found| found.error_code);
            if code == 0 {
                let answer = connection.call(INIT_PRODUCER_ID, &init).await?;
                (self.producer_id, self.epoch) =
                    (ProducerId::new(answer.producer_id.0), ProducerEpoch::new(answer.producer_epoch));
                code = answer.error_code;
            }
            match code {
                0 => return Ok(()),
                code if is_too_early(code) => tokio::time::sleep(Duration::from_millis(20)).await,
                code => bail!("a producer was refused with error {code}"),
            }
        }
        bail!("the coordinator of {} is not available", self.transactional_id)
    }

    /// Writes the transaction's records. The first ones may meet the end of the transaction before, whose markers are
    /// still being written.
    async fn produce(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        let batch = self.batch()?;
        for _ in 0..ATTEMPTS_MAX {
            let partitions =
                vec![ProducePartition { partition: self.partition, records: Some(batch.clone()) }];
            let topic = TopicRef::Name(text(self.topic.as_str()));
            let request = ProduceRequest {
                transactional_id: Some(text(self.transactional_id.as_str())),
                acks: -1,
                timeout_ms: TIMEOUT_MS,
                topics: vec![ProduceTopic { topic, partitions }],
                zstd_allowed: true,
                transaction_support: TransactionSupport::AddsPartitions,
            };
            let answer = connection.call(PRODUCE, &request).await?;
            let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
            match partition.map_or(ErrorCode::UnknownServerError, |partition| partition.error) {
                ErrorCode::None => return Ok(()),
                code if is_too_early(code.code()) => self.back_off().await,
                code => bail!("a produce was refused with {code}"),
            }
        }
        bail!("the transaction before never ended")
    }

    async fn commit(&mut self, connection: &mut Connection) -> anyhow::Result<()> {
        let request = EndTxnRequest::default()
            .with_transactional_id(TransactionalId(text(self.transactional_id.as_str())))
            .with_producer_id(self.producer_id.value().into())
            .with_producer_epoch(self.epoch.value())
            .with_committed(true);
        for _ in 0..ATTEMPTS_MAX {
            let answer = connection.call(END_TXN, &request).await?;
            match answer.error_code {
                0 => {
                    ensure!(
                        answer.producer_epoch != self.epoch.value()
                            || answer.producer_id.0 != self.producer_id.value(),
                        "the epoch was not raised: transaction.version is below 2"
                    );
                    self.producer_id = ProducerId::new(answer.producer_id.0);
                    self.epoch = ProducerEpoch::new(answer.producer_epoch);
                    return Ok(());
                }
                code if is_too_early(code) => self.back_off().await,
                code => bail!("a commit was refused with error {code}"),
            }
        }
        bail!("a transaction could not be committed")
    }

    async fn back_off(&mut self) {
        self.retries += 1;
        tokio::time::sleep(BACKOFF).await;
    }

    fn batch(&self) -> anyhow::Result<Bytes> {
        // Every transaction has an epoch of its own, in which the sequence begins again.
        let mut batch = BatchBuilder::new().producer(self.producer_id, self.epoch, 0).transactional();
        let now_ms = self.clock.wall_ms();
        for _ in 0..self.records {
            batch.append(now_ms, None, Some(&VALUE), &[]);
        }
        Ok(batch.build()?)
    }
}

/// Whether it is to be tried again: the transaction before is not complete, or the topic is not known everywhere yet.
fn is_too_early(code: i16) -> bool {
    const TOO_EARLY: [ErrorCode; 3] = [
        ErrorCode::ConcurrentTransactions,
        ErrorCode::NotLeaderOrFollower,
        ErrorCode::UnknownTopicOrPartition,
    ];
    is_not_ready(code) || TOO_EARLY.iter().any(|error| error.code() == code)
}
