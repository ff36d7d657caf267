use model::{ErrorCode, TopicId};

use crate::command::{BrokerChange, Command, CreateTopics, NewTopic, Reply};
use crate::image::ConfigResource;
use crate::record::MetadataRecord;
use crate::testing::{World, dir, error, ids};

use ErrorCode::{
    InvalidConfig, InvalidPartitions, InvalidReplicaAssignment, InvalidReplicationFactor, InvalidRequest,
    InvalidTopicException, PolicyViolation, TopicAlreadyExists,
};

fn topic(world: &mut World, name: &str, partitions: i32, replication_factor: i16) -> NewTopic {
    let mut topic = world.new_topic(name);
    topic.partitions = partitions;
    topic.replication_factor = replication_factor;
    topic
}

#[test]
fn a_topic_gets_its_id_counts_configs_and_leaders() {
    let mut world = World::of(3);
    let mut orders = topic(&mut world, "orders", 4, 2);
    orders.configs = vec![("retention.ms".to_owned(), Some("1000".to_owned()))];
    let topic_id = orders.topic_id;
    let before = world.log.len();
    let shape = world.create(orders).unwrap();
    assert_eq!((shape.topic_id, shape.partitions, shape.replication_factor), (topic_id, 4, 2));
    assert_eq!(shape.clamped_from, None);
    let kinds: Vec<_> = world.log[before..].iter().map(MetadataRecord::api_key).collect();
    assert_eq!(kinds, [2, 4, 3, 3, 3, 3], "topic, configs, partitions");
    let image = world.controller.image();
    let value = image.configs().value(&ConfigResource::topic("orders"), "retention.ms");
    assert_eq!(value, Some("1000"));
    for index in 0..4 {
        let partition = world.partition("orders", index);
        assert_eq!(partition.replicas.len(), 2);
        assert_eq!(partition.isr, partition.replicas);
        assert_eq!(partition.leader, partition.replicas[0]);
        assert_eq!((partition.leader_epoch.value(), partition.partition_epoch), (0, 0));
        let expected: Vec<_> = partition.replicas.iter().map(|id| dir(id.value())).collect();
        assert_eq!(partition.directories, expected);
    }
}

#[test]
fn counts_of_minus_one_are_the_defaults() {
    let mut world = World::of(1);
    let orders = topic(&mut world, "orders", -1, -1);
    let shape = world.create(orders).unwrap();
    assert_eq!((shape.partitions, shape.replication_factor), (1, 1));
}

#[test]
fn illegal_counts_are_refused() {
    let mut world = World::of(1);
    for replication_factor in [0, -2] {
        let refused = topic(&mut world, "orders", 1, replication_factor);
        assert_eq!(
            world.create(refused),
            Err(error(
                InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value."
            ))
        );
    }
    for partitions in [0, -2] {
        let refused = topic(&mut world, "orders", partitions, 1);
        assert_eq!(
            world.create(refused),
            Err(error(InvalidPartitions, "Number of partitions was set to an invalid non-positive value."))
        );
    }
}

#[test]
fn a_replication_factor_above_the_brokers_is_refused_or_clamped() {
    let mut world = World::of(1);
    let mut offsets = topic(&mut world, "__consumer_offsets", 50, 3);
    assert_eq!(
        world.create(offsets.clone()),
        Err(error(
            InvalidReplicationFactor,
            "Unable to replicate the partition 3 time(s): The target replication factor of 3 cannot be reached \
             because only 1 broker(s) are registered."
        ))
    );
    offsets.clamp_replication = true;
    let shape = world.create(offsets).unwrap();
    assert_eq!((shape.partitions, shape.replication_factor), (50, 1));
    assert_eq!(shape.clamped_from, Some(3));
}

#[test]
fn without_live_brokers_no_topic_is_created() {
    let mut world = World::of(1);
    world.change(1, BrokerChange::Fence).unwrap();
    let mut refused = topic(&mut world, "orders", 1, 1);
    refused.clamp_replication = true;
    assert_eq!(
        world.create(refused),
        Err(error(
            InvalidReplicationFactor,
            "Unable to replicate the partition 1 time(s): All brokers are currently fenced."
        ))
    );
}

