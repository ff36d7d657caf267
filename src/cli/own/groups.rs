//! `ottla groups`: the list, what a group reads and how far, and its end. [`super::reset`] moves a group.

use client::Cluster;
use model::ErrorCode;
use serde_json::{Value, json};

use crate::group_admin::{self, Described, Listed};
use crate::kafka::TopicPartition;
use crate::lag::{self, Row};
use crate::options::{flag, value};
use crate::terminal::Terminal;

use super::names;
use super::reset;
use super::screen::{Cell, Table, Tone, cell, grouped, left, maybe, plural, right};
use super::verb::{Call, Completes, Failure, Noun, Verb, YES, report, said, said_with, wait};

/// The noun.
pub const NOUN: Noun = Noun {
    name: "groups",
    about: "Lists, describes, moves and deletes groups.",
    has_default: true,
    verbs: &[
        Verb {
            name: "list",
            operands: "[NAME...]",
            about: "Shows names, types and states.",
            completes: Completes::Groups,
            options: &[flag(&["quiet", "q"], "Names alone, one on each line.")],
            run: list,
        },
        Verb {
            name: "describe",
            operands: "NAME...",
            about: "Shows members, offsets and lag.",
            completes: Completes::Groups,
            options: &[],
            run: describe,
        },
        Verb {
            name: "reset",
            operands: "NAME",
            about: "Moves a group without members; shows first from where to where.",
            completes: Completes::Groups,
            options: &[
                value(&["to"], "place", "start, end, N, +N, -N, @TIME or current."),
                value(
                    &["topic", "t"],
                    "name[:n,...]",
                    "A topic, or some of its partitions; every topic of the group.",
                ),
                YES,
            ],
            run: reset::run,
        },
        Verb {
            name: "delete",
            operands: "NAME...",
            about: "Deletes groups without members, with their offsets.",
            completes: Completes::Groups,
            options: &[YES],
            run: delete,
        },
    ],
};

fn list(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    let mut cluster = call.cluster()?;
    let listed = wait(async {
        let mut listed = group_admin::list(&mut cluster, &[], &[]).await?;
        listed.sort_by(|a, b| a.id.cmp(&b.id));
        if !call.operands().is_empty() {
            let all: Vec<String> = listed.iter().map(|group| group.id.clone()).collect();
            let chosen = names::chosen(call.operands(), &all, "group", false)?;
            listed.retain(|group| chosen.contains(&group.id));
        }
        Ok(listed)
    })?;
    if call.json() {
        terminal.line(listed_json(&listed).to_string());
    } else if call.has("quiet") {
        for group in &listed {
            terminal.line(&group.id);
        }
    } else if listed.is_empty() {
        terminal.complain("There are no groups.");
    } else {
        terminal.text(listed_text(&listed, terminal.looks.colour));
    }
    Ok(())
}

fn listed_json(listed: &[Listed]) -> Value {
    let or_null = |text: &str| Some(text.to_owned()).filter(|text| !text.is_empty());
    let groups = listed.iter().map(|group| {
        json!({
            "name": group.id,
            "type": or_null(&group.kind),
            "state": or_null(&group.state),
            "protocol": or_null(&group.protocol),
        })
    });
    Value::from(groups.collect::<Vec<_>>())
}

fn listed_text(listed: &[Listed], has_colour: bool) -> String {
    let mut table = Table::new(&[left("NAME"), left("TYPE"), left("STATE"), left("PROTOCOL")]);
    let or_dash = |text: &str| maybe(Some(text.to_owned()).filter(|text| !text.is_empty()));
    for group in listed {
        table.row([cell(&group.id), or_dash(&group.kind), state(&group.state), or_dash(&group.protocol)]);
    }
    table.text(has_colour)
}

fn state(state: &str) -> Cell {
    cell(if state.is_empty() { "-" } else { state }).in_tone(state_tone(state))
}

fn state_tone(state: &str) -> Tone {
    match state {
        "Stable" => Tone::Good,
        "Empty" | "" => Tone::Dim,
        "Dead" => Tone::Bad,
        _ => Tone::Notable,
    }
}

/// A group with what it has read.
pub struct Read {
    /// The group.
    pub group: Described,
    /// Its partitions, by name.
    pub rows: Vec<(TopicPartition, Row)>,
}

/// The groups that the command line names.
pub async fn chosen(cluster: &mut Cluster, call: &Call) -> Result<Vec<String>, Failure> {
    let listed = group_admin::list(cluster, &[], &[]).await?;
    let mut all: Vec<String> = listed.into_iter().map(|group| group.id).collect();
    all.sort();
    names::chosen(call.operands(), &all, "group", false)
}

/// A group as its coordinator knows it; `None` where there is none.
pub async fn known(cluster: &mut Cluster, group: &str) -> Result<Option<Described>, Failure> {
    match group_admin::describe(cluster, group).await {
        Ok(described) if described.state == "Dead" => Ok(None),
        Ok(described) => Ok(Some(described)),
        Err(trouble) if trouble.code() == Some(ErrorCode::GroupIdNotFound) => Ok(None),
        Err(trouble) => Err(trouble.into()),
    }
}

