//! `kafka-dump-log` (`org.apache.kafka.tools.DumpLogSegments`): what is in the files of a log.

mod decoders;
mod indexes;
mod log;
mod remote;
mod schema;

use std::collections::BTreeMap;
use std::io;
use std::path::Path;

use crate::options::{HELP, Options, Syntax, VERSION, flag, maybe, value};
use crate::terminal::{Stop, Terminal};

use decoders::{Decoder, Plain};
use indexes::{IndexMode, TimeIndexErrors};
use log::{Holes, Showing};
use schema::Schemas;

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to parse a log file and dump its contents to the console, useful for debugging a seemingly \
            corrupt log segment.",
    options: &[
        flag(&["print-data-log"], "Also the records' keys and values; any decoder means it too."),
        flag(&["verify-index-only"], "Compare indexes with their log, print none of their entries."),
        flag(&["index-sanity-check"], "Check indexes as a broker does when it starts."),
        value(&["files"], "file,file,...", "Segments, indexes, snapshots. Required."),
        value(&["max-message-size"], "bytes", "Largest batch that an index leads to; 5242880."),
        value(&["max-bytes"], "bytes", "How much of each log is read."),
        flag(&["deep-iteration"], "Also the records."),
        maybe(&["value-decoder-class"], "class", "StringDecoder, LongDecoder or IntegerDecoder of Kafka."),
        maybe(&["key-decoder-class"], "class", "The same for keys."),
        flag(&["offsets-decoder"], "The log is one of __consumer_offsets."),
        flag(&["transaction-log-decoder"], "The log is one of __transaction_state."),
        flag(&["cluster-metadata-decoder"], "The log is __cluster_metadata."),
        flag(&["remote-log-metadata-decoder"], "The log is one of __remote_log_metadata."),
        flag(&["share-group-state-decoder"], "The log is one of __share_group_state."),
        flag(&["skip-record-metadata"], "Of records only key and value."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(crate::kafka::plain)?;
    options.help_or_version()?;
    options.need(&["files"])?;
    let showing = showing(&options)?;
    let mode = IndexMode {
        sanity_only: options.has("index-sanity-check"),
        verify_only: options.has("verify-index-only"),
        message_bytes_max: options.number::<i32>("max-message-size")?.unwrap_or(5 << 20).max(0),
    };
    let mut found = Errors::default();
    for path in options.required("files")?.split(',') {
        terminal.line(format!("Dumping {path}"));
        let name = file_name(path);
        match name.rfind('.').and_then(|at| name.get(at..)) {
            Some(".log" | ".checkpoint") => {
                let holes = showing.dump(path, terminal)?;
                if !holes.is_empty() {
                    found.holes.insert(absolute(path), holes);
                }
            }
            Some(".index") => {
                let wrong = indexes::offsets(path, mode, terminal)?;
                if !wrong.is_empty() {
                    found.offsets.insert(absolute(path), wrong);
                }
            }
            Some(".timeindex") => indexes::times(path, mode, &mut found.times, terminal)?,
            Some(".snapshot") => indexes::producers(path, terminal)?,
            Some(".txnindex") => indexes::transactions(path, terminal)?,
            _ => terminal.complain(format!("Ignoring unknown file {path}")),
        }
    }
    found.tell(terminal);
    Ok(())
}

/// What was found wrong, by file; told when all files have been dumped.
#[derive(Debug, Default)]
struct Errors {
    offsets: BTreeMap<String, Vec<(i64, i64)>>,
    times: TimeIndexErrors,
    holes: BTreeMap<String, Holes>,
}

impl Errors {
    fn tell(&self, terminal: &mut Terminal) {
        for (path, wrong) in &self.offsets {
            terminal.complain(format!("Mismatches in :{path}"));
            for (indexed, found) in wrong {
                terminal.complain(format!("  Index offset: {indexed}, log offset: {found}"));
            }
        }
        self.times.tell(terminal);
        for (path, holes) in &self.holes {
            terminal.complain(format!("Non-consecutive offsets in {path}"));
            for (before, behind) in holes {
                terminal.complain(format!("  {before} is followed by {behind}"));
            }
        }
    }
}

fn showing(options: &Options) -> Result<Showing, Stop> {
    const CLASSES: [&str; 2] = ["key-decoder-class", "value-decoder-class"];
    const DECODERS: [&str; 5] = [
        "offsets-decoder",
        "transaction-log-decoder",
        "cluster-metadata-decoder",
        "remote-log-metadata-decoder",
        "share-group-state-decoder",
    ];
    let decoded = DECODERS.iter().chain(&CLASSES).any(|option| options.has(option));
    let contents = options.has("print-data-log") || decoded;
    let plain = |option: &str| {
        let class = options.all(option).pop().unwrap_or_else(|| STRINGS.to_owned());
        Plain::of_class(&class).ok_or_else(|| Stop::not_built(&format!("--{option} {class}")))
    };
    // The order is Kafka's, where several are given.
    let decoder = match () {
        () if options.has("offsets-decoder") => Decoder::Coordinator("group", Schemas::new()),
        () if options.has("transaction-log-decoder") => Decoder::Coordinator("transaction", Schemas::new()),
        () if options.has("cluster-metadata-decoder") => Decoder::Metadata(Schemas::new()),
        () if options.has("remote-log-metadata-decoder") => Decoder::RemoteLog(Schemas::new()),
        () if options.has("share-group-state-decoder") => Decoder::Coordinator("share", Schemas::new()),
        () => Decoder::Plain { key: plain("key-decoder-class")?, value: plain("value-decoder-class")? },
    };
    Ok(Showing {
        bytes_max: options.number::<i32>("max-bytes")?.unwrap_or(i32::MAX).max(0),
        records: contents || options.has("deep-iteration"),
        contents,
        without_metadata: options.has("skip-record-metadata"),
        decoder,
        control: Schemas::new(),
    })
}

fn file_name(path: &str) -> &str {
    path.rsplit('/').next().unwrap_or(path)
}

/// The offset that a file's name begins with.
fn base_offset(path: &str) -> Result<i64, Stop> {
    let stem = file_name(path).split('.').next().unwrap_or_default();
    let bad = || Stop::Error(format!("java.lang.NumberFormatException: For input string: \"{stem}\""));
    stem.parse().map_err(|_not_a_number| bad())
}

fn absolute(path: &str) -> String {
    std::path::absolute(Path::new(path)).map_or_else(|_| path.to_owned(), |path| path.display().to_string())
}

/// A file that cannot be opened, as Java says it.
fn not_there(path: &str, error: &io::Error) -> Stop {
    match error.kind() {
        io::ErrorKind::NotFound => Stop::Error(format!("java.nio.file.NoSuchFileException: {path}")),
        _ => Stop::Error(format!("{path}: {error}")),
    }
}

/// `OptionalLong.empty` or `OptionalLong[3]`.
fn optional_long(value: Option<i64>) -> String {
    value.map_or("OptionalLong.empty".to_owned(), |value| format!("OptionalLong[{value}]"))
}

const STRINGS: &str = "org.apache.kafka.tools.api.StringDecoder";
