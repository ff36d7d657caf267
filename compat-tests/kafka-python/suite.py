"""kafka-python, current (3.x) and 2.0.2: produces, consumes assigned partitions, administers."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
import kafka  # noqa: E402
from harness import BOOTSTRAP, CODECS, case, each, equal, eventually, main, raises, rows, topic  # noqa: E402
from kafka import KafkaConsumer, KafkaProducer, TopicPartition  # noqa: E402
from kafka import errors as kerrors  # noqa: E402
from kafka.admin import (  # noqa: E402
    ACLFilter,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    ConfigResource,
    ConfigResourceType,
    KafkaAdminClient,
    NewPartitions,
    NewTopic,
    ResourcePatternFilter,
    ResourceType,
)

CURRENT = int(kafka.__version__.split(".")[0]) >= 3
ADMIN = KafkaAdminClient(bootstrap_servers=BOOTSTRAP)


def current(function):
    """Registers a test of what only the current version can do."""
    return case(function) if CURRENT else function


def create(name, partitions=1, replication=1, config=None, **options):
    ADMIN.create_topics([NewTopic(name, partitions, replication, topic_configs=config or {})], **options)
    if not options:
        equal(eventually(lambda: len(describe(name)["partitions"]) == partitions), True, "partitions in Metadata")
    return name


def describe(name):
    return ADMIN.describe_topics([name])[0]


def produce(name, items, partition=0, **config):
    """Sends (key, value[, headers[, timestamp]]) items in order; returns their metadata."""
    config.setdefault("linger_ms", 5)
    config.setdefault("max_request_size", 2_000_000)
    producer = KafkaProducer(bootstrap_servers=BOOTSTRAP, **config)
    try:
        futures = []
        for item in items:
            key, value, headers, stamp = (*item, None, None)[:4]
            futures.append(producer.send(name, value, key, headers, partition, stamp))
        producer.flush(40)
        return [future.get(20) for future in futures]
    finally:
        producer.close(10)


def consumer(**config):
    config = {"auto_offset_reset": "none", "enable_auto_commit": False, "fetch_max_wait_ms": 100, **config}
    return KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=None, **config)


def consume(name, offset="begin", partitions=(0,), **config):
    """Everything from `offset` ("begin" and "end" too) up to each partition's end, asked for beforehand."""
    reader = consumer(**config)
    try:
        places = [TopicPartition(name, p) for p in partitions]
        reader.assign(places)
        ends = reader.end_offsets(places)
        if offset == "begin":
            reader.seek_to_beginning(*places)
        elif offset == "end":
            reader.seek_to_end(*places)
        else:
            for place in places:
                reader.seek(place, offset)
        out, deadline = [], time.monotonic() + 40
        while any(reader.position(place) < ends[place] for place in places):
            if time.monotonic() > deadline:
                raise AssertionError(f"timed out with {len(out)} records")
            for records in reader.poll(1000).values():
                out.extend(records)
        return out
    finally:
        reader.close()


def pairs(records):
    return [(r.key, r.value) for r in records]


def packed(name):
    return {"compression_type": None if name == "none" else name}


# --- produce and consume


@each(CODECS)
def codec(name):
    t = create(topic(f"codec-{name}"))
    items = rows(1000)
    produce(t, items, **packed(name))
    equal(pairs(consume(t)), items)


@each([0, 1, "all"])
def acks(level):
    t = create(topic(f"acks-{level}"))
    items = rows(200)
    produce(t, items, acks=level)
    equal(eventually(lambda: (lambda got: got if len(got) == 200 else None)(pairs(consume(t)))), items)


@each(CODECS)
def large_records(name):
    t = create(topic(f"large-{name}"))
    items = [(b"random", random.Random(5).randbytes(1_000_000)), (b"text", b"0123456789abcdef" * 62_500), (b"last", b"x")]
    produce(t, items, **packed(name))
    equal(pairs(consume(t, max_partition_fetch_bytes=2_000_000)), items)


