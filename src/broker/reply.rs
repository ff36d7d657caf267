//! The bytes of a reply.

use bytes::Bytes;
use storage::ReadRange;
use wire::Reply;

/// A part of a reply.
#[derive(Debug)]
pub enum Piece {
    /// Bytes in memory.
    Bytes(Bytes),
    /// Records that go from the log's file to the socket.
    Range(ReadRange),
}

impl Piece {
    /// Bytes of it.
    pub fn len(&self) -> usize {
        match self {
            Self::Bytes(bytes) => bytes.len(),
            Self::Range(range) => range.len,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }
}

/// The pieces of a reply, whose gaps are these ranges.
pub fn pieces_of(reply: Reply, ranges: Vec<ReadRange>) -> Vec<Piece> {
    let (segments, gaps) = reply.into_parts();
    assert!(
        gaps.iter().map(|gap| gap.len).eq(ranges.iter().map(|range| range.len)),
        "each gap of a reply is one range of a file"
    );
    let mut pieces = Vec::with_capacity(segments.len() + ranges.len());
    let mut gaps = gaps.into_iter().zip(ranges).peekable();
    for (number, segment) in segments.into_iter().enumerate() {
        while let Some((_, range)) = gaps.next_if(|(gap, _)| gap.before == number) {
            pieces.push(Piece::Range(range));
        }
        pieces.push(Piece::Bytes(segment));
    }
    pieces.extend(gaps.map(|(_, range)| Piece::Range(range)));
    pieces
}
