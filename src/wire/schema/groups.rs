//! Requests about groups and their offsets. Field names, versions and nullability are those of Kafka 4.1.

use super::field::Kind::{Array, Bytes, Str, Struct};
use super::field::{BOOL, I32, I64, Schema, UUID, f};

pub(super) const OFFSET_COMMIT: Schema = &[
    f("group_id", Str),
    f("generation_id_or_member_epoch", I32),
    f("member_id", Str),
    f("group_instance_id", Str).from(7).null_from(7),
    f("retention_time_ms", I64).until(4),
    f(
        "topics",
        Array(&Struct(&[
            f("name", Str),
            f(
                "partitions",
                Array(&Struct(&[
                    f("partition_index", I32),
                    f("committed_offset", I64),
                    f("committed_leader_epoch", I32).from(6),
                    f("committed_metadata", Str).null_from(0),
                ])),
            ),
        ])),
    ),
];

const NAMED_PARTITIONS: Schema = &[f("name", Str), f("partition_indexes", Array(&I32))];

pub(super) const OFFSET_FETCH: Schema = &[
    f("group_id", Str).until(7),
    f("topics", Array(&Struct(NAMED_PARTITIONS))).until(7).null_from(2),
    f(
        "groups",
        Array(&Struct(&[
            f("group_id", Str),
            f("member_id", Str).from(9).null_from(9),
            f("member_epoch", I32).from(9),
            f("topics", Array(&Struct(NAMED_PARTITIONS))).null_from(8),
        ])),
    )
    .from(8),
    f("require_stable", BOOL).from(7),
];

pub(super) const JOIN_GROUP: Schema = &[
    f("group_id", Str),
    f("session_timeout_ms", I32),
    f("rebalance_timeout_ms", I32).from(1),
    f("member_id", Str),
    f("group_instance_id", Str).from(5).null_from(5),
    f("protocol_type", Str),
    f("protocols", Array(&Struct(&[f("name", Str), f("metadata", Bytes)]))),
    f("reason", Str).from(8).null_from(8),
];

pub(super) const HEARTBEAT: Schema = &[
    f("group_id", Str),
    f("generation_id", I32),
    f("member_id", Str),
    f("group_instance_id", Str).from(3).null_from(3),
];

pub(super) const LEAVE_GROUP: Schema = &[
    f("group_id", Str),
    f("member_id", Str).until(2),
    f(
        "members",
        Array(&Struct(&[
            f("member_id", Str),
            f("group_instance_id", Str).null_from(3),
            f("reason", Str).from(5).null_from(5),
        ])),
    )
    .from(3),
];

pub(super) const SYNC_GROUP: Schema = &[
    f("group_id", Str),
    f("generation_id", I32),
    f("member_id", Str),
    f("group_instance_id", Str).from(3).null_from(3),
    f("protocol_type", Str).from(5).null_from(5),
    f("protocol_name", Str).from(5).null_from(5),
    f("assignments", Array(&Struct(&[f("member_id", Str), f("assignment", Bytes)]))),
];

pub(super) const DESCRIBE_GROUPS: Schema =
    &[f("groups", Array(&Str)), f("include_authorized_operations", BOOL).from(3)];

pub(super) const LIST_GROUPS: Schema =
    &[f("states_filter", Array(&Str)).from(4), f("types_filter", Array(&Str)).from(5)];

pub(super) const DELETE_GROUPS: Schema = &[f("groups_names", Array(&Str))];

pub(super) const OFFSET_DELETE: Schema = &[
    f("group_id", Str),
    f(
        "topics",
        Array(&Struct(&[f("name", Str), f("partitions", Array(&Struct(&[f("partition_index", I32)])))])),
    ),
];

pub(super) const CONSUMER_GROUP_HEARTBEAT: Schema = &[
    f("group_id", Str),
    f("member_id", Str),
    f("member_epoch", I32),
    f("instance_id", Str).null_from(0),
    f("rack_id", Str).null_from(0),
    f("rebalance_timeout_ms", I32),
    f("subscribed_topic_names", Array(&Str)).null_from(0),
    f("subscribed_topic_regex", Str).from(1).null_from(1),
    f("server_assignor", Str).null_from(0),
    f("topic_partitions", Array(&Struct(&[f("topic_id", UUID), f("partitions", Array(&I32))]))).null_from(0),
];

pub(super) const CONSUMER_GROUP_DESCRIBE: Schema =
    &[f("group_ids", Array(&Str)), f("include_authorized_operations", BOOL)];
