use model::LeaderEpoch;
use records::{EndTxnMarker, Header, Record};

use super::*;

const NOW_MS: i64 = 10_000;

/// Records of one batch: key, value.
type Pairs<'a> = &'a [(Option<&'a str>, Option<&'a str>)];

fn builder(base: i64) -> BatchBuilder {
    BatchBuilder::new().base_offset(Offset::new(base)).leader_epoch(LeaderEpoch::new(4))
}

fn fill(mut builder: BatchBuilder, pairs: Pairs<'_>) -> Bytes {
    for (at, (key, value)) in pairs.iter().enumerate() {
        let header = Header { key: b"twice", value: Some(b"1") };
        let nothing = Header { key: b"twice", value: None };
        let (key, value) = (key.map(str::as_bytes), value.map(str::as_bytes));
        builder.append(1_000 + at as i64 * 7, key, value, &[header, nothing]);
    }
    builder.build().unwrap()
}

fn map_of(newest: &[(&str, i64)]) -> OffsetMap {
    let mut map = OffsetMap::new(1 << 16, 0.9);
    map.prepare(newest.len() as u64);
    for (key, offset) in newest {
        assert!(map.put(key.as_bytes(), Offset::new(*offset)));
    }
    map
}

struct Case {
    map: OffsetMap,
    mapped_to: i64,
    transactions: Transactions,
    producers: BTreeMap<ProducerId, LastOfProducer>,
    now_ms: i64,
    must_stay: bool,
}

impl Case {
    fn new(newest: &[(&str, i64)]) -> Self {
        Self {
            map: map_of(newest),
            mapped_to: 1_000,
            transactions: Transactions::default(),
            producers: BTreeMap::new(),
            now_ms: NOW_MS,
            must_stay: false,
        }
    }

    fn filter(&mut self, batch: &Bytes) -> Filtered {
        self.try_filter(batch).unwrap()
    }

    fn try_filter(&mut self, batch: &Bytes) -> Result<Filtered, FilterError> {
        let mut filter = Filter {
            map: &self.map,
            mapped_to: Offset::new(self.mapped_to),
            transactions: &mut self.transactions,
            producers: &self.producers,
            aging_ms: self.now_ms,
            delete_retention_ms: 500,
        };
        filter.filter(&BatchHeader::parse(batch).unwrap(), batch, self.must_stay)
    }
}

fn rewritten(filtered: Filtered) -> OpenBatch {
    let Verdict::Rewrite(batch) = filtered.verdict else { panic!("{filtered:?}") };
    assert!(crc_matches(&batch));
    let open = OpenBatch::new(&batch, usize::MAX).unwrap();
    assert_eq!(open.records().count() as u64, filtered.records);
    open
}

fn described(open: &OpenBatch) -> Vec<(i64, i64, String)> {
    let text =
        |bytes: Option<&[u8]>| bytes.map_or("-".to_owned(), |b| String::from_utf8_lossy(b).into_owned());
    let describe = |record: Record<'_>| {
        let headers = record.headers.iter().count();
        let words = format!("{} {} {headers}", text(record.key), text(record.value));
        (open.offset_of(&record).value(), open.timestamp_of(&record), words)
    };
    open.records().map(|record| describe(record.unwrap())).collect()
}

#[test]
fn a_batch_of_which_everything_stays_is_not_touched() {
    let mut case = Case::new(&[("a", 10), ("b", 12)]);
    for codec in Codec::ALL {
        let builder = builder(10).codec(codec, None);
        let batch = fill(builder, &[(Some("a"), Some("1")), (Some("c"), Some("2")), (Some("b"), Some(""))]);
        assert_eq!(case.filter(&batch), Filtered { verdict: Verdict::Keep, aborted: None, records: 3 });
    }
}

#[test]
fn older_records_of_a_key_go_and_the_others_stay_as_they_were() {
    let mut case = Case::new(&[("a", 90), ("b", 12)]);
    for codec in Codec::ALL {
        let builder = builder(10)
            .codec(codec, None)
            .producer(ProducerId::new(5), ProducerEpoch::new(2), 40)
            .transactional();
        let batch = fill(
            builder,
            &[(Some("a"), Some("1")), (None, Some("k")), (Some("b"), Some("2")), (Some("a"), Some("3"))],
        );
        let open = rewritten(case.filter(&batch));
        assert_eq!(described(&open), [(12, 1_014, "b 2 2".to_owned())]);
        let header = open.header;
        assert_eq!((header.base_offset.value(), header.last_offset().value()), (10, 13));
        assert_eq!((header.base_sequence, header.last_sequence()), (40, 43));
        assert_eq!((header.leader_epoch.value(), header.producer_epoch.value()), (4, 2));
        assert_eq!((header.base_timestamp, header.max_timestamp), (1_014, 1_014));
        assert!(header.is_transactional() && !header.is_control());
        assert_eq!(header.codec_bits(), codec.bits());
        assert_eq!(header.delete_horizon_ms(), None);
    }
}

