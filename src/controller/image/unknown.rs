//! Tagged fields of later versions that came with topics, partitions, configs, features and producer ids: this broker
//! does not act on them, and a snapshot gives them back. Brokers and controllers keep theirs themselves.
//!
//! A record takes the place of an earlier one of the same kind and subject, with its fields; one that only changes a
//! subject (`PartitionChangeRecord`) numbers its fields for itself, and leaves those that there are.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::TopicId;
use model::codec::TaggedField;

use super::ConfigResource;

/// What a record speaks of, so that a later record of the same subject takes its place.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(crate) enum Subject {
    Topic(TopicId),
    Partition(TopicId, i32),
    Config(ConfigResource, String),
    Feature(String),
    ProducerIds,
}

/// The fields by subject. Hardly any log has one: what has none takes no memory.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(crate) struct UnknownFields {
    fields: BTreeMap<Subject, Vec<TaggedField>>,
}

impl UnknownFields {
    pub(crate) fn is_empty(&self) -> bool {
        self.fields.is_empty()
    }

    /// The fields of a subject, in the order of their tags.
    pub(crate) fn of(&self, subject: &Subject) -> Vec<TaggedField> {
        self.fields.get(subject).cloned().unwrap_or_default()
    }

    /// The subject has these fields from now on, and no others.
    pub(crate) fn set(&mut self, subject: Subject, fields: &[TaggedField]) {
        if fields.is_empty() {
            self.fields.remove(&subject);
            return;
        }
        // A slice would keep the whole buffer that the record was read from.
        let own =
            |field: &TaggedField| TaggedField { tag: field.tag, value: Bytes::copy_from_slice(&field.value) };
        self.fields.insert(subject, fields.iter().map(own).collect());
    }

    /// A topic is gone, and with it its partitions and its configs.
    pub(crate) fn remove_topic(&mut self, id: TopicId, configs: &ConfigResource) {
        self.fields.retain(|subject, _| match subject {
            Subject::Topic(topic) | Subject::Partition(topic, _) => *topic != id,
            Subject::Config(resource, _) => resource != configs,
            Subject::Feature(_) | Subject::ProducerIds => true,
        });
    }
}

#[cfg(test)]
#[path = "unknown_tests.rs"]
mod tests;
