use std::path::PathBuf;

use crate::listeners::SecurityProtocol;
use crate::load::{Inputs, load};
use crate::resolved::{BrokerConfig, StartTopic};

fn resolve(settings: &[&str]) -> BrokerConfig {
    let overrides: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
    load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap().broker
}

fn fails(settings: &[&str]) -> String {
    let overrides: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
    load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap_err().to_string()
}

#[test]
fn a_combined_node_of_a_compose_file() {
    let config = resolve(&[
        "node.id=3",
        "listeners=PLAINTEXT://:29092,CONTROLLER://:9093,PLAINTEXT_HOST://:9092",
        "advertised.listeners=PLAINTEXT://kafka:29092,PLAINTEXT_HOST://localhost:9092",
        "listener.security.protocol.map=CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT",
        "inter.broker.listener.name=PLAINTEXT",
        "controller.listener.names=CONTROLLER",
        "controller.quorum.voters=3@kafka:9093",
    ]);
    let names = |listeners: &[crate::Listener]| -> Vec<String> {
        listeners.iter().map(ToString::to_string).collect()
    };
    assert_eq!(names(&config.listeners.broker), ["PLAINTEXT://:29092", "PLAINTEXT_HOST://:9092"]);
    assert_eq!(names(&config.listeners.controller), ["CONTROLLER://:9093"]);
    assert_eq!(
        names(config.listeners.advertised.as_deref().unwrap()),
        ["PLAINTEXT://kafka:29092", "PLAINTEXT_HOST://localhost:9092"]
    );
    assert_eq!(config.listeners.inter_broker, "PLAINTEXT");
    assert_eq!(config.listeners.inter_broker_protocol, SecurityProtocol::Plaintext);
    assert_eq!(config.identity.voters[0].host, "kafka");
}

#[test]
fn controller_listeners_are_plaintext_without_a_map() {
    let config =
        resolve(&["listeners=PLAINTEXT://:1,CONTROLLER://:2", "controller.listener.names=CONTROLLER"]);
    assert_eq!(config.listeners.controller[0].protocol, SecurityProtocol::Plaintext);
    // Once another protocol is named, or the map is set, Kafka guesses no more.
    let map = "listener.security.protocol.map=PLAINTEXT:PLAINTEXT";
    let listeners = "listeners=PLAINTEXT://:1,CONTROLLER://:2";
    let text = fails(&[listeners, "controller.listener.names=CONTROLLER", map]);
    assert!(text.contains("No security protocol defined for listener CONTROLLER"), "{text}");
    let text = fails(&["listeners=SSL://:1,CONTROLLER://:2", "controller.listener.names=CONTROLLER"]);
    assert!(text.contains("No security protocol defined for listener CONTROLLER"), "{text}");
}

#[test]
fn nothing_advertised_is_none_whatever_is_bound() {
    for listeners in ["PLAINTEXT://:1", "PLAINTEXT://0.0.0.0:1", "PLAINTEXT://[::]:1", "PLAINTEXT://host:1"] {
        let config = resolve(&[&format!("listeners={listeners}")]);
        assert_eq!(config.listeners.advertised, None);
        assert_eq!(config.listeners.advertised_or_bound(), config.listeners.broker);
    }
    // What a compose file leaves behind for a variable without a value.
    assert_eq!(resolve(&["advertised.listeners="]).listeners.advertised, None);
}

#[test]
fn kafkas_minus_ones_become_none() {
    let sockets = resolve(&[]).sockets;
    assert_eq!((sockets.send_buffer_bytes, sockets.receive_buffer_bytes), (Some(102_400), Some(102_400)));
    assert_eq!((sockets.idle_ms_max, sockets.queued_request_bytes_max), (Some(600_000), None));
    assert_eq!(sockets.request_bytes_max, 104_857_600);
    let sockets = resolve(&[
        "socket.send.buffer.bytes=-1",
        "socket.receive.buffer.bytes=-1",
        "connections.max.idle.ms=-1",
        "queued.max.request.bytes=0",
    ])
    .sockets;
    assert_eq!((sockets.send_buffer_bytes, sockets.receive_buffer_bytes), (None, None));
    assert_eq!((sockets.idle_ms_max, sockets.queued_request_bytes_max), (None, None));
}

