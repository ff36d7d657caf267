//! The first records of a cluster, and what a controller appends before anything else.

use crate::alter_configs::config_record;
use crate::controller::{Controller, MIN_INSYNC_REPLICAS};
use crate::feature::{ELIGIBLE_LEADER_REPLICAS_VERSION, METADATA_VERSION, MetadataVersion};
use crate::image::ConfigResource;
use crate::record::{AbortTransactionRecord, BeginTransactionRecord, EndTransactionRecord, MetadataRecord};
use crate::snapshot::feature_level;

/// Records of `bootstrap.checkpoint` in a freshly formatted directory: `metadata.version` 4.1-IV1 and the
/// given levels of other features, of which those above 0 are written
/// (`BootstrapMetadata.fromVersions`).
pub fn bootstrap_records(feature_levels: &[(&str, i16)]) -> Vec<MetadataRecord> {
    let mut levels: Vec<_> = feature_levels.iter().filter(|(_, level)| *level > 0).collect();
    levels.sort_unstable();
    let mut records = vec![feature_level(METADATA_VERSION, MetadataVersion::LATEST.level())];
    records.extend(levels.into_iter().map(|(name, level)| feature_level(name, *level)));
    records
}

impl Controller {
    /// Records that a controller appends when it takes over, before anything else: the records of
    /// `bootstrap.checkpoint`, inside a transaction, on an empty log; the end of a transaction that its
    /// predecessor left open; or nothing (`ActivationRecordsGenerator`).
    pub fn activation_records(&self, bootstrap: &[MetadataRecord]) -> Vec<MetadataRecord> {
        let mut records = Vec::new();
        if self.before_transaction.is_some() {
            records.push(MetadataRecord::AbortTransaction(AbortTransactionRecord {
                reason: Some("Controller failover".to_owned()),
                unknown: Vec::new(),
            }));
        }
        let committed = self.before_transaction.as_ref().unwrap_or(&self.image);
        if committed.metadata_version().is_some() {
            return records;
        }
        let in_transaction = bootstrap_level(bootstrap, METADATA_VERSION)
            .and_then(MetadataVersion::from_level)
            .is_none_or(MetadataVersion::has_transactions);
        if in_transaction {
            records.push(MetadataRecord::BeginTransaction(BeginTransactionRecord {
                name: Some("Bootstrap records".to_owned()),
                unknown: Vec::new(),
            }));
        }
        records.extend_from_slice(bootstrap);
        // With eligible leader replicas, all brokers share one value from the start (KIP-966).
        if bootstrap_level(bootstrap, ELIGIBLE_LEADER_REPLICAS_VERSION).is_some_and(|level| level > 0) {
            let value = self.settings.min_insync_replicas.to_string();
            records.push(config_record(&ConfigResource::all_brokers(), MIN_INSYNC_REPLICAS, Some(value)));
        }
        if in_transaction {
            records.push(MetadataRecord::EndTransaction(EndTransactionRecord::default()));
        }
        records
    }
}

fn bootstrap_level(bootstrap: &[MetadataRecord], name: &str) -> Option<i16> {
    bootstrap.iter().find_map(|record| match record {
        MetadataRecord::FeatureLevel(record) if record.name == name => Some(record.feature_level),
        _ => None,
    })
}

#[cfg(test)]
#[path = "bootstrap_tests.rs"]
mod tests;
