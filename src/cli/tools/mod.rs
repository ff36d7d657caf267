//! The tools, one file each; a tool that is more than a file has a folder.

pub(crate) mod acls;
pub(crate) mod broker_api_versions;
pub(crate) mod client_metrics;
pub(crate) mod cluster;
pub(crate) mod configs;
pub(crate) mod console_consumer;
pub(crate) mod console_producer;
pub(crate) mod consumer_groups;
pub(crate) mod container;
pub(crate) mod delete_records;
pub(crate) mod dump_log;
pub(crate) mod features;
pub(crate) mod get_offsets;
pub(crate) mod groups;
pub(crate) mod leader_election;
pub(crate) mod log_dirs;
pub(crate) mod metadata_quorum;
pub(crate) mod perf;
pub(crate) mod reassign_partitions;
pub(crate) mod share_groups;
pub(crate) mod storage;
pub(crate) mod streams_reset;
pub(crate) mod topics;
pub(crate) mod transactions;
pub(crate) mod verifiable;
