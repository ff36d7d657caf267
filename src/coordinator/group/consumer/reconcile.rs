//! One step of a member towards its target (`CurrentAssignmentBuilder`).
//!
//! A partition goes from one member to another in three moves: the old owner is told to give it back, it shows that it
//! did (its heartbeat no longer lists it), and only then the new owner gets it.

use super::member::{Member, MemberState, contains};
use crate::group::record::{Assignment, CurrentAssignmentValue};
use model::TopicId;

/// What a member is reconciled to.
pub(super) struct Goal<'a> {
    pub target_epoch: i32,
    pub target: &'a Assignment,
    /// What the member says it owns; `None` when it does not say.
    pub owned: Option<&'a Assignment>,
    /// Whether anybody holds a partition.
    pub is_owned: &'a dyn Fn(TopicId, i32) -> bool,
}

/// The member is in a state that this broker does not know and must start again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct MustRejoin;

impl Goal<'_> {
    /// What the member is next; `None` when it cannot move.
    pub(super) fn advance(&self, member: &Member) -> Result<Option<CurrentAssignmentValue>, MustRejoin> {
        let next = match member.state() {
            MemberState::Stable if member.epoch() == self.target_epoch => return Ok(None),
            MemberState::UnrevokedPartitions if self.owns_any(&member.current.pending_revocation) => {
                return Ok(None);
            }
            MemberState::Stable | MemberState::UnreleasedPartitions => self.next(member, member.epoch()),
            MemberState::UnrevokedPartitions => self.next(member, member.epoch().saturating_add(1)),
            MemberState::Unknown => {
                if self.owned.is_none_or(|owned| !owned.is_empty()) {
                    return Err(MustRejoin);
                }
                self.next(member, self.target_epoch)
            }
        };
        Ok(Some(next).filter(|next| *next != member.current))
    }

    /// `epoch` is where the member stays if it has to give something back first.
    fn next(&self, member: &Member, epoch: i32) -> CurrentAssignmentValue {
        let had = &member.current.assigned;
        let mut kept = Assignment::new();
        let mut to_revoke = Assignment::new();
        for (topic, partitions) in had {
            for partition in partitions {
                let side = if contains(self.target, *topic, *partition) { &mut kept } else { &mut to_revoke };
                side.entry(*topic).or_default().push(*partition);
            }
        }
        let value = |epoch: i32, state: MemberState, assigned, pending_revocation| CurrentAssignmentValue {
            member_epoch: epoch,
            previous_member_epoch: member.epoch(),
            state: state.code(),
            assigned,
            pending_revocation,
        };
        if !to_revoke.is_empty() && self.owns_any(&to_revoke) {
            return value(epoch, MemberState::UnrevokedPartitions, kept, to_revoke);
        }
        let mut state = MemberState::Stable;
        for (topic, partitions) in self.target {
            for partition in partitions.iter().filter(|partition| !contains(had, *topic, **partition)) {
                // What the member itself is giving back it may as well keep: nobody else can hold it.
                let own = contains(&member.current.pending_revocation, *topic, *partition);
                if (self.is_owned)(*topic, *partition) && !own {
                    state = MemberState::UnreleasedPartitions;
                } else {
                    kept.entry(*topic).or_default().push(*partition);
                }
            }
        }
        for partitions in kept.values_mut() {
            partitions.sort_unstable();
        }
        value(self.target_epoch, state, kept, Assignment::new())
    }

    /// Whether the member still has any of `revoked`; when it does not say, it has.
    fn owns_any(&self, revoked: &Assignment) -> bool {
        let Some(owned) = self.owned else { return true };
        owned.iter().any(|(topic, partitions)| {
            partitions.iter().any(|partition| contains(revoked, *topic, *partition))
        })
    }
}

/// Whether all of `owned` is in `assigned`; what is not said is not known (`isSubset`).
pub(super) fn is_subset(owned: Option<&Assignment>, assigned: &Assignment) -> bool {
    owned.is_some_and(|owned| {
        owned.iter().all(|(topic, partitions)| {
            assigned.contains_key(topic)
                && partitions.iter().all(|partition| contains(assigned, *topic, *partition))
        })
    })
}
