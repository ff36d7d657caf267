//! What scripts in containers call beside Kafka's tools: the helpers of Confluent's images, `nc`, the start and stop of
//! processes, and classes by their name.

mod confluent;
mod nc;
mod processes;
mod run_class;

pub(crate) use confluent::{cub, ub};
pub(crate) use nc::run as nc;
pub(crate) use processes::{server_stop, zookeeper_start, zookeeper_stop};
pub(crate) use run_class::{run as run_class, starts_broker};

use std::net::ToSocketAddrs as _;
use std::time::Duration;

/// Whether somebody takes connections there.
fn listens(host: &str, port: u16, patience: Duration) -> Result<(), String> {
    let addresses = (host, port).to_socket_addrs().map_err(|error| format!("{host}: {error}"))?;
    let mut reason = format!("{host} has no address");
    for address in addresses {
        match std::net::TcpStream::connect_timeout(&address, patience) {
            Ok(_connection) => return Ok(()),
            Err(error) => reason = format!("{address}: {error}"),
        }
    }
    Err(reason)
}
