//! Requests and connections.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use model::ErrorCode;
use wire::api_table::ApiKey;

use super::Moment;
use crate::metrics::exposition::{Exposition, Shape};
use crate::metrics::histogram::Counts;
use crate::metrics::requests::{Phase, Served, ThreadMeter};
use crate::metrics::table::{self, Family};

/// Kafka's name for the requests of Fetch that consumers send, as all here are.
const FETCH_CONSUMER: &str = "FetchConsumer";
/// From 64 microseconds to 33 seconds.
const MICROS: std::ops::RangeInclusive<usize> = 6..=25;

/// How much of their time the network threads had something to do.
#[derive(Clone, Debug, Default)]
pub(super) struct Threads {
    lived: Duration,
    busy: Duration,
}

impl Threads {
    pub(super) fn of(threads: &[Arc<ThreadMeter>]) -> Self {
        let lives = threads.iter().map(|thread| thread.life());
        lives.fold(Self::default(), |sum, (lived, busy)| Self {
            lived: sum.lived + lived,
            busy: sum.busy + busy,
        })
    }

    /// The share of time since `earlier` that there was nothing to do in.
    fn idle_since(&self, earlier: &Self) -> f64 {
        let lived = self.lived.saturating_sub(earlier.lived).as_secs_f64();
        let busy = self.busy.saturating_sub(earlier.busy).as_secs_f64();
        if lived > 0.0 { (1.0 - busy / lived).clamp(0.0, 1.0) } else { 1.0 }
    }
}

/// The names that an API's requests are told under.
fn names(api: i16) -> Vec<&'static str> {
    let Some(key) = ApiKey::from_code(api) else { return Vec::new() };
    let mut names = vec![key.spec().name];
    names.extend((key == ApiKey::Fetch).then_some(FETCH_CONSUMER));
    names
}

pub(super) fn write(out: &mut Exposition, now: &Moment, since: &Moment) {
    let nothing = Served::default();
    let named: Vec<(&str, &Served, Served)> = now
        .requests
        .iter()
        .flat_map(|(api, served)| {
            let recent = served.since(since.requests.get(api).unwrap_or(&nothing));
            names(*api).into_iter().map(move |name| (name, served, recent.clone()))
        })
        .collect();
    let mut requests = out.family(&table::REQUESTS);
    for (name, served, _) in &named {
        for (version, count) in &served.versions {
            requests.put(&[name, &version.to_string()], count);
        }
    }

    let write_times = |family: &Family, out: &mut Exposition, pick: &dyn Fn(&Served) -> Counts| {
        let mut series = out.family(family);
        for (name, served, recent) in &named {
            let (all, lately) = (pick(served), pick(recent));
            let zeros = |served: &Served, counts: &Counts| served.count().saturating_sub(counts.count());
            let (all_zeros, lately_zeros) = (zeros(served, &all), zeros(recent, &lately));
            series.summary(&[name], (&all, all_zeros), (&lately, lately_zeros), 1e-3);
        }
    };
    write_times(&table::TOTAL_TIME, out, &|served| served.total.clone());
    let phases = [
        (&table::QUEUE_TIME, Phase::RequestQueue),
        (&table::LOCAL_TIME, Phase::Local),
        (&table::REMOTE_TIME, Phase::Remote),
        (&table::SEND_TIME, Phase::ResponseSend),
    ];
    for (family, phase) in phases {
        write_times(family, out, &|served| served.phases[phase as usize].clone());
    }
    // Whoever makes an answer also writes it: no queue is in between.
    write_times(&table::RESPONSE_QUEUE_TIME, out, &|_| Counts::default());
    let mut durations = out.family(&table::DURATION);
    for (name, served, _) in named.iter().filter(|(name, ..)| *name != FETCH_CONSUMER) {
        durations.histogram(&[name], &served.total, &Shape { powers: MICROS, unit: 1e-6, zeros: 0 });
    }
}

pub(super) fn write_errors(out: &mut Exposition, errors: &BTreeMap<(ApiKey, i16), u64>) {
    let mut series = out.family(&table::ERRORS);
    for ((api, code), count) in errors {
        for name in names(api.code()) {
            series.put(&[name, ErrorCode::from_code(*code).name()], count);
        }
    }
}

pub(super) fn write_threads(
    out: &mut Exposition,
    threads: &[Arc<ThreadMeter>],
    now: &Moment,
    since: &Moment,
) {
    let idle = now.threads.idle_since(&since.threads);
    out.value(&table::NETWORK_IDLE, idle);
    out.value(&table::HANDLER_IDLE, idle);
    let connections: Vec<_> = threads.iter().map(|thread| thread.connections()).collect();
    let mut open = out.family(&table::CONNECTIONS);
    for (number, listeners) in connections.iter().enumerate() {
        for (listener, connections) in listeners {
            open.put(&[listener, &number.to_string()], connections.open);
        }
    }
    let mut opened = out.family(&table::CONNECTIONS_OPENED);
    for (number, listeners) in connections.iter().enumerate() {
        for (listener, connections) in listeners {
            opened.put(&[listener, &number.to_string()], connections.opened);
        }
    }
}
