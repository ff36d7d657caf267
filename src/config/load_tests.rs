use super::*;

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn load_file(text: &str) -> Result<Loaded, ConfigError> {
    let file = Some(PropertiesFile { name: "server.properties", bytes: text.as_bytes() });
    load(&Inputs { file, ..Inputs::default() })
}

#[test]
fn a_bare_start_is_one_complete_node() {
    let loaded = load(&Inputs::default()).unwrap();
    let broker = loaded.broker;
    assert_eq!(loaded.notices, []);
    assert_eq!(broker.identity.node_id, 1);
    assert!(broker.identity.is_broker && broker.identity.is_controller);
    assert_eq!(broker.listeners.broker.len(), 1);
    assert_eq!(broker.listeners.broker[0].to_string(), "PLAINTEXT://:9092");
    assert_eq!(broker.listeners.advertised, None);
    assert_eq!(broker.listeners.controller, []);
    assert_eq!(broker.storage.log_dirs, [std::path::PathBuf::from("./ottla-data")]);
    assert_eq!(broker.storage.metadata_log_dir, std::path::PathBuf::from("./ottla-data"));
    assert!(broker.topics.auto_create);
    assert_eq!(broker.topics.defaults, crate::topic::TopicDefaults::of_kafka());
}

#[test]
fn later_inputs_win() {
    let text = "num.partitions=2\nnum.io.threads=9\nmin.insync.replicas=3\nnum.partitions=3\n";
    let variables = environment(&[("KAFKA_NUM_IO_THREADS", "10"), ("KAFKA_MIN_INSYNC_REPLICAS", "4")]);
    let overrides = ["min.insync.replicas = 5".to_owned(), "broker.rack=a=b".to_owned()];
    let inputs = Inputs {
        file: Some(PropertiesFile { name: "server.properties", bytes: text.as_bytes() }),
        environment: &variables,
        overrides: &overrides,
    };
    let loaded = load(&inputs).unwrap();
    assert_eq!(loaded.broker.topics.partitions, 3);
    assert_eq!(loaded.broker.sockets.io_threads, 10);
    assert_eq!(loaded.broker.topics.defaults.config().min_insync_replicas, 5);
    assert_eq!(loaded.broker.identity.rack.as_deref(), Some("a=b"));
    let source = |key: &str| loaded.layers.statics()[key].source.to_string();
    assert_eq!(source("num.partitions"), "server.properties line 4");
    assert_eq!(source("num.io.threads"), "KAFKA_NUM_IO_THREADS (environment)");
    assert_eq!(source("min.insync.replicas"), "--override");
    assert_eq!(source("process.roles"), "built-in default");
}

#[test]
fn built_in_defaults_give_way_to_other_names_of_the_same_thing() {
    let loaded = load_file("broker.id=7\nlog.dir=/data\n").unwrap();
    assert_eq!(loaded.broker.identity.node_id, 7);
    assert_eq!(loaded.broker.storage.log_dirs, [std::path::PathBuf::from("/data")]);
}

#[test]
fn a_bad_value_names_key_value_what_is_legal_and_where_it_stands() {
    let error = load_file("# a comment\nnum.partitions=0\n").unwrap_err().to_string();
    assert_eq!(
        error,
        "Invalid value 0 for configuration num.partitions: Value must be at least 1 (server.properties line 2)"
    );
    let variables = environment(&[("KAFKA_LOG_SEGMENT_BYTES", "1GB")]);
    let error = load(&Inputs { environment: &variables, ..Inputs::default() }).unwrap_err().to_string();
    assert_eq!(
        error,
        "Invalid value 1GB for configuration log.segment.bytes: Not a number of type INT \
         (KAFKA_LOG_SEGMENT_BYTES (environment))"
    );
    let overrides = ["log.cleanup.policy=shrink".to_owned()];
    let error = load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap_err().to_string();
    assert_eq!(
        error,
        "Invalid value shrink for configuration log.cleanup.policy: String must be one of: compact, delete (--override)"
    );
}

#[test]
fn unreadable_inputs_are_named() {
    let error = load_file("a=b\nc=\\u12").unwrap_err().to_string();
    assert_eq!(error, "server.properties line 2: Malformed \\uxxxx encoding.");
    for text in ["a", "=b", " =b"] {
        let overrides = [text.to_owned()];
        let error = load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap_err().to_string();
        assert_eq!(error, format!("--override {text} is not of the form key=value"));
    }
}

#[test]
fn advertised_variables_alone_say_where_to_listen() {
    let variables = environment(&[
        ("KAFKA_LISTENERS", ""),
        ("KAFKA_ADVERTISED_LISTENERS", "PLAINTEXT://kafka:29092,PLAINTEXT_HOST://localhost:9092"),
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "PLAINTEXT:PLAINTEXT,PLAINTEXT_HOST:PLAINTEXT"),
        ("KAFKA_ZOOKEEPER_CONNECT", "zookeeper:2181"),
        ("KAFKA_BROKER_ID", "1"),
        ("PATH", "/bin"),
    ]);
    let loaded = load(&Inputs { environment: &variables, ..Inputs::default() }).unwrap();
    let bound: Vec<String> = loaded.broker.listeners.broker.iter().map(ToString::to_string).collect();
    assert_eq!(bound, ["PLAINTEXT://0.0.0.0:29092", "PLAINTEXT_HOST://0.0.0.0:9092"]);
    assert_eq!(loaded.notices.len(), 1, "{:?}", loaded.notices);
    assert!(
        loaded.notices[0]
            .text
            .starts_with("zookeeper.connect (KAFKA_ZOOKEEPER_CONNECT (environment)) is ignored")
    );
    // A file says it in full, or means the default.
    let text = "advertised.listeners=OTHER://kafka:1\nlistener.security.protocol.map=OTHER:PLAINTEXT\n";
    assert!(load_file(text).is_err());
}

#[test]
fn explicit_settings_are_told_from_built_in_ones() {
    let layers = load_file("num.partitions=1\n").unwrap().layers;
    assert!(layers.is_explicit("num.partitions"));
    assert!(!layers.is_explicit("node.id") && !layers.is_explicit("log.dirs") && !layers.is_explicit("nope"));
}
