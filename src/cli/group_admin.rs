//! Groups from outside: the list of all, and one group's state, members and what they read, in either protocol.

use std::collections::BTreeMap;

use client::{Cluster, ClusterError, CoordinatorOf, Node, Target};
use model::ErrorCode;
use wire::messages::consumer_group_describe_request::ConsumerGroupDescribeRequest;
use wire::messages::consumer_group_describe_response::{Assignment, DescribedGroup as ConsumerGroup};
use wire::messages::describe_groups_response::DescribedGroup as ClassicGroup;
use wire::messages::{DeleteGroupsRequest, DescribeGroupsRequest, GroupId, ListGroupsRequest};

use crate::consumer::assign;
use crate::jvm;
use crate::kafka::{TopicPartition, Trouble, check, text};

/// A group as ListGroups has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Listed {
    /// Its id.
    pub id: String,
    /// `consumer`, `connect`, `share`, or empty.
    pub protocol: String,
    /// `Stable`, `Empty` and so on; empty where the broker does not tell.
    pub state: String,
    /// `Classic`, `Consumer`, `Share`, `Streams`; empty where the broker does not tell.
    pub kind: String,
}

/// A group as its coordinator describes it.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its id.
    pub id: String,
    /// `Stable`, `Empty` and so on.
    pub state: String,
    /// How partitions are shared out.
    pub assignor: String,
    /// Epochs of the group and of its target (consumer protocol).
    pub epochs: Option<(i32, i32)>,
    /// Who coordinates it.
    pub coordinator: Node,
    /// Who reads.
    pub members: Vec<Member>,
}

/// One member.
#[derive(Clone, Debug)]
pub struct Member {
    /// Its id.
    pub id: String,
    /// Its static name.
    pub instance: Option<String>,
    /// The client's name for itself.
    pub client: String,
    /// Where it is.
    pub host: String,
    /// What it reads.
    pub partitions: Vec<TopicPartition>,
    /// What it is to read, and at which epoch it is (consumer protocol).
    pub target: Option<(Vec<TopicPartition>, i32)>,
    /// Whether it speaks the consumer protocol, where the broker tells.
    pub upgraded: Option<bool>,
}

/// The groups of every broker, in the order of the Java client's map.
///
/// # Errors
/// See [`Trouble`].
pub async fn list(
    cluster: &mut Cluster,
    states: &[String],
    kinds: &[String],
) -> Result<Vec<Listed>, Trouble> {
    cluster.metadata(Some(&[]), false).await?;
    let nodes: Vec<i32> = cluster.nodes().map(|node| node.id).collect();
    let mut groups: BTreeMap<String, Listed> = BTreeMap::new();
    for node in nodes {
        let texts = |values: &[String]| values.iter().map(|value| text(value.as_str())).collect::<Vec<_>>();
        let answer = cluster
            .call(Target::Node(node), |version| {
                let request = ListGroupsRequest::default();
                let request = if version >= 4 { request.with_states_filter(texts(states)) } else { request };
                if version >= 5 { request.with_types_filter(texts(kinds)) } else { request }
            })
            .await?;
        check(answer.error_code, None)?;
        for group in answer.groups {
            let listed = Listed {
                id: group.group_id.0.to_string(),
                protocol: group.protocol_type.to_string(),
                state: group.group_state.to_string(),
                kind: group.group_type.to_string(),
            };
            groups.insert(listed.id.clone(), listed);
        }
    }
    Ok(jvm::hash_order(groups.into_values().collect(), |group| jvm::hash_code(&group.id)))
}

/// One group, asked for in the consumer protocol first.
///
/// # Errors
/// See [`Trouble`]; `GROUP_ID_NOT_FOUND` for none.
pub async fn describe(cluster: &mut Cluster, group: &str) -> Result<Described, Trouble> {
    loop {
        let node = cluster.coordinator(CoordinatorOf::Group(group)).await?;
        let described = match describe_consumer(cluster, node, group).await {
            Ok(None) => describe_classic(cluster, node, group).await,
            Ok(Some(described)) => Ok(described),
            Err(trouble) => Err(trouble),
        };
        match described {
            Err(trouble) if trouble.code().is_some_and(is_elsewhere) => {
                tokio::time::sleep(cluster.settings().retry_backoff).await;
            }
            other => return other,
        }
    }
}

