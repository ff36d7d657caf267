//! A cluster as a client sees it: a list of addresses to begin with, the brokers they name, one connection to each,
//! and calls that are tried again until a deadline, in a version that both sides speak.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::{Instant, sleep};
use wire::StrBytes;
use wire::api_table::ApiKey;
use wire::api_versions::{ApiVersion, ApiVersionsRequest, ApiVersionsResponse, ClientSoftware};
use wire::call::Call;
use wire::messages::find_coordinator_request::FindCoordinatorRequest;
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::messages::{DescribeClusterRequest, DescribeClusterResponse, MetadataResponse, TopicName};

use crate::{CallError, Connection};

/// What the owner of a [`Cluster`] decides.
#[derive(Clone, Debug)]
pub struct Settings {
    /// Name that the brokers log.
    pub client_id: String,
    /// Longest wait for one answer.
    pub request_timeout: Duration,
    /// Longest wait for a call with all its attempts.
    pub api_timeout: Duration,
    /// Wait before the next attempt.
    pub retry_backoff: Duration,
    /// Whether the list is tried until the deadline, as Kafka's clients do, where no address of it takes a connection.
    pub is_patient: bool,
    /// Told of every connection that could not be made.
    pub warn: fn(&str),
}

impl Default for Settings {
    /// The defaults of Kafka's administrative client.
    fn default() -> Self {
        Self {
            client_id: "ottla".to_owned(),
            request_timeout: Duration::from_secs(30),
            api_timeout: Duration::from_mins(1),
            retry_backoff: Duration::from_millis(100),
            is_patient: true,
            warn: |_line| {},
        }
    }
}

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Target {
    /// Whoever answers.
    Any,
    /// The node that takes changes of metadata.
    Controller,
    /// This broker.
    Node(i32),
}

