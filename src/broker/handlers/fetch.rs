//! Fetch: records at and above an offset, as soon as there are enough (`KafkaApis.handleFetchRequest`,
//! `ReplicaManager.fetchMessages`, `DelayedFetch`).
//!
//! A round plans what each partition has to give; nothing is read yet. A round with too few bytes parks the fetch
//! at its partitions, and a commit that makes enough visible, or the deadline, begins the next. What the last
//! round planned is read when the answer is put together.
//!
//! Of a session only the partitions that may have something to tell go through all this. The others are passed by; they say
//! themselves when that changes, also to a fetch that is parked.
//!
//! A reader that goes on where its last fetch ended costs one `preadv2` per partition, which copies the records from the
//! page cache into the buffer that is written to the socket: one copy besides the socket's own. Its place is known, so
//! that nothing is looked up, and what lies beyond the last whole batch is cut off in memory. Whatever would wait for
//! the disk goes on on the I/O threads: the rest of such a read, the search for the place of a new reader, and the
//! aborted transactions of its records.
//!
//! Many records at once are not read at all: they go from the page cache to the socket, where the answer has a gap. Their
//! end is found in the index and the headers around it.

mod plan;
mod quiet;
mod read;

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use model::{ErrorCode, LeaderEpoch, TopicId};
use storage::ReadRange;
use wire::fetch::{FetchPartitionResponse, FetchRequest, FetchResponse, FetchTopicResponse, IsolationLevel};
use wire::produce::NodeEndpoint;
use wire::{StrBytes, TopicRef};

use self::plan::{Limits, Located, Planned, Round, Targets};
use crate::context::{Broker, RequestContext};
use crate::fetch_session::{AnswerMarks, FetchPartition, Look, PartitionKey, Told, Viewer};
use crate::fetch_session_cache::{FetchContext, SessionRequest};
use crate::partition::handle::Parked;
use crate::partition::{CommitTicket, FetchTicket, Interest, Snapshot, Watch};

/// What a fetch is answered.
#[derive(Debug)]
pub struct Fetched {
    /// The answer.
    pub response: FetchResponse,
    /// Where the records are that the answer says are elsewhere, in its order.
    pub ranges: Vec<ReadRange>,
}

/// A partition that was asked for, and its answer.
#[derive(Debug)]
struct Answered {
    wanted: FetchPartition,
    answer: FetchPartitionResponse,
    /// Of the records that are elsewhere.
    range: Option<ReadRange>,
}

impl From<FetchResponse> for Fetched {
    fn from(response: FetchResponse) -> Self {
        Self { response, ranges: Vec::new() }
    }
}

/// Answers a Fetch request. Cancel-safe: a fetch that is dropped leaves its partitions.
pub async fn serve(broker: &Arc<Broker>, context: &RequestContext, request: FetchRequest) -> Fetched {
    let Some(isolation) = request.isolation() else { return refused_as_a_whole(request).into() };
    let bytes_max = i64::from(request.max_bytes)
        .min(i64::try_from(broker.config.requests.fetch_bytes_max).unwrap_or(i64::MAX));
    let limits = Limits {
        bytes_max,
        bytes_min: usize::try_from(bytes_max.min(request.min_bytes.into())).unwrap_or(0),
        read_committed: isolation == IsolationLevel::ReadCommitted,
        from_follower: request.is_from_follower(),
        tells_leader: request.accepts_leader,
    };
    let max_wait = Duration::from_millis(u64::try_from(request.max_wait_ms).unwrap_or(0));

    let (session, targets) = match begin_session(broker, request, &limits) {
        Ok(begun) => begun,
        Err(error) => return FetchResponse::refused(error).into(),
    };
    let (targets, round) = plan_until_enough(broker, &session, targets, &limits, max_wait).await;
    let answers = if session.is_overtaken() {
        Vec::new()
    } else {
        read::answers(broker, targets.list, round, &limits).await
    };
    finish(broker, context, session, answers, &limits)
}

/// A request that makes no sense, as Kafka answers it: clients older than topic ids look for the error at their
/// partitions.
fn refused_as_a_whole(request: FetchRequest) -> FetchResponse {
    let error = ErrorCode::UnknownServerError;
    let topics = if request.wants_topic_ids { Vec::new() } else { request.topics };
    let refused = |partition: &wire::fetch::FetchPartition| FetchPartitionResponse {
        aborted_transactions: Some(Vec::new()),
        ..FetchPartitionResponse::refused(partition.partition, error)
    };
    let topics = topics.into_iter().map(|topic| FetchTopicResponse {
        partitions: topic.partitions.iter().map(refused).collect(),
        topic: topic.topic,
    });
    FetchResponse {
        session_id: request.session_id,
        topics: topics.collect(),
        ..FetchResponse::refused(error)
    }
}

