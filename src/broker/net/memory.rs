//! How much memory this process may use, for budgets that follow it.

use std::fs;

/// The smallest of the machine's memory and the limits of the control group (version 2 or 1), in bytes.
pub fn limit_bytes() -> u64 {
    let machine = fs::read_to_string("/proc/meminfo").ok().and_then(|text| mem_total(&text));
    let groups = ["/sys/fs/cgroup/memory.max", "/sys/fs/cgroup/memory/memory.limit_in_bytes"];
    let group = groups.iter().filter_map(|path| fs::read_to_string(path).ok()?.trim().parse().ok()).min();
    machine.into_iter().chain(group).min().unwrap_or(FALLBACK_BYTES)
}

/// Where the machine does not tell: a small one.
const FALLBACK_BYTES: u64 = 512 * 1024 * 1024;

fn mem_total(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kib: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kib * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_the_machines_memory() {
        assert_eq!(mem_total("MemTotal:       24000000 kB\nMemFree: 1 kB\n"), Some(24_576_000_000));
        assert_eq!(mem_total("nothing"), None);
        assert!(limit_bytes() > 0);
    }
}
