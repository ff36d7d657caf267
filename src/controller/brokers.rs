//! Brokers and controllers that come, go and change state (`ClusterControlManager`,
//! `ReplicationControlManager.handleBroker*`).

use std::collections::BTreeSet;

use model::{BrokerId, ErrorCode};
use uuid::Uuid;

use crate::command::{ApiError, BrokerChange, BrokerState, Outcome, RegisterBroker, RegisterController};
use crate::controller::Controller;
use crate::feature::METADATA_VERSION;
use crate::image::{Broker, Partition, Topic, is_reserved_directory};
use crate::partition_change::{Election, PartitionChange};
use crate::record::{
    BrokerRegistrationChangeRecord, FencingChange, MetadataRecord, RegisterBrokerRecord,
    RegisterControllerRecord, UnregisterBrokerRecord,
};

impl Controller {
    /// A broker process joins, fenced; the reply is its epoch. A new process of a known broker takes over
    /// from the old one, whose partitions lose their leader first.
    pub fn register_broker(&self, command: RegisterBroker) -> Outcome<Result<i64, ApiError>> {
        let existing = self.image.broker(command.broker_id);
        if let Err(error) = self.check_registration(&command, existing.map(AsRef::as_ref)) {
            return Outcome::only(Err(error));
        }
        let version = self.image.record_version();
        let mut record = RegisterBrokerRecord {
            version: version.register_broker_record_version(),
            broker_id: command.broker_id,
            incarnation_id: command.incarnation_id,
            broker_epoch: command.next_offset,
            endpoints: command.endpoints,
            features: command.features,
            rack: command.rack,
            fenced: true,
            ..RegisterBrokerRecord::default()
        };
        if version.has_directories() {
            record.log_dirs = command.log_dirs;
        }
        let mut records = Vec::new();
        match existing {
            Some(broker) if broker.incarnation_id == command.incarnation_id => {
                record.broker_epoch = broker.epoch;
                record.fenced = broker.fenced;
                record.in_controlled_shutdown = broker.in_controlled_shutdown;
            }
            _ => {
                // -2 is the epoch of no broker: who has never been here cannot have stopped cleanly.
                let stored_epoch = existing.map_or(-2, |broker| broker.epoch);
                let is_clean = stored_epoch == command.previous_broker_epoch;
                self.hand_over_partitions(command.broker_id, is_clean, &mut records);
            }
        }
        let broker_epoch = record.broker_epoch;
        records.push(MetadataRecord::RegisterBroker(record));
        Outcome { records, reply: Ok(broker_epoch) }
    }

    fn check_registration(
        &self,
        command: &RegisterBroker,
        existing: Option<&Broker>,
    ) -> Result<(), ApiError> {
        if command.cluster_id != self.settings.cluster_id {
            let message = format!(
                "Expected cluster ID {}, but got cluster ID {}",
                self.settings.cluster_id, command.cluster_id
            );
            return Err(ApiError::new(ErrorCode::InconsistentClusterId, message));
        }
        let is_other = existing.is_some_and(|broker| broker.incarnation_id != command.incarnation_id);
        if is_other && command.session_is_valid {
            return Err(ApiError::new(
                ErrorCode::DuplicateBrokerRegistration,
                "Another broker is registered with that broker id. If the broker was recently restarted this \
                 should self-resolve once the heartbeat manager expires the broker's session.",
            ));
        }
        if self.image.record_version().has_directories() {
            self.check_log_dirs(command)
                .map_err(|reason| ApiError::new(ErrorCode::InvalidRegistration, reason))?;
        }
        self.check_features(command)
    }

    fn check_log_dirs(&self, command: &RegisterBroker) -> Result<(), String> {
        if command.log_dirs.is_empty() {
            return Err("No directories specified in request".to_owned());
        }
        if command.log_dirs.iter().copied().any(is_reserved_directory) {
            return Err("Reserved directory ID in request".to_owned());
        }
        let unique: BTreeSet<_> = command.log_dirs.iter().collect();
        if unique.len() != command.log_dirs.len() {
            return Err("Duplicate directory ID in request".to_owned());
        }
        for directory in &command.log_dirs {
            let holds = |broker: &&std::sync::Arc<Broker>| {
                broker.id != command.broker_id && broker.log_dirs.contains(directory)
            };
            if let Some(other) = self.image.cluster().brokers().find(holds) {
                let directory = model::ids::uuid_to_base64(*directory);
                return Err(format!("Broker {} is already registered with directory {directory}", other.id));
            }
        }
        Ok(())
    }

