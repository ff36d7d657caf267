//! `kafka-consumer-groups --describe`: offsets, members or state of groups.

use std::collections::BTreeMap;

use client::Cluster;

use super::{Failure, chosen};
use crate::group_admin::{self, Described, Member};
use crate::kafka::TopicPartition;
use crate::lag::{self, Row};
use crate::options::Options;
use crate::terminal::Terminal;

/// Describes what the command line names.
pub async fn run(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut groups: BTreeMap<String, Described> = BTreeMap::new();
    for id in chosen(options, cluster).await? {
        let described = group_admin::describe(cluster, &id).await?;
        groups.insert(id, described);
    }
    let verbose = options.has("verbose");
    let mut offsets = BTreeMap::new();
    if !options.has("members") && !options.has("state") {
        for (id, group) in &groups {
            offsets.insert(id.clone(), lag::rows(cluster, group).await?);
        }
    }
    for (id, group) in &groups {
        let (count, text) = if options.has("members") {
            (group.members.len(), members(group, verbose))
        } else if options.has("state") {
            (1, state(group, verbose))
        } else {
            let rows = offsets.remove(id).unwrap_or_default();
            (rows.len(), table(id, &rows, verbose))
        };
        // The table of members has a head also where nobody is in it.
        if announce(group, terminal) && count > 0 || options.has("members") {
            terminal.text(text);
        }
    }
    Ok(())
}

/// Says what a state means; whether there can be anything to show.
fn announce(group: &Described, terminal: &mut Terminal) -> bool {
    let id = &group.id;
    match group.state.as_str() {
        "Dead" => {
            terminal.line(format!("\nError: Consumer group '{id}' does not exist."));
            return false;
        }
        "Empty" => terminal.complain(format!("\nConsumer group '{id}' has no active members.")),
        "PreparingRebalance" | "CompletingRebalance" | "Assigning" | "Reconciling" => {
            terminal.complain(format!("\nWarning: Consumer group '{id}' is rebalancing."));
        }
        _ => {}
    }
    true
}

/// The table of offsets.
fn table(group: &str, rows: &[Row], verbose: bool) -> String {
    let dash = || "-".to_owned();
    let cells: Vec<[String; 10]> = rows
        .iter()
        .map(|row| {
            let (topic, partition) = row
                .partition
                .as_ref()
                .map_or_else(|| (dash(), dash()), |(topic, index)| (topic.clone(), index.to_string()));
            let offset = row.committed.as_ref().map(|committed| committed.offset);
            let epoch = row.committed.as_ref().and_then(|committed| committed.leader_epoch);
            let (id, host, client) = row.reader.clone().unwrap_or_else(|| (dash(), dash(), dash()));
            let number = |value: Option<i64>| value.map_or_else(dash, |value| value.to_string());
            let epoch = number(epoch.map(i64::from));
            [
                group.to_owned(),
                topic,
                partition,
                epoch,
                number(offset),
                number(row.end),
                number(row.lag()),
                id,
                host,
                client,
            ]
        })
        .collect();
    let width = |column: usize| {
        let cells = cells.iter().filter_map(|row| row.get(column));
        cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(15)
    };
    let widths = [width(0), width(1), 10, 15, 15, 15, 15, width(7), width(8), 0];
    let heads = [
        "GROUP",
        "TOPIC",
        "PARTITION",
        "LEADER-EPOCH",
        "CURRENT-OFFSET",
        "LOG-END-OFFSET",
        "LAG",
        "CONSUMER-ID",
        "HOST",
        "CLIENT-ID",
    ];
    let mut text = String::new();
    let heads = heads.map(str::to_owned);
    for row in std::iter::once(&heads).chain(&cells) {
        let shown =
            row.iter().zip(widths).enumerate().filter(|(column, _)| verbose || *column != EPOCH_COLUMN);
        let line: Vec<String> = shown.map(|(_, (cell, width))| format!("{cell:<width$}")).collect();
        text.push('\n');
        text.push_str(&line.join(" "));
    }
    text.push('\n');
    text
}

const EPOCH_COLUMN: usize = 3;

