//! One member of a group, in either protocol: it joins, keeps its place with heartbeats, rejoins when told to, and
//! notes where it stands.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use anyhow::bail;
use bytes::Bytes;
use client::{CallError, Connection};
use model::{Clock, ErrorCode};
use uuid::Uuid;
use wire::messages::join_group_request::{JoinGroupRequest, JoinGroupRequestProtocol};
use wire::messages::sync_group_request::{SyncGroupRequest, SyncGroupRequestAssignment};
use wire::messages::{ConsumerGroupHeartbeatRequest, GroupId, HeartbeatRequest, TopicName};

use crate::target::{connect, is_not_ready, text};

const JOIN_GROUP: i16 = 5;
const SYNC_GROUP: i16 = 3;
const HEARTBEAT: i16 = 3;
const CONSUMER_HEARTBEAT: i16 = 0;
const RECONNECT: Duration = Duration::from_millis(100);

/// Where a member stands.
#[derive(Clone, Copy, Debug, Default)]
pub struct Place {
    /// Its generation or epoch; 0 while it has none.
    pub generation: i32,
    /// How many partitions it owns (consumer protocol).
    pub partitions: usize,
    /// When the last heartbeat was answered well, since the clock began.
    pub heard: Duration,
}

/// What a member is told.
#[derive(Clone, Debug)]
pub struct Member {
    pub address: SocketAddr,
    pub group: String,
    pub topic: String,
    pub session_timeout_ms: i32,
    pub heartbeat_every: Duration,
    pub clock: Clock,
    pub place: Arc<Mutex<Place>>,
}

