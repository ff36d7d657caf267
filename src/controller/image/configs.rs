//! Dynamic configs of topics, brokers, groups and client metrics subscriptions.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

/// What a config belongs to (`org.apache.kafka.common.config.ConfigResource.Type`).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ConfigResourceType {
    /// A type that this broker does not know.
    Unknown(i8),
    /// A topic.
    Topic,
    /// One broker, or with an empty name all of them.
    Broker,
    /// Log levels of one process; never part of the metadata.
    BrokerLogger,
    /// A client metrics subscription (KIP-714).
    ClientMetrics,
    /// A group (KIP-848).
    Group,
}

impl ConfigResourceType {
    /// The type of this number on the wire and in records.
    pub fn from_id(id: i8) -> Self {
        match id {
            2 => Self::Topic,
            4 => Self::Broker,
            8 => Self::BrokerLogger,
            16 => Self::ClientMetrics,
            32 => Self::Group,
            other => Self::Unknown(other),
        }
    }

    /// The number on the wire and in records.
    pub fn id(self) -> i8 {
        match self {
            Self::Unknown(id) => id,
            Self::Topic => 2,
            Self::Broker => 4,
            Self::BrokerLogger => 8,
            Self::ClientMetrics => 16,
            Self::Group => 32,
        }
    }
}

impl fmt::Display for ConfigResourceType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unknown(_) => "UNKNOWN",
            Self::Topic => "TOPIC",
            Self::Broker => "BROKER",
            Self::BrokerLogger => "BROKER_LOGGER",
            Self::ClientMetrics => "CLIENT_METRICS",
            Self::Group => "GROUP",
        })
    }
}

/// One thing that has configs.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ConfigResource {
    /// Its type.
    pub resource_type: ConfigResourceType,
    /// Its name: a topic, a group, a subscription, a broker id, or empty for all brokers.
    pub name: String,
}

impl ConfigResource {
    /// The topic of this name.
    pub fn topic(name: &str) -> Self {
        Self { resource_type: ConfigResourceType::Topic, name: name.to_owned() }
    }

    /// One broker.
    pub fn broker(id: model::BrokerId) -> Self {
        Self { resource_type: ConfigResourceType::Broker, name: id.to_string() }
    }

    /// The defaults of all brokers.
    pub fn all_brokers() -> Self {
        Self { resource_type: ConfigResourceType::Broker, name: String::new() }
    }
}

/// The dynamic configs of all resources that have any.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Configs {
    resources: BTreeMap<ConfigResource, Arc<BTreeMap<String, String>>>,
}

impl Configs {
    /// The dynamic configs of this resource; `None` when it has none.
    pub fn of(&self, resource: &ConfigResource) -> Option<&Arc<BTreeMap<String, String>>> {
        self.resources.get(resource)
    }

    /// The dynamic configs of the topic of this name.
    pub fn of_topic(&self, name: &str) -> Option<&Arc<BTreeMap<String, String>>> {
        self.of(&ConfigResource::topic(name))
    }

    /// One value of one resource.
    pub fn value(&self, resource: &ConfigResource, name: &str) -> Option<&str> {
        self.of(resource)?.get(name).map(String::as_str)
    }

    /// All resources that have dynamic configs, by type and name.
    pub fn iter(&self) -> impl Iterator<Item = (&ConfigResource, &Arc<BTreeMap<String, String>>)> {
        self.resources.iter()
    }

    pub(crate) fn set(&mut self, resource: ConfigResource, name: String, value: Option<String>) {
        let values = self.resources.entry(resource.clone()).or_default();
        match value {
            Some(value) => {
                Arc::make_mut(values).insert(name, value);
            }
            None => {
                Arc::make_mut(values).remove(&name);
            }
        }
        if values.is_empty() {
            self.resources.remove(&resource);
        }
    }

    pub(crate) fn remove(&mut self, resource: &ConfigResource) {
        self.resources.remove(resource);
    }
}
