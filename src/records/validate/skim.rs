//! The walk over the records of an uncompressed batch in which nothing is wrong: nearly all of them. It takes in only
//! what the rules ask of the batch as a whole, eight bytes at a time, and gives no reason. A batch that it does not vouch
//! for is walked again by those who do ([`Facts`](super::facts::Facts)).

use crate::iter::take_record;
use crate::stream::Outline;

/// What well-formed records with the offset deltas 0, 1, 2, ... have in common.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Skim {
    /// Smallest and largest timestamp delta in milliseconds.
    pub(super) timestamp_deltas: (i64, i64),
    /// Whether a record has no key.
    pub(super) lacks_key: bool,
}

impl Skim {
    /// Over a records section that announces `count` records; `None` where [`RecordIter`](crate::iter::RecordIter) would find a fault, an offset is
    /// out of its order, or there are no records.
    pub(super) fn of(section: &[u8], count: i32) -> Option<Self> {
        if count <= 0 {
            return None;
        }
        let mut left = section;
        let (mut least, mut most, mut lacks_key) = (i64::MAX, i64::MIN, false);
        for expected in 0..count {
            let (seen, rest) = quick(left).or_else(|| slow(left))?;
            left = rest;
            if seen.offset_delta != expected {
                return None;
            }
            least = least.min(seen.timestamp_delta);
            most = most.max(seen.timestamp_delta);
            lacks_key |= seen.lacks_key;
        }
        left.is_empty().then_some(Self { timestamp_deltas: (least, most), lacks_key })
    }
}

struct Seen {
    timestamp_delta: i64,
    offset_delta: i32,
    lacks_key: bool,
}

/// A record without headers whose numbers have at most two bytes each, and behind whose fields there are eight more to
/// load; `None` for any other, and for one with a fault.
#[inline]
fn quick(left: &[u8]) -> Option<(Seen, &[u8])> {
    let mut numbers = Word::at(left, 0)?;
    let size = numbers.number()?;
    let end = numbers.taken.checked_add(size.length()?)?;
    numbers.skip();
    let timestamp_delta = numbers.number()?.value();
    let offset_delta = numbers.number()?.value();
    let mut key = Word::at(left, numbers.taken)?;
    let (key_bytes, lacks_key) = key.number()?.nullable()?;
    // Where there is no key, the value's length is in the same eight bytes.
    let mut value = if key_bytes == 0 { key } else { Word::at(left, key.taken + key_bytes)? };
    let (value_bytes, _is_null) = value.number()?.nullable()?;
    let headers = value.taken + value_bytes;
    // All lengths are positive: where they add up to the record's size, each lies within it.
    if headers + 1 != end || *left.get(headers)? != 0 {
        return None;
    }
    let seen = Seen { timestamp_delta: i64::from(timestamp_delta), offset_delta, lacks_key };
    Some((seen, left.get(end..)?))
}

#[cold]
fn slow(mut left: &[u8]) -> Option<(Seen, &[u8])> {
    let Outline { timestamp_delta, offset_delta, key_bytes, .. } =
        Outline::from(&take_record(&mut left).ok()?);
    Some((Seen { timestamp_delta, offset_delta, lacks_key: key_bytes < 0 }, left))
}

/// Up to eight bytes, of which at most seven are taken.
#[derive(Clone, Copy)]
struct Word {
    bits: u64,
    /// Where in the section what is left of it begins.
    taken: usize,
}

/// The bits of a varint before their sign is undone: below 2^14.
#[derive(Clone, Copy)]
struct Number(u32);

impl Word {
    #[inline]
    fn at(section: &[u8], position: usize) -> Option<Self> {
        let bytes = section.get(position..)?.first_chunk::<8>()?;
        Some(Self { bits: u64::from_le_bytes(*bytes), taken: position })
    }

    /// Passes over a byte.
    #[inline]
    fn skip(&mut self) {
        self.bits >>= 8;
        self.taken += 1;
    }

    /// A varint of one or two bytes.
    #[inline]
    fn number(&mut self) -> Option<Number> {
        let bits = self.bits as u32;
        if bits & 0x80 == 0 {
            self.skip();
            return Some(Number(bits & 0x7f));
        }
        self.bits >>= 16;
        self.taken += 2;
        (bits & 0x8000 == 0).then_some(Number(bits & 0x7f | bits >> 1 & 0x3f80))
    }
}

impl Number {
    #[inline]
    fn value(self) -> i32 {
        (self.0 >> 1) as i32 ^ -((self.0 & 1) as i32)
    }

    /// A length; `None` for a negative one.
    #[inline]
    fn length(self) -> Option<usize> {
        (self.0 & 1 == 0).then_some((self.0 >> 1) as usize)
    }

    /// A length and whether it is -1, which stands for null and takes no bytes.
    #[inline]
    fn nullable(self) -> Option<(usize, bool)> {
        if self.0 == 1 { Some((0, true)) } else { self.length().map(|bytes| (bytes, false)) }
    }
}

#[cfg(test)]
#[path = "skim_tests.rs"]
mod tests;
