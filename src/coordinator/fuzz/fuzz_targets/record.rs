//! A record of `__consumer_offsets`: whatever can be read can be replayed, and is read the same once it is written.
#![no_main]

use bytes::Bytes;
use coordinator::group::Shard;
use coordinator::group::record::{Decoded, Record};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: &[u8]| {
    let [key_bytes, rest @ ..] = input else { return };
    let Some((key, value)) = rest.split_at_checked(usize::from(*key_bytes)) else { return };
    let (key, value) = (Bytes::copy_from_slice(key), Bytes::copy_from_slice(value));
    let value = Some(value).filter(|value| !value.is_empty());
    let Ok(Decoded::Record(record)) = Record::decode(&key, value.as_ref()) else { return };
    Shard::default().replay(record.clone(), None);
    // Newer values hold longer texts than the versions that are written.
    if let Ok((key, value)) = record.encode() {
        assert_eq!(Record::decode(&key, value.as_ref()), Ok(Decoded::Record(record)));
    }
});
