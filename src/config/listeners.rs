//! `listeners`, `advertised.listeners`, `listener.security.protocol.map` and the addresses of the quorum.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{Ipv4Addr, Ipv6Addr};

use crate::error::ConfigError;

/// How bytes of a listener are protected (`org.apache.kafka.common.security.auth.SecurityProtocol`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum SecurityProtocol {
    /// Neither encrypted nor authenticated.
    Plaintext,
    /// TLS.
    Ssl,
    /// SASL without encryption.
    SaslPlaintext,
    /// SASL over TLS.
    SaslSsl,
}

impl SecurityProtocol {
    /// Kafka's name, as configuration spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Plaintext => "PLAINTEXT",
            Self::Ssl => "SSL",
            Self::SaslPlaintext => "SASL_PLAINTEXT",
            Self::SaslSsl => "SASL_SSL",
        }
    }

    /// The number DescribeCluster's siblings and registrations use on the wire.
    pub const fn id(self) -> i16 {
        match self {
            Self::Plaintext => 0,
            Self::Ssl => 1,
            Self::SaslPlaintext => 2,
            Self::SaslSsl => 3,
        }
    }

    fn parse(name: &str) -> Option<Self> {
        [Self::Plaintext, Self::Ssl, Self::SaslPlaintext, Self::SaslSsl]
            .into_iter()
            .find(|protocol| protocol.name().eq_ignore_ascii_case(name))
    }
}

impl fmt::Display for SecurityProtocol {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}

/// One entry of `listeners` or `advertised.listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listener {
    /// In upper case, as Kafka normalises it.
    pub name: String,
    /// Host name or address without brackets; `None` is every interface (or, advertised, not given).
    pub host: Option<String>,
    /// 0 lets the system choose, which only tests do.
    pub port: u16,
    /// From `listener.security.protocol.map`.
    pub protocol: SecurityProtocol,
}

/// Prints as configuration spells it.
impl fmt::Display for Listener {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let host = self.host.as_deref().unwrap_or("");
        if host.contains(':') {
            write!(f, "{}://[{host}]:{}", self.name, self.port)
        } else {
            write!(f, "{}://{host}:{}", self.name, self.port)
        }
    }
}

/// One entry of `controller.quorum.voters`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Voter {
    /// `node.id` of the voter.
    pub id: i32,
    /// Host name or address.
    pub host: String,
    /// Port.
    pub port: u16,
}

/// `listener.security.protocol.map`, by normalised listener name.
pub type ProtocolMap = BTreeMap<String, SecurityProtocol>;

/// Reads a listener list. `distinct_ports` is Kafka's rule for `listeners` and not for advertised ones.
pub fn parse_listeners(
    text: &str,
    protocols: &ProtocolMap,
    distinct_ports: bool,
) -> Result<Vec<Listener>, ConfigError> {
    let listeners = parse_csv(text)
        .into_iter()
        .map(|entry| parse_listener(entry, protocols))
        .collect::<Result<Vec<_>, _>>()
        .map_err(|reason| {
            ConfigError::Conflict(format!("Error creating broker listeners from '{text}': {reason}"))
        })?;
    check_names(text, &listeners)?;
    if distinct_ports {
        check_ports(text, &listeners)?;
    }
    Ok(listeners)
}

/// Reads `listener.security.protocol.map`.
pub fn parse_protocol_map(text: &str) -> Result<ProtocolMap, ConfigError> {
    const KEY: &str = "listener.security.protocol.map";
    parse_csv(text)
        .into_iter()
        .map(|entry| {
            let (name, protocol) = entry.rsplit_once(':').ok_or_else(|| {
                ConfigError::Conflict(format!(
                    "Error parsing configuration property '{KEY}': {entry} is not of the form NAME:PROTOCOL"
                ))
            })?;
            let protocol = protocol.trim();
            let parsed = SecurityProtocol::parse(protocol).ok_or_else(|| {
                ConfigError::Conflict(format!(
                    "Invalid security protocol `{protocol}` defined in {KEY} \
                     (PLAINTEXT, SSL, SASL_PLAINTEXT and SASL_SSL are known)"
                ))
            })?;
            Ok((normalise(name), parsed))
        })
        .collect()
}

/// Reads `security.inter.broker.protocol`.
pub(crate) fn parse_protocol(key: &str, text: &str) -> Result<SecurityProtocol, ConfigError> {
    SecurityProtocol::parse(text)
        .ok_or_else(|| ConfigError::Conflict(format!("Invalid security protocol `{text}` defined in {key}")))
}

/// A listener name as Kafka compares it.
pub fn normalise(name: &str) -> String {
    name.trim().to_uppercase()
}

/// Splits at commas; empty entries disappear (`org.apache.kafka.server.util.Csv`).
pub(crate) fn parse_csv(text: &str) -> Vec<&str> {
    text.split(',').map(str::trim).filter(|entry| !entry.is_empty()).collect()
}

