//! The quorum of the metadata log: this node alone. What a new log begins with, and the epoch of each start.

use std::net::{ToSocketAddrs, UdpSocket};

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

/// Why a new cluster is not begun here.
#[derive(Debug, thiserror::Error)]
#[error(
    "controller.quorum.bootstrap.servers names {server}, which is no address of this node, and clusters of several \
     nodes are not supported yet: name this node only, as in localhost:9093, or remove the key"
)]
pub struct OtherHost {
    server: String,
}

/// Makes sure that a node whose directories are new is not meant to join others: it would begin a cluster of its own,
/// which could never join them. Of a directory that has a metadata log, that one says who has a vote.
pub fn refuse_other_hosts(config: &BrokerConfig) -> Result<(), OtherHost> {
    // A voter of this node's id is this node, whatever its address; others are refused as configuration.
    let is_told = !config.identity.voters.is_empty();
    if is_told || config.storage.metadata_log_dir.join(META_PROPERTIES).exists() {
        return Ok(());
    }
    let servers = &config.identity.bootstrap_servers;
    match servers.iter().find(|(host, port)| !is_own_host(config, host, *port)) {
        Some((host, port)) => Err(OtherHost { server: format!("{host}:{port}") }),
        None => Ok(()),
    }
}

fn is_own_host(config: &BrokerConfig, host: &str, port: u16) -> bool {
    let listeners = &config.listeners;
    let advertised = listeners.advertised.iter().flatten().chain(&listeners.advertised_controller);
    let named = listeners.broker.iter().chain(&listeners.controller).chain(advertised);
    let mut names = named.filter_map(|listener| listener.host.as_deref());
    if host.eq_ignore_ascii_case("localhost")
        || host.eq_ignore_ascii_case(&super::host_name())
        || names.any(|name| name.eq_ignore_ascii_case(host))
    {
        return true;
    }
    let mut addresses = (host, port).to_socket_addrs().into_iter().flatten().peekable();
    // Only an address of this machine can be bound.
    addresses.peek().is_some() && addresses.all(|address| UdpSocket::bind((address.ip(), 0)).is_ok())
}

const META_PROPERTIES: &str = "meta.properties";

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

#[cfg(test)]
mod tests {
    use super::*;

    fn refuse(overrides: &[&str]) -> Result<(), String> {
        let overrides: Vec<String> = overrides.iter().map(|text| (*text).to_owned()).collect();
        let inputs = config::Inputs { overrides: &overrides, ..config::Inputs::default() };
        let loaded = config::load(&inputs).expect("a legal configuration");
        refuse_other_hosts(&loaded.broker).map_err(|error| error.to_string())
    }

    #[test]
    fn the_usual_configurations_of_one_node_are_its_own() {
        const ROLES: &str = "process.roles=broker,controller";
        let dir = tempfile::tempdir().unwrap();
        let dirs = format!("log.dirs={}", dir.path().display());
        for own in ["localhost:9093", "127.0.0.1:9093", "[::1]:9093", "LocalHost:29093", "broker:29093"] {
            let servers = format!("controller.quorum.bootstrap.servers={own}");
            let listeners = "listeners=PLAINTEXT://:9092,CONTROLLER://broker:29093";
            let names = "controller.listener.names=CONTROLLER";
            assert_eq!(refuse(&[&dirs, ROLES, listeners, names, &servers]), Ok(()), "{own}");
        }
        let advertised = "advertised.listeners=PLAINTEXT://shop.invalid:9092";
        let servers = "controller.quorum.bootstrap.servers=shop.invalid:9093";
        assert_eq!(refuse(&[&dirs, advertised, servers]), Ok(()));
        assert_eq!(refuse(&[&dirs]), Ok(()));
    }

    #[test]
    fn a_node_that_is_to_join_others_does_not_begin_a_cluster() {
        let dir = tempfile::tempdir().unwrap();
        let dirs = format!("log.dirs={}", dir.path().display());
        for other in ["kafka-2.invalid:9093", "192.0.2.7:9093"] {
            let servers = format!("controller.quorum.bootstrap.servers=localhost:9093,{other}");
            let refusal = refuse(&[&dirs, &servers]).unwrap_err();
            assert!(refusal.contains(&format!("names {other},")), "{refusal}");
        }
        assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
        // Once there is a log, it says who votes.
        std::fs::write(dir.path().join(META_PROPERTIES), "version=1\n").unwrap();
        assert_eq!(refuse(&[&dirs, "controller.quorum.bootstrap.servers=kafka-2.invalid:9093"]), Ok(()));
    }
}
