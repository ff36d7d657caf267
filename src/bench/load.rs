//! Producers on one thread: so many requests in flight on each connection, or requests that leave by a schedule.

use std::collections::VecDeque;
use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use bytes::Bytes;
use model::{Clock, ErrorCode, ProducerEpoch, ProducerId};
use wire::call;
use wire::produce::ProduceRequest;

use crate::frame::{PRODUCE, ProduceFrame};
use crate::latency::Latencies;
use crate::payload::Batch;
use crate::poller::{Link, Poller};
use crate::schedule::Schedule;
use crate::template::{Patch, Template};
use crate::topic::Topic;

/// An idle CPU takes so long to wake up: a send is waited for awake from then on, or its lateness would be in every
/// latency.
const AHEAD: Duration = Duration::from_micros(40);

/// What is sent, where, and in which manner.
#[derive(Debug)]
pub struct Plan {
    pub connections: usize,
    pub partitions_per_request: usize,
    pub acks: i16,
    /// Requests in flight on a connection, at most; in an open loop the others wait for their turn.
    pub in_flight: usize,
    /// Of an open loop; without it a closed one sends as fast as it is answered.
    pub schedule: Option<Schedule>,
    /// Partitions that get records: the first so many, or all.
    pub active: Option<i32>,
}

/// What has been answered.
#[derive(Clone, Copy, Debug, Default)]
pub struct Tally {
    pub requests: u64,
    pub records: u64,
    pub bytes: u64,
}

/// The producers of a run.
#[derive(Debug)]
pub struct Load {
    pipes: Vec<Pipe>,
    clock: Clock,
    schedule: Option<Schedule>,
    /// When the schedule's time began, once it has.
    epoch: Option<Duration>,
    in_flight: usize,
    records_per_request: u64,
    next_pipe: usize,
    /// What was answered while it counted.
    pub tally: Tally,
    pub latencies: Latencies,
    /// Records that were acknowledged, or with acks=0 sent, for each partition of the topic.
    pub acked: Vec<u64>,
    /// Whether what happens now counts.
    pub is_measuring: bool,
}

/// One connection and the requests it sends in turn.
#[derive(Debug)]
struct Pipe {
    link: Link,
    frames: Vec<ProduceFrame>,
    /// The sequence numbers that each frame's batches continue with.
    sequences: Vec<i32>,
    is_idempotent: bool,
    records: usize,
    acks: i16,
    next_frame: usize,
    next_correlation_id: i32,
    /// Intended times of what is to be sent, and whether they count.
    due: VecDeque<(Duration, bool)>,
    writing: Option<(Flight, usize)>,
    flights: VecDeque<Flight>,
    is_blocked: bool,
}

/// A request that has been begun.
#[derive(Clone, Copy, Debug)]
struct Flight {
    frame: usize,
    correlation_id: i32,
    intended: Duration,
    sent: Duration,
    counts: bool,
}

impl Load {
    /// Opens the connections. `batch` is built without a producer; `producers`, when there are any, one for each
    /// connection, make the load idempotent.
    pub fn open(
        address: SocketAddr,
        topic: &Topic,
        plan: Plan,
        batches: &[Batch],
        clock: &Clock,
    ) -> anyhow::Result<Self> {
        let active = plan.active.unwrap_or(topic.partitions);
        let partitions: Vec<i32> = (0..active).collect();
        ensure!(plan.partitions_per_request > 0 && active > 0 && plan.connections > 0, "nothing to send");
        ensure!(
            partitions.len().is_multiple_of(plan.partitions_per_request),
            "each request carries as many partitions as the others"
        );
        let mut pipes = Vec::with_capacity(plan.connections);
        for number in 0..plan.connections {
            let batch = batches.get(number % batches.len().max(1)).context("no batch")?;
            pipes.push(Pipe::open(address, topic, &plan, &partitions, batch, number)?);
        }
        let records = batches.first().map_or(0, |batch| batch.records);
        Ok(Self {
            pipes,
            clock: clock.clone(),
            schedule: plan.schedule,
            epoch: None,
            in_flight: plan.in_flight.max(1),
            records_per_request: (records * plan.partitions_per_request) as u64,
            next_pipe: 0,
            tally: Tally::default(),
            latencies: Latencies::new()?,
            acked: vec![0; usize::try_from(topic.partitions)?],
            is_measuring: false,
        })
    }

