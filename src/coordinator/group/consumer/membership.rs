//! Who may be in a group, and under which id.

use super::group::{Group, refusal};
use super::heartbeat::Draft;
use super::member::{EPOCH_STATIC_LEAVE, Member, member_key};
use crate::group::record::Record;
use crate::group::{Context, Refusal};
use model::ErrorCode;

impl Group {
    pub(super) fn refuse_when_full(&self, context: &Context, member_id: &str) -> Result<(), Refusal> {
        let members_max = context.settings.consumer_members_max;
        let full = usize::try_from(members_max).is_ok_and(|max| self.members.len() >= max);
        if full && (member_id.is_empty() || self.member(member_id).is_none()) {
            let message =
                format!("The consumer group has reached its maximum capacity of {members_max} members.");
            return Err(refusal(ErrorCode::GroupMaxSizeReached, message));
        }
        Ok(())
    }

    /// The member of that id; a new one where it may join.
    pub(super) fn dynamic_member(&self, member_id: &str, joining: bool) -> Result<Member, Refusal> {
        match self.member(member_id) {
            Some(member) => Ok(member.clone()),
            None if joining => Ok(Member::new(member_id.into())),
            None => self.known_member(member_id).cloned(),
        }
    }

    /// A static member that joins. It takes the place of the one before, when that one has left or speaks the classic
    /// protocol.
    pub(super) fn joining_static_member(
        &self,
        instance_id: &str,
        member_id: &str,
        classic: bool,
        draft: &mut Draft,
    ) -> Result<Member, Refusal> {
        let Some(old) = self.static_member(instance_id) else {
            return self.dynamic_member(member_id, true);
        };
        if !classic && !old.is_classic() && old.epoch() != EPOCH_STATIC_LEAVE {
            let message = format!(
                "Static member {member_id} with instance id {instance_id} cannot join the group because the instance \
                 id is owned by {} member.",
                old.id
            );
            return Err(refusal(ErrorCode::UnreleasedInstanceId, message));
        }
        let mut new = old.clone();
        new.id = member_id.into();
        new.current.member_epoch = 0;
        new.current.previous_member_epoch = 0;
        self.removal(&old.id, &mut draft.records);
        let target = self.targets.get(&old.id).cloned().unwrap_or_default();
        draft.records.push(new.about_record(&self.id));
        draft.records.push(Record::TargetMember(new.key(&self.id), Some(target)));
        draft.records.push(new.current_record(&self.id));
        Ok(new)
    }

    /// The static member, which must be the one that asks.
    pub(super) fn own_static_member(&self, instance_id: &str, member_id: &str) -> Result<&Member, Refusal> {
        let member = self.static_member(instance_id).ok_or_else(|| {
            refusal(ErrorCode::UnknownMemberId, format!("Instance id {instance_id} is unknown."))
        })?;
        if *member.id != *member_id {
            let message = format!(
                "Static member {member_id} with instance id {instance_id} was fenced by member {}.",
                member.id
            );
            return Err(refusal(ErrorCode::FencedInstanceId, message));
        }
        Ok(member)
    }

    /// The tombstones of a member. The order matters to whoever replays them.
    pub(super) fn removal(&self, member_id: &str, records: &mut Vec<Record>) {
        let key = || member_key(&self.id, member_id);
        records.push(Record::CurrentAssignment(key(), None));
        records.push(Record::TargetMember(key(), None));
        records.push(Record::Member(key(), None));
    }
}
