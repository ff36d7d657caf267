use model::ErrorCode;

use super::*;
use crate::command::{Command, Reply};
use crate::image::ConfigResourceType::{Broker, BrokerLogger, ClientMetrics, Group, Topic, Unknown};
use crate::testing::{World, changes_of, error};

use ErrorCode::{InvalidConfig, InvalidRequest, InvalidTopicException, UnknownTopicOrPartition};

fn world() -> World {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1]]);
    world
}

fn value(world: &World, resource_type: ConfigResourceType, resource: &str, name: &str) -> Option<String> {
    let resource = ConfigResource { resource_type, name: resource.to_owned() };
    let image = world.controller.image();
    image.configs().value(&resource, name).map(str::to_owned)
}

fn replace(world: &mut World, resource: &str, values: &[(&str, Option<&str>)]) -> Option<ApiError> {
    let values = ResourceValues {
        resource_type: Topic,
        name: resource.to_owned(),
        values: values.iter().map(|(name, value)| ((*name).to_owned(), value.map(str::to_owned))).collect(),
    };
    match world.run(Command::AlterConfigs(AlterConfigs { resources: vec![values], validate_only: false })) {
        Reply::AlterConfigs(mut reply) => reply.remove(0).error,
        other => panic!("{other:?}"),
    }
}

#[test]
fn configs_are_set_and_deleted() {
    let mut world = world();
    let changes = [("retention.ms", SET, Some("1")), ("segment.ms", SET, Some("2"))];
    assert_eq!(world.set(Topic, "a", &changes), None);
    assert_eq!(value(&world, Topic, "a", "retention.ms").as_deref(), Some("1"));
    assert_eq!(world.set(Topic, "a", &[("retention.ms", DELETE, None)]), None);
    assert_eq!(value(&world, Topic, "a", "retention.ms"), None);
    assert_eq!(value(&world, Topic, "a", "segment.ms").as_deref(), Some("2"));
    let before = world.log.len();
    assert_eq!(world.set(Topic, "a", &[("segment.ms", SET, Some("2"))]), None);
    assert_eq!(world.log.len(), before, "nothing changed");
    world.set(Topic, "a", &[("segment.ms", DELETE, None)]);
    assert!(world.controller.image().configs().of_topic("a").is_none());
}

#[test]
fn lists_are_appended_to_and_subtracted_from() {
    let mut world = world();
    let policy = |world: &World| value(world, Topic, "a", "cleanup.policy");
    world.set(Topic, "a", &[("cleanup.policy", APPEND, Some("compact,delete"))]);
    assert_eq!(policy(&world).as_deref(), Some("delete,compact"), "the default is the start");
    world.set(Topic, "a", &[("cleanup.policy", SUBTRACT, Some("delete"))]);
    assert_eq!(policy(&world).as_deref(), Some("compact"));
    world.set(Topic, "a", &[("cleanup.policy", SUBTRACT, Some("compact,other"))]);
    assert_eq!(policy(&world).as_deref(), Some(""));
    assert_eq!(
        world.set(Topic, "a", &[("retention.ms", APPEND, Some("1"))]),
        Some(error(InvalidConfig, "Can't APPEND to key retention.ms because its type is not LIST."))
    );
    assert_eq!(
        world.set(Topic, "a", &[("retention.ms", SUBTRACT, Some("1"))]),
        Some(error(InvalidConfig, "Can't SUBTRACT to key retention.ms because its type is not LIST."))
    );
    assert_eq!(
        world.set(Broker, "1", &[("log.retention.ms", APPEND, Some("1"))]),
        Some(error(InvalidConfig, "Config value append is not allowed for config key: log.retention.ms"))
    );
}

