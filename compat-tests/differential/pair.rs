//! Both brokers side by side: sends, compares, counts.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Debug;
use std::process::ExitCode;
use std::time::Duration;

use client::CallError;
use model::{Clock, ErrorCode};
use wire::api_table::ApiKey;
use wire::call::Call;

use crate::allow::Allow;
use crate::ask::{first_offsets, metadata};
use crate::report::{Difference, Report};
use crate::side::{PATIENCE, Side};
use crate::tree::Tree;

/// Kafka applies metadata some milliseconds after it has answered the change; nothing tells when.
const SETTLING: Duration = Duration::from_millis(150);
/// Steps that take longer are shown: the suite has to stay short.
const SLOW: Duration = Duration::from_secs(1);
/// How often whoever is told to come back does so.
const TRIES: usize = 200;
/// Errors that say so.
const COME_BACK: [ErrorCode; 4] = [
    ErrorCode::ConcurrentTransactions,
    ErrorCode::CoordinatorLoadInProgress,
    ErrorCode::CoordinatorNotAvailable,
    ErrorCode::NotCoordinator,
];
/// Values that say nothing.
const NOTHING: [&str; 6] = ["None", "-1", "0", "\"\"", CLOSED, SILENT];
/// The connection was closed.
pub const CLOSED: &str = "<closed>";
/// There was no answer in time.
pub const SILENT: &str = "<no answer>";
/// Fields that name the element of an unordered list.
const NAMES: [&str; 15] = [
    "member_id",
    "group_id",
    "transactional_id",
    "name",
    "topic",
    "topic_name",
    "topic_id",
    "resource_name",
    "api_key",
    "feature",
    "log_dir",
    "partition",
    "partition_index",
    "producer_id",
    "error_code",
];

/// Both brokers.
pub struct Pair {
    /// Kafka and Ottla.
    pub sides: [Side; 2],
    /// Wall-clock milliseconds at the start: base of all timestamps, so that both get the same bytes.
    pub start_ms: i64,
    clock: Clock,
    allow: Allow,
    report: Report,
}

/// What both answered; `None` where there was no readable answer.
pub type Answers<R> = [Option<R>; 2];

impl Pair {
    /// Compares `subject` with `reference`, which is this release of Kafka.
    pub fn new(reference: Side, subject: Side, release: &str) -> Self {
        let clock = Clock::system();
        let allow = Allow::read(include_str!("allow.txt"), release);
        Self {
            sides: [reference, subject],
            start_ms: clock.wall_ms(),
            clock,
            allow,
            report: Report::default(),
        }
    }

    /// Sends the same request in every version that the table has and that can say it.
    pub async fn all<C>(&mut self, step: &str, build: impl Fn(&Side, i16) -> C)
    where
        C: Call,
        C::Response: Debug,
    {
        let spec = ApiKey::from_code(C::KEY).expect("a listed API").spec();
        for version in spec.min..=spec.max {
            self.one(step, version, &build).await;
        }
    }

    /// Sends the same request in one version.
    pub async fn one<C>(
        &mut self,
        step: &str,
        version: i16,
        build: impl Fn(&Side, i16) -> C,
    ) -> Answers<C::Response>
    where
        C: Call,
        C::Response: Debug,
    {
        self.shown(step, version, build, Tree::of).await
    }

    /// Sends the same request in the newest version.
    pub async fn newest<C>(&mut self, step: &str, build: impl Fn(&Side, i16) -> C) -> Answers<C::Response>
    where
        C: Call,
        C::Response: Debug,
    {
        let spec = ApiKey::from_code(C::KEY).expect("a listed API").spec();
        self.one(step, spec.max, build).await
    }

    /// Sends the same request in one version and compares what `show` makes of the answers.
    pub async fn shown<C: Call>(
        &mut self,
        step: &str,
        version: i16,
        build: impl Fn(&Side, i16) -> C,
        show: impl Fn(&C::Response) -> Tree,
    ) -> Answers<C::Response> {
        let [a, b] = &mut self.sides;
        let requests = (build(a, version), build(b, version));
        let clock = &self.clock;
        let answers = tokio::join!(
            timed(clock, a.call(version, &requests.0)),
            timed(clock, b.call(version, &requests.1))
        );
        self.answered::<C>(step, version, answers.into(), show)
    }

