//! Log lines in Kafka's own pattern, `[%d] %p %m (%c)`, so that what people grep for keeps matching; or one JSON
//! object a line.

use std::fmt::{self, Write as _};

use model::Clock;
use tracing::field::{Field, Visit};
use tracing::level_filters::LevelFilter;
use tracing::{Event, Subscriber};
use tracing_subscriber::filter::Targets;
use tracing_subscriber::fmt::format::Writer;
use tracing_subscriber::fmt::{FmtContext, FormatEvent, FormatFields};
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::registry::LookupSpan;
use tracing_subscriber::util::SubscriberInitExt;

/// Shape of the log lines.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LogFormat {
    /// `[2026-01-31 12:00:00,123] INFO message (logger)`, in UTC.
    #[default]
    Kafka,
    /// `{"timestamp":"…","level":"INFO","logger":"…","message":"…"}`
    Json,
}

/// Which lines are written: log4j's levels, and levels of single loggers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogLevels {
    /// Level of every logger that has none of its own.
    pub root: LevelFilter,
    /// Logger name prefix and its level.
    pub loggers: Vec<(String, LevelFilter)>,
}

/// A level that log4j does not know.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("\"{0}\" is not a log level: legal are OFF, FATAL, ERROR, WARN, INFO, DEBUG, TRACE and ALL")]
pub struct BadLevel(String);

impl LogLevels {
    /// Reads `KAFKA_LOG4J_ROOT_LOGLEVEL` (such as `WARN`) and `KAFKA_LOG4J_LOGGERS` (such as
    /// `kafka.controller=INFO,ottla.net=DEBUG`).
    pub fn parse(root: Option<&str>, loggers: Option<&str>) -> Result<Self, BadLevel> {
        let root = root.filter(|text| !text.is_empty()).map_or(Ok(LevelFilter::INFO), level)?;
        let mut named = Vec::new();
        for entry in loggers.unwrap_or_default().split(',').map(str::trim).filter(|entry| !entry.is_empty()) {
            let (name, text) = entry.split_once('=').ok_or_else(|| BadLevel(entry.to_owned()))?;
            named.push((name.trim().to_owned(), level(text)?));
        }
        Ok(Self { root, loggers: named })
    }
}

fn level(text: &str) -> Result<LevelFilter, BadLevel> {
    match text.trim().to_ascii_uppercase().as_str() {
        "OFF" => Ok(LevelFilter::OFF),
        "FATAL" | "ERROR" => Ok(LevelFilter::ERROR),
        "WARN" => Ok(LevelFilter::WARN),
        "INFO" => Ok(LevelFilter::INFO),
        "DEBUG" => Ok(LevelFilter::DEBUG),
        "TRACE" | "ALL" => Ok(LevelFilter::TRACE),
        _ => Err(BadLevel(text.to_owned())),
    }
}

/// Sends every log line of the process to standard output. Does nothing if a logger is installed already.
pub fn install(format: LogFormat, levels: LogLevels, clock: Clock) {
    let filter = Targets::new().with_default(levels.root).with_targets(levels.loggers);
    let lines = tracing_subscriber::fmt::layer().event_format(Lines { format, clock });
    let _ = tracing_subscriber::registry().with(lines).with(filter).try_init();
}

struct Lines {
    format: LogFormat,
    clock: Clock,
}

impl<S, N> FormatEvent<S, N> for Lines
where
    S: Subscriber + for<'a> LookupSpan<'a>,
    N: for<'a> FormatFields<'a> + 'static,
{
    fn format_event(
        &self,
        _: &FmtContext<'_, S, N>,
        mut writer: Writer<'_>,
        event: &Event<'_>,
    ) -> fmt::Result {
        let mut message = Message::default();
        event.record(&mut message);
        let (level, logger) = (event.metadata().level(), event.metadata().target());
        let time = UtcTime(self.clock.wall_ms());
        match self.format {
            LogFormat::Kafka => writeln!(writer, "[{time}] {level} {} ({logger})", message.0),
            LogFormat::Json => {
                let line = serde_json::json!({
                    "timestamp": time.to_string(),
                    "level": level.as_str(),
                    "logger": logger,
                    "message": message.0,
                });
                writeln!(writer, "{line}")
            }
        }
    }
}

/// The message of an event, followed by its other fields as `name=value`.
#[derive(Default)]
struct Message(String);

impl Visit for Message {
    fn record_debug(&mut self, field: &Field, value: &dyn fmt::Debug) {
        // Writing to a String does not fail.
        let _ = match (field.name(), self.0.is_empty()) {
            ("message", _) => write!(self.0, "{value:?}"),
            (name, true) => write!(self.0, "{name}={value:?}"),
            (name, false) => write!(self.0, " {name}={value:?}"),
        };
    }
}

/// Milliseconds since the epoch as log4j's default date, `2026-01-31 12:00:00,123`.
struct UtcTime(i64);

const DAY_MS: i64 = 86_400_000;

impl fmt::Display for UtcTime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (year, month, day) = civil_date(self.0.div_euclid(DAY_MS));
        let ms = self.0.rem_euclid(DAY_MS);
        let (hours, minutes, seconds) = (ms / 3_600_000, ms / 60_000 % 60, ms / 1_000 % 60);
        write!(f, "{year:04}-{month:02}-{day:02} {hours:02}:{minutes:02}:{seconds:02},{:03}", ms % 1_000)
    }
}

/// Year, month and day of a day since 1970-01-01 in the Gregorian calendar. Years are counted from March, which
/// puts the leap day last, within eras of 400 years.
fn civil_date(days: i64) -> (i64, i64, i64) {
    let days = days + 719_468;
    let era = days.div_euclid(146_097);
    let day_of_era = days.rem_euclid(146_097);
    let year_of_era = (day_of_era - day_of_era / 1_460 + day_of_era / 36_524 - day_of_era / 146_096) / 365;
    let day_of_year = day_of_era - (365 * year_of_era + year_of_era / 4 - year_of_era / 100);
    let month_from_march = (5 * day_of_year + 2) / 153;
    let day = day_of_year - (153 * month_from_march + 2) / 5 + 1;
    let month = if month_from_march < 10 { month_from_march + 3 } else { month_from_march - 9 };
    (era * 400 + year_of_era + i64::from(month <= 2), month, day)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_are_log4js() {
        assert_eq!(UtcTime(0).to_string(), "1970-01-01 00:00:00,000");
        assert_eq!(UtcTime(951_782_399_999).to_string(), "2000-02-28 23:59:59,999");
        assert_eq!(UtcTime(951_782_400_000).to_string(), "2000-02-29 00:00:00,000");
        assert_eq!(UtcTime(1_795_313_705_042).to_string(), "2026-11-22 02:15:05,042");
    }

    #[test]
    fn levels_are_log4js() {
        let levels = LogLevels::parse(Some("warn"), Some("kafka.controller=INFO, ottla.net=DEBUG")).unwrap();
        assert_eq!(levels.root, LevelFilter::WARN);
        assert_eq!(levels.loggers[1], ("ottla.net".to_owned(), LevelFilter::DEBUG));
        assert!(LogLevels::parse(Some("LOUD"), None).is_err());
    }
}
