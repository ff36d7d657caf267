//! A read buffer: frames are taken off its front, and none of them is longer than allowed.
#![no_main]

use bytes::BytesMut;
use libfuzzer_sys::fuzz_target;
use wire::frame::{LENGTH_PREFIX_BYTES, Next, next};

const BYTES_MAX: usize = 1 << 16;

fuzz_target!(|input: &[u8]| {
    let mut buffer = BytesMut::from(input);
    let mut taken = 0;
    while let Ok(Next::Frame(frame)) = next(&mut buffer, BYTES_MAX) {
        assert!(frame.len() <= BYTES_MAX);
        taken += LENGTH_PREFIX_BYTES + frame.len();
    }
    assert_eq!(taken + buffer.len(), input.len());
});
