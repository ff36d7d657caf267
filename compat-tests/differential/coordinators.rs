//! FindCoordinator and DescribeClientQuotas.

use wire::messages::describe_client_quotas_request::ComponentData;
use wire::messages::{DescribeClientQuotasRequest, FindCoordinatorRequest};

use crate::ask::text;
use crate::pair::Pair;

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
                for _ in 0..8 {
                    pair.settle().await;
                }
            }
            pair.all(&format!("type {kind}, {step}"), |_, v| ask(kind, keys, v)).await;
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
    let cases: [(&str, &[(&str, i8, Option<&str>)]); 13] = [
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
