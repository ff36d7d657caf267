//! One partition of this node: its log, its published offsets, and those who wait for it.

use std::cmp::Ordering as CmpOrdering;
use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicUsize, Ordering};
use std::time::Duration;

use arc_swap::ArcSwap;
use bytes::Bytes;
use model::{ErrorCode, LeaderEpoch, Offset, TopicId};
use parking_lot::{Mutex, MutexGuard};
use storage::journal::Round;
use storage::{
    Access, AppendError, Appended, Batches, CommitStep, EndLookup, OffsetLookup, Origin, PartitionLog,
    ReadError, ReadHint, ReadPlan, ReadRequest, ReadStep, StorageError, VerificationGuard,
};

use super::committer::{BACKGROUND_SYNC, Enlistment, Urgency};
use super::feed::Followers;
use super::host_dir::HostDir;
use super::journaling::{InRound, JOURNAL_BYTES_MAX, JournalMarks, Staged};
use super::marks::{Marks, Offsets};
use super::settings::TopicSettings;
use super::waiters::{Commit, CommitTicket, FetchTicket, Interest, Waiters};
use crate::metrics::tally::{Tally, Traffic};

/// A topic as its partitions on this node share it.
#[derive(Debug)]
pub struct Topic {
    /// Its name.
    pub name: Arc<str>,
    /// Its id.
    pub id: TopicId,
    /// Its settings, replaced as a whole when its configuration changes.
    pub settings: ArcSwap<TopicSettings>,
}

/// A partition whose log this node holds, and which it leads: there is one replica, and the in-sync replicas are
/// that one. So the high watermark is what is durable here (or the log end, with `write.caching`).
///
/// Locks: the log's is held for assign-and-append, for planning a read, and never while bytes are read or synced. The
/// waiters' is a leaf save for those of [feeds](super::feed). Neither is taken while the other is held. A sync holds
/// `syncing` all along, and takes the log's within it.
#[derive(Debug)]
pub struct Partition {
    topic: Arc<Topic>,
    index: i32,
    leader_epoch: AtomicI32,
    marks: Marks,
    appender: Mutex<Appender>,
    waiters: Mutex<Waiters>,
    syncing: Mutex<()>,
    /// Held while the log is compacted; taken before the log's.
    cleaning: Mutex<()>,
    /// Fetches parked here. An append that finds one asks for a sync at once.
    parked: AtomicUsize,
    /// Fetch sessions that follow it.
    followers: AtomicUsize,
    dir: Arc<HostDir>,
    enlistment: Enlistment,
    tally: Tally,
    gone: AtomicBool,
}

/// What the log's lock guards.
#[derive(Debug)]
struct Appender {
    /// Gone once the partition is deleted or closed.
    log: Option<PartitionLog>,
    /// Bytes appended since the log was opened: what a parked fetch counts.
    bytes: u64,
    /// How often something was appended since then, and where the log ended then.
    appends: u64,
    opened_at: Offset,
    /// Where recent reads ended, newest last: a reader that goes on needs no index.
    hints: VecDeque<ReadHint>,
}

/// Readers of one partition whose next position is remembered.
const HINTS_MAX: usize = 32;

/// Who must have a batch before its producer is answered.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Acks {
    /// Nobody, or this node's memory: acks 0 and 1.
    Written,
    /// All in-sync replicas' disks: acks -1.
    Committed,
}

/// An append that has its offsets.
#[derive(Clone, Copy, Debug)]
pub struct Placed {
    /// Where the batch, or the original of a duplicate, is.
    pub at: Appended,
    /// The log start offset at that time.
    pub log_start: Offset,
    /// The producer may be answered once the high watermark has reached this; `None`: at once.
    pub commit_at: Option<Offset>,
}

