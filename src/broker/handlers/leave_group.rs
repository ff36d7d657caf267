//! LeaveGroup (`KafkaApis.handleLeaveGroupRequest`).

use std::sync::Arc;

use coordinator::group::{LeaveReply, LeaveRequest, LeavingMember, Reply, Request};
use wire::messages::leave_group_response::MemberResponse;
use wire::messages::{LeaveGroupRequest, LeaveGroupResponse};

use super::answer::text;
use super::groups::{owned, owned_option};
use crate::context::{Broker, RequestContext};

/// Answers a LeaveGroup request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: LeaveGroupRequest,
) -> LeaveGroupResponse {
    let members = request.members.iter().map(|member| LeavingMember {
        member_id: owned(&member.member_id),
        instance_id: owned_option(member.group_instance_id.as_ref()),
        reason: owned_option(member.reason.as_ref()),
    });
    let leave = LeaveRequest { group_id: owned(&request.group_id), members: members.collect() };
    match broker.groups.ask(Request::Leave(leave)).await {
        Ok(Reply::Leave(reply)) => response(reply),
        Ok(other) => unreachable!("LeaveGroup was answered {other:?}"),
        Err(code) => response(LeaveReply { error: code, members: Vec::new() }),
    }
}

fn response(reply: LeaveReply) -> LeaveGroupResponse {
    let members = reply.members.into_iter().map(|(member, code)| {
        MemberResponse::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.instance_id.map(text))
            .with_error_code(code.code())
    });
    LeaveGroupResponse::default().with_error_code(reply.error.code()).with_members(members.collect())
}
