use crate::controller::Controller;
use crate::feature::MetadataVersion;
use crate::record::{BeginTransactionRecord, MetadataRecord};
use crate::testing::{World, settings};

fn kinds(records: &[MetadataRecord]) -> Vec<i16> {
    records.iter().map(MetadataRecord::api_key).collect()
}

#[test]
fn an_empty_log_begins_with_the_bootstrap_records_in_a_transaction() {
    let bootstrap = crate::bootstrap_records(&[("transaction.version", 2), ("group.version", 0)]);
    assert_eq!(kinds(&bootstrap), [12, 12], "levels of 0 are not written");
    let controller = Controller::new(settings());
    let records = controller.activation_records(&bootstrap);
    assert_eq!(kinds(&records), [23, 12, 12, 24]);
    let mut world = World::empty();
    world.controller = controller;
    world.log.clear();
    world.append(records);
    let image = world.controller.image();
    assert_eq!(image.metadata_version(), Some(MetadataVersion::LATEST));
    assert_eq!(image.features().level("transaction.version"), 2);
    assert_eq!(image.features().level("group.version"), 0);
    assert_eq!(world.controller.activation_records(&bootstrap), []);
}

#[test]
fn a_half_written_bootstrap_is_aborted_and_written_again() {
    let bootstrap = crate::bootstrap_records(&[]);
    let mut world = World::empty();
    world.controller = Controller::new(settings());
    world.log.clear();
    let mut records = world.controller.activation_records(&bootstrap);
    records.pop();
    world.append(records);
    assert_eq!(world.controller.image().metadata_version(), Some(MetadataVersion::LATEST));
    let records = world.controller.activation_records(&bootstrap);
    assert_eq!(kinds(&records), [25, 23, 12, 24]);
    world.append(records);
    assert_eq!(world.controller.activation_records(&bootstrap), []);
}

#[test]
fn an_open_transaction_is_aborted_and_leaves_no_trace() {
    let mut world = World::of(1);
    world.create_assigned("kept", &[&[1]]);
    let before = world.controller.image();
    world.append(vec![MetadataRecord::BeginTransaction(BeginTransactionRecord::default())]);
    world.create_assigned("lost", &[&[1]]);
    let records = world.controller.activation_records(&[]);
    assert_eq!(kinds(&records), [25]);
    world.append(records);
    let after = world.controller.image();
    assert_eq!(after.snapshot(), before.snapshot());
    assert!(after.topic("lost").is_none());
}

#[test]
fn old_metadata_versions_know_no_transactions() {
    let bootstrap = vec![crate::snapshot::feature_level("metadata.version", 8)];
    let records = Controller::new(settings()).activation_records(&bootstrap);
    assert_eq!(records, bootstrap);
}
