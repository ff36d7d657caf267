//! The addresses that a client is given: whether they lead to a listener that it can talk to.

use std::net::SocketAddr;
use std::time::Duration;

use wire::api_versions::ApiVersion;

use super::Case;
use super::ask::{Cluster, Welcome, welcome};
use super::finding::{Diagnosis, Finding};
use super::probe::{Address, Denied, Seen, Speaks, look};

/// What `security.protocol` can be.
pub const PROTOCOLS: &[&str] = &["PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL"];

/// A listener that takes this client, as far as could be seen.
#[derive(Clone, Debug)]
pub struct Served {
    /// Where it is.
    pub at: SocketAddr,
    /// The APIs that it offers, where they could be asked for.
    pub offered: Vec<ApiVersion>,
    /// The cluster, where it could be asked for.
    pub cluster: Option<Cluster>,
}

/// Looks at one address and notes what it finds; nothing when no client gets through.
pub async fn examine(address: &Address, case: &Case, diagnosis: &mut Diagnosis) -> Option<Served> {
    let place = address.to_string();
    let (at, denied, speaks) = match look(address, case.patience).await {
        Seen::NoName(words) => {
            diagnosis.findings.push(nameless(address, &words));
            return None;
        }
        Seen::Closed(denied) => {
            diagnosis.findings.push(closed(address, &denied, case.patience).await);
            return None;
        }
        Seen::Open { at, denied, speaks } => (at, denied, speaks),
    };
    if let Some((other, reason)) = denied.iter().find(|(_, reason)| *reason != Denied::Refused) {
        diagnosis.findings.push(slow(address, *other, reason, at));
    }
    let protocol = case.properties.get("security.protocol").unwrap_or("PLAINTEXT");
    let offered = match speaks {
        Speaks::Kafka(_) if protocol.ends_with("SSL") => {
            diagnosis.findings.push(plaintext(&place, protocol));
            return None;
        }
        Speaks::Kafka(offered) => offered,
        Speaks::Tls if protocol.ends_with("SSL") => {
            diagnosis.fine.push(format!("{place} takes connections and speaks TLS."));
            diagnosis.findings.push(opaque(&place));
            return Some(Served { at, offered: Vec::new(), cluster: None });
        }
        Speaks::Tls => {
            diagnosis.findings.push(tls(&place, protocol));
            return None;
        }
        other => {
            diagnosis.findings.push(foreign(&place, &other, case.patience));
            return None;
        }
    };
    let welcome = welcome(at, &offered, case.patience).await;
    match judge(&place, protocol, welcome, case, diagnosis) {
        Ok(cluster) => Some(Served { at, offered, cluster }),
        Err(finding) => {
            diagnosis.findings.push(finding);
            None
        }
    }
}

/// What a broker's welcome means for this client: the cluster as far as it can be seen, or why it is not served.
fn judge(
    place: &str,
    protocol: &str,
    welcome: Welcome,
    case: &Case,
    diagnosis: &mut Diagnosis,
) -> Result<Option<Cluster>, Finding> {
    let logs_in = protocol.starts_with("SASL");
    match welcome {
        Welcome::Controller => Err(controller(place)),
        Welcome::Serves(_) if logs_in => Err(no_login(place, protocol)),
        Welcome::Serves(cluster) if cluster.brokers.is_empty() => Err(no_brokers(place)),
        Welcome::Serves(cluster) => {
            let id = cluster.id.as_deref().map_or(String::new(), |id| format!(" of cluster {id}"));
            diagnosis.fine.push(format!("{place} takes connections and answers as a Kafka broker{id}."));
            Ok(Some(cluster))
        }
        Welcome::WantsLogin(mechanisms) if logs_in => {
            let wanted = case.properties.get("sasl.mechanism").unwrap_or("GSSAPI");
            if !mechanisms.iter().any(|mechanism| mechanism == wanted) {
                return Err(mechanism(place, wanted, &mechanisms));
            }
            diagnosis.fine.push(format!("{place} takes connections and logs clients in with {wanted}."));
            diagnosis.findings.push(unseen_login(place));
            Ok(None)
        }
        Welcome::WantsLogin(mechanisms) => Err(login(place, &mechanisms)),
        Welcome::Fails(words) => Err(fails(place, &words)),
    }
}

fn nameless(address: &Address, words: &str) -> Finding {
    Finding::problem(
        "name-unknown",
        address.to_string(),
        format!(
            "cannot be found, because the name {} has no address on this machine ({words})",
            address.host
        ),
        "use a name that this machine's resolver knows; a container's name is known to containers of its network only, \
         so run the client there, or use a published port, such as localhost:9092",
    )
}

async fn closed(address: &Address, denied: &[(SocketAddr, Denied)], patience: Duration) -> Finding {
    let tried: Vec<String> = denied.iter().map(|(at, reason)| format!("{at}: {reason}")).collect();
    let tried = tried.join(", ");
    if denied.iter().all(|(_, reason)| *reason == Denied::Refused) {
        let elsewhere = neighbour(address, patience)
            .await
            .map_or(String::new(), |other| format!(", or use {other}, where a Kafka broker answers"));
        return Finding::problem(
            "nobody-listens",
            address.to_string(),
            format!("is not listened at ({tried})"),
            format!(
                "start the broker, or publish its port (docker run -p {0}:{0}), or correct the port{elsewhere}",
                address.port
            ),
        );
    }
    Finding::problem(
        "not-reachable",
        address.to_string(),
        format!("cannot be reached within {} ms ({tried})", patience.as_millis()),
        "use an address of a network that this machine is in, or let a firewall between the two pass this port",
    )
}

