//! Heartbeat (`KafkaApis.handleHeartbeatRequest`).

use std::sync::Arc;

use coordinator::group::{HeartbeatRequest as GroupHeartbeat, Reply, Request};
use model::ErrorCode;
use wire::messages::{HeartbeatRequest, HeartbeatResponse};

use super::groups::{owned, owned_option};
use crate::context::{Broker, RequestContext};

/// Answers a Heartbeat request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: HeartbeatRequest,
) -> HeartbeatResponse {
    let heartbeat = GroupHeartbeat {
        group_id: owned(&request.group_id),
        generation: request.generation_id,
        member_id: owned(&request.member_id),
        instance_id: owned_option(request.group_instance_id.as_ref()),
    };
    let code = match broker.groups.ask(Request::Heartbeat(heartbeat)).await {
        Ok(Reply::Heartbeat(code)) => code,
        Ok(other) => unreachable!("Heartbeat was answered {other:?}"),
        // Whoever is a member stays one: it gets a full session once the group is loaded.
        Err(ErrorCode::CoordinatorLoadInProgress) => ErrorCode::None,
        Err(code) => code,
    };
    HeartbeatResponse::default().with_error_code(code.code())
}
