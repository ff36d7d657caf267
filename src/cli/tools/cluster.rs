//! `kafka-cluster` (`org.apache.kafka.tools.ClusterTool`): the cluster's id and brokers.

use client::{Cluster, ClusterError, Target};
use wire::messages::{BrokerId, DescribeClusterRequest, UnregisterBrokerRequest};

use crate::argparse::{Command, Parsed, Tool};
use crate::errors::class_of;
use crate::kafka::{self, Bootstrap, Trouble, check};
use crate::options::{Opt, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const SERVERS: Opt = value(&["bootstrap-server", "b"], "host:port,...", "Brokers to begin with.");
const CONTROLLERS: Opt = value(&["bootstrap-controller", "C"], "host:port,...", "Controllers to begin with.");
const CONFIG: Opt = value(&["config"], "file", "Deprecated: --command-config.");
const COMMAND_CONFIG: Opt = value(&["command-config", "c"], "file", "Properties of the client.");
const WHERE: &[&str] = &["bootstrap-server", "bootstrap-controller"];

const TOOL: Tool = Tool {
    name: "kafka-cluster",
    about: "The Kafka cluster tool.",
    options: &[],
    commands: &[
        Command {
            name: "cluster-id",
            about: "Get information about the ID of a cluster.",
            options: &[SERVERS, CONTROLLERS, CONFIG, COMMAND_CONFIG],
            one_of: WHERE,
            needed: &[],
        },
        Command {
            name: "unregister",
            about: "Unregister a broker.",
            options: &[
                SERVERS,
                CONTROLLERS,
                CONFIG,
                COMMAND_CONFIG,
                value(&["id", "i"], "id", "The broker."),
            ],
            one_of: WHERE,
            needed: &["id"],
        },
        Command {
            name: "list-endpoints",
            about: "List endpoints",
            options: &[
                SERVERS,
                CONTROLLERS,
                CONFIG,
                COMMAND_CONFIG,
                flag(&["include-fenced-brokers"], "Also brokers that take no clients now."),
            ],
            one_of: WHERE,
            needed: &[],
        },
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let parsed = TOOL.read(arguments)?;
    let properties = properties(&parsed, terminal)?;
    let (servers, controllers) = (parsed.value("bootstrap-server"), parsed.value("bootstrap-controller"));
    let id = parsed.number::<i32>("id")?;
    let fenced = parsed.options.has("include-fenced-brokers");
    if fenced && controllers.is_some() {
        let words = "The option --include-fenced-brokers is only supported with --bootstrap-server option";
        return Err(Stop::Error(words.to_owned()));
    }
    let bootstrap = Bootstrap::of(servers, controllers);
    let bootstrap = bootstrap.ok_or_else(|| Stop::Error("neither brokers nor controllers".to_owned()))?;
    let mut cluster = bootstrap.connect(&properties, "adminclient-1")?;
    kafka::block_on(async {
        let done = match (parsed.command.name, id) {
            ("cluster-id", _) => cluster_id(&mut cluster, terminal).await,
            ("unregister", Some(id)) => unregister(&mut cluster, id, terminal).await,
            _ => list_endpoints(&mut cluster, fenced, terminal).await,
        };
        done.map_err(|trouble| Stop::Error(format!("{}{trouble}", class_of(&trouble))))
    })
}

fn properties(parsed: &Parsed, terminal: &mut Terminal) -> Result<Properties, Stop> {
    let (old, new) = (parsed.value("config"), parsed.value("command-config"));
    if old.is_some() && new.is_some() {
        return Err(Stop::Error("--config and --command-config cannot be specified together.".to_owned()));
    }
    if old.is_some() {
        terminal.line(
            "Option --config has been deprecated and will be removed in a future version. Use --command-config instead.",
        );
    }
    Properties::of_option(old.or(new).as_deref())
}

async fn cluster_id(cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Trouble> {
    cluster.refresh().await?;
    match cluster.cluster_id() {
        Some(id) => terminal.line(format!("Cluster ID: {id}")),
        None => terminal.line("No cluster ID found. The Kafka version is probably too old."),
    }
    Ok(())
}

async fn unregister(cluster: &mut Cluster, id: i32, terminal: &mut Terminal) -> Result<(), Trouble> {
    let asked = cluster
        .call(Target::Controller, |_version| UnregisterBrokerRequest::default().with_broker_id(BrokerId(id)))
        .await;
    match asked {
        Ok(answer) => check(answer.error_code, answer.error_message.as_deref())?,
        Err(ClusterError::Unsupported(_)) => {
            terminal.line("The target cluster does not support the broker unregistration API.");
            return Ok(());
        }
        Err(error) => return Err(error.into()),
    }
    terminal.line(format!("Broker {id} is no longer registered."));
    Ok(())
}

async fn list_endpoints(cluster: &mut Cluster, fenced: bool, terminal: &mut Terminal) -> Result<(), Trouble> {
    if cluster.is_of_controllers() {
        return list_controllers(cluster, terminal).await;
    }
    let answer = cluster
        .call(Target::Any, |version| {
            let request = DescribeClusterRequest::default();
            if version >= 2 { request.with_include_fenced_brokers(fenced) } else { request }
        })
        .await?;
    check(answer.error_code, answer.error_message.as_deref())?;
    let host = answer.brokers.iter().map(|broker| broker.host.chars().count()).max().unwrap_or(100);
    let racks = answer.brokers.iter().filter_map(|broker| broker.rack.as_ref());
    let rack = racks.map(|rack| rack.chars().count()).max().unwrap_or(10);
    let mut row = |id: &str, name: &str, port: &str, place: &str, state: &str, kind: &str| {
        terminal.line(format!("{id:<10} {name:<host$} {port:<10} {place:<rack$} {state:<10} {kind:<15}"));
    };
    row("ID", "HOST", "PORT", "RACK", "STATE", "ENDPOINT_TYPE");
    for broker in &answer.brokers {
        let (id, port) = (broker.broker_id.0.to_string(), broker.port.to_string());
        let state = if broker.is_fenced { "fenced" } else { "unfenced" };
        row(&id, &broker.host, &port, broker.rack.as_deref().unwrap_or("null"), state, "broker");
    }
    Ok(())
}

async fn list_controllers(cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Trouble> {
    cluster.refresh().await?;
    let host = cluster.nodes().map(|node| node.host.chars().count()).max().unwrap_or(100);
    let mut row = |id: &str, name: &str, port: &str, rack: &str, kind: &str| {
        terminal.line(format!("{id:<10} {name:<host$} {port:<10} {rack:<10} {kind:<15}"));
    };
    row("ID", "HOST", "PORT", "RACK", "ENDPOINT_TYPE");
    for node in cluster.nodes() {
        row(&node.id.to_string(), &node.host, &node.port.to_string(), "null", "controller");
    }
    Ok(())
}
