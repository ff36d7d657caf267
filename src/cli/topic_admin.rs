//! Topics made, extended and deleted.

use std::collections::BTreeMap;

use client::{Cluster, Target};
use wire::messages::BrokerId;
use wire::messages::create_partitions_request::{
    CreatePartitionsAssignment, CreatePartitionsRequest, CreatePartitionsTopic,
};
use wire::messages::create_topics_request::{
    CreatableReplicaAssignment, CreatableTopic, CreatableTopicConfig, CreateTopicsRequest,
};
use wire::messages::delete_topics_request::{DeleteTopicState, DeleteTopicsRequest};

use crate::kafka::{Trouble, check, text, topic_name};

/// A topic to be made.
#[derive(Clone, Debug, Default)]
pub struct NewTopic {
    /// Its name.
    pub name: String,
    /// How many partitions; `None` is the broker's default.
    pub partitions: Option<i32>,
    /// How many replicas of each; `None` is the broker's default.
    pub replicas: Option<i16>,
    /// Brokers of each partition, instead of the numbers; empty for none.
    pub assignment: Vec<Vec<i32>>,
    /// Its settings.
    pub configs: BTreeMap<String, String>,
}

/// What became of each topic.
pub type Results = Vec<(String, Result<(), Trouble>)>;

/// Makes a topic.
///
/// # Errors
/// See [`Trouble`].
pub async fn create(cluster: &mut Cluster, new: &NewTopic) -> Result<(), Trouble> {
    let by_hand = new.assignment.iter().enumerate().map(|(partition, brokers)| {
        CreatableReplicaAssignment::default()
            .with_partition_index(partition as i32)
            .with_broker_ids(brokers.iter().copied().map(BrokerId).collect())
    });
    let of_config = new.configs.iter().map(|(key, value)| {
        CreatableTopicConfig::default().with_name(text(key.as_str())).with_value(Some(text(value.as_str())))
    });
    let topic = CreatableTopic::default()
        .with_name(topic_name(new.name.as_str()))
        .with_num_partitions(if new.assignment.is_empty() { new.partitions.unwrap_or(-1) } else { -1 })
        .with_replication_factor(new.replicas.unwrap_or(-1))
        .with_assignments(by_hand.collect())
        .with_configs(of_config.collect());
    let timeout_ms = timeout_ms(cluster);
    let response = cluster
        .call(Target::Controller, |_version| {
            CreateTopicsRequest::default().with_topics(vec![topic.clone()]).with_timeout_ms(timeout_ms)
        })
        .await?;
    response.topics.iter().try_for_each(|topic| check(topic.error_code, topic.error_message.as_deref()))
}

/// A topic that is to have more partitions.
#[derive(Clone, Debug, Default)]
pub struct Extension {
    /// Its name.
    pub name: String,
    /// How many partitions it is to have.
    pub count: i32,
    /// Brokers of each new one; `None` leaves them to the controller.
    pub assignment: Option<Vec<Vec<i32>>>,
}

/// Adds partitions.
///
/// # Errors
/// See [`Trouble`].
pub async fn extend(cluster: &mut Cluster, extensions: &[Extension]) -> Result<Results, Trouble> {
    let wanted = extensions.iter().map(|one| {
        let by_hand = one.assignment.as_ref().map(|added| {
            let added = added.iter().map(|brokers| {
                let brokers = brokers.iter().copied().map(BrokerId).collect();
                CreatePartitionsAssignment::default().with_broker_ids(brokers)
            });
            added.collect()
        });
        CreatePartitionsTopic::default()
            .with_name(topic_name(one.name.as_str()))
            .with_count(one.count)
            .with_assignments(by_hand)
    });
    let (wanted, timeout_ms): (Vec<_>, i32) = (wanted.collect(), timeout_ms(cluster));
    let response = cluster
        .call(Target::Controller, |_version| {
            CreatePartitionsRequest::default().with_topics(wanted.clone()).with_timeout_ms(timeout_ms)
        })
        .await?;
    let each = response
        .results
        .iter()
        .map(|one| (one.name.0.to_string(), check(one.error_code, one.error_message.as_deref())));
    Ok(each.collect())
}

/// Deletes topics.
///
/// # Errors
/// See [`Trouble`].
pub async fn delete(cluster: &mut Cluster, topics: &[String]) -> Result<Results, Trouble> {
    let timeout_ms = timeout_ms(cluster);
    let response = cluster
        .call(Target::Controller, |version| {
            let request = DeleteTopicsRequest::default().with_timeout_ms(timeout_ms);
            if version < 6 {
                request.with_topic_names(topics.iter().map(|name| topic_name(name.as_str())).collect())
            } else {
                let states = topics
                    .iter()
                    .map(|name| DeleteTopicState::default().with_name(Some(topic_name(name.as_str()))));
                request.with_topics(states.collect())
            }
        })
        .await?;
    let each = response.responses.iter().map(|one| {
        let name = one.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default();
        (name, check(one.error_code, one.error_message.as_deref()))
    });
    Ok(each.collect())
}

fn timeout_ms(cluster: &Cluster) -> i32 {
    cluster.settings().request_timeout.as_millis() as i32
}
