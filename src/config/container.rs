//! What decides a start inside a container, where nobody writes a command line: variables in one of three dialects,
//! files mounted at the paths of three families of images, and which directories are mounts.

mod tls;

use std::collections::BTreeSet;
use std::fmt::{self, Write as _};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use crate::env::{self, Dialect};
use crate::error::ConfigError;
use crate::keys::extra::{Foreign, foreign};
use crate::load::{self, Loaded, Notice, NoticeLevel, PropertiesFile, Setting, Settings, Source};
use crate::properties;
use crate::providers::ReadFile;

/// Everything around the process, as data and as ways to look.
#[derive(Clone, Copy)]
pub struct Surroundings<'a> {
    /// The family whose entry point was called; `None` for the one that all share, where the variables tell.
    pub entry: Option<Dialect>,
    /// The process environment.
    pub environment: &'a [(String, String)],
    /// Reads a file.
    pub read_file: ReadFile<'a>,
    /// Whether there is a file of this name.
    pub exists: &'a dyn Fn(&Path) -> bool,
    /// Where something is mounted.
    pub mounts: &'a Mounts,
}

impl fmt::Debug for Surroundings<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { entry, mounts, .. } = self;
        f.debug_struct("Surroundings").field("entry", entry).field("mounts", mounts).finish_non_exhaustive()
    }
}

/// Mount points of the process.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Mounts(BTreeSet<PathBuf>);

impl Mounts {
    /// Reads `/proc/self/mountinfo`, whose fifth field is the mount point with blanks escaped in octal.
    pub fn parse(mountinfo: &str) -> Self {
        let point = |line: &str| Some(PathBuf::from(line.split(' ').nth(4)?.replace("\\040", " ")));
        Self(mountinfo.lines().filter_map(point).collect())
    }

    /// Whether something is mounted exactly here.
    pub fn contains(&self, path: &Path) -> bool {
        self.0.contains(path)
    }
}

/// The settings that a container starts with.
#[derive(Clone, Debug)]
pub struct Container {
    /// The dialect that was found.
    pub dialect: Dialect,
    /// Identity for a data directory that has none; `None` for a random one.
    pub cluster_id: Option<String>,
    environment: Vec<(String, String)>,
    settings: Settings,
    notices: Vec<Notice>,
}

/// The properties that `apache/kafka` lets a user mount; variables go on top.
const APACHE_MOUNTED: &str = "/mnt/shared/config/server.properties";
/// What starts where nothing else says anything.
const APACHE_DEFAULT: &str = "/etc/kafka/docker/server.properties";
/// The identity that `apache/kafka` gives where `CLUSTER_ID` is not set.
const APACHE_CLUSTER_ID: &str = "5L6g3nShT-eMCtK--X86sw";
/// Where `cp-kafka` keeps its data; a volume of this image too.
const CONFLUENT_DATA: &str = "/var/lib/kafka/data";
/// Where `apache/kafka` keeps its data without a word about it: by its default file, and by Kafka's own default.
const APACHE_DATA: &[&str] = &["/tmp/kraft-combined-logs", "/tmp/kafka-logs"];
const BITNAMI_DATA: &str = "/bitnami/kafka/data";
const BITNAMI_VOLUMES: &[&str] = &["/bitnami", "/bitnami/kafka", BITNAMI_DATA];
const BITNAMI_MOUNTED: &str = "/bitnami/kafka/config";

/// What stands in `bitnami/kafka`'s own file, on which variables go.
const BITNAMI_BASE: &[(&str, &str)] = &[
    ("offsets.topic.replication.factor", "1"),
    ("share.coordinator.state.topic.min.isr", "1"),
    ("share.coordinator.state.topic.replication.factor", "1"),
    ("transaction.state.log.min.isr", "1"),
    ("transaction.state.log.replication.factor", "1"),
];

