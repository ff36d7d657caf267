//! Reading one value: text to typed value, the checks on it, and the way Java prints it back.

use std::fmt;

use crate::error::ConfigError;
use crate::key::{Check, Key, KeyType};

/// A parsed value.
#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    /// Nothing set and no default.
    Null,
    /// `BOOLEAN`.
    Bool(bool),
    /// `SHORT`, `INT` and `LONG`; in the range of its key's type.
    Int(i64),
    /// `DOUBLE`.
    Double(f64),
    /// `STRING`, `CLASS` and `PASSWORD`.
    Text(String),
    /// `LIST`.
    List(Vec<String>),
}

impl Value {
    /// The text DescribeConfigs shows; `None` for null.
    pub fn to_text(&self) -> Option<String> {
        match self {
            Self::Null => None,
            other => Some(other.to_string()),
        }
    }
}

/// As `ConfigDef.convertToString` prints it; null prints as `null`.
impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Null => f.write_str("null"),
            Self::Bool(value) => value.fmt(f),
            Self::Int(value) => value.fmt(f),
            Self::Double(value) => f.write_str(&java_double(*value)),
            Self::Text(value) => f.write_str(value),
            Self::List(items) => f.write_str(&items.join(",")),
        }
    }
}

/// Reads and checks the text given for `key`, as `ConfigDef.parseType` and the key's validator would.
pub fn parse(key: &Key, text: &str) -> Result<Value, ConfigError> {
    let value = parse_type(key, text)?;
    check(key, &value)?;
    Ok(value)
}

/// The value of a key nobody set.
pub fn default_value(key: &Key) -> Value {
    // The tables' own test reads every default, so a default that does not parse never leaves the build.
    key.default.and_then(|text| parse_type(key, text).ok()).unwrap_or(Value::Null)
}

/// Splits at commas, dropping the blanks around them; an empty text is an empty list.
pub fn split_list(text: &str) -> Vec<String> {
    let trimmed = text.trim();
    if trimmed.is_empty() {
        return Vec::new();
    }
    trimmed.split(',').map(|item| item.trim().to_owned()).collect()
}

fn parse_type(key: &Key, text: &str) -> Result<Value, ConfigError> {
    let trimmed = text.trim();
    let not_a_number =
        || ConfigError::invalid(key.name, text, format!("Not a number of type {}", key.kind.name()));
    Ok(match key.kind {
        KeyType::Boolean if trimmed.eq_ignore_ascii_case("true") => Value::Bool(true),
        KeyType::Boolean if trimmed.eq_ignore_ascii_case("false") => Value::Bool(false),
        KeyType::Boolean => {
            let reason = "Expected value to be either true or false";
            return Err(ConfigError::invalid(key.name, text, reason));
        }
        KeyType::String | KeyType::Class | KeyType::Password => Value::Text(trimmed.to_owned()),
        KeyType::Short => Value::Int(i64::from(trimmed.parse::<i16>().map_err(|_e| not_a_number())?)),
        KeyType::Int => Value::Int(i64::from(trimmed.parse::<i32>().map_err(|_e| not_a_number())?)),
        KeyType::Long => Value::Int(trimmed.parse::<i64>().map_err(|_e| not_a_number())?),
        KeyType::Double => Value::Double(parse_double(trimmed).ok_or_else(not_a_number)?),
        KeyType::List => Value::List(split_list(trimmed)),
    })
}

/// What Java's `Double.parseDouble` takes: Rust's syntax plus a type suffix, minus Rust's `inf` and `nan`.
fn parse_double(text: &str) -> Option<f64> {
    let unsuffixed = text.strip_suffix(['d', 'D', 'f', 'F']).unwrap_or(text);
    let digits = unsuffixed.trim_start_matches(['+', '-']);
    match digits {
        "NaN" | "Infinity" => digits.parse().ok(),
        _ if digits.starts_with(|c: char| c.is_ascii_digit() || c == '.') => unsuffixed.parse().ok(),
        _ => None,
    }
}

