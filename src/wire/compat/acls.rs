//! `DescribeAcls`, `CreateAcls`, `DeleteAcls`: Kafka cannot read a request that has the number 0, which stands for
//! "unknown", among its kinds, and ends the connection. Numbers that do not exist it takes for 0 only later.

use kafka_protocol::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};

const UNKNOWN: i8 = 0;

/// Whether the request has a 0 among its kinds.
pub(crate) trait HasUnknownKind {
    fn has_unknown_kind(&self) -> bool;
}

impl HasUnknownKind for DescribeAclsRequest {
    fn has_unknown_kind(&self) -> bool {
        [self.resource_type_filter, self.pattern_type_filter, self.operation, self.permission_type]
            .contains(&UNKNOWN)
    }
}

impl HasUnknownKind for CreateAclsRequest {
    fn has_unknown_kind(&self) -> bool {
        self.creations.iter().any(|acl| {
            [acl.resource_type, acl.resource_pattern_type, acl.operation, acl.permission_type]
                .contains(&UNKNOWN)
        })
    }
}

impl HasUnknownKind for DeleteAclsRequest {
    fn has_unknown_kind(&self) -> bool {
        self.filters.iter().any(|acl| {
            [acl.resource_type_filter, acl.pattern_type_filter, acl.operation, acl.permission_type]
                .contains(&UNKNOWN)
        })
    }
}
