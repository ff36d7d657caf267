//! Listeners, sockets, connections and request bounds.

use crate::key::Check::{Any, AtLeast, OneOf};
use crate::key::Importance::{High, Low, Medium};
use crate::key::KeyType::{Int, Long, String};
use crate::key::Support::{Accepted, Honoured};
use crate::key::UpdateMode::{ClusterWide, PerBroker, ReadOnly};
use crate::key::{Key, key};

#[rustfmt::skip]
pub(super) const KEYS: &[Key] = &[
    key("advertised.listeners", String, None, Any, High, ReadOnly, Honoured, "Addresses that clients are told, as NAME://host:port; unset, each client is told the address it reached."),
    key("connection.failed.authentication.delay.ms", Int, Some("100"), AtLeast(0), Low, ReadOnly, Accepted, "How long a failed authentication waits before its connection closes, in milliseconds."),
    key("connections.max.idle.ms", Long, Some("600000"), Any, Medium, ReadOnly, Honoured, "A connection without traffic for this long is closed, in milliseconds; negative never closes one."),
    key("fetch.max.bytes", Int, Some("57671680"), AtLeast(1024), Medium, ReadOnly, Honoured, "Most bytes one Fetch answers, whatever it asks for."),
    key("inter.broker.listener.name", String, None, Any, Medium, ReadOnly, Honoured, "Listener that brokers use among themselves."),
    key("listener.security.protocol.map", String, Some("SASL_SSL:SASL_SSL,PLAINTEXT:PLAINTEXT,SSL:SSL,SASL_PLAINTEXT:SASL_PLAINTEXT"), Any, Low, PerBroker, Honoured, "Security protocol of each listener, as NAME:PROTOCOL; only PLAINTEXT can be served yet."),
    key("listeners", String, Some("PLAINTEXT://:9092"), Any, High, PerBroker, Honoured, "Addresses to listen on, as NAME://host:port; an empty host is every interface."),
    key("max.connection.creation.rate", Int, Some("2147483647"), AtLeast(0), Medium, ClusterWide, Honoured, "Most new connections per second."),
    key("max.connections", Int, Some("2147483647"), AtLeast(0), Medium, ClusterWide, Honoured, "Most open connections."),
    key("max.connections.per.ip", Int, Some("2147483647"), AtLeast(0), Medium, ClusterWide, Honoured, "Most open connections from one address."),
    key("max.connections.per.ip.overrides", String, Some(""), Any, Medium, ClusterWide, Honoured, "Other limits for single addresses, as address:limit."),
    key("max.incremental.fetch.session.cache.slots", Int, Some("1000"), AtLeast(0), Medium, ReadOnly, Honoured, "Most incremental fetch sessions kept."),
    key("max.request.partition.size.limit", Int, Some("2000"), AtLeast(1), Medium, ReadOnly, Honoured, "Most partitions in one answer of DescribeTopicPartitions."),
    key("num.network.threads", Int, Some("3"), AtLeast(1), High, ClusterWide, Accepted, "Threads that read and write sockets; sized by the runtime here."),
    key("queued.max.request.bytes", Long, Some("-1"), Any, Medium, ReadOnly, Honoured, "Most bytes of requests held in memory; -1 leaves the choice to the broker."),
    key("queued.max.requests", Int, Some("500"), AtLeast(1), High, ReadOnly, Accepted, "Requests that may wait before reading stops."),
    key("request.timeout.ms", Int, Some("30000"), Any, High, ReadOnly, Accepted, "Longest wait for another broker's answer, in milliseconds."),
    key("security.inter.broker.protocol", String, Some("PLAINTEXT"), OneOf(&["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"]), Medium, ReadOnly, Honoured, "Protocol brokers use among themselves, if inter.broker.listener.name is not set."),
    key("socket.connection.setup.timeout.max.ms", Long, Some("30000"), Any, Medium, ReadOnly, Accepted, "Longest wait for a connection to another broker, in milliseconds."),
    key("socket.connection.setup.timeout.ms", Long, Some("10000"), Any, Medium, ReadOnly, Accepted, "First wait for a connection to another broker, in milliseconds."),
    key("socket.listen.backlog.size", Int, Some("50"), AtLeast(1), Medium, ReadOnly, Honoured, "Connections that may wait to be accepted."),
    key("socket.receive.buffer.bytes", Int, Some("102400"), Any, High, ReadOnly, Honoured, "Receive buffer of a socket; -1 leaves the system's choice."),
    key("socket.request.max.bytes", Int, Some("104857600"), AtLeast(1), High, ReadOnly, Honoured, "Largest request."),
    key("socket.send.buffer.bytes", Int, Some("102400"), Any, High, ReadOnly, Honoured, "Send buffer of a socket; -1 leaves the system's choice."),
];
