//! DeleteTopics, by name or by id (`ControllerApis.deleteTopics`).

use std::collections::{BTreeMap, BTreeSet};

use model::{ErrorCode, TopicId};

use crate::command::{ApiError, DeleteTopics, DeletedTopic, Outcome};
use crate::controller::{Controller, too_many_records};
use crate::record::{MetadataRecord, RemoveTopicRecord};

impl Controller {
    /// Deletes topics. The order of the reply says nothing; Kafka even shuffles it.
    pub fn delete_topics(&self, command: DeleteTopics) -> Outcome<Vec<DeletedTopic>> {
        let mut reply = Vec::new();
        let mut names = Mentions::default();
        let mut ids = Mentions::default();
        for topic in command.topics {
            match (topic.name, topic.id.is_zero()) {
                (Some(name), true) => names.add(name),
                (None, false) => ids.add(topic.id),
                (None, true) => reply.push(refused(
                    None,
                    TopicId::ZERO,
                    invalid("Neither topic name nor id were specified."),
                )),
                (Some(name), false) => reply.push(refused(
                    Some(name),
                    topic.id,
                    invalid("You may not specify both topic name and topic id."),
                )),
            }
        }
        for name in &names.many {
            let error = invalid("Duplicate topic name.");
            reply.push(refused(Some(name.clone()), TopicId::ZERO, error));
        }
        for id in &ids.many {
            reply.push(refused(None, *id, invalid("Duplicate topic id.")));
        }
        let doomed = self.resolve(names, ids, &mut reply);
        let records: Vec<_> = doomed
            .keys()
            .map(|id| MetadataRecord::RemoveTopic(RemoveTopicRecord { topic_id: *id, unknown: Vec::new() }))
            .collect();
        let error = too_many_records(&records);
        reply.extend(doomed.into_iter().map(|(id, name)| DeletedTopic {
            name: Some(name),
            id,
            error: error.clone(),
        }));
        match error {
            None => Outcome { records, reply },
            Some(_) => Outcome::only(reply),
        }
    }

    /// The topics that exist and were asked for once; all others are answered.
    fn resolve(
        &self,
        names: Mentions<String>,
        mut ids: Mentions<TopicId>,
        reply: &mut Vec<DeletedTopic>,
    ) -> BTreeMap<TopicId, String> {
        let mut doomed = BTreeMap::new();
        for id in ids.once {
            match self.image.topic_by_id(id) {
                Some(topic) => {
                    doomed.insert(id, topic.name.to_string());
                }
                None => reply.push(refused(None, id, unknown_id())),
            }
        }
        for name in names.once {
            let Some(topic) = self.image.topic(&name) else {
                reply.push(refused(Some(name), TopicId::ZERO, unknown_name()));
                continue;
            };
            // Its id was given as well: then neither mention counts.
            if ids.many.contains(&topic.id) || doomed.insert(topic.id, name.clone()).is_some() {
                ids.many.insert(topic.id);
                doomed.remove(&topic.id);
                let error = invalid("The provided topic name maps to an ID that was already supplied.");
                reply.push(refused(Some(name), topic.id, error));
            }
        }
        doomed
    }
}

/// What was mentioned once, and what more than once.
struct Mentions<T> {
    once: BTreeSet<T>,
    many: BTreeSet<T>,
}

impl<T> Default for Mentions<T> {
    fn default() -> Self {
        Self { once: BTreeSet::new(), many: BTreeSet::new() }
    }
}

impl<T: Ord> Mentions<T> {
    fn add(&mut self, item: T) {
        if self.many.contains(&item) {
            return;
        }
        if let Some(item) = self.once.take(&item) {
            self.many.insert(item);
        } else {
            self.once.insert(item);
        }
    }
}

pub(crate) fn unknown_name() -> ApiError {
    let message = "This server does not host this topic-partition.";
    ApiError::new(ErrorCode::UnknownTopicOrPartition, message)
}

fn unknown_id() -> ApiError {
    ApiError::new(ErrorCode::UnknownTopicId, "This server does not host this topic ID.")
}

fn invalid(message: &str) -> ApiError {
    ApiError::new(ErrorCode::InvalidRequest, message)
}

fn refused(name: Option<String>, id: TopicId, error: ApiError) -> DeletedTopic {
    DeletedTopic { name, id, error: Some(error) }
}

#[cfg(test)]
#[path = "delete_topics_tests.rs"]
mod tests;
