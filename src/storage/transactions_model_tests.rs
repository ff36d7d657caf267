//! Seeded lives of transactional producers, their coordinator and one log, against a list of what is in the log.
//!
//! `OTTLA_SEEDS=5000 cargo test -p storage transactions::model_tests` runs more of them, `OTTLA_SEED` a single one.
//!
//! Batches are late, come twice or never; markers come again; the log is closed, killed and loses its power at any time.
//! Of these faults, planted one at a time, each is seen by the check in brackets:
//!
//! - a window of one batch instead of five [a retry is answered with its place];
//! - a start without the producers' snapshot [producers are known again];
//! - a last stable offset that is the high watermark [the last stable offset];
//! - an index of aborted transactions that a recovery does not build again [the aborted list, what readers see];
//! - a marker of KIP-890 that leaves the producer's epoch as it was [producers are known again, a record's own end];
//! - a guard that outlives the marker, or that is not asked for [a record's own end].

use std::collections::BTreeMap;

use model::{BatchHeader, LeaderEpoch, Offset, ProducerEpoch, ProducerId};

use crate::disk_mem::PowerCut;
use crate::producer_state::parse_marker;
use crate::test_support::{Bench, NOW_MS, append, batch, read_all, sync, transactional};
use crate::{
    AppendError, LogConfig, Opening, Origin, PartitionLog, TxnMarker, VerificationGuard, VerificationStart,
};

const SEEDS: u64 = 300;
const STEPS: usize = 250;

/// What is in the log.
#[derive(Clone, Copy, Debug)]
enum Entry {
    Plain,
    /// A record of a client's transaction, as the client means it.
    Data {
        client: usize,
        epoch: i16,
        sequence: i32,
        transaction: usize,
    },
    Marker {
        client: usize,
        epoch: i16,
        /// What it ends.
        transaction: usize,
    },
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Status {
    Idle,
    /// `added`: the coordinator knows that the transaction is in this partition.
    Ongoing {
        transaction: usize,
        added: bool,
    },
    Ending {
        transaction: usize,
        marker: TxnMarker,
        /// Where the marker is.
        written: Option<Offset>,
    },
}

/// A producer, and its coordinator's view of it.
#[derive(Debug)]
struct Client {
    bumps: bool,
    epoch: i16,
    next: i32,
    status: Status,
    /// It does not know what became of a batch: it can not commit, and begins anew.
    in_doubt: bool,
}

/// A batch on its way.
#[derive(Clone, Copy, Debug)]
struct Flight {
    client: usize,
    epoch: i16,
    sequence: i32,
    transaction: usize,
    /// Once its coordinator has admitted it, where it had to be asked.
    guard: Option<VerificationGuard>,
}

/// Client, first data offset, that of the marker, and whether it was committed.
type Ended = (usize, i64, i64, bool);
/// Client and first data offset.
type Open = (usize, i64);

struct World {
    dice: u64,
    /// A world has either crashes or deleted records: what a producer wrote to records that are deleted may be forgotten
    /// in a crash, as in Kafka.
    crashes: bool,
    bench: Bench,
    log: Option<PartitionLog>,
    entries: BTreeMap<i64, Entry>,
    clients: Vec<Client>,
    flights: Vec<Flight>,
    /// The decision of each transaction.
    decisions: Vec<Option<bool>>,
    /// Ends of KIP-890 that were carried out.
    old_markers: Vec<TxnMarker>,
    high_watermark: Offset,
    last_stable: Offset,
}

impl World {
    fn new(seed: u64) -> Self {
        let bench = Bench::new(LogConfig { index_bytes_max: 2_400, ..LogConfig::default() });
        let log = Some(bench.open());
        let client = |bumps| Client { bumps, epoch: 0, next: 0, status: Status::Idle, in_doubt: false };
        Self {
            dice: seed,
            crashes: !seed.is_multiple_of(3),
            bench,
            log,
            entries: BTreeMap::new(),
            clients: [false, true, false, true].map(client).into(),
            flights: Vec::new(),
            decisions: Vec::new(),
            old_markers: Vec::new(),
            high_watermark: Offset::ZERO,
            last_stable: Offset::ZERO,
        }
    }

    /// `splitmix64`
    fn below(&mut self, bound: usize) -> usize {
        self.dice = self.dice.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.dice;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        ((mixed ^ (mixed >> 31)) % bound as u64) as usize
    }

