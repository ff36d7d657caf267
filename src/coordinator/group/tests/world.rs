//! A shard with a log, a clock and topics around it.

use crate::group::record::Record;
use crate::group::{Context, Reply, Request, Settings, Shard, Stamp, Step, Ticket, TopicFacts, Topics};
use model::{ErrorCode, TopicId};

/// No topics at all: classic groups know none.
#[derive(Debug)]
pub struct NoTopics;

impl Topics for NoTopics {
    fn by_name(&self, _name: &str) -> Option<TopicFacts> {
        None
    }

    fn by_id(&self, _id: TopicId) -> Option<TopicFacts> {
        None
    }

    fn each_name(&self, _visit: &mut dyn FnMut(&str)) {}

    fn racks(&self, _id: TopicId, _partition: i32) -> Vec<String> {
        Vec::new()
    }

    fn version(&self) -> i64 {
        1
    }
}

/// What the shell does, at once: appends, replays, lets replies go.
#[derive(Debug)]
pub struct World {
    pub shard: Shard,
    pub settings: Settings,
    /// What is on disk.
    pub log: Vec<(Record, Option<Stamp>)>,
    pub now_ms: i64,
    /// The next append does not work.
    pub fail_next_write: bool,
    tickets: u64,
}

/// The wall clock of a test's beginning.
pub const WALL_MS: i64 = 1_700_000_000_000;

impl World {
    pub fn new(settings: Settings) -> Self {
        Self {
            shard: Shard::default(),
            settings,
            log: Vec::new(),
            now_ms: 0,
            fail_next_write: false,
            tickets: 0,
        }
    }

    /// Sends a request; gives its ticket and what was let go and written by it.
    pub fn send(&mut self, request: Request) -> (Ticket, Outcome) {
        self.tickets += 1;
        let ticket = Ticket(self.tickets);
        let outcome = self.act(|shard, context| shard.step(context, ticket, request));
        (ticket, outcome)
    }

    /// Runs what is due now, until nothing is.
    pub fn run_due(&mut self) -> Outcome {
        let mut outcome = Outcome::default();
        for _ in 0..10_000 {
            if self.shard.next_deadline_ms().is_none_or(|at_ms| at_ms > self.now_ms) {
                return outcome;
            }
            outcome.extend(self.act(Shard::tick));
        }
        panic!("a tick at {} leaves something due", self.now_ms);
    }

    /// Runs one tick.
    pub fn run_due_once(&mut self) -> Outcome {
        self.act(Shard::tick)
    }

    /// Lets time pass, from deadline to deadline.
    pub fn pass(&mut self, ms: i64) -> Outcome {
        let end_ms = self.now_ms + ms;
        let mut outcome = self.run_due();
        while let Some(at_ms) = self.shard.next_deadline_ms().filter(|at_ms| *at_ms <= end_ms) {
            self.now_ms = at_ms;
            outcome.extend(self.run_due());
        }
        self.now_ms = end_ms;
        outcome
    }

    /// A new process reads the log.
    pub fn restart(&mut self) -> Outcome {
        self.shard = Shard::default();
        for (record, stamp) in self.log.clone() {
            self.shard.replay(record, stamp);
        }
        self.act(Shard::loaded)
    }

    fn act(&mut self, act: impl FnOnce(&mut Shard, &Context) -> Step) -> Outcome {
        let context = Context {
            now_ms: self.now_ms,
            wall_ms: WALL_MS + self.now_ms,
            aging_ms: WALL_MS + self.now_ms,
            topics: &NoTopics,
            settings: &self.settings,
        };
        let step = act(&mut self.shard, &context);
        let mut outcome = Outcome::default();
        if step.records.is_empty() {
            outcome.replies = step.replies;
        } else if std::mem::take(&mut self.fail_next_write) {
            let undone = self.shard.write_failed(&context, &step);
            assert!(undone.records.is_empty(), "nothing can be written after a write failed");
            let failed =
                |(ticket, reply): (Ticket, Reply)| (ticket, reply.failed(ErrorCode::NotEnoughReplicas));
            outcome.replies = step.replies.into_iter().map(failed).collect();
            outcome.replies.extend(undone.replies);
        } else {
            for record in &step.records {
                self.log.push((record.clone(), step.stamp));
                self.shard.replay(record.clone(), step.stamp);
            }
            outcome = Outcome { replies: step.replies, records: step.records };
        }
        outcome
    }
}

/// What came out of a shard.
#[derive(Debug, Default)]
pub struct Outcome {
    pub replies: Vec<(Ticket, Reply)>,
    pub records: Vec<Record>,
}

impl Outcome {
    fn extend(&mut self, other: Self) {
        self.replies.extend(other.replies);
        self.records.extend(other.records);
    }
}
