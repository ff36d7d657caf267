//! What must hold whatever happens.

use super::member::{GROUP, Member, PARTITIONS, TOPIC, partitions};
use crate::group::classic::State;
use crate::group::record::{ClassicGroupValue, Record};
use crate::group::shard::Group;
use crate::group::tests::world::{Outcome, World};
use crate::group::{FetchTopic, OffsetFetchRequest, Reply};
use bytes::Bytes;
use model::ErrorCode;
use std::collections::BTreeMap;

/// What was seen so far.
#[derive(Debug, Default)]
pub struct Ledger {
    /// State and generation after the last event; none when there is no group or the shard was loaded since.
    last: Option<(State, i32)>,
    /// Who was told in which generation that it owns which partition.
    owners: BTreeMap<(i32, i32), String>,
    /// What the log says of each partition's offset.
    committed: BTreeMap<i32, i64>,
    /// The group as it was written down last.
    written: Option<ClassicGroupValue>,
}

impl Ledger {
    /// After every call of the shard.
    pub fn check(&mut self, world: &World, outcome: &Outcome, outstanding: usize) {
        for record in &outcome.records {
            self.wrote(record);
        }
        let figures = world.shard.figures();
        assert_eq!(outstanding, figures.parked, "every request is answered or parked");
        let may_queue = 2 * figures.groups + figures.members + figures.pending_members + 2;
        assert!(figures.deadlines <= may_queue, "no more deadlines than owners: {figures:?}");
        let Some(Group::Classic(group)) = world.shard.groups.get(GROUP) else {
            self.last = None;
            return;
        };
        let now = (group.state(), group.generation);
        if let Some(before) = self.last {
            Self::check_generation(before, now, outcome);
        }
        self.last = Some(now);
        if group.state() == State::Stable {
            self.check_written(world, group.generation);
        }
    }

    /// The generation moves by one, with a completed join phase, and with nothing else.
    fn check_generation(before: (State, i32), now: (State, i32), outcome: &Outcome) {
        let completed = matches!(now.0, State::CompletingRebalance | State::Empty);
        if before.1 != now.1 {
            assert_eq!(before.1 + 1, now.1, "generations are counted one by one");
            assert!(completed, "the generation moves when a join phase ends: {before:?} to {now:?}");
        } else if matches!(before.0, State::PreparingRebalance { .. }) && completed {
            panic!("a join phase ended in the old generation: {before:?} to {now:?}");
        }
        for (_, reply) in &outcome.replies {
            if let Reply::Join(reply) = reply
                && reply.error == ErrorCode::None
            {
                assert_eq!(reply.generation, now.1, "members join the generation that the group is in");
            }
        }
    }

    /// A stable group is what a new process would read, also after an append that failed.
    fn check_written(&self, world: &World, generation: i32) {
        let written = self.written.as_ref().expect("a stable group is written down");
        assert_eq!(written.generation, generation);
        let described = world.shard.describe_classic(GROUP).expect("the group is there");
        let expected: Vec<(&str, &Bytes)> =
            written.members.iter().map(|member| (member.member_id.as_str(), &member.assignment)).collect();
        let actual: Vec<(&str, &Bytes)> =
            described.members.iter().map(|member| (member.member_id.as_str(), &member.assignment)).collect();
        assert_eq!(expected, actual, "a stable group is what the log says");
    }

    fn wrote(&mut self, record: &Record) {
        match record {
            Record::ClassicGroup(_, value) => self.written.clone_from(value),
            Record::Offset(key, value) => {
                let value = value.as_ref().unwrap_or_else(|| panic!("the offset of {key:?} was removed"));
                let before = self.committed.insert(key.partition, value.offset);
                assert!(
                    before.is_none_or(|before| before <= value.offset),
                    "{key:?} goes back from {before:?}"
                );
            }
            other => panic!("a classic group writes no {other:?}"),
        }
    }

    pub fn is_completing(&self) -> bool {
        self.last.is_some_and(|(state, _)| state == State::CompletingRebalance)
    }

    /// A new process has read the log.
    pub fn reloaded(&mut self, world: &World) {
        self.last = None;
        self.check_offsets(world);
    }

    /// What was committed is what is read.
    pub fn check_offsets(&self, world: &World) {
        for (index, offset) in &self.committed {
            assert_eq!(read(world, *index), Some(*offset), "the offset of partition {index}");
        }
    }

    /// A member was told what it owns.
    pub fn assigned(&mut self, member: &Member, assignment: &Bytes) {
        for index in partitions(assignment) {
            let identity = member.identity();
            let owner = self.owners.entry((member.generation, index)).or_insert_with(|| identity.clone());
            assert_eq!(
                *owner, identity,
                "partition {index} in generation {} has one owner",
                member.generation
            );
        }
    }

    /// Once the faults have stopped for long enough.
    pub fn check_settled(&self, world: &World, members: &[Member]) {
        self.check_offsets(world);
        let figures = world.shard.figures();
        assert_eq!(
            (figures.parked, figures.pending_members),
            (0, 0),
            "nobody waits and nobody is waited for"
        );
        let living: Vec<&Member> = members.iter().filter(|member| !member.gone).collect();
        let Some(Group::Classic(group)) = world.shard.groups.get(GROUP) else {
            assert!(living.is_empty(), "members without a group");
            return;
        };
        if living.is_empty() {
            // Heartbeats alone keep a member, as long as nobody wants a rebalance.
            let is_kept = members.iter().any(|member| member.stuck);
            assert!(is_kept || group.state() == State::Empty, "a group without members: {group:?}");
            return;
        }
        assert_eq!(group.state(), State::Stable, "the group settles: {group:?}\n{members:?}");
        let mut in_group: Vec<&str> = group.members().map(|member| &*member.id).collect();
        let mut ids: Vec<&str> = living.iter().map(|member| member.member_id.as_str()).collect();
        in_group.sort_unstable();
        ids.sort_unstable();
        assert_eq!(in_group, ids, "the group has the members that live");
        let mut owned: Vec<i32> = living.iter().flat_map(|member| member.owned.keys().copied()).collect();
        owned.sort_unstable();
        assert_eq!(owned, (0..PARTITIONS).collect::<Vec<i32>>(), "everything is owned, by one each");
        assert!(living.iter().all(|member| member.generation == group.generation), "one generation for all");
    }
}

/// The committed offset of a partition.
pub fn read(world: &World, index: i32) -> Option<i64> {
    let topics = vec![FetchTopic { name: TOPIC.into(), id: None, partitions: vec![index] }];
    let request = OffsetFetchRequest {
        group_id: GROUP.into(),
        member_id: None,
        member_epoch: -1,
        topics: Some(topics),
        require_stable: false,
    };
    let fetched = world.shard.fetch_offsets(&request).expect("offsets can be read");
    fetched
        .first()
        .and_then(|topic| topic.partitions.first())
        .map(|partition| partition.offset)
        .filter(|o| *o >= 0)
}
