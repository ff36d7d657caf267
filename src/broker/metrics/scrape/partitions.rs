//! Topics and their partitions.

use std::collections::BTreeMap;
use std::sync::Arc;

use model::{BrokerId, TopicId};

use crate::context::Broker;
use crate::metrics::exposition::Exposition;
use crate::metrics::table::{self, Family};
use crate::metrics::tally::Traffic;
use crate::partition::figures::Figures;

/// A metric, and where its values come from.
type Column<From, Value> = (&'static Family, fn(&From) -> Value);

/// Everything about all topics, gathered once for an answer.
#[derive(Debug, Default)]
pub(super) struct Topics {
    /// By name.
    pub by_name: BTreeMap<Arc<str>, Topic>,
    /// Of all topics, deleted ones included.
    traffic: Traffic,
    /// Of all partitions.
    pub sums: Sums,
}

/// One topic.
#[derive(Debug, Default)]
pub(super) struct Topic {
    traffic: Traffic,
    /// By index; empty where there are more than an answer may have.
    pub partitions: BTreeMap<i32, Row>,
    partition_count: usize,
}

/// One partition.
#[derive(Debug)]
pub(super) struct Row {
    /// `None` where its log could not be opened.
    figures: Option<Brief>,
    leader: BrokerId,
    preferred: BrokerId,
    replicas: usize,
    in_sync: usize,
    min_in_sync: i32,
}

/// [`Figures`] without lists.
#[derive(Clone, Copy, Debug)]
struct Brief {
    offsets: crate::partition::Offsets,
    durable: i64,
    size_bytes: u64,
    segments: usize,
}

/// What is counted over all partitions.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Sums {
    pub partitions: usize,
    pub led_here: usize,
    pub offline: usize,
    pub under_replicated: usize,
    pub under_min_isr: usize,
    pub at_min_isr: usize,
    pub not_preferred: usize,
    pub producers: usize,
    pub open_transactions: usize,
    pub hanging_transactions: usize,
    pub late_partitions: usize,
    pub oldest_open_ms: i64,
}

impl Topics {
    /// Looks at every partition. Where there are more than `series_max`, only what is summed up is kept of each.
    pub(super) fn gather(broker: &Broker, series_max: usize) -> Self {
        let image = broker.metadata.image();
        let count: usize = image.topics().iter().map(|topic| topic.partitions.len()).sum();
        let (now_ms, aging_ms) = (broker.clock.wall_ms(), broker.clock.aging_ms());
        let mut topics = Self { traffic: broker.partitions.departed(), ..Self::default() };
        for topic in image.topics().iter() {
            let mut gathered = Topic { partition_count: topic.partitions.len(), ..Topic::default() };
            let min_in_sync = min_in_sync(broker, topic.id);
            for (index, registered) in &topic.partitions {
                let figures = broker.partitions.by_id(topic.id, *index).and_then(|here| here.figures());
                if let Some(figures) = &figures {
                    gathered.traffic.add(&figures.traffic);
                    topics.sums.add_figures(broker, figures, now_ms, aging_ms);
                }
                let row = Row {
                    figures: figures.map(|figures| Brief {
                        offsets: figures.offsets,
                        durable: figures.durable.value(),
                        size_bytes: figures.size_bytes,
                        segments: figures.segments,
                    }),
                    leader: registered.leader,
                    preferred: registered.replicas.first().copied().unwrap_or(BrokerId::NONE),
                    replicas: registered.replicas.len(),
                    in_sync: registered.isr.len(),
                    min_in_sync,
                };
                topics.sums.add_row(broker, &row);
                if count <= series_max {
                    gathered.partitions.insert(*index, row);
                }
            }
            topics.traffic.add(&gathered.traffic);
            topics.by_name.insert(Arc::clone(&topic.name), gathered);
        }
        topics
    }

    /// The high watermark of a partition, where it is known.
    pub(super) fn high_watermark(&self, broker: &Broker, topic: &str, index: i32) -> Option<i64> {
        let row = self.by_name.get(topic)?.partitions.get(&index);
        let figures = row.and_then(|row| row.figures.as_ref());
        match figures {
            Some(figures) => Some(figures.offsets.high_watermark.value()),
            None => Some(broker.partitions.by_name(topic, index)?.offsets().high_watermark.value()),
        }
    }

    pub(super) fn write_traffic(&self, out: &mut Exposition) {
        let columns: [Column<Traffic, u64>; 7] = [
            (&table::MESSAGES_IN, |traffic| traffic.records_in),
            (&table::BYTES_IN, |traffic| traffic.bytes_in),
            (&table::BYTES_OUT, |traffic| traffic.bytes_out),
            (&table::PRODUCE_REQUESTS, |traffic| traffic.produces),
            (&table::FETCH_REQUESTS, |traffic| traffic.fetches),
            (&table::FAILED_PRODUCE_REQUESTS, |traffic| traffic.failed_produces),
            (&table::FAILED_FETCH_REQUESTS, |traffic| traffic.failed_fetches),
        ];
        for (family, value) in columns {
            let is_too_many = out.is_too_many(self.by_name.len());
            let mut series = out.family(family);
            series.total(value(&self.traffic));
            if is_too_many {
                out.leave_out(family, self.by_name.len());
                continue;
            }
            for (name, topic) in &self.by_name {
                series.put(&[name], value(&topic.traffic));
            }
        }
    }

