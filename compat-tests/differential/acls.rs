//! Describe-, Create- and DeleteAcls on brokers without an authorizer.

use wire::messages::create_acls_request::AclCreation;
use wire::messages::delete_acls_request::DeleteAclsFilter;
use wire::messages::{CreateAclsRequest, DeleteAclsRequest, DescribeAclsRequest};

use crate::ask::text;
use crate::pair::Pair;

/// Resource type, pattern type, operation, permission.
const CODES: [(&str, [i8; 4]); 7] = [
    ("any", [1, 1, 1, 1]),
    ("a topic", [2, 3, 3, 3]),
    ("unknown resource", [0, 3, 3, 3]),
    ("resource 99", [99, 3, 3, 3]),
    ("pattern 99", [2, 99, 3, 3]),
    ("operation 99", [2, 3, 99, 3]),
    ("permission 99", [2, 3, 3, 99]),
];

/// The steps.
pub async fn script(pair: &mut Pair) {
    for (step, [resource, pattern, operation, permission]) in CODES {
        pair.all(&format!("describe {step}"), |_, _| {
            DescribeAclsRequest::default()
                .with_resource_type_filter(resource)
                .with_pattern_type_filter(pattern)
                .with_operation(operation)
                .with_permission_type(permission)
                .with_resource_name_filter(None)
                .with_principal_filter(None)
                .with_host_filter(None)
        })
        .await;
        pair.all(&format!("create {step}"), |_, _| {
            let creation = AclCreation::default()
                .with_resource_type(resource)
                .with_resource_pattern_type(pattern)
                .with_operation(operation)
                .with_permission_type(permission)
                .with_resource_name(text("t"))
                .with_principal(text("User:alice"))
                .with_host(text("*"));
            CreateAclsRequest::default().with_creations(vec![creation.clone(), creation])
        })
        .await;
        pair.all(&format!("delete {step}"), |_, _| {
            let filter = DeleteAclsFilter::default()
                .with_resource_type_filter(resource)
                .with_pattern_type_filter(pattern)
                .with_operation(operation)
                .with_permission_type(permission)
                .with_resource_name_filter(Some(text("t")));
            DeleteAclsRequest::default().with_filters(vec![filter.clone(), filter])
        })
        .await;
    }
    pair.all("create none", |_, _| CreateAclsRequest::default()).await;
    pair.all("delete none", |_, _| DeleteAclsRequest::default()).await;
}
