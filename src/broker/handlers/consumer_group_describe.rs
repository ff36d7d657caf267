//! ConsumerGroupDescribe (KIP-848, KIP-1099; `KafkaApis.handleConsumerGroupDescribe`).

use std::sync::Arc;

use model::ErrorCode;
use wire::messages::consumer_group_describe_response::DescribedGroup;
use wire::messages::{ConsumerGroupDescribeRequest, ConsumerGroupDescribeResponse};

use crate::context::{Broker, RequestContext};

/// Answers a ConsumerGroupDescribe request.
pub async fn handle(
    _broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ConsumerGroupDescribeRequest,
) -> ConsumerGroupDescribeResponse {
    let groups = request.group_ids.into_iter().map(|id| {
        DescribedGroup::default().with_group_id(id).with_error_code(ErrorCode::UnsupportedVersion.code())
    });
    ConsumerGroupDescribeResponse::default().with_groups(groups.collect())
}
