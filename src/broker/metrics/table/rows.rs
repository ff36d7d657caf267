//! The rows of the table, by area. Where the JMX exporter has a name for something, or kafka_exporter, it has that name.

use super::{Ending, Family, Kind, counter, family, gauge, meter};

const TOPIC: &[&str] = &["topic"];
const PARTITION: &[&str] = &["topic", "partition"];
const REQUEST_QUANTILE: &[&str] = &["request", "quantile"];
const GROUP: &[&str] = &["consumergroup"];
const GROUP_TOPIC: &[&str] = &["consumergroup", "topic"];
const GROUP_PARTITION: &[&str] = &["consumergroup", "topic", "partition"];

// What goes into topics and comes out of them; each also without a label, for all topics.
pub(in crate::metrics) const MESSAGES_IN: Family = meter("kafka_server_brokertopicmetrics_messagesin", TOPIC, "Records appended, coordinators' and control records included.");
pub(in crate::metrics) const BYTES_IN: Family = meter("kafka_server_brokertopicmetrics_bytesin", TOPIC, "Bytes of record batches appended.");
pub(in crate::metrics) const BYTES_OUT: Family = meter("kafka_server_brokertopicmetrics_bytesout", TOPIC, "Bytes of record batches that were fetched.");
pub(in crate::metrics) const PRODUCE_REQUESTS: Family = meter("kafka_server_brokertopicmetrics_totalproducerequests", TOPIC, "Appends to partitions, refused ones included.");
pub(in crate::metrics) const FETCH_REQUESTS: Family = meter("kafka_server_brokertopicmetrics_totalfetchrequests", TOPIC, "Partitions in answers to Fetch, refused ones included.");
pub(in crate::metrics) const FAILED_PRODUCE_REQUESTS: Family = meter("kafka_server_brokertopicmetrics_failedproducerequests", TOPIC, "Record batches that were refused.");
pub(in crate::metrics) const FAILED_FETCH_REQUESTS: Family = meter("kafka_server_brokertopicmetrics_failedfetchrequests", TOPIC, "Partitions that Fetch answered with an error.");
pub(super) const TRAFFIC: &[Family] = &[MESSAGES_IN, BYTES_IN, BYTES_OUT, PRODUCE_REQUESTS, FETCH_REQUESTS, FAILED_PRODUCE_REQUESTS, FAILED_FETCH_REQUESTS];

