//! What the coordinator may ask about topics; the shell answers from the metadata image.

use model::TopicId;

/// The cluster's topics at one moment.
pub trait Topics {
    /// The topic of this name.
    fn by_name(&self, name: &str) -> Option<TopicFacts>;
    /// The topic of this id.
    fn by_id(&self, id: TopicId) -> Option<TopicFacts>;
    /// Calls `visit` with every topic name, in order: regular expressions are matched against them (KIP-848).
    fn each_name(&self, visit: &mut dyn FnMut(&str));
    /// The racks of a partition's replicas, sorted, one for each replica that has one: Kafka hashes every one of them
    /// (KIP-1101).
    fn racks(&self, id: TopicId, partition: i32) -> Vec<String>;
    /// Grows with every change of the metadata image.
    fn version(&self) -> i64;
    /// The version at which a topic was last created: then regular expressions are looked at again (KIP-848).
    fn last_creation(&self) -> i64 {
        self.version()
    }
}

/// A topic, as assignors need it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TopicFacts {
    /// The topic's id.
    pub id: TopicId,
    /// The topic's name.
    pub name: String,
    /// How many partitions it has.
    pub partitions: i32,
}
