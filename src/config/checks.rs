//! What Kafka checks between settings when a broker starts (`KafkaConfig.validateValues`), and the settings whose
//! meaning this broker cannot serve yet.

use std::path::Path;

use crate::error::ConfigError;
use crate::layers::Values;
use crate::listeners::{Listener, SecurityProtocol, normalise, parse_csv};
use crate::resolved::{BrokerConfig, Groups};

pub(crate) fn cross_check(config: &BrokerConfig, values: &Values) -> Result<(), ConfigError> {
    check_identity(config, values)?;
    check_log(config, values)?;
    check_replication(config)?;
    check_quorum(config)?;
    check_listener_names(config)?;
    check_early_start(config, values)?;
    check_limits(config, values)?;
    check_groups(&config.groups)?;
    check_served(config, values)
}

fn require(holds: bool, message: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Requirement(message())) }
}

/// As [`require`], where Kafka's text does not come from Scala.
fn expect(holds: bool, message: impl FnOnce() -> String) -> Result<(), ConfigError> {
    if holds { Ok(()) } else { Err(ConfigError::Conflict(message())) }
}

fn check_identity(config: &BrokerConfig, values: &Values) -> Result<(), ConfigError> {
    expect(config.identity.node_id == values.int("broker.id"), || {
        "You must set `node.id` to the same value as `broker.id`.".to_owned()
    })?;
    expect(config.identity.is_broker || config.identity.is_controller, || {
        "process.roles must name at least one of 'broker' and 'controller'".to_owned()
    })
}

fn check_log(config: &BrokerConfig, values: &Values) -> Result<(), ConfigError> {
    let log = config.topics.defaults.config();
    require(log.segment_ms >= 1, || "log.roll.ms must be greater than or equal to 1".to_owned())?;
    require(log.segment_jitter_ms >= 0, || {
        "log.roll.jitter.ms must be greater than or equal to 0".to_owned()
    })?;
    require(log.retention_ms >= 1 || log.retention_ms == -1, || {
        "log.retention.ms must be unlimited (-1) or, greater than or equal to 1".to_owned()
    })?;
    require(!config.storage.log_dirs.is_empty(), || {
        "At least one log directory must be defined via log.dirs or log.dir.".to_owned()
    })?;
    check_cordon(config, values)?;
    let cleaner = &config.storage.cleaner;
    // Kafka divides by the number of threads and dies of a zero.
    let Some(bytes_per_thread) = cleaner.dedupe_buffer_bytes.checked_div(i64::from(cleaner.threads)) else {
        const THREADS: &str = "log.cleaner.threads";
        let error = ConfigError::invalid(THREADS, cleaner.threads.to_string(), "Value must be at least 1");
        return Err(error.with_source(values.source(THREADS)));
    };
    require(bytes_per_thread > 1024 * 1024, || {
        "log.cleaner.dedupe.buffer.size must be at least 1MB per cleaner thread.".to_owned()
    })?;
    let codec = config.offsets.compression_codec;
    if (0..=4).contains(&codec) {
        return Ok(());
    }
    let reason = format!(
        "Unknown compression type id: {codec}; 0 (none), 1 (gzip), 2 (snappy), 3 (lz4), 4 (zstd) are known"
    );
    const CODEC: &str = "offsets.topic.compression.codec";
    Err(ConfigError::invalid(CODEC, codec.to_string(), reason).with_source(values.source(CODEC)))
}

fn check_cordon(config: &BrokerConfig, values: &Values) -> Result<(), ConfigError> {
    let cordoned = values.list("cordoned.log.dirs");
    if cordoned.iter().any(|dir| dir == "*") {
        return require(cordoned.len() == 1, || {
            "When cordoned.log.dirs is set to *, it must not contain other values".to_owned()
        });
    }
    let dirs = &config.storage.log_dirs;
    let unknown = cordoned.iter().filter(|cordoned| !dirs.iter().any(|dir| dir == Path::new(cordoned)));
    let unknown: Vec<&str> = unknown.map(String::as_str).collect();
    require(unknown.is_empty(), || {
        format!(
            "All entries in cordoned.log.dirs must be present in log.dirs or log.dir. Missing entries : {}",
            unknown.join(", ")
        )
    })
}

