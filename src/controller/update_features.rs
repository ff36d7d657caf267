//! UpdateFeatures (`FeatureControlManager`, KIP-584, KIP-778, KIP-1022): all levels change, or none.

use std::collections::BTreeMap;

use model::ErrorCode;

use crate::alter_configs::config_record;
use crate::command::{ApiError, FeatureUpdate, Outcome, UpdateFeatures};
use crate::controller::{Controller, MIN_INSYNC_REPLICAS};
use crate::feature::{ELIGIBLE_LEADER_REPLICAS_VERSION, KRAFT_VERSION, METADATA_VERSION, MetadataVersion};
use crate::image::{ConfigResource, ConfigResourceType};
use crate::record::{FeatureRange, MetadataRecord, NoOpRecord};
use crate::snapshot::feature_level;

/// `FeatureUpdate.UpgradeType`.
const UPGRADE: i8 = 1;
const SAFE_DOWNGRADE: i8 = 2;
const UNSAFE_DOWNGRADE: i8 = 3;

/// `metadata.version` level that eligible leader replicas depend on (4.0-IV1).
const ELR_METADATA_VERSION: i16 = 23;

impl Controller {
    /// Finalizes feature levels. The reply's error is the whole request's.
    pub fn update_features(&self, command: UpdateFeatures) -> Outcome<Result<(), ApiError>> {
        // As in Kafka, the last of several updates of one feature counts.
        let updates: BTreeMap<_, _> =
            command.updates.iter().map(|update| (update.name.as_str(), update)).collect();
        let metadata_level =
            updates.get(METADATA_VERSION).map_or(self.image.record_version().level(), |update| update.level);
        let mut records = Vec::new();
        for update in updates.values() {
            match self.update_feature(update, metadata_level) {
                Ok(record) => records.extend(record),
                Err(reason) => {
                    let message = format!(
                        "The update failed for all features since the following feature had an error: {reason}"
                    );
                    return Outcome::only(Err(ApiError::new(ErrorCode::InvalidUpdateVersion, message)));
                }
            }
        }
        if command.validate_only {
            return Outcome::only(Ok(()));
        }
        let enables_elr =
            updates.get(ELIGIBLE_LEADER_REPLICAS_VERSION).is_some_and(|update| update.level > 0);
        if enables_elr {
            let mut all = self.elr_safety_records();
            all.append(&mut records);
            records = all;
        }
        Outcome { records, reply: Ok(()) }
    }

    fn update_feature(
        &self,
        update: &FeatureUpdate,
        metadata_level: i16,
    ) -> Result<Option<MetadataRecord>, String> {
        let FeatureUpdate { name, level, .. } = update;
        let level = *level;
        let refuse = |reason: &str| format!("Invalid update version {level} for feature {name}. {reason}");
        if ![UPGRADE, SAFE_DOWNGRADE, UNSAFE_DOWNGRADE].contains(&update.upgrade_type) {
            return Err(refuse("The controller does not support the given upgrade type."));
        }
        let current = match name.as_str() {
            METADATA_VERSION => self.image.record_version().level(),
            KRAFT_VERSION => self.settings.kraft_version,
            name => self.image.features().level(name),
        };
        if level < 0 {
            return Err(refuse("A feature version cannot be less than 0."));
        }
        if let Some(reason) = self.reason_not_supported(name, level) {
            return Err(refuse(&reason));
        }
        let is_upgrade = update.upgrade_type == UPGRADE;
        if level < current && is_upgrade {
            return Err(refuse(
                "Can't downgrade the version of this feature without setting the upgrade type to either safe or \
                 unsafe downgrade.",
            ));
        }
        if level > current && !is_upgrade {
            return Err(refuse("Can't downgrade to a newer version."));
        }
        match name.as_str() {
            METADATA_VERSION => self.update_metadata_version(update).map(Some),
            KRAFT_VERSION if level == current => {
                Ok(is_upgrade.then(|| MetadataRecord::NoOp(NoOpRecord::default())))
            }
            KRAFT_VERSION if !is_upgrade => Err(refuse("Can't downgrade the version of this feature.")),
            // The voters would have to move from the configuration into the log.
            KRAFT_VERSION => Err(refuse("The voters of this quorum are static.")),
            name if !FEATURES.contains(&name) => Err(refuse(&format!("Feature {name} not found."))),
            ELIGIBLE_LEADER_REPLICAS_VERSION if level > 0 && metadata_level < ELR_METADATA_VERSION => {
                Err(refuse(&format!(
                    "{name} could not be set to {level} because it depends on {METADATA_VERSION} level \
                     {ELR_METADATA_VERSION}"
                )))
            }
            name => Ok(Some(feature_level(name, level))),
        }
    }

