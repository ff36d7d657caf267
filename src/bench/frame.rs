//! A Produce request that is encoded once. To send it again only its correlation id and what [`Patch`] names are set;
//! the records themselves are shared by every frame that carries them.

use std::io::IoSlice;

use bytes::Bytes;
use model::TopicId;
use uuid::Uuid;
use wire::api_table::ApiKey;
use wire::call;
use wire::header::{ClientId, RequestHeader};
use wire::produce::{ProducePartition, ProduceRequest, ProduceTopic, TransactionSupport};
use wire::topic_ref::TopicRef;

use crate::template::{Patch, Seal, Template};

/// Topics are named by id.
pub const PRODUCE: i16 = 13;
const CORRELATION_AT: usize = 8;
const TIMEOUT_MS: i32 = 30_000;
/// Records up to this size are copied beside the bytes around them: a piece more costs more than they do.
const JOINED_BYTES_MAX: usize = 2048;

/// One request, ready to be patched and written.
#[derive(Clone, Debug)]
pub struct ProduceFrame {
    pieces: Vec<Piece>,
    heads: Vec<Head>,
    /// The partitions, in the order of the request.
    pub partitions: Vec<i32>,
    /// Bytes on the wire.
    pub bytes: usize,
}

#[derive(Clone, Debug)]
enum Piece {
    Own(Vec<u8>),
    Shared(Bytes),
}

/// Where the head of a batch stands.
#[derive(Clone, Debug)]
struct Head {
    piece: usize,
    at: usize,
    bytes: usize,
    seal: Seal,
}

impl ProduceFrame {
    /// The request that sends `template` to each of the partitions.
    pub fn new(topic: Uuid, partitions: &[i32], acks: i16, template: &Template) -> anyhow::Result<Self> {
        let header = RequestHeader {
            api_key: ApiKey::Produce,
            api_version: PRODUCE,
            correlation_id: 0,
            client_id: ClientId::new("kbench".to_owned()),
        };
        let records = Bytes::from([&template.head[..], &template.rest].concat());
        let partition =
            |partition: &i32| ProducePartition { partition: *partition, records: Some(records.clone()) };
        let request = ProduceRequest {
            transactional_id: None,
            acks,
            timeout_ms: TIMEOUT_MS,
            topics: vec![ProduceTopic {
                topic: TopicRef::Id(TopicId::new(topic)),
                partitions: partitions.iter().map(partition).collect(),
            }],
            zstd_allowed: true,
            transaction_support: TransactionSupport::AddsPartitions,
        };
        let encoded = call::encode(&header, &request)?;
        let mut frame = Self {
            pieces: Vec::new(),
            heads: Vec::new(),
            partitions: partitions.to_vec(),
            bytes: encoded.len(),
        };
        // The encoder leaves each partition's records a segment of its own.
        for (index, segment) in encoded.into_segments().into_iter().enumerate() {
            if index % 2 == 1 && segment.len() == records.len() {
                frame.push_batch(template);
            } else {
                frame.own().extend_from_slice(&segment);
            }
        }
        anyhow::ensure!(frame.heads.len() == partitions.len(), "the request is not encoded as expected");
        Ok(frame)
    }

    /// Makes it the next request of its connection: what `patch` says for each partition goes into its batch.
    pub fn prepare(&mut self, correlation_id: i32, patch: impl Fn(usize) -> Patch) {
        if let Some(Piece::Own(first)) = self.pieces.first_mut() {
            first[CORRELATION_AT..CORRELATION_AT + 4].copy_from_slice(&correlation_id.to_be_bytes());
        }
        for (index, head) in self.heads.iter().enumerate() {
            let patch = patch(index);
            if patch.sequence.is_none() && patch.stamp.is_none() {
                continue;
            }
            if let Piece::Own(piece) = &mut self.pieces[head.piece] {
                head.seal.patch(&mut piece[head.at..head.at + head.bytes], patch);
            }
        }
    }

    /// What is left to write after the first `written` bytes.
    pub fn rest(&self, written: usize) -> Vec<IoSlice<'_>> {
        let mut skip = written;
        let mut slices = Vec::with_capacity(self.pieces.len());
        for piece in &self.pieces {
            let bytes: &[u8] = match piece {
                Piece::Own(bytes) => bytes,
                Piece::Shared(bytes) => bytes,
            };
            let skipped = skip.min(bytes.len());
            skip -= skipped;
            if skipped < bytes.len() {
                slices.push(IoSlice::new(&bytes[skipped..]));
            }
        }
        slices
    }

    fn push_batch(&mut self, template: &Template) {
        let own = self.own();
        let at = own.len();
        own.extend_from_slice(&template.head);
        let piece = self.pieces.len() - 1;
        self.heads.push(Head { piece, at, bytes: template.head.len(), seal: template.seal().clone() });
        if template.rest.len() <= JOINED_BYTES_MAX {
            self.own().extend_from_slice(&template.rest);
        } else {
            self.pieces.push(Piece::Shared(template.rest.clone()));
        }
    }

    /// The last piece, if it is one to write to, else a new one.
    fn own(&mut self) -> &mut Vec<u8> {
        if !matches!(self.pieces.last(), Some(Piece::Own(_))) {
            self.pieces.push(Piece::Own(Vec::new()));
        }
        match self.pieces.last_mut() {
            Some(Piece::Own(bytes)) => bytes,
            _ => unreachable!("pushed above"),
        }
    }
}

#[cfg(test)]
#[path = "frame_tests.rs"]
mod tests;
