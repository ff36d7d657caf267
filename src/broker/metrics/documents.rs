//! `docs/METRICS.md` shows the table of metrics as it is. To write it anew:
//! `OTTLA_WRITE_DOCUMENTS=1 cargo test -p broker documents`.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;

use config::resolved::MetricsDialect;

use super::table::AREAS;

const INTRODUCTION: &str = "# Metrics, health and readiness

This page is written from the broker's own table of metrics (`src/broker/metrics/table/rows.rs`); a test fails when it is
stale.

```bash
ottla serve --override ottla.metrics.listener=127.0.0.1:9404     # or KAFKA_OTTLA_METRICS_LISTENER=:9404
curl http://127.0.0.1:9404/metrics
```

| path | answer |
|---|---|
| `GET /metrics` | everything below, in Prometheus' text format |
| `GET /health` | 200 for as long as the process lives, from the moment it has bound its addresses. A node that cannot go on ends, so there is no other answer |
| `GET /ready` | 200 while clients are served; 503 before that, as during a recovery, and while it stops |

The listener is off unless `ottla.metrics.listener` names an address, in the container image too: it is neither encrypted nor
authenticated, tells names of topics and groups to everybody who reaches it, and an open port that nobody has asked for is a
surprise. Bind it to a private address, such as that of the network that Prometheus is in, and never to one that the world
reaches. It is apart from the listeners of clients: it has a thread and connections of its own (at most 32, one
request each), so that a busy node answers. All metrics are told to two at a time; who waits longer than 5 seconds
for those before it to read theirs is answered 503.

## Names

Where Kafka has a metric, it has the name that the JMX exporter gives it with Strimzi's rules, which most dashboards are made
for; `ottla.metrics.dialect` has the names end as with Confluent's rules (`confluent`) or Strimzi's metrics reporter
(`reporter`) instead. What consumers have read and what they lack has the names of kafka_exporter, which is not needed
beside this. What begins with `ottla_` Kafka does not tell.

Counters begin at 0 when the process starts. Where a metric is said to be 0 because there is one replica, that is what a
node of one is like.

## How much it is

An answer has at most `ottla.metrics.series.max` series of a metric (5000 unless set). One that has more is left out as a whole,
never in part, and `ottla_left_out_series` has its name and how many there are. A node with 10,000 partitions thus tells
nothing of single partitions, but everything of topics, groups and itself; sums over all topics (the series
without a label) are always there. Series with a `topic` alone are as many as topics, `kafka_consumergroup_*` as many as
groups or committed offsets, all others have a number that does not grow.

Counting costs requests little: each network thread counts in cells of its own, partitions count under a lock that an append
holds anyway, and everything else is read when somebody asks.

## The metrics
";

fn page() -> String {
    let mut page = INTRODUCTION.to_owned();
    for area in AREAS {
        let _ =
            writeln!(page, "\n### {}\n\n| metric | type | labels | meaning |\n|---|---|---|---|", area.title);
        for family in area.families {
            let name = family.name(MetricsDialect::Strimzi);
            let labels: Vec<_> = family.labels.iter().map(|label| format!("`{label}`")).collect();
            let _ = writeln!(
                page,
                "| `{name}` | {} | {} | {} |",
                family.kind.name(),
                labels.join(", "),
                family.help
            );
        }
    }
    page
}

#[test]
fn the_page_of_metrics_is_up_to_date() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../docs/METRICS.md");
    if std::env::var_os("OTTLA_WRITE_DOCUMENTS").is_some() {
        std::fs::write(&path, page()).unwrap();
    }
    let written = std::fs::read_to_string(&path).unwrap_or_default();
    assert!(
        written == page(),
        "docs/METRICS.md is stale: run OTTLA_WRITE_DOCUMENTS=1 cargo test -p broker documents"
    );
}

#[test]
fn no_two_metrics_have_a_name() {
    for dialect in [MetricsDialect::Strimzi, MetricsDialect::Confluent, MetricsDialect::Reporter] {
        let mut seen = BTreeSet::new();
        for family in AREAS.iter().flat_map(|area| area.families) {
            let name = family.name(dialect);
            assert!(name.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'), "{name}");
            assert!(seen.insert(name.clone()), "{name} stands twice");
            assert!(!family.help.contains(['|', '\n', '\\']) && family.help.ends_with('.'), "{name}");
        }
    }
}
