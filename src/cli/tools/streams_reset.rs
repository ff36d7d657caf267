//! `kafka-streams-application-reset` (`org.apache.kafka.tools.StreamsResetter`): lets a Kafka Streams application begin
//! again: moves what its group has committed of input topics, and deletes the topics that it has made for itself.

use std::collections::BTreeMap;

use client::{Cluster, CoordinatorOf, Target};
use model::ErrorCode;
use regex::Regex;
use wire::messages::GroupId;
use wire::messages::leave_group_request::{LeaveGroupRequest, MemberIdentity};

use crate::group_admin::{self, Described};
use crate::groups::{Committed, commit_offsets, committed_offsets};
use crate::kafka::{self, EARLIEST, LATEST, TopicPartition, Trouble, check, text};
use crate::offset_plan::{self, Offsets};
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};
use crate::{errors, jvm, time, topic_admin};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to quickly reset an application in order to reprocess its data from scratch: it moves what \
            the application has committed of its input topics and deletes its internal topics. Stop every instance \
            first, and clean up their local state. Try it with --dry-run.",
    options: &[
        value(&["application-id"], "id", "The application, which is also its group. Required."),
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with; localhost:9092."),
        value(
            &["input-topics"],
            "list",
            "Topics whose offsets are moved: to the first record, or where an option says.",
        ),
        value(&["intermediate-topics"], "list", "Deprecated: topics of which everything is skipped."),
        value(&["internal-topics"], "list", "Internal topics to delete; all that belong to the application."),
        value(&["to-offset"], "n", "To this offset."),
        value(&["to-datetime"], "YYYY-MM-DDThh:mm:ss.sss", "To the first record at or after it."),
        value(&["by-duration"], "PnDTnHnMnS", "To the first record of the time since then."),
        flag(&["to-earliest"], "To the first record."),
        flag(&["to-latest"], "Behind the last record."),
        value(&["from-file"], "file", "To what a CSV file says."),
        value(&["shift-by"], "n", "So many records on, or back where it is negative."),
        value(&["config-file"], "file", "Deprecated: --command-config."),
        value(&["command-config"], "file", "Properties of the client."),
        flag(&["force"], "Remove members of the group."),
        flag(&["dry-run"], "Show only what would be done."),
        HELP,
        VERSION,
    ],
};

const SCENARIOS: [&str; 7] =
    ["to-offset", "to-datetime", "by-duration", "to-earliest", "to-latest", "from-file", "shift-by"];

/// Runs the tool.
pub(crate) fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    let is_asked = options.has("help") || options.has("version");
    if !is_asked && !options.has("application-id") {
        return Err(options.usage("Missing required option(s) [application-id]"));
    }
    options.help_or_version()?;
    for used in SCENARIOS {
        let others: Vec<&str> = SCENARIOS.into_iter().filter(|other| *other != used).collect();
        options.forbid_with(used, &others)?;
    }
    options.forbid_with("config-file", &["command-config"])?;
    if options.has("config-file") {
        terminal.line(
            "Option --config-file has been deprecated and will be removed in a future version. Use --command-config \
             instead.",
        );
    }
    let mut application = Application::of(&options)?;
    let result = kafka::block_on(async { Ok(application.reset(&options, terminal).await) })?;
    match result {
        Ok(0) => Ok(()),
        Ok(status) => Err(Stop::Status(status)),
        Err(Failure(words)) => Err(Stop::Error(format!("ERROR: {words}"))),
    }
}

/// Why it ended early: Java's exception.
struct Failure(String);

impl<E: Into<Trouble>> From<E> for Failure {
    fn from(error: E) -> Self {
        let trouble: Trouble = error.into();
        let class = errors::java_class(trouble.code());
        Self(format!("java.util.concurrent.ExecutionException: {class}{trouble}"))
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        match stop {
            Stop::Usage { message, .. } | Stop::Error(message) | Stop::Told { message, .. } => Self(message),
            Stop::Help(_) | Stop::Version | Stop::Status(_) => Self(String::new()),
        }
    }
}