pub(in crate::metrics) const PARTITION_COUNT: Family = gauge("kafka_server_replicamanager_partitioncount", &[], "Partitions on this node.");
pub(in crate::metrics) const LEADER_COUNT: Family = gauge("kafka_server_replicamanager_leadercount", &[], "Partitions that this node leads.");
pub(in crate::metrics) const UNDER_REPLICATED: Family = gauge("kafka_server_replicamanager_underreplicatedpartitions", &[], "Partitions whose in-sync replicas are fewer than their replicas.");
pub(in crate::metrics) const UNDER_MIN_ISR_COUNT: Family = gauge("kafka_server_replicamanager_underminisrpartitioncount", &[], "Partitions with fewer in-sync replicas than min.insync.replicas: acks=all is refused there.");
pub(in crate::metrics) const AT_MIN_ISR_COUNT: Family = gauge("kafka_server_replicamanager_atminisrpartitioncount", &[], "Partitions with just as many in-sync replicas as min.insync.replicas.");
pub(in crate::metrics) const OFFLINE_REPLICAS: Family = gauge("kafka_server_replicamanager_offlinereplicacount", &[], "Partitions of this node whose log could not be opened.");
pub(in crate::metrics) const ISR_SHRINKS: Family = meter("kafka_server_replicamanager_isrshrinks", &[], "How often a replica fell behind; there is one replica, which can not.");
pub(in crate::metrics) const ISR_EXPANDS: Family = meter("kafka_server_replicamanager_isrexpands", &[], "How often a replica caught up; there is one replica, which need not.");
pub(in crate::metrics) const LATE_PARTITIONS: Family = gauge("kafka_server_replicamanager_partitionswithlatetransactionscount", &[], "Partitions with a hanging transaction: open for transaction.max.timeout.ms and five minutes since its last record.");
pub(in crate::metrics) const PRODUCER_IDS: Family = gauge("kafka_server_replicamanager_produceridcount", &[], "Producer ids that the logs remember, those of each partition counted.");
pub(in crate::metrics) const ACTIVE_CONTROLLERS: Family = gauge("kafka_controller_kafkacontroller_activecontrollercount", &[], "1 where this node is the active controller.");
pub(in crate::metrics) const OFFLINE_PARTITIONS: Family = gauge("kafka_controller_kafkacontroller_offlinepartitionscount", &[], "Partitions that nobody serves.");
pub(in crate::metrics) const GLOBAL_TOPICS: Family = gauge("kafka_controller_kafkacontroller_globaltopiccount", &[], "Topics of the cluster.");
pub(in crate::metrics) const GLOBAL_PARTITIONS: Family = gauge("kafka_controller_kafkacontroller_globalpartitioncount", &[], "Partitions of the cluster.");
pub(in crate::metrics) const IMBALANCE: Family = gauge("kafka_controller_kafkacontroller_preferredreplicaimbalancecount", &[], "Partitions that another than their preferred replica leads.");
pub(in crate::metrics) const ACTIVE_BROKERS: Family = gauge("kafka_controller_kafkacontroller_activebrokercount", &[], "Brokers that are registered and not fenced.");
pub(in crate::metrics) const FENCED_BROKERS: Family = gauge("kafka_controller_kafkacontroller_fencedbrokercount", &[], "Brokers that are registered and fenced.");
pub(in crate::metrics) const UNCLEAN_ELECTIONS: Family = meter("kafka_controller_controllerstats_uncleanleaderelections", &[], "Elections of a leader from outside the in-sync replicas; there is nobody to elect.");
pub(in crate::metrics) const RAFT_LEADER: Family = gauge("kafka_server_raftmetrics_current_leader", &[], "The node that leads the metadata log.");
pub(in crate::metrics) const RAFT_VOTE: Family = gauge("kafka_server_raftmetrics_current_vote", &[], "The node that this one voted for; -1 for none.");
pub(in crate::metrics) const RAFT_EPOCH: Family = gauge("kafka_server_raftmetrics_current_epoch", &[], "The epoch of the metadata log's leader.");
pub(in crate::metrics) const RAFT_HIGH_WATERMARK: Family = gauge("kafka_server_raftmetrics_high_watermark", &[], "End of what is committed of the metadata log.");
pub(in crate::metrics) const RAFT_LOG_END: Family = gauge("kafka_server_raftmetrics_log_end_offset", &[], "End of the metadata log.");
pub(super) const NODE: &[Family] = &[
    PARTITION_COUNT, LEADER_COUNT, UNDER_REPLICATED, UNDER_MIN_ISR_COUNT, AT_MIN_ISR_COUNT, OFFLINE_REPLICAS, ISR_SHRINKS, ISR_EXPANDS,
    LATE_PARTITIONS, PRODUCER_IDS, ACTIVE_CONTROLLERS, OFFLINE_PARTITIONS, GLOBAL_TOPICS, GLOBAL_PARTITIONS, IMBALANCE, ACTIVE_BROKERS,
    FENCED_BROKERS, UNCLEAN_ELECTIONS, RAFT_LEADER, RAFT_VOTE, RAFT_EPOCH, RAFT_HIGH_WATERMARK, RAFT_LOG_END,
];