fn members(group: &Described, verbose: bool) -> String {
    let length = |text: &str| text.chars().count();
    let widest = |least: usize, text: &dyn Fn(&Member) -> String| {
        group.members.iter().map(|member| length(&text(member))).max().unwrap_or(0).max(least)
    };
    let current = |member: &Member| shown_assignment(&member.partitions);
    let target = |member: &Member| shown_assignment(member.target.as_ref().map_or(&[], |(target, _)| target));
    let with_instance = group.members.iter().any(|member| member.instance.is_some());
    let migrates = group.members.iter().any(|member| member.upgraded == Some(false))
        && group.members.iter().any(|member| member.upgraded == Some(true));
    let (group_width, id, instance) = (
        if group.members.is_empty() { 15 } else { length(&group.id).max(15) },
        widest(15, &|member| member.id.clone()),
        widest(17, &|member| member.instance.clone().unwrap_or_default()),
    );
    let (host, client) = (widest(15, &|one| one.host.clone()), widest(15, &|one| one.client.clone()));
    let (current_width, target_width) = (widest(20, &current), widest(20, &target));
    let mut text = String::new();
    let mut row = |cells: [&str; 11]| {
        let [name, member, static_name, place, own_name, count, epoch, now, target_epoch, then, upgraded] =
            cells;
        text.push_str(&format!("{name:<group_width$} {member:<id$} "));
        if with_instance {
            text.push_str(&format!("{static_name:<instance$} "));
        }
        text.push_str(&format!("{place:<host$} {own_name:<client$} {count:<15} "));
        if verbose {
            text.push_str(&format!(
                "{epoch:<15} {now:<current_width$} {target_epoch:<15} {then:<target_width$}"
            ));
            if migrates {
                text.push_str(&format!(" {upgraded}"));
            }
        }
        text.push('\n');
    };
    row([
        "GROUP",
        "CONSUMER-ID",
        "GROUP-INSTANCE-ID",
        "HOST",
        "CLIENT-ID",
        "#PARTITIONS",
        "CURRENT-EPOCH",
        "CURRENT-ASSIGNMENT",
        "TARGET-EPOCH",
        "TARGET-ASSIGNMENT",
        "UPGRADED",
    ]);
    for member in &group.members {
        let number = |value: Option<i32>| value.map_or_else(|| "-".to_owned(), |value| value.to_string());
        row([
            &group.id,
            &member.id,
            member.instance.as_deref().unwrap_or(""),
            &member.host,
            &member.client,
            &member.partitions.len().to_string(),
            &number(member.target.as_ref().map(|(_, epoch)| *epoch)),
            &current(member),
            &number(group.epochs.map(|(_, target)| target)),
            &target(member),
            &member.upgraded.map_or_else(|| "-".to_owned(), |upgraded| upgraded.to_string()),
        ]);
    }
    format!("\n{text}")
}

/// `topic:0,1;other:2`, or `-`.
pub(crate) fn shown_assignment(partitions: &[TopicPartition]) -> String {
    if partitions.is_empty() {
        return "-".to_owned();
    }
    let topics = crate::groups::by_topic(partitions).into_iter().map(|(topic, mut indexes)| {
        indexes.sort_unstable();
        let indexes: Vec<String> = indexes.iter().map(ToString::to_string).collect();
        format!("{topic}:{}", indexes.join(","))
    });
    let mut topics: Vec<String> = topics.collect();
    topics.sort();
    topics.join(";")
}

fn state(group: &Described, verbose: bool) -> String {
    let node = &group.coordinator;
    let coordinator = format!("{}:{}  ({})", node.host, node.port, node.id);
    let assignor = if group.assignor.is_empty() { "-" } else { &group.assignor };
    let (first, second) = (group.id.chars().count().max(15), coordinator.chars().count().max(25));
    let count = group.members.len();
    let mut text = String::new();
    if verbose {
        let epoch = |epoch: Option<i32>| epoch.map_or_else(|| "-".to_owned(), |epoch| epoch.to_string());
        text.push_str(&format!(
            "\n{:<first$} {:<second$} {:<20} {:<20} {:<15} {:<25} #MEMBERS",
            "GROUP",
            "COORDINATOR (ID)",
            "ASSIGNMENT-STRATEGY",
            "STATE",
            "GROUP-EPOCH",
            "TARGET-ASSIGNMENT-EPOCH"
        ));
        text.push_str(&format!(
            "\n{:<first$} {coordinator:<second$} {assignor:<20} {:<20} {:<15} {:<25} {count}\n",
            group.id,
            group.state,
            epoch(group.epochs.map(|(group, _)| group)),
            epoch(group.epochs.map(|(_, target)| target)),
        ));
    } else {
        text.push_str(&format!(
            "\n{:<first$} {:<second$} {:<20} {:<20} #MEMBERS",
            "GROUP", "COORDINATOR (ID)", "ASSIGNMENT-STRATEGY", "STATE"
        ));
        text.push_str(&format!(
            "\n{:<first$} {coordinator:<second$} {assignor:<20} {:<20} {count}\n",
            group.id, group.state
        ));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::groups::Committed;

    #[test]
    fn the_table_is_the_java_tools() {
        let row = Row {
            partition: Some(("orders".to_owned(), 0)),
            committed: Some(Committed { offset: 3, leader_epoch: None }),
            end: Some(5),
            reader: None,
        };
        let expected = "\nGROUP           TOPIC           PARTITION  CURRENT-OFFSET  LOG-END-OFFSET  LAG             CONSUMER-ID     HOST            CLIENT-ID\
             \ng               orders          0          3               5               2               -               -               -\n";
        assert_eq!(table("g", &[row], false), expected);
    }

    #[test]
    fn assignments_are_sorted() {
        let partitions = [("b".to_owned(), 2), ("a".to_owned(), 1), ("b".to_owned(), 0)];
        assert_eq!(shown_assignment(&partitions), "a:1;b:0,2");
        assert_eq!(shown_assignment(&[]), "-");
    }
}
