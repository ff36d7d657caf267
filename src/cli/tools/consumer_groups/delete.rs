//! `kafka-consumer-groups --delete` and `--delete-offsets`.

use client::{Cluster, CoordinatorOf, Target};
use model::ErrorCode;
use wire::messages::GroupId;
use wire::messages::offset_delete_request::{
    OffsetDeleteRequest, OffsetDeleteRequestPartition, OffsetDeleteRequestTopic,
};

use super::reset::listed_partitions;
use super::{Failure, chosen};
use crate::errors;
use crate::group_admin;
use crate::groups::by_topic;
use crate::jvm;
use crate::kafka::{self, TopicPartition, Trouble, check, text, topic_name};
use crate::options::Options;
use crate::terminal::Terminal;

/// Deletes groups.
pub async fn groups(
    options: &Options,
    cluster: &mut Cluster,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let groups = chosen(options, cluster).await?;
    let results = group_admin::delete(cluster, &groups).await?;
    let results = jvm::hash_order(results, |(group, _)| jvm::hash_code(group));
    let deleted = results.iter().filter(|(_, result)| result.is_ok());
    let deleted: Vec<String> = deleted.map(|(group, _)| format!("'{group}'")).collect();
    let deleted_text = deleted.join(", ");
    if deleted.len() == results.len() {
        terminal.line(format!("Deletion of requested consumer groups ({deleted_text}) was successful."));
        return Ok(());
    }
    terminal.line("\nError: Deletion of some consumer groups failed:");
    for (group, result) in &results {
        if let Err(trouble) = result {
            let class = errors::java_class(trouble.code());
            terminal.line(format!("* Group '{group}' could not be deleted due to: {class}{trouble}"));
        }
    }
    if !deleted.is_empty() {
        terminal.line(format!("\nThese consumer groups were deleted successfully: {deleted_text}"));
    }
    Ok(())
}

/// Deletes what a group has committed of topics.
pub async fn offsets(
    options: &Options,
    cluster: &mut Cluster,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let group = options.required("group")?;
    let (mut partitions, topics) = listed_partitions(&options.all("topic"))?;
    let mut rows: Vec<(TopicPartition, Option<String>)> = Vec::new();
    for topic in topics {
        match kafka::describe(cluster, std::slice::from_ref(&topic)).await {
            Ok(found) => {
                let indexes = found.iter().flat_map(|topic| topic.partitions.iter());
                partitions.extend(indexes.map(|one| (topic.clone(), one.partition_index)));
            }
            Err(trouble) => {
                let class = errors::java_class(trouble.code());
                rows.push(((topic, -1), Some(format!("{class}{trouble}"))));
            }
        }
    }
    let result = delete_offsets(cluster, &group, &partitions).await;
    let (whole, each) = match result {
        Ok(each) => {
            let first = each.iter().find_map(|(_, result)| result.as_ref().err().and_then(Trouble::code));
            (first, each)
        }
        Err(trouble) => {
            let code = trouble.code().ok_or(Failure::Trouble(trouble))?;
            let each = partitions.into_iter().map(|one| (one, Err(kafka::refused(code.code(), None))));
            (Some(code), each.collect())
        }
    };
    announce(&group, whole, terminal);
    rows.extend(each.into_iter().map(|(partition, result)| {
        let error = result.err().map(|trouble| format!("{}{trouble}", errors::java_class(trouble.code())));
        (partition, error)
    }));
    rows.sort_by_key(|((topic, partition), _)| format!("{topic}{partition}"));
    let width = rows.iter().map(|((topic, _), _)| topic.chars().count()).max().unwrap_or(0).max(15);
    terminal.text(format!("\n{:<width$} {:<10} {:<15}", "TOPIC", "PARTITION", "STATUS"));
    for ((topic, partition), error) in rows {
        let partition = if partition >= 0 { partition.to_string() } else { "-".to_owned() };
        let status = error.map_or_else(|| "Successful".to_owned(), |error| format!("Error: {error}"));
        terminal.text(format!("\n{topic:<width$} {partition:<10} {status:<15}"));
    }
    terminal.line("");
    Ok(())
}

fn announce(group: &str, error: Option<ErrorCode>, terminal: &mut Terminal) {
    match error {
        None => terminal.line(format!("Request succeeded for deleting offsets from group {group}.")),
        Some(
            code @ (ErrorCode::InvalidGroupId
            | ErrorCode::GroupIdNotFound
            | ErrorCode::GroupAuthorizationFailed
            | ErrorCode::NonEmptyGroup),
        ) => terminal.line(format!("\nError: {}", errors::sentence(code))),
        Some(
            ErrorCode::GroupSubscribedToTopic
            | ErrorCode::TopicAuthorizationFailed
            | ErrorCode::UnknownTopicOrPartition,
        ) => terminal.line("\nError: Encountered some partition-level error, see the follow-up details."),
        Some(code) => terminal.line(format!("\nError: Encountered some unknown error: {}", code.name())),
    }
}

type Deleted = (TopicPartition, Result<(), Trouble>);

async fn delete_offsets(
    cluster: &mut Cluster,
    group: &str,
    partitions: &[TopicPartition],
) -> Result<Vec<Deleted>, Trouble> {
    let node = cluster.coordinator(CoordinatorOf::Group(group)).await?;
    let topics = by_topic(partitions).into_iter().map(|(name, indexes)| {
        let indexes = indexes
            .into_iter()
            .map(|index| OffsetDeleteRequestPartition::default().with_partition_index(index));
        OffsetDeleteRequestTopic::default().with_name(topic_name(name)).with_partitions(indexes.collect())
    });
    let topics: Vec<OffsetDeleteRequestTopic> = topics.collect();
    let answer = cluster
        .call(Target::Node(node), |_version| {
            OffsetDeleteRequest::default().with_group_id(GroupId(text(group))).with_topics(topics.clone())
        })
        .await?;
    check(answer.error_code, None)?;
    let mut results = Vec::new();
    for topic in &answer.topics {
        for partition in &topic.partitions {
            let key = (topic.name.0.to_string(), partition.partition_index);
            results.push((key, check(partition.error_code, None)));
        }
    }
    Ok(results)
}
