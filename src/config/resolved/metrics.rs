//! Metrics, and where they are asked for.

use crate::error::ConfigError;
use crate::keys::extra::{METRICS_DIALECT, METRICS_LISTENER, METRICS_SERIES_MAX};
use crate::layers::Values;

/// What Prometheus is told, and where.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Metrics {
    /// `ottla.metrics.listener`, as host and port; an empty host is every address. `None`: nowhere.
    pub listener: Option<(String, u16)>,
    /// `ottla.metrics.dialect`.
    pub dialect: MetricsDialect,
    /// `ottla.metrics.series.max`.
    pub series_max: usize,
}

/// Whose names the metrics have; they differ in the endings.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MetricsDialect {
    /// The JMX exporter with Strimzi's rules, which most dashboards are made for.
    Strimzi,
    /// The JMX exporter with Confluent's rules.
    Confluent,
    /// Strimzi's metrics reporter.
    Reporter,
}

impl Metrics {
    pub(super) fn resolve(values: &Values) -> Result<Self, ConfigError> {
        let listener = values.text(METRICS_LISTENER).filter(|text| !text.trim().is_empty());
        Ok(Self {
            listener: listener.map(|text| address(values, text)).transpose()?,
            dialect: match values.text(METRICS_DIALECT) {
                Some("confluent") => MetricsDialect::Confluent,
                Some("reporter") => MetricsDialect::Reporter,
                _ => MetricsDialect::Strimzi,
            },
            series_max: usize::try_from(values.int(METRICS_SERIES_MAX)).unwrap_or(0),
        })
    }
}

fn address(values: &Values, text: &str) -> Result<(String, u16), ConfigError> {
    let parsed = text.trim().rsplit_once(':').and_then(|(host, port)| {
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        Some((host.to_owned(), port.parse().ok()?))
    });
    parsed.ok_or_else(|| {
        let reason = "a host and a port are expected, such as 127.0.0.1:9404 or :9404";
        ConfigError::invalid(METRICS_LISTENER, text, reason).with_source(values.source(METRICS_LISTENER))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::load::{Inputs, load};

    fn metrics(settings: &[&str]) -> Result<Metrics, String> {
        let overrides: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
        let loaded = load(&Inputs { overrides: &overrides, ..Inputs::default() });
        loaded.map(|loaded| loaded.broker.metrics).map_err(|error| error.to_string())
    }

    #[test]
    fn nothing_listens_unless_it_is_asked_for() {
        assert_eq!(metrics(&[]).unwrap().listener, None);
        assert_eq!(metrics(&["ottla.metrics.listener="]).unwrap().listener, None);
    }

    #[test]
    fn the_listener_is_a_host_and_a_port() {
        for (text, host) in [
            ("127.0.0.1:9404", "127.0.0.1"),
            (":9404", ""),
            ("[::1]:9404", "::1"),
            (" metrics.test:9404 ", "metrics.test"),
        ] {
            let listener = metrics(&[&format!("ottla.metrics.listener={text}")]).unwrap().listener;
            assert_eq!(listener, Some((host.to_owned(), 9404)), "{text}");
        }
        for wrong in ["9404", "localhost", "localhost:", "localhost:70000", "localhost:-1"] {
            let refusal = metrics(&[&format!("ottla.metrics.listener={wrong}")]).unwrap_err();
            assert!(refusal.contains("ottla.metrics.listener") && refusal.contains(":9404"), "{refusal}");
        }
    }

    #[test]
    fn a_variable_switches_it_on() {
        let environment = [("KAFKA_OTTLA_METRICS_LISTENER".to_owned(), ":9404".to_owned())];
        let loaded = load(&Inputs { environment: &environment, ..Inputs::default() }).unwrap();
        assert_eq!(loaded.broker.metrics.listener, Some((String::new(), 9404)));
        assert_eq!(loaded.broker.metrics.dialect, MetricsDialect::Strimzi);
    }
}