/// Why a call was given up.
#[derive(Debug, thiserror::Error)]
pub enum ClusterError {
    /// No address of the list is one.
    #[error("Invalid url in bootstrap.servers: {0}")]
    Address(String),
    /// No name of the list has an address.
    #[error("No resolvable bootstrap urls given in bootstrap.servers")]
    Unresolvable,
    /// Nobody could be reached in time. The words are those of Kafka's tools.
    #[error("Timed out waiting for a node assignment. Call: {0}")]
    NoNode(&'static str),
    /// No address of the list took a connection, and the owner does not want to wait for one.
    #[error("{0}")]
    Unreachable(String),
    /// The broker does not offer a version of the API that this client speaks.
    #[error("The node does not support {}", upper_snake(.0))]
    Unsupported(&'static str),
    /// The call failed on a connection that was made.
    #[error(transparent)]
    Call(#[from] CallError),
    /// The broker answered the call with an error that says who is responsible.
    #[error("error code {code} from FindCoordinator")]
    Coordinator {
        /// The error's number.
        code: i16,
        /// What the broker says of it.
        message: Option<String>,
    },
    /// Whoever answered at the list of controllers does not tell who they are; usually it is a broker.
    #[error("error code {code} from DescribeCluster")]
    Controllers {
        /// The error's number.
        code: i16,
        /// What was said of it.
        message: Option<String>,
    },
    /// Controllers are not asked this (KIP-919). The words are those of Kafka's client.
    #[error("This Admin API is not yet supported when communicating directly with the controller quorum.")]
    NotForControllers,
}

/// A broker as Metadata names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Node {
    /// Its id.
    pub id: i32,
    /// Host that clients are to use.
    pub host: String,
    /// Port that clients are to use.
    pub port: u16,
    /// Its rack, where it has one.
    pub rack: Option<String>,
}

/// Which coordinator is sought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum CoordinatorOf<'a> {
    /// Of a group.
    Group(&'a str),
    /// Of a transactional id.
    Transaction(&'a str),
}

/// Connections to one cluster. One call runs at a time.
#[derive(Debug)]
pub struct Cluster {
    settings: Settings,
    bootstrap: Vec<(String, u16)>,
    /// Whether the list names controllers, which are asked themselves.
    of_controllers: bool,
    nodes: BTreeMap<i32, Node>,
    controller: Option<i32>,
    cluster_id: Option<String>,
    links: BTreeMap<i32, Link>,
}

#[derive(Debug)]
struct Link {
    connection: Connection,
    versions: ApiVersionsResponse,
}

impl Cluster {
    /// A cluster at a comma-separated list of `host:port`; nothing is connected yet.
    ///
    /// # Errors
    /// [`ClusterError::Address`].
    pub fn at(bootstrap: &str, settings: Settings) -> Result<Self, ClusterError> {
        let entries = bootstrap.split(',').map(str::trim).filter(|entry| !entry.is_empty());
        let bootstrap = entries.map(address).collect::<Result<Vec<_>, _>>()?;
        if bootstrap.is_empty() {
            return Err(ClusterError::Unresolvable);
        }
        let (nodes, links) = (BTreeMap::new(), BTreeMap::new());
        let (controller, cluster_id) = (None, None);
        Ok(Self { settings, bootstrap, of_controllers: false, nodes, controller, cluster_id, links })
    }

    /// The quorum at a list of its controllers, which answer some administrative calls themselves (KIP-919). Whatever is
    /// for any node goes to the active one.
    ///
    /// # Errors
    /// [`ClusterError::Address`].
    pub fn of_controllers(bootstrap: &str, settings: Settings) -> Result<Self, ClusterError> {
        Ok(Self { of_controllers: true, ..Self::at(bootstrap, settings)? })
    }

    /// Whether the nodes are controllers.
    pub fn is_of_controllers(&self) -> bool {
        self.of_controllers
    }

    /// The brokers of the last Metadata answer, or the controllers.
    pub fn nodes(&self) -> impl Iterator<Item = &Node> {
        self.nodes.values()
    }

    /// One of them.
    pub fn node(&self, id: i32) -> Option<&Node> {
        self.nodes.get(&id)
    }

    /// The cluster's id, once Metadata has told it.
    pub fn cluster_id(&self) -> Option<&str> {
        self.cluster_id.as_deref()
    }

    /// The deadlines in force.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Asks for the brokers and for these topics: `None` is all of them.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn metadata(
        &mut self,
        topics: Option<&[String]>,
        may_create: bool,
    ) -> Result<MetadataResponse, ClusterError> {
        let names = topics.map(|topics| topics.iter().map(|name| topic(name)).collect::<Vec<_>>());
        let response = self
            .call_as("metadata", Target::Any, i16::MAX, |version| {
                let request = MetadataRequest::default().with_topics(match &names {
                    None if version == 0 => Some(Vec::new()),
                    names => names.clone(),
                });
                if version < 4 { request } else { request.with_allow_auto_topic_creation(may_create) }
            })
            .await?;
        self.learn(&response);
        Ok(response)
    }

    /// Asks for the nodes: the brokers, or the controllers where the list is of those.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn refresh(&mut self) -> Result<(), ClusterError> {
        if self.of_controllers {
            let answer = self
                .call_as("describeCluster", Target::Any, i16::MAX, |version| {
                    let request = DescribeClusterRequest::default();
                    if version >= 1 { request.with_endpoint_type(CONTROLLERS) } else { request }
                })
                .await?;
            return self.learn_controllers(&answer);
        }
        self.metadata(Some(&[]), false).await.map(|_answer| ())
    }

    fn learn_controllers(&mut self, answer: &DescribeClusterResponse) -> Result<(), ClusterError> {
        if answer.error_code != 0 {
            let message = answer.error_message.as_ref().map(ToString::to_string);
            return Err(ClusterError::Controllers { code: answer.error_code, message });
        }
        let nodes = answer.brokers.iter().map(|node| Node {
            id: node.broker_id.0,
            host: node.host.to_string(),
            port: u16::try_from(node.port).unwrap_or_default(),
            rack: None,
        });
        self.nodes = nodes.map(|node| (node.id, node)).collect();
        self.controller = Some(answer.controller_id.0).filter(|id| self.nodes.contains_key(id));
        self.cluster_id = Some(answer.cluster_id.to_string());
        Ok(())
    }

    fn learn(&mut self, response: &MetadataResponse) {
        let brokers = response.brokers.iter().map(|broker| Node {
            id: broker.node_id.0,
            host: broker.host.to_string(),
            port: u16::try_from(broker.port).unwrap_or_default(),
            rack: broker.rack.as_ref().map(ToString::to_string),
        });
        self.nodes = brokers.map(|node| (node.id, node)).collect();
        self.controller = Some(response.controller_id.0).filter(|id| self.nodes.contains_key(id));
        if let Some(id) = &response.cluster_id {
            self.cluster_id = Some(id.to_string());
        }
    }

    /// The broker that coordinates a group or a transactional id.
    ///
    /// # Errors
    /// See [`ClusterError`]; waits for a coordinator that is not there yet.
    pub async fn coordinator(&mut self, of: CoordinatorOf<'_>) -> Result<i32, ClusterError> {
        let (key, key_type) = match of {
            CoordinatorOf::Group(id) => (id, 0),
            CoordinatorOf::Transaction(id) => (id, 1),
        };
        let deadline = Instant::now() + self.settings.api_timeout;
        loop {
            let answer = self
                .call_as("findCoordinator", Target::Any, i16::MAX, |version| {
                    let request = FindCoordinatorRequest::default();
                    let text = StrBytes::from_string(key.to_owned());
                    let request = if version < 1 { request } else { request.with_key_type(key_type) };
                    if version < 4 {
                        request.with_key(text)
                    } else {
                        request.with_coordinator_keys(vec![text])
                    }
                })
                .await?;
            let (code, message, node) = match answer.coordinators.first() {
                Some(one) => (one.error_code, &one.error_message, (one.node_id.0, &one.host, one.port)),
                None => {
                    (answer.error_code, &answer.error_message, (answer.node_id.0, &answer.host, answer.port))
                }
            };
            if code == 0 {
                let (id, host, port) = node;
                let port = u16::try_from(port).unwrap_or_default();
                self.nodes.entry(id).or_insert_with(|| Node { id, host: host.to_string(), port, rack: None });
                return Ok(id);
            }
            if !matches!(code, COORDINATOR_LOAD_IN_PROGRESS | COORDINATOR_NOT_AVAILABLE)
                || Instant::now() >= deadline
            {
                let message = message.as_ref().map(ToString::to_string);
                return Err(ClusterError::Coordinator { code, message });
            }
            sleep(self.settings.retry_backoff).await;
        }
    }

    /// Calls the target in the newest version that both sides speak. `build` makes the request of that version.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn call<C: Call>(
        &mut self,
        at: Target,
        build: impl Fn(i16) -> C,
    ) -> Result<C::Response, ClusterError> {
        self.call_capped(at, i16::MAX, build).await
    }

