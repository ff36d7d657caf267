//! A producer: transaction after transaction, in either protocol, with an application that may forget everything.

use super::super::world::{partitions, producer};
use super::OFFSETS;
use super::seam::Holder;
use crate::test_support::Random;
use crate::txn::{AddPartitionsRequest, EndTxnRequest, InitProducerIdRequest, Request};
use model::ErrorCode;
use std::collections::BTreeMap;

#[derive(Clone, Debug)]
pub enum Ask {
    Coordinator(Request),
    Produce(Produce),
}

#[derive(Clone, Copy, Debug)]
pub struct Produce {
    pub holder: Holder,
    pub partition: usize,
    pub sequence: i32,
    pub transaction: u64,
    pub value: u64,
    /// It adds its partition by itself.
    pub kip_890: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    Init { recover: bool },
    Add,
    Produce,
    End { commit: bool },
}

#[derive(Debug)]
pub struct Client {
    pub transactional_id: String,
    pub kip_890: bool,
    /// Whether it may go over to KIP-890 between two transactions: the cluster has it.
    may_upgrade: bool,
    pub awaits_markers: bool,
    /// It has given up a record, and asks for another epoch when the transaction is aborted.
    gave_up: bool,
    pub phase: Phase,
    pub attempt: u64,
    pub holder: Option<Holder>,
    pub transaction: u64,
    /// Where the transaction still goes.
    plan: Vec<usize>,
    sequences: BTreeMap<usize, i32>,
    /// Acknowledged: partition and value.
    pub written: Vec<(usize, u64)>,
    value: u64,
}

impl Client {
    pub fn new(transactional_id: String, kip_890: bool, may_upgrade: bool) -> Self {
        Self {
            transactional_id,
            kip_890,
            may_upgrade,
            awaits_markers: false,
            gave_up: false,
            phase: Phase::Init { recover: false },
            attempt: 0,
            holder: None,
            transaction: 0,
            plan: Vec::new(),
            sequences: BTreeMap::new(),
            written: Vec::new(),
            value: 0,
        }
    }

    pub fn ask(&self) -> Ask {
        let transactional_id = self.transactional_id.clone();
        let (id, epoch) = self.holder.unwrap_or((-1, -1));
        let transaction_version = if self.kip_890 { 2 } else { 0 };
        Ask::Coordinator(match self.phase {
            Phase::Init { recover } => {
                let expected = self.holder.filter(|_| recover).map(|(id, epoch)| producer(id, epoch));
                Request::InitProducerId(InitProducerIdRequest {
                    transactional_id,
                    timeout_ms: 3000,
                    expected,
                })
            }
            Phase::Add => Request::AddPartitions(self.add((id, epoch), self.partition())),
            Phase::End { commit } => {
                let producer = producer(id, epoch);
                Request::EndTxn(EndTxnRequest { transactional_id, producer, commit, transaction_version })
            }
            Phase::Produce => {
                let partition = self.partition();
                return Ask::Produce(Produce {
                    holder: (id, epoch),
                    partition,
                    // The offsets of groups have none.
                    sequence: if partition == OFFSETS {
                        -1
                    } else {
                        self.sequences.get(&partition).copied().unwrap_or(0)
                    },
                    transaction: self.transaction,
                    value: self.value,
                    kip_890: self.kip_890,
                });
            }
        })
    }

    /// What the partition's leader asks before a transaction's first record there.
    pub fn first_record(&self, produce: &Produce) -> AddPartitionsRequest {
        AddPartitionsRequest {
            verify_only: !produce.kip_890,
            transaction_version: if produce.kip_890 { 2 } else { 0 },
            ..self.add(produce.holder, produce.partition)
        }
    }

    fn add(&self, (id, epoch): Holder, partition: usize) -> AddPartitionsRequest {
        AddPartitionsRequest {
            transactional_id: self.transactional_id.clone(),
            producer: producer(id, epoch),
            partitions: partitions(&[partition as i32]),
            verify_only: false,
            transaction_version: 0,
        }
    }

    fn partition(&self) -> usize {
        self.plan.last().copied().unwrap_or(0)
    }

