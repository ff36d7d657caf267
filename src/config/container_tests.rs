use std::collections::BTreeMap;

use super::*;

/// What a container finds.
#[derive(Default)]
struct Place {
    entry: Option<Dialect>,
    environment: Vec<(String, String)>,
    files: BTreeMap<&'static str, &'static str>,
    mounts: Mounts,
}

impl Place {
    fn of(environment: &[(&str, &str)]) -> Self {
        let environment =
            environment.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Self { environment, ..Self::default() }
    }

    fn with_file(mut self, name: &'static str, text: &'static str) -> Self {
        self.files.insert(name, text);
        self
    }

    fn with_mount(mut self, path: &str) -> Self {
        self.mounts = Mounts::parse(&format!("36 35 0:32 / {path} rw - ext4 /dev/vda rw\n"));
        self
    }

    fn container(&self) -> Result<Container, ConfigError> {
        Container::of(&Surroundings {
            entry: self.entry,
            environment: &self.environment,
            read_file: &|path| self.read(path),
            exists: &|path| self.files.keys().any(|name| Path::new(name) == path),
            mounts: &self.mounts,
        })
    }

    fn read(&self, path: &Path) -> Result<Vec<u8>, String> {
        let found = self.files.iter().find(|(name, _)| Path::new(name) == path);
        found.map(|(_, text)| text.as_bytes().to_vec()).ok_or_else(|| "not there".to_owned())
    }

    fn loaded(&self) -> Loaded {
        self.container().unwrap().load(&[], &|path| self.read(path)).unwrap()
    }
}

fn data_dir_of(place: &Place) -> String {
    place.loaded().broker.storage.log_dirs[0].display().to_string()
}

const DEFAULT_FILE: &str = "node.id=1\nnum.partitions=7\n";

#[test]
fn nothing_said_is_the_default_file_and_the_default_identity() {
    let place =
        Place::of(&[("PATH", "/bin"), ("KAFKA_HEAP_OPTS", "-Xmx1g")]).with_file(APACHE_DEFAULT, DEFAULT_FILE);
    let container = place.container().unwrap();
    assert_eq!(container.dialect, Dialect::Apache);
    assert_eq!(container.cluster_id.as_deref(), Some(APACHE_CLUSTER_ID));
    let loaded = place.loaded();
    assert_eq!(loaded.broker.topics.partitions, 7);
    assert_eq!(loaded.broker.storage.log_dirs, [PathBuf::from("/var/lib/kafka/data")]);
    assert_eq!(loaded.notices, []);
}

#[test]
fn one_variable_replaces_the_default_file_unless_it_says_nothing() {
    let place = Place::of(&[("KAFKA_MIN_INSYNC_REPLICAS", "1")]).with_file(APACHE_DEFAULT, DEFAULT_FILE);
    assert_eq!(place.loaded().broker.topics.partitions, 1);
    for silent in [
        ("KAFKA_JMX_PORT", "9999"),
        ("KAFKA_PORT", "tcp://10.0.0.1:9092"),
        ("KAFKA_SERVICE_HOST", "10.0.0.1"),
    ] {
        let place = Place::of(&[silent]).with_file(APACHE_DEFAULT, DEFAULT_FILE);
        assert_eq!(place.loaded().broker.topics.partitions, 7, "{silent:?}");
    }
}

#[test]
fn variables_go_on_top_of_a_mounted_file() {
    let place = Place::of(&[("KAFKA_NUM_PARTITIONS", "3"), ("CLUSTER_ID", "4L6g3nShT-eMCtK--X86sw")])
        .with_file(APACHE_DEFAULT, DEFAULT_FILE)
        .with_file(APACHE_MOUNTED, "num.partitions=2\nmin.insync.replicas=2\nlog.dirs=/data\n");
    let loaded = place.loaded();
    assert_eq!(loaded.broker.topics.partitions, 3);
    assert_eq!(loaded.broker.topics.defaults.config().min_insync_replicas, 2);
    assert_eq!(data_dir_of(&place), "/data");
    assert_eq!(place.container().unwrap().cluster_id.as_deref(), Some("4L6g3nShT-eMCtK--X86sw"));
}

#[test]
fn a_mounted_file_that_cannot_be_read_is_not_passed_over() {
    let place = Place::default().with_file(APACHE_MOUNTED, "a=b\nc=\\u12\n");
    let error = place.container().unwrap_err().to_string();
    assert_eq!(error, "/mnt/shared/config/server.properties line 2: Malformed \\uxxxx encoding.");
}

#[test]
fn data_goes_to_the_mount_that_the_user_made() {
    let cases = [
        ("/tmp/kraft-combined-logs", "/tmp/kraft-combined-logs"),
        ("/tmp/kafka-logs", "/tmp/kafka-logs"),
        ("/bitnami", "/bitnami/kafka/data"),
        ("/bitnami/kafka", "/bitnami/kafka/data"),
        ("/var/lib/kafka/data", "/var/lib/kafka/data"),
        ("/tmp", "/var/lib/kafka/data"),
    ];
    for (mount, dir) in cases {
        assert_eq!(data_dir_of(&Place::default().with_mount(mount)), dir, "{mount}");
    }
    let confluent = Place { entry: Some(Dialect::Confluent), ..Place::default() };
    assert_eq!(data_dir_of(&confluent.with_mount("/tmp/kafka-logs")), "/var/lib/kafka/data");
    let told = Place::of(&[("KAFKA_LOG_DIRS", "/mine")]).with_mount("/tmp/kafka-logs");
    assert_eq!(data_dir_of(&told), "/mine");
}

