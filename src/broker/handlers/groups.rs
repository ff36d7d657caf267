//! What the handlers of the group APIs share: out of the wire's shapes, and into them.

use std::net::IpAddr;

use bytes::Bytes;
use coordinator::group::Client;
use model::ErrorCode;
use uuid::Uuid;
use wire::StrBytes;
use wire::messages;

use super::answer::text;
use crate::context::RequestContext;

/// A group id in the form of the generated structs.
pub(super) fn group_id(value: impl Into<String>) -> messages::GroupId {
    messages::GroupId(text(value))
}

/// A string of a request, on its own: a slice would keep the whole frame.
pub(super) fn owned(value: &StrBytes) -> String {
    value.as_str().to_owned()
}

/// A string of a request that may be null.
pub(super) fn owned_option(value: Option<&StrBytes>) -> Option<String> {
    value.map(owned)
}

/// A member's bytes, on their own: groups keep them for as long as the member lives.
pub(super) fn owned_bytes(value: &Bytes) -> Bytes {
    Bytes::copy_from_slice(value)
}

/// What the id of a new member is made of. It is drawn where the request has none: that asks the kernel.
pub(super) fn fresh_id(member_id: &str) -> Uuid {
    if member_id.is_empty() { Uuid::new_v4() } else { Uuid::nil() }
}

/// Who sent a request.
pub(super) fn client(context: &RequestContext) -> Client {
    Client { id: context.header.client_id.to_string(), host: host(context.connection.peer.ip()) }
}

/// An address as Java's `InetAddress` shows it.
fn host(address: IpAddr) -> String {
    match address.to_canonical() {
        IpAddr::V4(v4) => format!("/{v4}"),
        IpAddr::V6(v6) => {
            let parts: Vec<String> = v6.segments().iter().map(|part| format!("{part:x}")).collect();
            format!("/{}", parts.join(":"))
        }
    }
}

/// Which of a request's partitions exist; those that do not are answered for here.
pub(super) fn partition_error(topic: Option<&controller::image::Topic>, index: i32) -> Option<ErrorCode> {
    match topic.and_then(|topic| topic.partition(index)) {
        Some(_) => None,
        None => Some(ErrorCode::UnknownTopicOrPartition),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_look_as_in_java() {
        let shown = |address: &str| host(address.parse().unwrap());
        assert_eq!(shown("127.0.0.1"), "/127.0.0.1");
        assert_eq!(shown("::ffff:10.0.0.7"), "/10.0.0.7");
        assert_eq!(shown("::1"), "/0:0:0:0:0:0:0:1");
        assert_eq!(shown("fe80::a0:1"), "/fe80:0:0:0:0:0:a0:1");
    }
}
