//! How configuration and metadata reach the coordinator of groups.

use config::resolved::{ConsumerGroups, Offsets};
use config::{BrokerConfig, Inputs};
use controller::command::{ConfigChange, IncrementalAlterConfigs, ResourceChanges};
use controller::controller::ConfigRules;
use controller::record::{
    ConfigRecord, PartitionRecord, RegisterBrokerRecord, RemoveTopicRecord, TopicRecord,
};
use controller::{Command, Controller, ControllerSettings, MetadataRecord, Reply};
use model::{BrokerId, LeaderEpoch};
use storage::disk_mem::MemoryDisk;
use uuid::Uuid;

use super::super::Groups;
use super::*;
use crate::handlers::find_coordinator;
use crate::handlers::test_support::{TestBroker, run};
use crate::partition::test_support::{Reports, still_registry};

/// A value of its own for each key that groups and offsets have.
const DISTINCT: [&str; 22] = [
    "group.initial.rebalance.delay.ms=11",
    "group.min.session.timeout.ms=12",
    "group.max.session.timeout.ms=13",
    "group.max.size=14",
    "group.coordinator.append.linger.ms=15",
    "group.consumer.min.session.timeout.ms=1500",
    "group.consumer.session.timeout.ms=1600",
    "group.consumer.max.session.timeout.ms=1700",
    "group.consumer.min.heartbeat.interval.ms=150",
    "group.consumer.heartbeat.interval.ms=160",
    "group.consumer.max.heartbeat.interval.ms=170",
    "group.consumer.max.size=18",
    "group.consumer.assignors=org.apache.kafka.coordinator.group.assignor.RangeAssignor,uniform",
    "group.consumer.migration.policy=Upgrade",
    "group.consumer.regex.refresh.interval.ms=10019",
    "offset.metadata.max.bytes=20",
    "offsets.commit.timeout.ms=21",
    "offsets.load.buffer.size=22",
    "offsets.retention.check.interval.ms=23",
    "offsets.retention.minutes=24",
    "offsets.topic.compression.codec=4",
    "offsets.topic.num.partitions=26",
];

fn configured(overrides: &[&str]) -> BrokerConfig {
    let mut all = vec!["log.dirs=/data".to_owned()];
    all.extend(overrides.iter().map(|text| (*text).to_owned()));
    config::load(&Inputs { overrides: &all, ..Inputs::default() }).expect("legal").broker
}

fn settings_of(overrides: &[&str]) -> Settings {
    Settings::clone(Surroundings::of_config(&configured(overrides)).settings())
}

#[test]
fn every_key_of_groups_reaches_what_it_is_for() {
    let wanted = Settings {
        initial_rebalance_delay_ms: 11,
        session_timeout_min_ms: 12,
        session_timeout_max_ms: 13,
        classic_members_max: 14,
        consumer_session_timeout_ms: 1600,
        consumer_heartbeat_interval_ms: 160,
        consumer_members_max: 18,
        consumer_assignors: vec!["range".to_owned(), "uniform".to_owned()],
        upgrade_allowed: true,
        downgrade_allowed: false,
        regex_refresh_ms: 10_019,
        offset_metadata_bytes_max: 20,
        offsets_retention_ms: 24 * 60 * 1000,
        offsets_retention_check_ms: 23,
        overrides: BTreeMap::new(),
    };
    assert_eq!(settings_of(&DISTINCT), wanted);

    // What a shard is not told.
    let mut keys = DISTINCT.to_vec();
    keys.extend(["offsets.topic.replication.factor=27", "offsets.topic.segment.bytes=28000"]);
    let config = configured(&keys);
    let offsets = Offsets {
        partitions: 26,
        replication_factor: 27,
        segment_bytes: 28_000,
        compression_codec: 4,
        retention_ms: 24 * 60 * 1000,
        retention_check_interval_ms: 23,
        metadata_bytes_max: 20,
        commit_timeout_ms: 21,
        load_buffer_bytes: 22,
    };
    assert_eq!(config.offsets, offsets);
    let consumer = ConsumerGroups {
        session_timeout_ms: 1600,
        session_timeout_ms_min: 1500,
        session_timeout_ms_max: 1700,
        heartbeat_interval_ms: 160,
        heartbeat_interval_ms_min: 150,
        heartbeat_interval_ms_max: 170,
        members_max: 18,
        assignors: vec![
            "org.apache.kafka.coordinator.group.assignor.RangeAssignor".to_owned(),
            "uniform".to_owned(),
        ],
        migration_policy: "upgrade".to_owned(),
        regex_refresh_interval_ms: 10_019,
    };
    assert_eq!((config.groups.consumer.clone(), config.groups.append_linger_ms), (consumer, 15));

    let reports = Reports::default();
    let registry = still_registry(&MemoryDisk::new(), &reports);
    let groups = Groups::new(&config, registry, model::Clock::system(), reports.fatal());
    let shared = &groups.coordinator.shared;
    assert_eq!(shared.commit_timeout, std::time::Duration::from_millis(21));
    assert_eq!(shared.codec, records::Codec::Zstd);
}