#[test]
fn names_follow_kafkas_rules_in_kafkas_order() {
    let mut world = World::of(1);
    let valid = topic(&mut world, "a.b", 1, 1);
    world.create(valid).unwrap();
    let mut refusal = |name: &str| {
        let refused = topic(&mut world, name, 1, 1);
        world.create(refused).unwrap_err()
    };
    assert_eq!(refusal("a.b"), error(TopicAlreadyExists, "Topic 'a.b' already exists."));
    assert_eq!(refusal("a_b"), error(InvalidTopicException, "Topic 'a_b' collides with existing topic: a.b"));
    assert_eq!(refusal(".."), error(InvalidTopicException, "Topic name is invalid: '..' is not allowed"));
    assert_eq!(refusal("a b").code, InvalidTopicException);
    assert_eq!(refusal("").code, InvalidTopicException);
}

#[test]
fn a_deleted_name_no_longer_collides() {
    let mut world = World::of(1);
    let first = topic(&mut world, "a.b", 1, 1);
    let id = first.topic_id;
    world.create(first).unwrap();
    world.run(Command::DeleteTopics(crate::command::DeleteTopics {
        topics: vec![crate::command::TopicReference { name: None, id }],
    }));
    let second = topic(&mut world, "a_b", 1, 1);
    assert!(world.create(second).is_ok());
}

#[test]
fn duplicates_and_the_metadata_log_are_refused_and_the_rest_goes_on() {
    let mut world = World::of(1);
    let topics = ["twice", "once", "twice", "__cluster_metadata", "twice"]
        .map(|name| topic(&mut world, name, 1, 1))
        .to_vec();
    let reply = world.create_all(topics);
    let outcomes: Vec<_> =
        reply.iter().map(|topic| (topic.name.as_str(), topic.result.clone().err())).collect();
    assert_eq!(
        outcomes,
        [
            ("once", None),
            ("twice", Some(error(InvalidRequest, "Duplicate topic name."))),
            (
                "__cluster_metadata",
                Some(error(InvalidRequest, "Creation of internal topic __cluster_metadata is prohibited."))
            ),
        ]
    );
    assert_eq!(world.controller.image().topics().len(), 1);
}

#[test]
fn validate_only_answers_and_changes_nothing() {
    let mut world = World::of(1);
    let topics = vec![topic(&mut world, "orders", 3, 1), topic(&mut world, "a b", 3, 1)];
    let outcome = world.decide(Command::CreateTopics(CreateTopics { topics, validate_only: true, seed: 0 }));
    assert_eq!(outcome.records, []);
    let Reply::CreateTopics(reply) = outcome.reply else {
        panic!("another reply");
    };
    assert_eq!(reply[0].result.as_ref().unwrap().partitions, 3);
    assert!(reply[1].result.is_err());
}

#[test]
fn configs_are_checked() {
    let mut world = World::of(1);
    let mut with_nulls = world.new_topic("orders");
    with_nulls.configs =
        vec![("a".to_owned(), None), ("b".to_owned(), Some("1".to_owned())), ("c".to_owned(), None)];
    assert_eq!(
        world.create(with_nulls),
        Err(error(InvalidConfig, "Null value not supported for topic configs: a,c"))
    );
    let mut unknown = world.new_topic("orders");
    unknown.configs = vec![("bad.name".to_owned(), Some("1".to_owned()))];
    // The config is wrong and the count too: the config is what Kafka names.
    unknown.partitions = 0;
    assert_eq!(world.create(unknown), Err(error(InvalidConfig, "Unknown topic config name: bad.name")));
}

#[test]
fn manual_assignments_are_taken_as_they_are() {
    let mut world = World::of(3);
    world.change(3, BrokerChange::Fence).unwrap();
    world.create_assigned("orders", &[&[3, 1], &[2, 3]]);
    let first = world.partition("orders", 0);
    assert_eq!(first.replicas, ids(&[3, 1]));
    assert_eq!((first.isr, first.leader.value()), (ids(&[1]), 1), "3 is fenced");
    assert_eq!(world.partition("orders", 1).leader.value(), 2);
}

