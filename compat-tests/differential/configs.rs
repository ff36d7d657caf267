//! DescribeConfigs and ListConfigResources.

use wire::messages::describe_configs_request::DescribeConfigsResource;
use wire::messages::{DescribeConfigsRequest, ListConfigResourcesRequest};

use crate::ask::{BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC, prepare, resource};
use crate::pair::Pair;

/// The steps.
pub async fn script(pair: &mut Pair) {
    prepare(pair, "described", 1, &[("retention.ms", "60000"), ("cleanup.policy", "compact,delete")]).await;
    pair.all("topic", |_, _| describe(vec![resource(TOPIC, "described", None)])).await;
    pair.all("topic with synonyms", |_, _| {
        describe(vec![resource(TOPIC, "described", None)]).with_include_synonyms(true)
    })
    .await;
    pair.all("topic with documentation", |_, v| {
        describe(vec![resource(TOPIC, "described", None)]).with_include_documentation(v >= 3)
    })
    .await;
    pair.all("topic, some keys", |_, _| {
        describe(vec![resource(TOPIC, "described", Some(&["retention.ms", "no.such", "retention.ms"]))])
    })
    .await;
    pair.all("topic, no keys", |_, _| describe(vec![resource(TOPIC, "described", Some(&[]))])).await;
    for name in ["missing", "", "a b"] {
        pair.all(&format!("topic {name:?}"), |_, _| describe(vec![resource(TOPIC, name, None)])).await;
    }
    pair.all("broker", |_, _| describe(vec![resource(BROKER, "1", None)])).await;
    pair.all("broker with synonyms", |_, _| {
        describe(vec![resource(BROKER, "1", None)]).with_include_synonyms(true)
    })
    .await;
    pair.newest("broker with documentation", |_, _| {
        describe(vec![resource(BROKER, "1", None)]).with_include_documentation(true)
    })
    .await;
    pair.all("default broker", |_, _| describe(vec![resource(BROKER, "", None)]).with_include_synonyms(true))
        .await;
    for name in ["2", "-1", "abc", "1 "] {
        pair.all(&format!("broker {name:?}"), |_, _| describe(vec![resource(BROKER, name, None)])).await;
    }
    pair.all("broker, some keys", |_, _| {
        describe(vec![resource(BROKER, "1", Some(&["log.retention.ms", "no.such", "node.id"]))])
    })
    .await;
    pair.all("loggers", |_, _| describe(vec![resource(BROKER_LOGGER, "1", Some(&["root"]))])).await;
    for name in ["2", "", "abc"] {
        pair.all(&format!("loggers of {name:?}"), |_, _| describe(vec![resource(BROKER_LOGGER, name, None)]))
            .await;
    }
    for kind in [CLIENT_METRICS, GROUP] {
        for name in ["nobody", ""] {
            pair.all(&format!("resource {kind} {name:?}"), |_, _| {
                describe(vec![resource(kind, name, None)]).with_include_synonyms(true)
            })
            .await;
        }
    }
    for kind in [0, 1, 3, 5, 64, -1, 127] {
        pair.all(&format!("resource type {kind}"), |_, _| describe(vec![resource(kind, "x", None)])).await;
    }
    pair.all("several, one twice", |_, _| {
        let topic = || resource(TOPIC, "described", Some(&["retention.ms"]));
        describe(vec![
            topic(),
            resource(TOPIC, "missing", None),
            topic(),
            resource(BROKER, "1", Some(&["node.id"])),
        ])
    })
    .await;
    pair.all("nothing", |_, _| describe(Vec::new())).await;
    list(pair, "before changes").await;
}

fn describe(resources: Vec<DescribeConfigsResource>) -> DescribeConfigsRequest {
    DescribeConfigsRequest::default().with_resources(resources)
}

/// All kinds of resources that have configs.
pub async fn list(pair: &mut Pair, step: &str) {
    pair.all(&format!("resources {step}"), |_, _| ListConfigResourcesRequest::default()).await;
    for kind in [0, 2, 4, 8, 16, 32, 64, -1] {
        let request = ListConfigResourcesRequest::default().with_resource_types(vec![kind]);
        pair.all(&format!("resources of type {kind} {step}"), |_, _| request.clone()).await;
    }
    let request = ListConfigResourcesRequest::default().with_resource_types(vec![2, 99, 2, 4]);
    pair.all(&format!("resources of mixed types {step}"), |_, _| request.clone()).await;
}

/// What a resource has now; `step` says when.
pub async fn state(pair: &mut Pair, step: &str, kind: i8, name: &str, keys: Option<&[&str]>) {
    pair.settle().await;
    pair.newest(step, |_, _| describe(vec![resource(kind, name, keys)]).with_include_synonyms(true)).await;
}
