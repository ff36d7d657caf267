//! Every response encodes in every version that is advertised, and every request of every version decodes.

mod support;

use bytes::Bytes;
use support::rows::ROWS;
use support::{header, reply_body};
use wire::{ApiKey, api_table, request, response};

const SEEDS: u64 = 40;

#[test]
fn every_api_has_a_row() {
    let own = [ApiKey::Produce, ApiKey::Fetch, ApiKey::ApiVersions];
    let served: Vec<_> =
        api_table::served_apis().map(|spec| spec.key).filter(|key| !own.contains(key)).collect();
    assert_eq!(ROWS.iter().map(|row| row.api).collect::<Vec<_>>(), served);
}

#[test]
fn responses_with_everything_encode_in_every_version() {
    for row in ROWS {
        let spec = row.api.spec();
        for version in spec.min..=spec.max {
            for seed in 0..SEEDS {
                let header = header(row.api, version);
                let reply = response::encode(&header, (row.response)(seed))
                    .unwrap_or_else(|error| panic!("{} {version}, seed {seed}: {error}", row.api));
                let body = reply_body(&reply, &header);
                let (again, left) = (row.reread)(body.clone(), version);
                assert_eq!((again, left), (body, 0), "{} {version}, seed {seed}", row.api);
            }
        }
    }
}

#[test]
fn requests_with_everything_decode_in_every_version() {
    for row in ROWS {
        let spec = row.api.spec();
        for version in spec.min..=spec.max {
            for seed in 0..SEEDS {
                let body = (row.request_body)(seed, version);
                let header = header(row.api, version);
                let decoded = request::decode(&header, body.clone())
                    .unwrap_or_else(|error| panic!("{} {version}, seed {seed}: {error}", row.api));
                if version == spec.max {
                    let newest = (row.encode_newest)(&decoded).expect("the same API");
                    let again = request::decode(&header, newest).expect("what was decoded can be said");
                    assert_eq!(again, decoded, "{} {version}, seed {seed}", row.api);
                }
            }
        }
    }
}

#[test]
fn bytes_after_the_last_field_are_ignored() {
    for row in ROWS {
        let spec = row.api.spec();
        let header = header(row.api, spec.max);
        let body = (row.request_body)(1, spec.max);
        let longer = Bytes::from([&body[..], b"more"].concat());
        assert_eq!(request::decode(&header, longer), request::decode(&header, body), "{}", row.api);
    }
}
