//! `LeaveGroup`: one member before version 3, many since (KIP-345).

use kafka_protocol::messages::leave_group_request::MemberIdentity;
use kafka_protocol::messages::{LeaveGroupRequest, LeaveGroupResponse};

const MEMBERS_FROM: i16 = 3;

pub(crate) fn upgrade(request: &mut LeaveGroupRequest, version: i16) {
    if version < MEMBERS_FROM {
        let only = MemberIdentity::default().with_member_id(std::mem::take(&mut request.member_id));
        request.members = vec![only];
    }
}

pub(crate) fn downgrade(response: &mut LeaveGroupResponse, version: i16) {
    if version >= MEMBERS_FROM {
        return;
    }
    let only = std::mem::take(&mut response.members).into_iter().next();
    if response.error_code == 0 {
        response.error_code = only.map_or(0, |member| member.error_code);
    }
}
