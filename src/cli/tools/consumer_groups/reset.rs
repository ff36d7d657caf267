//! `kafka-consumer-groups --reset-offsets`: moves what a group without members has committed.

use client::{Cluster, CoordinatorOf, Target};
use model::ErrorCode;

use super::{Failure, chosen};
use crate::group_admin;
use crate::groups::{Committed, commit_offsets, committed_offsets};
use crate::jvm;
use crate::kafka::{self, EARLIEST, LATEST, TopicPartition, Trouble};
use crate::offset_plan::{self, Moved, Offsets};
use crate::options::Options;
use crate::terminal::{Stop, Terminal};
use crate::time;

/// Options that say where to.
pub const SCENARIOS: [&str; 8] = [
    "to-offset",
    "to-datetime",
    "by-duration",
    "to-earliest",
    "to-latest",
    "to-current",
    "shift-by",
    "from-file",
];

/// Plans, and with `--execute` commits.
pub async fn run(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut plan: Vec<(String, Offsets)> = Vec::new();
    for group in chosen(options, cluster).await? {
        let state = match group_admin::describe(cluster, &group).await {
            Ok(described) => described.state,
            Err(trouble) if trouble.code() == Some(ErrorCode::GroupIdNotFound) => "Dead".to_owned(),
            Err(trouble) => return Err(trouble.into()),
        };
        if !matches!(state.as_str(), "Empty" | "Dead") {
            terminal.line(format!(
                "\nError: Assignments can only be reset if the group '{group}' is inactive, but the current state is \
                 {state}."
            ));
            plan.push((group, Offsets::new()));
            continue;
        }
        let offsets = Plan { options, group: &group }.make(cluster, terminal).await.map_err(without_class)?;
        if options.has("execute") && !offsets.is_empty() {
            let at = Target::Node(cluster.coordinator(CoordinatorOf::Group(&group)).await?);
            let list: Vec<(TopicPartition, Committed)> = offsets
                .iter()
                .map(|(key, offset)| (key.clone(), Committed { offset: *offset, leader_epoch: None }))
                .collect();
            for (_, result) in commit_offsets(cluster, at, &group, None, &list).await? {
                result?;
            }
        }
        plan.push((group, offsets));
    }
    if options.has("export") {
        export(options, &plan, terminal);
    } else {
        show(&plan, terminal);
    }
    Ok(())
}

fn in_order(offsets: &Offsets) -> Vec<(&TopicPartition, &i64)> {
    jvm::hash_order(offsets.iter().collect(), |((topic, index), _)| jvm::topic_partition_hash(topic, *index))
}

fn export(options: &Options, plan: &[(String, Offsets)], terminal: &mut Terminal) {
    let one_group = options.all("group").len() == 1;
    for (group, offsets) in plan {
        for ((topic, partition), offset) in in_order(offsets) {
            let line = format!("{},{partition},{offset}", quoted(topic));
            terminal.line(if one_group { line } else { format!("{},{line}", quoted(group)) });
        }
    }
    terminal.line("");
}

/// As Jackson writes a CSV column.
fn quoted(text: &str) -> String {
    if text.contains([',', '"', '\n', '\r', ' ']) {
        format!("\"{}\"", text.replace('"', "\"\""))
    } else {
        text.to_owned()
    }
}

/// The table of what is planned.
pub(crate) fn show(plan: &[(String, Offsets)], terminal: &mut Terminal) {
    let rows: Vec<(&str, &str, i32, i64)> = plan
        .iter()
        .flat_map(|(group, offsets)| {
            let rows = in_order(offsets).into_iter();
            rows.map(move |((topic, partition), offset)| {
                (group.as_str(), topic.as_str(), *partition, *offset)
            })
        })
        .collect();
    let group = rows.iter().map(|(group, ..)| group.chars().count()).max().unwrap_or(0).max(15);
    let topic = rows.iter().map(|(_, topic, ..)| topic.chars().count()).max().unwrap_or(0).max(15);
    if !plan.is_empty() {
        let (first, second) = ("GROUP", "TOPIC");
        terminal.text(format!("\n{first:<group$} {second:<topic$} PARTITION  NEW-OFFSET"));
    }
    for (id, name, partition, offset) in rows {
        terminal.text(format!("\n{id:<group$} {name:<topic$} {partition:<10} {offset}"));
    }
    terminal.line("");
}

struct Plan<'a> {
    options: &'a Options,
    group: &'a str,
}

