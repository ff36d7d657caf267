//! Reads the log of a shard into it: `CoordinatorLoaderImpl`.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::JoinHandle;

use bytes::Bytes;
use coordinator::group::Stamp;
use model::batch::crc_matches;
use model::limits::DECOMPRESSED_BYTES_MAX;
use model::{BatchHeader, Offset};
use parking_lot::Mutex;
use records::{EndTxnMarker, OpenBatch};
use storage::ReadRequest;
use tracing::Level;

use super::{Host, Machine};
use crate::partition::{Partition, PartitionError};

/// Bytes of a log that are read at once.
const CHUNK_BYTES: usize = 1024 * 1024;
/// Shards are loaded by this many threads: most logs are small, and the machine has other things to do at a start.
const THREADS_MAX: usize = 4;

/// The threads that load shards; they end when all are loaded.
#[derive(Debug)]
pub(super) struct Loading<M: Machine> {
    state: Mutex<State<M>>,
    stopping: Arc<AtomicBool>,
}

#[derive(Debug)]
struct State<M: Machine> {
    /// What was found before the start.
    waiting: Vec<Arc<Host<M>>>,
    threads: Vec<JoinHandle<()>>,
    started: bool,
}

impl<M: Machine> Default for Loading<M> {
    fn default() -> Self {
        let state = State { waiting: Vec::new(), threads: Vec::new(), started: false };
        Self { state: Mutex::new(state), stopping: Arc::default() }
    }
}

impl<M: Machine> Loading<M> {
    /// Loads these in the background, but not before the node has started.
    pub(super) fn begin(&self, hosts: Vec<Arc<Host<M>>>) {
        let mut state = self.state.lock();
        if state.started {
            self.run(&mut state, hosts);
        } else {
            state.waiting.extend(hosts);
        }
    }

    /// From now on shards are loaded.
    pub(super) fn start(&self) {
        let mut state = self.state.lock();
        state.started = true;
        let hosts = std::mem::take(&mut state.waiting);
        self.run(&mut state, hosts);
    }

    fn run(&self, state: &mut State<M>, hosts: Vec<Arc<Host<M>>>) {
        let cores = std::thread::available_parallelism().map_or(1, usize::from);
        let count = cores.min(THREADS_MAX).min(hosts.len());
        let Some(clock) = hosts.first().map(|host| host.shared.clock.clone()) else { return };
        let (shards, begun) = (hosts.len(), clock.monotonic());
        let left = Arc::new(AtomicUsize::new(shards));
        let queue = Arc::new(Mutex::new(hosts.into_iter()));
        state.threads.retain(|thread| !thread.is_finished());
        for number in 0..count {
            let (work, stopping) = (Arc::clone(&queue), Arc::clone(&self.stopping));
            let (left, clock) = (Arc::clone(&left), clock.clone());
            let run = move || {
                while !stopping.load(Ordering::Acquire) {
                    let Some(host) = work.lock().next() else { return };
                    load(&host);
                    if left.fetch_sub(1, Ordering::AcqRel) == 1 {
                        let took_ms = clock.monotonic().saturating_sub(begun).as_millis();
                        M::log(
                            Level::INFO,
                            format_args!("loaded the {} of {shards} partitions in {took_ms} ms", M::SUBJECT),
                        );
                    }
                }
            };
            match std::thread::Builder::new().name(format!("{}-{number}", M::LOAD_THREAD)).spawn(run) {
                Ok(thread) => state.threads.push(thread),
                Err(error) => {
                    M::log(Level::ERROR, format_args!("no thread to load {}: {error}", M::SUBJECT));
                    // Better late than never.
                    let left: Vec<_> = queue.lock().by_ref().collect();
                    left.iter().for_each(load);
                }
            }
        }
    }

    /// Ends the threads after the shard they are at.
    pub(super) fn stop(&self) {
        self.stopping.store(true, Ordering::Release);
        let threads = std::mem::take(&mut self.state.lock().threads);
        for thread in threads {
            if thread.join().is_err() {
                M::log(Level::ERROR, format_args!("a thread that loaded {} had panicked", M::SUBJECT));
            }
        }
    }
}

/// Reads a shard's log from its start to its end and makes the shard ready. One whose log cannot be read coordinates nobody:
/// half of what was committed is worse than none, which clients ask for again.
pub(super) fn load<M: Machine>(host: &Arc<Host<M>>) {
    match replay::<M>(&host.partition) {
        Ok((shard, end)) => host.loaded(shard, end),
        Err(Unloaded::Partition(PartitionError::Gone)) => host.retire(),
        Err(error) => {
            let name = host.partition.dir_name();
            let subject = M::SUBJECT;
            M::log(
                Level::ERROR,
                format_args!(
                    "the {subject} of {name} are not served: {error}. Those of other partitions are. Nothing was changed: \
                     stop the node, put a sound copy of the directory {name} in its place, and start again"
                ),
            );
            host.retire();
        }
    }
}