#[test]
fn malformed_changes_are_refused() {
    let mut world = world();
    assert_eq!(
        world.set(Topic, "a", &[("x", SET, Some("1")), ("x", DELETE, None)]),
        Some(error(InvalidRequest, "Error due to duplicate config keys"))
    );
    assert_eq!(
        world.set(Topic, "a", &[("x", SET, None), ("y", DELETE, None), ("z", APPEND, None)]),
        Some(error(InvalidRequest, "Null value not supported for : x, z"))
    );
    assert_eq!(
        world.set(Topic, "a", &[("x", 9, Some("1"))]),
        Some(error(InvalidRequest, "Unknown operations type 9"))
    );
    assert_eq!(
        world.set(Topic, "a", &[("x", SET, Some(&"v".repeat(32_768)))]),
        Some(error(
            InvalidConfig,
            "The configuration value cannot be added because it exceeds the maximum value size of 32767 bytes."
        ))
    );
    assert_eq!(world.set(Topic, "a", &[("x", SET, Some(&"v".repeat(32_767)))]), None);
}

#[test]
fn resources_are_checked() {
    let mut world = world();
    let change = [("x", SET, Some("1"))];
    let mut refuse = |resource_type, name: &str| world.set(resource_type, name, &change).expect("refused");
    assert_eq!(refuse(Topic, "b"), error(UnknownTopicOrPartition, "The topic 'b' does not exist."));
    assert_eq!(refuse(Topic, ""), error(InvalidRequest, "Default topic resources are not allowed."));
    assert_eq!(refuse(Topic, "a b").code, InvalidTopicException);
    assert_eq!(refuse(Broker, "one"), error(InvalidRequest, "Node id must be an integer, but it is: one"));
    assert_eq!(
        refuse(Broker, "2"),
        error(InvalidRequest, "Unexpected broker id, expected 1, but received 2")
    );
    assert_eq!(refuse(Group, ""), error(InvalidRequest, "Default group resources are not allowed."));
    assert_eq!(refuse(ClientMetrics, "s"), error(InvalidRequest, "Unknown client metrics configuration: x"));
    assert_eq!(refuse(Unknown(3), "x"), error(InvalidRequest, "Unknown resource type 3"));
    assert_eq!(refuse(BrokerLogger, "1"), error(InvalidRequest, "Unknown resource type 8"));
}

#[test]
fn rules_for_values_are_asked_and_their_texts_passed_on() {
    let mut world = world();
    let change = [("bad.x", SET, Some("1"))];
    assert_eq!(
        world.set(Topic, "a", &change),
        Some(error(InvalidConfig, "Unknown topic config name: bad.x"))
    );
    assert_eq!(
        world.set(Broker, "", &change),
        Some(error(InvalidRequest, "Cannot update these configs dynamically: Set(bad.x)"))
    );
    assert_eq!(
        world.set(Group, "g", &change),
        Some(error(InvalidConfig, "Unknown group config name: bad.x"))
    );
}

#[test]
fn brokers_groups_and_subscriptions_have_configs_of_their_own() {
    let mut world = world();
    assert_eq!(world.set(Broker, "1", &[("log.retention.ms", SET, Some("1"))]), None);
    assert_eq!(world.set(Broker, "", &[("log.retention.ms", SET, Some("2"))]), None);
    assert_eq!(world.set(Group, "g", &[("consumer.session.timeout.ms", SET, Some("3"))]), None);
    assert_eq!(world.set(ClientMetrics, "s", &[("interval.ms", SET, Some("1000"))]), None);
    assert_eq!(value(&world, Broker, "1", "log.retention.ms").as_deref(), Some("1"));
    assert_eq!(value(&world, Broker, "", "log.retention.ms").as_deref(), Some("2"));
    assert_eq!(world.controller.image().configs().iter().count(), 4);
    let before = world.log.len();
    world.set(Broker, "", &[("log.retention.ms", SET, Some("2"))]);
    assert_eq!(world.log.len(), before + 1, "brokers reload at each record (KAFKA-14136)");
}

#[test]
fn one_bad_resource_does_not_hold_the_others_up() {
    let mut world = world();
    let resources = vec![
        changes_of(Topic, "a", &[("x", SET, Some("1")), ("bad.y", SET, Some("1"))]),
        changes_of(Broker, "1", &[("x", SET, Some("1"))]),
        changes_of(Group, "g", &[("x", SET, Some("1"))]),
        changes_of(Group, "g", &[("y", SET, Some("1"))]),
    ];
    let validated = world.decide(Command::IncrementalAlterConfigs(IncrementalAlterConfigs {
        resources: resources.clone(),
        validate_only: true,
    }));
    assert_eq!(validated.records, []);
    let reply = world.set_all(resources, false);
    let twice = Some(error(InvalidRequest, "Each resource must appear at most once."));
    let errors: Vec<_> = reply.iter().map(|result| result.error.clone()).collect();
    assert_eq!(
        errors,
        [Some(error(InvalidConfig, "Unknown topic config name: bad.y")), None, twice.clone(), twice]
    );
    assert_eq!(validated.reply, Reply::IncrementalAlterConfigs(reply));
    assert_eq!(value(&world, Topic, "a", "x"), None, "a resource changes as a whole");
    assert_eq!(value(&world, Broker, "1", "x").as_deref(), Some("1"));
}

