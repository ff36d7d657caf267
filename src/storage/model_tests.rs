//! A log against a vector of batches: whatever is done to both, both say the same.

use bytes::Bytes;
use model::{LeaderEpoch, Offset};
use proptest::prelude::*;

use crate::test_support::{Bench, NOW_MS, batch, offsets, read_all, request, split, sync};
use crate::{LogConfig, Opening, PartitionLog, ReadError, ReadHint};

#[derive(Clone, Debug)]
enum Action {
    Append { count: i64, seed: u64 },
    Follow { gap: i64, count: i64, seed: u64 },
    Roll,
    Sync,
    Truncate { back: i64 },
    AdvanceStart { share: f64 },
    Retention,
    CloseIdle,
    ReopenClean,
    ReopenKilled,
    Read { from: f64, until: f64, bytes_max: usize, min_one_batch: bool },
    ReadSequentially { bytes_max: usize },
}

fn action() -> impl Strategy<Value = Action> {
    prop_oneof![
        8 => (1..6_i64, any::<u64>()).prop_map(|(count, seed)| Action::Append { count, seed }),
        2 => (0..3_i64, 1..4_i64, any::<u64>()).prop_map(|(gap, count, seed)| Action::Follow { gap, count, seed }),
        1 => Just(Action::Roll),
        2 => Just(Action::Sync),
        1 => (0..12_i64).prop_map(|back| Action::Truncate { back }),
        1 => (0.0..1.0_f64).prop_map(|share| Action::AdvanceStart { share }),
        1 => Just(Action::Retention),
        1 => Just(Action::CloseIdle),
        1 => Just(Action::ReopenClean),
        1 => Just(Action::ReopenKilled),
        6 => (0.0..1.0_f64, 0.0..1.0_f64, 0..2_000_usize, any::<bool>()).prop_map(
            |(from, until, bytes_max, min_one_batch)| Action::Read { from, until, bytes_max, min_one_batch }
        ),
        1 => (0..1_000_usize).prop_map(|bytes_max| Action::ReadSequentially { bytes_max }),
    ]
}

#[derive(Default)]
struct Naive {
    /// First offset, last offset and bytes of each batch.
    batches: Vec<(i64, i64, Bytes)>,
    start: i64,
    end: i64,
}

impl Naive {
    fn push(&mut self, base: i64, count: i64, sent: &Bytes, epoch: i32) {
        let mut stored = sent.to_vec();
        stored[0..8].copy_from_slice(&base.to_be_bytes());
        stored[12..16].copy_from_slice(&epoch.to_be_bytes());
        self.batches.push((base, base + count - 1, stored.into()));
        self.end = base + count;
    }

    /// What a read may answer: the batches from the one with `offset` on that end below `until`.
    fn readable(&self, offset: i64, until: i64) -> Vec<Bytes> {
        let wanted = self.batches.iter().filter(|(_, last, _)| *last >= offset && *last < until);
        wanted.map(|(_, _, bytes)| bytes.clone()).collect()
    }

    fn boundary(&self, share: f64) -> i64 {
        let at = (share * (self.batches.len() + 1) as f64) as usize;
        self.batches.get(at).map_or(self.end, |(base, _, _)| *base).max(self.start)
    }
}

struct Pair {
    bench: Bench,
    log: Option<PartitionLog>,
    naive: Naive,
    recovery_point: Offset,
}

