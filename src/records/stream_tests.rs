use super::*;
use crate::iter::RecordIter;
use proptest::prelude::*;

/// The bytes in the blocks of snappy-java, each of `block_bytes`: as many chunks as a test likes.
fn in_blocks(section: &[u8], block_bytes: usize) -> Vec<u8> {
    let mut framed = b"\x82SNAPPY\0\0\0\0\x01\0\0\0\x01".to_vec();
    for block in section.chunks(block_bytes) {
        let folded = snap::raw::Encoder::new().compress_vec(block).unwrap();
        framed.extend_from_slice(&(folded.len() as i32).to_be_bytes());
        framed.extend_from_slice(&folded);
    }
    framed
}

fn stream(folded: &[u8], count: i32, tee: Option<Tee>) -> (Result<Vec<Outline>, String>, Option<Tee>) {
    let unfold = Unfold::new(Codec::Snappy, folded, usize::MAX).unwrap();
    let mut records = RecordStream::new(unfold, count, tee);
    let mut outlines = Vec::new();
    let outcome = loop {
        match records.next() {
            Ok(Some(outline)) => outlines.push(outline),
            Ok(None) => break Ok(outlines),
            Err(error) => break Err(error.to_string()),
        }
    };
    (outcome, records.into_tee())
}

fn walk(section: &[u8], count: i32) -> Result<Vec<Outline>, String> {
    RecordIter::new(section, count)
        .map(|record| record.map(|record| Outline::from(&record)).map_err(|error| error.to_string()))
        .collect()
}

/// Timestamp, key, value and number of headers.
type Plain = (i64, Option<Vec<u8>>, Option<Vec<u8>>, usize);

fn section(records: &[Plain]) -> Vec<u8> {
    let mut builder = crate::BatchBuilder::new();
    for (timestamp, key, value, headers) in records {
        let header = crate::Header { key: b"h", value: key.as_deref() };
        builder.append(*timestamp, key.as_deref(), value.as_deref(), &vec![header; *headers]);
    }
    builder.build().unwrap()[model::batch::HEADER_BYTES..].to_vec()
}

fn bytes_or_null(max: usize) -> impl Strategy<Value = Option<Vec<u8>>> {
    proptest::option::of(proptest::collection::vec(any::<u8>(), 0..max))
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// The stream reads what the slice walk reads, wherever its chunks end, and says the same of broken bytes.
    #[test]
    fn agrees_with_the_walk_over_a_slice(
        records in proptest::collection::vec(
            (any::<i32>().prop_map(i64::from), bytes_or_null(200), bytes_or_null(600), 0usize..3),
            1..12,
        ),
        block_bytes in 1usize..90,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), 0u8..8), 0..3),
        count_error in -1i32..2,
    ) {
        let mut section = section(&records);
        for (at, bit) in flips {
            let at = at.index(section.len());
            section[at] ^= 1 << bit;
        }
        let count = records.len() as i32 + count_error;
        // No records at all is a batch that nobody opens.
        prop_assume!(count > 0);
        let tee = Tee::new(Codec::None, None, Vec::new(), usize::MAX).unwrap();
        let (streamed, tee) = stream(&in_blocks(&section, block_bytes), count, Some(tee));
        match (walk(&section, count), streamed) {
            (Ok(walked), Ok(streamed)) => {
                prop_assert_eq!(walked, streamed);
                prop_assert_eq!(tee.unwrap().finish().unwrap(), section);
            }
            // Which of two errors is met first may differ; how many bytes trail does.
            (Err(_walked), Err(_streamed)) => {}
            (walked, streamed) => prop_assert!(false, "{:?} against {:?}", walked, streamed),
        }
    }
}

#[test]
fn the_tee_stops_at_its_limit() {
    let section = section(&[(1, None, Some(vec![7; 5_000]), 0), (2, None, Some(vec![7; 5_000]), 0)]);
    let folded = in_blocks(&section, 100);
    let tee = Tee::new(Codec::None, None, vec![0; 61], 1_000).unwrap();
    let (outlines, tee) = stream(&folded, 2, Some(tee));
    assert_eq!(outlines.unwrap().len(), 2, "the records are read to their end");
    let kept = tee.unwrap().finish().unwrap();
    assert!(kept.len() > 1_000 && kept.len() <= 1_100, "{}", kept.len());
}

#[test]
fn a_record_larger_than_every_chunk_is_passed_over() {
    let section =
        section(&[(1, Some(vec![1; 70_000]), Some(vec![2; 500_000]), 2), (2, Some(vec![1; 3]), None, 0)]);
    let (outlines, _tee) = stream(&in_blocks(&section, 1_000), 2, None);
    let outlines = outlines.unwrap();
    assert_eq!((outlines[0].key_bytes, outlines[0].value_bytes), (70_000, 500_000));
    assert_eq!((outlines[1].key_bytes, outlines[1].value_bytes), (3, -1));
}
