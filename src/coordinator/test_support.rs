//! What the tests of both coordinators share.

use bytes::Bytes;

/// One number decides a whole run. `SplitMix64`: small, and the same on every machine.
#[derive(Clone, Debug)]
pub struct Random(pub u64);

impl Random {
    pub fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From `low` up to, not including, `high`.
    pub fn within(&mut self, low: i64, high: i64) -> i64 {
        debug_assert!(low < high);
        low + (self.next() % (high - low) as u64) as i64
    }

    /// True so many times of a thousand.
    pub fn chance(&mut self, per_mille: u64) -> bool {
        self.next() % 1_000 < per_mille
    }
}

/// The records of a file of Kafka's own bytes: on each line a name, the key and the value, `-` for a tombstone.
pub fn golden(lines: &'static str) -> impl Iterator<Item = (&'static str, Bytes, Option<Bytes>)> {
    lines.lines().map(|line| {
        let mut columns = line.split(' ');
        let mut column = || columns.next().expect("three columns");
        let (name, key, value) = (column(), column(), column());
        (name, unhex(key), (value != "-").then(|| unhex(value)))
    })
}

fn unhex(text: &str) -> Bytes {
    let digits: Vec<u8> =
        text.chars().map(|digit| digit.to_digit(16).expect("a hexadecimal digit") as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}
