//! Walks the Rust sources of the rooms and measures them.

use std::fs;
use std::path::Path;

use crate::manifest::repository;

/// One Rust file.
#[derive(Clone, Debug)]
pub struct SourceFile {
    /// Path within the repository, with `/`.
    pub path: String,
    /// Its text.
    pub text: String,
}

/// A function that was found in a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Function {
    /// Line of its signature, counted from 1.
    pub line: usize,
    /// Lines from the signature to the closing brace.
    pub lines: usize,
}

impl SourceFile {
    /// Whether the file holds tests only.
    pub fn is_test(&self) -> bool {
        self.path.ends_with("_tests.rs") || self.path.ends_with("/tests.rs") || self.path.contains("/tests/")
    }

    /// The text before the file's own test module.
    pub fn shipped(&self) -> &str {
        self.text.split("\n#[cfg(test)]\n").next().unwrap_or(&self.text)
    }

    /// The functions of the shipped part. Relies on `rustfmt`: a function ends at the first closing brace with the
    /// indentation of its signature.
    pub fn functions(&self) -> Vec<Function> {
        let lines: Vec<&str> = self.shipped().lines().collect();
        let mut functions = Vec::new();
        for (index, line) in lines.iter().enumerate() {
            let indent = line.len() - line.trim_start().len();
            if !is_signature(line.trim_start()) {
                continue;
            }
            let closing = format!("{}}}", " ".repeat(indent));
            let end = lines[index..].iter().position(|line| *line == closing || line.ends_with("; }"));
            functions.push(Function { line: index + 1, lines: end.unwrap_or(0) + 1 });
        }
        functions
    }
}

fn is_signature(line: &str) -> bool {
    let mut rest = line;
    for prefix in ["pub(crate) ", "pub(super) ", "pub ", "const ", "async ", "unsafe "] {
        rest = rest.strip_prefix(prefix).unwrap_or(rest);
    }
    rest.starts_with("fn ") && !line.ends_with(';')
}

/// Every Rust file of the rooms and of the binary; fuzz workspaces are included, build output is not.
pub fn sources() -> Vec<SourceFile> {
    let root = repository();
    let mut files = Vec::new();
    collect(&root, &root.join("src"), &mut files);
    files.sort_by(|a, b| a.path.cmp(&b.path));
    files
}

fn collect(root: &Path, folder: &Path, files: &mut Vec<SourceFile>) {
    let entries = fs::read_dir(folder).expect("a folder of src/ is readable");
    for path in entries.map(|entry| entry.expect("an entry is readable").path()) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        if path.is_dir() && name != "target" {
            collect(root, &path, files);
        } else if path.extension().is_some_and(|extension| extension == "rs") {
            files.push(SourceFile { path: relative(root, &path), text: read(&path) });
        }
    }
}

fn relative(root: &Path, path: &Path) -> String {
    path.strip_prefix(root).unwrap_or(path).to_string_lossy().replace('\\', "/")
}

fn read(path: &Path) -> String {
    fs::read_to_string(path).expect("a source file is readable UTF-8")
}