    fn log(&mut self) -> &mut PartitionLog {
        self.log.as_mut().unwrap()
    }

    fn step(&mut self) {
        let client = self.below(self.clients.len());
        match self.below(100) {
            0..20 => self.write(client),
            20..40 => self.ask(),
            40..60 => self.deliver(),
            60..70 => self.end(client),
            70..80 => self.mark(client),
            80..82 => self.mark_late(),
            82..84 => self.plain(),
            84..91 => self.sync(),
            91..93 => self.log().roll(NOW_MS).unwrap(),
            93..95 if !self.crashes => self.delete_records(),
            93..96 => self.restart(true),
            _ if !self.crashes => {}
            96..98 => self.restart(false),
            _ => self.power_cut(),
        }
        self.complete();
        self.check();
    }

    /// A client sends a batch.
    fn write(&mut self, client: usize) {
        let this = &mut self.clients[client];
        let transaction = match this.status {
            Status::Idle => {
                self.decisions.push(None);
                let transaction = self.decisions.len() - 1;
                // A client of before KIP-890 has told its coordinator first, or that came later.
                this.status = Status::Ongoing { transaction, added: false };
                transaction
            }
            Status::Ongoing { transaction, .. } => transaction,
            Status::Ending { .. } => return,
        };
        if !this.in_doubt {
            let flight = Flight { client, epoch: this.epoch, sequence: this.next, transaction, guard: None };
            this.next += 1;
            self.flights.push(flight);
        }
        if let Status::Ongoing { added, .. } = &mut self.clients[client].status {
            *added = true;
        }
    }

    /// A batch arrives, and its coordinator is asked.
    fn ask(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let at = self.below(self.flights.len());
        let flight = self.flights[at];
        let start = VerificationStart {
            producer_id: id_of(flight.client),
            producer_epoch: ProducerEpoch::new(flight.epoch),
            base_sequence: flight.sequence,
            supports_epoch_bump: self.clients[flight.client].bumps,
        };
        match self.log().begin_verification(&start, NOW_MS) {
            Ok(None) => self.flights[at].guard = None,
            Ok(Some(guard)) => {
                let client = &mut self.clients[flight.client];
                if client.epoch == flight.epoch
                    && let Status::Ongoing { added, .. } = &mut client.status
                    && (client.bumps || *added)
                {
                    *added = true;
                    self.flights[at].guard = Some(guard);
                } else {
                    self.lose(at);
                }
            }
            Err(AppendError::InvalidProducerEpoch { .. }) => self.lose(at),
            Err(error) => panic!("{error}"),
        }
    }

    /// A batch that was admitted, a while ago perhaps, is appended.
    fn deliver(&mut self) {
        if self.flights.is_empty() {
            return;
        }
        let at = self.below(self.flights.len());
        let flight = self.flights[at];
        let batch = transactional(id_of(flight.client).value(), flight.epoch, flight.sequence, 1);
        let original = self.original_of(&flight);
        let (end, epoch) = (self.log().log_end_offset(), LeaderEpoch::new(1));
        let appended = self.log().append_verified(Origin::Client, batch, epoch, NOW_MS, flight.guard);
        match appended {
            Ok(at) if at.duplicate => assert_eq!(Some(at.base_offset.value()), original, "{flight:?}"),
            Ok(at) => {
                assert_eq!((at.base_offset, original), (end, None), "{flight:?}");
                let Flight { client, epoch, sequence, transaction, .. } = flight;
                self.entries.insert(end.value(), Entry::Data { client, epoch, sequence, transaction });
            }
            // What was overtaken is sent again, unless nobody waits for it any more.
            Err(AppendError::OutOfOrderSequence { .. }) if self.is_current(&flight) => {
                assert_eq!(original, None, "a retry is answered with its place: {flight:?}");
                self.flights[at].guard = None;
                return;
            }
            Err(error) => {
                assert_eq!(original, None, "a retry is answered with its place: {flight:?}, {error}");
                return self.lose(at);
            }
        }
        // Mostly the client learns of it; the network may have a second one still.
        if self.below(4) > 0 {
            self.flights.swap_remove(at);
        }
    }

    fn is_current(&self, flight: &Flight) -> bool {
        let client = &self.clients[flight.client];
        client.epoch == flight.epoch
            && matches!(client.status, Status::Ongoing { transaction, .. } if transaction == flight.transaction)
    }

