//! Transactions and producer ids.

use crate::key::Check::{Any, AtLeast};
use crate::key::Importance::{High, Low};
use crate::key::KeyType::{Boolean, Int, Short};
use crate::key::Support::{Accepted, Honoured};
use crate::key::UpdateMode::{ClusterWide, ReadOnly};
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("add.partitions.to.txn.retry.backoff.max.ms", Int, Some("100"), AtLeast(0), High, ReadOnly, Honoured, "Longest the broker waits for a transaction to end before it answers an AddPartitionsToTxn with a retriable error, in milliseconds."),
    key("add.partitions.to.txn.retry.backoff.ms", Int, Some("20"), AtLeast(1), High, ReadOnly, Accepted, "Pause between the broker's own attempts to add a partition to a transaction, in milliseconds."),
    key("producer.id.expiration.check.interval.ms", Int, Some("600000"), AtLeast(1), Low, ReadOnly, Honoured, "How often forgotten producer ids are looked for, in milliseconds.").internal(),
    key("producer.id.expiration.ms", Int, Some("86400000"), AtLeast(1), Low, ClusterWide, Honoured, "How long the state of an idle producer is kept, in milliseconds."),
    key("transaction.abort.timed.out.transaction.cleanup.interval.ms", Int, Some("10000"), AtLeast(1), Low, ReadOnly, Honoured, "How often overdue transactions are looked for, in milliseconds."),
    key("transaction.max.timeout.ms", Int, Some("900000"), AtLeast(1), High, ReadOnly, Honoured, "Longest transaction timeout a producer may ask for, in milliseconds."),
    key("transaction.partition.verification.enable", Boolean, Some("true"), Any, Low, ClusterWide, Honoured, "Whether a transactional write is checked against its transaction first."),
    key("transaction.remove.expired.transaction.cleanup.interval.ms", Int, Some("3600000"), AtLeast(1), Low, ReadOnly, Honoured, "How often forgotten transactional ids are looked for, in milliseconds."),
    key("transaction.state.log.load.buffer.size", Int, Some("5242880"), AtLeast(1), High, ReadOnly, Accepted, "Bytes read at once when transaction state is loaded."),
    key("transaction.state.log.min.isr", Int, Some("2"), AtLeast(1), High, ReadOnly, Honoured, "min.insync.replicas of __transaction_state."),
    key("transaction.state.log.num.partitions", Int, Some("50"), AtLeast(1), High, ReadOnly, Honoured, "Partitions of __transaction_state."),
    key("transaction.state.log.replication.factor", Short, Some("3"), AtLeast(1), High, ReadOnly, Honoured, "Replicas of __transaction_state; never more than there are brokers."),
    key("transaction.state.log.segment.bytes", Int, Some("104857600"), AtLeast(1), High, ReadOnly, Honoured, "Segment size of __transaction_state."),
    key("transaction.two.phase.commit.enable", Boolean, Some("false"), Any, Low, ReadOnly, Accepted, "Whether producers may take part in external two-phase commits."),
    key("transactional.id.expiration.ms", Int, Some("604800000"), AtLeast(1), High, ReadOnly, Honoured, "How long an idle transactional id is kept, in milliseconds."),
];
