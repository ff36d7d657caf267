//! AlterPartitionReassignments (KIP-455, KIP-860): a reassignment first widens the replicas, and
//! [`PartitionChange`] narrows them once everybody who stays is in sync.

use std::collections::BTreeSet;

use model::{BrokerId, ErrorCode, TopicId};

use crate::command::{
    AlterPartitionReassignments, ApiError, Outcome, PartitionTarget, TopicPartitionResults,
};
use crate::controller::{Controller, too_many_records};
use crate::image::{Partition, Topic};
use crate::partition_change::{Election, PartitionChange};
use crate::record::{MetadataRecord, PartitionChangeRecord};

impl Controller {
    /// Begins and cancels reassignments.
    pub fn alter_partition_reassignments(
        &self,
        command: AlterPartitionReassignments,
    ) -> Outcome<Vec<TopicPartitionResults>> {
        let mut records = Vec::new();
        let mut reply = Vec::with_capacity(command.topics.len());
        for (name, partitions) in &command.topics {
            let mut results = Vec::with_capacity(partitions.len());
            for target in partitions {
                let result = self.reassign(name, target, command.allow_replication_factor_change);
                let error =
                    result.map(|record| records.extend(record.map(MetadataRecord::PartitionChange))).err();
                results.push((target.0, error));
            }
            reply.push(TopicPartitionResults { name: name.clone(), partitions: results });
        }
        if let Some(error) = too_many_records(&records) {
            for (_, result) in reply.iter_mut().flat_map(|topic| &mut topic.partitions) {
                *result = Some(error.clone());
            }
            records.clear();
        }
        Outcome { records, reply }
    }

    fn reassign(
        &self,
        name: &str,
        (index, target): &PartitionTarget,
        allow_replication_factor_change: bool,
    ) -> Result<Option<PartitionChangeRecord>, ApiError> {
        let unknown = |message| ApiError::new(ErrorCode::UnknownTopicOrPartition, message);
        let topic =
            self.image.topic(name).ok_or_else(|| unknown(format!("Unable to find a topic named {name}.")))?;
        let partition = topic
            .partition(*index)
            .ok_or_else(|| unknown(format!("Unable to find partition {name}:{index}.")))?;
        let Some(target) = target else {
            return self.cancel_reassignment(topic, *index, partition);
        };
        self.image.check_assignment(target, None)?;
        if !allow_replication_factor_change {
            check_replication_factor(partition, target)?;
        }
        let missing = |from: &[BrokerId], in_: &[BrokerId]| -> Vec<BrokerId> {
            let ids: BTreeSet<_> = from.iter().filter(|id| !in_.contains(id)).copied().collect();
            ids.into_iter().collect()
        };
        let removing = missing(&partition.replicas, target);
        let adding = missing(target, &partition.replicas);
        let mut change = self.change(topic.id, topic, *index, partition);
        change.replicas = target.iter().chain(&removing).copied().collect();
        if !removing.is_empty() {
            change.removing = removing;
        }
        if !adding.is_empty() {
            change.adding = adding;
        }
        Ok(change.build())
    }

    fn cancel_reassignment(
        &self,
        topic: &Topic,
        index: i32,
        partition: &Partition,
    ) -> Result<Option<PartitionChangeRecord>, ApiError> {
        if !partition.is_reassigning() {
            return Err(ApiError::silent(ErrorCode::NoReassignmentInProgress));
        }
        let refuse = |reason: String| ApiError::new(ErrorCode::InvalidReplicaAssignment, reason);
        let without_added = |ids: &[BrokerId]| -> Vec<BrokerId> {
            let stays = |id: &&BrokerId| !partition.adding_replicas.contains(id);
            ids.iter().filter(stays).copied().collect()
        };
        let replicas = without_added(&partition.replicas);
        let mut isr = without_added(&partition.isr);
        let unclean_enabled = self.unclean_election_enabled(&topic.name);
        if isr.is_empty() {
            // Only brokers that were being added are in sync: going back loses what the others lack.
            let first = *replicas.first().ok_or_else(|| {
                refuse("Invalid replica assignment: addingReplicas contains all replicas.".to_owned())
            })?;
            if !unclean_enabled {
                return Err(refuse(format!(
                    "Unable to revert partition assignment for {}:{index} because it would require an unclean \
                     leader election.",
                    topic.name
                )));
            }
            isr.push(first);
        }
        let mut change = self.change(topic.id, topic, index, partition);
        if unclean_enabled {
            change.election = Election::Unclean;
        }
        change.isr = isr;
        change.replicas = replicas;
        change.removing.clear();
        change.adding.clear();
        Ok(change.build())
    }

    fn change<'a>(
        &'a self,
        topic_id: TopicId,
        topic: &Topic,
        index: i32,
        partition: &'a Partition,
    ) -> PartitionChange<'a> {
        PartitionChange::new(&self.image, topic_id, index, partition, self.effective_min_isr(topic))
    }
}

fn check_replication_factor(partition: &Partition, target: &[BrokerId]) -> Result<(), ApiError> {
    let current = if partition.is_reassigning() {
        let all: BTreeSet<_> = partition.replicas.iter().chain(&partition.adding_replicas).collect();
        all.into_iter().filter(|id| !partition.removing_replicas.contains(id)).count()
    } else {
        partition.replicas.len()
    };
    if current == target.len() {
        return Ok(());
    }
    Err(ApiError::new(
        ErrorCode::InvalidReplicationFactor,
        format!("The replication factor is changed from {current} to {}", target.len()),
    ))
}

#[cfg(test)]
#[path = "reassignments_tests.rs"]
mod tests;
