//! Environment variables that stand for properties, in the dialects of the three families of images.

mod bitnami;

pub(crate) use bitnami::{cluster_id, with_files};

/// Whose rules turn variables into properties.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Dialect {
    /// `KAFKA_*`, as `apache/kafka` maps it (`KafkaDockerWrapper`).
    Apache,
    /// The same names, as `confluentinc/cp-kafka` renders them.
    Confluent,
    /// `KAFKA_CFG_*`, and a list of names that also work without `CFG_` (`bitnami/kafka`).
    Bitnami,
}

impl Dialect {
    /// What the variables' names betray.
    pub fn of(environment: &[(String, String)]) -> Self {
        let betrays = |name: &str| name.starts_with(bitnami::PREFIX) || bitnami::SIGNS.contains(&name);
        if environment.iter().any(|(name, _)| betrays(name)) { Self::Bitnami } else { Self::Apache }
    }
}

/// One variable that stands for a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable<'a> {
    /// The variable's own name.
    pub name: &'a str,
    /// The property it sets.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Variables of the images' shell scripts, which never become properties.
const EXCLUDED: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
    // cp-kafka's word for the directory that must be writable; KAFKA_LOG_DIRS is the property.
    "KAFKA_DATA_DIRS",
];

/// The properties that the environment sets by the rules of a dialect. Of two for one key the later counts.
pub fn kafka_properties(environment: &[(String, String)], dialect: Dialect) -> Vec<Variable<'_>> {
    let mut variables: Vec<(&str, &str)> =
        environment.iter().map(|(name, value)| (name.as_str(), value.as_str())).collect();
    // Two spellings of one property (`KAFKA_A`, `KAFKA_a`) must not depend on the order of the environment block.
    variables.sort_unstable();
    match dialect {
        Dialect::Apache | Dialect::Confluent => {
            let named = |(name, value)| {
                Some(Variable { name, key: property_name(name)?, value: as_property_value(value) })
            };
            variables.into_iter().filter_map(named).collect()
        }
        Dialect::Bitnami => bitnami::properties(&variables),
    }
}

/// `KAFKA_ABC_DEF` is `abc.def`, `KAFKA_ABC__DEF` is `abc_def`, `KAFKA_ABC___DEF` is `abc-def`; `None` for a
/// variable that names no property.
pub fn property_name(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix("KAFKA_")?;
    if rest.is_empty() || EXCLUDED.contains(&variable) {
        return None;
    }
    // The order of the three replacements is the image's, so that longer runs of underscores come out the same.
    Some(rest.to_lowercase().replace('_', ".").replace("...", "-").replace("..", "_"))
}

/// The images write `key=value` lines as the variable has them, and Java then reads them as properties: blanks in
/// front disappear, and a backslash escapes. A value that would fall apart into several properties stays whole.
fn as_property_value(text: &str) -> String {
    let line = format!("value={text}\n");
    match crate::properties::parse(line.as_bytes()) {
        Ok(parsed) => match <[_; 1]>::try_from(parsed) {
            Ok([property]) => property.value,
            Err(_) => text.to_owned(),
        },
        // A stray `\u` is read as it is written.
        Err(_) => text.to_owned(),
    }
}

/// What the images listen on when only `KAFKA_ADVERTISED_LISTENERS` says where: the same names and ports, on all
/// interfaces.
pub fn listeners_of_advertised(advertised: &str) -> String {
    let on_all_interfaces = |entry: &str| match (entry.split_once("://"), entry.rsplit_once(':')) {
        (Some((name, _)), Some((_, port))) => format!("{name}://0.0.0.0:{port}"),
        // Whatever is wrong with it is told by who reads the list.
        _ => entry.to_owned(),
    };
    advertised.split(',').map(on_all_interfaces).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
#[path = "env_tests.rs"]
mod tests;
