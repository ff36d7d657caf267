//! Values that live elsewhere: `${env:NAME}`, `${file:PATH:KEY}` and `${dir:PATH:FILE}` (KIP-297, KIP-421, KIP-887).
//!
//! As in Kafka, a provider works only after `config.providers` named it and `config.providers.NAME.class` gave it one
//! of Kafka's three classes; the name itself is free. What a provider does not have stays as it is written.

use std::collections::BTreeMap;
use std::path::{Component, Path, PathBuf};

use crate::error::ConfigError;
use crate::listeners::parse_csv;
use crate::load::{Notice, NoticeLevel, Settings};
use crate::properties;

/// Reads a file for the providers; the error is a reason to show.
pub type ReadFile<'a> = &'a dyn Fn(&Path) -> Result<Vec<u8>, String>;

/// Replaces what providers have, in all settings; what they lack gives a notice.
pub(crate) fn substitute(
    settings: &mut Settings,
    environment: &[(String, String)],
    read_file: ReadFile<'_>,
) -> Result<Vec<Notice>, ConfigError> {
    let providers = configured(settings)?;
    let mut notices = Vec::new();
    if providers.is_empty() {
        return Ok(notices);
    }
    let sources = Sources { environment, read_file };
    for (key, setting) in settings.iter_mut().filter(|(key, _)| !key.starts_with("config.providers")) {
        let outcome = replace(&setting.value, |variable| match providers.get(variable.provider) {
            Some(provider) => Ok(Some(provider.get(variable, &sources)?)),
            None => Ok(None),
        });
        let (value, missing) = outcome.map_err(|reason| {
            ConfigError::invalid(key, setting.value.as_str(), reason).with_source(Some(&setting.source))
        })?;
        for variable in missing {
            let text =
                format!("{key} ({}) keeps {variable}, which its provider does not have", setting.source);
            notices.push(Notice { level: NoticeLevel::Warn, text });
        }
        setting.value = value;
    }
    Ok(notices)
}

/// What providers read from.
struct Sources<'a> {
    environment: &'a [(String, String)],
    read_file: ReadFile<'a>,
}

#[derive(Debug)]
enum Provider {
    Environment,
    File { allowed: Option<Vec<PathBuf>> },
    Directory { allowed: Option<Vec<PathBuf>> },
}

/// `${provider:path:name}`; the path may be missing.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Variable<'a> {
    provider: &'a str,
    path: &'a str,
    name: &'a str,
}

fn configured(settings: &Settings) -> Result<BTreeMap<String, Provider>, ConfigError> {
    const KEY: &str = "config.providers";
    let names = settings.get(KEY).map_or("", |setting| setting.value.as_str());
    let mut providers = BTreeMap::new();
    for name in parse_csv(names) {
        let class_key = format!("{KEY}.{name}.class");
        let Some(class) = settings.get(&class_key) else {
            continue;
        };
        let parameter = |parameter: &str| {
            settings.get(&format!("{KEY}.{name}.param.{parameter}")).map(|setting| setting.value.as_str())
        };
        let allowed =
            || parameter("allowed.paths").map(|text| parse_csv(text).into_iter().map(lexical).collect());
        let provider = match class.value.trim().strip_prefix("org.apache.kafka.common.config.provider.") {
            Some("EnvVarConfigProvider") => {
                check_pattern(name, parameter("allowlist.pattern"))?;
                Provider::Environment
            }
            Some("FileConfigProvider") => Provider::File { allowed: allowed() },
            Some("DirectoryConfigProvider") => Provider::Directory { allowed: allowed() },
            _ => {
                let reason = "Could not load config provider class or one of its dependencies. No Java classes can be \
                              loaded here; built in: EnvVarConfigProvider, FileConfigProvider, DirectoryConfigProvider \
                              of org.apache.kafka.common.config.provider";
                let error = ConfigError::invalid(&class_key, class.value.as_str(), reason);
                return Err(error.with_source(Some(&class.source)));
            }
        };
        providers.insert(name.to_owned(), provider);
    }
    Ok(providers)
}

/// Regular expressions over names of variables are not worth an engine; the one that allows all is understood.
fn check_pattern(name: &str, pattern: Option<&str>) -> Result<(), ConfigError> {
    match pattern {
        None | Some(".*") => Ok(()),
        Some(other) => {
            let key = format!("config.providers.{name}.param.allowlist.pattern");
            Err(ConfigError::invalid(
                &key,
                other,
                "only .* is supported here; name the variables where they are used",
            ))
        }
    }
}

