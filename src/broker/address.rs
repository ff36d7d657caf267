//! The addresses this node answers with: one rule for Metadata, FindCoordinator, DescribeCluster and every
//! `NodeEndpoints` field.
//!
//! `advertised.listeners` is obeyed where it is set. Where it is not, a client gets the address that it reached
//! itself, which works from the same machine, from another one and from a neighbouring container alike. Behind a
//! port mapping that address is useless to the client; there its packets come from the container's default
//! gateway, and it is answered `localhost`, as the `apache/kafka` image advertises.

use std::net::IpAddr;

use crate::context::ConnectionInfo;

/// Resolves the address of this node for each connection.
#[derive(Clone, Debug)]
pub struct Endpoints {
    advertised: Vec<Advertised>,
    gateway: Option<IpAddr>,
}

/// One entry of `advertised.listeners`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Advertised {
    /// Listener name, upper case as Kafka normalises it.
    pub listener: String,
    /// Host name or address, without brackets.
    pub host: String,
    /// Port.
    pub port: u16,
}

impl Endpoints {
    /// `gateway` is the default gateway when the process runs in a container, see [`container_gateway`].
    pub fn new(advertised: Vec<Advertised>, gateway: Option<IpAddr>) -> Self {
        Self { advertised, gateway }
    }

    /// Host and port of this node, for the client on `connection`.
    pub fn node_for(&self, connection: &ConnectionInfo) -> (String, u16) {
        let listed = self.advertised.iter().find(|entry| *entry.listener == *connection.listener);
        if let Some(entry) = listed {
            return (entry.host.clone(), entry.port);
        }
        let port = connection.local.port();
        if self.gateway.is_some_and(|gateway| gateway == connection.peer.ip().to_canonical()) {
            return ("localhost".to_owned(), port);
        }
        (connection.local.ip().to_canonical().to_string(), port)
    }
}

/// The default gateway, if this process runs in a container; `None` outside, where a peer at the gateway's
/// address is a machine like any other.
pub fn container_gateway() -> Option<IpAddr> {
    let marked = ["/.dockerenv", "/run/.containerenv"].iter().any(|path| std::path::Path::new(path).exists());
    if !marked {
        return None;
    }
    gateway_of(&std::fs::read_to_string("/proc/net/route").ok()?)
}

/// Reads the default route out of `/proc/net/route`: addresses are hexadecimal in the machine's byte order.
fn gateway_of(routes: &str) -> Option<IpAddr> {
    routes.lines().skip(1).find_map(|line| {
        let mut fields = line.split_whitespace().skip(1);
        let (destination, gateway) = (fields.next()?, fields.next()?);
        let gateway = u32::from_str_radix(gateway, 16).ok()?;
        (destination == "00000000" && gateway != 0).then(|| IpAddr::from(gateway.to_ne_bytes()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn connection(listener: &str, local: &str, peer: &str) -> ConnectionInfo {
        ConnectionInfo {
            id: 1,
            listener: listener.into(),
            is_controllers: false,
            local: local.parse().unwrap(),
            peer: peer.parse().unwrap(),
        }
    }

    #[test]
    fn answers_what_is_advertised() {
        let entry =
            Advertised { listener: "OUTSIDE".to_owned(), host: "kafka.example".to_owned(), port: 19092 };
        let endpoints = Endpoints::new(vec![entry], Some("172.17.0.1".parse().unwrap()));
        let outside = connection("OUTSIDE", "172.17.0.2:9092", "172.17.0.1:4000");
        assert_eq!(endpoints.node_for(&outside), ("kafka.example".to_owned(), 19092));
    }

    #[test]
    fn answers_what_the_client_reached() {
        let endpoints = Endpoints::new(vec![], None);
        let v4 = connection("PLAINTEXT", "10.1.2.3:9092", "10.1.2.9:4000");
        assert_eq!(endpoints.node_for(&v4), ("10.1.2.3".to_owned(), 9092));
        let mapped = connection("PLAINTEXT", "[::ffff:127.0.0.1]:9092", "[::ffff:127.0.0.1]:4000");
        assert_eq!(endpoints.node_for(&mapped), ("127.0.0.1".to_owned(), 9092));
        let v6 = connection("PLAINTEXT", "[::1]:9092", "[::1]:4000");
        assert_eq!(endpoints.node_for(&v6), ("::1".to_owned(), 9092));
    }

    #[test]
    fn answers_localhost_through_a_port_mapping() {
        let endpoints = Endpoints::new(vec![], Some("172.17.0.1".parse().unwrap()));
        let host = connection("PLAINTEXT", "172.17.0.2:9092", "172.17.0.1:4000");
        assert_eq!(endpoints.node_for(&host), ("localhost".to_owned(), 9092));
        let neighbour = connection("PLAINTEXT", "172.17.0.2:9092", "172.17.0.3:4000");
        assert_eq!(endpoints.node_for(&neighbour), ("172.17.0.2".to_owned(), 9092));
    }

    #[test]
    fn finds_the_default_route() {
        let routes = "Iface\tDestination\tGateway \tFlags\neth0\t00000000\t010011AC\t0003\neth0\t000011AC\t00000000\t0001\n";
        assert_eq!(gateway_of(routes), Some("172.17.0.1".parse().unwrap()));
        assert_eq!(gateway_of("Iface\tDestination\tGateway\n"), None);
    }
}
