use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use config::{Inputs, Loaded};
use controller::command::{
    ConfigChange, CreateTopics, DeleteTopics, IncrementalAlterConfigs, NewTopic, ResourceChanges,
    TopicReference,
};
use controller::image::ConfigResourceType;
use model::{BrokerId, Clock, TopicId};

use super::*;
use crate::context::Fatal;
use crate::partition::PartitionEngine;

/// The metadata of a node and its partitions, over a directory.
struct Shell {
    metadata: Metadata,
    engine: PartitionEngine,
    failed: Arc<AtomicBool>,
}

impl Shell {
    fn start(dir: &Path) -> Self {
        Self::start_with(dir, &[], None)
    }

    fn start_with(dir: &Path, overrides: &[&str], cluster_id: Option<&str>) -> Self {
        Self::try_start(dir, overrides, cluster_id).unwrap()
    }

    fn try_start(dir: &Path, overrides: &[&str], cluster_id: Option<&str>) -> Result<Self, OpenError> {
        let loaded = load(dir, overrides);
        let clock = Clock::system();
        let failed = Arc::new(AtomicBool::new(false));
        let fatal = {
            let failed = Arc::clone(&failed);
            Fatal::call(move |_| failed.store(true, Ordering::Release))
        };
        let engine = PartitionEngine::open(&loaded.broker, clock.clone(), fatal.clone()).unwrap();
        let cluster_id = cluster_id.map(str::to_owned);
        let metadata =
            Metadata::open(&loaded, clock, cluster_id, engine.registry(), Follower::none(), fatal)?;
        Ok(Self { metadata, engine, failed })
    }

    fn stop(self) {
        self.metadata.stop();
        self.engine.stop();
        assert!(!self.failed.load(Ordering::Acquire), "nothing was reported as fatal");
    }

    /// What a killed process leaves: the directory as it is now, with nothing closed and no marker written.
    fn kill(self, dir: &Path) -> tempfile::TempDir {
        let left = tempfile::tempdir().unwrap();
        copy(dir, left.path());
        self.stop();
        left
    }

    fn ask(&self, command: Command) -> Reply {
        block_on(self.metadata.submit(command)).unwrap()
    }

    fn create(&self, name: &str, partitions: i32, configs: &[(&str, &str)]) -> TopicId {
        let topic = NewTopic {
            partitions,
            replication_factor: 1,
            configs: configs.iter().map(|(k, v)| ((*k).to_owned(), Some((*v).to_owned()))).collect(),
            ..NewTopic::new(name, random::topic_id())
        };
        let command = CreateTopics { topics: vec![topic], validate_only: false, seed: 1 };
        match self.ask(Command::CreateTopics(command)) {
            Reply::CreateTopics(created) => created.into_iter().next().unwrap().result.unwrap().topic_id,
            other => panic!("{other:?}"),
        }
    }

    fn delete(&self, name: &str) {
        let topic = TopicReference { name: Some(name.to_owned()), id: TopicId::ZERO };
        match self.ask(Command::DeleteTopics(DeleteTopics { topics: vec![topic] })) {
            Reply::DeleteTopics(deleted) => assert_eq!(deleted[0].error, None),
            other => panic!("{other:?}"),
        }
    }

    fn set(&self, resource_type: ConfigResourceType, name: &str, key: &str, value: &str) {
        let change = ConfigChange { name: key.to_owned(), operation: 0, value: Some(value.to_owned()) };
        let resources = vec![ResourceChanges { resource_type, name: name.to_owned(), changes: vec![change] }];
        let command = IncrementalAlterConfigs { resources, validate_only: false };
        match self.ask(Command::IncrementalAlterConfigs(command)) {
            Reply::IncrementalAlterConfigs(results) => assert_eq!(results[0].error, None),
            other => panic!("{other:?}"),
        }
    }

    fn topics(&self) -> Vec<(String, TopicId, usize)> {
        let image = self.metadata.image();
        image.topics().iter().map(|t| (t.name.to_string(), t.id, t.partitions.len())).collect()
    }
}

