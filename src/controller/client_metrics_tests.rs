use std::collections::BTreeMap;

use super::*;

fn check(name: &str, values: &[(&str, &str)]) -> Result<(), ApiError> {
    let values: BTreeMap<_, _> =
        values.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
    validate(name, &values)
}

#[test]
fn legal_subscriptions_pass() {
    let values = [
        ("metrics", "org.apache.kafka"),
        ("interval.ms", "100"),
        ("match", "client_software_name=Java, client_id = a.*"),
    ];
    assert_eq!(check("s", &values), Ok(()));
    assert_eq!(check("s", &[]), Ok(()));
}

#[test]
fn illegal_subscriptions_are_refused_in_kafkas_words() {
    let invalid_request = |message: &str| Err(ApiError::new(ErrorCode::InvalidRequest, message));
    assert_eq!(check("", &[]), invalid_request("Subscription name can't be empty"));
    assert_eq!(check("s", &[("x", "1")]), invalid_request("Unknown client metrics configuration: x"));
    assert_eq!(
        check("s", &[("interval.ms", "99")]),
        invalid_request(
            "Invalid value 99 for interval.ms, interval must be between 100 and 3600000 (1 hour)"
        )
    );
    let invalid_config = |message: &str| Err(ApiError::new(ErrorCode::InvalidConfig, message));
    assert_eq!(
        check("s", &[("interval.ms", "soon")]),
        invalid_config("Invalid value soon for configuration interval.ms: Not a number of type INT")
    );
    for pattern in ["client_id", "planet=earth", "client_id=a=b", "client_id="] {
        assert_eq!(
            check("s", &[("match", pattern)]),
            invalid_config(&format!("Illegal client matching pattern: {pattern}"))
        );
    }
}