#[test]
fn the_older_api_replaces_everything() {
    let mut world = world();
    world.set(Topic, "a", &[("x", SET, Some("1")), ("y", SET, Some("2"))]);
    assert_eq!(replace(&mut world, "a", &[("y", Some("3")), ("z", Some("4"))]), None);
    assert_eq!(value(&world, Topic, "a", "x"), None);
    assert_eq!(value(&world, Topic, "a", "y").as_deref(), Some("3"));
    assert_eq!(value(&world, Topic, "a", "z").as_deref(), Some("4"));
    assert_eq!(
        replace(&mut world, "a", &[("x", None)]),
        Some(error(InvalidRequest, "Null value not supported for : x"))
    );
    assert_eq!(
        replace(&mut world, "a", &[("x", Some("1")), ("x", Some("1"))]),
        Some(error(InvalidRequest, "Error due to duplicate config keys"))
    );
    assert_eq!(
        replace(&mut world, "b", &[]),
        Some(error(UnknownTopicOrPartition, "The topic 'b' does not exist."))
    );
    assert_eq!(
        replace(&mut world, "a", &[("bad.x", Some("1"))]),
        Some(error(InvalidConfig, "Unknown topic config name: bad.x"))
    );
    assert_eq!(replace(&mut world, "a", &[]), None);
    assert!(world.controller.image().configs().of_topic("a").is_none());
}

#[test]
fn with_elr_brokers_share_one_min_isr() {
    let mut world = World::with_elr(1);
    world.create_assigned("a", &[&[1]]);
    let key = "min.insync.replicas";
    assert_eq!(
        world.set(Broker, "1", &[(key, SET, Some("2"))]),
        Some(error(
            InvalidConfig,
            "Broker-level min.insync.replicas cannot be altered while ELR is enabled."
        ))
    );
    assert_eq!(world.set(Broker, "", &[(key, SET, Some("2"))]), None);
    assert_eq!(
        world.set(Broker, "", &[(key, DELETE, None)]),
        Some(error(
            InvalidConfig,
            "Cluster-level min.insync.replicas cannot be removed while ELR is enabled."
        ))
    );
    assert_eq!(world.set(Topic, "a", &[(key, SET, Some("2"))]), None);
    let last = world.log.last();
    assert!(matches!(last, Some(MetadataRecord::ClearElr(record)) if record.topic_name == "a"), "{last:?}");
}

#[test]
fn split_is_javas() {
    let split = |text| java_split(text).collect::<Vec<_>>();
    assert_eq!(split("a,b"), ["a", "b"]);
    assert_eq!(split(",a,,b,,"), ["", "a", "", "b"]);
    assert_eq!(split(""), [""]);
    assert!(split(",,").is_empty());
}

#[test]
fn cordons_need_a_metadata_version_that_knows_them() {
    let mut world = World::of(1);
    let set = |world: &mut World| world.set(Broker, "1", &[("cordoned.log.dirs", 0, Some("/a"))]);
    assert_eq!(
        set(&mut world),
        Some(error(
            InvalidConfig,
            "The cordoned.log.dirs configuration value cannot be set because it requires metadata.version >= 4.3-IV0"
        ))
    );
    let unset = |world: &mut World| world.set(Broker, "1", &[("cordoned.log.dirs", 1, None)]);
    assert_eq!(unset(&mut world), None, "nothing is to act on what is taken away");
    world.append(vec![crate::snapshot::feature_level(crate::feature::METADATA_VERSION, 30)]);
    assert_eq!(set(&mut world), None);
}
