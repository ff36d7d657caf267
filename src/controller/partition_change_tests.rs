use model::LeaderEpoch;

use super::*;
use crate::command::BrokerChange;
use crate::testing::{World, dir, ids};

/// A partition on brokers 1 to 3, led by 1, all in sync.
fn partition() -> Partition {
    Partition {
        replicas: ids(&[1, 2, 3]),
        directories: vec![dir(1), dir(2), dir(3)],
        isr: ids(&[1, 2, 3]),
        removing_replicas: Vec::new(),
        adding_replicas: Vec::new(),
        elr: Vec::new(),
        last_known_elr: Vec::new(),
        leader: BrokerId::new(1),
        leader_recovery_state: LeaderRecoveryState::Recovered,
        leader_epoch: LeaderEpoch::new(10),
        partition_epoch: 20,
    }
}

fn build(
    image: &Image,
    partition: &Partition,
    min_isr: usize,
    edit: impl FnOnce(&mut PartitionChange<'_>),
) -> Option<PartitionChangeRecord> {
    let mut change = PartitionChange::new(image, TopicId::ZERO, 0, partition, min_isr);
    edit(&mut change);
    change.build()
}

#[test]
fn no_change_is_no_record() {
    let image = World::of(3).controller.image();
    assert_eq!(build(&image, &partition(), 1, |_| {}), None);
}

#[test]
fn an_isr_alone_changes_without_a_new_leader_epoch() {
    let image = World::of(3).controller.image();
    let record = build(&image, &partition(), 1, |change| change.isr = ids(&[1, 2])).unwrap();
    assert_eq!((record.isr.as_deref(), record.leader), (Some(&*ids(&[1, 2])), None));
    let mut old = World::empty();
    old.append(vec![crate::snapshot::feature_level("metadata.version", 11)]);
    for id in 1..=3 {
        old.join(id);
    }
    let image = old.controller.image();
    let record = build(&image, &partition(), 1, |change| change.isr = ids(&[1, 2])).unwrap();
    assert_eq!(record.leader, Some(BrokerId::new(1)), "KAFKA-15021");
    assert_eq!((record.version, record.directories), (0, None));
}

#[test]
fn the_last_in_sync_is_kept_when_all_are_gone() {
    let mut world = World::of(3);
    for id in 1..=3 {
        world.change(id, BrokerChange::Fence).unwrap();
    }
    let image = world.controller.image();
    let record = build(&image, &partition(), 1, |change| change.isr = Vec::new()).unwrap();
    assert_eq!((record.leader, record.isr), (Some(BrokerId::NONE), None));
}

#[test]
fn online_and_preferred_elections_differ() {
    let image = World::of(3).controller.image();
    let mut led_by_third = partition();
    led_by_third.leader = BrokerId::new(3);
    assert_eq!(build(&image, &led_by_third, 1, |_| {}), None, "3 is good enough");
    let record = build(&image, &led_by_third, 1, |change| {
        change.election = Election::Preferred;
    });
    assert_eq!(record.unwrap().leader, Some(BrokerId::new(1)));
    let record = build(&image, &led_by_third, 1, |change| change.isr = ids(&[2]));
    assert_eq!(record.unwrap().leader, Some(BrokerId::new(2)));
}

#[test]
fn a_replica_in_a_lost_directory_cannot_lead() {
    let image = World::of(3).controller.image();
    let mut lost = partition();
    lost.directories[1] = dir(99);
    let record = build(&image, &lost, 1, |change| change.isr = ids(&[2, 3])).unwrap();
    assert_eq!(record.leader, Some(BrokerId::new(3)));
}

#[test]
fn recovery_ends_when_the_leader_says_so() {
    let image = World::of(3).controller.image();
    let mut recovering = partition();
    recovering.leader_recovery_state = LeaderRecoveryState::Recovering;
    let record = build(&image, &recovering, 1, |change| {
        change.set_recovery_state(LeaderRecoveryState::Recovered);
    });
    assert_eq!(record.unwrap().leader_recovery_state, Some(0));
}

#[test]
fn whoever_leaves_a_small_isr_stays_eligible() {
    let image = World::with_elr(3).controller.image();
    let shrink = |change: &mut PartitionChange<'_>| change.isr = ids(&[1]);
    let record = build(&image, &partition(), 2, shrink).unwrap();
    assert_eq!(record.eligible_leader_replicas, Some(ids(&[2, 3])));
    assert_eq!(record.isr, Some(ids(&[1])));
    let unclean = build(&image, &partition(), 2, |change| {
        shrink(change);
        change.unclean_shutdown = Some(BrokerId::new(3));
    });
    assert_eq!(unclean.unwrap().eligible_leader_replicas, Some(ids(&[2])));
    let enough = build(&image, &partition(), 1, shrink).unwrap();
    assert_eq!(enough.eligible_leader_replicas, None, "the ISR is large enough");
    let mut small = partition();
    small.isr = ids(&[1]);
    small.elr = ids(&[2]);
    let grown = build(&image, &small, 2, |change| change.isr = ids(&[1, 3])).unwrap();
    assert_eq!(grown.eligible_leader_replicas, Some(Vec::new()));
}

#[test]
fn an_eligible_replica_leads_when_the_isr_is_empty() {
    let image = World::with_elr(3).controller.image();
    let mut empty = partition();
    empty.isr = Vec::new();
    empty.elr = ids(&[2, 3]);
    empty.last_known_elr = ids(&[1]);
    empty.leader = BrokerId::NONE;
    let record = build(&image, &empty, 2, |_| {}).unwrap();
    assert_eq!((record.leader, record.isr), (Some(BrokerId::new(2)), Some(ids(&[2]))));
    assert_eq!(record.eligible_leader_replicas, Some(ids(&[3])));
    assert_eq!(record.last_known_elr, Some(Vec::new()));
    assert_eq!(record.leader_recovery_state, None, "nothing was lost");
}

#[test]
fn without_elr_what_is_left_of_it_goes() {
    let image = World::of(3).controller.image();
    let mut old = partition();
    old.elr = ids(&[2]);
    let record = build(&image, &old, 2, |_| {}).unwrap();
    assert_eq!(record.eligible_leader_replicas, Some(Vec::new()));
}
