//! `DescribeCluster`: controllers as endpoints (KIP-919), fenced brokers (KIP-1073).

use kafka_protocol::messages::DescribeClusterResponse;

const ENDPOINT_TYPE_FROM: i16 = 1;
const ENDPOINT_TYPE_BROKERS: i8 = 1;
const FENCED_FROM: i16 = 2;

pub(crate) fn downgrade(response: &mut DescribeClusterResponse, version: i16) {
    if version < ENDPOINT_TYPE_FROM {
        response.endpoint_type = ENDPOINT_TYPE_BROKERS;
    }
    if version < FENCED_FROM {
        // Such a client cannot ask for fenced brokers, and would take one for alive.
        response.brokers.retain(|broker| !broker.is_fenced);
    }
}