    /// The same in a version of at most `max`.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn call_capped<C: Call>(
        &mut self,
        at: Target,
        max: i16,
        build: impl Fn(i16) -> C,
    ) -> Result<C::Response, ClusterError> {
        let name = ApiKey::from_code(C::KEY).map_or("call", |api| java_call_name(api));
        self.call_as(name, self.meant(at), max, build).await
    }

    /// Of several controllers only the active one is asked.
    fn meant(&self, at: Target) -> Target {
        if self.of_controllers && at == Target::Any { Target::Controller } else { at }
    }

    async fn call_as<C: Call>(
        &mut self,
        name: &'static str,
        at: Target,
        max: i16,
        build: impl Fn(i16) -> C,
    ) -> Result<C::Response, ClusterError> {
        if self.of_controllers && !ApiKey::from_code(C::KEY).is_some_and(controllers_answer) {
            return Err(ClusterError::NotForControllers);
        }
        let deadline = Instant::now() + self.settings.api_timeout;
        loop {
            let node = self.connected(at, name, deadline).await?;
            let version = match self.links.get(&node) {
                Some(link) => version_for(&link.versions, C::KEY, max)?,
                None => continue,
            };
            // Back only with its whole answer: who gives a call up leaves half an answer on the way, which is nobody else's.
            let Some(mut link) = self.links.remove(&node) else { continue };
            match link.connection.call(version, &build(version)).await {
                Ok(response) => {
                    self.links.insert(node, link);
                    return Ok(response);
                }
                Err(error @ (CallError::Connection(_) | CallError::Timeout(_))) => {
                    if Instant::now() >= deadline {
                        return Err(error.into());
                    }
                    sleep(self.settings.retry_backoff).await;
                }
                Err(error) => return Err(error.into()),
            }
        }
    }

    /// Sends without waiting for an answer, where there will be none (Produce with `acks=0`).
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn tell<C: Call>(
        &mut self,
        node: i32,
        max: i16,
        build: impl Fn(i16) -> C,
    ) -> Result<(), ClusterError> {
        let deadline = Instant::now() + self.settings.api_timeout;
        let node = self.connected(Target::Node(node), "produce", deadline).await?;
        let Some(mut link) = self.links.remove(&node) else { return Ok(()) };
        let version = version_for(&link.versions, C::KEY, max)?;
        link.connection.send(version, &build(version)).await?;
        self.links.insert(node, link);
        Ok(())
    }

    /// A connection to a broker that is the caller's alone, for calls that are under way together.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn dedicated(&mut self, node: i32) -> Result<Dedicated, ClusterError> {
        let deadline = Instant::now() + self.settings.api_timeout;
        let id = self.connected(Target::Node(node), "produce", deadline).await?;
        let link = self.links.remove(&id).ok_or(ClusterError::NoNode("produce"))?;
        Ok(Dedicated { connection: link.connection, versions: link.versions })
    }

    /// What a broker offers, over a connection that is made for it where there is none.
    ///
    /// # Errors
    /// See [`ClusterError`].
    pub async fn versions_of(&mut self, at: Target) -> Result<&ApiVersionsResponse, ClusterError> {
        let deadline = Instant::now() + self.settings.api_timeout;
        let node = self.connected(self.meant(at), "apiVersions", deadline).await?;
        self.links.get(&node).map(|link| &link.versions).ok_or(ClusterError::NoNode("apiVersions"))
    }

    /// A connection to the target, tried until the deadline; the key of its link.
    async fn connected(
        &mut self,
        at: Target,
        name: &'static str,
        deadline: Instant,
    ) -> Result<i32, ClusterError> {
        loop {
            let wanted = match at {
                Target::Node(id) => Some(id),
                Target::Controller => self.controller,
                Target::Any => self.links.keys().next().copied(),
            };
            if let Some(id) = wanted.filter(|id| self.links.contains_key(id)) {
                return Ok(id);
            }
            if let Some(id) = self.try_connect(wanted).await? {
                match at {
                    Target::Any => return Ok(id),
                    Target::Node(node) if node == id => return Ok(id),
                    Target::Controller if self.controller == Some(id) => return Ok(id),
                    Target::Node(_) | Target::Controller => {
                        Box::pin(self.refresh()).await?;
                        let known = match at {
                            Target::Node(node) => self.nodes.contains_key(&node),
                            _ => self.controller.is_some(),
                        };
                        if known {
                            continue;
                        }
                        if at == Target::Controller && !self.of_controllers {
                            return Ok(id);
                        }
                    }
                }
            }
            if Instant::now() >= deadline {
                return Err(ClusterError::NoNode(name));
            }
            sleep(self.settings.retry_backoff).await;
        }
    }

    /// One attempt: the wanted node where its address is known, otherwise whoever is known or in the list.
    async fn try_connect(&mut self, wanted: Option<i32>) -> Result<Option<i32>, ClusterError> {
        if let Some(node) = wanted.and_then(|id| self.nodes.get(&id)).cloned() {
            return Ok(self.open(node.id, &node.host, node.port).await.ok().map(|()| node.id));
        }
        if let Some(id) = self.links.keys().next() {
            return Ok(Some(*id));
        }
        let (mut resolved, mut reasons) = (false, Vec::new());
        for (index, (host, port)) in self.bootstrap.clone().into_iter().enumerate() {
            let id = -1 - i32::try_from(index).unwrap_or_default();
            match self.open(id, &host, port).await {
                Ok(()) => return Ok(Some(id)),
                Err(Closed::Refused(reason)) => {
                    resolved = true;
                    reasons.push(format!("{host}:{port}: {reason}"));
                }
                Err(Closed::Unresolved) => reasons.push(format!("{host}:{port}: the name has no address")),
            }
        }
        match resolved {
            _ if !self.settings.is_patient => Err(ClusterError::Unreachable(reasons.join("; "))),
            true => Ok(None),
            false => Err(ClusterError::Unresolvable),
        }
    }

    /// A connection to the first address of the host that takes one.
    async fn open(&mut self, id: i32, host: &str, port: u16) -> Result<(), Closed> {
        let found = tokio::net::lookup_host((host, port)).await.map_err(|_unknown| Closed::Unresolved)?;
        let mut reason = String::from("the name has no address");
        for address in found {
            let opened =
                Connection::open(address, &self.settings.client_id, self.settings.request_timeout).await;
            let mut connection = match opened {
                Ok(connection) => connection,
                Err(error) => {
                    reason = told(&error);
                    (self.settings.warn)(&format!(
                        "Connection to node {id} ({host}/{address}) could not be established. Node may not be available."
                    ));
                    continue;
                }
            };
            match handshake(&mut connection).await {
                Ok(versions) => {
                    self.links.insert(id, Link { connection, versions });
                    return Ok(());
                }
                Err(error) => {
                    reason = format!("who listens there does not answer as a Kafka broker does ({error})");
                    (self.settings.warn)(&format!(
                        "Connection to node {id} ({host}/{address}) was made, but its answer is not a Kafka broker's: {error}"
                    ));
                }
            }
        }
        Err(Closed::Refused(reason))
    }
}

