//! ElectLeaders (`ReplicationControlManager.electLeaders`).

use model::ErrorCode;

use crate::command::{ApiError, ElectLeaders, ElectionType, Outcome, TopicPartitionResults};
use crate::controller::{Controller, too_many_records};
use crate::image::Topic;
use crate::partition_change::{Election, PartitionChange};
use crate::record::MetadataRecord;

impl Controller {
    /// Elects leaders. When all partitions are asked for, those that need no election are left out.
    pub fn elect_leaders(&self, command: ElectLeaders) -> Outcome<Vec<TopicPartitionResults>> {
        let mut records = Vec::new();
        let mut elect = |name: &str, topic: Option<&Topic>, index: i32| match self.elect_leader(
            name,
            topic,
            index,
            command.election,
        ) {
            Ok(record) => {
                records.push(record);
                None
            }
            Err(error) => Some(error),
        };
        let mut reply: Vec<_> = match &command.partitions {
            None => self
                .image
                .topics()
                .iter()
                .map(|topic| TopicPartitionResults {
                    name: topic.name.to_string(),
                    partitions: topic
                        .partitions
                        .keys()
                        .map(|index| (*index, elect(&topic.name, Some(topic), *index)))
                        .filter(|(_, error)| !is_not_needed(error.as_ref()))
                        .collect(),
                })
                .collect(),
            Some(topics) => topics
                .iter()
                .map(|(name, partitions)| {
                    let topic = self.image.topic(name).map(AsRef::as_ref);
                    TopicPartitionResults {
                        name: name.clone(),
                        partitions: partitions
                            .iter()
                            .map(|index| (*index, elect(name, topic, *index)))
                            .collect(),
                    }
                })
                .collect(),
        };
        if let Some(error) = too_many_records(&records) {
            for (_, result) in reply.iter_mut().flat_map(|topic| &mut topic.partitions) {
                *result = Some(error.clone());
            }
            records.clear();
        }
        Outcome { records, reply }
    }

    fn elect_leader(
        &self,
        name: &str,
        topic: Option<&Topic>,
        index: i32,
        election: ElectionType,
    ) -> Result<MetadataRecord, ApiError> {
        let unknown = |message| ApiError::new(ErrorCode::UnknownTopicOrPartition, message);
        let topic = topic.ok_or_else(|| unknown(format!("No such topic as {name}")))?;
        let partition =
            topic.partition(index).ok_or_else(|| unknown(format!("No such partition as {name}-{index}")))?;
        let is_needed = match election {
            ElectionType::Preferred => !partition.has_preferred_leader(),
            ElectionType::Unclean => !partition.has_leader(),
        };
        if !is_needed {
            return Err(ApiError::new(
                ErrorCode::ElectionNotNeeded,
                "Leader election not needed for topic partition.",
            ));
        }
        let min_isr = self.effective_min_isr(topic);
        let mut change = PartitionChange::new(&self.image, topic.id, index, partition, min_isr);
        change.election = match election {
            ElectionType::Preferred => Election::Preferred,
            ElectionType::Unclean => Election::Unclean,
        };
        change.build().map(MetadataRecord::PartitionChange).ok_or_else(|| match election {
            ElectionType::Preferred => ApiError::new(
                ErrorCode::PreferredLeaderNotAvailable,
                "The preferred leader was not available.",
            ),
            ElectionType::Unclean => ApiError::new(
                ErrorCode::EligibleLeadersNotAvailable,
                "Eligible topic partition leaders are not available.",
            ),
        })
    }
}

fn is_not_needed(error: Option<&ApiError>) -> bool {
    error.is_some_and(|error| error.code == ErrorCode::ElectionNotNeeded)
}

#[cfg(test)]
#[path = "elect_leaders_tests.rs"]
mod tests;