/// A Kafka broker on the same machine at one of the ports that people use.
async fn neighbour(address: &Address, patience: Duration) -> Option<Address> {
    for port in PORTS.iter().copied().filter(|port| *port != address.port) {
        let other = Address { port, ..address.clone() };
        if let Seen::Open { at, speaks: Speaks::Kafka(offered), .. } = look(&other, patience).await
            && let Welcome::Serves(_) = welcome(at, &offered, patience).await
        {
            return Some(other);
        }
    }
    None
}

fn slow(address: &Address, other: SocketAddr, reason: &Denied, at: SocketAddr) -> Finding {
    Finding::problem(
        "address-dead",
        address.to_string(),
        format!("has an address that does not work, {other} ({reason}), which clients may try before {at}"),
        format!("take {} from what the name {} resolves to", other.ip(), address.host),
    )
    .lighter()
}

fn tls(place: &str, protocol: &str) -> Finding {
    let secure = if protocol.starts_with("SASL") { "SASL_SSL" } else { "SSL" };
    Finding::problem(
        "tls-listener",
        place,
        format!("speaks TLS, and the client is set to {protocol}"),
        format!(
            "set security.protocol={secure} and ssl.truststore.location, or use the port of a listener without TLS"
        ),
    )
}

fn plaintext(place: &str, protocol: &str) -> Finding {
    let plain = if protocol.starts_with("SASL") { "SASL_PLAINTEXT" } else { "PLAINTEXT" };
    Finding::problem(
        "plaintext-listener",
        place,
        format!("does not speak TLS, and the client is set to {protocol}"),
        format!("set security.protocol={plain}, or use the port of a listener of {protocol}"),
    )
}

fn opaque(place: &str) -> Finding {
    Finding::problem(
        "tls-not-looked-into",
        place,
        "speaks TLS, which is not looked into, so that nothing is known of what lies behind it",
        "look at the certificate with openssl s_client -connect",
    )
    .lighter()
}

/// What is no Kafka, or does not answer.
pub fn foreign(place: &str, speaks: &Speaks, patience: Duration) -> Finding {
    match speaks {
        Speaks::Http(line) => Finding::problem(
            "http-server",
            place,
            format!("is an HTTP server ({line}), not a Kafka broker"),
            "use the port of a broker's listener, which is 9092 by default",
        ),
        Speaks::Nothing => Finding::problem(
            "no-answer",
            place,
            format!("takes connections and answers nothing within {} ms", patience.as_millis()),
            "look at what runs there: a broker that hangs or has no processor time, a port mapping that leads nowhere, or \
             no Kafka at all",
        ),
        Speaks::HangsUp => Finding::problem(
            "hangs-up",
            place,
            "takes connections and closes them without an answer",
            "let the listener inside the container be bound to all its addresses (listeners=PLAINTEXT://0.0.0.0:9092) and \
             the port mapping name its port; then look for max.connections and max.connections.per.ip in the broker's settings",
        ),
        Speaks::Other(begins) => Finding::problem(
            "not-kafka",
            place,
            format!("is no Kafka broker, its answer begins with {begins:?}"),
            "use the port of a broker's listener, which is 9092 by default",
        ),
        Speaks::Kafka(_) | Speaks::Tls => tls(place, "PLAINTEXT"),
    }
}

fn controller(place: &str) -> Finding {
    Finding::problem(
        "controller-listener",
        place,
        "is a controller's listener, which serves no clients",
        "use the port of a listener that controller.listener.names does not name",
    )
}

fn no_brokers(place: &str) -> Finding {
    Finding::problem(
        "no-brokers",
        place,
        "answers, and its cluster has no broker that is alive",
        "look at the log of the brokers for why they are fenced, and wait for a start to be over",
    )
}

fn login(place: &str, mechanisms: &[String]) -> Finding {
    Finding::problem(
        "login-wanted",
        place,
        format!("wants clients to log in ({}), and the client does not", mechanisms.join(", ")),
        "set security.protocol=SASL_PLAINTEXT, sasl.mechanism and sasl.jaas.config, or use a listener without SASL",
    )
}

fn no_login(place: &str, protocol: &str) -> Finding {
    Finding::problem(
        "no-login",
        place,
        format!("logs nobody in, and the client is set to {protocol}"),
        "set security.protocol=PLAINTEXT, or use the port of a listener with SASL",
    )
}

fn mechanism(place: &str, wanted: &str, mechanisms: &[String]) -> Finding {
    Finding::problem(
        "mechanism-unknown",
        place,
        format!("logs clients in with {}, and the client is set to {wanted}", mechanisms.join(", ")),
        "set sasl.mechanism to one of them, or add the client's to sasl.enabled.mechanisms of the broker",
    )
}

fn unseen_login(place: &str) -> Finding {
    Finding::problem(
        "login-not-tried",
        place,
        "wants a login, which is not tried here, so that nothing is known of what lies behind it",
        "try user and password with the client itself",
    )
    .lighter()
}

fn fails(place: &str, words: &str) -> Finding {
    Finding::problem(
        "broker-fails",
        place,
        format!("speaks Kafka, and does not say what its cluster is: {words}"),
        "look at the broker's log",
    )
}

/// Ports that images, compose files and documentation give Kafka's listeners.
const PORTS: &[u16] = &[9092, 9093, 9094, 9095, 19092, 29092, 39092];
