//! A command of our own: how its line is read, what its help says, and what becomes of an error.

use client::{Cluster, ClusterError, Settings};

use crate::kafka::{self, Trouble};
use crate::options::{Opt, Options, Syntax, Takes, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

use super::names;
use super::screen::{Tone, plural};

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
    // What is read as text could only be changed, and a changed name or record must not reach a cluster.
    if std::env::args_os().any(|word| word.to_str().is_none()) {
        complain(
            "the command line is not UTF-8",
            Some("records of any bytes come from standard input"),
            terminal,
        );
        return Err(Stop::Status(1));
    }
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
    if let Some(at) = noun.verb_behind_options(arguments) {
        let mut moved = arguments.to_vec();
        let verb = moved.remove(at);
        moved.insert(0, verb);
        return read(noun, &moved);
    }
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
    Ok(Read::Call(verb, name, options))
}

impl Noun {
    /// Where the verb stands that follows options: `ottla topics -b host:port describe orders`.
    fn verb_behind_options(&self, arguments: &[String]) -> Option<usize> {
        let first = arguments.first().filter(|word| word.starts_with('-') && *word != "--")?;
        if matches!(first.as_str(), "-h" | "--help") || self.verbs.iter().any(|verb| verb.name.is_empty()) {
            return None;
        }
        // A letter means the same in every verb, so what all of them know says which words are values.
        let of_verbs = self.verbs.iter().flat_map(|verb| verb.options);
        let all: Vec<Opt> = of_verbs.chain(COMMON).copied().collect();
        let takes_next = |word: &str| {
            let takes = |name: &str| {
                let option = all.iter().find(|option| option.names.contains(&name))?;
                Some(option.takes != Takes::Nothing)
            };
            let name = word.trim_start_matches('-');
            takes(name).unwrap_or_else(|| {
                // Letters may stand together: behind the first that takes a value stands that value.
                let mut letters = name.char_indices().map(|(at, letter)| (at, letter.to_string()));
                let first = letters.find(|(_, letter)| takes(letter) != Some(false));
                first.is_some_and(|(at, letter)| takes(&letter).is_some() && at + letter.len() == name.len())
            })
        };
        let mut words = arguments.iter().enumerate();
        while let Some((at, word)) = words.next() {
            if !word.starts_with('-') {
                return self.verbs.iter().any(|verb| verb.name == word).then_some(at);
            }
            if word == "--" {
                return None;
            }
            if takes_next(word) {
                words.next();
            }
        }
        None
    }

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

    /// Whether these, which a pattern may have found, may be deleted.
    pub fn may_delete(&self, chosen: &[String], what: &str, terminal: &mut Terminal) -> Result<(), Failure> {
        if self.operands().iter().all(|name| !names::is_pattern(name)) || self.has("yes") {
            return Ok(());
        }
        terminal.complain(chosen.join("\n"));
        if self.may(&format!("Delete {}?", plural(chosen.len() as i64, what)), terminal)? {
            return Ok(());
        }
        Err(said("nothing was deleted"))
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

/// What becomes of names that are gone through one by one, also where the cluster is lost on the way.
#[derive(Debug, Default)]
pub struct OneByOne {
    results: Vec<(String, Result<(), Failure>)>,
}

impl OneByOne {
    /// Notes what became of a name. Where that is unknown because the cluster cannot be reached, those that are `left` are not
    /// tried; where it was the first, the command as a whole has failed.
    pub fn note<'a>(
        &mut self,
        name: &str,
        result: Result<(), Failure>,
        left: &mut impl Iterator<Item = &'a String>,
    ) -> Result<(), Failure> {
        let is_lost = matches!(result, Err(Failure::Trouble(Trouble::Client(_))));
        if is_lost && self.results.is_empty() {
            return result;
        }
        self.results.push((name.to_owned(), result));
        if is_lost {
            self.results.extend(left.map(|name| (name.clone(), Err(said("was not tried any more")))));
        }
        Ok(())
    }

    /// What became of each.
    pub fn into_all(self) -> Vec<(String, Result<(), Failure>)> {
        self.results
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
    fn a_verb_may_stand_behind_options() {
        const NOUN: Noun = Noun {
            name: "topics",
            about: "",
            has_default: true,
            verbs: &[
                Verb {
                    name: "list",
                    operands: "",
                    about: "",
                    completes: Completes::Nothing,
                    options: &[flag(&["all", "a"], "")],
                    run: |_, _| Ok(()),
                },
                Verb {
                    name: "create",
                    operands: "",
                    about: "",
                    completes: Completes::Nothing,
                    options: &[value(&["partitions", "p"], "n", "")],
                    run: |_, _| Ok(()),
                },
            ],
        };
        for (line, at) in [
            ("-b host:1 create x", Some(2)),
            ("-b list create x", Some(2)),
            ("-p 3 create x", Some(2)),
            ("-p3 --json create x", Some(2)),
            ("--timeout-ms=5 -ab create list x", Some(3)),
            ("--partitions 3 x create", None),
            ("-a create", Some(1)),
            ("-a -- create", None),
            ("create -p 3", None),
            ("--help create", None),
        ] {
            let words: Vec<String> = line.split(' ').map(str::to_owned).collect();
            assert_eq!(NOUN.verb_behind_options(&words), at, "{line}");
        }
    }

    #[test]
    fn what_was_done_is_told_where_the_cluster_is_lost() {
        let lost = || Err(Failure::Trouble(Trouble::Client(ClusterError::Unresolvable)));
        let names = ["a", "b", "c", "d"].map(str::to_owned);
        let (mut results, mut left) = (OneByOne::default(), names.iter());
        assert!(OneByOne::default().note("a", lost(), &mut left).is_err(), "nothing was done");
        while let Some(name) = left.next() {
            results.note(name, if name == "b" { lost() } else { Ok(()) }, &mut left).unwrap();
        }
        let all: Vec<(String, bool)> =
            results.into_all().into_iter().map(|(name, result)| (name, result.is_ok())).collect();
        let told = [("a", true), ("b", false), ("c", false), ("d", false)];
        assert_eq!(all, told.map(|(name, is_done)| (name.to_owned(), is_done)));
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
