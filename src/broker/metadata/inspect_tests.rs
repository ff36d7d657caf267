use std::path::Path;

use bytes::Bytes;
use config::Inputs;
use controller::command::{CreateTopics, NewTopic};
use controller::control_record::{ControlRecord, Voter};
use controller::record::{FeatureLevelRecord, VerbatimRecord};
use controller::{Command, Reply};
use model::LeaderEpoch;
use storage::disk_mem::{MemoryDisk, PowerCut};

use super::super::inspect::Inspection;
use super::super::log::MetadataLog;
use super::super::{Follower, Metadata, random};
use super::*;
use crate::context::Fatal;
use crate::partition::PartitionEngine;

const LOG_DIR: &str = "/data";

fn config(overrides: &[&str]) -> BrokerConfig {
    let mut all = vec![format!("log.dirs={LOG_DIR}")];
    all.extend(overrides.iter().map(|text| (*text).to_owned()));
    config::load(&Inputs { overrides: &all, ..Inputs::default() }).unwrap().broker
}

/// A life of a node: topics with these settings, and a clean end.
fn live(disk: &MemoryDisk, topics: &[(&str, &[(&str, &str)])]) {
    live_with(disk, topics, &[]);
}

/// As [`live`] with more settings; answers the steps that the start took.
fn live_with(disk: &MemoryDisk, topics: &[(&str, &[(&str, &str)])], overrides: &[&str]) -> u64 {
    let mut all = vec![format!("log.dirs={LOG_DIR}")];
    all.extend(overrides.iter().map(|text| (*text).to_owned()));
    let overrides = all;
    let before = disk.steps();
    let loaded = config::load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap();
    let (clock, fatal) = (Clock::system(), Fatal::call(|why| panic!("{why}")));
    let shared = disk.shared();
    let engine = PartitionEngine::open_on(&shared, &loaded.broker, clock.clone(), fatal.clone()).unwrap();
    let metadata =
        Metadata::open_on(shared, &loaded, clock, None, engine.registry(), Follower::none(), fatal).unwrap();
    let steps = disk.steps() - before;
    for (name, configs) in topics {
        let configs = configs.iter().map(|(key, value)| ((*key).to_owned(), Some((*value).to_owned())));
        let topic =
            NewTopic { partitions: 2, configs: configs.collect(), ..NewTopic::new(name, random::topic_id()) };
        let command = CreateTopics { topics: vec![topic], validate_only: false, seed: 1 };
        let runtime = tokio::runtime::Builder::new_current_thread().build().unwrap();
        let reply = runtime.block_on(metadata.submit(Command::CreateTopics(command))).unwrap();
        assert!(matches!(reply, Reply::CreateTopics(created) if created[0].result.is_ok()));
    }
    metadata.stop();
    engine.stop();
    steps
}

/// Has somebody else write to the metadata log.
fn write(disk: &MemoryDisk, records: &[MetadataRecord], control: &[ControlRecord]) {
    let config = config(&[]);
    let dir = Path::new(LOG_DIR).join(storage::names::METADATA_DIR);
    let mut log = MetadataLog::open(disk.shared(), &dir, &config.metadata, false, 0).unwrap().log;
    let end = log.end();
    log.replay(end, |_| Ok::<(), super::super::LogError>(())).unwrap();
    log.begin_epoch(LeaderEpoch::new(9));
    if !records.is_empty() {
        log.append(records, 0).unwrap();
    }
    if !control.is_empty() {
        log.append_control(control, 0).unwrap();
    }
    log.sync().unwrap();
    log.close().unwrap();
}

fn inspect(disk: &MemoryDisk, overrides: &[&str]) -> Result<Inspection, Refusal> {
    let before = disk.steps();
    let inspected = inspect_on(&disk.shared(), &config(overrides));
    assert_eq!(disk.steps(), before, "nothing was written");
    inspected
}

fn refused(disk: &MemoryDisk, overrides: &[&str]) -> String {
    inspect(disk, overrides).unwrap_err().to_string()
}

