//! Regular expressions in the syntax of RE2/J, which Kafka takes from clients.

use regex::{Regex, RegexBuilder};

/// The largest compiled expression: matching takes time linear in it.
const COMPILED_BYTES_MAX: usize = 1 << 20;

/// An expression that matches whole texts, as RE2/J does.
pub(crate) fn compile(regex: &str) -> Result<Regex, String> {
    let build = |pattern: &str| RegexBuilder::new(pattern).size_limit(COMPILED_BYTES_MAX).build();
    let translated = translate(regex);
    // By itself first: `a)(b` must not become valid between our parentheses.
    build(&translated).and_then(|_| build(&format!(r"\A(?:{translated})\z"))).map_err(|error| reason(&error))
}

/// RE2's syntax in that of the crate: `\Q...\E` quotes, in a class only `[:name:]` is nested, and a brace
/// that begins no count is a brace.
fn translate(regex: &str) -> String {
    let mut out = String::with_capacity(regex.len());
    let mut rest = regex.chars().peekable();
    let mut in_class = false;
    while let Some(character) = rest.next() {
        match character {
            '\\' if rest.peek() == Some(&'Q') && !in_class => {
                rest.next();
                let tail: String = rest.by_ref().collect();
                let (quoted, after) = tail.split_once(r"\E").unwrap_or((&tail, ""));
                out.push_str(&regex::escape(quoted));
                return out + &translate(after);
            }
            '\\' => {
                out.push(character);
                out.extend(rest.next());
            }
            '[' if !in_class => {
                in_class = true;
                out.push(character);
                out.extend(rest.next_if_eq(&'^'));
                // A bracket right here closes nothing.
                if rest.next_if_eq(&']').is_some() {
                    out.push_str(r"\]");
                }
            }
            '[' if rest.peek() == Some(&':') => {
                out.push(character);
                for inner in rest.by_ref() {
                    out.push(inner);
                    if inner == ']' {
                        break;
                    }
                }
            }
            '[' | '&' | '~' if in_class => {
                out.push('\\');
                out.push(character);
            }
            ']' if in_class => {
                in_class = false;
                out.push(character);
            }
            '{' if !in_class && !begins_repetition(rest.clone()) => out.push_str(r"\{"),
            _ => out.push(character),
        }
    }
    out
}

/// Whether what follows a brace is `n}`, `n,}` or `n,m}`.
fn begins_repetition(rest: impl Iterator<Item = char>) -> bool {
    let (mut digits, mut commas) = (0, 0);
    for character in rest {
        match character {
            '0'..='9' => digits += 1,
            ',' if commas == 0 && digits > 0 => commas += 1,
            '}' => return digits > 0,
            _ => return false,
        }
    }
    false
}

/// RE2/J's words where there are some for the crate's.
fn reason(error: &regex::Error) -> String {
    const WORDS: [(&str, &str); 9] = [
        ("unclosed character class", "missing closing ]"),
        ("unclosed group", "missing closing )"),
        ("unopened group", "missing closing )"),
        ("repetition operator missing expression", "missing argument to repetition operator"),
        ("invalid character class range", "invalid character class range"),
        ("incomplete escape sequence", "trailing backslash at end of expression"),
        ("unrecognized escape sequence", "invalid escape sequence"),
        ("look-around", "invalid or unsupported Perl syntax"),
        ("duplicate capture group name", "duplicate capture group name"),
    ];
    let text = error.to_string();
    let known = WORDS.iter().find(|(ours, _)| text.contains(ours)).map(|(_, theirs)| (*theirs).to_owned());
    let last_line = || text.lines().last().unwrap_or_default().trim_start_matches("error: ").to_owned();
    known.unwrap_or_else(last_line)
}

#[cfg(test)]
#[path = "re2_tests.rs"]
mod tests;
