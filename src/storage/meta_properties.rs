//! `meta.properties`: whose log directory this is (`MetaProperties`, version 1; KIP-631, KIP-858).

use std::path::Path;

use model::BrokerId;
use model::ids::{uuid_from_base64, uuid_to_base64};
use uuid::Uuid;

use crate::checkpoints;
use crate::disk::Disk;
use crate::error::StorageError;

/// Name of the file.
pub const META_PROPERTIES: &str = "meta.properties";

/// Identity of a log directory. Written once, when the directory is formatted.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct MetaProperties {
    /// The cluster that its data belongs to.
    pub cluster_id: String,
    /// The node that owns it.
    pub node_id: BrokerId,
    /// The directory's own id; older directories have none until it is given to them.
    pub directory_id: Option<Uuid>,
}

impl MetaProperties {
    /// Reads the file of a log directory; `None` when the directory is not formatted.
    pub fn read(disk: &dyn Disk, log_dir: &Path) -> Result<Option<Self>, StorageError> {
        let path = log_dir.join(META_PROPERTIES);
        let Some(bytes) = checkpoints::read(disk, &path)? else { return Ok(None) };
        Self::parse(&bytes).map(Some).map_err(|reason| StorageError::Malformed { path, reason })
    }

    /// Writes the file, replacing one that is there.
    pub fn write(&self, disk: &dyn Disk, log_dir: &Path) -> Result<(), StorageError> {
        checkpoints::replace(disk, &log_dir.join(META_PROPERTIES), self.text().as_bytes())
    }

    fn text(&self) -> String {
        let directory = self.directory_id.map(|id| format!("directory.id={}\n", uuid_to_base64(id)));
        format!(
            "#\ncluster.id={}\n{}node.id={}\nversion=1\n",
            escape(&self.cluster_id),
            directory.unwrap_or_default(),
            self.node_id
        )
    }

    fn parse(bytes: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(bytes).map_err(|error| error.to_string())?;
        let value = |key: &str| {
            let lines = text.lines().map(str::trim_start);
            lines.filter(|line| !line.starts_with(['#', '!'])).filter_map(split).rfind(|(k, _)| k == key)
        };
        let required = |key: &str| value(key).map(|(_, value)| value).ok_or(format!("{key} is missing"));
        let version = value("version").map_or_else(|| "0".to_owned(), |(_, version)| version);
        if version != "1" {
            return Err(format!("version {version} is not supported, only 1: the directory predates KRaft"));
        }
        let node_id = required("node.id")?;
        let node_id = node_id.trim().parse().map_err(|_| format!("node.id \"{node_id}\" is not a number"))?;
        let directory_id = match value("directory.id") {
            None => None,
            Some((_, id)) => {
                let parsed = uuid_from_base64(id.trim());
                Some(parsed.ok_or(format!("directory.id \"{id}\" is not a Kafka UUID"))?)
            }
        };
        Ok(Self { cluster_id: required("cluster.id")?, node_id: BrokerId::new(node_id), directory_id })
    }
}

/// One line of a Java properties file; ids need no more of that format than this.
fn split(line: &str) -> Option<(String, String)> {
    let (key, value) = line.split_once(['=', ':'])?;
    Some((key.trim().to_owned(), unescape(value.trim_start())))
}

fn escape(value: &str) -> String {
    let mut out = String::with_capacity(value.len());
    for letter in value.chars() {
        if matches!(letter, '=' | ':' | '#' | '!' | '\\') {
            out.push('\\');
        }
        out.push(letter);
    }
    out
}

fn unescape(value: &str) -> String {
    let mut letters = value.chars();
    let mut out = String::with_capacity(value.len());
    while let Some(letter) = letters.next() {
        out.extend(if letter == '\\' { letters.next() } else { Some(letter) });
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_what_kafka_writes() {
        let text = "#\n#Tue Nov 04 10:11:12 UTC 2025\ncluster.id=4L6g3nShT-eMCtK--X86sw\n\
                    directory.id=AAAAAAAAAAEAAAAAAAAAAg\nnode.id=1\nversion=1\n";
        let meta = MetaProperties::parse(text.as_bytes()).unwrap();
        assert_eq!((meta.cluster_id.as_str(), meta.node_id.value()), ("4L6g3nShT-eMCtK--X86sw", 1));
        assert_eq!(meta.directory_id, Some(Uuid::from_u64_pair(1, 2)));
        assert_eq!(MetaProperties::parse(meta.text().as_bytes()), Ok(meta));
    }

    #[test]
    fn escapes_are_javas() {
        let meta = MetaProperties {
            cluster_id: "a=b:c\\#d".to_owned(),
            node_id: BrokerId::new(3),
            directory_id: None,
        };
        assert!(meta.text().contains("cluster.id=a\\=b\\:c\\\\\\#d\n"));
        assert_eq!(MetaProperties::parse(meta.text().as_bytes()), Ok(meta));
    }

    #[test]
    fn says_what_is_missing() {
        for (text, reason) in [
            ("", "version 0"),
            ("version=1\ncluster.id=x\n", "node.id is missing"),
            ("version=1\nnode.id=1\n", "cluster.id is missing"),
            ("version=1\nnode.id=one\ncluster.id=x\n", "not a number"),
            ("version=1\nnode.id=1\ncluster.id=x\ndirectory.id=y\n", "not a Kafka UUID"),
        ] {
            let error = MetaProperties::parse(text.as_bytes()).unwrap_err();
            assert!(error.contains(reason), "{text:?}: {error}");
        }
    }
}
