//! What several tools ask a cluster: the connection, topics, offsets, and errors in the words of Kafka's client.

use std::collections::BTreeMap;
use std::future::Future;
use std::time::Duration;

use client::{Cluster, ClusterError, Settings, Target};
use model::{Clock, ErrorCode};
use wire::StrBytes;
use wire::messages::list_offsets_request::{ListOffsetsPartition, ListOffsetsRequest, ListOffsetsTopic};
use wire::messages::metadata_response::MetadataResponseTopic;
use wire::messages::{BrokerId, TopicName};

use crate::properties::Properties;
use crate::terminal::{Stop, log_stamp};

/// A topic and one of its partitions.
pub type TopicPartition = (String, i32);

/// A call that failed, in the words of Kafka's client.
#[derive(Debug)]
pub enum Trouble {
    /// The broker refused.
    Refused {
        /// Its error.
        code: ErrorCode,
        /// What it said, or the error's own sentence.
        message: String,
    },
    /// Nobody answered, or not in a way this client reads.
    Client(ClusterError),
}

impl std::fmt::Display for Trouble {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Refused { message, .. } => f.write_str(message),
            Self::Client(error) => error.fmt(f),
        }
    }
}

impl From<ClusterError> for Trouble {
    fn from(error: ClusterError) -> Self {
        match error {
            ClusterError::Coordinator { code, message } | ClusterError::Controllers { code, message } => {
                refused(code, message.as_deref())
            }
            ClusterError::NotForControllers => {
                refused(ErrorCode::UnsupportedEndpointType.code(), Some(&error.to_string()))
            }
            other => Self::Client(other),
        }
    }
}

impl Trouble {
    /// The broker's error, where it was one.
    pub fn code(&self) -> Option<ErrorCode> {
        match self {
            Self::Refused { code, .. } => Some(*code),
            Self::Client(_) => None,
        }
    }
}

/// `Ok` for error 0.
///
/// # Errors
/// [`Trouble::Refused`].
pub fn check(code: i16, message: Option<&str>) -> Result<(), Trouble> {
    if code == 0 { Ok(()) } else { Err(refused(code, message)) }
}

/// The refusal of an error's number.
pub fn refused(code: i16, message: Option<&str>) -> Trouble {
    let code = ErrorCode::from_code(code);
    let message = message.filter(|message| !message.is_empty());
    Trouble::Refused { code, message: message.unwrap_or_else(|| crate::errors::sentence(code)).to_owned() }
}

/// Runs a tool's calls on this thread.
///
/// # Errors
/// What the calls end with, or that the system gives no event loop.
pub fn block_on<T>(calls: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Stop::Error(format!("cannot wait for the network: {error}")))?;
    runtime.block_on(calls)
}

/// Whom a tool asks first.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Bootstrap {
    /// `--bootstrap-server`.
    Brokers(String),
    /// `--bootstrap-controller`.
    Controllers(String),
}

impl Bootstrap {
    /// The one of the two options that was given.
    pub fn of(servers: Option<String>, controllers: Option<String>) -> Option<Self> {
        servers.map(Self::Brokers).or_else(|| controllers.map(Self::Controllers))
    }

    /// The cluster there, with a tool's client properties.
    ///
    /// # Errors
    /// See [`connect`].
    pub fn connect(&self, properties: &Properties, client_id: &str) -> Result<Cluster, Stop> {
        match self {
            Self::Brokers(list) => connect(list, properties, client_id),
            Self::Controllers(list) => {
                let settings = settings(properties, of_tool(client_id))?;
                Cluster::of_controllers(list, settings).map_err(|error| Stop::Error(error.to_string()))
            }
        }
    }
}

/// A cluster at `bootstrap`, with a tool's client properties.
///
/// # Errors
/// [`Stop::Error`] for addresses that are none and for security settings that this client does not speak.
pub fn connect(bootstrap: &str, properties: &Properties, client_id: &str) -> Result<Cluster, Stop> {
    connect_with(bootstrap, properties, of_tool(client_id))
}

fn of_tool(client_id: &str) -> Settings {
    let warn = |line: &str| {
        let stamp = log_stamp(Clock::system().wall_ms());
        eprintln!("[{stamp}] WARN {line} (org.apache.kafka.clients.NetworkClient)");
    };
    Settings { client_id: client_id.to_owned(), warn, ..Settings::default() }
}

/// The same with defaults of the caller's.
///
/// # Errors
/// See [`connect`].
pub fn connect_with(bootstrap: &str, properties: &Properties, defaults: Settings) -> Result<Cluster, Stop> {
    Cluster::at(bootstrap, settings(properties, defaults)?).map_err(|error| Stop::Error(error.to_string()))
}

