//! The text of an answer (Prometheus text format 0.0.4).

use std::fmt::{Display, Write as _};

use config::resolved::MetricsDialect;

use super::histogram::Counts;
use super::table::{Family, LEFT_OUT};

/// What the text format is called on the wire.
pub const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Quantiles of summaries, as the JMX exporter spells them.
const QUANTILES: &[(&str, f64)] =
    &[("0.50", 0.5), ("0.75", 0.75), ("0.95", 0.95), ("0.98", 0.98), ("0.99", 0.99), ("0.999", 0.999)];

/// An answer that is being written. All series of a metric stand together.
#[derive(Debug)]
pub struct Exposition {
    text: String,
    dialect: MetricsDialect,
    series_max: usize,
    left_out: Vec<(String, usize)>,
}

/// The series of one metric.
#[derive(Debug)]
pub struct Series<'a> {
    text: &'a mut String,
    name: String,
    labels: &'static [&'static str],
}

impl Exposition {
    /// An empty answer that has at most `series_max` series of each metric.
    pub fn new(dialect: MetricsDialect, series_max: usize) -> Self {
        Self { text: String::new(), dialect, series_max, left_out: Vec::new() }
    }

    /// Begins a metric that has few series, however large the node.
    pub fn family(&mut self, family: &Family) -> Series<'_> {
        let name = family.name(self.dialect);
        self.head(family, &name);
        Series { text: &mut self.text, name, labels: family.labels }
    }

    /// Begins a metric that is to have `count` series; `None` where those are too many: it is left out.
    pub fn family_of(&mut self, family: &Family, count: usize) -> Option<Series<'_>> {
        if count > self.series_max {
            self.left_out.push((family.name(self.dialect), count));
            return None;
        }
        Some(self.family(family))
    }

    /// Notes that a metric has more series than an answer may have: they were not even counted out.
    pub fn leave_out(&mut self, family: &Family, count: usize) {
        self.left_out.push((family.name(self.dialect), count));
    }

    /// Whether so many series of a metric are too many.
    pub fn is_too_many(&self, count: usize) -> bool {
        count > self.series_max
    }

    /// A metric with one series and no label.
    pub fn value(&mut self, family: &Family, value: impl Display) {
        self.family(family).total(value);
    }

    /// The whole text.
    pub fn finish(mut self) -> String {
        let left_out = std::mem::take(&mut self.left_out);
        let mut series = self.family(&LEFT_OUT);
        for (metric, count) in left_out {
            series.put(&[&metric], count);
        }
        self.text
    }

    fn head(&mut self, family: &Family, name: &str) {
        // Writing to a string does not fail.
        let _ = writeln!(self.text, "# HELP {name} {}", family.help);
        let _ = writeln!(self.text, "# TYPE {name} {}", family.kind.name());
        debug_assert!(!family.help.contains(['\n', '\\']), "{name}");
    }
}

