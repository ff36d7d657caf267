//! UpdateFeatures: what is refused, and levels that really change, as ApiVersions and DescribeConfigs show them.

use wire::messages::update_features_request::FeatureUpdateKey;
use wire::messages::{IncrementalAlterConfigsRequest, UpdateFeaturesRequest};

use crate::api_versions::software;
use crate::ask::{BROKER, change, text};
use crate::configs::state;
use crate::pair::Pair;
use crate::side::{PATIENCE, Side};

const UPGRADE: i8 = 1;
const SAFE: i8 = 2;
const UNSAFE: i8 = 3;
/// Operations of IncrementalAlterConfigs.
const SET: i8 = 0;
const DELETE: i8 = 1;

/// The steps. They leave the levels as they were.
pub async fn script(pair: &mut Pair) {
    refused(pair).await;
    validated(pair).await;
    for version in 0..=2 {
        carried_out(pair, version).await;
    }
    several(pair).await;
    min_insync_replicas(pair).await;
    pair.newest("levels at the end", |_, _| software("features", "1")).await;
}

async fn refused(pair: &mut Pair) {
    let cases: [(&str, i16, i8); 15] = [
        ("no.such", 1, UPGRADE),
        ("", 1, UPGRADE),
        ("metadata.version", 0, UPGRADE),
        ("metadata.version", 1, UPGRADE),
        ("metadata.version", 1, SAFE),
        ("metadata.version", 1, UNSAFE),
        ("metadata.version", 27, UPGRADE),
        ("metadata.version", 999, UPGRADE),
        ("metadata.version", -1, UPGRADE),
        ("metadata.version", 7, 0),
        ("metadata.version", 7, 9),
        ("group.version", 99, UPGRADE),
        ("transaction.version", 99, UPGRADE),
        ("kraft.version", 99, UPGRADE),
        ("eligible.leader.replicas.version", 99, UPGRADE),
    ];
    for (name, level, kind) in cases {
        pair.all(&format!("feature {name:?} to {level} by {kind}"), |_, v| update(name, level, kind, v))
            .await;
        let step = format!("feature {name:?} to {level} by {kind}, validate only");
        pair.all(&step, |_, v| update(name, level, kind, v).with_validate_only(v >= 1)).await;
    }
    pair.all("no feature", |_, _| UpdateFeaturesRequest::default().with_timeout_ms(5_000)).await;
    pair.all("a feature twice", |_, v| {
        let mut request = update("no.such", 1, UPGRADE, v);
        request.feature_updates.push(request.feature_updates[0].clone());
        request
    })
    .await;
}

/// Every feature one level down, to nothing and up, without a change.
async fn validated(pair: &mut Pair) {
    for (name, levels) in [
        ("metadata.version", &[27, 26, 25, 23, 22, 20, 7][..]),
        ("kraft.version", &[1, 0, 2]),
        ("transaction.version", &[2, 1, 0, 3, -1]),
        ("group.version", &[1, 0, 2]),
        ("eligible.leader.replicas.version", &[1, 0, 2]),
        ("streams.version", &[0]),
        ("share.version", &[0]),
        ("no.such", &[0, -1]),
    ] {
        for (level, kind) in
            levels.iter().flat_map(|level| [UPGRADE, SAFE, UNSAFE].map(|kind| (*level, kind)))
        {
            let step = format!("{name} to {level} by {kind} is only validated");
            for version in 1..=2 {
                pair.one(&step, version, |_, v| update(name, level, kind, v).with_validate_only(true)).await;
            }
        }
    }
    pair.newest("levels after validation", |_, _| software("features", "1")).await;
}

