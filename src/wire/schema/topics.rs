//! Requests about topics and partitions. Field names, versions and nullability are those of Kafka 4.1.

use super::field::Kind::{Array, OptionalStruct, Str, Struct};
use super::field::{BOOL, I8, I16, I32, I64, Schema, UUID, f};

pub(super) const LIST_OFFSETS: Schema = &[
    f("replica_id", I32),
    f("isolation_level", I8).from(2),
    f(
        "topics",
        Array(&Struct(&[
            f("name", Str),
            f(
                "partitions",
                Array(&Struct(&[
                    f("partition_index", I32),
                    f("current_leader_epoch", I32).from(4),
                    f("timestamp", I64),
                ])),
            ),
        ])),
    ),
    f("timeout_ms", I32).from(10),
];

pub(super) const METADATA: Schema = &[
    f("topics", Array(&Struct(&[f("topic_id", UUID).from(10), f("name", Str).null_from(10)]))).null_from(1),
    f("allow_auto_topic_creation", BOOL).from(4),
    f("include_cluster_authorized_operations", BOOL).versions(8, 10),
    f("include_topic_authorized_operations", BOOL).from(8),
];

pub(super) const CREATE_TOPICS: Schema = &[
    f(
        "topics",
        Array(&Struct(&[
            f("name", Str),
            f("num_partitions", I32),
            f("replication_factor", I16),
            f("assignments", Array(&Struct(&[f("partition_index", I32), f("broker_ids", Array(&I32))]))),
            f("configs", Array(&Struct(&[f("name", Str), f("value", Str).null_from(0)]))),
        ])),
    ),
    f("timeout_ms", I32),
    f("validate_only", BOOL),
];

pub(super) const DELETE_TOPICS: Schema = &[
    f("topics", Array(&Struct(&[f("name", Str).from(6).null_from(6), f("topic_id", UUID).from(6)]))).from(6),
    f("topic_names", Array(&Str)).until(5),
    f("timeout_ms", I32),
];

pub(super) const DELETE_RECORDS: Schema = &[
    f(
        "topics",
        Array(&Struct(&[
            f("name", Str),
            f("partitions", Array(&Struct(&[f("partition_index", I32), f("offset", I64)]))),
        ])),
    ),
    f("timeout_ms", I32),
];

pub(super) const OFFSET_FOR_LEADER_EPOCH: Schema = &[
    f("replica_id", I32).from(3),
    f(
        "topics",
        Array(&Struct(&[
            f("topic", Str),
            f(
                "partitions",
                Array(&Struct(&[
                    f("partition", I32),
                    f("current_leader_epoch", I32),
                    f("leader_epoch", I32),
                ])),
            ),
        ])),
    ),
];

pub(super) const CREATE_PARTITIONS: Schema = &[
    f(
        "topics",
        Array(&Struct(&[
            f("name", Str),
            f("count", I32),
            f("assignments", Array(&Struct(&[f("broker_ids", Array(&I32))]))).null_from(0),
        ])),
    ),
    f("timeout_ms", I32),
    f("validate_only", BOOL),
];

pub(super) const DESCRIBE_PRODUCERS: Schema =
    &[f("topics", Array(&Struct(&[f("name", Str), f("partition_indexes", Array(&I32))])))];

pub(super) const DESCRIBE_TOPIC_PARTITIONS: Schema = &[
    f("topics", Array(&Struct(&[f("name", Str)]))),
    f("response_partition_limit", I32),
    f("cursor", OptionalStruct(&[f("topic_name", Str), f("partition_index", I32)])).null_from(0),
];

pub(super) const ELECT_LEADERS: Schema = &[
    f("election_type", I8).from(1),
    f("topic_partitions", Array(&Struct(&[f("topic", Str), f("partitions", Array(&I32))]))).null_from(0),
    f("timeout_ms", I32),
];

pub(super) const ALTER_PARTITION_REASSIGNMENTS: Schema = &[
    f("timeout_ms", I32),
    f("allow_replication_factor_change", BOOL).from(1),
    f(
        "topics",
        Array(&Struct(&[
            f("name", Str),
            f(
                "partitions",
                Array(&Struct(&[f("partition_index", I32), f("replicas", Array(&I32)).null_from(0)])),
            ),
        ])),
    ),
];

pub(super) const LIST_PARTITION_REASSIGNMENTS: Schema = &[
    f("timeout_ms", I32),
    f("topics", Array(&Struct(&[f("name", Str), f("partition_indexes", Array(&I32))]))).null_from(0),
];