/// Why a log was not taken in.
#[derive(Debug, thiserror::Error)]
enum Unloaded {
    #[error(transparent)]
    Partition(#[from] PartitionError),
    #[error("at offset {at}, {what}")]
    Illegible { at: Offset, what: String },
}

impl Unloaded {
    fn illegible(at: Offset, what: impl ToString) -> Self {
        Self::Illegible { at, what: what.to_string() }
    }
}

fn replay<M: Machine>(partition: &Arc<Partition>) -> Result<(M, Offset), Unloaded> {
    let mut shard = M::default();
    let offsets = partition.offsets();
    let mut next = offsets.log_start;
    while next < offsets.log_end {
        let request = ReadRequest {
            offset: next,
            bytes_max: CHUNK_BYTES,
            upper_bound: offsets.log_end,
            min_one_batch: true,
        };
        let mut bytes = partition.read(request)?.bytes;
        if bytes.is_empty() {
            // Compaction may have left nothing up to the end.
            break;
        }
        while !bytes.is_empty() {
            // Where a header leads nowhere it is not known what comes after, whoever asks.
            let (batch, beyond) = take_batch(&mut bytes, next)?;
            next = beyond;
            if let Err(error) = take_in(&mut shard, partition, &batch) {
                pass_over::<M>(partition, error, "the rest of its batch")?;
            }
        }
    }
    Ok((shard, offsets.log_end))
}

/// Goes on without what cannot be read, where the coordinator does.
fn pass_over<M: Machine>(partition: &Partition, error: Unloaded, what: &str) -> Result<(), Unloaded> {
    if !M::PASSES_OVER_THE_ILLEGIBLE {
        return Err(error);
    }
    let name = partition.dir_name();
    M::log(Level::ERROR, format_args!("{name}: {error}; {what} is passed over"));
    Ok(())
}

/// The next batch, which has the record at `next`, or the first one after it; and where the one after it begins. A read ends
/// with a whole batch.
fn take_batch(bytes: &mut Bytes, next: Offset) -> Result<(Bytes, Offset), Unloaded> {
    let header = BatchHeader::parse(bytes).map_err(|error| Unloaded::illegible(next, error))?;
    let (size, left) = (header.size(), bytes.len());
    if size > left {
        let what = format!("a batch has {size} bytes by its header, and {left} are left");
        return Err(Unloaded::illegible(next, what));
    }
    let last = header.base_offset.checked_add(i64::from(header.last_offset_delta));
    let last = last.filter(|last| *last >= next).ok_or_else(|| {
        Unloaded::illegible(next, format!("a batch begins at offset {} by its header", header.base_offset))
    })?;
    Ok((bytes.split_to(size), last.next()))
}

/// Replays a batch.
fn take_in<M: Machine>(shard: &mut M, partition: &Partition, batch: &Bytes) -> Result<(), Unloaded> {
    let base = BatchHeader::parse(batch).map_or(Offset::ZERO, |header| header.base_offset);
    if !crc_matches(batch) {
        return Err(Unloaded::illegible(base, "the CRC of a batch does not match"));
    }
    let opened =
        OpenBatch::new(batch, DECOMPRESSED_BYTES_MAX).map_err(|error| Unloaded::illegible(base, error))?;
    let header = &opened.header;
    let stamp = header.is_transactional().then(|| Stamp {
        producer_id: header.producer_id.value(),
        producer_epoch: header.producer_epoch.value(),
    });
    for record in opened.records() {
        let record = record.map_err(|error| Unloaded::illegible(base, error))?;
        if header.is_control() {
            if let (Some(marker), Some(stamp)) = (EndTxnMarker::of(&record), stamp) {
                shard.replay_marker(stamp, marker.commit);
            }
            continue;
        }
        let at = opened.offset_of(&record);
        match decoded::<M>(at, record.key, record.value) {
            Ok(Some(record)) => shard.replay(record, stamp),
            Ok(None) => {
                let name = partition.dir_name();
                M::log(Level::DEBUG, format_args!("{name} at offset {at}: a record of another type"));
            }
            Err(error) => pass_over::<M>(partition, error, "it")?,
        }
    }
    Ok(())
}

fn decoded<M: Machine>(
    at: Offset,
    key: Option<&[u8]>,
    value: Option<&[u8]>,
) -> Result<Option<M::Record>, Unloaded> {
    let key = key.ok_or_else(|| Unloaded::illegible(at, "a record has no key"))?;
    let value = value.map(Bytes::copy_from_slice);
    M::decode(&Bytes::copy_from_slice(key), value.as_ref()).map_err(|error| Unloaded::illegible(at, error))
}
