//! `kafka-transactions` (`org.apache.kafka.tools.TransactionsCommand`): producers and transactions, and how to end one
//! that hangs.

mod hanging;

use client::{Cluster, ClusterError, CoordinatorOf, Target};
use model::ErrorCode;
use wire::messages::describe_producers_request::{DescribeProducersRequest, TopicRequest};
use wire::messages::describe_producers_response::ProducerState;
use wire::messages::describe_transactions_response::TransactionState;
use wire::messages::list_transactions_response::TransactionState as ListedTransaction;
use wire::messages::write_txn_markers_request::{
    WritableTxnMarker, WritableTxnMarkerTopic, WriteTxnMarkersRequest,
};
use wire::messages::{
    DescribeTransactionsRequest, InitProducerIdRequest, ListTransactionsRequest, ProducerId, TransactionalId,
};

use crate::argparse::{Command, Parsed, Tool};
use crate::jvm;
use crate::kafka::{self, TopicPartition, Trouble, check, refused, text, topic_name};
use crate::options::{Opt, flag, value};
use crate::properties::Properties;
use crate::table::{row, tabbed};
use crate::terminal::{Stop, Terminal};

const TOPIC: Opt = value(&["topic"], "name", "The topic.");
const PARTITION: Opt = value(&["partition"], "n", "The partition.");