impl Plan<'_> {
    async fn make(&self, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<Offsets, Failure> {
        let options = self.options;
        let partitions = self.partitions(cluster).await?;
        check_partitions(cluster, &partitions).await?;
        if let Some(offset) = options.number::<i64>("to-offset")? {
            let wanted = partitions.into_iter().map(|partition| (partition, offset)).collect();
            return in_range(cluster, wanted, terminal).await;
        }
        if options.has("to-earliest") {
            return at_time(cluster, &partitions, EARLIEST, terminal).await;
        }
        if options.has("to-latest") {
            return at_time(cluster, &partitions, LATEST, terminal).await;
        }
        if let Some(by) = options.number::<i64>("shift-by")? {
            let committed = self.committed(cluster).await?;
            let mut wanted = Offsets::new();
            for partition in partitions {
                let Some(offset) = committed.get(&partition) else {
                    return Err(Failure::Refused(format!(
                        "Cannot shift offset for partition {}-{} since there is no current committed offset",
                        partition.0, partition.1
                    )));
                };
                wanted.insert(partition, offset.saturating_add(by));
            }
            return in_range(cluster, wanted, terminal).await;
        }
        if let Some(text) = options.one("to-datetime")? {
            let ms = time::parse_datetime(&text);
            let ms =
                ms.ok_or_else(|| told(format!("java.text.ParseException: Unparseable date: \"{text}\"")))?;
            return at_time(cluster, &partitions, ms, terminal).await;
        }
        if let Some(text) = options.one("by-duration")? {
            let ms = time::parse_duration(&text);
            let ms = ms.ok_or_else(|| told("Text cannot be parsed to a Duration".to_owned()))?;
            return at_time(cluster, &partitions, terminal.clock.wall_ms() - ms, terminal).await;
        }
        if let Some(path) = options.one("from-file")? {
            return self.read_file(cluster, &path, terminal).await;
        }
        if options.has("to-current") {
            let mut current = self.committed(cluster).await?;
            current.retain(|partition, _| partitions.contains(partition));
            let others: Vec<TopicPartition> =
                partitions.into_iter().filter(|partition| !current.contains_key(partition)).collect();
            current.extend(at_time(cluster, &others, LATEST, terminal).await?);
            return Ok(current);
        }
        let scenarios = SCENARIOS.map(|name| format!("[{name}]")).join(", ");
        Err(Failure::Refused(format!(
            "Option '[reset-offsets]' requires one of the following scenarios: [{scenarios}]"
        )))
    }

    async fn committed(&self, cluster: &mut Cluster) -> Result<Offsets, Failure> {
        let at = Target::Node(cluster.coordinator(CoordinatorOf::Group(self.group)).await?);
        let found = committed_offsets(cluster, at, self.group, None).await?;
        Ok(found.into_iter().map(|(partition, committed)| (partition, committed.offset)).collect())
    }

    async fn partitions(&self, cluster: &mut Cluster) -> Result<Vec<TopicPartition>, Failure> {
        let options = self.options;
        if options.has("all-topics") {
            return Ok(self.committed(cluster).await?.into_keys().collect());
        }
        if !options.has("topic") {
            if options.has("from-file") {
                return Ok(Vec::new());
            }
            return Err(Failure::Refused(
                "One of the reset scopes should be defined: --all-topics, --topic.".to_owned(),
            ));
        }
        let (mut partitions, topics) = listed_partitions(&options.all("topic"))?;
        for topic in kafka::describe(cluster, &topics).await? {
            let name = topic.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default();
            partitions.extend(topic.partitions.iter().map(|one| (name.clone(), one.partition_index)));
        }
        Ok(partitions)
    }

    async fn read_file(
        &self,
        cluster: &mut Cluster,
        path: &str,
        terminal: &mut Terminal,
    ) -> Result<Offsets, Failure> {
        let text = std::fs::read_to_string(path)
            .map_err(|error| told(format!("java.nio.file.NoSuchFileException: {path} ({error})")))?;
        let one_group = self.options.all("group").len() == 1;
        let mut wanted = Offsets::new();
        for line in text.lines().filter(|line| !line.trim().is_empty()) {
            let mut cells: Vec<&str> = line.split(',').map(|cell| cell.trim().trim_matches('"')).collect();
            let group = if cells.len() == 4 { cells.remove(0) } else { self.group };
            let numbers =
                (cells.get(1).and_then(|n| n.parse().ok()), cells.get(2).and_then(|n| n.parse().ok()));
            let (Some(topic), (Some(partition), Some(offset))) = (cells.first(), numbers) else {
                return Err(told(format!("{path}: \"{line}\" is not topic,partition,offset")));
            };
            if group == self.group || (one_group && cells.len() == 3 && group.is_empty()) {
                wanted.insert(((*topic).to_owned(), partition), offset);
            }
        }
        if wanted.is_empty() {
            terminal.line(format!("\nError: No reset plan for group {} found", self.group));
            return Ok(wanted);
        }
        in_range(cluster, wanted, terminal).await
    }
}

