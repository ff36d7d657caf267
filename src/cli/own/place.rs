//! Where reading begins or goes to: `start`, `end`, `current`, an offset, so many on or back, `@` and a time.

use crate::time;

use super::verb::{Failure, said_with};

/// A place in a log.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Place {
    /// The first record.
    Start,
    /// Behind the last.
    End,
    /// Where the group is.
    Current,
    /// An offset.
    At(i64),
    /// So many records on (or back, where it is negative).
    By(i64),
    /// The first record of that moment or later, in milliseconds since 1970.
    Time(i64),
}

impl Place {
    /// Reads it.
    pub fn parse(text: &str, now_ms: i64) -> Result<Self, Failure> {
        let number = |text: &str| text.replace('_', "").parse::<i64>().ok();
        let found = match text.trim() {
            "start" | "earliest" | "beginning" => Some(Self::Start),
            "end" | "latest" => Some(Self::End),
            "current" => Some(Self::Current),
            other => match (other.strip_prefix('@'), other.starts_with(['+', '-'])) {
                (Some(moment), _) => moment_of(moment, now_ms).map(Self::Time),
                (None, true) => number(other).map(Self::By),
                (None, false) => number(other).map(Self::At),
            },
        };
        found.ok_or_else(|| {
            let hint =
                "a place is start, end, an offset, -N, or @ and a time such as @2026-11-22T10:00:00 or @-1h";
            said_with(format!("'{text}' is no place in a log"), hint)
        })
    }
}

/// Milliseconds since 1970, a date in ISO 8601, or a time back from now: `-90s`, `-15m`, `-1h`, `-2d`, `-PT1H`.
fn moment_of(text: &str, now_ms: i64) -> Option<i64> {
    if let Some(back) = text.strip_prefix('-') {
        let unit_ms = [("s", 1000), ("m", 60_000), ("h", 3_600_000), ("d", 86_400_000)];
        let short = unit_ms.iter().find_map(|(unit, ms)| {
            Some(back.strip_suffix(unit)?.parse::<u32>().ok().map(i64::from)?.saturating_mul(*ms))
        });
        return Some(now_ms.saturating_sub(short.or_else(|| time::parse_duration(back))?));
    }
    if let Ok(ms) = text.parse() {
        return Some(ms).filter(|ms| *ms >= 0);
    }
    let is_date_alone = !text.contains('T');
    time::parse_datetime(&if is_date_alone { format!("{text}T00:00:00") } else { text.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn places_are_short_words() {
        let place = |text| Place::parse(text, 10_000_000).ok();
        for (text, expected) in [
            ("start", Place::Start),
            ("end", Place::End),
            ("current", Place::Current),
            ("17", Place::At(17)),
            ("1_000", Place::At(1000)),
            ("-5", Place::By(-5)),
            ("+5", Place::By(5)),
            ("@1790000000000", Place::Time(1_790_000_000_000)),
            ("@1970-01-02", Place::Time(86_400_000)),
            ("@1970-01-01T00:00:01Z", Place::Time(1000)),
            ("@-1h", Place::Time(6_400_000)),
            ("@-PT1H", Place::Time(6_400_000)),
        ] {
            assert_eq!(place(text), Some(expected), "{text}");
        }
        for bad in ["", "soon", "@", "@x", "--1", "1.5"] {
            assert_eq!(place(bad), None, "{bad}");
        }
    }
}
