use super::*;
use crate::container::{Container, Mounts, Surroundings};

#[test]
fn stores_are_known_by_their_first_bytes() {
    let cases: [(&[u8], StoreFormat); 6] = [
        (&[0xfe, 0xed, 0xfe, 0xed, 0, 0, 0, 2], StoreFormat::Jks),
        (&[0xce, 0xce, 0xce, 0xce, 0, 0], StoreFormat::Jceks),
        (&[0x30, 0x82, 0x0a, 0x16, 2, 1, 3], StoreFormat::Pkcs12),
        (b"Bag Attributes\n-----BEGIN CERTIFICATE-----\n", StoreFormat::Pem),
        (b"", StoreFormat::Unknown),
        (b"0x30", StoreFormat::Unknown),
    ];
    for (bytes, format) in cases {
        assert_eq!(StoreFormat::of(bytes), format, "{bytes:?}");
    }
}

#[test]
fn a_refused_listener_says_what_was_found() {
    let environment: Vec<(String, String)> = [
        ("KAFKA_PROCESS_ROLES", "broker,controller"),
        ("KAFKA_LISTENERS", "SASL_SSL://:9093,CONTROLLER://:9094"),
        ("KAFKA_ADVERTISED_LISTENERS", "SASL_SSL://kafka:9093"),
        ("KAFKA_CONTROLLER_LISTENER_NAMES", "CONTROLLER"),
        ("KAFKA_LISTENER_SECURITY_PROTOCOL_MAP", "CONTROLLER:PLAINTEXT,SASL_SSL:SASL_SSL"),
        ("KAFKA_INTER_BROKER_LISTENER_NAME", "SASL_SSL"),
        ("KAFKA_SSL_KEYSTORE_FILENAME", "kafka01.keystore.jks"),
        ("KAFKA_SSL_KEYSTORE_CREDENTIALS", "creds"),
        ("KAFKA_SSL_TRUSTSTORE_LOCATION", "/missing.jks"),
        ("KAFKA_OPTS", "-Xfoo -Djava.security.auth.login.config=/etc/kafka/jaas.conf -Dbar"),
    ]
    .map(|(name, value)| (name.to_owned(), value.to_owned()))
    .to_vec();
    let read_file = |path: &Path| match path.to_str() {
        Some("/etc/kafka/secrets/kafka01.keystore.jks") => Ok(vec![0x30, 0x82, 0, 0]),
        Some("/etc/kafka/secrets/creds") => Ok(b"secret\n".to_vec()),
        Some("/etc/kafka/jaas.conf") => {
            Ok(b"KafkaServer { a.PlainLoginModule required x=\"secret\"; };".to_vec())
        }
        _ => Err("No such file or directory".to_owned()),
    };
    let around = Surroundings {
        entry: None,
        environment: &environment,
        read_file: &read_file,
        exists: &|_| false,
        mounts: &Mounts::default(),
    };
    let container = Container::of(&around).unwrap();
    let rendered = container.rendered();
    assert!(
        rendered.contains("ssl.keystore.location=/etc/kafka/secrets/kafka01.keystore.jks\n"),
        "{rendered}"
    );
    assert!(rendered.contains("ssl.keystore.password=secret\n"), "{rendered}");
    let text = container.load(&[], &read_file).unwrap_err().to_string();
    for part in [
        "listeners=SASL_SSL://:9093,CONTROLLER://:9094 is refused (KAFKA_LISTENERS (environment)): listener SASL_SSL uses SASL_SSL",
        "; ssl.keystore.location=/etc/kafka/secrets/kafka01.keystore.jks (KAFKA_SSL_KEYSTORE_FILENAME (environment)) \
         is a PKCS12 store",
        "; ssl.truststore.location=/missing.jks (KAFKA_SSL_TRUSTSTORE_LOCATION (environment)) cannot be read: No such",
        "; /etc/kafka/jaas.conf (KAFKA_OPTS) is a JAAS file with KafkaServer (PlainLoginModule)",
    ] {
        assert!(text.contains(part), "{part} is not in: {text}");
    }
    assert!(!text.contains("secret\""), "{text}");
}
