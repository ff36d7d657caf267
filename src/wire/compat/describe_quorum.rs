//! `DescribeQuorum`: directories and addresses of voters came with dynamic quorums (KIP-853).

use kafka_protocol::messages::DescribeQuorumResponse;
use uuid::Uuid;

const DYNAMIC_QUORUM_FROM: i16 = 2;

pub(crate) fn downgrade(response: &mut DescribeQuorumResponse, version: i16) {
    if version >= DYNAMIC_QUORUM_FROM {
        return;
    }
    response.nodes.clear();
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        let replicas = partition.current_voters.iter_mut().chain(&mut partition.observers);
        replicas.for_each(|replica| replica.replica_directory_id = Uuid::nil());
    }
}