const TOOL: Tool = Tool {
    name: "kafka-transactions.sh",
    about: "This tool is used to analyze the transactional state of producers in the cluster.",
    options: &[
        flag(&["version", "v"], "Show the version."),
        value(&["command-config"], "file", "Properties of the client."),
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
    ],
    commands: &[
        Command {
            name: "list",
            about: "list transactions",
            options: &[
                value(&["duration-filter"], "ms", "Only transactions that run longer."),
                value(&["transactional-id-pattern"], "expression", "Only ids that match."),
            ],
            one_of: &[],
            needed: &[],
        },
        Command {
            name: "describe",
            about: "describe the state of an active transactional-id",
            options: &[value(&["transactional-id"], "id", "The transactional id.")],
            one_of: &[],
            needed: &["transactional-id"],
        },
        Command {
            name: "describe-producers",
            about: "describe the states of active producers for a topic partition",
            options: &[value(&["broker-id"], "id", "The replica that is asked."), TOPIC, PARTITION],
            one_of: &[],
            needed: &["topic", "partition"],
        },
        Command {
            name: "abort",
            about: "abort a hanging transaction (requires administrative privileges)",
            options: &[
                TOPIC,
                PARTITION,
                value(&["start-offset"], "offset", "Where the transaction begins."),
                value(&["producer-id"], "id", "Its producer, for brokers before 3.0."),
                value(&["producer-epoch"], "n", "Its epoch, for brokers before 3.0."),
                value(&["coordinator-epoch"], "n", "Its coordinator's epoch, for brokers before 3.0."),
            ],
            one_of: &[],
            needed: &["topic", "partition"],
        },
        Command {
            name: "find-hanging",
            about: "find hanging transactions",
            options: &[
                value(&["broker-id"], "id", "Only partitions of this broker."),
                value(
                    &["max-transaction-timeout"],
                    "minutes",
                    "Longest time that a transaction may take; 15.",
                ),
                value(&["topic"], "name", "Only this topic."),
                value(&["partition"], "n", "Only this partition of it."),
            ],
            one_of: &[],
            needed: &[],
        },
        Command {
            name: "forceTerminateTransaction",
            about: "Force abort an ongoing transaction on transactionalId (requires administrative privileges)",
            options: &[value(&["transactionalId"], "id", "The transactional id.")],
            one_of: &[],
            needed: &["transactionalId"],
        },
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    if arguments.first().is_some_and(|first| matches!(first.as_str(), "-v" | "--version")) {
        return Err(Stop::Version);
    }
    let parsed = TOOL.read(arguments)?;
    let Some(bootstrap) = parsed.global.all("bootstrap-server").pop() else {
        return Err(parsed.refuse_tool("argument --bootstrap-server is required"));
    };
    let file = parsed.global.all("command-config").pop();
    let properties = Properties::of_option(file.as_deref())?;
    let command = Action::of(&parsed)?;
    let mut cluster = kafka::connect(&bootstrap, &properties, "adminclient-1")?;
    kafka::block_on(async {
        let cluster = &mut cluster;
        match command {
            Action::List { duration_ms, pattern } => {
                list(cluster, duration_ms, pattern.as_deref(), terminal).await
            }
            Action::Describe(id) => describe(cluster, &id, terminal).await,
            Action::Producers { at, broker } => producers(cluster, &at, broker, terminal).await,
            Action::Abort { at, transaction } => abort(cluster, &at, transaction).await,
            Action::FindHanging(search) => hanging::find(cluster, &search, terminal).await,
            Action::Terminate(id) => terminate(cluster, &id).await,
        }
    })
}

/// What a command line asks for.
enum Action {
    List { duration_ms: Option<i64>, pattern: Option<String> },
    Describe(String),
    Producers { at: TopicPartition, broker: Option<i32> },
    Abort { at: TopicPartition, transaction: Aborted },
    FindHanging(hanging::Search),
    Terminate(String),
}

/// Which transaction is to be aborted.
#[derive(Clone, Copy, Debug)]
enum Aborted {
    BeginsAt(i64),
    Of(Producer),
}

#[derive(Clone, Copy, Debug)]
struct Producer {
    id: i64,
    epoch: i16,
    coordinator_epoch: i32,
}

impl Action {
    fn of(parsed: &Parsed) -> Result<Self, Stop> {
        let named = |name: &str| parsed.value(name).unwrap_or_default();
        let at = || -> Result<TopicPartition, Stop> {
            Ok((named("topic"), parsed.number::<i32>("partition")?.unwrap_or_default()))
        };
        Ok(match parsed.command.name {
            "list" => Self::List {
                duration_ms: parsed.number("duration-filter")?,
                pattern: parsed.value("transactional-id-pattern").filter(|pattern| !pattern.is_empty()),
            },
            "describe" => Self::Describe(named("transactional-id")),
            "describe-producers" => Self::Producers { at: at()?, broker: parsed.number("broker-id")? },
            "abort" => Self::Abort { at: at()?, transaction: Aborted::of(parsed)? },
            "find-hanging" => Self::FindHanging(hanging::Search::of(parsed)?),
            _ => Self::Terminate(named("transactionalId")),
        })
    }
}

impl Aborted {
    fn of(parsed: &Parsed) -> Result<Self, Stop> {
        let missing = |name: &str| Stop::Error(format!("Missing required argument --{name}"));
        if let Some(offset) = parsed.number::<i64>("start-offset")? {
            return Ok(Self::BeginsAt(offset));
        }
        let Some(id) = parsed.number::<i64>("producer-id")? else {
            return Err(Stop::Error(
                "The transaction to abort must be identified either with --start-offset (for brokers on 3.0 or above) \
                 or with --producer-id, --producer-epoch, and --coordinator-epoch (for older brokers)"
                    .to_owned(),
            ));
        };
        let epoch = parsed.number::<i16>("producer-epoch")?.ok_or_else(|| missing("producer-epoch"))?;
        let coordinator_epoch =
            parsed.number::<i32>("coordinator-epoch")?.ok_or_else(|| missing("coordinator-epoch"))?;
        Ok(Self::Of(Producer { id, epoch, coordinator_epoch: coordinator_epoch.max(0) }))
    }
}

/// The sentence that every failed call ends the tool with.
fn failure(what: &str, reason: &str) -> Stop {
    Stop::Error(format!("{what}: {reason}. Enable debug logging for additional detail."))
}

/// The transactions of every broker that coordinates some.
async fn listed(
    cluster: &mut Cluster,
    duration_ms: Option<i64>,
    pattern: Option<&str>,
    producers: &[i64],
) -> Result<Vec<(i32, ListedTransaction)>, Trouble> {
    cluster.metadata(Some(&[]), false).await?;
    let nodes: Vec<i32> = cluster.nodes().map(|node| node.id).collect();
    let mut found = Vec::new();
    for node in nodes {
        loop {
            let answer = cluster
                .call(Target::Node(node), |version| {
                    let producers = producers.iter().copied().map(ProducerId).collect();
                    let request = ListTransactionsRequest::default().with_producer_id_filters(producers);
                    let request = match duration_ms {
                        Some(ms) if version >= 1 => request.with_duration_filter(ms),
                        _ => request,
                    };
                    if version >= 2 {
                        request.with_transactional_id_pattern(pattern.map(text))
                    } else {
                        request
                    }
                })
                .await?;
            match ErrorCode::from_code(answer.error_code) {
                ErrorCode::None => {
                    found.extend(answer.transaction_states.into_iter().map(|one| (node, one)));
                    break;
                }
                ErrorCode::CoordinatorLoadInProgress => {
                    tokio::time::sleep(cluster.settings().retry_backoff).await;
                }
                ErrorCode::InvalidRegularExpression => {
                    return Err(refused(answer.error_code, None));
                }
                code => {
                    let message = format!(
                        "ListTransactions request sent to broker {node} failed with an unexpected exception"
                    );
                    return Err(Trouble::Refused { code, message });
                }
            }
        }
    }
    Ok(found)
}

async fn list(
    cluster: &mut Cluster,
    duration_ms: Option<i64>,
    pattern: Option<&str>,
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    let found = listed(cluster, duration_ms, pattern, &[]).await;
    let found = found.map_err(|trouble| failure("Failed to list transactions", &trouble.to_string()))?;
    let mut rows = vec![row(&["TransactionalId", "Coordinator", "ProducerId", "TransactionState"])];
    rows.extend(found.iter().map(|(node, one)| {
        let (node, id) = (node.to_string(), one.producer_id.0.to_string());
        row(&[&one.transactional_id.0, &node, &id, &one.transaction_state])
    }));
    terminal.text(tabbed(&rows));
    Ok(())
}

/// One transactional id's state and its coordinator, or why there is none.
async fn described(cluster: &mut Cluster, id: &str) -> Result<(i32, TransactionState), Trouble> {
    loop {
        let node = cluster.coordinator(CoordinatorOf::Transaction(id)).await?;
        let answer = cluster
            .call(Target::Node(node), |_version| {
                DescribeTransactionsRequest::default().with_transactional_ids(vec![TransactionalId(text(id))])
            })
            .await?;
        let Some(found) = answer.transaction_states.into_iter().next() else {
            return Err(refused(ErrorCode::TransactionalIdNotFound.code(), None));
        };
        let what = format!("DescribeTransactions request for transactionalId `{id}` failed");
        let code = ErrorCode::from_code(found.error_code);
        let reason = match code {
            ErrorCode::None => return Ok((node, found)),
            ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotAvailable => {
                tokio::time::sleep(cluster.settings().retry_backoff).await;
                continue;
            }
            ErrorCode::TransactionalIdNotFound => "because the ID could not be found",
            ErrorCode::TransactionalIdAuthorizationFailed => "due to authorization failure",
            _ => "due to unexpected error",
        };
        return Err(Trouble::Refused { code, message: format!("{what} {reason}") });
    }
}

async fn describe(cluster: &mut Cluster, id: &str, terminal: &mut Terminal) -> Result<(), Stop> {
    let found = described(cluster, id).await;
    let (node, found) = found.map_err(|trouble| {
        let what = format!("Failed to describe transaction state of transactional-id `{id}`");
        failure(&what, &trouble.to_string())
    })?;
    let begun = Some(found.transaction_start_time_ms).filter(|ms| *ms >= 0);
    let now = terminal.clock.wall_ms();
    let shown = |ms: Option<i64>| ms.map_or("None".to_owned(), |ms| ms.to_string());
    let heads = [
        "CoordinatorId",
        "TransactionalId",
        "ProducerId",
        "ProducerEpoch",
        "TransactionState",
        "TransactionTimeoutMs",
        "CurrentTransactionStartTimeMs",
        "TransactionDurationMs",
        "TopicPartitions",
    ];
    let cells = vec![
        node.to_string(),
        id.to_owned(),
        found.producer_id.0.to_string(),
        found.producer_epoch.to_string(),
        found.transaction_state.to_string(),
        found.transaction_timeout_ms.to_string(),
        shown(begun),
        shown(begun.map(|begun| now - begun)),
        partitions_text(&partitions_of(&found)),
    ];
    terminal.text(tabbed(&[row(&heads), cells]));
    Ok(())
}

fn partitions_of(found: &TransactionState) -> Vec<TopicPartition> {
    let of_topic = found.topics.iter();
    of_topic.flat_map(|topic| topic.partitions.iter().map(|one| (topic.topic.0.to_string(), *one))).collect()
}

/// In the order of the Java tool's set.
fn partitions_text(partitions: &[TopicPartition]) -> String {
    let ordered = jvm::hash_order(partitions.to_vec(), |(topic, partition)| {
        jvm::topic_partition_hash(topic, *partition)
    });
    let shown: Vec<String> =
        ordered.iter().map(|(topic, partition)| format!("{topic}-{partition}")).collect();
    shown.join(",")
}

/// The producers that one partition's leader, or a broker of one's choice, knows.
async fn producers_of(
    cluster: &mut Cluster,
    (topic, partition): &TopicPartition,
    broker: Option<i32>,
) -> Result<Vec<ProducerState>, Trouble> {
    let wanted = TopicRequest::default()
        .with_name(topic_name(topic.as_str()))
        .with_partition_indexes(vec![*partition]);
    for attempt in 0.. {
        let node = match broker {
            Some(broker) => broker,
            None => leader(cluster, topic, *partition).await?,
        };
        let answer = cluster
            .call(Target::Node(node), |_version| {
                DescribeProducersRequest::default().with_topics(vec![wanted.clone()])
            })
            .await?;
        let Some(found) = answer.topics.into_iter().flat_map(|topic| topic.partitions).next() else { break };
        let code = ErrorCode::from_code(found.error_code);
        if code.is_none() {
            return Ok(found.active_producers);
        }
        if broker.is_none() && kafka::is_stale_leader(code) && attempt < ATTEMPTS_MAX {
            tokio::time::sleep(cluster.settings().retry_backoff).await;
            continue;
        }
        let message = match (broker, code) {
            (Some(id), ErrorCode::NotLeaderOrFollower) => {
                format!(
                    "Failed to describe active producers for partition {topic}-{partition} on brokerId {id}"
                )
            }
            (_, ErrorCode::UnknownTopicOrPartition) => crate::errors::sentence(code).to_owned(),
            (_, ErrorCode::TopicAuthorizationFailed) => format!(
                "Failed to describe active producers for partition {topic}-{partition} due to authorization failure \
                 on topic `{topic}`"
            ),
            _ => format!(
                "Failed to describe active producers for partition {topic}-{partition} due to unexpected error"
            ),
        };
        return Err(Trouble::Refused { code, message });
    }
    Err(refused(ErrorCode::UnknownTopicOrPartition.code(), None))
}

async fn leader(cluster: &mut Cluster, topic: &str, partition: i32) -> Result<i32, Trouble> {
    let leaders = kafka::leaders(cluster, &[topic.to_owned()]).await?;
    match leaders.get(&(topic.to_owned(), partition)) {
        Some(leader) if *leader >= 0 => Ok(*leader),
        Some(_) => Err(refused(ErrorCode::LeaderNotAvailable.code(), None)),
        None => Err(refused(ErrorCode::UnknownTopicOrPartition.code(), None)),
    }
}

async fn producers(
    cluster: &mut Cluster,
    at: &TopicPartition,
    broker: Option<i32>,
    terminal: &mut Terminal,
) -> Result<(), Stop> {
    let found = producers_of(cluster, at, broker).await.map_err(|trouble| {
        let whom = broker.map_or("leader".to_owned(), |id| format!("broker {id}"));
        let what = format!("Failed to describe producers for partition {}-{} on {whom}", at.0, at.1);
        failure(&what, &trouble.to_string())
    })?;
    let mut rows = vec![row(&[
        "ProducerId",
        "ProducerEpoch",
        "LatestCoordinatorEpoch",
        "LastSequence",
        "LastTimestamp",
        "CurrentTransactionStartOffset",
    ])];
    rows.extend(found.iter().map(|one| {
        let start = Some(one.current_txn_start_offset).filter(|offset| *offset >= 0);
        vec![
            one.producer_id.0.to_string(),
            one.producer_epoch.to_string(),
            one.coordinator_epoch.max(-1).to_string(),
            one.last_sequence.to_string(),
            one.last_timestamp.to_string(),
            start.map_or("None".to_owned(), |offset| offset.to_string()),
        ]
    }));
    terminal.text(tabbed(&rows));
    Ok(())
}

async fn abort(cluster: &mut Cluster, at: &TopicPartition, transaction: Aborted) -> Result<(), Stop> {
    let (topic, partition) = at;
    let producer = match transaction {
        Aborted::Of(producer) => producer,
        Aborted::BeginsAt(offset) => {
            let found = producers_of(cluster, at, None).await.map_err(|trouble| {
                let what = format!("Failed to validate producer state for partition {topic}-{partition}");
                failure(&what, &trouble.to_string())
            })?;
            let one = found.iter().find(|one| offset >= 0 && one.current_txn_start_offset == offset);
            let one = one.ok_or_else(|| {
                Stop::Error(format!(
                    "Could not find any open transactions starting at offset {offset} on partition {topic}-{partition}"
                ))
            })?;
            Producer {
                id: one.producer_id.0,
                epoch: one.producer_epoch as i16,
                coordinator_epoch: one.coordinator_epoch.max(0),
            }
        }
    };
    let spec = format!(
        "AbortTransactionSpec(topicPartition={topic}-{partition}, producerId={}, producerEpoch={}, coordinatorEpoch={})",
        producer.id, producer.epoch, producer.coordinator_epoch
    );
    write_marker(cluster, at, producer, &spec)
        .await
        .map_err(|trouble| failure(&format!("Failed to abort transaction {spec}"), &trouble.to_string()))
}

async fn write_marker(
    cluster: &mut Cluster,
    (topic, partition): &TopicPartition,
    producer: Producer,
    spec: &str,
) -> Result<(), Trouble> {
    let wanted = WritableTxnMarkerTopic::default()
        .with_name(topic_name(topic.as_str()))
        .with_partition_indexes(vec![*partition]);
    let marker = WritableTxnMarker::default()
        .with_producer_id(ProducerId(producer.id))
        .with_producer_epoch(producer.epoch)
        .with_coordinator_epoch(producer.coordinator_epoch)
        .with_transaction_result(false)
        .with_topics(vec![wanted]);
    let node = leader(cluster, topic, *partition).await?;
    let answer = cluster
        .call(Target::Node(node), |_version| {
            WriteTxnMarkersRequest::default().with_markers(vec![marker.clone()])
        })
        .await?;
    let results = answer.markers.iter().flat_map(|marker| &marker.topics).flat_map(|topic| &topic.partitions);
    for result in results {
        let code = ErrorCode::from_code(result.error_code);
        let reason = match code {
            ErrorCode::None => continue,
            ErrorCode::ClusterAuthorizationFailed => "failed due to cluster authorization error".to_owned(),
            ErrorCode::InvalidProducerEpoch => "failed due an invalid producer epoch".to_owned(),
            ErrorCode::TransactionCoordinatorFenced => format!(
                "failed since the provided coordinator epoch {} has been fenced by the active coordinator",
                producer.coordinator_epoch
            ),
            _ => format!("failed due to unexpected error: {}", crate::errors::sentence(code)),
        };
        return Err(Trouble::Refused {
            code,
            message: format!("WriteTxnMarkers request with {spec} {reason}"),
        });
    }
    Ok(())
}

/// A new producer of the transactional id fences the old one, whose transaction is aborted.
async fn terminate(cluster: &mut Cluster, id: &str) -> Result<(), Stop> {
    fence(cluster, id).await.map_err(|trouble| {
        failure(&format!("Failed to force terminate transactionalId `{id}`"), &trouble.to_string())
    })
}

async fn fence(cluster: &mut Cluster, id: &str) -> Result<(), Trouble> {
    let timeout_ms = cluster.settings().request_timeout.as_millis() as i32;
    loop {
        let node = cluster.coordinator(CoordinatorOf::Transaction(id)).await?;
        let asked = cluster
            .call_capped(Target::Node(node), INIT_PRODUCER_ID_MAX, |_version| {
                InitProducerIdRequest::default()
                    .with_transactional_id(Some(TransactionalId(text(id))))
                    .with_transaction_timeout_ms(timeout_ms)
            })
            .await;
        let answer = asked.map_err(|error: ClusterError| Trouble::from(error))?;
        let what = format!("InitProducerId request for transactionalId `{id}` failed due to");
        let code = ErrorCode::from_code(answer.error_code);
        let reason = match code {
            ErrorCode::CoordinatorLoadInProgress
            | ErrorCode::ConcurrentTransactions
            | ErrorCode::NotCoordinator
            | ErrorCode::CoordinatorNotAvailable => {
                tokio::time::sleep(cluster.settings().retry_backoff).await;
                continue;
            }
            ErrorCode::ClusterAuthorizationFailed => "cluster authorization failure",
            ErrorCode::TransactionalIdAuthorizationFailed => "transactional ID authorization failure",
            _ => "unexpected error",
        };
        return check(answer.error_code, Some(&format!("{what} {reason}")));
    }
}

const ATTEMPTS_MAX: usize = 50;
const INIT_PRODUCER_ID_MAX: i16 = 5;
