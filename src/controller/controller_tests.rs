//! Random commands against the whole controller: what is replayed decides everything.

use std::collections::BTreeSet;

use model::{BrokerId, LeaderEpoch, Offset, TopicId};
use proptest::prelude::*;

use crate::command::*;
use crate::controller::Controller;
use crate::image::{ConfigResourceType, Image};
use crate::record::{MetadataRecord, VerbatimRecord};
use crate::testing::{World, changes_of, dir, ids, settings};

/// One step of a random life; small numbers, so that names and ids meet often.
#[derive(Clone, Debug)]
enum Action {
    Register { broker: i32, clean: bool },
    Change { broker: i32, change: u8 },
    Unregister { broker: i32 },
    Create { topic: u8, partitions: i32, replication_factor: i16, config: bool },
    CreateAssigned { topic: u8, replicas: Vec<i32> },
    Delete { topic: u8, by_id: bool },
    Grow { topic: u8, count: i32 },
    Set { resource: u8, key: u8, operation: i8, value: u8 },
    Replace { resource: u8, keys: Vec<u8> },
    ProducerIds { broker: i32 },
    Feature { name: u8, level: i16, upgrade_type: i8 },
    Elect { unclean: bool },
    Reassign { topic: u8, target: Option<Vec<i32>> },
    Isr { topic: u8, isr: Vec<i32> },
    Assign { broker: i32, topic: u8 },
    Foreign { user: u8, remove: bool },
}

fn action() -> impl Strategy<Value = Action> {
    let broker = 1..5i32;
    let topic = 0..5u8;
    let replicas = prop::collection::vec(1..5i32, 1..4);
    prop_oneof![
        2 => (broker.clone(), any::<bool>()).prop_map(|(broker, clean)| Action::Register { broker, clean }),
        6 => (broker.clone(), 0..8u8).prop_map(|(broker, change)| Action::Change { broker, change }),
        1 => broker.clone().prop_map(|broker| Action::Unregister { broker }),
        3 => (topic.clone(), -1..4i32, -1..4i16, any::<bool>()).prop_map(
            |(topic, partitions, replication_factor, config)| Action::Create {
                topic,
                partitions,
                replication_factor,
                config
            }
        ),
        2 => (topic.clone(), replicas.clone())
            .prop_map(|(topic, replicas)| Action::CreateAssigned { topic, replicas }),
        1 => (topic.clone(), any::<bool>()).prop_map(|(topic, by_id)| Action::Delete { topic, by_id }),
        1 => (topic.clone(), 0..8i32).prop_map(|(topic, count)| Action::Grow { topic, count }),
        3 => (0..8u8, 0..5u8, 0..5i8, 0..4u8).prop_map(|(resource, key, operation, value)| Action::Set {
            resource,
            key,
            operation,
            value
        }),
        1 => (0..8u8, prop::collection::vec(0..5u8, 0..3))
            .prop_map(|(resource, keys)| Action::Replace { resource, keys }),
        1 => broker.clone().prop_map(|broker| Action::ProducerIds { broker }),
        1 => (0..4u8, 0..28i16, 1..4i8).prop_map(|(name, level, upgrade_type)| Action::Feature {
            name,
            level,
            upgrade_type
        }),
        1 => any::<bool>().prop_map(|unclean| Action::Elect { unclean }),
        3 => (topic.clone(), prop::option::of(replicas.clone()))
            .prop_map(|(topic, target)| Action::Reassign { topic, target }),
        3 => (topic.clone(), replicas).prop_map(|(topic, isr)| Action::Isr { topic, isr }),
        1 => (broker, topic).prop_map(|(broker, topic)| Action::Assign { broker, topic }),
        1 => (0..3u8, any::<bool>()).prop_map(|(user, remove)| Action::Foreign { user, remove }),
    ]
}

