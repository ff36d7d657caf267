//! A command of our own: how its line is read, what its help says, and what becomes of an error.

use client::{Cluster, ClusterError, Settings};

use crate::kafka::{self, Trouble};
use crate::options::{Opt, Options, Syntax, Takes, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

use super::screen::Tone;

/// The first word behind `ottla`.
#[derive(Clone, Copy, Debug)]
pub struct Noun {
    /// The word.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// What can be done; one verb without a name where there is only one thing.
    pub verbs: &'static [Verb],
    /// Whether the first verb is meant where none is named.
    pub has_default: bool,
}

/// The second word, and what is behind it.
#[derive(Clone, Copy, Debug)]
pub struct Verb {
    /// The word.
    pub name: &'static str,
    /// What its operands are, as the usage shows them.
    pub operands: &'static str,
    /// What it does.
    pub about: &'static str,
    /// What may be named: for the shell, which completes it.
    pub completes: Completes,
    /// Its own options.
    pub options: &'static [Opt],
    /// Does it.
    pub run: fn(&Call, &mut Terminal) -> Result<(), Failure>,
}

/// What a shell can complete of operands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Completes {
    /// Nothing.
    Nothing,
    /// Names of topics.
    Topics,
    /// Names of groups.
    Groups,
}

/// The options of every verb.
pub const COMMON: &[Opt] = &[
    value(
        &["bootstrap-server", "b"],
        "host:port,...",
        "Brokers to begin with (OTTLA_BOOTSTRAP; localhost:9092).",
    ),
    value(&["property", "X"], "key=value", "A property of Kafka's clients; may be repeated."),
    value(&["command-config"], "file", "Properties of Kafka's clients."),
    value(&["timeout-ms"], "ms", "Longest wait for an answer; 30000."),
    flag(&["json"], "Print JSON."),
    flag(&["help", "h"], "Show this text."),
];

/// A command line that has been read.
#[derive(Clone, Debug)]
pub struct Call {
    /// Its options and operands.
    pub options: Options,
    /// The verb's name in full: `topics create`.
    pub name: String,
    /// Brokers to begin with.
    pub bootstrap: String,
}

/// Why a command ended early.
#[derive(Debug)]
pub enum Failure {
    /// A call failed.
    Trouble(Trouble),
    /// A sentence, and what may help.
    Said(String, Option<String>),
    /// Something below the command has ended it.
    Stop(Stop),
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

/// A sentence of its own.
pub fn said(message: impl Into<String>) -> Failure {
    Failure::Said(message.into(), None)
}

/// A sentence, and what may help.
pub fn said_with(message: impl Into<String>, hint: impl Into<String>) -> Failure {
    Failure::Said(message.into(), Some(hint.into()))
}

/// Waits for calls.
pub fn wait<T>(calls: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    kafka::block_on(async { Ok(calls.await) })?
}

/// Runs a command line of this noun.
pub fn run(noun: &'static Noun, arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let environment = std::env::var("OTTLA_BOOTSTRAP").ok().filter(|value| !value.trim().is_empty());
    let mut bootstrap = environment.unwrap_or_else(|| DEFAULT_BOOTSTRAP.to_owned());
    let done = match read(noun, arguments) {
        Ok(Read::Help(text)) => {
            terminal.text(text);
            return Ok(());
        }
        Ok(Read::Call(verb, name, options)) => {
            let named = options.all("bootstrap-server").pop();
            bootstrap = with_ports(&named.unwrap_or(bootstrap));
            let call = Call { options, name, bootstrap: bootstrap.clone() };
            (verb.run)(&call, terminal)
        }
        Err(failure) => Err(failure),
    };
    terminal.progress("");
    done.map_err(|failure| failure.tell(&bootstrap, terminal))
}

enum Read {
    Help(String),
    Call(&'static Verb, String, Options),
}

fn read(noun: &'static Noun, arguments: &[String]) -> Result<Read, Failure> {
    let first = arguments.first().filter(|word| !word.starts_with('-'));
    let named = first.and_then(|word| noun.verbs.iter().find(|verb| verb.name == word));
    let is_alone = noun.verbs.first().filter(|verb| verb.name.is_empty());
    let (verb, rest) = match (is_alone, named) {
        (Some(alone), _) => (alone, arguments),
        (None, Some(verb)) => (verb, arguments.get(1..).unwrap_or_default()),
        (None, None) => {
            if arguments.first().is_some_and(|word| matches!(word.as_str(), "-h" | "--help" | "help")) {
                return Ok(Read::Help(noun.help()));
            }
            let default = noun.verbs.first().filter(|_| noun.has_default && first.is_none());
            match (default, first) {
                (Some(verb), _) => (verb, arguments),
                (None, Some(word)) => return Err(noun.unknown(word)),
                (None, None) => return Ok(Read::Help(noun.help())),
            }
        }
    };
    let name = [noun.name, verb.name].join(" ");
    let name = name.trim_end().to_owned();
    let options = verb.read(&name, rest)?;
    if options.has("help") {
        return Ok(Read::Help(verb.help(&name)));
    }
    // `ottla topics -b host:port describe orders`
    if named.is_none() && is_alone.is_none() {
        let later = options.operands.first().filter(|word| noun.verbs.iter().any(|verb| verb.name == **word));
        if let Some(word) = later {
            let mut moved: Vec<String> = vec![word.clone()];
            let at = arguments.iter().rposition(|one| one == word);
            moved.extend(
                arguments.iter().enumerate().filter(|(i, _)| Some(*i) != at).map(|(_, one)| one.clone()),
            );
            return read(noun, &moved);
        }
    }
    Ok(Read::Call(verb, name, options))
}

impl Noun {
    fn help(&self) -> String {
        let mut text = format!("{}\n\nUsage: ottla {} COMMAND [options]\n\n", self.about, self.name);
        for verb in self.verbs {
            text.push_str(&format!("  {:<10} {}\n", verb.name, verb.about));
        }
        text.push_str(&format!("\n`ottla {} COMMAND --help` shows a command's options.\n", self.name));
        text
    }

