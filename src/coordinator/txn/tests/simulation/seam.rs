//! What a partition's leader is asked, and what it says. `super::super::leader::Leader` is one: a model of a log.

/// A producer id and epoch.
pub type Holder = (i64, i16);

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