const TOPICS: [&str; 5] = ["a", "b.c", "b_c", "__consumer_offsets", "bad name"];
const KEYS: [&str; 5] =
    ["min.insync.replicas", "unclean.leader.election.enable", "cleanup.policy", "retention.ms", "bad.key"];

fn resource(number: u8) -> (ConfigResourceType, &'static str) {
    match number {
        0..5 => (ConfigResourceType::Topic, TOPICS[number as usize]),
        5 => (ConfigResourceType::Broker, "1"),
        6 => (ConfigResourceType::Broker, ""),
        _ => (ConfigResourceType::Group, "g"),
    }
}

fn epoch_of(image: &Image, broker: i32) -> i64 {
    image.broker(BrokerId::new(broker)).map_or(-1, |broker| broker.epoch)
}

fn id_of(image: &Image, topic: u8) -> TopicId {
    image.topic(TOPICS[topic as usize]).map_or(TopicId::ZERO, |topic| topic.id)
}

/// The command of an action; `None` for those that are records of another program.
fn command(world: &mut World, action: &Action) -> Option<Command> {
    let image = world.controller.image();
    let new_topic = |world: &mut World, topic: &u8| world.new_topic(TOPICS[*topic as usize]);
    Some(match action {
        Action::Register { broker, clean } => {
            let mut registration = world.registration(*broker);
            registration.log_dirs.push(dir(broker + 10));
            if *clean {
                registration.previous_broker_epoch = epoch_of(&image, *broker);
            }
            Command::RegisterBroker(registration)
        }
        Action::Change { broker, change } => Command::BrokerState(BrokerState {
            broker_id: BrokerId::new(*broker),
            broker_epoch: epoch_of(&image, *broker),
            change: match change {
                0..4 => BrokerChange::Unfence,
                4 | 5 => BrokerChange::Fence,
                6 => BrokerChange::ControlledShutdown,
                _ => BrokerChange::OfflineDirs(vec![dir(broker + 10)]),
            },
        }),
        Action::Unregister { broker } => Command::UnregisterBroker { broker_id: BrokerId::new(*broker) },
        Action::Create { topic, partitions, replication_factor, config } => {
            let mut new = new_topic(world, topic);
            new.partitions = *partitions;
            new.replication_factor = *replication_factor;
            new.clamp_replication = *topic == 3;
            if *config {
                new.configs = vec![(KEYS[0].to_owned(), Some("2".to_owned()))];
            }
            Command::CreateTopics(CreateTopics {
                topics: vec![new],
                validate_only: false,
                seed: u64::from(*topic),
            })
        }
        Action::CreateAssigned { topic, replicas } => {
            let mut new = new_topic(world, topic);
            new.assignments = vec![(0, ids(replicas))];
            Command::CreateTopics(CreateTopics { topics: vec![new], validate_only: false, seed: 0 })
        }
        Action::Delete { topic, by_id } => Command::DeleteTopics(DeleteTopics {
            topics: vec![if *by_id {
                TopicReference { name: None, id: id_of(&image, *topic) }
            } else {
                TopicReference { name: Some(TOPICS[*topic as usize].to_owned()), id: TopicId::ZERO }
            }],
        }),
        Action::Grow { topic, count } => Command::CreatePartitions(CreatePartitions {
            topics: vec![NewPartitions {
                name: TOPICS[*topic as usize].to_owned(),
                count: *count,
                assignments: None,
            }],
            validate_only: false,
            seed: *count as u64,
        }),
        other => return later_command(&image, other),
    })
}

