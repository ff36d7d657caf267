//! Replay: how each record changes the image.

use std::sync::Arc;

use model::topic_name::CLUSTER_METADATA;
use model::{BrokerId, Offset};

use crate::controller::{Controller, ReplayError};
use crate::feature::{KRAFT_VERSION, METADATA_VERSION, MetadataVersion};
use crate::image::{Broker, ConfigResource, ConfigResourceType, Image, Partition, Subject, Topic};
use crate::record::{
    BrokerRegistrationChangeRecord, ClearElrRecord, ConfigRecord, FeatureLevelRecord, FencingChange,
    MetadataRecord, PartitionChangeRecord, PartitionRecord, RegisterBrokerRecord, RemoveTopicRecord,
    TopicRecord, UnregisterBrokerRecord,
};

impl Controller {
    /// Takes in the record at `offset` of the log. For the records of a snapshot, `offset` is that of the last
    /// record which the snapshot stands for.
    ///
    /// On an error nothing has changed; the log is then not one that this program can follow.
    pub fn replay(&mut self, offset: Offset, record: &MetadataRecord) -> Result<(), ReplayError> {
        self.apply(record).map_err(|reason| ReplayError { offset, api_key: record.api_key(), reason })?;
        Arc::make_mut(&mut self.image).offset = Some(offset);
        Ok(())
    }

    fn apply(&mut self, record: &MetadataRecord) -> Result<(), String> {
        match record {
            // Transactions (KIP-868): what follows is taken in at once, and the image before it comes back
            // if they are aborted.
            MetadataRecord::BeginTransaction(_) => {
                if self.before_transaction.is_some() {
                    return Err("a transaction is open already".to_owned());
                }
                self.before_transaction = Some(self.image.clone());
                return Ok(());
            }
            MetadataRecord::EndTransaction(_) => {
                return match self.before_transaction.take() {
                    Some(_) => Ok(()),
                    None => Err("no transaction is open".to_owned()),
                };
            }
            MetadataRecord::AbortTransaction(_) => {
                self.image = match self.before_transaction.take() {
                    Some(image) => image,
                    None => return Err("no transaction is open".to_owned()),
                };
                return Ok(());
            }
            MetadataRecord::NoOp(_) => return Ok(()),
            _ => {}
        }
        Arc::make_mut(&mut self.image).apply(record)
    }
}

impl Image {
    fn apply(&mut self, record: &MetadataRecord) -> Result<(), String> {
        match record {
            MetadataRecord::RegisterBroker(record) => self.register_broker(record),
            MetadataRecord::UnregisterBroker(record) => return self.unregister_broker(record),
            MetadataRecord::BrokerRegistrationChange(record) => return self.change_registration(record),
            MetadataRecord::FenceBroker(record) => {
                return self.change_broker(record.id, record.epoch, |broker| broker.fenced = true);
            }
            MetadataRecord::UnfenceBroker(record) => {
                return self.change_broker(record.id, record.epoch, |broker| broker.fenced = false);
            }
            MetadataRecord::RegisterController(record) => {
                let controllers = &mut Arc::make_mut(&mut self.cluster).controllers;
                controllers.insert(record.controller_id, Arc::new(record.clone()));
            }
            MetadataRecord::Topic(record) => return self.add_topic(record),
            MetadataRecord::Partition(record) => return self.set_partition(record),
            MetadataRecord::PartitionChange(record) => return self.change_partition(record),
            MetadataRecord::RemoveTopic(record) => return self.remove_topic(record),
            MetadataRecord::ClearElr(record) => return self.clear_elr(record),
            MetadataRecord::Config(record) => self.set_config(record),
            MetadataRecord::FeatureLevel(record) => return self.set_feature(record),
            MetadataRecord::ProducerIds(record) => {
                if record.next_producer_id < self.next_producer_id {
                    return Err(format!(
                        "producer ids up to {} are handed out, {} would hand them out again",
                        self.next_producer_id, record.next_producer_id
                    ));
                }
                self.next_producer_id = record.next_producer_id;
                self.set_unknown_fields(|| Subject::ProducerIds, &record.unknown);
            }
            MetadataRecord::Verbatim(record) => Arc::make_mut(&mut self.verbatim).replay(record),
            MetadataRecord::NoOp(_)
            | MetadataRecord::BeginTransaction(_)
            | MetadataRecord::EndTransaction(_)
            | MetadataRecord::AbortTransaction(_) => {}
        }
        Ok(())
    }

