//! Whose log directories these are: `meta.properties` in each, all of one cluster and one node. A directory without
//! it is new and gets one: there is no separate format step.

use std::path::{Path, PathBuf};

use model::BrokerId;
use storage::MetaProperties;
use uuid::Uuid;

use super::random;

/// Why the directories cannot belong to this node.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum IdentityError {
    /// The directories of two clusters.
    #[error("{} belongs to cluster {found}, and another log directory to cluster {expected}", .dir.display())]
    Cluster {
        /// The directory that differs.
        dir: PathBuf,
        /// Its cluster.
        found: String,
        /// The other's.
        expected: String,
    },
    /// Another node's directory.
    #[error(
        "{} belongs to node {found}, and node.id is {expected}: set node.id={found}, or use another directory",
        .dir.display()
    )]
    Node {
        /// The directory.
        dir: PathBuf,
        /// Its node.
        found: BrokerId,
        /// This node.
        expected: BrokerId,
    },
    /// A directory that is empty beside one that is not: most likely a disk that is not mounted. Serving it as new
    /// would show its partitions empty, and lose what is appended meanwhile when the disk comes back.
    #[error(
        "no meta.properties found in {}, while {} has one: mount the missing disk, or, if the directory is to be \
         added, copy meta.properties there without its directory.id line",
        .dir.display(),
        .formatted.display()
    )]
    NotFormatted {
        /// The directory without.
        dir: PathBuf,
        /// One that has it.
        formatted: PathBuf,
    },
    /// Two directories that are copies of each other.
    #[error("{} and {} have the same directory.id: one is a copy of the other", .first.display(), .second.display())]
    Copy {
        /// One of them.
        first: PathBuf,
        /// The other.
        second: PathBuf,
    },
}

/// A directory as it was found; `meta` is `None` while it is not formatted.
#[derive(Clone, Debug)]
pub(super) struct FoundDir<'a> {
    pub path: &'a Path,
    pub meta: Option<MetaProperties>,
}

/// The identity that a directory is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct DirIdentity {
    pub meta: MetaProperties,
    pub id: Uuid,
    /// Whether it has to be written.
    pub is_new: bool,
}

