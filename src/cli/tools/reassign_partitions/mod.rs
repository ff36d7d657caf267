//! `kafka-reassign-partitions` (`org.apache.kafka.tools.reassign.ReassignPartitionsCommand`): which brokers hold a
//! partition's replicas.

mod plan;

use std::collections::{BTreeMap, BTreeSet};

use client::{Cluster, Target};
use wire::messages::alter_partition_reassignments_request::{
    AlterPartitionReassignmentsRequest, ReassignablePartition, ReassignableTopic,
};
use wire::messages::list_partition_reassignments_request::{
    ListPartitionReassignmentsRequest, ListPartitionReassignmentsTopics,
};
use wire::messages::{BrokerId, DescribeLogDirsRequest, MetadataResponse};

use crate::config_admin::{self, BROKER, TOPIC};
use crate::kafka::{self, Bootstrap, TopicPartition, Trouble, check, topic_name};
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

use plan::{Assignment, Dirs, Plan};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to move topic partitions between replicas.",
    options: &[
        flag(&["verify"], "How far the reassignment of the file is."),
        flag(&["generate"], "Propose a reassignment of topics to brokers."),
        flag(&["execute"], "Begin the reassignment of the file."),
        flag(&["cancel"], "Cancel the reassignment of the file."),
        flag(&["list"], "Show what is under way."),
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(
            &["bootstrap-controller"],
            "host:port,...",
            "Controllers to begin with, for --cancel and --list.",
        ),
        value(&["command-config"], "file", "Properties of the client."),
        value(
            &["reassignment-json-file"],
            "file",
            "{\"partitions\": [{\"topic\": \"t\", \"partition\": 0, \"replicas\": [1]}], \"version\": 1}",
        ),
        value(&["topics-to-move-json-file"], "file", "{\"topics\": [{\"topic\": \"t\"}], \"version\": 1}"),
        value(&["broker-list"], "id,id,...", "The brokers to move topics to."),
        flag(&["disable-rack-aware"], "Do not look at racks."),
        value(&["throttle"], "bytes", "Not built."),
        value(&["replica-alter-log-dirs-throttle"], "bytes", "Not built."),
        value(&["timeout"], "ms", "For moves between directories, which are not built."),
        flag(&["additional"], "Also while others are under way."),
        flag(&["preserve-throttles"], "Leave throttles as they are."),
        flag(&["disallow-replication-factor-change"], "Refuse another number of replicas."),
        HELP,
        VERSION,
    ],
};

