//! The tools, one file each; a tool that is more than a file has a folder.

pub(crate) mod broker_api_versions;
pub(crate) mod cluster;
pub(crate) mod configs;
pub(crate) mod console_consumer;
pub(crate) mod console_producer;
pub(crate) mod consumer_groups;
pub(crate) mod delete_records;
pub(crate) mod features;
pub(crate) mod get_offsets;
pub(crate) mod groups;
pub(crate) mod log_dirs;
pub(crate) mod metadata_quorum;
pub(crate) mod storage;
pub(crate) mod topics;
