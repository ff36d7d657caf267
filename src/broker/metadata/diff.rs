//! What a new image asks of the partitions of this node.

use std::sync::Arc;

use controller::Image;
use controller::image::Topic;
use model::{BrokerId, LeaderEpoch, TopicId};

/// One thing to do before the image may be shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Change {
    /// The topic is gone, with all its partitions.
    Delete(TopicId),
    /// A partition with a replica here that was not here before.
    Host { name: Arc<str>, id: TopicId, index: i32, epoch: LeaderEpoch },
    /// A partition that has another leader epoch.
    Lead { id: TopicId, index: i32, epoch: LeaderEpoch },
    /// The topic's own configs are others.
    Configure(TopicId),
}

/// What has changed from `old` to `new` for the node `own`. Deletions come first: a topic may be there again under
/// its old name.
pub(super) fn changes(old: &Image, new: &Image, own: BrokerId) -> Vec<Change> {
    let mut changes = Vec::new();
    if !std::ptr::eq(old.topics(), new.topics()) {
        let gone = old.topics().iter().filter(|topic| new.topic_by_id(topic.id).is_none());
        changes.extend(gone.map(|topic| Change::Delete(topic.id)));
        for topic in new.topics().iter() {
            let before = old.topic_by_id(topic.id);
            if !before.is_some_and(|before| Arc::ptr_eq(before, topic)) {
                lead(before, topic, own, &mut changes);
            }
        }
    }
    if !std::ptr::eq(old.configs(), new.configs()) {
        let kept = new.topics().iter().filter(|topic| old.topic_by_id(topic.id).is_some());
        let configured =
            kept.filter(|topic| old.configs().of_topic(&topic.name) != new.configs().of_topic(&topic.name));
        changes.extend(configured.map(|topic| Change::Configure(topic.id)));
    }
    changes
}

fn lead(before: Option<&Arc<Topic>>, topic: &Arc<Topic>, own: BrokerId, changes: &mut Vec<Change>) {
    let (id, name) = (topic.id, &topic.name);
    for (index, partition) in &topic.partitions {
        // A partition that loses its leader stays here: its replica does not go away.
        if !partition.replicas.contains(&own) {
            continue;
        }
        let (index, epoch) = (*index, partition.leader_epoch);
        let known = before.and_then(|topic| topic.partition(index)).filter(|p| p.replicas.contains(&own));
        match known {
            None => changes.push(Change::Host { name: Arc::clone(name), id, index, epoch }),
            Some(known) if known.leader_epoch != epoch => changes.push(Change::Lead { id, index, epoch }),
            Some(_) => {}
        }
    }
}
