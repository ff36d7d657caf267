//! SyncGroup (`KafkaApis.handleSyncGroupRequest`).

use std::sync::Arc;

use coordinator::group::{Reply, Request, SyncReply, SyncRequest};
use wire::messages::{SyncGroupRequest, SyncGroupResponse};

use super::answer::text;
use super::groups::{owned, owned_bytes, owned_option};
use crate::context::{Broker, RequestContext};

/// Answers a SyncGroup request once the leader has sent the assignments.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: SyncGroupRequest,
) -> SyncGroupResponse {
    let assignments = request.assignments.iter();
    let sync = SyncRequest {
        group_id: owned(&request.group_id),
        generation: request.generation_id,
        member_id: owned(&request.member_id),
        instance_id: owned_option(request.group_instance_id.as_ref()),
        protocol_type: owned_option(request.protocol_type.as_ref()),
        protocol_name: owned_option(request.protocol_name.as_ref()),
        assignments: assignments
            .map(|member| (owned(&member.member_id), owned_bytes(&member.assignment)))
            .collect(),
    };
    // The frame is not kept while the member waits for the leader.
    drop(request);
    match broker.groups.ask(Request::Sync(sync)).await {
        Ok(Reply::Sync(reply)) => response(reply),
        Ok(other) => unreachable!("SyncGroup was answered {other:?}"),
        Err(code) => response(SyncReply::error(code)),
    }
}

fn response(reply: SyncReply) -> SyncGroupResponse {
    SyncGroupResponse::default()
        .with_error_code(reply.error.code())
        .with_protocol_type(reply.protocol_type.map(text))
        .with_protocol_name(reply.protocol_name.map(text))
        .with_assignment(reply.assignment)
}
