//! `ottla groups reset`: shows from where to where a group would go, and moves it where that is wanted.

use std::collections::BTreeMap;

use client::{Cluster, CoordinatorOf, Target};
use serde_json::json;

use crate::groups::{Committed, commit_offsets, committed_offsets};
use crate::kafka::{self, EARLIEST, LATEST, TopicPartition};
use crate::lag;
use crate::offset_plan::{self, Offsets};
use crate::terminal::{Stop, Terminal};

use super::groups::known;
use super::names;
use super::place::Place;
use super::screen::{Table, Tone, cell, left, maybe, plural, right};
use super::verb::{Call, Failure, said, said_with, wait};

/// Where a group is, and where it is to go.
#[derive(Clone, Debug, Default)]
struct Plan {
    from: Offsets,
    to: Offsets,
    ends: BTreeMap<TopicPartition, i64>,
}

/// The verb.
pub fn run(call: &Call, terminal: &mut Terminal) -> Result<(), Failure> {
    let [group] = call.named("group")? else { return Err(said("one group is moved at a time")) };
    let place = call
        .value("to")
        .ok_or_else(|| said_with("--to says where to", "--to start, end, N, +N, -N, @TIME or current"))?;
    let place = Place::parse(&place, terminal.clock.wall_ms())?;
    wait(async {
        let mut cluster = call.cluster()?;
        let plan = plan(&mut cluster, call, group, place).await?;
        if plan.to.is_empty() {
            return Err(said(format!("group '{group}' has committed nothing that could be moved")));
        }
        move_to(&mut cluster, call, group, &plan, terminal).await
    })
}

/// Shows the plan, and carries it out where that is wanted.
async fn move_to(
    cluster: &mut Cluster,
    call: &Call,
    group: &str,
    plan: &Plan,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    if !call.json() {
        terminal.text(plan.text(terminal.looks.colour));
        terminal.flush();
    }
    let changed =
        plan.to.iter().filter(|(partition, to)| plan.from.get(*partition) != Some(*to)).count() as i64;
    let answer = if call.has("yes") {
        Some(true)
    } else if changed > 0 && !call.json() {
        terminal.ask(&format!("Move {}?", plural(changed, "partition")))
    } else {
        None
    };
    let is_wanted = answer == Some(true);
    if is_wanted {
        commit(cluster, group, &plan.to).await?;
    }
    if call.json() {
        terminal.line(plan.json(group, is_wanted).to_string());
    } else if is_wanted {
        terminal.complain(format!("moved group {group}"));
    } else if changed == 0 {
        terminal.complain("The group is there already.");
    } else {
        terminal.complain("Nothing was changed; -y does it.");
    }
    // Who could not be asked is not to take it for done.
    if changed > 0 && answer.is_none() { Err(Stop::Status(1).into()) } else { Ok(()) }
}

async fn plan(cluster: &mut Cluster, call: &Call, group: &str, place: Place) -> Result<Plan, Failure> {
    let found = known(cluster, group).await?;
    match &found {
        Some(described) if !described.members.is_empty() => {
            let count = plural(described.members.len() as i64, "member");
            return Err(said_with(
                format!("group '{group}' has {count}, and only a group without members can be moved"),
                format!("stop them first; `ottla groups describe {group}` names them"),
            ));
        }
        None if !call.has("topic") => {
            let listed = crate::group_admin::list(cluster, &[], &[]).await?;
            let all: Vec<String> = listed.into_iter().map(|group| group.id).collect();
            return Err(names::missing(group, &all, "group"));
        }
        _ => {}
    }
    let at = Target::Node(cluster.coordinator(CoordinatorOf::Group(group)).await?);
    let committed = committed_offsets(cluster, at, group, None).await?;
    let mut from: Offsets = committed.into_iter().map(|(partition, one)| (partition, one.offset)).collect();
    if call.has("topic") {
        let wanted = scope(cluster, &call.options.all("topic")).await?;
        from.retain(|partition, _| wanted.contains(partition));
        let to = target(cluster, &wanted, &from, place).await?;
        let ends = lag::ends(cluster, &wanted).await?;
        return Ok(Plan { from, to, ends });
    }
    let wanted: Vec<TopicPartition> = from.keys().cloned().collect();
    let to = target(cluster, &wanted, &from, place).await?;
    let ends = lag::ends(cluster, &wanted).await?;
    Ok(Plan { from, to, ends })
}

