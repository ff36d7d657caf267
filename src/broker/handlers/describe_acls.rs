//! DescribeAcls: without an authorizer it is refused, in Kafka's words (`AclApis`).

use std::sync::Arc;

use model::ErrorCode;
use wire::messages::{DescribeAclsRequest, DescribeAclsResponse};

use super::answer::text;
use crate::context::{Broker, RequestContext};

/// Answers a DescribeAcls request.
pub async fn handle(
    _broker: &Arc<Broker>,
    _context: &RequestContext,
    _request: DescribeAclsRequest,
) -> DescribeAclsResponse {
    DescribeAclsResponse::default()
        .with_error_code(ErrorCode::SecurityDisabled.code())
        .with_error_message(Some(text("No Authorizer is configured on the broker")))
}