    pub(super) fn write_partitions(&self, out: &mut Exposition) {
        let registered: [Column<Row, usize>; 4] = [
            (&table::UNDER_MIN_ISR, |row| usize::from(row.is_under_min())),
            (&table::AT_MIN_ISR, |row| usize::from(row.is_at_min())),
            (&table::REPLICAS, |row| row.replicas),
            (&table::IN_SYNC, |row| row.in_sync),
        ];
        for (family, value) in registered {
            self.write_rows(out, family, |row| Some(value(row) as i64));
        }
        let known: [Column<Brief, i64>; 8] = [
            (&table::STABLE_LAG, |brief| {
                brief.offsets.high_watermark.value() - brief.offsets.last_stable.value()
            }),
            (&table::LOG_SIZE, |brief| brief.size_bytes as i64),
            (&table::LOG_SEGMENTS, |brief| brief.segments as i64),
            (&table::LOG_START, |brief| brief.offsets.log_start.value()),
            (&table::LOG_END, |brief| brief.offsets.log_end.value()),
            (&table::HIGH_WATERMARK, |brief| brief.offsets.high_watermark.value()),
            (&table::LAST_STABLE, |brief| brief.offsets.last_stable.value()),
            (&table::DURABLE, |brief| brief.durable),
        ];
        for (family, value) in known {
            self.write_rows(out, family, |row| row.figures.as_ref().map(value));
        }
    }

    /// What kafka_exporter tells of topics.
    pub(super) fn write_exporter(&self, out: &mut Exposition, broker: &Broker) {
        out.value(&table::BROKERS, broker.metadata.image().cluster().brokers().count());
        if let Some(mut series) = out.family_of(&table::TOPIC_PARTITIONS, self.by_name.len()) {
            for (name, topic) in &self.by_name {
                series.put(&[name], topic.partition_count);
            }
        }
        self.write_rows(out, &table::CURRENT_OFFSET, |row| Some(row.figures?.offsets.high_watermark.value()));
        self.write_rows(out, &table::OLDEST_OFFSET, |row| Some(row.figures?.offsets.log_start.value()));
        let registered: [Column<Row, i64>; 5] = [
            (&table::LEADER, |row| row.leader.value().into()),
            (&table::LEADER_IS_PREFERRED, |row| (row.leader == row.preferred).into()),
            (&table::TOPIC_REPLICAS, |row| row.replicas as i64),
            (&table::TOPIC_IN_SYNC, |row| row.in_sync as i64),
            (&table::TOPIC_UNDER_REPLICATED, |row| (row.in_sync < row.replicas).into()),
        ];
        for (family, value) in registered {
            self.write_rows(out, family, |row| Some(value(row)));
        }
    }

    pub(super) fn write_open_transactions(&self, out: &mut Exposition) {
        out.value(&table::OPEN_TRANSACTIONS, self.sums.open_transactions);
        out.value(&table::HANGING_TRANSACTIONS, self.sums.hanging_transactions);
        out.value(&table::OPEN_TRANSACTION_AGE, self.sums.oldest_open_ms as f64 / 1e3);
    }

    fn write_rows(&self, out: &mut Exposition, family: &Family, value: impl Fn(&Row) -> Option<i64>) {
        let Some(mut series) = out.family_of(family, self.sums.partitions) else { return };
        for (name, topic) in &self.by_name {
            for (index, row) in &topic.partitions {
                if let Some(value) = value(row) {
                    series.put(&[name, &index.to_string()], value);
                }
            }
        }
    }
}

impl Row {
    fn is_under_min(&self) -> bool {
        (self.in_sync as i64) < i64::from(self.min_in_sync)
    }

    fn is_at_min(&self) -> bool {
        self.in_sync as i64 == i64::from(self.min_in_sync)
    }
}

impl Sums {
    fn add_row(&mut self, broker: &Broker, row: &Row) {
        self.partitions += 1;
        self.led_here += usize::from(row.leader == broker.node_id);
        self.offline += usize::from(row.figures.is_none());
        self.under_replicated += usize::from(row.in_sync < row.replicas);
        self.under_min_isr += usize::from(row.is_under_min());
        self.at_min_isr += usize::from(row.is_at_min());
        self.not_preferred += usize::from(row.leader != row.preferred);
    }

    fn add_figures(&mut self, broker: &Broker, figures: &Figures, now_ms: i64, aging_ms: i64) {
        self.producers += figures.producers;
        self.open_transactions += figures.open_transactions.len();
        let late = figures.open_transactions.iter();
        let late = late.filter(|producer| broker.partitions.is_late(producer, aging_ms)).count();
        self.hanging_transactions += late;
        self.late_partitions += usize::from(late > 0);
        // A clock of a producer may be ahead, or say nothing.
        let ages = figures.open_transactions.iter().filter(|producer| producer.last_timestamp > 0);
        let oldest = ages.map(|producer| now_ms.saturating_sub(producer.last_timestamp)).max();
        self.oldest_open_ms = self.oldest_open_ms.max(oldest.unwrap_or(0));
    }
}

fn min_in_sync(broker: &Broker, topic: TopicId) -> i32 {
    let snapshot = broker.partitions.snapshot();
    snapshot.identified(topic).map_or(1, |hosted| hosted.topic.settings.load().min_insync_replicas)
}