fn check_replication(config: &BrokerConfig) -> Result<(), ConfigError> {
    let replication = &config.replication;
    require(replication.fetch_wait_ms_max <= replication.socket_timeout_ms, || {
        "replica.socket.timeout.ms should always be at least replica.fetch.wait.max.ms to prevent unnecessary socket \
         timeouts"
            .to_owned()
    })?;
    require(i64::from(replication.fetch_wait_ms_max) <= replication.lag_ms_max, || {
        "replica.fetch.wait.max.ms should always be less than or equal to replica.lag.time.max.ms to prevent frequent \
         changes in ISR"
            .to_owned()
    })
}

/// A node alone needs neither voters nor a controller listener, so Kafka's demand for them is not repeated.
fn check_quorum(config: &BrokerConfig) -> Result<(), ConfigError> {
    let (identity, listeners) = (&config.identity, &config.listeners);
    let node_id = identity.node_id;
    let voters: Vec<i32> = identity.voters.iter().map(|voter| voter.id).collect();
    let listed = || {
        let ids: Vec<String> = voters.iter().map(i32::to_string).collect();
        format!("controller.quorum.voters=Set({})", ids.join(", "))
    };
    if identity.is_controller {
        require(voters.is_empty() || voters.contains(&node_id), || {
            format!(
                "If process.roles contains the 'controller' role, the node id {node_id} must be included in the set of \
                 voters {}",
                listed()
            )
        })?;
        require(listeners.controller_names.is_empty() || !listeners.controller.is_empty(), || {
            "controller.listener.names must contain at least one value appearing in the 'listeners' configuration when \
             running the KRaft controller role"
                .to_owned()
        })?;
        let bound = |name: &String| listeners.controller.iter().any(|l| l.name == *name);
        require(listeners.controller_names.iter().all(bound), || {
            "controller.listener.names must only contain values appearing in the 'listeners' configuration when running \
             the KRaft controller role"
                .to_owned()
        })?;
    } else {
        require(!voters.contains(&node_id), || {
            format!(
                "If process.roles contains just the 'broker' role, the node id {node_id} must not be included in the \
                 set of voters {}",
                listed()
            )
        })?;
        require(!listeners.controller_names.is_empty(), || {
            "controller.listener.names must contain at least one value when running KRaft with just the broker role; set \
             process.roles=broker,controller for a node alone"
                .to_owned()
        })?;
        require(listeners.controller.is_empty(), || {
            "controller.listener.names must not contain a value appearing in the 'listeners' configuration when running \
             KRaft with just the broker role"
                .to_owned()
        })?;
    }
    if !identity.is_broker {
        require(listeners.broker.is_empty(), || {
            "The listeners config must only contain KRaft controller listeners from controller.listener.names when \
             process.roles=controller"
                .to_owned()
        })?;
    }
    Ok(())
}

