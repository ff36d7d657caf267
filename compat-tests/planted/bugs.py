"""What is planted: where, what stands there, what comes in its place, and the tests that must find it.

Each is a bug that a young Kafka has had, or could have. The simulations have a list of their own besides: what the shell around
a transaction coordinator can do wrong is planted in every run of `txn::tests::simulation_tests::planted_bugs_are_found`.
"""
from dataclasses import dataclass

CLASSIC = "-p coordinator --lib group::tests::simulation::groups_survive"
SCRIPTS = "-p coordinator --lib group::tests::cells"
CONSUMER = "-p coordinator --lib group::consumer::tests::simulation::whole_lives"
OFFSETS = "-p coordinator --lib group::offsets::model_tests"
LOG = "-p storage --lib transactions::model_tests"
LOGS = "-p broker --test transaction_logs transactions_hold_in_real_logs"
LOADING = "-p broker --lib groups::groups_tests"
ENDS = "-p coordinator --lib txn::tests::simulation_tests::transactions_hold"


@dataclass
class Bug:
    name: str
    what: str
    file: str
    sound: str
    planted: str
    tests: str


def group(path):
    return f"src/coordinator/group/{path}"


BUGS = [
    # --- a log and its producers
    Bug(
        "window-of-one", "a retry of the batch before the last is not recognised", "src/storage/producer_state/entry.rs",
        "const WINDOW: usize = 5;", "const WINDOW: usize = 1;", LOG,
    ),
    Bug(
        "no-producer-snapshot", "a start knows no producer from before the last snapshot", "src/storage/recovery.rs",
        "self.snapshots.load(&self.home, &mut self.producers, range)?;\n",
        "if self.snapshots.load(&self.home, &mut self.producers, range)? {\n            self.producers.clear(self.producers.end());\n        }\n",
        LOG,
    ),
    Bug(
        "all-is-stable", "the last stable offset is the high watermark", "src/storage/partition_log.rs",
        "let unstable = self.producers.first_unstable(high_watermark);",
        "let unstable = self.producers.first_unstable(high_watermark).filter(|_| false);", LOG,
    ),
    Bug(
        "aborted-index-lost", "a scan does not build the index of aborted transactions", "src/storage/recovery.rs",
        "segment.txn_index.append(home, &ended.into())?;", "let _ = ended;", LOG,
    ),
    # --- a log under whole transactions, beside its model
    Bug(
        "window-of-four", "a retry of the fifth batch back is not recognised", "src/storage/producer_state/entry.rs",
        "const WINDOW: usize = 5;", "const WINDOW: usize = 4;", LOGS,
    ),
    Bug(
        "snapshot-of-too-much", "a snapshot says that it has the first batch of the segment it begins", "src/storage/append.rs",
        "self.producers.set_end(base);\n        self.take_snapshot()?;",
        "self.producers.set_end(base.next());\n        self.take_snapshot()?;", LOGS,
    ),
    Bug(
        "snapshot-without-the-open", "a snapshot does not say what is open", "src/storage/producer_state/snapshot.rs",
        "writer.i64(entry.transaction_start.map_or(-1, Offset::value));", "writer.i64(-1);", LOGS,
    ),
    Bug(
        "snapshot-without-coordinators", "a snapshot does not say which coordinator ended what", "src/storage/producer_state/snapshot.rs",
        "writer.i32(entry.coordinator_epoch);", "writer.i32(-1);", LOGS,
    ),
    Bug(
        "stable-before-it-is-on-disk", "a marker that is not on disk decides", "src/storage/producer_state.rs",
        "self.undecided.retain(|_, marker| *marker >= high_watermark);",
        "self.undecided.retain(|_, marker| *marker > high_watermark);", LOGS,
    ),
    Bug(
        "marker-leaves-every-question", "what was admitted before the end of its transaction gets in after it",
        "src/storage/producer_state/verification.rs",
        "entry.supports_epoch_bump && entry.epoch == epoch || bumps && entry.epoch > epoch",
        "bumps || entry.epoch <= epoch || entry.epoch > epoch", LOGS,
    ),
    Bug(
        "marker-leaves-later-questions", "every marker leaves the questions of later epochs alone",
        "src/storage/producer_state/verification.rs",
        "entry.supports_epoch_bump && entry.epoch == epoch || bumps && entry.epoch > epoch",
        "entry.supports_epoch_bump && entry.epoch == epoch || (bumps || entry.epoch > epoch) && entry.epoch > epoch", "-p storage --lib transactions::tests",
    ),
    Bug(
        "marker-settles-the-next", "a marker of KIP-890 takes away the question of the next transaction",
        "src/storage/producer_state/verification.rs",
        "entry.supports_epoch_bump && entry.epoch == epoch || bumps && entry.epoch > epoch",
        "entry.supports_epoch_bump && entry.epoch > epoch || bumps && entry.epoch > epoch", LOGS,
    ),
    Bug(
        "retries-forgotten", "a log that is loaded recognises no retry after the end of its transaction",
        "src/storage/producer_state/entry.rs",
        "if self.epoch == header.producer_epoch {", "if self.epoch == header.producer_epoch && !self.window_partial {", LOGS,
    ),
    Bug(
        "aborted-twice", "a scan adds to the indexes of aborted transactions that old segments have", "src/storage/recovery.rs",
        "let Some(segment) = self.segments.get_mut(at) else { return Ok(None) };\n        let (home, base, size) = (&self.home, segment.base(), segment.size());\n        let mut scan = Scan::new(segment.file(home)?, home.path(base, LOG), size);\n        segment.forget(self.opening.aging_ms);\n        segment.clear_indexes(home)?;\n        segment.txn_index.clear(home)?;\n",
        "let is_old = at + 2 < self.segments.len();\n        let Some(segment) = self.segments.get_mut(at) else { return Ok(None) };\n        let (home, base, size) = (&self.home, segment.base(), segment.size());\n        let mut scan = Scan::new(segment.file(home)?, home.path(base, LOG), size);\n        segment.forget(self.opening.aging_ms);\n        segment.clear_indexes(home)?;\n        if !is_old {\n            segment.txn_index.clear(home)?;\n        }\n", LOGS,
    ),
    # --- the end of a transaction
    Bug(
        "no-bump-at-the-end", "an end of KIP-890 leaves the epoch as it is", "src/coordinator/txn/transaction.rs",
        "producer_epoch: self.producer_epoch.saturating_add(1),\n            last_producer_epoch: self.producer_epoch.min(EPOCH_EXHAUSTED),\n            start_ms: if",
        "producer_epoch: self.producer_epoch,\n            last_producer_epoch: self.producer_epoch.min(EPOCH_EXHAUSTED),\n            start_ms: if", ENDS,
    ),
    # --- a coordinator that is loaded
    Bug(
        "offsets-not-loaded", "a coordinator that is loaded has no offsets", group("shard.rs"),
        "let mut step = self.classic_groups_loaded(context);",
        "self.offsets = Offsets::default();\n        let mut step = self.classic_groups_loaded(context);", CLASSIC,
    ),
    Bug(
        "answers-while-loading", "a coordinator that is loading answers from what it has so far", "src/broker/coordination/host.rs",
        "Stage::Loading => Err(ErrorCode::CoordinatorLoadInProgress),", "Stage::Loading => Ok(state),", LOADING,
    ),
    Bug(
        "serves-what-is-left", "groups are loaded up to what cannot be read, and then answer", "src/broker/coordination/mod.rs",
        "PASSES_OVER_THE_ILLEGIBLE: bool = false;", "PASSES_OVER_THE_ILLEGIBLE: bool = true;", LOADING,
    ),
    # --- the classic protocol
    Bug(
        "generation-moves-on-a-rejoin", "a follower that joins again unchanged moves the generation", group("classic/join.rs"),
        "State::Stable if unchanged && !self.is_leader(member_id) => {",
        "State::Stable if unchanged && !self.is_leader(member_id) => {\n                self.generation += 1;", CLASSIC,
    ),
    Bug(
        "any-generation-syncs", "a SyncGroup of an old generation is taken", group("classic/sync.rs"),
        "if request.generation != self.generation {", "if request.generation > self.generation {", SCRIPTS,
    ),
    Bug(
        "the-absent-stay", "who does not join in time keeps its place for ever", group("classic/rebalance.rs"),
        "self.members.values().filter(|member| member.join.is_none() && member.instance_id.is_none());",
        "self.members.values().filter(|_| false);", SCRIPTS,
    ),
    Bug(
        "unwritten-assignment", "an assignment that did not get into the log is not undone", group("classic/durable.rs"),
        "group.drop_assignment(&mut turn, ErrorCode::CoordinatorNotAvailable);\n                group.rebalance(&mut turn);",
        "group.state = State::Stable;", CLASSIC,
    ),
    # --- the consumer protocol
    Bug(
        "two-owners", "a partition is given out before its last owner gave it back", group("consumer/reconcile.rs"),
        "if (self.is_owned)(*topic, *partition) && !own {", "if (self.is_owned)(*topic, *partition) && own {", CONSUMER,
    ),
    Bug(
        "silence-gives-back", "a heartbeat that does not say what its member owns gives it all back", group("consumer/reconcile.rs"),
        "let Some(owned) = self.owned else { return true };", "let Some(owned) = self.owned else { return false };", CONSUMER,
    ),
    # --- offsets
    Bug(
        "late-transaction-takes-back", "a transaction that ends late takes back what was committed after it", group("offsets/store.rs"),
        "pending.value = None;", "let _ = pending;", OFFSETS,
    ),
    Bug(
        "aborted-offsets-count", "an abort makes the transaction's offsets visible", group("offsets/store.rs"),
        "                && commit\n", "                && (commit || seen > 0)\n", OFFSETS,
    ),
]
