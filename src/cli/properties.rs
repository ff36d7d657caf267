//! Properties of a client: from a file in Java's format, and from `key=value` arguments.

use std::collections::BTreeMap;

use crate::terminal::Stop;

/// Keys and values; the last one wins.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Properties(BTreeMap<String, String>);

impl Properties {
    /// Reads a file.
    ///
    /// # Errors
    /// [`Stop::Error`] with Java's sentence for a file that is not there.
    pub fn of_file(path: &str) -> Result<Self, Stop> {
        let bytes = std::fs::read(path).map_err(|error| match error.kind() {
            std::io::ErrorKind::NotFound => Stop::Error(path.to_owned()),
            _ => Stop::Error(format!("{path}: {error}")),
        })?;
        let read = config::properties::parse(&bytes).map_err(|bad| Stop::Error(format!("{path}: {bad}")))?;
        Ok(Self(read.into_iter().map(|property| (property.key, property.value)).collect()))
    }

    /// The file of an option, or nothing.
    ///
    /// # Errors
    /// See [`Properties::of_file`].
    pub fn of_option(path: Option<&str>) -> Result<Self, Stop> {
        path.map_or_else(|| Ok(Self::default()), Self::of_file)
    }

    /// Adds `key=value` arguments; a key alone has an empty value.
    pub fn extend(&mut self, arguments: &[String]) {
        for argument in arguments {
            let (key, value) = argument.split_once('=').unwrap_or((argument, ""));
            self.0.insert(key.to_owned(), value.to_owned());
        }
    }

    /// Sets one.
    pub fn set(&mut self, key: &str, value: impl Into<String>) {
        self.0.insert(key.to_owned(), value.into());
    }

    /// Sets one that is not there.
    pub fn set_default(&mut self, key: &str, value: impl Into<String>) {
        self.0.entry(key.to_owned()).or_insert_with(|| value.into());
    }

    /// Every key and value.
    pub fn into_map(self) -> BTreeMap<String, String> {
        self.0
    }

    /// One value.
    pub fn get(&self, key: &str) -> Option<&str> {
        self.0.get(key).map(String::as_str)
    }

    /// Whether a value says `true`, as Java's `Boolean.parseBoolean` reads it.
    pub fn is_true(&self, key: &str) -> bool {
        self.get(key).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
    }

    /// One value as a number, or the default where it is none.
    pub fn number<N: std::str::FromStr>(&self, key: &str, default: N) -> N {
        self.get(key).and_then(|text| text.trim().parse().ok()).unwrap_or(default)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn arguments_beat_what_was_there() {
        let mut properties = Properties::default();
        properties.set("acks", "1");
        properties.extend(&["acks=all".to_owned(), "a=b=c".to_owned(), "empty".to_owned()]);
        properties.set_default("acks", "0");
        assert_eq!(properties.get("acks"), Some("all"));
        assert_eq!(properties.get("a"), Some("b=c"));
        assert_eq!(properties.get("empty"), Some(""));
        assert_eq!(properties.number("acks", 7), 7);
    }
}