fn check_listener_names(config: &BrokerConfig) -> Result<(), ConfigError> {
    let listeners = &config.listeners;
    let advertised = listeners.advertised_or_bound();
    let names = |list: &[Listener]| list.iter().map(|l| l.name.clone()).collect::<Vec<_>>();
    let advertised_names = names(advertised);
    if config.identity.is_broker {
        require(!advertised.is_empty(), || {
            "There must be at least one broker advertised listener. Perhaps all listeners appear in \
             controller.listener.names?"
                .to_owned()
        })?;
        require(advertised_names.contains(&listeners.inter_broker), || {
            format!(
                "inter.broker.listener.name must be a listener name defined in advertised.listeners. The valid options \
                 based on currently configured listeners are {}",
                advertised_names.join(",")
            )
        })?;
        let mut bound_names = names(&listeners.broker);
        bound_names.extend(names(&listeners.controller));
        require(advertised_names.iter().all(|name| bound_names.contains(name)), || {
            format!(
                "advertised.listeners listener names must be equal to or a subset of the ones defined in listeners. \
                 Found {}. The valid options based on the current configuration are {}",
                advertised_names.join(","),
                bound_names.join(",")
            )
        })?;
    }
    // `listeners` itself may say 0.0.0.0: nothing is advertised then, the client gets the address it reached.
    let mut told = listeners.advertised.iter().flatten().chain(&listeners.advertised_controller);
    require(!told.any(|l| l.host.as_deref().is_some_and(is_wildcard)), || {
        "advertised.listeners cannot use the nonroutable meta-address 0.0.0.0. Use a routable IP address."
            .to_owned()
    })
}

fn check_early_start(config: &BrokerConfig, values: &Values) -> Result<(), ConfigError> {
    let listeners = &config.listeners;
    let is_bound =
        |name: &String| listeners.broker.iter().chain(&listeners.controller).any(|l| l.name == *name);
    let names = parse_csv(values.text("early.start.listeners").unwrap_or("")).into_iter().map(normalise);
    for name in names {
        expect(is_bound(&name) || listeners.controller_names.contains(&name), || {
            format!(
                "early.start.listeners contains listener {name}, but this is not contained in listeners or \
                 controller.listener.names"
            )
        })?;
    }
    Ok(())
}

fn is_wildcard(host: &str) -> bool {
    host == "0.0.0.0"
}

fn check_limits(config: &BrokerConfig, values: &Values) -> Result<(), ConfigError> {
    let sockets = &config.sockets;
    let queue_holds_a_request = sockets
        .queued_request_bytes_max
        .is_none_or(|bytes| bytes >= u64::try_from(sockets.request_bytes_max).unwrap_or(u64::MAX));
    require(queue_holds_a_request, || {
        "queued.max.request.bytes must be larger or equal to socket.request.max.bytes".to_owned()
    })?;
    let per_ip_usable =
        sockets.connections_per_ip_max > 0 || !sockets.connections_per_ip_overrides.is_empty();
    require(per_ip_usable, || {
        "max.connections.per.ip can be set to zero only if max.connections.per.ip.overrides property is set."
            .to_owned()
    })?;
    let delay_ms = values.long("connection.failed.authentication.delay.ms");
    let idle_ms = values.long("connections.max.idle.ms");
    require(idle_ms < 0 || delay_ms < idle_ms, || {
        format!(
            "connection.failed.authentication.delay.ms={delay_ms} should always be less than \
             connections.max.idle.ms={idle_ms} to prevent failed authentication responses from timing out"
        )
    })
}

