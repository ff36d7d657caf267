//! Requests about coordinators, configurations, access rights and the cluster. Field names, versions and nullability are those of Kafka 4.1.

use super::field::Kind::{Array, Str, Struct};
use super::field::{BOOL, I8, I16, I32, Schema, f};

pub(super) const FIND_COORDINATOR: Schema =
    &[f("key", Str).until(3), f("key_type", I8).from(1), f("coordinator_keys", Array(&Str)).from(4)];

pub(super) const DESCRIBE_ACLS: Schema = &[
    f("resource_type_filter", I8),
    f("resource_name_filter", Str).null_from(0),
    f("pattern_type_filter", I8),
    f("principal_filter", Str).null_from(0),
    f("host_filter", Str).null_from(0),
    f("operation", I8),
    f("permission_type", I8),
];

pub(super) const CREATE_ACLS: Schema = &[f(
    "creations",
    Array(&Struct(&[
        f("resource_type", I8),
        f("resource_name", Str),
        f("resource_pattern_type", I8),
        f("principal", Str),
        f("host", Str),
        f("operation", I8),
        f("permission_type", I8),
    ])),
)];

pub(super) const DELETE_ACLS: Schema = &[f(
    "filters",
    Array(&Struct(&[
        f("resource_type_filter", I8),
        f("resource_name_filter", Str).null_from(0),
        f("pattern_type_filter", I8),
        f("principal_filter", Str).null_from(0),
        f("host_filter", Str).null_from(0),
        f("operation", I8),
        f("permission_type", I8),
    ])),
)];

pub(super) const DESCRIBE_CONFIGS: Schema = &[
    f(
        "resources",
        Array(&Struct(&[
            f("resource_type", I8),
            f("resource_name", Str),
            f("configuration_keys", Array(&Str)).null_from(0),
        ])),
    ),
    f("include_synonyms", BOOL),
    f("include_documentation", BOOL).from(3),
];

pub(super) const ALTER_CONFIGS: Schema = &[
    f(
        "resources",
        Array(&Struct(&[
            f("resource_type", I8),
            f("resource_name", Str),
            f("configs", Array(&Struct(&[f("name", Str), f("value", Str).null_from(0)]))),
        ])),
    ),
    f("validate_only", BOOL),
];

pub(super) const ALTER_REPLICA_LOG_DIRS: Schema = &[f(
    "dirs",
    Array(&Struct(&[
        f("path", Str),
        f("topics", Array(&Struct(&[f("name", Str), f("partitions", Array(&I32))]))),
    ])),
)];

pub(super) const DESCRIBE_LOG_DIRS: Schema =
    &[f("topics", Array(&Struct(&[f("topic", Str), f("partitions", Array(&I32))]))).null_from(0)];

pub(super) const INCREMENTAL_ALTER_CONFIGS: Schema = &[
    f(
        "resources",
        Array(&Struct(&[
            f("resource_type", I8),
            f("resource_name", Str),
            f(
                "configs",
                Array(&Struct(&[f("name", Str), f("config_operation", I8), f("value", Str).null_from(0)])),
            ),
        ])),
    ),
    f("validate_only", BOOL),
];

pub(super) const DESCRIBE_CLIENT_QUOTAS: Schema = &[
    f(
        "components",
        Array(&Struct(&[f("entity_type", Str), f("match_type", I8), f("match", Str).null_from(0)])),
    ),
    f("strict", BOOL),
];

pub(super) const DESCRIBE_QUORUM: Schema = &[f(
    "topics",
    Array(&Struct(&[f("topic_name", Str), f("partitions", Array(&Struct(&[f("partition_index", I32)])))])),
)];

pub(super) const UPDATE_FEATURES: Schema = &[
    f("timeout_ms", I32),
    f(
        "feature_updates",
        Array(&Struct(&[
            f("feature", Str),
            f("max_version_level", I16),
            f("allow_downgrade", BOOL).until(0),
            f("upgrade_type", I8).from(1),
        ])),
    ),
    f("validate_only", BOOL).from(1),
];

pub(super) const DESCRIBE_CLUSTER: Schema = &[
    f("include_cluster_authorized_operations", BOOL),
    f("endpoint_type", I8).from(1),
    f("include_fenced_brokers", BOOL).from(2),
];

pub(super) const LIST_CONFIG_RESOURCES: Schema = &[f("resource_types", Array(&I8)).from(1)];
