//! What brokers report about their replicas: AlterPartition (KIP-497) and AssignReplicasToDirs (KIP-858).

use std::collections::{BTreeMap, BTreeSet};

use model::ErrorCode;

use crate::command::{
    AlterPartition, AlteredPartition, ApiError, AssignReplicasToDirs, AssignedReplica, Outcome, PartitionIsr,
};
use crate::controller::Controller;
use crate::image::{LeaderRecoveryState, Partition, Topic};
use crate::partition_change::{Election, PartitionChange};
use crate::record::MetadataRecord;

impl Controller {
    /// A leader changes the ISR of partitions that it leads.
    pub fn alter_partition(
        &self,
        command: AlterPartition,
    ) -> Outcome<Result<Vec<AlteredPartition>, ApiError>> {
        if let Err(error) = self.check_broker_epoch(command.broker_id, command.broker_epoch) {
            return Outcome::only(Err(error));
        }
        let mut records = Vec::new();
        let mut reply = Vec::with_capacity(command.partitions.len());
        for wanted in &command.partitions {
            reply.push(AlteredPartition {
                topic_id: wanted.topic_id,
                partition: wanted.partition,
                result: self.alter_one(&command, wanted, &mut records),
            });
        }
        Outcome { records, reply: Ok(reply) }
    }

    fn alter_one(
        &self,
        command: &AlterPartition,
        wanted: &PartitionIsr,
        records: &mut Vec<MetadataRecord>,
    ) -> Result<Partition, ErrorCode> {
        let topic = self.image.topic_by_id(wanted.topic_id).ok_or(ErrorCode::UnknownTopicId)?;
        let partition = topic.partition(wanted.partition).ok_or(ErrorCode::UnknownTopicOrPartition)?;
        let recovery_state = self.check_isr(command, wanted, partition)?;
        let min_isr = self.effective_min_isr(topic);
        let mut change = PartitionChange::new(&self.image, topic.id, wanted.partition, partition, min_isr);
        if self.unclean_election_enabled(&topic.name) {
            change.election = Election::Unclean;
        }
        change.isr = wanted.isr.iter().map(|(id, _)| *id).collect();
        change.set_recovery_state(recovery_state);
        let Some(record) = change.build() else {
            return Ok(partition.as_ref().clone());
        };
        let merged = partition.merge(&record).or(Err(ErrorCode::UnknownServerError))?;
        let leader = record.leader;
        records.push(MetadataRecord::PartitionChange(record));
        // The change ended a reassignment that takes the leader away: it has to look again.
        if leader.is_some_and(|leader| leader != command.broker_id) {
            return Err(ErrorCode::NewLeaderElected);
        }
        Ok(merged)
    }

    fn check_isr(
        &self,
        command: &AlterPartition,
        wanted: &PartitionIsr,
        partition: &Partition,
    ) -> Result<LeaderRecoveryState, ErrorCode> {
        // A leader that knows later epochs than this controller has found an old controller.
        if wanted.leader_epoch > partition.leader_epoch || wanted.partition_epoch > partition.partition_epoch
        {
            return Err(ErrorCode::NotController);
        }
        if wanted.leader_epoch < partition.leader_epoch {
            return Err(ErrorCode::FencedLeaderEpoch);
        }
        if command.broker_id != partition.leader {
            return Err(ErrorCode::InvalidRequest);
        }
        if wanted.partition_epoch < partition.partition_epoch {
            return Err(ErrorCode::InvalidUpdateVersion);
        }
        let isr: BTreeSet<_> = wanted.isr.iter().map(|(id, _)| *id).collect();
        let is_valid = !isr.is_empty()
            && isr.len() == wanted.isr.len()
            && isr.iter().all(|id| partition.replicas.contains(id))
            && isr.contains(&partition.leader);
        if !is_valid {
            return Err(ErrorCode::InvalidRequest);
        }
        let state = LeaderRecoveryState::from_value(wanted.leader_recovery_state)
            .or(Err(ErrorCode::InvalidRequest))?;
        let begins_recovery = partition.leader_recovery_state == LeaderRecoveryState::Recovered;
        if state == LeaderRecoveryState::Recovering && (isr.len() > 1 || begins_recovery) {
            return Err(ErrorCode::InvalidRequest);
        }
        let is_eligible = |(id, epoch): &(_, i64)| {
            let broker = self.image.broker(*id);
            broker.is_some_and(|broker| broker.is_active() && (*epoch == -1 || *epoch == broker.epoch))
        };
        if !wanted.isr.iter().all(is_eligible) {
            return Err(ErrorCode::IneligibleReplica);
        }
        Ok(state)
    }

    /// A broker tells in which log directories its replicas are.
    pub fn assign_replicas_to_dirs(
        &self,
        command: AssignReplicasToDirs,
    ) -> Outcome<Result<Vec<AssignedReplica>, ApiError>> {
        if !self.image.record_version().has_directories() {
            let message = "Directory assignment is not supported yet.";
            return Outcome::only(Err(ApiError::new(ErrorCode::UnsupportedVersion, message)));
        }
        let broker = match self.check_broker_epoch(command.broker_id, command.broker_epoch) {
            Ok(broker) => broker,
            Err(error) => return Outcome::only(Err(error)),
        };
        let mut records = Vec::new();
        let mut offline = BTreeMap::new();
        let mut reply = Vec::with_capacity(command.replicas.len());
        for (directory, topic_id, index) in &command.replicas {
            let topic = self.image.topic_by_id(*topic_id);
            let found = topic.and_then(|topic| Some((topic, topic.partition(*index)?)));
            let error = match (topic, found) {
                (None, _) => Some(ErrorCode::UnknownTopicId),
                (Some(_), None) => Some(ErrorCode::UnknownTopicOrPartition),
                (_, Some((_, partition))) if !partition.replicas.contains(&command.broker_id) => {
                    Some(ErrorCode::NotLeaderOrFollower)
                }
                (_, Some((topic, partition))) => {
                    let min_isr = self.effective_min_isr(topic);
                    let mut change = PartitionChange::new(&self.image, *topic_id, *index, partition, min_isr);
                    change.set_directory(command.broker_id, *directory);
                    records.extend(change.build().map(MetadataRecord::PartitionChange));
                    if !broker.has_online_dir(*directory) {
                        offline.insert((*topic_id, *index), (topic, partition));
                    }
                    None
                }
            };
            reply.push(AssignedReplica {
                directory: *directory,
                topic_id: *topic_id,
                partition: *index,
                error,
            });
        }
        let offline = offline.into_iter().map(|((_, index), (topic, partition))| {
            let topic: &Topic = topic;
            (topic, index, partition.as_ref())
        });
        self.leave_isr(Some(command.broker_id), None, None, offline, &mut records);
        Outcome { records, reply: Ok(reply) }
    }
}

#[cfg(test)]
#[path = "alter_partition_tests.rs"]
mod tests;
