use super::*;
use crate::load::{Inputs, load};

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

// The messages themselves are compared with Kafka's in `dynamic_tests.rs`.
#[test]
fn group_settings_stay_within_the_brokers_ranges() {
    let overrides = ["group.consumer.max.session.timeout.ms=90000".to_owned()];
    let groups = load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap().broker.groups;
    assert_eq!(validate_group_configs(&groups, &map(&[])), Ok(()));
    let longer = |ms: &str| validate_group_configs(&groups, &map(&[("consumer.session.timeout.ms", ms)]));
    assert_eq!(longer("90000"), Ok(()));
    assert!(longer("90001").is_err());
}

#[test]
fn heartbeats_are_shorter_than_sessions() {
    let overrides = [
        "group.consumer.min.session.timeout.ms=6000".to_owned(),
        "group.consumer.max.heartbeat.interval.ms=15000".to_owned(),
    ];
    let groups = load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap().broker.groups;
    let settings =
        map(&[("consumer.session.timeout.ms", "7000"), ("consumer.heartbeat.interval.ms", "7000")]);
    assert_eq!(
        validate_group_configs(&groups, &settings).unwrap_err().to_string(),
        "consumer.session.timeout.ms must be greater than consumer.heartbeat.interval.ms"
    );
}

#[test]
fn client_metrics_patterns_have_a_known_name_and_a_value() {
    let check = |text: &str| validate_client_metrics_configs(&map(&[("match", text)]));
    assert_eq!(check("client_id=a, client_software_name=b"), Ok(()));
    assert_eq!(check(""), Ok(()));
    for text in ["client_id", "client_id=", "color=red", "client_id=a=b", "client_id=a,x"] {
        assert!(check(text).is_err(), "{text}");
    }
}
