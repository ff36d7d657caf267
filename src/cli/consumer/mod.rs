//! Reads topics: alone from partitions of its choice, or as a member of a group in the classic protocol.

pub mod assign;
mod fetch;
mod group;

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use bytes::Bytes;
use client::Cluster;
use model::ErrorCode;
use regex::Regex;
use tokio::time::Instant;

use crate::kafka::{self, EARLIEST, LATEST, TopicPartition, Trouble, refused};

use crate::properties::Properties;
use crate::terminal::Stop;

use group::Membership;

/// One record as it was read.
#[derive(Clone, Debug)]
pub struct Received {
    /// Its topic.
    pub topic: String,
    /// Its partition.
    pub partition: i32,
    /// Its offset.
    pub offset: i64,
    /// Epoch of the leader that took it.
    pub leader_epoch: i32,
    /// Milliseconds; -1 for none.
    pub timestamp: i64,
    /// Whether the broker stamped it.
    pub log_append_time: bool,
    /// The key.
    pub key: Option<Bytes>,
    /// The value.
    pub value: Option<Bytes>,
    /// The headers.
    pub headers: Vec<(Bytes, Option<Bytes>)>,
}

/// Where reading begins where nothing is committed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Reset {
    /// At the first record.
    Earliest,
    /// Behind the last.
    Latest,
    /// Nowhere: that is an error.
    None,
}

/// What is read.
#[derive(Clone, Debug)]
pub enum Wanted {
    /// One partition from an offset, or from one of the special times of ListOffsets (negative).
    Partition(TopicPartition, i64),
    /// These topics.
    Topics(Vec<String>),
    /// Every topic whose whole name matches.
    Pattern(Regex),
    /// These partitions, each from its offset.
    From(BTreeMap<TopicPartition, i64>),
}

/// How it is read.
#[derive(Clone, Debug)]
pub struct Reading {
    /// Where to begin.
    pub reset: Reset,
    /// 0 read_uncommitted, 1 read_committed.
    pub isolation: i8,
    /// The group; `None` reads alone and leaves no trace.
    pub group: Option<GroupSettings>,
    /// `fetch.max.bytes`
    pub bytes_max: i32,
    /// `max.partition.fetch.bytes`
    pub partition_bytes_max: i32,
}

impl Reading {
    /// What the properties of a consumer say, with the defaults of Kafka's.
    ///
    /// # Errors
    /// A sentence for what is no value of its setting, or is not built.
    pub fn of(properties: &Properties) -> Result<Self, Stop> {
        let protocol = properties.get("group.protocol");
        if let Some(protocol) = protocol.filter(|name| !name.eq_ignore_ascii_case("classic")) {
            return Err(Stop::not_built(&format!("group.protocol={protocol}")));
        }
        let invalid = |key: &str, value: &str| {
            Stop::Error(format!(
                "org.apache.kafka.common.config.ConfigException: Invalid value {value} for configuration {key}"
            ))
        };
        let reset = match properties.get("auto.offset.reset").unwrap_or("latest") {
            "earliest" => Reset::Earliest,
            "latest" => Reset::Latest,
            "none" => Reset::None,
            other => return Err(invalid("auto.offset.reset", other)),
        };
        let isolation = match properties.get("isolation.level").unwrap_or("read_uncommitted") {
            "read_uncommitted" => 0,
            "read_committed" => 1,
            other => return Err(invalid("isolation.level", other)),
        };
        let commits = properties.get("enable.auto.commit").is_none_or(|value| value != "false");
        let interval = Duration::from_millis(properties.number("auto.commit.interval.ms", 5000));
        let group = properties.get("group.id").map(|id| GroupSettings {
            id: id.to_owned(),
            instance: properties.get("group.instance.id").map(str::to_owned),
            session_timeout_ms: properties.number("session.timeout.ms", 45_000),
            rebalance_timeout_ms: properties.number("max.poll.interval.ms", 300_000),
            heartbeat: Duration::from_millis(properties.number("heartbeat.interval.ms", 3000)),
            commit_every: commits.then_some(interval),
        });
        Ok(Self {
            reset,
            isolation,
            group,
            bytes_max: properties.number("fetch.max.bytes", 50 << 20),
            partition_bytes_max: properties.number("max.partition.fetch.bytes", 1 << 20),
        })
    }
}

