//! `kafka-configs` (`kafka.admin.ConfigCommand`): settings of topics, brokers, loggers, groups and client metrics, and
//! the quotas of users, clients and addresses.

mod quotas;
mod resources;

use std::collections::BTreeMap;

use client::Cluster;
use model::ErrorCode;

use crate::kafka::{self, Bootstrap, Trouble};
use crate::options::{HELP, Options, Syntax, VERSION, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to manipulate and describe entity config for a topic, client, user, broker, ip, \
            client-metrics or group",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with."),
        value(&["bootstrap-controller"], "host:port,...", "Controllers to begin with."),
        value(&["command-config"], "file", "Properties of the client."),
        flag(&["alter"], "Change settings."),
        flag(&["describe"], "Show settings."),
        flag(&["all"], "Also those that were not changed."),
        value(
            &["entity-type"],
            "type",
            "topics, clients, users, brokers, broker-loggers, ips, client-metrics or groups.",
        ),
        value(&["entity-name"], "name", "Whose settings."),
        flag(&["entity-default"], "Those of everybody without settings of their own."),
        value(&["add-config"], "k=v,k=[v,v],...", "Settings to make; brackets hold values with commas."),
        value(&["add-config-file"], "file", "The same from a properties file."),
        value(&["delete-config"], "k,...", "Settings to take back."),
        value(&["topic"], "name", "A topic's."),
        value(&["client"], "id", "A client's."),
        flag(&["client-defaults"], "Every client's."),
        value(&["user"], "name", "A user's."),
        flag(&["user-defaults"], "Every user's."),
        value(&["broker"], "id", "A broker's."),
        flag(&["broker-defaults"], "Every broker's."),
        value(&["broker-logger"], "id", "The log levels of a broker."),
        flag(&["ip-defaults"], "Every address's."),
        value(&["ip"], "address", "An address's."),
        value(&["group"], "id", "A group's."),
        value(&["client-metrics"], "name", "A subscription's to clients' metrics."),
        HELP,
        VERSION,
    ],
};

const TYPES: [&str; 8] =
    ["topics", "clients", "users", "brokers", "ips", "client-metrics", "groups", "broker-loggers"];
/// Options that name an entity of a type.
const NAMED: [(&str, &str); 8] = [
    ("topic", "topics"),
    ("client", "clients"),
    ("user", "users"),
    ("broker", "brokers"),
    ("broker-logger", "broker-loggers"),
    ("ip", "ips"),
    ("client-metrics", "client-metrics"),
    ("group", "groups"),
];
/// Options that mean the default entity of a type.
const DEFAULTS: [(&str, &str); 4] = [
    ("client-defaults", "clients"),
    ("user-defaults", "users"),
    ("broker-defaults", "brokers"),
    ("ip-defaults", "ips"),
];

/// What is to be done, and to whom.
#[derive(Clone, Debug)]
struct Order {
    /// One type, or users and clients.
    types: Vec<String>,
    /// Names for them, in their order; an empty name is the default.
    names: Vec<String>,
    add: BTreeMap<String, String>,
    delete: Vec<String>,
    all: bool,
}

impl Order {
    /// The first type, of which there is always one.
    fn kind(&self) -> &str {
        self.types.first().map_or("", String::as_str)
    }

    /// `topic` of `topics`.
    fn singular(&self) -> &str {
        let kind = self.kind();
        kind.get(..kind.len().saturating_sub(1)).unwrap_or(kind)
    }
}

/// Why it was not done.
#[derive(Debug)]
enum Failure {
    Trouble(Trouble),
    Said(String),
    Stop(Stop),
}

impl<E: Into<Trouble>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(kafka::plain)?;
    options.help_or_version()?;
    let order = order(&options)?;
    let properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let bootstrap = match options.one("bootstrap-controller")? {
        Some(controllers) => Bootstrap::Controllers(controllers),
        None => Bootstrap::Brokers(options.required("bootstrap-server")?),
    };
    let mut cluster = bootstrap.connect(&properties, "adminclient-1")?;
    let done = kafka::block_on(async {
        Ok(if options.has("alter") {
            alter(&order, &mut cluster, terminal).await
        } else {
            describe(&order, &mut cluster, terminal).await
        })
    })?;
    done.map_err(|failure| match failure {
        Failure::Stop(stop) => stop,
        Failure::Said(words) => Stop::Error(words),
        Failure::Trouble(trouble) => {
            let class = crate::errors::java_class(trouble.code());
            let line = arguments.join(" ");
            let wrapped = match trouble.code() {
                Some(ErrorCode::None) => String::new(),
                _ => "java.util.concurrent.ExecutionException: ".to_owned(),
            };
            Stop::Error(format!(
                "Error while executing config command with args '{line}'\n{wrapped}{class}{trouble}"
            ))
        }
    })
}

