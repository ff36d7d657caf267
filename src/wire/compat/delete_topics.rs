//! `DeleteTopics`: names gave way to names or ids (KIP-516).

use kafka_protocol::messages::delete_topics_request::DeleteTopicState;
use kafka_protocol::messages::{DeleteTopicsRequest, DeleteTopicsResponse, TopicName};
use model::ErrorCode;

const TOPIC_STATES_FROM: i16 = 6;
const DELETION_DISABLED_FROM: i16 = 3;

pub(crate) fn upgrade(request: &mut DeleteTopicsRequest, version: i16) {
    if version < TOPIC_STATES_FROM {
        let names = std::mem::take(&mut request.topic_names).into_iter();
        let states = names.map(|name| DeleteTopicState::default().with_name(Some(name)));
        request.topics = states.collect();
    }
}

pub(crate) fn downgrade(response: &mut DeleteTopicsResponse, version: i16) {
    for result in &mut response.responses {
        if version < TOPIC_STATES_FROM && result.name.is_none() {
            result.name = Some(TopicName::default());
        }
        if version < DELETION_DISABLED_FROM && result.error_code == ErrorCode::TopicDeletionDisabled.code() {
            result.error_code = ErrorCode::InvalidRequest.code();
        }
    }
}