impl Member {
    /// Lives until the task is aborted; a lost connection is opened again.
    pub async fn run_classic(self) -> anyhow::Result<()> {
        let mut seat = Seat::default();
        loop {
            match self.classic(&mut seat).await {
                Ok(()) => {}
                Err(error) if error.downcast_ref::<CallError>().is_some() || error.is::<std::io::Error>() => {
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    /// The same in the protocol of KIP-848.
    pub async fn run_consumer(self) -> anyhow::Result<()> {
        loop {
            match self.consumer().await {
                Ok(()) => {}
                Err(error) if error.downcast_ref::<CallError>().is_some() || error.is::<std::io::Error>() => {
                }
                Err(error) => return Err(error),
            }
            tokio::time::sleep(RECONNECT).await;
        }
    }

    fn note(&self, change: impl FnOnce(&mut Place)) {
        change(&mut self.place.lock().unwrap_or_else(PoisonError::into_inner));
    }

    async fn classic(&self, seat: &mut Seat) -> anyhow::Result<()> {
        let mut connection = connect(self.address, "kbench").await?;
        loop {
            if seat.generation < 0 {
                self.note(|place| place.generation = 0);
                if !self.join(&mut connection, seat).await? {
                    return Ok(());
                }
                self.note(|place| {
                    (place.generation, place.heard) = (seat.generation, self.clock.monotonic());
                });
            }
            tokio::time::sleep(self.heartbeat_every).await;
            let request = HeartbeatRequest::default()
                .with_group_id(GroupId(text(self.group.as_str())))
                .with_generation_id(seat.generation)
                .with_member_id(text(seat.member_id.as_str()));
            match connection.call(HEARTBEAT, &request).await?.error_code {
                0 => self.note(|place| place.heard = self.clock.monotonic()),
                code => seat.lose(code)?,
            }
        }
    }

    /// Joins and syncs; false when it has to be tried again later.
    async fn join(&self, connection: &mut Connection, seat: &mut Seat) -> anyhow::Result<bool> {
        let protocol = JoinGroupRequestProtocol::default()
            .with_name(text("range"))
            .with_metadata(Bytes::from_static(&[0; 40]));
        let request = JoinGroupRequest::default()
            .with_group_id(GroupId(text(self.group.as_str())))
            .with_session_timeout_ms(self.session_timeout_ms)
            .with_rebalance_timeout_ms(60_000)
            .with_protocol_type(text("consumer"))
            .with_protocols(vec![protocol]);
        let joined = loop {
            let answer = connection
                .call(JOIN_GROUP, &request.clone().with_member_id(text(seat.member_id.as_str())))
                .await?;
            match answer.error_code {
                0 => break answer,
                code if code == ErrorCode::MemberIdRequired as i16 => {
                    seat.member_id = answer.member_id.to_string();
                }
                code => {
                    seat.lose(code)?;
                    return Ok(false);
                }
            }
        };
        seat.member_id = joined.member_id.to_string();
        let everybody = joined.members.iter().map(|member| {
            SyncGroupRequestAssignment::default()
                .with_member_id(member.member_id.clone())
                .with_assignment(Bytes::from_static(&[0; 40]))
        });
        let request = SyncGroupRequest::default()
            .with_group_id(GroupId(text(self.group.as_str())))
            .with_generation_id(joined.generation_id)
            .with_member_id(joined.member_id.clone())
            .with_assignments(everybody.collect());
        match connection.call(SYNC_GROUP, &request).await?.error_code {
            0 => seat.generation = joined.generation_id,
            code => seat.lose(code)?,
        }
        Ok(seat.generation >= 0)
    }

    async fn consumer(&self) -> anyhow::Result<()> {
        let mut connection = connect(self.address, "kbench").await?;
        let full = ConsumerGroupHeartbeatRequest::default()
            .with_group_id(GroupId(text(self.group.as_str())))
            .with_member_id(text(Uuid::new_v4().to_string()))
            .with_rebalance_timeout_ms(60_000)
            .with_subscribed_topic_names(Some(vec![TopicName(text(self.topic.as_str()))]))
            .with_topic_partitions(Some(Vec::new()));
        let mut request = full.clone();
        loop {
            let answer = connection.call(CONSUMER_HEARTBEAT, &request).await?;
            match answer.error_code {
                0 => {}
                code if is_not_ready(code) => {
                    tokio::time::sleep(RECONNECT).await;
                    continue;
                }
                code if code == ErrorCode::FencedMemberEpoch as i16
                    || code == ErrorCode::UnknownMemberId as i16 =>
                {
                    self.note(|place| (place.generation, place.partitions) = (0, 0));
                    return Ok(());
                }
                code => bail!("a heartbeat was refused with error {code}"),
            }
            request = full.clone().with_member_epoch(answer.member_epoch).with_rebalance_timeout_ms(-1);
            request = request.with_subscribed_topic_names(None).with_topic_partitions(None);
            let heard = self.clock.monotonic();
            self.note(|place| (place.generation, place.heard) = (answer.member_epoch, heard));
            if let Some(assignment) = answer.assignment {
                let owned: usize =
                    assignment.topic_partitions.iter().map(|topic| topic.partitions.len()).sum();
                self.note(|place| place.partitions = owned);
                // What it owns is confirmed at once, as clients do after a change.
                request = request.with_topic_partitions(Some(owned_again(&assignment.topic_partitions)));
                continue;
            }
            tokio::time::sleep(self.heartbeat_every).await;
        }
    }
}

/// A classic member's identity between rebalances.
#[derive(Debug)]
struct Seat {
    member_id: String,
    generation: i32,
}

impl Default for Seat {
    fn default() -> Self {
        Self { member_id: String::new(), generation: -1 }
    }
}

impl Seat {
    /// What an error leaves of it.
    fn lose(&mut self, code: i16) -> anyhow::Result<()> {
        const REJOIN: [ErrorCode; 2] = [ErrorCode::RebalanceInProgress, ErrorCode::IllegalGeneration];
        if is_not_ready(code) {
            return Ok(());
        }
        if code == ErrorCode::UnknownMemberId as i16 {
            self.member_id.clear();
        } else if !REJOIN.iter().any(|error| *error as i16 == code) {
            bail!("a member was refused with error {code}");
        }
        self.generation = -1;
        Ok(())
    }
}

fn owned_again(
    owned: &[wire::messages::consumer_group_heartbeat_response::TopicPartitions],
) -> Vec<wire::messages::consumer_group_heartbeat_request::TopicPartitions> {
    let topic = |topic: &wire::messages::consumer_group_heartbeat_response::TopicPartitions| {
        wire::messages::consumer_group_heartbeat_request::TopicPartitions::default()
            .with_topic_id(topic.topic_id)
            .with_partitions(topic.partitions.clone())
    };
    owned.iter().map(topic).collect()
}
