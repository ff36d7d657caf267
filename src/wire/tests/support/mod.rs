//! What the tests of this room share: a source of bytes that fills any generated struct, a seeded generator, and the
//! cold APIs as rows that a test can run over.
#![allow(dead_code, reason = "every test file uses its own part")]

use bytes::{Buf, Bytes};
use kafka_protocol::protocol::buf::ByteBuf;
use wire::header::ClientId;
use wire::{ApiKey, RequestHeader};

pub mod rows;

/// A small generator (xorshift64*), so that a failing seed can be named.
#[derive(Clone, Debug)]
pub struct Random(u64);

impl Random {
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1)
    }

    pub fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    pub fn below(&mut self, limit: usize) -> usize {
        (self.next() % limit.max(1) as u64) as usize
    }
}

/// Bytes without end from which the generated decoders read filled structs: every array has one to three elements,
/// every string some letters, every flag is true, every number is not its default, every structure has unknown tagged
/// fields. Lengths and numbers are told apart by their types alone, which is why 16- and 32-bit numbers stay small.
pub struct Filler(Random);

impl Filler {
    pub fn new(seed: u64) -> Self {
        Self(Random::new(seed))
    }

    fn small(&mut self) -> u64 {
        1 + self.0.next() % 3
    }
}

impl Buf for Filler {
    fn remaining(&self) -> usize {
        usize::MAX
    }

    fn chunk(&self) -> &[u8] {
        b"\x01"
    }

    fn advance(&mut self, _count: usize) {}

    fn try_copy_to_slice(&mut self, target: &mut [u8]) -> Result<(), bytes::TryGetError> {
        target.fill_with(|| b'a' + (self.0.next() % 26) as u8);
        Ok(())
    }

    /// A flag, or a byte of a varint: a compact length plus one, a count of tagged fields, a tag or its size.
    fn try_get_u8(&mut self) -> Result<u8, bytes::TryGetError> {
        Ok(self.small() as u8 + 1)
    }

    fn try_get_i8(&mut self) -> Result<i8, bytes::TryGetError> {
        Ok(self.small() as i8)
    }

    fn try_get_u16(&mut self) -> Result<u16, bytes::TryGetError> {
        Ok(self.small() as u16)
    }

    fn try_get_i16(&mut self) -> Result<i16, bytes::TryGetError> {
        Ok(self.small() as i16)
    }

    fn try_get_i32(&mut self) -> Result<i32, bytes::TryGetError> {
        Ok(self.small() as i32)
    }

    fn try_get_i64(&mut self) -> Result<i64, bytes::TryGetError> {
        Ok((self.0.next() >> 2) as i64)
    }

    fn try_get_f64(&mut self) -> Result<f64, bytes::TryGetError> {
        Ok(self.0.next() as f64)
    }
}

impl ByteBuf for Filler {
    fn peek_bytes(&mut self, range: std::ops::Range<usize>) -> Bytes {
        self.get_bytes(range.len())
    }

    fn get_bytes(&mut self, size: usize) -> Bytes {
        let mut letters = vec![0; size];
        letters.fill_with(|| b'a' + (self.0.next() % 26) as u8);
        letters.into()
    }
}

pub fn header(api_key: ApiKey, api_version: i16) -> RequestHeader {
    RequestHeader { api_key, api_version, correlation_id: 0x0102_0304, client_id: ClientId::new("test") }
}

/// Takes the length prefix and the response header off a reply.
pub fn reply_body(reply: &wire::Reply, header: &RequestHeader) -> Bytes {
    let mut bytes = reply.to_bytes();
    assert_eq!(bytes.get_i32() as usize, bytes.len(), "length prefix");
    assert_eq!(bytes.get_i32(), header.correlation_id);
    let version = header.api_key.spec().response_header_version(header.api_version);
    if version >= 1 {
        assert_eq!(bytes.get_u8(), 0, "no tagged fields in the header");
    }
    bytes
}