    /// Every finalized feature must be within what the broker supports. Features that this controller does
    /// not implement itself bind nobody: their levels are only kept for programs that do.
    fn check_features(&self, command: &RegisterBroker) -> Result<(), ApiError> {
        if !command.features.iter().any(|feature| feature.name == METADATA_VERSION) {
            let message = format!("Request features do not contain '{METADATA_VERSION}'");
            return Err(ApiError::new(ErrorCode::InvalidRegistration, message));
        }
        for ours in self.settings.supported_features.iter().filter(|ours| ours.max > 0) {
            let finalized = match ours.name.as_str() {
                METADATA_VERSION => self.image.record_version().level(),
                name => self.image.features().level(name),
            };
            let theirs = command.features.iter().find(|theirs| theirs.name == ours.name);
            let (min, max) = theirs.map_or((0, 0), |theirs| (theirs.min, theirs.max));
            if !(min..=max).contains(&finalized) {
                let message = format!(
                    "Unable to register because the broker does not support finalized version {finalized} of {}. \
                     The broker wants a version between {min} and {max}, inclusive.",
                    ours.name
                );
                return Err(ApiError::new(ErrorCode::UnsupportedVersion, message));
            }
        }
        Ok(())
    }

    /// A controller process joins.
    pub fn register_controller(&self, command: RegisterController) -> Outcome<Result<(), ApiError>> {
        if !self.image.record_version().has_controller_registration() {
            let message = "The current MetadataVersion is too old to support controller registrations.";
            return Outcome::only(Err(ApiError::new(ErrorCode::UnsupportedVersion, message)));
        }
        Outcome {
            records: vec![MetadataRecord::RegisterController(RegisterControllerRecord {
                controller_id: command.controller_id,
                incarnation_id: command.incarnation_id,
                zk_migration_ready: false,
                endpoints: command.endpoints,
                features: command.features,
                unknown: Vec::new(),
            })],
            reply: Ok(()),
        }
    }

    /// A broker is forgotten, and leaves all ISRs.
    pub fn unregister_broker(&self, broker_id: BrokerId) -> Outcome<Result<(), ApiError>> {
        let Some(broker) = self.image.broker(broker_id) else {
            let message = format!("Broker ID {broker_id} is not currently registered");
            return Outcome::only(Err(ApiError::new(ErrorCode::BrokerIdNotRegistered, message)));
        };
        let mut records = Vec::new();
        let id = Some(broker_id);
        self.leave_isr(id, None, None, self.in_isr_of(broker_id), &mut records);
        self.leave_isr(id, None, None, self.in_elr_of(broker_id), &mut records);
        records.push(MetadataRecord::UnregisterBroker(UnregisterBrokerRecord {
            broker_id,
            broker_epoch: broker.epoch,
            unknown: Vec::new(),
        }));
        Outcome { records, reply: Ok(()) }
    }

