//! What the records of a run hold, and the one batch that is sent again and again.

use bytes::Bytes;
use clap::ValueEnum;
use model::{ProducerEpoch, ProducerId};
use records::{BatchBuilder, Codec};

use crate::random::Random;
use crate::template::STAMP_BYTES;

/// Compressing is tried this often to find how many records fill a batch.
const TRIES: usize = 3;
const SEED: u64 = 0x6f74_746c;

/// Kinds of values.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Content {
    /// Bytes that no codec makes smaller.
    Random,
    /// Objects as services write them; codecs make about a third of them.
    Json,
}

/// The codecs of `compression.type`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Compression {
    None,
    Gzip,
    Snappy,
    Lz4,
    Zstd,
}

/// What a batch is made of.
#[derive(Clone, Copy, Debug)]
pub struct Recipe {
    pub content: Content,
    pub compression: Compression,
    /// Bytes of each value.
    pub record_bytes: usize,
    /// Bytes of the batch on the wire, at most, where more than one record fits.
    pub batch_bytes: usize,
    /// The producer that all sends name.
    pub producer: Option<(ProducerId, ProducerEpoch)>,
    /// Whether the first value begins with room for the times of its send.
    pub is_stamped: bool,
    /// Milliseconds since the epoch, the time of every record.
    pub timestamp_ms: i64,
}

/// A batch and what is in it.
#[derive(Clone, Debug)]
pub struct Batch {
    pub bytes: Bytes,
    pub records: usize,
    /// What the records are without compression.
    pub plain_bytes: usize,
    /// Where the first value begins, when it is stamped.
    pub stamp_at: Option<usize>,
}

impl Recipe {
    pub fn batch(&self) -> anyhow::Result<Batch> {
        anyhow::ensure!(
            !self.is_stamped || (self.compression == Compression::None && self.record_bytes >= STAMP_BYTES),
            "a stamp needs a value of {STAMP_BYTES} bytes or more, and no compression"
        );
        let mut records = self.fitting(self.batch_bytes);
        let mut batch = self.build(records)?;
        for _ in 0..TRIES {
            if self.compression == Compression::None || records == 1 {
                break;
            }
            let share = batch.plain_bytes as f64 / batch.bytes.len() as f64;
            records = self.fitting((self.batch_bytes as f64 * share) as usize);
            batch = self.build(records)?;
        }
        Ok(batch)
    }

    /// Records that fit into so many plain bytes, one at least.
    fn fitting(&self, bytes: usize) -> usize {
        let one = self.plain(1).size();
        let two = self.plain(2).size();
        // A later record's deltas may take a byte more.
        (bytes.saturating_sub(one) / (two - one + 1) + 1).max(1)
    }

    fn plain(&self, records: usize) -> BatchBuilder {
        let mut random = Random::new(SEED);
        let mut batch = BatchBuilder::new().codec(self.compression.codec(), None);
        if let Some((id, epoch)) = self.producer {
            batch = batch.producer(id, epoch, 0);
        }
        for number in 0..records {
            let mut value = self.content.value(&mut random, self.record_bytes);
            if self.is_stamped && number == 0 {
                value[..STAMP_BYTES].copy_from_slice(&MARK);
            }
            batch.append(self.timestamp_ms, None, Some(&value), &[]);
        }
        batch
    }

    fn build(&self, records: usize) -> anyhow::Result<Batch> {
        let batch = self.plain(records);
        let plain_bytes = batch.size();
        let bytes = batch.build()?;
        let stamp_at =
            if self.is_stamped { bytes.windows(STAMP_BYTES).position(|window| window == MARK) } else { None };
        Ok(Batch { bytes, records, plain_bytes, stamp_at })
    }
}

/// Stands where the stamp goes, to find the place in the batch.
const MARK: [u8; STAMP_BYTES] = *b"\xf5the stamp here\xf5";

impl Content {
    fn value(self, random: &mut Random, bytes: usize) -> Vec<u8> {
        let mut value = Vec::with_capacity(bytes + 64);
        match self {
            Self::Random => {
                while value.len() < bytes {
                    value.extend_from_slice(&random.next().to_be_bytes());
                }
            }
            Self::Json => {
                while value.len() < bytes {
                    value.extend_from_slice(object(random).as_bytes());
                }
            }
        }
        value.truncate(bytes);
        value
    }
}

fn object(random: &mut Random) -> String {
    const ACTIONS: [&str; 5] = ["view", "click", "purchase", "search", "logout"];
    const COUNTRIES: [&str; 6] = ["CZ", "DE", "AT", "PL", "SK", "US"];
    format!(
        "{{\"id\":\"{:016x}\",\"user\":{},\"action\":\"{}\",\"country\":\"{}\",\"amount\":{}.{:02},\"session\":\"{:08x}\"}}",
        random.next(),
        random.below(1_000_000),
        ACTIONS[random.below(ACTIONS.len() as u64) as usize],
        COUNTRIES[random.below(COUNTRIES.len() as u64) as usize],
        random.below(1000),
        random.below(100),
        random.below(1 << 32),
    )
}

impl Compression {
    fn codec(self) -> Codec {
        match self {
            Self::None => Codec::None,
            Self::Gzip => Codec::Gzip,
            Self::Snappy => Codec::Snappy,
            Self::Lz4 => Codec::Lz4,
            Self::Zstd => Codec::Zstd,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn recipe() -> Recipe {
        Recipe {
            content: Content::Json,
            compression: Compression::None,
            record_bytes: 1024,
            batch_bytes: 16_384,
            producer: None,
            is_stamped: false,
            timestamp_ms: 1_700_000_000_000,
        }
    }

    #[test]
    fn a_plain_batch_is_as_full_as_it_may_be() {
        let batch = recipe().batch().unwrap();
        assert_eq!(batch.records, 15);
        assert!(batch.bytes.len() <= 16_384 && batch.bytes.len() == batch.plain_bytes);
    }

    #[test]
    fn one_record_is_always_in_it() {
        let batch = Recipe { record_bytes: 100, batch_bytes: 1, ..recipe() }.batch().unwrap();
        assert_eq!(batch.records, 1);
    }

    #[test]
    fn a_compressed_batch_fills_its_wire_size() {
        for compression in [Compression::Gzip, Compression::Snappy, Compression::Lz4, Compression::Zstd] {
            let batch = Recipe { compression, batch_bytes: 65_536, ..recipe() }.batch().unwrap();
            let fill = batch.bytes.len() as f64 / 65_536.0;
            assert!((0.9..=1.05).contains(&fill), "{compression:?} fills {fill}");
            assert!(batch.plain_bytes as f64 / batch.bytes.len() as f64 > 1.5, "{compression:?}");
        }
    }

    #[test]
    fn random_values_stay_as_large_as_they_are() {
        let batch =
            Recipe { content: Content::Random, compression: Compression::Zstd, ..recipe() }.batch().unwrap();
        assert!(batch.bytes.len() as f64 > 0.98 * batch.plain_bytes as f64);
    }

    #[test]
    fn a_stamp_needs_room() {
        assert!(Recipe { is_stamped: true, record_bytes: 15, ..recipe() }.batch().is_err());
        let packed = Recipe { is_stamped: true, compression: Compression::Lz4, ..recipe() };
        assert!(packed.batch().is_err());
    }
}