    /// Where a batch of the producer's last five is, if nothing came after them that ends its epoch.
    fn original_of(&self, flight: &Flight) -> Option<i64> {
        let of_producer = self.entries.iter().rev().filter_map(|(offset, entry)| match *entry {
            Entry::Data { client, epoch, sequence, .. } => {
                (client == flight.client).then_some((*offset, epoch, Some(sequence)))
            }
            Entry::Marker { client, epoch, .. } => {
                (client == flight.client).then_some((*offset, epoch, None))
            }
            Entry::Plain => None,
        });
        let of_epoch = of_producer.take_while(|(_, epoch, _)| *epoch == flight.epoch);
        let mut window = of_epoch.filter_map(|(offset, _, sequence)| Some((offset, sequence?))).take(5);
        window.find(|(_, sequence)| *sequence == flight.sequence).map(|(offset, _)| offset)
    }

    /// A batch is refused, or lost on its way.
    fn lose(&mut self, at: usize) {
        let flight = self.flights.swap_remove(at);
        if self.is_current(&flight) {
            self.clients[flight.client].in_doubt = true;
        }
    }

    /// The coordinator decides.
    fn end(&mut self, client: usize) {
        let Status::Ongoing { transaction, .. } = self.clients[client].status else { return };
        let on_its_way = |flight: &Flight| flight.transaction == transaction;
        let unsure = self.flights.iter().any(on_its_way) || self.clients[client].in_doubt || {
            let committed = self.entries.range(..self.high_watermark.value()).count();
            let is_of =
                |entry: &&Entry| matches!(entry, Entry::Data { transaction: t, .. } if *t == transaction);
            self.entries.values().skip(committed).any(|entry| is_of(&entry))
        };
        let commit = !unsure && self.below(2) == 0;
        let fences = self.below(8) == 0;
        let this = &mut self.clients[client];
        let marker_epoch = if this.bumps || (fences && !commit) { this.epoch + 1 } else { this.epoch };
        let marker = TxnMarker {
            producer_id: id_of(client),
            producer_epoch: ProducerEpoch::new(marker_epoch),
            commit,
            coordinator_epoch: 0,
            transaction_version: if this.bumps { 2 } else { 0 },
        };
        // Who does not know what became of a batch gets another epoch (KIP-360).
        let next_epoch = if this.bumps { marker_epoch } else { marker_epoch + i16::from(unsure) };
        if next_epoch != this.epoch {
            (this.epoch, this.next) = (next_epoch, 0);
        }
        this.in_doubt = false;
        this.status = Status::Ending { transaction, marker, written: None };
        self.decisions[transaction] = Some(commit);
    }

    /// A marker is written, or written again.
    fn mark(&mut self, client: usize) {
        let Status::Ending { transaction, marker, written } = self.clients[client].status else { return };
        let end = self.log().log_end_offset();
        let placed = self.log().append_marker(&marker, LeaderEpoch::new(1), NOW_MS).unwrap();
        assert!(!placed.duplicate || marker.transaction_version == 2 && written.is_some());
        if !placed.duplicate {
            let epoch = marker.producer_epoch.value();
            self.entries.insert(end.value(), Entry::Marker { client, epoch, transaction });
        }
        let written = Some(placed.last_offset);
        self.clients[client].status = Status::Ending { transaction, marker, written };
    }

    /// An end of KIP-890 comes once more, long after.
    fn mark_late(&mut self) {
        if self.old_markers.is_empty() {
            return;
        }
        let at = self.below(self.old_markers.len());
        let (marker, end) = (self.old_markers[at], self.log().log_end_offset());
        match self.log().append_marker(&marker, LeaderEpoch::new(1), NOW_MS) {
            Ok(placed) => assert!(placed.duplicate),
            Err(AppendError::MarkerEpoch { .. } | AppendError::InvalidProducerEpoch { .. }) => {}
            Err(error) => panic!("{error}"),
        }
        assert_eq!(self.log().log_end_offset(), end);
    }

    /// Ends whose markers are on disk.
    fn complete(&mut self) {
        for client in &mut self.clients {
            if let Status::Ending { marker, written: Some(written), .. } = client.status
                && written < self.high_watermark
            {
                client.status = Status::Idle;
                self.old_markers.extend(client.bumps.then_some(marker));
            }
        }
    }

