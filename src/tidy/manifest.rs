//! Reads as much of a `Cargo.toml` as the rules need.

use std::fs;
use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

/// One room: a folder under `src/` with a manifest.
#[derive(Clone, Debug)]
pub struct Room {
    /// Folder and package name.
    pub name: String,
    /// Its manifest's text.
    pub manifest: String,
    /// Names under `[dependencies]`.
    pub dependencies: Vec<String>,
    /// Names under `[dev-dependencies]`.
    pub dev_dependencies: Vec<String>,
}

/// Every room of the tree, by name.
pub fn rooms() -> Vec<Room> {
    let folder = repository().join("src");
    let entries = fs::read_dir(&folder).expect("src/ is readable");
    let mut rooms: Vec<Room> = entries
        .filter_map(|entry| {
            let path = entry.expect("an entry of src/ is readable").path();
            let manifest = fs::read_to_string(path.join("Cargo.toml")).ok()?;
            let name = path.file_name()?.to_string_lossy().into_owned();
            let dependencies = names_under(&manifest, "[dependencies]");
            let dev_dependencies = names_under(&manifest, "[dev-dependencies]");
            Some(Room { name, manifest, dependencies, dev_dependencies })
        })
        .collect();
    rooms.sort_by(|a, b| a.name.cmp(&b.name));
    rooms
}

fn names_under(manifest: &str, section: &str) -> Vec<String> {
    manifest
        .lines()
        .skip_while(|line| line.trim() != section)
        .skip(1)
        .take_while(|line| !line.starts_with('['))
        .filter_map(|line| {
            let name = line.split(['=', '.', ' ']).next()?.trim();
            (!name.is_empty() && !name.starts_with('#')).then(|| name.to_owned())
        })
        .collect()
}
