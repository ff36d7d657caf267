//! What a start would find in its directories, read without changing anything: not even a lock is taken. A start that
//! must be refused is refused by this, before the first byte is written.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use bytes::Bytes;
use config::BrokerConfig;
use controller::control_record::ControlRecord;
use controller::feature::METADATA_VERSION;
use controller::record::{VerbatimEffect, VerbatimKey};
use controller::{Controller, Image, MetadataRecord, MetadataVersion, ReplayError};
use model::batch::HEADER_BYTES;
use model::{BatchHeader, BrokerId, Offset};
use storage::disk::OpenMode;
use storage::metadata_files::MetadataFiles;
use storage::{Disk, LogDir, MetaProperties, StorageError, SystemDisk};

use super::batch::{self, BadBatch, Entry};
use super::identity::{self, FoundDir, IdentityError};
use super::quorum::{self, NotAlone};
use super::snapshot::{QuorumRecords, Snapshot};

/// Why directories are not served.
#[derive(Debug, thiserror::Error)]
pub enum Refusal {
    /// The log directories are not this node's.
    #[error(transparent)]
    Identity(#[from] IdentityError),
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
    /// Somebody else has a vote.
    #[error(transparent)]
    NotAlone(#[from] NotAlone),
    /// A cluster of a version that this one does not know.
    #[error(
        "the cluster in {} has metadata.version {level}, and this version knows {} to {} ({} to {}): use a newer Ottla, \
         or have Kafka lower it (kafka-features.sh downgrade) before it is stopped",
        .dir.display(), MetadataVersion::MINIMUM.level(), MetadataVersion::NEWEST_UNDERSTOOD.level(),
        MetadataVersion::MINIMUM.name(), MetadataVersion::NEWEST_UNDERSTOOD.name()
    )]
    MetadataVersion {
        /// Where its metadata is.
        dir: PathBuf,
        /// The level.
        level: i16,
    },
    /// Bytes that this version cannot read.
    #[error("the metadata in {}: {source}", .dir.display())]
    Bad {
        /// Where it is.
        dir: PathBuf,
        /// What is wrong.
        source: BadBatch,
    },
    /// Records that do not follow from the ones before.
    #[error("the metadata in {} cannot be followed: {source}", .dir.display())]
    Replay {
        /// Where it is.
        dir: PathBuf,
        /// What is wrong.
        source: ReplayError,
    },
    /// Access control that would not be enforced.
    #[error(
        "the metadata in {} has {count} ACLs, and access control cannot be served yet: everybody could do everything. \
         Remove them with Kafka, or set {}=true to serve without them; they are kept for Kafka either way",
        .dir.display(), config::keys::extra::SERVE_WITHOUT_ACLS
    )]
    AccessControl {
        /// Where it is.
        dir: PathBuf,
        /// How many entries there are.
        count: usize,
    },
}

/// What is in the directories of a configuration that could be served.
#[derive(Debug)]
pub struct Inspection {
    /// Every log directory, and the metadata directory where it is none of them.
    pub dirs: Vec<InspectedDir>,
    /// The cluster; `None` while all directories are new.
    pub cluster_id: Option<String>,
    /// The cluster's metadata up to the end of its log.
    pub image: Arc<Image>,
    /// Offset of the next metadata record.
    pub metadata_end: Offset,
}

/// One directory.
#[derive(Debug, PartialEq, Eq)]
pub struct InspectedDir {
    /// Where it is.
    pub path: PathBuf,
    /// Whether it is to be formatted.
    pub is_new: bool,
    /// Whether its last owner closed all logs: no record is read before it is asked for.
    pub is_clean: bool,
}

impl Inspection {
    /// Topics with settings that only this program has, and those settings.
    pub fn own_settings(&self) -> Vec<(String, &'static str)> {
        own_settings(&self.image)
    }

    /// How many records of this sort stand in the metadata without being acted on.
    pub fn count_kept(&self, is_sort: impl Fn(&VerbatimKey) -> bool) -> usize {
        count_kept(&self.image, is_sort)
    }
}

