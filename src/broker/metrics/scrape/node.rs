//! The node, its part in the cluster, and its metadata log.

use super::partitions::Topics;
use crate::context::Broker;
use crate::metrics::exposition::Exposition;
use crate::metrics::table;

pub(super) fn write(out: &mut Exposition, broker: &Broker, topics: &Topics) {
    let sums = &topics.sums;
    out.value(&table::PARTITION_COUNT, sums.partitions);
    out.value(&table::LEADER_COUNT, sums.led_here);
    out.value(&table::UNDER_REPLICATED, sums.under_replicated);
    out.value(&table::UNDER_MIN_ISR_COUNT, sums.under_min_isr);
    out.value(&table::AT_MIN_ISR_COUNT, sums.at_min_isr);
    out.value(&table::OFFLINE_REPLICAS, sums.offline);
    // A single replica neither falls behind nor catches up, and nobody else can be elected.
    out.value(&table::ISR_SHRINKS, 0);
    out.value(&table::ISR_EXPANDS, 0);
    out.value(&table::LATE_PARTITIONS, sums.late_partitions);
    out.value(&table::PRODUCER_IDS, sums.producers);

    let image = broker.metadata.image();
    let quorum = broker.metadata.quorum();
    let brokers: Vec<_> = image.cluster().brokers().map(|broker| broker.is_active()).collect();
    let active = brokers.iter().filter(|is_active| **is_active).count();
    // The one node of the quorum leads it.
    out.value(&table::ACTIVE_CONTROLLERS, 1);
    out.value(&table::OFFLINE_PARTITIONS, sums.offline);
    out.value(&table::GLOBAL_TOPICS, image.topics().len());
    out.value(&table::GLOBAL_PARTITIONS, sums.partitions);
    out.value(&table::IMBALANCE, sums.not_preferred);
    out.value(&table::ACTIVE_BROKERS, active);
    out.value(&table::FENCED_BROKERS, brokers.len() - active);
    out.value(&table::UNCLEAN_ELECTIONS, 0);
    out.value(&table::RAFT_LEADER, broker.node_id.value());
    out.value(&table::RAFT_VOTE, -1);
    out.value(&table::RAFT_EPOCH, quorum.leader_epoch.value());
    out.value(&table::RAFT_HIGH_WATERMARK, quorum.high_watermark.value());
    out.value(&table::RAFT_LOG_END, quorum.log_end_offset.value());
}
