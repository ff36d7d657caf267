//! `ElectLeaders`: the first version has no top-level error.

use kafka_protocol::messages::ElectLeadersResponse;

pub(crate) fn downgrade(response: &mut ElectLeadersResponse, version: i16) {
    if version < 1 {
        response.error_code = 0;
    }
}