fn later_command(image: &Image, action: &Action) -> Option<Command> {
    Some(match action {
        Action::Set { resource: number, key, operation, value } => {
            let (resource_type, name) = resource(*number);
            let value = ["1", "true", "compact", "3"][*value as usize];
            let change = (KEYS[*key as usize], *operation, Some(value));
            Command::IncrementalAlterConfigs(IncrementalAlterConfigs {
                resources: vec![changes_of(resource_type, name, &[change])],
                validate_only: false,
            })
        }
        Action::Replace { resource: number, keys } => {
            let (resource_type, name) = resource(*number);
            let value = |key: &u8| (KEYS[*key as usize].to_owned(), Some("1".to_owned()));
            Command::AlterConfigs(AlterConfigs {
                resources: vec![ResourceValues {
                    resource_type,
                    name: name.to_owned(),
                    values: keys.iter().map(value).collect(),
                }],
                validate_only: false,
            })
        }
        Action::ProducerIds { broker } => Command::AllocateProducerIds(AllocateProducerIds {
            broker_id: BrokerId::new(*broker),
            broker_epoch: epoch_of(image, *broker),
        }),
        Action::Feature { name, level, upgrade_type } => {
            let name = ["metadata.version", "group.version", "eligible.leader.replicas.version", "x"]
                [*name as usize];
            let level = if name == "metadata.version" { *level } else { level % 2 };
            Command::UpdateFeatures(UpdateFeatures {
                updates: vec![FeatureUpdate { name: name.to_owned(), level, upgrade_type: *upgrade_type }],
                validate_only: false,
            })
        }
        Action::Elect { unclean } => Command::ElectLeaders(ElectLeaders {
            election: if *unclean { ElectionType::Unclean } else { ElectionType::Preferred },
            partitions: None,
        }),
        Action::Reassign { topic, target } => {
            Command::AlterPartitionReassignments(AlterPartitionReassignments {
                topics: vec![(TOPICS[*topic as usize].to_owned(), vec![(0, target.as_deref().map(ids))])],
                allow_replication_factor_change: true,
            })
        }
        Action::Isr { topic, isr } => {
            let topic_id = id_of(image, *topic);
            let partition = image.topic_by_id(topic_id).and_then(|topic| topic.partition(0));
            let leader = partition.map_or(BrokerId::NONE, |partition| partition.leader);
            Command::AlterPartition(AlterPartition {
                broker_id: leader,
                broker_epoch: epoch_of(image, leader.value()),
                partitions: vec![PartitionIsr {
                    topic_id,
                    partition: 0,
                    leader_epoch: partition.map_or(LeaderEpoch::NONE, |partition| partition.leader_epoch),
                    partition_epoch: partition.map_or(-1, |partition| partition.partition_epoch),
                    isr: ids(isr).into_iter().map(|id| (id, -1)).collect(),
                    leader_recovery_state: 0,
                }],
            })
        }
        Action::Assign { broker, topic } => Command::AssignReplicasToDirs(AssignReplicasToDirs {
            broker_id: BrokerId::new(*broker),
            broker_epoch: epoch_of(image, *broker),
            replicas: vec![(dir(broker + 10), id_of(image, *topic), 0)],
        }),
        _ => return None,
    })
}

/// A SCRAM credential comes or goes.
fn foreign(user: u8, remove: bool) -> MetadataRecord {
    let mut body = vec![2, b'a' + user, 1];
    if !remove {
        body.extend([2, 9, 2, 8, 2, 7, 0, 0, 16, 0]);
    }
    body.push(0);
    MetadataRecord::Verbatim(VerbatimRecord {
        api_key: if remove { 22 } else { 11 },
        version: 0,
        body: body.into(),
    })
}

fn check_invariants(image: &Image) {
    let mut names = BTreeSet::new();
    for topic in image.topics().iter() {
        assert!(names.insert(topic.name.replace('.', "_")), "no names collide");
        assert_eq!(image.topic_by_id(topic.id), image.topic(&topic.name));
        assert!(topic.partitions.keys().copied().eq(0..topic.partitions.len() as i32));
        for partition in topic.partitions.values() {
            let replicas: BTreeSet<_> = partition.replicas.iter().collect();
            assert_eq!(replicas.len(), partition.replicas.len(), "{partition:?}");
            assert_eq!(partition.directories.len(), partition.replicas.len());
            assert!(partition.isr.iter().all(|id| replicas.contains(id)), "{partition:?}");
            assert!(partition.elr.iter().all(|id| !partition.isr.contains(id)), "{partition:?}");
            if partition.has_leader() {
                assert!(partition.isr.contains(&partition.leader), "{partition:?}");
                assert!(image.cluster().is_active(partition.leader), "{partition:?}");
            }
            let adding = &partition.adding_replicas;
            assert!(adding.iter().all(|id| replicas.contains(id)), "{partition:?}");
        }
    }
}

