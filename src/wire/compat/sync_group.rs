//! `SyncGroup`: since version 5 a member says which protocol it takes its group to have chosen (KIP-559).

use kafka_protocol::messages::{SyncGroupRequest, SyncGroupResponse};
use model::ErrorCode;

const PROTOCOL_FROM: i16 = 5;

pub(crate) fn upgrade(request: &SyncGroupRequest, version: i16) -> Result<(), Box<SyncGroupResponse>> {
    if version >= PROTOCOL_FROM && (request.protocol_type.is_none() || request.protocol_name.is_none()) {
        let refusal =
            SyncGroupResponse::default().with_error_code(ErrorCode::InconsistentGroupProtocol.code());
        return Err(Box::new(refusal));
    }
    Ok(())
}
