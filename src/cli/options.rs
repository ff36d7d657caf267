//! Command lines as the Java tools read them (joptsimple 5): `--name value`, `--name=value`, `-name value`, clusters of
//! one-letter options, `--` before operands, and its error sentences. Abbreviations are off, as in Kafka's tools.

use std::collections::BTreeMap;

use crate::terminal::Stop;

/// Whether an option takes a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Takes {
    /// No value.
    Nothing,
    /// A value, called so in the usage text.
    Value(&'static str),
    /// A value that may be left out.
    Optional(&'static str),
}

/// One option of a tool.
#[derive(Clone, Copy, Debug)]
pub struct Opt {
    /// Its names without dashes; the first is what errors call it.
    pub names: &'static [&'static str],
    /// Its value.
    pub takes: Takes,
    /// One line of usage.
    pub about: &'static str,
}

/// An option without a value.
pub const fn flag(names: &'static [&'static str], about: &'static str) -> Opt {
    Opt { names, takes: Takes::Nothing, about }
}

/// An option with a value.
pub const fn value(names: &'static [&'static str], what: &'static str, about: &'static str) -> Opt {
    Opt { names, takes: Takes::Value(what), about }
}

/// An option whose value may be left out.
pub const fn maybe(names: &'static [&'static str], what: &'static str, about: &'static str) -> Opt {
    Opt { names, takes: Takes::Optional(what), about }
}

/// Which cluster is asked, for tools that would ask controllers too.
pub const CLUSTER: &[Opt] = &[
    value(&["bootstrap-server"], "host:port,...", "Brokers to begin with."),
    value(&["bootstrap-controller"], "host:port,...", "Controllers to begin with."),
    value(&["command-config"], "file", "Properties of the client."),
];

/// `--help` and `--version`, which every tool has.
pub const HELP: Opt = flag(&["help"], "Show this text.");
/// See [`HELP`].
pub const VERSION: Opt = flag(&["version"], "Show the version.");

/// What a tool understands.
#[derive(Clone, Copy, Debug)]
pub struct Syntax {
    /// What the tool is for, shown above the usage.
    pub about: &'static str,
    /// Its options.
    pub options: &'static [Opt],
}

/// A command line that has been read.
#[derive(Clone, Debug)]
pub struct Options {
    syntax: Syntax,
    /// Values by the option's first name; an option without its value has none.
    given: BTreeMap<&'static str, Vec<Option<String>>>,
    /// First names in the order they were given.
    sequence: Vec<&'static str>,
    /// What is no option.
    pub operands: Vec<String>,
    /// Whether nothing at all was given.
    pub is_empty: bool,
}

impl Syntax {
    /// Reads a command line.
    ///
    /// # Errors
    /// [`Stop::Usage`] with joptsimple's sentence.
    pub fn read(&self, arguments: &[String]) -> Result<Options, Stop> {
        let mut options = Options {
            syntax: *self,
            given: BTreeMap::new(),
            sequence: Vec::new(),
            operands: Vec::new(),
            is_empty: arguments.is_empty(),
        };
        let mut rest = arguments.iter().map(String::as_str).peekable();
        while let Some(argument) = rest.next() {
            if argument == "--" {
                options.operands.extend(rest.by_ref().map(str::to_owned));
            } else if let Some(long) = argument.strip_prefix("--") {
                let (name, inline) = cut(long);
                let option = self.find(name).ok_or_else(|| self.unknown(name))?;
                options.take(self, option, inline, &mut rest)?;
            } else if let Some(short) = argument.strip_prefix('-').filter(|short| !short.is_empty()) {
                self.read_short(short, &mut options, &mut rest)?;
            } else {
                options.operands.push(argument.to_owned());
            }
        }
        Ok(options)
    }

