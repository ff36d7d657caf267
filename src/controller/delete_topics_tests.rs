use model::{ErrorCode, TopicId};
use uuid::Uuid;

use crate::command::{Command, DeleteTopics, DeletedTopic, Reply, TopicReference};
use crate::image::ConfigResourceType;
use crate::testing::{World, error};

use ErrorCode::{InvalidRequest, UnknownTopicId, UnknownTopicOrPartition};

fn by_name(name: &str) -> TopicReference {
    TopicReference { name: Some(name.to_owned()), id: TopicId::ZERO }
}

fn by_id(id: TopicId) -> TopicReference {
    TopicReference { name: None, id }
}

fn delete(world: &mut World, topics: Vec<TopicReference>) -> Vec<DeletedTopic> {
    match world.run(Command::DeleteTopics(DeleteTopics { topics })) {
        Reply::DeleteTopics(reply) => reply,
        other => panic!("{other:?}"),
    }
}

fn deleted(name: &str, id: TopicId) -> DeletedTopic {
    DeletedTopic { name: Some(name.to_owned()), id, error: None }
}

#[test]
fn topics_go_by_name_and_by_id_with_their_configs() {
    let mut world = World::of(1);
    let a = world.create_assigned("a", &[&[1], &[1]]);
    let b = world.create_assigned("b", &[&[1]]);
    world.create_assigned("c", &[&[1]]);
    world.set(ConfigResourceType::Topic, "a", &[("retention.ms", 0, Some("1"))]);
    let mut reply = delete(&mut world, vec![by_name("a"), by_id(b)]);
    reply.sort_by(|x, y| x.name.cmp(&y.name));
    assert_eq!(reply, [deleted("a", a), deleted("b", b)]);
    let image = world.controller.image();
    assert_eq!(image.topics().len(), 1);
    assert!(image.topic("a").is_none() && image.topic_by_id(b).is_none());
    assert!(image.configs().of_topic("a").is_none());
}

#[test]
fn unknown_topics_are_named() {
    let mut world = World::of(1);
    let id = TopicId::new(Uuid::from_u64_pair(9, 9));
    let reply = delete(&mut world, vec![by_name("x"), by_id(id)]);
    assert_eq!(
        reply,
        [
            DeletedTopic {
                name: None,
                id,
                error: Some(error(UnknownTopicId, "This server does not host this topic ID.")),
            },
            DeletedTopic {
                name: Some("x".to_owned()),
                id: TopicId::ZERO,
                error: Some(error(
                    UnknownTopicOrPartition,
                    "This server does not host this topic-partition."
                )),
            },
        ]
    );
}

#[test]
fn ambiguous_mentions_are_refused_and_delete_nothing() {
    let mut world = World::of(1);
    let a = world.create_assigned("a", &[&[1]]);
    let b = world.create_assigned("b", &[&[1]]);
    let c = world.create_assigned("c", &[&[1]]);
    let both = TopicReference { name: Some("a".to_owned()), id: a };
    let cases = [
        (vec![by_id(TopicId::ZERO)], "Neither topic name nor id were specified."),
        (vec![both], "You may not specify both topic name and topic id."),
        (vec![by_name("b"), by_name("b"), by_name("b")], "Duplicate topic name."),
        (vec![by_id(b), by_id(b), by_id(b)], "Duplicate topic id."),
        (vec![by_id(c), by_name("c")], "The provided topic name maps to an ID that was already supplied."),
    ];
    for (topics, message) in cases {
        let reply = delete(&mut world, topics);
        let errors: Vec<_> = reply.into_iter().map(|topic| topic.error).collect();
        assert_eq!(errors, [Some(error(InvalidRequest, message))]);
    }
    assert_eq!(world.controller.image().topics().len(), 3);
}

#[test]
fn a_recreated_topic_is_another_topic() {
    let mut world = World::of(1);
    let old = world.create_assigned("a", &[&[1]]);
    delete(&mut world, vec![by_name("a")]);
    let new = world.create_assigned("a", &[&[1]]);
    assert_ne!(old, new);
    let image = world.controller.image();
    assert!(image.topic_by_id(old).is_none());
    assert_eq!(image.topic("a").map(|topic| topic.id), Some(new));
}