pub(in crate::metrics) const UNDER_MIN_ISR: Family = gauge("kafka_cluster_partition_underminisr", PARTITION, "1 where there are fewer in-sync replicas than min.insync.replicas.");
pub(in crate::metrics) const AT_MIN_ISR: Family = gauge("kafka_cluster_partition_atminisr", PARTITION, "1 where there are just as many in-sync replicas as min.insync.replicas.");
pub(in crate::metrics) const REPLICAS: Family = gauge("kafka_cluster_partition_replicascount", PARTITION, "Replicas.");
pub(in crate::metrics) const IN_SYNC: Family = gauge("kafka_cluster_partition_insyncreplicascount", PARTITION, "Replicas in sync.");
pub(in crate::metrics) const STABLE_LAG: Family = gauge("kafka_cluster_partition_laststableoffsetlag", PARTITION, "Offsets between the last stable one and the high watermark: what open transactions keep from readers of committed records.");
pub(in crate::metrics) const LOG_SIZE: Family = gauge("kafka_log_log_size", PARTITION, "Bytes of the log's segments.");
pub(in crate::metrics) const LOG_SEGMENTS: Family = gauge("kafka_log_log_numlogsegments", PARTITION, "Segments of the log.");
pub(in crate::metrics) const LOG_START: Family = gauge("kafka_log_log_logstartoffset", PARTITION, "First offset that can be read.");
pub(in crate::metrics) const LOG_END: Family = gauge("kafka_log_log_logendoffset", PARTITION, "Offset of the next record to come.");
pub(in crate::metrics) const HIGH_WATERMARK: Family = gauge("ottla_partition_high_watermark", PARTITION, "End of what consumers see.");
pub(in crate::metrics) const LAST_STABLE: Family = gauge("ottla_partition_last_stable_offset", PARTITION, "End of what readers of committed records see.");
pub(in crate::metrics) const DURABLE: Family = gauge("ottla_partition_durable_offset", PARTITION, "End of what is on disk: a power cut takes nothing below it.");
pub(super) const PARTITIONS: &[Family] = &[
    UNDER_MIN_ISR, AT_MIN_ISR, REPLICAS, IN_SYNC, STABLE_LAG, LOG_SIZE, LOG_SEGMENTS, LOG_START, LOG_END, HIGH_WATERMARK, LAST_STABLE,
    DURABLE,
];

