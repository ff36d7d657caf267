//! A place in a group (classic protocol): join, sync, heartbeat, commit, leave.

use std::collections::BTreeMap;

use client::{Cluster, CoordinatorOf, Target};
use model::ErrorCode;
use tokio::time::Instant;
use wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};
use wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use wire::messages::{GroupId, HeartbeatRequest, JoinGroupResponse};

use super::GroupSettings;
use super::assign::{self, Subscriber};
use crate::groups::{Committed, commit_offsets, committed_offsets};
use crate::kafka::{self, TopicPartition, Trouble, refused, text};

/// One member's place.
#[derive(Clone, Debug)]
pub(super) struct Membership {
    settings: GroupSettings,
    member_id: String,
    generation: i32,
    coordinator: Option<i32>,
    heartbeat_at: Instant,
    commit_at: Instant,
}

impl Membership {
    pub(super) fn new(settings: GroupSettings) -> Self {
        let now = Instant::now();
        Self {
            settings,
            member_id: String::new(),
            generation: -1,
            coordinator: None,
            heartbeat_at: now,
            commit_at: now,
        }
    }

    pub(super) fn is_member(&self) -> bool {
        self.generation >= 0
    }

    pub(super) fn heartbeat_at(&self) -> Instant {
        self.heartbeat_at
    }

    /// Whether this member commits at all, and may now.
    pub(super) fn commits(&self) -> bool {
        self.is_member() && self.settings.commit_every.is_some()
    }

    pub(super) fn commit_due(&self, now: Instant) -> bool {
        self.commits() && now >= self.commit_at
    }

    async fn coordinator(&mut self, cluster: &mut Cluster) -> Result<Target, Trouble> {
        let node = match self.coordinator {
            Some(node) => node,
            None => cluster.coordinator(CoordinatorOf::Group(&self.settings.id)).await?,
        };
        self.coordinator = Some(node);
        Ok(Target::Node(node))
    }

    /// Joins and syncs until it has a place; what it owns then.
    pub(super) async fn join(
        &mut self,
        cluster: &mut Cluster,
        topics: &[String],
    ) -> Result<Vec<TopicPartition>, Trouble> {
        loop {
            let at = self.coordinator(cluster).await?;
            let protocol = JoinGroupRequestProtocol::default()
                .with_name(text(ASSIGNOR))
                .with_metadata(assign::subscription(topics));
            let joined = cluster
                .call(at, |version| {
                    let request = JoinGroupRequest::default()
                        .with_group_id(self.group_id())
                        .with_session_timeout_ms(self.settings.session_timeout_ms)
                        .with_member_id(text(self.member_id.as_str()))
                        .with_protocol_type(text("consumer"))
                        .with_protocols(vec![protocol.clone()]);
                    let request = if version >= 1 {
                        request.with_rebalance_timeout_ms(self.settings.rebalance_timeout_ms)
                    } else {
                        request
                    };
                    if version >= 5 {
                        request.with_group_instance_id(self.settings.instance.clone().map(text))
                    } else {
                        request
                    }
                })
                .await?;
            self.member_id = if joined.error_code == 0
                || ErrorCode::from_code(joined.error_code) == ErrorCode::MemberIdRequired
            {
                joined.member_id.to_string()
            } else {
                std::mem::take(&mut self.member_id)
            };
            if joined.error_code != 0 {
                self.lose(cluster, joined.error_code).await?;
                continue;
            }
            if let Some(owned) = self.sync(cluster, at, joined).await? {
                return Ok(owned);
            }
        }
    }

    async fn sync(
        &mut self,
        cluster: &mut Cluster,
        at: Target,
        joined: JoinGroupResponse,
    ) -> Result<Option<Vec<TopicPartition>>, Trouble> {
        let assignments =
            if joined.leader == joined.member_id { self.assign(cluster, &joined).await? } else { Vec::new() };
        let synced = cluster
            .call(at, |version| {
                let request = SyncGroupRequest::default()
                    .with_group_id(self.group_id())
                    .with_generation_id(joined.generation_id)
                    .with_member_id(joined.member_id.clone())
                    .with_assignments(assignments.clone());
                let request = if version >= 3 {
                    request.with_group_instance_id(self.settings.instance.clone().map(text))
                } else {
                    request
                };
                if version >= 5 {
                    request
                        .with_protocol_type(Some(text("consumer")))
                        .with_protocol_name(joined.protocol_name.clone())
                } else {
                    request
                }
            })
            .await?;
        if synced.error_code != 0 {
            self.lose(cluster, synced.error_code).await?;
            return Ok(None);
        }
        self.generation = joined.generation_id;
        let now = Instant::now();
        self.heartbeat_at = now + self.settings.heartbeat;
        self.commit_at = now + self.settings.commit_every.unwrap_or_default();
        let owned = assign::partitions_of(&synced.assignment);
        owned.map(Some).ok_or_else(|| refused(ErrorCode::InconsistentGroupProtocol.code(), None))
    }