fn check(key: &Key, value: &Value) -> Result<(), ConfigError> {
    let fail = |reason: String| Err(ConfigError::invalid(key.name, shown(key, value), reason));
    match (key.check, value) {
        (Check::AtLeast(min), Value::Int(n)) if *n < min => fail(format!("Value must be at least {min}")),
        (Check::Between(min, _), Value::Int(n)) if *n < min => fail(format!("Value must be at least {min}")),
        (Check::Between(_, max), Value::Int(n)) if *n > max => {
            fail(format!("Value must be no more than {max}"))
        }
        (Check::Fraction(min, _), Value::Double(n)) if *n < min => {
            fail(format!("Value must be at least {}", java_number(min)))
        }
        (Check::Fraction(_, max), Value::Double(n)) if *n > max => {
            fail(format!("Value must be no more than {}", java_number(max)))
        }
        (Check::OneOf(legal), Value::Text(text)) if !legal.contains(&text.as_str()) => {
            fail(format!("String must be one of: {}", legal.join(", ")))
        }
        (Check::OneOfIgnoringCase(legal), Value::Text(text)) if !contains_ignoring_case(legal, text) => {
            fail(format!("String must be one of (case insensitive): {}", legal.join(", ")))
        }
        (Check::ListOf(legal), Value::List(items)) => {
            match items.iter().find(|item| !legal.contains(&item.as_str())) {
                Some(item) => Err(ConfigError::invalid(
                    key.name,
                    item.as_str(),
                    format!("String must be one of: {}", legal.join(", ")),
                )),
                None => Ok(()),
            }
        }
        (Check::NonEmpty, Value::Text(text)) if text.is_empty() => {
            fail("String must be non-empty".to_owned())
        }
        (Check::GzipLevel, Value::Int(n)) if *n != -1 && !(1..=9).contains(n) => {
            fail("Value must be between 1 and 9 or equal to -1".to_owned())
        }
        (Check::ThrottledReplicas, Value::List(items)) if !is_throttled_replicas(items) => fail(format!(
            "{} must be the literal '*' or a list of replicas in the following format: \
             [partitionId]:[brokerId],[partitionId]:[brokerId],...",
            key.name
        )),
        (Check::QuorumVoters, Value::List(items)) => {
            items.iter().try_for_each(|item| crate::listeners::parse_voter(item).map(drop))
        }
        (Check::QuorumServers, Value::List(items)) => {
            items.iter().try_for_each(|item| crate::listeners::parse_bootstrap_server(item).map(drop))
        }
        (Check::ShareOffsetReset, Value::Text(text)) => check_share_offset_reset(key, text),
        _ => Ok(()),
    }
}

fn contains_ignoring_case(legal: &[&str], text: &str) -> bool {
    legal.iter().any(|item| item.eq_ignore_ascii_case(text))
}

fn is_throttled_replicas(items: &[String]) -> bool {
    let is_number = |text: &str| !text.is_empty() && text.bytes().all(|b| b.is_ascii_digit());
    items.concat() == "*"
        || items.iter().all(|item| {
            item.is_empty()
                || item
                    .split_once(':')
                    .is_some_and(|(partition, broker)| is_number(partition) && is_number(broker))
        })
}

fn check_share_offset_reset(key: &Key, text: &str) -> Result<(), ConfigError> {
    if text == "earliest" || text == "latest" {
        return Ok(());
    }
    match text.strip_prefix("by_duration:") {
        Some(duration) if is_positive_iso_duration(duration) => Ok(()),
        _ => Err(ConfigError::invalid(
            key.name,
            text,
            format!(
                "Invalid value `{text}` for configuration {}. The value must be either 'earliest', 'latest' or of the \
                 format 'by_duration:<PnDTnHnMn.nS>'.",
                key.name
            ),
        )),
    }
}

/// `PnDTnHnMn.nS`, as `java.time.Duration.parse` reads it, and not negative.
fn is_positive_iso_duration(text: &str) -> bool {
    let upper = text.to_ascii_uppercase();
    let Some(rest) = upper.strip_prefix('P') else {
        return false;
    };
    let (days, time) = match rest.split_once('T') {
        Some((days, time)) if !time.is_empty() => (days, time),
        Some(_) => return false,
        None => (rest, ""),
    };
    !rest.is_empty() && is_unit_run(days, "D") && is_unit_run(time, "HMS")
}

fn is_unit_run(text: &str, units: &str) -> bool {
    let mut left = text;
    for unit in units.chars() {
        let Some((number, rest)) = left.split_once(unit) else {
            continue;
        };
        let fraction_allowed = unit == 'S';
        let digits = number.replacen('.', "", usize::from(fraction_allowed));
        if digits.is_empty() || !digits.bytes().all(|b| b.is_ascii_digit()) {
            return false;
        }
        left = rest;
    }
    left.is_empty()
}

/// How an error message may show a value.
fn shown(key: &Key, value: &Value) -> String {
    match value {
        _ if key.is_sensitive() => "[hidden]".to_owned(),
        // Java prints the list object, not its text form.
        Value::List(items) => format!("[{}]", items.join(", ")),
        other => other.to_string(),
    }
}

/// A bound as Java prints a boxed `Number`: the tables hold whole bounds as integers.
fn java_number(number: f64) -> String {
    if number.fract() == 0.0 { format!("{number:.0}") } else { java_double(number) }
}

/// `java.lang.Double.toString`: decimal between 10^-3 and 10^7, else one digit, a point and an exponent.
pub(crate) fn java_double(number: f64) -> String {
    if !number.is_finite() || number == 0.0 {
        return match number {
            n if n.is_nan() => "NaN".to_owned(),
            n if n.is_infinite() && n > 0.0 => "Infinity".to_owned(),
            n if n.is_infinite() => "-Infinity".to_owned(),
            n if n.is_sign_negative() => "-0.0".to_owned(),
            _ => "0.0".to_owned(),
        };
    }
    if (1e-3..1e7).contains(&number.abs()) {
        return format!("{number:?}");
    }
    let scientific = format!("{number:e}");
    match scientific.split_once('e') {
        Some((digits, exponent)) if digits.contains('.') => format!("{digits}E{exponent}"),
        Some((digits, exponent)) => format!("{digits}.0E{exponent}"),
        None => scientific,
    }
}
