//! Resources and entries, as a command line names them and as Kafka prints them.

use std::collections::BTreeSet;
use std::fmt;

use crate::options::Options;
use crate::terminal::Stop;

use super::Acls;

/// A resource, or a filter of resources.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Resource {
    pub(super) kind: i8,
    pub(super) name: String,
    pub(super) pattern: i8,
}

/// Who may, or may not, do what, and from where.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Entry {
    pub(super) principal: String,
    pub(super) host: String,
    pub(super) operation: i8,
    pub(super) permission: i8,
}

impl fmt::Display for Resource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (kind, pattern) = (name_of(KINDS, self.kind), name_of(PATTERNS, self.pattern));
        write!(f, "ResourcePattern(resourceType={kind}, name={}, patternType={pattern})", self.name)
    }
}

impl fmt::Display for Entry {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (operation, permission) =
            (name_of(OPERATIONS, self.operation), name_of(PERMISSIONS, self.permission));
        write!(
            f,
            "(principal={}, host={}, operation={operation}, permissionType={permission})",
            self.principal, self.host
        )
    }
}

/// What is to be added.
pub(super) fn to_add(options: &Options) -> Result<Acls, Stop> {
    let pattern = pattern(options)?;
    if !matches!(pattern, LITERAL | PREFIXED) {
        let name = name_of(PATTERNS, pattern);
        return Err(options
            .usage(format!("A '--resource-pattern-type' value of '{name}' is not valid when adding acls.")));
    }
    let wanted = to_remove(options)?;
    if wanted.values().any(Vec::is_empty) {
        return Err(options
            .usage("You must specify one of: --allow-principal, --deny-principal when trying to add ACLs."));
    }
    Ok(wanted)
}

/// What is to be removed; no entries are all.
pub(super) fn to_remove(options: &Options) -> Result<Acls, Stop> {
    let mut wanted = Acls::new();
    let filters = resources(options)?;
    if filters.is_empty() {
        return Err(options.usage(
            "You must provide at least one resource: --topic <topic> or --cluster or --group <group> or \
             --delegation-token <Delegation Token ID>",
        ));
    }
    if !options.has("producer") && !options.has("consumer") {
        let operations = operations(options);
        for filter in &filters {
            wanted.insert(filter.clone(), entries(options, &operations)?);
        }
    }
    let mut take = |kind: i8, operations: &[i8]| -> Result<(), Stop> {
        for filter in filters.iter().filter(|filter| filter.kind == kind) {
            let known = wanted.entry(filter.clone()).or_default();
            known.extend(entries(options, operations)?);
            known.sort();
            known.dedup();
        }
        Ok(())
    };
    if options.has("producer") {
        take(TOPIC, &[WRITE, DESCRIBE, CREATE])?;
        take(TRANSACTIONAL_ID, &[WRITE, DESCRIBE])?;
        if options.has("idempotent") {
            take(CLUSTER, &[IDEMPOTENT_WRITE])?;
        }
    }
    if options.has("consumer") {
        take(TOPIC, &[READ, DESCRIBE])?;
        take(GROUP, &[READ])?;
    }
    check_operations(options, &wanted)?;
    Ok(wanted)
}

fn check_operations(options: &Options, wanted: &Acls) -> Result<(), Stop> {
    for (resource, entries) in wanted {
        let legal = legal(resource.kind);
        if entries.iter().any(|entry| !legal.contains(&entry.operation)) {
            let names: Vec<&str> = legal.iter().map(|one| name_of(OPERATIONS, *one)).collect();
            let kind = name_of(KINDS, resource.kind);
            return Err(
                options.usage(format!("ResourceType {kind} only supports operations [{}]", names.join(", ")))
            );
        }
    }
    Ok(())
}

/// The resources of the command line.
pub(super) fn resources(options: &Options) -> Result<Vec<Resource>, Stop> {
    let pattern = pattern(options)?;
    let mut found = BTreeSet::new();
    for (option, kind) in NAMED {
        for name in options.all(option) {
            found.insert(Resource { kind, name: name.trim().to_owned(), pattern });
        }
    }
    if pattern == LITERAL && (options.has("cluster") || options.has("idempotent")) {
        found.insert(Resource { kind: CLUSTER, name: "kafka-cluster".to_owned(), pattern });
    }
    Ok(found.into_iter().collect())
}

fn pattern(options: &Options) -> Result<i8, Stop> {
    let Some(name) = options.one("resource-pattern-type")? else { return Ok(LITERAL) };
    let code = PATTERNS.iter().position(|known| known.eq_ignore_ascii_case(&name)).filter(|code| *code > 0);
    code.and_then(|code| i8::try_from(code).ok()).ok_or_else(|| {
        let message = format!("Cannot parse argument '{name}' of option resource-pattern-type");
        Stop::Told { message: format!("Error while executing ACL command: {message}"), detail: String::new() }
    })
}

fn operations(options: &Options) -> Vec<i8> {
    let named = options.all("operation");
    if named.is_empty() {
        return vec![ALL];
    }
    let code = |name: &String| {
        let found = OPERATIONS.iter().position(|known| {
            let pascal: String = pascal(known);
            pascal == name.trim() || pascal.to_uppercase() == name.trim()
        });
        found.and_then(|code| i8::try_from(code).ok()).unwrap_or(0)
    };
    named.iter().map(code).collect()
}

/// `CLUSTER_ACTION` as `ClusterAction`.
fn pascal(name: &str) -> String {
    let words = name.split('_').map(|word| {
        let (first, rest) = word.split_at(word.len().min(1));
        first.to_owned() + &rest.to_lowercase()
    });
    words.collect()
}

