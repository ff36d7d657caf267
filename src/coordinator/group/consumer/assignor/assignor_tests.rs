//! The assignors against Kafka's own classes (4.1.2) and against what an assignment must be.

use super::{AssignError, Assignor, MemberSpec, Spec, Subscriptions};
use crate::group::record::Assignment;
use model::TopicId;
use proptest::prelude::*;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use uuid::Uuid;

/// Assignor, kind of group, topics with their partitions, members (id, instance, topics, what they have), and what
/// Kafka's class makes of it, per member. Topic ids are small, so that Kafka's hash order is their own.
const GOLDEN: &str = include_str!("../testdata/assignments.tsv");

#[test]
fn assignments_are_those_of_kafka() {
    for (number, line) in GOLDEN.lines().enumerate() {
        let [assignor, kind, topics, members, expected]: [&str; 5] =
            line.split('\t').collect::<Vec<_>>().try_into().expect("five columns");
        let mut spec = spec(kind == "same", []);
        for topic in topics.split(',') {
            let (id, partitions) = topic.split_once('=').expect("id=partitions");
            spec.partitions
                .insert(topic_id(id.parse().expect("a number")), partitions.parse().expect("a number"));
        }
        for member in members.split(' ') {
            let [id, instance, topics, current]: [&str; 4] =
                member.split('/').collect::<Vec<_>>().try_into().expect("four parts");
            let wanted = topics.split('+').filter_map(|topic| topic.parse().ok()).map(topic_id).collect();
            let instance_id = (instance != "-").then(|| instance.to_owned());
            let member = MemberSpec { instance_id, topics: Rc::new(wanted), current: assignment(current) };
            join(&mut spec, id, member);
        }
        let got = Assignor::named(assignor).expect("a name").assign(&spec).expect("an assignment");
        let expected: Vec<Assignment> = expected.split(' ').map(assignment).collect();
        assert_eq!(got.into_values().collect::<Vec<_>>(), expected, "line {}: {line}", number + 1);
    }
}

#[test]
fn a_missing_topic_is_refused() {
    let mut spec = spec(true, [1]);
    join(&mut spec, "a", wants([2]));
    for assignor in [Assignor::Uniform, Assignor::Range] {
        assert_eq!(assignor.assign(&spec), Err(AssignError::UnknownTopic(topic_id(2))));
    }
}

#[test]
fn a_contradiction_is_refused() {
    // Both are to own partition 0, so that nobody has room for partition 1.
    let mut spec = spec(true, [2]);
    for id in ["a", "b"] {
        join(&mut spec, id, MemberSpec { current: assignment("1:0"), ..wants([1]) });
    }
    assert_eq!(Assignor::Uniform.assign(&spec), Err(AssignError::LeftOver));
}

#[test]
fn topic_ids_are_compared_as_kafka_does() {
    // Equal shares and subscribers: the id decides who is served first, and the lower half is signed.
    let (low, high) = (TopicId::new(Uuid::from_u64_pair(0, u64::MAX)), topic_id(1));
    let mut spec = spec(false, []);
    spec.partitions = [(low, 1), (high, 1)].into();
    let both = Rc::new(BTreeSet::from([low, high]));
    join(&mut spec, "a", MemberSpec { topics: both.clone(), ..MemberSpec::default() });
    join(&mut spec, "b", MemberSpec { topics: both, ..MemberSpec::default() });
    let got = Assignor::Uniform.assign(&spec).expect("an assignment");
    assert_eq!(got["a"], Assignment::from([(low, vec![0])]));
    assert_eq!(got["b"], Assignment::from([(high, vec![0])]));
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_partition_has_one_owner_who_wants_it(chain in chains()) {
        run(&chain, |spec, got| {
            prop_assert_eq!(got.keys().collect::<Vec<_>>(), spec.members.keys().collect::<Vec<_>>());
            let mut owned = BTreeSet::new();
            for (id, target) in got {
                for (topic, partitions) in target {
                    prop_assert!(spec.members[id].topics.contains(topic));
                    prop_assert!(!partitions.is_empty());
                    prop_assert!(partitions.is_sorted());
                    for partition in partitions {
                        prop_assert!((0..spec.partitions[topic]).contains(partition));
                        prop_assert!(owned.insert((*topic, *partition)), "two owners");
                    }
                }
            }
            let wanted: BTreeSet<_> = spec.members.values().flat_map(|member| member.topics.iter()).collect();
            let count: i32 = wanted.into_iter().map(|topic| spec.partitions[topic]).sum();
            prop_assert_eq!(owned.len(), usize::try_from(count).expect("small"));
            Ok(())
        })?;
    }

    #[test]
    fn uniform_is_even_and_sticky(chain in chains()) {
        if chain.assignor != Assignor::Uniform || !chain.same {
            return Ok(());
        }
        run(&chain, |spec, got| {
            let load = |target: &Assignment| target.values().map(Vec::len).sum::<usize>();
            let (least, most) = (got.values().map(load).min(), got.values().map(load).max());
            prop_assert!(most.unwrap_or(0) - least.unwrap_or(0) <= 1, "{got:?}");
            for (id, member) in &spec.members {
                // Who got something new gave nothing away that it still wants and that exceeds no quota.
                let still: BTreeSet<_> = flat(&member.current).filter(|(topic, _)| member.topics.contains(topic)).collect();
                let target: BTreeSet<_> = flat(&got[id]).collect();
                let gave = still.difference(&target).count();
                let took = target.difference(&still).count();
                prop_assert!(gave == 0 || took == 0, "{id} gave {gave} and took {took}");
            }
            // Asked again, it answers the same.
            let mut again = spec.clone();
            settle(&mut again, got);
            prop_assert_eq!(&chain.assignor.assign(&again).expect("an assignment"), got);
            Ok(())
        })?;
    }

    #[test]
    fn uniform_of_mixed_groups_settles(chain in chains()) {
        if chain.assignor != Assignor::Uniform || chain.same {
            return Ok(());
        }
        run(&chain, |spec, got| {
            // No partition could move to a subscriber that has two fewer.
            for (id, target) in got {
                for topic in target.keys() {
                    for (other, member) in &spec.members {
                        let load = |id: &String| flat(&got[id]).count();
                        prop_assert!(!member.topics.contains(topic) || load(id) <= load(other) + 1);
                    }
                }
            }
            Ok(())
        })?;
    }
}

