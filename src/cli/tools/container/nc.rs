//! `nc -z HOST PORT`: whether somebody listens, as health checks ask it. Anything else is busybox's own `nc`, which has no
//! `-z`.

use std::os::unix::process::CommandExt as _;
use std::process::Command;
use std::time::Duration;

use crate::terminal::{Stop, Terminal};

/// What a command line asks for.
#[derive(Debug, Default, PartialEq, Eq)]
struct Asked {
    probe: bool,
    verbose: bool,
    seconds: Option<u64>,
    operands: Vec<String>,
    /// Whether there are options that mean more than a probe.
    other: bool,
}

/// Runs the tool.
pub(crate) fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let asked = read(arguments);
    if asked.other || !(asked.probe || asked.verbose) {
        return Err(busybox(arguments));
    }
    let [host, port] = asked.operands.as_slice() else {
        return Err(Stop::Error("nc: a host and a port are needed".to_owned()));
    };
    if !asked.probe {
        terminal.complain(format!("Connecting to {host} {port}"));
        let seconds = asked.seconds.unwrap_or(PATIENCE_SECONDS).to_string();
        return Err(busybox(&["-w".to_owned(), seconds, host.clone(), port.clone()]));
    }
    let number = port.parse().map_err(|_not_a_port| Stop::Error(format!("nc: {port} is no port")))?;
    let patience = Duration::from_secs(asked.seconds.unwrap_or(PATIENCE_SECONDS).max(1));
    match super::listens(host, number, patience) {
        Ok(()) => {
            if asked.verbose {
                terminal.complain(format!("Connection to {host} {port} port [tcp/*] succeeded!"));
            }
            Ok(())
        }
        Err(_) if !asked.verbose => Err(Stop::Status(1)),
        Err(reason) => Err(Stop::Error(format!("nc: connect to {host} port {port} (tcp) failed: {reason}"))),
    }
}

fn read(arguments: &[String]) -> Asked {
    let mut asked = Asked::default();
    let mut rest = arguments.iter();
    while let Some(argument) = rest.next() {
        let Some(letters) = argument.strip_prefix('-').filter(|letters| !letters.is_empty()) else {
            asked.operands.push(argument.clone());
            continue;
        };
        for (index, letter) in letters.char_indices() {
            match letter {
                'z' => asked.probe = true,
                'v' => asked.verbose = true,
                'n' | '4' | '6' => {}
                'w' => {
                    let behind = letters.get(index + 1..).filter(|behind| !behind.is_empty());
                    let value = behind.or_else(|| rest.next().map(String::as_str));
                    asked.seconds = value.and_then(|value| value.parse().ok());
                    asked.other |= asked.seconds.is_none();
                    break;
                }
                _ => asked.other = true,
            }
        }
    }
    asked
}

/// Becomes busybox's `nc`; comes back only when there is none.
fn busybox(arguments: &[String]) -> Stop {
    let error = Command::new("busybox").arg("nc").args(arguments).exec();
    Stop::Error(format!("nc without -z is busybox's, and that cannot be run: {error}"))
}

const PATIENCE_SECONDS: u64 = 10;

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(line: &str) -> Asked {
        read(&line.split(' ').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn probes_are_told_from_the_rest() {
        let probe = asked("-vz -w 2 kafka 9092");
        assert_eq!((probe.probe, probe.verbose, probe.seconds, probe.other), (true, true, Some(2), false));
        assert_eq!(probe.operands, ["kafka", "9092"]);
        assert_eq!(asked("-z -w1 kafka 9092").seconds, Some(1));
        assert!(asked("-l -p 4000").other && asked("-u -z kafka 1").other);
        assert!(!asked("kafka 9092").probe);
    }
}