/// What is reset.
struct Application {
    id: String,
    cluster: Cluster,
    input: Vec<String>,
    intermediate: Vec<String>,
    internal: Vec<String>,
    is_dry: bool,
}

impl Application {
    fn of(options: &Options) -> Result<Self, Stop> {
        let file = match options.one("command-config")? {
            Some(file) => Some(file),
            None => options.one("config-file")?,
        };
        let properties = Properties::of_option(file.as_deref())?;
        let bootstrap = options.one("bootstrap-server")?.unwrap_or_else(|| "localhost:9092".to_owned());
        let listed = |name: &str| -> Vec<String> {
            options.all(name).iter().flat_map(|list| list.split(',')).map(str::to_owned).collect()
        };
        Ok(Self {
            id: options.required("application-id")?,
            cluster: kafka::connect(&bootstrap, &properties, "adminclient-1")?,
            input: listed("input-topics"),
            intermediate: listed("intermediate-topics"),
            internal: listed("internal-topics"),
            is_dry: options.has("dry-run"),
        })
    }

    async fn reset(&mut self, options: &Options, terminal: &mut Terminal) -> Result<u8, Failure> {
        self.end_members(options.has("force"), terminal).await?;
        let topics = kafka::topic_names(&mut self.cluster).await?;
        let all: Vec<String> =
            topics.into_iter().filter(|(_, internal)| !internal).map(|(name, _)| name).collect();
        let all = jvm::hash_order(all, |name| jvm::hash_code(name));
        if self.is_dry {
            terminal.line(
                "----Dry run displays the actions which will be performed when running Streams Reset Tool----",
            );
        }
        let status = self.move_offsets(options, &all, terminal).await?;
        self.delete_internal(&all, terminal).await?;
        Ok(status)
    }

    /// Nobody may commit meanwhile.
    async fn end_members(&mut self, by_force: bool, terminal: &mut Terminal) -> Result<(), Failure> {
        let group = match group_admin::describe(&mut self.cluster, &self.id).await {
            Ok(group) if !group.members.is_empty() => group,
            Ok(_) => return Ok(()),
            Err(trouble) if trouble.code() == Some(ErrorCode::GroupIdNotFound) => return Ok(()),
            Err(trouble) => return Err(trouble.into()),
        };
        if !by_force {
            return Err(Failure(format!(
                "java.lang.IllegalStateException: Consumer group '{}' is still active and has following members: [{}]. \
                 Make sure to stop all running application instances before running the reset tool. You can use \
                 option '--force' to remove active members from the group.",
                self.id,
                shown_members(&group)
            )));
        }
        terminal.line(format!("Force deleting all active members in the group: {}", self.id));
        let members = group.members.iter().map(|member| {
            let identity = MemberIdentity::default().with_member_id(text(member.id.as_str()));
            identity.with_group_instance_id(member.instance.clone().map(text))
        });
        let members: Vec<MemberIdentity> = members.collect();
        let at = Target::Node(self.cluster.coordinator(CoordinatorOf::Group(&self.id)).await?);
        let id = GroupId(text(self.id.as_str()));
        let answer = self
            .cluster
            .call(at, |_version| {
                LeaveGroupRequest::default().with_group_id(id.clone()).with_members(members.clone())
            })
            .await?;
        check(answer.error_code, None)?;
        for member in &answer.members {
            match check(member.error_code, None) {
                // It has left by itself.
                Err(trouble) if trouble.code() == Some(ErrorCode::UnknownMemberId) => {}
                other => other?,
            }
        }
        Ok(())
    }

