//! Power cuts at every step of a life: what was acknowledged is there afterwards, and nothing keeps the next start
//! from succeeding.

use std::collections::BTreeMap;
use std::path::Path;

use config::{Inputs, Loaded};
use controller::command::{CreateTopics, DeleteTopics, NewTopic, TopicReference};
use model::{Clock, TopicId};
use storage::disk_mem::{MemoryDisk, PowerCut};

use super::*;
use crate::context::Fatal;
use crate::partition::PartitionEngine;

/// Topics that were acknowledged, and those of which nobody knows.
#[derive(Default)]
struct Known {
    there: BTreeMap<String, (TopicId, i32)>,
    unknown: Vec<String>,
}

#[test]
fn acknowledged_topics_survive_a_cut_at_every_step() {
    let whole = MemoryDisk::new();
    live(&whole, &mut Known::default());
    let steps = whole.steps();
    assert!(steps > 50, "the life has {steps} steps");
    for step in (1..=steps).step_by(3) {
        let disk = MemoryDisk::new();
        disk.stop_at(step);
        let mut known = Known::default();
        live(&disk, &mut known);
        disk.power_cut(PowerCut::Random(step));
        check(&disk, &known, step);
    }
}

#[test]
fn a_failed_write_is_the_last_thing_that_happens() {
    let whole = MemoryDisk::new();
    live(&whole, &mut Known::default());
    for step in (1..=whole.steps()).step_by(7) {
        let disk = MemoryDisk::new();
        disk.fail_at(step);
        let mut known = Known::default();
        live(&disk, &mut known);
        disk.power_cut(PowerCut::LoseAll);
        check(&disk, &known, step);
    }
}

#[test]
fn who_asks_while_the_log_fails_is_answered() {
    let disk = MemoryDisk::new();
    let (engine, metadata) = start(&disk, &load()).unwrap();
    // Somebody who is about to ask, and does once the thread has ended as far as it will.
    let place = metadata.requests.try_reserve().unwrap();
    disk.fail_at(disk.steps() + 1);
    let create = || {
        let topic = NewTopic { partitions: 1, ..NewTopic::new("t", random::topic_id()) };
        Command::CreateTopics(CreateTopics { topics: vec![topic], validate_only: false, seed: 1 })
    };
    assert!(ask(&metadata, create()).is_err());
    while !metadata.requests.is_closed() {
        std::thread::yield_now();
    }
    // Time for a thread that does not wait for what is about to come.
    std::thread::sleep(std::time::Duration::from_millis(20));
    let (answer, mut answered) = oneshot::channel();
    place.send(Request::Submit(create(), answer));
    let clock = Clock::system();
    while answered.try_recv() == Err(oneshot::error::TryRecvError::Empty) {
        assert!(clock.monotonic() < std::time::Duration::from_secs(20), "nobody answers");
        std::thread::yield_now();
    }
    metadata.stop();
    engine.stop();
}

#[test]
fn a_full_disk_refuses_changes_and_nothing_else() {
    let disk = MemoryDisk::new();
    let (engine, metadata) = start(&disk, &load()).unwrap();
    let create = |name: &str| {
        let topic = NewTopic { partitions: 1, ..NewTopic::new(name, random::topic_id()) };
        let command = CreateTopics { topics: vec![topic], validate_only: false, seed: 1 };
        ask(&metadata, Command::CreateTopics(command))
    };
    assert!(create("before").is_ok());
    disk.limit_space(Some(0));
    assert_eq!(create("meanwhile"), Err(ErrorCode::KafkaStorageError));
    assert!(metadata.image().topic("meanwhile").is_none() && metadata.image().topic("before").is_some());
    disk.limit_space(None);
    assert!(create("meanwhile").is_ok(), "the same name is free");
    assert!(metadata.image().topic("meanwhile").is_some());
    metadata.stop();
    engine.stop();
    disk.power_cut(PowerCut::LoseAll);
    let (engine, metadata) = start(&disk, &load()).unwrap();
    assert_eq!(metadata.image().topics().len(), 2);
    metadata.stop();
    engine.stop();
}

#[test]
fn a_log_that_was_closed_is_not_looked_through_again() {
    let disk = MemoryDisk::new();
    live(&disk, &mut Known::default());
    let steps_of_start = || {
        let before = disk.steps();
        let (engine, metadata) = start(&disk, &load()).unwrap();
        (disk.steps() - before, engine, metadata)
    };
    let (after_stop, engine, metadata) = steps_of_start();
    disk.power_cut(PowerCut::LoseAll);
    metadata.stop();
    engine.stop();
    drop((engine, metadata));
    let (after_cut, engine, metadata) = steps_of_start();
    metadata.stop();
    engine.stop();
    drop((engine, metadata));
    assert!(after_stop < after_cut, "{after_stop} steps after a stop, {after_cut} after a power cut");
    // A log that has failed vouches for nothing.
    let (_, engine, metadata) = steps_of_start();
    disk.fail_at(disk.steps() + 1);
    let topic = NewTopic { partitions: 1, ..NewTopic::new("last", random::topic_id()) };
    let command = CreateTopics { topics: vec![topic], validate_only: false, seed: 1 };
    assert!(ask(&metadata, Command::CreateTopics(command)).is_err());
    metadata.stop();
    engine.stop();
    assert!(disk.contents(Path::new("/data/.kafka_cleanshutdown")).is_none());
}