fn copy(source: &Path, target: &Path) {
    for entry in std::fs::read_dir(source).unwrap() {
        let entry = entry.unwrap();
        let target = target.join(entry.file_name());
        if entry.file_type().unwrap().is_dir() {
            std::fs::create_dir(&target).unwrap();
            copy(&entry.path(), &target);
        } else {
            // A checkpoint's temporary file gets its name between the listing and the copy: a crash at this moment
            // may or may not leave it behind, and this one does not.
            let copied = std::fs::copy(entry.path(), target);
            let is_temporary = entry.path().extension().is_some_and(|extension| extension == "tmp");
            assert!(copied.is_ok() || is_temporary, "{}: {copied:?}", entry.path().display());
        }
    }
}

fn load(dir: &Path, overrides: &[&str]) -> Loaded {
    let mut all = vec![format!("log.dirs={}", dir.display())];
    all.extend(overrides.iter().map(|&text| text.to_owned()));
    config::load(&Inputs { file: None, environment: &[], overrides: &all }).unwrap()
}

fn block_on<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().build().unwrap().block_on(future)
}

#[test]
fn a_new_directory_is_formatted_and_kept() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::start_with(dir.path(), &[], Some("4L6g3nShT-eMCtK--X86sw"));
    assert_eq!(shell.metadata.cluster_id(), "4L6g3nShT-eMCtK--X86sw");
    let image = shell.metadata.image();
    assert_eq!(image.metadata_version().unwrap().name(), "4.1-IV1");
    assert_eq!(image.features().level("eligible.leader.replicas.version"), 1);
    assert_eq!(image.features().level("group.version"), 1);
    let broker = image.broker(BrokerId::new(1)).unwrap();
    assert!(broker.is_active(), "registered and unfenced");
    assert_eq!(broker.epoch, shell.metadata.broker_epoch());
    assert_eq!(shell.metadata.quorum().leader_epoch.value(), 1);
    assert_eq!(shell.metadata.quorum().kraft_version, 1);
    let log = dir.path().join("__cluster_metadata-0");
    for file in ["bootstrap.checkpoint", "meta.properties", "__cluster_metadata-0/quorum-state"] {
        assert!(dir.path().join(file).exists(), "{file}");
    }
    assert!(log.join("00000000000000000000-0000000000.checkpoint").exists());
    let id = std::fs::read_to_string(log.join("partition.metadata")).unwrap();
    assert_eq!(id, "version: 0\ntopic_id: AAAAAAAAAAAAAAAAAAAAAQ");
    shell.stop();

    let shell = Shell::start_with(dir.path(), &[], Some("another"));
    assert_eq!(shell.metadata.cluster_id(), "4L6g3nShT-eMCtK--X86sw");
    assert_eq!(shell.metadata.quorum().leader_epoch.value(), 2);
    shell.stop();
}

#[test]
fn a_restart_keeps_topics_and_configs() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::start(dir.path());
    let a = shell.create("a", 3, &[("retention.ms", "1000")]);
    shell.create("gone", 1, &[]);
    shell.set(ConfigResourceType::Broker, "", "log.retention.ms", "5000");
    shell.delete("gone");
    let before = shell.topics();
    assert_eq!(before, [("a".to_owned(), a, 3)]);
    shell.stop();

    let shell = Shell::start(dir.path());
    assert_eq!(shell.topics(), before);
    let view = shell.metadata.view();
    let configs = view.image().configs().of_topic("a").unwrap();
    assert_eq!(**configs, BTreeMap::from([("retention.ms".to_owned(), "1000".to_owned())]));
    assert_eq!(view.config().topics.defaults.config().retention_ms, 5_000);
    assert_eq!(view.topic_settings("a").log.retention_ms, 1_000);
    assert!((0..3).all(|index| shell.engine.registry().by_id(a, index).is_some()));
    assert!(shell.engine.registry().by_name("gone", 0).is_none());
    shell.stop();
}

#[test]
fn what_was_acknowledged_survives_a_kill() {
    let mut dir = tempfile::tempdir().unwrap();
    let mut expected = Vec::new();
    for round in 0..3 {
        let shell = Shell::start(dir.path());
        for n in 0..5 {
            let name = format!("topic-{round}-{n}");
            let id = shell.create(&name, 1 + n, &[]);
            expected.push((name, id, 1 + n as usize));
        }
        assert_eq!(shell.topics(), expected);
        dir = shell.kill(dir.path());
    }
    let shell = Shell::start(dir.path());
    assert_eq!(shell.topics(), expected);
    shell.stop();
}

