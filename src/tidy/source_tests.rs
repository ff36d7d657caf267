//! How sources look.

use crate::source::{SourceFile, sources};

const FILE_LINES_MAX: usize = 700;
const FUNCTION_LINES_MAX: usize = 70;

/// Files whose functions may be longer, with the reason, the owner and the date.
const LONG_FUNCTIONS_ALLOWED: &[(&str, &str)] = &[
    ("src/model/error_code.rs", "one arm for each error code; maintainers, 2026-11-22"),
    ("src/wire/request.rs", "one arm for each API; maintainers, 2026-11-22"),
    ("src/wire/response.rs", "one arm for each API; maintainers, 2026-11-22"),
    ("src/broker/dispatch.rs", "one arm for each API; maintainers, 2026-11-22"),
];

fn shipped() -> impl Iterator<Item = SourceFile> {
    sources().into_iter().filter(|file| !file.is_test())
}

#[test]
fn files_are_short() {
    let long: Vec<String> = shipped()
        .map(|file| (file.shipped().lines().count(), file.path))
        .filter(|(lines, _)| *lines > FILE_LINES_MAX)
        .map(|(lines, path)| format!("{path}: {lines} lines"))
        .collect();
    assert!(long.is_empty(), "split by idea what is over {FILE_LINES_MAX} lines:\n{}", long.join("\n"));
}

#[test]
fn functions_fit_on_a_screen() {
    let mut long = Vec::new();
    for file in shipped() {
        if LONG_FUNCTIONS_ALLOWED.iter().any(|(path, _)| *path == file.path) {
            continue;
        }
        for function in file.functions().iter().filter(|function| function.lines > FUNCTION_LINES_MAX) {
            long.push(format!("{}:{}: {} lines", file.path, function.line, function.lines));
        }
    }
    assert!(long.is_empty(), "split what is over {FUNCTION_LINES_MAX} lines:\n{}", long.join("\n"));
}

#[test]
fn names_say_what_things_are() {
    const BANNED: &[&str] = &["utils", "helpers", "misc", "common"];
    for file in sources() {
        let stem = file.path.rsplit('/').next().unwrap_or_default().trim_end_matches(".rs");
        assert!(!BANNED.contains(&stem), "{} is named after nothing in particular", file.path);
        for word in ["struct", "enum", "trait"] {
            for line in file.text.lines().filter(|line| line.contains(&format!("{word} "))) {
                let name = line.split(&format!("{word} ")).nth(1).unwrap_or_default();
                let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
                assert!(
                    !name.ends_with("Manager") && !name.ends_with("Helper"),
                    "{}: {name} says nothing about what it is",
                    file.path
                );
            }
        }
    }
}

#[test]
fn rooms_forbid_unsafe_code_and_say_what_they_are() {
    for file in sources().iter().filter(|file| file.path.ends_with("/lib.rs")) {
        assert!(file.text.starts_with("//! "), "{} opens with the room's purpose", file.path);
        let storage = file.path == "src/storage/lib.rs";
        assert!(
            storage || file.text.contains("#![forbid(unsafe_code)]"),
            "{} forbids unsafe code",
            file.path
        );
    }
}

#[test]
fn unsafe_code_stands_in_its_two_files() {
    const ALLOWED: &[&str] = &["src/storage/mmap.rs", "src/storage/sys.rs"];
    for file in
        shipped().filter(|file| !file.path.contains("/fuzz/") && !ALLOWED.contains(&file.path.as_str()))
    {
        let found = file.text.lines().any(|line| {
            let code = line.split("//").next().unwrap_or_default();
            code.contains(concat!("unsafe", " {")) || code.contains(concat!("unsafe", " fn"))
        });
        assert!(!found, "{} has unsafe code", file.path);
    }
}

#[test]
fn nothing_is_left_open_on_a_reachable_path() {
    const HOLES: &[&str] = &[concat!("todo", "!("), concat!("unimplemented", "!("), concat!("dbg", "!(")];
    for file in shipped() {
        for hole in HOLES {
            assert!(!file.text.contains(hole), "{} has {hole}", file.path);
        }
    }
}

#[test]
fn only_the_clock_asks_the_machine_for_the_time() {
    const ASKS: &[&str] = &[concat!("SystemTime", "::now("), concat!("std::time::", "Instant::now(")];
    for file in shipped().filter(|file| file.path != "src/model/clock.rs") {
        for ask in ASKS {
            assert!(!file.text.contains(ask), "{} calls {ask}: take a model::Clock", file.path);
        }
    }
}
