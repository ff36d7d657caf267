//! Command lines of the tools that Kafka reads with argparse4j: a command, then its options. A refusal shows a line of
//! usage and `tool: error: ...` on standard error, status 1; `--help` is answered on standard output, also with status 1.

use crate::options::{Opt, Options, Syntax, Takes};
use crate::terminal::{Stop, Terminal};

/// A tool with commands.
#[derive(Clone, Copy, Debug)]
pub struct Tool {
    /// Its name.
    pub name: &'static str,
    /// What it is for.
    pub about: &'static str,
    /// Options before the command.
    pub options: &'static [Opt],
    /// Its commands.
    pub commands: &'static [Command],
}

/// One of a tool's commands.
#[derive(Clone, Copy, Debug)]
pub struct Command {
    /// Its name.
    pub name: &'static str,
    /// What it does.
    pub about: &'static str,
    /// Its options.
    pub options: &'static [Opt],
    /// Options of which one has to be there, each named by its first name; at most one of them may.
    pub one_of: &'static [&'static str],
    /// Options that have to be there.
    pub needed: &'static [&'static str],
}

/// A command line that has been read.
#[derive(Clone, Debug)]
pub struct Parsed {
    /// The command.
    pub command: &'static Command,
    /// The options before it.
    pub global: Options,
    /// Its own options.
    pub options: Options,
    tool: Tool,
}

impl Tool {
    /// Reads a command line.
    ///
    /// # Errors
    /// [`Stop`], with argparse4j's sentence.
    pub fn read(&self, arguments: &[String]) -> Result<Parsed, Stop> {
        let at = self.command_at(arguments);
        let (before, after) = arguments.split_at(at);
        if before.iter().any(|argument| matches!(argument.as_str(), "-h" | "--help")) {
            return Err(Stop::Help(self.help()));
        }
        let global = self.read_options(self.options, before, None)?;
        let Some((named, rest)) = after.split_first() else {
            return Err(self.refuse(None, "too few arguments"));
        };
        let Some(command) = self.commands.iter().find(|command| command.name == named) else {
            let names: Vec<String> = self.commands.iter().map(|one| format!("'{}'", one.name)).collect();
            let message = format!("invalid choice: '{named}' (choose from {})", names.join(", "));
            return Err(self.refuse(None, &message));
        };
        if rest.iter().any(|argument| matches!(argument.as_str(), "-h" | "--help")) {
            return Err(Stop::Help(self.help_of(command)));
        }
        let options = self.read_options(command.options, rest, Some(command))?;
        if let Some(stray) = options.operands.first() {
            return Err(self.refuse(Some(command), &format!("unrecognized arguments: '{stray}'")));
        }
        self.check(command, &options)?;
        Ok(Parsed { command, global, options, tool: *self })
    }

    fn check(&self, command: &'static Command, options: &Options) -> Result<(), Stop> {
        if let Some(missing) = command.needed.iter().find(|name| !options.has(name)) {
            let missing = dashed(command.options, missing);
            return Err(self.refuse(Some(command), &format!("argument {missing} is required")));
        }
        let mut given = options.order(command.one_of).into_iter();
        let (first, second) = (given.next(), given.next());
        if first.is_none() && !command.one_of.is_empty() {
            let names: Vec<String> =
                command.one_of.iter().map(|name| dashed(command.options, name)).collect();
            let message = format!("one of the arguments {} is required", names.join(" "));
            return Err(self.refuse(Some(command), &message));
        }
        if let (Some(first), Some(second)) = (first, second) {
            let (first, second) = (dashed(command.options, first), dashed(command.options, second));
            let message = format!("argument {second}: not allowed with argument {first}");
            return Err(self.refuse(Some(command), &message));
        }
        Ok(())
    }

    /// Reads the command line of a tool that has no commands but one: its options stand alone. Those of `many` take
    /// every value up to the next option.
    ///
    /// # Errors
    /// [`Stop`], with argparse4j's sentence.
    pub fn read_flat(
        &self,
        command: &'static Command,
        many: &[&str],
        arguments: &[String],
    ) -> Result<Parsed, Stop> {
        if arguments.iter().any(|argument| matches!(argument.as_str(), "-h" | "--help")) {
            return Err(Stop::Help(self.help_of(command)));
        }
        let global = self.read_options(&[], &[], None)?;
        let options = self.read_options(command.options, &spread(arguments, many), Some(command))?;
        if let Some(stray) = options.operands.first() {
            return Err(self.refuse(Some(command), &format!("unrecognized arguments: '{stray}'")));
        }
        self.check(command, &options)?;
        Ok(Parsed { command, global, options, tool: *self })
    }

    /// Shows the help as a tool does that was called without anything: that is no error.
    pub fn show_help(&self, command: &Command, terminal: &mut Terminal) -> Stop {
        terminal.line(self.help_of(command).trim_end());
        Stop::Status(0)
    }

    /// Where the command stands: behind the tool's own options.
    fn command_at(&self, arguments: &[String]) -> usize {
        let mut at = 0;
        while let Some(argument) = arguments.get(at).filter(|argument| argument.starts_with('-')) {
            let name = argument.trim_start_matches('-');
            let takes = self.options.iter().find(|option| option.names.contains(&name));
            at += if takes.is_some_and(|option| option.takes != Takes::Nothing) { 2 } else { 1 };
        }
        at.min(arguments.len())
    }

