//! `kafka-groups` (`org.apache.kafka.tools.GroupsCommand`): groups of every kind.

use crate::group_admin::{self, Listed};
use crate::kafka;
use crate::options::{HELP, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to list groups of all types.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["command-config"], "file", "Properties of the client."),
        flag(&["list"], "Name the groups."),
        value(&["group-type"], "type", "Only classic, consumer, share or streams groups."),
        value(&["protocol"], "name", "Only groups of this protocol."),
        flag(&["consumer"], "Only consumer groups of every kind."),
        flag(&["share"], "Only share groups."),
        flag(&["streams"], "Only streams groups."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    if !options.is_empty
        && !options.has("help")
        && !options.has("version")
        && !options.has("bootstrap-server")
    {
        return Err(options.usage("Missing required option(s) [bootstrap-server]"));
    }
    options.help_or_version()?;
    if !options.has("list") {
        return Err(options.usage("Command must include exactly one action: --list."));
    }
    let kind = options.one("group-type")?.map(|kind| kind.to_lowercase());
    if kind.as_deref().is_some_and(|kind| !KINDS.contains(&kind)) {
        return Err(Stop::Error("--group-type must be a valid group type.".to_owned()));
    }
    options.forbid_with("consumer", &["group-type", "protocol", "share", "streams"])?;
    options.forbid_with("share", &["consumer", "group-type", "protocol", "streams"])?;
    options.forbid_with("streams", &["consumer", "group-type", "protocol", "share"])?;
    let properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let mut cluster = kafka::connect(&options.required("bootstrap-server")?, &properties, "adminclient-1")?;
    let protocol = options.one("protocol")?;
    let wants = |group: &Listed| {
        let is = |wanted: &str| group.kind.eq_ignore_ascii_case(wanted);
        if kind.is_some() || protocol.is_some() {
            kind.as_deref().is_none_or(is) && protocol.as_ref().is_none_or(|wanted| *wanted == group.protocol)
        } else if options.has("consumer") {
            matches!(group.protocol.as_str(), "consumer" | "") || is("consumer")
        } else {
            ["share", "streams"].iter().all(|only| !options.has(only) || is(only))
        }
    };
    let listed = kafka::block_on(async { Ok(group_admin::list(&mut cluster, &[], &[]).await) })?;
    let listed = listed.map_err(|trouble| Stop::Told {
        message: format!("Error while executing groups command : {trouble}"),
        detail: trouble.to_string(),
    })?;
    let shown: Vec<&Listed> = listed.iter().filter(|group| wants(group)).collect();
    let cells = shown.iter().flat_map(|group| [&group.id, &group.kind, &group.protocol]);
    let width = cells.map(|cell| cell.chars().count()).max().unwrap_or(0).max(20);
    let (first, second, third) = ("GROUP", "TYPE", "PROTOCOL");
    terminal.line(format!("{first:<width$} {second:<width$} {third:<width$}"));
    for group in shown {
        terminal.line(format!("{:<width$} {:<width$} {:<width$} ", group.id, group.kind, group.protocol));
    }
    Ok(())
}

const KINDS: [&str; 4] = ["classic", "consumer", "share", "streams"];
