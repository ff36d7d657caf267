//! Settings of topics, brokers, loggers, groups and client metrics.

use client::Cluster;
use wire::messages::describe_configs_response::DescribeConfigsResult;

use super::{Failure, Order};
use crate::config_admin::{self, BROKER, BROKER_LOGGER, CLIENT_METRICS, GROUP, TOPIC, configured, entries};
use crate::group_admin;
use crate::jvm;
use crate::kafka::{self, Trouble};
use crate::terminal::Terminal;

/// Sets and takes back settings.
pub(super) async fn alter(order: &Order, cluster: &mut Cluster) -> Result<(), Failure> {
    let name = order.names.first().map_or("", String::as_str);
    let kind = resource_type(order.kind());
    if kind == BROKER_LOGGER {
        check_loggers(order, cluster, name).await?;
    }
    Ok(config_admin::alter(cluster, kind, name, &order.add, &order.delete).await?)
}

async fn check_loggers(order: &Order, cluster: &mut Cluster, name: &str) -> Result<(), Failure> {
    let known = entries(cluster, BROKER_LOGGER, name).await?;
    let changed = order.delete.iter().chain(order.add.keys());
    let unknown = changed.filter(|key| !known.configs.iter().any(|one| *one.name == **key));
    let unknown: Vec<&str> = unknown.map(String::as_str).collect();
    if unknown.is_empty() {
        return Ok(());
    }
    Err(Failure::Said(format!("Invalid broker logger(s): {}", unknown.join(","))))
}

/// Shows settings: those that were changed, or with `--all` every one.
pub(super) async fn describe(
    order: &Order,
    cluster: &mut Cluster,
    terminal: &mut Terminal,
) -> Result<(), Failure> {
    let kind = order.kind();
    let named = order.names.first();
    if let Some(name) = named.filter(|_| !order.all) {
        if kind == "topics" && model::topic_name::validate(name).is_err() {
            return Err(Failure::Said(invalid_topic(name)));
        }
        let is_known = match kind {
            "brokers" | "broker-loggers" if name.is_empty() => true,
            "groups" => {
                group_admin::list(cluster, &[], &[]).await?.iter().any(|group| group.id == *name)
                    || configured(cluster, GROUP).await?.is_none_or(|names| names.contains(name))
            }
            _ => entities(kind, cluster).await?.contains(name),
        };
        if !is_known {
            terminal.line(format!(
                "The {} '{name}' doesn't exist and doesn't have dynamic config.",
                order.singular()
            ));
            return Ok(());
        }
    }
    let entities = match named {
        Some(name) => vec![name.clone()],
        None => entities(kind, cluster).await?,
    };
    for name in entities {
        if name.is_empty() {
            terminal.line(format!("Default configs for {kind} in the cluster are:"));
        } else {
            let which = if order.all { "All" } else { "Dynamic" };
            terminal.line(format!("{which} configs for {} {name} are:", order.singular()));
        }
        let shown = if order.all { None } else { own_source(kind, &name) };
        let found = entries(cluster, resource_type(kind), &name).await?;
        for line in lines(&found, shown) {
            terminal.line(line);
        }
    }
    Ok(())
}

fn invalid_topic(name: &str) -> String {
    model::topic_name::validate(name).err().map_or_else(String::new, |error| error.to_string())
}

/// The lines of one entity, by key; `source` is the only source shown.
fn lines(found: &DescribeConfigsResult, source: Option<i8>) -> Vec<String> {
    let mut entries: Vec<_> = found.configs.iter().collect();
    entries.sort_by_key(|entry| entry.name.to_string());
    let shown = entries.into_iter().filter(|entry| source.is_none_or(|source| entry.config_source == source));
    shown
        .map(|entry| {
            let or_null = |value: &Option<wire::StrBytes>| {
                value.as_ref().map_or_else(|| "null".to_owned(), ToString::to_string)
            };
            let synonyms: Vec<String> = entry
                .synonyms
                .iter()
                .map(|one| format!("{}:{}={}", source_name(one.source), one.name, or_null(&one.value)))
                .collect();
            format!(
                "  {}={} sensitive={} synonyms={{{}}}",
                entry.name,
                or_null(&entry.value),
                entry.is_sensitive,
                synonyms.join(", ")
            )
        })
        .collect()
}

/// Every entity of a type.
async fn entities(kind: &str, cluster: &mut Cluster) -> Result<Vec<String>, Trouble> {
    match kind {
        "topics" => {
            let names = kafka::topic_names(cluster).await?.into_iter().map(|(name, _)| name).collect();
            Ok(jvm::hash_order(names, |name: &String| jvm::hash_code(name)))
        }
        "brokers" | "broker-loggers" => {
            cluster.refresh().await?;
            let ids = cluster.nodes().map(|node| node.id.to_string());
            Ok(ids.chain(std::iter::once(String::new())).collect())
        }
        "groups" => {
            let listed = group_admin::list(cluster, &[], &[]).await?;
            let mut names: Vec<String> = listed.into_iter().map(|group| group.id).collect();
            for name in configured(cluster, GROUP).await?.unwrap_or_default() {
                if !names.contains(&name) {
                    names.push(name);
                }
            }
            Ok(names)
        }
        _ => Ok(configured(cluster, CLIENT_METRICS).await?.unwrap_or_default()),
    }
}

fn resource_type(kind: &str) -> i8 {
    match kind {
        "topics" => TOPIC,
        "brokers" => BROKER,
        "broker-loggers" => BROKER_LOGGER,
        "client-metrics" => CLIENT_METRICS,
        _ => GROUP,
    }
}

/// Where a setting that was changed by this tool comes from.
fn own_source(kind: &str, name: &str) -> Option<i8> {
    match kind {
        "topics" => Some(1),
        "brokers" if name.is_empty() => Some(3),
        "brokers" => Some(2),
        "client-metrics" => Some(7),
        "groups" => Some(8),
        _ => None,
    }
}

/// `ConfigEntry.ConfigSource`.
fn source_name(source: i8) -> &'static str {
    match source {
        1 => "DYNAMIC_TOPIC_CONFIG",
        2 => "DYNAMIC_BROKER_CONFIG",
        3 => "DYNAMIC_DEFAULT_BROKER_CONFIG",
        4 => "STATIC_BROKER_CONFIG",
        5 => "DEFAULT_CONFIG",
        6 => "DYNAMIC_BROKER_LOGGER_CONFIG",
        7 => "DYNAMIC_CLIENT_METRICS_CONFIG",
        8 => "DYNAMIC_GROUP_CONFIG",
        _ => "UNKNOWN",
    }
}
