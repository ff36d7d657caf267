//! CreateAcls: without an authorizer it is refused, in Kafka's words (`AclApis`).

use std::sync::Arc;

use model::ErrorCode;
use wire::messages::create_acls_response::AclCreationResult;
use wire::messages::{CreateAclsRequest, CreateAclsResponse};

use super::answer::text;
use crate::context::{Broker, RequestContext};

/// Answers a CreateAcls request.
pub async fn handle(
    _broker: &Arc<Broker>,
    _context: &RequestContext,
    request: CreateAclsRequest,
) -> CreateAclsResponse {
    let refused = AclCreationResult::default()
        .with_error_code(ErrorCode::SecurityDisabled.code())
        .with_error_message(Some(text("No Authorizer is configured.")));
    CreateAclsResponse::default().with_results(vec![refused; request.creations.len()])
}