impl Provider {
    /// The variable's value; `None` if the provider has none, an error if it cannot look.
    fn get(&self, variable: Variable<'_>, sources: &Sources<'_>) -> Result<Option<String>, String> {
        match self {
            Self::Environment if !variable.path.is_empty() => Err(format!(
                "Path is not supported for EnvVarConfigProvider, invalid value '{}'",
                variable.path
            )),
            Self::Environment => {
                let found = sources.environment.iter().find(|(name, _)| name == variable.name);
                Ok(found.map(|(_, value)| value.clone()))
            }
            Self::File { allowed } => match permitted(variable.path, allowed.as_deref()) {
                Some(path) => property_of(&path, variable, sources),
                None => Ok(None),
            },
            // A name with a separator would leave the directory.
            Self::Directory { .. } if variable.name.contains('/') => Ok(None),
            Self::Directory { allowed } => match permitted(variable.path, allowed.as_deref()) {
                Some(directory) => content_of(&directory.join(variable.name), sources).map(Some),
                None => Ok(None),
            },
        }
    }
}

fn property_of(path: &Path, variable: Variable<'_>, sources: &Sources<'_>) -> Result<Option<String>, String> {
    let unreadable =
        |reason: String| format!("Could not read properties from file {}: {reason}", path.display());
    let bytes = (sources.read_file)(path).map_err(unreadable)?;
    let properties = properties::parse(&bytes).map_err(|e| unreadable(e.to_string()))?;
    Ok(properties.into_iter().rev().find(|property| property.key == variable.name).map(|p| p.value))
}

fn content_of(path: &Path, sources: &Sources<'_>) -> Result<String, String> {
    let unreadable = |reason: String| format!("Could not read file {}: {reason}", path.display());
    let bytes = (sources.read_file)(path).map_err(unreadable)?;
    String::from_utf8(bytes).map_err(|e| unreadable(e.to_string()))
}

/// The path without `..`, if it is given and lies under one of the allowed ones.
fn permitted(path: &str, allowed: Option<&[PathBuf]>) -> Option<PathBuf> {
    let path = Some(path).filter(|path| !path.is_empty()).map(lexical)?;
    match allowed {
        Some(allowed) if !allowed.iter().any(|parent| path.starts_with(parent)) => None,
        _ => Some(path),
    }
}

/// Resolves `.` and `..` in the text of a path.
fn lexical(path: &str) -> PathBuf {
    let mut normal = PathBuf::new();
    for component in Path::new(path).components() {
        match component {
            Component::ParentDir => drop(normal.pop()),
            Component::CurDir => {}
            other => normal.push(other),
        }
    }
    normal
}

/// Replaces every variable for which `lookup` has a value. `Ok(None)` from it is an unknown provider, whose variables
/// are left alone; variables that a known provider lacks are left too, and returned.
fn replace<'a>(
    text: &'a str,
    lookup: impl Fn(Variable<'a>) -> Result<Option<Option<String>>, String>,
) -> Result<(String, Vec<String>), String> {
    let mut replaced = String::new();
    let mut missing = Vec::new();
    let mut rest = text;
    while let Some((before, after)) = rest.split_once("${") {
        replaced.push_str(before);
        let Some((inner, tail)) = after.split_once('}') else {
            replaced.push_str("${");
            rest = after;
            continue;
        };
        let whole = format!("${{{inner}}}");
        match parse_variable(inner).map(&lookup).transpose()?.flatten() {
            Some(Some(value)) => replaced.push_str(&value),
            Some(None) => {
                replaced.push_str(&whole);
                missing.push(whole);
            }
            None => replaced.push_str(&whole),
        }
        rest = tail;
    }
    replaced.push_str(rest);
    Ok((replaced, missing))
}

fn parse_variable(inner: &str) -> Option<Variable<'_>> {
    let (provider, rest) = inner.split_once(':')?;
    let (path, name) = rest.split_once(':').unwrap_or(("", rest));
    Some(Variable { provider, path, name })
}

#[cfg(test)]
#[path = "providers_tests.rs"]
mod tests;