/// Why a partition did not do what was asked.
#[derive(Debug, thiserror::Error)]
pub enum PartitionError {
    /// It was deleted, or the node is stopping.
    #[error("the partition is no longer here")]
    Gone,
    /// Its log directory has failed.
    #[error("the log directory of the partition is offline")]
    Offline,
    /// The log refused the batch.
    #[error(transparent)]
    Append(#[from] AppendError),
    /// The log has nothing to read there.
    #[error(transparent)]
    Read(#[from] ReadError),
    /// The disk.
    #[error(transparent)]
    Storage(#[from] StorageError),
}

impl PartitionError {
    /// Whether the disk must be waited for.
    pub fn would_block(&self) -> bool {
        matches!(self, Self::Storage(error) if error.would_block())
    }

    /// What a client is told.
    pub fn code(&self) -> ErrorCode {
        match self {
            // Makes clients ask for metadata, where they find the topic gone or the node away.
            Self::Gone => ErrorCode::UnknownTopicOrPartition,
            Self::Offline => ErrorCode::KafkaStorageError,
            Self::Append(error) => error.code(),
            Self::Read(error) => error.code(),
            Self::Storage(error) => error.code(),
        }
    }
}

impl Partition {
    /// A partition over a log that was just opened. What the log holds is taken for committed: an opening syncs
    /// what it keeps.
    pub(super) fn new(
        topic: Arc<Topic>,
        index: i32,
        leader_epoch: LeaderEpoch,
        mut log: PartitionLog,
        dir: Arc<HostDir>,
    ) -> Arc<Self> {
        let high_watermark = high_watermark_of(&log, topic.settings.load().write_caching);
        let last_stable = log.last_stable_offset(high_watermark);
        let opened_at = log.log_end_offset();
        let marks = Marks::new(Offsets {
            log_start: log.log_start_offset(),
            last_stable,
            high_watermark,
            log_end: opened_at,
        });
        let appender = Appender { log: Some(log), bytes: 0, appends: 0, opened_at, hints: VecDeque::new() };
        Arc::new(Self {
            topic,
            index,
            leader_epoch: AtomicI32::new(leader_epoch.value()),
            marks,
            appender: Mutex::new(appender),
            waiters: Mutex::new(Waiters::new(last_stable)),
            syncing: Mutex::new(()),
            cleaning: Mutex::new(()),
            parked: AtomicUsize::new(0),
            followers: AtomicUsize::new(0),
            dir,
            enlistment: Enlistment::default(),
            tally: Tally::default(),
            gone: AtomicBool::new(false),
        })
    }

    /// Its topic.
    pub fn topic(&self) -> &Arc<Topic> {
        &self.topic
    }

    /// Its index within the topic.
    pub fn index(&self) -> i32 {
        self.index
    }

    /// `<topic>-<index>`, which is also the name of its directory.
    pub fn dir_name(&self) -> String {
        format!("{}-{}", self.topic.name, self.index)
    }

    /// The epoch in which this node leads it.
    pub fn leader_epoch(&self) -> LeaderEpoch {
        LeaderEpoch::new(self.leader_epoch.load(Ordering::Acquire))
    }

    /// The log directory it is in.
    pub fn dir(&self) -> &Arc<HostDir> {
        &self.dir
    }

    /// Its offsets now, read without a lock.
    pub fn offsets(&self) -> Offsets {
        self.marks.load()
    }

    /// What its readers and refusals are counted with.
    pub fn tally(&self) -> &Tally {
        &self.tally
    }

    /// What came and went since the log was opened, also when it is closed by now.
    pub(super) fn traffic(&self) -> Traffic {
        let mut counted = self.tally.traffic();
        counted.fetches += self.waiters.lock().followers().passed_by();
        let appender = self.appender.lock();
        let records_in = self.marks.log_end().value() - appender.opened_at.value();
        Traffic {
            records_in: u64::try_from(records_in).unwrap_or(0),
            bytes_in: appender.bytes,
            produces: counted.produces + appender.appends,
            ..counted
        }
    }

    /// Checks the epoch a client believes in (KIP-320); [`LeaderEpoch::NONE`] is one that says nothing.
    pub fn check_leader_epoch(&self, claimed: LeaderEpoch) -> Result<(), ErrorCode> {
        if claimed == LeaderEpoch::NONE {
            return Ok(());
        }
        match claimed.cmp(&self.leader_epoch()) {
            CmpOrdering::Less => Err(ErrorCode::FencedLeaderEpoch),
            CmpOrdering::Greater => Err(ErrorCode::UnknownLeaderEpoch),
            CmpOrdering::Equal => Ok(()),
        }
    }

    /// Appends one validated batch of a producer and asks for the sync it needs.
    pub fn append(self: &Arc<Self>, batch: Bytes, acks: Acks, now_ms: i64) -> Result<Placed, PartitionError> {
        self.append_from(Origin::Client, batch, acks, now_ms)
    }

    /// As [`Partition::append`], for whoever else writes, such as a coordinator.
    pub fn append_from(
        self: &Arc<Self>,
        origin: Origin,
        batch: Bytes,
        acks: Acks,
        now_ms: i64,
    ) -> Result<Placed, PartitionError> {
        self.append_verified(origin, batch, acks, now_ms, None)
    }

    /// As [`Partition::append_from`], with what [`Partition::begin_verification`] gave out before the transaction's
    /// coordinator admitted the batch.
    pub fn append_verified(
        self: &Arc<Self>,
        origin: Origin,
        batch: Bytes,
        acks: Acks,
        now_ms: i64,
        guard: Option<VerificationGuard>,
    ) -> Result<Placed, PartitionError> {
        let size = batch.len();
        self.append_with(size, acks, |log, epoch| log.append_verified(origin, batch, epoch, now_ms, guard))
    }

    /// `size` is that of what `append` appends, should it append anything.
    pub(super) fn append_with(
        self: &Arc<Self>,
        size: usize,
        acks: Acks,
        append: impl FnOnce(&mut PartitionLog, LeaderEpoch) -> Result<Appended, AppendError>,
    ) -> Result<Placed, PartitionError> {
        let settings = self.topic.settings.load();
        let (flush_messages, write_caching) = (settings.log.flush_messages, settings.write_caching);

        let mut appender = self.appender.lock();
        let log = appender.log.as_mut().filter(|_| !self.is_gone()).ok_or_else(|| self.absence())?;
        let at = match append(log, self.leader_epoch()) {
            Ok(at) => at,
            Err(error) => {
                drop(appender);
                return Err(self.refuse(error));
            }
        };
        let flush_due = log.unsynced_records() >= flush_messages;
        let (log_start, log_end) = (log.log_start_offset(), log.log_end_offset());
        self.marks.raise_log_end(log_end);
        if !at.duplicate {
            appender.bytes += size as u64;
            appender.appends += 1;
        }
        let commit = write_caching.then(|| appender.commit_at(log_end));
        drop(appender);

        if let Some(commit) = commit.flatten() {
            self.publish(commit);
        }
        let end = at.last_offset.next();
        let committed = self.marks.high_watermark() >= end;
        let is_awaited = !committed && (acks == Acks::Committed || flush_due);
        if !committed || flush_due || write_caching {
            let now = is_awaited || flush_due || (!committed && self.has_readers_waiting());
            self.dir
                .committer
                .enlist(self, if now { Urgency::Now } else { background(settings.log.flush_ms) });
        }
        Ok(Placed { at, log_start, commit_at: is_awaited.then_some(end) })
    }

    /// Whether a fetch waits for what was appended. Sessions that follow the partition hear of it.
    fn has_readers_waiting(&self) -> bool {
        self.parked.load(Ordering::SeqCst) > 0
            || (self.followers.load(Ordering::SeqCst) > 0 && self.with_followers(Followers::appended))
    }

    /// Lets the fetch sessions that follow it come and go.
    pub(crate) fn with_followers<R>(&self, change: impl FnOnce(&mut Followers) -> R) -> R {
        let mut waiters = self.waiters.lock();
        let changed = change(waiters.followers());
        self.count_followers(&mut waiters);
        changed
    }

    fn count_followers(&self, waiters: &mut Waiters) {
        self.followers.store(waiters.followers().count(), Ordering::SeqCst);
    }

    /// Registers `ticket` for the moment the high watermark reaches `end`, unless it has.
    pub fn await_commit(&self, end: Offset, ticket: &Arc<CommitTicket>) {
        let mut waiters = self.waiters.lock();
        if self.marks.high_watermark() < end {
            waiters.await_commit(end, ticket);
        }
    }

    /// Registers `ticket` for the commit of everything appended so far, and asks for that commit now.
    ///
    /// An answer that says where the log ends must count in every record that was acknowledged before, those with
    /// acks 1 too: a producer that asks for the end of its topic finds its own records there, as with Kafka.
    pub fn settle(self: &Arc<Self>, ticket: &Arc<CommitTicket>) {
        let log_end = self.marks.log_end();
        if !self.is_committed(log_end) {
            self.await_commit(log_end, ticket);
            self.dir.committer.enlist(self, Urgency::Now);
        } else if self.followers.load(Ordering::SeqCst) > 0 {
            // The commit has told them, or holds this: who learns where the log ends may ask a session for it next.
            drop(self.waiters.lock());
        }
    }

    /// Asks for the commit of everything appended so far, now, without waiting for it.
    pub fn hurry(self: &Arc<Self>) {
        self.dir.committer.enlist(self, Urgency::Now);
    }

    /// Whether everything below `end` is committed.
    pub fn is_committed(&self, end: Offset) -> bool {
        self.marks.high_watermark() >= end
    }

    /// Whether it was deleted, or the node is stopping.
    pub fn is_gone(&self) -> bool {
        self.gone.load(Ordering::Acquire)
    }

    /// Why its log is not here any more, once [`Partition::is_gone`].
    pub fn absence(&self) -> PartitionError {
        if self.dir.has_failed() { PartitionError::Offline } else { PartitionError::Gone }
    }

    /// Plans a read of records, up to a bound that is one of the offsets this partition has published. Waits for no
    /// disk: where that is needed first, a lookup is answered, to be done [elsewhere](Self::look_up). `hint` is what it
    /// gave.
    pub fn plan_read(
        &self,
        request: ReadRequest,
        mut hint: Option<ReadHint>,
    ) -> Result<ReadStep, PartitionError> {
        loop {
            let mut appender = self.appender.lock();
            let known = hint.or_else(|| appender.hint_for(request.offset));
            let log = appender.log.as_mut().ok_or_else(|| self.absence())?;
            let mut lookup = match log.plan_read(request, known)? {
                ReadStep::Plan(plan) => {
                    plan.next().into_iter().for_each(|next| appender.remember(next));
                    return Ok(ReadStep::Plan(plan));
                }
                ReadStep::Lookup(lookup) => lookup,
            };
            drop(appender);
            match lookup.run(Access::Memory) {
                Err(error) if error.would_block() => return Ok(ReadStep::Lookup(lookup)),
                result => hint = self.with_log(|log| log.take_in_lookup(*lookup, result))??,
            }
        }
    }

    /// Finds the place of a read, however long the disk takes.
    pub fn look_up(&self, mut lookup: OffsetLookup) -> Result<Option<ReadHint>, PartitionError> {
        let result = lookup.run(Access::Disk);
        Ok(self.with_log(|log| log.take_in_lookup(lookup, result))??)
    }

    /// Takes in where a read has ended, as far as its plan did not say so.
    pub fn note_read(&self, batches: &Batches) {
        if !batches.is_news {
            return;
        }
        let mut appender = self.appender.lock();
        batches.next.into_iter().for_each(|next| appender.remember(next));
        if let Some(log) = appender.log.as_mut() {
            log.take_in_read(batches);
        }
    }

    /// Ends a plan that is limited by its size where its last whole batch ends, so that its bytes can be sent unread.
    /// Where that would wait for the disk, the lookup is answered, to be [made ready](Self::warm_end) elsewhere. The plan
    /// may also stay as it is.
    pub fn find_end(&self, plan: &mut ReadPlan) -> Option<EndLookup> {
        let mut lookup = self.with_log(|log| log.end_lookup(plan)).ok().flatten()?;
        match lookup.run(plan, Access::Memory) {
            Err(error) if error.would_block() => return Some(lookup),
            // Whoever reads the batches finds out what is wrong with them.
            Ok(_) | Err(_) => {}
        }
        let mut appender = self.appender.lock();
        plan.next().into_iter().for_each(|next| appender.remember(next));
        appender.log.as_mut().map(|log| log.take_in_end(lookup));
        None
    }

    /// Reads what a lookup needs, so that the next one finds it in memory.
    pub fn warm_end(&self, mut lookup: EndLookup) {
        lookup.warm();
        // A partition that is gone is not read any more, and a log that has failed says so itself.
        let _ = self.with_log(|log| log.take_in_end(lookup));
    }

    /// Reads records, however long the disk takes.
    pub fn read(&self, request: ReadRequest) -> Result<Batches, PartitionError> {
        let mut hint = None;
        loop {
            match self.plan_read(request, hint)? {
                ReadStep::Plan(plan) => {
                    let batches = plan.read()?;
                    self.note_read(&batches);
                    return Ok(batches);
                }
                ReadStep::Lookup(lookup) => hint = self.look_up(*lookup)?,
            }
        }
    }

    /// Parks a fetch here until the answer is dropped. The ticket fires at once if `seen` are no longer the
    /// partition's offsets: what the fetch has read is old.
    ///
    /// A parked fetch is a reader at the high watermark, so what is written above it is synced now.
    pub fn park(self: &Arc<Self>, ticket: &Arc<FetchTicket>, seen: Offsets, interest: Interest) -> Parked {
        let mut waiters = self.waiters.lock();
        waiters.park(ticket, interest);
        let now = self.marks.load();
        drop(waiters);
        self.parked.fetch_add(1, Ordering::SeqCst);
        if (now.high_watermark, now.last_stable) != (seen.high_watermark, seen.last_stable) {
            ticket.fire();
        } else if self.marks.log_end() > now.high_watermark {
            self.dir.committer.enlist(self, Urgency::Now);
        }
        Parked { partition: Arc::clone(self), ticket: Arc::clone(ticket) }
    }

    /// Ends the waits of parked fetches, now and later.
    pub(super) fn release_readers(&self) {
        self.waiters.lock().release();
    }

    /// Makes everything appended so far durable, and publishes that. Called by one sync thread at a time.
    pub(super) fn sync(&self) -> Result<(), StorageError> {
        let _syncing = self.syncing.lock();
        let mut appender = self.appender.lock();
        let bytes = appender.bytes;
        let Some(log) = appender.log.as_mut() else { return Ok(()) };
        let target = log.sync_target()?;
        drop(appender);

        target.sync()?;
        self.commit(target.end(), bytes);
        Ok(())
    }

    /// Syncs the log's own files if what lies before `offset` is on disk by way of the journal alone. Should the power go, a
    /// log that began beyond the end of its own files would begin anew there, and take nothing from the journal.
    pub(super) fn settle_up_to(&self, offset: Offset) -> Result<(), StorageError> {
        match self.with_log(|log| log.settled_offset() < offset) {
            Ok(true) => self.sync(),
            // Also where it is gone.
            _ => Ok(()),
        }
    }

    /// Publishes that everything below `end` is on disk; the partition had so many bytes then.
    pub(super) fn commit(&self, end: Offset, bytes: u64) {
        let mut appender = self.appender.lock();
        let Some(log) = appender.log.as_mut() else { return };
        log.mark_durable(end);
        let durable = log.durable_offset();
        let last_stable = log.last_stable_offset(durable);
        drop(appender);
        self.publish(Commit { high_watermark: durable, last_stable, visible_bytes: bytes });
    }

    /// Puts what is not durable yet into a round of the directory's journal, if that may take it.
    pub(super) fn stage_commit(&self, round: &mut Round) -> Result<Staged, StorageError> {
        let mut appender = self.appender.lock();
        let bytes = appender.bytes;
        let Some(log) = appender.log.as_mut() else { return Ok(Staged::Nothing) };
        let step = log.commit_step(JOURNAL_BYTES_MAX)?;
        drop(appender);
        match step {
            CommitStep::None => Ok(Staged::Nothing),
            CommitStep::Journal(target)
                if !self.topic.id.is_zero() && round.add(self.topic.id, self.index, &target)? =>
            {
                Ok(Staged::InRound(InRound { target, bytes }))
            }
            CommitStep::Journal(_) | CommitStep::Sync => Ok(Staged::Alone),
        }
    }

    /// Runs `ask` on the log, under its lock: for what is neither an append nor a read of records.
    pub(super) fn with_log<R>(&self, ask: impl FnOnce(&mut PartitionLog) -> R) -> Result<R, PartitionError> {
        let mut appender = self.appender.lock();
        appender.log.as_mut().map(ask).ok_or_else(|| self.absence())
    }

    /// As [`Self::with_log`], unless somebody else is at the log just now.
    pub(super) fn try_with_log(&self, ask: impl FnOnce(&mut PartitionLog)) {
        if let Some(mut appender) = self.appender.try_lock() {
            appender.log.as_mut().map(ask);
        }
    }

    /// Takes the log away: nothing is appended or read any more, and nobody waits any longer. A sync that has begun
    /// has ended when this returns, so that the directory may be renamed: the sync goes by its name, and would take
    /// its absence for a failed disk, or write into the directory of a topic that is made anew.
    pub(super) fn take_log(&self) -> Option<PartitionLog> {
        let log = self.appender.lock().log.take();
        self.renounce();
        drop(self.syncing.lock());
        // Nor does a compaction, which notices that the partition is gone.
        drop(self.cleaning.lock());
        log
    }

    /// As [`Self::take_log`], where the directory has failed: waits for no sync, which may never end, but for whoever is at
    /// the log now. Nobody else should hear of it that late: [`Self::renounce`] comes before.
    pub(super) fn abandon(&self) {
        let _dropped_unlocked = self.appender.lock().log.take();
    }

    /// Nobody waits here any longer: the log is taken away, or is about to be. Never waits for the disk.
    pub(super) fn renounce(&self) {
        // Before the waiters are woken: they look whether there is still something to wait for.
        self.gone.store(true, Ordering::Release);
        self.waiters.lock().close();
    }

    /// Keeps segments from being deleted as long as the answer lives.
    pub(super) fn begin_cleaning(&self) -> MutexGuard<'_, ()> {
        self.cleaning.lock()
    }

    /// As [`Self::begin_cleaning`], unless the log is being compacted.
    pub(super) fn try_begin_cleaning(&self) -> Option<MutexGuard<'_, ()>> {
        self.cleaning.try_lock()
    }

    /// Publishes a log start that has moved.
    pub(super) fn raise_log_start(&self, log_start: Offset) {
        self.marks.raise_log_start(log_start);
        self.with_followers(Followers::changed);
    }

    /// Takes over in a later epoch.
    pub(super) fn lead(self: &Arc<Self>, epoch: LeaderEpoch) {
        if self.leader_epoch.fetch_max(epoch.value(), Ordering::AcqRel) < epoch.value() {
            // A partition that is gone leads nothing.
            let _ = self.with_log(|log| log.assign_epoch(epoch));
            self.with_followers(Followers::changed);
            self.dir.committer.enlist(self, Urgency::Within(BACKGROUND_SYNC));
        }
    }

    pub(super) fn enlistment(&self) -> &Enlistment {
        &self.enlistment
    }

    pub(super) fn journal_marks(&self) -> &JournalMarks {
        &self.enlistment.journal
    }

    /// Gives its directory up when `error` says that log data could not be written; one that passes does not.
    pub(super) fn note(&self, error: &StorageError) {
        if !error.is_passing() {
            self.dir.fail(&format!("cannot write {}: {error}", self.dir_name()));
        }
    }

    fn refuse(&self, error: AppendError) -> PartitionError {
        match &error {
            AppendError::Storage(storage) if storage.is_passing() => {
                self.dir.complain(|more| {
                    tracing::error!(
                        "Cannot append to {}: {storage} (refused without a line before: {more})",
                        self.dir_name()
                    );
                });
            }
            AppendError::Storage(storage) => self.note(storage),
            _ => {}
        }
        error.into()
    }

    fn publish(&self, commit: Commit) {
        // Whoever takes this lock and sees the offsets finds those told that follow the partition.
        let mut waiters = self.waiters.lock();
        let offsets = self.marks.raise_committed(commit.last_stable, commit.high_watermark);
        // After the offsets: whoever registers from here on sees them.
        waiters.committed(Commit {
            high_watermark: offsets.high_watermark,
            last_stable: offsets.last_stable,
            ..commit
        });
        if self.followers.load(Ordering::SeqCst) > 0 {
            self.count_followers(&mut waiters);
        }
    }
}

impl Appender {
    fn commit_at(&mut self, high_watermark: Offset) -> Option<Commit> {
        let last_stable = self.log.as_mut()?.last_stable_offset(high_watermark);
        Some(Commit { high_watermark, last_stable, visible_bytes: self.bytes })
    }