#[test]
fn a_torn_tail_is_cut_off() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::start(dir.path());
    shell.create("a", 1, &[]);
    let dir = shell.kill(dir.path());
    let log = dir.path().join("__cluster_metadata-0/00000000000000000000.log");
    let mut bytes = std::fs::read(&log).unwrap();
    bytes.truncate(bytes.iter().rposition(|byte| *byte != 0).unwrap() + 1);
    bytes.extend_from_slice(&[0, 0, 0, 0, 0, 0, 0, 99, 0, 0, 1]);
    std::fs::write(&log, bytes).unwrap();
    let shell = Shell::start(dir.path());
    assert_eq!(shell.topics().len(), 1);
    shell.create("b", 1, &[]);
    let dir = shell.kill(dir.path());
    let shell = Shell::start(dir.path());
    assert_eq!(shell.topics().len(), 2);
    shell.stop();
}

#[test]
fn snapshots_stand_for_the_log_below_them() {
    let dir = tempfile::tempdir().unwrap();
    // Every commit is worth a snapshot, and two of them are too many.
    let small = ["metadata.log.max.record.bytes.between.snapshots=1", "metadata.max.retention.bytes=1"];
    let shell = Shell::start_with(dir.path(), &small, None);
    let ids: Vec<_> = (0..4).map(|n| shell.create(&format!("t{n}"), 2, &[("retention.ms", "7")])).collect();
    shell.delete("t2");
    let before = shell.topics();
    let quorum = shell.metadata.quorum();
    let dir = shell.kill(dir.path());
    let snapshots: Vec<_> = std::fs::read_dir(dir.path().join("__cluster_metadata-0"))
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.ends_with(".checkpoint"))
        .collect();
    assert_eq!(snapshots.len(), 1, "{snapshots:?}");

    let shell = Shell::start(dir.path());
    assert_eq!(shell.topics(), before);
    assert_eq!(before.iter().map(|topic| topic.1).collect::<Vec<_>>(), [ids[0], ids[1], ids[3]]);
    assert!(shell.metadata.quorum().leader_epoch > quorum.leader_epoch);
    assert_eq!(shell.metadata.quorum().listeners, quorum.listeners, "the voters are in the snapshot");
    assert_eq!(shell.metadata.image().configs().of_topic("t3").unwrap().len(), 1);
    shell.stop();
}

#[test]
fn many_commands_at_once_share_their_syncs() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::start(dir.path());
    let command = |n: usize| {
        let topic = NewTopic { partitions: 1, ..NewTopic::new(&format!("t{n}"), random::topic_id()) };
        Command::CreateTopics(CreateTopics { topics: vec![topic], validate_only: false, seed: 1 })
    };
    block_on(async {
        let asked: Vec<_> = (0..50).map(|n| shell.metadata.submit(command(n))).collect();
        for asked in asked {
            assert!(matches!(asked.await, Ok(Reply::CreateTopics(_))));
        }
    });
    assert_eq!(shell.topics().len(), 50);
    shell.stop();
}

#[test]
fn a_dynamic_default_reaches_every_topic_without_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::start(dir.path());
    let own = shell.create("own", 1, &[("max.message.bytes", "3000")]);
    let plain = shell.create("plain", 1, &[]);
    shell.set(ConfigResourceType::Broker, "1", "message.max.bytes", "2000");
    let bytes = |id| {
        let registry = shell.engine.registry();
        let snapshot = registry.snapshot();
        snapshot.identified(id).unwrap().topic.settings.load().message_bytes_max
    };
    assert_eq!((bytes(own), bytes(plain)), (3000, 2000));
    shell.set(ConfigResourceType::Topic, "plain", "max.message.bytes", "4000");
    assert_eq!((bytes(own), bytes(plain)), (3000, 4000));
    shell.stop();
}

#[test]
fn another_nodes_directory_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    Shell::start(dir.path()).stop();
    let refused = Shell::try_start(dir.path(), &["node.id=2"], None);
    assert!(matches!(refused.err(), Some(OpenError::Identity(IdentityError::Node { .. }))));
}