#[test]
fn a_new_directory_is_found_as_such() {
    let disk = MemoryDisk::new();
    let found = inspect(&disk, &["metadata.log.dir=/metadata"]).unwrap();
    assert_eq!(found.cluster_id, None);
    assert!(found.dirs.iter().all(|dir| dir.is_new && !dir.is_clean));
    assert_eq!(found.dirs.len(), 2, "the metadata has a directory of its own");
}

#[test]
fn what_a_node_left_is_found() {
    let disk = MemoryDisk::new();
    live(&disk, &[("orders", &[("write.caching", "true")]), ("plain", &[("retention.ms", "7")])]);
    let found = inspect(&disk, &[]).unwrap();
    assert!(found.cluster_id.is_some() && found.dirs[0].is_clean && !found.dirs[0].is_new);
    assert_eq!((found.image.topics().len(), found.metadata_end > model::Offset::ZERO), (2, true));
    assert_eq!(found.own_settings(), [("orders".to_owned(), "write.caching")]);
    let segment = Path::new(LOG_DIR).join("__cluster_metadata-0/00000000000000000000.log");
    disk.corrupt(&segment, |bytes| {
        let len = bytes.len() - 3;
        bytes.truncate(len);
    });
    assert_eq!(inspect(&disk, &[]).unwrap().image.topics().len(), 1, "a torn tail is no refusal");
    let stranger = refused(&disk, &["node.id=7"]);
    assert!(stranger.contains("belongs to node 1, and node.id is 7"), "{stranger}");
}

#[test]
fn a_newer_cluster_is_refused() {
    let disk = MemoryDisk::new();
    live(&disk, &[]);
    let newer =
        FeatureLevelRecord { name: "metadata.version".to_owned(), feature_level: 1234, unknown: Vec::new() };
    write(&disk, &[MetadataRecord::FeatureLevel(newer)], &[]);
    let why = refused(&disk, &[]);
    assert!(why.contains("has metadata.version 1234, and this version knows 7 to"), "{why}");
}

#[test]
fn a_cluster_of_the_newest_kafka_is_served_where_it_is() {
    let disk = MemoryDisk::new();
    live(&disk, &[]);
    let level = |level| {
        let name = "metadata.version".to_owned();
        MetadataRecord::FeatureLevel(FeatureLevelRecord { name, feature_level: level, unknown: Vec::new() })
    };
    write(&disk, &[level(30)], &[]);
    live(&disk, &[("orders", &[])]);
    let image = inspect(&disk, &[]).unwrap().image;
    assert_eq!(image.metadata_version().map(controller::MetadataVersion::level), Some(30));
    let own = image.broker(BrokerId::new(1)).unwrap();
    let range = own.features.iter().find(|range| range.name == "metadata.version").unwrap();
    assert_eq!((range.min, range.max), (7, 30));
}

#[test]
fn a_quorum_of_several_nodes_is_refused() {
    let disk = MemoryDisk::new();
    live(&disk, &[]);
    let voter = |id: i32| Voter {
        id: BrokerId::new(id),
        directory_id: uuid::Uuid::from_u128(id as u128),
        endpoints: vec![("CONTROLLER".to_owned(), "localhost".to_owned(), 9093)],
        kraft_versions: (0, 1),
    };
    write(&disk, &[], &[ControlRecord::Voters(vec![voter(1), voter(2), voter(3)])]);
    let why = refused(&disk, &[]);
    assert!(why.contains("a quorum of the nodes [1, 2, 3]"), "{why}");
}

#[test]
fn access_control_is_refused_unless_it_is_waived() {
    let disk = MemoryDisk::new();
    live(&disk, &[]);
    let entry = |api_key: i16, id: u8| {
        let body = Bytes::from(vec![id; 40]);
        MetadataRecord::Verbatim(VerbatimRecord { api_key, version: 0, body })
    };
    write(&disk, &[entry(18, 1), entry(18, 2), entry(19, 1)], &[]);
    let why = refused(&disk, &[]);
    assert!(why.contains("has 1 ACLs") && why.contains("ottla.serve.without.acls=true"), "{why}");
    let found = inspect(&disk, &["ottla.serve.without.acls=true"]).unwrap();
    assert_eq!(
        found.count_kept(|key| matches!(key, controller::record::VerbatimKey::AccessControlEntry(_))),
        1
    );
    write(&disk, &[entry(19, 2)], &[]);
    inspect(&disk, &[]).unwrap();
}

