//! Hostile settings end in an error, never in a panic.

use proptest::prelude::*;

use crate::keys::{broker_keys, topic::TOPIC_KEYS};
use crate::listeners::{parse_bootstrap_server, parse_listeners, parse_protocol_map, parse_voter};
use crate::load::{Inputs, PropertiesFile, load};
use crate::topic::validate_topic_configs;

fn odd_value() -> impl Strategy<Value = String> {
    prop_oneof![
        any::<String>(),
        "-?[0-9]{1,21}",
        "[a-zA-Z0-9_@:/.,\\[\\]{}$ -]{0,60}",
        Just(String::new()),
        Just(i64::MAX.to_string()),
        Just(i64::MIN.to_string()),
        Just("2147483647".to_owned()),
        Just("NaN".to_owned()),
    ]
}

fn broker_key_name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(broker_keys().map(|key| key.name).collect::<Vec<_>>())
}

fn topic_key_name() -> impl Strategy<Value = &'static str> {
    proptest::sample::select(TOPIC_KEYS.iter().map(|row| row.key.name).collect::<Vec<_>>())
}

proptest! {
    #[test]
    fn any_value_of_any_key_loads_or_is_refused(key in broker_key_name(), value in odd_value()) {
        let overrides = [format!("{key}={value}")];
        let _ = load(&Inputs { overrides: &overrides, ..Inputs::default() });
    }

    #[test]
    fn any_file_loads_or_is_refused(bytes in proptest::collection::vec(any::<u8>(), 0..300)) {
        let file = Some(PropertiesFile { name: "any", bytes: &bytes });
        let _ = load(&Inputs { file, ..Inputs::default() });
    }

    #[test]
    fn any_topic_setting_is_legal_or_refused(key in topic_key_name(), value in odd_value()) {
        let overrides = [(key.to_owned(), value)].into();
        let is_valid = validate_topic_configs(&overrides).is_ok();
        let resolved = crate::topic::TopicDefaults::of_kafka().resolve(&overrides);
        // What the controller lets through, the broker can use.
        prop_assert!(!is_valid || resolved.is_ok());
    }

    #[test]
    fn any_listener_text_is_read_or_refused(text in "[A-Za-z0-9:/,.@\\[\\]%_ -]{0,60}") {
        let protocols = parse_protocol_map("A:PLAINTEXT,B:SSL").unwrap();
        let _ = (parse_listeners(&text, &protocols, true), parse_protocol_map(&text));
        let _ = (parse_voter(&text), parse_bootstrap_server(&text));
    }
}