fn settings(properties: &Properties, defaults: Settings) -> Result<Settings, Stop> {
    refuse_security(properties)?;
    let milliseconds = |key: &str, default: Duration| {
        properties.get(key).and_then(|text| text.parse().ok()).map_or(default, Duration::from_millis)
    };
    Ok(Settings {
        client_id: properties.get("client.id").map_or(defaults.client_id, str::to_owned),
        request_timeout: milliseconds("request.timeout.ms", defaults.request_timeout),
        api_timeout: milliseconds("default.api.timeout.ms", defaults.api_timeout),
        retry_backoff: milliseconds("retry.backoff.ms", defaults.retry_backoff),
        ..defaults
    })
}

fn refuse_security(properties: &Properties) -> Result<(), Stop> {
    match properties.get("security.protocol") {
        None | Some("PLAINTEXT") => Ok(()),
        Some(protocol) => Err(Stop::not_built(&format!("security.protocol={protocol}"))),
    }
}

/// A string of the wire.
pub fn text(value: impl Into<String>) -> StrBytes {
    StrBytes::from_string(value.into())
}

/// A topic's name of the wire.
pub fn topic_name(value: impl Into<String>) -> TopicName {
    TopicName(text(value))
}

/// These topics as Metadata has them; nothing is created.
///
/// # Errors
/// [`Trouble::Refused`] with the first topic's error.
pub async fn describe(
    cluster: &mut Cluster,
    topics: &[String],
) -> Result<Vec<MetadataResponseTopic>, Trouble> {
    if topics.is_empty() {
        return Ok(Vec::new());
    }
    let response = cluster.metadata(Some(topics), false).await?;
    for topic in &response.topics {
        check(topic.error_code, None)?;
    }
    Ok(response.topics)
}

/// The names of all topics, sorted.
///
/// # Errors
/// See [`Trouble`].
pub async fn topic_names(cluster: &mut Cluster) -> Result<Vec<(String, bool)>, Trouble> {
    let response = cluster.metadata(None, false).await?;
    let named = response.topics.iter().filter(|topic| topic.error_code == 0);
    let mut names: Vec<(String, bool)> =
        named.filter_map(|topic| Some((topic.name.as_ref()?.0.to_string(), topic.is_internal))).collect();
    names.sort();
    Ok(names)
}

/// The leader of each partition of these topics; -1 for none.
///
/// # Errors
/// See [`Trouble`]; a topic that is not there is left out.
pub async fn leaders(
    cluster: &mut Cluster,
    topics: &[String],
) -> Result<BTreeMap<TopicPartition, i32>, Trouble> {
    let mut leaders = BTreeMap::new();
    if topics.is_empty() {
        return Ok(leaders);
    }
    let response = cluster.metadata(Some(topics), false).await?;
    for topic in response.topics.iter().filter(|topic| topic.error_code == 0) {
        let Some(name) = &topic.name else { continue };
        for partition in &topic.partitions {
            leaders.insert((name.0.to_string(), partition.partition_index), partition.leader_id.0);
        }
    }
    Ok(leaders)
}

/// What ListOffsets says of one partition.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FoundOffset {
    /// The offset, -1 for none.
    pub offset: i64,
    /// Its record's timestamp, -1 for none.
    pub timestamp: i64,
    /// The leader epoch of its record, -1 for none.
    pub leader_epoch: i32,
}

/// The special timestamps of ListOffsets.
pub const LATEST: i64 = -1;
/// See [`LATEST`].
pub const EARLIEST: i64 = -2;

