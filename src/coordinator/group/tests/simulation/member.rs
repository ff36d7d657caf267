//! A consumer as clients are: joins, syncs, sends heartbeats, commits, and does with errors what they do.

use crate::group::{
    Client, CommitPartition, CommitTopic, HeartbeatRequest, JoinReply, JoinRequest, LeaveRequest,
    LeavingMember, OffsetCommitRequest, Request, SyncReply, SyncRequest,
};
use crate::test_support::Random;
use bytes::Bytes;
use model::ErrorCode;
use std::collections::BTreeMap;
use uuid::Uuid;

pub const GROUP: &str = "g";
pub const TOPIC: &str = "t";
pub const PARTITIONS: i32 = 12;

/// A consumer.
#[derive(Debug)]
pub struct Member {
    pub name: String,
    pub instance_id: Option<String>,
    pub member_id: String,
    pub generation: i32,
    pub phase: Phase,
    /// It has ended, and will not come back.
    pub gone: bool,
    /// It has ended, but for the thread that sends heartbeats.
    pub stuck: bool,
    /// It will hang before its next SyncGroup, and be stuck.
    pub hangs: bool,
    /// It will subscribe to something else as soon as it can.
    pub restless: bool,
    pub paused_until_ms: i64,
    pub session_timeout_ms: i32,
    pub rebalance_timeout_ms: i32,
    pub version: i16,
    /// What it says when it joins; grows when its subscription changes.
    pub subscription: u32,
    /// Partition and next offset to read.
    pub owned: BTreeMap<i32, i64>,
    /// How far it has ever got, by partition.
    pub read: BTreeMap<i32, i64>,
    /// The JoinGroup or SyncGroup that it waits for.
    pub attempt: u64,
    pub next_beat_ms: i64,
}

/// Where a consumer is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Phase {
    /// It joins when this moment comes.
    Out {
        until_ms: i64,
    },
    Joining,
    Syncing,
    In,
}

impl Member {
    pub fn new(name: String, instance_id: Option<String>, random: &mut Random) -> Self {
        Self {
            name,
            instance_id,
            member_id: String::new(),
            generation: -1,
            phase: Phase::Out { until_ms: 0 },
            gone: false,
            stuck: false,
            hangs: false,
            restless: false,
            paused_until_ms: 0,
            session_timeout_ms: random.within(6_000, 10_000) as i32,
            rebalance_timeout_ms: random.within(8_000, 20_000) as i32,
            version: if random.chance(200) { 3 } else { 9 },
            subscription: 0,
            owned: BTreeMap::new(),
            read: BTreeMap::new(),
            attempt: 0,
            next_beat_ms: 0,
        }
    }

    /// Who it is over generations: an instance, or a member id.
    pub fn identity(&self) -> String {
        self.instance_id.clone().unwrap_or_else(|| self.member_id.clone())
    }

    pub fn join_request(&self) -> Request {
        let metadata = |name: &str| (name.to_owned(), Bytes::from(self.subscription.to_string()));
        Request::Join(JoinRequest {
            client: Client { id: self.name.clone(), host: "/127.0.0.1".into() },
            group_id: GROUP.into(),
            member_id: self.member_id.clone(),
            // The broker makes it when the request arrives.
            fresh_id: Uuid::nil(),
            instance_id: self.instance_id.clone(),
            session_timeout_ms: self.session_timeout_ms,
            rebalance_timeout_ms: self.rebalance_timeout_ms,
            protocol_type: "consumer".into(),
            protocols: vec![metadata("range"), metadata("roundrobin")],
            reason: None,
            member_id_required: self.version >= 4,
            skip_assignment_known: self.version >= 9,
        })
    }

    pub fn sync_request(&self, assignments: Vec<(String, Bytes)>) -> Request {
        Request::Sync(SyncRequest {
            group_id: GROUP.into(),
            generation: self.generation,
            member_id: self.member_id.clone(),
            instance_id: self.instance_id.clone(),
            protocol_type: None,
            protocol_name: None,
            assignments,
        })
    }

