//! Members as their clients behave.

use super::Random;
use crate::group::consumer::embedded::{Given, Subscription, encode_assignment};
use crate::group::consumer::tests::migration::{classic_join, subscription};
use crate::group::consumer::tests::world::{Cluster, GROUP, beat, join};
use crate::group::record::Assignment;
use crate::group::{
    CommitPartition, CommitTopic, ConsumerHeartbeatRequest, HeartbeatRequest, JoinReply, JoinRequest,
    LeaveRequest, LeavingMember, OffsetCommitRequest, Reply, Request, SyncRequest, Topics,
};
use model::{ErrorCode, TopicId};
use std::collections::{BTreeMap, BTreeSet};
use uuid::Uuid;

pub type Partitions = BTreeSet<(TopicId, i32)>;

/// A client that may or may not be running.
#[derive(Debug, Default)]
pub struct Client {
    pub classic: bool,
    /// A classic client that keeps its partitions while it joins.
    pub cooperative: bool,
    pub instance_id: Option<String>,
    pub topics: Vec<String>,
    pub regex: Option<String>,
    pub running: bool,
    /// What it consumes.
    pub owned: Partitions,
    /// What of that was taken from it when it was fenced, which it does not know yet.
    pub void: Partitions,
    pub member_id: String,
    /// Member epoch or generation.
    pub epoch: i32,
    /// The request that it waits for, and until when.
    pub waiting: Option<(u64, i64)>,
    /// When it does something next.
    pub next_ms: i64,
    /// A consumer member's way to what it was told to own, and when it has let go of the rest.
    pub told: Option<(Partitions, i64)>,
    pub say_all: bool,
    pub say_owned: bool,
    pub phase: Phase,
    /// As a classic leader: who gets what.
    pub duty: Vec<(String, bytes::Bytes)>,
    /// The topics as they were when it assigned.
    pub led: Option<i64>,
}

/// Where a classic client is.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Phase {
    #[default]
    Joining,
    Syncing,
    Beating,
}

impl Client {
    /// A new process: nothing is left but its configuration.
    pub fn start(&mut self, now_ms: i64, fresh_id: Uuid) {
        self.stop();
        self.running = true;
        self.member_id = if self.classic { String::new() } else { fresh_id.to_string() };
        self.next_ms = now_ms;
    }

    /// The process is gone.
    pub fn stop(&mut self) {
        self.running = false;
        self.waiting = None;
        self.reset();
    }

    /// It is no member any more and drops everything.
    fn reset(&mut self) {
        self.owned.clear();
        self.void.clear();
        self.told = None;
        self.epoch = 0;
        self.say_all = false;
        self.say_owned = false;
        self.phase = Phase::Joining;
        self.duty.clear();
        self.led = None;
    }

    /// It wants other topics from now on.
    pub fn subscribe(&mut self, topics: Vec<String>, now_ms: i64) {
        self.topics = topics;
        self.timed_out();
        self.next_ms = now_ms;
        if self.phase == Phase::Beating {
            self.phase = Phase::Joining;
        }
    }

    /// A clean end.
    pub fn leave(&mut self, random: &mut Random) -> Option<Request> {
        let joined = self.epoch > 0 && !self.member_id.is_empty();
        let request = joined.then(|| {
            if self.classic {
                let member_id = self.member_id.clone();
                let members =
                    vec![LeavingMember { member_id, instance_id: self.instance_id.clone(), reason: None }];
                return Request::Leave(LeaveRequest { group_id: GROUP.into(), members });
            }
            let epoch = if self.instance_id.is_some() && random.one_in(2) { -2 } else { -1 };
            let instance_id = self.instance_id.clone();
            Request::ConsumerHeartbeat(ConsumerHeartbeatRequest {
                instance_id,
                ..beat(&self.member_id, epoch)
            })
        });
        self.stop();
        request
    }

    /// Commits what it owns, at the epoch that it believes to be in.
    pub fn commit(&self, cluster: &Cluster, offset: i64) -> Option<Request> {
        let joined = self.epoch > 0 && (!self.classic || self.phase == Phase::Beating);
        if !joined || self.owned.is_empty() {
            return None;
        }
        let partition = |index| CommitPartition { index, offset, leader_epoch: -1, metadata: None };
        let topic = |(name, partitions): (String, Vec<i32>)| CommitTopic {
            name,
            id: None,
            partitions: partitions.into_iter().map(partition).collect(),
        };
        Some(Request::OffsetCommit(OffsetCommitRequest {
            version: 9,
            group_id: GROUP.into(),
            generation: self.epoch,
            member_id: self.member_id.clone(),
            instance_id: self.instance_id.clone(),
            retention_time_ms: -1,
            topics: named(&self.owned, cluster).into_iter().map(topic).collect(),
        }))
    }

    /// What it sends now.
    pub fn act(&mut self, now_ms: i64, cluster: &Cluster, fresh_id: Uuid) -> Request {
        if self.classic { self.act_classic(cluster, fresh_id) } else { self.act_consumer(now_ms) }
    }

