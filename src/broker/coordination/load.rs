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

/// Reads a shard's log from its start to its end and makes the shard ready.
pub(super) fn load<M: Machine>(host: &Arc<Host<M>>) {
    match replay::<M>(&host.partition) {
        Ok((shard, end)) => host.loaded(shard, end),
        Err(PartitionError::Gone) => host.retire(),
        Err(error) => {
            let name = host.partition.dir_name();
            M::log(Level::ERROR, format_args!("the {} of {name} are not served: {error}", M::SUBJECT));
            host.retire();
        }
    }
}

fn replay<M: Machine>(partition: &Arc<Partition>) -> Result<(M, Offset), PartitionError> {
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
        let begun_at = next;
        while let Some(batch) = take_batch(&mut bytes) {
            let Ok(header) = BatchHeader::parse(&batch) else { break };
            let last = header.base_offset.checked_add(i64::from(header.last_offset_delta));
            next = last.unwrap_or(offsets.log_end).next();
            take_in(&mut shard, partition, &batch);
        }
        if next <= begun_at {
            // Compaction may have left nothing up to the end.
            break;
        }
    }
    Ok((shard, offsets.log_end))
}

/// The next whole batch.
fn take_batch(bytes: &mut Bytes) -> Option<Bytes> {
    let size = BatchHeader::parse(bytes).ok()?.size();
    (size <= bytes.len()).then(|| bytes.split_to(size))
}

/// Replays what is legible of a batch. What is not is said and passed over, as in Kafka: the others are worth more than a
/// coordinator that refuses them all.
fn take_in<M: Machine>(shard: &mut M, partition: &Partition, batch: &Bytes) {
    let complain = |at: Offset, what: &dyn std::fmt::Display| {
        let name = partition.dir_name();
        M::log(Level::ERROR, format_args!("{name} at offset {at}: {what}; it is passed over"));
    };
    let opened = OpenBatch::new(batch, DECOMPRESSED_BYTES_MAX);
    let opened = match opened {
        Ok(opened) if crc_matches(batch) => opened,
        Ok(opened) => return complain(opened.header.base_offset, &"the CRC of a batch does not match"),
        Err(error) => {
            let at = BatchHeader::parse(batch).map_or(Offset::ZERO, |header| header.base_offset);
            return complain(at, &error);
        }
    };
    let header = &opened.header;
    let stamp = header.is_transactional().then(|| Stamp {
        producer_id: header.producer_id.value(),
        producer_epoch: header.producer_epoch.value(),
    });
    for record in opened.records() {
        let record = match record {
            Ok(record) => record,
            Err(error) => return complain(header.base_offset, &error),
        };
        if header.is_control() {
            if let (Some(marker), Some(stamp)) = (EndTxnMarker::of(&record), stamp) {
                shard.replay_marker(stamp, marker.commit);
            }
            continue;
        }
        let at = opened.offset_of(&record);
        let Some(key) = record.key else {
            complain(at, &"a record has no key");
            continue;
        };
        let value = record.value.map(Bytes::copy_from_slice);
        match M::decode(&Bytes::copy_from_slice(key), value.as_ref()) {
            Ok(Some(record)) => shard.replay(record, stamp),
            Ok(None) => {
                let name = partition.dir_name();
                M::log(Level::DEBUG, format_args!("{name} at offset {at}: a record of another type"));
            }
            Err(error) => complain(at, &error),
        }
    }
}
