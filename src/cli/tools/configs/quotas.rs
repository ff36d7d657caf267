//! Quotas of users, clients and addresses.

use client::{Cluster, Target};
use model::ErrorCode;
use wire::messages::alter_client_quotas_request::{
    AlterClientQuotasRequest, EntityData, EntryData as AlterEntry, OpData,
};
use wire::messages::describe_client_quotas_request::{ComponentData, DescribeClientQuotasRequest};
use wire::messages::describe_client_quotas_response::EntryData;
use wire::messages::describe_user_scram_credentials_request::{
    DescribeUserScramCredentialsRequest, UserName,
};

use super::{Failure, Order};
use crate::kafka::{check, text};
use crate::terminal::{Stop, Terminal};

const OF_USERS: [&str; 5] = [
    "producer_byte_rate",
    "consumer_byte_rate",
    "request_percentage",
    "controller_mutation_rate",
    "connection_creation_rate",
];

/// Sets and takes back quotas.
pub(super) async fn alter(order: &Order, cluster: &mut Cluster) -> Result<(), Failure> {
    let is_ip = order.kind() == "ips";
    let legal = |key: &str| OF_USERS.contains(&key) && is_ip == (key == "connection_creation_rate");
    let changed: Vec<&str> = order.add.keys().chain(&order.delete).map(String::as_str).collect();
    if changed.iter().any(|key| key.starts_with("SCRAM-SHA-")) {
        return Err(Failure::Stop(Stop::not_built("altering SCRAM credentials")));
    }
    let unknown: Vec<&str> = changed.into_iter().filter(|key| !legal(key)).collect();
    if !unknown.is_empty() {
        let listed = unknown.join(", ");
        return Err(Failure::Said(match order.kind() {
            "ips" => format!(
                "Only connection quota configs can be added for 'ips' using --bootstrap-server. Unexpected config \
                 names: {}",
                unknown.join(",")
            ),
            "users" if order.types.len() == 1 => format!(
                "Only quota and SCRAM credential configs can be added for 'users' using --bootstrap-server. \
                 Unexpected config names: Set({listed})"
            ),
            _ => format!(
                "Only quota configs can be added for 'clients' using --bootstrap-server. Unexpected config names: \
                 Set({listed})"
            ),
        }));
    }
    let known = find(order, cluster).await?;
    let known = known.first().map(|entry| entry.values.clone()).unwrap_or_default();
    let absent = order.delete.iter().filter(|key| !known.iter().any(|value| *value.key == ***key));
    let absent: Vec<&str> = absent.map(String::as_str).collect();
    if !absent.is_empty() {
        return Err(Failure::Said(format!("Invalid config(s): {}", absent.join(","))));
    }
    let mut operations = Vec::new();
    for (key, value) in &order.add {
        let number: f64 = value.parse().map_err(|_not_a_number| {
            Failure::Said(format!("Cannot parse quota configuration value for {key}: {value}"))
        })?;
        operations.push(OpData::default().with_key(text(key.as_str())).with_value(number));
    }
    let removed =
        order.delete.iter().map(|key| OpData::default().with_key(text(key.as_str())).with_remove(true));
    operations.extend(removed);
    let entity = order.types.iter().zip(&order.names).map(|(kind, name)| {
        EntityData::default()
            .with_entity_type(text(entity_type(kind)))
            .with_entity_name(Some(text(name.as_str())).filter(|_| !name.is_empty()))
    });
    let entry = AlterEntry::default().with_entity(entity.collect()).with_ops(operations);
    let answer = cluster
        .call(Target::Any, |_version| AlterClientQuotasRequest::default().with_entries(vec![entry.clone()]))
        .await?;
    for entry in &answer.entries {
        check(entry.error_code, entry.error_message.as_deref())?;
    }
    Ok(())
}