#[test]
fn what_the_map_has_not_seen_stays() {
    let mut case = Case { mapped_to: 11, ..Case::new(&[("a", 11)]) };
    let batch = fill(builder(10), &[(Some("a"), Some("1")), (Some("a"), Some("2")), (None, Some("k"))]);
    assert_eq!(described(&rewritten(case.filter(&batch))).len(), 2);
    case.mapped_to = 9;
    assert_eq!(case.filter(&batch).verdict, Verdict::Keep);
}

#[test]
fn tombstones_get_a_horizon_and_go_when_it_has_passed() {
    let mut case = Case::new(&[("a", 10), ("b", 11)]);
    let batch = fill(builder(10), &[(Some("a"), None), (Some("b"), Some("v"))]);
    let open = rewritten(case.filter(&batch));
    assert_eq!(open.header.delete_horizon_ms(), Some(NOW_MS + 500));
    assert_eq!((open.header.base_timestamp, open.header.max_timestamp), (NOW_MS + 500, 1_007));
    let both = [(10, 1_000, "a - 2".to_owned()), (11, 1_007, "b v 2".to_owned())];
    assert_eq!(described(&open), both);

    let with_horizon = match case.filter(&batch).verdict {
        Verdict::Rewrite(bytes) => bytes,
        other => panic!("{other:?}"),
    };
    case.now_ms = NOW_MS + 499;
    assert_eq!(case.filter(&with_horizon).verdict, Verdict::Keep, "the horizon is set once");
    case.now_ms = NOW_MS + 500;
    let open = rewritten(case.filter(&with_horizon));
    assert_eq!(described(&open), both[1..]);
    assert_eq!(open.header.delete_horizon_ms(), Some(NOW_MS + 500), "and stays");
    // A tombstone that has been replaced goes at once.
    let mut case = Case::new(&[("a", 50), ("b", 11)]);
    assert_eq!(described(&rewritten(case.filter(&with_horizon))), both[1..]);
}

#[test]
fn append_times_survive() {
    let mut case = Case::new(&[("a", 90), ("b", 11)]);
    let stamped = builder(10).log_append_time(7_777);
    let batch = fill(stamped, &[(Some("a"), Some("1")), (Some("b"), None)]);
    let open = rewritten(case.filter(&batch));
    assert!(open.header.is_log_append_time());
    assert_eq!(open.header.max_timestamp, 7_777);
    assert_eq!(described(&open), [(11, 7_777, "b - 2".to_owned())]);
}

#[test]
fn the_last_batch_of_a_producer_keeps_its_header() {
    let producer = ProducerId::new(5);
    let epoch = ProducerEpoch::new(2);
    let mut case = Case::new(&[("a", 90)]);
    let batch =
        fill(builder(10).codec(Codec::Zstd, None).producer(producer, epoch, 40), &[(Some("a"), Some("1"))]);
    assert_eq!(case.filter(&batch).verdict, Verdict::Drop);
    case.producers.insert(producer, LastOfProducer { offset: Some(Offset::new(11)), epoch });
    assert_eq!(case.filter(&batch).verdict, Verdict::Drop);
    case.producers.insert(producer, LastOfProducer { offset: Some(Offset::new(10)), epoch });
    let open = rewritten(case.filter(&batch));
    let header = open.header;
    assert_eq!((header.record_count, header.size(), header.codec_bits()), (0, 61, 0));
    assert_eq!((header.base_sequence, header.last_offset().value()), (40, 10));
    assert_eq!((header.base_timestamp, header.max_timestamp), (-1, 1_000));
    // Nor does a batch go that must stay for its last offset.
    case.producers.clear();
    case.must_stay = true;
    assert_eq!(rewritten(case.filter(&batch)).header.record_count, 0);
}

fn marker(base: i64, commit: bool) -> Bytes {
    let marker = EndTxnMarker { commit, coordinator_epoch: 1 };
    let batch = marker.batch(3_000, ProducerId::new(5), ProducerEpoch::new(2)).unwrap();
    let mut bytes = batch.to_vec();
    bytes[0..8].copy_from_slice(&base.to_be_bytes());
    bytes.into()
}

fn in_transaction(base: i64, key: &str) -> Bytes {
    let builder = builder(base).producer(ProducerId::new(5), ProducerEpoch::new(2), 0).transactional();
    fill(builder, &[(Some(key), Some("v"))])
}

