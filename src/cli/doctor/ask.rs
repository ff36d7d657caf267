//! What a broker says of itself and its cluster, over one connection that asks in order.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use client::{CallError, Connection};
use wire::StrBytes;
use wire::api_table::ApiKey;
use wire::api_versions::ApiVersion;
use wire::call::Call;
use wire::messages::describe_configs_request::{DescribeConfigsRequest, DescribeConfigsResource};
use wire::messages::metadata_request::{MetadataRequest, MetadataRequestTopic};
use wire::messages::{MetadataResponse, SaslHandshakeRequest, TopicName};

use super::probe::{Address, CLIENT_ID};

/// A broker as the cluster's metadata names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Broker {
    /// Its id.
    pub id: i32,
    /// Where clients are sent.
    pub address: Address,
}

/// What metadata says of the cluster.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cluster {
    /// Its id; brokers before 0.10.1 have none.
    pub id: Option<String>,
    /// Its brokers that are alive.
    pub brokers: Vec<Broker>,
}

/// How a broker takes a client that does not log in.
#[derive(Debug)]
pub enum Welcome {
    /// It serves it.
    Serves(Cluster),
    /// It is a controller's listener, which has no metadata for clients.
    Controller,
    /// It wants a login by one of these mechanisms.
    WantsLogin(Vec<String>),
    /// It answered that it speaks Kafka, and then did not; why.
    Fails(String),
}

/// Why a question has no answer.
#[derive(Debug)]
pub enum NoAnswer {
    /// The broker does not know the API in a version of ours.
    Unsupported,
    /// The call failed.
    Call(CallError),
}

/// A connection to a broker that is known to speak Kafka's protocol.
#[derive(Debug)]
pub struct Talk {
    connection: Connection,
    offered: Vec<ApiVersion>,
}

impl Talk {
    /// Connects.
    pub async fn open(at: SocketAddr, offered: &[ApiVersion], patience: Duration) -> Result<Self, NoAnswer> {
        let connection = Connection::open(at, CLIENT_ID, patience).await;
        let connection = connection.map_err(|error| NoAnswer::Call(error.into()))?;
        Ok(Self { connection, offered: offered.to_vec() })
    }

    async fn call<C: Call>(&mut self, max: i16, build: impl Fn(i16) -> C) -> Result<C::Response, NoAnswer> {
        let spec = ApiKey::from_code(C::KEY).ok_or(NoAnswer::Unsupported)?.spec();
        let row = self.offered.iter().find(|row| row.api_key == C::KEY).ok_or(NoAnswer::Unsupported)?;
        let version = row.max_version.min(spec.max).min(max);
        if version < row.min_version.max(spec.min) {
            return Err(NoAnswer::Unsupported);
        }
        self.connection.call(version, &build(version)).await.map_err(NoAnswer::Call)
    }

    /// The cluster, without topics.
    pub async fn cluster(&mut self) -> Result<Cluster, NoAnswer> {
        let told = self.metadata(Vec::new()).await?;
        let brokers = told.brokers.iter().map(|broker| Broker {
            id: broker.node_id.0,
            address: Address {
                host: broker.host.to_string(),
                port: u16::try_from(broker.port).unwrap_or_default(),
            },
        });
        let mut brokers: Vec<Broker> = brokers.take(BROKERS_MAX).collect();
        brokers.sort_by_key(|broker| broker.id);
        Ok(Cluster { id: told.cluster_id.map(|id| id.to_string()), brokers })
    }

    /// Whether a topic is there; it is not made by asking.
    pub async fn has_topic(&mut self, name: &'static str) -> Result<bool, NoAnswer> {
        let topic =
            MetadataRequestTopic::default().with_name(Some(TopicName(StrBytes::from_static_str(name))));
        let told = self.metadata(vec![topic]).await?;
        Ok(told.topics.iter().any(|topic| topic.error_code == 0))
    }

    async fn metadata(&mut self, topics: Vec<MetadataRequestTopic>) -> Result<MetadataResponse, NoAnswer> {
        self.call(i16::MAX, |version| {
            let request = MetadataRequest::default().with_topics(Some(topics.clone()));
            if version < 4 { request } else { request.with_allow_auto_topic_creation(false) }
        })
        .await
    }

    /// A broker's settings; those that it does not show are left out.
    pub async fn settings(&mut self, broker: i32) -> Result<BTreeMap<String, String>, NoAnswer> {
        let resource = DescribeConfigsResource::default()
            .with_resource_type(BROKER_RESOURCE)
            .with_resource_name(StrBytes::from_string(broker.to_string()))
            .with_configuration_keys(None);
        let answer = self
            .call(i16::MAX, |_version| {
                DescribeConfigsRequest::default().with_resources(vec![resource.clone()])
            })
            .await?;
        let entries = answer.results.into_iter().filter(|result| result.error_code == 0);
        Ok(entries
            .flat_map(|result| result.configs)
            .filter_map(|entry| Some((entry.name.to_string(), entry.value?.to_string())))
            .collect())
    }

    /// Which mechanisms the listener logs clients in with: none where it does not ask for a login.
    async fn mechanisms(&mut self) -> Result<Option<Vec<String>>, NoAnswer> {
        let answer = self
            .call(1, |_version| {
                SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str("?"))
            })
            .await?;
        if answer.error_code != UNSUPPORTED_SASL_MECHANISM {
            return Ok(None);
        }
        Ok(Some(answer.mechanisms.iter().map(ToString::to_string).collect()))
    }
}

/// Finds out how the broker at this address, which offers these APIs, takes a client that does not log in.
pub async fn welcome(at: SocketAddr, offered: &[ApiVersion], patience: Duration) -> Welcome {
    if !offered.iter().any(|row| row.api_key == ApiKey::Metadata.code()) {
        return Welcome::Controller;
    }
    let asked = match Talk::open(at, offered, patience).await {
        Ok(mut talk) => talk.cluster().await,
        Err(error) => Err(error),
    };
    let error = match asked {
        Ok(cluster) => return Welcome::Serves(cluster),
        Err(error) => error,
    };
    // Who is to log in first is hung up on.
    if let Ok(mut talk) = Talk::open(at, offered, patience).await
        && let Ok(Some(mechanisms)) = talk.mechanisms().await
    {
        return Welcome::WantsLogin(mechanisms);
    }
    Welcome::Fails(match error {
        NoAnswer::Unsupported => "it speaks no version of Metadata that clients of today do".to_owned(),
        NoAnswer::Call(error) => error.to_string(),
    })
}

/// More are not looked at one by one.
const BROKERS_MAX: usize = 200;
const BROKER_RESOURCE: i8 = 4;
const UNSUPPORTED_SASL_MECHANISM: i16 = 33;