    /// One dash: a whole name, or letters that are options each.
    fn read_short<'a>(
        &self,
        short: &str,
        options: &mut Options,
        rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) -> Result<(), Stop> {
        let (name, inline) = cut(short);
        if let Some(option) = self.find(name) {
            return options.take(self, option, inline, rest);
        }
        for (index, letter) in short.char_indices() {
            let mut bytes = [0; 4];
            let letter_name = letter.encode_utf8(&mut bytes);
            let option = self.find(letter_name).ok_or_else(|| self.unknown(letter_name))?;
            let after = short.get(index + letter.len_utf8()..).unwrap_or_default();
            if option.takes != Takes::Nothing {
                let inline = Some(after.to_owned()).filter(|after| !after.is_empty());
                return options.take(self, option, inline, rest);
            }
            options.note(option, None);
        }
        Ok(())
    }

    fn find(&self, name: &str) -> Option<&'static Opt> {
        self.options.iter().find(|option| option.names.contains(&name))
    }

    fn unknown(&self, name: &str) -> Stop {
        self.usage(format!("{name} is not a recognized option"))
    }

    /// A refusal that shows how the tool is used.
    pub fn usage(&self, message: impl Into<String>) -> Stop {
        Stop::Usage { message: message.into(), usage: self.text() }
    }

    fn text(&self) -> String {
        let rows = self.options.iter().map(|option| {
            let names: Vec<String> = option
                .names
                .iter()
                .map(|name| if name.chars().count() == 1 { format!("-{name}") } else { format!("--{name}") })
                .collect();
            let value = match option.takes {
                Takes::Nothing => String::new(),
                Takes::Value(what) => format!(" <{what}>"),
                Takes::Optional(what) => format!(" [{what}]"),
            };
            (format!("{}{value}", names.join(", ")), option.about)
        });
        let rows: Vec<(String, &str)> = rows.collect();
        let width = rows.iter().map(|(name, _)| name.chars().count()).max().unwrap_or_default().min(38);
        let mut text = format!("{:width$}  Description\n{:-<width$}  -----------\n", "Option", "------");
        for (name, about) in rows {
            text.push_str(&format!("{name:width$}  {about}\n"));
        }
        text
    }
}

impl Options {
    fn take<'a>(
        &mut self,
        syntax: &Syntax,
        option: &'static Opt,
        inline: Option<String>,
        rest: &mut std::iter::Peekable<impl Iterator<Item = &'a str>>,
    ) -> Result<(), Stop> {
        let value = match option.takes {
            // joptsimple drops what is written behind the `=` of an option without a value.
            Takes::Nothing => None,
            Takes::Value(_) => {
                let next = inline.or_else(|| rest.next().map(str::to_owned));
                let first = first_name(option);
                Some(next.ok_or_else(|| syntax.usage(format!("Option {first} requires an argument")))?)
            }
            Takes::Optional(_) => inline
                .or_else(|| rest.next_if(|next| !next.starts_with('-') || *next == "-").map(str::to_owned)),
        };
        self.note(option, value);
        Ok(())
    }

    fn note(&mut self, option: &'static Opt, value: Option<String>) {
        self.sequence.push(first_name(option));
        self.given.entry(first_name(option)).or_default().push(value);
    }

    /// Whether the option was given.
    pub fn has(&self, name: &str) -> bool {
        self.given.contains_key(name)
    }

    /// Which of these were given, in their order on the command line.
    pub fn order(&self, names: &[&str]) -> Vec<&'static str> {
        self.sequence.iter().copied().filter(|name| names.contains(name)).collect()
    }

    /// Every value of the option, in their order.
    pub fn all(&self, name: &str) -> Vec<String> {
        self.given.get(name).into_iter().flatten().flatten().cloned().collect()
    }

    /// The option's one value.
    ///
    /// # Errors
    /// [`Stop::Usage`] when it was given more than once.
    pub fn one(&self, name: &str) -> Result<Option<String>, Stop> {
        let mut all = self.all(name);
        if all.len() > 1 {
            let message = format!("Found multiple arguments for option {name}, but you asked for only one");
            return Err(self.syntax.usage(message));
        }
        Ok(all.pop())
    }

    /// The option's one value as a number.
    ///
    /// # Errors
    /// [`Stop::Usage`] with joptsimple's sentence.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, Stop> {
        let Some(text) = self.one(name)? else { return Ok(None) };
        let number = text.parse().map_err(|_not_a_number| {
            self.syntax.usage(format!("Cannot parse argument '{text}' of option {name}"))
        })?;
        Ok(Some(number))
    }

    /// The one value of an option that must be there.
    ///
    /// # Errors
    /// [`Stop::Usage`].
    pub fn required(&self, name: &str) -> Result<String, Stop> {
        self.one(name)?.ok_or_else(|| self.syntax.usage(format!("Missing required argument \"[{name}]\"")))
    }

    /// A refusal that shows how the tool is used.
    pub fn usage(&self, message: impl Into<String>) -> Stop {
        self.syntax.usage(message)
    }

    /// What every tool does first: the usage for `--help` or no argument at all, the version for `--version`.
    ///
    /// # Errors
    /// [`Stop`], when that is all that was asked.
    pub fn help_or_version(&self) -> Result<(), Stop> {
        if self.is_empty || self.has("help") {
            return Err(self.syntax.usage(self.syntax.about));
        }
        if self.has("version") {
            return Err(Stop::Version);
        }
        Ok(())
    }

    /// All of these must be there.
    ///
    /// # Errors
    /// [`Stop::Usage`].
    pub fn need(&self, names: &[&str]) -> Result<(), Stop> {
        match names.iter().find(|name| !self.has(name)) {
            Some(missing) => {
                let missing = self.bracketed(missing);
                Err(self.syntax.usage(format!("Missing required argument \"{missing}\"")))
            }
            None => Ok(()),
        }
    }

    /// None of these may be there beside `used`.
    ///
    /// # Errors
    /// [`Stop::Usage`].
    pub fn forbid_with(&self, used: &str, others: &[&str]) -> Result<(), Stop> {
        if !self.has(used) {
            return Ok(());
        }
        match others.iter().find(|other| self.has(other)) {
            Some(other) => {
                let (used, other) = (self.bracketed(used), self.bracketed(other));
                Err(self.syntax.usage(format!("Option \"{used}\" can't be used with option \"{other}\"")))
            }
            None => Ok(()),
        }
    }

    /// Exactly one of these must be there.
    ///
    /// # Errors
    /// [`Stop::Usage`].
    pub fn need_one_of(&self, names: &[&str]) -> Result<(), Stop> {
        if names.iter().filter(|name| self.has(name)).count() == 1 {
            return Ok(());
        }
        let names: Vec<String> = names.iter().map(|name| self.bracketed(name)).collect();
        let message = format!("Exactly one of the following arguments is required: {}", names.join(", "));
        Err(self.syntax.usage(message))
    }

    /// `[name]`, or `[n, name]` with the shorter names first, as joptsimple prints an option.
    fn bracketed(&self, name: &str) -> String {
        let names = self.syntax.find(name).map_or(&[][..], |option| option.names);
        let mut names: Vec<&str> = if names.is_empty() { vec![name] } else { names.to_vec() };
        names.sort_by_key(|name| name.chars().count() > 1);
        format!("[{}]", names.join(", "))
    }
}