    /// Why this controller, or a registered node, cannot work with the level.
    fn reason_not_supported(&self, name: &str, level: i16) -> Option<String> {
        let mut ours = self.settings.supported_features.iter().find(|feature| feature.name == name).cloned();
        if let Some(ours) = ours.as_mut().filter(|ours| ours.name == METADATA_VERSION) {
            ours.max = ours.max.max(MetadataVersion::newest_of(self.image.metadata_version()).level());
        }
        let node_id = self.settings.node_id;
        let local = out_of_range(&format!("Local controller {node_id}"), ours.as_ref(), level);
        local
            .or_else(|| {
                let mut brokers = self.image.cluster().brokers();
                brokers.find_map(|broker| {
                    out_of_range(&format!("Broker {}", broker.id), broker.feature(name), level)
                })
            })
            .or_else(|| {
                let others = self.image.cluster().controllers();
                let mut others = others.filter(|controller| controller.controller_id != node_id);
                others.find_map(|controller| {
                    let theirs = controller.features.iter().find(|feature| feature.name == name);
                    out_of_range(&format!("Controller {}", controller.controller_id), theirs, level)
                })
            })
    }

    fn update_metadata_version(&self, update: &FeatureUpdate) -> Result<MetadataRecord, String> {
        let level = update.level;
        let new = MetadataVersion::from_level(level).ok_or_else(|| {
            format!(
                "Invalid metadata.version {level}. Valid versions are from {} to {}.",
                MetadataVersion::MINIMUM.level(),
                MetadataVersion::NEWEST_UNDERSTOOD.level()
            )
        })?;
        let current = self.image.record_version();
        if new < current && current.loses_metadata_at(new) {
            let reason = if update.upgrade_type == UNSAFE_DOWNGRADE {
                "Unsafe metadata downgrade is not supported in this version."
            } else {
                "Refusing to perform the requested downgrade because it might delete metadata information."
            };
            let from = current.level();
            return Err(format!("Unsupported metadata.version downgrade from {from} to {level}. {reason}"));
        }
        Ok(feature_level(METADATA_VERSION, level))
    }

    /// Before eligible leader replicas are kept, all brokers get the same `min.insync.replicas`.
    fn elr_safety_records(&self) -> Vec<MetadataRecord> {
        let configs = self.image.configs();
        let all = ConfigResource::all_brokers();
        let mut records = Vec::new();
        if configs.value(&all, MIN_INSYNC_REPLICAS).is_none() {
            let value = self.settings.min_insync_replicas.to_string();
            records.push(config_record(&all, MIN_INSYNC_REPLICAS, Some(value)));
        }
        let of_one_broker = configs.iter().filter(|(resource, values)| {
            resource.resource_type == ConfigResourceType::Broker
                && !resource.name.is_empty()
                && values.contains_key(MIN_INSYNC_REPLICAS)
        });
        records.extend(of_one_broker.map(|(resource, _)| config_record(resource, MIN_INSYNC_REPLICAS, None)));
        records
    }
}

/// The features of Kafka 4.1, `metadata.version` and `kraft.version` apart.
const FEATURES: [&str; 5] = [
    "transaction.version",
    "group.version",
    ELIGIBLE_LEADER_REPLICAS_VERSION,
    "share.version",
    "streams.version",
];

fn out_of_range(who: &str, range: Option<&FeatureRange>, level: i16) -> Option<String> {
    let (min, max) = range.map_or((0, 0), |range| (range.min, range.max));
    if (min..=max).contains(&level) {
        None
    } else if max == 0 {
        Some(format!("{who} does not support this feature."))
    } else if min == max {
        Some(format!("{who} only supports versions {min}"))
    } else {
        Some(format!("{who} only supports versions {min}-{max}"))
    }
}

#[cfg(test)]
#[path = "update_features_tests.rs"]
mod tests;