    /// Moves what is committed; 1 where a topic is not there.
    async fn move_offsets(
        &mut self,
        options: &Options,
        all: &[String],
        terminal: &mut Terminal,
    ) -> Result<u8, Failure> {
        const OLD: &str =
            "WARN: `--intermediate-topics` is deprecated and will be removed in a future release";
        if options.has("intermediate-topics") {
            terminal.line(OLD);
        }
        if self.input.is_empty() && self.intermediate.is_empty() {
            terminal.line("No input or intermediate topics specified. Skipping seek.");
            return Ok(0);
        }
        if !self.input.is_empty() {
            terminal.line(format!("Reset-offsets for input topics [{}]", self.input.join(", ")));
        }
        if !self.intermediate.is_empty() {
            let named = self.intermediate.join(", ");
            terminal.line(format!("Seek-to-end for intermediate topics [{named}]"));
        }
        let mut status = 0;
        for (topics, what, mark) in [(&self.input, "input", " "), (&self.intermediate, "intermediate", "")] {
            let missing: Vec<&String> = topics.iter().filter(|topic| !all.contains(topic)).collect();
            if !missing.is_empty() {
                terminal.line(format!("Following {what} topics are not found, skipping them"));
                for topic in missing {
                    terminal.line(format!("Topic:{mark}{topic}"));
                }
                status = 1;
            }
        }
        let input = self.partitions(&self.input.clone(), all).await?;
        let intermediate: Vec<String> =
            self.intermediate.iter().filter(|topic| !self.input.contains(topic)).cloned().collect();
        let intermediate = self.partitions(&intermediate, all).await?;
        if input.is_empty() && intermediate.is_empty() {
            return Ok(status);
        }
        let mut offsets = self.input_offsets(options, &input, terminal).await?;
        if !intermediate.is_empty() {
            terminal.line(format!(
                "Following intermediate topics offsets will be reset to end (for consumer group {})",
                self.id
            ));
            for (topic, _) in &intermediate {
                terminal.line(format!("Topic: {topic}"));
            }
            offsets.extend(offset_plan::look_up(&mut self.cluster, &intermediate, LATEST).await?);
        }
        if !self.is_dry {
            let list: Vec<(TopicPartition, Committed)> = offsets
                .into_iter()
                .map(|(partition, offset)| (partition, Committed { offset, leader_epoch: None }))
                .collect();
            let at = Target::Node(self.cluster.coordinator(CoordinatorOf::Group(&self.id)).await?);
            for (_, result) in commit_offsets(&mut self.cluster, at, &self.id, None, &list).await? {
                result?;
            }
        }
        terminal.line("Done.");
        Ok(status)
    }

    /// In the order of the Java tool's set.
    async fn partitions(
        &mut self,
        topics: &[String],
        all: &[String],
    ) -> Result<Vec<TopicPartition>, Failure> {
        let there: Vec<String> = topics.iter().filter(|topic| all.contains(topic)).cloned().collect();
        let found: Vec<TopicPartition> =
            kafka::leaders(&mut self.cluster, &there).await?.into_keys().collect();
        Ok(jvm::hash_order(found, |(topic, partition)| jvm::topic_partition_hash(topic, *partition)))
    }