    fn read_options(
        &self,
        options: &'static [Opt],
        arguments: &[String],
        command: Option<&'static Command>,
    ) -> Result<Options, Stop> {
        let syntax = Syntax { about: "", options };
        syntax.read(arguments).map_err(|stop| match stop {
            Stop::Usage { message, .. } => {
                let stray = message.strip_suffix(" is not a recognized option");
                let lacking = message
                    .strip_prefix("Option ")
                    .and_then(|rest| rest.strip_suffix(" requires an argument"));
                let message = match (stray, lacking) {
                    (Some(name), _) => {
                        let written =
                            arguments.iter().find(|one| one.trim_start_matches('-').starts_with(name));
                        let written = written.cloned().unwrap_or_else(|| format!("--{name}"));
                        format!("unrecognized arguments: '{written}'")
                    }
                    (None, Some(name)) => {
                        format!("argument {}: expected one argument", dashed(options, name))
                    }
                    (None, None) => message,
                };
                self.refuse(command, &message)
            }
            other => other,
        })
    }

    fn refuse(&self, command: Option<&Command>, message: &str) -> Stop {
        let usage = command.map_or_else(|| self.usage(), |command| self.usage_of(command));
        Stop::Error(format!("{usage}\n{}: error: {message}", self.name))
    }

    fn usage(&self) -> String {
        let names: Vec<&str> = self.commands.iter().map(|command| command.name).collect();
        format!("usage: {} [-h]{} {{{}}} ...", self.name, bracketed(self.options, &[]), names.join(","))
    }

    fn usage_of(&self, command: &Command) -> String {
        let name = if command.name.is_empty() { String::new() } else { format!(" {}", command.name) };
        format!("usage: {}{name} [-h]{}", self.name, bracketed(command.options, command.needed))
    }

    fn help(&self) -> String {
        let mut text = format!("{}\n\n{}\n\ncommands:\n", self.usage(), self.about);
        for command in self.commands {
            text.push_str(&format!("  {:24} {}\n", command.name, command.about));
        }
        text
    }

    fn help_of(&self, command: &Command) -> String {
        let mut text = format!("{}\n\n{}\n\noptions:\n", self.usage_of(command), command.about);
        for option in command.options {
            let name = option.names.first().map_or(String::new(), |name| dashed(command.options, name));
            text.push_str(&format!("  {name:32} {}\n", option.about));
        }
        text
    }
}

impl Parsed {
    /// A refusal with the command's usage.
    pub fn refuse(&self, message: &str) -> Stop {
        self.tool.refuse(Some(self.command), message)
    }

    /// A refusal with the tool's usage.
    pub fn refuse_tool(&self, message: &str) -> Stop {
        self.tool.refuse(None, message)
    }

    /// A number of the command's options.
    ///
    /// # Errors
    /// [`Stop`], with argparse4j's sentence.
    pub fn number<N: std::str::FromStr>(&self, name: &str) -> Result<Option<N>, Stop> {
        let Some(text) = self.options.all(name).pop() else { return Ok(None) };
        let number = text.parse().map_err(|_not_a_number| {
            let named = dashed(self.command.options, name);
            let kind = java_type::<N>();
            let message = format!(
                "argument {named}: could not convert '{text}' to {kind} (For input string: \"{text}\")"
            );
            self.refuse(&message)
        })?;
        Ok(Some(number))
    }

    /// The last value of one of the command's options.
    pub fn value(&self, name: &str) -> Option<String> {
        self.options.all(name).pop()
    }
}

/// What Java calls a number of this type.
fn java_type<N>() -> &'static str {
    match std::any::type_name::<N>() {
        "i16" => "Short",
        "i32" => "Integer",
        "f64" => "Double",
        _ => "Long",
    }
}

/// `--name a b` as `--name a --name b`.
fn spread(arguments: &[String], many: &[&str]) -> Vec<String> {
    let mut spread: Vec<String> = Vec::with_capacity(arguments.len());
    let (mut open, mut taken) = (None, 0);
    for argument in arguments {
        if let Some(name) = argument.strip_prefix("--") {
            open = many.contains(&name).then_some(name);
            taken = 0;
        } else if let Some(name) = open {
            if taken > 0 {
                spread.push(format!("--{name}"));
            }
            taken += 1;
        }
        spread.push(argument.clone());
    }
    spread
}

/// `--name/-n`.
fn dashed(options: &[Opt], name: &str) -> String {
    let names = options.iter().find(|option| option.names.contains(&name)).map_or(&[][..], |one| one.names);
    let names = names
        .iter()
        .map(|name| if name.chars().count() == 1 { format!("-{name}") } else { format!("--{name}") });
    names.collect::<Vec<_>>().join("/")
}

fn bracketed(options: &[Opt], needed: &[&str]) -> String {
    let one = |option: &Opt| {
        let name = option.names.first().copied().unwrap_or_default();
        let value = if option.takes == Takes::Nothing {
            String::new()
        } else {
            format!(" {}", name.to_uppercase().replace('-', "_"))
        };
        if needed.contains(&name) { format!(" --{name}{value}") } else { format!(" [--{name}{value}]") }
    };
    options.iter().map(one).collect()
}
