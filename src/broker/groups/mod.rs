//! The group coordinator at work: the shell around [`coordinator::group::Shard`].
//!
//! There is one shard for each partition of `__consumer_offsets`, behind a lock of its own. A request runs on the network
//! thread that read it: step, append, replay, and its reply leaves when everything the shard has appended so far is on
//! disk. A request that the shard parks (a join, a sync) waits in a slot until another step answers it.
//!
//! Start reading at [`Groups::ask`], then [`host`] (one shard), [`load`] (after a start), [`clockwork`] (deadlines).

mod clockwork;
mod host;
mod load;
mod surroundings;

use std::sync::Arc;
use std::time::Duration;

use arc_swap::{ArcSwap, ArcSwapOption};
use coordinator::group::{Context, Reply, Request, Shard};
use model::topic_name::GROUP_METADATA;
use model::{Clock, ErrorCode, TopicId};
use parking_lot::Mutex;

use crate::context::Fatal;
use crate::metadata::View;
use crate::partition::Registry;
use clockwork::Clockwork;
use host::{Host, Shared};
use load::Loading;
use surroundings::Surroundings;

/// The groups that this node coordinates.
#[derive(Debug)]
pub struct Groups {
    registry: Arc<Registry>,
    shared: Arc<Shared>,
    /// `None` while there is no `__consumer_offsets`.
    table: ArcSwapOption<Table>,
    /// Serialises [`Groups::follow`].
    following: Mutex<()>,
    loading: Loading,
}

/// The shards of one `__consumer_offsets`.
#[derive(Debug)]
struct Table {
    topic: TopicId,
    /// By partition; `None` where its log could not be opened.
    hosts: Vec<Option<Arc<Host>>>,
}

impl Groups {
    /// A coordinator without groups. It has some once it follows a metadata view.
    pub fn new(config: &config::BrokerConfig, registry: Arc<Registry>, clock: Clock, fatal: Fatal) -> Self {
        let shared = Shared {
            clockwork: Clockwork::new(clock.clone()),
            clock,
            surroundings: ArcSwap::from_pointee(Surroundings::of_config(config)),
            commit_timeout: Duration::from_millis(config.offsets.commit_timeout_ms.max(0) as u64),
            codec: codec_of(config.offsets.compression_codec),
            fatal,
        };
        Self {
            registry,
            shared: Arc::new(shared),
            table: ArcSwapOption::empty(),
            following: Mutex::new(()),
            loading: Loading::default(),
        }
    }

    /// Starts the thread that does what is due, and to load the groups that were found.
    pub fn start(&self) -> std::io::Result<()> {
        Clockwork::start(&self.shared)?;
        self.loading.start();
        Ok(())
    }

    /// Coordinates nobody any more. Whoever waits for the others of its group is told NOT_COORDINATOR, so that a stop
    /// does not wait for them; what has been appended is still answered when it is on disk.
    pub fn resign(&self) {
        let table = self.table.load_full();
        table.iter().flat_map(|table| &table.hosts).flatten().for_each(|host| host.retire());
    }

    /// Ends all threads. Nothing is answered any more.
    pub fn stop(&self) {
        self.loading.stop();
        self.shared.clockwork.stop();
    }

    /// Asks the group's coordinator. The effect is there when this is first polled; the answer comes when it is on
    /// disk, or, for a join or a sync, when the group is ready. Cancel-safe in that sense.
    ///
    /// # Errors
    /// Nobody here coordinates the group, or not yet.
    pub async fn ask(&self, request: Request) -> Result<Reply, ErrorCode> {
        self.host(request.group_id())?.ask(request).await
    }

