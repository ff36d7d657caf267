use proptest::prelude::*;

use super::*;

fn pairs(text: &str) -> Vec<(String, String)> {
    parse(text.as_bytes()).unwrap().into_iter().map(|p| (p.key, p.value)).collect()
}

fn one(text: &str) -> (String, String) {
    let found = pairs(text);
    assert_eq!(found.len(), 1, "{text:?} gave {found:?}");
    found.into_iter().next().unwrap()
}

fn owned(key: &str, value: &str) -> (String, String) {
    (key.to_owned(), value.to_owned())
}

#[test]
fn separators_are_equals_colon_and_blanks() {
    for text in ["a=b", "a:b", "a b", "a = b", "a\t:\tb", "  a   b", "a   =b", "a=\u{c}b"] {
        assert_eq!(one(text), owned("a", "b"), "{text:?}");
    }
    assert_eq!(one("a==b"), owned("a", "=b"));
    assert_eq!(one("a = : b"), owned("a", ": b"));
    assert_eq!(one("a"), owned("a", ""));
    assert_eq!(one("a="), owned("a", ""));
    assert_eq!(one("=b"), owned("", "b"));
}

#[test]
fn blanks_at_the_end_of_a_value_stay() {
    assert_eq!(one("a=b  "), owned("a", "b  "));
}

#[test]
fn comments_and_blank_lines_are_dropped() {
    assert_eq!(pairs("# a=b\n  ! c=d\n\n   \n\t\n"), []);
    assert_eq!(one("# not continued \\\na=b"), owned("a", "b"));
    assert_eq!(one("a=b#c"), owned("a", "b#c"));
    assert_eq!(one("a=b\\\n   #c"), owned("a", "b#c"));
}

#[test]
fn lines_continue_after_an_odd_number_of_backslashes() {
    assert_eq!(one("a=b\\\n   c\\\r\n\td"), owned("a", "bcd"));
    assert_eq!(one("a\\\nb=c"), owned("ab", "c"));
    assert_eq!(pairs("a=b\\\\\nc=d"), [owned("a", "b\\"), owned("c", "d")]);
    assert_eq!(one("a=b\\"), owned("a", "b"));
    assert_eq!(pairs("a=b\\\n\nc=d"), [owned("a", "b"), owned("c", "d")]);
}

#[test]
fn all_line_ends_count() {
    let lines: Vec<u32> = parse(b"a=1\rb=2\r\nc=3\n\nd=4").unwrap().iter().map(|p| p.line).collect();
    assert_eq!(lines, [1, 2, 3, 5]);
}

#[test]
fn the_line_of_a_continued_property_is_its_first() {
    let found = parse(b"# head\na=1\\\n2\nb=3\n").unwrap();
    assert_eq!(found.iter().map(|p| p.line).collect::<Vec<_>>(), [2, 4]);
}

#[test]
fn escapes_are_resolved() {
    assert_eq!(one(r"a\=b\:c\ d=e"), owned("a=b:c d", "e"));
    assert_eq!(one(r"a=\t\n\r\f\q\\"), owned("a", "\t\n\r\u{c}q\\"));
    assert_eq!(one("a=\\u00e4\\u20AC"), owned("a", "ä€"));
    assert_eq!(one("a=\\uD83D\\uDE00!"), owned("a", "😀!"));
    assert_eq!(one("\\u0061=b"), owned("a", "b"));
}

#[test]
fn a_bad_unicode_escape_names_its_line() {
    for text in ["a=1\nb=\\u12", "a=1\nb=\\u12g4", "a=1\nb\\u=x", "a=1\nb=\\u+123"] {
        let error = parse(text.as_bytes()).unwrap_err();
        assert_eq!(error.line, 2, "{text:?}");
    }
}

#[test]
fn utf8_is_read_as_utf8_and_anything_else_as_latin1() {
    assert_eq!(one("a=ä"), owned("a", "ä"));
    let latin1 = parse(b"a=\xe4").unwrap();
    assert_eq!(latin1[0].value, "ä");
    assert_eq!(one("\u{feff}a=b"), owned("a", "b"));
}

#[test]
fn duplicates_come_in_file_order() {
    assert_eq!(pairs("a=1\na=2"), [owned("a", "1"), owned("a", "2")]);
}

#[test]
fn what_is_written_is_read_back() {
    for (key, value) in [
        ("a", "b"),
        ("a b=c:d#!", "  lead and trail  "),
        ("k\u{e4}y", "tab\tnew\nline\\ 😀 # ! = :"),
        ("", ""),
    ] {
        let line = write(key, value);
        assert!(line.is_ascii());
        assert_eq!(one(&line), owned(key, value), "{line}");
    }
}

proptest! {
    #[test]
    fn any_text_survives_writing_and_reading(key in any::<String>(), value in any::<String>()) {
        let line = write(&key, &value);
        prop_assert!(line.is_ascii());
        let found = parse(line.as_bytes()).unwrap();
        prop_assert_eq!(found.len(), 1);
        prop_assert_eq!((&found[0].key, &found[0].value), (&key, &value));
    }

    #[test]
    fn any_bytes_are_read_or_refused(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let lines = bytes.len();
        if let Ok(found) = parse(&bytes) {
            prop_assert!(found.len() <= lines);
        }
    }

    #[test]
    fn any_mix_of_special_characters_is_read_or_refused(text in "[a\\\\=: \t\u{c}\r\n#!u0]{0,80}") {
        let _ = parse(text.as_bytes());
    }
}
