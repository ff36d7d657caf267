//! CRC-32C arithmetic: what a change at one place does to the CRC of the whole.
//!
//! `crc32c::crc32c_combine` does the same, and squares 32 by 32 matrices for it: some 10 µs. Here the powers of x are
//! a table.

/// The Castagnoli polynomial, bit-reversed: the highest bit stands for x^0.
const POLYNOMIAL: u32 = 0x82f6_3b78;
/// x^0.
const ONE: u32 = 1 << 31;
/// x^(8 * 2^i) modulo the polynomial: the factor that shifts over 2^i bytes.
const SHIFTS: [u32; usize::BITS as usize] = shifts();

/// The CRC of a batch after a part of it changed whose own CRC was `before` and is `after`, and which `rest` bytes
/// follow. CRC is linear: the difference of the part, shifted over the rest, is the difference of the whole.
pub(super) fn changed(whole: u32, before: u32, after: u32, rest: usize) -> u32 {
    let mut difference = before ^ after;
    for (i, shift) in SHIFTS.iter().enumerate() {
        if rest >> i & 1 == 1 {
            difference = multiply(difference, *shift);
        }
    }
    whole ^ difference
}

/// The product of two polynomials modulo the polynomial.
const fn multiply(a: u32, mut b: u32) -> u32 {
    let mut product = 0;
    let mut bit = ONE;
    while bit != 0 {
        if a & bit != 0 {
            product ^= b;
        }
        b = (b >> 1) ^ (POLYNOMIAL * (b & 1));
        bit >>= 1;
    }
    product
}

const fn shifts() -> [u32; usize::BITS as usize] {
    let mut shifts = [ONE >> 8; usize::BITS as usize];
    let mut i = 1;
    // Evaluated by the compiler: an index out of bounds would not compile.
    #[allow(clippy::indexing_slicing)]
    while i < shifts.len() {
        shifts[i] = multiply(shifts[i - 1], shifts[i - 1]);
        i += 1;
    }
    shifts
}

#[cfg(test)]
mod tests {
    use super::*;
    use crc32c::crc32c;

    #[test]
    fn a_change_needs_no_second_look_at_the_rest() {
        let mut bytes: Vec<u8> = (0..100_000u32).map(|i| ((i * 31) >> 3) as u8).collect();
        for rest in [0, 1, 2, 3, 255, 4096, 65_537, 99_960] {
            let part = 99_960 - rest..100_000 - rest;
            let whole = crc32c(&bytes);
            let before = crc32c(&bytes[part.clone()]);
            bytes[part.start + 7] ^= 0x5a;
            let after = crc32c(&bytes[part]);
            assert_eq!(changed(whole, before, after, rest), crc32c(&bytes), "{rest}");
        }
    }
}