    /// Looks at the shard of a group. The answer comes when everything it is based on is on disk.
    ///
    /// # Errors
    /// Nobody here coordinates the group, or not yet.
    pub async fn look<R>(
        &self,
        group_id: &str,
        look: impl FnOnce(&Shard, &Context<'_>) -> R,
    ) -> Result<R, ErrorCode> {
        self.host(group_id)?.look(look).await
    }

    /// As [`Groups::look`], at every shard.
    ///
    /// # Errors
    /// A shard is still loading.
    pub async fn look_at_all<R>(
        &self,
        mut look: impl FnMut(&Shard, &Context<'_>) -> R,
    ) -> Result<Vec<R>, ErrorCode> {
        let table = self.table.load_full();
        let hosts = table.iter().flat_map(|table| &table.hosts).flatten();
        let mut seen = Vec::new();
        let mut ends = Vec::new();
        for host in hosts {
            match host.observe(&mut look) {
                Ok((one, end)) => {
                    seen.push(one);
                    ends.push((host, end));
                }
                // Nobody here coordinates what is in there.
                Err(ErrorCode::NotCoordinator) => {}
                Err(code) => return Err(code),
            }
        }
        for (host, end) in ends {
            host.durable(end).await.map_err(|_code| ErrorCode::CoordinatorNotAvailable)?;
        }
        Ok(seen)
    }

    /// The partition of `__consumer_offsets` that holds a group; `configured` is how many there will be while there are
    /// none.
    pub fn partition_of(&self, group_id: &str, configured: i32) -> i32 {
        let table = self.table.load();
        let count = table.as_ref().map_or(configured, |table| table.hosts.len() as i32);
        partition_of(group_id, count)
    }

    /// Takes over a view of the metadata: settings, topics, and the shards themselves. To be called before the view is
    /// published, so that whoever finds a coordinator in it is answered.
    pub fn follow(&self, view: &View) {
        let _following = self.following.lock();
        let before = self.shared.surroundings.load_full();
        let after = Arc::new(before.followed_by(view));
        self.shared.surroundings.store(Arc::clone(&after));
        self.host_shards(&after);
        let deleted = before.topics_gone(&after);
        let table = self.table.load_full();
        if let Some(table) = table
            && (!deleted.is_empty() || !before.has_topics_of(&after))
        {
            let hosts = table.hosts.iter().flatten().cloned().collect();
            self.shared.clockwork.topics_changed(hosts, deleted);
        }
    }

    /// Makes a shard for each partition when `__consumer_offsets` comes into being, and drops them when it goes.
    fn host_shards(&self, surroundings: &Surroundings) {
        let image = surroundings.image();
        let topic = image.topic(GROUP_METADATA);
        let before = self.table.load_full();
        if before.as_ref().map(|table| table.topic) == topic.map(|topic| topic.id) {
            return;
        }
        if let Some(table) = before {
            self.table.store(None);
            table.hosts.iter().flatten().for_each(|host| host.retire());
        }
        let Some(topic) = topic else { return };
        let snapshot = self.registry.snapshot();
        let hosted = snapshot.identified(topic.id);
        let host = |index: i32| {
            let partition = hosted?.partition(index).ok()?;
            Some(Host::new(Arc::clone(&self.shared), Arc::clone(partition)))
        };
        let hosts: Vec<_> = (0..topic.partitions.len() as i32).map(host).collect();
        // An empty log, as that of a new topic, is loaded at once.
        let (empty, written): (Vec<_>, Vec<_>) =
            hosts.iter().flatten().cloned().partition(|host| host.is_unwritten());
        empty.iter().for_each(load::load);
        self.table.store(Some(Arc::new(Table { topic: topic.id, hosts })));
        self.loading.begin(written);
    }

    fn host(&self, group_id: &str) -> Result<Arc<Host>, ErrorCode> {
        let table = self.table.load();
        let table = table.as_ref().ok_or(ErrorCode::NotCoordinator)?;
        let index = partition_of(group_id, table.hosts.len() as i32);
        let host = usize::try_from(index).ok().and_then(|index| table.hosts.get(index)?.clone());
        host.ok_or(ErrorCode::NotCoordinator)
    }
}

/// `Utils.abs(String.hashCode()) % count`: where Kafka's coordinators keep what belongs to `key`. The smallest
/// `i32` has no absolute value and counts as 0.
pub(crate) fn partition_of(key: &str, count: i32) -> i32 {
    let hash =
        key.encode_utf16().fold(0i32, |hash, unit| hash.wrapping_mul(31).wrapping_add(i32::from(unit)));
    hash.checked_abs().unwrap_or(0) % count.max(1)
}

/// `offsets.topic.compression.codec`; a number that is no codec means none.
fn codec_of(id: i32) -> records::Codec {
    u8::try_from(id).ok().and_then(records::Codec::from_bits).unwrap_or(records::Codec::None)
}

#[cfg(test)]
mod groups_tests;
#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_fall_where_javas_hash_puts_them() {
        // "hello".hashCode() is 99162322, "polygenelubricants".hashCode() is Integer.MIN_VALUE.
        assert_eq!(partition_of("hello", 50), 22);
        assert_eq!(partition_of("polygenelubricants", 50), 0);
        assert_eq!(partition_of("", 50), 0);
        // Beyond the basic plane Java hashes surrogate pairs.
        assert_eq!(partition_of("\u{1f600}", i32::MAX), 0xd83d * 31 + 0xde00);
    }
}
