//! A group changes its protocol while its members work (KIP-848): classic to consumer when the first member of the
//! consumer protocol joins, and back when the last one leaves.

use super::PROTOCOL_TYPE;
use super::alarms::{AlarmKind, AlarmTo};
use super::classic_member::{embed, ids};
use super::embedded::{Given, Subscription};
use super::group::{Group, refusal};
use super::heartbeat::Draft;
use super::member::{Member, MemberState, sorted_names};
use super::subscriptions::Wanted;
use crate::group::classic;
use crate::group::record::{
    Assignment, ClassicGroupValue, ClassicMemberMetadata, ClassicMemberValue, ConsumerGroupValue, Record,
};
use crate::group::shard::FollowUp;
use crate::group::timers::Timers;
use crate::group::{Context, Refusal};
use model::ErrorCode;
use std::collections::BTreeMap;

impl classic::Group {
    /// The consumer group that this one becomes, not yet in the log; its records are added to `draft`
    /// (`convertToConsumerGroup`). An empty group is dropped for a new one.
    pub(super) fn upgraded(&self, context: &Context, draft: &mut Draft) -> Result<Group, Refusal> {
        let group_id = self.id.to_string();
        let mut group = Group::new(&group_id);
        if self.is_empty() {
            draft.records.push(Record::ClassicGroup(group_id, None));
            return Ok(group);
        }
        self.validate_upgrade(context)?;
        let mut members = Vec::new();
        for member in self.members() {
            members.push(self.upgraded_member(context, member)?);
        }
        let mut wanted = Wanted::default();
        for member in &members {
            wanted.add_member(member);
        }
        let metadata_hash = group.hashes.group_hash(&wanted, context.topics);
        let epoch = self.generation;
        let start = draft.records.len();
        draft.records.push(Record::ClassicGroup(group_id.clone(), None));
        draft.records.extend(members.iter().map(|member| member.about_record(&group_id)));
        let value = ConsumerGroupValue { epoch, metadata_hash };
        draft.records.push(Record::ConsumerGroup(group_id.clone(), Some(value)));
        let target = |member: &Member| {
            Record::TargetMember(member.key(&group_id), Some(member.current.assigned.clone()))
        };
        draft.records.extend(members.iter().map(target));
        draft.records.push(Record::TargetEpoch(group_id.clone(), Some(epoch)));
        draft.records.extend(members.iter().map(|member| member.current_record(&group_id)));
        for record in &draft.records[start..] {
            group.replay(&mut Timers::default(), record.clone());
        }
        for member in members {
            let session_ms = member.about.classic.as_ref().map_or(0, |classic| classic.session_timeout_ms);
            let at_ms = context.now_ms + i64::from(session_ms.max(0));
            draft.alarm(&member.id, AlarmKind::Session, AlarmTo::At(at_ms));
        }
        Ok(group)
    }

    fn validate_upgrade(&self, context: &Context) -> Result<(), Refusal> {
        let settings = context.settings;
        let members_max = usize::try_from(settings.consumer_members_max).unwrap_or(0);
        let reason = if !settings.upgrade_allowed {
            "online upgrade is disabled."
        } else if self.protocol_type.as_deref() != Some(PROTOCOL_TYPE) {
            "the group does not use the consumer embedded protocol."
        } else if self.members().count() > members_max {
            "the group size exceeds the consumer group maximum size."
        } else {
            return Ok(());
        };
        Err(self.cannot_upgrade(reason))
    }

    /// The member at the group's generation, with what the leader had given it.
    fn upgraded_member(&self, context: &Context, classic: &classic::Member) -> Result<Member, Refusal> {
        let malformed = || self.cannot_upgrade("the embedded consumer protocol is malformed.");
        let mut assigned = Assignment::new();
        if !classic.assignment.is_empty() {
            let given = Given::decode(&classic.assignment).map_err(|_malformed| malformed())?;
            if given.has_user_data {
                return Err(self.cannot_upgrade(
                    "an unsupported custom assignor is in use. Please refer to the documentation or switch to a \
                     default assignor before re-attempting the upgrade.",
                ));
            }
            assigned = ids(&given.partitions, context.topics);
        }
        // Before its first generation a group has chosen no protocol.
        let chosen = self.protocol().or(classic.protocols.first().map(|(name, _)| name.as_str()));
        let subscription =
            Subscription::decode(&classic.metadata(chosen)).map_err(|_malformed| malformed())?;
        let mut member = Member::new(classic.id.clone());
        let about = &mut member.about;
        about.instance_id.clone_from(&classic.instance_id);
        about.rack_id = subscription.rack_id;
        about.client_id.clone_from(&classic.client_id);
        about.client_host.clone_from(&classic.client_host);
        about.subscribed_topics = sorted_names(subscription.topics);
        about.rebalance_timeout_ms = classic.rebalance_timeout_ms;
        about.classic = Some(ClassicMemberMetadata {
            session_timeout_ms: classic.session_timeout_ms,
            protocols: classic.protocols.clone(),
        });
        let current = &mut member.current;
        current.member_epoch = self.generation;
        current.previous_member_epoch = self.generation;
        current.state = MemberState::Stable.code();
        current.assigned = assigned;
        Ok(member)
    }

