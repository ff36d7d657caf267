//! CreatePartitions (`ReplicationControlManager.createPartitions`, `ControllerApis.createPartitions`).

use std::collections::BTreeSet;

use model::ErrorCode;

use crate::command::{ApiError, CreatePartitions, NamedResult, NewPartitions, Outcome};
use crate::controller::{Controller, too_many_records};
use crate::create_topics::all_fenced;
use crate::image::Topic;
use crate::placement::place;
use crate::record::MetadataRecord;

impl Controller {
    /// Adds partitions to topics. Duplicate names come first in the reply, once each.
    pub fn create_partitions(&self, command: CreatePartitions) -> Outcome<Vec<NamedResult>> {
        let mut seen = BTreeSet::new();
        let names = command.topics.iter().map(|topic| topic.name.as_str());
        let duplicates: BTreeSet<_> = names.filter(|name| !seen.insert(*name)).collect();
        let mut reply: Vec<_> = duplicates
            .iter()
            .map(|name| NamedResult {
                name: (*name).to_owned(),
                error: Some(ApiError::new(ErrorCode::InvalidRequest, "Duplicate topic name.")),
            })
            .collect();
        let mut records = Vec::new();
        let once = |topic: &&NewPartitions| !duplicates.contains(topic.name.as_str());
        for topic in command.topics.iter().filter(once) {
            let result = self.add_partitions(topic, command.seed);
            reply.push(NamedResult {
                name: topic.name.clone(),
                error: result.map(|mut added| records.append(&mut added)).err(),
            });
        }
        if let Some(error) = too_many_records(&records) {
            for result in &mut reply {
                result.error = Some(error.clone());
            }
            records.clear();
        }
        if command.validate_only {
            records.clear();
        }
        Outcome { records, reply }
    }

    fn add_partitions(&self, wanted: &NewPartitions, seed: u64) -> Result<Vec<MetadataRecord>, ApiError> {
        let topic = self
            .image
            .topic(&wanted.name)
            .ok_or_else(|| ApiError::silent(ErrorCode::UnknownTopicOrPartition))?;
        let existing = topic.partitions.len();
        let additional = usize::try_from(wanted.count)
            .ok()
            .and_then(|count| count.checked_sub(existing))
            .ok_or_else(|| {
                let message = format!(
                    "The topic {} currently has {existing} partition(s); {} would not be an increase.",
                    wanted.name, wanted.count
                );
                ApiError::new(ErrorCode::InvalidPartitions, message)
            })?;
        if additional == 0 {
            let message = format!("Topic already has {existing} partition(s).");
            return Err(ApiError::new(ErrorCode::InvalidPartitions, message));
        }
        if let Some(assignments) = wanted.assignments.as_ref().filter(|given| given.len() != additional) {
            let message = format!(
                "Attempted to add {additional} additional partition(s), but only {} assignment(s) were specified.",
                assignments.len()
            );
            return Err(ApiError::new(ErrorCode::InvalidReplicaAssignment, message));
        }
        self.new_partitions(topic, wanted, additional, seed)
    }

    fn new_partitions(
        &self,
        topic: &Topic,
        wanted: &NewPartitions,
        additional: usize,
        seed: u64,
    ) -> Result<Vec<MetadataRecord>, ApiError> {
        let first = topic.partitions.values().next().ok_or_else(|| {
            // Kafka has a text for this, but never sends those of UNKNOWN_SERVER_ERROR.
            ApiError::silent(ErrorCode::UnknownServerError)
        })?;
        let replication_factor = first.replicas.len();
        let fence_error = |index: i32| match wanted.assignments {
            Some(_) => ApiError::new(ErrorCode::InvalidReplicaAssignment, all_fenced(index)),
            None => ApiError::new(
                ErrorCode::InvalidReplicationFactor,
                format!(
                    "Unable to replicate the partition {replication_factor} time(s): All brokers are currently \
                     fenced or in controlled shutdown."
                ),
            ),
        };
        let placed = match &wanted.assignments {
            Some(assignments) => assignments.clone(),
            None => place(self.image.cluster(), additional.min(PLACED_MAX), replication_factor, seed)
                .map_err(|reason| ApiError::new(ErrorCode::InvalidReplicationFactor, reason))?,
        };
        let version = self.image.record_version().partition_record_version();
        let mut records = Vec::with_capacity(placed.len());
        for (index, replicas) in (topic.partitions.len() as i32..).zip(placed) {
            if wanted.assignments.is_some() {
                self.image.check_assignment(&replicas, Some(replication_factor))?;
            }
            let partition = self.image.new_partition(replicas).ok_or_else(|| fence_error(index))?;
            let record = partition.to_record(topic.id, index, version);
            records.push(MetadataRecord::Partition(record));
        }
        Ok(records)
    }
}

/// More than any command may create, so that a count of 2 billion is refused without being placed.
const PLACED_MAX: usize = 10_001;

#[cfg(test)]
#[path = "create_partitions_tests.rs"]
mod tests;
