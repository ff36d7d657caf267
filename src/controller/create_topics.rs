//! CreateTopics: names, configs and assignments are checked in Kafka's order, each topic by itself
//! (`ReplicationControlManager.createTopics`, `ControllerApis.createTopics`).

use std::collections::{BTreeMap, BTreeSet};

use model::topic_name::{self, CLUSTER_METADATA};
use model::{BrokerId, ErrorCode, LeaderEpoch};

use crate::command::{ApiError, CreateTopics, CreatedTopic, NewTopic, Outcome, TopicShape};
use crate::controller::{Controller, too_many_records};
use crate::image::{ConfigResource, ConfigResourceType, Image, LeaderRecoveryState, Partition};
use crate::placement::{place, usable};
use crate::record::{ConfigRecord, MetadataRecord, TopicRecord};

/// Most partitions that one request may create.
const PARTITIONS_PER_REQUEST_MAX: usize = 10_000;

impl Controller {
    /// Creates topics. Duplicate names come last in the reply, once each.
    pub fn create_topics(&self, command: CreateTopics) -> Outcome<Vec<CreatedTopic>> {
        let refuse_all = |error: &ApiError| {
            let topics = command.topics.iter();
            Outcome::only(topics.map(|topic| refused(&topic.name, error.clone())).collect())
        };
        let duplicates = duplicate_names(&command.topics);
        let is_handled =
            |topic: &&NewTopic| !duplicates.contains(topic.name.as_str()) && topic.name != CLUSTER_METADATA;
        let topics: Vec<&NewTopic> = command.topics.iter().filter(is_handled).collect();
        if self.partitions_wanted(&topics) > PARTITIONS_PER_REQUEST_MAX {
            return refuse_all(&ApiError::new(
                ErrorCode::PolicyViolation,
                "Excessively large number of partitions per request.",
            ));
        }
        let mut records = Vec::new();
        let mut reply: Vec<_> = topics
            .into_iter()
            .map(|topic| match self.create_topic(topic, command.seed) {
                Ok((shape, mut topic_records)) => {
                    records.append(&mut topic_records);
                    CreatedTopic { name: topic.name.clone(), result: Ok(shape) }
                }
                Err(error) => refused(&topic.name, error),
            })
            .collect();
        if let Some(error) = too_many_records(&records) {
            return refuse_all(&error);
        }
        reply.extend(
            duplicates
                .iter()
                .map(|name| refused(name, ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name."))),
        );
        let names_the_log = |topic: &NewTopic| topic.name == CLUSTER_METADATA;
        if !duplicates.contains(CLUSTER_METADATA) && command.topics.iter().any(names_the_log) {
            let message = format!("Creation of internal topic {CLUSTER_METADATA} is prohibited.");
            reply.push(refused(CLUSTER_METADATA, ApiError::new(ErrorCode::InvalidRequest, message)));
        }
        if command.validate_only {
            records.clear();
        }
        Outcome { records, reply }
    }

    /// An upper bound, before any topic is checked.
    fn partitions_wanted(&self, topics: &[&NewTopic]) -> usize {
        let of = |topic: &&NewTopic| match (topic.assignments.len(), topic.partitions) {
            (0, -1) => usize::try_from(self.settings.default_partitions).unwrap_or(0),
            (0, partitions) => usize::try_from(partitions).unwrap_or(0),
            (assignments, _) => assignments,
        };
        topics.iter().map(of).fold(0, usize::saturating_add)
    }

    fn create_topic(
        &self,
        topic: &NewTopic,
        seed: u64,
    ) -> Result<(TopicShape, Vec<MetadataRecord>), ApiError> {
        self.check_name(&topic.name)?;
        let configs = self.check_configs(topic)?;
        let mut clamped_from = None;
        let partitions = if topic.assignments.is_empty() {
            self.placed_partitions(topic, seed, &mut clamped_from)?
        } else {
            self.assigned_partitions(topic)?
        };
        let shape = TopicShape {
            topic_id: topic.topic_id,
            partitions: partitions.len() as i32,
            replication_factor: partitions.first().map_or(0, |first| first.replicas.len()) as i16,
            clamped_from,
        };
        let mut records = vec![MetadataRecord::Topic(TopicRecord {
            name: topic.name.clone(),
            topic_id: topic.topic_id,
            unknown: Vec::new(),
        })];
        // Configs stand between the topic and its partitions: whoever opens the partition needs them.
        let clear_elr = self.clear_elr_for(&configs);
        records.extend(configs.into_iter().map(MetadataRecord::Config));
        records.extend(clear_elr);
        let version = self.image.record_version().partition_record_version();
        records.extend((0..).zip(&partitions).map(|(index, partition)| {
            MetadataRecord::Partition(partition.to_record(topic.topic_id, index, version))
        }));
        Ok((shape, records))
    }

    fn check_name(&self, name: &str) -> Result<(), ApiError> {
        let valid = topic_name::validate(name)
            .map_err(|error| ApiError::new(ErrorCode::InvalidTopicException, error.to_string()));
        // That it exists says more than that it collides with itself, or is not valid any more.
        if self.image.topic(name).is_some() {
            return Err(ApiError::new(
                ErrorCode::TopicAlreadyExists,
                format!("Topic '{name}' already exists."),
            ));
        }
        if let Some(other) = self.image.topics().colliding(name) {
            return Err(ApiError::new(
                ErrorCode::InvalidTopicException,
                format!("Topic '{name}' collides with existing topic: {other}"),
            ));
        }
        valid
    }

    fn check_configs(&self, topic: &NewTopic) -> Result<Vec<ConfigRecord>, ApiError> {
        let nulls: Vec<_> = topic.configs.iter().filter(|(_, value)| value.is_none()).collect();
        if !nulls.is_empty() {
            let names: Vec<_> = nulls.iter().map(|(name, _)| name.as_str()).collect();
            return Err(ApiError::new(
                ErrorCode::InvalidConfig,
                format!("Null value not supported for topic configs: {}", names.join(",")),
            ));
        }
        let values: BTreeMap<_, _> = topic.configs.iter().cloned().collect();
        let records: Vec<_> = values
            .into_iter()
            .map(|(name, value)| ConfigRecord {
                resource_type: ConfigResourceType::Topic.id(),
                resource_name: topic.name.clone(),
                name,
                value,
                unknown: Vec::new(),
            })
            .collect();
        if !records.is_empty() {
            self.validate_altered(&ConfigResource::topic(&topic.name), &records, &[], true)?;
        }
        Ok(records)
    }

    fn placed_partitions(
        &self,
        topic: &NewTopic,
        seed: u64,
        clamped_from: &mut Option<i16>,
    ) -> Result<Vec<Partition>, ApiError> {
        if topic.replication_factor < -1 || topic.replication_factor == 0 {
            return Err(ApiError::new(
                ErrorCode::InvalidReplicationFactor,
                "Replication factor must be larger than 0, or -1 to use the default value.",
            ));
        }
        if topic.partitions < -1 || topic.partitions == 0 {
            return Err(ApiError::new(
                ErrorCode::InvalidPartitions,
                "Number of partitions was set to an invalid non-positive value.",
            ));
        }
        let partitions = match topic.partitions {
            -1 => self.settings.default_partitions,
            partitions => partitions,
        };
        let mut replication_factor = match topic.replication_factor {
            -1 => self.settings.default_replication_factor,
            replication_factor => replication_factor,
        };
        let live = usable(self.image.cluster()).filter(|(fenced, ..)| !fenced).count() as i16;
        if topic.clamp_replication && live > 0 && replication_factor > live {
            *clamped_from = Some(replication_factor);
            replication_factor = live;
        }
        let refuse = |reason: &str| {
            ApiError::new(
                ErrorCode::InvalidReplicationFactor,
                format!("Unable to replicate the partition {replication_factor} time(s): {reason}"),
            )
        };
        let placed = place(
            self.image.cluster(),
            usize::try_from(partitions).unwrap_or(0),
            usize::try_from(replication_factor).unwrap_or(0),
            seed,
        )
        .map_err(|reason| refuse(&reason))?;
        placed
            .into_iter()
            .map(|replicas| {
                self.image
                    .new_partition(replicas)
                    .ok_or_else(|| refuse("All brokers are currently fenced or in controlled shutdown."))
            })
            .collect()
    }

    fn assigned_partitions(&self, topic: &NewTopic) -> Result<Vec<Partition>, ApiError> {
        if topic.replication_factor != -1 {
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                "A manual partition assignment was specified, but replication factor was not set to -1.",
            ));
        }
        if topic.partitions != -1 {
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                "A manual partition assignment was specified, but numPartitions was not set to -1.",
            ));
        }
        let refuse = |reason: String| ApiError::new(ErrorCode::InvalidReplicaAssignment, reason);
        let mut partitions = BTreeMap::new();
        let mut replication_factor = None;
        for (index, replicas) in &topic.assignments {
            if partitions.contains_key(index) {
                return Err(refuse(format!(
                    "Found multiple manual partition assignments for partition {index}"
                )));
            }
            self.image.check_assignment(replicas, replication_factor)?;
            replication_factor = Some(replicas.len());
            let partition =
                self.image.new_partition(replicas.clone()).ok_or_else(|| refuse(all_fenced(*index)))?;
            partitions.insert(*index, partition);
        }
        if !partitions.keys().copied().eq(0..partitions.len() as i32) {
            return Err(refuse("partitions should be a consecutive 0-based integer sequence".to_owned()));
        }
        Ok(partitions.into_values().collect())
    }
}

