//! `kafka-share-groups --describe`: where shares begin, members, or states.

use std::collections::BTreeMap;

use client::Cluster;

use super::super::consumer_groups::Failure;
use super::super::consumer_groups::describe::shown_assignment;
use crate::kafka::TopicPartition;
use crate::options::Options;
use crate::share_group_admin::{self as shares, Described, Member, Start};
use crate::terminal::Terminal;

/// Describes these groups.
pub async fn run(
    options: &Options,
    groups: &[String],
    cluster: &mut Cluster,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let mut described: BTreeMap<String, Described> = BTreeMap::new();
    for group in groups {
        described.insert(group.clone(), shares::describe(cluster, group).await?);
    }
    let verbose = options.has("verbose");
    if options.has("members") {
        for group in described.values() {
            if announce(group, terminal) && !group.members.is_empty() {
                terminal.line(members(group, verbose));
            }
        }
        return Ok(());
    }
    if options.has("state") {
        for group in described.values() {
            announce(group, terminal);
            terminal.line(state(group, verbose));
        }
        return Ok(());
    }
    let mut tables = Vec::new();
    for (id, group) in &described {
        tables.push((group, offsets(id, &shares::starts(cluster, id).await?, verbose)));
    }
    for (group, table) in tables {
        match table {
            Some(table) => terminal.line(table),
            None => terminal.line(format!("\nShare group '{}' has no offset information.", group.id)),
        }
    }
    Ok(())
}

/// Says what a state means; whether there can be anything to show.
fn announce(group: &Described, terminal: &mut Terminal) -> bool {
    match group.state.as_str() {
        "Dead" => terminal.line(format!("\nError: Share group '{}' does not exist.", group.id)),
        "Empty" => terminal.complain(format!("\nShare group '{}' has no active members.", group.id)),
        _ => {}
    }
    group.state != "Dead"
}

/// `None` where there is nothing. The lag is told by a later version of the API only (KIP-1226).
fn offsets(group: &str, starts: &BTreeMap<TopicPartition, Start>, verbose: bool) -> Option<String> {
    if starts.is_empty() {
        return None;
    }
    let group_width = group.chars().count().max(15);
    let topic_width = starts.keys().map(|(topic, _)| topic.chars().count()).max().unwrap_or(0).max(15);
    let row = |cells: [&str; 6]| {
        let [id, topic, partition, epoch, start, lag] = cells;
        let epoch = if verbose { format!("{epoch:<13} ") } else { String::new() };
        format!("\n{id:<group_width$} {topic:<topic_width$} {partition:<10} {epoch}{start:<13} {lag}")
    };
    let mut text = row(["GROUP", "TOPIC", "PARTITION", "LEADER-EPOCH", "START-OFFSET", "LAG"]);
    for ((topic, partition), start) in starts {
        let dash = || "-".to_owned();
        let offset = start.map_or_else(dash, |(offset, _)| offset.to_string());
        let epoch = start.and_then(|(_, epoch)| epoch).map_or_else(dash, |epoch| epoch.to_string());
        text.push_str(&row([group, topic, &partition.to_string(), &epoch, &offset, "-"]));
    }
    Some(text)
}

fn state(group: &Described, verbose: bool) -> String {
    let node = &group.coordinator;
    let coordinator = format!("{}:{}  ({})", node.host, node.port, node.id);
    let (first, second) = (group.id.chars().count().max(15), coordinator.chars().count().max(25));
    let count = group.members.len().to_string();
    let row = |cells: [&str; 6]| {
        let [id, at, state, epoch, assignment, members] = cells;
        let epochs = if verbose { format!("{epoch:<12} {assignment:<17} ") } else { String::new() };
        format!("\n{id:<first$} {at:<second$} {state:<15} {epochs}{members}")
    };
    let (epoch, assignment) = (group.epochs.0.to_string(), group.epochs.1.to_string());
    row(["GROUP", "COORDINATOR (ID)", "STATE", "GROUP-EPOCH", "ASSIGNMENT-EPOCH", "#MEMBERS"])
        + &row([&group.id, &coordinator, &group.state, &epoch, &assignment, &count])
}

fn members(group: &Described, verbose: bool) -> String {
    let mut sorted: Vec<&Member> = group.members.iter().collect();
    sorted.sort_by(|a, b| a.id.cmp(&b.id));
    let width = |of: fn(&Member) -> &str| {
        sorted.iter().map(|member| of(member).chars().count()).max().unwrap_or(0).max(15)
    };
    let (first, id) = (group.id.chars().count().max(15), width(|member| &member.id));
    let (host, client) = (width(|member| &member.host), width(|member| &member.client));
    let row = |cells: [&str; 7]| {
        let [name, member, place, own_name, count, epoch, assigned] = cells;
        let epoch = if verbose { format!("{epoch:<13} ") } else { String::new() };
        format!(
            "\n{name:<first$} {member:<id$} {place:<host$} {own_name:<client$} {count:<12} {epoch}{assigned}"
        )
    };
    let mut text =
        row(["GROUP", "CONSUMER-ID", "HOST", "CLIENT-ID", "#PARTITIONS", "MEMBER-EPOCH", "ASSIGNMENT"]);
    for member in sorted {
        let assigned =
            if member.partitions.is_empty() { String::new() } else { shown_assignment(&member.partitions) };
        let (count, epoch) = (member.partitions.len().to_string(), member.epoch.to_string());
        text.push_str(&row([&group.id, &member.id, &member.host, &member.client, &count, &epoch, &assigned]));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables_are_the_java_tools() {
        let starts = BTreeMap::from([
            (("orders".to_owned(), 0), Some((7, Some(2)))),
            (("orders".to_owned(), 1), None),
        ]);
        assert_eq!(
            offsets("g", &starts, true).unwrap(),
            "\nGROUP           TOPIC           PARTITION  LEADER-EPOCH  START-OFFSET  LAG\
             \ng               orders          0          2             7             -\
             \ng               orders          1          -             -             -"
        );
        assert_eq!(offsets("g", &BTreeMap::new(), false), None);
        let group = Described {
            id: "g".to_owned(),
            state: "Stable".to_owned(),
            epochs: (3, 2),
            coordinator: client::Node { id: 1, host: "kafka".to_owned(), port: 9092, rack: None },
            members: vec![Member {
                id: "m".to_owned(),
                host: "/10.0.0.7".to_owned(),
                client: "app".to_owned(),
                epoch: 3,
                partitions: vec![("orders".to_owned(), 1), ("orders".to_owned(), 0)],
            }],
        };
        assert_eq!(
            state(&group, false),
            "\nGROUP           COORDINATOR (ID)          STATE           #MEMBERS\
             \ng               kafka:9092  (1)           Stable          1"
        );
        assert_eq!(
            members(&group, false),
            "\nGROUP           CONSUMER-ID     HOST            CLIENT-ID       #PARTITIONS  ASSIGNMENT\
             \ng               m               /10.0.0.7       app             2            orders:0,1"
        );
    }
}