/// An action: what it needs, and what it may have.
type Action = (&'static str, &'static [&'static str], &'static [&'static str]);

const ACTIONS: [Action; 5] = [
    (
        "generate",
        &["topics-to-move-json-file", "broker-list"],
        &["bootstrap-server", "command-config", "disable-rack-aware"],
    ),
    (
        "execute",
        &["reassignment-json-file"],
        &[
            "additional",
            "bootstrap-server",
            "command-config",
            "throttle",
            "replica-alter-log-dirs-throttle",
            "timeout",
            "disallow-replication-factor-change",
        ],
    ),
    ("verify", &["reassignment-json-file"], &["bootstrap-server", "command-config", "preserve-throttles"]),
    (
        "cancel",
        &["reassignment-json-file"],
        &["bootstrap-server", "bootstrap-controller", "command-config", "preserve-throttles", "timeout"],
    ),
    ("list", &[], &["bootstrap-server", "bootstrap-controller", "command-config"]),
];

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    options.help_or_version()?;
    let action = check_options(&options)?;
    for option in ["throttle", "replica-alter-log-dirs-throttle"] {
        if options.has(option) {
            return Err(Stop::not_built(&format!("--{option}")));
        }
    }
    let properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let bootstrap = match options.one("bootstrap-controller")? {
        Some(controllers) => Bootstrap::Controllers(controllers),
        None => Bootstrap::Brokers(options.required("bootstrap-server")?),
    };
    let mut cluster = bootstrap.connect(&properties, "reassign-partitions-tool")?;
    let file = options.one("reassignment-json-file")?;
    let target = file.as_deref().map(|path| plan::read(path).and_then(|text| plan::parse(&text))).transpose();
    let target = target.map_err(Failure::of_words).map(Option::unwrap_or_default);
    let done = kafka::block_on(async {
        let cluster = &mut cluster;
        Ok(match (action, target) {
            (_, Err(failure)) => Err(failure),
            ("generate", _) => generate(&options, cluster, terminal).await,
            ("execute", Ok(target)) => execute(&options, cluster, &target, terminal).await,
            ("verify", Ok(target)) => verify(&options, cluster, &target, terminal).await,
            ("cancel", Ok(target)) => cancel(&options, cluster, &target, terminal).await,
            _ => list(cluster, terminal).await,
        })
    })?;
    done.map_err(|failure| match failure {
        Failure::Stop(stop) => stop,
        Failure::Terse(words) => {
            terminal.line(words);
            Stop::Status(1)
        }
        Failure::Said(words) => {
            terminal.line(format!("Error: {words}"));
            Stop::Status(1)
        }
    })
}

/// Why an action failed.
enum Failure {
    /// Said alone.
    Terse(String),
    /// Said behind `Error: `.
    Said(String),
    /// For what is not built.
    Stop(Stop),
}

impl Failure {
    fn of_words(words: plan::Refused) -> Self {
        Self::Said(words.0)
    }
}

impl<E: Into<Trouble>> From<E> for Failure {
    fn from(error: E) -> Self {
        let trouble: Trouble = error.into();
        Self::Said(format!("{}{trouble}", crate::errors::java_class(trouble.code())))
    }
}

fn check_options(options: &Options) -> Result<&'static str, Stop> {
    let chosen: Vec<&Action> = ACTIONS.iter().filter(|(name, ..)| options.has(name)).collect();
    let [(action, needed, permitted)] = chosen.as_slice() else {
        return Err(options.usage(
            "Command must include exactly one action: --generate, --execute, --verify, --cancel, --list",
        ));
    };
    match (options.has("bootstrap-server"), options.has("bootstrap-controller")) {
        (true, true) => {
            return Err(
                options.usage("Please don't specify both --bootstrap-server and --bootstrap-controller")
            );
        }
        (false, false) => {
            return Err(options.usage("Please specify either --bootstrap-server or --bootstrap-controller"));
        }
        _ => {}
    }
    options.need(needed)?;
    let known = SYNTAX.options.iter().filter_map(|option| option.names.first());
    let stray = known.copied().find(|name| {
        options.has(name) && name != action && !needed.contains(name) && !permitted.contains(name)
    });
    match stray {
        None => Ok(action),
        Some(stray) => {
            Err(options.usage(format!("Option \"[{stray}]\" can't be used with action \"[{action}]\"")))
        }
    }
}

/// A reassignment that is under way.
struct Moving {
    replicas: Vec<i32>,
    adding: Vec<i32>,
    removing: Vec<i32>,
}

async fn under_way(
    cluster: &mut Cluster,
    wanted: Option<&[TopicPartition]>,
) -> Result<BTreeMap<TopicPartition, Moving>, Trouble> {
    let timeout_ms = cluster.settings().request_timeout.as_millis() as i32;
    let topics = wanted.map(|partitions| {
        let topics = crate::groups::by_topic(partitions).into_iter();
        let topics = topics.map(|(name, indexes)| {
            ListPartitionReassignmentsTopics::default()
                .with_name(topic_name(name))
                .with_partition_indexes(indexes)
        });
        topics.collect::<Vec<_>>()
    });
    let answer = cluster
        .call(Target::Controller, |_version| {
            ListPartitionReassignmentsRequest::default()
                .with_timeout_ms(timeout_ms)
                .with_topics(topics.clone())
        })
        .await?;
    check(answer.error_code, answer.error_message.as_deref())?;
    let ids = |brokers: &[BrokerId]| brokers.iter().map(|broker| broker.0).collect();
    let mut found = BTreeMap::new();
    for topic in &answer.topics {
        for one in &topic.partitions {
            let moving = Moving {
                replicas: ids(&one.replicas),
                adding: ids(&one.adding_replicas),
                removing: ids(&one.removing_replicas),
            };
            found.insert((topic.name.0.to_string(), one.partition_index), moving);
        }
    }
    Ok(found)
}

async fn list(cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let found = under_way(cluster, None).await?;
    if found.is_empty() {
        terminal.line("No partition reassignments found.");
        return Ok(());
    }
    terminal.line("Current partition reassignments:");
    for ((topic, partition), moving) in found {
        let part = |name: &str, ids: &[i32]| {
            if ids.is_empty() { String::new() } else { format!(" {name}: {}.", joined(ids)) }
        };
        let (adding, removing) = (part("adding", &moving.adding), part("removing", &moving.removing));
        terminal
            .line(format!("{topic}-{partition}: replicas: {}.{adding}{removing}", joined(&moving.replicas)));
    }
    Ok(())
}

fn joined(ids: &[i32]) -> String {
    ids.iter().map(ToString::to_string).collect::<Vec<_>>().join(",")
}

fn named(partitions: impl Iterator<Item = impl std::borrow::Borrow<TopicPartition>>) -> String {
    let names = partitions.map(|one| {
        let (topic, partition) = one.borrow();
        format!("{topic}-{partition}")
    });
    names.collect::<Vec<_>>().join(",")
}

/// The replicas that these topics' partitions have; `None` for a topic that is not there.
async fn replicas(
    cluster: &mut Cluster,
    topics: &BTreeSet<String>,
) -> Result<(Assignment, Vec<String>), Trouble> {
    let topics: Vec<String> = topics.iter().cloned().collect();
    let response: MetadataResponse = cluster.metadata(Some(&topics), false).await?;
    let (mut found, mut missing) = (Assignment::new(), Vec::new());
    for topic in &response.topics {
        let name = topic.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default();
        if topic.error_code == UNKNOWN_TOPIC_OR_PARTITION {
            missing.push(name);
            continue;
        }
        check(topic.error_code, None)?;
        for one in &topic.partitions {
            let ids = one.replica_nodes.iter().map(|broker| broker.0).collect();
            found.insert((name.clone(), one.partition_index), ids);
        }
    }
    Ok((found, missing))
}

fn topics_of(target: &Assignment) -> BTreeSet<String> {
    target.keys().map(|(topic, _)| topic.clone()).collect()
}

async fn verify(
    options: &Options,
    cluster: &mut Cluster,
    target: &Plan,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let Plan { replicas: target, dirs: wanted_dirs } = target;
    let moving = under_way(cluster, None).await?;
    let (current, _missing) = replicas(cluster, &topics_of(target)).await?;
    terminal.line("Status of partition reassignment:");
    for (key, wanted) in target {
        let shown = format!("{}-{}", key.0, key.1);
        let held = current.get(key).cloned().unwrap_or_default();
        terminal.line(if moving.contains_key(key) {
            format!("Reassignment of partition {shown} is still in progress.")
        } else if held == *wanted {
            format!("Reassignment of partition {shown} is completed.")
        } else {
            format!(
                "There is no active reassignment of partition {shown}, but replica set is {} rather than {}.",
                joined(&held),
                joined(wanted)
            )
        });
    }
    let held = dirs(cluster, wanted_dirs.keys().map(|(_, broker)| *broker).collect()).await?;
    refuse_moves(wanted_dirs, &held)?;
    let moved = wanted_dirs.keys().map(|((topic, partition), broker)| {
        format!("Reassignment of replica {topic}-{partition}-{broker} completed successfully.")
    });
    terminal.line(moved.collect::<Vec<_>>().join("\n"));
    if moving.is_empty() && !options.has("preserve-throttles") {
        clear_throttles(cluster, target, terminal).await?;
    }
    Ok(())
}

/// Where replicas are now, on these brokers.
async fn dirs(cluster: &mut Cluster, brokers: BTreeSet<i32>) -> Result<Dirs, Trouble> {
    let mut found = Dirs::new();
    for broker in brokers {
        let answer = cluster
            .call(Target::Node(broker), |_version| DescribeLogDirsRequest::default().with_topics(None))
            .await?;
        for dir in answer.results.iter().filter(|dir| dir.error_code == 0) {
            for topic in &dir.topics {
                for one in topic.partitions.iter().filter(|one| !one.is_future_key) {
                    let key = (topic.name.0.to_string(), one.partition_index);
                    found.insert((key, broker), dir.log_dir.to_string());
                }
            }
        }
    }
    Ok(found)
}

/// A replica can be left in its directory; moving it to another is not built.
fn refuse_moves(wanted: &Dirs, held: &Dirs) -> Result<(), Failure> {
    let other = wanted.iter().find(|(replica, dir)| held.get(replica) != Some(dir));
    match other {
        Some((_, dir)) => Err(Failure::Stop(Stop::not_built(&format!("a move to the log directory {dir}")))),
        None => Ok(()),
    }
}

async fn clear_throttles(
    cluster: &mut Cluster,
    target: &Assignment,
    terminal: &mut Terminal,
) -> Result<(), Trouble> {
    cluster.refresh().await?;
    let mut brokers: BTreeSet<i32> = cluster.nodes().map(|node| node.id).collect();
    brokers.extend(target.values().flatten());
    let brokers: Vec<i32> = brokers.into_iter().collect();
    let plural = |count: usize| if count == 1 { "" } else { "s" };
    terminal.line(format!(
        "Clearing broker-level throttles on broker{} {}",
        plural(brokers.len()),
        joined(&brokers)
    ));
    let none = BTreeMap::new();
    for broker in &brokers {
        config_admin::alter(
            cluster,
            BROKER,
            &broker.to_string(),
            &none,
            &BROKER_THROTTLES.map(str::to_owned),
        )
        .await?;
    }
    let topics: Vec<String> = topics_of(target).into_iter().collect();
    terminal.line(format!(
        "Clearing topic-level throttles on topic{} {}",
        plural(topics.len()),
        topics.join(",")
    ));
    for topic in &topics {
        config_admin::alter(cluster, TOPIC, topic, &none, &TOPIC_THROTTLES.map(str::to_owned)).await?;
    }
    Ok(())
}

async fn execute(
    options: &Options,
    cluster: &mut Cluster,
    target: &Plan,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let Plan { replicas: target, dirs: wanted_dirs } = target;
    plan::check(target).map_err(Failure::Said)?;
    if !options.has("additional") && !under_way(cluster, None).await?.is_empty() {
        return Err(Failure::Terse(
            "Cannot execute because there is an existing partition assignment.  Use --additional to override this and \
             create a new partition assignment in addition to the existing one. The --additional flag can also be used to \
             change the throttle by resubmitting the current reassignment."
                .to_owned(),
        ));
    }
    cluster.metadata(Some(&[]), false).await?;
    if let Some(unknown) = target.values().flatten().find(|id| cluster.node(**id).is_none()) {
        return Err(Failure::Said(format!("Unknown broker id {unknown}")));
    }
    let (current, missing) = replicas(cluster, &topics_of(target)).await?;
    const CLASS: &str = "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: ";
    if let Some(topic) = missing.first() {
        return Err(Failure::Said(format!("{CLASS}Topic {topic} not found.")));
    }
    let absent: Vec<String> = target
        .keys()
        .filter(|key| !current.contains_key(*key))
        .map(|(topic, partition)| format!("{topic}-{partition}"))
        .collect();
    if !absent.is_empty() {
        return Err(Failure::Said(format!("{CLASS}Unable to find partition: {}", absent.join(", "))));
    }
    let holders = current.values().flatten().copied().collect();
    let held = dirs(cluster, holders).await?;
    refuse_moves(wanted_dirs, &held)?;
    let before: Assignment = current.into_iter().filter(|(key, _)| target.contains_key(key)).collect();
    terminal.line(format!(
        "Current partition replica assignment\n\n{}\n\nSave this to use as the --reassignment-json-file option during \
         rollback",
        plan::shown(&before, &held)
    ));
    let wanted = target.iter().map(|(key, ids)| (key.clone(), Some(ids.clone()))).collect();
    let same_count = options.has("disallow-replication-factor-change");
    let failed = alter(cluster, &wanted, !same_count).await?;
    if !failed.is_empty() {
        return Err(Failure::Terse(format!("Error reassigning partition(s):\n{}", failed.join("\n"))));
    }
    let plural = if target.len() == 1 { "" } else { "s" };
    terminal
        .line(format!("Successfully started partition reassignment{plural} for {}", named(target.keys())));
    Ok(())
}

/// Asks for new replicas, or with `None` for the old ones; a line for each partition that was refused.
async fn alter(
    cluster: &mut Cluster,
    wanted: &BTreeMap<TopicPartition, Option<Vec<i32>>>,
    may_change_count: bool,
) -> Result<Vec<String>, Trouble> {
    let mut topics: BTreeMap<&str, Vec<ReassignablePartition>> = BTreeMap::new();
    for ((topic, partition), ids) in wanted {
        let ids = ids.as_ref().map(|ids| ids.iter().copied().map(BrokerId).collect());
        let one = ReassignablePartition::default().with_partition_index(*partition).with_replicas(ids);
        topics.entry(topic).or_default().push(one);
    }
    let topics: Vec<ReassignableTopic> = topics
        .into_iter()
        .map(|(name, partitions)| {
            ReassignableTopic::default().with_name(topic_name(name)).with_partitions(partitions)
        })
        .collect();
    let timeout_ms = cluster.settings().request_timeout.as_millis() as i32;
    let answer = cluster
        .call(Target::Controller, |version| {
            let request = AlterPartitionReassignmentsRequest::default()
                .with_timeout_ms(timeout_ms)
                .with_topics(topics.clone());
            if version >= 1 {
                request.with_allow_replication_factor_change(may_change_count)
            } else {
                request
            }
        })
        .await?;
    check(answer.error_code, answer.error_message.as_deref())?;
    let mut failed = Vec::new();
    for topic in &answer.responses {
        for one in &topic.partitions {
            if let Err(trouble) = check(one.error_code, one.error_message.as_deref()) {
                failed.push(format!("{}-{}: {trouble}", &*topic.name.0, one.partition_index));
            }
        }
    }
    failed.sort();
    Ok(failed)
}

async fn cancel(
    options: &Options,
    cluster: &mut Cluster,
    target: &Plan,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let target = &target.replicas;
    let keys: Vec<TopicPartition> = target.keys().cloned().collect();
    let mut active = under_way(cluster, Some(&keys)).await?;
    active.retain(|_, moving| !moving.adding.is_empty() || !moving.removing.is_empty());
    if active.is_empty() {
        terminal.line("None of the specified partition reassignments are active.");
    } else {
        let plural = if active.len() == 1 { "" } else { "s" };
        let failed = alter(cluster, &active.keys().map(|key| (key.clone(), None)).collect(), true).await?;
        if !failed.is_empty() {
            let plural = if failed.len() == 1 { "" } else { "s" };
            let failed = failed.join("\n");
            return Err(Failure::Terse(format!(
                "Error cancelling partition reassignment{plural} for:\n{failed}"
            )));
        }
        let names = named(active.keys());
        terminal.line(format!("Successfully cancelled partition reassignment{plural} for: {names}"));
    }
    terminal.text("None of the specified partition moves are active.");
    if !options.has("preserve-throttles") {
        clear_throttles(cluster, target, terminal).await?;
    }
    Ok(())
}

async fn generate(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let brokers =
        plan::brokers(&options.all("broker-list").pop().unwrap_or_default()).map_err(Failure::Said)?;
    let path = options.all("topics-to-move-json-file").pop().unwrap_or_default();
    let text = plan::read(&path).map_err(Failure::of_words)?;
    let topics = plan::topics(&text).map_err(Failure::Said)?;
    let (current, missing) = replicas(cluster, &topics).await?;
    if let Some(topic) = missing.first() {
        const CLASS: &str = "org.apache.kafka.common.errors.UnknownTopicOrPartitionException: ";
        return Err(Failure::Said(format!("{CLASS}Topic {topic} not found.")));
    }
    let usable: Vec<i32> =
        cluster.nodes().filter(|node| brokers.contains(&node.id)).map(|node| node.id).collect();
    let has_racks = cluster.nodes().any(|node| brokers.contains(&node.id) && node.rack.is_some());
    if has_racks && usable.len() > 1 && !options.has("disable-rack-aware") {
        return Err(Failure::Stop(Stop::not_built("--generate with racks")));
    }
    let start = terminal.clock.wall_ms().unsigned_abs() as usize;
    let proposed = plan::spread(&current, &usable, start).map_err(Failure::Said)?;
    let held = dirs(cluster, current.values().flatten().copied().collect()).await?;
    terminal.line(format!("Current partition replica assignment\n{}\n", plan::shown(&current, &held)));
    let proposed = plan::shown(&proposed, &Dirs::new());
    terminal.line(format!("Proposed partition reassignment configuration\n{proposed}"));
    Ok(())
}

const UNKNOWN_TOPIC_OR_PARTITION: i16 = 3;
const BROKER_THROTTLES: [&str; 3] = [
    "leader.replication.throttled.rate",
    "follower.replication.throttled.rate",
    "replica.alter.log.dirs.io.max.bytes.per.second",
];
const TOPIC_THROTTLES: [&str; 2] =
    ["leader.replication.throttled.replicas", "follower.replication.throttled.replicas"];
