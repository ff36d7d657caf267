//! `kafka-client-metrics` (`org.apache.kafka.tools.ClientMetricsCommand`): which metrics clients are asked to push
//! (KIP-714).

use std::collections::BTreeMap;

use client::Cluster;

use crate::config_admin::{self, CLIENT_METRICS};
use crate::kafka::{self, Trouble};
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal, log_stamp};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to manipulate and describe client metrics configurations.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["command-config"], "file", "Properties of the client."),
        flag(&["alter"], "Change a resource."),
        flag(&["delete"], "Delete a resource."),
        flag(&["describe"], "Show resources."),
        flag(&["list"], "Name the resources."),
        value(&["name"], "name", "The resource."),
        flag(&["generate-name"], "Let the name be a new id."),
        value(&["interval"], "ms", "How often clients push; empty for the default."),
        value(&["match"], "key=value,...", "Which clients; empty for all."),
        value(&["metrics"], "prefix,...", "Which metrics; empty for none."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments)?;
    options.help_or_version()?;
    check_options(&options)?;
    let properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let mut cluster = kafka::connect(&options.required("bootstrap-server")?, &properties, "adminclient-1")?;
    kafka::block_on(async {
        let done = match () {
            () if options.has("alter") => alter(&options, &mut cluster, terminal).await,
            () if options.has("describe") => describe(&options, &mut cluster, terminal).await,
            () if options.has("delete") => delete(&options, &mut cluster, terminal).await,
            () => list(&mut cluster, terminal).await,
        };
        done.map_err(|trouble| {
            let stamp = log_stamp(terminal.clock.wall_ms());
            Stop::Told {
                message: format!("Error while executing client metrics command : {trouble}"),
                detail: format!("[{stamp}] ERROR {trouble} (org.apache.kafka.tools.ClientMetricsCommand)"),
            }
        })
    })
}

fn check_options(options: &Options) -> Result<(), Stop> {
    const ACTIONS: [&str; 4] = ["alter", "delete", "describe", "list"];
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        return Err(options
            .usage("Command must include exactly one action: --alter, --delete, --describe or --list."));
    }
    let refuse = |words: &str| Err(Stop::Error(words.to_owned()));
    if !options.has("bootstrap-server") {
        return refuse("--bootstrap-server must be specified.");
    }
    let (named, generated) = (options.has("name"), options.has("generate-name"));
    options.forbid_with("delete", &["generate-name", "interval", "match", "metrics"])?;
    options.forbid_with("describe", &["generate-name", "interval", "match", "metrics"])?;
    options.forbid_with("list", &["name", "generate-name", "interval", "match", "metrics"])?;
    if options.has("alter") {
        if named == generated {
            return refuse("One of --name or --generate-name must be specified with --alter.");
        }
        let interval = options.one("interval")?.filter(|interval| !interval.is_empty());
        if interval.is_some_and(|interval| interval.parse::<i32>().is_err()) {
            return refuse("Invalid interval value. Enter an integer, or leave empty to reset.");
        }
    }
    if options.has("delete") && !named {
        return refuse("A client metrics resource name must be specified with --delete.");
    }
    Ok(())
}

async fn alter(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Trouble> {
    let name = options.all("name").pop();
    let name = name.unwrap_or_else(|| model::ids::uuid_to_base64(uuid::Uuid::new_v4()));
    let (mut set, mut deleted) = (BTreeMap::new(), Vec::new());
    for (option, key) in [("interval", "interval.ms"), ("metrics", "metrics"), ("match", "match")] {
        if !options.has(option) {
            continue;
        }
        match options.all(option).join(",") {
            value if value.is_empty() => deleted.push(key.to_owned()),
            value => {
                set.insert(key.to_owned(), value);
            }
        }
    }
    config_admin::alter(cluster, CLIENT_METRICS, &name, &set, &deleted).await?;
    terminal.line(format!("Altered client metrics config for {name}."));
    Ok(())
}

async fn delete(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Trouble> {
    let name = options.all("name").pop().unwrap_or_default();
    let found = config_admin::entries(cluster, CLIENT_METRICS, &name).await?;
    let keys: Vec<String> = found.configs.iter().map(|entry| entry.name.to_string()).collect();
    config_admin::alter(cluster, CLIENT_METRICS, &name, &BTreeMap::new(), &keys).await?;
    terminal.line(format!("Deleted client metrics config for {name}."));
    Ok(())
}

async fn describe(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Trouble> {
    let known = config_admin::configured(cluster, CLIENT_METRICS).await?.unwrap_or_default();
    let wanted = match options.all("name").pop() {
        Some(name) if !known.contains(&name) => {
            terminal.line(format!(
                "The client metric resource {name} doesn't exist and doesn't have dynamic config."
            ));
            return Ok(());
        }
        Some(name) => vec![name],
        None => known,
    };
    for name in wanted {
        terminal.line(format!("Client metrics configs for {name} are:"));
        for entry in config_admin::entries(cluster, CLIENT_METRICS, &name).await?.configs {
            let value = entry.value.map_or_else(|| "null".to_owned(), |value| value.to_string());
            terminal.line(format!("  {}={value}", entry.name));
        }
    }
    Ok(())
}

async fn list(cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Trouble> {
    let names = config_admin::configured(cluster, CLIENT_METRICS).await?.unwrap_or_default();
    terminal.line(names.join("\n"));
    Ok(())
}
