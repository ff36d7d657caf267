//! `ListConfigResources`: its first version listed client metrics only (KIP-714, KIP-1142).

use kafka_protocol::messages::ListConfigResourcesRequest;

const RESOURCE_TYPES_FROM: i16 = 1;
const CLIENT_METRICS: i8 = 16;

/// After it, no resource types mean all of them.
pub(crate) fn upgrade(request: &mut ListConfigResourcesRequest, version: i16) {
    if version < RESOURCE_TYPES_FROM {
        request.resource_types = vec![CLIENT_METRICS];
    }
}