/// What a member tells its group.
#[derive(Clone, Debug)]
pub struct GroupSettings {
    /// `group.id`
    pub id: String,
    /// `group.instance.id`
    pub instance: Option<String>,
    /// `session.timeout.ms`
    pub session_timeout_ms: i32,
    /// `max.poll.interval.ms`
    pub rebalance_timeout_ms: i32,
    /// `heartbeat.interval.ms`
    pub heartbeat: Duration,
    /// `auto.commit.interval.ms`; `None` where nothing is committed.
    pub commit_every: Option<Duration>,
}

/// Reads until its owner has enough.
#[derive(Debug)]
pub struct Consumer {
    cluster: Cluster,
    wanted: Wanted,
    reading: Reading,
    membership: Option<Membership>,
    /// Next offset to fetch.
    positions: BTreeMap<TopicPartition, i64>,
    /// Next offset to hand out, which is what is committed, and the epoch of the record before it.
    consumed: BTreeMap<TopicPartition, (i64, i32)>,
    leaders: BTreeMap<TopicPartition, i32>,
    ready: VecDeque<Received>,
    refresh_at: Instant,
    changes: Vec<(Change, Instant)>,
    has_joined: bool,
}

/// What a group has given to its member, or taken from it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Change {
    /// These partitions are read from now on.
    Assigned(Vec<TopicPartition>),
    /// These are not read any more.
    Revoked(Vec<TopicPartition>),
}

impl Consumer {
    /// A consumer; nothing is asked yet.
    pub fn new(cluster: Cluster, wanted: Wanted, reading: Reading) -> Self {
        Self {
            cluster,
            wanted,
            membership: reading.group.clone().map(Membership::new),
            reading,
            positions: BTreeMap::new(),
            consumed: BTreeMap::new(),
            leaders: BTreeMap::new(),
            ready: VecDeque::new(),
            refresh_at: Instant::now(),
            changes: Vec::new(),
            has_joined: false,
        }
    }

    /// What its group has changed since the last call, and how long ago.
    pub fn changes(&mut self) -> Vec<(Change, Duration)> {
        let changes = std::mem::take(&mut self.changes);
        changes.into_iter().map(|(change, at)| (change, at.elapsed())).collect()
    }

    /// Whether it knows where to read.
    pub fn is_placed(&self) -> bool {
        !self.positions.is_empty()
    }

    /// Records that are at hand once there is one, so many at most; none when there was none for so long.
    ///
    /// # Errors
    /// What cannot get better by waiting.
    pub async fn poll(
        &mut self,
        patience: Option<Duration>,
        count_max: usize,
    ) -> Result<Vec<Received>, Trouble> {
        let mut polled: Vec<Received> = self.next(patience).await?.into_iter().collect();
        while polled.len() < count_max {
            let Some(record) = self.ready.pop_front() else { break };
            let key = (record.topic.clone(), record.partition);
            self.consumed.insert(key, (record.offset + 1, record.leader_epoch));
            polled.push(record);
        }
        Ok(polled)
    }