    fn plain(&mut self) {
        let at = append(self.log(), batch(1, NOW_MS, 3));
        self.entries.insert(at.value(), Entry::Plain);
    }

    fn sync(&mut self) {
        sync(self.log());
        self.high_watermark = self.log().durable_offset();
    }

    fn delete_records(&mut self) {
        let (start, high_watermark) = (self.log().log_start_offset().value(), self.high_watermark.value());
        let to = start + self.below((high_watermark - start) as usize / 3 + 1) as i64;
        self.log().advance_log_start(Offset::new(to));
    }

    fn restart(&mut self, cleanly: bool) {
        let log = self.log.take().unwrap();
        let (end, log_start, recovery_point) =
            (log.log_end_offset(), log.log_start_offset(), log.recovery_point());
        if cleanly {
            log.close().unwrap();
        }
        let recovery_point = if cleanly { end } else { recovery_point };
        self.reopen(Opening { clean: cleanly, recovery_point, log_start, ..Opening::unknown(NOW_MS) });
        assert_eq!(self.log().log_end_offset(), end);
    }

    fn power_cut(&mut self) {
        let log = self.log.take().unwrap();
        let (log_start, recovery_point) = (log.log_start_offset(), log.recovery_point());
        drop(log);
        let seed = self.below(usize::MAX) as u64;
        self.bench.disk.power_cut(PowerCut::Random(seed));
        self.reopen(Opening { recovery_point, log_start, ..Opening::unknown(NOW_MS) });
        let end = self.log().log_end_offset();
        assert!(end >= self.high_watermark);
        for entry in self.entries.split_off(&end.value()).into_values() {
            match entry {
                Entry::Plain => {}
                Entry::Data { client, transaction, .. } => {
                    let this = &mut self.clients[client];
                    let lost = |flight: &Flight| flight.transaction == transaction;
                    this.in_doubt |= matches!(this.status, Status::Ongoing { .. });
                    self.flights.retain(|flight| !lost(flight));
                }
                Entry::Marker { client, .. } => {
                    if let Status::Ending { written, .. } = &mut self.clients[client].status {
                        *written = None;
                    }
                }
            }
        }
    }

    fn reopen(&mut self, opening: Opening) {
        let (mut log, _) = self.bench.try_open(opening).unwrap();
        // The broker syncs what it finds before it serves it.
        sync(&mut log);
        self.high_watermark = log.log_end_offset();
        self.log = Some(log);
    }

    /// Those that the log has an end of, and the open ones.
    fn transactions(&self) -> (Vec<Ended>, Vec<Open>) {
        let mut open: BTreeMap<usize, (i64, usize)> = BTreeMap::new();
        let mut ended = Vec::new();
        for (&offset, entry) in &self.entries {
            match *entry {
                Entry::Plain => {}
                Entry::Data { client, transaction, .. } => {
                    let (_, own) = *open.entry(client).or_insert((offset, transaction));
                    assert_eq!(own, transaction, "a record's own end: {offset} has come to another");
                }
                Entry::Marker { client, transaction, .. } => {
                    if let Some((first, own)) = open.remove(&client) {
                        assert_eq!(own, transaction, "a record's own end: {first} has another's");
                        ended.push((client, first, offset, self.decisions[transaction].unwrap()));
                    }
                }
            }
        }
        for (client, (first, own)) in &open {
            let status = self.clients[*client].status;
            let (Status::Ongoing { transaction, .. } | Status::Ending { transaction, .. }) = status else {
                panic!("a record's own end: {first} has none to come");
            };
            assert_eq!(*own, transaction, "a record's own end: {first} waits for another's");
        }
        (ended, open.into_iter().map(|(client, (first, _))| (client, first)).collect())
    }