fn aborted(first: i64, last: i64) -> AbortedTxn {
    AbortedTxn {
        producer_id: ProducerId::new(5),
        first_offset: Offset::new(first),
        last_offset: Offset::new(last),
        last_stable_offset: Offset::new(last + 1),
    }
}

#[test]
fn records_of_aborted_transactions_go_and_their_marker_follows() {
    let txn = aborted(10, 12);
    let mut case = Case::new(&[("a", 11)]);
    case.transactions = Transactions::new(vec![txn]);
    assert_eq!(case.filter(&in_transaction(10, "x")).verdict, Verdict::Drop);
    assert_eq!(case.filter(&in_transaction(11, "a")).verdict, Verdict::Drop, "whatever the map says");
    // While there were records, the marker and its entry in the index stay.
    let kept = case.filter(&marker(12, false));
    assert_eq!(kept, Filtered { verdict: Verdict::Keep, aborted: Some(txn), records: 1 });
    assert_eq!(case.filter(&in_transaction(13, "x")).verdict, Verdict::Keep, "the next one is another");

    // The next time there is nothing left: the marker gets its horizon.
    case.transactions = Transactions::new(vec![txn]);
    let filtered = case.filter(&marker(12, false));
    assert_eq!(filtered.aborted, None);
    let Verdict::Rewrite(with_horizon) = filtered.verdict else { panic!("no horizon") };
    let open = OpenBatch::new(&with_horizon, 1_000).unwrap();
    assert_eq!(open.header.delete_horizon_ms(), Some(NOW_MS + 500));
    assert!(open.header.is_control() && open.header.is_transactional());
    let record = open.records().next().unwrap().unwrap();
    assert_eq!(EndTxnMarker::of(&record), Some(EndTxnMarker { commit: false, coordinator_epoch: 1 }));
    assert_eq!((open.timestamp_of(&record), open.header.max_timestamp), (3_000, 3_000));

    // And then it goes, or leaves its header where it is the last that is known of its producer.
    case.now_ms = NOW_MS + 499;
    assert_eq!(case.filter(&with_horizon).verdict, Verdict::Keep);
    case.now_ms = NOW_MS + 500;
    assert_eq!(case.filter(&with_horizon).verdict, Verdict::Drop);
    let last = LastOfProducer { offset: None, epoch: ProducerEpoch::new(2) };
    case.producers.insert(ProducerId::new(5), last);
    let Verdict::Rewrite(empty) = case.filter(&with_horizon).verdict else { panic!("gone") };
    let header = BatchHeader::parse(&empty).unwrap();
    assert_eq!((header.record_count, header.is_control(), header.producer_epoch.value()), (0, true, 2));
    assert_eq!(case.filter(&empty).verdict, Verdict::Rewrite(empty.clone()));
    case.producers.clear();
    assert_eq!(case.filter(&empty).verdict, Verdict::Drop);
}

#[test]
fn commit_markers_stay_as_long_as_batches_of_their_transaction() {
    let mut case = Case::new(&[("a", 90)]);
    assert_eq!(case.filter(&in_transaction(10, "a")).verdict, Verdict::Drop);
    assert_eq!(case.filter(&marker(12, true)).verdict, Verdict::Keep);
    assert!(
        matches!(case.filter(&marker(12, true)).verdict, Verdict::Rewrite(_)),
        "without any it gets a horizon"
    );
}

#[test]
fn other_control_records_stay() {
    let mut batch = builder(10);
    batch.append_control(1_000, records::ControlType::LeaderChange, b"who");
    let batch = batch.build().unwrap();
    assert_eq!(Case::new(&[]).filter(&batch).verdict, Verdict::Keep);
}

#[test]
fn damage_is_not_given_a_new_crc() {
    let mut case = Case::new(&[("a", 90)]);
    let batch = fill(builder(10), &[(Some("a"), Some("1")), (Some("b"), Some("2"))]);
    for at in 21..batch.len() {
        let mut bytes = batch.to_vec();
        bytes[at] ^= 1;
        assert!(matches!(case.try_filter(&bytes.into()), Err(FilterError::Crc)), "byte {at}");
    }
    // Sound, but with records that contradict themselves.
    let twice = fill(builder(10), &[(Some("a"), Some("1")), (Some("b"), Some("2")), (Some("c"), Some("3"))]);
    let mut bytes = twice.to_vec();
    bytes[23..27].copy_from_slice(&1_i32.to_be_bytes());
    model::batch::seal(&mut bytes);
    assert!(matches!(case.try_filter(&bytes.into()), Err(FilterError::Order(1, 2))));
}