    pub fn heartbeat_request(&self) -> Request {
        Request::Heartbeat(HeartbeatRequest {
            group_id: GROUP.into(),
            generation: self.generation,
            member_id: self.member_id.clone(),
            instance_id: self.instance_id.clone(),
        })
    }

    pub fn leave_request(&self) -> Request {
        let leaving = LeavingMember {
            member_id: self.member_id.clone(),
            instance_id: self.instance_id.clone(),
            reason: None,
        };
        Request::Leave(LeaveRequest { group_id: GROUP.into(), members: vec![leaving] })
    }

    pub fn commit_request(&self) -> Request {
        let partition = |(index, offset): (&i32, &i64)| CommitPartition {
            index: *index,
            offset: *offset,
            leader_epoch: -1,
            metadata: None,
        };
        let partitions = self.owned.iter().map(partition).collect();
        Request::OffsetCommit(OffsetCommitRequest {
            version: 8,
            group_id: GROUP.into(),
            generation: self.generation,
            member_id: self.member_id.clone(),
            instance_id: self.instance_id.clone(),
            retention_time_ms: -1,
            topics: vec![CommitTopic { name: TOPIC.into(), id: None, partitions }],
        })
    }

    /// Says what it sends next.
    pub fn joined(&mut self, reply: &JoinReply, now_ms: i64, random: &mut Random) -> Option<Request> {
        match reply.error {
            ErrorCode::None => {
                self.member_id.clone_from(&reply.member_id);
                self.generation = reply.generation;
                self.phase = Phase::Syncing;
                let leads = reply.leader == reply.member_id && !reply.skip_assignment;
                Some(self.sync_request(if leads { assign(reply) } else { Vec::new() }))
            }
            ErrorCode::MemberIdRequired => {
                self.member_id.clone_from(&reply.member_id);
                Some(self.join_request())
            }
            code => {
                self.fell_out(code, now_ms, random);
                None
            }
        }
    }

    /// Whether it owns something now; the caller looks up the offsets.
    pub fn synced(&mut self, reply: &SyncReply, now_ms: i64, random: &mut Random) -> bool {
        if reply.error != ErrorCode::None {
            self.fell_out(reply.error, now_ms, random);
            return false;
        }
        self.phase = Phase::In;
        self.next_beat_ms = now_ms + 1_000;
        self.owned = partitions(&reply.assignment).into_iter().map(|index| (index, 0)).collect();
        true
    }

    /// Does what clients do with an error.
    pub fn fell_out(&mut self, code: ErrorCode, now_ms: i64, random: &mut Random) {
        self.owned.clear();
        let backoff_ms = match code {
            ErrorCode::RebalanceInProgress => 0,
            ErrorCode::FencedInstanceId => {
                self.gone = true;
                return;
            }
            // Some clients come again with an id that is not known any more.
            ErrorCode::UnknownMemberId | ErrorCode::IllegalGeneration => {
                if !random.chance(100) {
                    self.member_id.clear();
                }
                self.generation = -1;
                0
            }
            _ => 200,
        };
        self.phase = Phase::Out { until_ms: now_ms + backoff_ms };
    }
}

/// The leader deals the partitions out.
fn assign(reply: &JoinReply) -> Vec<(String, Bytes)> {
    let count = reply.members.len();
    let own = |(index, member): (usize, &crate::group::JoinedMember)| {
        let dealt: Vec<String> = (0..PARTITIONS)
            .filter(|partition| *partition as usize % count == index)
            .map(|p| p.to_string())
            .collect();
        (member.member_id.clone(), Bytes::from(dealt.join(" ")))
    };
    reply.members.iter().enumerate().map(own).collect()
}

/// What an assignment says.
pub fn partitions(assignment: &Bytes) -> Vec<i32> {
    let text = std::str::from_utf8(assignment).expect("an assignment is what a leader made");
    text.split_whitespace().map(|index| index.parse().expect("a partition")).collect()
}