/// The partitions that `name` and `name:0,1` mean.
async fn scope(cluster: &mut Cluster, written: &[String]) -> Result<Vec<TopicPartition>, Failure> {
    let mut wanted = Vec::new();
    for one in written {
        let (name, indexes) =
            one.split_once(':').map_or((one.as_str(), None), |(name, rest)| (name, Some(rest)));
        let topics = names::chosen_topics(cluster, &[name.to_owned()], false).await?;
        let all: Vec<TopicPartition> = kafka::leaders(cluster, &topics).await?.into_keys().collect();
        let Some(indexes) = indexes else {
            wanted.extend(all);
            continue;
        };
        for index in indexes.split(',') {
            let number: i32 = index.trim().parse().map_err(|_not_a_number| {
                said_with(format!("-t: '{one}' names no partitions"), "it is name:0,1,2 or the name alone")
            })?;
            let mut found = all.iter().filter(|(_, partition)| *partition == number).cloned().peekable();
            if found.peek().is_none() {
                return Err(said(format!("topic '{name}' has no partition {number}")));
            }
            wanted.extend(found);
        }
    }
    wanted.sort();
    wanted.dedup();
    Ok(wanted)
}

async fn target(
    cluster: &mut Cluster,
    partitions: &[TopicPartition],
    from: &Offsets,
    place: Place,
) -> Result<Offsets, Failure> {
    let wanted: Offsets = match place {
        Place::Start => return Ok(offset_plan::look_up(cluster, partitions, EARLIEST).await?),
        Place::End => return Ok(offset_plan::look_up(cluster, partitions, LATEST).await?),
        Place::Time(ms) => return Ok(offset_plan::at_time(cluster, partitions, ms).await?.0),
        Place::At(offset) => partitions.iter().map(|partition| (partition.clone(), offset)).collect(),
        Place::Current | Place::By(_) => {
            let by = if let Place::By(by) = place { by } else { 0 };
            from.iter().map(|(partition, offset)| (partition.clone(), offset.saturating_add(by))).collect()
        }
    };
    Ok(offset_plan::in_range(cluster, wanted).await?.0)
}

async fn commit(cluster: &mut Cluster, group: &str, to: &Offsets) -> Result<(), Failure> {
    let at = Target::Node(cluster.coordinator(CoordinatorOf::Group(group)).await?);
    let list: Vec<(TopicPartition, Committed)> = to
        .iter()
        .map(|(partition, offset)| (partition.clone(), Committed { offset: *offset, leader_epoch: None }))
        .collect();
    for (_, result) in commit_offsets(cluster, at, group, None, &list).await? {
        result?;
    }
    Ok(())
}

impl Plan {
    fn text(&self, has_colour: bool) -> String {
        let mut table = Table::new(&[
            left("TOPIC"),
            right("PARTITION"),
            right("FROM"),
            right("TO"),
            right("CHANGE"),
            right("LAG"),
        ]);
        for (partition, to) in &self.to {
            let from = self.from.get(partition).copied();
            let change = from.map(|from| to - from);
            let tone = if change == Some(0) { Tone::Dim } else { Tone::Notable };
            table.row([
                cell(&partition.0),
                cell(partition.1),
                maybe(from),
                cell(to).in_tone(tone),
                maybe(change.map(|change| format!("{change:+}"))),
                maybe(self.ends.get(partition).map(|end| end - to)),
            ]);
        }
        table.text(has_colour)
    }

    fn json(&self, group: &str, is_done: bool) -> serde_json::Value {
        let partitions = self.to.iter().map(|(partition, to)| {
            json!({
                "topic": partition.0,
                "partition": partition.1,
                "from": self.from.get(partition),
                "to": to,
                "endOffset": self.ends.get(partition),
            })
        });
        json!({ "name": group, "moved": is_done, "partitions": partitions.collect::<Vec<_>>() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_preview_shows_both_places() {
        let at = |partition| ("orders".to_owned(), partition);
        let plan = Plan {
            from: Offsets::from([(at(0), 70), (at(1), 5)]),
            to: Offsets::from([(at(0), 0), (at(1), 5), (at(2), 9)]),
            ends: BTreeMap::from([(at(0), 100), (at(1), 5)]),
        };
        assert_eq!(
            plan.text(false),
            "TOPIC   PARTITION  FROM  TO  CHANGE  LAG\n\
             orders          0    70   0     -70  100\n\
             orders          1     5   5      +0    0\n\
             orders          2     -   9       -    -\n"
        );
        assert_eq!(
            plan.json("g", false)["partitions"][2],
            json!({ "topic": "orders", "partition": 2, "from": null, "to": 9, "endOffset": null })
        );
    }
}