#[test]
fn a_disk_that_fails_at_the_start_is_told_from_a_refusal() {
    use crate::server::StartError;
    let disk = MemoryDisk::new();
    live(&disk, &mut Known::default());
    let loaded = load();
    let (clock, fatal) = (Clock::system(), Fatal::call(|_| {}));
    let shared = disk.shared();
    let engine = PartitionEngine::open_on(&shared, &loaded.broker, clock.clone(), fatal.clone()).unwrap();
    disk.stop_at(disk.steps() + 2);
    let failed = Metadata::open_on(shared, &loaded, clock, None, engine.registry(), Follower::none(), fatal);
    assert_eq!(StartError::from(failed.unwrap_err()).exit_status(), 74);
    let refused = std::io::Error::from(std::io::ErrorKind::PermissionDenied);
    assert_eq!(StartError::from(refused).exit_status(), 1);
    engine.stop();
}

/// A start, some topics, and snapshots on the way; ends where the disk does.
fn live(disk: &MemoryDisk, known: &mut Known) {
    let loaded = load();
    let Some((engine, metadata)) = start(disk, &loaded) else { return };
    for n in 0..7 {
        let name = format!("t{n}");
        let partitions = if n == 6 { 12 } else { 2 };
        let topic = NewTopic { partitions, ..NewTopic::new(&name, random::topic_id()) };
        let command = CreateTopics { topics: vec![topic], validate_only: false, seed: n };
        known.unknown.push(name.clone());
        if let Ok(Reply::CreateTopics(created)) = ask(&metadata, Command::CreateTopics(command)) {
            let shape = created.into_iter().next().unwrap().result.unwrap();
            known.unknown.retain(|unknown| *unknown != name);
            known.there.insert(name, (shape.topic_id, partitions));
        }
    }
    let gone = ["t1", "t6"].map(str::to_owned);
    if gone.iter().filter(|name| known.there.remove(*name).is_some()).count() == gone.len() {
        known.unknown.extend(gone.clone());
        let topic = |name: &String| TopicReference { name: Some(name.clone()), id: TopicId::ZERO };
        let topics = gone.iter().map(topic).collect();
        if ask(&metadata, Command::DeleteTopics(DeleteTopics { topics })).is_ok() {
            known.unknown.retain(|unknown| !gone.contains(unknown));
        }
    } else {
        known.unknown.extend(gone);
    }
    metadata.stop();
    engine.stop();
}

fn check(disk: &MemoryDisk, known: &Known, step: u64) {
    let loaded = load();
    let (engine, metadata) = start(disk, &loaded).unwrap_or_else(|| panic!("no start after step {step}"));
    let image = metadata.image();
    for (name, (id, partitions)) in &known.there {
        let topic = image.topic(name).unwrap_or_else(|| panic!("{name} is lost after step {step}"));
        let found = (topic.id, topic.partitions.len() as i32);
        assert_eq!(found, (*id, *partitions), "{name} after step {step}");
        assert!(
            (0..*partitions).all(|index| engine.registry().by_id(*id, index).is_some()),
            "{name} after step {step}"
        );
    }
    for topic in image.topics().iter() {
        let is_known =
            known.there.contains_key(&*topic.name) || known.unknown.contains(&topic.name.to_string());
        assert!(is_known, "{} was never created, or is back, after step {step}", topic.name);
    }
    metadata.stop();
    engine.stop();
}

fn start(disk: &MemoryDisk, loaded: &Loaded) -> Option<(PartitionEngine, Metadata)> {
    let (clock, fatal) = (Clock::system(), Fatal::call(|_| {}));
    let shared = disk.shared();
    let engine = PartitionEngine::open_on(&shared, &loaded.broker, clock.clone(), fatal.clone()).ok()?;
    let opened = Metadata::open_on(shared, loaded, clock, None, engine.registry(), Follower::none(), fatal);
    if opened.is_err() {
        engine.stop();
    }
    Some((engine, opened.ok()?))
}

fn load() -> Loaded {
    let overrides = [
        "log.dirs=/data".to_owned(),
        "log.index.size.max.bytes=64".to_owned(),
        "metadata.log.max.record.bytes.between.snapshots=600".to_owned(),
        "metadata.max.retention.bytes=2500".to_owned(),
    ];
    config::load(&Inputs { file: None, environment: &[], overrides: &overrides }).unwrap()
}

fn ask(metadata: &Metadata, command: Command) -> Result<Reply, ErrorCode> {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(metadata.submit(command))
}
