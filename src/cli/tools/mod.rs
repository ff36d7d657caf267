//! The tools, one file each; a tool that is more than a file has a folder.

pub(crate) mod broker_api_versions;
pub(crate) mod cluster;
pub(crate) mod configs;
pub(crate) mod console_consumer;
pub(crate) mod console_producer;
pub(crate) mod consumer_groups;
pub(crate) mod delete_records;
pub(crate) mod get_offsets;
pub(crate) mod topics;
