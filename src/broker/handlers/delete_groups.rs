//! DeleteGroups (KIP-229; `KafkaApis.handleDeleteGroupsRequest`).

use std::collections::HashSet;
use std::sync::Arc;

use coordinator::group::{Reply, Request};
use wire::messages::delete_groups_response::DeletableGroupResult;
use wire::messages::{DeleteGroupsRequest, DeleteGroupsResponse};

use super::groups::owned;
use crate::context::{Broker, RequestContext};

/// Answers a DeleteGroups request once it is on disk.
pub async fn handle(
    broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DeleteGroupsRequest,
) -> DeleteGroupsResponse {
    let mut seen = HashSet::new();
    let mut results = Vec::with_capacity(request.groups_names.len());
    for id in request.groups_names.iter().filter(|id| seen.insert(id.as_str())) {
        let code = match broker.groups.ask(Request::DeleteGroup { group_id: owned(id) }).await {
            Ok(Reply::DeleteGroup(code)) | Err(code) => code,
            Ok(other) => unreachable!("DeleteGroups was answered {other:?}"),
        };
        let result = DeletableGroupResult::default().with_group_id(id.clone()).with_error_code(code.code());
        results.push(result);
    }
    DeleteGroupsResponse::default().with_results(results)
}
