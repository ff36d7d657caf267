//! What a tool writes and how it ends. Output goes through here so that a test can read it.

use std::io::{self, IsTerminal as _, Write};

use model::Clock;

/// The version that `--version` prints: the release whose tools these behave as, and our own.
const VERSION: &str = concat!("4.3.1 (Ottla ", env!("CARGO_PKG_VERSION"), ")");

/// Why a tool ends before its end.
#[derive(Debug)]
pub enum Stop {
    /// The command line is refused: the message and the usage on standard error, status 1.
    Usage {
        /// The reason.
        message: String,
        /// How the tool is used.
        usage: String,
    },
    /// A message on standard error, status 1.
    Error(String),
    /// A message on standard output, status 1, and what Kafka's tools log on standard error.
    Told {
        /// For standard output.
        message: String,
        /// For standard error.
        detail: String,
    },
    /// The help of a tool with commands: on standard output, status 1, as argparse4j has it.
    Help(String),
    /// The version, status 0.
    Version,
    /// Nothing more to say.
    Status(u8),
}

impl Stop {
    /// What a tool or an option says that is not built: one sentence.
    pub fn not_built(what: &str) -> Self {
        Self::Error(format!("{what} is not built in Ottla's tools yet: use Apache Kafka's own tool for it."))
    }
}

/// Standard output, standard error and the clock of one tool.
pub struct Terminal {
    /// The clock.
    pub clock: Clock,
    /// What it shows to a person.
    pub looks: Looks,
    out: Box<dyn Write>,
    error: Box<dyn Write>,
    broken: bool,
    has_progress: bool,
}

/// What is for a person who looks on, and for nobody else.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Looks {
    /// Colour on standard output.
    pub colour: bool,
    /// Colour on standard error.
    pub error_colour: bool,
    /// Lines on standard error that replace each other.
    pub progress: bool,
    /// Somebody can answer a question.
    pub answers: bool,
}

impl Looks {
    /// What the process's streams and its environment allow.
    pub fn of_process() -> Self {
        let is_set = |name: &str| std::env::var_os(name).is_some_and(|value| !value.is_empty());
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let may_colour = !is_set("NO_COLOR") && !is_dumb;
        let (out, error) = (io::stdout().is_terminal(), io::stderr().is_terminal());
        Self {
            colour: out && may_colour,
            error_colour: error && may_colour,
            progress: error && !is_dumb,
            answers: error && io::stdin().is_terminal(),
        }
    }
}

impl std::fmt::Debug for Terminal {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Terminal").field("broken", &self.broken).finish_non_exhaustive()
    }
}

impl Terminal {
    /// The process's own.
    pub fn of_process(clock: Clock) -> Self {
        let out: Box<dyn Write> = if io::stdout().is_terminal() {
            Box::new(io::stdout())
        } else {
            Box::new(io::BufWriter::with_capacity(BUFFER_BYTES, io::stdout()))
        };
        let error = Box::new(io::stderr());
        Self { clock, looks: Looks::of_process(), out, error, broken: false, has_progress: false }
    }

    /// A line on standard output.
    pub fn line(&mut self, text: impl AsRef<str>) {
        self.text(text);
        self.bytes(b"\n");
    }

    /// Text on standard output.
    pub fn text(&mut self, text: impl AsRef<str>) {
        self.bytes(text.as_ref().as_bytes());
    }

    /// Bytes on standard output. Nobody may be reading any more: then [`Terminal::is_broken`].
    pub fn bytes(&mut self, bytes: &[u8]) {
        self.broken |= self.out.write_all(bytes).is_err();
    }

    /// Hands over what is buffered.
    pub fn flush(&mut self) {
        self.broken |= self.out.flush().is_err();
    }

    /// Whether nobody reads standard output any more.
    pub fn is_broken(&self) -> bool {
        self.broken
    }

    /// A line on standard error, behind everything that was written before it.
    pub fn complain(&mut self, text: impl AsRef<str>) {
        self.flush();
        let wipe = if std::mem::take(&mut self.has_progress) { WIPE } else { "" };
        // Nobody is left to be told when this fails.
        let _ = writeln!(self.error, "{wipe}{}", text.as_ref());
    }

    /// A line on standard error that the next one replaces, where somebody looks on; an empty one wipes it.
    pub fn progress(&mut self, text: impl AsRef<str>) {
        let text = text.as_ref();
        if self.looks.progress && (self.has_progress || !text.is_empty()) {
            self.has_progress = !text.is_empty();
            // It is for the moment only.
            let _ = write!(self.error, "{WIPE}{text}").and_then(|()| self.error.flush());
        }
    }

    /// Asks on standard error; `None` where nobody can answer.
    pub fn ask(&mut self, question: &str) -> Option<bool> {
        if !self.looks.answers {
            return None;
        }
        self.flush();
        let _ = write!(self.error, "{question} [y/N] ").and_then(|()| self.error.flush());
        let mut answer = String::new();
        let read = io::stdin().read_line(&mut answer).unwrap_or(0);
        Some(read > 0 && matches!(answer.trim().to_lowercase().as_str(), "y" | "yes"))
    }

    /// A log line in Kafka's pattern on standard error.
    pub fn log(&mut self, level: &str, text: &str, logger: &str) {
        let stamp = log_stamp(self.clock.wall_ms());
        self.complain(format!("[{stamp}] {level} {text} ({logger})"));
    }

    /// Says why a tool stopped; the process's status.
    pub fn end(&mut self, result: Result<(), Stop>) -> u8 {
        let status = match result {
            Ok(()) => 0,
            Err(Stop::Status(status)) => status,
            Err(Stop::Help(text)) => {
                self.line(text.trim_end());
                1
            }
            Err(Stop::Version) => {
                self.line(VERSION);
                0
            }
            Err(Stop::Error(message)) => {
                self.complain(message);
                1
            }
            Err(Stop::Told { message, detail }) => {
                self.line(message);
                self.complain(detail);
                1
            }
            Err(Stop::Usage { message, usage }) => {
                self.complain(message);
                self.complain(usage.trim_end());
                1
            }
        };
        self.flush();
        status
    }
}

/// Milliseconds since 1970 as `2026-11-22 09:08:07,123`, in UTC.
pub fn log_stamp(ms: i64) -> String {
    let moment = crate::time::Moment::of(ms);
    let (date, time) = (moment.date(), moment.time());
    format!("{date} {time},{:03}", ms.rem_euclid(1000))
}

const BUFFER_BYTES: usize = 64 << 10;
/// To the first column, and nothing behind it.
const WIPE: &str = "\r\x1b[K";
