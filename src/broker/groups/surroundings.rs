//! What the shards may look at beside their own state: the cluster's topics and the settings of groups.

use std::collections::BTreeMap;
use std::sync::Arc;

use config::BrokerConfig;
use controller::Image;
use controller::image::{ConfigResourceType, Configs};
use coordinator::group::{GroupOverrides, Settings, TopicFacts, Topics};
use model::{Offset, TopicId};

use crate::metadata::View;

/// One state of the metadata, as shards see it.
#[derive(Debug)]
pub(crate) struct Surroundings {
    image: Arc<Image>,
    config: Arc<BrokerConfig>,
    settings: Arc<Settings>,
}

impl Surroundings {
    /// An empty cluster.
    pub(super) fn of_config(config: &BrokerConfig) -> Self {
        let image: Arc<Image> = Arc::default();
        let settings = Arc::new(settings(config, image.configs()));
        Self { image, config: Arc::new(config.clone()), settings }
    }

    /// The state after this one.
    pub(super) fn followed_by(&self, view: &View) -> Self {
        let (image, config) = (Arc::clone(view.image()), Arc::clone(view.config()));
        let same = Arc::ptr_eq(&self.config, &config) && std::ptr::eq(self.image.configs(), image.configs());
        let settings =
            if same { Arc::clone(&self.settings) } else { Arc::new(settings(&config, image.configs())) };
        Self { image, config, settings }
    }

    pub(super) fn image(&self) -> &Image {
        &self.image
    }

    pub(super) fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Whether nothing about topics differs.
    pub(super) fn has_topics_of(&self, other: &Self) -> bool {
        std::ptr::eq(self.image.topics(), other.image.topics())
    }

    /// Names of the topics that `after` has no more; one that was made anew under its name is among them.
    pub(super) fn topics_gone(&self, after: &Self) -> Vec<String> {
        if self.has_topics_of(after) {
            return Vec::new();
        }
        let gone = self.image.topics().iter().filter(|topic| after.image.topic_by_id(topic.id).is_none());
        gone.map(|topic| topic.name.to_string()).collect()
    }
}

impl Topics for Surroundings {
    fn by_name(&self, name: &str) -> Option<TopicFacts> {
        self.image.topic(name).map(|topic| facts(topic))
    }

    fn by_id(&self, id: TopicId) -> Option<TopicFacts> {
        self.image.topic_by_id(id).map(|topic| facts(topic))
    }

    fn each_name(&self, visit: &mut dyn FnMut(&str)) {
        self.image.topics().iter().for_each(|topic| visit(&topic.name));
    }

    fn racks(&self, id: TopicId, partition: i32) -> Vec<String> {
        let partition = self.image.topic_by_id(id).and_then(|topic| topic.partition(partition));
        let replicas = partition.iter().flat_map(|partition| &partition.replicas);
        let mut racks: Vec<String> = replicas.filter_map(|id| self.image.broker(*id)?.rack.clone()).collect();
        racks.sort_unstable();
        racks
    }

    fn version(&self) -> i64 {
        self.image.offset().map_or(-1, Offset::value)
    }
}

fn facts(topic: &controller::image::Topic) -> TopicFacts {
    TopicFacts { id: topic.id, name: topic.name.to_string(), partitions: topic.partitions.len() as i32 }
}

fn settings(config: &BrokerConfig, configs: &Configs) -> Settings {
    let (groups, offsets) = (&config.groups, &config.offsets);
    let policy = groups.consumer.migration_policy.as_str();
    Settings {
        initial_rebalance_delay_ms: groups.initial_rebalance_delay_ms,
        session_timeout_min_ms: groups.session_timeout_ms_min,
        session_timeout_max_ms: groups.session_timeout_ms_max,
        classic_members_max: groups.members_max,
        consumer_session_timeout_ms: groups.consumer.session_timeout_ms,
        consumer_heartbeat_interval_ms: groups.consumer.heartbeat_interval_ms,
        consumer_members_max: groups.consumer.members_max,
        consumer_assignors: groups.consumer.assignors.iter().map(|name| assignor(name)).collect(),
        upgrade_allowed: matches!(policy, "upgrade" | "bidirectional"),
        downgrade_allowed: matches!(policy, "downgrade" | "bidirectional"),
        regex_refresh_ms: groups.consumer.regex_refresh_interval_ms,
        offset_metadata_bytes_max: offsets.metadata_bytes_max,
        offsets_retention_ms: offsets.retention_ms,
        offsets_retention_check_ms: offsets.retention_check_interval_ms,
        overrides: overrides(configs),
    }
}

/// Kafka's own assignors may be named by their classes.
fn assignor(name: &str) -> String {
    match name {
        "org.apache.kafka.coordinator.group.assignor.UniformAssignor" => "uniform".to_owned(),
        "org.apache.kafka.coordinator.group.assignor.RangeAssignor" => "range".to_owned(),
        name => name.to_owned(),
    }
}

fn overrides(configs: &Configs) -> BTreeMap<String, GroupOverrides> {
    let groups = configs.iter().filter(|(resource, _)| resource.resource_type == ConfigResourceType::Group);
    let overrides = groups.map(|(group, values)| {
        let number = |name: &str| values.get(name).and_then(|value| value.trim().parse().ok());
        let overrides = GroupOverrides {
            consumer_session_timeout_ms: number("consumer.session.timeout.ms"),
            consumer_heartbeat_interval_ms: number("consumer.heartbeat.interval.ms"),
        };
        (group.name.clone(), overrides)
    });
    overrides.collect()
}

#[cfg(test)]
#[path = "surroundings_tests.rs"]
mod tests;