#[test]
fn mount_points_are_read_with_their_blanks() {
    let text =
        "1 2 0:1 / / rw - overlay o rw\n3 4 0:2 /a /with\\040blank rw,nosuid shared:1 - ext4 d rw\nbroken\n";
    let mounts = Mounts::parse(text);
    assert!(mounts.contains(Path::new("/")) && mounts.contains(Path::new("/with blank")));
    assert!(!mounts.contains(Path::new("/with")));
}

#[test]
fn bitnamis_variables_go_on_top_of_bitnamis_file() {
    let place = Place::of(&[
        ("KAFKA_CFG_NODE_ID", "0"),
        ("KAFKA_CFG_PROCESS_ROLES", "controller,broker"),
        ("KAFKA_CFG_LISTENERS", "PLAINTEXT://:9092,CONTROLLER://:9093"),
        ("KAFKA_CFG_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT"),
        ("KAFKA_CFG_CONTROLLER_QUORUM_VOTERS", "0@kafka:9093"),
        ("KAFKA_CFG_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_KRAFT_CLUSTER_ID", "abcdefghijklmnopqrstuv"),
        ("ALLOW_PLAINTEXT_LISTENER", "yes"),
        ("KAFKA_HEAP_OPTS", "-Xmx1g"),
    ]);
    let container = place.container().unwrap();
    assert_eq!(container.dialect, Dialect::Bitnami);
    assert_eq!(container.cluster_id.as_deref(), Some("abcdefghijklmnopqrstuv"));
    let loaded = place.loaded();
    assert_eq!(loaded.broker.identity.node_id, 0);
    assert_eq!(loaded.broker.offsets.replication_factor, 1);
    assert_eq!(data_dir_of(&place), "/bitnami/kafka/data");
    assert_eq!(loaded.notices, []);
}

#[test]
fn bitnamis_mounted_file_switches_its_variables_off() {
    let place = Place::of(&[("KAFKA_CFG_NUM_PARTITIONS", "5")])
        .with_file("/bitnami/kafka/config/server.properties", "num.partitions=2\n");
    let loaded = place.loaded();
    assert_eq!(loaded.broker.topics.partitions, 2);
    assert_eq!(loaded.notices.len(), 1);
}

#[test]
fn several_initial_controllers_are_a_cluster() {
    let one = Place::of(&[("ALLOW_PLAINTEXT_LISTENER", "yes"), ("KAFKA_INITIAL_CONTROLLERS", "0@a:9093:x,")]);
    assert!(one.container().is_ok());
    let two = Place::of(&[
        ("ALLOW_PLAINTEXT_LISTENER", "yes"),
        ("KAFKA_INITIAL_CONTROLLERS", "0@a:9093:x,1@b:9093:y"),
    ]);
    let error = two.container().unwrap_err().to_string();
    assert!(
        error.starts_with("KAFKA_INITIAL_CONTROLLERS=0@a:9093:x,1@b:9093:y is refused: a cluster"),
        "{error}"
    );
}

#[test]
fn a_rendered_file_is_read_back_with_its_origins() {
    let place = Place::of(&[("KAFKA_NUM_PARTITIONS", "3"), ("KAFKA_BROKER_RACK", "a b\tc")]);
    let container = place.container().unwrap();
    let text = container.rendered();
    assert!(text.starts_with(RENDERED), "{text}");
    assert!(text.contains("# KAFKA_NUM_PARTITIONS (environment)\nnum.partitions=3\n"), "{text}");
    let changed = text.replace("num.partitions=3", "num.partitions=0");
    let read = |text: &str| {
        let file = PropertiesFile { name: "final.properties", bytes: text.as_bytes() };
        container.clone().with_rendered(file).unwrap().load(&[], &|_| Err(String::new()))
    };
    let loaded = read(&text).unwrap();
    assert_eq!(loaded.broker, place.loaded().broker);
    assert_eq!(loaded.layers.statics()["broker.rack"].source.to_string(), "KAFKA_BROKER_RACK (environment)");
    let error = read(&changed).unwrap_err().to_string();
    assert!(error.contains("num.partitions: Value must be at least 1 (final.properties line"), "{error}");
}

#[test]
fn what_is_advertised_is_rendered_as_listeners_too() {
    let place = Place::of(&[("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://kafka:29092")]);
    let text = place.container().unwrap().rendered();
    assert!(text.contains("\nlisteners=PLAINTEXT://0.0.0.0:29092\n"), "{text}");
}

#[test]
fn a_node_never_starts_alone_where_peers_are_named() {
    let cases: [&[(&str, &str)]; 4] = [
        &[
            ("KAFKA_PROCESS_ROLES", "broker"),
            ("KAFKA_CONTROLLER_LISTENER_NAMES", "C"),
            ("KAFKA_NODE_ID", "2"),
            ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@c:9093"),
        ],
        &[
            ("KAFKA_PROCESS_ROLES", "broker,controller"),
            ("KAFKA_NODE_ID", "1"),
            ("KAFKA_CONTROLLER_QUORUM_VOTERS", "1@a:9093,2@b:9093,3@c:9093"),
        ],
        &[
            ("KAFKA_CFG_PROCESS_ROLES", "broker,controller"),
            ("KAFKA_CFG_NODE_ID", "1"),
            ("KAFKA_CFG_CONTROLLER_QUORUM_VOTERS", "2@b:9093"),
        ],
        &[("KAFKA_ZOOKEEPER_CONNECT", "zk:2181"), ("KAFKA_BROKER_ID", "2")],
    ];
    for pairs in cases {
        let container = Place::of(pairs).container().unwrap();
        let error = container.load(&[], &|_| Err(String::new())).unwrap_err().to_string();
        assert!(error.contains("(environment)"), "{pairs:?}: {error}");
    }
}
