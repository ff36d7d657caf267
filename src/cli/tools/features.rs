//! `kafka-features` (`org.apache.kafka.tools.FeatureCommand`): levels of features.

use std::collections::BTreeMap;

use client::Target;

use crate::argparse::{Command, Tool};
use crate::kafka::{self, Bootstrap, Trouble};
use crate::options::{CLUSTER, Opt, flag, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const CHANGES: &[Opt] = &[
    value(&["metadata"], "version", "Deprecated."),
    value(&["release-version"], "version", "All features as of this release."),
    value(&["feature"], "feature=level", "A feature and its level."),
    flag(&["unsafe"], "Also where metadata is lost."),
    flag(&["dry-run"], "Only check."),
];

const fn change(name: &'static str, about: &'static str) -> Command {
    Command { name, about, options: CHANGES, one_of: &[], needed: &[] }
}

const TOOL: Tool = Tool {
    name: "kafka-features",
    about: "This tool manages feature flags in Kafka.",
    options: CLUSTER,
    commands: &[
        Command {
            name: "describe",
            about: "Describes the current active feature flags.",
            options: &[value(&["node-id"], "id", "The node to ask.")],
            one_of: &[],
            needed: &[],
        },
        change("upgrade", "Upgrade one or more feature flags."),
        change("downgrade", "Downgrade one or more feature flags."),
        change("disable", "Disable one or more feature flags."),
        change("version-mapping", "The features of a release."),
        change("feature-dependencies", "What a feature needs."),
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let parsed = TOOL.read(arguments)?;
    if parsed.command.name != "describe" {
        return Err(Stop::not_built(&format!("kafka-features {}", parsed.command.name)));
    }
    let global = &parsed.global;
    let Some(bootstrap) = Bootstrap::of(global.one("bootstrap-server")?, global.one("bootstrap-controller")?)
    else {
        let words = "You must specify either --bootstrap-controller or --bootstrap-server.";
        return Err(Stop::Error(format!("Command line error: {words}. Type --help for help.")));
    };
    let properties = Properties::of_option(parsed.global.one("command-config")?.as_deref())?;
    let mut cluster = bootstrap.connect(&properties, "adminclient-1")?;
    let at = parsed.number("node-id")?.map_or(Target::Any, Target::Node);
    kafka::block_on(async {
        cluster.refresh().await.map_err(Trouble::from)?;
        let versions = cluster.versions_of(at).await.map_err(Trouble::from)?;
        let finalized = &versions.finalized_features;
        let finalized: BTreeMap<String, i16> =
            finalized.iter().map(|one| (one.name.to_string(), one.max_version_level)).collect();
        let epoch = match versions.finalized_features_epoch {
            epoch if epoch >= 0 => epoch.to_string(),
            _ => "-".to_owned(),
        };
        let mut supported: Vec<_> = versions.supported_features.iter().collect();
        supported.sort_by_key(|feature| feature.name.to_string());
        for feature in supported {
            let level = |level: i16| level_name(&feature.name, level);
            let current = finalized.get(&*feature.name).copied().unwrap_or(0);
            terminal.line(format!(
                "Feature: {:<40}  SupportedMinVersion: {:<15}  SupportedMaxVersion: {:<15}  \
                 FinalizedVersionLevel: {:<15}  Epoch: {epoch}",
                &*feature.name,
                level(feature.min_version),
                level(feature.max_version),
                level(current)
            ));
        }
        Ok(())
    })
}

fn level_name(feature: &str, level: i16) -> String {
    if feature != "metadata.version" {
        return level.to_string();
    }
    let at = usize::try_from(level - FIRST_METADATA_VERSION).ok();
    match at.and_then(|at| METADATA_VERSIONS.get(at)) {
        Some(name) => (*name).to_owned(),
        None => format!("UNKNOWN [{level}]"),
    }
}

const FIRST_METADATA_VERSION: i16 = 7;
/// Names of `metadata.version` from level 7 on (`MetadataVersion`).
const METADATA_VERSIONS: [&str; 25] = [
    "3.3-IV3", "3.4-IV0", "3.5-IV0", "3.5-IV1", "3.5-IV2", "3.6-IV0", "3.6-IV1", "3.6-IV2", "3.7-IV0",
    "3.7-IV1", "3.7-IV2", "3.7-IV3", "3.7-IV4", "3.8-IV0", "3.9-IV0", "4.0-IV0", "4.0-IV1", "4.0-IV2",
    "4.0-IV3", "4.1-IV0", "4.1-IV1", "4.2-IV0", "4.2-IV1", "4.3-IV0", "4.4-IV0",
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn levels_of_the_metadata_have_names() {
        assert_eq!(level_name("metadata.version", 7), "3.3-IV3");
        assert_eq!(level_name("metadata.version", 27), "4.1-IV1");
        assert_eq!(level_name("group.version", 1), "1");
    }
}