impl Series<'_> {
    /// The series with these values of the metric's labels.
    pub fn put(&mut self, values: &[&str], value: impl Display) {
        debug_assert_eq!(values.len(), self.labels.len(), "{}", self.name);
        self.line("", values, None, value);
    }

    /// The series without labels.
    pub fn total(&mut self, value: impl Display) {
        self.line("", &[], None, value);
    }

    /// A histogram whose unit is `unit` of what was counted; `zeros` values were 0. Buckets end at powers of two from
    /// `first` to `last`.
    pub fn histogram(&mut self, values: &[&str], counts: &Counts, shape: &Shape) {
        let total = counts.count() + shape.zeros;
        for power in shape.powers.clone() {
            let bound = (1_u64 << power) as f64 * shape.unit;
            let below = counts.below_power(power) + shape.zeros;
            self.line("_bucket", values, Some(("le", &bound.to_string())), below);
        }
        self.line("_bucket", values, Some(("le", "+Inf")), total);
        self.line("_sum", values, None, counts.sum as f64 * shape.unit);
        self.line("_count", values, None, total);
    }

    /// Quantiles of `recent`, count and sum of `all`; the last of the metric's labels is that of the quantile. Of both,
    /// those values are told that are not counted because they were 0.
    pub fn summary(&mut self, values: &[&str], all: (&Counts, u64), recent: (&Counts, u64), unit: f64) {
        for (name, share) in QUANTILES {
            let value = recent.0.quantile(*share, recent.1) as f64 * unit;
            self.line("", values, Some(("quantile", name)), value);
        }
        self.line("_sum", values, None, all.0.sum as f64 * unit);
        self.line("_count", values, None, all.0.count() + all.1);
    }

    fn line(&mut self, ending: &str, values: &[&str], more: Option<(&str, &str)>, value: impl Display) {
        self.text.push_str(&self.name);
        self.text.push_str(ending);
        let mut separator = '{';
        for (label, value) in self.labels.iter().copied().zip(values.iter().copied()).chain(more) {
            self.text.push(separator);
            separator = ',';
            self.text.push_str(label);
            self.text.push_str("=\"");
            escape(self.text, value);
            self.text.push('"');
        }
        if separator == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

/// How a histogram is shown.
#[derive(Clone, Debug)]
pub struct Shape {
    /// Buckets end at these powers of two of what was counted.
    pub powers: std::ops::RangeInclusive<usize>,
    /// What was counted, in the unit that is shown.
    pub unit: f64,
    /// Values that are not counted because they were 0.
    pub zeros: u64,
}

fn escape(text: &mut String, value: &str) {
    for character in value.chars() {
        match character {
            '\\' => text.push_str("\\\\"),
            '"' => text.push_str("\\\""),
            '\n' => text.push_str("\\n"),
            other => text.push(other),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::super::histogram::Histogram;
    use super::super::table::{DURATION, Ending, GROUP_MEMBERS, Kind, MESSAGES_IN, NETWORK_IDLE, TOTAL_TIME};
    use super::*;

    #[test]
    fn names_end_as_the_dialect_has_them() {
        use MetricsDialect::{Confluent, Reporter, Strimzi};
        let ends =
            |family: &Family, dialect| family.name(dialect).rsplit_once("messagesin").unwrap().1.to_owned();
        assert_eq!(ends(&MESSAGES_IN, Strimzi), "_total");
        assert_eq!(ends(&MESSAGES_IN, Confluent), "persec");
        assert_eq!(ends(&MESSAGES_IN, Reporter), "persec_total");
        assert!(NETWORK_IDLE.name(Strimzi).ends_with("avgidle_percent"));
        assert!(NETWORK_IDLE.name(Confluent).ends_with("avgidlepercent"));
        assert_eq!(GROUP_MEMBERS.ending, Ending::None);
    }

    #[test]
    fn whatever_a_group_is_called_the_line_stays_one() {
        let mut out = Exposition::new(MetricsDialect::Strimzi, 10);
        out.family(&GROUP_MEMBERS).put(&["a\"b\\c\nd"], 3);
        assert!(out.finish().contains("kafka_consumergroup_members{consumergroup=\"a\\\"b\\\\c\\nd\"} 3\n"));
    }

    #[test]
    fn a_metric_with_too_many_series_is_left_out_and_named() {
        let mut out = Exposition::new(MetricsDialect::Strimzi, 2);
        assert!(out.family_of(&GROUP_MEMBERS, 3).is_none());
        let text = out.finish();
        assert!(!text.contains("consumergroup="), "{text}");
        assert!(text.contains("ottla_left_out_series{metric=\"kafka_consumergroup_members\"} 3\n"), "{text}");
    }

    #[test]
    fn histograms_and_summaries_add_up() {
        let (histogram, mut counts) = (Histogram::default(), Counts::default());
        for micros in [70, 70, 5_000] {
            histogram.add(micros);
        }
        histogram.add_to(&mut counts);
        let mut out = Exposition::new(MetricsDialect::Strimzi, 10);
        let shape = Shape { powers: 6..=8, unit: 1e-6, zeros: 1 };
        out.family(&DURATION).histogram(&["Produce"], &counts, &shape);
        out.family(&TOTAL_TIME).summary(&["Produce"], (&counts, 1), (&counts, 1), 1e-3);
        let text = out.finish();
        for line in [
            "ottla_request_duration_seconds_bucket{request=\"Produce\",le=\"0.000064\"} 1",
            "ottla_request_duration_seconds_bucket{request=\"Produce\",le=\"0.000128\"} 3",
            "ottla_request_duration_seconds_bucket{request=\"Produce\",le=\"+Inf\"} 4",
            "ottla_request_duration_seconds_count{request=\"Produce\"} 4",
            "kafka_network_requestmetrics_totaltimems{request=\"Produce\",quantile=\"0.50\"} 0.079",
            "kafka_network_requestmetrics_totaltimems_sum{request=\"Produce\"} 5.14",
            "kafka_network_requestmetrics_totaltimems_count{request=\"Produce\"} 4",
        ] {
            assert!(text.lines().any(|shown| shown == line), "{line} is missing in\n{text}");
        }
        assert_eq!(Kind::Summary.name(), "summary");
    }
}