fn entries(options: &Options, operations: &[i8]) -> Result<Vec<Entry>, Stop> {
    let mut found = Vec::new();
    for (principals, hosts, permission) in
        [("allow-principal", "allow-host", ALLOW), ("deny-principal", "deny-host", DENY)]
    {
        let mut from: Vec<String> = options.all(hosts).iter().map(|host| host.trim().to_owned()).collect();
        if from.is_empty() {
            from.push("*".to_owned());
        }
        for principal in self::principals(options, principals)? {
            for (operation, host) in
                operations.iter().flat_map(|one| from.iter().map(move |host| (one, host)))
            {
                found.push(Entry {
                    principal: principal.clone(),
                    host: host.clone(),
                    operation: *operation,
                    permission,
                });
            }
        }
    }
    found.sort();
    found.dedup();
    Ok(found)
}

/// The principals of an option.
pub(super) fn principals(options: &Options, option: &str) -> Result<Vec<String>, Stop> {
    let mut found = Vec::new();
    for written in options.all(option) {
        let written = written.trim().to_owned();
        let parts = written.split_once(':').filter(|(kind, name)| !kind.is_empty() && !name.is_empty());
        if parts.is_none() {
            let reason = format!("expected a string in format principalType:principalName but got {written}");
            return Err(Stop::Told {
                message: format!("Error while executing ACL command: {reason}"),
                detail: String::new(),
            });
        }
        found.push(written);
    }
    found.sort();
    found.dedup();
    Ok(found)
}

fn name_of(names: &[&'static str], code: i8) -> &'static str {
    usize::try_from(code).ok().and_then(|code| names.get(code)).copied().unwrap_or("UNKNOWN")
}

/// What may be allowed of a resource (`AclEntry.supportedOperations`).
fn legal(kind: i8) -> &'static [i8] {
    match kind {
        TOPIC => &[ALL, READ, WRITE, CREATE, DELETE, ALTER, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS],
        GROUP => &[ALL, READ, DELETE, DESCRIBE, DESCRIBE_CONFIGS, ALTER_CONFIGS],
        CLUSTER => {
            &[ALL, CREATE, ALTER, DESCRIBE, CLUSTER_ACTION, DESCRIBE_CONFIGS, ALTER_CONFIGS, IDEMPOTENT_WRITE]
        }
        TRANSACTIONAL_ID => &[ALL, WRITE, DESCRIBE, TWO_PHASE_COMMIT],
        DELEGATION_TOKEN => &[ALL, DESCRIBE],
        _ => &[ALL, CREATE_TOKENS, DESCRIBE_TOKENS],
    }
}

const NAMED: [(&str, i8); 5] = [
    ("topic", TOPIC),
    ("group", GROUP),
    ("transactional-id", TRANSACTIONAL_ID),
    ("delegation-token", DELEGATION_TOKEN),
    ("user-principal", USER),
];

/// Names by their code (`ResourceType`, `PatternType`, `AclOperation`, `AclPermissionType`).
const KINDS: &[&str] =
    &["UNKNOWN", "ANY", "TOPIC", "GROUP", "CLUSTER", "TRANSACTIONAL_ID", "DELEGATION_TOKEN", "USER"];
const PATTERNS: &[&str] = &["UNKNOWN", "ANY", "MATCH", "LITERAL", "PREFIXED"];
const PERMISSIONS: &[&str] = &["UNKNOWN", "ANY", "DENY", "ALLOW"];
const OPERATIONS: &[&str] = &[
    "UNKNOWN",
    "ANY",
    "ALL",
    "READ",
    "WRITE",
    "CREATE",
    "DELETE",
    "ALTER",
    "DESCRIBE",
    "CLUSTER_ACTION",
    "DESCRIBE_CONFIGS",
    "ALTER_CONFIGS",
    "IDEMPOTENT_WRITE",
    "CREATE_TOKENS",
    "DESCRIBE_TOKENS",
    "TWO_PHASE_COMMIT",
];

/// The filter that everything passes.
pub(super) const ANY: i8 = 1;
const TOPIC: i8 = 2;
const GROUP: i8 = 3;
const CLUSTER: i8 = 4;
const TRANSACTIONAL_ID: i8 = 5;
const DELEGATION_TOKEN: i8 = 6;
const USER: i8 = 7;
const LITERAL: i8 = 3;
const PREFIXED: i8 = 4;
const DENY: i8 = 2;
const ALLOW: i8 = 3;
const ALL: i8 = 2;
const READ: i8 = 3;
const WRITE: i8 = 4;
const CREATE: i8 = 5;
const DELETE: i8 = 6;
const ALTER: i8 = 7;
const DESCRIBE: i8 = 8;
const CLUSTER_ACTION: i8 = 9;
const DESCRIBE_CONFIGS: i8 = 10;
const ALTER_CONFIGS: i8 = 11;
const IDEMPOTENT_WRITE: i8 = 12;
const CREATE_TOKENS: i8 = 13;
const DESCRIBE_TOKENS: i8 = 14;
const TWO_PHASE_COMMIT: i8 = 15;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn entries_are_printed_as_kafka_prints_them() {
        let resource = Resource { kind: TOPIC, name: "t".to_owned(), pattern: PREFIXED };
        assert_eq!(resource.to_string(), "ResourcePattern(resourceType=TOPIC, name=t, patternType=PREFIXED)");
        let (principal, host) = ("User:a".to_owned(), "*".to_owned());
        let entry = Entry { principal, host, operation: IDEMPOTENT_WRITE, permission: ALLOW };
        assert_eq!(
            entry.to_string(),
            "(principal=User:a, host=*, operation=IDEMPOTENT_WRITE, permissionType=ALLOW)"
        );
        assert_eq!(pascal("CLUSTER_ACTION"), "ClusterAction");
    }
}
