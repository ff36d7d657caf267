//! `ottla storage`: what is to be known, or done, about directories that nobody serves at the moment.

use std::path::{Path, PathBuf};

use anyhow::bail;
use broker::metadata::{self, Inspection};
use clap::{Args, Subcommand};
use config::{Loaded, PropertiesFile};
use controller::record::VerbatimKey;
use model::Clock;

use crate::serve::{self, named_file, read_file};

/// A step of a directory's life.
#[derive(Debug, Subcommand)]
pub enum Step {
    /// Says what a start would do with the directories, and changes nothing; fails where they would be refused.
    Check(Target),
    /// Removes from the directories what Apache Kafka does not know, so that it can take them over. The broker must be
    /// stopped.
    HandBack(Target),
}

/// Which directories.
#[derive(Debug, Args)]
pub struct Target {
    /// A log directory, in place of those that the configuration names.
    #[arg(value_name = "DIR")]
    dir: Option<PathBuf>,
    /// A file in the format of Kafka's server.properties.
    #[arg(long, value_name = "FILE")]
    config: Option<PathBuf>,
    /// One setting that beats the file and the environment; may be repeated.
    #[arg(long = "override", value_name = "KEY=VALUE")]
    overrides: Vec<String>,
}

/// Runs a step; what it found goes to standard output.
pub fn run(step: &Step) -> anyhow::Result<()> {
    let clock = Clock::system();
    match step {
        Step::Check(target) => check(&target.load()?),
        Step::HandBack(target) => hand_back(&target.load()?, &clock),
    }
}

impl Target {
    fn load(&self) -> anyhow::Result<Loaded> {
        let environment = serve::environment();
        let file = self.config.as_deref().map(named_file).transpose()?;
        let mut overrides = self.overrides.clone();
        if let Some(dir) = &self.dir {
            overrides.extend(self.of_dir(dir)?);
        }
        let inputs = config::Inputs {
            file: file.as_ref().map(|(name, bytes)| PropertiesFile { name, bytes }),
            environment: &environment,
            overrides: &overrides,
        };
        Ok(config::load_with(&inputs, &read_file)?)
    }

    /// Settings that make a directory the configured one. Without a file the directory says whose it is.
    fn of_dir(&self, dir: &Path) -> anyhow::Result<Vec<String>> {
        if !dir.is_dir() {
            bail!("{} is no directory", dir.display());
        }
        let dirs = ["log.dirs", "metadata.log.dir"].map(|key| format!("{key}={}", dir.display()));
        let mut settings = Vec::from(dirs);
        let is_told = self.config.is_some() || self.overrides.iter().any(|text| text.starts_with("node.id="));
        let disk = storage::SystemDisk::shared();
        if !is_told && let Some(meta) = storage::MetaProperties::read(&*disk, dir)? {
            settings.push(format!("node.id={}", meta.node_id));
        }
        Ok(settings)
    }
}

fn check(loaded: &Loaded) -> anyhow::Result<()> {
    for notice in &loaded.notices {
        println!("note: {}", notice.text);
    }
    metadata::refuse_other_hosts(&loaded.broker)?;
    let found = metadata::inspect(&loaded.broker)?;
    for dir in &found.dirs {
        let state = match (dir.is_new, dir.is_clean) {
            (true, _) => "new: a start formats it",
            (false, true) => "closed: a start reads no records",
            (false, false) => {
                "its logs were not closed: a start reads what was written since their recovery points, and cuts off torn ends"
            }
        };
        println!("{}: {state}", dir.path.display());
    }
    match &found.cluster_id {
        None => println!("a start begins a new cluster"),
        Some(id) => describe(id, &found),
    }
    println!("nothing was changed");
    Ok(())
}

/// What the metadata holds, and what is not acted on.
fn describe(cluster_id: &str, found: &Inspection) {
    let image = &found.image;
    let partitions: usize = image.topics().iter().map(|topic| topic.partitions.len()).sum();
    let version = image.metadata_version().map_or("none", controller::MetadataVersion::name);
    println!(
        "cluster {cluster_id}: metadata.version {version}, {} topics with {partitions} partitions, metadata up to offset {}",
        image.topics().len(),
        found.metadata_end
    );
    for (name, level) in image.features().finalized() {
        println!("  {name} {level}");
    }
    type Sort = fn(&VerbatimKey) -> bool;
    let kept: [(&str, Sort); 4] = [
        ("ACLs, which are not enforced", |key| matches!(key, VerbatimKey::AccessControlEntry(_))),
        ("SCRAM credentials", |key| matches!(key, VerbatimKey::ScramCredential(..))),
        ("delegation tokens", |key| matches!(key, VerbatimKey::DelegationToken(_))),
        ("client quotas, which are not enforced", |key| matches!(key, VerbatimKey::ClientQuota(..))),
    ];
    for (what, is_sort) in kept {
        let count = found.count_kept(is_sort);
        if count > 0 {
            println!("  {count} {what}: kept for Kafka");
        }
    }
    for (topic, name) in found.own_settings() {
        println!(
            "  topic {topic} has {name}, which Kafka does not know: `ottla storage hand-back` removes it"
        );
    }
}

fn hand_back(loaded: &Loaded, clock: &Clock) -> anyhow::Result<()> {
    for (topic, name) in metadata::hand_back(&loaded.broker, clock)? {
        println!("removed {name} from topic {topic}");
    }
    println!("the directories are as Apache Kafka knows them");
    Ok(())
}