    async fn input_offsets(
        &mut self,
        options: &Options,
        partitions: &[TopicPartition],
        terminal: &mut Terminal,
    ) -> Result<Offsets, Failure> {
        if partitions.is_empty() {
            return Ok(Offsets::new());
        }
        terminal.line(format!(
            "Following input topics offsets will be reset to (for consumer group {})",
            self.id
        ));
        let cluster = &mut self.cluster;
        let offsets = if let Some(offset) = options.number::<i64>("to-offset")? {
            let wanted = partitions.iter().map(|partition| (partition.clone(), offset)).collect();
            in_range(cluster, partitions, &wanted, terminal).await?
        } else if options.has("to-latest") {
            offset_plan::look_up(cluster, partitions, LATEST).await?
        } else if let Some(by) = options.number::<i64>("shift-by")? {
            let at = Target::Node(cluster.coordinator(CoordinatorOf::Group(&self.id)).await?);
            let committed = committed_offsets(cluster, at, &self.id, Some(partitions)).await?;
            // A consumer without a committed offset stands at the end.
            let mut wanted = offset_plan::look_up(cluster, partitions, LATEST).await?;
            wanted.extend(committed.into_iter().map(|(partition, committed)| (partition, committed.offset)));
            for offset in wanted.values_mut() {
                *offset = offset.saturating_add(by);
            }
            in_range(cluster, partitions, &wanted, terminal).await?
        } else if let Some(written) = options.one("to-datetime")? {
            let ms = time::parse_datetime(&written);
            let ms = ms.ok_or_else(|| unparsed(&format!("Unparseable date: \"{written}\""), terminal))?;
            at_time(cluster, partitions, ms, terminal).await?
        } else if let Some(written) = options.one("by-duration")? {
            let ms = time::parse_duration(&written).ok_or_else(|| {
                Failure(
                    "java.time.format.DateTimeParseException: Text cannot be parsed to a Duration".to_owned(),
                )
            })?;
            at_time(cluster, partitions, terminal.clock.wall_ms() - ms, terminal).await?
        } else if let Some(path) = options.one("from-file")? {
            let plan = read_plan(&path).map_err(|words| unparsed(&words, terminal))?;
            in_range(cluster, partitions, &plan, terminal).await?
        } else {
            offset_plan::look_up(cluster, partitions, EARLIEST).await?
        };
        for partition in partitions {
            let offset = offsets.get(partition).copied().unwrap_or_default();
            terminal.line(format!("Topic: {} Partition: {} Offset: {offset}", partition.0, partition.1));
        }
        Ok(offsets)
    }

    async fn delete_internal(&mut self, all: &[String], terminal: &mut Terminal) -> Result<(), Failure> {
        let prefix = format!("{}-", self.id);
        let inferred = all.iter().filter(|topic| {
            !self.input.contains(topic)
                && !self.intermediate.contains(topic)
                && topic.starts_with(&prefix)
                && is_internal(topic)
        });
        let inferred: Vec<String> = inferred.cloned().collect();
        let doomed = if self.internal.is_empty() {
            terminal.line(format!("Deleting inferred internal topics [{}]", inferred.join(", ")));
            inferred
        } else {
            if !self.internal.iter().all(|topic| inferred.contains(topic)) {
                return Err(Failure(
                    "java.lang.IllegalArgumentException: Invalid topic specified in the --internal-topics option. \
                     Ensure that the topics specified are all internal topics. Do a dry run without the \
                     --internal-topics option to see the list of all internal topics that can be deleted."
                        .to_owned(),
                ));
            }
            terminal.line(format!("Deleting specified internal topics [{}]", self.internal.join(", ")));
            self.internal.clone()
        };
        if !self.is_dry && !doomed.is_empty() {
            let results = topic_admin::delete(&mut self.cluster, &doomed).await?;
            let mut has_failed = false;
            for (topic, result) in results {
                if let Err(trouble) = result {
                    has_failed = true;
                    let class = errors::java_class(trouble.code());
                    terminal.complain(format!("ERROR: deleting topic {topic}\n{class}{trouble}"));
                }
            }
            if has_failed {
                return Err(Failure(
                    "java.lang.RuntimeException: Encountered an error deleting one or more topics".to_owned(),
                ));
            }
        }
        terminal.line("Done.");
        Ok(())
    }
}

fn shown_members(group: &Described) -> String {
    let each = group.members.iter().map(|member| {
        let instance = member.instance.as_deref().unwrap_or("null");
        let read: Vec<String> = member.partitions.iter().map(|(topic, one)| format!("{topic}-{one}")).collect();
        format!(
            "(memberId={}, groupInstanceId={instance}, clientId={}, host={}, assignment=(topicPartitions={}))",
            member.id,
            member.client,
            member.host,
            read.join(",")
        )
    });
    each.collect::<Vec<_>>().join(", ")
}