impl Image {
    /// Checks replicas that a client chose; `replication_factor` is that of the partitions before.
    pub(crate) fn check_assignment(
        &self,
        replicas: &[BrokerId],
        replication_factor: Option<usize>,
    ) -> Result<(), ApiError> {
        let refuse = |reason: String| {
            let message = format!("The manual partition assignment includes {reason}");
            Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message))
        };
        if replicas.is_empty() {
            return refuse("an empty replica list.".to_owned());
        }
        let mut sorted = replicas.to_vec();
        sorted.sort_unstable();
        let mut previous = None;
        for id in sorted {
            let Some(broker) = self.broker(id) else {
                return refuse(format!("broker {id}, but no such broker is registered."));
            };
            if !broker.takes_replicas() {
                return refuse(format!("broker {id}, but all its log directories are cordoned."));
            }
            if previous == Some(id) {
                return refuse(format!("the broker {id} more than once."));
            }
            previous = Some(id);
        }
        match replication_factor {
            Some(expected) if expected != replicas.len() => refuse(format!(
                "a partition with {} replica(s), but this is not consistent with previous partitions, which have \
                 {expected} replica(s).",
                replicas.len()
            )),
            _ => Ok(()),
        }
    }

    /// A fresh partition on these brokers, those of them that are active in sync; `None` if none is.
    pub(crate) fn new_partition(&self, replicas: Vec<BrokerId>) -> Option<Partition> {
        let active = |id: &BrokerId| self.cluster().is_active(*id);
        let isr: Vec<_> = replicas.iter().copied().filter(active).collect();
        Some(Partition {
            directories: replicas.iter().map(|id| self.default_dir(*id)).collect(),
            leader: *isr.first()?,
            isr,
            replicas,
            removing_replicas: Vec::new(),
            adding_replicas: Vec::new(),
            elr: Vec::new(),
            last_known_elr: Vec::new(),
            leader_recovery_state: LeaderRecoveryState::Recovered,
            leader_epoch: LeaderEpoch::new(0),
            partition_epoch: 0,
        })
    }
}

pub(crate) fn all_fenced(partition: i32) -> String {
    format!(
        "All brokers specified in the manual partition assignment for partition {partition} are fenced or in \
         controlled shutdown."
    )
}

fn duplicate_names(topics: &[NewTopic]) -> BTreeSet<&str> {
    let mut seen = BTreeSet::new();
    let names = topics.iter().map(|topic| topic.name.as_str());
    names.filter(|name| !seen.insert(*name)).collect()
}

fn refused(name: &str, error: ApiError) -> CreatedTopic {
    CreatedTopic { name: name.to_owned(), result: Err(error) }
}

#[cfg(test)]
#[path = "create_topics_tests.rs"]
mod tests;
