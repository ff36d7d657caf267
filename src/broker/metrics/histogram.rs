//! Durations and sizes, counted by how large they were.

use std::sync::atomic::{AtomicU64, Ordering};

/// Cells of a power of two.
const PARTS: usize = 4;
const PART_BITS: u32 = 2;
/// Powers of two that are told apart; whatever is larger counts as the largest: 2^27 microseconds are two minutes.
const POWERS: usize = 28;
const CELLS: usize = POWERS * PARTS;

/// Counts values from 0 on, each within a quarter of what it is at the most. Values of 0 are not counted: whoever counts
/// the events knows how many those were.
///
/// All reads and writes are relaxed: an answer may see one value in a sum and not in its cell.
#[derive(Debug)]
pub struct Histogram {
    cells: Box<[AtomicU64]>,
    sum: AtomicU64,
}

impl Default for Histogram {
    fn default() -> Self {
        Self { cells: (0..CELLS).map(|_| AtomicU64::new(0)).collect(), sum: AtomicU64::new(0) }
    }
}

impl Histogram {
    /// Counts a value, from any thread.
    pub fn add(&self, value: u64) {
        if value > 0
            && let Some(cell) = self.cells.get(cell_of(value))
        {
            cell.fetch_add(1, Ordering::Relaxed);
            self.sum.fetch_add(value, Ordering::Relaxed);
        }
    }

    /// As [`Histogram::add`], for the only thread that ever writes: that costs no locked instruction.
    pub fn add_owned(&self, value: u64) {
        if value > 0
            && let Some(cell) = self.cells.get(cell_of(value))
        {
            raise_owned(cell, 1);
            raise_owned(&self.sum, value);
        }
    }

    /// Adds what was counted so far to a sum of such.
    pub fn add_to(&self, counts: &mut Counts) {
        for (total, cell) in counts.cells.iter_mut().zip(&self.cells) {
            *total += cell.load(Ordering::Relaxed);
        }
        counts.sum += self.sum.load(Ordering::Relaxed);
    }
}

/// Raises a counter that no other thread writes.
pub(super) fn raise_owned(counter: &AtomicU64, by: u64) {
    counter.store(counter.load(Ordering::Relaxed).wrapping_add(by), Ordering::Relaxed);
}

fn cell_of(value: u64) -> usize {
    let power = value.ilog2();
    let part = if power >= PART_BITS { (value >> (power - PART_BITS)) as usize % PARTS } else { 0 };
    (power as usize * PARTS + part).min(CELLS - 1)
}

/// The first value beyond a cell.
fn end_of(cell: usize) -> u64 {
    let (power, part) = ((cell / PARTS) as u32, (cell % PARTS) as u64);
    if power < PART_BITS { 1 << (power + 1) } else { (PARTS as u64 + part + 1) << (power - PART_BITS) }
}

/// What histograms have counted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Counts {
    cells: Vec<u64>,
    /// Of all values.
    pub sum: u64,
}

impl Default for Counts {
    fn default() -> Self {
        Self { cells: vec![0; CELLS], sum: 0 }
    }
}

impl Counts {
    /// Values above 0.
    pub fn count(&self) -> u64 {
        self.cells.iter().sum()
    }

    /// How many values above 0 are below a power of two.
    pub fn below_power(&self, power: usize) -> u64 {
        self.cells.iter().take(power * PARTS).sum()
    }

    /// What came since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Self {
        let cells = self.cells.iter().zip(&earlier.cells).map(|(now, then)| now.saturating_sub(*then));
        Self { cells: cells.collect(), sum: self.sum.saturating_sub(earlier.sum) }
    }

    /// The value that this share of all is below, rounded up within its cell; `zeros` is how many values were 0.
    pub fn quantile(&self, share: f64, zeros: u64) -> u64 {
        let wanted = ((self.count() + zeros) as f64 * share).ceil() as u64;
        let mut seen = zeros;
        if seen >= wanted {
            return 0;
        }
        for (cell, count) in self.cells.iter().enumerate() {
            seen += count;
            if seen >= wanted {
                return end_of(cell) - 1;
            }
        }
        0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_is_found_within_a_quarter() {
        for value in (1..2_000_u64).chain([1 << 20, (1 << 20) + 1, (1 << 26) * 2 - 1]) {
            let end = end_of(cell_of(value));
            assert!(value < end && end <= value + value / 4 + 2, "{value} is in the cell below {end}");
        }
        assert_eq!(cell_of(u64::MAX), CELLS - 1);
    }

    #[test]
    fn quantiles_count_the_zeros_in() {
        let histogram = Histogram::default();
        for value in 1..=50 {
            histogram.add(value * 100);
        }
        histogram.add_owned(0);
        let mut counts = Counts::default();
        histogram.add_to(&mut counts);
        assert_eq!((counts.count(), counts.sum), (50, 127_500));
        assert_eq!(counts.quantile(0.5, 50), 0);
        let most = counts.quantile(0.99, 0);
        assert!((4_900..=6_143).contains(&most), "{most}");
        assert_eq!(counts.below_power(7), 1, "100 is below 128");
        assert_eq!(counts.since(&counts).quantile(0.5, 0), 0, "nothing since");
    }

    #[test]
    fn both_ways_of_adding_are_one() {
        let (shared, owned) = (Histogram::default(), Histogram::default());
        for value in [0, 1, 3, 4, 70, 1_000_000, u64::MAX / 4] {
            shared.add(value);
            owned.add_owned(value);
        }
        let counts = |histogram: &Histogram| {
            let mut counts = Counts::default();
            histogram.add_to(&mut counts);
            counts
        };
        assert_eq!(counts(&shared), counts(&owned));
    }
}
