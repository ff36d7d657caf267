//! `KAFKA_*` environment variables, mapped as the `apache/kafka` image maps them (`KafkaDockerWrapper`).

/// One variable that stands for a property.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Variable<'a> {
    /// The variable's own name.
    pub name: &'a str,
    /// The property it sets.
    pub key: String,
    /// Its value.
    pub value: String,
}

/// Variables of the image's shell scripts, which never become properties.
const EXCLUDED: &[&str] = &[
    "KAFKA_VERSION",
    "KAFKA_HEAP_OPTS",
    "KAFKA_LOG4J_OPTS",
    "KAFKA_OPTS",
    "KAFKA_JMX_OPTS",
    "KAFKA_JVM_PERFORMANCE_OPTS",
    "KAFKA_GC_LOG_OPTS",
    "KAFKA_LOG4J_ROOT_LOGLEVEL",
    "KAFKA_LOG4J_LOGGERS",
    "KAFKA_TOOLS_LOG4J_LOGLEVEL",
    "KAFKA_JMX_HOSTNAME",
];

/// The properties the environment sets, in the order of the variables' names.
pub fn kafka_properties(environment: &[(String, String)]) -> Vec<Variable<'_>> {
    let mut variables: Vec<Variable<'_>> = environment
        .iter()
        .filter_map(|(name, value)| Some(Variable { name, key: property_name(name)?, value: value.clone() }))
        .collect();
    // Two spellings of one property (`KAFKA_A`, `KAFKA_a`) must not depend on the order of the environment block.
    variables.sort_by(|a, b| a.name.cmp(b.name));
    variables
}

/// `KAFKA_ABC_DEF` is `abc.def`, `KAFKA_ABC__DEF` is `abc_def`, `KAFKA_ABC___DEF` is `abc-def`; `None` for a
/// variable that names no property.
pub fn property_name(variable: &str) -> Option<String> {
    let rest = variable.strip_prefix("KAFKA_")?;
    if rest.is_empty() || EXCLUDED.contains(&variable) {
        return None;
    }
    // The order of the three replacements is the image's, so that longer runs of underscores come out the same.
    Some(rest.to_lowercase().replace('_', ".").replace("...", "-").replace("..", "_"))
}

/// What the images listen on when only `KAFKA_ADVERTISED_LISTENERS` says where: the same names and ports, on all
/// interfaces.
pub fn listeners_of_advertised(advertised: &str) -> String {
    let on_all_interfaces = |entry: &str| match (entry.split_once("://"), entry.rsplit_once(':')) {
        (Some((name, _)), Some((_, port))) => format!("{name}://0.0.0.0:{port}"),
        // Whatever is wrong with it is told by who reads the list.
        _ => entry.to_owned(),
    };
    advertised.split(',').map(on_all_interfaces).collect::<Vec<_>>().join(",")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn underscores_become_dots_underscores_and_dashes() {
        let cases = [
            ("KAFKA_ABC_DEF", "abc.def"),
            ("KAFKA_ABC__DEF", "abc_def"),
            ("KAFKA_ABC___DEF", "abc-def"),
            ("KAFKA_ABC____DEF", "abc-.def"),
            ("KAFKA_KAFKA_METRICS_REPORTERS", "kafka.metrics.reporters"),
            (
                "KAFKA_LISTENER_NAME_SECURE_SCRAM-SHA-512_SASL_JAAS_CONFIG",
                "listener.name.secure.scram-sha-512.sasl.jaas.config",
            ),
            ("KAFKA_JMX_PORT", "jmx.port"),
        ];
        for (variable, key) in cases {
            assert_eq!(property_name(variable).as_deref(), Some(key), "{variable}");
        }
    }

    #[test]
    fn advertised_ports_are_listened_on() {
        assert_eq!(
            listeners_of_advertised("PLAINTEXT://kafka:29092,HOST://localhost:9092,V6://[::1]:1,odd"),
            "PLAINTEXT://0.0.0.0:29092,HOST://0.0.0.0:9092,V6://0.0.0.0:1,odd"
        );
    }

    #[test]
    fn script_variables_and_others_are_no_properties() {
        for variable in EXCLUDED.iter().chain(&["KAFKA_", "CLUSTER_ID", "kafka_listeners", "XKAFKA_A"]) {
            assert_eq!(property_name(variable), None, "{variable}");
        }
    }

    #[test]
    fn properties_come_in_the_order_of_names() {
        let environment = [("KAFKA_b", "1"), ("KAFKA_B", "2"), ("PATH", "/bin"), ("KAFKA_A", "3")]
            .map(|(name, value)| (name.to_owned(), value.to_owned()));
        let keys: Vec<_> = kafka_properties(&environment).into_iter().map(|v| (v.key, v.value)).collect();
        let expected = [("a", "3"), ("b", "2"), ("b", "1")].map(|(k, v)| (k.to_owned(), v.to_owned()));
        assert_eq!(keys, expected);
    }
}
