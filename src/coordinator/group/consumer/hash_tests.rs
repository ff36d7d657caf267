//! Hashes that Kafka 4.1.2's `Utils` computed, of topics whose replicas lie on brokers without a rack, in `r1`, in
//! `räck-2` and in `r1`, in turn.

use super::TopicHashes;
use crate::group::consumer::subscriptions::{Count, Wanted};
use crate::group::{TopicFacts, Topics};
use model::TopicId;

const LONG: &str = "long.topic.name_with-all.the.characters.that.kafka.allows.0123456789.abcdefghijklmnopqrstuvwxyz.and.\
    more.of.them.to.pass.the.240.bytes.of.the.short.paths.of.the.hash.function.1234567890";

/// Name, id, partitions, replicas, hash.
const KAFKA: [(&str, &str, i32, i32, i64); 5] = [
    ("a", "a1e0f385-0931-902b-e8ae-c4299c89e6e9", 1, 1, 9_069_183_623_116_055_650),
    ("orders", "88edcbd5-f085-2872-d73c-028fb49fb035", 3, 3, -4_878_296_809_788_179_200),
    ("äöü-topic", "330e993a-d613-bc87-31dd-377e1bd823f4", 2, 2, -2_821_363_348_772_010_660),
    (LONG, "54b551fc-5b29-c4ba-7752-cd6aeea13c6a", 40, 4, 6_394_012_199_702_374_198),
    ("z", "c2c5ca52-9103-2bba-5a74-8e71b56e8b09", 0, 1, 4_391_376_810_511_994_122),
];
const KAFKA_GROUP: i64 = 3_900_019_656_487_305_878;

struct Cluster;

impl Topics for Cluster {
    fn by_name(&self, name: &str) -> Option<TopicFacts> {
        let (name, id, partitions, ..) = *KAFKA.iter().find(|topic| topic.0 == name)?;
        Some(TopicFacts { id: TopicId::new(id.parse().ok()?), name: name.to_owned(), partitions })
    }

    fn by_id(&self, _id: TopicId) -> Option<TopicFacts> {
        None
    }

    fn each_name(&self, _visit: &mut dyn FnMut(&str)) {}

    fn racks(&self, id: TopicId, partition: i32) -> Vec<String> {
        let replicas = KAFKA.iter().find(|topic| topic.1 == id.uuid().to_string()).map_or(0, |topic| topic.3);
        let rack =
            |broker: i32| ["", "r1", "räck-2", "r1"][usize::try_from(broker % 4).unwrap_or(0)].to_owned();
        let mut racks: Vec<String> =
            (partition..partition + replicas).map(rack).filter(|rack| !rack.is_empty()).collect();
        racks.sort();
        racks
    }

    fn version(&self) -> i64 {
        7
    }
}

fn wanted(names: &[&str]) -> Wanted {
    let count = Count { by_name: 1, by_regex: 0 };
    Wanted { topics: names.iter().map(|name| ((*name).to_owned(), count)).collect(), ..Wanted::default() }
}

#[test]
fn topics_hash_as_in_kafka() {
    for (name, .., hash) in KAFKA {
        let mut facts = Cluster.by_name(name).expect("there");
        assert_eq!(super::topic_hash(&facts, &Cluster), hash, "{name}");
        facts.partitions += 1;
        assert_ne!(super::topic_hash(&facts, &Cluster), hash, "{name}");
    }
}

#[test]
fn groups_hash_as_in_kafka() {
    let names = KAFKA.map(|topic| topic.0);
    let mut hashes = TopicHashes::default();
    for _ in 0..2 {
        assert_eq!(hashes.group_hash(&wanted(&names), &Cluster), KAFKA_GROUP);
    }
    assert_ne!(hashes.group_hash(&wanted(&names[1..]), &Cluster), KAFKA_GROUP);
    assert_eq!(hashes.by_name.len(), 4, "what nobody wants is forgotten");
    assert_eq!(hashes.group_hash(&wanted(&["missing"]), &Cluster), 0);
}
