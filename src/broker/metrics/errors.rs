//! The error codes in an answer (`AbstractResponse.errorCounts`).

use wire::response::Response;

/// Shows `see` every error code of the answer, those of success too.
pub(super) fn visit(response: &Response, see: &mut impl FnMut(i16)) {
    match response {
        Response::Produce(r) => {
            r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error.code()));
        }
        Response::Fetch(r) => {
            see(r.error.code());
            r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error.code()));
        }
        Response::ApiVersions(r) => see(r.error.code()),
        Response::JoinGroup(r) => see(r.error_code),
        Response::Heartbeat(r) => see(r.error_code),
        Response::SyncGroup(r) => see(r.error_code),
        Response::LeaveGroup(r) => {
            see(r.error_code);
            r.members.iter().for_each(|m| see(m.error_code));
        }
        Response::OffsetCommit(r) => {
            r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        Response::ConsumerGroupHeartbeat(r) => see(r.error_code),
        Response::InitProducerId(r) => see(r.error_code),
        Response::AddOffsetsToTxn(r) => see(r.error_code),
        Response::EndTxn(r) => see(r.error_code),
        Response::TxnOffsetCommit(r) => {
            r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        other => visit_rare(other, see),
    }
}

/// What clients ask when they begin, and administrators.
fn visit_rare(response: &Response, see: &mut impl FnMut(i16)) {
    match response {
        Response::Metadata(r) => {
            see(r.error_code);
            r.topics.iter().for_each(|t| see(t.error_code));
        }
        Response::FindCoordinator(r) => r.coordinators.iter().for_each(|c| see(c.error_code)),
        Response::ListOffsets(r) => {
            r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        Response::OffsetForLeaderEpoch(r) => {
            r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        Response::OffsetFetch(r) => r.groups.iter().for_each(|group| {
            see(group.error_code);
            group.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }),
        Response::OffsetDelete(r) => {
            see(r.error_code);
            r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        Response::AddPartitionsToTxn(r) => {
            see(r.error_code);
            let topics = r.results_by_transaction.iter().flat_map(|t| &t.topic_results);
            topics.flat_map(|t| &t.results_by_partition).for_each(|p| see(p.partition_error_code));
        }
        Response::WriteTxnMarkers(r) => {
            let topics = r.markers.iter().flat_map(|m| &m.topics);
            topics.flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        Response::CreateTopics(r) => r.topics.iter().for_each(|t| see(t.error_code)),
        Response::DeleteTopics(r) => r.responses.iter().for_each(|t| see(t.error_code)),
        Response::CreatePartitions(r) => r.results.iter().for_each(|t| see(t.error_code)),
        Response::DeleteRecords(r) => {
            r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        Response::DescribeTopicPartitions(r) => r.topics.iter().for_each(|t| see(t.error_code)),
        Response::DescribeProducers(r) => {
            r.topics.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        Response::ElectLeaders(r) => {
            see(r.error_code);
            let topics = r.replica_election_results.iter();
            topics.flat_map(|t| &t.partition_result).for_each(|p| see(p.error_code));
        }
        other => visit_administration(other, see),
    }
}

fn visit_administration(response: &Response, see: &mut impl FnMut(i16)) {
    match response {
        Response::ListGroups(r) => see(r.error_code),
        Response::DescribeGroups(r) => r.groups.iter().for_each(|g| see(g.error_code)),
        Response::ConsumerGroupDescribe(r) => r.groups.iter().for_each(|g| see(g.error_code)),
        Response::DeleteGroups(r) => r.results.iter().for_each(|g| see(g.error_code)),
        Response::ListTransactions(r) => see(r.error_code),
        Response::DescribeTransactions(r) => r.transaction_states.iter().for_each(|t| see(t.error_code)),
        Response::DescribeConfigs(r) => r.results.iter().for_each(|c| see(c.error_code)),
        Response::AlterConfigs(r) => r.responses.iter().for_each(|c| see(c.error_code)),
        Response::IncrementalAlterConfigs(r) => r.responses.iter().for_each(|c| see(c.error_code)),
        Response::ListConfigResources(r) => see(r.error_code),
        Response::DescribeLogDirs(r) => {
            see(r.error_code);
            r.results.iter().for_each(|d| see(d.error_code));
        }
        Response::AlterReplicaLogDirs(r) => {
            r.results.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        Response::AlterPartitionReassignments(r) => {
            see(r.error_code);
            r.responses.iter().flat_map(|t| &t.partitions).for_each(|p| see(p.error_code));
        }
        Response::ListPartitionReassignments(r) => see(r.error_code),
        Response::DescribeCluster(r) => see(r.error_code),
        Response::DescribeQuorum(r) => see(r.error_code),
        Response::UpdateFeatures(r) => see(r.error_code),
        Response::DescribeClientQuotas(r) => see(r.error_code),
        Response::DescribeAcls(r) => see(r.error_code),
        Response::CreateAcls(r) => r.results.iter().for_each(|a| see(a.error_code)),
        Response::DeleteAcls(r) => r.filter_results.iter().for_each(|f| see(f.error_code)),
        // Those above, and APIs that are still to come: they count as requests all the same.
        _ => {}
    }
}
