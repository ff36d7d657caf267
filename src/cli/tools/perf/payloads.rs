//! What `kafka-producer-perf-test` sends.

use bytes::Bytes;
use regex::Regex;

use crate::terminal::{Stop, Terminal};

/// Values of records.
#[derive(Debug)]
pub(crate) enum Payloads {
    /// Random letters, so many.
    Random { bytes: usize, state: u64 },
    /// One of these, at random.
    OneOf { choices: Vec<Bytes>, state: u64 },
    /// The record's number.
    Number,
}

impl Payloads {
    pub(crate) fn random(bytes: usize) -> Self {
        Self::Random { bytes, state: SEED }
    }

    /// The pieces of a file.
    pub(crate) fn of_file(path: &str, delimiter: &str, terminal: &mut Terminal) -> Result<Self, Stop> {
        let shown =
            std::path::absolute(path).map_or_else(|_| path.to_owned(), |path| path.display().to_string());
        terminal.line(format!("Reading payloads from: {shown}"));
        let text = std::fs::read_to_string(path).unwrap_or_default();
        if text.is_empty() {
            return Err(Stop::Error(
                "java.lang.IllegalArgumentException: File does not exist or empty file provided.".to_owned(),
            ));
        }
        let delimiter = Regex::new(delimiter)
            .map_err(|_invalid| Stop::Error(format!("{delimiter} is not a valid regular expression")))?;
        let mut pieces: Vec<&str> = delimiter.split(&text).collect();
        if pieces.last() == Some(&"") {
            pieces.pop();
        }
        let choices: Vec<Bytes> = pieces.into_iter().map(|piece| Bytes::from(piece.to_owned())).collect();
        terminal.line(format!("Number of records read: {}", choices.len()));
        Ok(Self::OneOf { choices, state: SEED })
    }

    /// The value of the record with this number.
    pub(crate) fn next(&mut self, number: u64) -> Bytes {
        match self {
            Self::Random { bytes, state } => {
                let mut payload = Vec::with_capacity(*bytes + 8);
                while payload.len() < *bytes {
                    // Eight letters from one number; nobody sees that some come a little more often.
                    let random = random(state).to_le_bytes();
                    payload.extend(random.map(|byte| b'A' + byte % LETTERS));
                }
                payload.truncate(*bytes);
                payload.into()
            }
            Self::OneOf { choices, state } => {
                let at = random(state) % choices.len().max(1) as u64;
                choices.get(at as usize).cloned().unwrap_or_default()
            }
            Self::Number => Bytes::from(number.to_string()),
        }
    }
}

/// Marsaglia's xorshift.
fn random(state: &mut u64) -> u64 {
    *state ^= *state << 13;
    *state ^= *state >> 7;
    *state ^= *state << 17;
    *state
}

const SEED: u64 = 0x9e37_79b9_7f4a_7c15;
const LETTERS: u8 = 26;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn random_payloads_are_letters_of_the_size() {
        let mut payloads = Payloads::random(11);
        let (first, second) = (payloads.next(0), payloads.next(1));
        assert!(first.len() == 11 && first.iter().all(u8::is_ascii_uppercase) && first != second);
        assert_eq!(Payloads::Number.next(42), "42");
    }
}