/// A connection that was [given away](Cluster::dedicated).
#[derive(Debug)]
pub struct Dedicated {
    /// The connection.
    pub connection: Connection,
    versions: ApiVersionsResponse,
}

impl Dedicated {
    /// The newest version of a call, of at most `max`, that both sides speak.
    ///
    /// # Errors
    /// [`ClusterError::Unsupported`].
    pub fn version<C: Call>(&self, max: i16) -> Result<i16, ClusterError> {
        version_for(&self.versions, C::KEY, max)
    }
}

/// Why there is no connection to a host.
#[derive(Clone, Debug)]
enum Closed {
    /// Its name has no address.
    Unresolved,
    /// None of its addresses takes one; why the last does not.
    Refused(String),
}

/// What the system says of a connection that could not be made, without its number.
fn told(error: &std::io::Error) -> String {
    match error.kind() {
        std::io::ErrorKind::ConnectionRefused => "nobody listens there (connection refused)".to_owned(),
        std::io::ErrorKind::TimedOut => "no answer in time".to_owned(),
        _ => error.to_string(),
    }
}

/// `EndpointType` of controllers.
const CONTROLLERS: i8 = 2;
const API_VERSIONS: i16 = 4;
const UNSUPPORTED_VERSION: i16 = 35;
const COORDINATOR_LOAD_IN_PROGRESS: i16 = 14;
const COORDINATOR_NOT_AVAILABLE: i16 = 15;