fn first_name(option: &'static Opt) -> &'static str {
    option.names.first().copied().unwrap_or_default()
}

fn cut(text: &str) -> (&str, Option<String>) {
    match text.split_once('=') {
        Some((name, value)) => (name, Some(value.to_owned())),
        None => (text, None),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SYNTAX: Syntax = Syntax {
        about: "A tool.",
        options: &[
            value(&["topic"], "topic", "The topic."),
            flag(&["list"], "List."),
            maybe(&["state"], "states", "States."),
            value(&["t", "time"], "ms", "Time."),
            HELP,
        ],
    };

    fn read(line: &str) -> Result<Options, String> {
        let arguments: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        SYNTAX.read(&arguments).map_err(|stop| match stop {
            Stop::Usage { message, .. } => message,
            other => format!("{other:?}"),
        })
    }

    #[test]
    fn values_stand_behind_a_space_or_an_equals_sign() {
        for line in ["--topic a", "--topic=a", "-topic a", "-topic=a"] {
            assert_eq!(read(line).unwrap().one("topic").unwrap(), Some("a".to_owned()), "{line}");
        }
        assert_eq!(read("--topic --list").unwrap().all("topic"), ["--list"]);
        let options = read("--list x -- --topic").unwrap();
        assert!(options.has("list") && !options.has("topic"));
        assert_eq!(options.operands, ["x", "--topic"]);
        assert_eq!(read("-t5").unwrap().number("t").unwrap(), Some(5));
    }

    #[test]
    fn a_value_may_be_left_out_where_it_is_optional() {
        let options = read("--state --list").unwrap();
        assert!(options.has("state") && options.has("list") && options.all("state").is_empty());
        assert_eq!(read("--state empty").unwrap().all("state"), ["empty"]);
    }

    #[test]
    fn refusals_are_joptsimples() {
        for (line, message) in [
            ("--nope", "nope is not a recognized option"),
            ("--top a", "top is not a recognized option"),
            ("-x", "x is not a recognized option"),
            ("--topic", "Option topic requires an argument"),
        ] {
            assert_eq!(read(line).unwrap_err(), message, "{line}");
        }
        let twice = read("--topic a --topic b").unwrap().one("topic").unwrap_err();
        assert!(format!("{twice:?}").contains("Found multiple arguments for option topic"));
        let word = read("-t x").unwrap().number::<i32>("t").unwrap_err();
        assert!(format!("{word:?}").contains("Cannot parse argument 'x' of option t"));
        let missing = read("--list").unwrap().need(&["topic"]).unwrap_err();
        assert!(format!("{missing:?}").contains("Missing required argument \\\"[topic]\\\""));
    }
}
