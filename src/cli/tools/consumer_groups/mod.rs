//! `kafka-consumer-groups` (`org.apache.kafka.tools.consumer.group.ConsumerGroupCommand`): lists, describes, resets and
//! deletes consumer groups.

mod delete;
pub(crate) mod describe;
pub(crate) mod reset;

use client::Cluster;
use regex::Regex;

use crate::group_admin;
use crate::kafka::{self, Trouble};
use crate::options::{HELP, Options, Syntax, VERSION, flag, maybe, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to list all consumer groups, describe a consumer group, delete consumer group info, or \
            reset consumer group offsets.",
    options: &[
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        value(&["group"], "id", "The group; may be repeated."),
        value(&["topic"], "name[:n,...]", "A topic, or some of its partitions; may be repeated."),
        flag(&["all-topics"], "Every topic of the group."),
        flag(&["list"], "Name every group."),
        flag(&["describe"], "Show members, offsets and lag."),
        flag(&["all-groups"], "Every group."),
        flag(&["delete"], "Remove groups with their offsets."),
        value(&["timeout"], "ms", "Longest wait of a call; 30000."),
        value(&["command-config"], "file", "Properties of the client."),
        flag(&["reset-offsets"], "Move what a group without members has committed."),
        flag(&["delete-offsets"], "Forget what a group has committed of topics."),
        flag(&["dry-run"], "Show only what would be done."),
        flag(&["execute"], "Do it."),
        flag(&["export"], "Show it as CSV."),
        value(&["to-offset"], "n", "To this offset."),
        value(&["from-file"], "file", "To what a CSV file says."),
        value(&["to-datetime"], "YYYY-MM-DDThh:mm:ss.sss", "To the first record at or after it."),
        value(&["by-duration"], "PnDTnHnMnS", "To the first record of the time since then."),
        flag(&["to-earliest"], "To the first record."),
        flag(&["to-latest"], "Behind the last record."),
        flag(&["to-current"], "To what is committed now."),
        value(&["shift-by"], "n", "So many records on, or back where it is negative."),
        flag(&["members"], "Describe the members."),
        flag(&["verbose"], "Describe in more detail."),
        flag(&["offsets"], "Describe offsets and lag, which is the default."),
        maybe(&["state"], "states", "Describe the state; or list with states, or only these."),
        maybe(&["type"], "types", "List with types, or only these."),
        value(&["validate-regex"], "expression", "Only check an expression."),
        HELP,
        VERSION,
    ],
};

const ACTIONS: [&str; 6] =
    ["list", "describe", "delete", "reset-offsets", "delete-offsets", "validate-regex"];

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(kafka::plain)?;
    check_availability(&options)?;
    check_options(&options, terminal)?;
    if ACTIONS.iter().filter(|action| options.has(action)).count() != 1 {
        let actions = ACTIONS.map(|action| format!("--{action}")).join(", ");
        return Err(options.usage(format!("Command must include exactly one action: {actions}")));
    }
    if let Some(expression) = options.one("validate-regex")? {
        match Regex::new(&expression) {
            Ok(_) => terminal.line(format!("The regular expression `{expression}` is valid.")),
            Err(error) => {
                terminal.line(format!("The regular expression `{expression}` is invalid: {error}."));
            }
        }
        return Ok(());
    }
    let mut cluster = cluster(&options)?;
    let done = kafka::block_on(async { Ok(act(&options, &mut cluster, terminal).await) })?;
    done.or_else(|failure| failure.end("consumer", &options, terminal))
}

/// The cluster that the command line of a tool for groups means.
pub(crate) fn cluster(options: &Options) -> Result<Cluster, Stop> {
    let mut properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let timeout: u64 = options.number("timeout")?.unwrap_or(TIMEOUT_MS);
    properties.set("default.api.timeout.ms", timeout.to_string());
    kafka::connect(&options.required("bootstrap-server")?, &properties, "adminclient-1")
}

const TIMEOUT_MS: u64 = 30_000;

