//! Where the cluster sends its clients: every broker has to be reached at the address that it advertises, and has to be
//! the one that is meant.

use tokio::task::JoinSet;

use super::Case;
use super::ask::{Broker, Cluster, Welcome, welcome};
use super::finding::{Diagnosis, Finding};
use super::listeners::foreign;
use super::probe::{Address, Denied, Seen, Speaks, look};

/// Looks at every advertised address; whether a broker is reached at one. `first` told them, `known` are addresses that
/// brokers have been reached at.
pub async fn examine(
    first: &Address,
    known: &[&Address],
    cluster: &Cluster,
    case: &Case,
    diagnosis: &mut Diagnosis,
) -> bool {
    let mut looks = JoinSet::new();
    for broker in &cluster.brokers {
        if !known.contains(&&broker.address) && !broker.address.is_unspecified() {
            let (broker, patience) = (broker.clone(), case.patience);
            looks.spawn(async move { (broker.id, visit(&broker.address, patience).await) });
        }
    }
    let mut visits = Vec::new();
    while let Some(done) = looks.join_next().await {
        visits.extend(done.ok());
    }
    let mut is_reached = false;
    for broker in &cluster.brokers {
        let visit = visits.iter().find(|(id, _)| *id == broker.id).map(|(_, visit)| visit);
        if let Some(finding) = judge(first, broker, cluster, visit, case) {
            diagnosis.findings.push(finding);
        } else {
            is_reached = true;
            let Broker { id, address } = broker;
            diagnosis.fine.push(format!("Broker {id} is reached where it is advertised, at {address}."));
        }
    }
    is_reached
}

/// What is at an advertised address, and how it takes a client if it is a broker.
async fn visit(address: &Address, patience: std::time::Duration) -> (Seen, Option<Welcome>) {
    let seen = look(address, patience).await;
    let welcome = match &seen {
        Seen::Open { at, speaks: Speaks::Kafka(offered), .. } => Some(welcome(*at, offered, patience).await),
        _ => None,
    };
    (seen, welcome)
}

fn judge(
    first: &Address,
    broker: &Broker,
    cluster: &Cluster,
    visit: Option<&(Seen, Option<Welcome>)>,
    case: &Case,
) -> Option<Finding> {
    let address = &broker.address;
    let place = format!("Broker {}, which {first} advertises as {address},", broker.id);
    if address.is_unspecified() {
        return Some(Finding::problem(
            "advertised-unspecified",
            place,
            "is at no address that a client can go to",
            format!("set advertised.listeners to the address that clients use, such as PLAINTEXT://{first}"),
        ));
    }
    let (seen, welcome) = visit?;
    match (seen, welcome) {
        (Seen::NoName(words), _) => Some(nameless(place, first, address, words)),
        (Seen::Closed(denied), _) if denied.iter().all(|(_, reason)| *reason == Denied::Refused) => {
            Some(closed(place, first, address))
        }
        (Seen::Closed(denied), _) => {
            let reason = denied.first().map_or(String::new(), |(at, reason)| format!(" ({at}: {reason})"));
            Some(Finding::problem(
                "advertised-not-reachable",
                place,
                format!("cannot be reached from this machine{reason}"),
                format!(
                    "advertise an address of a network that clients are in, such as {first}; an address of a container \
                         is reached by containers of its network only"
                ),
            ))
        }
        (Seen::Open { .. }, Some(Welcome::Serves(other))) => strange(place, first, broker, cluster, other),
        (Seen::Open { .. }, Some(Welcome::Controller)) => {
            Some(wrong_listener(place, first, "is a controller's listener there, which serves no clients"))
        }
        (Seen::Open { .. }, Some(Welcome::WantsLogin(_))) => Some(wrong_listener(
            place,
            first,
            "wants clients to log in there (SASL), unlike where it was asked",
        )),
        (Seen::Open { .. }, Some(Welcome::Fails(words))) => Some(Finding::problem(
            "advertised-fails",
            place,
            format!("speaks Kafka there, and does not say what its cluster is: {words}"),
            "look at the broker's log",
        )),
        (Seen::Open { speaks: Speaks::Tls, .. }, None) => {
            Some(wrong_listener(place, first, "speaks TLS there, unlike where it was asked"))
        }
        (Seen::Open { speaks, .. }, None) => {
            let found = foreign(&place, speaks, case.patience);
            let mend = format!(
                "set advertised.listeners to an address that leads to the broker, such as PLAINTEXT://{first}"
            );
            Some(Finding { code: "advertised-not-the-broker", mend, ..found })
        }
    }
}

fn nameless(place: String, first: &Address, address: &Address, words: &str) -> Finding {
    Finding::problem(
        "advertised-name-unknown",
        place,
        format!("cannot be found, because that name has no address on this machine ({words})"),
        format!(
            "give the broker one more listener that is advertised as {first} (advertised.listeners=...,HOST://{first}), or \
             run the client where {} is a name, such as in a container of the broker's network",
            address.host
        ),
    )
}

fn closed(place: String, first: &Address, address: &Address) -> Finding {
    if address.is_loopback() && !first.is_loopback() {
        return Finding::problem(
            "advertised-loopback",
            place,
            "sends each client to the client's own machine, where nobody listens",
            format!(
                "set advertised.listeners to the address that others use for it, such as PLAINTEXT://{first}"
            ),
        );
    }
    let is_mapped = address.port != first.port && (address.host == first.host || address.is_loopback());
    if is_mapped {
        return Finding::problem(
            "advertised-port-closed",
            place,
            "is not listened at there",
            format!(
                "a port mapping must lead from the port that is advertised (publish {0}:{0}), or advertise the one that \
                 it leads from: advertised.listeners=PLAINTEXT://{first}",
                address.port
            ),
        );
    }
    Finding::problem(
        "advertised-port-closed",
        place,
        "is not listened at there",
        format!(
            "set advertised.listeners to where clients reach it, such as PLAINTEXT://{first}, or publish port {}",
            address.port
        ),
    )
}

/// A broker answers; whether it is the one that is meant.
fn strange(
    place: String,
    first: &Address,
    broker: &Broker,
    cluster: &Cluster,
    other: &Cluster,
) -> Option<Finding> {
    let (mine, its) = (cluster.id.as_deref(), other.id.as_deref());
    let what = if mine != its && mine.is_some() && its.is_some() {
        format!(
            "is a broker of another cluster there, {} instead of {}",
            its.unwrap_or("?"),
            mine.unwrap_or("?")
        )
    } else if other.brokers.iter().any(|one| one.id == broker.id) {
        return None;
    } else {
        "is a broker there that does not know this one".to_owned()
    };
    let mend = format!(
        "two brokers must not advertise one address: set advertised.listeners to where this one is reached, such as \
         PLAINTEXT://{first}"
    );
    Some(Finding::problem("advertised-other-cluster", place, what, mend))
}

fn wrong_listener(place: String, first: &Address, what: &str) -> Finding {
    Finding::problem(
        "advertised-wrong-listener",
        place,
        what,
        format!(
            "each listener is advertised under its own name and port: correct advertised.listeners (and \
             listener.security.protocol.map) for the listener behind {first}"
        ),
    )
}
