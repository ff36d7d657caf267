//! IncrementalAlterConfigs and AlterConfigs.

use wire::messages::incremental_alter_configs_request::AlterConfigsResource;
use wire::messages::{AlterConfigsRequest, IncrementalAlterConfigsRequest};

use crate::ask::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC, change, prepare, replace};
use crate::configs::{list, state};
use crate::pair::Pair;
use crate::topics::BAD_CONFIGS;

const SET: i8 = 0;
const DELETE: i8 = 1;
const APPEND: i8 = 2;
const SUBTRACT: i8 = 3;

/// Key, operation and value.
type Change<'a> = (&'a str, i8, Option<&'a str>);

/// The steps.
pub async fn script(pair: &mut Pair) {
    prepare(pair, "altered", 1, &[("segment.bytes", "2000000")]).await;
    topic_changes(pair).await;
    refused(pair).await;
    broker_changes(pair).await;
    other_resources(pair).await;
    legacy(pair).await;
    list(pair, "after changes").await;
    // Later families expect the defaults.
    pair.newest("back to defaults", |_, _| one(change(BROKER, "", &[("log.retention.ms", DELETE, None)])))
        .await;
}

fn one(resource: AlterConfigsResource) -> IncrementalAlterConfigsRequest {
    IncrementalAlterConfigsRequest::default().with_resources(vec![resource])
}

async fn topic_changes(pair: &mut Pair) {
    let topic = |changes: &[(&str, i8, Option<&str>)]| one(change(TOPIC, "altered", changes));
    pair.all("set", |_, _| {
        topic(&[("retention.ms", SET, Some("70000")), ("cleanup.policy", SET, Some("compact"))])
    })
    .await;
    state(pair, "after set", TOPIC, "altered", None).await;
    pair.all("append", |_, _| topic(&[("cleanup.policy", APPEND, Some("delete"))])).await;
    state(pair, "after append", TOPIC, "altered", Some(&["cleanup.policy"])).await;
    pair.all("subtract", |_, _| topic(&[("cleanup.policy", SUBTRACT, Some("compact"))])).await;
    state(pair, "after subtract", TOPIC, "altered", Some(&["cleanup.policy"])).await;
    pair.all("subtract what is not there", |_, _| topic(&[("cleanup.policy", SUBTRACT, Some("compact"))]))
        .await;
    pair.all("delete", |_, _| topic(&[("retention.ms", DELETE, None)])).await;
    pair.all("delete with value", |_, _| topic(&[("retention.ms", DELETE, Some("1"))])).await;
    pair.all("validate only", |_, _| topic(&[("flush.ms", SET, Some("5"))]).with_validate_only(true)).await;
    state(pair, "after delete", TOPIC, "altered", None).await;
    pair.all("white space", |_, _| topic(&[("flush.ms", SET, Some(" 7 "))])).await;
    state(pair, "after white space", TOPIC, "altered", Some(&["flush.ms"])).await;
    pair.all("nothing", |_, _| topic(&[])).await;
    pair.all("no resources", |_, _| IncrementalAlterConfigsRequest::default()).await;
}

async fn refused(pair: &mut Pair) {
    let topic = |changes: &[(&str, i8, Option<&str>)]| one(change(TOPIC, "altered", changes));
    for (key, value) in BAD_CONFIGS {
        pair.newest(&format!("set {key}={value}"), |_, _| topic(&[(key, SET, Some(value))])).await;
    }
    let cases: [(&str, &[Change]); 11] = [
        ("set to null", &[("retention.ms", SET, None)]),
        ("append null", &[("cleanup.policy", APPEND, None)]),
        ("append to a number", &[("retention.ms", APPEND, Some("1"))]),
        ("subtract from a number", &[("retention.ms", SUBTRACT, Some("1"))]),
        ("append an unknown value", &[("cleanup.policy", APPEND, Some("shred"))]),
        ("append to an unknown key", &[("no.such", APPEND, Some("1"))]),
        ("delete an unknown key", &[("no.such", DELETE, None)]),
        ("unknown operation", &[("retention.ms", 9, Some("1"))]),
        ("the same key twice", &[("retention.ms", SET, Some("1")), ("retention.ms", SET, Some("2"))]),
        ("one good, one bad", &[("flush.ms", SET, Some("9")), ("retention.ms", SET, Some("x"))]),
        ("empty key", &[("", SET, Some("1"))]),
    ];
    for (step, changes) in cases {
        pair.all(step, |_, _| topic(changes)).await;
        pair.newest(&format!("{step}, validate only"), |_, _| topic(changes).with_validate_only(true)).await;
    }
    for name in ["missing", "", "a b"] {
        pair.all(&format!("topic {name:?}"), |_, _| {
            one(change(TOPIC, name, &[("retention.ms", SET, Some("1"))]))
        })
        .await;
    }
    pair.all("the same resource twice", |_, _| {
        let resource = change(TOPIC, "altered", &[("retention.ms", SET, Some("1"))]);
        IncrementalAlterConfigsRequest::default().with_resources(vec![resource.clone(), resource])
    })
    .await;
    for kind in [0, 1, 3, 64, -1] {
        pair.all(&format!("resource type {kind}"), |_, _| one(change(kind, "x", &[("a", SET, Some("1"))])))
            .await;
    }
}