fn describe(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    call.named("group")?;
    let mut cluster = call.cluster()?;
    let groups = wait(async {
        let mut groups = Vec::new();
        for name in chosen(&mut cluster, call).await? {
            let group = known(&mut cluster, &name).await?;
            let group = group.ok_or_else(|| said(format!("group '{name}' is gone")))?;
            let rows = lag::rows(&mut cluster, &group).await?;
            let mut rows: Vec<(TopicPartition, Row)> =
                rows.into_iter().filter_map(|row| Some((row.partition.clone()?, row))).collect();
            rows.sort_by(|(a, _), (b, _)| a.cmp(b));
            groups.push(Read { group, rows });
        }
        Ok(groups)
    })?;
    if call.json() {
        terminal.line(Value::from(groups.iter().map(Read::json).collect::<Vec<_>>()).to_string());
    } else {
        let has_colour = terminal.looks.colour;
        let texts: Vec<String> = groups.iter().map(|read| read.text(has_colour)).collect();
        terminal.text(texts.join("\n"));
    }
    Ok(())
}

impl Read {
    /// Records behind, over all partitions whose lag is known.
    fn lag(&self) -> i64 {
        self.rows.iter().filter_map(|(_, row)| row.lag()).map(|lag| lag.max(0)).sum()
    }

    fn json(&self) -> Value {
        let group = &self.group;
        let members = group.members.iter().map(|member| {
            json!({
                "id": member.id,
                "instance": member.instance,
                "client": member.client,
                "host": member.host,
                "partitions": member.partitions.len(),
            })
        });
        let partitions = self.rows.iter().map(|((topic, partition), row)| {
            json!({
                "topic": topic,
                "partition": partition,
                "committedOffset": row.committed.as_ref().map(|committed| committed.offset),
                "endOffset": row.end,
                "lag": row.lag(),
                "member": row.reader.as_ref().map(|(id, _, _)| id),
            })
        });
        json!({
            "name": group.id,
            "state": group.state,
            "assignor": Some(&group.assignor).filter(|name| !name.is_empty()),
            "coordinator": { "id": group.coordinator.id, "host": group.coordinator.host, "port": group.coordinator.port },
            "members": members.collect::<Vec<_>>(),
            "partitions": partitions.collect::<Vec<_>>(),
            "lag": self.lag(),
        })
    }

    fn text(&self, has_colour: bool) -> String {
        let group = &self.group;
        let lag = self.lag();
        let mut text = format!(
            "{}: {}, {}, lag {}",
            Tone::Strong.paint(&group.id, has_colour),
            state_tone(&group.state).paint(&group.state, has_colour),
            plural(group.members.len() as i64, "member"),
            lag_tone(Some(lag)).paint(&grouped(lag), has_colour),
        );
        if !group.assignor.is_empty() {
            text.push_str(&format!(", assignor {}", group.assignor));
        }
        let node = &group.coordinator;
        let at = format!(", coordinator {} ({}:{})", node.id, node.host, node.port);
        text.push_str(&Tone::Dim.paint(&at, has_colour));
        text.push('\n');
        if !self.rows.is_empty() {
            let mut table = Table::new(&[
                left("TOPIC"),
                right("PARTITION"),
                right("COMMITTED"),
                right("END"),
                right("LAG"),
                left("CLIENT"),
                left("HOST"),
                left("MEMBER"),
            ]);
            for ((topic, partition), row) in &self.rows {
                let (id, host, client) =
                    row.reader.clone().map_or((None, None, None), |(id, host, client)| {
                        (Some(id), Some(host.trim_start_matches('/').to_owned()), Some(client))
                    });
                let committed = row.committed.as_ref().map(|committed| committed.offset);
                table.row([
                    cell(topic),
                    cell(partition),
                    maybe(committed),
                    maybe(row.end),
                    maybe(row.lag()).in_tone(lag_tone(row.lag())),
                    maybe(client),
                    maybe(host),
                    maybe(id),
                ]);
            }
            text.push('\n');
            text.push_str(&table.text(has_colour));
        }
        let idle = group.members.iter().filter(|member| member.partitions.is_empty()).count() as i64;
        if idle > 0 {
            text.push_str(&format!("\n{} without partitions\n", plural(idle, "member")));
        }
        text
    }
}

fn lag_tone(lag: Option<i64>) -> Tone {
    match lag {
        None => Tone::Dim,
        Some(lag) if lag > 0 => Tone::Notable,
        Some(_) => Tone::Good,
    }
}

fn delete(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    call.named("group")?;
    let mut cluster = call.cluster()?;
    let results = wait(async {
        let chosen = chosen(&mut cluster, call).await?;
        call.may_delete(&chosen, "group", terminal)?;
        Ok(group_admin::delete(&mut cluster, &chosen).await?)
    })?;
    let results = results.into_iter().map(|(name, result)| {
        let result = result.map_err(|trouble| match trouble.code() {
            Some(ErrorCode::NonEmptyGroup) => said_with(
                format!("group '{name}' still has members"),
                format!("stop them first; `ottla groups describe {name}` names them"),
            ),
            _ => trouble.into(),
        });
        (name, result)
    });
    report(call, results.collect(), "deleted group", terminal)
}

#[cfg(test)]
#[path = "groups_tests.rs"]
mod tests;
