use std::collections::BTreeSet;
use std::sync::Arc;

use super::*;
use crate::image::Broker;
use crate::record::RegisterBrokerRecord;
use crate::testing::ids;

/// Brokers as (id, rack, fenced).
fn cluster(brokers: &[(i32, Option<&str>, bool)]) -> Cluster {
    let mut cluster = Cluster::default();
    for (id, rack, fenced) in brokers {
        let record = RegisterBrokerRecord {
            broker_id: BrokerId::new(*id),
            rack: rack.map(str::to_owned),
            fenced: *fenced,
            ..RegisterBrokerRecord::default()
        };
        let broker = Broker::from_record(&record);
        cluster.brokers.insert(broker.id, Arc::new(broker));
    }
    cluster
}

#[test]
fn leaders_and_replicas_are_spread_evenly() {
    let brokers: Vec<_> = (0..4).map(|id| (id, None, false)).collect();
    for seed in 0..50 {
        let placed = place(&cluster(&brokers), 40, 3, seed).unwrap();
        let mut leaders = [0; 4];
        let mut replicas = [0; 4];
        for partition in &placed {
            assert_eq!(partition.iter().collect::<BTreeSet<_>>().len(), 3);
            leaders[partition[0].value() as usize] += 1;
            for id in partition {
                replicas[id.value() as usize] += 1;
            }
        }
        assert_eq!((leaders, replicas), ([10; 4], [30; 4]));
    }
}

#[test]
fn replicas_are_spread_over_the_racks() {
    let racks = [Some("a"), Some("b"), Some("c")];
    let brokers: Vec<_> = (0..9).map(|id| (id, racks[id as usize % 3], false)).collect();
    for seed in 0..50 {
        for partition in place(&cluster(&brokers), 27, 3, seed).unwrap() {
            let racks: BTreeSet<_> = partition.iter().map(|id| id.value() % 3).collect();
            assert_eq!(racks.len(), 3, "{partition:?}");
        }
    }
}

#[test]
fn fenced_brokers_come_last_and_never_lead() {
    let brokers = [(1, None, false), (2, None, true), (3, None, false)];
    for seed in 0..20 {
        for partition in place(&cluster(&brokers), 10, 2, seed).unwrap() {
            assert!(!partition.contains(&BrokerId::new(2)), "{partition:?}");
        }
        for partition in place(&cluster(&brokers), 10, 3, seed).unwrap() {
            assert_eq!(partition.last(), Some(&BrokerId::new(2)));
        }
    }
}

#[test]
fn uneven_racks_are_used_up() {
    let brokers = [(1, Some("a"), false), (2, Some("b"), true), (3, Some("b"), true), (4, None, true)];
    for seed in 0..20 {
        for partition in place(&cluster(&brokers), 5, 4, seed).unwrap() {
            assert_eq!(partition[0], BrokerId::new(1));
            assert_eq!(partition.into_iter().collect::<BTreeSet<_>>().len(), 4);
        }
    }
}

#[test]
fn seeds_decide() {
    let brokers: Vec<_> = (0..10).map(|id| (id, None, false)).collect();
    let cluster = cluster(&brokers);
    let placed: BTreeSet<_> = (0..20).map(|seed| place(&cluster, 5, 3, seed).unwrap()).collect();
    assert!(placed.len() > 5, "different seeds place differently");
    assert_eq!(place(&cluster, 5, 3, 7), place(&cluster, 5, 3, 7));
}

#[test]
fn impossible_wishes_are_refused_in_kafkas_words() {
    let one = cluster(&[(1, None, false)]);
    assert_eq!(place(&one, 3, 1, 0), Ok(vec![ids(&[1]); 3]));
    assert_eq!(
        place(&one, 1, 0, 0),
        Err("Invalid replication factor 0: the replication factor must be positive.".to_owned())
    );
    assert_eq!(
        place(&one, 1, 2, 0),
        Err("The target replication factor of 2 cannot be reached because only 1 broker(s) are registered."
            .to_owned())
    );
    let fenced = cluster(&[(1, None, true)]);
    assert_eq!(place(&fenced, 1, 1, 0), Err("All brokers are currently fenced.".to_owned()));
    assert!(place(&Cluster::default(), 1, 1, 0).is_err());
}