    pub fn granted(&mut self, holder: Holder) {
        if self.holder != Some(holder) {
            self.sequences.clear();
        }
        self.holder = Some(holder);
    }

    /// Goes over to KIP-890 after a transaction of the protocol before, perhaps: true when it asks for an epoch first.
    ///
    /// If it does not, it waits until each partition has its marker. Where the end that it was told of is decided but a
    /// marker not yet written, that partition still has the transaction open, takes the next one's first record without a
    /// question, as it would in Kafka, and the marker ends that too. In the protocol before, AddPartitionsToTxn comes back
    /// until then. Kafka's client always asks for an epoch, for this reason
    /// (`TransactionManager.maybeUpdateTransactionV2Enabled`), and so does franz-go.
    pub fn upgrades(&mut self, random: &mut Random) -> bool {
        if self.kip_890 || !self.may_upgrade || !random.chance(250) {
            return false;
        }
        self.kip_890 = true;
        let asks = random.chance(300);
        if asks {
            self.phase = Phase::Init { recover: true };
        }
        self.awaits_markers = !asks;
        asks
    }

    /// Its process starts again, and knows nothing; it may be another version's.
    pub fn restarts(&mut self, random: &mut Random) {
        self.phase = Phase::Init { recover: false };
        self.kip_890 = self.may_upgrade && random.chance(500);
        (self.awaits_markers, self.gave_up) = (false, false);
    }

    /// A client of before KIP-890 has waited long enough for a record: it aborts, and then asks for another epoch
    /// (KIP-360). The record may still come, under the epoch that nobody in its partition has ended.
    pub fn gives_up(&mut self) {
        (self.phase, self.gave_up) = (Phase::End { commit: false }, true);
    }

    /// Whether it may give up.
    pub fn waits_for_record(&self) -> bool {
        !self.kip_890 && self.phase == Phase::Produce
    }

    /// Its transaction has ended: true when it asks for another epoch before the next.
    pub fn ended(&mut self) -> bool {
        if self.gave_up {
            self.phase = Phase::Init { recover: true };
        }
        std::mem::take(&mut self.gave_up)
    }

    pub fn begin(&mut self, random: &mut Random, transaction: u64, partitions: usize) {
        self.transaction = transaction;
        self.value = transaction * 100;
        self.written.clear();
        self.plan = (0..random.within(1, 6)).map(|_| random.within(0, partitions as i64) as usize).collect();
        self.phase = self.next_write();
    }

    fn next_write(&self) -> Phase {
        if self.kip_890 { Phase::Produce } else { Phase::Add }
    }

    pub fn added(&mut self) {
        self.phase = Phase::Produce;
    }

    pub fn produced(&mut self, random: &mut Random) {
        let partition = self.partition();
        self.written.push((partition, self.value));
        *self.sequences.entry(partition).or_insert(0) += 1;
        self.value += 1;
        self.plan.pop();
        self.phase =
            if self.plan.is_empty() { Phase::End { commit: random.chance(700) } } else { self.next_write() };
    }

    /// Goes on after an error: true when it asks the same again.
    pub fn failed(&mut self, random: &mut Random, code: ErrorCode) -> bool {
        use ErrorCode as E;
        let gave_up = std::mem::take(&mut self.gave_up);
        match code {
            E::ConcurrentTransactions | E::CoordinatorNotAvailable | E::NotEnoughReplicas => {
                self.gave_up = gave_up;
                return true;
            }
            // It comes back, or the producer gives up.
            E::KafkaStorageError if random.chance(800) => return true,
            // A late copy of what has not been written must not get into the next transaction: only a new epoch sees to
            // that.
            E::TransactionAbortable if self.kip_890 => self.phase = Phase::End { commit: false },
            E::TransactionAbortable => self.phase = Phase::Init { recover: true },
            _ => self.phase = Phase::Init { recover: self.holder.is_some() && random.chance(300) },
        }
        if matches!(code, E::ProducerFenced | E::InvalidProducerIdMapping) {
            self.phase = Phase::Init { recover: false };
        }
        false
    }
}
