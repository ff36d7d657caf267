//! `DescribeGroups`: before version 6 a group that is not there is one that has died (KIP-1043).

use kafka_protocol::messages::DescribeGroupsResponse;
use model::ErrorCode;

const NOT_FOUND_FROM: i16 = 6;
const AUTHORIZED_OPERATIONS_FROM: i16 = 3;
/// "Not asked for" (KIP-430).
const OPERATIONS_OMITTED: i32 = i32::MIN;

/// Handlers tell the operations of an absent group as well: old versions show them.
pub(crate) fn downgrade(response: &mut DescribeGroupsResponse, version: i16) {
    for group in &mut response.groups {
        let is_absent = group.error_code == ErrorCode::GroupIdNotFound.code();
        if version < NOT_FOUND_FROM {
            group.error_message = None;
            if is_absent {
                group.error_code = 0;
            }
        }
        if version < AUTHORIZED_OPERATIONS_FROM || (version >= NOT_FOUND_FROM && is_absent) {
            group.authorized_operations = OPERATIONS_OMITTED;
        }
    }
}