@current
def transactions():
    t, items = create(topic("transactions")), rows(30)
    group, place = f"{t}-group", TopicPartition(t, 0)
    reader = KafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=group, enable_auto_commit=False)
    first, second = (KafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=t) for _ in range(2))
    try:
        first.init_transactions()
        for n, want in enumerate([7, 7, 27]):
            first.begin_transaction()
            for key, value in items[10 * n : 10 * n + 10]:
                first.send(t, value, key, partition=0)
            first.flush(20)
            first.send_offsets_to_transaction({place: kafka.OffsetAndMetadata(10 * n + 7, "", -1)}, kafka.ConsumerGroupMetadata(group))
            (first.abort_transaction if n == 1 else first.commit_transaction)()
            equal(eventually(lambda want=want: reader.committed(place) == want), True, "the group's offset")
        equal(pairs(consume(t)), items, "uncommitted records")
        committed = items[:10] + items[20:]
        equal(eventually(lambda: pairs(consume(t, isolation_level="read_committed")) == committed), True, "committed records")
        first.begin_transaction()
        first.send(t, b"of the first", partition=0)
        first.flush(20)
        second.init_transactions()
        raises(kerrors.KafkaError, lambda error: True, first.commit_transaction)
    finally:
        for one in (reader, second, first):
            one.close()


@current
def idempotent():
    t = create(topic("idempotent"))
    items = rows(600, seed=3)
    sent = produce(t, items, enable_idempotence=True, acks="all", batch_size=2000)
    equal([m.offset for m in sent], list(range(600)))
    equal(pairs(consume(t)), items)


@case
def headers():
    t = create(topic("headers"))
    sent = [("a", b"1"), ("b", b""), ("a", b"2"), ("ключ-鍵", "значение".encode()), ("bin", bytes(range(256))), ("", b"empty key")]
    produce(t, [(b"k", b"v", sent), (b"k", b"none")])
    got = consume(t)
    equal([tuple(h) for h in got[0].headers], sent)
    equal(list(got[1].headers), [])


@case
def tombstones():
    t = create(topic("tombstones"), config={"cleanup.policy": "compact"})
    items = [(b"a", b"1"), (b"a", None), (b"b", b""), (b"", None)]
    produce(t, items)
    equal(pairs(consume(t)), items)


@case
def refused_records():
    compacted = create(topic("compacted"), config={"cleanup.policy": "compact"})
    # 87, INVALID_RECORD; version 2.0.2 does not know it and says UnknownError.
    raises(kerrors.KafkaError, lambda e: "87" in str(e) or isinstance(e, kerrors.UnknownError), lambda: produce(compacted, [(None, b"v")]))
    small = create(topic("small"), config={"max.message.bytes": "1000"})
    raises(kerrors.MessageSizeTooLargeError, lambda e: True, lambda: produce(small, [(b"k", random.randbytes(2000))]))
    equal(consume(small), [])


@case
def topic_is_created_by_the_first_record():
    t = topic("auto")
    produce(t, [(b"k", b"v")])
    equal(pairs(consume(t)), [(b"k", b"v")])


@case
def timestamps():
    t = create(topic("create-time"))
    now = int(time.time() * 1000)
    stamps = [now - 5000, now, now - 9000]
    produce(t, [(b"k", b"v", None, s) for s in stamps])
    equal([(r.timestamp, r.timestamp_type) for r in consume(t)], [(s, 0) for s in stamps])
    t = create(topic("append-time"), config={"message.timestamp.type": "LogAppendTime"})
    produce(t, [(b"k", b"v", None, 1000)])
    got = consume(t)[0]
    equal(got.timestamp_type, 1)
    equal(abs(got.timestamp - now) < 60_000, True, "broker's own time")


@case
def empty_topic():
    t = create(topic("empty"), partitions=2)
    equal(consume(t, "begin", (0, 1)), [])
    equal(consume(t, "end", (0, 1)), [])
    reader = consumer()
    place = TopicPartition(t, 1)
    equal((reader.beginning_offsets([place])[place], reader.end_offsets([place])[place]), (0, 0))
    equal(reader.partitions_for_topic(t), {0, 1})
    reader.close()


@case
def consume_from_each_place():
    t = create(topic("places"))
    start = int(time.time() * 1000) - 100_000
    items = [(b"k%d" % n, b"v%d" % n, None, start + n * 10) for n in range(300)]
    produce(t, items, compression_type="gzip", batch_size=1000)
    want = [item[:2] for item in items]
    equal(pairs(consume(t)), want)
    equal(consume(t, "end"), [])
    for offset in (0, 1, 17, 64, 299):
        got = consume(t, offset)
        equal((got[0].offset, pairs(got)), (offset, want[offset:]), f"from {offset}")
    equal(consume(t, 300), [])
    reader = consumer()
    place = TopicPartition(t, 0)
    for stamp, offset in ((start - 1, 0), (start + 1, 1), (start + 640, 64), (start + 2990, 299), (start + 2991, None)):
        found = reader.offsets_for_times({place: stamp})[place]
        equal(found and found.offset, offset, f"offset for {stamp - start}")
    reader.close()


