//! Which offset is the newest of each key, in bounded memory (`SkimpyOffsetMap`).

use std::hash::{BuildHasher, Hasher, RandomState};

use model::Offset;

/// A table that knows keys by a 128-bit fingerprint only. The fingerprint is keyed anew for each table, so that nobody
/// can send two keys that are taken for one.
#[derive(Debug)]
pub struct OffsetMap {
    /// Most entries the memory has room for.
    slots: usize,
    /// Keys after which the map is full.
    limit: usize,
    table: Vec<Slot>,
    len: usize,
    seeds: [RandomState; 2],
}

/// Twenty-four bytes, as in Kafka: the same memory holds as many keys there and here.
#[derive(Clone, Copy, Debug, Default)]
struct Slot {
    /// Zero where nothing is.
    fingerprint: [u64; 2],
    offset: i64,
}

impl OffsetMap {
    /// A map in at most `bytes_max` bytes (`log.cleaner.dedupe.buffer.size`), which counts as full at the share
    /// `load_factor_max` of its entries (`log.cleaner.io.buffer.load.factor`). It takes memory as it is used.
    pub fn new(bytes_max: usize, load_factor_max: f64) -> Self {
        let slots = (bytes_max / size_of::<Slot>()).max(2);
        let limit = (slots as f64 * load_factor_max.clamp(0.0, 1.0)) as usize;
        Self {
            slots,
            limit: limit.clamp(1, slots - 1),
            table: Vec::new(),
            len: 0,
            seeds: [RandomState::new(), RandomState::new()],
        }
    }

    /// Number of keys.
    pub fn len(&self) -> usize {
        self.len
    }

    /// Whether no key is known.
    pub fn is_empty(&self) -> bool {
        self.len == 0
    }

    /// Whether no key may be added.
    pub fn is_full(&self) -> bool {
        self.len >= self.limit
    }

    /// Forgets all keys and makes room for `keys` of them, or for as many as the memory holds.
    pub(super) fn prepare(&mut self, keys: u64) {
        let wanted = usize::try_from(keys.saturating_add(keys / 2).saturating_add(2)).unwrap_or(usize::MAX);
        self.len = 0;
        // The old table goes before the new one comes.
        self.table = Vec::new();
        self.table = vec![Slot::default(); wanted.clamp(2, self.slots)];
    }

    /// Forgets all keys and gives the memory back.
    pub fn clear(&mut self) {
        self.len = 0;
        self.table = Vec::new();
    }

    /// Notes the newest offset of a key. False when there is no room.
    #[must_use]
    pub(super) fn put(&mut self, key: &[u8], offset: Offset) -> bool {
        if self.is_full() {
            return false;
        }
        let fingerprint = self.fingerprint(key);
        let Some(at) = self.find(fingerprint) else { return false };
        // One slot stays empty: a search for a key that is not here ends there.
        let is_last = self.len + 1 >= self.table.len();
        let Some(slot) = self.table.get_mut(at) else { return false };
        if slot.fingerprint == EMPTY {
            if is_last {
                return false;
            }
            slot.fingerprint = fingerprint;
            self.len += 1;
        }
        slot.offset = offset.value();
        true
    }

    /// The newest offset of a key, if the map knows the key.
    pub(super) fn offset_of(&self, key: &[u8]) -> Option<Offset> {
        let slot = self.table.get(self.find(self.fingerprint(key))?)?;
        (slot.fingerprint != EMPTY).then_some(Offset::new(slot.offset))
    }

    /// Where a fingerprint is, or would be.
    fn find(&self, fingerprint: [u64; 2]) -> Option<usize> {
        let len = self.table.len();
        if len == 0 {
            return None;
        }
        let [first, _] = fingerprint;
        let start = ((u128::from(first) * len as u128) >> 64) as usize;
        (start..len).chain(0..start).find(|at| {
            let found = self.table.get(*at).map(|slot| slot.fingerprint);
            found == Some(EMPTY) || found == Some(fingerprint)
        })
    }

    fn fingerprint(&self, key: &[u8]) -> [u64; 2] {
        let [first, second] = &self.seeds;
        let hash = |seed: &RandomState| {
            let mut hasher = seed.build_hasher();
            hasher.write(key);
            hasher.finish()
        };
        let fingerprint = [hash(first), hash(second)];
        if fingerprint == EMPTY { [1, 1] } else { fingerprint }
    }
}

const EMPTY: [u64; 2] = [0, 0];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_newest_offset_of_each_key_is_known() {
        let mut map = OffsetMap::new(24 * 1_000, 0.9);
        map.prepare(400);
        for offset in 0..2_000_i64 {
            let key = (offset % 400).to_string();
            assert!(map.put(key.as_bytes(), Offset::new(offset)));
        }
        assert_eq!(map.len(), 400);
        for key in 0..400_i64 {
            let newest = (0..2_000).rev().find(|offset| offset % 400 == key).map(Offset::new);
            assert_eq!(map.offset_of(key.to_string().as_bytes()), newest);
        }
        assert_eq!(map.offset_of(b"another"), None);
        assert_eq!(map.offset_of(b""), None);
        map.clear();
        assert_eq!((map.len(), map.offset_of(b"1")), (0, None));
    }

    #[test]
    fn memory_is_bounded_and_full_at_its_share() {
        let mut map = OffsetMap::new(24 * 100, 0.9);
        map.prepare(u64::MAX);
        assert_eq!(map.table.len(), 100);
        let taken = (0..1_000_i64).take_while(|key| map.put(&key.to_be_bytes(), Offset::new(*key))).count();
        assert_eq!((taken, map.len(), map.is_full()), (90, 90, true));
        // As in Kafka, a full map takes no newer offset of a key it knows either.
        assert!(!map.put(&1_i64.to_be_bytes(), Offset::new(5_000)));
        assert_eq!(map.offset_of(&1_i64.to_be_bytes()), Some(Offset::new(1)));
        assert_eq!(map.offset_of(&91_i64.to_be_bytes()), None);
    }

    #[test]
    fn the_smallest_map_holds_one_key() {
        for load_factor in [0.0, 0.9, 1.0, f64::NAN] {
            let mut map = OffsetMap::new(1, load_factor);
            map.prepare(9);
            assert!(map.put(b"a", Offset::new(1)));
            assert!(!map.put(b"b", Offset::new(2)));
            assert_eq!((map.offset_of(b"a"), map.offset_of(b"b")), (Some(Offset::new(1)), None));
        }
    }

    #[test]
    fn a_small_log_takes_little_memory() {
        let mut map = OffsetMap::new(128 << 20, 0.9);
        map.prepare(10);
        assert!(map.table.len() < 20);
        assert!((0..10_u8).all(|key| map.put(&[key], Offset::new(key.into()))));
    }
}