impl Container {
    /// Looks around.
    ///
    /// # Errors
    /// A mounted file cannot be read, or a variable asks for what cannot be.
    pub fn of(around: &Surroundings<'_>) -> Result<Self, ConfigError> {
        let dialect = around.entry.unwrap_or_else(|| Dialect::of(around.environment));
        let container = match dialect {
            Dialect::Apache | Dialect::Confluent => apache(around, dialect)?,
            Dialect::Bitnami => bitnami(around)?,
        };
        Ok(container.completed(around))
    }

    /// The file that the image's own scripts would write: every setting on a line, below the variable it comes from.
    pub fn rendered(&self) -> String {
        let mut text = format!("{RENDERED}\n");
        for (key, setting) in &self.settings {
            // Writing to a String does not fail.
            let _ = writeln!(text, "# {}\n{}", setting.source, properties::write(key, &setting.value));
        }
        text
    }

    /// The same start with the rendered file's settings, which somebody may have changed since. What is still as it was
    /// rendered keeps its origin, so that messages name the variable that the user has typed.
    ///
    /// # Errors
    /// The file cannot be parsed.
    pub fn with_rendered(mut self, file: PropertiesFile<'_>) -> Result<Self, ConfigError> {
        let mut settings = Settings::new();
        load::add_file(&mut settings, file)?;
        for (key, setting) in &mut settings {
            if let Some(origin) = self.settings.get(key).filter(|origin| origin.value == setting.value) {
                setting.source = origin.source.clone();
            }
        }
        self.settings = settings;
        Ok(self)
    }

    /// Overrides on top, all checks, and the typed configuration.
    ///
    /// # Errors
    /// The first thing that is wrong with the settings.
    pub fn load(self, overrides: &[String], read_file: ReadFile<'_>) -> Result<Loaded, ConfigError> {
        let mut settings = self.settings;
        load::add_overrides(&mut settings, overrides)?;
        let mut loaded = load::finish(settings, &self.environment, read_file)?;
        loaded.notices.splice(0..0, self.notices);
        Ok(loaded)
    }

    /// What every family adds: listeners by what is advertised, and where the data goes.
    fn completed(mut self, around: &Surroundings<'_>) -> Self {
        load::add_listeners(&mut self.settings);
        let is_given = |key: &str| self.settings.get(key).is_some_and(|s| !s.value.trim().is_empty());
        if !is_given("log.dirs") && !is_given("log.dir") {
            let setting =
                Setting { value: data_dir(self.dialect, around).to_owned(), source: Source::Embedded };
            self.settings.insert("log.dirs".to_owned(), setting);
        }
        self
    }
}

/// The first line of a rendered file, by which a later start knows it.
pub const RENDERED: &str =
    "# Rendered by Ottla from the environment; changed lines are obeyed until the next start.";