fn live(actions: &[Action], start_level: i16, elr: bool) -> World {
    let mut world = World::empty();
    let level = crate::snapshot::feature_level;
    world.append(vec![level("metadata.version", start_level)]);
    if elr && start_level >= 23 {
        world.append(vec![level("eligible.leader.replicas.version", 1)]);
    }
    for action in actions {
        if let Action::Foreign { user, remove } = action {
            world.append(vec![foreign(*user, *remove)]);
        } else if let Some(command) = command(&mut world, action) {
            let first = world.decide(command.clone());
            assert_eq!(first, world.decide(command.clone()), "deciding changes nothing");
            world.run(command);
        }
        check_invariants(&world.controller.image());
    }
    world
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn the_log_and_the_snapshot_both_lead_to_the_image(
        actions in prop::collection::vec(action(), 1..60),
        start_level in prop_oneof![Just(27i16), 7..28i16],
        elr in any::<bool>(),
    ) {
        let world = live(&actions, start_level, elr);
        let image = world.controller.image();
        prop_assert_eq!(&world.reread().image(), &image);

        let end = image.offset().expect("a log");
        let snapshot = world.controller.snapshot();
        let mut fresh = Controller::new(settings());
        for record in &snapshot {
            let record = MetadataRecord::decode(record.encode()).expect("a snapshot decodes");
            fresh.replay(end, &record).expect("a snapshot replays");
        }
        prop_assert_eq!(&fresh.image(), &image);
        prop_assert_eq!(fresh.snapshot(), snapshot);
    }

    #[test]
    fn a_log_cut_anywhere_and_continued_is_the_same_life(
        actions in prop::collection::vec(action(), 1..30),
        cut in 0..1000usize,
        elr in any::<bool>(),
    ) {
        let world = live(&actions, 27, elr);
        let cut = cut % world.log.len();
        let mut first = Controller::new(settings());
        for (offset, record) in (0..).zip(&world.log[..cut]) {
            first.replay(Offset::new(offset), record).expect("the log replays");
        }
        // A second node reads a snapshot of the first, then the rest of the log.
        let mut second = Controller::new(settings());
        let is_cut_in_transaction = first.before_transaction.is_some();
        for record in first.snapshot() {
            second.replay(Offset::new(cut as i64 - 1), &record).expect("a snapshot replays");
        }
        second.before_transaction = first.before_transaction.clone().filter(|_| is_cut_in_transaction);
        for (offset, record) in (cut as i64..).zip(&world.log[cut..]) {
            second.replay(Offset::new(offset), record).expect("the log replays");
        }
        prop_assert_eq!(&second.image(), &world.controller.image());
    }
}

#[test]
fn random_lives_get_somewhere() {
    // The property above says nothing if every command is refused.
    use proptest::strategy::ValueTree;
    let mut runner = proptest::test_runner::TestRunner::deterministic();
    let strategy = prop::collection::vec(action(), 60..61);
    let mut kinds = BTreeSet::new();
    for life in 0..100 {
        let actions = strategy.new_tree(&mut runner).expect("a value").current();
        kinds.extend(live(&actions, 27, life % 2 == 0).log.iter().map(MetadataRecord::api_key));
    }
    let expected = [0, 1, 2, 3, 4, 5, 9, 11, 12, 15, 17, 22, 23, 24, 28];
    assert!(expected.iter().all(|kind| kinds.contains(kind)), "{kinds:?}");
}
