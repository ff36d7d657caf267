//! What this machine asks for the things that a broker is made of (K1 to K12): CPU time of the thread that does them, with
//! nothing else around them. A figure of a broker can be taken apart with these, and no broker gets below their sum.

use std::fs::{self, File, OpenOptions};
use std::io::{Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::os::unix::fs::FileExt as _;
use std::path::{Path, PathBuf};
use std::sync::mpsc;
use std::thread;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use hdrhistogram::Histogram;
use model::Clock;
use rustix::net::{RecvFlags, recv};
use rustix::time::{ClockId, clock_gettime};
use serde_json::{Value, json};

const MIB: usize = 1 << 20;
/// What a loop moves, in MiB: long enough for a clock, short enough to stay in the page cache.
const MOVED_MIB: usize = 256;
/// In the second level cache with its copy.
const HOT: usize = 256 * 1024;
const CHUNK: usize = 64 * 1024;
const SIZES: [usize; 5] = [4096, 16_384, 65_536, 262_144, MIB];
const REQUESTS: usize = 20_000;
const REQUEST: usize = 128;

#[derive(Clone, Debug, Args)]
pub struct Units {
    /// A folder of the disk that the brokers write to.
    #[arg(long)]
    folder: PathBuf,
}

impl Units {
    pub fn run(&self, clock: &Clock) -> anyhow::Result<Value> {
        let path = self.folder.join(format!("kbench-{}.units", std::process::id()));
        let answer = Self::all(&path, clock);
        fs::remove_file(&path)?;
        answer
    }

    fn all(path: &Path, clock: &Clock) -> anyhow::Result<Value> {
        let written = write_cold(path)?;
        let file = File::open(path)?;
        let (receive, send) = loopback()?;
        let crossover = crossover(&file)?;
        let cheaper = crossover.iter().find(|(_, copied, sent)| sent < copied).map(|(size, _, _)| *size);
        let sizes = crossover.iter().map(
            |(size, copied, sent)| json!({ "bytes": size, "pread_send_us": copied, "sendfile_us": sent }),
        );
        let hop = hop(clock)?;
        Ok(json!({
            "what": "units",
            "K1_receive_us_per_mib": receive,
            "K2_page_cache_write_us_per_mib": written,
            "K3_copy_us_per_mib": copy(),
            "K4_crc_us_per_mib": crc(CHUNK),
            "K4_crc_200_bytes_us": crc(200) * 200.0 / MIB as f64,
            "K5_send_us_per_mib": send,
            "K6_sendfile_us_per_mib": sendfile(&file, MIB)?,
            "K7_sendfile_cheaper_from_bytes": cheaper,
            "K7_sizes": sizes.collect::<Vec<_>>(),
            "K8_pread_us_per_mib": pread(&file)?,
            "K9_pwrite": [appends(path, 200, clock)?, appends(path, 16_384, clock)?, appends(path, MIB, clock)?],
            "K10_fault_us_per_mib": fault(),
            "K11_request_us": echo(1)?,
            "K11_request_of_8_us": echo(8)?,
            "K12_hop_us": hop,
            "void": [],
        }))
    }
}

/// CPU time of this thread so far.
fn cpu() -> Duration {
    let time = clock_gettime(ClockId::ThreadCPUTime);
    Duration::new(u64::try_from(time.tv_sec).unwrap_or(0), u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// Microseconds of CPU time that `work` takes for each of `count`.
fn each<T>(count: usize, work: impl FnOnce() -> anyhow::Result<T>) -> anyhow::Result<f64> {
    let begun = cpu();
    work()?;
    Ok((cpu().saturating_sub(begun).as_secs_f64() * 1e9 / count as f64).round() / 1e3)
}

/// Buffered writes to pages that are not there yet.
fn write_cold(path: &Path) -> anyhow::Result<f64> {
    let mut file = OpenOptions::new().create(true).write(true).truncate(true).open(path)?;
    let block = vec![b'k'; MIB];
    each(MOVED_MIB, || {
        for _ in 0..MOVED_MIB {
            file.write_all(&block)?;
        }
        Ok(())
    })
}

fn copy() -> f64 {
    let (from, mut to) = (vec![1u8; HOT], vec![0u8; HOT]);
    let rounds = MOVED_MIB * MIB / HOT;
    let took = each(MOVED_MIB, || {
        for _ in 0..rounds {
            to.copy_from_slice(std::hint::black_box(&from));
            std::hint::black_box(&mut to);
        }
        Ok(())
    });
    took.unwrap_or_default()
}

fn crc(bytes: usize) -> f64 {
    let data = vec![b'k'; bytes];
    let rounds = MOVED_MIB * MIB / bytes;
    let took = each(MOVED_MIB, || {
        for _ in 0..rounds {
            std::hint::black_box(crc32c::crc32c(std::hint::black_box(&data)));
        }
        Ok(())
    });
    took.unwrap_or_default()
}

/// A connection over loopback.
fn pair() -> anyhow::Result<(TcpStream, TcpStream)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let near = TcpStream::connect(listener.local_addr()?)?;
    let (far, _) = listener.accept()?;
    near.set_nodelay(true)?;
    far.set_nodelay(true)?;
    Ok((near, far))
}

/// CPU time per MiB of the receiver and of the sender.
fn loopback() -> anyhow::Result<(f64, f64)> {
    let (mut near, mut far) = pair()?;
    let sender = thread::spawn(move || {
        let block = vec![b'k'; CHUNK];
        each(MOVED_MIB, || {
            for _ in 0..MOVED_MIB * MIB / CHUNK {
                near.write_all(&block)?;
            }
            Ok(())
        })
    });
    let mut buffer = vec![0; CHUNK];
    let receive = each(MOVED_MIB, || {
        let mut left = MOVED_MIB * MIB;
        while left > 0 {
            let count = far.read(&mut buffer)?;
            ensure!(count > 0, "the sender ended early");
            left -= count;
        }
        Ok(())
    })?;
    let send = sender.join().map_err(|_panic| anyhow::anyhow!("the sender panicked"))??;
    Ok((receive, send))
}

/// Runs `send` against a peer who throws away what comes.
fn into_nowhere<T>(send: impl FnOnce(&TcpStream) -> anyhow::Result<T>) -> anyhow::Result<T> {
    let (near, far) = pair()?;
    let sink = thread::spawn(move || -> anyhow::Result<()> {
        let mut buffer = vec![0u8; MIB];
        while recv(&far, buffer.as_mut_slice(), RecvFlags::TRUNC)?.0 > 0 {}
        Ok(())
    });
    let sent = send(&near);
    drop(near);
    sink.join().map_err(|_panic| anyhow::anyhow!("the receiver panicked"))??;
    sent
}

/// Resident pages, `bytes` at a time: microseconds per MiB.
fn sendfile(file: &File, bytes: usize) -> anyhow::Result<f64> {
    into_nowhere(|socket| {
        each(MOVED_MIB, || {
            let mut at = 0u64;
            while at < (MOVED_MIB * MIB) as u64 {
                rustix::fs::sendfile(socket, file, Some(&mut at), bytes)?;
            }
            Ok(())
        })
    })
}

/// The same through a buffer.
fn pread_send(file: &File, bytes: usize) -> anyhow::Result<f64> {
    into_nowhere(|mut socket| {
        let mut buffer = vec![0; bytes];
        each(MOVED_MIB, || {
            for number in 0..MOVED_MIB * MIB / bytes {
                file.read_exact_at(&mut buffer, (number * bytes) as u64)?;
                socket.write_all(&buffer)?;
            }
            Ok(())
        })
    })
}

/// Of each size what one answer costs, copied and sent from the page cache, in microseconds.
fn crossover(file: &File) -> anyhow::Result<Vec<(usize, f64, f64)>> {
    let one = |us_per_mib: f64, size: usize| (us_per_mib * size as f64 / MIB as f64 * 1e3).round() / 1e3;
    SIZES
        .iter()
        .map(|size| Ok((*size, one(pread_send(file, *size)?, *size), one(sendfile(file, *size)?, *size))))
        .collect()
}

fn pread(file: &File) -> anyhow::Result<f64> {
    let mut buffer = vec![0; CHUNK];
    each(MOVED_MIB, || {
        for number in 0..MOVED_MIB * MIB / CHUNK {
            file.read_exact_at(&mut buffer, (number * CHUNK) as u64)?;
        }
        Ok(())
    })
}

/// Appends on the thread that has the bytes, as long as each takes on the clock.
fn appends(path: &Path, bytes: usize, clock: &Clock) -> anyhow::Result<Value> {
    let mut file = OpenOptions::new().write(true).truncate(true).open(path)?;
    let block = vec![b'k'; bytes];
    let mut took = Histogram::<u64>::new_with_bounds(1, 60_000_000_000, 3)?;
    let count = (MOVED_MIB * MIB / bytes).min(REQUESTS);
    let us = each(count, || {
        for _ in 0..count {
            let begun = clock.monotonic();
            file.write_all(&block)?;
            let nanos = clock.monotonic().saturating_sub(begun).as_nanos();
            took.saturating_record(u64::try_from(nanos).unwrap_or(u64::MAX));
        }
        Ok(())
    })?;
    let at = |quantile: f64| took.value_at_quantile(quantile) as f64 / 1e3;
    Ok(json!({ "bytes": bytes, "cpu_us": us, "p50_us": at(0.5), "p999_us": at(0.999) }))
}

/// The first touch of memory from the kernel.
fn fault() -> f64 {
    const PAGE: usize = 4096;
    let mut us = 0.0;
    const ROUNDS: usize = 4;
    for _ in 0..ROUNDS {
        let mut fresh = vec![0u8; 64 * MIB];
        let took = each(64, || {
            for page in fresh.chunks_mut(PAGE) {
                page[0] = std::hint::black_box(1);
            }
            Ok(())
        });
        us += took.unwrap_or_default();
        std::hint::black_box(&fresh);
    }
    us / ROUNDS as f64
}

/// CPU time of a server for one small request, `at_once` of them coming together.
fn echo(at_once: usize) -> anyhow::Result<f64> {
    let (mut near, mut far) = pair()?;
    let bytes = REQUEST * at_once;
    let server = thread::spawn(move || {
        let mut buffer = vec![0; bytes];
        each(REQUESTS, || {
            for _ in 0..REQUESTS / at_once {
                far.read_exact(&mut buffer)?;
                far.write_all(&buffer)?;
            }
            Ok(())
        })
    });
    let mut buffer = vec![0; bytes];
    for _ in 0..REQUESTS / at_once {
        near.write_all(&buffer)?;
        near.read_exact(&mut buffer)?;
    }
    server.join().map_err(|_panic| anyhow::anyhow!("the server panicked"))?
}

/// From one thread to another that waits, on the clock.
fn hop(clock: &Clock) -> anyhow::Result<f64> {
    let (there, comes) = mpsc::channel::<()>();
    let (back, answers) = mpsc::channel::<()>();
    let other = thread::spawn(move || {
        while comes.recv().is_ok() {
            if back.send(()).is_err() {
                break;
            }
        }
    });
    let begun = clock.monotonic();
    for _ in 0..REQUESTS {
        there.send(())?;
        answers.recv().context("the other thread ended")?;
    }
    let took = clock.monotonic().saturating_sub(begun);
    drop(there);
    other.join().map_err(|_panic| anyhow::anyhow!("the other thread panicked"))?;
    Ok((took.as_secs_f64() * 1e9 / (2 * REQUESTS) as f64).round() / 1e3)
}
