//! Every metric there is: its name, its labels and what it means. What is not in here is not told.

use config::resolved::MetricsDialect;

// One row a line.
#[rustfmt::skip]
mod rows;

pub(super) use rows::*;

/// One metric.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Family {
    /// Its name, without what the [`Ending`] adds.
    pub stem: &'static str,
    /// What the dialects differ in.
    pub ending: Ending,
    /// Prometheus' type of it.
    pub kind: Kind,
    /// Labels of its series.
    pub labels: &'static [&'static str],
    /// What it means.
    pub help: &'static str,
}

/// How a name ends, which is where the dialects differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Ending {
    /// The name is the same in all dialects.
    None,
    /// Kafka's name ends in `PerSec`, and counts since the start.
    PerSecond,
    /// Kafka's name ends in `Percent`; from 0 to 1 all the same.
    Percent,
    /// As [`Ending::Percent`], of what is a meter in Kafka.
    MeterPercent,
}

/// Prometheus' types.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[allow(missing_docs)]
pub enum Kind {
    Counter,
    Gauge,
    Histogram,
    Summary,
}

impl Kind {
    /// As the text format has it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Counter => "counter",
            Self::Gauge => "gauge",
            Self::Histogram => "histogram",
            Self::Summary => "summary",
        }
    }
}

impl Family {
    /// Its name in a dialect.
    pub fn name(&self, dialect: MetricsDialect) -> String {
        use MetricsDialect::{Confluent, Reporter, Strimzi};
        let ending = match (self.ending, dialect) {
            (Ending::None, _) => "",
            (Ending::PerSecond, Strimzi) => "_total",
            (Ending::PerSecond, Confluent) => "persec",
            (Ending::PerSecond, Reporter) => "persec_total",
            (Ending::Percent | Ending::MeterPercent, Strimzi) => "_percent",
            (Ending::Percent | Ending::MeterPercent, Confluent) | (Ending::Percent, Reporter) => "percent",
            (Ending::MeterPercent, Reporter) => "percent_total",
        };
        format!("{}{ending}", self.stem)
    }
}

/// Metrics that belong together.
#[derive(Clone, Copy, Debug)]
pub struct Area {
    /// What they are about.
    pub title: &'static str,
    /// In the order of an answer.
    pub families: &'static [Family],
}

const fn family(
    stem: &'static str,
    kind: Kind,
    labels: &'static [&'static str],
    help: &'static str,
) -> Family {
    Family { stem, ending: Ending::None, kind, labels, help }
}

const fn gauge(stem: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    family(stem, Kind::Gauge, labels, help)
}

const fn counter(stem: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    family(stem, Kind::Counter, labels, help)
}

const fn meter(stem: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { ending: Ending::PerSecond, ..counter(stem, labels, help) }
}

/// All metrics.
pub const AREAS: &[Area] = &[
    Area { title: "Topics, each and all together", families: TRAFFIC },
    Area { title: "The node and the cluster", families: NODE },
    Area { title: "Partitions", families: PARTITIONS },
    Area { title: "Requests and connections", families: SERVED },
    Area { title: "Groups and their lag", families: GROUPS_AREA },
    Area { title: "Topics, under the names of kafka_exporter", families: EXPORTER },
    Area { title: "Transactions", families: TRANSACTIONS_AREA },
    Area { title: "Durability and disks", families: DISK },
    Area { title: "The process", families: PROCESS },
];
