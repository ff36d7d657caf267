//! Metadata: all, none, by name, by id, names that break the rules, topics made on the way.

use uuid::Uuid;
use wire::messages::MetadataRequest;
use wire::messages::metadata_request::MetadataRequestTopic;

use crate::ask::{metadata, prepare, topic};
use crate::pair::Pair;

/// The steps.
pub async fn script(pair: &mut Pair) {
    pair.all("no topic at all", |_, version| {
        // Version 0 says "all" by an empty array.
        MetadataRequest::default().with_topics((version > 0).then(Vec::new).or(Some(Vec::new())))
    })
    .await;
    prepare(pair, "meta-a", 1, &[]).await;
    prepare(pair, "meta-b", 3, &[]).await;
    pair.all("all topics", |_, version| {
        MetadataRequest::default().with_topics((version == 0).then(Vec::new))
    })
    .await;
    pair.all("by name", |_, version| {
        by_name(&["meta-b", "meta-a", &format!("meta-missing-{version}")], version)
    })
    .await;
    pair.all("the same name twice", |_, version| by_name(&["meta-a", "meta-a"], version)).await;
    let long = "x".repeat(250);
    for name in ["", ".", "..", "a b", "ä", "a/b", &long] {
        pair.all(&format!("invalid name {name:.20?}"), |_, version| by_name(&[name], version)).await;
    }
    pair.all("invalid name, created on the way", |_, _| {
        by_name(&["a b"], 0).with_allow_auto_topic_creation(true)
    })
    .await;
    pair.all("authorized operations", |_, version| {
        let request = by_name(&["meta-a"], version).with_include_topic_authorized_operations(version >= 8);
        request.with_include_cluster_authorized_operations((8..=10).contains(&version))
    })
    .await;
    by_id(pair).await;
    created(pair).await;
}

fn by_name(names: &[&str], version: i16) -> MetadataRequest {
    metadata(names).with_allow_auto_topic_creation(version < 4)
}

async fn by_id(pair: &mut Pair) {
    pair.all("by id", |side, _| ids(&[side.id("meta-b"), side.id("meta-a")])).await;
    pair.all("by an unknown id", |side, _| ids(&[Uuid::from_u128(7), side.id("meta-a")])).await;
    pair.all("by id and name", |side, _| {
        let both =
            MetadataRequestTopic::default().with_topic_id(side.id("meta-a")).with_name(Some(topic("meta-a")));
        MetadataRequest::default().with_topics(Some(vec![both])).with_allow_auto_topic_creation(false)
    })
    .await;
    pair.all("by neither", |_, _| {
        let neither = MetadataRequestTopic::default().with_name(None);
        MetadataRequest::default().with_topics(Some(vec![neither])).with_allow_auto_topic_creation(false)
    })
    .await;
}

fn ids(ids: &[Uuid]) -> MetadataRequest {
    let topics = ids.iter().map(|id| MetadataRequestTopic::default().with_topic_id(*id).with_name(None));
    MetadataRequest::default().with_topics(Some(topics.collect())).with_allow_auto_topic_creation(false)
}

async fn created(pair: &mut Pair) {
    pair.all("created on the way", |_, version| {
        metadata(&[&format!("meta-auto-{version}")]).with_allow_auto_topic_creation(true)
    })
    .await;
    pair.leads("meta-auto-13").await;
    pair.all("after creation on the way", |_, version| by_name(&[&format!("meta-auto-{version}")], version))
        .await;
    pair.newest("internal topics created on the way", |_, _| {
        metadata(&["__cluster_metadata"]).with_allow_auto_topic_creation(true)
    })
    .await;
}
