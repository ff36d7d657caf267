//! Which room may use what; the reasons stand in `docs/ARCHITECTURE.md`.

use crate::manifest::{Room, repository, rooms};

/// Room, and what it may use beyond [`ANYWHERE`].
const MAY_USE: &[(&str, &[&str])] = &[
    ("model", &["crc32c"]),
    ("wire", &["model", "kafka-protocol"]),
    ("records", &["model", "crc32c", "flate2", "lz4_flex", "snap", "twox-hash", "zstd"]),
    ("config", &[]),
    ("storage", &["model", "records", "crc32c", "libc", "rustix", "serde_json"]),
    ("controller", &["model"]),
    ("coordinator", &["model", "regex", "twox-hash"]),
    ("client", &["model", "wire", "tokio"]),
    (
        "cli",
        &[
            "model",
            "wire",
            "records",
            "client",
            "config",
            "storage",
            "controller",
            "regex",
            "rustix",
            "serde_json",
            "tokio",
        ],
    ),
    (
        "broker",
        &[
            "model",
            "wire",
            "records",
            "config",
            "storage",
            "controller",
            "coordinator",
            "arc-swap",
            "httparse",
            "parking_lot",
            "rustix",
            "serde_json",
            "socket2",
            "tokio",
            "tracing-subscriber",
        ],
    ),
    (
        "bench",
        &[
            "model",
            "wire",
            "records",
            "client",
            "anyhow",
            "clap",
            "crc32c",
            "hdrhistogram",
            "rustix",
            "serde_json",
            "tokio",
        ],
    ),
    ("tidy", &[]),
];

/// Small crates without I/O that any room may use.
const ANYWHERE: &[&str] = &["bytes", "thiserror", "tracing", "uuid"];

/// Rooms that never see each other: each can be understood, tested and replaced alone.
const SIBLINGS: &[&str] = &["wire", "storage", "coordinator", "controller"];

#[test]
fn rooms_use_only_what_the_table_allows() {
    for room in rooms() {
        let row = MAY_USE.iter().find(|(name, _)| *name == room.name);
        let (_, allowed) = row.unwrap_or_else(|| panic!("room {} has no row in tidy's table", room.name));
        for used in &room.dependencies {
            assert!(
                allowed.contains(&used.as_str()) || ANYWHERE.contains(&used.as_str()),
                "room {} uses {used}, which its row in tidy does not allow",
                room.name
            );
        }
    }
}

#[test]
fn siblings_do_not_see_each_other() {
    for room in rooms().iter().filter(|room| SIBLINGS.contains(&room.name.as_str())) {
        let seen = room.dependencies.iter().chain(&room.dev_dependencies);
        for used in seen {
            assert!(!SIBLINGS.contains(&used.as_str()), "{} sees its sibling {used}", room.name);
        }
    }
}

#[test]
fn only_the_rooms_with_sockets_know_tokio() {
    const WITH_SOCKETS: &[&str] = &["client", "broker", "cli", "bench"];
    for room in rooms().iter().filter(|room| !WITH_SOCKETS.contains(&room.name.as_str())) {
        assert!(!room.dependencies.iter().any(|used| used == "tokio"), "{} uses tokio", room.name);
    }
}

#[test]
fn every_room_is_a_private_member_with_the_workspace_lints() {
    let root =
        std::fs::read_to_string(repository().join("Cargo.toml")).expect("the root manifest is readable");
    for Room { name, manifest, .. } in rooms() {
        let member = format!("    \"src/{name}\",");
        assert_eq!(root.matches(&member).count(), 2, "{name} is in members and default-members");
        assert!(manifest.contains("publish = false"), "{name} is not for a registry");
        assert!(manifest.contains("[lints]\nworkspace = true"), "{name} takes the workspace's lints");
    }
}