    fn unknown(&self, word: &str) -> Failure {
        let near = nearest(word, self.verbs.iter().map(|verb| verb.name));
        let verbs: Vec<&str> = self.verbs.iter().map(|verb| verb.name).collect();
        let hint = near.map_or_else(
            || format!("it has {}", verbs.join(", ")),
            |near| format!("did you mean `ottla {} {near}`?", self.name),
        );
        said_with(format!("ottla {} has no command '{word}'", self.name), hint)
    }
}

impl Verb {
    /// Its own options and those of every verb.
    pub fn all_options(&self) -> Vec<Opt> {
        self.options.iter().chain(COMMON).copied().collect()
    }

    fn read(&self, name: &str, arguments: &[String]) -> Result<Options, Failure> {
        // Kept for ever, which is the process's short life.
        let syntax = Syntax { about: "", options: Vec::leak(self.all_options()) };
        syntax.read(arguments).map_err(|stop| self.refused(name, stop))
    }

    /// The reader's sentences are those of Kafka's tools.
    fn refused(&self, name: &str, stop: Stop) -> Failure {
        let Stop::Usage { message, .. } = stop else { return stop.into() };
        let help = format!("`ottla {name} --help` shows its options");
        if let Some(unknown) = message.strip_suffix(" is not a recognized option") {
            let options = self.all_options();
            let names = options.iter().flat_map(|option| option.names).copied().filter(|name| name.len() > 1);
            let near = nearest(unknown, names);
            let hint = near.map_or(help, |near| format!("did you mean --{near}?"));
            return said_with(format!("ottla {name} has no option {}", dashed(unknown)), hint);
        }
        let lacking =
            message.strip_prefix("Option ").and_then(|rest| rest.strip_suffix(" requires an argument"));
        match lacking {
            Some(option) => said_with(format!("{} needs a value", dashed(option)), help),
            None => said_with(message, help),
        }
    }