fn order(options: &Options) -> Result<Order, Stop> {
    let said = |words: String| Err(Stop::Error(words));
    if ["alter", "describe"].iter().filter(|action| options.has(action)).count() != 1 {
        return Err(options.usage("Command must include exactly one action: --describe, --alter"));
    }
    options.forbid_with("describe", &["alter", "add-config", "delete-config"])?;
    let mut types = options.all("entity-type");
    let flags = NAMED.iter().chain(&DEFAULTS).filter(|(option, _)| options.has(option));
    types.extend(flags.map(|(_, kind)| (*kind).to_owned()));
    if let Some(twice) =
        types.iter().enumerate().find(|(at, kind)| types.iter().take(*at).any(|one| one == *kind))
    {
        return said(format!("Duplicate entity type(s) specified: {}", twice.1));
    }
    if !options.has("bootstrap-server") && !options.has("bootstrap-controller") {
        return said("Either --bootstrap-server or --bootstrap-controller must be specified.".to_owned());
    }
    if let Some(unknown) = types.iter().find(|kind| !TYPES.contains(&kind.as_str())) {
        return said(format!(
            "Invalid entity type {unknown}, the entity type must be one of {} with a --bootstrap-server or \
             --bootstrap-controller argument",
            TYPES.join(", ")
        ));
    }
    if types.is_empty() {
        return said("At least one entity type must be specified".to_owned());
    }
    if types.len() > 1 && !types.iter().all(|kind| matches!(kind.as_str(), "users" | "clients")) {
        return said("Only 'users' and 'clients' entity types may be specified together".to_owned());
    }
    let specific = NAMED.iter().chain(&DEFAULTS).any(|(option, _)| options.has(option));
    if specific && ["entity-type", "entity-name", "entity-default"].iter().any(|name| options.has(name)) {
        return said(
            "--entity-{type,name,default} should not be used in conjunction with specific entity flags"
                .to_owned(),
        );
    }
    if options.has("bootstrap-server") && options.has("bootstrap-controller") {
        return said("Only one of --bootstrap-server or --bootstrap-controller can be specified".to_owned());
    }
    let order = Order {
        names: names(options)?,
        types,
        add: BTreeMap::new(),
        delete: Vec::new(),
        all: options.has("all"),
    };
    check_names(options, &order)?;
    with_changes(options, order)
}

/// In the order they were given: `--entity-default` is an empty name.
fn names(options: &Options) -> Result<Vec<String>, Stop> {
    let mut named = options.all("entity-name").into_iter();
    let mut names: Vec<String> = Vec::new();
    for option in options.order(&["entity-name", "entity-default"]) {
        names.extend(if option == "entity-name" { named.next() } else { Some(String::new()) });
    }
    for (option, _) in NAMED.iter().filter(|(option, _)| options.has(option)) {
        names.extend(options.one(option)?);
    }
    names.extend(DEFAULTS.iter().filter(|(option, _)| options.has(option)).map(|_| String::new()));
    Ok(names)
}

fn check_names(options: &Options, order: &Order) -> Result<(), Stop> {
    let said = |words: String| Err(Stop::Error(words));
    let is = |kind: &str| order.types.iter().any(|one| one == kind);
    let named = order.names.iter().find(|name| !name.is_empty());
    let has_default = order.names.iter().any(String::is_empty);
    let of_brokers = is("brokers") || is("broker-loggers");
    let bad = order.names.iter().find(|name| !name.is_empty() && name.parse::<i32>().is_err());
    if let Some(bad) = bad.filter(|_| of_brokers) {
        let kind = order.kind();
        return said(format!(
            "The entity name for {kind} must be a valid integer broker id, but it is: {bad}"
        ));
    }
    let may_default = is("users") || is("clients") || is("brokers") || is("ips");
    let types = order.types.join(",");
    if options.has("describe") {
        if !may_default && options.has("entity-default") {
            return said(format!("--entity-default must not be specified with --describe of {types}"));
        }
        if is("broker-loggers") && named.is_none() {
            return said(format!("An entity name must be specified with --describe of {types}"));
        }
        return Ok(());
    }
    if may_default && named.is_none() && !has_default {
        return said(
            "An entity-name or default entity must be specified with --alter of users, clients, brokers or ips"
                .to_owned(),
        );
    }
    if !may_default && named.is_none() {
        return said(format!("An entity name must be specified with --alter of {types}"));
    }
    if options.has("add-config") && options.has("add-config-file") {
        return said("Only one of --add-config or --add-config-file must be specified".to_owned());
    }
    if !["add-config", "add-config-file", "delete-config"].iter().any(|name| options.has(name)) {
        return said(
            "At least one of --add-config, --add-config-file, or --delete-config must be specified with --alter"
                .to_owned(),
        );
    }
    if order.types.len() != order.names.len() {
        return said("An entity name must be specified for every entity type".to_owned());
    }
    Ok(())
}