    /// Reports the connections by their numbers from 0.
    pub fn register(&self, poller: &Poller) -> anyhow::Result<()> {
        for (number, pipe) in self.pipes.iter().enumerate() {
            poller.add(&pipe.link, number as u64)?;
        }
        Ok(())
    }

    /// How many numbers are taken.
    pub fn connections(&self) -> usize {
        self.pipes.len()
    }

    /// Sends what is due at `now`.
    pub fn send(&mut self, now: Duration) -> anyhow::Result<()> {
        if self.schedule.is_none() {
            return (0..self.pipes.len()).try_for_each(|number| self.top_up(number, now));
        }
        let epoch = *self.epoch.get_or_insert(now);
        while let Some(schedule) = self.schedule.as_mut().filter(|schedule| epoch + schedule.due() <= now) {
            let intended = epoch + schedule.take();
            if self.is_measuring {
                self.latencies.noticed(intended, self.clock.monotonic());
            }
            let number = self.next_pipe;
            self.next_pipe = (number + 1) % self.pipes.len();
            self.pipes[number].due.push_back((intended, self.is_measuring));
            self.push(number)?;
        }
        Ok(())
    }

    /// How long nobody has to look.
    pub fn idle(&self, now: Duration, at_most: Duration) -> Duration {
        match (&self.schedule, self.epoch) {
            (Some(schedule), Some(epoch)) => {
                (epoch + schedule.due()).saturating_sub(now).saturating_sub(AHEAD).min(at_most)
            }
            (Some(_), None) => Duration::ZERO,
            // Nobody answers: whoever has room goes on.
            (None, _) if self.pipes.iter().any(|pipe| pipe.acks == 0 && !pipe.is_blocked) => Duration::ZERO,
            (None, _) => at_most,
        }
    }

    /// Goes on with a connection that is ready; `may_send` keeps a closed loop going.
    pub fn ready(&mut self, number: usize, may_send: bool) -> anyhow::Result<()> {
        self.pipes[number].is_blocked = false;
        self.pull(number)?;
        if may_send && self.schedule.is_none() {
            let now = self.clock.monotonic();
            self.top_up(number, now)?;
        }
        self.push(number)
    }

    /// Drops what has not been begun: the run is over. Gives the intended times that count of it; to leave those out would
    /// flatter a broker that fell behind.
    pub fn stop(&mut self, now: Duration) -> Vec<Duration> {
        let dropped = self.pipes.iter_mut().flat_map(|pipe| pipe.due.drain(..));
        let counts: Vec<Duration> =
            dropped.filter(|(_, counts)| *counts).map(|(intended, _)| intended).collect();
        if self.schedule.is_none() {
            return Vec::new();
        }
        for intended in &counts {
            self.latencies.never_sent(*intended, now);
        }
        counts
    }

    /// Requests that are due, begun or not answered.
    pub fn outstanding(&self) -> usize {
        let of = |pipe: &Pipe| pipe.due.len() + pipe.flights.len() + usize::from(pipe.writing.is_some());
        self.pipes.iter().map(of).sum()
    }

    fn top_up(&mut self, number: usize, now: Duration) -> anyhow::Result<()> {
        let pipe = &mut self.pipes[number];
        while pipe.due.len() + pipe.flights.len() + usize::from(pipe.writing.is_some()) < self.in_flight {
            pipe.due.push_back((now, self.is_measuring));
        }
        self.push(number)
    }

    /// Writes until the socket is full, nothing is due, or enough is in flight.
    fn push(&mut self, number: usize) -> anyhow::Result<()> {
        loop {
            let pipe = &mut self.pipes[number];
            if pipe.is_blocked {
                return Ok(());
            }
            if pipe.writing.is_none() {
                if pipe.due.is_empty() || pipe.flights.len() >= self.in_flight {
                    return Ok(());
                }
                pipe.begin(self.clock.monotonic())?;
            }
            if let Some((flight, bytes)) = pipe.write()? {
                if pipe.acks == 0 {
                    self.count(number, flight, bytes);
                } else {
                    pipe.flights.push_back(flight);
                }
            }
        }
    }

    /// Takes the answers that have come.
    fn pull(&mut self, number: usize) -> anyhow::Result<()> {
        self.pipes[number].link.read()?;
        let now = self.clock.monotonic();
        while let Some((flight, bytes)) = self.pipes[number].take_answer()? {
            if flight.counts {
                self.latencies.answered(flight.intended, flight.sent, now);
            }
            self.count(number, flight, bytes);
        }
        Ok(())
    }