    fn help(&self, name: &str) -> String {
        let mut text = format!("{}\n\nUsage: ottla {name}", self.about);
        if !self.operands.is_empty() {
            text.push_str(&format!(" {}", self.operands));
        }
        text.push_str(" [options]\n");
        let rows: Vec<(String, &str)> =
            self.all_options().iter().map(|option| (shown(option), option.about)).collect();
        let width = rows.iter().map(|(shown, _)| shown.chars().count()).max().unwrap_or(0);
        for (index, (shown, about)) in rows.iter().enumerate() {
            if index == 0 || index == self.options.len() {
                text.push('\n');
            }
            text.push_str(&format!("  {shown:<width$}  {about}\n"));
        }
        text
    }
}

/// `-p, --partitions <n>`
fn shown(option: &Opt) -> String {
    let long = option.names.first().map_or_else(String::new, |name| dashed(name));
    let short = option.names.iter().find(|name| name.chars().count() == 1);
    let short = short.map_or_else(|| "    ".to_owned(), |letter| format!("-{letter}, "));
    match option.takes {
        Takes::Nothing => format!("{short}{long}"),
        Takes::Value(what) | Takes::Optional(what) => format!("{short}{long} <{what}>"),
    }
}

fn dashed(name: &str) -> String {
    if name.chars().count() == 1 { format!("-{name}") } else { format!("--{name}") }
}

/// The candidate that was probably meant.
pub fn nearest<'a>(word: &str, candidates: impl Iterator<Item = &'a str>) -> Option<&'a str> {
    let length = word.chars().count();
    let typos_max = length.div_ceil(3).clamp(1, 3);
    candidates
        .filter(|candidate| !candidate.is_empty())
        .map(|candidate| {
            // What was only begun is near too.
            let is_begun = word.len() >= 3 && candidate.starts_with(word);
            (if is_begun { 1 } else { config::edit_distance(word, candidate) }, candidate)
        })
        .min()
        .filter(|(distance, _)| *distance <= typos_max && *distance < length)
        .map(|(_, candidate)| candidate)
}

/// Gives 9092 to hosts without a port.
fn with_ports(bootstrap: &str) -> String {
    let entries = bootstrap.split(',').map(str::trim).filter(|entry| !entry.is_empty());
    let entries = entries.map(|entry| {
        let bare = entry.rsplit_once("://").map_or(entry, |(_, rest)| rest);
        let has_port =
            bare.rsplit_once(':').is_some_and(|(host, _)| !host.starts_with('[') || host.ends_with(']'));
        if has_port { entry.to_owned() } else { format!("{entry}:9092") }
    });
    entries.collect::<Vec<_>>().join(",")
}

impl Call {
    /// Whether an option was given.
    pub fn has(&self, name: &str) -> bool {
        self.options.has(name)
    }

    /// Whether JSON is wanted.
    pub fn json(&self) -> bool {
        self.has("json")
    }

    /// An option's last value.
    pub fn value(&self, name: &str) -> Option<String> {
        self.options.all(name).pop()
    }

    /// An option's last value as a number.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, Failure> {
        let Some(text) = self.value(name) else { return Ok(None) };
        let number = text.replace('_', "").parse().map_err(|_not_a_number| {
            said(format!("{}: '{text}' is no number that is possible here", dashed(name)))
        })?;
        Ok(Some(number))
    }

    /// `key=value` of an option that may be repeated.
    pub fn pairs(&self, name: &str) -> Result<Vec<(String, String)>, Failure> {
        let cut = |pair: &String| {
            let (key, value) = pair
                .split_once('=')
                .filter(|(key, _)| !key.trim().is_empty())
                .ok_or_else(|| said(format!("{}: '{pair}' is not of the form key=value", dashed(name))))?;
            Ok((key.trim().to_owned(), value.to_owned()))
        };
        self.options.all(name).iter().map(cut).collect()
    }

    /// What is no option.
    pub fn operands(&self) -> &[String] {
        &self.options.operands
    }

    /// The same, of which there has to be one at least.
    pub fn named(&self, what: &str) -> Result<&[String], Failure> {
        if self.operands().is_empty() {
            let help = format!("`ottla {} --help` shows how it is used", self.name);
            return Err(said_with(format!("ottla {} needs the name of a {what}", self.name), help));
        }
        Ok(self.operands())
    }

    /// The properties of the client.
    pub fn properties(&self) -> Result<Properties, Failure> {
        let mut properties =
            Properties::of_option(self.value("command-config").as_deref()).map_err(|stop| match stop {
                Stop::Error(said) => Failure::Said(format!("--command-config cannot be read: {said}"), None),
                other => other.into(),
            })?;
        for (key, value) in self.pairs("property")? {
            properties.set(&key, value);
        }
        let timeout_ms: u64 = self.number("timeout-ms")?.unwrap_or(TIMEOUT_MS);
        for key in ["request.timeout.ms", "default.api.timeout.ms", "max.block.ms"] {
            if self.has("timeout-ms") {
                properties.set(key, timeout_ms.to_string());
            } else {
                properties.set_default(key, timeout_ms.to_string());
            }
        }
        Ok(properties)
    }

    /// The cluster, to which nothing is connected yet.
    pub fn connect(&self, properties: &Properties) -> Result<Cluster, Failure> {
        let defaults =
            Settings { client_id: "ottla-cli".to_owned(), is_patient: false, ..Settings::default() };
        Ok(kafka::connect_with(&self.bootstrap, properties, defaults)?)
    }

    /// The same with the properties of the command line.
    pub fn cluster(&self) -> Result<Cluster, Failure> {
        self.connect(&self.properties()?)
    }

    /// Whether it may be done: said with `-y`, or by whoever is asked.
    pub fn may(&self, question: &str, terminal: &mut Terminal) -> Result<bool, Failure> {
        if self.has("yes") {
            return Ok(true);
        }
        terminal.ask(question).ok_or_else(|| {
            said_with("nothing was changed: nobody can be asked here", "repeat it with -y to do it")
        })
    }
}

