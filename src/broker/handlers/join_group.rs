//! JoinGroup (`KafkaApis.handleJoinGroupRequest`).

use std::sync::Arc;

use coordinator::group::{JoinReply, JoinRequest, Reply, Request};
use wire::compat::join_group::{member_id_required, skip_assignment_known};
use wire::messages::join_group_response::JoinGroupResponseMember;
use wire::messages::{JoinGroupRequest, JoinGroupResponse};

use super::answer::text;
use super::groups::{client, fresh_id, owned, owned_bytes, owned_option};
use crate::context::{Broker, RequestContext};

/// Answers a JoinGroup request once the group's members are known.
pub async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: JoinGroupRequest,
) -> JoinGroupResponse {
    let version = context.header.api_version;
    let member_id = owned(&request.member_id);
    let protocols = request.protocols.iter();
    let join = JoinRequest {
        client: client(context),
        group_id: owned(&request.group_id),
        member_id: member_id.clone(),
        fresh_id: fresh_id(&request.member_id),
        instance_id: owned_option(request.group_instance_id.as_ref()),
        session_timeout_ms: request.session_timeout_ms,
        rebalance_timeout_ms: request.rebalance_timeout_ms,
        protocol_type: owned(&request.protocol_type),
        protocols: protocols
            .map(|protocol| (owned(&protocol.name), owned_bytes(&protocol.metadata)))
            .collect(),
        reason: owned_option(request.reason.as_ref()),
        member_id_required: member_id_required(version),
        skip_assignment_known: skip_assignment_known(version),
    };
    // The frame is not kept while the member waits for others.
    drop(request);
    match broker.groups.ask(Request::Join(join)).await {
        Ok(Reply::Join(reply)) => response(reply),
        Ok(other) => unreachable!("JoinGroup was answered {other:?}"),
        Err(code) => response(JoinReply::error(code, member_id)),
    }
}

fn response(reply: JoinReply) -> JoinGroupResponse {
    let members = reply.members.into_iter().map(|member| {
        JoinGroupResponseMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.instance_id.map(text))
            .with_metadata(member.metadata)
    });
    JoinGroupResponse::default()
        .with_error_code(reply.error.code())
        .with_generation_id(reply.generation)
        .with_protocol_type(reply.protocol_type.map(text))
        .with_protocol_name(reply.protocol_name.map(text))
        .with_leader(text(reply.leader))
        .with_skip_assignment(reply.skip_assignment)
        .with_member_id(text(reply.member_id))
        .with_members(members.collect())
}