    fn act_consumer(&mut self, now_ms: i64) -> Request {
        if let Some((told, let_go_ms)) = &self.told
            && *let_go_ms <= now_ms
        {
            let kept: Partitions = self.owned.intersection(told).copied().collect();
            if kept == self.owned {
                self.owned.clone_from(told);
                self.told = None;
            } else {
                // First it says that it gave back, then it takes what is new.
                self.owned = kept;
            }
            self.say_owned = true;
        }
        let mut request = beat(&self.member_id, self.epoch);
        if self.epoch == 0 || self.say_all {
            request = join(&self.member_id, &[]);
            request.member_epoch = self.epoch;
            request.subscribed_topics = self.regex.is_none().then(|| self.topics.clone());
            request.subscribed_regex.clone_from(&self.regex);
            request.rebalance_timeout_ms = super::REBALANCE_MS;
        }
        if self.epoch == 0 || self.say_all || self.say_owned {
            request.owned = Some(grouped(&self.owned));
        }
        request.instance_id.clone_from(&self.instance_id);
        Request::ConsumerHeartbeat(request)
    }

    fn act_classic(&mut self, cluster: &Cluster, fresh_id: Uuid) -> Request {
        let (member_id, instance_id) = (self.member_id.clone(), self.instance_id.clone());
        if self.phase == Phase::Beating && self.led.is_some_and(|version| version != cluster.version) {
            self.phase = Phase::Joining;
        }
        match self.phase {
            Phase::Joining => {
                if !self.cooperative {
                    self.owned.clear();
                }
                let topics: Vec<&str> = self.topics.iter().map(String::as_str).collect();
                let owned = named(&self.owned, cluster);
                let owned: Vec<(&str, &[i32])> =
                    owned.iter().map(|(name, list)| (name.as_str(), &list[..])).collect();
                Request::Join(JoinRequest {
                    instance_id,
                    fresh_id,
                    session_timeout_ms: super::SESSION_MS,
                    rebalance_timeout_ms: super::REBALANCE_MS,
                    protocols: vec![("p".into(), subscription(&topics, &owned))],
                    member_id_required: true,
                    ..classic_join(&member_id, &[], &[])
                })
            }
            Phase::Syncing => Request::Sync(SyncRequest {
                group_id: GROUP.into(),
                generation: self.epoch,
                member_id,
                instance_id,
                protocol_type: Some("consumer".into()),
                protocol_name: Some("p".into()),
                assignments: self.duty.clone(),
            }),
            Phase::Beating => Request::Heartbeat(HeartbeatRequest {
                group_id: GROUP.into(),
                generation: self.epoch,
                member_id,
                instance_id,
            }),
        }
    }

    /// Nothing was answered in time.
    pub fn timed_out(&mut self) {
        self.waiting = None;
        self.say_all = true;
    }

    /// Takes an answer in; says how long it does nothing now.
    pub fn answered(&mut self, reply: &Reply, now_ms: i64, cluster: &Cluster, random: &mut Random) -> i64 {
        self.waiting = None;
        match reply {
            Reply::ConsumerHeartbeat(Ok(reply)) => {
                (self.say_all, self.say_owned) = (false, false);
                self.epoch = reply.member_epoch;
                if let Some(assignment) = &reply.assignment {
                    let told = flat(assignment);
                    // What it has at once it says at once.
                    let slow = !self.owned.is_subset(&told);
                    let let_go_ms =
                        now_ms + if slow { random.below(super::REBALANCE_MS as u64 / 2) as i64 } else { 0 };
                    self.told = (told != self.owned).then_some((told, let_go_ms));
                    if self.told.is_some() {
                        return if slow { random.below(1_500) as i64 } else { 0 };
                    }
                }
                i64::from(reply.heartbeat_interval_ms)
            }
            Reply::ConsumerHeartbeat(Err(refusal)) => {
                match refusal.code {
                    ErrorCode::UnknownMemberId
                    | ErrorCode::FencedMemberEpoch
                    | ErrorCode::GroupIdNotFound => self.reset(),
                    ErrorCode::FencedInstanceId => self.stop(),
                    ErrorCode::UnreleasedInstanceId | ErrorCode::CoordinatorNotAvailable => {
                        self.say_all = true;
                    }
                    other => panic!("{other:?}: {refusal}"),
                }
                500
            }
            Reply::Join(reply) => self.joined(reply, cluster),
            Reply::Sync(reply) => {
                match reply.error {
                    ErrorCode::None => return self.synced(&reply.assignment, cluster),
                    ErrorCode::RebalanceInProgress | ErrorCode::CoordinatorNotAvailable => {
                        self.phase = Phase::Joining;
                    }
                    other => self.refused(other),
                }
                100
            }
            Reply::Heartbeat(ErrorCode::None) => 1_000,
            Reply::Heartbeat(ErrorCode::RebalanceInProgress) => {
                self.phase = Phase::Joining;
                0
            }
            Reply::Heartbeat(ErrorCode::CoordinatorNotAvailable) => 500,
            Reply::Heartbeat(code) => {
                self.refused(*code);
                100
            }
            other => panic!("{other:?}"),
        }
    }

