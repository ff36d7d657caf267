//! A whole frame, header first, as a connection gets it.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::{RequestHeader, request};

fuzz_target!(|input: &[u8]| {
    if let Ok((header, body)) = RequestHeader::parse(Bytes::copy_from_slice(input)) {
        let _ = header.client_id.to_string();
        let _ = request::decode(&header, body);
    }
});
