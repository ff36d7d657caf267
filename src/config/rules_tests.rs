use super::*;

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

#[test]
fn rules_answer_with_kafkas_text() {
    assert_eq!(validate_topic(&map(&[("nope", "1")])), Err("Unknown topic config name: nope".to_owned()));
    assert_eq!(validate_topic(&map(&[("retention.ms", "1")])), Ok(()));
    assert_eq!(
        validate_broker("1", &map(&[("node.id", "2")])),
        Err("Cannot update these configs dynamically: [node.id]".to_owned())
    );
    assert_eq!(validate_broker("1", &map(&[("sasl.enabled.mechanisms", "PLAIN")])), Ok(()));
    assert!(validate_broker("", &map(&[("sasl.enabled.mechanisms", "PLAIN")])).is_err());
    assert_eq!(validate_group(&map(&[])), Ok(()));
    assert_eq!(validate_group(&map(&[("nope", "1")])), Err("Unknown group config name: nope".to_owned()));
    assert!(validate_client_metrics(&map(&[("interval.ms", "1")])).is_err());
}

#[test]
fn only_lists_can_be_appended_to() {
    assert_eq!(topic_list_default("cleanup.policy").as_deref(), Some("delete"));
    assert_eq!(topic_list_default("leader.replication.throttled.replicas").as_deref(), Some(""));
    assert_eq!(topic_list_default("retention.ms"), None);
    assert_eq!(topic_list_default("nope"), None);
    assert_eq!(broker_list_default("log.cleanup.policy").as_deref(), Some("delete"));
    assert_eq!(group_list_default("consumer.session.timeout.ms"), None);
    assert_eq!(client_metrics_list_default("metrics").as_deref(), Some(""));
}
