//! FindCoordinator and DescribeClientQuotas.

use std::time::Duration;

use model::ErrorCode;
use wire::messages::describe_client_quotas_request::ComponentData;
use wire::messages::{DescribeClientQuotasRequest, FindCoordinatorRequest, FindCoordinatorResponse};

use crate::ask::text;
use crate::pair::Pair;
use crate::side::PATIENCE;

/// Type of an entity, how it is matched, and with what.
type Component<'a> = (&'a str, i8, Option<&'a str>);

/// The steps.
pub async fn script(pair: &mut Pair) {
    find(pair).await;
    quotas(pair).await;
}

async fn find(pair: &mut Pair) {
    let ask = |kind: i8, keys: &[&str], version: i16| {
        let request = FindCoordinatorRequest::default().with_key_type(kind);
        if version >= 4 {
            return request.with_coordinator_keys(keys.iter().map(|key| text(*key)).collect());
        }
        request.with_key(text(keys.first().copied().unwrap_or_default()))
    };
    for kind in [0, 1, 2, 3, -1, 127] {
        let cases: [(&str, &[&str]); 6] = [
            ("one", &["group"]),
            ("two", &["group", "other"]),
            ("empty key", &[""]),
            ("no keys", &[]),
            ("the same twice", &["group", "group"]),
            ("share key", &["group:AAAAAAAAAAAAAAAAAAAAAQ:0"]),
        ];
        for (step, keys) in cases {
            // The coordinator's topic is made on the first question; until then there is no coordinator.
            if step == "one" {
                pair.one(&format!("type {kind}, for the first time"), 1, |_, v| ask(kind, keys, v)).await;
                found(pair, |v| ask(kind, keys, v)).await;
            }
            pair.all(&format!("type {kind}, {step}"), |_, v| ask(kind, keys, v)).await;
        }
    }
}

/// Waits until both have the coordinator's topic and lead it; not at all where it is a wrong question.
async fn found(pair: &mut Pair, ask: impl Fn(i16) -> FindCoordinatorRequest) {
    for side in &mut pair.sides {
        for _ in 0..PATIENCE.as_millis() / 50 {
            let answer = side.call(4, &ask(4)).await;
            let is_absent = |answer: &FindCoordinatorResponse| {
                answer.coordinators.iter().any(|c| c.error_code == ErrorCode::CoordinatorNotAvailable.code())
            };
            if !answer.as_ref().is_ok_and(is_absent) {
                break;
            }
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    }
}

async fn quotas(pair: &mut Pair) {
    let ask = |components: &[(&str, i8, Option<&str>)], strict: bool| {
        let components = components.iter().map(|(kind, match_type, value)| {
            ComponentData::default()
                .with_entity_type(text(*kind))
                .with_match_type(*match_type)
                .with_match(value.map(text))
        });
        DescribeClientQuotasRequest::default().with_components(components.collect()).with_strict(strict)
    };
    let cases: [(&str, &[Component]); 13] = [
        ("all", &[]),
        ("a user", &[("user", 0, Some("alice"))]),
        ("default user", &[("user", 1, None)]),
        ("any user", &[("user", 2, None)]),
        ("any client", &[("client-id", 2, None)]),
        ("any ip", &[("ip", 2, None)]),
        ("user and client", &[("user", 2, None), ("client-id", 2, None)]),
        ("ip and user", &[("ip", 2, None), ("user", 2, None)]),
        ("unknown entity", &[("planet", 2, None)]),
        ("empty entity", &[("", 2, None)]),
        ("entity twice", &[("user", 2, None), ("user", 1, None)]),
        ("exact without name", &[("user", 0, None)]),
        ("unknown match", &[("user", 7, Some("x"))]),
    ];
    for (step, components) in cases {
        for strict in [false, true] {
            pair.all(&format!("quotas of {step}, strict {strict}"), |_, _| ask(components, strict)).await;
        }
    }
    pair.all("quotas of any user with a name", |_, _| ask(&[("user", 2, Some("x"))], false)).await;
    pair.all("quotas of the default user with a name", |_, _| ask(&[("user", 1, Some("x"))], false)).await;
}
