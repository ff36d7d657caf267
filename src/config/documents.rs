//! `config/server.properties` and `docs/CONFIG.md` are written from the tables; this test fails when they are stale.
//! To write them anew: `OTTLA_WRITE_DOCUMENTS=1 cargo test -p config documents`.

use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use crate::key::{Check, Key, KeyType, Support};
use crate::keys::{AREAS, broker_key, client_metrics, group, topic};
use crate::load::{EMBEDDED, Inputs, PropertiesFile, load};
use crate::{properties, value};

#[test]
fn the_documents_are_up_to_date() {
    for (path, content) in
        [("config/server.properties", server_properties()), ("docs/CONFIG.md", config_md())]
    {
        let path = repository().join(path);
        if std::env::var_os("OTTLA_WRITE_DOCUMENTS").is_some() {
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, &content).unwrap();
        }
        let written = std::fs::read_to_string(&path).unwrap_or_default();
        assert!(
            written == content,
            "{} is stale: run OTTLA_WRITE_DOCUMENTS=1 cargo test -p config documents",
            path.display()
        );
    }
}

#[test]
fn the_properties_file_starts_what_a_bare_start_does() {
    let text = server_properties();
    let file = Some(PropertiesFile { name: "server.properties", bytes: text.as_bytes() });
    let with_file = load(&Inputs { file, ..Inputs::default() }).unwrap();
    assert_eq!(with_file.notices, []);
    assert_eq!(with_file.broker, load(&Inputs::default()).unwrap().broker);
}

#[test]
fn the_properties_file_shows_every_honoured_key_with_its_default() {
    let text = server_properties();
    // A line "#key=value" is a setting that is switched off.
    let all_on: String = text.lines().map(|line| without_mark(line).to_owned() + "\n").collect();
    let properties = properties::parse(all_on.as_bytes()).unwrap();
    let shown: Vec<&str> = properties.iter().map(|property| property.key.as_str()).collect();
    for key in honoured() {
        assert!(shown.contains(&key.name), "{} is missing", key.name);
    }
    for property in &properties {
        let key = broker_key(&property.key).unwrap_or_else(|| panic!("{} is no key", property.key));
        let expected = default_text(key).unwrap_or("");
        assert_eq!(property.value, expected, "{}", key.name);
        if !expected.is_empty() {
            assert!(value::parse(key, expected).is_ok(), "{}", key.name);
        }
    }
}

fn without_mark(line: &str) -> &str {
    match line.strip_prefix('#') {
        Some(rest) if rest.starts_with(|c: char| c.is_ascii_lowercase()) => rest,
        _ => line,
    }
}

fn repository() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../..")
}

fn honoured() -> impl Iterator<Item = &'static Key> {
    AREAS.iter().flat_map(|area| area.keys).filter(|key| key.support == Support::Honoured)
}

/// The built-in value of a key: ours where we have one, else Kafka's.
fn default_text(key: &Key) -> Option<&'static str> {
    let ours = EMBEDDED.iter().find(|(name, _, _)| *name == key.name).map(|(_, value, _)| *value);
    ours.or(key.default)
}

fn server_properties() -> String {
    let mut text = String::from(
        "# Every setting this broker acts on, with its built-in value. A line that begins with # and a key shows the\n\
         # value in force without it; a key with nothing behind it is not set. All keys: docs/CONFIG.md\n",
    );
    for area in AREAS {
        let keys: Vec<&Key> = area.keys.iter().filter(|key| key.support == Support::Honoured).collect();
        if keys.is_empty() {
            continue;
        }
        writeln!(text, "\n# ---- {} ----", area.title).unwrap();
        for key in keys {
            let is_on = matches!(key.name, "process.roles" | "node.id" | "listeners" | "log.dirs");
            let mark = if is_on { "" } else { "#" };
            let line = properties::write(key.name, default_text(key).unwrap_or(""));
            writeln!(text, "\n# {}\n{mark}{line}", key.doc).unwrap();
        }
    }
    text
}

const INTRODUCTION: &str = "# Configuration

This page is written from the broker's own table of keys; a test fails when it is stale.

## Where settings come from

The later wins:

1. built-in defaults: a bare `ottla` is `process.roles=broker,controller`, `node.id=1`, `log.dirs=./ottla-data` and
   Kafka's defaults for everything else;
2. the file given by `--config FILE`, in the format of Kafka's `server.properties`: `=`, `:` or a blank between key and
   value, `\\` at the end of a line continues it, `#` or `!` begins a comment, `\\uXXXX` is a character. Of a key that
   occurs twice the last counts. A file that is valid UTF-8 is read as such, any other as ISO-8859-1;
3. environment variables that begin with `KAFKA_`, as the `apache/kafka` image maps them: the rest in lower case, `_`
   becomes `.`, `__` becomes `_`, `___` becomes `-`. `KAFKA_VERSION`, `KAFKA_HEAP_OPTS`, `KAFKA_LOG4J_OPTS`,
   `KAFKA_OPTS`, `KAFKA_JMX_OPTS`, `KAFKA_JVM_PERFORMANCE_OPTS`, `KAFKA_GC_LOG_OPTS`, `KAFKA_LOG4J_ROOT_LOGLEVEL`,
   `KAFKA_LOG4J_LOGGERS`, `KAFKA_TOOLS_LOG4J_LOGLEVEL`, `KAFKA_JMX_HOSTNAME` and `KAFKA_DATA_DIRS` are no settings. With
   any `KAFKA_CFG_*`, or `ALLOW_PLAINTEXT_LISTENER`, the rules are those of `bitnami/kafka`: `KAFKA_CFG_` and the rest in
   lower case with dots, and the older names without `CFG_` that image knows;