    fn cannot_upgrade(&self, reason: &str) -> Refusal {
        let message = format!("Cannot upgrade classic group {} to consumer group because {reason}", self.id);
        refusal(ErrorCode::GroupIdNotFound, message)
    }
}

impl Group {
    /// Whether classic members alone are left without `gone`, and may be a classic group.
    pub(super) fn may_downgrade(&self, context: &Context, gone: &[&Member]) -> bool {
        let left = self.members.len() - gone.len();
        let classic_left = self.classic_members - gone.iter().filter(|member| member.is_classic()).count();
        left > 0 && classic_left == left && fits_classic(context, left)
    }

    /// Whether classic members alone are left once a classic one has taken the place of `old`.
    pub(super) fn may_downgrade_by_replacing(&self, context: &Context, old: &Member) -> bool {
        !old.is_classic()
            && self.classic_members + 1 == self.members.len()
            && fits_classic(context, self.members.len())
    }

    /// The records that end this group and make it a classic one without `gone` and with `joining`
    /// (`convertToClassicGroup`), and what is to be done once they are in the log.
    pub(super) fn downgrade(
        &self,
        context: &Context,
        gone: &[&Member],
        joining: Option<&Member>,
        rebalance: bool,
    ) -> (Vec<Record>, FollowUp) {
        let instance_id = joining.and_then(|member| member.about.instance_id.as_deref());
        let replaced = instance_id.and_then(|instance_id| self.static_member(instance_id));
        let renamed = replaced.zip(joining).map(|(old, new)| (&*old.id, &*new.id));
        let mut records = self.tombstones(renamed);
        let stays = |member: &&Member| {
            gone.iter().all(|gone| gone.id != member.id)
                && replaced.is_none_or(|replaced| replaced.id != member.id)
        };
        // Each with the id whose target it takes.
        let mut members: Vec<(&Member, &str)> =
            self.all_members().filter(stays).map(|member| (member, &*member.id)).collect();
        members.extend(joining.map(|joining| (joining, replaced.map_or(&*joining.id, |old| &*old.id))));
        let protocol = elect_protocol(&members);
        let value =
            |(member, heir_of): &(&Member, &str)| self.classic_value(context, member, heir_of, &protocol);
        let value = ClassicGroupValue {
            protocol_type: PROTOCOL_TYPE.to_owned(),
            generation: self.epoch,
            protocol: Some(protocol.clone()),
            leader: members.first().map(|(member, _)| member.id.to_string()),
            state_timestamp_ms: context.wall_ms,
            members: members.iter().map(value).collect(),
        };
        let protocols: BTreeMap<_, _> = members
            .iter()
            .filter_map(|(member, _)| Some((member.id.to_string(), member.about.classic.clone()?.protocols)))
            .collect();
        let group_id = self.id.to_string();
        records.push(Record::ClassicGroup(group_id.clone(), Some(value)));
        (records, FollowUp::Downgraded { group_id, protocols, rebalance })
    }

    fn classic_value(
        &self,
        context: &Context,
        member: &Member,
        heir_of: &str,
        protocol: &str,
    ) -> ClassicMemberValue {
        let classic = member.about.classic.as_ref();
        let spoken = classic.and_then(|classic| classic.protocols.iter().find(|(name, _)| name == protocol));
        let subscription = spoken.map(|(_, metadata)| metadata.clone()).unwrap_or_default();
        let target = self.targets.get(heir_of).cloned().unwrap_or_default();
        ClassicMemberValue {
            member_id: member.id.to_string(),
            instance_id: member.about.instance_id.clone(),
            client_id: member.about.client_id.clone(),
            client_host: member.about.client_host.clone(),
            rebalance_timeout_ms: member.about.rebalance_timeout_ms,
            session_timeout_ms: classic.map_or(0, |classic| classic.session_timeout_ms),
            assignment: embed(&target, &subscription, context.topics),
            subscription,
        }
    }
}

fn fits_classic(context: &Context, members: usize) -> bool {
    let members_max = usize::try_from(context.settings.classic_members_max).unwrap_or(0);
    context.settings.downgrade_allowed && members <= members_max
}

/// Each member votes for its first protocol among those that all speak; a tie goes to the first name.
fn elect_protocol(members: &[(&Member, &str)]) -> String {
    let common = |name: &str| members.iter().all(|(member, _)| member.classic_protocols().contains(name));
    let mut votes: BTreeMap<&str, usize> = BTreeMap::new();
    for (member, _) in members {
        let protocols = member.about.classic.iter().flat_map(|classic| &classic.protocols);
        if let Some((name, _)) = protocols.into_iter().find(|(name, _)| common(name)) {
            *votes.entry(name).or_default() += 1;
        }
    }
    let most = votes.values().copied().max().unwrap_or(0);
    votes.into_iter().find(|(_, count)| *count == most).map(|(name, _)| name.to_owned()).unwrap_or_default()
}