    /// As [`Pair::one`], but whoever is told to come back does so, as any client would.
    pub async fn settled<C>(
        &mut self,
        step: &str,
        version: i16,
        build: impl Fn(&Side, i16) -> C,
        code: impl Fn(&C::Response) -> i16,
    ) -> Answers<C::Response>
    where
        C: Call,
        C::Response: Debug,
    {
        let [a, b] = &mut self.sides;
        let requests = (build(a, version), build(b, version));
        let (clock, code) = (&self.clock, &code);
        let answers = tokio::join!(
            timed(clock, insist(a, version, &requests.0, code)),
            timed(clock, insist(b, version, &requests.1, code))
        );
        self.answered::<C>(step, version, answers.into(), Tree::of)
    }

    fn answered<C: Call>(
        &mut self,
        step: &str,
        version: i16,
        answers: [(Result<C::Response, CallError>, Duration); 2],
        show: impl Fn(&C::Response) -> Tree,
    ) -> Answers<C::Response> {
        let [(first, first_took), (second, second_took)] = answers;
        let api = ApiKey::from_code(C::KEY).expect("a listed API");
        if first_took.max(second_took) >= SLOW {
            println!(
                "slow: {api} v{version} {step}: Kafka {} ms, Ottla {} ms",
                first_took.as_millis(),
                second_took.as_millis()
            );
        }
        if let (Err(CallError::Encode(_)), Err(CallError::Encode(_))) = (&first, &second) {
            return [None, None];
        }
        let trees = [outcome(&first, &show), outcome(&second, &show)];
        self.compare(api.spec().name, version, step, trees);
        [first.ok(), second.ok()]
    }

    /// Compares two outcomes that were had in another way.
    pub fn compare(&mut self, api: &str, version: i16, step: &str, mut trees: [Tree; 2]) {
        for (side, tree) in self.sides.iter_mut().zip(&mut trees) {
            side.learn(tree);
            side.with_names(tree);
        }
        let mut comparison = Comparison { allow: &self.allow, api, step, differences: Vec::new() };
        comparison.compare("", &trees[0], &trees[1]);
        let differences = comparison.differences.into_iter();
        let allowed = |(path, _, _): &(String, String, String)| !self.allow.allows(api, step, path);
        let found = differences.filter(allowed).map(|(path, reference, subject)| Difference {
            api: api.to_owned(),
            step: step.to_owned(),
            path,
            reference,
            subject,
        });
        self.report.add(version, found.collect(), api, step);
    }

    /// Waits until both have applied what they have answered.
    pub async fn settle(&self) {
        tokio::time::sleep(SETTLING).await;
    }

    /// How long an answer may take from now on.
    pub fn patience(&mut self, patience: Duration) {
        for side in &mut self.sides {
            side.patience = patience;
            side.disconnect();
        }
    }

    /// Waits until both lead a topic, and answer for it: Kafka's partitions take requests a little after its metadata
    /// shows them.
    pub async fn leads(&mut self, topic: &str) {
        for side in &mut self.sides {
            let deadline = self.clock.monotonic() + PATIENCE;
            while self.clock.monotonic() < deadline && !leads(side, topic).await {
                tokio::time::sleep(SETTLING / 10).await;
            }
        }
    }

    /// Members that come from now on get the same names on both sides, whatever differed before.
    pub fn number_members_alike(&mut self) {
        let most = self.sides.iter().map(|side| side.members).max().unwrap_or_default();
        self.sides.iter_mut().for_each(|side| side.members = most);
    }

    /// How many steps had a difference so far.
    pub fn failed(&self) -> usize {
        self.report.failed()
    }

    /// A family begins.
    pub fn begin(&mut self, _family: &str) -> Duration {
        self.clock.monotonic()
    }

    /// A family has ended.
    pub fn end(&mut self, family: &str, began: Duration) {
        let took = self.clock.monotonic().saturating_sub(began).as_millis();
        println!("{family}: {} steps so far, {took} ms", self.report.steps());
    }

    /// The script did not come to its end.
    pub fn overdue(&mut self) {
        self.report.fail();
    }

    /// The result; the exit code says whether all were equal.
    pub fn finish(self) -> ExitCode {
        self.report.print(&self.allow)
    }
}

async fn leads(side: &mut Side, topic: &str) -> bool {
    let Ok(answer) = side.call(12, &metadata(&[topic])).await else { return false };
    let partitions: Vec<_> = answer.topics.iter().flat_map(|topic| &topic.partitions).collect();
    if answer.topics.iter().any(|t| t.error_code != 0) || partitions.iter().any(|p| p.error_code != 0) {
        return false;
    }
    let ids: Vec<i32> = partitions.iter().map(|partition| partition.partition_index).collect();
    let Ok(answer) = side.call(1, &first_offsets(topic, &ids)).await else { return false };
    answer.topics.iter().all(|t| t.partitions.iter().all(|p| p.error_code == 0))
}