/// A place that is kept: `apache/kafka`'s own if the user mounted something there, else a volume.
fn data_dir(dialect: Dialect, around: &Surroundings<'_>) -> &'static str {
    let is_mount = |path: &&&str| around.mounts.contains(Path::new(path));
    match dialect {
        Dialect::Bitnami => BITNAMI_DATA,
        Dialect::Confluent => CONFLUENT_DATA,
        Dialect::Apache => match APACHE_DATA.iter().find(is_mount) {
            Some(path) => path,
            None if BITNAMI_VOLUMES.iter().any(|path| is_mount(&path)) => BITNAMI_DATA,
            None => CONFLUENT_DATA,
        },
    }
}

fn apache(around: &Surroundings<'_>, dialect: Dialect) -> Result<Container, ConfigError> {
    let mut settings = Settings::new();
    let mounted = (dialect == Dialect::Apache).then_some(APACHE_MOUNTED);
    let mut says_something = add_existing(&mut settings, mounted, around)?;
    for variable in env::kafka_properties(around.environment, dialect) {
        says_something |= is_counted(&variable.key, &variable.value);
        let source = Source::Environment { variable: Arc::from(variable.name) };
        settings.insert(variable.key, Setting { value: variable.value, source });
    }
    if !says_something {
        let mut defaults = Settings::new();
        add_existing(&mut defaults, Some(APACHE_DEFAULT), around)?;
        defaults.append(&mut settings);
        settings = defaults;
    }
    tls::add_from_secrets(&mut settings, around);
    let given = value_of(around.environment, "CLUSTER_ID");
    let by_default = (dialect == Dialect::Apache).then_some(APACHE_CLUSTER_ID);
    Ok(Container {
        dialect,
        cluster_id: given.or(by_default).map(str::to_owned),
        environment: around.environment.to_vec(),
        settings,
        notices: Vec::new(),
    })
}

/// One setting of the user's replaces the default file as a whole, as in `apache/kafka`; but not one that says nothing
/// about a broker, such as `KAFKA_JMX_PORT`, or what Kubernetes puts into the environment.
fn is_counted(key: &str, value: &str) -> bool {
    key != "jmx.port" && foreign(key, value) != Some(Foreign::Quiet)
}

fn bitnami(around: &Surroundings<'_>) -> Result<Container, ConfigError> {
    let (environment, unread) = env::with_files(around.environment, around.read_file);
    refuse_initial_controllers(&environment)?;
    let mut settings = Settings::new();
    let folder = value_of(&environment, "KAFKA_MOUNTED_CONF_DIR").unwrap_or(BITNAMI_MOUNTED);
    let mounted = format!("{}/server.properties", folder.trim_end_matches('/'));
    let mut notices: Vec<Notice> = unread.into_iter().map(warn).collect();
    if add_existing(&mut settings, Some(&mounted), around)? {
        let text = format!("{mounted} is mounted: KAFKA_CFG_* variables are not used");
        notices.push(Notice { level: NoticeLevel::Info, text });
    } else {
        for (key, value) in BITNAMI_BASE {
            settings
                .insert((*key).to_owned(), Setting { value: (*value).to_owned(), source: Source::Embedded });
        }
        for variable in env::kafka_properties(&environment, Dialect::Bitnami) {
            let source = Source::Environment { variable: Arc::from(variable.name) };
            settings.insert(variable.key, Setting { value: variable.value, source });
        }
    }
    let cluster_id = env::cluster_id(&environment);
    Ok(Container { dialect: Dialect::Bitnami, cluster_id, environment, settings, notices })
}

/// `id@host:port:directory` of every controller: several are a cluster.
fn refuse_initial_controllers(environment: &[(String, String)]) -> Result<(), ConfigError> {
    const NAME: &str = "KAFKA_INITIAL_CONTROLLERS";
    match value_of(environment, NAME) {
        Some(value) if value.split(',').filter(|entry| !entry.trim().is_empty()).count() > 1 => {
            Err(ConfigError::Refused {
                key: NAME.to_owned(),
                value: value.to_owned(),
                reason: "a cluster of several nodes cannot be formed yet; name only this node, or remove the variable"
                    .to_owned(),
                source_of_value: None,
            })
        }
        _ => Ok(()),
    }
}

/// Adds the file's settings if there is such a file.
fn add_existing(
    settings: &mut Settings,
    name: Option<&str>,
    around: &Surroundings<'_>,
) -> Result<bool, ConfigError> {
    let Some(name) = name.filter(|name| (around.exists)(Path::new(name))) else {
        return Ok(false);
    };
    let bytes = (around.read_file)(Path::new(name))
        .map_err(|reason| ConfigError::Syntax(format!("cannot read {name}: {reason}")))?;
    load::add_file(settings, PropertiesFile { name, bytes: &bytes })?;
    Ok(true)
}

fn value_of<'a>(environment: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let found = environment.iter().find(|(variable, value)| variable == name && !value.is_empty());
    found.map(|(_, value)| value.as_str())
}

fn warn(text: String) -> Notice {
    Notice { level: NoticeLevel::Warn, text }
}

#[cfg(test)]
#[path = "container_tests.rs"]
mod tests;
