//! Requests about transactions. Field names, versions and nullability are those of Kafka 4.1.

use super::field::Kind::{Array, Str, Struct};
use super::field::{BOOL, I16, I32, I64, Schema, f};

pub(super) const INIT_PRODUCER_ID: Schema = &[
    f("transactional_id", Str).null_from(0),
    f("transaction_timeout_ms", I32),
    f("producer_id", I64).from(3),
    f("producer_epoch", I16).from(3),
];

const TOPIC: Schema = &[f("name", Str), f("partitions", Array(&I32))];

pub(super) const ADD_PARTITIONS_TO_TXN: Schema = &[
    f(
        "transactions",
        Array(&Struct(&[
            f("transactional_id", Str),
            f("producer_id", I64),
            f("producer_epoch", I16),
            f("verify_only", BOOL),
            f("topics", Array(&Struct(TOPIC))),
        ])),
    )
    .from(4),
    f("v3_and_below_transactional_id", Str).until(3),
    f("v3_and_below_producer_id", I64).until(3),
    f("v3_and_below_producer_epoch", I16).until(3),
    f("v3_and_below_topics", Array(&Struct(TOPIC))).until(3),
];

pub(super) const ADD_OFFSETS_TO_TXN: Schema =
    &[f("transactional_id", Str), f("producer_id", I64), f("producer_epoch", I16), f("group_id", Str)];

pub(super) const END_TXN: Schema =
    &[f("transactional_id", Str), f("producer_id", I64), f("producer_epoch", I16), f("committed", BOOL)];

pub(super) const WRITE_TXN_MARKERS: Schema = &[f(
    "markers",
    Array(&Struct(&[
        f("producer_id", I64),
        f("producer_epoch", I16),
        f("transaction_result", BOOL),
        f("topics", Array(&Struct(&[f("name", Str), f("partition_indexes", Array(&I32))]))),
        f("coordinator_epoch", I32),
    ])),
)];

pub(super) const TXN_OFFSET_COMMIT: Schema = &[
    f("transactional_id", Str),
    f("group_id", Str),
    f("producer_id", I64),
    f("producer_epoch", I16),
    f("generation_id", I32).from(3),
    f("member_id", Str).from(3),
    f("group_instance_id", Str).from(3).null_from(3),
    f(
        "topics",
        Array(&Struct(&[
            f("name", Str),
            f(
                "partitions",
                Array(&Struct(&[
                    f("partition_index", I32),
                    f("committed_offset", I64),
                    f("committed_leader_epoch", I32).from(2),
                    f("committed_metadata", Str).null_from(0),
                ])),
            ),
        ])),
    ),
];

pub(super) const DESCRIBE_TRANSACTIONS: Schema = &[f("transactional_ids", Array(&Str))];

pub(super) const LIST_TRANSACTIONS: Schema = &[
    f("state_filters", Array(&Str)),
    f("producer_id_filters", Array(&I64)),
    f("duration_filter", I64).from(1),
    f("transactional_id_pattern", Str).from(2).null_from(2),
];