    fn count(&mut self, number: usize, flight: Flight, bytes: usize) {
        let pipe = &self.pipes[number];
        for partition in &pipe.frames[flight.frame].partitions {
            self.acked[*partition as usize] += pipe.records as u64;
        }
        if self.is_measuring {
            self.tally.requests += 1;
            self.tally.records += self.records_per_request;
            self.tally.bytes += bytes as u64;
        }
    }
}

impl Pipe {
    fn open(
        address: SocketAddr,
        topic: &Topic,
        plan: &Plan,
        partitions: &[i32],
        batch: &Batch,
        number: usize,
    ) -> anyhow::Result<Self> {
        let template = Template::new(&batch.bytes, batch.stamp_at);
        let frames = partitions
            .chunks(plan.partitions_per_request)
            .map(|chunk| ProduceFrame::new(topic.id, chunk, plan.acks, &template))
            .collect::<anyhow::Result<Vec<_>>>()?;
        let header = model::BatchHeader::parse(&batch.bytes)?;
        Ok(Self {
            link: Link::open(address)?,
            // The connections begin at different partitions.
            next_frame: number % frames.len(),
            sequences: vec![0; frames.len()],
            frames,
            is_idempotent: (header.producer_id, header.producer_epoch)
                != (ProducerId::NONE, ProducerEpoch::NONE),
            records: batch.records,
            acks: plan.acks,
            next_correlation_id: 1,
            due: VecDeque::new(),
            writing: None,
            flights: VecDeque::new(),
            is_blocked: false,
        })
    }

    /// Prepares the next request that is due.
    fn begin(&mut self, now: Duration) -> anyhow::Result<()> {
        let Some((intended, counts)) = self.due.pop_front() else { return Ok(()) };
        let number = self.next_frame;
        self.next_frame = (number + 1) % self.frames.len();
        let correlation_id = self.next_correlation_id;
        self.next_correlation_id = correlation_id.wrapping_add(1);
        let sequence = self.is_idempotent.then_some(self.sequences[number]);
        self.sequences[number] = after(self.sequences[number], i32::try_from(self.records)?);
        let stamp = Some([intended.as_nanos() as u64, now.as_nanos() as u64]);
        self.frames[number].prepare(correlation_id, |_partition| Patch { sequence, stamp });
        let flight = Flight { frame: number, correlation_id, intended, sent: now, counts };
        self.writing = Some((flight, 0));
        Ok(())
    }

    /// Writes a part of the request that was begun; gives it, with its size, when that was the last one.
    fn write(&mut self) -> anyhow::Result<Option<(Flight, usize)>> {
        let Some((flight, written)) = &mut self.writing else { return Ok(None) };
        let frame = &self.frames[flight.frame];
        match self.link.write(&frame.rest(*written))? {
            None => self.is_blocked = true,
            Some(more) => *written += more,
        }
        if *written < frame.bytes {
            return Ok(None);
        }
        let done = (*flight, frame.bytes);
        self.writing = None;
        Ok(Some(done))
    }

    fn take_answer(&mut self) -> anyhow::Result<Option<(Flight, usize)>> {
        let Some(answer) = self.link.take_frame()? else { return Ok(None) };
        let (correlation_id, answer) =
            call::decode::<ProduceRequest>(Bytes::copy_from_slice(answer), PRODUCE)?;
        let flight = self.flights.pop_front().context("an answer that nobody waits for")?;
        ensure!(correlation_id == flight.correlation_id, "the answers are out of order");
        let frame = &self.frames[flight.frame];
        let partitions = answer.topics.iter().flat_map(|topic| &topic.partitions);
        let mut answered = 0;
        for partition in partitions {
            ensure!(
                partition.error == ErrorCode::None,
                "partition {} refused a batch: {}",
                partition.partition,
                partition.error
            );
            answered += 1;
        }
        ensure!(answered == frame.partitions.len(), "an answer leaves partitions out");
        Ok(Some((flight, frame.bytes)))
    }
}

/// The sequence number after a batch: after the last one comes 0 (`DefaultRecordBatch.incrementSequence`).
fn after(sequence: i32, records: i32) -> i32 {
    match sequence.checked_add(records) {
        Some(next) => next,
        None => records - (i32::MAX - sequence) - 1,
    }
}

#[cfg(test)]
mod tests {
    use super::after;

    #[test]
    fn sequences_wrap_to_zero() {
        assert_eq!(after(5, 10), 15);
        assert_eq!(after(i32::MAX, 1), 0);
        assert_eq!(after(i32::MAX - 1, 3), 1);
    }
}