    /// Commits what has been handed out.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn commit(&mut self) -> Result<(), Trouble> {
        match &mut self.membership {
            Some(membership) => membership.commit(&mut self.cluster, &self.consumed).await,
            None => Ok(()),
        }
    }

    /// Whether everything before these offsets has been handed out: of its own partitions where it is in a group, and
    /// of all of them where it is not.
    pub fn has_reached(&self, ends: &BTreeMap<TopicPartition, i64>) -> bool {
        let is_behind = |partition: &TopicPartition| {
            let (end, position) = (ends.get(partition), self.positions.get(partition));
            end.is_some_and(|end| position.is_none_or(|position| position < end))
        };
        self.ready.is_empty()
            && match self.membership {
                Some(_) => self.has_joined && !self.positions.keys().any(is_behind),
                None => !ends.keys().any(is_behind),
            }
    }

    /// Whether a record is at hand.
    pub fn has_ready(&self) -> bool {
        !self.ready.is_empty()
    }

    /// The next record; `None` when there was none for so long. Dropped before its end, it leaves a consumer that can be
    /// closed.
    ///
    /// # Errors
    /// What cannot get better by waiting.
    pub async fn next(&mut self, patience: Option<Duration>) -> Result<Option<Received>, Trouble> {
        let deadline = patience.map(|patience| Instant::now() + patience);
        loop {
            if let Some(record) = self.ready.pop_front() {
                let key = (record.topic.clone(), record.partition);
                self.consumed.insert(key, (record.offset + 1, record.leader_epoch));
                return Ok(Some(record));
            }
            if deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                return Ok(None);
            }
            self.keep_up().await?;
            let wait = deadline.map_or(FETCH_WAIT, |deadline| {
                deadline.saturating_duration_since(Instant::now()).min(FETCH_WAIT)
            });
            self.fetch(wait).await?;
        }
    }

    /// Membership, metadata and commits, when they are due.
    async fn keep_up(&mut self) -> Result<(), Trouble> {
        if let Some(mut membership) = self.membership.clone() {
            // Who does not wait for its end still has the place that there was, and can give it up.
            let result = self.keep_membership(&mut membership).await;
            self.membership = Some(membership);
            return result;
        }
        if self.positions.is_empty() || Instant::now() >= self.refresh_at {
            let partitions = self.find_partitions().await?;
            self.begin_at(partitions, &BTreeMap::new()).await?;
            self.refresh_at = Instant::now() + if self.positions.is_empty() { RETRY } else { REFRESH };
        }
        Ok(())
    }

    async fn keep_membership(&mut self, membership: &mut Membership) -> Result<(), Trouble> {
        let now = Instant::now();
        if membership.commit_due(now) {
            membership.commit(&mut self.cluster, &self.consumed).await?;
        }
        if membership.is_member() && now < membership.heartbeat_at() {
            return Ok(());
        }
        if membership.is_member() && membership.heartbeat(&mut self.cluster).await? {
            return Ok(());
        }
        // What was read of partitions that may go to somebody else is committed first.
        if membership.commits() {
            membership.commit(&mut self.cluster, &self.consumed).await?;
        }
        self.ready.clear();
        if self.has_joined {
            let revoked = std::mem::take(&mut self.positions).into_keys().collect();
            self.changes.push((Change::Revoked(revoked), Instant::now()));
        }
        self.positions.clear();
        self.consumed.clear();
        let topics = self.topics().await?;
        let owned = membership.join(&mut self.cluster, &topics).await?;
        self.has_joined = true;
        self.changes.push((Change::Assigned(owned.clone()), Instant::now()));
        self.leaders = kafka::leaders(&mut self.cluster, &topics).await?;
        let committed = membership.committed(&mut self.cluster, &owned).await?;
        self.begin_at(owned, &committed).await
    }

    /// The topics that are wanted, as far as they exist; asking for one may create it.
    async fn topics(&mut self) -> Result<Vec<String>, Trouble> {
        match &self.wanted {
            Wanted::Partition((topic, _), _) => Ok(vec![topic.clone()]),
            Wanted::From(offsets) => {
                let mut topics: Vec<String> = offsets.keys().map(|(topic, _)| topic.clone()).collect();
                topics.dedup();
                Ok(topics)
            }
            Wanted::Topics(topics) => {
                let topics = topics.clone();
                let response = self.cluster.metadata(Some(&topics), true).await?;
                for topic in &response.topics {
                    let code = ErrorCode::from_code(topic.error_code);
                    if code == ErrorCode::InvalidTopicException {
                        return Err(Trouble::Refused {
                            code,
                            message: format!("Invalid topics: [{}]", topics.join(", ")),
                        });
                    }
                    if code == ErrorCode::TopicAuthorizationFailed {
                        let message = format!("Not authorized to access topics: [{}]", topics.join(", "));
                        return Err(Trouble::Refused { code, message });
                    }
                }
                Ok(topics)
            }
            Wanted::Pattern(pattern) => {
                let pattern = pattern.clone();
                let names = kafka::topic_names(&mut self.cluster).await?;
                let matching =
                    names.into_iter().filter(|(name, internal)| !internal && pattern.is_match(name));
                Ok(matching.map(|(name, _)| name).collect())
            }
        }
    }

    async fn find_partitions(&mut self) -> Result<Vec<TopicPartition>, Trouble> {
        let topics = self.topics().await?;
        self.leaders = kafka::leaders(&mut self.cluster, &topics).await?;
        Ok(match &self.wanted {
            Wanted::Partition(one, _) => {
                self.leaders.keys().filter(|partition| *partition == one).cloned().collect()
            }
            Wanted::From(offsets) => {
                self.leaders.keys().filter(|partition| offsets.contains_key(*partition)).cloned().collect()
            }
            Wanted::Topics(_) | Wanted::Pattern(_) => self.leaders.keys().cloned().collect(),
        })
    }

    /// Gives new partitions the offset to begin at.
    async fn begin_at(
        &mut self,
        partitions: Vec<TopicPartition>,
        committed: &BTreeMap<TopicPartition, i64>,
    ) -> Result<(), Trouble> {
        let new = partitions.into_iter().filter(|partition| !self.positions.contains_key(partition));
        let new: Vec<TopicPartition> = new.collect();
        let mut unknown = Vec::new();
        for partition in new {
            match (&self.wanted, committed.get(&partition)) {
                (Wanted::Partition(_, offset), _) if *offset >= 0 => {
                    self.positions.insert(partition, *offset);
                }
                (Wanted::Partition(_, time), _) => unknown.push((partition, *time)),
                (Wanted::From(offsets), _) => {
                    if let Some(offset) = offsets.get(&partition) {
                        self.positions.insert(partition, *offset);
                    }
                }
                (_, Some(offset)) => {
                    self.positions.insert(partition, *offset);
                }
                (_, None) => {
                    let time = self.reset_time(&partition)?;
                    unknown.push((partition, time));
                }
            }
        }
        if unknown.is_empty() {
            return Ok(());
        }
        let found = kafka::offsets(&mut self.cluster, &unknown, self.reading.isolation).await?;
        for (partition, result) in found {
            match result {
                Ok(found) => {
                    self.positions.insert(partition, found.offset.max(0));
                }
                Err(trouble) if trouble.code().is_some_and(may_come) => {}
                Err(trouble) => return Err(trouble),
            }
        }
        Ok(())
    }

    fn reset_time(&self, partition: &TopicPartition) -> Result<i64, Trouble> {
        match self.reading.reset {
            Reset::Earliest => Ok(EARLIEST),
            Reset::Latest => Ok(LATEST),
            Reset::None => Err(Trouble::Refused {
                code: ErrorCode::OffsetOutOfRange,
                message: format!(
                    "Undefined offset with no reset policy for partitions: [{}-{}]",
                    partition.0, partition.1
                ),
            }),
        }
    }

    /// Gives back what was fetched and not handed out, commits, and leaves the group.
    ///
    /// # Errors
    /// See [`Trouble`].
    pub async fn close(mut self) -> Result<(), Trouble> {
        let Some(mut membership) = self.membership.take() else { return Ok(()) };
        if membership.commits() {
            membership.commit(&mut self.cluster, &self.consumed).await?;
        }
        membership.leave(&mut self.cluster).await
    }
}

/// Whether a partition may be there later.
fn may_come(code: ErrorCode) -> bool {
    kafka::is_stale_leader(code) || code == ErrorCode::UnknownTopicOrPartition
}

/// The refusal for an offset that a partition does not have, without a reset policy.
fn out_of_range() -> Trouble {
    refused(ErrorCode::OffsetOutOfRange.code(), None)
}

/// Longest wait of one fetch, so that heartbeats are in time.
const FETCH_WAIT: Duration = Duration::from_millis(500);
/// How often a reader without a group looks for new partitions.
const REFRESH: Duration = Duration::from_secs(30);
const RETRY: Duration = Duration::from_millis(100);