#[test]
fn what_is_handed_back_has_only_kafkas_settings() {
    let disk = MemoryDisk::new();
    let back = |disk: &MemoryDisk| hand_back_on(&disk.shared(), &config(&[]), 1_700_000_000_000);
    assert!(matches!(back(&disk), Err(HandBackError::New)));
    live(&disk, &[("orders", &[("write.caching", "true"), ("retention.ms", "7")]), ("plain", &[])]);
    let marker = disk.contents(Path::new("/data/.kafka_cleanshutdown"));
    assert!(marker.is_some());
    assert_eq!(back(&disk).unwrap(), [("orders".to_owned(), "write.caching")]);
    disk.power_cut(PowerCut::LoseAll);
    let found = inspect(&disk, &[]).unwrap();
    assert_eq!((found.own_settings(), found.dirs[0].is_clean), (vec![], true));
    assert_eq!(found.image.configs().of_topic("orders").unwrap().len(), 1, "the other setting stays");
    assert_eq!(disk.contents(Path::new("/data/.kafka_cleanshutdown")), marker);
    assert!(disk.contents(Path::new("/data/.ottla-reserve")).is_none());
    assert_eq!(back(&disk).unwrap(), []);
    // A node takes it up again.
    live(&disk, &[("more", &[("write.caching", "true")])]);
    disk.corrupt(Path::new("/data/.kafka_cleanshutdown"), Vec::clear);
    assert_eq!(back(&disk).unwrap().len(), 1, "an empty mark is one, as for Kafka");
}

#[test]
fn a_hand_back_that_is_interrupted_is_done_again() {
    let whole = MemoryDisk::new();
    live(&whole, &[("orders", &[("write.caching", "true")])]);
    let before = whole.steps();
    hand_back_on(&whole.shared(), &config(&[]), 0).unwrap();
    for step in 1..=whole.steps() - before {
        let disk = MemoryDisk::new();
        live(&disk, &[("orders", &[("write.caching", "true")])]);
        disk.stop_at(disk.steps() + step);
        let _ = hand_back_on(&disk.shared(), &config(&[]), 0);
        disk.power_cut(PowerCut::Random(step));
        let inspected = inspect(&disk, &[]).unwrap_or_else(|error| panic!("step {step}: {error}"));
        if !inspected.dirs[0].is_clean {
            // What it asks for then: a start and a stop.
            assert!(matches!(
                hand_back_on(&disk.shared(), &config(&[]), 0),
                Err(HandBackError::NotClosed(_))
            ));
            live(&disk, &[]);
        }
        hand_back_on(&disk.shared(), &config(&[]), 0).unwrap();
        assert_eq!(inspect(&disk, &[]).unwrap().own_settings(), [], "step {step}");
    }
}

#[test]
fn a_metadata_directory_of_its_own_is_trusted_while_nobody_else_has_led_its_log() {
    const OWN: &[&str] = &["metadata.log.dir=/metadata"];
    let marker = Path::new("/metadata/.kafka_cleanshutdown");
    let disk = MemoryDisk::new();
    live_with(&disk, &[("orders", &[])], OWN);
    assert!(disk.contents(marker).is_some());
    let trusted = live_with(&disk, &[], OWN);
    // Kafka leads the log for a while, and leaves the mark where it is.
    disk.corrupt(Path::new("/metadata/__cluster_metadata-0/quorum-state"), |bytes| {
        let text = String::from_utf8(std::mem::take(bytes)).unwrap();
        assert!(text.contains("\"leaderEpoch\":2"), "{text}");
        *bytes = text.replace("\"leaderEpoch\":2", "\"leaderEpoch\":3").into_bytes();
    });
    let scanned = live_with(&disk, &[], OWN);
    assert!(
        trusted < scanned,
        "{trusted} steps of a start that trusts the mark, {scanned} of one that does not"
    );
    assert!(live_with(&disk, &[], OWN) < scanned);
    disk.corrupt(marker, Vec::clear);
    assert!(live_with(&disk, &[], OWN) >= scanned, "a mark that names nobody");
}