    /// The leader decides for all.
    async fn assign(
        &self,
        cluster: &mut Cluster,
        joined: &JoinGroupResponse,
    ) -> Result<Vec<SyncGroupRequestAssignment>, Trouble> {
        let members: Vec<Subscriber> = joined
            .members
            .iter()
            .map(|member| Subscriber {
                member: member.member_id.to_string(),
                instance: member.group_instance_id.as_ref().map(ToString::to_string),
                topics: assign::topics_of(&member.metadata).unwrap_or_default(),
            })
            .collect();
        let mut topics: Vec<String> = members.iter().flat_map(|member| member.topics.clone()).collect();
        topics.sort();
        topics.dedup();
        let mut counts: BTreeMap<String, i32> = BTreeMap::new();
        for (topic, _) in kafka::leaders(cluster, &topics).await?.into_keys() {
            *counts.entry(topic).or_default() += 1;
        }
        let assigned = assign::range(&members, &counts);
        let assigned = assigned.iter().map(|(member, partitions)| {
            SyncGroupRequestAssignment::default()
                .with_member_id(text(member.as_str()))
                .with_assignment(assign::assignment(partitions))
        });
        Ok(assigned.collect())
    }

    /// Whether the place is kept; otherwise it has to join again.
    pub(super) async fn heartbeat(&mut self, cluster: &mut Cluster) -> Result<bool, Trouble> {
        let at = self.coordinator(cluster).await?;
        let answer = cluster
            .call(at, |version| {
                let request = HeartbeatRequest::default()
                    .with_group_id(self.group_id())
                    .with_generation_id(self.generation)
                    .with_member_id(text(self.member_id.as_str()));
                if version >= 3 {
                    request.with_group_instance_id(self.settings.instance.clone().map(text))
                } else {
                    request
                }
            })
            .await?;
        self.heartbeat_at = Instant::now() + self.settings.heartbeat;
        match ErrorCode::from_code(answer.error_code) {
            ErrorCode::None => Ok(true),
            ErrorCode::RebalanceInProgress => Ok(false),
            code => {
                self.lose(cluster, code.code()).await?;
                Ok(false)
            }
        }
    }

    /// Commits what was handed out.
    pub(super) async fn commit(
        &mut self,
        cluster: &mut Cluster,
        consumed: &BTreeMap<TopicPartition, (i64, i32)>,
    ) -> Result<(), Trouble> {
        self.commit_at = Instant::now() + self.settings.commit_every.unwrap_or_default();
        if consumed.is_empty() {
            return Ok(());
        }
        let at = self.coordinator(cluster).await?;
        let offsets: Vec<(TopicPartition, Committed)> = consumed
            .iter()
            .map(|(partition, (offset, epoch))| {
                (partition.clone(), Committed { offset: *offset, leader_epoch: Some(*epoch) })
            })
            .collect();
        let member = Some((self.member_id.as_str(), self.generation, self.settings.instance.as_deref()));
        for (_, result) in commit_offsets(cluster, at, &self.settings.id, member, &offsets).await? {
            match result {
                Ok(()) => {}
                // Another member has the partitions now; it reads on from the last commit.
                Err(trouble)
                    if trouble.code().is_some_and(|code| is_lost_place(code) || is_elsewhere(code)) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    /// What the group has committed of these partitions.
    pub(super) async fn committed(
        &mut self,
        cluster: &mut Cluster,
        partitions: &[TopicPartition],
    ) -> Result<BTreeMap<TopicPartition, i64>, Trouble> {
        let at = self.coordinator(cluster).await?;
        let found = committed_offsets(cluster, at, &self.settings.id, Some(partitions)).await?;
        Ok(found.into_iter().map(|(partition, committed)| (partition, committed.offset)).collect())
    }

    /// Leaves at once, so that others do not wait for a timeout; a static member stays.
    pub(super) async fn leave(&mut self, cluster: &mut Cluster) -> Result<(), Trouble> {
        if !self.is_member() || self.settings.instance.is_some() {
            return Ok(());
        }
        let at = self.coordinator(cluster).await?;
        cluster
            .call(at, |version| {
                let request = LeaveGroupRequest::default().with_group_id(self.group_id());
                if version < 3 {
                    return request.with_member_id(text(self.member_id.as_str()));
                }
                let member = MemberIdentity::default().with_member_id(text(self.member_id.as_str()));
                request.with_members(vec![member])
            })
            .await?;
        self.generation = -1;
        Ok(())
    }

    fn group_id(&self) -> GroupId {
        GroupId(text(self.settings.id.as_str()))
    }

    /// Forgets what an error has taken; an error that stays is one.
    async fn lose(&mut self, cluster: &mut Cluster, code: i16) -> Result<(), Trouble> {
        let code = ErrorCode::from_code(code);
        match code {
            ErrorCode::UnknownMemberId => {
                self.member_id.clear();
                self.generation = -1;
            }
            code if is_lost_place(code) => self.generation = -1,
            code if is_elsewhere(code) => self.coordinator = None,
            code => return Err(refused(code.code(), None)),
        }
        if code != ErrorCode::MemberIdRequired {
            tokio::time::sleep(cluster.settings().retry_backoff).await;
        }
        Ok(())
    }
}

fn is_lost_place(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::UnknownMemberId
            | ErrorCode::IllegalGeneration
            | ErrorCode::RebalanceInProgress
            | ErrorCode::MemberIdRequired
    )
}

fn is_elsewhere(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress
    )
}

const ASSIGNOR: &str = "range";