/// `None` where it is no group of the consumer protocol.
async fn describe_consumer(
    cluster: &mut Cluster,
    node: i32,
    group: &str,
) -> Result<Option<Described>, Trouble> {
    let asked = cluster
        .call(Target::Node(node), |_version| {
            ConsumerGroupDescribeRequest::default().with_group_ids(vec![GroupId(text(group))])
        })
        .await;
    let answer = match asked {
        Err(ClusterError::Unsupported(_)) => return Ok(None),
        other => other?,
    };
    let Some(found) = answer.groups.into_iter().next() else { return Ok(None) };
    match check(found.error_code, found.error_message.as_deref()) {
        Err(trouble)
            if matches!(trouble.code(), Some(ErrorCode::GroupIdNotFound | ErrorCode::UnsupportedVersion)) =>
        {
            Ok(None)
        }
        Err(trouble) => Err(trouble),
        Ok(()) => Ok(Some(of_consumer(cluster, node, found))),
    }
}

fn of_consumer(cluster: &Cluster, node: i32, found: ConsumerGroup) -> Described {
    let members = found.members.iter().map(|member| Member {
        id: member.member_id.to_string(),
        instance: member.instance_id.as_ref().map(ToString::to_string),
        client: member.client_id.to_string(),
        host: member.client_host.to_string(),
        partitions: partitions(&member.assignment),
        target: Some((partitions(&member.target_assignment), member.member_epoch)),
        upgraded: (member.member_type >= 0).then_some(member.member_type == 1),
    });
    Described {
        members: members.collect(),
        id: found.group_id.0.to_string(),
        state: found.group_state.to_string(),
        assignor: found.assignor_name.to_string(),
        epochs: Some((found.group_epoch, found.assignment_epoch)),
        coordinator: coordinator(cluster, node),
    }
}

fn partitions(assignment: &Assignment) -> Vec<TopicPartition> {
    let of_topic = assignment.topic_partitions.iter();
    let all =
        of_topic.flat_map(|topic| topic.partitions.iter().map(|one| (topic.topic_name.0.to_string(), *one)));
    all.collect()
}

async fn describe_classic(cluster: &mut Cluster, node: i32, group: &str) -> Result<Described, Trouble> {
    let answer = cluster
        .call(Target::Node(node), |_version| {
            DescribeGroupsRequest::default().with_groups(vec![GroupId(text(group))])
        })
        .await?;
    let missing = || Trouble::Refused {
        code: ErrorCode::GroupIdNotFound,
        message: format!("Group {group} not found."),
    };
    let found = answer.groups.into_iter().next().ok_or_else(missing)?;
    check(found.error_code, found.error_message.as_deref())?;
    if !matches!(found.protocol_type.as_ref(), "consumer" | "") {
        let protocol = &found.protocol_type;
        return Err(Trouble::Refused {
            code: ErrorCode::InvalidGroupId,
            message: format!("GroupId {group} is not a consumer group ({protocol})."),
        });
    }
    Ok(of_classic(cluster, node, found))
}

fn of_classic(cluster: &Cluster, node: i32, found: ClassicGroup) -> Described {
    let members = found.members.iter().map(|member| Member {
        id: member.member_id.to_string(),
        instance: member.group_instance_id.as_ref().map(ToString::to_string),
        client: member.client_id.to_string(),
        host: member.client_host.to_string(),
        partitions: assign::partitions_of(&member.member_assignment).unwrap_or_default(),
        target: None,
        upgraded: None,
    });
    Described {
        members: members.collect(),
        id: found.group_id.0.to_string(),
        state: found.group_state.to_string(),
        assignor: found.protocol_data.to_string(),
        epochs: None,
        coordinator: coordinator(cluster, node),
    }
}

fn coordinator(cluster: &Cluster, id: i32) -> Node {
    cluster.node(id).cloned().unwrap_or_else(|| Node { id, host: String::new(), port: 0, rack: None })
}

/// Deletes groups; the result of each.
///
/// # Errors
/// See [`Trouble`].
pub async fn delete(
    cluster: &mut Cluster,
    groups: &[String],
) -> Result<Vec<(String, Result<(), Trouble>)>, Trouble> {
    let mut results = Vec::new();
    for group in groups {
        let node = cluster.coordinator(CoordinatorOf::Group(group)).await?;
        let answer = cluster
            .call(Target::Node(node), |_version| {
                DeleteGroupsRequest::default().with_groups_names(vec![GroupId(text(group.as_str()))])
            })
            .await?;
        for result in answer.results {
            results.push((result.group_id.0.to_string(), check(result.error_code, None)));
        }
    }
    Ok(results)
}

fn is_elsewhere(code: ErrorCode) -> bool {
    matches!(
        code,
        ErrorCode::NotCoordinator | ErrorCode::CoordinatorNotAvailable | ErrorCode::CoordinatorLoadInProgress
    )
}
