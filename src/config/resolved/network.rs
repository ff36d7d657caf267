//! Listeners, sockets and the bounds of requests.

use std::collections::BTreeMap;

use super::Identity;
use crate::error::ConfigError;
use crate::keys::extra::COMPRESSED_VALIDATION;
use crate::layers::Values;
use crate::listeners::{
    Listener, ProtocolMap, SecurityProtocol, normalise, parse_csv, parse_listeners, parse_protocol,
    parse_protocol_map,
};

/// Where the node listens and what it tells clients.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listeners {
    /// Listeners for clients and other brokers: `listeners` without the controller's.
    pub broker: Vec<Listener>,
    /// Entries of `listeners` named in `controller.listener.names`.
    pub controller: Vec<Listener>,
    /// `advertised.listeners` without the controller's; `None` when it is not set, and then the broker answers with
    /// the address the client reached.
    pub advertised: Option<Vec<Listener>>,
    /// Advertised addresses of controller listeners, when `advertised.listeners` has any.
    pub advertised_controller: Vec<Listener>,
    /// `controller.listener.names`, normalised.
    pub controller_names: Vec<String>,
    /// Name of the listener other brokers use, normalised.
    pub inter_broker: String,
    /// The protocol of `inter_broker`.
    pub inter_broker_protocol: SecurityProtocol,
    /// The effective `listener.security.protocol.map`.
    pub protocols: ProtocolMap,
}

/// Sockets and connection limits.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Sockets {
    /// `socket.send.buffer.bytes`; `None` leaves the system's default.
    pub send_buffer_bytes: Option<usize>,
    /// `socket.receive.buffer.bytes`; `None` leaves the system's default.
    pub receive_buffer_bytes: Option<usize>,
    /// `socket.request.max.bytes`: the largest frame.
    pub request_bytes_max: usize,
    /// `socket.listen.backlog.size`.
    pub backlog: i32,
    /// `max.connections`, of all listeners together.
    pub connections_max: usize,
    /// `max.connections.per.ip`.
    pub connections_per_ip_max: usize,
    /// `max.connections.per.ip.overrides`: host name or address to its own limit.
    pub connections_per_ip_overrides: BTreeMap<String, usize>,
    /// `max.connection.creation.rate`, connections per second.
    pub connection_creation_rate_max: u32,
    /// `connections.max.idle.ms`; `None` never closes an idle connection.
    pub idle_ms_max: Option<u64>,
    /// `queued.max.requests`.
    pub queued_requests_max: usize,
    /// `queued.max.request.bytes`; `None` when it is not set.
    pub queued_request_bytes_max: Option<u64>,
    /// `num.network.threads`, accepted only.
    pub network_threads: i32,
    /// `num.io.threads`, accepted only.
    pub io_threads: i32,
}

/// Bounds of single requests.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Requests {
    /// `fetch.max.bytes`: the most one Fetch answers, whatever it asks for.
    pub fetch_bytes_max: usize,
    /// `max.incremental.fetch.session.cache.slots`.
    pub fetch_sessions_max: usize,
    /// `max.request.partition.size.limit`: partitions in one answer of DescribeTopicPartitions.
    pub partitions_per_answer_max: i32,
    /// `ottla.compressed.records.validation` is `header`.
    pub compressed_by_header: bool,
    /// `request.timeout.ms`.
    pub timeout_ms: i32,
    /// `telemetry.max.bytes`.
    pub telemetry_bytes_max: usize,
}

impl Listeners {
    pub(super) fn resolve(values: &Values, identity: &Identity) -> Result<Self, ConfigError> {
        let text = values.text("listeners").unwrap_or("");
        let controller_names: Vec<String> = parse_csv(values.text("controller.listener.names").unwrap_or(""))
            .into_iter()
            .map(normalise)
            .collect();
        let protocols = effective_protocols(values, text, &controller_names)?;
        let (controller, broker): (Vec<_>, Vec<_>) = parse_listeners(text, &protocols, true)?
            .into_iter()
            .partition(|l| controller_names.contains(&l.name));
        let advertised = match advertised_text(values, identity) {
            Some(text) => Some(parse_listeners(text, &protocols, false)?),
            None => None,
        };
        let is_controllers = |l: &Listener| controller_names.contains(&l.name);
        let (advertised_controller, advertised_broker): (Vec<_>, Vec<_>) =
            advertised.iter().flatten().cloned().partition(is_controllers);
        let (inter_broker, inter_broker_protocol) = inter_broker(values, &protocols)?;
        Ok(Self {
            broker,
            controller,
            advertised: advertised.map(|_| advertised_broker),
            advertised_controller,
            controller_names,
            inter_broker,
            inter_broker_protocol,
            protocols,
        })
    }

    /// What the node would advertise if it could not see the client's address.
    pub fn advertised_or_bound(&self) -> &[Listener] {
        self.advertised.as_deref().unwrap_or(&self.broker)
    }
}