    /// A hint that was used is the next to be forgotten, but not before another needs its place: readers that
    /// follow each other closely share it.
    fn hint_for(&mut self, offset: Offset) -> Option<ReadHint> {
        let at = self.hints.iter().position(|hint| hint.offset() == offset)?;
        let hint = self.hints.remove(at)?;
        self.hints.push_front(hint);
        Some(hint)
    }

    fn remember(&mut self, hint: ReadHint) {
        if self.hints.iter().any(|known| known.offset() == hint.offset()) {
            return;
        }
        if self.hints.len() == HINTS_MAX {
            self.hints.pop_front();
        }
        self.hints.push_back(hint);
    }
}

fn high_watermark_of(log: &PartitionLog, write_caching: bool) -> Offset {
    if write_caching { log.log_end_offset() } else { log.durable_offset() }
}

fn background(flush_ms: i64) -> Urgency {
    match flush_ms {
        i64::MAX => Urgency::Within(BACKGROUND_SYNC),
        ms => Urgency::Within(Duration::from_millis(ms.max(0) as u64)),
    }
}

/// A fetch parked at a partition, until this is dropped.
#[derive(Debug)]
pub struct Parked {
    partition: Arc<Partition>,
    ticket: Arc<FetchTicket>,
}

impl Drop for Parked {
    fn drop(&mut self) {
        self.partition.waiters.lock().unpark(&self.ticket);
        self.partition.parked.fetch_sub(1, Ordering::SeqCst);
    }
}

#[cfg(test)]
#[path = "handle_tests.rs"]
mod tests;