    fn register_broker(&mut self, record: &RegisterBrokerRecord) {
        let brokers = &mut Arc::make_mut(&mut self.cluster).brokers;
        brokers.insert(record.broker_id, Arc::new(Broker::from_record(record)));
    }

    fn unregister_broker(&mut self, record: &UnregisterBrokerRecord) -> Result<(), String> {
        self.registered(record.broker_id, record.broker_epoch)?;
        Arc::make_mut(&mut self.cluster).brokers.remove(&record.broker_id);
        Ok(())
    }

    fn change_registration(&mut self, record: &BrokerRegistrationChangeRecord) -> Result<(), String> {
        self.change_broker(record.broker_id, record.broker_epoch, |broker| {
            match record.fencing {
                FencingChange::Fence => broker.fenced = true,
                FencingChange::Unfence => broker.fenced = false,
                FencingChange::None => {}
            }
            if record.enters_controlled_shutdown {
                broker.in_controlled_shutdown = true;
            }
            if !record.log_dirs.is_empty() {
                broker.log_dirs.clone_from(&record.log_dirs);
                broker.log_dirs.sort_unstable();
            }
            if record.cordoned_log_dirs.is_some() {
                broker.cordoned_log_dirs.clone_from(&record.cordoned_log_dirs);
            }
        })
    }

    fn change_broker(
        &mut self,
        id: BrokerId,
        epoch: i64,
        change: impl FnOnce(&mut Broker),
    ) -> Result<(), String> {
        let mut broker = self.registered(id, epoch)?.clone();
        change(&mut broker);
        let brokers = &mut Arc::make_mut(&mut self.cluster).brokers;
        brokers.insert(id, Arc::new(broker));
        Ok(())
    }

    fn registered(&self, id: BrokerId, epoch: i64) -> Result<&Broker, String> {
        match self.broker(id) {
            Some(broker) if broker.epoch == epoch => Ok(broker),
            Some(broker) => Err(format!("broker {id} has epoch {}, not {epoch}", broker.epoch)),
            None => Err(format!("broker {id} is not registered")),
        }
    }

    fn add_topic(&mut self, record: &TopicRecord) -> Result<(), String> {
        if record.name == CLUSTER_METADATA {
            return Err(format!("{CLUSTER_METADATA} is not a topic"));
        }
        if let Some(topic) = self.topic(&record.name) {
            return Err(format!("topic {} exists already with id {}", record.name, topic.id));
        }
        if let Some(topic) = self.topic_by_id(record.topic_id) {
            return Err(format!("topic id {} is that of {}", record.topic_id, topic.name));
        }
        Arc::make_mut(&mut self.topics).insert(Topic {
            name: record.name.as_str().into(),
            id: record.topic_id,
            partitions: std::collections::BTreeMap::new(),
        });
        self.set_unknown_fields(|| Subject::Topic(record.topic_id), &record.unknown);
        Ok(())
    }

    fn set_partition(&mut self, record: &PartitionRecord) -> Result<(), String> {
        let partition = Partition::from_record(record)?;
        let topic = Arc::make_mut(&mut self.topics)
            .topic_mut(record.topic_id)
            .ok_or_else(|| format!("there is no topic with id {}", record.topic_id))?;
        topic.partitions.insert(record.partition_id, Arc::new(partition));
        let subject = || Subject::Partition(record.topic_id, record.partition_id);
        self.set_unknown_fields(subject, &record.unknown);
        Ok(())
    }