/// Why an action ended early.
#[derive(Debug)]
pub(crate) enum Failure {
    /// A call failed.
    Trouble(Trouble),
    /// What is refused with the usage.
    Refused(String),
    /// Something below has ended it.
    Stop(Stop),
}

impl Failure {
    /// Ends a tool for groups of this kind as the Java tool does, which tells a call that failed on standard output and
    /// exits well.
    pub(crate) fn end(self, kind: &str, options: &Options, terminal: &mut Terminal) -> Result<(), Stop> {
        match self {
            Self::Stop(stop) => Err(stop),
            Self::Refused(words) => Err(options.usage(words)),
            Self::Trouble(trouble) => {
                terminal.line(format!(
                    "\nError: Executing {kind} group command failed due to {}{trouble}",
                    crate::errors::java_class(trouble.code())
                ));
                Ok(())
            }
        }
    }
}

impl<E: Into<Trouble>> From<E> for Failure {
    fn from(error: E) -> Self {
        Self::Trouble(error.into())
    }
}

impl From<Stop> for Failure {
    fn from(stop: Stop) -> Self {
        Self::Stop(stop)
    }
}

async fn act(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    if options.has("list") {
        list(options, cluster, terminal).await
    } else if options.has("describe") {
        describe::run(options, cluster, terminal).await
    } else if options.has("delete") {
        delete::groups(options, cluster, terminal).await
    } else if options.has("reset-offsets") {
        reset::run(options, cluster, terminal).await
    } else {
        delete::offsets(options, cluster, terminal).await
    }
}

/// The groups that the command line means.
async fn chosen(options: &Options, cluster: &mut Cluster) -> Result<Vec<String>, Failure> {
    if options.has("all-groups") {
        let listed = consumer_groups(cluster, &[], &[]).await?;
        return Ok(listed.into_iter().map(|group| group.id).collect());
    }
    Ok(options.all("group"))
}

async fn consumer_groups(
    cluster: &mut Cluster,
    states: &[String],
    kinds: &[String],
) -> Result<Vec<group_admin::Listed>, Trouble> {
    let kinds = if kinds.is_empty() { &CONSUMER_KINDS.map(str::to_owned)[..] } else { kinds };
    let listed = group_admin::list(cluster, states, kinds).await?;
    Ok(listed.into_iter().filter(|group| matches!(group.protocol.as_str(), "consumer" | "")).collect())
}

async fn list(options: &Options, cluster: &mut Cluster, terminal: &mut Terminal) -> Result<(), Failure> {
    let (with_kind, with_state) = (options.has("type"), options.has("state"));
    let kinds = values(options, "type", &CONSUMER_KINDS, "types")?;
    let states = values(options, "state", &STATES, "state")?;
    let groups = consumer_groups(cluster, &states, &kinds).await?;
    if !with_kind && !with_state {
        for group in groups {
            terminal.line(group.id);
        }
        return Ok(());
    }
    let width = groups.iter().map(|group| group.id.chars().count()).max().unwrap_or(0).max(15) + 10;
    let mut row = |id: &str, kind: &str, state: &str| {
        let mut line = format!("{id:<width$}");
        for (_, column) in [(with_kind, kind), (with_state, state)].into_iter().filter(|(shown, _)| *shown) {
            line.push_str(&format!(" {column:<20}"));
        }
        terminal.line(line);
    };
    row("GROUP", "TYPE", "STATE");
    for group in groups {
        let or_unknown = |text: &str| if text.is_empty() { "Unknown".to_owned() } else { text.to_owned() };
        row(&group.id, &or_unknown(&capitalised(&group.kind)), &or_unknown(&group.state));
    }
    Ok(())
}

/// The comma-separated values of an option, in the broker's spelling.
pub(crate) fn values(
    options: &Options,
    name: &str,
    legal: &[&str],
    what: &str,
) -> Result<Vec<String>, Failure> {
    let Some(text) = options.one(name)?.filter(|text| !text.is_empty()) else { return Ok(Vec::new()) };
    let find = |part: &str| {
        legal.iter().find(|one| one.eq_ignore_ascii_case(part.trim())).map(|one| (*one).to_owned())
    };
    let found: Option<Vec<String>> = text.split(',').map(find).collect();
    found.ok_or_else(|| {
        let valid = if what == "state" { "states" } else { what };
        Failure::Refused(format!("Invalid {what} list '{text}'. Valid {valid} are: {}", legal.join(", ")))
    })
}