/// A group that lives through changes.
#[derive(Clone, Debug)]
struct Chain {
    assignor: Assignor,
    same: bool,
    topics: Vec<u8>,
    changes: Vec<(u8, u8, u8)>,
}

fn chains() -> impl Strategy<Value = Chain> {
    let assignor = prop_oneof![Just(Assignor::Uniform), Just(Assignor::Range)];
    let change = (0_u8..5, any::<u8>(), any::<u8>());
    (assignor, any::<bool>(), prop::collection::vec(1_u8..20, 1..6), prop::collection::vec(change, 1..12))
        .prop_map(|(assignor, same, topics, changes)| Chain { assignor, same, topics, changes })
}

/// Applies the changes one by one; after each the group is assigned and `check`ed.
fn run(
    chain: &Chain,
    check: impl Fn(&Spec, &BTreeMap<String, Assignment>) -> Result<(), TestCaseError>,
) -> Result<(), TestCaseError> {
    let mut spec = spec(chain.same, chain.topics.iter().copied());
    let all: BTreeSet<TopicId> = spec.partitions.keys().copied().collect();
    for (number, (kind, which, bits)) in chain.changes.iter().enumerate() {
        let some: BTreeSet<TopicId> = all
            .iter()
            .enumerate()
            .filter(|(index, _)| bits >> index & 1 == 1)
            .map(|(_, topic)| *topic)
            .collect();
        let nth = usize::from(*which) % spec.members.len().max(1);
        let id = spec.members.keys().nth(nth).cloned();
        match (kind, id) {
            (0, Some(id)) if spec.members.len() > 1 => drop(spec.members.remove(&id)),
            (1, Some(_)) => {
                let topic = topic_id(1 + u64::from(*which) % chain.topics.len() as u64);
                *spec.partitions.entry(topic).or_default() += 1;
            }
            (2, Some(id)) => {
                for (other, member) in &mut spec.members {
                    if chain.same || *other == id {
                        member.topics = Rc::new(some.clone());
                    }
                }
            }
            _ => {
                let topics = match spec.members.values().next() {
                    Some(other) if chain.same => other.topics.clone(),
                    _ => Rc::new(some),
                };
                let instance_id = which.is_multiple_of(4).then(|| format!("i{number}"));
                join(
                    &mut spec,
                    &format!("m{which}-{number}"),
                    MemberSpec { instance_id, topics, ..Default::default() },
                );
            }
        }
        let members = spec.members.values();
        spec.assigned = members.flat_map(|member| flat(&member.current)).fold(
            BTreeMap::<_, BTreeSet<_>>::new(),
            |mut all, (topic, index)| {
                all.entry(topic).or_default().insert(index);
                all
            },
        );
        let got = chain.assignor.assign(&spec).expect("an assignment");
        check(&spec, &got)?;
        settle(&mut spec, &got);
    }
    Ok(())
}

fn settle(spec: &mut Spec, got: &BTreeMap<String, Assignment>) {
    spec.assigned.clear();
    for (id, target) in got {
        if let Some(member) = spec.members.get_mut(id) {
            member.current.clone_from(target);
        }
        for (topic, partition) in flat(target) {
            spec.assigned.entry(topic).or_default().insert(partition);
        }
    }
}

fn flat(assignment: &Assignment) -> impl Iterator<Item = (TopicId, i32)> {
    assignment.iter().flat_map(|(topic, partitions)| partitions.iter().map(|partition| (*topic, *partition)))
}

fn spec(same: bool, partitions: impl IntoIterator<Item = u8>) -> Spec {
    Spec {
        members: BTreeMap::new(),
        subscriptions: if same { Subscriptions::Homogeneous } else { Subscriptions::Heterogeneous },
        partitions: (1..).map(topic_id).zip(partitions.into_iter().map(i32::from)).collect(),
        assigned: BTreeMap::new(),
    }
}

fn join(spec: &mut Spec, id: &str, member: MemberSpec) {
    for (topic, partition) in flat(&member.current) {
        spec.assigned.entry(topic).or_default().insert(partition);
    }
    spec.members.insert(id.to_owned(), member);
}

fn wants(topics: impl IntoIterator<Item = u64>) -> MemberSpec {
    MemberSpec { topics: Rc::new(topics.into_iter().map(topic_id).collect()), ..MemberSpec::default() }
}

fn topic_id(number: u64) -> TopicId {
    TopicId::new(Uuid::from_u64_pair(0, number))
}

/// `1:0.2+3:1` is partitions 0 and 2 of topic 1, and partition 1 of topic 3; `-` is nothing.
fn assignment(text: &str) -> Assignment {
    let topic = |part: &str| {
        let (id, partitions) = part.split_once(':')?;
        let partitions =
            partitions.split('.').map(|partition| partition.parse().expect("a number")).collect();
        Some((topic_id(id.parse().expect("a number")), partitions))
    };
    text.split('+').filter_map(topic).collect()
}
