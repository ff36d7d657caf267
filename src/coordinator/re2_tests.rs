//! Which names an expression matches, and which expressions are none.

use super::compile;

#[test]
fn whole_names_are_matched_as_re2_does() {
    let cases: [(&str, &[&str], &[&str]); 15] = [
        ("foo.*", &["foo", "foo-1"], &["afoo", "Foo"]),
        ("a|ab", &["a", "ab"], &["abc", "b"]),
        ("(?i)orders", &["ORDERS", "orders"], &["orders2"]),
        (r"\Qa.b\E.", &["a.bc"], &["axbc", "a.b"]),
        (r"\Qa+b", &["a+b"], &["aab"]),
        (r"[\w]+\d", &["abc1"], &["abc"]),
        ("[]a]b", &["]b", "ab"], &["b"]),
        ("[^]]", &["a"], &["]"]),
        ("[[a]", &["[", "a"], &["]"]),
        ("[a&&b]+", &["a&b"], &["ac"]),
        ("[[:alpha:]]+", &["abc"], &["a1"]),
        ("", &[""], &["a"]),
        ("a{2", &["a{2"], &["aa"]),
        ("a{2}{x}", &["aa{x}"], &["aa"]),
        ("a{2,}b{1,2}", &["aaab"], &["ab", "aab{1,2}"]),
    ];
    for (pattern, matching, others) in cases {
        let regex = compile(pattern).unwrap_or_else(|reason| panic!("{pattern}: {reason}"));
        for name in matching {
            assert!(regex.is_match(name), "{pattern} {name}");
        }
        for name in others {
            assert!(!regex.is_match(name), "{pattern} {name}");
        }
    }
}

#[test]
fn what_is_no_expression_is_told_in_kafkas_words() {
    let cases = [
        ("[", "missing closing ]"),
        ("(a", "missing closing )"),
        ("a)(b", "missing closing )"),
        ("*", "missing argument to repetition operator"),
        ("\\", "trailing backslash at end of expression"),
        ("(?=a)", "invalid or unsupported Perl syntax"),
    ];
    for (pattern, reason) in cases {
        assert_eq!(compile(pattern).expect_err(pattern), reason, "{pattern}");
    }
    assert!(compile("((a{100}){100}){100}").is_err(), "too large to be compiled");
}
