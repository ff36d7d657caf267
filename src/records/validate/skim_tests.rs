use model::BatchHeader;
use proptest::prelude::*;

use super::*;
use crate::iter::RecordIter;
use crate::validate::facts::Facts;
use crate::validate::{ProduceRules, TimestampType, see_each};
use crate::varint::{put_varint, put_varlong};

/// What the walk that gives reasons finds, record by record.
fn plainly(section: &[u8], count: i32) -> Option<Skim> {
    let records: Vec<_> = RecordIter::new(section, count).collect::<Result<_, _>>().ok()?;
    let deltas = || records.iter().map(|record| record.timestamp_delta);
    let in_order = records.iter().zip(0..).all(|(record, offset)| record.offset_delta == offset);
    let timestamp_deltas = (deltas().min()?, deltas().max()?);
    in_order.then(|| Skim { timestamp_deltas, lacks_key: records.iter().any(|record| record.key.is_none()) })
}

#[derive(Clone, Debug)]
struct Made {
    timestamp_delta: i64,
    key: Option<Vec<u8>>,
    value: Option<Vec<u8>>,
    headers: usize,
    /// Which of its numbers are written with a byte too many.
    padded: [bool; 6],
}

fn made() -> impl Strategy<Value = Made> {
    let sized = |size| proptest::collection::vec(any::<u8>(), size);
    let bytes = move || prop_oneof![sized(0..12), sized(60..70), sized(120..140)];
    let delta = prop_oneof![Just(0), -70..70i64, -9_000..9_000i64, any::<i64>()];
    let large = proptest::collection::vec(Just(7u8), 8_100..8_300);
    (
        delta,
        proptest::option::of(bytes()),
        proptest::option::of(prop_oneof![8 => bytes(), 1 => large]),
        prop_oneof![4 => Just(0usize), 1 => 0..3usize],
        proptest::array::uniform6(proptest::bool::weighted(0.05)),
    )
        .prop_map(|(timestamp_delta, key, value, headers, padded)| Made {
            timestamp_delta,
            key,
            value,
            headers,
            padded,
        })
}

/// The same number in one byte more, where that is one of at most two.
fn pad(out: &mut Vec<u8>, from: usize, is_padded: bool) {
    if is_padded && out.len() - from <= 2 {
        *out.last_mut().unwrap() |= 0x80;
        out.push(0);
    }
}

fn section(records: &[Made]) -> Vec<u8> {
    let mut out = Vec::new();
    for (record, offset) in records.iter().zip(0..) {
        let mut body = vec![0];
        let number = |body: &mut Vec<u8>, value: i32, padded: bool| {
            let from = body.len();
            put_varint(body, value);
            pad(body, from, padded);
        };
        let from = body.len();
        put_varlong(&mut body, record.timestamp_delta);
        pad(&mut body, from, record.padded[0]);
        number(&mut body, offset, record.padded[1]);
        for (bytes, padded) in [(&record.key, record.padded[2]), (&record.value, record.padded[3])] {
            number(&mut body, bytes.as_ref().map_or(-1, |bytes| bytes.len() as i32), padded);
            body.extend_from_slice(bytes.as_deref().unwrap_or_default());
        }
        number(&mut body, record.headers as i32, record.padded[4]);
        for _ in 0..record.headers {
            body.extend_from_slice(&[2, b'h', 1]);
        }
        number(&mut out, body.len() as i32, record.padded[5]);
        out.extend_from_slice(&body);
    }
    out
}

fn outcome(section: &[u8], count: i32, header: &BatchHeader, rules: &ProduceRules<'_>) -> Option<i64> {
    Facts::new(header, rules).largest_of(&Skim::of(section, count)?)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(500))]

    /// Sound records, and the same with some bytes changed, cut off or doubled: what it says is what the other walk says.
    #[test]
    fn sees_what_the_walk_that_gives_reasons_sees(
        records in proptest::collection::vec(made(), 0..90),
        changes in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..3),
        cut in proptest::option::weighted(0.2, any::<prop::sample::Index>()),
        doubled in proptest::option::weighted(0.1, any::<prop::sample::Index>()),
        miscounted in proptest::option::weighted(0.2, -1..90i32),
    ) {
        let mut bytes = section(&records);
        let count = records.len() as i32;
        prop_assert_eq!(Skim::of(&bytes, count), plainly(&bytes, count));
        prop_assert_eq!(Skim::of(&bytes, count).is_some(), count > 0);
        let count = miscounted.unwrap_or(count);
        for (at, byte) in changes {
            if !bytes.is_empty() {
                let at = at.index(bytes.len());
                bytes[at] = byte;
            }
        }
        if let Some(at) = doubled && !bytes.is_empty() {
            let at = at.index(bytes.len());
            bytes.insert(at, bytes[at]);
        }
        if let Some(at) = cut && !bytes.is_empty() {
            bytes.truncate(at.index(bytes.len()));
        }
        prop_assert_eq!(Skim::of(&bytes, count), plainly(&bytes, count));
    }

    /// What it lets pass the other walk lets pass, with the same largest timestamp; and it lets pass what is common.
    #[test]
    fn lets_pass_what_the_walk_that_gives_reasons_lets_pass(
        records in proptest::collection::vec(made(), 1..40),
        now_ms in prop_oneof![Just(1_700_000_000_000), any::<i64>()],
        base in prop_oneof![-2..2i64, -9_000..9_000i64, any::<i64>()],
        is_near: bool,
        stamped in proptest::bool::weighted(0.2),
        came_stamped in proptest::bool::weighted(0.1),
        key_required in proptest::bool::weighted(0.2),
        before in prop_oneof![Just(i64::MAX), 0..20_000i64],
        after in prop_oneof![Just(i64::MAX), Just(3_600_000), 0..20_000i64],
    ) {
        let bytes = section(&records);
        let count = records.len() as i32;
        let header = BatchHeader {
            attributes: if came_stamped { model::batch::LOG_APPEND_TIME } else { 0 },
            base_timestamp: if is_near { now_ms.wrapping_add(base) } else { base },
            ..crate::validate::tests::header()
        };
        let rules = ProduceRules {
            now_ms,
            timestamp_type: if stamped { TimestampType::LogAppendTime } else { TimestampType::CreateTime },
            timestamp_before_max_ms: before,
            timestamp_after_max_ms: after,
            key_required,
            ..crate::validate::tests::rules()
        };
        let told = see_each(&bytes, count, Facts::new(&header, &rules));
        match outcome(&bytes, count, &header, &rules) {
            Some(largest) => prop_assert_eq!(told.ok(), Some(largest)),
            // It may leave to the other walk what has no time, or a time before 1970.
            None => prop_assert!(
                told.is_err()
                    || came_stamped
                    || now_ms < 0
                    || records.iter().any(|record| header.base_timestamp.wrapping_add(record.timestamp_delta) < 0)
            ),
        }
    }
}
