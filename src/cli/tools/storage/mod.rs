//! `kafka-storage` (`kafka.tools.StorageTool`): random ids, and what log directories say of themselves. A directory
//! needs no formatting before it is served here; `format` does what Kafka's does.

mod format;

use std::collections::BTreeMap;
use std::path::PathBuf;

use model::BrokerId;
use storage::MetaProperties;
use uuid::Uuid;

use crate::argparse::{Command, Parsed, Tool};
use crate::options::{flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const TOOL: Tool = Tool {
    name: "kafka-storage",
    about: "The Kafka storage tool.",
    options: &[],
    commands: &[
        Command {
            name: "info",
            about: "Get information about the Kafka log directories on this node.",
            options: &[value(&["config", "c"], "file", "The server's properties.")],
            one_of: &[],
            needed: &["config"],
        },
        Command {
            name: "format",
            about: "Format the Kafka log directories on this node.",
            options: &[
                value(&["config", "c"], "file", "The server's properties."),
                value(&["cluster-id", "t"], "id", "The cluster they belong to."),
                value(&["add-scram", "S"], "credential", "Not built."),
                flag(&["ignore-formatted", "g"], "Leave formatted directories as they are."),
                value(&["release-version", "r"], "version", "Not built."),
                value(&["feature", "f"], "feature=level", "Not built."),
                flag(&["standalone", "s"], "This node is the whole quorum."),
                flag(&["no-initial-controllers", "N"], "The quorum is elsewhere."),
                value(&["initial-controllers", "I"], "id@host:port:directory,...", "Not built."),
            ],
            one_of: &[],
            needed: &["config", "cluster-id"],
        },
        Command {
            name: "random-uuid",
            about: "Print a random UUID.",
            options: &[],
            one_of: &[],
            needed: &[],
        },
        Command {
            name: "version-mapping",
            about: "The features of a release.",
            options: &[value(&["release-version", "r"], "version", "The release.")],
            one_of: &[],
            needed: &[],
        },
        Command {
            name: "feature-dependencies",
            about: "What a feature needs.",
            options: &[value(&["feature", "f"], "feature=level", "The feature.")],
            one_of: &[],
            needed: &["feature"],
        },
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let parsed = TOOL.read(arguments)?;
    match parsed.command.name {
        "random-uuid" => {
            terminal.line(model::ids::uuid_to_base64(random_uuid()));
            Ok(())
        }
        "info" => info(&parsed, terminal),
        "format" => format_all(&parsed, terminal),
        other => Err(Stop::not_built(&format!("kafka-storage {other}"))),
    }
}

/// Kafka's ids never begin with a dash, which a shell would take for an option.
fn random_uuid() -> Uuid {
    loop {
        let id = Uuid::new_v4();
        if !model::ids::uuid_to_base64(id).starts_with('-') {
            return id;
        }
    }
}

/// The log directories of a server's properties, sorted.
fn directories(properties: &Properties) -> Vec<PathBuf> {
    let listed =
        properties.get("log.dirs").or_else(|| properties.get("log.dir")).unwrap_or("/tmp/kafka-logs");
    let metadata = properties.get("metadata.log.dir");
    let all = listed.split(',').chain(metadata).map(str::trim).filter(|path| !path.is_empty());
    let mut all: Vec<PathBuf> = all.map(PathBuf::from).collect();
    all.sort();
    all.dedup();
    all
}

fn info(parsed: &Parsed, terminal: &mut Terminal) -> Result<(), Stop> {
    let properties = Properties::of_option(parsed.value("config").as_deref())?;
    let disk = storage::SystemDisk::shared();
    let (mut found, mut problems) = (Vec::new(), Vec::new());
    let mut first: Option<MetaProperties> = None;
    for path in directories(&properties) {
        let shown = path.display().to_string();
        if !path.is_dir() {
            let what = if path.exists() { "is not a directory" } else { "does not exist" };
            problems.push(format!("{shown} {what}"));
            continue;
        }
        found.push(shown.clone());
        match MetaProperties::read(&*disk, &path) {
            Ok(None) => problems.push(format!("{shown} is not formatted.")),
            Ok(Some(meta)) => match &first {
                None => first = Some(meta),
                Some(first) if first.cluster_id != meta.cluster_id => {
                    problems.push("Mismatched cluster IDs between storage directories.".to_owned());
                }
                Some(first) if first.node_id != meta.node_id => {
                    problems.push("Mismatched node IDs between storage directories.".to_owned());
                }
                Some(_) => {}
            },
            Err(error) => problems.push(format!("Error loading {shown}/meta.properties: {error}")),
        }
    }
    list(terminal, ("Found log directory:", "Found log directories:"), &found);
    if let Some(meta) = first {
        let mut shown = BTreeMap::from([
            ("cluster.id", meta.cluster_id.clone()),
            ("node.id", meta.node_id.to_string()),
            ("version", "1".to_owned()),
        ]);
        shown.extend(meta.directory_id.map(|id| ("directory.id", model::ids::uuid_to_base64(id))));
        let shown: Vec<String> = shown.iter().map(|(key, value)| format!("{key}={value}")).collect();
        terminal.line(format!("Found metadata: {{{}}}\n", shown.join(", ")));
    }
    list(terminal, ("Found problem:", "Found problems:"), &problems);
    if problems.is_empty() { Ok(()) } else { Err(Stop::Status(1)) }
}

fn list(terminal: &mut Terminal, (one, several): (&str, &str), items: &[String]) {
    if items.is_empty() {
        return;
    }
    terminal.line(if items.len() == 1 { one } else { several });
    for item in items {
        terminal.line(format!("  {item}"));
    }
    terminal.line("");
}

fn format_all(parsed: &Parsed, terminal: &mut Terminal) -> Result<(), Stop> {
    for option in ["add-scram", "release-version", "feature", "initial-controllers"] {
        if parsed.options.has(option) {
            return Err(Stop::not_built(&format!("kafka-storage format --{option}")));
        }
    }
    let properties = Properties::of_option(parsed.value("config").as_deref())?;
    let node = node_id(&properties)?;
    check_quorum(parsed, &properties)?;
    let cluster_id = parsed.value("cluster-id").unwrap_or_default();
    if model::ids::uuid_from_base64(&cluster_id).is_none() {
        return Err(Stop::Error(format!(
            "Cluster ID string {cluster_id} does not appear to be a valid UUID: it needs 22 characters of base64."
        )));
    }
    let disk = storage::SystemDisk::shared();
    let mut fresh = Vec::new();
    for path in directories(&properties) {
        let found = MetaProperties::read(&*disk, &path).map_err(|error| Stop::Error(error.to_string()))?;
        match found {
            None => fresh.push(path),
            Some(_) if !parsed.options.has("ignore-formatted") => {
                return Err(Stop::Error(format!(
                    "Log directory {} is already formatted. Use --ignore-formatted to ignore this directory and format \
                     the others.",
                    path.display()
                )));
            }
            Some(meta) if meta.cluster_id != cluster_id => {
                return Err(Stop::Error(format!(
                    "Invalid cluster.id in: {}/meta.properties. Expected {cluster_id}, but read {}",
                    path.display(),
                    meta.cluster_id
                )));
            }
            Some(_) => {}
        }
    }
    let first = properties
        .get("log.dirs")
        .or_else(|| properties.get("log.dir"))
        .and_then(|dirs| dirs.split(',').next());
    let metadata = properties.get("metadata.log.dir").or(first).map(|path| PathBuf::from(path.trim()));
    let voter_at = if parsed.options.has("standalone") {
        let found = controller_listener(&properties);
        Some(found.ok_or_else(|| Stop::Error("No controller listeners found.".to_owned()))?)
    } else {
        None
    };
    let identity = format::Identity { cluster_id: cluster_id.clone(), node_id: node, voter_at };
    if fresh.is_empty() {
        terminal.line("All of the log directories are already formatted.");
    }
    for path in fresh {
        let kind = match (Some(&path) == metadata.as_ref(), &identity.voter_at) {
            (false, _) => "data",
            (true, Some(_)) => "dynamic metadata voter",
            (true, None) if parsed.options.has("no-initial-controllers") => "dynamic metadata",
            (true, None) => "metadata",
        };
        terminal.line(format!(
            "Formatting {kind} directory {} with metadata.version {METADATA_VERSION}.",
            path.display()
        ));
        let is_metadata = Some(&path) == metadata.as_ref();
        format::directory(&path, is_metadata, &identity, terminal.clock.wall_ms())
            .map_err(|error| Stop::Error(format!("cannot format {}: {error}", path.display())))?;
    }
    Ok(())
}

fn node_id(properties: &Properties) -> Result<BrokerId, Stop> {
    let text = properties.get("node.id").or_else(|| properties.get("broker.id"));
    let number = text.and_then(|text| text.trim().parse().ok()).filter(|id: &i32| *id >= 0);
    number.map(BrokerId::new).ok_or_else(|| {
        Stop::Error(
            "node.id is missing or negative in the properties: set node.id to this node's number".to_owned(),
        )
    })
}

fn check_quorum(parsed: &Parsed, properties: &Properties) -> Result<(), Stop> {
    let has_voters =
        properties.get("controller.quorum.voters").is_some_and(|voters| !voters.trim().is_empty());
    if has_voters && parsed.options.has("standalone") {
        return Err(Stop::Error(
            "You cannot specify controller.quorum.voters and format the node with --initial-controllers or \
             --standalone. If you want to use dynamic quorum, please remove controller.quorum.voters and specify \
             controller.quorum.bootstrap.servers instead."
                .to_owned(),
        ));
    }
    Ok(())
}

/// Name, host and port of the first controller listener (`--standalone`).
fn controller_listener(properties: &Properties) -> Option<(String, String, u16)> {
    let name = properties.get("controller.listener.names")?.split(',').next()?.trim();
    let listed = ["advertised.listeners", "listeners"].iter().filter_map(|key| properties.get(key));
    let entry = listed.flat_map(|list| list.split(',')).map(str::trim).find_map(|entry| {
        let (listener, address) = entry.split_once("://")?;
        listener.eq_ignore_ascii_case(name).then_some(address)
    })?;
    let (host, port) = entry.rsplit_once(':')?;
    let host = if host.is_empty() { "localhost" } else { host };
    Some((name.to_uppercase(), host.to_owned(), port.parse().ok()?))
}

/// The level that a directory begins at when it is first served.
const METADATA_VERSION: &str = "4.1-IV1";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn directories_come_sorted_and_once() {
        let mut properties = Properties::default();
        properties.set("log.dirs", "/b, /a");
        properties.set("metadata.log.dir", "/a");
        assert_eq!(directories(&properties), [PathBuf::from("/a"), PathBuf::from("/b")]);
    }
}
