//! What administrators ask about groups.

use super::record::Record;
use super::shard::Group;
use super::{Context, Refusal, Reply, Shard, Step, Ticket, classic};
use bytes::Bytes;
use model::ErrorCode;

/// A group in ListGroups (KIP-518, KIP-848).
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct ListedGroup {
    pub group_id: String,
    /// `consumer`, `connect` or another; empty for a group that only holds offsets.
    pub protocol_type: String,
    /// As Kafka spells it: `Stable`.
    pub state: &'static str,
    /// `classic` or `consumer`.
    pub group_type: &'static str,
}

/// A classic group in DescribeGroups.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DescribedGroup {
    pub group_id: String,
    pub state: &'static str,
    pub protocol_type: String,
    /// The chosen protocol, while the group is stable; else empty.
    pub protocol: String,
    pub members: Vec<DescribedMember>,
}

/// A member of a classic group in DescribeGroups.
#[derive(Clone, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct DescribedMember {
    pub member_id: String,
    pub instance_id: Option<String>,
    pub client_id: String,
    pub client_host: String,
    /// Of the chosen protocol, while the group is stable; else empty.
    pub metadata: Bytes,
    pub assignment: Bytes,
}

/// How much a shard holds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[allow(missing_docs)]
pub struct Figures {
    pub groups: usize,
    /// Of groups of both protocols.
    pub members: usize,
    /// Member ids that were given out and did not join yet (KIP-394).
    pub pending_members: usize,
    /// JoinGroup and SyncGroup requests of classic groups that wait for an answer.
    pub parked: usize,
    /// Entries in the queue of deadlines.
    pub deadlines: usize,
}

impl Shard {
    /// How much the shard holds; looks at every group.
    pub fn figures(&self) -> Figures {
        let mut figures =
            Figures { groups: self.groups.len(), deadlines: self.timers.len(), ..Figures::default() };
        for group in self.groups.values() {
            match group {
                Group::Classic(group) => {
                    figures.members += group.members().count();
                    figures.pending_members += group.pending_count();
                    figures.parked += group.parked_count();
                }
                Group::Consumer(group) => figures.members += group.member_count(),
            }
        }
        figures
    }

    /// The shard's groups whose state and type are among those asked for; no filter lets everything through. Case does
    /// not matter.
    pub fn list(&self, states: &[String], types: &[String]) -> Vec<ListedGroup> {
        let passes = |group: &ListedGroup| {
            (states.is_empty() || states.iter().any(|state| state.trim().eq_ignore_ascii_case(group.state)))
                && (types.is_empty() || types.iter().any(|name| name.eq_ignore_ascii_case(group.group_type)))
        };
        self.groups.iter().map(|(group_id, group)| group.listed(group_id)).filter(passes).collect()
    }

    /// A classic group. Any other is not found, as in Kafka: newer versions answer that as an error, older ones as the
    /// state `Dead`.
    pub fn describe_classic(&self, group_id: &str) -> Result<DescribedGroup, Refusal> {
        let not_found = |what: &str| Refusal {
            code: ErrorCode::GroupIdNotFound,
            message: Some(format!("Group {group_id} {what}.")),
        };
        match self.groups.get(group_id) {
            Some(Group::Classic(group)) => Ok(group.described()),
            Some(Group::Consumer(_)) => Err(not_found("is not a classic group")),
            None => Err(not_found("not found")),
        }
    }

    /// Deletes a group that has no members, with its offsets (KIP-229).
    pub(super) fn delete_group(&mut self, _context: &Context, ticket: Ticket, group_id: &str) -> Step {
        let code = match self.groups.get(group_id) {
            None => ErrorCode::GroupIdNotFound,
            Some(group) if !group.is_empty() => ErrorCode::NonEmptyGroup,
            Some(_) => ErrorCode::None,
        };
        let mut step = Step::reply(ticket, Reply::DeleteGroup(code));
        if code == ErrorCode::None {
            step.records = self.delete_all_offsets(group_id);
            step.records.extend(self.group_tombstones(group_id));
        }
        step
    }

    /// What removes a group, its offsets apart (`Group.createGroupTombstoneRecords`).
    pub(super) fn group_tombstones(&self, group_id: &str) -> Vec<Record> {
        match self.groups.get(group_id) {
            Some(Group::Classic(_)) => vec![Record::ClassicGroup(group_id.to_owned(), None)],
            Some(Group::Consumer(_)) => self.consumer_group_tombstones(group_id),
            None => Vec::new(),
        }
    }
}

impl Group {
    /// Whether it has no members.
    pub(super) fn is_empty(&self) -> bool {
        match self {
            Self::Classic(group) => group.is_empty(),
            Self::Consumer(group) => group.is_empty(),
        }
    }

    fn listed(&self, group_id: &str) -> ListedGroup {
        let (protocol_type, state, group_type) = match self {
            Self::Classic(group) => {
                (group.protocol_type.clone().unwrap_or_default(), group.state().name(), "classic")
            }
            Self::Consumer(group) => ("consumer".to_owned(), group.state_name(), "consumer"),
        };
        ListedGroup { group_id: group_id.to_owned(), protocol_type, state, group_type }
    }
}

impl classic::Group {
    fn described(&self) -> DescribedGroup {
        let protocol = self.protocol().filter(|_| self.state() == classic::State::Stable);
        let member = |member: &classic::Member| DescribedMember {
            member_id: member.id.to_string(),
            instance_id: member.instance_id.clone(),
            client_id: member.client_id.clone(),
            client_host: member.client_host.clone(),
            metadata: if protocol.is_some() { member.metadata(protocol) } else { Bytes::new() },
            assignment: member.assignment.clone(),
        };
        DescribedGroup {
            group_id: self.id.to_string(),
            state: self.state().name(),
            protocol_type: self.protocol_type.clone().unwrap_or_default(),
            protocol: protocol.unwrap_or_default().to_owned(),
            members: self.members().map(member).collect(),
        }
    }
}