fn with_changes(options: &Options, mut order: Order) -> Result<Order, Stop> {
    let mut add = Properties::of_option(options.one("add-config-file")?.as_deref())?.into_map();
    if let Some(text) = options.one("add-config")? {
        for pair in outside_brackets(&text, ',') {
            let parts = outside_brackets(&pair, '=');
            let [key, value] = parts.as_slice() else {
                return Err(Stop::Error(
                    "requirement failed: Invalid entity config: all configs to be added must be in the format \
                     \"key=val\" or  \"key=[val1,val2]\" to group values which contain commas."
                        .to_owned(),
                ));
            };
            add.insert(key.trim().to_owned(), value.replace(['[', ']'], "").trim().to_owned());
        }
    }
    let legal = |letter: char| letter.is_ascii_alphanumeric() || matches!(letter, '$' | '.' | '_' | '-');
    if let Some(bad) = add.keys().find(|key| !key.chars().all(legal)) {
        return Err(Stop::Error(format!("Invalid character found for config key: {bad}")));
    }
    order.add = add;
    let deleted = options.all("delete-config");
    order.delete = deleted.iter().flat_map(|keys| keys.split(',')).map(|key| key.trim().to_owned()).collect();
    Ok(order)
}

/// Splits where the letter stands outside square brackets.
fn outside_brackets(text: &str, at: char) -> Vec<String> {
    let (mut parts, mut depth) = (vec![String::new()], 0_i32);
    for letter in text.chars() {
        depth += i32::from(letter == '[') - i32::from(letter == ']');
        if letter == at && depth <= 0 {
            parts.push(String::new());
        } else if let Some(last) = parts.last_mut() {
            last.push(letter);
        }
    }
    parts
}

async fn alter(order: &Order, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    match order.kind() {
        "users" | "clients" | "ips" => quotas::alter(order, cluster).await?,
        _ => resources::alter(order, cluster).await?,
    }
    let name = order.names.first().map_or("", String::as_str);
    if name.is_empty() {
        terminal.line(format!("Completed updating default config for {} in the cluster.", order.kind()));
    } else {
        terminal.line(format!("Completed updating config for {} {name}.", order.singular()));
    }
    Ok(())
}

async fn describe(order: &Order, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    match order.kind() {
        "users" | "clients" | "ips" => quotas::describe(order, cluster, terminal).await,
        _ => resources::describe(order, cluster, terminal).await,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Order, Stop> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        order(&SYNTAX.read(&arguments)?)
    }

    #[test]
    fn brackets_hold_values_with_commas() {
        let order =
            read("--bootstrap-server x:1 --alter --topic t --add-config a=1,b=[x,y],c=[k=v]").unwrap();
        assert_eq!(
            (order.add["a"].as_str(), order.add["b"].as_str(), order.add["c"].as_str()),
            ("1", "x,y", "k=v")
        );
        assert_eq!((order.kind(), order.singular()), ("topics", "topic"));
    }

    #[test]
    fn default_entities_have_empty_names() {
        let line = "--bootstrap-server x:1 --alter --entity-type users --entity-default --entity-type clients \
                    --entity-name c --add-config consumer_byte_rate=1";
        let order = read(line).unwrap();
        assert_eq!(
            (order.types, order.names),
            (vec!["users".to_owned(), "clients".to_owned()], vec![String::new(), "c".to_owned()])
        );
    }

    #[test]
    fn refusals_are_kafkas() {
        let said = |line: &str| match read(line) {
            Err(Stop::Error(words) | Stop::Usage { message: words, .. }) => words,
            other => format!("{other:?}"),
        };
        assert_eq!(
            said("--describe --topic t"),
            "Either --bootstrap-server or --bootstrap-controller must be specified."
        );
        assert_eq!(said("--bootstrap-server x:1 --describe"), "At least one entity type must be specified");
        assert!(
            said("--bootstrap-server x:1 --describe --entity-type x").starts_with("Invalid entity type x, ")
        );
        assert_eq!(
            said("--bootstrap-server x:1 --alter --entity-type topics --add-config a=1"),
            "An entity name must be specified with --alter of topics"
        );
    }
}