@case
def offset_out_of_range():
    t = create(topic("range"))
    produce(t, rows(10))
    place = TopicPartition(t, 0)
    for reset, want in (("earliest", 0), ("none", None)):
        reader = consumer(auto_offset_reset=reset)
        reader.assign([place])
        reader.seek(place, 50)
        if want is None:
            raises(kerrors.KafkaError, lambda e: isinstance(e, kerrors.OffsetOutOfRangeError), lambda reader=reader: poll(reader))
        else:
            equal(poll(reader)[0].offset, want)
        reader.close()


def poll(reader, seconds=20):
    """The next records of a reader with one partition."""
    return next(iter(eventually(lambda: reader.poll(500), seconds).values()))


@case
def waiting_consumer_gets_new_records():
    t = create(topic("tail"))
    reader = consumer(fetch_max_wait_ms=5_000, auto_offset_reset="earliest")
    reader.assign([TopicPartition(t, 0)])
    equal(reader.poll(1000), {})
    started = time.monotonic()
    produce(t, [(b"k", b"v")])
    equal(poll(reader)[0].value, b"v")
    equal(time.monotonic() - started < 3, True, "woken before the wait was over")
    reader.close(autocommit=False)


@case
def many_partitions():
    t = create(topic("many"), partitions=8)
    items = rows(60)
    for p in range(8):
        produce(t, items[p:], partition=p)
    got = consume(t, "begin", range(8), fetch_max_bytes=5000, max_partition_fetch_bytes=2000)
    for p in range(8):
        equal(pairs(r for r in got if r.partition == p), items[p:], f"partition {p}")


# --- administration


@case
def describe_cluster():
    cluster = ADMIN.describe_cluster()
    equal([f"{b['host']}:{b['port']}" for b in cluster["brokers"]], [BOOTSTRAP])
    equal(cluster["controller_id"], cluster["brokers"][0]["broker_id" if CURRENT else "node_id"])
    equal(len(cluster["cluster_id"]), 22)


@case
def topics():
    t = create(topic("a"), partitions=3)
    equal(t in ADMIN.list_topics(), True)
    equal(describe(t)["error_code"], 0)
    equal(describe(topic("missing"))["error_code"], 3)
    ADMIN.delete_topics([t])
    equal(eventually(lambda: t not in ADMIN.list_topics()), True)
    raises(kerrors.UnknownTopicOrPartitionError, lambda e: True, lambda: ADMIN.delete_topics([topic("missing")]))


@case
def create_topic_refusals():
    t = create(topic("exists"))
    bad = topic("bad")
    for kind, call in (
        (kerrors.TopicAlreadyExistsError, lambda: create(t)),
        (kerrors.InvalidReplicationFactorError, lambda: create(bad, replication=5)),
        (kerrors.InvalidPartitionsError, lambda: create(bad, partitions=0)),
        (kerrors.InvalidConfigurationError, lambda: create(bad, config={"no.such.key": "1"})),
        (kerrors.InvalidConfigurationError, lambda: create(bad, config={"retention.ms": "soon"})),
        (kerrors.InvalidTopicError, lambda: create("bad name!")),
    ):
        raises(kind, lambda e: True, call)
    create(topic("dry"), validate_only=True)
    equal([n for n in ADMIN.list_topics() if n in (bad, topic("dry"))], [])


@case
def add_partitions():
    t = create(topic("grow"))
    ADMIN.create_partitions({t: NewPartitions(4)})
    equal(eventually(lambda: len(describe(t)["partitions"]) == 4), True)
    raises(kerrors.InvalidPartitionsError, lambda e: True, lambda: ADMIN.create_partitions({t: NewPartitions(2)}))
    raises(kerrors.UnknownTopicOrPartitionError, lambda e: True, lambda: ADMIN.create_partitions({topic("nope"): NewPartitions(2)}))
    produce(t, rows(5), partition=3)
    equal(pairs(consume(t, "begin", (3,))), rows(5))


def config_values(kind, name):
    resource = ConfigResource(kind, name)
    if CURRENT:
        answer = ADMIN.describe_configs([resource], config_filter="all")[kind.name.lower()][name]
        return {key: entry["value"] for key, entry in answer.items()}
    answer = ADMIN.describe_configs([resource])[0].resources[0]
    equal(answer[0], 0, "error code")
    return {entry[0]: entry[1] for entry in answer[4]}


