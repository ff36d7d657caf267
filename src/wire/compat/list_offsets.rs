//! `ListOffsets`: special timestamps and the leader epoch came one by one.

use kafka_protocol::messages::{ListOffsetsRequest, ListOffsetsResponse};

const LEADER_EPOCH_FROM: i16 = 4;
const NO_EPOCH: i32 = -1;

/// What a special timestamp becomes that the client's version does not have. As any other negative timestamp without
/// a meaning, its answer is `UNSUPPORTED_VERSION` for that partition.
pub const UNSUPPORTED_TIMESTAMP: i64 = i64::MIN;

/// Special timestamps and the first version that has each (`ReplicaManager.timestampMinSupportedVersion`).
const SPECIAL_TIMESTAMPS: [(i64, i16); 5] = [
    (-1, 1), // latest
    (-2, 1), // earliest
    (-3, 7), // of the largest timestamp (KIP-734)
    (-4, 8), // earliest on local disk (KIP-405)
    (-5, 9), // latest in tiered storage (KIP-1005)
];

pub(crate) fn upgrade(request: &mut ListOffsetsRequest, version: i16) {
    let partitions = request.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    for partition in partitions.filter(|partition| partition.timestamp < 0) {
        let known = SPECIAL_TIMESTAMPS.iter().find(|(special, _)| *special == partition.timestamp);
        if known.is_none_or(|(_, from)| version < *from) {
            partition.timestamp = UNSUPPORTED_TIMESTAMP;
        }
    }
}

pub(crate) fn downgrade(response: &mut ListOffsetsResponse, version: i16) {
    if version >= LEADER_EPOCH_FROM {
        return;
    }
    for partition in response.topics.iter_mut().flat_map(|topic| &mut topic.partitions) {
        partition.leader_epoch = NO_EPOCH;
    }
}