#[test]
fn what_is_not_set_is_as_in_kafka() {
    assert_eq!(settings_of(&[]), Settings::default());
}

#[test]
fn each_migration_policy_allows_its_directions() {
    for (policy, upgrade, downgrade) in [
        ("disabled", false, false),
        ("upgrade", true, false),
        ("DOWNGRADE", false, true),
        ("Bidirectional", true, true),
    ] {
        let settings = settings_of(&[&format!("group.consumer.migration.policy={policy}")]);
        assert_eq!((settings.upgrade_allowed, settings.downgrade_allowed), (upgrade, downgrade), "{policy}");
    }
}

#[test]
fn kafkas_assignors_may_be_named_by_their_classes() {
    let class = |name: &str| format!("org.apache.kafka.coordinator.group.assignor.{name}Assignor");
    let key = format!("group.consumer.assignors={},{}", class("Uniform"), class("Range"));
    assert_eq!(settings_of(&[&key]).consumer_assignors, ["uniform", "range"]);
}

/// A metadata log that grows.
struct Log {
    controller: Controller,
    next: i64,
}

impl Log {
    fn begin() -> Self {
        let settings = ControllerSettings {
            node_id: BrokerId::new(1),
            cluster_id: String::new(),
            default_partitions: 1,
            default_replication_factor: 1,
            min_insync_replicas: 1,
            unclean_leader_election: false,
            supported_features: Vec::new(),
            kraft_version: 1,
            config_rules: ConfigRules {
                validate_topic: |_| Ok(()),
                validate_broker: |_, _| Ok(()),
                validate_group: |_| Ok(()),
                list_default: |_, _| None,
            },
        };
        let mut log = Self { controller: Controller::new(settings), next: 0 };
        for record in &controller::bootstrap_records(&[]) {
            log.write(record);
        }
        log
    }

    fn write(&mut self, record: &MetadataRecord) {
        self.controller.replay(Offset::new(self.next), record).expect("replayed");
        self.next += 1;
    }

    fn set(&mut self, resource_type: ConfigResourceType, name: &str, key: &str, value: &str) {
        self.write(&MetadataRecord::Config(ConfigRecord {
            resource_type: resource_type.id(),
            resource_name: name.to_owned(),
            name: key.to_owned(),
            value: Some(value.to_owned()),
            unknown: Vec::new(),
        }));
    }

    fn register(&mut self, id: i32, rack: Option<&str>) {
        self.write(&MetadataRecord::RegisterBroker(RegisterBrokerRecord {
            version: 3,
            broker_id: BrokerId::new(id),
            is_migrating_zk_broker: false,
            incarnation_id: Uuid::from_u128(1),
            broker_epoch: 1,
            endpoints: Vec::new(),
            features: Vec::new(),
            rack: rack.map(ToOwned::to_owned),
            fenced: false,
            in_controlled_shutdown: false,
            log_dirs: Vec::new(),
            cordoned_log_dirs: None,
            unknown: Vec::new(),
        }));
    }

    fn create(&mut self, name: &str, id: TopicId, replicas: &[i32]) {
        let topic = TopicRecord { name: name.to_owned(), topic_id: id, unknown: Vec::new() };
        self.write(&MetadataRecord::Topic(topic));
        let replicas: Vec<_> = replicas.iter().copied().map(BrokerId::new).collect();
        self.write(&MetadataRecord::Partition(PartitionRecord {
            version: 0,
            partition_id: 0,
            topic_id: id,
            isr: replicas.clone(),
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            leader: replicas[0],
            replicas,
            leader_recovery_state: 0,
            leader_epoch: LeaderEpoch::new(0),
            partition_epoch: 0,
            directories: Vec::new(),
            eligible_leader_replicas: None,
            last_known_elr: None,
            unknown: Vec::new(),
        }));
    }

    fn delete(&mut self, topic_id: TopicId) {
        self.write(&MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id, unknown: Vec::new() }));
    }

    fn surroundings(&self) -> Surroundings {
        let (image, config) = (self.controller.image(), Arc::new(configured(&[])));
        let settings = Arc::new(settings(&config, image.configs()));
        Surroundings { image, config, settings }
    }
}