/// Inspects the directories of a configuration.
///
/// # Errors
/// They could not be served, or not be read.
pub fn inspect(config: &BrokerConfig) -> Result<Inspection, Refusal> {
    inspect_on(&SystemDisk::shared(), config)
}

/// As [`inspect`], on another disk.
pub(super) fn inspect_on(disk: &Arc<dyn Disk>, config: &BrokerConfig) -> Result<Inspection, Refusal> {
    let own = BrokerId::new(config.identity.node_id);
    let metadata_dir = config.storage.metadata_log_dir.as_path();
    let mut paths: Vec<&Path> = config.storage.log_dirs.iter().map(PathBuf::as_path).collect();
    if !paths.contains(&metadata_dir) {
        paths.push(metadata_dir);
    }
    let mut found = Vec::with_capacity(paths.len());
    let mut dirs = Vec::with_capacity(paths.len());
    for path in paths {
        let read = MetaProperties::read(&**disk, path);
        let read = read.and_then(|meta| Ok((meta, LogDir::is_marked_clean(&**disk, path)?)));
        let (meta, is_clean) = match read {
            // The node goes on without it; whether another is left is found when they are opened.
            Err(error) if path != metadata_dir => {
                tracing::warn!(target: "ottla.metadata", "{} is left out: {error}", path.display());
                continue;
            }
            read => read?,
        };
        dirs.push(InspectedDir { path: path.to_owned(), is_new: meta.is_none(), is_clean });
        found.push(FoundDir { path, meta });
    }
    let (cluster_id, _) = identity::establish(own, &found, None)?;
    let is_known = found.iter().any(|dir| dir.meta.is_some());
    let read = read(disk, config, own, &cluster_id)?;
    let access = count_kept(&read.image, |key| matches!(key, VerbatimKey::AccessControlEntry(_)));
    if access > 0 && !config.metadata.serve_without_acls {
        return Err(Refusal::AccessControl { dir: read.dir, count: access });
    }
    let cluster_id = is_known.then_some(cluster_id);
    Ok(Inspection { dirs, cluster_id, image: read.image, metadata_end: read.end })
}

/// Topics with settings that Kafka has not.
pub(super) fn own_settings(image: &Image) -> Vec<(String, &'static str)> {
    let mut own = Vec::new();
    for topic in image.topics().iter() {
        let Some(configs) = image.configs().of_topic(&topic.name) else { continue };
        let names = config::keys::topic::OURS.iter().filter(|name| configs.contains_key(**name));
        own.extend(names.map(|name| (topic.name.to_string(), *name)));
    }
    own.sort();
    own
}

fn count_kept(image: &Image, is_sort: impl Fn(&VerbatimKey) -> bool) -> usize {
    let kept = image.verbatim().iter().map(controller::record::VerbatimRecord::effect);
    kept.filter(|effect| matches!(effect, VerbatimEffect::Set(key) if is_sort(key))).count()
}

/// The metadata as far as it can be read.
struct Read {
    dir: PathBuf,
    controller: Controller,
    image: Arc<Image>,
    quorum: QuorumRecords,
    /// Offset of the next record.
    end: Offset,
}

fn read(
    disk: &Arc<dyn Disk>,
    config: &BrokerConfig,
    own: BrokerId,
    cluster_id: &str,
) -> Result<Read, Refusal> {
    let dir = config.storage.metadata_log_dir.join(storage::names::METADATA_DIR);
    let settings = super::open::controller_settings(config, own, cluster_id, 0);
    let mut read = Read {
        controller: Controller::new(settings),
        image: Arc::default(),
        quorum: QuorumRecords::default(),
        end: Offset::ZERO,
        dir,
    };
    let exists = disk.metadata(&read.dir).map_err(|source| failed("look at", &read.dir, source))?;
    if exists.is_none() {
        return Ok(read);
    }
    let files = MetadataFiles::new(Arc::clone(disk), &read.dir);
    let state = files.read_quorum_state()?;
    if let Some(id) = files.snapshots()?.last() {
        let bytes = files.read_snapshot(*id)?.unwrap_or_default();
        let snapshot = Snapshot::decode(Bytes::from(bytes)).map_err(|source| read.bad(source))?;
        read.end = id.offset;
        read.quorum = snapshot.quorum.unwrap_or_default();
        let last = Offset::new(id.offset.value() - 1);
        snapshot.records.iter().try_for_each(|record| read.replay(last, record))?;
    }
    read.log(&**disk)?;
    quorum::check_alone(config, own, &read.quorum, state.as_ref())?;
    read.image = read.controller.image();
    Ok(read)
}