/// Looks up one timestamp for each partition, at its leader.
///
/// # Errors
/// Of the call as a whole; a partition has an error of its own.
pub async fn offsets(
    cluster: &mut Cluster,
    wanted: &[(TopicPartition, i64)],
    isolation: i8,
) -> Result<BTreeMap<TopicPartition, Result<FoundOffset, Trouble>>, Trouble> {
    let mut topics: Vec<String> = wanted.iter().map(|((topic, _), _)| topic.clone()).collect();
    topics.sort();
    topics.dedup();
    let mut found = BTreeMap::new();
    let mut attempt = 0;
    let mut open: Vec<(TopicPartition, i64)> = wanted.to_vec();
    while !open.is_empty() {
        let leaders = leaders(cluster, &topics).await?;
        let mut by_leader: BTreeMap<i32, Vec<(TopicPartition, i64)>> = BTreeMap::new();
        for (partition, timestamp) in open.drain(..) {
            match leaders.get(&partition) {
                Some(leader) if *leader >= 0 => {
                    by_leader.entry(*leader).or_default().push((partition, timestamp));
                }
                Some(_) => {
                    found.insert(partition, Err(refused(ErrorCode::LeaderNotAvailable.code(), None)));
                }
                None => {
                    found.insert(partition, Err(refused(ErrorCode::UnknownTopicOrPartition.code(), None)));
                }
            }
        }
        for (leader, asked) in by_leader {
            for (partition, result) in offsets_at(cluster, leader, &asked, isolation).await? {
                let again = result.as_ref().err().and_then(Trouble::code).is_some_and(is_stale_leader);
                if again && attempt < ATTEMPTS_MAX {
                    open.extend(asked.iter().find(|(one, _)| *one == partition).cloned());
                } else {
                    found.insert(partition, result);
                }
            }
        }
        if !open.is_empty() {
            tokio::time::sleep(cluster.settings().retry_backoff).await;
        }
        attempt += 1;
    }
    Ok(found)
}

async fn offsets_at(
    cluster: &mut Cluster,
    leader: i32,
    asked: &[(TopicPartition, i64)],
    isolation: i8,
) -> Result<Vec<(TopicPartition, Result<FoundOffset, Trouble>)>, Trouble> {
    let mut topics: BTreeMap<&str, Vec<ListOffsetsPartition>> = BTreeMap::new();
    for ((topic, partition), timestamp) in asked {
        let one = ListOffsetsPartition::default().with_partition_index(*partition).with_timestamp(*timestamp);
        topics.entry(topic).or_default().push(one);
    }
    let topics: Vec<ListOffsetsTopic> = topics
        .into_iter()
        .map(|(name, partitions)| {
            ListOffsetsTopic::default().with_name(topic_name(name)).with_partitions(partitions)
        })
        .collect();
    let response = cluster
        .call(Target::Node(leader), |version| {
            let request =
                ListOffsetsRequest::default().with_replica_id(BrokerId(-1)).with_topics(topics.clone());
            if version >= 2 { request.with_isolation_level(isolation) } else { request }
        })
        .await?;
    let mut found = Vec::new();
    for topic in &response.topics {
        for partition in &topic.partitions {
            let result = check(partition.error_code, None).map(|()| FoundOffset {
                offset: partition.offset,
                timestamp: partition.timestamp,
                leader_epoch: partition.leader_epoch,
            });
            found.push(((topic.name.0.to_string(), partition.partition_index), result));
        }
    }
    Ok(found)
}

/// Whether metadata is out of date, so that another broker has to be asked.
pub fn is_stale_leader(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotLeaderOrFollower
            | ErrorCode::LeaderNotAvailable
            | ErrorCode::FencedLeaderEpoch
            | ErrorCode::UnknownLeaderEpoch
            | ErrorCode::ReplicaNotAvailable
            | ErrorCode::KafkaStorageError
            | ErrorCode::OffsetNotAvailable
    )
}

const ATTEMPTS_MAX: usize = 50;
/// Last version of Produce that names topics; later ones want ids (KIP-516).
pub const PRODUCE_BY_NAME_MAX: i16 = 12;
/// Last version of Fetch that names topics.
pub const FETCH_BY_NAME_MAX: i16 = 12;

/// A broker as Kafka's client prints it.
pub fn shown(node: &client::Node) -> String {
    let rack = node.rack.as_deref().unwrap_or("null");
    format!("{}:{} (id: {} rack: {rack} isFenced: false)", node.host, node.port, node.id)
}

/// A refusal without the usage, for tools that let joptsimple's exception through.
pub fn plain(stop: Stop) -> Stop {
    match stop {
        Stop::Usage { message, .. } => Stop::Error(message),
        other => other,
    }
}

/// Refuses a bootstrap list as Kafka's tools do (`ToolsUtils.validateBootstrapServer`).
///
/// # Errors
/// The sentence.
pub fn check_bootstrap(bootstrap: &str) -> Result<(), String> {
    if bootstrap.trim().is_empty() {
        return Err("Error while validating the bootstrap address\n".to_owned());
    }
    let has_port = |entry: &str| {
        entry.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u32>().is_ok())
    };
    if bootstrap.split(',').all(has_port) {
        return Ok(());
    }
    Err("Please provide valid host:port like host1:9091,host2:9092\n".to_owned())
}

impl From<Trouble> for Stop {
    fn from(trouble: Trouble) -> Self {
        Self::Error(trouble.to_string())
    }
}
