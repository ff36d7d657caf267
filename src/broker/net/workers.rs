//! The threads that serve connections: each is a single-threaded runtime, and a connection stays on its thread, so
//! its requests run without a hand-over between threads.

use std::io;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use tokio::net::TcpStream;
use tokio::sync::{mpsc, watch};
use tokio::task::{JoinSet, LocalSet};

use super::budget::Budget;
use super::connection::{Connection, ConnectionSettings};
use super::limits::Slot;
use crate::context::{Broker, ConnectionInfo};
use crate::partition::HeldCalls;

/// How long connections may go on after a stop, to send the answers of requests that have taken effect.
const DRAIN_MAX: Duration = Duration::from_secs(5);

/// An accepted connection on its way to its thread.
#[derive(Debug)]
pub struct Accepted {
    /// The socket, non-blocking.
    pub stream: std::net::TcpStream,
    /// Who it is.
    pub info: Arc<ConnectionInfo>,
    /// Its place in the connection counts.
    pub slot: Slot,
}

/// What every connection of a node shares.
#[derive(Clone, Debug)]
pub struct Service {
    /// The node.
    pub broker: Arc<Broker>,
    /// Limits of each connection.
    pub settings: ConnectionSettings,
    /// Memory of requests in flight.
    pub budget: Budget,
    /// Turns true when the node stops.
    pub stop: watch::Receiver<bool>,
}

/// The running threads.
#[derive(Debug)]
pub struct Workers {
    threads: Vec<Worker>,
}

#[derive(Debug)]
struct Worker {
    accepted: mpsc::UnboundedSender<Accepted>,
    open: Arc<AtomicUsize>,
    thread: JoinHandle<()>,
}

impl Workers {
    /// Starts `count` threads.
    pub fn start(count: usize, service: &Service) -> io::Result<Self> {
        let threads =
            (0..count).map(|index| Worker::start(index, service.clone())).collect::<Result<_, _>>()?;
        Ok(Self { threads })
    }

    /// Hands a connection to the thread that serves the fewest.
    pub fn serve(&self, accepted: Accepted) {
        let Some(worker) = self.threads.iter().min_by_key(|worker| worker.open.load(Ordering::Relaxed))
        else {
            return;
        };
        worker.open.fetch_add(1, Ordering::Relaxed);
        // The thread ends only after a stop; then the connection is dropped, which closes it.
        let _ = worker.accepted.send(accepted);
    }

    /// Waits for the threads to end, which they do once the stop has been signalled.
    pub fn join(self) {
        for worker in self.threads {
            drop(worker.accepted);
            if worker.thread.join().is_err() {
                tracing::error!(target: "ottla.net", "a network thread panicked");
            }
        }
    }
}

impl Worker {
    fn start(index: usize, service: Service) -> io::Result<Self> {
        let (sender, receiver) = mpsc::unbounded_channel();
        let open = Arc::new(AtomicUsize::new(0));
        let counted = Arc::clone(&open);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let run = move || LocalSet::new().block_on(&runtime, run(service, receiver, counted));
        let thread = std::thread::Builder::new().name(format!("network-{index}")).spawn(run)?;
        Ok(Self { accepted: sender, open, thread })
    }
}

async fn run(service: Service, mut accepted: mpsc::UnboundedReceiver<Accepted>, open: Arc<AtomicUsize>) {
    // Runs behind the connections that something has come from, and ends with the thread.
    tokio::task::spawn_local(HeldCalls::default());
    let mut connections = JoinSet::new();
    let mut stop = service.stop.clone();
    loop {
        tokio::select! {
            next = accepted.recv() => match next {
                Some(next) => {
                    connections.spawn_local(serve(service.clone(), next, Arc::clone(&open)));
                }
                None => break,
            },
            Some(_) = connections.join_next() => {}
            _ = stop.wait_for(|stopping| *stopping) => break,
        }
    }
    // Fetches that wait for data would take until their own deadlines.
    service.broker.partitions.release_readers();
    let drained = async { while connections.join_next().await.is_some() {} };
    if tokio::time::timeout(DRAIN_MAX, drained).await.is_err() {
        tracing::info!(target: "ottla.net", "closing connections that still wait for an answer");
    }
}

async fn serve(service: Service, accepted: Accepted, open: Arc<AtomicUsize>) {
    let Accepted { stream, info, slot } = accepted;
    match TcpStream::from_std(stream) {
        Ok(stream) => {
            let Service { broker, settings, budget, stop } = service;
            Connection::new(broker, info, settings, budget, stream, stop).serve().await;
        }
        Err(error) => tracing::warn!(target: "ottla.net", "connection of {}: {error}", info.peer),
    }
    open.fetch_sub(1, Ordering::Relaxed);
    drop(slot);
}

#[cfg(test)]
#[path = "workers_tests.rs"]
mod tests;