fn begin_session(
    broker: &Broker,
    request: FetchRequest,
    limits: &Limits,
) -> Result<(FetchContext, Targets), ErrorCode> {
    let snapshot = broker.partitions.snapshot();
    let name_of = |id: TopicId| snapshot.identified(id).map(|hosted| Arc::clone(&hosted.topic.name));
    let is_quiet = |wanted: &FetchPartition, told: Told, watch: &mut Watch| {
        quiet::is_quiet(&snapshot, limits, wanted, told, watch)
    };
    let Limits { read_committed, from_follower, .. } = *limits;
    let viewer = Viewer { read_committed, from_follower };
    let look = Look { viewer, name_of: &name_of, is_quiet: &is_quiet };
    let request = SessionRequest {
        id: request.session_id,
        epoch: request.session_epoch,
        privileged: request.is_from_follower(),
        uses_topic_ids: request.wants_topic_ids,
        wanted: wanted_by(&snapshot, request.topics),
        forgotten: request
            .forgotten_topics
            .into_iter()
            .flat_map(|forgotten| {
                let key = move |partition| PartitionKey { topic: forgotten.topic.clone(), partition };
                forgotten.partitions.into_iter().map(key)
            })
            .collect(),
    };
    let (context, wanted) = broker.fetch_sessions.begin(broker.clock.wall_ms(), request, &look)?;
    let has_quiet = context.session().is_some_and(|session| session.has_quiet());
    Ok((context, Targets::resolve(&snapshot, wanted, has_quiet)))
}

fn wanted_by(snapshot: &Snapshot, topics: Vec<wire::fetch::FetchTopic>) -> Vec<FetchPartition> {
    let mut wanted = Vec::with_capacity(topics.iter().map(|topic| topic.partitions.len()).sum());
    let repeats = has_repeats(&topics);
    for topic in topics {
        let id = topic.topic.id();
        let name = id.and_then(|id| snapshot.identified(id)).map(|hosted| Arc::clone(&hosted.topic.name));
        wanted.extend(topic.partitions.into_iter().map(|partition| FetchPartition {
            topic: topic.topic.clone(),
            name: name.clone(),
            partition: partition.partition,
            fetch_offset: partition.fetch_offset,
            bytes_max: partition.partition_max_bytes,
            // Fetch alone takes every negative epoch for none.
            current_leader_epoch: partition.current_leader_epoch.max(LeaderEpoch::NONE),
            last_fetched_epoch: partition.last_fetched_epoch.max(LeaderEpoch::NONE),
            log_start_offset: partition.log_start_offset,
        }));
    }
    if repeats { last_of_each(wanted) } else { wanted }
}

fn has_repeats(topics: &[wire::fetch::FetchTopic]) -> bool {
    let mut seen = HashSet::new();
    let mut all = topics
        .iter()
        .flat_map(|topic| topic.partitions.iter().map(|partition| (&topic.topic, partition.partition)));
    !all.all(|key| seen.insert(key))
}

/// A partition that is named twice is answered once, as it was wanted last.
fn last_of_each(wanted: Vec<FetchPartition>) -> Vec<FetchPartition> {
    let mut places = HashMap::new();
    let mut kept: Vec<FetchPartition> = Vec::with_capacity(wanted.len());
    for partition in wanted {
        match places.entry(partition.key()) {
            Entry::Occupied(place) => kept[*place.get()] = partition,
            Entry::Vacant(place) => {
                place.insert(kept.len());
                kept.push(partition);
            }
        }
    }
    kept
}

/// Plans rounds until one is enough, the time is up, or the fetch is overtaken or has lost its session. Gives the last one,
/// and the partitions that it is of.
async fn plan_until_enough(
    broker: &Broker,
    session: &FetchContext,
    mut targets: Targets,
    limits: &Limits,
    max_wait: Duration,
) -> (Targets, Round) {
    let mut round = plan(broker, &targets, limits).await;
    if round.bytes == 0 && max_wait.is_zero() {
        // Nobody parks, so nobody would wake a sync: what was acknowledged before must be visible all the same. Of a
        // quiet partition everything is.
        let ticket = CommitTicket::new();
        let here = targets.list.iter().filter_map(|target| target.partition.as_ref().ok());
        here.for_each(|partition| partition.settle(&ticket));
        ticket.all().await;
        round = plan(broker, &targets, limits).await;
        return (targets, round);
    }
    if round.is_enough(limits) || max_wait.is_zero() {
        return (targets, round);
    }
    let mut deadline = pin!(tokio::time::sleep(max_wait));
    loop {
        let ticket = FetchTicket::new(limits.bytes_min - round.bytes);
        let parked = (park(&targets, &round, limits, &ticket), quiet::wait(session, &ticket));
        if broker.partitions.is_releasing() {
            ticket.fire();
        }
        let timed_out = tokio::select! {
            biased;
            () = ticket.fired() => false,
            () = &mut deadline => true,
        };
        drop(parked);
        if session.is_overtaken() {
            return (targets, round);
        }
        quiet::take_news(broker, session, &mut targets);
        round = plan(broker, &targets, limits).await;
        let is_over = timed_out || session.is_closed() || broker.partitions.is_releasing();
        if is_over || round.is_enough(limits) {
            return (targets, round);
        }
    }
}

