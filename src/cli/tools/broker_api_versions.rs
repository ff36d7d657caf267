//! `kafka-broker-api-versions` (`org.apache.kafka.tools.BrokerApiVersionsCommand`): what each broker speaks.

use std::collections::BTreeMap;

use client::{Node, Target};
use wire::api_table::{API_TABLE, ApiKey, AuthClass};
use wire::api_versions::ApiVersion;

use crate::kafka;
use crate::options::{HELP, Syntax, VERSION, value};
use crate::properties::Properties;
use crate::terminal::{Stop, Terminal};

const SYNTAX: Syntax = Syntax {
    about: "This tool helps to retrieve broker version information.",
    options: &[
        value(&["command-config"], "file", "Properties of the client."),
        value(&["bootstrap-server"], "host:port,...", "Brokers to begin with. Required."),
        HELP,
        VERSION,
    ],
};

/// Runs the tool.
pub fn run(arguments: &[String], terminal: &mut Terminal) -> Result<(), Stop> {
    let options = SYNTAX.read(arguments).map_err(kafka::plain)?;
    options.help_or_version()?;
    options.need(&["bootstrap-server"])?;
    let properties = Properties::of_option(options.one("command-config")?.as_deref())?;
    let bootstrap = options.required("bootstrap-server")?;
    let mut properties_quick = properties.clone();
    // The Java tool does not wait for a broker: health checks call it again and again.
    properties_quick.set_default("default.api.timeout.ms", "0");
    properties_quick.set_default("request.timeout.ms", "5000");
    let mut cluster = kafka::connect(&bootstrap, &properties_quick, "admin-1")?;
    kafka::block_on(async {
        if cluster.metadata(Some(&[]), false).await.is_err() {
            let tried: Vec<String> = bootstrap
                .split(',')
                .enumerate()
                .map(|(index, entry)| {
                    format!("{} (id: {} rack: null isFenced: false)", entry.trim(), -1 - index as i64)
                })
                .collect();
            let tried = tried.join(", ");
            return Err(Stop::Error(format!("Request METADATA failed on brokers [{tried}]")));
        }
        let nodes: Vec<Node> = cluster.nodes().cloned().collect();
        for node in nodes {
            let shown = kafka::shown(&node);
            match cluster.versions_of(Target::Node(node.id)).await {
                Ok(versions) => terminal.line(format!("{shown} -> {}", listing(&versions.api_keys))),
                Err(error) => terminal.line(format!("{shown} -> ERROR: {error}")),
            }
        }
        Ok(())
    })
}

fn listing(offered: &[ApiVersion]) -> String {
    let mut rows: BTreeMap<i16, String> = offered.iter().map(|row| (row.api_key, row_text(*row))).collect();
    for spec in API_TABLE.iter().filter(|spec| is_for_clients(spec.key, spec.auth)) {
        let key = spec.key.code();
        rows.entry(key).or_insert_with(|| format!("{}({key}): UNSUPPORTED", spec.name));
    }
    for (key, name) in LATER_APIS {
        rows.entry(*key).or_insert_with(|| format!("{name}({key}): UNSUPPORTED"));
    }
    let rows: Vec<String> = rows.into_values().collect();
    format!("(\n\t{}\n)", rows.join(",\n\t"))
}

fn row_text(row: ApiVersion) -> String {
    let (key, min, max) = (row.api_key, row.min_version, row.max_version);
    let versions = if min == max { min.to_string() } else { format!("{min} to {max}") };
    let Some(api) = ApiKey::from_code(key) else {
        let name = LATER_APIS.iter().find(|(known, _)| *known == key).map_or("UNKNOWN", |(_, name)| name);
        return format!("{name}({key}): {versions}");
    };
    let spec = api.spec();
    let usable = if spec.max < min {
        "[unusable: node too new]".to_owned()
    } else if max < spec.min {
        "[unusable: node too old]".to_owned()
    } else {
        format!("[usable: {}]", spec.max.min(max))
    };
    format!("{}({key}): {versions} {usable}", spec.name)
}

/// Whether a broker's clients may use it: not what brokers and controllers say among themselves, but for the two
/// that Kafka lists all the same.
fn is_for_clients(api: ApiKey, auth: AuthClass) -> bool {
    auth != AuthClass::ClusterAction
        || matches!(
            api,
            ApiKey::WriteTxnMarkers
                | ApiKey::InitializeShareGroupState
                | ApiKey::ReadShareGroupState
                | ApiKey::WriteShareGroupState
                | ApiKey::DeleteShareGroupState
                | ApiKey::ReadShareGroupStateSummary
        )
}

/// APIs that this client has no decoder for, by the names that Kafka gives them.
const LATER_APIS: &[(i16, &str)] = &[(88, "StreamsGroupHeartbeat"), (89, "StreamsGroupDescribe")];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rows_say_what_can_be_used() {
        let row =
            |api_key, min_version, max_version| row_text(ApiVersion { api_key, min_version, max_version });
        assert_eq!(row(18, 0, 4), "ApiVersions(18): 0 to 4 [usable: 4]");
        assert_eq!(row(3, 90, 91), "Metadata(3): 90 to 91 [unusable: node too new]");
        assert_eq!(row(60, 0, 0), "DescribeCluster(60): 0 [usable: 0]");
        assert_eq!(row(999, 0, 0), "UNKNOWN(999): 0");
    }
}
