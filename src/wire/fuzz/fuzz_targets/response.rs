//! Responses of the hot APIs, as the client and followers read them.
#![no_main]

use bytes::Bytes;
use libfuzzer_sys::fuzz_target;
use wire::api_versions::ApiVersionsRequest;
use wire::call;
use wire::fetch::FetchRequest;
use wire::produce::ProduceRequest;

fuzz_target!(|input: &[u8]| {
    let [api, version, frame @ ..] = input else {
        return;
    };
    let (frame, version) = (Bytes::copy_from_slice(frame), i16::from(*version));
    match api % 3 {
        0 => drop(call::decode::<ProduceRequest>(frame, 3 + version % 11)),
        1 => drop(call::decode::<FetchRequest>(frame, 4 + version % 15)),
        _ => drop(call::decode::<ApiVersionsRequest>(frame, version % 5)),
    }
});