async fn insist<C: Call>(
    side: &mut Side,
    version: i16,
    request: &C,
    code: &impl Fn(&C::Response) -> i16,
) -> Result<C::Response, CallError> {
    for _ in 0..TRIES {
        let answer = side.call(version, request).await?;
        if !COME_BACK.contains(&ErrorCode::from_code(code(&answer))) {
            return Ok(answer);
        }
        tokio::time::sleep(SETTLING / 10).await;
    }
    side.call(version, request).await
}

async fn timed<T>(clock: &Clock, work: impl Future<Output = T>) -> (T, Duration) {
    let began = clock.monotonic();
    let result = work.await;
    (result, clock.monotonic().saturating_sub(began))
}

fn outcome<R>(answer: &Result<R, CallError>, show: impl Fn(&R) -> Tree) -> Tree {
    Tree::Leaf(match answer {
        Ok(response) => return show(response),
        Err(CallError::Connection(_)) => CLOSED.to_owned(),
        Err(CallError::Timeout(_)) => SILENT.to_owned(),
        Err(other) => format!("<{other}>"),
    })
}

struct Comparison<'a> {
    allow: &'a Allow,
    api: &'a str,
    step: &'a str,
    differences: Vec<(String, String, String)>,
}

impl Comparison<'_> {
    fn compare(&mut self, path: &str, a: &Tree, b: &Tree) {
        match (a, b) {
            (Tree::Fields(a), Tree::Fields(b)) => self.compare_fields(path, a, b),
            (Tree::List(a), Tree::List(b)) if self.allow.unordered(self.api, self.step, path) => {
                self.compare_fields(path, &named(a), &named(b));
            }
            (Tree::List(a), Tree::List(b)) => self.compare_fields(path, &numbered(a), &numbered(b)),
            _ if a == b => {}
            _ if is_set(a) == is_set(b) && self.allow.masks(self.api, self.step, path) => {}
            _ => self.differences.push((path.to_owned(), a.line(), b.line())),
        }
    }

    fn compare_fields(&mut self, path: &str, a: &[(String, Tree)], b: &[(String, Tree)]) {
        let (first, second): (BTreeMap<_, _>, BTreeMap<_, _>) =
            (a.iter().map(|(k, v)| (k, v)).collect(), b.iter().map(|(k, v)| (k, v)).collect());
        let keys: BTreeSet<&&String> = first.keys().chain(second.keys()).collect();
        for key in keys {
            let path = if path.is_empty() || key.starts_with('[') {
                format!("{path}{key}")
            } else {
                format!("{path}.{key}")
            };
            match (first.get(*key), second.get(*key)) {
                (Some(a), Some(b)) => self.compare(&path, a, b),
                (Some(a), None) => self.differences.push((path, a.line(), "<absent>".to_owned())),
                (None, Some(b)) => self.differences.push((path, "<absent>".to_owned(), b.line())),
                (None, None) => {}
            }
        }
    }
}

/// Whether a value says something: a mask does not hide that one broker says nothing.
fn is_set(tree: &Tree) -> bool {
    !matches!(tree, Tree::Leaf(text) if NOTHING.contains(&text.as_str()))
}

fn numbered(items: &[Tree]) -> Vec<(String, Tree)> {
    items.iter().enumerate().map(|(i, item)| (format!("[{i}]"), item.clone())).collect()
}

/// The elements by their names; equal names are told apart by their order after sorting.
fn named(items: &[Tree]) -> Vec<(String, Tree)> {
    let mut items: Vec<(String, Tree)> = items.iter().map(|item| (name_of(item), item.clone())).collect();
    items.sort_by_key(|(name, item)| (name.clone(), item.line()));
    let mut seen: BTreeMap<String, usize> = BTreeMap::new();
    for (name, _) in &mut items {
        let count = seen.entry(name.clone()).or_default();
        *count += 1;
        *name = if *count == 1 { format!("[{name}]") } else { format!("[{name}#{count}]") };
    }
    items
}

fn name_of(item: &Tree) -> String {
    let name = NAMES.iter().find_map(|name| item.field(name)).filter(|name| name.line() != "None");
    name.map_or_else(|| item.line(), Tree::line).trim_matches('"').to_owned()
}