pub(in crate::metrics) const REQUESTS: Family = meter("kafka_network_requestmetrics_requests", &["request", "version"], "Requests whose answers have left. FetchConsumer are those of Fetch that no replica sent: all.");
pub(in crate::metrics) const ERRORS: Family = meter("kafka_network_requestmetrics_errors", &["request", "error"], "Error codes in answers.");
pub(in crate::metrics) const TOTAL_TIME: Family = family("kafka_network_requestmetrics_totaltimems", Kind::Summary, REQUEST_QUANTILE, "Milliseconds from the read of a request to the write of its answer. Quantiles are of the last five to ten minutes, count and sum of all.");
pub(in crate::metrics) const QUEUE_TIME: Family = family("kafka_network_requestmetrics_requestqueuetimems", Kind::Summary, REQUEST_QUANTILE, "Of these, until earlier requests of the connection let it be carried out; no other queue is there.");
pub(in crate::metrics) const LOCAL_TIME: Family = family("kafka_network_requestmetrics_localtimems", Kind::Summary, REQUEST_QUANTILE, "Of these, while it was carried out.");
pub(in crate::metrics) const REMOTE_TIME: Family = family("kafka_network_requestmetrics_remotetimems", Kind::Summary, REQUEST_QUANTILE, "Of these, while it waited: for the disk, for records, for other members of its group.");
pub(in crate::metrics) const RESPONSE_QUEUE_TIME: Family = family("kafka_network_requestmetrics_responsequeuetimems", Kind::Summary, REQUEST_QUANTILE, "Of these, until a thread took up the answer: the one that made it does, at once.");
pub(in crate::metrics) const SEND_TIME: Family = family("kafka_network_requestmetrics_responsesendtimems", Kind::Summary, REQUEST_QUANTILE, "Of these, while the answer was written to the socket.");
pub(in crate::metrics) const DURATION: Family = family("ottla_request_duration_seconds", Kind::Histogram, &["request"], "As kafka_network_requestmetrics_totaltimems, counted from the start in buckets that can be added up.");
pub(in crate::metrics) const NETWORK_IDLE: Family = Family { ending: Ending::Percent, ..gauge("kafka_network_socketserver_networkprocessoravgidle", &[], "What share of the last five to ten minutes the network threads had nothing to do in, from 0 to 1.") };
pub(in crate::metrics) const HANDLER_IDLE: Family = Family { ending: Ending::MeterPercent, ..gauge("kafka_server_kafkarequesthandlerpool_requesthandleravgidle", &[], "The same: requests are carried out by the network threads.") };
pub(in crate::metrics) const CONNECTIONS: Family = gauge("kafka_server_socket_server_metrics_connection_count", &["listener", "networkProcessor"], "Open connections.");
pub(in crate::metrics) const CONNECTIONS_OPENED: Family = counter("kafka_server_socket_server_metrics_connection_creation_total", &["listener", "networkProcessor"], "Connections opened since the start.");
pub(in crate::metrics) const FETCH_SESSIONS: Family = gauge("kafka_server_fetchsessioncache_numincrementalfetchsessions", &[], "Fetch sessions that clients hold open.");
pub(in crate::metrics) const FETCHED_BYTES: Family = gauge("ottla_fetched_bytes_held", &[], "Bytes of fetched records that clients have not read from their sockets yet.");
pub(super) const SERVED: &[Family] = &[
    REQUESTS, ERRORS, TOTAL_TIME, QUEUE_TIME, LOCAL_TIME, REMOTE_TIME, RESPONSE_QUEUE_TIME, SEND_TIME, DURATION, NETWORK_IDLE,
    HANDLER_IDLE, CONNECTIONS, CONNECTIONS_OPENED, FETCH_SESSIONS, FETCHED_BYTES,
];

pub(in crate::metrics) const GROUPS: Family = gauge("kafka_coordinator_group_groupmetadatamanager_numgroups", &[], "Groups that this node coordinates. Absent, as all below, until they are loaded.");
pub(in crate::metrics) const GROUPS_PREPARING: Family = gauge("kafka_coordinator_group_groupmetadatamanager_numgroupspreparingrebalance", &[], "Classic groups whose members are joining.");
pub(in crate::metrics) const GROUPS_COMPLETING: Family = gauge("kafka_coordinator_group_groupmetadatamanager_numgroupscompletingrebalance", &[], "Classic groups whose leader is assigning.");
pub(in crate::metrics) const GROUPS_STABLE: Family = gauge("kafka_coordinator_group_groupmetadatamanager_numgroupsstable", &[], "Classic groups that are stable.");
pub(in crate::metrics) const GROUPS_EMPTY: Family = gauge("kafka_coordinator_group_groupmetadatamanager_numgroupsempty", &[], "Classic groups without members.");
pub(in crate::metrics) const GROUPS_DEAD: Family = gauge("kafka_coordinator_group_groupmetadatamanager_numgroupsdead", &[], "Classic groups that are being removed; here that takes no time.");
pub(in crate::metrics) const OFFSETS: Family = gauge("kafka_coordinator_group_groupmetadatamanager_numoffsets", &[], "Committed offsets.");
pub(in crate::metrics) const GROUPS_BY_STATE: Family = gauge("ottla_groups", &["type", "state"], "Groups by type (classic, consumer) and state.");
pub(in crate::metrics) const GROUP_MEMBERS: Family = gauge("kafka_consumergroup_members", GROUP, "Members of a group.");
pub(in crate::metrics) const GROUP_OFFSET: Family = gauge("kafka_consumergroup_current_offset", GROUP_PARTITION, "The offset that a group has committed.");
pub(in crate::metrics) const GROUP_OFFSET_SUM: Family = gauge("kafka_consumergroup_current_offset_sum", GROUP_TOPIC, "The sum of these over a topic.");
pub(in crate::metrics) const GROUP_LAG: Family = gauge("kafka_consumergroup_lag", GROUP_PARTITION, "Offsets between that and the high watermark.");
pub(in crate::metrics) const GROUP_LAG_SUM: Family = gauge("kafka_consumergroup_lag_sum", GROUP_TOPIC, "The sum of these over a topic.");
pub(super) const GROUPS_AREA: &[Family] = &[
    GROUPS, GROUPS_PREPARING, GROUPS_COMPLETING, GROUPS_STABLE, GROUPS_EMPTY, GROUPS_DEAD, OFFSETS, GROUPS_BY_STATE, GROUP_MEMBERS,
    GROUP_OFFSET, GROUP_OFFSET_SUM, GROUP_LAG, GROUP_LAG_SUM,
];