#[test]
fn manual_assignments_follow_kafkas_rules() {
    let mut world = World::of(3);
    world.change(3, BrokerChange::Fence).unwrap();
    type Assignments<'a> = &'a [(i32, &'a [i32])];
    let refuse = |world: &mut World, assignments: Assignments<'_>| {
        let mut topic = world.new_topic("orders");
        topic.assignments = assignments.iter().map(|(index, replicas)| (*index, ids(replicas))).collect();
        world.create(topic).unwrap_err()
    };
    let cases: [(Assignments<'_>, &str); 7] = [
        (&[(0, &[])], "The manual partition assignment includes an empty replica list."),
        (
            &[(0, &[9])],
            "The manual partition assignment includes broker 9, but no such broker is registered.",
        ),
        (&[(0, &[1, 2, 1])], "The manual partition assignment includes the broker 1 more than once."),
        (
            &[(0, &[1, 2]), (1, &[1])],
            "The manual partition assignment includes a partition with 1 replica(s), but this is not consistent \
             with previous partitions, which have 2 replica(s).",
        ),
        (&[(0, &[1]), (0, &[2])], "Found multiple manual partition assignments for partition 0"),
        (&[(0, &[1]), (2, &[2])], "partitions should be a consecutive 0-based integer sequence"),
        (
            &[(0, &[3])],
            "All brokers specified in the manual partition assignment for partition 0 are fenced or in \
             controlled shutdown.",
        ),
    ];
    for (assignments, message) in cases {
        assert_eq!(refuse(&mut world, assignments), error(InvalidReplicaAssignment, message));
    }
}

#[test]
fn counts_and_assignments_exclude_each_other() {
    let mut world = World::of(1);
    let mut both = topic(&mut world, "orders", -1, 1);
    both.assignments = vec![(0, ids(&[1]))];
    assert_eq!(
        world.create(both.clone()),
        Err(error(
            InvalidRequest,
            "A manual partition assignment was specified, but replication factor was not set to -1."
        ))
    );
    both.replication_factor = -1;
    both.partitions = 1;
    assert_eq!(
        world.create(both),
        Err(error(
            InvalidRequest,
            "A manual partition assignment was specified, but numPartitions was not set to -1."
        ))
    );
}

#[test]
fn a_request_for_too_many_partitions_creates_nothing() {
    let mut world = World::of(1);
    let topics = vec![topic(&mut world, "small", 1, 1), topic(&mut world, "huge", i32::MAX, 1)];
    let reply = world.create_all(topics);
    let refusal = error(PolicyViolation, "Excessively large number of partitions per request.");
    assert!(reply.iter().all(|topic| topic.result == Err(refusal.clone())));
    // 10,000 partitions are allowed, but not with the record of their topic.
    let topics = vec![topic(&mut world, "large", 10_000, 1)];
    let reply = world.create_all(topics);
    assert_eq!(
        reply[0].result,
        Err(error(PolicyViolation, "Unable to perform excessively large batch operation."))
    );
    assert!(world.controller.image().topics().is_empty());
    let topics = vec![topic(&mut world, "large", 9_999, 1)];
    assert!(world.create_all(topics)[0].result.is_ok());
}

#[test]
fn older_metadata_versions_get_older_records() {
    let mut world = World::empty();
    world.append(vec![crate::snapshot::feature_level("metadata.version", 14)]);
    world.join(1);
    world.create_assigned("orders", &[&[1]]);
    let versions: Vec<_> = world.log.iter().map(|record| (record.api_key(), record.version())).collect();
    assert!(versions.contains(&(0, 2)) && versions.contains(&(3, 0)), "{versions:?}");
    let partition = world.partition("orders", 0);
    assert_eq!(partition.directories, [uuid::Uuid::nil()], "directories were not known");
    assert_ne!(world.topic("orders").id, TopicId::ZERO);
}
