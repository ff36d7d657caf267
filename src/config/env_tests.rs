use super::*;

fn environment(pairs: &[(&str, &str)]) -> Vec<(String, String)> {
    pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect()
}

fn properties(pairs: &[(&str, &str)], dialect: Dialect) -> Vec<(String, String)> {
    let environment = environment(pairs);
    kafka_properties(&environment, dialect).into_iter().map(|v| (v.key, v.value)).collect()
}

#[test]
fn underscores_become_dots_underscores_and_dashes() {
    let cases = [
        ("KAFKA_ABC_DEF", "abc.def"),
        ("KAFKA_ABC__DEF", "abc_def"),
        ("KAFKA_ABC___DEF", "abc-def"),
        ("KAFKA_ABC____DEF", "abc-.def"),
        ("KAFKA_KAFKA_METRICS_REPORTERS", "kafka.metrics.reporters"),
        (
            "KAFKA_LISTENER_NAME_SECURE_SCRAM-SHA-512_SASL_JAAS_CONFIG",
            "listener.name.secure.scram-sha-512.sasl.jaas.config",
        ),
        ("KAFKA_JMX_PORT", "jmx.port"),
    ];
    for (variable, key) in cases {
        assert_eq!(property_name(variable).as_deref(), Some(key), "{variable}");
    }
}

#[test]
fn advertised_ports_are_listened_on() {
    assert_eq!(
        listeners_of_advertised("PLAINTEXT://kafka:29092,HOST://localhost:9092,V6://[::1]:1,odd"),
        "PLAINTEXT://0.0.0.0:29092,HOST://0.0.0.0:9092,V6://0.0.0.0:1,odd"
    );
}

#[test]
fn script_variables_and_others_are_no_properties() {
    for variable in EXCLUDED.iter().chain(&["KAFKA_", "CLUSTER_ID", "kafka_listeners", "XKAFKA_A"]) {
        assert_eq!(property_name(variable), None, "{variable}");
    }
}

#[test]
fn properties_come_in_the_order_of_names() {
    let pairs = [("KAFKA_b", "1"), ("KAFKA_B", "2"), ("PATH", "/bin"), ("KAFKA_A", "3")];
    let expected = environment(&[("a", "3"), ("b", "2"), ("b", "1")]);
    assert_eq!(properties(&pairs, Dialect::Apache), expected);
}

#[test]
fn values_are_read_as_java_reads_the_lines_that_the_images_write() {
    let cases = [
        ("plain", "plain"),
        ("  blanks in front", "blanks in front"),
        ("RULE:^CN=(.*?)\\\\.x", "RULE:^CN=(.*?)\\.x"),
        ("org.Login required \\\n  username=\"a\";\n", "org.Login required username=\"a\";"),
        ("two\nlines", "two\nlines"),
        ("C:\\users", "C:\\users"),
        ("", ""),
        ("# no comment", "# no comment"),
    ];
    for (text, value) in cases {
        assert_eq!(as_property_value(text), value, "{text:?}");
    }
}

#[test]
fn names_betray_the_dialect() {
    let cases: [(&[&str], Dialect); 5] = [
        (&["KAFKA_NODE_ID", "CLUSTER_ID"], Dialect::Apache),
        (&[], Dialect::Apache),
        (&["KAFKA_CFG_NODE_ID"], Dialect::Bitnami),
        (&["KAFKA_NODE_ID", "ALLOW_PLAINTEXT_LISTENER"], Dialect::Bitnami),
        (&["KAFKA_KRAFT_CLUSTER_ID"], Dialect::Bitnami),
    ];
    for (names, dialect) in cases {
        let environment: Vec<_> = names.iter().map(|name| ((*name).to_owned(), String::new())).collect();
        assert_eq!(Dialect::of(&environment), dialect, "{names:?}");
    }
}

#[test]
fn bitnami_has_no_double_underscores_and_two_exceptions() {
    let pairs = [
        ("KAFKA_CFG_NODE_ID", "0"),
        ("KAFKA_CFG_A__B", "1"),
        ("KAFKA_CFG_LISTENER_NAME_SASL_PLAINTEXT_SASL_ENABLED_MECHANISMS", "PLAIN"),
        ("KAFKA_CFG_LISTENER_NAME_SASL_SSL_SSL_CLIENT_AUTH", "none"),
        ("KAFKA_HEAP_OPTS", "-Xmx1g"),
        ("KAFKA_CLIENT_USERS", "user"),
        ("KAFKA_CFG_", "x"),
    ];
    let expected = environment(&[
        ("a..b", "1"),
        ("listener.name.sasl_plaintext.sasl.enabled.mechanisms", "PLAIN"),
        ("listener.name.sasl_ssl.ssl.client.auth", "none"),
        ("node.id", "0"),
    ]);
    assert_eq!(properties(&pairs, Dialect::Bitnami), expected);
}

#[test]
fn bitnami_takes_older_names_too_and_they_win() {
    let pairs = [
        ("KAFKA_CFG_LOG_DIRS", "/one"),
        ("KAFKA_LOGS_DIRS", "/two"),
        ("KAFKA_BROKER_ID", "3"),
        ("KAFKA_MIN_INSYNC_REPLICAS", "2"),
    ];
    let expected = environment(&[("log.dirs", "/one"), ("broker.id", "3"), ("log.dirs", "/two")]);
    assert_eq!(properties(&pairs, Dialect::Bitnami), expected);
}

#[test]
fn secrets_come_from_files() {
    let given = environment(&[
        ("KAFKA_CLIENT_PASSWORDS_FILE", "/run/secrets/passwords"),
        ("KAFKA_CLUSTER_ID_FILE", "/nowhere"),
        ("KAFKA_KRAFT_CLUSTER_ID", "abc"),
    ]);
    let read = |path: &std::path::Path| match path.to_str() {
        Some("/run/secrets/passwords") => Ok(b"one,two\n".to_vec()),
        _ => Err("no such file".to_owned()),
    };
    let (complete, unread) = with_files(&given, &read);
    assert!(complete.contains(&("KAFKA_CLIENT_PASSWORDS".to_owned(), "one,two".to_owned())));
    assert!(!complete.iter().any(|(name, _)| name == "KAFKA_CLIENT_PASSWORDS_FILE"));
    assert_eq!(unread, ["KAFKA_CLUSTER_ID_FILE=/nowhere is passed over: no such file"]);
    assert_eq!(cluster_id(&complete).as_deref(), Some("abc"));
}