/// Answers the cluster and the identity of each directory. `wanted` is the cluster id for directories that have none
/// at all; what is on disk wins over it.
pub(super) fn establish(
    node: BrokerId,
    dirs: &[FoundDir<'_>],
    wanted: Option<String>,
) -> Result<(String, Vec<DirIdentity>), IdentityError> {
    refuse_missing_disk(dirs)?;
    let cluster_id = cluster_id(dirs, wanted)?;
    let mut established: Vec<DirIdentity> = Vec::with_capacity(dirs.len());
    for dir in dirs {
        if let Some(meta) = dir.meta.as_ref().filter(|meta| meta.node_id != node) {
            let (dir, found) = (dir.path.to_owned(), meta.node_id);
            return Err(IdentityError::Node { dir, found, expected: node });
        }
        let known = dir.meta.as_ref().and_then(|meta| meta.directory_id);
        let id = known.unwrap_or_else(random::uuid);
        if let Some(copy) = established.iter().position(|other| other.id == id) {
            let first = dirs.get(copy).map_or(dir.path, |other| other.path).to_owned();
            return Err(IdentityError::Copy { first, second: dir.path.to_owned() });
        }
        let meta = MetaProperties { cluster_id: cluster_id.clone(), node_id: node, directory_id: Some(id) };
        established.push(DirIdentity { meta, id, is_new: known.is_none() });
    }
    Ok((cluster_id, established))
}

fn refuse_missing_disk(dirs: &[FoundDir<'_>]) -> Result<(), IdentityError> {
    let formatted = dirs.iter().find(|dir| dir.meta.is_some());
    let empty = dirs.iter().find(|dir| dir.meta.is_none());
    match (formatted, empty) {
        (Some(formatted), Some(empty)) => Err(IdentityError::NotFormatted {
            dir: empty.path.to_owned(),
            formatted: formatted.path.to_owned(),
        }),
        _ => Ok(()),
    }
}

fn cluster_id(dirs: &[FoundDir<'_>], wanted: Option<String>) -> Result<String, IdentityError> {
    let mut formatted = dirs.iter().filter_map(|dir| Some((dir.path, &dir.meta.as_ref()?.cluster_id)));
    let Some((_, known)) = formatted.next() else {
        return Ok(wanted.unwrap_or_else(|| model::ids::uuid_to_base64(random::uuid())));
    };
    if let Some((dir, found)) = formatted.find(|(_, found)| *found != known) {
        let (dir, found) = (dir.to_owned(), found.clone());
        return Err(IdentityError::Cluster { dir, found, expected: known.clone() });
    }
    if let Some(wanted) = wanted.filter(|wanted| wanted != known) {
        tracing::warn!(target: "ottla.metadata", "the cluster id {wanted} is not used: the log directories belong to cluster {known}");
    }
    Ok(known.clone())
}

#[cfg(test)]
mod tests {
    use super::*;

    const NODE: BrokerId = BrokerId::new(1);

    fn found<'a>(path: &'a str, cluster: &str, node: i32, id: u64) -> FoundDir<'a> {
        let meta = MetaProperties {
            cluster_id: cluster.to_owned(),
            node_id: BrokerId::new(node),
            directory_id: (id > 0).then(|| Uuid::from_u64_pair(9, id)),
        };
        FoundDir { path: Path::new(path), meta: Some(meta) }
    }

    fn empty(path: &str) -> FoundDir<'_> {
        FoundDir { path: Path::new(path), meta: None }
    }

    #[test]
    fn new_directories_get_what_is_wanted_or_a_random_id() {
        let (cluster, dirs) = establish(NODE, &[empty("a"), empty("b")], Some("mine".to_owned())).unwrap();
        assert_eq!(cluster, "mine");
        assert!(dirs.iter().all(|dir| dir.is_new && dir.meta.cluster_id == "mine"));
        assert_ne!(dirs[0].id, dirs[1].id);
        let (cluster, _) = establish(NODE, &[empty("a")], None).unwrap();
        assert_eq!(cluster.len(), 22);
    }

    #[test]
    fn what_is_on_disk_wins() {
        let dirs = [found("a", "old", 1, 0), found("b", "old", 1, 5)];
        let (cluster, dirs) = establish(NODE, &dirs, Some("mine".to_owned())).unwrap();
        assert_eq!((cluster.as_str(), dirs[0].is_new, dirs[1].is_new), ("old", true, false));
        assert_eq!(dirs[1].id, Uuid::from_u64_pair(9, 5));
        let (_, dirs) = establish(NODE, &[found("b", "old", 1, 0)], None).unwrap();
        assert!(dirs[0].is_new, "directories older than KIP-858 get an id");
    }

    #[test]
    fn a_disk_that_is_not_mounted_is_refused() {
        let error = establish(NODE, &[found("a", "x", 1, 1), empty("b")], None).unwrap_err();
        assert!(matches!(&error, IdentityError::NotFormatted { dir, .. } if dir == Path::new("b")));
        assert!(error.to_string().starts_with("no meta.properties found in b, while a has one"));
    }

    #[test]
    fn strangers_are_refused() {
        let refuse = |dirs: &[FoundDir<'_>]| establish(NODE, dirs, None).unwrap_err();
        assert!(matches!(refuse(&[found("a", "x", 2, 1)]), IdentityError::Node { .. }));
        assert!(matches!(
            refuse(&[found("a", "x", 1, 1), found("b", "y", 1, 2)]),
            IdentityError::Cluster { .. }
        ));
        assert!(matches!(
            refuse(&[found("a", "x", 1, 1), found("b", "x", 1, 1)]),
            IdentityError::Copy { .. }
        ));
    }
}