pub(in crate::metrics) const BROKERS: Family = gauge("kafka_brokers", &[], "Brokers of the cluster.");
pub(in crate::metrics) const TOPIC_PARTITIONS: Family = gauge("kafka_topic_partitions", TOPIC, "Partitions of a topic.");
pub(in crate::metrics) const CURRENT_OFFSET: Family = gauge("kafka_topic_partition_current_offset", PARTITION, "The high watermark: the offset after the last record that consumers see.");
pub(in crate::metrics) const OLDEST_OFFSET: Family = gauge("kafka_topic_partition_oldest_offset", PARTITION, "First offset that can be read.");
pub(in crate::metrics) const LEADER: Family = gauge("kafka_topic_partition_leader", PARTITION, "The broker that leads it; -1 for none.");
pub(in crate::metrics) const LEADER_IS_PREFERRED: Family = gauge("kafka_topic_partition_leader_is_preferred", PARTITION, "1 where that is the preferred one.");
pub(in crate::metrics) const TOPIC_REPLICAS: Family = gauge("kafka_topic_partition_replicas", PARTITION, "Replicas.");
pub(in crate::metrics) const TOPIC_IN_SYNC: Family = gauge("kafka_topic_partition_in_sync_replica", PARTITION, "Replicas in sync.");
pub(in crate::metrics) const TOPIC_UNDER_REPLICATED: Family = gauge("kafka_topic_partition_under_replicated_partition", PARTITION, "1 where these are fewer.");
pub(super) const EXPORTER: &[Family] = &[
    BROKERS, TOPIC_PARTITIONS, CURRENT_OFFSET, OLDEST_OFFSET, LEADER, LEADER_IS_PREFERRED, TOPIC_REPLICAS, TOPIC_IN_SYNC,
    TOPIC_UNDER_REPLICATED,
];

pub(in crate::metrics) const TRANSACTIONS: Family = gauge("ottla_transactions", &["state"], "Transactional ids that this node coordinates, by the state of their transaction. Absent until they are loaded.");
pub(in crate::metrics) const TRANSACTION_AGE: Family = gauge("ottla_transaction_oldest_seconds", &[], "How long ago the oldest ongoing transaction of these began; 0 where none is.");
pub(in crate::metrics) const OPEN_TRANSACTIONS: Family = gauge("ottla_open_transactions", &[], "Transactions that are open in the logs, those of each partition counted.");
pub(in crate::metrics) const HANGING_TRANSACTIONS: Family = gauge("ottla_hanging_transactions", &[], "Of these, those that nobody ends any more: the last record is older than transaction.max.timeout.ms and five minutes. Readers of committed records wait there; kafka-transactions.sh finds and aborts them.");
pub(in crate::metrics) const OPEN_TRANSACTION_AGE: Family = gauge("ottla_open_transaction_oldest_seconds", &[], "How long ago the last record of an open transaction was written, at the most; 0 where none is open.");
pub(super) const TRANSACTIONS_AREA: &[Family] =
    &[TRANSACTIONS, TRANSACTION_AGE, OPEN_TRANSACTIONS, HANGING_TRANSACTIONS, OPEN_TRANSACTION_AGE];

