//! Who may connect: `max.connections`, `max.connections.per.ip` with its overrides, and
//! `max.connection.creation.rate`.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use parking_lot::Mutex;

/// Limits of one process; all of them over all listeners.
#[derive(Clone, Debug)]
pub struct ConnectionLimits {
    /// `max.connections`.
    pub total_max: usize,
    /// `max.connections.per.ip`.
    pub per_ip_max: usize,
    /// `max.connections.per.ip.overrides`, with host names resolved.
    pub per_ip_overrides: HashMap<IpAddr, usize>,
    /// `max.connection.creation.rate`, connections per second.
    pub per_second_max: u32,
}

/// Counts the open connections.
#[derive(Clone, Debug)]
pub struct ConnectionCounts {
    shared: Arc<Mutex<Counts>>,
}

#[derive(Debug)]
struct Counts {
    limits: ConnectionLimits,
    total: usize,
    by_ip: HashMap<IpAddr, usize>,
    second: u64,
    accepted_this_second: u32,
}

/// The answer to a connection that wants in.
#[derive(Debug)]
pub enum Admission {
    /// It may stay until the slot is dropped.
    Admitted(Slot),
    /// Its address has as many connections as it may have: it is closed, as Kafka does.
    TooManyFromAddress {
        /// The limit that holds for the address.
        max: usize,
    },
    /// The process is full or the rate is used up: it waits in the backlog for this long, as Kafka lets it wait.
    Later(Duration),
}

/// How long a full process waits before it looks again.
const FULL_RECHECK: Duration = Duration::from_millis(50);

impl ConnectionCounts {
    /// Nothing is open yet.
    pub fn new(limits: ConnectionLimits) -> Self {
        let counts = Counts { limits, total: 0, by_ip: HashMap::new(), second: 0, accepted_this_second: 0 };
        Self { shared: Arc::new(Mutex::new(counts)) }
    }

    /// Asks for a slot at `now` (monotonic).
    pub fn admit(&self, address: IpAddr, now: Duration) -> Admission {
        let address = address.to_canonical();
        let mut counts = self.shared.lock();
        let per_ip_max =
            counts.limits.per_ip_overrides.get(&address).copied().unwrap_or(counts.limits.per_ip_max);
        if counts.by_ip.get(&address).copied().unwrap_or(0) >= per_ip_max {
            return Admission::TooManyFromAddress { max: per_ip_max };
        }
        if counts.second != now.as_secs() {
            counts.second = now.as_secs();
            counts.accepted_this_second = 0;
        }
        if counts.accepted_this_second >= counts.limits.per_second_max {
            return Admission::Later(Duration::from_secs(now.as_secs() + 1).saturating_sub(now));
        }
        if counts.total >= counts.limits.total_max {
            return Admission::Later(FULL_RECHECK);
        }
        counts.accepted_this_second += 1;
        counts.total += 1;
        *counts.by_ip.entry(address).or_insert(0) += 1;
        Admission::Admitted(Slot { counts: self.clone(), address })
    }

    /// Connections open now.
    pub fn open(&self) -> usize {
        self.shared.lock().total
    }
}

/// One open connection's place in the counts.
#[derive(Debug)]
pub struct Slot {
    counts: ConnectionCounts,
    address: IpAddr,
}

impl Drop for Slot {
    fn drop(&mut self) {
        let mut counts = self.counts.shared.lock();
        counts.total -= 1;
        if let Some(open) = counts.by_ip.get_mut(&self.address) {
            *open -= 1;
            if *open == 0 {
                counts.by_ip.remove(&self.address);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn counts(total_max: usize, per_ip_max: usize, per_second_max: u32) -> ConnectionCounts {
        let per_ip_overrides = HashMap::from([("10.0.0.9".parse().unwrap(), 1)]);
        ConnectionCounts::new(ConnectionLimits { total_max, per_ip_max, per_ip_overrides, per_second_max })
    }

    fn admit(counts: &ConnectionCounts, address: &str) -> Admission {
        counts.admit(address.parse().unwrap(), Duration::from_millis(1_250))
    }

    #[test]
    fn an_address_has_its_limit_and_its_override() {
        let counts = counts(10, 2, 100);
        let _first = admit(&counts, "10.0.0.1");
        let second = admit(&counts, "::ffff:10.0.0.1");
        assert!(matches!(admit(&counts, "10.0.0.1"), Admission::TooManyFromAddress { max: 2 }));
        drop(second);
        assert!(matches!(admit(&counts, "10.0.0.1"), Admission::Admitted(_)));
        let _only = admit(&counts, "10.0.0.9");
        assert!(matches!(admit(&counts, "10.0.0.9"), Admission::TooManyFromAddress { max: 1 }));
    }

    #[test]
    fn a_full_process_lets_them_wait() {
        let counts = counts(1, 10, 100);
        let open = admit(&counts, "10.0.0.1");
        assert!(matches!(admit(&counts, "10.0.0.2"), Admission::Later(_)));
        drop(open);
        assert!(matches!(admit(&counts, "10.0.0.2"), Admission::Admitted(_)));
    }

    #[test]
    fn the_rate_is_per_second() {
        let counts = counts(10, 10, 1);
        let _open = admit(&counts, "10.0.0.1");
        let Admission::Later(wait) = admit(&counts, "10.0.0.1") else { panic!("the rate is used up") };
        assert_eq!(wait, Duration::from_millis(750));
    }
}