impl Pair {
    fn apply(&mut self, action: &Action) {
        let log = self.log.as_mut().unwrap();
        let naive = &mut self.naive;
        match *action {
            Action::Append { count, seed } => {
                let sent = batch(count, NOW_MS + (seed % 50) as i64, seed);
                let appended = log.append_as_leader(sent.clone(), LeaderEpoch::new(2), NOW_MS).unwrap();
                assert_eq!(appended.base_offset.value(), naive.end);
                naive.push(naive.end, count, &sent, 2);
            }
            Action::Follow { gap, count, seed } => {
                let sent = batch(count, NOW_MS, seed);
                naive.push(naive.end + gap, count, &sent, 2);
                let mut bytes = naive.batches.last().unwrap().2.to_vec();
                let whole = bytes.len();
                bytes.extend_from_within(..whole / 2);
                log.append_as_follower(bytes.into(), NOW_MS).unwrap();
            }
            Action::Roll => log.roll(NOW_MS).unwrap(),
            Action::Sync => {
                sync(log);
                assert_eq!(log.durable_offset(), log.log_end_offset());
                self.recovery_point = log.recovery_point();
            }
            Action::Truncate { back } => {
                let to = (naive.end - back).max(naive.start);
                let recovery_point = self.recovery_point.value();
                assert_eq!(log.truncate_to(Offset::new(to), NOW_MS).unwrap(), to < naive.end);
                naive.batches.retain(|(_, last, _)| *last < to);
                // An emptied log ends where its first segment begins, which may be after a gap.
                let last = naive.batches.last().map_or(0, |(_, last, _)| last + 1);
                naive.end = log.log_end_offset().value();
                assert!((last..=to.max(last)).contains(&naive.end), "{last} {to} {}", naive.end);
                naive.start = naive.start.min(naive.end);
                self.recovery_point = Offset::new(recovery_point.min(naive.end));
            }
            Action::AdvanceStart { share } => {
                let start = naive.start + (share * (naive.end - naive.start) as f64) as i64;
                assert_eq!(log.advance_log_start(Offset::new(start)), start > naive.start);
                naive.start = start;
            }
            Action::Retention => {
                log.apply_retention(NOW_MS, log.log_end_offset()).unwrap();
                // A segment that a truncation has emptied may go although nothing was expired.
                let start = log.log_start_offset().value();
                assert!(naive.readable(naive.start, start).is_empty());
                naive.start = start;
            }
            Action::CloseIdle => {
                log.close_idle_files();
            }
            Action::ReopenClean => {
                self.log.take().unwrap().close().unwrap();
                self.reopen(true);
            }
            Action::ReopenKilled => {
                self.log = None;
                self.reopen(false);
            }
            Action::Read { from, until, bytes_max, min_one_batch } => {
                let span = (naive.end - naive.start + 2) as f64;
                let offset = naive.start - 1 + (from * span) as i64;
                let until = naive.boundary(until);
                let plan = log.read_plan(
                    request(Offset::new(offset), bytes_max, Offset::new(until), min_one_batch),
                    None,
                );
                if offset < naive.start || offset > naive.end {
                    assert!(matches!(plan, Err(ReadError::OutOfRange { .. })));
                    return;
                }
                let plan = plan.unwrap();
                check_read(naive, offset, until, bytes_max, min_one_batch, &plan.read().unwrap().bytes);
            }
            Action::ReadSequentially { bytes_max } => self.read_sequentially(bytes_max),
        }
    }

    fn reopen(&mut self, clean: bool) {
        let opening = Opening {
            recovery_point: self.recovery_point,
            log_start: Offset::new(self.naive.start),
            clean,
            repair: false,
            aging_ms: NOW_MS,
        };
        let (log, recovery) = self.bench.try_open(opening).unwrap();
        assert_eq!(recovery.truncated, None);
        self.log = Some(log);
    }

    fn read_sequentially(&mut self, bytes_max: usize) {
        let log = self.log.as_mut().unwrap();
        let mut offset = self.naive.start;
        let mut hint: Option<ReadHint> = None;
        let mut found = Vec::new();
        let end = log.log_end_offset();
        while offset < self.naive.end {
            let plan = log.read_plan(request(Offset::new(offset), bytes_max, end, true), hint).unwrap();
            let read = plan.read().unwrap();
            let batches = split(&read.bytes);
            hint = read.next;
            log.take_in_read(&read);
            let Some((_, last)) = offsets(&batches).last().copied() else { break };
            if let Some(hint) = hint {
                assert!(hint.offset().value() > last, "the hint is for what follows");
            }
            offset = hint.map_or(last + 1, |hint| hint.offset().value());
            found.extend(batches);
        }
        assert_eq!(found, self.naive.readable(self.naive.start, self.naive.end));
    }

    fn check(&mut self) {
        let log = self.log.as_mut().unwrap();
        assert_eq!(log.log_end_offset().value(), self.naive.end);
        assert_eq!(log.log_start_offset().value(), self.naive.start);
        assert_eq!(read_all(log), self.naive.readable(self.naive.start, self.naive.end));
        assert!(log.durable_offset() <= log.log_end_offset());
    }
}

