//! DescribeTopicPartitions: topics page by page (KIP-966; `DescribeTopicPartitionsRequestHandler`).

use std::collections::BTreeSet;
use std::sync::Arc;

use controller::Image;
use controller::image::Topic;
use model::ErrorCode;
use model::topic_name::is_internal;
use wire::messages::describe_topic_partitions_response::{
    Cursor, DescribeTopicPartitionsResponsePartition, DescribeTopicPartitionsResponseTopic,
};
use wire::messages::{DescribeTopicPartitionsRequest, DescribeTopicPartitionsResponse};

use super::answer::{absent_topic_error, node, nodes, offline_replicas, operations, topic_name};
use super::metadata::partition_view;
use crate::context::{Broker, RequestContext};

/// Answers a DescribeTopicPartitions request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DescribeTopicPartitionsRequest,
) -> DescribeTopicPartitionsResponse {
    let image = broker.metadata.image();
    let (first_topic, first_partition) = match &request.cursor {
        Some(cursor) => (&**cursor.topic_name, cursor.partition_index),
        None => ("", 0),
    };
    let all = request.topics.is_empty();
    let names: BTreeSet<&str> = if all {
        image.topics().iter().map(|topic| &*topic.name).filter(|name| *name >= first_topic).collect()
    } else {
        request.topics.iter().map(|topic| &**topic.name).filter(|name| *name >= first_topic).collect()
    };
    let cursor_is_legal =
        request.cursor.is_none() || ((all || names.contains(first_topic)) && first_partition >= 0);
    if !cursor_is_legal {
        return refusal(&request);
    }
    let limit = broker.metadata.config().requests.partitions_per_answer_max;
    let page = Page {
        image: &image,
        all,
        start: |name: &str| if name == first_topic { first_partition } else { 0 },
        remaining: limit.min(request.response_partition_limit).max(1) as usize,
    };
    page.fill(names)
}

/// What one answer may hold.
struct Page<'a, S> {
    image: &'a Image,
    /// Topics were not named: those that vanish meanwhile are left out silently.
    all: bool,
    /// First partition to show of a topic.
    start: S,
    /// Partitions that still fit.
    remaining: usize,
}

impl<S: Fn(&str) -> i32> Page<'_, S> {
    fn fill(mut self, names: BTreeSet<&str>) -> DescribeTopicPartitionsResponse {
        let mut response = DescribeTopicPartitionsResponse::default();
        for name in names {
            if self.remaining == 0 {
                return response.with_next_cursor(Some(cursor(name, 0)));
            }
            match self.image.topic(name) {
                Some(found) => {
                    let (shown, next) = self.describe(found);
                    response.topics.push(shown);
                    if let Some(next) = next {
                        return response.with_next_cursor(Some(cursor(name, next)));
                    }
                }
                None if self.all => {}
                None => response.topics.push(absent(name)),
            }
        }
        response
    }

    /// The topic's partitions that fit, and the first one that did not.
    fn describe(&mut self, topic: &Topic) -> (DescribeTopicPartitionsResponseTopic, Option<i32>) {
        let start = (self.start)(&topic.name);
        let mut partitions = topic.partitions.range(start..);
        let shown: Vec<_> = partitions
            .by_ref()
            .take(self.remaining)
            .map(|(index, state)| {
                DescribeTopicPartitionsResponsePartition::default()
                    .with_partition_index(*index)
                    .with_leader_id(node(partition_view(self.image, state).leader))
                    .with_leader_epoch(state.leader_epoch.value())
                    .with_replica_nodes(nodes(&state.replicas))
                    .with_isr_nodes(nodes(&state.isr))
                    .with_eligible_leader_replicas(Some(nodes(&state.elr)))
                    .with_last_known_elr(Some(nodes(&state.last_known_elr)))
                    .with_offline_replicas(offline_replicas(self.image, state))
            })
            .collect();
        self.remaining -= shown.len();
        let described = DescribeTopicPartitionsResponseTopic::default()
            .with_name(Some(topic_name(&*topic.name)))
            .with_topic_id(topic.id.uuid())
            .with_is_internal(is_internal(&topic.name))
            .with_partitions(shown)
            .with_topic_authorized_operations(operations::TOPIC);
        (described, partitions.next().map(|(index, _)| *index))
    }
}

fn cursor(topic: &str, partition_index: i32) -> Cursor {
    Cursor::default().with_topic_name(topic_name(topic)).with_partition_index(partition_index)
}

fn absent(name: &str) -> DescribeTopicPartitionsResponseTopic {
    DescribeTopicPartitionsResponseTopic::default()
        .with_error_code(absent_topic_error(name).code())
        .with_name(Some(topic_name(name)))
        .with_is_internal(is_internal(name))
        .with_topic_authorized_operations(operations::TOPIC)
}

/// A cursor that points outside of what was asked for.
fn refusal(request: &DescribeTopicPartitionsRequest) -> DescribeTopicPartitionsResponse {
    let topics = request
        .topics
        .iter()
        .map(|topic| {
            DescribeTopicPartitionsResponseTopic::default()
                .with_error_code(ErrorCode::InvalidRequest.code())
                .with_name(Some(topic.name.clone()))
                .with_topic_authorized_operations(operations::OMITTED)
        })
        .collect();
    DescribeTopicPartitionsResponse::default().with_topics(topics)
}
