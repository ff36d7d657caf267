//! The leaders of partitions: what is answered when their logs are durable, what their crashes take, and what readers see.

use super::broker::End;
use super::client::Produce;
use super::seam::{Appended, Guard, Leader};
use super::{Answer, Bug, Event, FAULTS_MS, LATE_MS, Simulation};
use crate::txn::Marker;
use model::ErrorCode;

/// Who waits for a log to be durable.
#[derive(Clone, Debug)]
pub enum Waiting {
    Answer {
        client: usize,
        attempt: u64,
        answer: Answer,
    },
    /// `is_new` says that the log had it not before.
    Acknowledgement {
        generation: u64,
        marker: Marker,
        end: End,
        is_new: bool,
    },
}

impl<L: Leader> Simulation<L> {
    /// Appends a record, and has its producer answered.
    pub fn append(&mut self, client: usize, attempt: u64, produce: Produce, guard: Option<Guard>) {
        match self.written(client, produce, guard) {
            Err(code) => self.answer(client, attempt, Answer::Failed(code)),
            Ok(end) => {
                let waiting = Waiting::Answer { client, attempt, answer: Answer::Produced };
                self.waits(produce.partition, end, waiting);
            }
        }
    }

    /// Appends a record: the answer is where the log must be durable up to before anybody is told.
    pub fn written(
        &mut self,
        client: usize,
        produce: Produce,
        guard: Option<Guard>,
    ) -> Result<u64, ErrorCode> {
        let Produce { partition, holder, .. } = produce;
        let leader = &mut self.broker.partitions[partition];
        match leader.append(&produce, guard, self.bug) {
            Appended::Yes => {
                let end = leader.end_offset();
                if !self.broker.behind.contains(&(partition, holder)) {
                    self.ledger.appended(&self.clients[client].transactional_id, holder);
                }
                let life = self.broker.lives[partition];
                self.after(0, 30, Event::Synced { partition, life });
                if self.faulty(20) {
                    self.after(0, 5, Event::LeaderCrash { partition });
                }
                Ok(end)
            }
            Appended::Again => Ok(leader.end_offset()),
            Appended::Fenced => Err(ErrorCode::InvalidProducerEpoch),
            Appended::OutOfOrder => Err(ErrorCode::OutOfOrderSequenceNumber),
            Appended::Earlier => Err(ErrorCode::NotEnoughReplicas),
            Appended::Unverified => Err(ErrorCode::ConcurrentTransactions),
            Appended::Failed => {
                self.leader_crashes(partition);
                Err(ErrorCode::KafkaStorageError)
            }
        }
    }

    /// Has somebody told when a log is durable up to `end`.
    pub fn waits(&mut self, partition: usize, end: u64, waiting: Waiting) {
        let is_early = match waiting {
            Waiting::Answer { .. } => self.bug == Some(Bug::AnsweredUnsynced),
            Waiting::Acknowledgement { .. } => self.bug == Some(Bug::AcknowledgedUnsynced),
        };
        if is_early {
            return self.release_one(waiting);
        }
        self.broker.waiting[partition].push((end, waiting));
        let life = self.broker.lives[partition];
        self.after(0, 30, Event::Synced { partition, life });
    }

    /// A sync is over, unless its leader is gone.
    pub fn synced(&mut self, partition: usize, life: u64) {
        if life != self.broker.lives[partition] {
            return;
        }
        if !self.broker.partitions[partition].sync(&mut self.random) {
            return self.leader_crashes(partition);
        }
        let durable = self.broker.partitions[partition].durable_offset();
        let waiting = std::mem::take(&mut self.broker.waiting[partition]);
        let (done, left) = waiting.into_iter().partition(|(end, _)| *end <= durable);
        self.broker.waiting[partition] = left;
        for (_, waiting) in done {
            self.release_one(waiting);
        }
        self.reads(partition);
    }

    pub fn release_one(&mut self, waiting: Waiting) {
        match waiting {
            Waiting::Answer { client, attempt, answer } => self.answer(client, attempt, answer),
            Waiting::Acknowledgement { generation, marker, end, .. } => {
                let acknowledged = Event::Acknowledged { generation, marker, partition: end.4 };
                if self.now_ms < FAULTS_MS && self.random.chance(100) {
                    self.after(0, LATE_MS, acknowledged.clone());
                }
                self.after(0, 50, acknowledged);
            }
        }
    }

    /// A leader loses what was not synced, and is away for a while.
    pub fn leader_crashes(&mut self, partition: usize) {
        if !self.broker.away.insert(partition) {
            return;
        }
        self.loses(partition);
        let generation = self.broker.generation;
        let high_ms = if self.random.chance(300) { 3_000 } else { 100 };
        self.after(1, high_ms, Event::Opened { generation, partition });
    }

    /// What a log has not synced is gone, with everybody who waited for it.
    pub fn loses(&mut self, partition: usize) {
        // Whatever a reader can see at this moment it has seen.
        self.reads(partition);
        self.broker.lives[partition] += 1;
        let waiting = std::mem::take(&mut self.broker.waiting[partition]);
        for (_, waiting) in waiting {
            match waiting {
                Waiting::Acknowledgement { end, is_new: true, .. }
                    if self.bug != Some(Bug::LostTakenForWritten) =>
                {
                    self.broker.written.remove(&end);
                }
                _ => {}
            }
        }
        self.broker.ahead.retain(|(.., at)| *at != partition);
        self.broker.partitions[partition].crash(&mut self.random, self.bug);
        self.reads(partition);
    }

    /// A reader of committed records goes on.
    fn reads(&mut self, partition: usize) {
        let from = self.broker.read_to[partition];
        let (to, seen) = self.broker.partitions[partition].read(from);
        self.broker.read_to[partition] = to;
        self.ledger.read(partition, seen);
    }
}
