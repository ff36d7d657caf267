use super::*;
use crate::load::Source;

fn settings(pairs: &[(&str, &str)]) -> Settings {
    pairs
        .iter()
        .map(|(key, value)| {
            ((*key).to_owned(), Setting { value: (*value).to_owned(), source: Source::Override })
        })
        .collect()
}

fn warnings(pairs: &[(&str, &str)]) -> Vec<String> {
    review(&settings(pairs)).unwrap().into_iter().map(|notice| notice.text).collect()
}

fn refusal(key: &str, value: &str) -> String {
    review(&settings(&[(key, value)])).unwrap_err().to_string()
}

#[test]
fn unknown_keys_share_one_warning_with_suggestions() {
    let notices = review(&settings(&[
        ("num.partition", "3"),
        ("log.retention.milliseconds", "3"),
        ("completely.unknown.thing", "x"),
        ("auto.create.topic.enable", "x"),
    ]))
    .unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].level, NoticeLevel::Warn);
    assert_eq!(
        notices[0].text,
        "These configurations were supplied but are not known, and are ignored: auto.create.topic.enable (--override; \
         did you mean auto.create.topics.enable?), completely.unknown.thing (--override), log.retention.milliseconds \
         (--override), num.partition (--override; did you mean num.partitions?)"
    );
}

#[test]
fn other_products_settings_share_one_info_line() {
    let notices =
        review(&settings(&[("confluent.license.topic", "x"), ("confluent.support.metrics.enable", "x")]))
            .unwrap();
    assert_eq!(notices.len(), 1);
    assert_eq!(notices[0].level, NoticeLevel::Info);
    assert_eq!(
        notices[0].text,
        "Settings of other products are ignored: confluent.license.topic, confluent.support.metrics.enable"
    );
}

#[test]
fn removed_and_foreign_keys_are_ignored_with_a_reason() {
    for (key, reason) in [
        ("zookeeper.connect", "no ZooKeeper since Kafka 4.0"),
        ("zookeeper.session.timeout.ms", "no ZooKeeper since Kafka 4.0"),
        ("jmx.port", "there is no JMX here"),
        ("inter.broker.protocol.version", "Kafka removed it"),
        ("log.message.format.version", "Kafka removed it"),
        ("delegation.token.master.key", "renamed it to delegation.token.secret.key"),
        ("max.request.size", "a setting of clients"),
        ("metric.reporters", "Java classes that report metrics; none can be loaded"),
        ("delegation.token.secret.key", "Secret that signs delegation tokens"),
    ] {
        let found = warnings(&[(key, "x")]);
        assert_eq!(found.len(), 1, "{key}: {found:?}");
        assert!(found[0].starts_with(&format!("{key} (--override) is ignored: ")), "{}", found[0]);
        assert!(found[0].contains(reason), "{}", found[0]);
    }
}

#[test]
fn harmless_settings_pass_in_silence() {
    let quiet = [
        ("num.partitions", "3"),
        ("num.io.threads", "3"),
        ("metric.reporters", "org.apache.kafka.common.metrics.JmxReporter"),
        ("super.users", "User:admin"),
        ("port.9092.tcp.addr", "10.0.0.1"),
        ("port", "tcp://10.0.0.1:9092"),
        ("service.host", "10.0.0.1"),
        ("listener.name.plaintext.ssl.keystore.location", "/x"),
        ("listener.name.a.scram-sha-256.sasl.jaas.config", "x"),
        ("authorizer.class.name", ""),
        ("remote.log.storage.system.enable", " FALSE "),
        ("replica.selector.class", "org.apache.kafka.common.replica.RackAwareReplicaSelector"),
        (
            "principal.builder.class",
            "org.apache.kafka.common.security.authenticator.DefaultKafkaPrincipalBuilder",
        ),
        ("group.consumer.assignors", "range, uniform"),
    ];
    assert_eq!(warnings(&quiet), [""; 0]);
}

#[test]
fn settings_without_the_effect_they_ask_for_are_named() {
    assert_eq!(warnings(&[("log.cleaner.enable", "false")]), [""; 0]);
}

#[test]
fn what_would_be_a_surprise_in_silence_stops_the_start() {
    let authorizer =
        refusal("authorizer.class.name", "org.apache.kafka.metadata.authorizer.StandardAuthorizer");
    assert!(authorizer.starts_with("authorizer.class.name=org.apache"), "{authorizer}");
    assert!(
        authorizer.contains("is refused (--override): access control cannot be served yet"),
        "{authorizer}"
    );
    assert!(
        refusal("remote.log.storage.system.enable", "true").contains("tiered storage cannot be served yet")
    );
    for key in ["advertised.host.name", "advertised.port", "host.name", "port"] {
        assert!(refusal(key, "9092").contains("advertised.listeners (KAFKA_ADVERTISED_LISTENERS)"), "{key}");
    }
    for key in [
        "create.topic.policy.class.name",
        "alter.config.policy.class.name",
        "client.quota.callback.class",
        "replica.selector.class",
        "principal.builder.class",
        "ssl.engine.factory.class",
        "listener.name.a.plain.sasl.server.callback.handler.class",
        "group.consumer.assignors",
    ] {
        let text = refusal(key, "org.example.Mine");
        let expected = format!(
            "Invalid value org.example.Mine for configuration {key}: Class org.example.Mine could not be found."
        );
        assert!(text.starts_with(&expected), "{text}");
        assert!(text.ends_with("(--override)"), "{text}");
    }
}

#[test]
fn distances_count_single_edits() {
    assert_eq!(edit_distance("", "abc"), 3);
    assert_eq!(edit_distance("kitten", "sitting"), 3);
    assert_eq!(edit_distance("same", "same"), 0);
    assert_eq!(edit_distance(&"x".repeat(200), "x"), usize::MAX);
}

#[test]
fn an_authorizer_that_lets_everyone_in_is_no_reason_to_stop() {
    const STANDARD: &str = "org.apache.kafka.metadata.authorizer.StandardAuthorizer";
    for class in [STANDARD, "kafka.security.authorizer.AclAuthorizer"] {
        let notices =
            warnings(&[("authorizer.class.name", class), ("allow.everyone.if.no.acl.found", "True")]);
        assert_eq!(notices.len(), 1);
        assert!(notices[0].starts_with("authorizer.class.name (--override) has no effect"), "{notices:?}");
    }
    for pairs in [
        [("authorizer.class.name", STANDARD), ("allow.everyone.if.no.acl.found", "false")],
        [("authorizer.class.name", STANDARD), ("super.users", "User:ANONYMOUS")],
        [("authorizer.class.name", "com.example.Mine"), ("allow.everyone.if.no.acl.found", "true")],
    ] {
        assert!(review(&settings(&pairs)).is_err(), "{pairs:?}");
    }
}
