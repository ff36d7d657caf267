//! What every version left on disk, opened by this one.
//!
//! Each file of `compat-tests/directory/corpus` is one directory as text, with what its broker knew of it. `README.md` there
//! says how a version's entries are made.

mod ask;
mod fill;
mod go_on;
mod tree;

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use self::ask::describe;
use self::fill::{Sent, fill, fill_on, leave_open};
use crate::fixture::Broker;

/// Keeps what an entry holds from growing old: its clocks stood still when it was made.
const SETTINGS: &[&str] = &[
    "offsets.topic.num.partitions=2",
    "transaction.state.log.num.partitions=2",
    "group.initial.rebalance.delay.ms=0",
    "group.consumer.max.session.timeout.ms=1800000",
    "group.consumer.session.timeout.ms=1800000",
    "offsets.retention.minutes=2147483647",
    "transactional.id.expiration.ms=2147483647",
    "transaction.remove.expired.transaction.cleanup.interval.ms=2147483647",
    "transaction.abort.timed.out.transaction.cleanup.interval.ms=100",
    "log.retention.ms=-1",
    "log.message.timestamp.after.max.ms=9223372036854775807",
    "log.cleaner.backoff.ms=100",
];

/// How a version's directories ended.
const ENDS: [&str; 3] = ["clean", "killed", "power-cut"];

/// Between the directory and what is known of it.
const KNOWN: &str = "known:";

fn corpus() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("compat-tests/directory/corpus")
}

fn entry_of(end: &str) -> PathBuf {
    corpus().join(format!("{}-{end}.txt", env!("CARGO_PKG_VERSION")))
}

#[test]
fn this_version_has_its_entries() {
    for end in ENDS {
        let entry = entry_of(end);
        assert!(entry.is_file(), "{} is missing: see README.md there", entry.display());
    }
}

#[tokio::test]
async fn directories_of_every_version_are_served() {
    let entries = std::fs::read_dir(corpus()).expect("the corpus");
    let entries = entries.map(|entry| entry.expect("an entry").path());
    let mut entries: Vec<_> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "txt")).collect();
    entries.sort();
    assert!(entries.len() >= ENDS.len());
    for entry in entries {
        let name = entry.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let text = std::fs::read_to_string(&entry).expect("text");
        let (directory, known) = text.split_once(&format!("{KNOWN}\n")).expect("an entry has two parts");
        let mut broker = unpacked(directory).await;
        same(&name, known, &describe(&broker).await);
        assert_eq!(broker.signal_and_wait("TERM").code(), Some(0), "{name}");
        broker.restart().await;
        same(&format!("{name}, started again"), known, &describe(&broker).await);
        go_on::check(&name, &broker, known).await;
    }
}

/// Writes this version's entries; see `README.md` there.
#[tokio::test]
#[ignore = "it writes files of the repository"]
async fn make_this_versions_entries() {
    for end in ENDS {
        assert!(!entry_of(end).exists(), "what a version left does not change: {}", entry_of(end).display());
    }
    for end in ENDS {
        make(end).await;
    }
}

async fn make(end: &str) {
    let mut broker = Broker::start(SETTINGS).await;
    let mut sent = Sent::default();
    fill(&broker, &mut sent).await;
    assert_eq!(broker.signal_and_wait("TERM").code(), Some(0));
    broker.restart().await;
    fill_on(&broker, &mut sent).await;
    // The first append after a start is synced in a log's own file, and may be all that is there after a power cut.
    let synced = log_sizes(&broker.data());
    fill_on(&broker, &mut sent).await;
    leave_open(&broker).await;
    let known = describe(&broker).await;
    match end {
        "clean" => assert_eq!(broker.signal_and_wait("TERM").code(), Some(0)),
        _ => broker.kill(),
    }
    if end == "power-cut" {
        lose_unsynced(&broker.data(), &synced);
    }
    let directory = tree::pack(&broker.data());
    same(end, &known, &describe(&unpacked(&directory).await).await);
    let version = env!("CARGO_PKG_VERSION");
    let text = format!("# What Ottla {version} left, {end}.\n{directory}{KNOWN}\n{known}");
    std::fs::write(entry_of(end), text).expect("written");
}

/// The logs that had the journal since, and their sizes.
fn log_sizes(data: &Path) -> BTreeMap<PathBuf, u64> {
    let dirs = std::fs::read_dir(data).expect("the directory").map(|entry| entry.expect("an entry").path());
    let dirs = dirs.filter(|dir| dir.is_dir() && !dir.ends_with("__cluster_metadata-0"));
    let files = dirs
        .flat_map(|dir| std::fs::read_dir(dir).expect("a log").map(|entry| entry.expect("an entry").path()));
    let logs = files.filter(|path| path.extension().is_some_and(|end| end == "log"));
    logs.map(|path| (path.clone(), path.metadata().expect("a log").len())).collect()
}

/// Takes from the logs what was appended since, which only the journal has on disk for sure.
fn lose_unsynced(data: &Path, synced: &BTreeMap<PathBuf, u64>) {
    let grown: Vec<_> = log_sizes(data).into_iter().filter(|(path, size)| synced[path] < *size).collect();
    assert!(grown.len() > 3, "the journal holds what these lack: {grown:?}");
    for (path, _) in grown {
        std::fs::File::options().write(true).open(&path).expect("it").set_len(synced[&path]).expect("cut");
    }
}

async fn unpacked(directory: &str) -> Broker {
    let home: TempDir = tempfile::tempdir().expect("a temporary directory");
    tree::unpack(directory, &home.path().join("data"));
    let settings: Vec<&str> = [SETTINGS, &["log.cleaner.enable=false"]].concat();
    Broker::start_on(home, None, &settings).await
}

fn same(name: &str, known: &str, found: &str) {
    let missing: Vec<_> = known.lines().filter(|line| !found.lines().any(|one| one == *line)).collect();
    let added: Vec<_> = found.lines().filter(|line| !known.lines().any(|one| one == *line)).collect();
    assert!(missing.is_empty() && added.is_empty(), "{name} lacks {missing:#?}, and has {added:#?}");
    assert_eq!(known.lines().count(), found.lines().count(), "{name}");
}
