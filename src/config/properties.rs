//! Java's `.properties` syntax (`java.util.Properties.load`), keeping the line of every key.
//!
//! Encoding: Java reads these files as ISO-8859-1, which garbles the UTF-8 that editors write. A file that is valid
//! UTF-8 is therefore read as UTF-8, and any other file as ISO-8859-1; `\uXXXX` works in both.

use std::fmt::Write as _;

/// One `key=value` of a file, in file order.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Property {
    /// The key, unescaped.
    pub key: String,
    /// The value, unescaped; blanks at its end are kept, as Java keeps them.
    pub value: String,
    /// Line on which the key stands, counted from 1.
    pub line: u32,
}

/// A line that cannot be read.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("line {line}: {reason}")]
pub struct BadProperty {
    /// Counted from 1.
    pub line: u32,
    /// What is wrong with it.
    pub reason: &'static str,
}

/// Reads a whole file. A key that occurs twice is reported twice: the last one counts.
pub fn parse(bytes: &[u8]) -> Result<Vec<Property>, BadProperty> {
    let text = decode(bytes);
    let mut properties = Vec::new();
    for (line, logical) in logical_lines(&text) {
        let (key, value) = split(&logical);
        let unescaped =
            |part: &str| unescape(part).ok_or(BadProperty { line, reason: "Malformed \\uxxxx encoding." });
        properties.push(Property { key: unescaped(key)?, value: unescaped(value)?, line });
    }
    Ok(properties)
}

/// Writes one `key=value` line so that [`parse`] and Java read it back, in plain ASCII.
pub fn write(key: &str, value: &str) -> String {
    let mut line = String::new();
    escape(key, true, &mut line);
    line.push('=');
    escape(value, false, &mut line);
    line
}

fn decode(bytes: &[u8]) -> String {
    match std::str::from_utf8(bytes) {
        Ok(text) => text.strip_prefix('\u{feff}').unwrap_or(text).to_owned(),
        // ISO-8859-1 is the first 256 code points.
        Err(_) => bytes.iter().map(|b| char::from(*b)).collect(),
    }
}

const BLANKS: [char; 3] = [' ', '\t', '\u{c}'];

/// Joins continued lines, drops comments and blank lines; each logical line starts with its first line's number.
fn logical_lines(text: &str) -> Vec<(u32, String)> {
    let mut logical: Vec<(u32, String)> = Vec::new();
    let mut open: Option<(u32, String)> = None;
    for (number, natural) in (1u32..).zip(natural_lines(text)) {
        let content = natural.trim_start_matches(BLANKS);
        let (first_line, mut joined) = match open.take() {
            Some(continued) => continued,
            None if content.is_empty() || content.starts_with(['#', '!']) => continue,
            None => (number, String::new()),
        };
        let backslashes = content.bytes().rev().take_while(|b| *b == b'\\').count();
        if backslashes % 2 == 1 {
            joined.push_str(content.strip_suffix('\\').unwrap_or(content));
            open = Some((first_line, joined));
        } else {
            joined.push_str(content);
            logical.push((first_line, joined));
        }
    }
    logical.extend(open);
    logical.retain(|(_, line)| !line.is_empty());
    logical
}

/// Splits at `\n`, `\r` and `\r\n`.
fn natural_lines(text: &str) -> impl Iterator<Item = &str> {
    let mut rest = Some(text);
    std::iter::from_fn(move || {
        let current = rest?;
        let Some((line, after)) = current.split_once(['\n', '\r']) else {
            rest = None;
            return Some(current);
        };
        let ended_by_return = current.as_bytes().get(line.len()) == Some(&b'\r');
        rest = Some(match after.strip_prefix('\n') {
            Some(tail) if ended_by_return => tail,
            _ => after,
        });
        Some(line)
    })
}

/// Ends the key at the first unescaped `=`, `:` or blank; then one separator, with blanks around it, is skipped.
fn split(line: &str) -> (&str, &str) {
    let mut escaped = false;
    let key_end = line
        .char_indices()
        .find(|(_, c)| {
            let ends = !escaped && (matches!(c, '=' | ':') || BLANKS.contains(c));
            escaped = !escaped && *c == '\\';
            ends
        })
        .map_or(line.len(), |(i, _)| i);
    let (key, rest) = line.split_at(key_end);
    let rest = rest.trim_start_matches(BLANKS);
    let rest = rest.strip_prefix(['=', ':']).unwrap_or(rest);
    (key, rest.trim_start_matches(BLANKS))
}

/// Resolves escapes; `None` for a `\u` without four hexadecimal digits. Goes through UTF-16, since a character
/// outside the basic plane is written as two escapes.
fn unescape(text: &str) -> Option<String> {
    if !text.contains('\\') {
        return Some(text.to_owned());
    }
    let mut units: Vec<u16> = Vec::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        let plain = if c == '\\' { chars.next() } else { Some(c) };
        let resolved = match plain {
            Some('u') if c == '\\' => {
                let digits: String = chars.by_ref().take(4).collect();
                let is_hex = digits.len() == 4 && digits.bytes().all(|b| b.is_ascii_hexdigit());
                units.push(if is_hex { u16::from_str_radix(&digits, 16).ok()? } else { return None });
                continue;
            }
            Some('t') if c == '\\' => '\t',
            Some('n') if c == '\\' => '\n',
            Some('r') if c == '\\' => '\r',
            Some('f') if c == '\\' => '\u{c}',
            Some(other) => other,
            None => break,
        };
        units.extend_from_slice(resolved.encode_utf16(&mut [0; 2]));
    }
    Some(String::from_utf16_lossy(&units))
}

fn escape(text: &str, is_key: bool, out: &mut String) {
    for (i, c) in text.chars().enumerate() {
        match c {
            '\\' => out.push_str("\\\\"),
            '\t' => out.push_str("\\t"),
            '\n' => out.push_str("\\n"),
            '\r' => out.push_str("\\r"),
            '\u{c}' => out.push_str("\\f"),
            ' ' if is_key || i == 0 => out.push_str("\\ "),
            '=' | ':' | '#' | '!' if is_key => {
                out.push('\\');
                out.push(c);
            }
            ' '..='~' => out.push(c),
            other => {
                for unit in other.encode_utf16(&mut [0; 2]) {
                    // Writing to a String cannot fail.
                    let _infallible = write!(out, "\\u{unit:04X}");
                }
            }
        }
    }
}

#[cfg(test)]
#[path = "properties_tests.rs"]
mod tests;