async fn handshake(connection: &mut Connection) -> Result<ApiVersionsResponse, CallError> {
    let software = ClientSoftware {
        name: StrBytes::from_static_str("ottla"),
        version: StrBytes::from_static_str(env!("CARGO_PKG_VERSION")),
    };
    let request = ApiVersionsRequest { client_software: Some(software), unsupported_version: false };
    let answer = connection.call(API_VERSIONS, &request).await?;
    if answer.error.code() != UNSUPPORTED_VERSION {
        return Ok(answer);
    }
    // An older broker says in version 0 what it speaks (KIP-511).
    let offered = answer.api_keys.iter().find(|row| row.api_key == ApiKey::ApiVersions.code());
    let newest = offered.map_or(0, |row| row.max_version.min(API_VERSIONS));
    let software = if newest >= 3 { request.client_software } else { None };
    connection
        .call(newest, &ApiVersionsRequest { client_software: software, unsupported_version: false })
        .await
}

/// The newest version of an API that both sides speak.
fn version_for(offered: &ApiVersionsResponse, key: i16, max: i16) -> Result<i16, ClusterError> {
    let api = ApiKey::from_code(key).ok_or(CallError::UnknownApi(key))?;
    let spec = api.spec();
    let row: Option<&ApiVersion> = offered.api_keys.iter().find(|row| row.api_key == key);
    row.map(|row| row.max_version.min(spec.max).min(max))
        .filter(|version| row.is_some_and(|row| *version >= row.min_version) && *version >= spec.min)
        .ok_or(ClusterError::Unsupported(spec.name))
}

