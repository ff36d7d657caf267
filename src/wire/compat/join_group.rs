//! `JoinGroup`: what a client's version says about how it joins.

use kafka_protocol::messages::{JoinGroupRequest, JoinGroupResponse};
use kafka_protocol::protocol::StrBytes;

const REBALANCE_TIMEOUT_FROM: i16 = 1;
const MEMBER_ID_REQUIRED_FROM: i16 = 4;
const NULL_PROTOCOL_FROM: i16 = 7;
const SKIP_ASSIGNMENT_FROM: i16 = 9;

/// Whether a client of this version comes again with the member id that it is given (KIP-394).
pub const fn member_id_required(version: i16) -> bool {
    version >= MEMBER_ID_REQUIRED_FROM
}

/// Whether a leader of this version can be told that nothing is to be assigned (KIP-814).
pub const fn skip_assignment_known(version: i16) -> bool {
    version >= SKIP_ASSIGNMENT_FROM
}

pub(crate) fn upgrade(request: &mut JoinGroupRequest, version: i16) {
    if version < REBALANCE_TIMEOUT_FROM {
        request.rebalance_timeout_ms = request.session_timeout_ms;
    }
}

pub(crate) fn downgrade(response: &mut JoinGroupResponse, version: i16) {
    if version < SKIP_ASSIGNMENT_FROM {
        response.skip_assignment = false;
    }
    let name = response.protocol_name.take().unwrap_or_default();
    response.protocol_name = match (name.is_empty(), version < NULL_PROTOCOL_FROM) {
        (true, true) => Some(StrBytes::new()),
        (true, false) => None,
        (false, _) => Some(name),
    };
}