pub(in crate::metrics) const SYNC_DURATION: Family = family("ottla_sync_duration_seconds", Kind::Histogram, &["kind"], "Syncs to disk: rounds of the journal, which many partitions share (round), and of one log's own files (log).");
pub(in crate::metrics) const SYNC_RECORDS: Family = family("ottla_sync_records", Kind::Histogram, &[], "Records that one sync made durable.");
pub(in crate::metrics) const ROUND_PARTITIONS: Family = family("ottla_sync_round_partitions", Kind::Histogram, &[], "Partitions that shared a round of the journal.");
pub(in crate::metrics) const JOURNAL_BYTES: Family = counter("ottla_journal_bytes_total", &[], "Bytes written to the journal.");
pub(in crate::metrics) const OFFLINE_DIRS: Family = gauge("kafka_log_logmanager_offlinelogdirectorycount", &[], "Log directories that failed: nothing in them is served until the next start.");
pub(in crate::metrics) const DIR_FREE: Family = gauge("ottla_log_dir_free_bytes", &["dir"], "Space that is left on the file system of a log directory.");
pub(in crate::metrics) const DIR_TOTAL: Family = gauge("ottla_log_dir_total_bytes", &["dir"], "Size of that file system.");
pub(super) const DISK: &[Family] = &[SYNC_DURATION, SYNC_RECORDS, ROUND_PARTITIONS, JOURNAL_BYTES, OFFLINE_DIRS, DIR_FREE, DIR_TOTAL];

pub(in crate::metrics) const BROKER_STATE: Family = gauge("kafka_server_kafkaserver_brokerstate", &[], "Kafka's number for what the node is at: 1 starting, 3 running, 7 stopping.");
pub(in crate::metrics) const DISK_READ: Family = counter("kafka_server_kafkaserver_linux_disk_read_bytes", &[], "Bytes that the process had read from disks.");
pub(in crate::metrics) const DISK_WRITTEN: Family = counter("kafka_server_kafkaserver_linux_disk_write_bytes", &[], "Bytes that the process had written to disks.");
pub(in crate::metrics) const BUILD_INFO: Family = gauge("ottla_build_info", &["version"], "1, with the version of the program.");
pub(in crate::metrics) const LEFT_OUT: Family = gauge("ottla_left_out_series", &["metric"], "Series of a metric that is not in this answer because there are more than ottla.metrics.series.max.");
pub(in crate::metrics) const RESIDENT: Family = gauge("process_resident_memory_bytes", &[], "Memory that the process has in use.");
pub(in crate::metrics) const VIRTUAL: Family = gauge("process_virtual_memory_bytes", &[], "Address space of the process.");
pub(in crate::metrics) const CPU_SECONDS: Family = counter("process_cpu_seconds_total", &[], "Time that processors spent on it, in the program and in the system.");
pub(in crate::metrics) const OPEN_FDS: Family = gauge("process_open_fds", &[], "Open files and sockets.");
pub(in crate::metrics) const MAX_FDS: Family = gauge("process_max_fds", &[], "How many it may have.");
pub(in crate::metrics) const THREADS: Family = gauge("process_threads", &[], "Threads.");
pub(in crate::metrics) const START_TIME: Family = gauge("process_start_time_seconds", &[], "When it began, in seconds since the Unix epoch.");
pub(super) const PROCESS: &[Family] = &[
    BROKER_STATE, DISK_READ, DISK_WRITTEN, BUILD_INFO, RESIDENT, VIRTUAL, CPU_SECONDS, OPEN_FDS, MAX_FDS, THREADS, START_TIME, LEFT_OUT,
];