async fn broker_changes(pair: &mut Pair) {
    let broker = |name: &str, changes: &[(&str, i8, Option<&str>)]| one(change(BROKER, name, changes));
    pair.all("broker default", |_, _| broker("", &[("log.retention.ms", SET, Some("800000"))])).await;
    pair.all("broker", |_, _| {
        broker("1", &[("log.cleaner.threads", SET, Some("2")), ("log.segment.bytes", SET, Some("5000000"))])
    })
    .await;
    state(
        pair,
        "broker after set",
        BROKER,
        "1",
        Some(&["log.retention.ms", "log.cleaner.threads", "log.segment.bytes"]),
    )
    .await;
    state(pair, "default broker after set", BROKER, "", None).await;
    state(pair, "topic after broker set", TOPIC, "altered", Some(&["retention.ms", "segment.bytes"])).await;
    pair.all("broker delete", |_, _| {
        broker("1", &[("log.cleaner.threads", DELETE, None), ("log.segment.bytes", DELETE, None)])
    })
    .await;
    let cases: [(&str, i8, Option<&str>); 12] = [
        ("node.id", SET, Some("3")),
        ("log.dirs", SET, Some("/tmp")),
        ("process.roles", SET, Some("broker")),
        ("no.such.broker.config", SET, Some("1")),
        ("log.cleaner.threads", SET, Some("0")),
        ("log.cleaner.threads", SET, Some("x")),
        ("log.cleaner.threads", SET, Some("100")),
        ("num.io.threads", SET, Some("1")),
        ("compression.type", SET, Some("brotli")),
        ("log.cleanup.policy", APPEND, Some("compact")),
        ("listeners", SET, Some("PLAINTEXT://127.0.0.1:1")),
        ("ssl.keystore.location", SET, Some("/nowhere")),
    ];
    for (key, operation, value) in cases {
        for name in ["1", ""] {
            let step = format!("broker {name:?} {key} {operation} {value:?}");
            pair.newest(&step, |_, _| broker(name, &[(key, operation, value)]).with_validate_only(true))
                .await;
        }
    }
    for name in ["2", "abc", "-1"] {
        pair.all(&format!("broker {name:?}"), |_, _| broker(name, &[("log.retention.ms", SET, Some("1"))]))
            .await;
    }
}

async fn other_resources(pair: &mut Pair) {
    for (name, level) in [("1", "DEBUG"), ("1", "LOUD"), ("2", "INFO"), ("", "INFO")] {
        let step = format!("logger of {name:?} to {level}");
        pair.all(&step, |_, _| {
            one(change(BROKER_LOGGER, name, &[("root", SET, Some(level))])).with_validate_only(true)
        })
        .await;
    }
    pair.all("unknown logger", |_, _| {
        one(change(BROKER_LOGGER, "1", &[("no.such.Logger", SET, Some("INFO"))]))
    })
    .await;
    let cases: [(i8, &str, &str, &str); 10] = [
        (CLIENT_METRICS, "metrics", "interval.ms", "5000"),
        (CLIENT_METRICS, "metrics", "interval.ms", "1"),
        (CLIENT_METRICS, "metrics", "match", "a=b"),
        (CLIENT_METRICS, "metrics", "no.such", "1"),
        (CLIENT_METRICS, "", "interval.ms", "5000"),
        (GROUP, "group", "consumer.session.timeout.ms", "50000"),
        (GROUP, "group", "consumer.session.timeout.ms", "1"),
        (GROUP, "group", "no.such", "1"),
        (GROUP, "", "consumer.session.timeout.ms", "50000"),
        (GROUP, "group", "share.auto.offset.reset", "sometimes"),
    ];
    for (kind, name, key, value) in cases {
        let step = format!("resource {kind} {name:?} {key}={value}");
        pair.all(&step, |_, _| one(change(kind, name, &[(key, SET, Some(value))]))).await;
    }
    state(pair, "client metrics after set", CLIENT_METRICS, "metrics", None).await;
    state(pair, "group after set", GROUP, "group", None).await;
}

async fn legacy(pair: &mut Pair) {
    let one = |kind, name: &str, configs: &[(&str, Option<&str>)]| {
        AlterConfigsRequest::default().with_resources(vec![replace(kind, name, configs)])
    };
    pair.all("replace", |_, _| one(TOPIC, "altered", &[("max.message.bytes", Some("5000"))])).await;
    state(pair, "after replace", TOPIC, "altered", None).await;
    pair.all("replace, validate only", |_, _| {
        one(TOPIC, "altered", &[("flush.ms", Some("1"))]).with_validate_only(true)
    })
    .await;
    let cases: [(i8, &str, &str, Option<&str>); 12] = [
        (TOPIC, "altered", "no.such", Some("1")),
        (TOPIC, "altered", "segment.bytes", Some("x")),
        (TOPIC, "altered", "segment.bytes", None),
        (TOPIC, "missing", "segment.bytes", Some("5000000")),
        (TOPIC, "", "segment.bytes", Some("5000000")),
        (BROKER, "1", "node.id", Some("4")),
        (BROKER, "2", "log.retention.ms", Some("4")),
        (BROKER, "1", "log.cleaner.threads", Some("x")),
        (BROKER_LOGGER, "1", "root", Some("INFO")),
        (0, "x", "a", Some("b")),
        (77, "x", "a", Some("b")),
        (GROUP, "group", "consumer.session.timeout.ms", Some("1")),
    ];
    for (kind, name, key, value) in cases {
        let step = format!("replace {kind} {name:?} {key}={value:?}");
        pair.all(&step, |_, _| one(kind, name, &[(key, value)])).await;
    }
    pair.all("replace, the same key twice", |_, _| {
        one(TOPIC, "altered", &[("flush.ms", Some("8")), ("flush.ms", Some("9"))])
    })
    .await;
    pair.all("replace by nothing", |_, _| one(TOPIC, "altered", &[])).await;
    state(pair, "after replacements", TOPIC, "altered", None).await;
}
