//! A segment as compaction sees it, and one that compaction has made.

use model::Offset;

use super::{FoundFiles, Segment};
use crate::compaction::WrittenSegment;
use crate::compaction::plan::Piece;
use crate::config::LogConfig;
use crate::names::Home;

impl Segment {
    /// The segment in numbers.
    pub(crate) fn piece(&self) -> Piece {
        Piece {
            id: self.id,
            base: self.base,
            end: self.end,
            size: self.size,
            offset_index_bytes: self.offset_index.len_bytes(),
            time_index_bytes: self.time_index.len_bytes(),
        }
    }

    /// When it was last written, in milliseconds.
    pub(crate) fn modified_ms(&self) -> i64 {
        self.modified_ms
    }

    /// A segment whose files do not bear its names yet: they are open, and must stay so until they do.
    pub(crate) fn compacted(
        home: &Home,
        base: Offset,
        end: Offset,
        written: &WrittenSegment,
        config: &LogConfig,
        modified_ms: i64,
    ) -> Self {
        let files = FoundFiles {
            log: written.size,
            modified_ms,
            offset_index: Some(written.offset_index_bytes),
            time_index: Some(written.time_index_bytes),
            txn_index: written.txn_index_bytes,
        };
        let mut segment = Self::found(home, base, end, files, config, modified_ms);
        segment.file = Some(written.log.clone());
        segment.offset_index.attach(written.offset_index.clone());
        segment.time_index.attach(written.time_index.clone());
        if let Some(file) = &written.txn_index {
            segment.txn_index.attach(file.clone());
        }
        segment.indexes_checked = true;
        segment.largest = Some(written.largest);
        segment.used_lately = true;
        segment
    }
}