/// An empty `advertised.listeners` is what a compose file leaves behind for an unset variable: nothing advertised.
fn advertised_text<'a>(values: &'a Values, _identity: &Identity) -> Option<&'a str> {
    values.text("advertised.listeners").filter(|text| !text.is_empty())
}

/// Unless the map was set, controller listeners are PLAINTEXT, provided that no other protocol is named anywhere.
fn effective_protocols(
    values: &Values,
    listeners: &str,
    controller_names: &[String],
) -> Result<ProtocolMap, ConfigError> {
    let mut protocols = parse_protocol_map(values.text("listener.security.protocol.map").unwrap_or(""))?;
    let is_secure = |name: &str| matches!(name, "SSL" | "SASL_SSL" | "SASL_PLAINTEXT");
    let names = parse_csv(listeners).into_iter().filter_map(|entry| entry.split_once(':'));
    let secure = controller_names.iter().any(|name| is_secure(name))
        || names.into_iter().any(|(name, _)| is_secure(&normalise(name)));
    if !values.is_set("listener.security.protocol.map") && !secure {
        for name in controller_names {
            protocols.insert(name.clone(), SecurityProtocol::Plaintext);
        }
    }
    Ok(protocols)
}

fn inter_broker(values: &Values, protocols: &ProtocolMap) -> Result<(String, SecurityProtocol), ConfigError> {
    const NAME: &str = "inter.broker.listener.name";
    const PROTOCOL: &str = "security.inter.broker.protocol";
    let Some(name) = values.text(NAME) else {
        let protocol = parse_protocol(PROTOCOL, values.text(PROTOCOL).unwrap_or(""))?;
        return Ok((protocol.name().to_owned(), protocol));
    };
    if values.is_set(PROTOCOL) {
        return Err(ConfigError::Conflict(format!("Only one of {NAME} and {PROTOCOL} should be set.")));
    }
    let name = normalise(name);
    match protocols.get(&name) {
        Some(protocol) => Ok((name, *protocol)),
        None => Err(ConfigError::Conflict(format!(
            "Listener with name {name} defined in {NAME} not found in listener.security.protocol.map."
        ))),
    }
}

impl Sockets {
    pub(super) fn resolve(values: &Values) -> Result<Self, ConfigError> {
        let buffer = |name: &str| usize::try_from(values.int(name)).ok();
        let count = |name: &str| usize::try_from(values.int(name)).unwrap_or(0);
        Ok(Self {
            send_buffer_bytes: buffer("socket.send.buffer.bytes"),
            receive_buffer_bytes: buffer("socket.receive.buffer.bytes"),
            request_bytes_max: count("socket.request.max.bytes"),
            backlog: values.int("socket.listen.backlog.size"),
            connections_max: count("max.connections"),
            connections_per_ip_max: count("max.connections.per.ip"),
            connections_per_ip_overrides: per_ip_overrides(values)?,
            connection_creation_rate_max: values.int("max.connection.creation.rate").unsigned_abs(),
            idle_ms_max: u64::try_from(values.long("connections.max.idle.ms")).ok(),
            queued_requests_max: count("queued.max.requests"),
            queued_request_bytes_max: u64::try_from(values.long("queued.max.request.bytes"))
                .ok()
                .filter(|bytes| *bytes > 0),
            network_threads: values.int("num.network.threads"),
            io_threads: values.int("num.io.threads"),
        })
    }
}

fn per_ip_overrides(values: &Values) -> Result<BTreeMap<String, usize>, ConfigError> {
    const KEY: &str = "max.connections.per.ip.overrides";
    let text = values.text(KEY).unwrap_or("");
    let invalid = |reason: &str| {
        Err(ConfigError::invalid(KEY, text, reason.to_owned()).with_source(values.source(KEY)))
    };
    let mut overrides = BTreeMap::new();
    for entry in parse_csv(text) {
        let Some((address, limit)) = entry.rsplit_once(':') else {
            return invalid("a comma separated list of address:limit is expected");
        };
        let (address, limit) = (address.trim(), limit.trim());
        let Ok(limit) = limit.parse::<i32>().map(|limit| usize::try_from(limit).unwrap_or(0)) else {
            return invalid(&format!("{limit} is not a number of connections"));
        };
        if !crate::listeners::is_host(address) {
            return Err(ConfigError::Conflict(format!("{KEY} contains invalid addresses : {address}")));
        }
        overrides.insert(address.to_owned(), limit);
    }
    Ok(overrides)
}

impl Requests {
    pub(super) fn resolve(values: &Values) -> Self {
        let count = |name: &str| usize::try_from(values.int(name)).unwrap_or(0);
        Self {
            fetch_bytes_max: count("fetch.max.bytes"),
            fetch_sessions_max: count("max.incremental.fetch.session.cache.slots"),
            partitions_per_answer_max: values.int("max.request.partition.size.limit"),
            compressed_by_header: values.text(COMPRESSED_VALIDATION) == Some("header"),
            timeout_ms: values.int("request.timeout.ms"),
            telemetry_bytes_max: count("telemetry.max.bytes"),
        }
    }
}