/// Plans one round, and looks up what that takes.
async fn plan(broker: &Broker, targets: &Targets, limits: &Limits) -> Round {
    let mut located = Located::new();
    loop {
        let round = Round::plan(targets, &limits.within(broker.fetch_memory.room()), &located);
        if !round.is_cold {
            return round;
        }
        located = read::look_up(broker.partitions.io(), &targets.list, round).await;
    }
}

fn park(targets: &Targets, round: &Round, limits: &Limits, ticket: &Arc<FetchTicket>) -> Vec<Parked> {
    let mut parked = Vec::with_capacity(targets.list.len());
    for (target, planned) in targets.list.iter().zip(&round.planned) {
        if let (Ok(partition), Planned::Readable { offsets, .. }) = (&target.partition, planned) {
            let bytes_max = target.bytes_max().saturating_sub(planned.bytes());
            let interest = Interest { bytes_max, read_committed: limits.read_committed };
            parked.push(partition.park(ticket, *offsets, interest));
        }
    }
    parked
}

/// Lets the session leave out what is no news, and puts the answer together.
fn finish(
    broker: &Broker,
    context: &RequestContext,
    session: FetchContext,
    answers: Vec<Answered>,
    limits: &Limits,
) -> Fetched {
    let leaders_named = answers.iter().any(|answered| answered.answer.current_leader.is_some());
    let mut keep = vec![true; answers.len()];
    let marks: Vec<_> = match &session {
        FetchContext::Sessionless => Vec::new(),
        _ => answers.iter().map(|one| (one.wanted.clone(), marks_of(&one.answer))).collect(),
    };
    let now_ms = broker.clock.wall_ms();
    let session = broker.fetch_sessions.finish(now_ms, session, &marks, |at, kept| keep[at] = kept);
    let kept = answers.into_iter().zip(keep).filter_map(|(answer, kept)| kept.then_some(answer));
    let (topics, ranges) = by_topic(kept);
    let response = FetchResponse {
        throttle_time_ms: 0,
        error: session.error,
        session_id: session.session_id,
        topics,
        // Replicas know where brokers are.
        node_endpoints: if leaders_named && !limits.from_follower {
            vec![own_endpoint(broker, context)]
        } else {
            Vec::new()
        },
    };
    Fetched { response, ranges }
}

fn marks_of(answer: &FetchPartitionResponse) -> AnswerMarks {
    AnswerMarks {
        error: answer.error,
        record_bytes: answer.records_len(),
        high_watermark: answer.high_watermark,
        log_start_offset: answer.log_start_offset,
        diverges: answer.diverging_epoch.is_some(),
    }
}

/// Neighbours of the same topic share an entry; the order of the partitions is kept.
fn by_topic(answers: impl Iterator<Item = Answered>) -> (Vec<FetchTopicResponse>, Vec<ReadRange>) {
    let mut topics: Vec<FetchTopicResponse> = Vec::new();
    let mut ranges = Vec::new();
    for Answered { wanted, answer, range } in answers {
        ranges.extend(range);
        match topics.last_mut() {
            Some(last) if last.topic == wanted.topic => last.partitions.push(answer),
            _ => topics.push(FetchTopicResponse { topic: wanted.topic, partitions: vec![answer] }),
        }
    }
    (topics, ranges)
}

fn own_endpoint(broker: &Broker, context: &RequestContext) -> NodeEndpoint {
    let (host, port) = broker.endpoints.node_for(&context.connection);
    NodeEndpoint {
        node_id: broker.node_id,
        host: StrBytes::from_string(host),
        port: port.into(),
        rack: broker.config.identity.rack.clone().map(StrBytes::from_string),
    }
}

/// As [`serve`], with all records in memory.
#[cfg(test)]
pub(crate) async fn handle(
    broker: &Arc<Broker>,
    context: &RequestContext,
    request: FetchRequest,
) -> FetchResponse {
    let Fetched { mut response, ranges } = serve(broker, context, request).await;
    let partitions = response.topics.iter_mut().flat_map(|topic| &mut topic.partitions);
    let elsewhere = partitions.filter(|partition| partition.records_elsewhere > 0).collect::<Vec<_>>();
    assert_eq!(elsewhere.len(), ranges.len());
    for (partition, range) in elsewhere.into_iter().zip(ranges) {
        partition.records.push(range.read_whole().unwrap());
        assert_eq!(partition.records[0].len(), std::mem::take(&mut partition.records_elsewhere));
    }
    response
}

/// The name of a topic, as far as it is known.
fn name_of(wanted: &FetchPartition) -> Option<&str> {
    match &wanted.topic {
        TopicRef::Name(name) => Some(name),
        TopicRef::Id(_) => wanted.name.as_deref(),
    }
}

#[cfg(test)]
#[path = "fetch_cold_tests.rs"]
mod cold_tests;
#[cfg(test)]
#[path = "fetch_quiet_tests.rs"]
mod quiet_tests;
#[cfg(test)]
#[path = "fetch_tests.rs"]
mod tests;
