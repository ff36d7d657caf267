//! Records that stand for a whole image, in the order in which Kafka's `MetadataImage` writes them.

use crate::controller::Controller;
use crate::feature::{METADATA_VERSION, MetadataVersion};
use crate::image::{Image, Subject};
use crate::record::{
    ConfigRecord, FeatureLevelRecord, MetadataRecord, PartitionRecord, ProducerIdsRecord, TopicRecord,
};

impl Controller {
    /// Records that lead from nothing to the current image.
    pub fn snapshot(&self) -> Vec<MetadataRecord> {
        self.image.snapshot()
    }
}

impl Image {
    /// Records that lead from nothing to this image. Features come first: they say how to read the rest.
    pub fn snapshot(&self) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        self.snapshot_features(&mut records);
        self.snapshot_cluster(&mut records);
        self.snapshot_topics(&mut records);
        self.snapshot_configs(&mut records);
        if self.next_producer_id > 0 {
            records.push(MetadataRecord::ProducerIds(ProducerIdsRecord {
                broker_id: model::BrokerId::NONE,
                broker_epoch: -1,
                next_producer_id: self.next_producer_id,
                unknown: self.unknown_fields(|| Subject::ProducerIds),
            }));
        }
        let verbatim = self.verbatim.iter().cloned();
        records.extend(verbatim.map(MetadataRecord::Verbatim));
        records
    }

    fn snapshot_features(&self, records: &mut Vec<MetadataRecord>) {
        let metadata_version = self.metadata_version().map(|version| (METADATA_VERSION, version.level()));
        let others = self.features.finalized.iter();
        let levels = metadata_version.into_iter().chain(others.map(|(name, level)| (name.as_str(), *level)));
        records.extend(levels.map(|(name, level)| {
            MetadataRecord::FeatureLevel(FeatureLevelRecord {
                name: name.to_owned(),
                feature_level: level,
                unknown: self.unknown_fields(|| Subject::Feature(name.to_owned())),
            })
        }));
    }

    fn snapshot_cluster(&self, records: &mut Vec<MetadataRecord>) {
        let version = self.record_version().register_broker_record_version();
        for broker in self.cluster.brokers() {
            records.push(MetadataRecord::RegisterBroker(broker.to_record(version)));
        }
        for controller in self.cluster.controllers() {
            records.push(MetadataRecord::RegisterController(controller.clone()));
        }
    }

    fn snapshot_topics(&self, records: &mut Vec<MetadataRecord>) {
        let version = self.record_version().partition_record_version();
        for topic in self.topics.iter() {
            records.push(MetadataRecord::Topic(TopicRecord {
                name: topic.name.to_string(),
                topic_id: topic.id,
                unknown: self.unknown_fields(|| Subject::Topic(topic.id)),
            }));
            for (index, partition) in &topic.partitions {
                let unknown = self.unknown_fields(|| Subject::Partition(topic.id, *index));
                let record = partition.to_record(topic.id, *index, version);
                records.push(MetadataRecord::Partition(PartitionRecord { unknown, ..record }));
            }
        }
    }

    fn snapshot_configs(&self, records: &mut Vec<MetadataRecord>) {
        for (resource, values) in self.configs.iter() {
            for (name, value) in values.iter() {
                records.push(MetadataRecord::Config(ConfigRecord {
                    resource_type: resource.resource_type.id(),
                    resource_name: resource.name.clone(),
                    name: name.clone(),
                    value: Some(value.clone()),
                    unknown: self.unknown_fields(|| Subject::Config(resource.clone(), name.clone())),
                }));
            }
        }
    }

    /// The version that decides how records are written; before the bootstrap records it is the newest.
    pub(crate) fn record_version(&self) -> MetadataVersion {
        self.metadata_version().unwrap_or(MetadataVersion::LATEST)
    }
}

pub(crate) fn feature_level(name: &str, level: i16) -> MetadataRecord {
    MetadataRecord::FeatureLevel(FeatureLevelRecord {
        name: name.to_owned(),
        feature_level: level,
        unknown: Vec::new(),
    })
}