@case
def configs():
    t = create(topic("configs"), config={"retention.ms": "12345"})
    values = config_values(ConfigResourceType.TOPIC, t)
    equal((values["retention.ms"], values["max.message.bytes"], values["cleanup.policy"]), ("12345", "1048588", "delete"))
    ADMIN.alter_configs([ConfigResource(ConfigResourceType.TOPIC, t, {"max.message.bytes": "5000"})])
    equal(eventually(lambda: config_values(ConfigResourceType.TOPIC, t)["max.message.bytes"] == "5000"), True)
    # The current version alters incrementally, the old one replaces all overrides.
    equal(config_values(ConfigResourceType.TOPIC, t)["retention.ms"], "12345" if CURRENT else "604800000")
    refused = str(ADMIN.alter_configs([ConfigResource(ConfigResourceType.TOPIC, t, {"max.message.bytes": "x"})]))
    equal("40" in refused and "Invalid value x for configuration max.message.bytes" in refused, True, refused)
    if CURRENT:
        ADMIN.reset_configs([ConfigResource(ConfigResourceType.TOPIC, t, {"max.message.bytes": ""})])
        equal(eventually(lambda: config_values(ConfigResourceType.TOPIC, t)["max.message.bytes"] == "1048588"), True)
    broker = str(ADMIN.describe_cluster()["controller_id"])
    equal(config_values(ConfigResourceType.BROKER, broker)["message.max.bytes"], "1048588")


@case
def acls_are_disabled():
    every = ACLFilter(
        None, None, ACLOperation.ANY, ACLPermissionType.ANY, ResourcePatternFilter(ResourceType.ANY, None, ACLResourcePatternType.ANY)
    )
    raises(kerrors.SecurityDisabledError, lambda e: True, lambda: ADMIN.describe_acls(every))


@current
def delete_records():
    t = create(topic("delete-records"))
    produce(t, rows(100), batch_size=500)
    place = TopicPartition(t, 0)
    equal(ADMIN.delete_records({place: 37})[place]["low_watermark"], 37)
    got = consume(t)
    equal((got[0].offset, pairs(got)), (37, rows(100)[37:]))
    raises(kerrors.OffsetOutOfRangeError, lambda e: True, lambda: ADMIN.delete_records({place: 101}))


@current
def partition_offsets():
    t = create(topic("offsets"))
    start = int(time.time() * 1000) - 50_000
    produce(t, [(b"k", b"v", None, start + d) for d in (0, 900, 300)])
    place = TopicPartition(t, 0)
    for spec, want in ((-1, 3), (-2, 0), (-3, 1), (start + 200, 1)):
        equal(ADMIN.list_partition_offsets({place: spec})[place].offset, want, f"spec {spec}")


@current
def describe_topic_partitions():
    t = create(topic("described"), partitions=3)
    first = ADMIN.describe_topic_partitions([t], response_partition_limit=2)
    equal([p["partition_index"] for p in first["topics"][0]["partitions"]], [0, 1])
    equal(first["next_cursor"], {"topic_name": t, "partition_index": 2})
    rest = ADMIN.describe_topic_partitions([t], cursor=first["next_cursor"])
    equal([p["partition_index"] for p in rest["topics"][0]["partitions"]], [2])
    equal(rest["next_cursor"], None)


@current
def what_tools_ask():
    t = create(topic("tools"))
    produce(t, rows(10), enable_idempotence=True, acks="all")
    broker = ADMIN.describe_cluster()["controller_id"]
    logs = ADMIN.describe_log_dirs()
    sizes = [p["partition_size"] for d in logs[0]["log_dirs"] for named in d["topics"] if named["name"] == t for p in named["partitions"]]
    equal((len(logs), logs[0]["broker"], len(sizes), sizes[0] > 100), (1, broker, 1, True))
    quorum = ADMIN.describe_metadata_quorum()["topics"][0]
    equal((quorum["topic_name"], quorum["partitions"][0]["leader_id"]), ("__cluster_metadata", broker))
    features = ADMIN.describe_features()
    equal(features["metadata.version"]["finalized"][0] >= 7, True)
    equal(ADMIN.list_partition_reassignments(), {})
    resources = ADMIN.list_config_resources()
    equal((str(broker) in resources["broker"], t in resources["topic"]), (True, True))
    place = TopicPartition(t, 0)
    producers = ADMIN.describe_producers([place])[place].active_producers
    equal(len(producers), 1)
    elected = ADMIN.elect_leaders(0, {t: [0]})
    equal("84" in str(elected), True, "election not needed")


if __name__ == "__main__":
    main()