fn id(number: u128) -> TopicId {
    TopicId::new(Uuid::from_u128(number))
}

#[test]
fn a_groups_own_settings_are_its_own() {
    const SESSION: &str = "consumer.session.timeout.ms";
    const HEARTBEAT: &str = "consumer.heartbeat.interval.ms";
    let mut log = Log::begin();
    log.set(ConfigResourceType::Group, "both", SESSION, "50000");
    log.set(ConfigResourceType::Group, "both", HEARTBEAT, " 7000 ");
    log.set(ConfigResourceType::Group, "beats", HEARTBEAT, "8000");
    log.set(ConfigResourceType::Group, "share", "share.session.timeout.ms", "9000");
    log.set(ConfigResourceType::Topic, "topic", SESSION, "51000");
    let around = log.surroundings();
    let settings = around.settings();
    let of = |group: &str| {
        (settings.consumer_session_timeout_ms(group), settings.consumer_heartbeat_interval_ms(group))
    };
    assert_eq!(of("both"), (50_000, 7_000));
    assert_eq!(of("beats"), (45_000, 8_000));
    for other in ["share", "topic", "none"] {
        assert_eq!(of(other), (45_000, 5_000), "{other}");
    }
    assert_eq!(settings.overrides.keys().collect::<Vec<_>>(), ["beats", "both", "share"]);
}

#[test]
fn racks_are_those_of_a_partitions_brokers() {
    let mut log = Log::begin();
    for (broker, rack) in [(1, Some("b")), (2, Some("a")), (3, Some("b")), (4, None), (5, Some("c"))] {
        log.register(broker, rack);
    }
    log.create("orders", id(1), &[1, 2, 3, 4]);
    let around = log.surroundings();
    assert_eq!(around.racks(id(1), 0), ["a", "b", "b"], "sorted, and one for each replica");
    assert!(around.racks(id(1), 1).is_empty() && around.racks(id(2), 0).is_empty());

    let facts = TopicFacts { id: id(1), name: "orders".to_owned(), partitions: 1 };
    assert_eq!((around.by_name("orders"), around.by_id(id(1))), (Some(facts.clone()), Some(facts)));
    assert_eq!((around.by_name("other"), around.by_id(id(2))), (None, None));
    assert_eq!(around.version(), log.next - 1);
}

#[test]
fn a_topic_that_was_made_anew_is_gone() {
    let mut log = Log::begin();
    log.register(1, None);
    for (number, name) in (1..).zip(["kept", "deleted", "anew"]) {
        log.create(name, id(number), &[1]);
    }
    let before = log.surroundings();
    log.register(2, None);
    let same = log.surroundings();
    assert!(before.has_topics_of(&same) && before.topics_gone(&same).is_empty());

    log.create("new", id(4), &[1]);
    let grown = log.surroundings();
    assert!(!same.has_topics_of(&grown) && same.topics_gone(&grown).is_empty());

    log.delete(id(2));
    log.delete(id(3));
    log.create("anew", id(5), &[1]);
    let mut gone = grown.topics_gone(&log.surroundings());
    gone.sort_unstable();
    assert_eq!(gone, ["anew", "deleted"]);
}

#[test]
fn a_shard_has_a_groups_settings_as_soon_as_they_are_committed() {
    run(async {
        let node = TestBroker::start();
        for _ in 0..2 {
            let find = wire::messages::FindCoordinatorRequest::default()
                .with_coordinator_keys(vec!["group".to_owned().into()]);
            find_coordinator::handle(&node.broker, &node.context, find).await;
        }
        for (operation, value, wanted) in [(0, Some("50000"), 50_000), (1, None, 45_000)] {
            let change = ConfigChange {
                name: "consumer.session.timeout.ms".to_owned(),
                operation,
                value: value.map(ToOwned::to_owned),
            };
            let resource = ResourceChanges {
                resource_type: ConfigResourceType::Group,
                name: "group".to_owned(),
                changes: vec![change],
            };
            let alter = IncrementalAlterConfigs { resources: vec![resource], validate_only: false };
            let reply = node.broker.metadata.submit(Command::IncrementalAlterConfigs(alter)).await;
            let Ok(Reply::IncrementalAlterConfigs(altered)) = reply else { panic!("{reply:?}") };
            assert_eq!(altered[0].error, None, "{altered:?}");
            let look = |_shard: &_, context: &coordinator::group::Context<'_>| {
                context.settings.consumer_session_timeout_ms("group")
            };
            assert_eq!(node.broker.groups.look("group", look).await, Ok(wanted));
        }
        node.stop();
    });
}