4. `--override key=value`, as often as needed.

Above these stand the dynamic settings of `kafka-configs.sh`: the default of the cluster, then those of the one broker.
A dynamic setting also silences a static synonym, such as `log.retention.hours` under `log.retention.ms`.

Values may live elsewhere, once `config.providers` names a provider and `config.providers.NAME.class` gives it one of
Kafka's classes: `${env:NAME}` (`EnvVarConfigProvider`), `${file:PATH:KEY}` (`FileConfigProvider`), `${dir:PATH:FILE}`
(`DirectoryConfigProvider`).

## What becomes of a key

| word | meaning |
|---|---|
| honoured | it has Kafka's effect |
| accepted | it is checked and shown by DescribeConfigs, and has no effect here |
| ignored | as accepted, and setting it gives one WARN line |
| refused | any value but the default, or one listed as built in, stops the start |

A key nobody knows gives one WARN line with a suggestion and never stops the start; neither do removed keys such as
`zookeeper.connect`. Settings of other products (`confluent.*`) share one INFO line. The removed keys
`advertised.host.name`, `advertised.port`, `host.name` and `port` stop the start, because they say where clients are to
connect and would be passed over.

A broker of a ZooKeeper cluster (`zookeeper.connect` without `process.roles`) starts as a node of its own, unless its
id (2 to 9) or a replication factor above 1 says that it is one of several: alone it would pretend to be all of them.

One of Kafka's own classes in `authorizer.class.name` is ignored with a WARN line where
`allow.everyone.if.no.acl.found=true`: ACLs cannot be created yet, so everyone is let in there. Elsewhere it is refused.

A value that is not legal stops the start with a sentence that names the key, the value, what is legal and where the
value came from: `Invalid value 0 for configuration num.partitions: Value must be at least 1 (server.properties line 2)`.

## Listeners

`listeners` is a list of `NAME://host:port`. An empty host is every interface; an IPv6 address stands in brackets. Names
and ports are unique, except that one IPv4 and one IPv6 address may share a port. Names other than the four protocols
need an entry in `listener.security.protocol.map`; only `PLAINTEXT` can be served yet. `advertised.listeners` names a
subset of them and never `0.0.0.0`. When it is not set, every client is told the address that it reached itself.

`controller.listener.names` and `controller.quorum.voters` are read and checked, but one node needs neither. On a controller's
listener the controller answers what administrators ask of it (KIP-919: `--bootstrap-controller` of Kafka's tools), and nobody else.
";

fn config_md() -> String {
    let mut text = INTRODUCTION.to_owned();
    for area in AREAS {
        writeln!(text, "\n## {}\n", area.title).unwrap();
        text.push_str(
            "| key | type | default | legal | update | here | meaning |\n|---|---|---|---|---|---|---|\n",
        );
        let internal_is_listed = area.keys.iter().all(|key| key.internal);
        for key in area.keys.iter().filter(|key| internal_is_listed || !key.internal) {
            let update = key.update.name();
            writeln!(text, "| {} | {update} | {} | {} |", columns(key), key.support.name(), key.doc).unwrap();
        }
    }
    text.push_str(
        "\n## Topics\n\nSet with CreateTopics or `kafka-configs.sh --entity-type topics`; each takes effect while the \
         broker runs. `write.caching` is Ottla's own.\n\n| key | type | default | legal | broker key | here | meaning \
         |\n|---|---|---|---|---|---|---|\n",
    );
    for row in topic::TOPIC_KEYS.iter().filter(|row| !row.key.internal) {
        let broker_key = row.broker_key.map_or(String::new(), |name| format!("`{name}`"));
        let key = &row.key;
        writeln!(text, "| {} | {broker_key} | {} | {} |", columns(key), key.support.name(), key.doc).unwrap();
    }
    text.push_str("\n## Groups\n\nSet with `kafka-configs.sh --entity-type groups`.\n");
    push_small_table(&mut text, group::GROUP_KEYS);
    text.push_str("\n## Client metrics subscriptions\n\nSet with `kafka-client-metrics.sh`.\n");
    push_small_table(&mut text, client_metrics::CLIENT_METRICS_KEYS);
    text
}

fn push_small_table(text: &mut String, keys: &[Key]) {
    text.push_str("\n| key | type | default | legal | here | meaning |\n|---|---|---|---|---|---|\n");
    for key in keys {
        writeln!(text, "| {} | {} | {} |", columns(key), key.support.name(), key.doc).unwrap();
    }
}

/// Name, type, default and legal values.
fn columns(key: &Key) -> String {
    let default = match default_text(key) {
        None => String::new(),
        Some("") => "empty".to_owned(),
        Some(text) => format!("`{text}`"),
    };
    let legal = match key.check {
        Check::Any if key.kind == KeyType::Boolean => "`true`, `false`".to_owned(),
        Check::Any => String::new(),
        check => format!("`{check}`"),
    };
    format!("`{}` | {} | {default} | {legal}", key.name, key.kind.name().to_lowercase())
}
