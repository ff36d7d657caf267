//! A directory as text.
//!
//! ```text
//! directory PATH
//! file PATH BYTES
//!   | a line of a file that is text; nothing follows the last one
//!   POSITION what is there in base64, without padding; what no line tells is zeros
//! ```

use std::fmt::Write;
use std::fs;
use std::os::unix::fs::FileExt;
use std::path::Path;

/// Bytes of one line.
const LINE_BYTES: usize = 48;

/// Everything in `dir`.
pub fn pack(dir: &Path) -> String {
    let mut text = String::new();
    for path in paths(dir) {
        let full = dir.join(&path);
        if full.is_dir() {
            writeln!(text, "directory {path}").expect("text");
            continue;
        }
        let bytes = fs::read(&full).expect("a file");
        writeln!(text, "file {path} {}", bytes.len()).expect("text");
        pack_file(&mut text, &bytes);
    }
    text
}

fn pack_file(text: &mut String, bytes: &[u8]) {
    if !bytes.is_empty() && bytes.iter().all(|byte| *byte == b'\n' || (b' '..=b'~').contains(byte)) {
        for line in String::from_utf8_lossy(bytes).split('\n') {
            writeln!(text, "  | {line}").expect("text");
        }
        return;
    }
    for (number, chunk) in bytes.chunks(LINE_BYTES).enumerate() {
        let used = chunk.iter().rposition(|byte| *byte != 0).map_or(0, |last| last + 1);
        if used > 0 {
            let encoded = encode(&chunk[..used]);
            writeln!(text, "  {} {encoded}", number * LINE_BYTES).expect("text");
        }
    }
}

/// Makes `dir` from what [`pack`] has written. A line that begins with `#` says nothing.
pub fn unpack(text: &str, dir: &Path) {
    fs::create_dir(dir).expect("a new directory");
    let mut lines = text.lines().filter(|line| !line.starts_with('#')).peekable();
    while let Some(line) = lines.next() {
        let words: Vec<&str> = line.split(' ').collect();
        match words[..] {
            ["directory", path] => fs::create_dir(dir.join(path)).expect("a directory"),
            ["file", path, size] => {
                let file = fs::File::create_new(dir.join(path)).expect("a new file");
                let mut content = Vec::new();
                while let Some(line) = lines.next_if(|line| line.starts_with("  ")) {
                    content.push(&line[2..]);
                }
                unpack_file(&file, &content);
                file.set_len(size.parse().expect("a size")).expect("its size");
            }
            _ => panic!("{line:?} is neither a file nor a directory"),
        }
    }
}

fn unpack_file(file: &fs::File, content: &[&str]) {
    if content.first().is_some_and(|line| line.starts_with("| ")) {
        let lines: Vec<&str> = content.iter().map(|line| &line[2..]).collect();
        return file.write_all_at(lines.join("\n").as_bytes(), 0).expect("written");
    }
    for line in content {
        let (position, encoded) = line.split_once(' ').expect("a position and bytes");
        file.write_all_at(&decode(encoded), position.parse().expect("a position")).expect("written");
    }
}

const ALPHABET: &[u8; 64] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";

fn encode(bytes: &[u8]) -> String {
    let mut encoded = String::new();
    for chunk in bytes.chunks(3) {
        let bits =
            chunk.iter().fold(0, |bits, byte| bits << 8 | usize::from(*byte)) << (8 * (3 - chunk.len()));
        let digits = (0..=chunk.len()).map(|at| char::from(ALPHABET[bits >> (18 - 6 * at) & 63]));
        encoded.extend(digits);
    }
    encoded
}

fn decode(encoded: &str) -> Vec<u8> {
    let mut bytes = Vec::new();
    for chunk in encoded.as_bytes().chunks(4) {
        let digit = |one: &u8| ALPHABET.iter().position(|known| known == one).expect("base64");
        let bits = chunk.iter().fold(0, |bits, one| bits << 6 | digit(one)) << (6 * (4 - chunk.len()));
        bytes.extend((1..chunk.len()).map(|at| (bits >> (24 - 8 * at) & 255) as u8));
    }
    bytes
}

/// Directories before what is in them, in the order of their names.
fn paths(dir: &Path) -> Vec<String> {
    let mut found = Vec::new();
    let mut left = vec![dir.to_owned()];
    while let Some(next) = left.pop() {
        for entry in fs::read_dir(next).expect("a directory") {
            let path = entry.expect("an entry").path();
            found.push(path.strip_prefix(dir).expect("within").to_string_lossy().into_owned());
            if path.is_dir() {
                left.push(path);
            }
        }
    }
    found.sort();
    found
}

#[test]
fn bytes_of_any_length_are_encoded_and_decoded() {
    assert_eq!(encode(b"any carnal pleas"), "YW55IGNhcm5hbCBwbGVhcw");
    for length in 0..40 {
        let bytes: Vec<u8> = (0..length).map(|at| (at * 37 + length) as u8).collect();
        assert_eq!(decode(&encode(&bytes)), bytes);
    }
}

#[test]
fn a_directory_comes_back_as_it_was() {
    let home = tempfile::tempdir().expect("a temporary directory");
    let (first, second) = (home.path().join("first"), home.path().join("second"));
    fs::create_dir_all(first.join("a.b-0")).expect("made");
    let mut sparse = vec![0; 1000];
    sparse[470..490].fill(7);
    let files: [(&str, &[u8]); 6] = [
        ("empty", b""),
        ("text", b"one\n\ntwo\n"),
        ("unended", b"{\"a\":1}"),
        ("a.b-0/bytes", b"\x00\xff one"),
        ("a.b-0/sparse", &sparse),
        ("a.b-0/zeros", &[0; 100]),
    ];
    for (path, bytes) in files {
        fs::write(first.join(path), bytes).expect("written");
    }
    let text = pack(&first);
    unpack(&text, &second);
    for (path, bytes) in files {
        assert_eq!(fs::read(second.join(path)).expect("read"), bytes, "{path}:\n{text}");
    }
    assert_eq!(pack(&second), text);
}
