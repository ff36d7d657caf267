use model::{BrokerId, ErrorCode, LeaderEpoch, TopicId};
use uuid::Uuid;

use crate::command::{
    AlterPartition, AssignReplicasToDirs, AssignedReplica, BrokerChange, Command, PartitionIsr, Reply,
};
use crate::image::Partition;
use crate::testing::{World, dir, ids};

fn report(world: &World, isr: &[(i32, i64)]) -> AlterPartition {
    let partition = world.partition("a", 0);
    let image = world.controller.image();
    AlterPartition {
        broker_id: partition.leader,
        broker_epoch: image.broker(partition.leader).unwrap().epoch,
        partitions: vec![PartitionIsr {
            topic_id: world.topic("a").id,
            partition: 0,
            leader_epoch: partition.leader_epoch,
            partition_epoch: partition.partition_epoch,
            isr: isr.iter().map(|(id, epoch)| (BrokerId::new(*id), *epoch)).collect(),
            leader_recovery_state: 0,
        }],
    }
}

fn run(world: &mut World, command: AlterPartition) -> Result<Partition, ErrorCode> {
    match world.run(Command::AlterPartition(command)) {
        Reply::AlterPartition(Ok(mut reply)) => reply.remove(0).result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn a_leader_shrinks_and_grows_its_isr() {
    let mut world = World::of(3);
    world.create_assigned("a", &[&[1, 2, 3]]);
    let command = report(&world, &[(1, -1), (3, -1)]);
    let after = run(&mut world, command).unwrap();
    assert_eq!(after, world.partition("a", 0));
    assert_eq!((after.isr, after.partition_epoch), (ids(&[1, 3]), 1));
    assert_eq!(after.leader_epoch.value(), 0);
    let epoch = world.controller.image().broker(BrokerId::new(2)).unwrap().epoch;
    let command = report(&world, &[(1, -1), (2, epoch), (3, -1)]);
    assert_eq!(run(&mut world, command).unwrap().isr, ids(&[1, 2, 3]));
}

#[test]
fn reports_follow_kafkas_rules() {
    let mut world = World::of(3);
    world.create_assigned("a", &[&[1, 2]]);
    world.change(2, BrokerChange::Fence).unwrap();
    world.change(2, BrokerChange::Unfence).unwrap();
    let good = report(&world, &[(1, -1)]);
    let mut refuse = |change: &dyn Fn(&mut AlterPartition)| {
        let mut command = good.clone();
        change(&mut command);
        run(&mut world, command).unwrap_err()
    };
    let isr = |isr: &'static [(i32, i64)]| {
        move |command: &mut AlterPartition| {
            command.partitions[0].isr = isr.iter().map(|(id, epoch)| (BrokerId::new(*id), *epoch)).collect();
        }
    };
    assert_eq!(
        refuse(&|command| command.partitions[0].topic_id = TopicId::new(Uuid::from_u64_pair(8, 8))),
        ErrorCode::UnknownTopicId
    );
    assert_eq!(refuse(&|command| command.partitions[0].partition = 1), ErrorCode::UnknownTopicOrPartition);
    assert_eq!(
        refuse(&|command| command.partitions[0].leader_epoch = LeaderEpoch::new(1)),
        ErrorCode::NotController
    );
    assert_eq!(
        refuse(&|command| command.partitions[0].leader_epoch = LeaderEpoch::new(-1)),
        ErrorCode::FencedLeaderEpoch
    );
    assert_eq!(refuse(&|command| command.partitions[0].partition_epoch = 0), ErrorCode::InvalidUpdateVersion);
    assert_eq!(refuse(&|command| command.partitions[0].partition_epoch = 9), ErrorCode::NotController);
    for illegal in [&[(2, -1)][..], &[(1, -1), (1, -1)], &[(1, -1), (3, -1)], &[]] {
        assert_eq!(refuse(&isr(illegal)), ErrorCode::InvalidRequest, "{illegal:?}");
    }
    assert_eq!(refuse(&isr(&[(1, -1), (2, 77)])), ErrorCode::IneligibleReplica);
    assert_eq!(refuse(&|command| command.partitions[0].leader_recovery_state = 1), ErrorCode::InvalidRequest);
}

#[test]
fn a_stale_broker_epoch_refuses_the_whole_report() {
    let mut world = World::of(1);
    world.create_assigned("a", &[&[1]]);
    let mut command = report(&world, &[(1, -1)]);
    command.broker_epoch += 1;
    let reply = world.run(Command::AlterPartition(command));
    let Reply::AlterPartition(Err(refusal)) = reply else {
        panic!("{reply:?}");
    };
    assert_eq!(refusal.code, ErrorCode::StaleBrokerEpoch);
}

#[test]
fn replicas_are_assigned_to_directories() {
    let mut world = World::of(2);
    let topic_id = world.create_assigned("a", &[&[1], &[2]]);
    let unknown = TopicId::new(Uuid::from_u64_pair(8, 8));
    let broker_epoch = world.controller.image().broker(BrokerId::new(1)).unwrap().epoch;
    let replicas =
        vec![(dir(1), topic_id, 0), (dir(1), topic_id, 1), (dir(1), topic_id, 2), (dir(1), unknown, 0)];
    let reply = world.run(Command::AssignReplicasToDirs(AssignReplicasToDirs {
        broker_id: BrokerId::new(1),
        broker_epoch,
        replicas,
    }));
    let Reply::AssignReplicasToDirs(Ok(reply)) = reply else {
        panic!("{reply:?}");
    };
    let errors: Vec<_> = reply.iter().map(|AssignedReplica { error, .. }| *error).collect();
    assert_eq!(
        errors,
        [
            None,
            Some(ErrorCode::NotLeaderOrFollower),
            Some(ErrorCode::UnknownTopicOrPartition),
            Some(ErrorCode::UnknownTopicId)
        ]
    );
    // A directory that is not online: the replica cannot lead there.
    world.run(Command::AssignReplicasToDirs(AssignReplicasToDirs {
        broker_id: BrokerId::new(1),
        broker_epoch,
        replicas: vec![(dir(99), topic_id, 0)],
    }));
    assert_eq!(world.partition("a", 0).directories, [dir(99)]);
}
