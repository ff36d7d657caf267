//! The quorum of the metadata log: this node alone. What a new log begins with, and the epoch of each start.

use config::BrokerConfig;
use controller::control_record::{ControlRecord, Voter};
use model::{BrokerId, LeaderEpoch, Offset};
use storage::metadata_files::{MetadataFiles, QuorumState};
use uuid::Uuid;

use super::features::KRAFT_VERSION_MAX;
use super::log::{LogError, MetadataLog};
use super::snapshot::QuorumRecords;

/// State of the quorum, as DescribeQuorum tells it.
#[derive(Clone, Debug)]
pub struct Quorum {
    /// Id of the metadata directory; nil where voters are not told apart by it.
    pub directory_id: Uuid,
    /// This node's epoch as the leader.
    pub leader_epoch: LeaderEpoch,
    /// Offset of the next record.
    pub log_end_offset: Offset,
    /// Everything below is committed; on one node, on its disk.
    pub high_watermark: Offset,
    /// Controller listeners of this node.
    pub listeners: Vec<QuorumListener>,
    /// Level of `kraft.version`.
    pub kraft_version: i16,
}

/// A listener of a voter.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct QuorumListener {
    /// Its name.
    pub name: String,
    /// Host as advertised.
    pub host: String,
    /// Port as advertised.
    pub port: u16,
}

/// Why this node cannot lead the log by itself.
#[derive(Debug, thiserror::Error)]
#[error(
    "the metadata log belongs to a quorum of the nodes {voters:?}, and node {own} cannot lead it alone: \
     clusters of several nodes are not supported yet"
)]
pub struct NotAlone {
    voters: Vec<i32>,
    own: BrokerId,
}

/// What the log of a new cluster says of its quorum: voters stand in the log (KIP-853), unless the configuration
/// names them in the older way.
pub(super) fn initial(config: &BrokerConfig, own: BrokerId, directory_id: Uuid) -> QuorumRecords {
    if !config.identity.voters.is_empty() {
        return QuorumRecords::default();
    }
    let endpoints = controller_listeners(config).into_iter().map(|l| (l.name, l.host, l.port)).collect();
    let kraft_versions = (0, KRAFT_VERSION_MAX);
    QuorumRecords {
        kraft_version: KRAFT_VERSION_MAX,
        voters: vec![Voter { id: own, directory_id, endpoints, kraft_versions }],
    }
}

/// Makes sure that nobody else has a vote.
pub(super) fn check_alone(
    config: &BrokerConfig,
    own: BrokerId,
    found: &QuorumRecords,
    state: Option<&QuorumState>,
) -> Result<(), NotAlone> {
    let in_log = found.voters.iter().map(|voter| voter.id);
    let in_state = state.and_then(|state| state.voters.clone()).unwrap_or_default();
    let in_config = config.identity.voters.iter().map(|voter| BrokerId::new(voter.id));
    let voters: Vec<i32> = if found.kraft_version > 0 {
        in_log.map(BrokerId::value).collect()
    } else {
        in_state.into_iter().chain(in_config).map(BrokerId::value).collect()
    };
    if voters.iter().all(|id| *id == own.value()) { Ok(()) } else { Err(NotAlone { voters, own }) }
}

/// Begins this node's next epoch as the leader: durably in the quorum's state, then as the first record of the log.
/// The quorum's own records follow it where the log does not have them yet.
pub(super) fn begin_epoch(
    log: &mut MetadataLog,
    own: BrokerId,
    state: Option<&QuorumState>,
    quorum: &QuorumRecords,
    in_log: bool,
    now_ms: i64,
) -> Result<LeaderEpoch, LogError> {
    let last = state.map_or(log.last_epoch(), |state| state.leader_epoch.max(log.last_epoch()));
    let epoch = LeaderEpoch::new(last.value() + 1);
    let is_static = quorum.kraft_version == 0;
    log.files().write_quorum_state(&QuorumState {
        leader_id: Some(own),
        leader_epoch: epoch,
        voted_id: None,
        voted_directory_id: None,
        voters: is_static.then(|| vec![own]),
    })?;
    log.begin_epoch(epoch);
    let mut records =
        vec![ControlRecord::LeaderChange { leader_id: own, voters: vec![own], granting_voters: vec![own] }];
    if !in_log {
        records.extend(quorum.to_control_records());
    }
    log.append_control(&records, now_ms)?;
    Ok(epoch)
}

/// Reads the quorum's state.
pub(super) fn state(files: &MetadataFiles) -> Result<Option<QuorumState>, LogError> {
    Ok(files.read_quorum_state()?)
}

/// Where the controller of this node would be reached. A node that serves no controller listener still says the
/// address that Kafka's own default configuration has.
pub(super) fn controller_listeners(config: &BrokerConfig) -> Vec<QuorumListener> {
    let advertised = &config.listeners.advertised_controller;
    let listed = if advertised.is_empty() { &config.listeners.controller } else { advertised };
    let mut listeners: Vec<_> = listed
        .iter()
        .map(|listener| QuorumListener {
            name: listener.name.clone(),
            host: listener.host.clone().unwrap_or_else(super::host_name),
            port: listener.port,
        })
        .collect();
    if listeners.is_empty() {
        listeners.push(QuorumListener {
            name: "CONTROLLER".to_owned(),
            host: "localhost".to_owned(),
            port: 9093,
        });
    }
    listeners
}