    /// A registered broker is unfenced, fenced, being stopped, or loses log directories. What is so already
    /// leads to no record.
    pub fn change_broker_state(&self, command: BrokerState) -> Outcome<Result<(), ApiError>> {
        let broker = match self.check_broker_epoch(command.broker_id, command.broker_epoch) {
            Ok(broker) => broker,
            Err(error) => return Outcome::only(Err(error)),
        };
        let id = broker.id;
        let mut records = Vec::new();
        match command.change {
            // A process that is being stopped does not come back: its successor registers anew.
            BrokerChange::Unfence if broker.fenced && !broker.in_controlled_shutdown => {
                records.push(fencing(broker, FencingChange::Unfence));
                self.leave_isr(None, Some(id), None, self.leaderless(), &mut records);
            }
            BrokerChange::Fence if !broker.fenced => {
                self.leave_isr(Some(id), None, None, self.in_isr_of(id), &mut records);
                records.push(fencing(broker, FencingChange::Fence));
            }
            // A fenced broker leads nothing and may stop as it is.
            BrokerChange::ControlledShutdown if !broker.fenced => {
                if !broker.in_controlled_shutdown {
                    records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
                        version: 1,
                        broker_id: id,
                        broker_epoch: broker.epoch,
                        enters_controlled_shutdown: true,
                        ..BrokerRegistrationChangeRecord::default()
                    }));
                }
                self.leave_isr(Some(id), None, None, self.in_isr_of(id), &mut records);
            }
            BrokerChange::Unfence | BrokerChange::Fence | BrokerChange::ControlledShutdown => {}
            BrokerChange::OfflineDirs(dirs) => self.lose_directories(broker, &dirs, &mut records),
            BrokerChange::CordonedDirs(dirs) => records.extend(self.cordon_directories(broker, dirs)),
        }
        Outcome { records, reply: Ok(()) }
    }

    fn lose_directories(&self, broker: &Broker, offline: &[Uuid], records: &mut Vec<MetadataRecord>) {
        if !self.image.record_version().has_directories() {
            return;
        }
        let (lost, left): (Vec<Uuid>, Vec<Uuid>) =
            broker.log_dirs.iter().partition(|dir| offline.contains(dir));
        if lost.is_empty() {
            return;
        }
        for directory in lost {
            let stored =
                self.partitions().filter(|(.., partition)| partition.directory(broker.id) == Some(directory));
            self.leave_isr(Some(broker.id), None, None, stored, records);
        }
        records.push(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            version: 2,
            broker_id: broker.id,
            broker_epoch: broker.epoch,
            log_dirs: left,
            ..BrokerRegistrationChangeRecord::default()
        }));
    }

    /// Nothing where a metadata.version has no place for it (KIP-1066).
    fn cordon_directories(&self, broker: &Broker, dirs: Vec<Uuid>) -> Option<MetadataRecord> {
        let as_set = |dirs: &[Uuid]| dirs.iter().copied().collect::<BTreeSet<_>>();
        let is_known = broker.cordoned_log_dirs.as_ref().is_some_and(|known| as_set(known) == as_set(&dirs));
        if is_known || !self.image.record_version().has_cordoned_directories() {
            return None;
        }
        Some(MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
            version: 3,
            broker_id: broker.id,
            broker_epoch: broker.epoch,
            cordoned_log_dirs: Some(dirs),
            ..BrokerRegistrationChangeRecord::default()
        }))
    }

    /// What the broker's last process led or had in sync goes to others, or waits.
    fn hand_over_partitions(&self, id: BrokerId, is_clean: bool, records: &mut Vec<MetadataRecord>) {
        if self.image.elr_enabled() && !is_clean {
            self.leave_isr(None, None, Some(id), self.in_isr_of(id), records);
            self.leave_isr(None, None, Some(id), self.in_elr_of(id), records);
        } else {
            self.leave_isr(Some(id), None, None, self.in_isr_of(id), records);
        }
    }

    /// Changes ISRs and leaders of `partitions`: `removed` and `unclean` leave the ISR and may not lead,
    /// `added` may lead although it is still fenced in the image
    /// (`ReplicationControlManager.generateLeaderAndIsrUpdates`).
    pub(crate) fn leave_isr<'a>(
        &'a self,
        removed: Option<BrokerId>,
        added: Option<BrokerId>,
        unclean: Option<BrokerId>,
        partitions: impl Iterator<Item = (&'a Topic, i32, &'a Partition)>,
        records: &mut Vec<MetadataRecord>,
    ) {
        for (topic, index, partition) in partitions {
            let min_isr = self.effective_min_isr(topic);
            let mut change = PartitionChange::new(&self.image, topic.id, index, partition, min_isr);
            change.accept(move |id| {
                let gone = Some(id) == removed || Some(id) == unclean;
                !gone && (Some(id) == added || self.image.cluster().is_active(id))
            });
            if self.unclean_election_enabled(&topic.name) {
                change.election = Election::Unclean;
            }
            change.unclean_shutdown = unclean;
            change.isr.retain(|id| Some(*id) != removed && Some(*id) != unclean);
            records.extend(change.build().map(MetadataRecord::PartitionChange));
        }
    }

    fn partitions(&self) -> impl Iterator<Item = (&Topic, i32, &Partition)> {
        self.image.topics().iter().flat_map(|topic| {
            let partitions = topic.partitions.iter();
            partitions.map(|(index, partition)| (topic.as_ref(), *index, partition.as_ref()))
        })
    }

    fn in_isr_of(&self, id: BrokerId) -> impl Iterator<Item = (&Topic, i32, &Partition)> {
        self.partitions().filter(move |(.., partition)| partition.isr.contains(&id))
    }

    fn in_elr_of(&self, id: BrokerId) -> impl Iterator<Item = (&Topic, i32, &Partition)> {
        self.partitions().filter(move |(.., partition)| partition.elr.contains(&id))
    }

    fn leaderless(&self) -> impl Iterator<Item = (&Topic, i32, &Partition)> {
        self.partitions().filter(|(.., partition)| !partition.has_leader())
    }
}

fn fencing(broker: &Broker, fencing: FencingChange) -> MetadataRecord {
    MetadataRecord::BrokerRegistrationChange(BrokerRegistrationChangeRecord {
        version: 0,
        broker_id: broker.id,
        broker_epoch: broker.epoch,
        fencing,
        ..BrokerRegistrationChangeRecord::default()
    })
}

#[cfg(test)]
#[path = "brokers_tests.rs"]
mod tests;
