//! Sending with several requests under way to each leader, as Kafka's own producer does: records wait in batches by
//! partition until a batch is full or has lingered, and no longer than there is room for them.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use client::{CallError, Sender};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;
use wire::call;
use wire::produce::{ProducePartition, ProduceRequest};

use crate::kafka::{self, Trouble};

use super::{Delivery, Outgoing, Producer, Window, delivered, failed, is_retriable, outcome, size};

/// A producer with several requests under way.
#[derive(Debug)]
pub struct Pipeline {
    producer: Producer,
    window: Window,
    queues: BTreeMap<i32, Queue>,
    links: BTreeMap<i32, Link>,
    answers: mpsc::UnboundedReceiver<Answer>,
    answered: mpsc::UnboundedSender<Answer>,
    buffered_bytes: usize,
    done: Vec<Delivery>,
    /// Batches whose first attempt failed, in the order they were sent.
    failed: Vec<Flying>,
    links_made: u64,
}

/// What the broker sent over one link.
type Answer = (i32, u64, Result<Bytes, CallError>);

#[derive(Debug, Default)]
struct Queue {
    closed: VecDeque<Vec<Outgoing>>,
    open: Vec<Outgoing>,
    open_bytes: usize,
    opened_at: Option<Instant>,
}

#[derive(Debug)]
struct Link {
    /// Tells answers of this link from late ones of another to the same leader.
    number: u64,
    sender: Sender,
    version: i16,
    flying: VecDeque<Vec<Flying>>,
    reader: JoinHandle<()>,
}

impl Drop for Link {
    fn drop(&mut self) {
        self.reader.abort();
    }
}

#[derive(Debug)]
struct Flying {
    partition: i32,
    records: Vec<Outgoing>,
    batch: Bytes,
}

impl Pipeline {
    /// Sends through this producer, to which nothing was pushed yet.
    pub fn new(producer: Producer, window: Window) -> Self {
        let (answered, answers) = mpsc::unbounded_channel();
        Self {
            producer,
            window,
            queues: BTreeMap::new(),
            links: BTreeMap::new(),
            answers,
            answered,
            buffered_bytes: 0,
            done: Vec::new(),
            failed: Vec::new(),
            links_made: 0,
        }
    }

