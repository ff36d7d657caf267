//! How many files this process may have open, and how connections and logs share them.

use config::BrokerConfig;
use storage::disk::raise_open_files_limit;

/// What the process needs besides connections and logs: listeners, runtimes, locks, checkpoints being written.
const OWN_FILES: usize = 64;

/// The open files of a process, divided.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct OpenFiles {
    /// What the system allows.
    pub limit: usize,
    /// Connections that may be open: `max.connections`, or what leaves enough to the logs.
    pub connections_max: usize,
    /// Files that logs may keep open before those not in use are closed.
    pub logs: usize,
}

impl OpenFiles {
    /// Raises the limit of the process as far as it goes, and divides it.
    pub fn of_process(config: &BrokerConfig) -> Self {
        let limit = raise_open_files_limit().unwrap_or_else(|error| {
            tracing::warn!(target: "ottla.server", "the limit of open files cannot be raised: {error}");
            None
        });
        // Without a limit the machine's memory is one.
        let limit = limit.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(usize::MAX);
        Self::divide(limit, config.sockets.connections_max)
    }

    fn divide(limit: usize, connections_max: usize) -> Self {
        let usable = limit.saturating_sub(OWN_FILES);
        // A quarter is the logs' whatever the number of connections.
        let connections_max = connections_max.min(usable - usable / 4).max(1);
        Self { limit, connections_max, logs: (usable - connections_max.min(usable)).max(1) }
    }

    /// Says that fewer connections are taken than configured, where an operator may care: the number was asked for,
    /// or the limit is a small one.
    pub fn tell(&self, configured: usize, is_explicit: bool) {
        const SMALL: usize = 4096;
        if self.connections_max < configured && (is_explicit || self.limit < SMALL) {
            tracing::warn!(
                target: "ottla.server",
                "max.connections is {configured}, and {} are taken: the process may have {} files open (ulimit -n)",
                self.connections_max,
                self.limit
            );
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn connections_leave_files_to_the_logs() {
        let divide = |limit, connections_max| {
            let files = OpenFiles::divide(limit, connections_max);
            (files.connections_max, files.logs)
        };
        assert_eq!(divide(4096, usize::MAX), (3024, 1008));
        assert_eq!(divide(4096, 1000), (1000, 3032));
        assert_eq!(divide(usize::MAX, 2_147_483_647).0, 2_147_483_647);
        assert_eq!(divide(10, 100), (1, 1), "hopeless, but defined");
    }
}
