//! ListGroups (KIP-518, KIP-848; `KafkaApis.handleListGroupsRequest`).

use std::sync::Arc;

use wire::messages::list_groups_response::ListedGroup;
use wire::messages::{ListGroupsRequest, ListGroupsResponse};

use super::answer::text;
use super::groups::{group_id, owned};
use crate::context::{Broker, RequestContext};

/// Answers a ListGroups request.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: ListGroupsRequest,
) -> ListGroupsResponse {
    let states: Vec<String> = request.states_filter.iter().map(owned).collect();
    let types: Vec<String> = request.types_filter.iter().map(owned).collect();
    match broker.groups.look_at_all(|shard, _context| shard.list(&states, &types)).await {
        Ok(listed) => {
            let groups = listed.into_iter().flatten().map(|group| {
                ListedGroup::default()
                    .with_group_id(group_id(group.group_id))
                    .with_protocol_type(text(group.protocol_type))
                    .with_group_state(text(group.state))
                    .with_group_type(text(group.group_type))
            });
            ListGroupsResponse::default().with_groups(groups.collect())
        }
        Err(code) => ListGroupsResponse::default().with_error_code(code.code()),
    }
}