fn capitalised(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + letters.as_str())
}

const CONSUMER_KINDS: [&str; 2] = ["Classic", "Consumer"];
const STATES: [&str; 7] =
    ["PreparingRebalance", "CompletingRebalance", "Stable", "Dead", "Empty", "Assigning", "Reconciling"];

/// Options that mean something only beside others (joptsimple's `availableIf`).
fn check_availability(options: &Options) -> Result<(), Stop> {
    if options.has("help") || options.has("version") {
        return Ok(());
    }
    const ONLY_BESIDE: [(&str, &[&str]); 5] = [
        ("members", &["describe"]),
        ("verbose", &["describe"]),
        ("offsets", &["describe"]),
        ("state", &["describe", "list"]),
        ("type", &["list"]),
    ];
    let stray = ONLY_BESIDE
        .iter()
        .filter(|(name, beside)| options.has(name) && !beside.iter().any(|other| options.has(other)));
    let stray: Vec<&str> = stray.map(|(name, _)| *name).collect();
    if stray.is_empty() {
        return Ok(());
    }
    let stray = stray.join(", ");
    Err(Stop::Error(format!("Option(s) [{stray}] are unavailable given other options on the command line")))
}

fn check_options(options: &Options, terminal: &mut Terminal) -> Result<(), Stop> {
    options.help_or_version()?;
    if !options.has("validate-regex") {
        options.need(&["bootstrap-server"])?;
    }
    let has_scope = options.has("group") || options.has("all-groups");
    if options.has("describe") {
        if !has_scope {
            return Err(options.usage("Option [describe] takes one of these options: [all-groups], [group]"));
        }
        if ["members", "offsets", "state"].iter().filter(|name| options.has(name)).count() > 1 {
            return Err(options.usage(
                "Option [describe] takes at most one of these options: [members], [offsets], [state]",
            ));
        }
        if options.one("state")?.is_some() {
            return Err(options.usage("Option [describe] does not take a value for [state]"));
        }
    }
    if options.has("delete") {
        if !has_scope {
            return Err(options.usage("Option [delete] takes one of these options: [all-groups], [group]"));
        }
        if options.has("topic") {
            return Err(options.usage(
                "The consumer does not support topic-specific offset deletion from a consumer group.",
            ));
        }
    }
    if options.has("delete-offsets") && !(options.has("group") && options.has("topic")) {
        return Err(options.usage("Option [delete-offsets] takes the following options: [group], [topic]"));
    }
    if options.has("reset-offsets") {
        check_reset(options, has_scope, terminal)?;
    }
    options.forbid_with("group", &["all-groups"])?;
    options.forbid_with("group", &["list"])?;
    options.forbid_with("topic", &["list", "describe"])
}

fn check_reset(options: &Options, has_scope: bool, terminal: &mut Terminal) -> Result<(), Stop> {
    if options.has("dry-run") && options.has("execute") {
        return Err(options.usage("Option [reset-offsets] only accepts one of [execute] and [dry-run]"));
    }
    if !options.has("dry-run") && !options.has("execute") {
        terminal.complain(
            "WARN: No action will be performed as the --execute option is missing. In version 5.0, this command will \
             require either --dry-run or --execute to be specified. You should add the --dry-run option explicitly if \
             you are scripting this command and want to keep the current default behavior without prompting.",
        );
    }
    if !has_scope {
        return Err(options.usage("Option [reset-offsets] takes one of these options: [all-groups], [group]"));
    }
    for used in reset::SCENARIOS {
        let others: Vec<&str> = reset::SCENARIOS.into_iter().filter(|other| *other != used).collect();
        options.forbid_with(used, &others)?;
    }
    Ok(())
}