    fn joined(&mut self, reply: &JoinReply, cluster: &Cluster) -> i64 {
        match reply.error {
            ErrorCode::None => {
                self.member_id.clone_from(&reply.member_id);
                self.epoch = reply.generation;
                self.phase = Phase::Syncing;
                let leads = reply.leader == reply.member_id;
                self.led = leads.then_some(cluster.version);
                self.duty = if leads { lead(reply, cluster) } else { Vec::new() };
                0
            }
            ErrorCode::MemberIdRequired => {
                self.member_id.clone_from(&reply.member_id);
                0
            }
            ErrorCode::RebalanceInProgress | ErrorCode::CoordinatorNotAvailable => 100,
            ErrorCode::InconsistentGroupProtocol => 1_000,
            other => {
                self.refused(other);
                100
            }
        }
    }

    fn synced(&mut self, assignment: &[u8], cluster: &Cluster) -> i64 {
        let given = if assignment.is_empty() {
            Vec::new()
        } else {
            Given::decode(assignment).expect("ours").partitions
        };
        let mut told = Partitions::new();
        for (topic, partitions) in given {
            let Some(facts) = cluster.by_name(&topic) else { continue };
            told.extend(partitions.into_iter().map(|partition| (facts.id, partition)));
        }
        let gives_back = !self.owned.is_subset(&told);
        self.owned = told;
        self.void.clear();
        self.phase = if gives_back { Phase::Joining } else { Phase::Beating };
        if gives_back { 0 } else { 1_000 }
    }

    fn refused(&mut self, code: ErrorCode) {
        let member_id = std::mem::take(&mut self.member_id);
        self.reset();
        match code {
            ErrorCode::UnknownMemberId => {}
            ErrorCode::IllegalGeneration => self.member_id = member_id,
            ErrorCode::FencedInstanceId => self.stop(),
            other => panic!("{other:?}"),
        }
    }
}

/// What a classic leader assigns: one partition to each in turn, and none that another still has.
fn lead(reply: &JoinReply, cluster: &Cluster) -> Vec<(String, bytes::Bytes)> {
    let mut wants: BTreeMap<&str, BTreeSet<String>> = BTreeMap::new();
    let mut owners: BTreeMap<(String, i32), &str> = BTreeMap::new();
    for member in &reply.members {
        let subscription = Subscription::decode(&member.metadata).expect("ours");
        wants.insert(&member.member_id, subscription.topics.into_iter().collect());
        for (topic, partitions) in subscription.owned {
            for partition in partitions {
                // One of two that claim it was fenced and does not know: for now nobody gets it.
                let claimed = owners.entry((topic.clone(), partition));
                claimed.and_modify(|owner| *owner = "").or_insert(&member.member_id);
            }
        }
    }
    let mut given: BTreeMap<&str, BTreeMap<String, Vec<i32>>> = BTreeMap::new();
    let topics: BTreeSet<&String> = wants.values().flatten().collect();
    let mut turn = 0;
    for topic in topics {
        let Some(facts) = cluster.by_name(topic) else { continue };
        let readers: Vec<&str> =
            wants.iter().filter(|(_, topics)| topics.contains(topic)).map(|(id, _)| *id).collect();
        for partition in 0..facts.partitions {
            let target = readers[turn % readers.len()];
            turn += 1;
            if owners.get(&(topic.clone(), partition)).is_none_or(|owner| *owner == target) {
                given.entry(target).or_default().entry(topic.clone()).or_default().push(partition);
            }
        }
    }
    let encoded = |id: &&str| {
        let partitions = given.get(id).cloned().unwrap_or_default();
        let partitions: Vec<(String, &[i32])> =
            partitions.iter().map(|(topic, list)| (topic.clone(), list.as_slice())).collect();
        ((*id).to_owned(), encode_assignment(1, &partitions))
    };
    wants.keys().map(encoded).collect()
}

pub fn flat(assignment: &Assignment) -> Partitions {
    assignment.iter().flat_map(|(topic, list)| list.iter().map(|partition| (*topic, *partition))).collect()
}

fn grouped(partitions: &Partitions) -> Assignment {
    let mut assignment = Assignment::new();
    for (topic, partition) in partitions {
        assignment.entry(*topic).or_default().push(*partition);
    }
    assignment
}

fn named(partitions: &Partitions, cluster: &Cluster) -> Vec<(String, Vec<i32>)> {
    let named = |(topic, list): (TopicId, Vec<i32>)| Some((cluster.by_id(topic)?.name, list));
    grouped(partitions).into_iter().filter_map(named).collect()
}
