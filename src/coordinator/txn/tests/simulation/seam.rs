//! What a partition's leader is asked, and what it says. `super::super::leader::Model` is one: a model of a log. The broker's
//! room puts the log itself beside it (`broker/tests/transaction_logs`).

use super::Bug;
use super::client::Produce;
use crate::test_support::Random;
use crate::txn::Marker;

/// A producer id and epoch.
pub type Holder = (i64, i16);

/// Proof that a coordinator was asked, of all that its leader has given out.
pub type Guard = u64;

/// A partition's leader with its log.
pub trait Leader {
    fn new(random: &mut Random, index: usize) -> Self;

    /// None where the transaction is open here: then its records need no question. An error for an epoch that is over.
    fn ask(&mut self, produce: &Produce, bug: Option<Bug>) -> Result<Option<Guard>, Appended>;

    fn append(&mut self, produce: &Produce, guard: Option<Guard>, bug: Option<Bug>) -> Appended;

    fn end(&mut self, marker: &Marker, coordinator_epoch: u64, bug: Option<Bug>) -> Ended;

    /// The producers whose transactions are open here.
    fn open(&self) -> Vec<Holder>;

    fn end_offset(&self) -> u64;

    fn durable_offset(&self) -> u64;

    /// False when the disk does not work: the leader is gone.
    fn sync(&mut self, random: &mut Random) -> bool;

    /// Some of what was not synced is gone, and the rest is loaded.
    fn crash(&mut self, random: &mut Random, bug: Option<Bug>);

    /// What a reader of committed records sees from there on, and where it goes on.
    fn read(&mut self, from: u64) -> (u64, Vec<Seen>);

    /// Everything that is in the log.
    fn entries(&mut self) -> Vec<Entry>;

    /// What is wrong with it that only the leader itself can tell.
    fn fault(&mut self) -> Option<String> {
        None
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Entry {
    Data { producer: Holder, transaction: u64, value: u64 },
    End { producer: Holder, commit: bool },
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Appended {
    Yes,
    Again,
    Fenced,
    OutOfOrder,
    /// A transaction of an earlier epoch is open.
    Earlier,
    /// Its coordinator was not asked, or something has ended the transaction since.
    Unverified,
    /// The disk does not work: the leader is gone.
    Failed,
}

/// What comes of a marker.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ended {
    /// It is in the log, or was.
    Yes,
    /// The producer is past it: this log needs none.
    NotNeeded,
    /// It may be taken later.
    No,
    /// The disk does not work: the leader is gone.
    Failed,
}

/// A record that a reader of committed ones has seen.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Seen {
    pub offset: u64,
    pub transaction: u64,
    pub value: u64,
}
