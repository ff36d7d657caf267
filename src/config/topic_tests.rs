use super::*;
use crate::load::{Inputs, load};

fn map(pairs: &[(&str, &str)]) -> BTreeMap<String, String> {
    pairs.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect()
}

fn defaults_with(settings: &[&str]) -> TopicDefaults {
    let overrides: Vec<String> = settings.iter().map(|text| (*text).to_owned()).collect();
    load(&Inputs { overrides: &overrides, ..Inputs::default() }).unwrap().broker.topics.defaults
}

#[test]
fn kafkas_defaults() {
    let config = TopicDefaults::of_kafka().config();
    assert_eq!(config.cleanup, Cleanup { compact: false, delete: true });
    assert_eq!(config.compression, Compression::Producer);
    assert_eq!(config.segment_bytes, 1 << 30);
    assert_eq!(config.segment_ms, 7 * 24 * 3_600_000);
    assert_eq!(config.retention_ms, 7 * 24 * 3_600_000);
    assert_eq!((config.retention_bytes, config.local_retention_bytes), (-1, -1));
    assert_eq!(config.local_retention_ms, config.retention_ms);
    assert_eq!(config.max_message_bytes, 1_048_588);
    assert_eq!((config.flush_messages, config.flush_ms), (i64::MAX, i64::MAX));
    assert_eq!(config.timestamp_type, TimestampType::CreateTime);
    assert_eq!((config.timestamp_before_max_ms, config.timestamp_after_max_ms), (i64::MAX, 3_600_000));
    assert!(!config.write_caching && !config.unclean_leader_election && !config.preallocate);
}

#[test]
fn overrides_beat_the_broker_and_the_broker_beats_kafka() {
    let defaults =
        defaults_with(&["log.retention.hours=2", "log.segment.bytes=2000000", "compression.type=lz4"]);
    let config = defaults.config();
    assert_eq!(config.retention_ms, 7_200_000);
    assert_eq!(config.compression, Compression::Lz4 { level: 9 });
    let config = defaults.resolve(&map(&[("retention.ms", "5"), ("compression.type", "zstd")])).unwrap();
    assert_eq!(config.retention_ms, 5);
    assert_eq!(config.segment_bytes, 2_000_000);
    assert_eq!(config.compression, Compression::Zstd { level: 3 });
}

#[test]
fn times_come_from_the_finest_unit_that_is_set() {
    let retention = |settings: &[&str]| defaults_with(settings).config().retention_ms;
    assert_eq!(retention(&["log.retention.hours=1", "log.retention.minutes=2"]), 120_000);
    assert_eq!(retention(&["log.retention.minutes=2", "log.retention.ms=3"]), 3);
    assert_eq!(retention(&["log.retention.hours=-1"]), -1);
    assert_eq!(retention(&["log.retention.ms=-7"]), -1);
    let config = defaults_with(&["log.roll.hours=2", "log.roll.jitter.hours=1"]).config();
    assert_eq!((config.segment_ms, config.segment_jitter_ms), (7_200_000, 3_600_000));
    assert_eq!(defaults_with(&["log.flush.scheduler.interval.ms=9"]).config().flush_ms, 9);
    assert_eq!(
        defaults_with(&["log.flush.scheduler.interval.ms=9", "log.flush.interval.ms=8"]).config().flush_ms,
        8
    );
}

#[test]
fn every_compression_has_its_level() {
    let compression = |name: &str, level: &[(&str, &str)]| {
        let mut overrides = map(level);
        overrides.insert("compression.type".to_owned(), name.to_owned());
        TopicDefaults::of_kafka().resolve(&overrides).unwrap().compression
    };
    assert_eq!(compression("uncompressed", &[]), Compression::Uncompressed);
    assert_eq!(compression("snappy", &[]), Compression::Snappy);
    assert_eq!(compression("gzip", &[]), Compression::Gzip { level: -1 });
    assert_eq!(compression("gzip", &[("compression.gzip.level", "6")]), Compression::Gzip { level: 6 });
    assert_eq!(compression("lz4", &[("compression.lz4.level", "17")]), Compression::Lz4 { level: 17 });
    assert_eq!(compression("zstd", &[("compression.zstd.level", "-5")]), Compression::Zstd { level: -5 });
}

