//! What the system knows of this process.

use std::fs;

/// Read from `/proc`; whatever is not to be had is `None`.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
#[allow(missing_docs)]
pub struct Process {
    pub resident_bytes: Option<u64>,
    pub virtual_bytes: Option<u64>,
    pub threads: Option<u64>,
    /// In the program and in the system.
    pub cpu_seconds: Option<f64>,
    pub open_files: Option<u64>,
    pub open_files_max: Option<u64>,
    /// That disks had to deliver.
    pub bytes_read: Option<u64>,
    pub bytes_written: Option<u64>,
}

/// Linux tells times in hundredths of a second, on every machine.
const TICKS_PER_SECOND: f64 = 100.0;

impl Process {
    /// As it is now.
    pub fn read() -> Self {
        let file = |name: &str| fs::read_to_string(format!("/proc/self/{name}")).unwrap_or_default();
        let (status, io) = (file("status"), file("io"));
        Self {
            resident_bytes: number_after(&status, "VmRSS:").map(|kib| kib * 1024),
            virtual_bytes: number_after(&status, "VmSize:").map(|kib| kib * 1024),
            threads: number_after(&status, "Threads:"),
            cpu_seconds: cpu_seconds(&file("stat")),
            // Without the one that lists them.
            open_files: fs::read_dir("/proc/self/fd")
                .ok()
                .map(|entries| (entries.count() as u64).saturating_sub(1)),
            open_files_max: number_after(&file("limits"), "Max open files"),
            bytes_read: number_after(&io, "\nread_bytes:"),
            bytes_written: number_after(&io, "\nwrite_bytes:"),
        }
    }
}

fn number_after(text: &str, name: &str) -> Option<u64> {
    let (_, rest) = text.split_once(name)?;
    rest.split_whitespace().next()?.parse().ok()
}

fn cpu_seconds(stat: &str) -> Option<f64> {
    // The name of the program, in brackets, may hold anything.
    let (_, fields) = stat.rsplit_once(") ")?;
    let mut fields = fields.split(' ').skip(11);
    let mut ticks = || fields.next()?.parse::<u64>().ok();
    Some((ticks()? + ticks()?) as f64 / TICKS_PER_SECOND)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_system_knows_this_process() {
        let process = Process::read();
        assert!(process.resident_bytes.is_some_and(|bytes| bytes > 100_000), "{process:?}");
        assert!(process.virtual_bytes > process.resident_bytes, "{process:?}");
        assert!(process.threads >= Some(1) && process.open_files >= Some(3), "{process:?}");
        assert!(process.cpu_seconds.is_some_and(|seconds| seconds >= 0.0), "{process:?}");
    }

    #[test]
    fn a_name_with_brackets_moves_nothing() {
        let stat = "7 (a) b (c) S 1 2 3 4 5 6 7 8 9 10 150 50 0 0";
        assert_eq!(cpu_seconds(stat), Some(2.0));
        assert_eq!(cpu_seconds(""), None);
    }
}
