use super::*;
use crate::load::Source;

fn refusal(pairs: &[(&str, &str)]) -> Option<String> {
    let setting = |value: &str| Setting { value: value.to_owned(), source: Source::Override };
    let settings = pairs.iter().map(|(key, value)| ((*key).to_owned(), setting(value))).collect();
    refuse_several_brokers(&settings).err().map(|error| error.to_string())
}

#[test]
fn one_broker_is_started() {
    const CONNECT: (&str, &str) = ("zookeeper.connect", "zookeeper:2181");
    for pairs in [
        &[CONNECT][..],
        &[CONNECT, ("broker.id", "0")],
        &[CONNECT, ("broker.id", "1"), ("offsets.topic.replication.factor", "1")],
        &[CONNECT, ("broker.id", "1001")],
        &[CONNECT, ("broker.id", "-1")],
        // The roles say that it is not ZooKeeper's any more.
        &[CONNECT, ("process.roles", "broker,controller"), ("offsets.topic.replication.factor", "3")],
        &[("broker.id", "3"), ("min.insync.replicas", "2")],
    ] {
        assert_eq!(refusal(pairs), None, "{pairs:?}");
    }
}

#[test]
fn one_of_several_is_refused_with_the_settings_to_add() {
    for sign in [
        ("broker.id", "2"),
        ("broker.id", " 3 "),
        ("offsets.topic.replication.factor", "3"),
        ("min.insync.replicas", "2"),
    ] {
        let text = refusal(&[("zookeeper.connect", "zk1:2181,zk2:2181"), sign]).unwrap();
        assert!(text.starts_with("zookeeper.connect=zk1:2181,zk2:2181 is refused (--override): "), "{text}");
        assert!(text.contains(&format!("{}={} (--override) says", sign.0, sign.1)), "{text}");
        assert!(text.contains("controller.quorum.voters=1@localhost:9093"), "{text}");
    }
}
