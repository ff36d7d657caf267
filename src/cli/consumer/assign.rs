//! Who reads what, as the leader of a classic group decides it: Kafka's range assignor (`RangeAssignor`), topic by
//! topic, in the order of the members' ids.

use std::collections::BTreeMap;

use bytes::Bytes;
use model::codec::{Reader, Writer};

use crate::kafka::TopicPartition;

/// A member and the topics it wants.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Subscriber {
    /// Its id.
    pub member: String,
    /// Its static name.
    pub instance: Option<String>,
    /// What it wants.
    pub topics: Vec<String>,
}

/// The partitions of each member.
pub fn range(
    members: &[Subscriber],
    partition_counts: &BTreeMap<String, i32>,
) -> BTreeMap<String, Vec<TopicPartition>> {
    let mut assigned: BTreeMap<String, Vec<TopicPartition>> =
        members.iter().map(|member| (member.member.clone(), Vec::new())).collect();
    for (topic, count) in partition_counts {
        let mut takers: Vec<&Subscriber> = members.iter().filter(|one| one.topics.contains(topic)).collect();
        // Static members come first, by their names.
        takers.sort_by(|a, b| match (&a.instance, &b.instance) {
            (Some(a), Some(b)) => a.cmp(b),
            (Some(_), None) => std::cmp::Ordering::Less,
            (None, Some(_)) => std::cmp::Ordering::Greater,
            (None, None) => a.member.cmp(&b.member),
        });
        let Some((each, more)) = i32::try_from(takers.len())
            .ok()
            .filter(|takers| *takers > 0)
            .map(|takers| (count / takers, count % takers))
        else {
            continue;
        };
        let mut next = 0;
        for (index, taker) in takers.into_iter().enumerate() {
            let size = each + i32::from((index as i32) < more);
            let partitions = (next..next + size).map(|partition| (topic.clone(), partition));
            assigned.entry(taker.member.clone()).or_default().extend(partitions);
            next += size;
        }
    }
    assigned
}

/// A subscription in the format of `ConsumerProtocolSubscription`, version 1.
pub fn subscription(topics: &[String]) -> Bytes {
    let mut out = Writer::new();
    out.i16(1);
    out.array_len(topics.len());
    for topic in topics {
        out.string(topic);
    }
    out.nullable_bytes(None);
    out.array_len(0);
    out.freeze()
}

/// The topics of a subscription of any version; `None` for bytes that are none.
pub fn topics_of(subscription: &Bytes) -> Option<Vec<String>> {
    let mut reader = Reader::new(subscription.clone());
    reader.i16().ok()?;
    let count = reader.array_len().ok()??;
    (0..count).map(|_| reader.string().ok()).collect()
}

/// An assignment in the format of `ConsumerProtocolAssignment`, version 1.
pub fn assignment(partitions: &[TopicPartition]) -> Bytes {
    let mut by_topic: BTreeMap<&str, Vec<i32>> = BTreeMap::new();
    for (topic, partition) in partitions {
        by_topic.entry(topic).or_default().push(*partition);
    }
    let mut out = Writer::new();
    out.i16(1);
    out.array_len(by_topic.len());
    for (topic, partitions) in by_topic {
        out.string(topic);
        out.array_len(partitions.len());
        for partition in partitions {
            out.i32(partition);
        }
    }
    out.nullable_bytes(None);
    out.freeze()
}

/// The partitions of an assignment of any version; `None` for bytes that are none.
pub fn partitions_of(assignment: &Bytes) -> Option<Vec<TopicPartition>> {
    if assignment.is_empty() {
        return Some(Vec::new());
    }
    let mut reader = Reader::new(assignment.clone());
    reader.i16().ok()?;
    let mut partitions = Vec::new();
    for _ in 0..reader.array_len().ok()?? {
        let topic = reader.string().ok()?;
        for _ in 0..reader.array_len().ok()?? {
            partitions.push((topic.clone(), reader.i32().ok()?));
        }
    }
    Some(partitions)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn member(member: &str, instance: Option<&str>, topics: &[&str]) -> Subscriber {
        Subscriber {
            member: member.to_owned(),
            instance: instance.map(str::to_owned),
            topics: topics.iter().map(|topic| (*topic).to_owned()).collect(),
        }
    }

    #[test]
    fn ranges_are_kafkas() {
        let counts = BTreeMap::from([("a".to_owned(), 3), ("b".to_owned(), 1)]);
        let members = [member("m2", None, &["a", "b"]), member("m1", None, &["a"])];
        let assigned = range(&members, &counts);
        let of = |id: &str| assigned[id].iter().map(|(topic, n)| format!("{topic}{n}")).collect::<Vec<_>>();
        assert_eq!(of("m1"), ["a0", "a1"]);
        assert_eq!(of("m2"), ["a2", "b0"]);
        let members = [member("m1", None, &["a"]), member("m2", Some("i"), &["a"])];
        assert_eq!(range(&members, &counts)["m2"].len(), 2, "static members come first");
    }

    #[test]
    fn what_members_say_is_read_back() {
        let topics = ["a".to_owned(), "b".to_owned()];
        assert_eq!(topics_of(&subscription(&topics)).unwrap(), topics);
        let partitions = vec![("a".to_owned(), 0), ("a".to_owned(), 2), ("b".to_owned(), 1)];
        assert_eq!(partitions_of(&assignment(&partitions)).unwrap(), partitions);
        assert_eq!(partitions_of(&Bytes::new()), Some(Vec::new()));
        assert_eq!(partitions_of(&Bytes::from_static(&[0])), None);
    }
}
