use model::{BrokerId, ErrorCode};

use crate::command::{AllocateProducerIds, ApiError, Command, ProducerIdBlock, Reply};
use crate::record::{MetadataRecord, ProducerIdsRecord};
use crate::testing::{World, error};

fn allocate(world: &mut World, broker: i32, broker_epoch: i64) -> Result<ProducerIdBlock, ApiError> {
    match world.run(Command::AllocateProducerIds(AllocateProducerIds {
        broker_id: BrokerId::new(broker),
        broker_epoch,
    })) {
        Reply::AllocateProducerIds(result) => result,
        other => panic!("{other:?}"),
    }
}

#[test]
fn no_block_is_handed_out_twice_also_after_a_restart() {
    let mut world = World::empty();
    let epoch = world.join(1);
    let block = |first| Ok(ProducerIdBlock { first, count: 1000 });
    assert_eq!(allocate(&mut world, 1, epoch), block(0));
    assert_eq!(allocate(&mut world, 1, epoch), block(1000));
    world.controller = world.reread();
    assert_eq!(allocate(&mut world, 1, epoch), block(2000));
    assert_eq!(world.controller.image().next_producer_id(), 3000);
}

#[test]
fn only_registered_brokers_get_blocks() {
    let mut world = World::empty();
    let epoch = world.join(1);
    assert_eq!(
        allocate(&mut world, 2, epoch),
        Err(error(ErrorCode::StaleBrokerEpoch, "No broker registration found for broker id 2"))
    );
    let message = format!("Expected broker epoch {epoch}, but got broker epoch 999");
    assert_eq!(allocate(&mut world, 1, 999), Err(error(ErrorCode::StaleBrokerEpoch, &message)));
}

#[test]
fn the_last_ids_are_never_handed_out() {
    let mut world = World::empty();
    let epoch = world.join(1);
    world.append(vec![MetadataRecord::ProducerIds(ProducerIdsRecord {
        next_producer_id: i64::MAX - 500,
        ..ProducerIdsRecord::default()
    })]);
    assert_eq!(allocate(&mut world, 1, epoch), Err(ApiError::silent(ErrorCode::UnknownServerError)));
}
