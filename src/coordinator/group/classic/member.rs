//! A member of a classic group.

use crate::group::record::ClassicMemberValue;
use crate::group::timers::Alarm;
use crate::group::{JoinRequest, JoinedMember, Ticket};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;

/// A member of a classic group. Its bytes are its own copies: a slice would keep a whole request alive.
#[derive(Clone, Debug)]
#[allow(missing_docs)]
pub struct Member {
    pub id: Arc<str>,
    /// KIP-345.
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    pub rebalance_timeout_ms: i32,
    pub session_timeout_ms: i32,
    /// What it speaks, best first: name and metadata.
    pub protocols: Vec<(String, Bytes)>,
    pub assignment: Bytes,
    /// Its JoinGroup, until the join phase ends.
    pub(super) join: Option<Ticket>,
    /// Its SyncGroup, until the leader has assigned.
    pub(super) sync: Option<Ticket>,
    /// It has not got its member id yet and cannot send heartbeats.
    pub(super) is_new: bool,
    pub(super) session: Alarm,
}

impl Member {
    pub(super) fn new(id: Arc<str>, request: &JoinRequest) -> Self {
        Self {
            id,
            instance_id: request.instance_id.clone(),
            client_id: request.client.id.clone(),
            client_host: request.client.host.clone(),
            rebalance_timeout_ms: request.rebalance_timeout_ms,
            session_timeout_ms: request.session_timeout_ms,
            protocols: own(&request.protocols),
            assignment: Bytes::new(),
            join: None,
            sync: None,
            is_new: true,
            session: Alarm::default(),
        }
    }

    /// As a record remembers it: of its protocols, the chosen one.
    pub(super) fn from_value(value: ClassicMemberValue, protocol: &str) -> Self {
        let no_rebalance_timeout = value.rebalance_timeout_ms == -1;
        Self {
            id: value.member_id.into(),
            instance_id: value.instance_id,
            client_id: value.client_id,
            client_host: value.client_host,
            rebalance_timeout_ms: if no_rebalance_timeout {
                value.session_timeout_ms
            } else {
                value.rebalance_timeout_ms
            },
            session_timeout_ms: value.session_timeout_ms,
            protocols: vec![(protocol.to_owned(), Bytes::copy_from_slice(&value.subscription))],
            assignment: Bytes::copy_from_slice(&value.assignment),
            join: None,
            sync: None,
            is_new: false,
            session: Alarm::default(),
        }
    }

    pub(super) fn to_value(&self, protocol: Option<&str>, assignment: Bytes) -> ClassicMemberValue {
        ClassicMemberValue {
            member_id: self.id.to_string(),
            instance_id: self.instance_id.clone(),
            client_id: self.client_id.clone(),
            client_host: self.client_host.clone(),
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            session_timeout_ms: self.session_timeout_ms,
            subscription: self.metadata(protocol),
            assignment,
        }
    }

    /// As the leader is told of it.
    pub(super) fn joined(&self, protocol: Option<&str>) -> JoinedMember {
        JoinedMember {
            member_id: self.id.to_string(),
            instance_id: self.instance_id.clone(),
            metadata: self.metadata(protocol),
        }
    }

    /// Its metadata in that protocol.
    pub fn metadata(&self, protocol: Option<&str>) -> Bytes {
        let spoken = self.protocols.iter().find(|(name, _)| Some(name.as_str()) == protocol);
        spoken.map(|(_, metadata)| metadata.clone()).unwrap_or_default()
    }

    /// The names of what it speaks; each counts once, however often a client repeats it.
    pub(super) fn spoken(&self) -> BTreeSet<&str> {
        self.protocols.iter().map(|(name, _)| name.as_str()).collect()
    }

    /// Whether a missed heartbeat means nothing: we owe it an answer. A new member may be gone for good, so it is not
    /// waited for.
    pub(super) fn is_excused(&self) -> bool {
        !self.is_new && (self.join.is_some() || self.sync.is_some())
    }
}

/// Copies what must outlive a request.
pub(super) fn own(protocols: &[(String, Bytes)]) -> Vec<(String, Bytes)> {
    protocols.iter().map(|(name, metadata)| (name.clone(), Bytes::copy_from_slice(metadata))).collect()
}