fn check_read(naive: &Naive, offset: i64, until: i64, bytes_max: usize, min_one_batch: bool, bytes: &Bytes) {
    let readable = naive.readable(offset, until);
    let found = split(bytes);
    assert!(readable.starts_with(&found), "whole batches in order, from the one with the offset on");
    assert!(bytes.len() <= bytes_max || (min_one_batch && found.len() == 1));
    let first = readable.first().map(Bytes::len);
    let must_answer = first.is_some_and(|first| min_one_batch || first <= bytes_max);
    assert_eq!(!found.is_empty(), must_answer, "{first:?} {bytes_max}");
}

/// Bytes that look like a log the more the fewer changes were made to it.
fn nearly_a_log() -> impl Strategy<Value = Vec<u8>> {
    let changes = prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..6);
    (0..5_u64, changes, prop::collection::vec(any::<u8>(), 0..200)).prop_map(|(batches, changes, tail)| {
        let mut bytes = Vec::new();
        for seed in 0..batches {
            let mut batch = batch(2, NOW_MS, seed).to_vec();
            batch[0..8].copy_from_slice(&(seed as i64 * 2).to_be_bytes());
            bytes.extend(batch);
        }
        bytes.extend(tail);
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        bytes
    })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1_000, ..ProptestConfig::default() })]

    #[test]
    fn any_bytes_are_recovered_and_recovered_alike(
        log_bytes in nearly_a_log(),
        index in prop::collection::vec(any::<u8>(), 0..64),
        times in prop::collection::vec(any::<u8>(), 0..64),
        txns in prop::option::of(prop::collection::vec(any::<u8>(), 0..80)),
        snapshot in prop::collection::vec(any::<u8>(), 0..80),
        epochs in "[0-9 \n-]{0,30}",
        clean in any::<bool>(),
    ) {
        let bench = Bench::new(LogConfig { index_bytes_max: 240, ..LogConfig::default() });
        let put = |suffix: &str, bytes: &[u8]| {
            let path = bench.dir.join(format!("{:020}{suffix}", 0));
            crate::checkpoints::replace(&bench.disk, &path, bytes).unwrap();
        };
        put(".log", &log_bytes);
        put(".index", &index);
        put(".timeindex", &times);
        if let Some(txns) = &txns {
            put(".txnindex", txns);
        }
        put(".snapshot", &snapshot);
        let epochs_path = bench.dir.join("leader-epoch-checkpoint");
        crate::checkpoints::replace(&bench.disk, &epochs_path, epochs.as_bytes()).unwrap();
        let opening = Opening { clean, ..Opening::unknown(NOW_MS) };
        let Ok((mut log, _)) = bench.try_open(opening) else { return Ok(()) };
        let found = if clean { Vec::new() } else { read_all(&mut log) };
        let end = log.log_end_offset();
        for offset in 0..end.value().min(20) {
            let _ = log.read_plan(request(Offset::new(offset), 100, end, true), None).map(crate::ReadPlan::read);
        }
        let _ = (log.offset_for_timestamp(NOW_MS), log.offset_of_max_timestamp());
        let _ = log.aborted_transactions(Offset::ZERO, end);
        drop(log);
        if !clean {
            let (mut log, recovery) = bench.try_open(opening).unwrap();
            prop_assert_eq!(recovery.truncated, None);
            prop_assert_eq!(read_all(&mut log), found);
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 300, ..ProptestConfig::default() })]

    #[test]
    fn a_log_is_a_vector_of_batches(
        actions in prop::collection::vec(action(), 1..60),
        segment_bytes in 300..2_000_u32,
        index_interval_bytes in 0..500_u32,
    ) {
        let config = LogConfig { segment_bytes, index_interval_bytes, index_bytes_max: 240, ..LogConfig::default() };
        let config = LogConfig { cleanup: crate::Cleanup { delete: true, compact: true }, ..config };
        let bench = Bench::new(config);
        let log = bench.open();
        let mut pair = Pair { bench, log: Some(log), naive: Naive::default(), recovery_point: Offset::ZERO };
        for action in &actions {
            pair.apply(action);
            pair.check();
        }
    }
}
