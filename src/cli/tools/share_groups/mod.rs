//! `kafka-share-groups` (`org.apache.kafka.tools.consumer.group.ShareGroupCommand`): lists, describes, resets and deletes
//! share groups. A cluster without them is told of in a sentence, with status 1.

mod describe;

use std::collections::BTreeSet;

use client::Cluster;
use model::ErrorCode;

use super::consumer_groups::reset::{check_partitions, listed_partitions, show, without_class};
use super::consumer_groups::{Failure, cluster, values};
use crate::group_admin::{self, Listed};
use crate::kafka::{self, EARLIEST, LATEST, TopicPartition, Trouble};
use crate::offset_plan::{self, Offsets};
use crate::options::{HELP, Options, Syntax, VERSION, flag, maybe, value};
use crate::share_group_admin as shares;
use crate::terminal::{Stop, Terminal};
use crate::{errors, jvm, time};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to list, describe, reset and delete share groups.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["group"], "id", "The share group; may be repeated."),
        value(&["topic"], "name[:n,...]", "A topic, or some of its partitions; may be repeated."),
        flag(&["all-topics"], "Every topic of the group."),
        flag(&["list"], "Name every share group."),
        flag(&["describe"], "Show offsets, members or the state."),
        flag(&["all-groups"], "Every share group."),
        flag(&["delete"], "Remove share groups."),
        value(&["timeout"], "ms", "Longest wait of a call; 30000."),
        value(&["command-config"], "file", "Properties of the client."),
        flag(&["reset-offsets"], "Move where the shares of a group without members begin."),
        flag(&["delete-offsets"], "Forget where the shares of topics begin."),
        flag(&["dry-run"], "Show only what would be done."),
        flag(&["execute"], "Do it."),
        value(&["to-datetime"], "YYYY-MM-DDThh:mm:ss.sss", "To the first record at or after it."),
        flag(&["to-earliest"], "To the first record."),
        flag(&["to-latest"], "Behind the last record."),
        flag(&["members"], "Describe the members."),
        flag(&["offsets"], "Describe where shares begin, which is the default."),
        maybe(&["state"], "states", "Describe the state; or list with states, or only these."),
        flag(&["verbose"], "Describe in more detail."),
        HELP,
        VERSION,
    ],
};

const ACTIONS: [&str; 5] = ["list", "describe", "delete", "reset-offsets", "delete-offsets"];
const SCENARIOS: [&str; 3] = ["to-datetime", "to-earliest", "to-latest"];

/// Runs the tool.
pub(crate) fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(kafka::plain)?;
    check_availability(&options)?;
    check_options(&options)?;
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        let actions = ACTIONS.map(|action| format!("--{action}")).join(", ");
        return Err(options.usage(format!("Command must include exactly one action: {actions}.")));
    }
    let mut cluster = cluster(&options)?;
    let done = kafka::block_on(async { Ok(act(&options, &mut cluster, terminal).await) })?;
    match done {
        Err(Failure::Trouble(trouble)) if shares::is_unsupported(&trouble) => {
            Err(Stop::Error(format!("This cluster has no share groups: {trouble}.")))
        }
        done => done.or_else(|failure| failure.end("share", &options, terminal)),
    }
}

async fn act(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    if options.has("list") {
        list(options, cluster, terminal).await
    } else if options.has("describe") {
        let groups = if options.has("all-groups") {
            listed(cluster, &[]).await?.into_iter().map(|group| group.id).collect()
        } else {
            options.all("group")
        };
        describe::run(options, &groups, cluster, terminal).await
    } else if options.has("delete") {
        delete(options, cluster, terminal).await
    } else if options.has("reset-offsets") {
        reset(options, cluster, terminal).await.map_err(without_class)
    } else {
        delete_offsets(options, cluster, terminal).await
    }
}

async fn listed(cluster: &mut Cluster, states: &[String]) -> Result<Vec<Listed>, Trouble> {
    let groups = group_admin::list(cluster, states, &["Share".to_owned()]).await?;
    // A broker that knows no types lists every group.
    Ok(groups.into_iter().filter(|group| group.kind.eq_ignore_ascii_case("share")).collect())
}

async fn list(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    if !options.has("state") {
        for group in listed(cluster, &[]).await? {
            terminal.line(group.id);
        }
        return Ok(());
    }
    let states = values(options, "state", &STATES, "state")?;
    let groups = listed(cluster, &states).await?;
    let width = groups.iter().map(|group| group.id.chars().count()).max().unwrap_or(0).max(15);
    terminal.line(format!("{:<width$} STATE", "GROUP"));
    for group in groups {
        let state = if group.state.is_empty() { "Unknown" } else { &group.state };
        terminal.line(format!("{:<width$} {state}", group.id));
    }
    Ok(())
}

