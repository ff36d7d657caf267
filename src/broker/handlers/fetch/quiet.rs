//! The partitions of a session that have nothing to tell: of a thousand that a consumer follows most are so. They are
//! passed by until they say that something has changed.

use std::sync::Arc;

use model::LeaderEpoch;

use super::plan::{Limits, Target, Targets};
use crate::context::Broker;
use crate::fetch_session::{FetchPartition, Told};
use crate::fetch_session_cache::FetchContext;
use crate::partition::feed::Waiting;
use crate::partition::{FetchTicket, Interest, Partition, Snapshot, Watch};

/// Whether a plan for the partition would bring nothing that the client does not know, and nothing that it holds waits for a
/// sync. If so, `watch` hears of the next change.
pub(super) fn is_quiet(
    snapshot: &Snapshot,
    limits: &Limits,
    wanted: &FetchPartition,
    told: Told,
    watch: &mut Watch,
) -> bool {
    // A replica is refused; one that names the epoch of its last record may have to truncate.
    if limits.from_follower || wanted.last_fetched_epoch > LeaderEpoch::NONE {
        return false;
    }
    let hosted = snapshot.topic(&wanted.topic);
    let Some(Ok(partition)) = hosted.map(|hosted| hosted.partition(wanted.partition)) else { return false };
    if has_news(partition, limits, wanted, told) {
        return false;
    }
    let bytes_max = usize::try_from(wanted.bytes_max).unwrap_or(0);
    watch.follow(partition, Interest { bytes_max, read_committed: limits.read_committed });
    // What changed before it was followed is seen now; what changes from here on is told.
    let has_news = has_news(partition, limits, wanted, told);
    if has_news {
        watch.leave();
    }
    !has_news
}

fn has_news(partition: &Partition, limits: &Limits, wanted: &FetchPartition, told: Told) -> bool {
    if partition.is_gone() || partition.check_leader_epoch(wanted.current_leader_epoch).is_err() {
        return true;
    }
    let offsets = partition.offsets();
    let end = if limits.read_committed { offsets.last_stable } else { offsets.high_watermark };
    let is_at_end = (end..=offsets.log_end).contains(&wanted.fetch_offset);
    !is_at_end
        || offsets.high_watermark != told.high_watermark
        || offsets.log_start != told.log_start_offset
        || offsets.log_end != offsets.high_watermark
}

/// Has the fetch wait for what the quiet partitions tell.
pub(super) fn wait(session: &FetchContext, ticket: &Arc<FetchTicket>) -> Option<Waiting> {
    // Of one that is overtaken nothing is awaited any more.
    let Some(session) = session.session() else {
        if session.is_overtaken() {
            ticket.fire();
        }
        return None;
    };
    Some(session.feed.wait(ticket))
}

/// Adds the partitions that have something to tell by now.
pub(super) fn take_news(broker: &Broker, session: &FetchContext, targets: &mut Targets) {
    let Some(mut session) = session.session() else { return };
    let news = session.news();
    targets.has_quiet = session.has_quiet();
    drop(session);
    if news.is_empty() {
        return;
    }
    let snapshot = broker.partitions.snapshot();
    targets.list.extend(news.into_iter().map(|(wanted, partition)| match partition {
        // As those that were not quiet: one that went away since the fetch began is refused in its place.
        Some(partition) => Target::found(wanted, partition),
        None => Target::lost(&snapshot, wanted),
    }));
    targets.list.sort_unstable_by_key(|target| target.turn);
}