fn unparsed(words: &str, terminal: &mut Terminal) -> Failure {
    terminal.complain("ERROR: Resetting offsets failed.");
    Failure(format!("java.text.ParseException: {words}"))
}

/// `topic,partition,offset` on each line.
fn read_plan(path: &str) -> Result<Offsets, String> {
    let text = std::fs::read_to_string(path).map_err(|error| format!("{path}: {error}"))?;
    if text.is_empty() {
        return Err("Error parsing reset plan CSV file. It is empty,".to_owned());
    }
    let mut plan = Offsets::new();
    for line in text.lines() {
        let cells: Vec<&str> = line.split(',').collect();
        let [topic, partition, offset] = cells[..] else {
            return Err(
                "Reset plan CSV file is not following the format `TOPIC,PARTITION,OFFSET`.".to_owned()
            );
        };
        let (Ok(partition), Ok(offset)) = (partition.parse(), offset.parse()) else {
            return Err(format!("For input string: \"{line}\""));
        };
        plan.insert((topic.to_owned(), partition), offset);
    }
    Ok(plan)
}

/// The Java tool takes what is not between the ends for what is beyond them, and tells it so.
async fn in_range(
    cluster: &mut Cluster,
    partitions: &[TopicPartition],
    wanted: &Offsets,
    terminal: &mut Terminal,
) -> Result<Offsets, Failure> {
    let first = offset_plan::look_up(cluster, partitions, EARLIEST).await?;
    let last = offset_plan::look_up(cluster, partitions, LATEST).await?;
    let mut offsets: BTreeMap<TopicPartition, i64> = BTreeMap::new();
    for partition in partitions {
        let (Some(wanted), Some(first), Some(last)) =
            (wanted.get(partition), first.get(partition), last.get(partition))
        else {
            return Err(Failure(format!(
                "java.lang.NullPointerException: no offset is given for {}-{}",
                partition.0, partition.1
            )));
        };
        let bound = match () {
            () if wanted >= last => Some(("higher than latest", last)),
            () if wanted <= first => Some(("lower than earliest", first)),
            () => None,
        };
        if let Some((what, bound)) = bound {
            terminal.line(format!("New offset ({wanted}) is {what} offset. Value will be set to {bound}"));
        }
        offsets.insert(partition.clone(), bound.map_or(*wanted, |(_, bound)| *bound));
    }
    Ok(offsets)
}

async fn at_time(
    cluster: &mut Cluster,
    partitions: &[TopicPartition],
    ms: i64,
    terminal: &mut Terminal,
) -> Result<Offsets, Failure> {
    let (found, none) = offset_plan::at_time(cluster, partitions, ms).await?;
    for (topic, partition) in partitions.iter().filter(|partition| none.contains(partition)) {
        terminal.line(format!(
            "Partition {partition} from topic {topic} is empty, without a committed record. Falling back to latest \
             known offset."
        ));
    }
    Ok(found)
}

/// Whether Kafka Streams gives its own topics such a name.
fn is_internal(topic: &str) -> bool {
    const ENDS: [&str; 4] =
        ["-changelog", "-repartition", "-subscription-registration-topic", "-subscription-response-topic"];
    let of_join = Regex::new(r"^.+-KTABLE-FK-JOIN-SUBSCRIPTION-(REGISTRATION|RESPONSE)-\d+-topic$");
    ENDS.iter().any(|end| topic.ends_with(end)) || of_join.is_ok_and(|of_join| of_join.is_match(topic))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn internal_topics_are_known_by_their_names() {
        for topic in [
            "app-store-changelog",
            "app-x-repartition",
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-REGISTRATION-0000000004-topic",
            "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-12-topic",
        ] {
            assert!(is_internal(topic), "{topic}");
        }
        for topic in ["app-changelog2", "app-KTABLE-FK-JOIN-SUBSCRIPTION-RESPONSE-x-topic", "changelog"] {
            assert!(!is_internal(topic), "{topic}");
        }
    }
}
