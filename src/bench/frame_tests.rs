//! A patched frame is what a client would have encoded.

use wire::frame::body_len;
use wire::{Request, request};

use super::*;
use crate::payload::{Compression, Content, Recipe};
use crate::template::stamp_of;

fn template(batch_bytes: usize, is_stamped: bool) -> Template {
    let recipe = Recipe {
        content: Content::Random,
        compression: Compression::None,
        record_bytes: 100,
        batch_bytes,
        producer: Some((model::ProducerId::new(7), model::ProducerEpoch::new(1))),
        is_stamped,
        timestamp_ms: 1_700_000_000_000,
    };
    let batch = recipe.batch().unwrap();
    Template::new(&batch.bytes, batch.stamp_at)
}

fn bytes_of(frame: &ProduceFrame) -> Vec<u8> {
    frame.rest(0).iter().flat_map(|slice| slice.to_vec()).collect()
}

/// What a broker reads.
fn decoded(frame: &ProduceFrame) -> (i32, ProduceRequest) {
    let bytes = bytes_of(frame);
    assert_eq!(bytes.len(), frame.bytes);
    assert_eq!(body_len(bytes[..4].try_into().unwrap(), usize::MAX), Ok(bytes.len() - 4));
    let (header, body) = RequestHeader::parse(Bytes::from(bytes).slice(4..)).unwrap();
    match request::decode(&header, body).unwrap() {
        Request::Produce(request) => (header.correlation_id, request),
        other => panic!("{other:?} is no produce"),
    }
}

#[test]
fn each_partition_gets_its_own_sequence_and_a_batch_that_is_whole() {
    for batch_bytes in [1, 16_384] {
        let mut frame =
            ProduceFrame::new(Uuid::from_u128(5), &[3, 1, 4], -1, &template(batch_bytes, false)).unwrap();
        for round in 0..3 {
            let sequence = |index: usize| round * 1000 + index as i32;
            frame.prepare(round, |index| Patch { sequence: Some(sequence(index)), stamp: None });
            let (correlation_id, request) = decoded(&frame);
            assert_eq!((correlation_id, request.acks), (round, -1));
            assert_eq!(request.topics[0].topic, TopicRef::Id(TopicId::new(Uuid::from_u128(5))));
            let partitions = &request.topics[0].partitions;
            assert_eq!(partitions.iter().map(|p| p.partition).collect::<Vec<_>>(), [3, 1, 4]);
            for (index, partition) in partitions.iter().enumerate() {
                let batch = partition.records.as_ref().unwrap();
                assert!(model::batch::crc_matches(batch));
                let header = model::BatchHeader::parse(batch).unwrap();
                assert_eq!((header.base_sequence, header.size()), (sequence(index), batch.len()));
            }
        }
    }
}

#[test]
fn a_stamp_arrives() {
    let mut frame = ProduceFrame::new(Uuid::from_u128(5), &[0], 1, &template(1, true)).unwrap();
    frame.prepare(1, |_| Patch { sequence: None, stamp: Some([17, 18]) });
    let (_, request) = decoded(&frame);
    let batch = request.topics[0].partitions[0].records.clone().unwrap();
    assert!(model::batch::crc_matches(&batch));
    let open = records::OpenBatch::new(&batch, usize::MAX).unwrap();
    assert_eq!(stamp_of(open.records().next().unwrap().unwrap().value.unwrap()), Some([17, 18]));
}

#[test]
fn a_frame_is_taken_up_where_the_socket_stopped() {
    let frame = ProduceFrame::new(Uuid::from_u128(5), &[0, 1], 1, &template(16_384, false)).unwrap();
    let whole = bytes_of(&frame);
    for written in [0, 1, 40, 120, 16_000, whole.len() - 1, whole.len()] {
        let rest: Vec<u8> = frame.rest(written).iter().flat_map(|slice| slice.to_vec()).collect();
        assert_eq!(rest, whole[written..], "after {written}");
    }
}
