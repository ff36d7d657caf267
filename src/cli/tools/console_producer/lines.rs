//! Records from lines (`org.apache.kafka.tools.LineMessageReader`).

use bytes::Bytes;
use regex::Regex;

use crate::producer::Outgoing;
use crate::properties::Properties;

/// How a line is read.
#[derive(Clone, Debug)]
pub struct LineReader {
    parse_key: bool,
    key_separator: String,
    parse_headers: bool,
    headers_delimiter: String,
    headers_separator: Regex,
    headers_key_separator: String,
    ignore_error: bool,
    null_marker: Option<String>,
    line_number: u64,
}

impl LineReader {
    /// From the reader's properties; the error is the text of Kafka's exception.
    pub fn new(properties: &Properties) -> Result<Self, String> {
        let or = |key: &str, default: &str| properties.get(key).unwrap_or(default).to_owned();
        let (key_separator, headers_delimiter) = (or("key.separator", "\t"), or("headers.delimiter", "\t"));
        let (headers_separator, headers_key_separator) =
            (or("headers.separator", ","), or("headers.key.separator", ":"));
        let null_marker = properties.get("null.marker").map(str::to_owned);
        let equal = |a: &str, b: &str| Err(format!("{a} and {b} may not be equal"));
        if headers_delimiter == headers_separator {
            return equal("headers.delimiter", "headers.separator");
        }
        if headers_delimiter == headers_key_separator {
            return equal("headers.delimiter", "headers.key.separator");
        }
        if headers_separator == headers_key_separator {
            return equal("headers.separator", "headers.key.separator");
        }
        let named = [
            ("key.separator", &key_separator),
            ("headers.separator", &headers_separator),
            ("headers.delimiter", &headers_delimiter),
            ("headers.key.separator", &headers_key_separator),
        ];
        if let Some((name, _)) = named.iter().find(|(_, value)| Some(*value) == null_marker.as_ref()) {
            return equal("null.marker", name);
        }
        let headers_separator = Regex::new(&headers_separator)
            .map_err(|_invalid| format!("headers.separator={headers_separator} is no regular expression"))?;
        Ok(Self {
            parse_key: properties.is_true("parse.key"),
            key_separator,
            parse_headers: properties.is_true("parse.headers"),
            headers_delimiter,
            headers_separator,
            headers_key_separator,
            ignore_error: properties.is_true("ignore.error"),
            null_marker,
            line_number: 0,
        })
    }

    /// The record of the next line; the error is the text of Kafka's exception.
    pub fn read(&mut self, line: &str) -> Result<Outgoing, String> {
        self.line_number += 1;
        let mut rest = line;
        let headers =
            self.before(self.parse_headers, line, &mut rest, &self.headers_delimiter, "headers delimiter")?;
        let key = self.before(self.parse_key, line, &mut rest, &self.key_separator, "key separator")?;
        let headers = match headers.filter(|text| !self.is_null(text)) {
            Some(text) => self.headers(text)?,
            None => Vec::new(),
        };
        Ok(Outgoing {
            key: key.and_then(|key| self.bytes(key)),
            value: self.bytes(rest),
            headers,
            timestamp: None,
            partition: None,
            tag: self.line_number,
        })
    }

    fn before<'a>(
        &self,
        enabled: bool,
        line: &str,
        rest: &mut &'a str,
        mark: &str,
        what: &str,
    ) -> Result<Option<&'a str>, String> {
        if !enabled {
            return Ok(None);
        }
        match rest.split_once(mark) {
            Some((before, after)) => {
                *rest = after;
                Ok(Some(before))
            }
            None if self.ignore_error => Ok(None),
            None => Err(format!("No {what} found on line number {}: '{line}'", self.line_number)),
        }
    }

    fn headers(&self, text: &str) -> Result<Vec<(String, Option<Bytes>)>, String> {
        let mut pairs: Vec<&str> = self.headers_separator.split(text).collect();
        // Java's split drops empty parts at the end.
        while pairs.len() > 1 && pairs.last().is_some_and(|pair| pair.is_empty()) {
            pairs.pop();
        }
        pairs.into_iter().map(|pair| self.header(pair)).collect()
    }

    fn header(&self, pair: &str) -> Result<(String, Option<Bytes>), String> {
        let Some((key, value)) = pair.split_once(&self.headers_key_separator) else {
            if self.ignore_error {
                return Ok((pair.to_owned(), None));
            }
            let line = self.line_number;
            return Err(format!("No header key separator found in pair '{pair}' on line number {line}"));
        };
        if self.is_null(key) {
            return Err(format!(
                "Header keys should not be equal to the null marker '{key}' as they can't be null"
            ));
        }
        Ok((key.to_owned(), self.bytes(value)))
    }

    fn is_null(&self, text: &str) -> bool {
        self.null_marker.as_deref() == Some(text)
    }

    fn bytes(&self, text: &str) -> Option<Bytes> {
        (!self.is_null(text)).then(|| Bytes::copy_from_slice(text.as_bytes()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reader(properties: &[&str]) -> Result<LineReader, String> {
        let mut read = Properties::default();
        read.extend(&properties.iter().map(|text| (*text).to_owned()).collect::<Vec<_>>());
        LineReader::new(&read)
    }

    fn text(bytes: Option<&Bytes>) -> Option<&str> {
        bytes.map(|bytes| std::str::from_utf8(bytes).unwrap())
    }

    #[test]
    fn a_line_is_a_value_or_a_key_and_a_value() {
        let record = reader(&[]).unwrap().read("a\tb").unwrap();
        assert_eq!((record.key.as_ref(), text(record.value.as_ref())), (None, Some("a\tb")));
        let record = reader(&["parse.key=true", "key.separator=:"]).unwrap().read("a:b:c").unwrap();
        assert_eq!((text(record.key.as_ref()), text(record.value.as_ref())), (Some("a"), Some("b:c")));
    }

    #[test]
    fn headers_come_first() {
        let mut reader = reader(&["parse.headers=true", "parse.key=true", "null.marker=NIL"]).unwrap();
        let record = reader.read("h1:v1,h2:NIL\tkey\tNIL").unwrap();
        assert_eq!(record.headers.len(), 2);
        assert_eq!(record.headers[0], ("h1".to_owned(), Some(Bytes::from_static(b"v1"))));
        assert_eq!(record.headers[1], ("h2".to_owned(), None));
        assert_eq!((text(record.key.as_ref()), record.value), (Some("key"), None));
    }

    #[test]
    fn refusals_are_kafkas() {
        let mut keyed = reader(&["parse.key=true"]).unwrap();
        keyed.read("k\tv").unwrap();
        assert_eq!(keyed.read("kv").unwrap_err(), "No key separator found on line number 2: 'kv'");
        let mut headed = reader(&["parse.headers=true"]).unwrap();
        assert_eq!(
            headed.read("h\tv").unwrap_err(),
            "No header key separator found in pair 'h' on line number 1"
        );
        let error = reader(&["headers.delimiter=,"]).unwrap_err();
        assert_eq!(error, "headers.delimiter and headers.separator may not be equal");
        let mut lenient = reader(&["parse.key=true", "ignore.error=true"]).unwrap();
        assert_eq!(text(lenient.read("kv").unwrap().value.as_ref()), Some("kv"));
    }
}
