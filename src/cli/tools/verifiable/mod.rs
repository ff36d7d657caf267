//! `kafka-verifiable-producer` and `kafka-verifiable-consumer`: clients that tell what they do, an event a line, as JSON.

mod consumer;
mod producer;

use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

use serde_json::Value;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::Notify;

use crate::terminal::{Stop, Terminal};

pub(crate) use consumer::run as consumer;
pub(crate) use producer::run as producer;

/// Tells an event: when, its name, and what belongs to it.
fn tell(terminal: &mut Terminal, name: &str, fields: &Value) {
    let (stamp, fields) = (terminal.clock.wall_ms(), fields.to_string());
    let rest = fields.strip_prefix('{').filter(|rest| *rest != "}");
    let rest = rest.map_or("}".to_owned(), |rest| format!(",{rest}"));
    terminal.line(format!("{{\"timestamp\":{stamp},\"name\":\"{name}\"{rest}"));
    terminal.flush();
}

/// Whether a signal has asked the process to end, and the status it then ends with.
#[derive(Clone, Debug, Default)]
struct Ending {
    status: Arc<AtomicU8>,
    asked: Arc<Notify>,
}

impl Ending {
    /// Listens for the signals that end a tool.
    fn listen() -> Result<Self, Stop> {
        let ending = Self::default();
        let no_signal = |error| Stop::Error(format!("cannot listen for signals: {error}"));
        for (kind, status) in [(SignalKind::interrupt(), INTERRUPTED), (SignalKind::terminate(), TERMINATED)]
        {
            let mut signals = signal(kind).map_err(no_signal)?;
            let heard = ending.clone();
            tokio::spawn(async move {
                signals.recv().await;
                heard.status.store(status, Ordering::Relaxed);
                heard.asked.notify_one();
            });
        }
        Ok(ending)
    }

    fn is_asked(&self) -> bool {
        self.status.load(Ordering::Relaxed) != 0
    }

    /// Waits until it is asked.
    async fn wait(&self) {
        while !self.is_asked() {
            self.asked.notified().await;
        }
    }

    fn result(&self) -> Result<(), Stop> {
        match self.status.load(Ordering::Relaxed) {
            0 => Ok(()),
            status => Err(Stop::Status(status)),
        }
    }
}

/// What a shell sees of a process that a signal ended.
const INTERRUPTED: u8 = 128 + 2;
const TERMINATED: u8 = 128 + 15;
