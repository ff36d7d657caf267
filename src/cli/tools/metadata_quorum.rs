//! `kafka-metadata-quorum` (`org.apache.kafka.tools.MetadataQuorumCommand`): who keeps the metadata, and how far.

use client::{Cluster, Target};
use wire::messages::describe_quorum_request::{DescribeQuorumRequest, PartitionData, TopicData};
use wire::messages::describe_quorum_response::{
    DescribeQuorumResponse, PartitionData as Quorum, ReplicaState,
};

use crate::argparse::{Command, Parsed, Tool};
use crate::kafka::{self, Bootstrap, Trouble, check, topic_name};
use crate::options::{CLUSTER, flag, value};
use crate::properties::Properties;
use crate::table;
use crate::terminal::{Stop, Terminal};

const TOOL: Tool = Tool {
    name: "kafka-metadata-quorum",
    about: "This tool describes kraft metadata quorum status.",
    options: CLUSTER,
    commands: &[
        Command {
            name: "describe",
            about: "Describe the metadata quorum info",
            options: &[
                flag(&["status"], "Leader, epoch and voters."),
                flag(&["replication"], "Each replica's place."),
                flag(&["human-readable"], "Times as ages."),
            ],
            one_of: &[],
            needed: &[],
        },
        Command {
            name: "add-controller",
            about: "Add a controller to the KRaft controller cluster",
            options: &[flag(&["dry-run"], "Only show.")],
            one_of: &[],
            needed: &[],
        },
        Command {
            name: "remove-controller",
            about: "Remove a controller from the KRaft controller cluster",
            options: &[
                value(&["controller-id", "i"], "id", "The controller."),
                value(&["controller-directory-id", "d"], "id", "Its directory."),
                flag(&["dry-run"], "Only show."),
            ],
            one_of: &[],
            needed: &[],
        },
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let parsed = TOOL.read(arguments)?;
    if parsed.command.name != "describe" {
        return Err(Stop::not_built(&format!("kafka-metadata-quorum {}", parsed.command.name)));
    }
    let global = &parsed.global;
    let Some(bootstrap) = Bootstrap::of(global.one("bootstrap-server")?, global.one("bootstrap-controller")?)
    else {
        return Err(
            parsed.refuse_tool("one of the arguments --bootstrap-server --bootstrap-controller is required")
        );
    };
    check_mode(&parsed)?;
    let properties = Properties::of_option(parsed.global.one("command-config")?.as_deref())?;
    let mut cluster = bootstrap.connect(&properties, "adminclient-1")?;
    kafka::block_on(async {
        let answer = describe(&mut cluster).await?;
        let quorum = answer.topics.first().and_then(|topic| topic.partitions.first());
        let quorum = quorum.ok_or_else(|| Stop::Error("the broker knows no metadata quorum".to_owned()))?;
        if parsed.options.has("replication") {
            let now = parsed.options.has("human-readable").then(|| terminal.clock.wall_ms());
            terminal.text(replication(quorum, now));
        } else {
            let id = cluster.cluster_id().unwrap_or_default().to_owned();
            terminal.text(status(&id, &answer, quorum));
        }
        Ok(())
    })
}

fn check_mode(parsed: &Parsed) -> Result<(), Stop> {
    let has = |name: &str| parsed.options.has(name);
    let words = match (has("status"), has("replication"), has("human-readable")) {
        (true, true, _) => {
            "Only one of --status or --replication should be specified with describe sub-command"
        }
        (true, false, true) => "The option --human-readable is only supported along with --replication",
        (false, false, _) => "One of --status or --replication must be specified with describe sub-command",
        _ => return Ok(()),
    };
    Err(Stop::Error(words.to_owned()))
}

async fn describe(cluster: &mut Cluster) -> Result<DescribeQuorumResponse, Trouble> {
    cluster.refresh().await?;
    let topic = TopicData::default()
        .with_topic_name(topic_name("__cluster_metadata"))
        .with_partitions(vec![PartitionData::default().with_partition_index(0)]);
    let answer = cluster
        .call(Target::Any, |_version| DescribeQuorumRequest::default().with_topics(vec![topic.clone()]))
        .await?;
    check(answer.error_code, answer.error_message.as_deref())?;
    for partition in answer.topics.iter().flat_map(|topic| &topic.partitions) {
        check(partition.error_code, partition.error_message.as_deref())?;
    }
    Ok(answer)
}

fn leader(quorum: &Quorum) -> Option<&ReplicaState> {
    quorum.current_voters.iter().find(|voter| voter.replica_id == quorum.leader_id)
}

fn status(cluster_id: &str, answer: &DescribeQuorumResponse, quorum: &Quorum) -> String {
    let end = leader(quorum).map_or(0, |leader| leader.log_end_offset);
    let last = quorum.current_voters.iter().min_by_key(|voter| voter.log_end_offset);
    let lag = last.map_or(0, |last| end - last.log_end_offset);
    let lag_ms = match (leader(quorum), last) {
        (Some(leader), Some(last)) if leader.replica_id == last.replica_id => 0,
        (Some(leader), Some(last))
            if leader.last_caught_up_timestamp >= 0 && last.last_caught_up_timestamp >= 0 =>
        {
            leader.last_caught_up_timestamp - last.last_caught_up_timestamp
        }
        _ => -1,
    };
    let replicas = |replicas: &[ReplicaState]| {
        let shown: Vec<String> = replicas.iter().map(|replica| shown(answer, replica)).collect();
        format!("[{}]", shown.join(", "))
    };
    let rows = [
        ("ClusterId:", cluster_id.to_owned()),
        ("LeaderId:", quorum.leader_id.0.to_string()),
        ("LeaderEpoch:", quorum.leader_epoch.to_string()),
        ("HighWatermark:", quorum.high_watermark.to_string()),
        ("MaxFollowerLag:", lag.to_string()),
        ("MaxFollowerLagTimeMs:", lag_ms.to_string()),
        ("CurrentVoters:", replicas(&quorum.current_voters)),
        ("CurrentObservers:", replicas(&quorum.observers)),
    ];
    let lines: Vec<String> = rows.iter().map(|(name, value)| format!("{name:<24}{value}")).collect();
    lines.join("\n") + "\n"
}

fn shown(answer: &DescribeQuorumResponse, replica: &ReplicaState) -> String {
    let mut text = format!("{{\"id\": {}", replica.replica_id.0);
    if !replica.replica_directory_id.is_nil() {
        let id = model::ids::uuid_to_base64(replica.replica_directory_id);
        text.push_str(&format!(", \"directoryId\": \"{id}\""));
    }
    let node = answer.nodes.iter().find(|node| node.node_id == replica.replica_id);
    let endpoints = node.into_iter().flat_map(|node| &node.listeners);
    let endpoints: Vec<String> =
        endpoints.map(|one| format!("\"{}://{}:{}\"", one.name, one.host, one.port)).collect();
    if !endpoints.is_empty() {
        text.push_str(&format!(", \"endpoints\": [{}]", endpoints.join(", ")));
    }
    text.push('}');
    text
}

/// The table of replicas; with a `now`, times are ages.
fn replication(quorum: &Quorum, now: Option<i64>) -> String {
    let end = leader(quorum).map_or(0, |leader| leader.log_end_offset);
    let moment = |ms: i64| match now {
        _ if ms < 0 => "-1".to_owned(),
        Some(now) => format!("{} ms ago", now - ms),
        None => ms.to_string(),
    };
    let row = |replica: &ReplicaState, status: &str| {
        vec![
            replica.replica_id.0.to_string(),
            model::ids::uuid_to_base64(replica.replica_directory_id),
            replica.log_end_offset.to_string(),
            (end - replica.log_end_offset).to_string(),
            moment(replica.last_fetch_timestamp),
            moment(replica.last_caught_up_timestamp),
            status.to_owned(),
        ]
    };
    let heads = [
        "NodeId",
        "DirectoryId",
        "LogEndOffset",
        "Lag",
        "LastFetchTimestamp",
        "LastCaughtUpTimestamp",
        "Status",
    ];
    let mut rows = vec![heads.map(str::to_owned).to_vec()];
    rows.extend(leader(quorum).map(|leader| row(leader, "Leader")));
    let followers = quorum.current_voters.iter().filter(|voter| voter.replica_id != quorum.leader_id);
    rows.extend(followers.map(|voter| row(voter, "Follower")));
    rows.extend(quorum.observers.iter().map(|observer| row(observer, "Observer")));
    table::tabbed(&rows)
}