/// Partitions written as `topic:0,1`, and topics without any.
pub fn listed_partitions(arguments: &[String]) -> Result<(Vec<TopicPartition>, Vec<String>), Failure> {
    let (mut partitions, mut topics) = (Vec::new(), Vec::new());
    for argument in arguments {
        let Some((topic, indexes)) = argument.split_once(':') else {
            topics.push(argument.clone());
            continue;
        };
        if indexes.contains(':') || indexes.is_empty() {
            return Err(Failure::Refused(format!(
                "Invalid topic arg '{argument}', expected topic name and partitions"
            )));
        }
        for index in indexes.split(',') {
            let number = index.parse().map_err(|_not_a_number| {
                Failure::Refused(format!("Invalid partition '{index}' specified in topic arg '{argument}''"))
            })?;
            partitions.push((topic.to_owned(), number));
        }
    }
    Ok((partitions, topics))
}

/// The Java tool shows these errors without their class.
pub(crate) fn without_class(failure: Failure) -> Failure {
    match failure {
        Failure::Trouble(refused @ Trouble::Refused { .. }) => told(refused.to_string()),
        other => other,
    }
}

/// An error in the words of the tool, which exits well all the same.
fn told(message: String) -> Failure {
    Failure::Trouble(Trouble::Refused { code: ErrorCode::None, message })
}

/// Refuses partitions that are not there, or have no leader.
pub(crate) async fn check_partitions(
    cluster: &mut Cluster,
    partitions: &[TopicPartition],
) -> Result<(), Failure> {
    let mut topics: Vec<String> = partitions.iter().map(|(topic, _)| topic.clone()).collect();
    topics.sort();
    topics.dedup();
    if topics.is_empty() {
        return Ok(());
    }
    let leaders = kafka::leaders(cluster, &topics).await?;
    let named = |wrong: Vec<&TopicPartition>| {
        let names: Vec<String> = wrong.iter().map(|(topic, index)| format!("{topic}-{index}")).collect();
        names.join(",")
    };
    let unknown: Vec<&TopicPartition> = partitions.iter().filter(|one| !leaders.contains_key(one)).collect();
    if !unknown.is_empty() {
        return Err(told(format!("The partitions \"{}\" do not exist", named(unknown))));
    }
    let idle: Vec<&TopicPartition> =
        partitions.iter().filter(|one| leaders.get(one).is_some_and(|leader| *leader < 0)).collect();
    if !idle.is_empty() {
        return Err(told(format!("The partitions \"{}\" have no leader", named(idle))));
    }
    Ok(())
}

/// The offsets at a time; behind the last record where there is none that late.
async fn at_time(
    cluster: &mut Cluster,
    partitions: &[TopicPartition],
    time: i64,
    terminal: &mut Terminal,
) -> Result<Offsets, Failure> {
    let (found, none) = offset_plan::at_time(cluster, partitions, time).await?;
    for (topic, partition) in &none {
        terminal.line(format!(
            "\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset."
        ));
    }
    Ok(found)
}

/// Moves offsets that a log does not have to its nearer end.
async fn in_range(
    cluster: &mut Cluster,
    wanted: Offsets,
    terminal: &mut Terminal,
) -> Result<Offsets, Failure> {
    let (offsets, moved) = offset_plan::in_range(cluster, wanted).await?;
    for Moved { partition: (topic, partition), wanted, bound } in moved {
        let what = if wanted > bound { "higher than latest" } else { "lower than earliest" };
        let text = format!(
            "New offset ({wanted}) is {what} offset for topic partition {topic}-{partition}. Value will be set to {bound}"
        );
        terminal.log("WARN", &text, "org.apache.kafka.tools.OffsetsUtils");
    }
    Ok(offsets)
}

impl From<Failure> for Stop {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::Stop(stop) => stop,
            Failure::Refused(message) => Self::Error(message),
            Failure::Trouble(trouble) => Self::Error(trouble.to_string()),
        }
    }
}
