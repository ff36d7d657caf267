//! From the start of a broker's process to the first answers it gives: the address is tried until it takes a connection,
//! then Metadata is asked for until the topic has a leader, then a record is sent until it is acknowledged.

use std::net::SocketAddr;
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use model::{Clock, ErrorCode};
use records::BatchBuilder;
use rustix::process::{Pid, Signal, kill_process};
use serde_json::{Value, json};
use uuid::Uuid;
use wire::produce::{ProducePartition, ProduceRequest, ProduceTopic, TransactionSupport};
use wire::topic_ref::TopicRef;

use crate::frame::PRODUCE;
use crate::topic::Topic;
use crate::{process, target, verify};

const RETRY: Duration = Duration::from_micros(500);
/// A broker that is not there after this is not coming.
const START_MAX: Duration = Duration::from_mins(3);
/// A call that was taken before the broker was ready is not waited for longer.
const CALL_TIMEOUT: Duration = Duration::from_secs(2);
const SETTLE: Duration = Duration::from_secs(3);
const STOP_TRIES: usize = 30_000;
const STOP_EVERY: Duration = Duration::from_millis(2);
const SERVED_TRIES: usize = 20_000;

#[derive(Clone, Debug, Args)]
pub struct Start {
    /// The address that the broker will have.
    #[arg(long = "at")]
    address: SocketAddr,
    /// A topic that it already has.
    #[arg(long)]
    topic: String,
    /// Records that it holds at least, over all partitions, each of which then has to tell its end as well.
    #[arg(long)]
    records_min: Option<i64>,
    /// Ends the broker as a crash would.
    #[arg(long)]
    kill: bool,
    /// The command that becomes the broker.
    #[arg(last = true, required = true)]
    command: Vec<String>,
}

impl Start {
    pub async fn run(&self, clock: &Clock) -> anyhow::Result<Value> {
        let (program, arguments) = self.command.split_first().context("no command")?;
        let started = clock.monotonic();
        let mut broker = Command::new(program)
            .args(arguments)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .with_context(|| format!("{program} does not start"))?;
        let answer = self.measure(&mut broker, started, clock).await;
        if self.kill {
            broker.kill()?;
        }
        let stopping = clock.monotonic();
        stop(&mut broker).await?;
        let mut figures = answer?;
        figures["stop_ms"] = json!(ms(clock.monotonic().saturating_sub(stopping)));
        Ok(figures)
    }

    async fn measure(&self, broker: &mut Child, started: Duration, clock: &Clock) -> anyhow::Result<Value> {
        let since = || clock.monotonic().saturating_sub(started);
        while tokio::net::TcpStream::connect(self.address).await.is_err() {
            alive(broker, since())?;
            tokio::time::sleep(RETRY).await;
        }
        let connected = since();
        let topic = loop {
            let found = tokio::time::timeout(CALL_TIMEOUT, Topic::find(self.address, &self.topic)).await;
            if let Ok(Ok(Some(topic))) = found {
                break topic;
            }
            alive(broker, since())?;
            tokio::time::sleep(RETRY).await;
        };
        let known = since();
        while !self.is_acknowledged(topic.id).await {
            alive(broker, since())?;
            tokio::time::sleep(RETRY).await;
        }
        let acknowledged = since();
        if let Some(records_min) = self.records_min {
            self.check(&topic, records_min).await?;
        }
        let served = since();
        tokio::time::sleep(SETTLE).await;
        let mut figures = process::memory(broker.id())?;
        figures["what"] = json!("start");
        figures["connected_ms"] = json!(ms(connected));
        figures["metadata_ms"] = json!(ms(known));
        figures["first_ack_ms"] = json!(ms(acknowledged));
        figures["served_ms"] = json!(ms(served));
        figures["void"] = json!([]);
        Ok(figures)
    }

    /// Every partition tells its end, and nothing that was acknowledged is missing.
    async fn check(&self, topic: &Topic, records_min: i64) -> anyhow::Result<()> {
        let mut connection = target::connect(self.address, "kbench").await?;
        for _ in 0..SERVED_TRIES {
            if let Ok(ends) = verify::ends(&mut connection, topic).await {
                let records: i64 = ends.iter().sum();
                ensure!(records >= records_min, "{records} records are left of {records_min}");
                return Ok(());
            }
            tokio::time::sleep(RETRY).await;
        }
        anyhow::bail!("not all partitions of {} serve", topic.name)
    }

    async fn is_acknowledged(&self, topic: Uuid) -> bool {
        let mut batch = BatchBuilder::new();
        batch.append(1, None, Some(b"first"), &[]);
        let Ok(batch) = batch.build() else { return false };
        let partitions = vec![ProducePartition { partition: 0, records: Some(batch) }];
        let request = ProduceRequest {
            transactional_id: None,
            acks: -1,
            timeout_ms: 1000,
            topics: vec![ProduceTopic { topic: TopicRef::Id(model::TopicId::new(topic)), partitions }],
            zstd_allowed: true,
            transaction_support: TransactionSupport::AddsPartitions,
        };
        let Ok(mut connection) = client::Connection::open(self.address, "kbench", CALL_TIMEOUT).await else {
            return false;
        };
        let Ok(answer) = connection.call(PRODUCE, &request).await else { return false };
        let partition = answer.topics.first().and_then(|topic| topic.partitions.first());
        partition.is_some_and(|partition| partition.error == ErrorCode::None)
    }
}

fn ms(time: Duration) -> f64 {
    (time.as_secs_f64() * 1e5).round() / 1e2
}

/// Ends it as a service manager would, and without asking when that takes too long.
async fn stop(broker: &mut Child) -> anyhow::Result<()> {
    if broker.try_wait()?.is_none() {
        kill_process(Pid::from_child(broker), Signal::TERM)?;
    }
    for _ in 0..STOP_TRIES {
        if broker.try_wait()?.is_some() {
            return Ok(());
        }
        tokio::time::sleep(STOP_EVERY).await;
    }
    broker.kill()?;
    broker.wait()?;
    Ok(())
}

fn alive(broker: &mut Child, since: Duration) -> anyhow::Result<()> {
    if let Some(code) = broker.try_wait()? {
        anyhow::bail!("the broker ended with {code} before it served");
    }
    ensure!(since < START_MAX, "the broker does not serve after {START_MAX:?}");
    Ok(())
}