#[test]
fn cleanup_policies_combine() {
    let cleanup =
        |text: &str| TopicDefaults::of_kafka().resolve(&map(&[("cleanup.policy", text)])).unwrap().cleanup;
    assert_eq!(cleanup("compact"), Cleanup { compact: true, delete: false });
    assert_eq!(cleanup("delete, compact"), Cleanup { compact: true, delete: true });
    assert_eq!(cleanup(""), Cleanup { compact: false, delete: false });
}

#[test]
fn small_segments_are_for_tests_only() {
    assert!(validate_topic_configs(&map(&[("segment.bytes", "1000")])).is_err());
    let small = map(&[("internal.segment.bytes", "1000")]);
    assert_eq!(TopicDefaults::of_kafka().resolve(&small).unwrap().segment_bytes, 1000);
}

#[test]
fn write_caching_is_a_topic_setting() {
    let on = map(&[("write.caching", "true")]);
    assert_eq!(validate_topic_configs(&on), Ok(()));
    assert!(TopicDefaults::of_kafka().resolve(&on).unwrap().write_caching);
    assert_eq!(
        validate_topic_configs(&map(&[("write.caching", "maybe")])),
        Err("Invalid value maybe for configuration write.caching: Expected value to be either true or false"
            .to_owned())
    );
}

#[test]
fn rules_between_settings_see_the_brokers_defaults() {
    let lag = map(&[("min.compaction.lag.ms", "10")]);
    assert_eq!(validate_topic_configs(&lag), Ok(()));
    let defaults = defaults_with(&["log.cleaner.max.compaction.lag.ms=9"]);
    assert_eq!(
        defaults.validate(&lag).unwrap_err().to_string(),
        "conflict topic config setting min.compaction.lag.ms (10) > max.compaction.lag.ms (9)"
    );
}

/// Tiered storage cannot be switched on yet, but its rules are Kafka's already.
#[test]
fn rules_of_tiered_storage() {
    let tiered = TopicDefaults { remote_storage_system: true, ..TopicDefaults::of_kafka() };
    let check = |pairs: &[(&str, &str)]| {
        let mut overrides = map(pairs);
        overrides.insert("remote.storage.enable".to_owned(), "true".to_owned());
        tiered.validate(&overrides).map_err(|error| error.to_string())
    };
    assert_eq!(check(&[]), Ok(()));
    assert_eq!(check(&[("local.retention.ms", "5"), ("local.retention.bytes", "5")]), Ok(()));
    assert_eq!(
        check(&[("cleanup.policy", "compact")]),
        Err("Remote log storage only supports topics with cleanup.policy=delete".to_owned())
    );
    assert_eq!(
        check(&[("local.retention.ms", "9"), ("retention.ms", "8")]),
        Err("Invalid value 9 for configuration local.retention.ms: Value must not be more than retention.ms property \
             value: 8"
            .to_owned())
    );
    assert_eq!(
        check(&[("local.retention.bytes", "-1"), ("retention.bytes", "8")]),
        Err("Invalid value -1 for configuration local.retention.bytes: Value must not be -1 as retention.bytes value \
             is set as 8."
            .to_owned())
    );
    let stopped = check(&[("remote.log.copy.disable", "true"), ("local.retention.ms", "7")]).unwrap_err();
    assert!(stopped.starts_with("When `remote.log.copy.disable` is set to true, the `local.retention.ms`"));
    let before = map(&[("remote.storage.enable", "true")]);
    let off = tiered.validate_change(&map(&[]), &before).unwrap_err().to_string();
    assert!(off.starts_with("It is invalid to disable remote storage without deleting remote data."));
    assert!(tiered.validate_change(&map(&[("remote.log.delete.on.disable", "true")]), &before).is_ok());
}