    fn check(&mut self) {
        let (ended, open) = self.transactions();
        let (high_watermark, log_start) = (self.high_watermark, self.log().log_start_offset());
        let undecided = ended.iter().filter(|(_, _, marker, _)| *marker >= high_watermark.value());
        let first = undecided.map(|(_, first, ..)| *first).chain(open.iter().map(|(_, first)| *first)).min();
        let expected =
            first.map_or(high_watermark, |first| Offset::new(first).max(log_start).min(high_watermark));
        let last_stable = self.log().last_stable_offset(high_watermark);
        assert_eq!(last_stable, expected, "the last stable offset");
        assert!(last_stable >= self.last_stable, "it does not go back");
        self.last_stable = last_stable;
        self.check_producers(&open);

        let span = (last_stable.value() - log_start.value()) as usize + 1;
        let from = log_start.value() + self.below(span) as i64;
        let to = from + self.below((last_stable.value() - from) as usize + 1) as i64;
        let mut expected: Vec<_> = ended
            .iter()
            .filter(|(_, first, marker, committed)| !committed && *marker >= from && *first < to)
            .map(|&(client, first, marker, _)| (id_of(client).value(), first, marker))
            .collect();
        expected.sort_unstable();
        let found = self.log().aborted_transactions(Offset::new(from), Offset::new(to)).unwrap();
        let mut found: Vec<_> = found
            .iter()
            .map(|txn| (txn.producer_id.value(), txn.first_offset.value(), txn.last_offset.value()))
            .collect();
        found.sort_unstable();
        assert_eq!(found, expected, "the aborted list of {from}..{to}");
        if self.below(8) == 0 {
            self.check_readers();
        }
    }

    /// A consumer's way to sort out the records below the last stable offset finds those of committed transactions.
    fn check_readers(&mut self) {
        let (last_stable, log_start) = (self.last_stable, self.log().log_start_offset());
        let mut aborted = self.log().aborted_transactions(log_start, last_stable).unwrap();
        aborted.sort_unstable_by_key(|txn| txn.first_offset);
        let (mut hidden, mut seen) = (Vec::new(), Vec::new());
        let batches = if log_start < last_stable { read_all(self.log()) } else { Vec::new() };
        for batch in batches {
            let header = BatchHeader::parse(&batch).unwrap();
            let offset = header.base_offset;
            if offset >= last_stable {
                break;
            }
            while aborted.first().is_some_and(|txn| txn.first_offset <= offset) {
                hidden.push(aborted.remove(0).producer_id);
            }
            if header.is_control() {
                let marker = parse_marker(&batch[model::batch::HEADER_BYTES..]).unwrap();
                if !marker.commit {
                    hidden.retain(|id| *id != header.producer_id);
                }
            } else if offset >= log_start
                && !(header.is_transactional() && hidden.contains(&header.producer_id))
            {
                seen.push(offset.value());
            }
        }
        let is_visible = |entry: &Entry| match *entry {
            Entry::Plain => true,
            Entry::Data { transaction, .. } => self.decisions[transaction] == Some(true),
            Entry::Marker { .. } => false,
        };
        let below = self.entries.range(log_start.value()..last_stable.value().max(log_start.value()));
        let expected: Vec<_> =
            below.filter(|(_, entry)| is_visible(entry)).map(|(offset, _)| *offset).collect();
        assert_eq!(seen, expected, "what readers see");
    }

    fn check_producers(&mut self, open: &[Open]) {
        for client in 0..self.clients.len() {
            let mut known: Option<(i16, i32)> = None;
            for entry in self.entries.values() {
                match *entry {
                    Entry::Data { client: c, epoch, sequence, .. } if c == client => {
                        known = Some((epoch, sequence));
                    }
                    Entry::Marker { client: c, epoch, .. } if c == client => {
                        let last = known.filter(|(before, _)| *before == epoch).map_or(-1, |(_, last)| last);
                        known = Some((epoch, last));
                    }
                    _ => {}
                }
            }
            let start = open.iter().find(|(c, _)| *c == client).map(|(_, first)| Offset::new(*first));
            let expected = known.map(|(epoch, last)| (epoch, last, start));
            let found = self.log().producer(id_of(client));
            let found = found.map(|p| (p.producer_epoch.value(), p.last_sequence, p.transaction_start));
            assert_eq!(found, expected, "producers are known again: client {client}");
        }
    }
}

fn id_of(client: usize) -> ProducerId {
    ProducerId::new(100 + client as i64)
}

#[test]
fn transactions_hold_in_the_log() {
    let number = |name| std::env::var(name).ok().and_then(|text| text.parse().ok());
    let seeds = match number("OTTLA_SEED") {
        Some(seed) => seed..seed + 1,
        None => 0..number("OTTLA_SEEDS").unwrap_or(SEEDS),
    };
    for seed in seeds {
        let lived = std::panic::catch_unwind(|| {
            let mut world = World::new(seed);
            (0..STEPS).for_each(|_| world.step());
        });
        assert!(lived.is_ok(), "OTTLA_SEED={seed}");
    }
}
