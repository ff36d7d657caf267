//! What becomes due for a member of a consumer group.

use super::member::Member;
use crate::group::timers::{Alarm, TimerKey, Timers};
use std::sync::Arc;

/// A member and its deadlines.
#[derive(Debug)]
pub(super) struct Slot {
    pub member: Member,
    pub alarms: Alarms,
}

/// The deadlines of a member.
#[derive(Clone, Debug, Default)]
pub(super) struct Alarms {
    session: Alarm,
    rebalance: Alarm,
    /// The epoch that the rebalance deadline is about.
    pub rebalance_epoch: i32,
    join: Alarm,
    sync: Alarm,
}

/// Which deadline.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::group) enum AlarmKind {
    /// It must be heard.
    Session,
    /// It must give its partitions back.
    Rebalance,
    /// A classic member must rejoin.
    Join,
    /// A classic member must send SyncGroup.
    Sync,
}

/// A change of a deadline, to be made once the records of its step are in the log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(in crate::group) struct AlarmChange {
    pub member_id: Arc<str>,
    pub kind: AlarmKind,
    pub to: AlarmTo,
}

/// Where a deadline goes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(in crate::group) enum AlarmTo {
    /// To that moment.
    At(i64),
    /// To that moment, unless there is one already.
    AtMost(i64),
    /// Nowhere.
    Off,
}

impl Slot {
    pub(super) fn change(&mut self, timers: &mut Timers, group_id: &Arc<str>, kind: AlarmKind, to: AlarmTo) {
        let Self { member, alarms } = self;
        if kind == AlarmKind::Rebalance {
            alarms.rebalance_epoch = member.epoch();
        }
        let alarm = alarms.of(kind);
        match to {
            AlarmTo::AtMost(_) if alarm.deadline_ms().is_some() => {}
            AlarmTo::At(at_ms) | AlarmTo::AtMost(at_ms) => {
                alarm.set(timers, at_ms, || key(kind, group_id.clone(), member.id.clone()));
            }
            AlarmTo::Off => alarm.cancel(timers),
        }
    }
}

impl Alarms {
    pub(super) fn of(&mut self, kind: AlarmKind) -> &mut Alarm {
        match kind {
            AlarmKind::Session => &mut self.session,
            AlarmKind::Rebalance => &mut self.rebalance,
            AlarmKind::Join => &mut self.join,
            AlarmKind::Sync => &mut self.sync,
        }
    }

    pub(super) fn cancel(mut self, timers: &mut Timers) {
        for kind in [AlarmKind::Session, AlarmKind::Rebalance, AlarmKind::Join, AlarmKind::Sync] {
            self.of(kind).cancel(timers);
        }
    }
}

fn key(kind: AlarmKind, group_id: Arc<str>, member_id: Arc<str>) -> TimerKey {
    match kind {
        AlarmKind::Session => TimerKey::ConsumerSession(group_id, member_id),
        AlarmKind::Rebalance => TimerKey::ConsumerRebalance(group_id, member_id),
        AlarmKind::Join => TimerKey::ConsumerJoin(group_id, member_id),
        AlarmKind::Sync => TimerKey::ConsumerSync(group_id, member_id),
    }
}