impl Read {
    fn bad(&self, source: BadBatch) -> Refusal {
        Refusal::Bad { dir: self.dir.clone(), source }
    }

    fn replay(&mut self, offset: Offset, record: &MetadataRecord) -> Result<(), Refusal> {
        if let MetadataRecord::FeatureLevel(feature) = record
            && feature.name == METADATA_VERSION
            && MetadataVersion::from_level(feature.feature_level).is_none()
        {
            return Err(Refusal::MetadataVersion { dir: self.dir.clone(), level: feature.feature_level });
        }
        let replayed = self.controller.replay(offset, record);
        replayed.map_err(|source| Refusal::Replay { dir: self.dir.clone(), source })
    }

    /// Takes in the segments, up to the first bytes that are no batch: whether those are a torn tail or damage is
    /// found when the log is opened.
    fn log(&mut self, disk: &dyn Disk) -> Result<(), Refusal> {
        let entries = disk.list(&self.dir).map_err(|source| failed("list", &self.dir, source))?;
        let mut bases: Vec<i64> = entries.iter().filter_map(|entry| base_of(&entry.name)).collect();
        bases.sort_unstable();
        let first = bases.partition_point(|base| *base <= self.end.value()).saturating_sub(1);
        for base in bases.into_iter().skip(first) {
            if base > self.end.value() || !self.segment(disk, base)? {
                break;
            }
        }
        Ok(())
    }

    /// Takes in one segment; whether it was sound to its end.
    fn segment(&mut self, disk: &dyn Disk, base: i64) -> Result<bool, Refusal> {
        let path = self.dir.join(format!("{base:020}.log"));
        let file = disk.open(&path, OpenMode::Read).map_err(|source| failed("open", &path, source))?;
        let end = file.len().map_err(|source| failed("measure", &path, source))?;
        let mut position = 0;
        while position < end {
            let mut bytes = Vec::new();
            let fill = |bytes: &mut Vec<u8>, len: usize| {
                let (at, wanted) = (position + bytes.len() as u64, len - bytes.len());
                let count = file.read_at(bytes, at, wanted);
                count.map(|count| count == wanted).map_err(|source| failed("read", &path, source))
            };
            if !fill(&mut bytes, HEADER_BYTES)? {
                return Ok(false);
            }
            let Ok(header) = BatchHeader::parse(&bytes) else { return Ok(false) };
            let fits = header.size() as u64 <= end - position;
            if !fits || !fill(&mut bytes, header.size())? || !model::batch::crc_matches(&bytes) {
                return Ok(false);
            }
            position += header.size() as u64;
            if header.last_offset() >= self.end {
                self.batch(&header, Bytes::from(bytes))?;
            }
        }
        Ok(true)
    }

    fn batch(&mut self, header: &BatchHeader, bytes: Bytes) -> Result<(), Refusal> {
        let mut entries = Vec::new();
        let read = batch::read_all(bytes, |_, entry| {
            entries.push(entry);
            Ok::<(), BadBatch>(())
        });
        read.map_err(|source| self.bad(source))?;
        for entry in entries {
            match entry {
                Entry::Metadata(at, record) if at >= self.end => self.replay(at, &record)?,
                Entry::Control(record @ (ControlRecord::KRaftVersion { .. } | ControlRecord::Voters(_))) => {
                    self.quorum.replay(record);
                }
                Entry::Metadata(..) | Entry::Control(_) => {}
            }
        }
        self.end = header.last_offset().next();
        Ok(())
    }
}

/// Base offset of a segment, by the name of its file.
fn base_of(name: &str) -> Option<i64> {
    name.strip_suffix(".log").filter(|digits| digits.len() == 20)?.parse().ok()
}

fn failed(operation: &'static str, path: &Path, source: std::io::Error) -> StorageError {
    StorageError::Io { operation, path: path.to_owned(), source }
}