    fn change_partition(&mut self, record: &PartitionChangeRecord) -> Result<(), String> {
        let topic = Arc::make_mut(&mut self.topics)
            .topic_mut(record.topic_id)
            .ok_or_else(|| format!("there is no topic with id {}", record.topic_id))?;
        let partition = topic
            .partitions
            .get_mut(&record.partition_id)
            .ok_or_else(|| format!("topic {} has no partition {}", topic.name, record.partition_id))?;
        *partition = Arc::new(partition.merge(record)?);
        Ok(())
    }

    fn remove_topic(&mut self, record: &RemoveTopicRecord) -> Result<(), String> {
        let topic = Arc::make_mut(&mut self.topics)
            .remove(record.topic_id)
            .ok_or_else(|| format!("there is no topic with id {}", record.topic_id))?;
        let resource = ConfigResource::topic(&topic.name);
        if self.configs.of(&resource).is_some() {
            Arc::make_mut(&mut self.configs).remove(&resource);
        }
        if !self.unknown.is_empty() {
            Arc::make_mut(&mut self.unknown).remove_topic(record.topic_id, &resource);
        }
        Ok(())
    }

    fn clear_elr(&mut self, record: &ClearElrRecord) -> Result<(), String> {
        let forget = |topic: &mut Topic| {
            for partition in topic.partitions.values_mut() {
                if !partition.elr.is_empty() || !partition.last_known_elr.is_empty() {
                    let partition = Arc::make_mut(partition);
                    partition.elr.clear();
                    partition.last_known_elr.clear();
                    partition.partition_epoch = partition.partition_epoch.wrapping_add(1);
                }
            }
        };
        if record.topic_name.is_empty() {
            for topic in Arc::make_mut(&mut self.topics).topics_mut() {
                forget(Arc::make_mut(topic));
            }
            return Ok(());
        }
        let id = self
            .topic(&record.topic_name)
            .ok_or_else(|| format!("there is no topic {}", record.topic_name))?
            .id;
        if let Some(topic) = Arc::make_mut(&mut self.topics).topic_mut(id) {
            forget(topic);
        }
        Ok(())
    }

    fn set_config(&mut self, record: &ConfigRecord) {
        let resource = ConfigResource {
            resource_type: ConfigResourceType::from_id(record.resource_type),
            name: record.resource_name.clone(),
        };
        let unknown = if record.value.is_some() { record.unknown.as_slice() } else { &[] };
        self.set_unknown_fields(|| Subject::Config(resource.clone(), record.name.clone()), unknown);
        Arc::make_mut(&mut self.configs).set(resource, record.name.clone(), record.value.clone());
    }

    /// Levels of features that this program does not implement are kept as they are: another program that
    /// opens the directory needs them.
    fn set_feature(&mut self, record: &FeatureLevelRecord) -> Result<(), String> {
        let features = Arc::make_mut(&mut self.features);
        match record.name.as_str() {
            METADATA_VERSION => {
                let version = MetadataVersion::from_level(record.feature_level).ok_or_else(|| {
                    format!(
                        "metadata.version {} is not between {} and {}",
                        record.feature_level,
                        MetadataVersion::MINIMUM.level(),
                        MetadataVersion::NEWEST_UNDERSTOOD.level()
                    )
                })?;
                features.metadata_version = Some(version);
            }
            // Its level stands in control records; Kafka skips these records as well (KAFKA-18979).
            KRAFT_VERSION => return Ok(()),
            name if record.feature_level <= 0 => {
                features.finalized.remove(name);
                self.set_unknown_fields(|| Subject::Feature(record.name.clone()), &[]);
                return Ok(());
            }
            name => {
                features.finalized.insert(name.to_owned(), record.feature_level);
            }
        }
        self.set_unknown_fields(|| Subject::Feature(record.name.clone()), &record.unknown);
        Ok(())
    }
}

#[cfg(test)]
#[path = "replay_tests.rs"]
mod tests;
