//! A patched batch is the batch that would have been built.

use model::{ProducerEpoch, ProducerId};
use records::{BatchBuilder, OpenBatch};

use super::*;
use crate::payload::{Compression, Content, Recipe};

const PRODUCER: (ProducerId, ProducerEpoch) = (ProducerId::new(7), ProducerEpoch::new(3));

fn recipe(record_bytes: usize, batch_bytes: usize) -> Recipe {
    Recipe {
        content: Content::Random,
        compression: Compression::None,
        record_bytes,
        batch_bytes,
        producer: None,
        is_stamped: false,
        timestamp_ms: 1_700_000_000_000,
    }
}

fn whole(head: &[u8], template: &Template) -> Vec<u8> {
    [head, &template.rest[..]].concat()
}

fn crc_is_right(batch: &[u8]) -> bool {
    u32::from_be_bytes(batch[17..21].try_into().unwrap()) == crc32c::crc32c(&batch[21..])
}

#[test]
fn a_sequence_gives_the_bytes_of_a_batch_built_with_it() {
    for records in [1, 2, 500] {
        let build = |sequence| {
            let mut batch = BatchBuilder::new().producer(PRODUCER.0, PRODUCER.1, sequence);
            for number in 0..records {
                batch.append(5, None, Some(&[number as u8; 100]), &[]);
            }
            batch.build().unwrap()
        };
        let template = Template::new(&build(0), None);
        let mut head = template.head.clone();
        for sequence in [0, 1, 255, 70_000, i32::MAX] {
            template.seal().patch(&mut head, Patch { sequence: Some(sequence), stamp: None });
            assert_eq!(whole(&head, &template), build(sequence), "{records} records from {sequence}");
        }
    }
}

#[test]
fn nothing_to_patch_changes_nothing() {
    let batch = recipe(1024, 65_536).batch().unwrap();
    let template = Template::new(&batch.bytes, None);
    let mut head = template.head.clone();
    template.seal().patch(&mut head, Patch::default());
    assert_eq!(whole(&head, &template), batch.bytes);
}

#[test]
fn a_stamp_is_read_back_from_the_first_record_and_the_batch_is_valid() {
    for (record_bytes, batch_bytes) in [(16, 1), (100, 1), (1024, 1), (1024, 65_536)] {
        let batch =
            Recipe { is_stamped: true, producer: Some(PRODUCER), ..recipe(record_bytes, batch_bytes) }
                .batch()
                .unwrap();
        let template = Template::new(&batch.bytes, batch.stamp_at);
        assert!(batch.stamp_at.is_some());
        let mut head = template.head.clone();
        let patch = Patch { sequence: Some(9), stamp: Some([12_345, u64::MAX]) };
        template.seal().patch(&mut head, patch);
        let sent = whole(&head, &template);
        assert!(crc_is_right(&sent));
        let open = OpenBatch::new(&Bytes::from(sent), usize::MAX).unwrap();
        let first = open.records().next().unwrap().unwrap();
        assert_eq!(stamp_of(first.value.unwrap()), Some([12_345, u64::MAX]));
        assert_eq!(open.records().count(), batch.records);
    }
}

#[test]
fn a_compressed_batch_is_patched_too() {
    let recipe = Recipe {
        content: Content::Json,
        compression: Compression::Zstd,
        producer: Some(PRODUCER),
        ..recipe(1024, 65_536)
    };
    let template = Template::new(&recipe.batch().unwrap().bytes, None);
    let mut head = template.head.clone();
    template.seal().patch(&mut head, Patch { sequence: Some(77), stamp: None });
    assert!(crc_is_right(&whole(&head, &template)));
}

#[test]
fn a_shift_is_what_combining_would_give() {
    for bytes in [0, 1, 7, 64, 1000, 1 << 20] {
        let shift = Shift::by(bytes);
        for crc in [0, 1, 0x8000_0000, 0xdead_beef, u32::MAX] {
            assert_eq!(shift.apply(crc), crc32c::crc32c_combine(crc, 0, bytes), "{crc:x} by {bytes}");
        }
    }
}

#[test]
fn a_short_value_has_no_stamp() {
    assert_eq!(stamp_of(&[0; 15]), None);
    assert_eq!(stamp_of(&[0; 16]), Some([0, 0]));
}