/// Reads one `id@host:port`.
pub fn parse_voter(entry: &str) -> Result<Voter, ConfigError> {
    const KEY: &str = "controller.quorum.voters";
    const FORM: &str = "Each entry should be in the form `{id}@{host}:{port}`.";
    let Some((id, address)) = entry.split_once('@').filter(|(_, address)| !address.contains('@')) else {
        return Err(ConfigError::Conflict(format!("Invalid configuration value for {KEY}. {FORM}")));
    };
    let parsed_id: i32 = id
        .parse()
        .map_err(|_e| ConfigError::Conflict(format!("Failed to parse voter ID as an integer from {id}")))?;
    let (host, port) = split_host_port(address).ok_or_else(|| {
        ConfigError::Conflict(format!(
            "Failed to parse host name from entry {entry} for the configuration {KEY}. {FORM}"
        ))
    })?;
    Ok(Voter { id: parsed_id, host, port })
}

/// Reads one `host:port` of `controller.quorum.bootstrap.servers`.
pub fn parse_bootstrap_server(entry: &str) -> Result<(String, u16), ConfigError> {
    split_host_port(entry).ok_or_else(|| {
        ConfigError::Conflict(format!(
            "Failed to parse host name from {entry} for the configuration controller.quorum.bootstrap.servers. \
             Each entry should be in the form \"{{host}}:{{port}}\""
        ))
    })
}

/// Whether every character may stand in a host name or address (`Utils.validHostPattern`).
pub(crate) fn is_host(text: &str) -> bool {
    text.chars().all(|c| c.is_ascii_alphanumeric() || "-%._:".contains(c))
}

/// Splits `host:port`, `[v6]:port` and `name://host:port`.
fn split_host_port(text: &str) -> Option<(String, u16)> {
    let address = text.rsplit_once("://").map_or(text, |(_, address)| address);
    let (host, port) = address.rsplit_once(':')?;
    let host = host.strip_prefix('[').unwrap_or(host);
    let host = host.strip_suffix(']').unwrap_or(host);
    if !is_host(host) || !port.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    Some((host.to_owned(), port.parse().ok()?))
}

fn parse_listener(entry: &str, protocols: &ProtocolMap) -> Result<Listener, String> {
    let unreadable = || format!("Unable to parse {entry} to a broker endpoint");
    let (name, address) = entry.rsplit_once("://").ok_or_else(unreadable)?;
    let (host, port) = split_host_port(address).ok_or_else(unreadable)?;
    let name = normalise(name);
    let protocol = *protocols.get(&name).ok_or_else(|| {
        format!(
            "No security protocol defined for listener {name} \
             (add {name}:PLAINTEXT to listener.security.protocol.map)"
        )
    })?;
    let host = if host.is_empty() { None } else { Some(host) };
    Ok(Listener { name, host, port, protocol })
}

fn check_names(text: &str, listeners: &[Listener]) -> Result<(), ConfigError> {
    let mut names: Vec<&str> = listeners.iter().map(|l| l.name.as_str()).collect();
    names.sort_unstable();
    if names.windows(2).any(|pair| pair.first() == pair.last()) {
        return Err(ConfigError::Requirement(format!(
            "Each listener must have a different name, listeners: {text}"
        )));
    }
    Ok(())
}

/// Two listeners may share a port only as one IPv4 and one IPv6 address (KIP-797).
fn check_ports(text: &str, listeners: &[Listener]) -> Result<(), ConfigError> {
    let mut by_port: BTreeMap<u16, Vec<&Listener>> = BTreeMap::new();
    for listener in listeners.iter().filter(|l| l.port != 0) {
        by_port.entry(listener.port).or_default().push(listener);
    }
    for (port, sharing) in by_port.into_iter().filter(|(_, sharing)| sharing.len() > 1) {
        let families: Vec<Family> = sharing.iter().filter_map(|l| family(l.host.as_deref()?)).collect();
        let without_address = sharing.len() - families.len();
        if without_address > 1 {
            return Err(ConfigError::Requirement(format!(
                "Each listener must have a different port, listeners: {text}"
            )));
        }
        match families.as_slice() {
            [] => {}
            [first, second] if first != second && without_address == 0 => {}
            [first, second] => {
                let text = format!(
                    "If you have two listeners on the same port then one needs to be IPv4 and the other IPv6, \
                     listeners: {text}, port: {port}"
                );
                let of_scala = first == second;
                return Err(if of_scala {
                    ConfigError::Requirement(text)
                } else {
                    ConfigError::Conflict(text)
                });
            }
            _ => {
                return Err(ConfigError::Conflict(format!(
                    "Each listener must have a different port unless exactly one listener has an IPv4 address and \
                     the other IPv6 address, listeners: {text}, port: {port}"
                )));
            }
        }
    }
    Ok(())
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Family {
    V4,
    V6,
}

/// The family of a literal address; `None` for a host name.
fn family(host: &str) -> Option<Family> {
    let without_zone = host.split('%').next().unwrap_or(host);
    if without_zone.parse::<Ipv4Addr>().is_ok() {
        Some(Family::V4)
    } else if without_zone.parse::<Ipv6Addr>().is_ok() {
        Some(Family::V6)
    } else {
        None
    }
}

#[cfg(test)]
#[path = "listeners_tests.rs"]
mod tests;