async fn delete(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let known = listed(cluster, &[]).await?;
    let wanted = if options.has("all-groups") {
        known.iter().map(|group| group.id.clone()).collect()
    } else {
        options.all("group")
    };
    let (mut failed, mut may): (Vec<(String, String)>, Vec<String>) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    for group in wanted.into_iter().filter(|group| seen.insert(group.clone())) {
        let state = known.iter().find(|one| one.id == group).map(|one| one.state.as_str());
        let error = match state {
            None => {
                Some(format!("java.lang.IllegalArgumentException: Group '{group}' is not a share group."))
            }
            Some("Dead") => {
                Some(format!("java.lang.IllegalStateException: Share group '{group}' group state is DEAD."))
            }
            Some("Empty" | "") => None,
            Some(_) => {
                let class = errors::java_class(Some(ErrorCode::NonEmptyGroup));
                Some(format!("{class}Share group '{group}' is not EMPTY."))
            }
        };
        match error {
            Some(error) => failed.push((group, error)),
            None => may.push(group),
        }
    }
    let mut deleted = Vec::new();
    for (group, result) in group_admin::delete(cluster, &may).await? {
        match result {
            Ok(()) => deleted.push(group),
            Err(trouble) => {
                failed.push((group, format!("{}{trouble}", errors::java_class(trouble.code()))));
            }
        }
    }
    let deleted = jvm::hash_order(deleted, |group| jvm::hash_code(group));
    let names: Vec<String> = deleted.iter().map(|group| format!("'{group}'")).collect();
    let names = names.join(", ");
    if failed.is_empty() {
        terminal.line(format!("Deletion of requested share groups ({names}) was successful."));
        return Ok(());
    }
    terminal.line("\nError: Deletion of some share groups failed:");
    for (group, error) in jvm::hash_order(failed, |(group, _)| jvm::hash_code(group)) {
        terminal.line(format!("* Group '{group}' could not be deleted due to: {error}"));
    }
    if !deleted.is_empty() {
        terminal.line(format!("\nThese share groups were deleted successfully: {names}"));
    }
    Ok(())
}

async fn delete_offsets(
    options: &Options,
    cluster: &mut Cluster,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let group = options.required("group")?;
    let topics: BTreeSet<String> = options.all("topic").into_iter().collect();
    let topics: Vec<String> = topics.into_iter().collect();
    let mut rows: Vec<(String, Option<String>)> = Vec::new();
    match shares::delete_starts(cluster, &group, &topics).await {
        Ok(results) => {
            rows.extend(results.into_iter().map(|(topic, one)| (topic, one.err().map(|e| e.to_string()))));
        }
        Err(trouble) => {
            let sentence = trouble.to_string();
            let code = trouble.code().ok_or(Failure::Trouble(trouble))?;
            terminal.line(match code {
                ErrorCode::InvalidGroupId
                | ErrorCode::GroupIdNotFound
                | ErrorCode::GroupAuthorizationFailed
                | ErrorCode::NonEmptyGroup => format!("\nError: {sentence}"),
                _ => format!(
                    "\nError: Encounter some unknown error: {}{sentence}",
                    errors::java_class(Some(code))
                ),
            });
            rows.extend(topics.into_iter().map(|topic| (topic, Some(sentence.clone()))));
        }
    }
    if !rows.is_empty() {
        rows.sort();
        let width = rows.iter().map(|(topic, _)| topic.chars().count()).max().unwrap_or(0).max(15);
        terminal.text(format!("\n{:<width$} STATUS", "TOPIC"));
        for (topic, error) in rows {
            let status = error.map_or_else(|| "Successful".to_owned(), |error| format!("Error: {error}"));
            terminal.text(format!("\n{topic:<width$} {status}"));
        }
    }
    terminal.line("");
    Ok(())
}

