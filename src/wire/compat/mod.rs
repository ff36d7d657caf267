//! What protocol versions really differ in, beyond the presence of a field: one file per API.
//!
//! `upgrade` turns a decoded request into the shape of the newest version; `downgrade` clears or translates what the
//! client's version lacks, because the generated encoders refuse a field that a version does not have. APIs without
//! a file need neither.

pub(crate) mod acls;
pub(crate) mod add_offsets_to_txn;
pub mod add_partitions_to_txn;
pub(crate) mod delete_topics;
pub(crate) mod describe_cluster;
pub(crate) mod describe_groups;
pub(crate) mod describe_quorum;
pub(crate) mod elect_leaders;
pub mod end_txn;
pub(crate) mod find_coordinator;
pub(crate) mod init_producer_id;
pub mod join_group;
pub(crate) mod leave_group;
pub(crate) mod list_config_resources;
pub mod list_offsets;
pub(crate) mod metadata;
pub(crate) mod offset_fetch;
pub(crate) mod sync_group;
pub mod txn_offset_commit;
pub(crate) mod update_features;
