//! Small files that are replaced as a whole, and the text form of Kafka's checkpoints (`CheckpointFile`):
//!
//! ```text
//! 0
//! number of entries
//! one entry a line, its fields between blanks
//! ```

use std::collections::BTreeMap;
use std::io::IoSlice;
use std::path::{Path, PathBuf};

use model::Offset;

use crate::disk::{Disk, OpenMode, write_all_at};
use crate::error::StorageError;

/// Offsets by topic and partition, as a checkpoint of a log directory holds them.
pub type PartitionOffsets = BTreeMap<(String, i32), Offset>;

/// Largest file that is read whole: far above what a million partitions need.
const FILE_BYTES_MAX: u64 = 1 << 30;

/// The bytes of a file, or `None` when there is none.
pub(crate) fn read(disk: &dyn Disk, path: &Path) -> Result<Option<Vec<u8>>, StorageError> {
    let failed = |error| StorageError::fatal("read", path, error);
    let file = match disk.open(path, OpenMode::Read) {
        Ok(file) => file,
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => return Ok(None),
        Err(error) => return Err(failed(error)),
    };
    let len = file.len().map_err(failed)?;
    if len > FILE_BYTES_MAX {
        return Err(StorageError::Malformed {
            path: path.to_owned(),
            reason: format!("{len} bytes are too many"),
        });
    }
    let mut bytes = Vec::with_capacity(len as usize);
    file.read_at(&mut bytes, 0, len as usize).map_err(failed)?;
    Ok(Some(bytes))
}

/// Replaces a file: after a crash at any point its name holds the old bytes or the new ones, never a mixture, and
/// once this returns, the new ones.
pub(crate) fn replace(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    replace_name(disk, path, bytes)?;
    let dir = path.parent().unwrap_or(Path::new(""));
    disk.sync_dir(dir).map_err(|error| StorageError::fatal("sync directory", dir, error))
}

/// As [`replace`], but which of the two the name holds after a crash is open until its directory is synced.
pub(crate) fn replace_name(disk: &dyn Disk, path: &Path, bytes: &[u8]) -> Result<(), StorageError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".tmp");
    let temporary = PathBuf::from(name);
    let write = || -> std::io::Result<()> {
        let file = disk.open(&temporary, OpenMode::Create)?;
        write_all_at(&*file, &mut [IoSlice::new(bytes)], 0)?;
        file.sync_data()?;
        disk.rename(&temporary, path)
    };
    write().map_err(|error| StorageError::io("write", path, error))
}

/// The text of a checkpoint with these lines.
pub(crate) fn format(lines: impl ExactSizeIterator<Item = String>) -> String {
    let mut text = format!("{VERSION}\n{}\n", lines.len());
    for line in lines {
        text.push_str(&line);
        text.push('\n');
    }
    text
}

/// Reads the text of a checkpoint; `entry` reads the fields of one line. An empty file has no entries: Kafka creates
/// its checkpoints empty.
pub(crate) fn parse<T>(
    path: &Path,
    bytes: &[u8],
    entry: impl Fn(&[&str]) -> Option<T>,
) -> Result<Vec<T>, StorageError> {
    let malformed = |reason: String| StorageError::Malformed { path: path.to_owned(), reason };
    let text = std::str::from_utf8(bytes).map_err(|error| malformed(error.to_string()))?;
    let mut lines = text.lines();
    match lines.next() {
        None => return Ok(Vec::new()),
        Some(VERSION) => {}
        Some(other) => return Err(malformed(format!("version \"{other}\" is not known, only {VERSION}"))),
    }
    let Some(count) = lines.next() else { return Ok(Vec::new()) };
    let count: usize =
        count.parse().map_err(|_| malformed(format!("\"{count}\" is no number of entries")))?;
    let entries = lines
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            entry(&fields).ok_or_else(|| malformed(format!("the line \"{line}\" has no meaning")))
        })
        .collect::<Result<Vec<T>, _>>()?;
    if entries.len() != count {
        return Err(malformed(format!("{count} entries are announced and {} follow", entries.len())));
    }
    Ok(entries)
}

/// The text of a checkpoint of offsets.
pub(crate) fn format_offsets(offsets: &PartitionOffsets) -> String {
    format(offsets.iter().map(|((topic, partition), offset)| format!("{topic} {partition} {offset}")))
}

/// Reads a checkpoint of offsets.
pub(crate) fn parse_offsets(path: &Path, bytes: &[u8]) -> Result<PartitionOffsets, StorageError> {
    let entries = parse(path, bytes, |fields| match fields {
        [topic, partition, offset] => Some((
            ((*topic).to_owned(), partition.parse().ok()?),
            offset.parse().ok().filter(|offset| *offset >= 0).map(Offset::new)?,
        )),
        _ => None,
    })?;
    Ok(entries.into_iter().collect())
}

const VERSION: &str = "0";

#[cfg(test)]
mod tests {
    use super::*;

    fn offsets(text: &str) -> Result<PartitionOffsets, StorageError> {
        parse_offsets(Path::new("checkpoint"), text.as_bytes())
    }

    #[test]
    fn offsets_are_written_as_kafka_does() {
        let known = PartitionOffsets::from([
            (("b".to_owned(), 10), Offset::new(7)),
            (("a-b".to_owned(), 0), Offset::new(i64::MAX)),
        ]);
        let text = format_offsets(&known);
        assert_eq!(text, "0\n2\na-b 0 9223372036854775807\nb 10 7\n");
        assert_eq!(offsets(&text).unwrap(), known);
    }

    #[test]
    fn damaged_checkpoints_are_refused() {
        assert!(offsets("").unwrap().is_empty() && offsets("0\n").unwrap().is_empty());
        for text in ["1\n0\n", "0\nx\n", "0\n2\na 0 1\n", "0\n1\na 0\n", "0\n1\na 0 -1\n", "0\n0\na 0 1\n"] {
            assert!(matches!(offsets(text), Err(StorageError::Malformed { .. })), "{text:?}");
        }
        let invalid = parse_offsets(Path::new("checkpoint"), b"0\n1\n\xff 0 1\n");
        assert!(matches!(invalid, Err(StorageError::Malformed { .. })));
    }
}
