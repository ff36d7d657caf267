//! The topic that a run writes to or reads from: a fresh one, or one that an earlier run has filled.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use clap::Args;
use model::ErrorCode;
use uuid::Uuid;
use wire::messages::create_topics_request::{CreatableTopic, CreatableTopicConfig, CreateTopicsRequest};
use wire::messages::metadata_request::MetadataRequestTopic;
use wire::messages::{DeleteTopicsRequest, MetadataRequest, TopicName};

use crate::target::{connect, text};
use crate::verify;

const CREATE_TOPICS: i16 = 5;
const METADATA: i16 = 12;
const DELETE_TOPICS: i16 = 5;
const READY_TRIES: usize = 6000;
const READY_EVERY: Duration = Duration::from_millis(10);

/// A topic by every name it has.
#[derive(Clone, Debug)]
pub struct Topic {
    pub name: String,
    pub id: Uuid,
    pub partitions: i32,
}

/// Which topic.
#[derive(Clone, Debug, Args)]
pub struct TopicOptions {
    /// Its name; without one a fresh topic is made.
    #[arg(long)]
    pub topic: Option<String>,
    /// Partitions, if it is made.
    #[arg(long, default_value_t = 1)]
    pub partitions: i32,
    /// Its configuration, if it is made: key=value, any number of times.
    #[arg(long = "topic-config", value_parser = key_value)]
    pub configs: Vec<(String, String)>,
}

fn key_value(text: &str) -> Result<(String, String), String> {
    let (key, value) = text.split_once('=').ok_or("key=value is expected")?;
    Ok((key.to_owned(), value.to_owned()))
}

impl TopicOptions {
    /// The topic, made where there is none of that name.
    pub async fn open(&self, address: SocketAddr) -> anyhow::Result<Topic> {
        if let Some(name) = &self.topic
            && let Some(topic) = Topic::find(address, name).await?
        {
            return Ok(topic);
        }
        let name = self.topic.clone().unwrap_or_else(|| format!("bench-{}", Uuid::new_v4().simple()));
        Topic::create(address, &name, self.partitions, &self.configs).await
    }

    /// Deletes what [`TopicOptions::open`] made, unless it was given a name to stay under.
    pub async fn close(&self, topic: &Topic, address: SocketAddr) -> anyhow::Result<()> {
        if self.topic.is_some() { Ok(()) } else { topic.delete(address).await }
    }
}

impl Topic {
    /// Makes a topic and waits until all its partitions serve.
    pub async fn create(
        address: SocketAddr,
        name: &str,
        partitions: i32,
        configs: &[(String, String)],
    ) -> anyhow::Result<Self> {
        let mut connection = connect(address, "kbench").await?;
        let config = |(key, value): &(String, String)| {
            CreatableTopicConfig::default()
                .with_name(text(key.as_str()))
                .with_value(Some(text(value.as_str())))
        };
        let topic = CreatableTopic::default()
            .with_name(TopicName(text(name)))
            .with_num_partitions(partitions)
            .with_replication_factor(1)
            .with_configs(configs.iter().map(config).collect());
        let request = CreateTopicsRequest::default().with_topics(vec![topic]).with_timeout_ms(30_000);
        let answer = connection.call(CREATE_TOPICS, &request).await?;
        let made = answer.topics.first().context("no topic in the answer")?;
        ensure!(
            made.error_code == 0,
            "the topic {name} was not created: error {} {}",
            made.error_code,
            made.error_message.as_deref().unwrap_or_default()
        );
        for _ in 0..READY_TRIES {
            if let Some(topic) = Self::find(address, name).await?
                && topic.partitions == partitions
                && verify::ends(&mut connection, &topic).await.is_ok()
            {
                return Ok(topic);
            }
            tokio::time::sleep(READY_EVERY).await;
        }
        anyhow::bail!("the topic {name} does not serve")
    }

    /// Removes a topic that the run made for itself, so that what it wrote need not reach the disk.
    pub async fn delete(&self, address: SocketAddr) -> anyhow::Result<()> {
        let mut connection = connect(address, "kbench").await?;
        let request = DeleteTopicsRequest::default()
            .with_topic_names(vec![TopicName(text(self.name.as_str()))])
            .with_timeout_ms(30_000);
        let answer = connection.call(DELETE_TOPICS, &request).await?;
        let code = answer.responses.first().map_or(-1, |response| response.error_code);
        ensure!(code == 0, "the topic {} was not deleted: error {code}", self.name);
        Ok(())
    }

    /// The topic of that name, if there is one.
    pub async fn find(address: SocketAddr, name: &str) -> anyhow::Result<Option<Self>> {
        let mut connection = connect(address, "kbench").await?;
        let asked = MetadataRequestTopic::default().with_name(Some(TopicName(text(name))));
        let request =
            MetadataRequest::default().with_topics(Some(vec![asked])).with_allow_auto_topic_creation(false);
        let answer = connection.call(METADATA, &request).await?;
        let found = answer.topics.first().context("no topic in the answer")?;
        if found.error_code == ErrorCode::UnknownTopicOrPartition.code() {
            return Ok(None);
        }
        ensure!(found.error_code == 0, "the topic {name} is not known: error {}", found.error_code);
        let partitions = i32::try_from(found.partitions.len())?;
        Ok(Some(Self { name: name.to_owned(), id: found.topic_id, partitions }))
    }
}
