use super::*;
use crate::command::{Command, Reply};
use crate::testing::{World, supported_features};

fn update(world: &mut World, name: &str, level: i16, upgrade_type: i8) -> Result<(), String> {
    update_all(world, &[(name, level, upgrade_type)])
}

fn update_all(world: &mut World, updates: &[(&str, i16, i8)]) -> Result<(), String> {
    match world.run(Command::UpdateFeatures(command(updates))) {
        Reply::UpdateFeatures(result) => result.map_err(|error| {
            assert_eq!(error.code, ErrorCode::InvalidUpdateVersion);
            let message = error.message.unwrap();
            let prefix = "The update failed for all features since the following feature had an error: ";
            message.strip_prefix(prefix).expect(prefix).to_owned()
        }),
        other => panic!("{other:?}"),
    }
}

fn command(updates: &[(&str, i16, i8)]) -> UpdateFeatures {
    UpdateFeatures {
        updates: updates
            .iter()
            .map(|(name, level, upgrade_type)| FeatureUpdate {
                name: (*name).to_owned(),
                level: *level,
                upgrade_type: *upgrade_type,
            })
            .collect(),
        validate_only: false,
    }
}

#[test]
fn levels_are_finalized_and_removed() {
    let mut world = World::of(1);
    assert_eq!(update(&mut world, "group.version", 1, UPGRADE), Ok(()));
    assert_eq!(world.controller.image().features().level("group.version"), 1);
    assert_eq!(
        update(&mut world, "group.version", 0, UPGRADE).unwrap_err(),
        "Invalid update version 0 for feature group.version. Can't downgrade the version of this feature without \
         setting the upgrade type to either safe or unsafe downgrade."
    );
    assert_eq!(update(&mut world, "group.version", 0, SAFE_DOWNGRADE), Ok(()));
    assert!(world.controller.image().features().finalized().is_empty());
    assert_eq!(
        update(&mut world, "group.version", 1, UNSAFE_DOWNGRADE).unwrap_err(),
        "Invalid update version 1 for feature group.version. Can't downgrade to a newer version."
    );
}

#[test]
fn what_nobody_supports_is_refused() {
    let mut world = World::of(1);
    let mut refuse = |name, level| update(&mut world, name, level, UPGRADE).unwrap_err();
    assert_eq!(
        refuse("transaction.version", 2),
        "Invalid update version 2 for feature transaction.version. Local controller 1 does not support this feature."
    );
    assert_eq!(
        refuse("group.version", 2),
        "Invalid update version 2 for feature group.version. Local controller 1 only supports versions 0-1"
    );
    assert_eq!(
        refuse("group.version", -1),
        "Invalid update version -1 for feature group.version. A feature version cannot be less than 0."
    );
    assert_eq!(refuse("planet", 0), "Invalid update version 0 for feature planet. Feature planet not found.");
    assert_eq!(
        update(&mut world, "group.version", 1, 0).unwrap_err(),
        "Invalid update version 1 for feature group.version. The controller does not support the given upgrade type."
    );
}

#[test]
fn every_registered_node_must_support_the_level() {
    let mut world = World::of(1);
    let mut registration = world.registration(2);
    registration.features = vec![FeatureRange::new(METADATA_VERSION, 7, 27)];
    world.register(registration).unwrap();
    assert_eq!(
        update(&mut world, "group.version", 1, UPGRADE).unwrap_err(),
        "Invalid update version 1 for feature group.version. Broker 2 does not support this feature."
    );
}

#[test]
fn metadata_version_is_never_downgraded_over_a_change_of_its_records() {
    let mut world = World::of(1);
    assert_eq!(
        update(&mut world, METADATA_VERSION, 28, UPGRADE).unwrap_err(),
        "Invalid update version 28 for feature metadata.version. Local controller 1 only supports versions 7-27"
    );
    assert_eq!(
        update(&mut world, METADATA_VERSION, 22, SAFE_DOWNGRADE).unwrap_err(),
        "Unsupported metadata.version downgrade from 27 to 22. Refusing to perform the requested downgrade because it \
         might delete metadata information."
    );
    assert_eq!(
        update(&mut world, METADATA_VERSION, 22, UNSAFE_DOWNGRADE).unwrap_err(),
        "Unsupported metadata.version downgrade from 27 to 22. Unsafe metadata downgrade is not supported in this version."
    );
    assert_eq!(update(&mut world, METADATA_VERSION, 24, SAFE_DOWNGRADE), Ok(()));
    let level = |world: &World| world.controller.image().metadata_version().map(MetadataVersion::level);
    assert_eq!(level(&world), Some(24));
    assert_eq!(update(&mut world, METADATA_VERSION, 27, UPGRADE), Ok(()));
    assert_eq!(level(&world), Some(27));
}

#[test]
fn the_quorums_own_version_stays() {
    let mut world = World::of(1);
    let mut settings = crate::testing::settings();
    settings.supported_features.push(FeatureRange::new(KRAFT_VERSION, 0, 1));
    world.controller.settings = settings;
    // The broker registered without it; Kafka's brokers say what they support.
    let mut registration = world.registration(1);
    registration.features = supported_features();
    registration.features.push(FeatureRange::new(KRAFT_VERSION, 0, 1));
    world.register(registration).unwrap();
    assert_eq!(update(&mut world, KRAFT_VERSION, 0, UPGRADE), Ok(()));
    assert!(matches!(world.log.last(), Some(MetadataRecord::NoOp(_))));
    assert_eq!(
        update(&mut world, KRAFT_VERSION, 1, UPGRADE).unwrap_err(),
        "Invalid update version 1 for feature kraft.version. The voters of this quorum are static."
    );
}

#[test]
fn one_bad_update_refuses_all_and_validate_only_changes_nothing() {
    let mut world = World::of(1);
    let updates = [("group.version", 1, UPGRADE), (METADATA_VERSION, 22, SAFE_DOWNGRADE)];
    assert!(update_all(&mut world, &updates).is_err());
    assert_eq!(world.controller.image().features().level("group.version"), 0);
    let mut command = command(&updates[..1]);
    command.validate_only = true;
    let outcome = world.decide(Command::UpdateFeatures(command));
    assert_eq!((outcome.records, outcome.reply), (Vec::new(), Reply::UpdateFeatures(Ok(()))));
}

#[test]
fn elr_needs_its_metadata_version_and_one_min_isr_for_all() {
    let name = ELIGIBLE_LEADER_REPLICAS_VERSION;
    let mut world = World::of(1);
    let key = "min.insync.replicas";
    world.set(ConfigResourceType::Broker, "1", &[(key, 0, Some("2"))]);
    assert_eq!(update(&mut world, name, 1, UPGRADE), Ok(()));
    let image = world.controller.image();
    assert_eq!(image.configs().value(&ConfigResource::all_brokers(), key), Some("1"));
    let broker = ConfigResource::broker(model::BrokerId::new(1));
    assert_eq!(image.configs().value(&broker, key), None);

    let mut world = World::of(1);
    world.append(vec![feature_level(METADATA_VERSION, 22)]);
    assert_eq!(
        update(&mut world, name, 1, UPGRADE).unwrap_err(),
        "Invalid update version 1 for feature eligible.leader.replicas.version. eligible.leader.replicas.version \
         could not be set to 1 because it depends on metadata.version level 23"
    );
    // Both at once work: what counts is what will be.
    assert_eq!(update_all(&mut world, &[(METADATA_VERSION, 27, UPGRADE), (name, 1, UPGRADE)]), Ok(()));
}