async fn reset(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let group = options.required("group")?;
    match shares::describe(cluster, &group).await {
        Ok(described) if !matches!(described.state.as_str(), "Empty" | "Dead") => {
            return Err(Stop::Error(format!("Share group '{group}' is not empty.")).into());
        }
        Ok(_) => {}
        Err(trouble) if trouble.code() == Some(ErrorCode::GroupIdNotFound) => {}
        Err(trouble) => return Err(trouble.into()),
    }
    let partitions: Vec<TopicPartition> = if options.has("topic") {
        let (mut partitions, topics) = listed_partitions(&options.all("topic"))?;
        for topic in kafka::describe(cluster, &topics).await? {
            let name = topic.name.as_ref().map(|name| name.0.to_string()).unwrap_or_default();
            partitions.extend(topic.partitions.iter().map(|one| (name.clone(), one.partition_index)));
        }
        partitions
    } else {
        shares::starts(cluster, &group).await?.into_keys().collect()
    };
    check_partitions(cluster, &partitions).await?;
    let offsets: Offsets = if options.has("to-earliest") {
        offset_plan::look_up(cluster, &partitions, EARLIEST).await?
    } else if options.has("to-latest") {
        offset_plan::look_up(cluster, &partitions, LATEST).await?
    } else {
        let text = options.required("to-datetime")?;
        let ms = time::parse_datetime(&text)
            .ok_or_else(|| Stop::Error(format!("java.text.ParseException: Unparseable date: \"{text}\"")))?;
        let (found, none) = offset_plan::at_time(cluster, &partitions, ms).await?;
        for (topic, partition) in none {
            terminal.line(format!(
                "\nWarn: Partition {partition} from topic {topic} is empty. Falling back to latest known offset."
            ));
        }
        found
    };
    if options.has("execute") {
        shares::alter_starts(cluster, &group, &offsets).await?;
    }
    show(&[(group, offsets)], terminal);
    Ok(())
}

/// Options that mean something only beside others (joptsimple's `availableIf`).
fn check_availability(options: &Options) -> Result<(), Stop> {
    if options.has("help") || options.has("version") {
        return Ok(());
    }
    let beside = |name: &str| if name == "state" { &["describe", "list"][..] } else { &["describe"] };
    let stray: Vec<&str> = ["members", "offsets", "state", "verbose"]
        .into_iter()
        .filter(|name| options.has(name) && !beside(name).iter().any(|other| options.has(other)))
        .collect();
    if stray.is_empty() {
        return Ok(());
    }
    let stray = stray.join(", ");
    Err(Stop::Error(format!("Option(s) [{stray}] are unavailable given other options on the command line")))
}

fn check_options(options: &Options) -> Result<(), Stop> {
    options.help_or_version()?;
    options.need(&["bootstrap-server"])?;
    let (has_group, has_all) = (options.has("group"), options.has("all-groups"));
    let refuse = |words: &str| Err(options.usage(words));
    if options.has("describe") {
        if !has_group && !has_all {
            return refuse("Option [describe] takes one of these options: [all-groups], [group]");
        }
        if ["members", "offsets", "state"].iter().filter(|name| options.has(name)).count() > 1 {
            return refuse(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]",
            );
        }
        if options.one("state")?.is_some() {
            return refuse("Option [describe] does not take a value for [state]");
        }
    }
    if options.has("delete") {
        if !has_group && !has_all {
            return refuse("Option [delete] takes the options [group] or [all-groups]");
        }
        if has_group && has_all {
            return refuse("Option [delete] takes either [group] or [all-groups], not both.");
        }
        if options.has("topic") {
            return refuse("Option [delete] does not take the option: [topic]");
        }
    }
    if options.has("delete-offsets") && !(has_group && options.has("topic")) {
        return refuse("Option [delete-offsets] takes the following options: [group], [topic]");
    }
    if options.has("reset-offsets") {
        check_reset(options)?;
    }
    options.forbid_with("group", &["all-groups"])?;
    options.forbid_with("group", &["list"])?;
    options.forbid_with("topic", &["list", "describe"])
}

fn check_reset(options: &Options) -> Result<(), Stop> {
    let refuse = |words: &str| Err(options.usage(words));
    match (options.has("dry-run"), options.has("execute")) {
        (true, true) => {
            return refuse("Option [reset-offsets] only accepts one of [execute] and [dry-run]");
        }
        (false, false) => return refuse("Option [reset-offsets] takes the option: [execute] or [dry-run]"),
        _ => {}
    }
    if !options.has("group") {
        return refuse("Option [reset-offsets] takes the option: [group]");
    }
    if !options.has("topic") && !options.has("all-topics") {
        return refuse("Option [reset-offsets] takes one of these options: [all-topics], [topic]");
    }
    if !SCENARIOS.iter().any(|name| options.has(name)) {
        return refuse(
            "Option [reset-offsets] takes one of these options: [to-datetime], [to-earliest], [to-latest]",
        );
    }
    for used in SCENARIOS {
        let others: Vec<&str> = SCENARIOS.into_iter().filter(|other| *other != used).collect();
        options.forbid_with(used, &others)?;
    }
    Ok(())
}

const STATES: [&str; 3] = ["Stable", "Dead", "Empty"];
