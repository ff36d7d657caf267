//! Zig-zag varints, as records use them, on slices.

use crate::iter::BadRecord;

/// Most bytes a 32-bit varint takes.
const VARINT_BYTES_MAX: u32 = 5;
/// Most bytes a 64-bit varint takes.
const VARLONG_BYTES_MAX: u32 = 10;

/// Takes one byte off the front.
#[inline]
pub(crate) fn byte(left: &mut &[u8]) -> Result<u8, BadRecord> {
    let (first, rest) = left.split_first().ok_or(BadRecord::Short)?;
    *left = rest;
    Ok(*first)
}

/// Takes a zig-zag varint of up to five bytes. Bits beyond 32 are refused (Kafka drops them).
#[inline]
pub(crate) fn varint(left: &mut &[u8]) -> Result<i32, BadRecord> {
    // Nearly all varints of a record have one or two bytes.
    match *left {
        [first, rest @ ..] if *first < 0x80 => {
            *left = rest;
            Ok(unzigzag32(u32::from(*first)))
        }
        [first, second, rest @ ..] if *second < 0x80 => {
            *left = rest;
            Ok(unzigzag32(u32::from(first & 0x7f) | u32::from(*second) << 7))
        }
        _longer_or_short => long_varint(left),
    }
}

#[cold]
fn long_varint(left: &mut &[u8]) -> Result<i32, BadRecord> {
    let value = long_bits(byte(left)?, VARINT_BYTES_MAX, || byte(left))?;
    narrow(value)
}

/// Takes a zig-zag varint of up to ten bytes.
#[inline]
pub(crate) fn varlong(left: &mut &[u8]) -> Result<i64, BadRecord> {
    match *left {
        [first, rest @ ..] if *first < 0x80 => {
            *left = rest;
            Ok(unzigzag64(u64::from(*first)))
        }
        [first, second, rest @ ..] if *second < 0x80 => {
            *left = rest;
            Ok(unzigzag64(u64::from(first & 0x7f) | u64::from(*second) << 7))
        }
        _longer_or_short => long_varlong(left),
    }
}

fn long_varlong(left: &mut &[u8]) -> Result<i64, BadRecord> {
    long_bits(byte(left)?, VARLONG_BYTES_MAX, || byte(left)).map(unzigzag64)
}

/// The same rules over bytes that come one by one: a 32-bit varint.
pub(crate) fn varint_from<E: From<BadRecord>>(mut next: impl FnMut() -> Result<u8, E>) -> Result<i32, E> {
    let first = next()?;
    if first < 0x80 {
        return Ok(unzigzag32(u32::from(first)));
    }
    let value = long_bits(first, VARINT_BYTES_MAX, next)?;
    Ok(narrow(value)?)
}

/// The same rules over bytes that come one by one: a 64-bit varint.
pub(crate) fn varlong_from<E: From<BadRecord>>(mut next: impl FnMut() -> Result<u8, E>) -> Result<i64, E> {
    let first = next()?;
    if first < 0x80 {
        return Ok(unzigzag64(u64::from(first)));
    }
    long_bits(first, VARLONG_BYTES_MAX, next).map(unzigzag64)
}

/// Appends a zig-zag varint.
pub(crate) fn put_varint(out: &mut Vec<u8>, value: i32) {
    put_bits(out, u64::from(((value << 1) ^ (value >> 31)) as u32));
}

/// Appends a zig-zag varint of 64 bits.
pub(crate) fn put_varlong(out: &mut Vec<u8>, value: i64) {
    put_bits(out, ((value << 1) ^ (value >> 63)) as u64);
}

/// Bytes that [`put_varint`] appends.
pub(crate) fn varint_len(value: i32) -> usize {
    bits_len(u64::from(((value << 1) ^ (value >> 31)) as u32))
}

/// Bytes that [`put_varlong`] appends.
pub(crate) fn varlong_len(value: i64) -> usize {
    bits_len(((value << 1) ^ (value >> 63)) as u64)
}

#[inline]
fn long_bits<E: From<BadRecord>>(
    first: u8,
    bytes_max: u32,
    mut next: impl FnMut() -> Result<u8, E>,
) -> Result<u64, E> {
    let mut value = u64::from(first & 0x7f);
    for i in 1..bytes_max {
        let byte = next()?;
        // The tenth byte has room for one bit.
        if i == 9 && byte > 1 {
            return Err(BadRecord::Varint.into());
        }
        value |= u64::from(byte & 0x7f) << (7 * i);
        if byte < 0x80 {
            return Ok(value);
        }
    }
    Err(BadRecord::Varint.into())
}

fn narrow(value: u64) -> Result<i32, BadRecord> {
    u32::try_from(value).map(unzigzag32).map_err(|_beyond_32_bits| BadRecord::Varint)
}

const fn unzigzag32(value: u32) -> i32 {
    (value >> 1) as i32 ^ -((value & 1) as i32)
}

const fn unzigzag64(value: u64) -> i64 {
    (value >> 1) as i64 ^ -((value & 1) as i64)
}

fn put_bits(out: &mut Vec<u8>, mut value: u64) {
    while value >= 0x80 {
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    out.push(value as u8);
}

fn bits_len(value: u64) -> usize {
    (64 - (value | 1).leading_zeros() as usize).div_ceil(7)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn writes_what_it_reads() {
        let edges = [0, 1, -1, 63, 64, -64, -65, 8191, 8192, i32::MAX, i32::MIN];
        for value in edges {
            let mut out = Vec::new();
            put_varint(&mut out, value);
            assert_eq!(out.len(), varint_len(value), "{value}");
            assert_eq!(varint(&mut &out[..]), Ok(value));
            let mut bytes = out.iter().copied();
            assert_eq!(varint_from(|| bytes.next().ok_or(BadRecord::Short)), Ok(value));
        }
        for value in edges.map(i64::from).into_iter().chain([i64::MAX, i64::MIN]) {
            let mut out = Vec::new();
            put_varlong(&mut out, value);
            assert_eq!(out.len(), varlong_len(value), "{value}");
            assert_eq!(varlong(&mut &out[..]), Ok(value));
            let mut bytes = out.iter().copied();
            assert_eq!(varlong_from(|| bytes.next().ok_or(BadRecord::Short)), Ok(value));
        }
    }

    #[test]
    fn refuses_what_overflows_or_does_not_end() {
        assert_eq!(varint(&mut &[0x80, 0x80][..]), Err(BadRecord::Short));
        assert_eq!(varint(&mut &[0x80; 6][..]), Err(BadRecord::Varint));
        assert_eq!(varint(&mut &[0xff, 0xff, 0xff, 0xff, 0x10][..]), Err(BadRecord::Varint));
        assert_eq!(varlong(&mut &[0xff; 11][..]), Err(BadRecord::Varint));
        let mut ten = [0xff; 10];
        ten[9] = 2;
        assert_eq!(varlong(&mut &ten[..]), Err(BadRecord::Varint));
        ten[9] = 1;
        assert_eq!(varlong(&mut &ten[..]), Ok(i64::MIN));
    }
}
