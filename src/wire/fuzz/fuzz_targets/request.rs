//! The body of every API in every version. What our own decoders accept must say the same when it is encoded again.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::call::{self, Call};
use wire::frame::LENGTH_PREFIX_BYTES;
use wire::header::ClientId;
use wire::{Request, RequestHeader, api_table, request};

fuzz_target!(|input: &[u8]| {
    let [row, version, body @ ..] = input else {
        return;
    };
    let served: Vec<_> = api_table::served_apis().collect();
    let spec = served[usize::from(*row) % served.len()];
    let versions = i16::from(spec.max - spec.min + 1);
    let header = RequestHeader {
        api_key: spec.key,
        api_version: spec.min + i16::from(*version) % versions,
        correlation_id: 1,
        client_id: ClientId::default(),
    };
    match request::decode(&header, Bytes::copy_from_slice(body)) {
        Ok(Request::Produce(decoded)) => round_trip(&header, &decoded, Request::Produce(decoded.clone())),
        Ok(Request::Fetch(decoded)) => round_trip(&header, &decoded, Request::Fetch(decoded.clone())),
        Ok(Request::ApiVersions(decoded)) => round_trip(&header, &decoded, Request::ApiVersions(decoded.clone())),
        Ok(_) | Err(_) => {}
    }
});

fn round_trip<C: Call>(header: &RequestHeader, decoded: &C, as_request: Request) {
    let frame = call::encode(header, decoded).expect("what was decoded can be said");
    let frame = frame.to_bytes().slice(LENGTH_PREFIX_BYTES..);
    let (header, body) = RequestHeader::parse(frame).expect("our own header");
    assert_eq!(request::decode(&header, body), Ok(as_request));
}
