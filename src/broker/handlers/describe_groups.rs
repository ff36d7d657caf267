//! DescribeGroups: classic groups with their members (`KafkaApis.handleDescribeGroupsRequest`).

use std::sync::Arc;

use coordinator::group::{DescribedGroup as Described, Refusal};
use model::ErrorCode;
use wire::messages::describe_groups_response::{DescribedGroup, DescribedGroupMember};
use wire::messages::{DescribeGroupsRequest, DescribeGroupsResponse};

use super::answer::{operations, text};
use crate::context::{Broker, RequestContext};

/// Answers a DescribeGroups request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DescribeGroupsRequest,
) -> DescribeGroupsResponse {
    let allowed = if request.include_authorized_operations { operations::GROUP } else { operations::OMITTED };
    let mut groups = Vec::with_capacity(request.groups.len());
    for id in request.groups {
        let looked = broker.groups.look(&id, |shard, _context| shard.describe_classic(&id)).await;
        let answer = DescribedGroup::default().with_group_id(id.clone());
        groups.push(match looked {
            Ok(Ok(found)) => described(answer, found).with_authorized_operations(allowed),
            Ok(Err(Refusal { code: ErrorCode::GroupIdNotFound, message })) => answer
                .with_error_code(ErrorCode::GroupIdNotFound.code())
                .with_error_message(message.map(text))
                .with_group_state(text(DEAD))
                .with_authorized_operations(allowed),
            Ok(Err(Refusal { code, .. })) | Err(code) => answer.with_error_code(code.code()),
        });
    }
    DescribeGroupsResponse::default().with_groups(groups)
}

/// The state of a group that is not there.
const DEAD: &str = "Dead";

fn described(answer: DescribedGroup, group: Described) -> DescribedGroup {
    let members = group.members.into_iter().map(|member| {
        DescribedGroupMember::default()
            .with_member_id(text(member.member_id))
            .with_group_instance_id(member.instance_id.map(text))
            .with_client_id(text(member.client_id))
            .with_client_host(text(member.client_host))
            .with_member_metadata(member.metadata)
            .with_member_assignment(member.assignment)
    });
    answer
        .with_group_state(text(group.state))
        .with_protocol_type(text(group.protocol_type))
        .with_protocol_data(text(group.protocol))
        .with_members(members.collect())
}