/// Shows quotas.
pub(super) async fn describe(
    order: &Order,
    cluster: &mut Cluster,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    for entry in find(order, cluster).await? {
        let named = ["user", "client-id", "ip"].iter().filter_map(|kind| {
            let part = entry.entity.iter().find(|part| *part.entity_type == **kind)?;
            let shown = if *kind == "user" { "user-principal" } else { kind };
            Some(match &part.entity_name {
                Some(name) => format!("{shown} '{name}'"),
                None => format!("the default {shown}"),
            })
        });
        let named: Vec<String> = named.collect();
        let values = entry.values.iter().map(|value| format!("{}={}", value.key, java_double(value.value)));
        let values: Vec<String> = values.collect();
        terminal.line(format!("Quota configs for {} are {}", named.join(", "), values.join(", ")));
    }
    if order.types == ["users"] && !order.names.iter().any(String::is_empty) {
        describe_credentials(order, cluster, terminal).await?;
    }
    Ok(())
}

/// Shows the SCRAM credentials of users: the mechanisms, never a secret.
async fn describe_credentials(
    order: &Order,
    cluster: &mut Cluster,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let users: Vec<UserName> =
        order.names.iter().map(|name| UserName::default().with_name(text(name.as_str()))).collect();
    let answer = cluster
        .call(Target::Any, |_version| {
            DescribeUserScramCredentialsRequest::default().with_users(Some(users.clone()))
        })
        .await?;
    check(answer.error_code, answer.error_message.as_deref())?;
    for result in &answer.results {
        let user = &result.user;
        match check(result.error_code, result.error_message.as_deref()) {
            Ok(()) => {
                let shown = result.credential_infos.iter().map(|info| {
                    let mechanism =
                        if info.mechanism == SCRAM_SHA_256 { "SCRAM-SHA-256" } else { "SCRAM-SHA-512" };
                    format!("{mechanism}=iterations={}", info.iterations)
                });
                let shown: Vec<String> = shown.collect();
                terminal.line(format!(
                    "SCRAM credential configs for user-principal '{user}' are {}",
                    shown.join(", ")
                ));
            }
            Err(trouble) if trouble.code() == Some(ErrorCode::ResourceNotFound) => {}
            Err(trouble) => terminal.line(format!(
                "Error retrieving SCRAM credential configs for user-principal '{user}': {trouble}"
            )),
        }
    }
    Ok(())
}

async fn find(order: &Order, cluster: &mut Cluster) -> Result<Vec<EntryData>, Failure> {
    let components = order.types.iter().enumerate().map(|(at, kind)| {
        let component = ComponentData::default().with_entity_type(text(entity_type(kind)));
        match order.names.get(at) {
            None => component.with_match_type(ANY_NAME).with_match(None),
            Some(name) if name.is_empty() => component.with_match_type(DEFAULT_NAME).with_match(None),
            Some(name) => component.with_match_type(THIS_NAME).with_match(Some(text(name.as_str()))),
        }
    });
    let components: Vec<ComponentData> = components.collect();
    let answer = cluster
        .call(Target::Any, |_version| {
            DescribeClientQuotasRequest::default().with_components(components.clone()).with_strict(true)
        })
        .await?;
    check(answer.error_code, answer.error_message.as_deref())?;
    Ok(answer.entries.unwrap_or_default())
}

fn entity_type(kind: &str) -> &'static str {
    match kind {
        "users" => "user",
        "clients" => "client-id",
        _ => "ip",
    }
}

/// As Java's `Double.toString`, for the sizes that quotas have.
fn java_double(value: f64) -> String {
    let size = value.abs();
    if size != 0.0 && !(1e-3..1e7).contains(&size) {
        let text = format!("{value:e}");
        let (digits, power) = text.split_once('e').unwrap_or((&text, "0"));
        let digits = if digits.contains('.') { digits.to_owned() } else { format!("{digits}.0") };
        return format!("{digits}E{power}");
    }
    let text = value.to_string();
    if text.contains('.') { text } else { format!("{text}.0") }
}

const SCRAM_SHA_256: i8 = 1;
const THIS_NAME: i8 = 0;
const DEFAULT_NAME: i8 = 1;
const ANY_NAME: i8 = 2;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_are_javas() {
        for (value, text) in [
            (1024.0, "1024.0"),
            (0.5, "0.5"),
            (10_000_000.0, "1.0E7"),
            (12_345_678.5, "1.23456785E7"),
            (0.0, "0.0"),
        ] {
            assert_eq!(java_double(value), text);
        }
    }
}