    /// Gets ready for transactions, where the producer is transactional.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn begin(&mut self) -> Result<(), Trouble> {
        self.producer.begin().await
    }

    /// Takes a record; waits while there is no room for it.
    pub async fn push(&mut self, mut record: Outgoing) {
        let bytes = size(&record);
        if let Some(reason) = self.producer.too_large(bytes) {
            self.done.push(failed(&record, &reason));
            return;
        }
        if let Err(reason) = self.producer.find_topic().await {
            self.done.push(failed(&record, &reason));
            return;
        }
        while self.buffered_bytes + bytes > self.window.bytes_max && self.buffered_bytes > 0 {
            self.close_batches();
            self.send_ready().await;
            self.wait(None).await;
        }
        record.timestamp.get_or_insert(self.producer.clock.wall_ms());
        let partition = self.producer.partition_for(&record, bytes);
        self.buffered_bytes += bytes;
        let batch_bytes = self.producer.sending.batch_bytes;
        let queue = self.queues.entry(partition).or_default();
        let mut is_ready = queue.open_bytes + bytes > batch_bytes;
        if is_ready {
            queue.close();
        }
        queue.open.push(record);
        queue.open_bytes += bytes;
        let now = Instant::now();
        let opened_at = *queue.opened_at.get_or_insert(now);
        is_ready |= now >= opened_at + self.producer.sending.linger;
        if is_ready {
            self.send_ready().await;
            // The readers of answers run while this task does not.
            tokio::task::yield_now().await;
        }
        self.take_answers().await;
    }

    /// What has been delivered, or given up, since the last call.
    pub fn delivered(&mut self) -> Vec<Delivery> {
        std::mem::take(&mut self.done)
    }

    /// Waits so long, and sends what lingers until then.
    pub async fn pause(&mut self, until: Instant) {
        while Instant::now() < until {
            self.send_ready().await;
            let due = self.queues.values().filter_map(|queue| queue.opened_at).min();
            let due = due.map_or(until, |opened| opened + self.producer.sending.linger);
            // What is due may have to wait for an answer, which is read while this task waits.
            let due = due.max(Instant::now() + MOMENT).min(until);
            self.wait(Some(due)).await;
        }
    }

    /// Sends everything and waits for every answer.
    pub async fn flush(&mut self) {
        loop {
            self.close_batches();
            self.send_ready().await;
            let is_empty = self.queues.values().all(|queue| queue.closed.is_empty())
                && self.links.values().all(|link| link.flying.is_empty());
            if is_empty {
                break;
            }
            self.wait(None).await;
        }
    }

    /// Commits the open transaction, where there is one.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn commit(&mut self) -> Result<(), Trouble> {
        self.flush().await;
        self.producer.end(true).await
    }

    fn close_batches(&mut self) {
        self.queues.values_mut().for_each(Queue::close);
    }

    /// Sends a batch of each partition that has one ready, while its leader takes more requests.
    async fn send_ready(&mut self) {
        loop {
            let now = Instant::now();
            let linger = self.producer.sending.linger;
            let mut by_leader: BTreeMap<i32, Vec<i32>> = BTreeMap::new();
            for (partition, queue) in &mut self.queues {
                if queue.closed.is_empty() && queue.opened_at.is_some_and(|opened| now >= opened + linger) {
                    queue.close();
                }
                if queue.closed.is_empty() {
                    continue;
                }
                let leader = self.producer.leaders.get(*partition as usize).copied().unwrap_or(-1);
                let is_free =
                    self.links.get(&leader).is_none_or(|link| link.flying.len() < self.window.requests_max);
                if is_free {
                    by_leader.entry(leader).or_default().push(*partition);
                }
            }
            if by_leader.is_empty() {
                return;
            }
            for (leader, partitions) in by_leader {
                self.send_to(leader, &partitions).await;
            }
        }
    }

    async fn send_to(&mut self, leader: i32, partitions: &[i32]) {
        let added = self.producer.add_partitions(partitions).await;
        let mut flying = Vec::with_capacity(partitions.len());
        for partition in partitions {
            let Some(records) = self.queues.get_mut(partition).and_then(|queue| queue.closed.pop_front())
            else {
                continue;
            };
            let built = match &added {
                Ok(()) => self.producer.batch(*partition, &records).map_err(|error| error.to_string()),
                Err(trouble) => Err(trouble.to_string()),
            };
            match built {
                Ok(batch) => flying.push(Flying { partition: *partition, records, batch }),
                Err(reason) => self.give_up(&records, &reason),
            }
        }
        if flying.is_empty() {
            return;
        }
        let wanted = flying
            .iter()
            .map(|one| ProducePartition { partition: one.partition, records: Some(one.batch.clone()) });
        let request = self.producer.request(wanted.collect());
        match self.send_over(leader, &request).await {
            Ok(()) if request.acks == 0 => {
                for one in flying {
                    self.finish(delivered(&one.records, one.partition, -1), &one.records);
                }
            }
            Ok(()) => {
                if let Some(link) = self.links.get_mut(&leader) {
                    link.flying.push_back(flying);
                }
            }
            Err(_) => {
                let lost = self.drop_link(leader);
                self.failed.extend(lost);
                self.failed.extend(flying);
                self.settle().await;
            }
        }
    }

    async fn send_over(&mut self, leader: i32, request: &ProduceRequest) -> Result<(), Trouble> {
        if !self.links.contains_key(&leader) {
            let dedicated = self.producer.cluster.dedicated(leader).await?;
            let version = dedicated.version::<ProduceRequest>(kafka::PRODUCE_BY_NAME_MAX)?;
            let (sender, mut receiver) = dedicated.connection.split();
            self.links_made += 1;
            let (number, answered) = (self.links_made, self.answered.clone());
            let reader = tokio::spawn(async move {
                loop {
                    let frame = receiver.receive().await;
                    let is_over = frame.is_err();
                    // Nobody listens any more when this fails.
                    if answered.send((leader, number, frame)).is_err() || is_over {
                        return;
                    }
                }
            });
            self.links.insert(leader, Link { number, sender, version, flying: VecDeque::new(), reader });
        }
        let Some(link) = self.links.get_mut(&leader) else { return Ok(()) };
        link.sender.send(link.version, request).await.map_err(client::ClusterError::from)?;
        Ok(())
    }

    /// Waits for an answer, at most until then; a broker that does not answer in time has failed.
    async fn wait(&mut self, until: Option<Instant>) {
        let patience = Instant::now() + self.producer.cluster.settings().request_timeout;
        let until = until.unwrap_or(patience);
        match tokio::time::timeout_at(until.min(patience), self.answers.recv()).await {
            Ok(Some(answer)) => self.take(answer).await,
            Ok(None) => {}
            Err(_elapsed) if until < patience => {}
            Err(_elapsed) => {
                let leaders: Vec<i32> = self.links.keys().copied().collect();
                let lost: Vec<Flying> =
                    leaders.into_iter().flat_map(|leader| self.drop_link(leader)).collect();
                self.failed.extend(lost);
                self.settle().await;
            }
        }
        self.take_answers().await;
    }

    async fn take_answers(&mut self) {
        while let Ok(answer) = self.answers.try_recv() {
            self.take(answer).await;
        }
    }

    async fn take(&mut self, answer: Answer) {
        self.note(answer);
        if !self.failed.is_empty() {
            self.settle().await;
        }
    }

    /// Takes an answer; what may be sent again is kept.
    fn note(&mut self, (leader, number, frame): Answer) {
        let Some(link) = self.links.get_mut(&leader).filter(|link| link.number == number) else { return };
        let response = frame.and_then(|frame| Ok(call::decode::<ProduceRequest>(frame, link.version)?.1));
        let Ok(response) = response else {
            let lost = self.drop_link(leader);
            self.failed.extend(lost);
            return;
        };
        let Some(flying) = link.flying.pop_front() else { return };
        let results: Vec<_> = response.topics.into_iter().flat_map(|topic| topic.partitions).collect();
        for one in flying {
            let result = results.iter().find(|result| result.partition == one.partition);
            match result.map(outcome) {
                Some(Ok(base_offset)) => {
                    self.finish(delivered(&one.records, one.partition, base_offset), &one.records);
                }
                Some(Err((code, message))) if code.is_some_and(|code| !is_retriable(code)) => {
                    self.give_up(&one.records, &message);
                }
                Some(Err(_)) | None => self.failed.push(one),
            }
        }
    }

    /// Waits until nothing is under way, and then sends what failed again, in its order and one by one: so sequence
    /// numbers arrive as they were given.
    async fn settle(&mut self) {
        while self.links.values().any(|link| !link.flying.is_empty()) {
            let timeout = self.producer.cluster.settings().request_timeout;
            if let Ok(Some(answer)) = tokio::time::timeout(timeout, self.answers.recv()).await {
                self.note(answer);
            } else {
                let leaders: Vec<i32> = self.links.keys().copied().collect();
                let lost: Vec<Flying> =
                    leaders.into_iter().flat_map(|leader| self.drop_link(leader)).collect();
                self.failed.extend(lost);
            }
        }
        self.links.clear();
        for one in std::mem::take(&mut self.failed) {
            let records = one.records.clone();
            let attempt = BTreeMap::from([(one.partition, (one.records, one.batch))]);
            let deliveries = self.producer.deliver(attempt).await;
            self.finish(deliveries, &records);
        }
    }

    fn drop_link(&mut self, leader: i32) -> Vec<Flying> {
        let Some(mut link) = self.links.remove(&leader) else { return Vec::new() };
        std::mem::take(&mut link.flying).into_iter().flatten().collect()
    }

    fn give_up(&mut self, records: &[Outgoing], reason: &str) {
        let deliveries = records.iter().map(|record| failed(record, reason)).collect();
        self.finish(deliveries, records);
    }

    fn finish(&mut self, deliveries: Vec<Delivery>, records: &[Outgoing]) {
        let bytes: usize = records.iter().map(size).sum();
        self.buffered_bytes = self.buffered_bytes.saturating_sub(bytes);
        self.done.extend(deliveries);
    }
}

impl Queue {
    fn close(&mut self) {
        if !self.open.is_empty() {
            self.closed.push_back(std::mem::take(&mut self.open));
        }
        self.open_bytes = 0;
        self.opened_at = None;
    }
}

const MOMENT: Duration = Duration::from_millis(1);
