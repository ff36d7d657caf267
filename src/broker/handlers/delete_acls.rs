//! DeleteAcls: without an authorizer it is refused, in Kafka's words (`AclApis`).

use std::sync::Arc;

use model::ErrorCode;
use wire::messages::delete_acls_response::DeleteAclsFilterResult;
use wire::messages::{DeleteAclsRequest, DeleteAclsResponse};

use super::answer::text;
use crate::context::{Broker, RequestContext};

/// Answers a DeleteAcls request.
pub async fn handle(
    _broker: &Arc<Broker>,
    _context: &RequestContext,
    request: DeleteAclsRequest,
) -> DeleteAclsResponse {
    let refused = DeleteAclsFilterResult::default()
        .with_error_code(ErrorCode::SecurityDisabled.code())
        .with_error_message(Some(text("No Authorizer is configured.")));
    DeleteAclsResponse::default().with_filter_results(vec![refused; request.filters.len()])
}