/// Changes that one version of the request asks for. Version 0 has no downgrade: Kafka does not look at its flag.
async fn carried_out(pair: &mut Pair, version: i16) {
    let changes: [(&str, i16, i8); 19] = [
        ("transaction.version", 2, UPGRADE),
        ("transaction.version", 2, SAFE),
        ("transaction.version", 1, UPGRADE),
        ("transaction.version", 1, SAFE),
        ("transaction.version", 2, SAFE),
        ("transaction.version", 0, UNSAFE),
        ("transaction.version", 2, UPGRADE),
        ("group.version", 0, SAFE),
        ("group.version", 0, SAFE),
        ("group.version", 1, UNSAFE),
        ("group.version", 1, UPGRADE),
        ("metadata.version", 25, SAFE),
        ("metadata.version", 26, SAFE),
        ("metadata.version", 22, UNSAFE),
        ("metadata.version", 27, UPGRADE),
        ("kraft.version", 1, SAFE),
        ("kraft.version", 1, UPGRADE),
        ("eligible.leader.replicas.version", 0, SAFE),
        ("eligible.leader.replicas.version", 1, UPGRADE),
    ];
    for (at, (name, level, kind)) in changes.into_iter().enumerate() {
        let step = format!("change {at} of version {version}: {name} to {level} by {kind}");
        let answers = pair.one(&step, version, |_, v| update(name, level, kind, v)).await;
        for (side, answer) in pair.sides.iter_mut().zip(answers) {
            if answer.is_some_and(|answer| answer.error_code == 0) {
                shows(side, name, level).await;
            }
        }
        pair.newest(&format!("levels after {step}"), |_, _| software("features", "1")).await;
    }
}

/// All levels change, or none.
async fn several(pair: &mut Pair) {
    let both = |version, second: i16| {
        let mut request = update("transaction.version", 1, SAFE, version);
        request.feature_updates.extend(update("group.version", second, UPGRADE, version).feature_updates);
        request
    };
    pair.all("a level and one that is not to be had", |_, v| both(v, 99)).await;
    pair.newest("levels after one that is not to be had", |_, _| software("features", "1")).await;
    for version in 1..=2 {
        pair.one("two levels", version, |_, v| both(v, 1)).await;
        for side in &mut pair.sides {
            shows(side, "transaction.version", 1).await;
        }
        pair.newest(&format!("levels after two, version {version}"), |_, _| software("features", "1")).await;
        pair.one("one level again", version, |_, v| update("transaction.version", 2, UPGRADE, v)).await;
        for side in &mut pair.sides {
            shows(side, "transaction.version", 2).await;
        }
    }
}

/// Eligible leader replicas need one `min.insync.replicas` for all brokers, from the moment they are kept on (KIP-966).
async fn min_insync_replicas(pair: &mut Pair) {
    const FEATURE: &str = "eligible.leader.replicas.version";
    const KEY: &str = "min.insync.replicas";
    let changes = [("", Some("1")), ("1", Some("1")), ("", None)];
    for (level, kind) in [(0, SAFE), (1, UPGRADE)] {
        pair.newest(&format!("{FEATURE} is {level}"), |_, v| update(FEATURE, level, kind, v)).await;
        for side in &mut pair.sides {
            shows(side, FEATURE, level).await;
        }
        for broker in ["", "1"] {
            let step = format!("{KEY} of broker {broker:?}, eligible leaders {level}");
            state(pair, &step, BROKER, broker, Some(&[KEY])).await;
        }
        for (broker, value) in changes {
            let step = format!("{KEY} of broker {broker:?} to {value:?}, eligible leaders {level}");
            let changes = [(KEY, if value.is_some() { SET } else { DELETE }, value)];
            pair.newest(&step, |_, _| {
                IncrementalAlterConfigsRequest::default()
                    .with_resources(vec![change(BROKER, broker, &changes)])
            })
            .await;
        }
    }
    for broker in ["", "1"] {
        state(pair, &format!("{KEY} of broker {broker:?} at the end"), BROKER, broker, Some(&[KEY])).await;
    }
}

fn update(name: &str, level: i16, kind: i8, version: i16) -> UpdateFeaturesRequest {
    let key = FeatureUpdateKey::default().with_feature(text(name)).with_max_version_level(level);
    let key =
        if version == 0 { key.with_allow_downgrade(kind > UPGRADE) } else { key.with_upgrade_type(kind) };
    UpdateFeaturesRequest::default().with_feature_updates(vec![key]).with_timeout_ms(5_000)
}

/// Waits until a broker works with a level: Kafka's applies metadata a little after its controller has answered.
pub async fn shows(side: &mut Side, name: &str, level: i16) {
    for _ in 0..500 {
        let Ok(answer) = side.call(4, &software("features", "1")).await else { return };
        let feature = answer.finalized_features.iter().find(|feature| &*feature.name == name);
        if feature.map_or(0, |feature| feature.max_version_level) == level {
            return;
        }
        tokio::time::sleep(PATIENCE / 1000).await;
    }
}