#[test]
fn static_voters_are_kept_as_the_configuration_has_them() {
    let dir = tempfile::tempdir().unwrap();
    let voters = ["controller.quorum.voters=1@localhost:9093"];
    let shell = Shell::start_with(dir.path(), &voters, None);
    assert_eq!(shell.metadata.quorum().kraft_version, 0);
    shell.stop();
    let path = dir.path().join("__cluster_metadata-0/quorum-state");
    let state = std::fs::read_to_string(&path).unwrap();
    assert!(state.contains(r#""currentVoters":[{"voterId":1}]"#), "{state}");
    std::fs::write(path, state.replace(r#"{"voterId":1}"#, r#"{"voterId":1},{"voterId":2}"#)).unwrap();
    let refused = Shell::try_start(dir.path(), &voters, None);
    assert!(matches!(refused.err(), Some(OpenError::NotAlone(_))));
}

#[test]
fn a_stopped_shell_takes_no_commands() {
    let dir = tempfile::tempdir().unwrap();
    let shell = Shell::start(dir.path());
    shell.metadata.stop();
    let command = Command::DeleteTopics(DeleteTopics { topics: Vec::new() });
    assert_eq!(block_on(shell.metadata.submit(command)), Err(ErrorCode::NotController));
    shell.metadata.stop();
}

/// A directory as the formatter of Kafka 4.3 leaves it, but for its identity: the metadata of 4.3-IV0.
fn leave_bootstrap_of_4_3(dir: &Path) {
    let mut records = controller::bootstrap_records(features::INITIAL_LEVELS);
    for record in &mut records {
        if let controller::MetadataRecord::FeatureLevel(level) = record
            && level.name == "metadata.version"
        {
            level.feature_level = 30;
        }
    }
    let snapshot = snapshot::Snapshot { records, ..snapshot::Snapshot::default() };
    std::fs::create_dir_all(dir).unwrap();
    let bytes = snapshot.encode(model::LeaderEpoch::new(0), 0).unwrap();
    std::fs::write(dir.join("bootstrap.checkpoint"), bytes).unwrap();
}

#[test]
fn cordoned_directories_get_no_more_partitions() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).display().to_string();
    leave_bootstrap_of_4_3(Path::new(&path("a")));
    let log_dirs = format!("log.dirs={},{}", path("a"), path("b"));
    let cordon_b = format!("cordoned.log.dirs={}", path("b"));
    let own = BrokerId::new(1);
    let id_of = |shell: &Shell, name: &str| {
        let registry = shell.engine.registry();
        let found = registry.dirs().iter().find(|dir| dir.path() == Path::new(&path(name))).unwrap().id();
        found.unwrap()
    };
    let told = |shell: &Shell| shell.metadata.image().broker(own).unwrap().cordoned_log_dirs.clone();
    let all_in = |shell: &Shell, topic: TopicId, name: &str| {
        (0..4).all(|index| shell.engine.registry().directory_of(topic, index) == Some(id_of(shell, name)))
    };

    let shell = Shell::start_with(dir.path(), &[&log_dirs, &cordon_b], None);
    assert_eq!(told(&shell), Some(vec![id_of(&shell, "b")]));
    let first = shell.create("first", 4, &[]);
    assert!(all_in(&shell, first, "a"));
    // What is set while it runs comes before what stands in the file, and lasts.
    shell.set(ConfigResourceType::Broker, "1", "cordoned.log.dirs", &path("a"));
    assert_eq!(told(&shell), Some(vec![id_of(&shell, "a")]));
    let second = shell.create("second", 4, &[]);
    assert!(all_in(&shell, first, "a") && all_in(&shell, second, "b"));
    shell.stop();

    let shell = Shell::start_with(dir.path(), &[&log_dirs, &cordon_b], None);
    assert_eq!(told(&shell), Some(vec![id_of(&shell, "a")]));
    assert!(all_in(&shell, first, "a") && all_in(&shell, second, "b"), "what is there stays");
    shell.set(ConfigResourceType::Broker, "1", "cordoned.log.dirs", "");
    assert_eq!(told(&shell), Some(Vec::new()));
    shell.stop();
}