#[test]
fn single_addresses_have_their_own_limits() {
    let sockets =
        resolve(&["max.connections.per.ip=2", "max.connections.per.ip.overrides=::1:5, localhost:6"]).sockets;
    assert_eq!(sockets.connections_per_ip_max, 2);
    assert_eq!(sockets.connections_per_ip_overrides["::1"], 5);
    assert_eq!(sockets.connections_per_ip_overrides["localhost"], 6);
}

#[test]
fn directories() {
    let storage = resolve(&["log.dirs=/a, /b,", "log.dir=/c"]).storage;
    assert_eq!(storage.log_dirs, [PathBuf::from("/a"), PathBuf::from("/b")]);
    assert_eq!(storage.metadata_log_dir, PathBuf::from("/a"));
    assert_eq!(resolve(&["metadata.log.dir=/m"]).storage.metadata_log_dir, PathBuf::from("/m"));
}

#[test]
fn group_protocols() {
    let groups = resolve(&[]).groups;
    assert!(groups.consumer_enabled && groups.streams_enabled && !groups.share_enabled);
    let groups = resolve(&["group.coordinator.rebalance.protocols=classic, share"]).groups;
    assert!(!groups.consumer_enabled && !groups.streams_enabled && groups.share_enabled);
    assert_eq!(
        resolve(&["group.consumer.migration.policy=UPGRADE"]).groups.consumer.migration_policy,
        "upgrade"
    );
}

#[test]
fn topics_of_the_first_start() {
    let topics = resolve(&["create.topics=a:1:1, b:3:2:compact"]).topics.create_at_start;
    let topic = |name: &str, partitions, replication_factor, cleanup_policy: Option<&str>| StartTopic {
        name: name.to_owned(),
        partitions,
        replication_factor,
        cleanup_policy: cleanup_policy.map(str::to_owned),
    };
    assert_eq!(topics, [topic("a", 1, 1, None), topic("b", 3, 2, Some("compact"))]);
    for text in ["a", "a:0:1", "a:1", "a:x:1", ":1:1", "a:1:1:compact:x"] {
        let error = fails(&[&format!("create.topics={text}")]);
        assert!(
            error.starts_with(&format!("Invalid value {text} for configuration create.topics: ")),
            "{error}"
        );
    }
}

#[test]
fn a_conflict_of_node_ids_is_kafkas() {
    assert_eq!(
        fails(&["node.id=1", "broker.id=2"]),
        "You must set `node.id` to the same value as `broker.id`. (broker.id is set by --override, node.id is set by \
         --override)"
    );
    assert_eq!(resolve(&["broker.id=2"]).identity.node_id, 2);
}

#[test]
fn cordoned_directories_are_some_of_all() {
    let cordoned = |text: &str| {
        let given = format!("cordoned.log.dirs={text}");
        resolve(&["log.dirs=/a,/b", &given]).storage.cordoned_log_dirs
    };
    assert!(resolve(&[]).storage.cordoned_log_dirs.is_empty());
    assert_eq!(cordoned("/b"), [PathBuf::from("/b")]);
    assert_eq!(cordoned("*"), [PathBuf::from("/a"), PathBuf::from("/b")]);
    let refused = |text: &str| fails(&["log.dirs=/a,/b", &format!("cordoned.log.dirs={text}")]);
    let missing =
        "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : /c, /d";
    assert!(refused("/a,/c,/d").contains(missing), "{}", refused("/a,/c,/d"));
    let alone = "When cordoned.log.dirs is set to *, it must not contain other values";
    assert!(refused("*,/a").contains(alone), "{}", refused("*,/a"));
}