impl Failure {
    /// Its sentence, and what may help.
    pub fn told(&self, bootstrap: &str) -> (String, Option<String>) {
        let doctor = || Some(format!("`ottla doctor {bootstrap}` finds out why; -b names other brokers"));
        match self {
            Self::Said(message, hint) => (message.clone(), hint.clone()),
            Self::Trouble(Trouble::Client(ClusterError::Unreachable(reasons))) => {
                (format!("no broker can be reached: {reasons}"), doctor())
            }
            Self::Trouble(Trouble::Client(ClusterError::Unsupported(api))) => {
                (format!("this cluster does not speak {api}"), None)
            }
            Self::Trouble(Trouble::Client(error)) => (error.to_string(), doctor()),
            Self::Trouble(refused @ Trouble::Refused { .. }) => (refused.to_string(), None),
            Self::Stop(Stop::Error(message) | Stop::Usage { message, .. } | Stop::Told { message, .. }) => {
                (message.clone(), None)
            }
            Self::Stop(Stop::Help(_) | Stop::Version | Stop::Status(_)) => (String::new(), None),
        }
    }

    fn tell(self, bootstrap: &str, terminal: &mut Terminal) -> Stop {
        if let Self::Stop(Stop::Status(status)) = self {
            return Stop::Status(status);
        }
        let (message, hint) = self.told(bootstrap);
        complain(&message, hint.as_deref(), terminal);
        Stop::Status(1)
    }
}

/// An error, and what may help, on standard error.
pub fn complain(message: &str, hint: Option<&str>, terminal: &mut Terminal) {
    let has_colour = terminal.looks.error_colour;
    terminal.complain(format!("{} {message}", Tone::Bad.paint("error:", has_colour)));
    if let Some(hint) = hint {
        terminal.complain(format!("{} {hint}", Tone::Strong.paint("hint:", has_colour)));
    }
}

/// What became of each of several names: one JSON array, or a line of `done` for each that went well.
pub fn report(
    call: &Call,
    results: Vec<(String, Result<(), Failure>)>,
    done: &str,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let mut array = Vec::new();
    let mut has_failed = false;
    for (name, result) in results {
        let error = result.err().map(|failure| failure.told(&call.bootstrap));
        has_failed |= error.is_some();
        match &error {
            Some((message, hint)) if !call.json() => {
                let message = if message.contains(name.as_str()) {
                    message.clone()
                } else {
                    format!("{name}: {message}")
                };
                complain(&message, hint.as_deref(), terminal);
            }
            None if !call.json() => terminal.line(format!("{done} {name}")),
            _ => {}
        }
        let error = error.map(|(message, _)| message);
        array.push(serde_json::json!({ "name": name, "ok": error.is_none(), "error": error }));
    }
    if call.json() {
        terminal.line(serde_json::Value::from(array).to_string());
    }
    if has_failed { Err(Stop::Status(1).into()) } else { Ok(()) }
}

/// `-y`
pub const YES: Opt = flag(&["yes", "y"], "Do not ask.");
const DEFAULT_BOOTSTRAP: &str = "localhost:9092";
const TIMEOUT_MS: u64 = 30_000;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_alone_mean_the_usual_port() {
        assert_eq!(with_ports("kafka, a:1,[::1]:2,[::1]"), "kafka:9092,a:1,[::1]:2,[::1]:9092");
        assert_eq!(with_ports("PLAINTEXT://kafka"), "PLAINTEXT://kafka:9092");
    }

    #[test]
    fn what_was_meant_is_found() {
        let names = ["list", "describe", "create", "delete", "alter"];
        for (word, near) in
            [("lst", Some("list")), ("desc", Some("describe")), ("craete", Some("create")), ("x", None)]
        {
            assert_eq!(nearest(word, names.into_iter()), near, "{word}");
        }
    }
}