/// Whether Kafka's administrative client lets a controller be asked this itself.
const fn controllers_answer(api: ApiKey) -> bool {
    matches!(
        api,
        ApiKey::ApiVersions
            | ApiKey::DescribeCluster
            | ApiKey::DescribeAcls
            | ApiKey::CreateAcls
            | ApiKey::DeleteAcls
            | ApiKey::DescribeConfigs
            | ApiKey::IncrementalAlterConfigs
            | ApiKey::AlterPartitionReassignments
            | ApiKey::ListPartitionReassignments
            | ApiKey::DescribeQuorum
            | ApiKey::UpdateFeatures
            | ApiKey::UnregisterBroker
    )
}

/// What the Java client calls a call in its errors: the name of the method, which begins in lower case.
fn java_call_name(api: ApiKey) -> &'static str {
    match api {
        ApiKey::Metadata => "listTopics",
        ApiKey::CreateTopics => "createTopics",
        ApiKey::DeleteTopics => "deleteTopics",
        ApiKey::CreatePartitions => "createPartitions",
        ApiKey::DescribeConfigs => "describeConfigs",
        ApiKey::IncrementalAlterConfigs => "incrementalAlterConfigs",
        ApiKey::DescribeCluster => "listNodes",
        ApiKey::ListGroups => "findAllBrokers",
        ApiKey::DescribeQuorum => "describeMetadataQuorum",
        ApiKey::UpdateFeatures => "updateFeatures",
        ApiKey::DescribeClientQuotas => "describeClientQuotas",
        ApiKey::ListConfigResources => "listConfigResources",
        other => other.spec().name,
    }
}

/// The name of an API or of a record as Kafka's constants have it: `ListTransactions` as `LIST_TRANSACTIONS`.
pub fn upper_snake(name: &str) -> String {
    let mut out = String::with_capacity(name.len() + 4);
    for (index, letter) in name.chars().enumerate() {
        if index > 0 && letter.is_ascii_uppercase() {
            out.push('_');
        }
        out.push(letter.to_ascii_uppercase());
    }
    out
}

fn topic(name: &str) -> MetadataRequestTopic {
    MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_string(name.to_owned()))))
}

/// `host:port`, `[::1]:port`, either with `protocol://` before it.
fn address(entry: &str) -> Result<(String, u16), ClusterError> {
    let bad = || ClusterError::Address(entry.to_owned());
    let bare = entry.rsplit_once("://").map_or(entry, |(_protocol, rest)| rest);
    let (host, port) = bare.rsplit_once(':').ok_or_else(bad)?;
    let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
    if host.is_empty() {
        return Err(bad());
    }
    Ok((host.to_owned(), port.parse().map_err(|_not_a_port| bad())?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_javas() {
        assert_eq!(address("localhost:9092").unwrap(), ("localhost".to_owned(), 9092));
        assert_eq!(address("PLAINTEXT://[::1]:1").unwrap(), ("::1".to_owned(), 1));
        for bad in ["localhost", ":9092", "localhost:", "localhost:70000"] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn the_newest_version_of_both_sides_is_spoken() {
        let row = |api_key, min_version, max_version| ApiVersion { api_key, min_version, max_version };
        let mut offered = ApiVersionsResponse::refused(model::ErrorCode::None);
        offered.api_keys = vec![row(3, 4, 99), row(19, 90, 99)];
        assert_eq!(version_for(&offered, 3, i16::MAX).unwrap(), ApiKey::Metadata.spec().max);
        assert_eq!(version_for(&offered, 3, 9).unwrap(), 9);
        assert!(version_for(&offered, 3, 3).is_err());
        let error = version_for(&offered, 19, i16::MAX).unwrap_err();
        assert_eq!(error.to_string(), "The node does not support CREATE_TOPICS");
        assert!(version_for(&offered, 2, i16::MAX).is_err());
    }
}