/// `GroupCoordinatorConfig` and `ShareGroupConfig`: every default lies in its own range.
fn check_groups(groups: &Groups) -> Result<(), ConfigError> {
    let (consumer, share, streams) = (&groups.consumer, &groups.share, &groups.streams);
    let ranges = [
        (
            "group.consumer",
            "heartbeat.interval.ms",
            consumer.heartbeat_interval_ms,
            [consumer.heartbeat_interval_ms_min, consumer.heartbeat_interval_ms_max],
        ),
        (
            "group.consumer",
            "session.timeout.ms",
            consumer.session_timeout_ms,
            [consumer.session_timeout_ms_min, consumer.session_timeout_ms_max],
        ),
        (
            "group.share",
            "heartbeat.interval.ms",
            share.heartbeat_interval_ms,
            [share.heartbeat_interval_ms_min, share.heartbeat_interval_ms_max],
        ),
        (
            "group.share",
            "session.timeout.ms",
            share.session_timeout_ms,
            [share.session_timeout_ms_min, share.session_timeout_ms_max],
        ),
        (
            "group.streams",
            "heartbeat.interval.ms",
            streams.heartbeat_interval_ms,
            [streams.heartbeat_interval_ms_min, streams.heartbeat_interval_ms_max],
        ),
        (
            "group.streams",
            "session.timeout.ms",
            streams.session_timeout_ms,
            [streams.session_timeout_ms_min, streams.session_timeout_ms_max],
        ),
    ];
    for (prefix, name, default, [min, max]) in ranges {
        check_range(prefix, name, default, min, max)?;
    }
    for (prefix, heartbeat_ms, session_ms) in [
        ("group.consumer", consumer.heartbeat_interval_ms, consumer.session_timeout_ms),
        ("group.share", share.heartbeat_interval_ms, share.session_timeout_ms),
        ("group.streams", streams.heartbeat_interval_ms, streams.session_timeout_ms),
    ] {
        expect(heartbeat_ms < session_ms, || {
            format!("{prefix}.heartbeat.interval.ms must be less than {prefix}.session.timeout.ms")
        })?;
    }
    expect(share.record_lock_ms >= share.record_lock_ms_min, || {
        "group.share.record.lock.duration.ms must be greater than or equal to group.share.min.record.lock.duration.ms"
            .to_owned()
    })?;
    expect(share.record_lock_ms_max >= share.record_lock_ms, || {
        "group.share.max.record.lock.duration.ms must be greater than or equal to group.share.record.lock.duration.ms"
            .to_owned()
    })?;
    expect(share.sessions_max >= share.members_max, || {
        "group.share.max.share.sessions must be greater than or equal to group.share.max.size".to_owned()
    })?;
    expect(streams.standby_replicas <= streams.standby_replicas_max, || {
        "group.streams.num.standby.replicas must be less than or equal to group.streams.max.standby.replicas"
            .to_owned()
    })
}

fn check_range(prefix: &str, name: &str, default: i32, min: i32, max: i32) -> Result<(), ConfigError> {
    expect(max >= min, || {
        format!("{prefix}.max.{name} must be greater than or equal to {prefix}.min.{name}")
    })?;
    expect(default >= min, || {
        format!("{prefix}.{name} must be greater than or equal to {prefix}.min.{name}")
    })?;
    expect(default <= max, || format!("{prefix}.{name} must be less than or equal to {prefix}.max.{name}"))
}

/// What is legal in Kafka and cannot be served yet.
fn check_served(config: &BrokerConfig, values: &Values) -> Result<(), ConfigError> {
    let listeners = &config.listeners;
    let refused = |key: &str, value: &str, reason: String| {
        Err(ConfigError::Refused {
            key: key.to_owned(),
            value: value.to_owned(),
            reason,
            source_of_value: values.source(key).cloned(),
        })
    };
    let secure = |l: &&Listener| l.protocol != SecurityProtocol::Plaintext;
    if let Some(listener) = listeners.broker.iter().chain(&listeners.controller).find(secure) {
        let reason = format!(
            "listener {} uses {}, and only PLAINTEXT listeners can be served yet; remove it, or map it to PLAINTEXT in \
             listener.security.protocol.map",
            listener.name, listener.protocol
        );
        return refused("listeners", values.text("listeners").unwrap_or(""), reason);
    }
    if !(config.identity.is_broker && config.identity.is_controller) {
        let reason = "a node can only be both yet: set process.roles=broker,controller".to_owned();
        return refused("process.roles", &values.list("process.roles").join(","), reason);
    }
    if config.identity.voters.len() > 1 {
        let reason =
            "a cluster of several nodes cannot be formed yet; name only this node, or remove the key"
                .to_owned();
        let text = values.list("controller.quorum.voters").join(",");
        return refused("controller.quorum.voters", &text, reason);
    }
    Ok(())
}

#[cfg(test)]
#[path = "checks_tests.rs"]
mod tests;
