"""librdkafka through confluent-kafka."""
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
from confluent_kafka import (  # noqa: E402
    OFFSET_BEGINNING,
    OFFSET_END,
    TIMESTAMP_CREATE_TIME,
    TIMESTAMP_LOG_APPEND_TIME,
    Consumer,
    KafkaError,
    KafkaException,
    Producer,
    TopicPartition,
)
from confluent_kafka import admin as kadmin  # noqa: E402
from harness import BOOTSTRAP, CODECS, case, each, equal, eventually, main, raises, rows, topic  # noqa: E402

ADMIN = kadmin.AdminClient({"bootstrap.servers": BOOTSTRAP})


# --- produce and consume


def produce(name, items, partition=0, **config):
    """Sends (key, value[, headers[, timestamp]]) items; returns the delivered messages in the order of delivery."""
    delivered, errors = [], []

    def on_delivery(error, message):
        (errors if error else delivered).append(error or message)

    producer = Producer({"bootstrap.servers": BOOTSTRAP, "linger.ms": 5, **{k.replace("_", "."): v for k, v in config.items()}})
    for item in items:
        key, value, headers, timestamp = (*item, None, None)[:4]
        options = {"timestamp": timestamp} if timestamp else {}
        while True:
            try:
                producer.produce(name, value, key, partition=partition, headers=headers, on_delivery=on_delivery, **options)
                break
            except BufferError:
                producer.poll(0.1)
        producer.poll(0)
    equal(producer.flush(40), 0, "messages left")
    if errors:
        raise KafkaException(errors[0])
    return delivered


def consumer(**config):
    return Consumer(
        {
            "bootstrap.servers": BOOTSTRAP,
            "group.id": "assigned-only",
            "enable.auto.commit": False,
            "enable.partition.eof": True,
            "auto.offset.reset": "error",
            "fetch.wait.max.ms": 50,
            **{k.replace("_", "."): v for k, v in config.items()},
        }
    )


def consume(name, offset=OFFSET_BEGINNING, partitions=(0,), limit=None, seconds=40, **config):
    """Everything from `offset` up to the end of each partition."""
    reader = consumer(**config)
    try:
        reader.assign([TopicPartition(name, p, offset) for p in partitions])
        out, ended, deadline = [], set(), time.monotonic() + seconds
        while len(ended) < len(partitions) and (limit is None or len(out) < limit):
            if time.monotonic() > deadline:
                raise AssertionError(f"timed out with {len(out)} messages")
            message = reader.poll(1)
            if message is None:
                continue
            if message.error():
                if message.error().code() == KafkaError._PARTITION_EOF:
                    ended.add(message.partition())
                    continue
                raise KafkaException(message.error())
            out.append(message)
        return out
    finally:
        reader.close()


def pairs(messages):
    return [(m.key(), m.value()) for m in messages]


def partition_count(name):
    topics = ADMIN.list_topics(timeout=10).topics
    return len(topics[name].partitions) if name in topics else 0


def code(error):
    return error.args[0].code()


def create(name, partitions=1, replication=1, config=None, **options):
    new = kadmin.NewTopic(name, num_partitions=partitions, replication_factor=replication, config=config or {})
    ADMIN.create_topics([new], **options)[name].result(20)
    return name


@each(CODECS)
def codec(name):
    t = create(topic(f"codec-{name}"))
    items = rows(2000)
    produce(t, items, compression_type=name)
    equal(pairs(consume(t)), items)


@each(["0", "1", "all"])
def acks(level):
    t = create(topic(f"acks-{level}"))
    items = rows(300)
    eventually(lambda: t in ADMIN.list_topics(timeout=5).topics)
    produce(t, items, acks=level)
    equal(eventually(lambda: (lambda got: got if len(got) == 300 else None)(pairs(consume(t)))), items)


@each(CODECS)
def idempotent(name):
    t = create(topic(f"idempotent-{name}"), partitions=2)
    items = rows(1500, seed=3)
    produce(t, items, partition=1, compression_type=name, enable_idempotence=True, batch_num_messages=50)
    messages = consume(t, partitions=(1,))
    equal(pairs(messages), items)
    equal([m.offset() for m in messages], list(range(1500)))


@each(CODECS)
def large_records(name):
    t = create(topic(f"large-{name}"))
    rng = random.Random(5)
    items = [(b"random", rng.randbytes(1_000_000)), (b"text", b"0123456789abcdef" * 62_500), (b"last", b"x")]
    produce(t, items, compression_type=name, message_max_bytes=2_000_000)
    equal(pairs(consume(t)), items)


@case
def headers():
    t = create(topic("headers"))
    sent = [("a", b"1"), ("b", b""), ("a", b"2"), ("c", None), ("ключ-鍵", "значение".encode()), ("bin", bytes(range(256))), ("", b"empty key")]
    produce(t, [(b"k", b"v", sent), (b"k", b"none")])
    got = consume(t)
    equal(got[0].headers(), sent)
    equal(got[1].headers(), None)


@case
def tombstones():
    t = create(topic("tombstones"), config={"cleanup.policy": "compact"})
    items = [(b"a", b"1"), (b"a", None), (b"b", b""), (b"", None)]
    produce(t, items)
    equal(pairs(consume(t)), items)


@case
def null_key_on_compacted_topic_is_refused():
    t = create(topic("compacted"), config={"cleanup.policy": "compact"})
    raises(KafkaException, lambda e: code(e) == KafkaError.INVALID_RECORD, lambda: produce(t, [(None, b"v")]))
    equal(consume(t), [])


@case
def too_large_record_is_refused():
    t = create(topic("small"), config={"max.message.bytes": "1000"})
    produce(t, [(b"k", b"x" * 500)])
    raises(KafkaException, lambda e: code(e) == KafkaError.MSG_SIZE_TOO_LARGE, lambda: produce(t, [(b"k", random.randbytes(2000))]))
    equal(len(consume(t)), 1)


@case
def unknown_partition_is_refused():
    t = create(topic("one-partition"))
    raises(KafkaException, lambda e: code(e) == KafkaError._UNKNOWN_PARTITION, lambda: produce(t, [(b"k", b"v")], partition=9))


@case
def topic_is_created_by_the_first_record():
    t = topic("auto")
    produce(t, [(b"k", b"v")], partition=-1)
    equal(pairs(consume(t)), [(b"k", b"v")])


@case
def unknown_topic_without_auto_creation():
    t = topic("missing")
    reader = consumer(allow_auto_create_topics=False)
    equal(reader.list_topics(t, timeout=10).topics[t].error.code(), KafkaError.UNKNOWN_TOPIC_OR_PART)
    reader.close()
    equal(t in ADMIN.list_topics(timeout=10).topics, False)


@case
def timestamps_are_kept():
    t = create(topic("create-time"))
    now = int(time.time() * 1000)
    stamps = [now - 5000, now, now - 9000, now - 1]
    produce(t, [(b"k", b"v", None, s) for s in stamps])
    equal([m.timestamp() for m in consume(t)], [(TIMESTAMP_CREATE_TIME, s) for s in stamps])


@each(["none", "gzip"])
def log_append_time(codec_name):
    t = create(topic(f"append-time-{codec_name}"), config={"message.timestamp.type": "LogAppendTime"})
    before = int(time.time() * 1000)
    produce(t, [(b"k", b"v", None, 1000), (b"k", b"v", None, 2000)], compression_type=codec_name)
    after = int(time.time() * 1000)
    for message in consume(t):
        kind, stamp = message.timestamp()
        equal(kind, TIMESTAMP_LOG_APPEND_TIME)
        equal(before <= stamp <= after, True, "append time within the call")


@case
def transactions():
    t, items = create(topic("transactions")), rows(30)
    reader = consumer(**{"group.id": f"{t}-group"})
    first, second = (Producer({"bootstrap.servers": BOOTSTRAP, "transactional.id": t, "log_level": 0}) for _ in range(2))
    first.init_transactions(30)
    for n, want in enumerate([7, 7, 27]):
        first.begin_transaction()
        for key, value in items[10 * n : 10 * n + 10]:
            first.produce(t, value, key, partition=0)
        first.flush(20)
        first.send_offsets_to_transaction([TopicPartition(t, 0, 10 * n + 7)], reader.consumer_group_metadata(), 20)
        (first.abort_transaction if n == 1 else first.commit_transaction)(20)
        equal(reader.committed([TopicPartition(t, 0)], 20)[0].offset, want, "the group's offset")
    reader.close()
    first.begin_transaction()
    first.produce(t, b"of the first", partition=0)
    first.flush(20)
    second.init_transactions(30)
    raises(KafkaException, lambda error: error.args[0].fatal(), lambda: first.commit_transaction(20))
    equal(pairs(consume(t, isolation_level="read_committed")), items[:10] + items[20:], "committed records")
    equal(pairs(consume(t, isolation_level="read_uncommitted")), [*items, (None, b"of the first")], "uncommitted records")


@case
def topic_codec_differs_from_the_producers():
    for broker_codec in ("gzip", "zstd", "uncompressed", "snappy", "lz4"):
        t = create(topic(f"recompress-{broker_codec}"), config={"compression.type": broker_codec})
        items = rows(300, seed=8)
        produce(t, items, compression_type="lz4" if broker_codec != "lz4" else "gzip")
        equal(pairs(consume(t)), items, broker_codec)


@case
def empty_topic():
    t = create(topic("empty"), partitions=2)
    equal(consume(t, partitions=(0, 1)), [])
    equal(consume(t, offset=OFFSET_END), [])
    reader = consumer()
    equal(reader.get_watermark_offsets(TopicPartition(t, 0), timeout=10), (0, 0))
    reader.close()


@case
def consume_from_each_place():
    t = create(topic("places"))
    start = int(time.time() * 1000) - 100_000
    items = [(b"k%d" % n, b"v%d" % n, None, start + n * 10) for n in range(400)]
    produce(t, items, compression_type="lz4", batch_num_messages=64)
    want = [(k, v) for k, v, *_ in items]
    equal(pairs(consume(t)), want, "from the beginning")
    equal(pairs(consume(t, OFFSET_END)), [], "from the end")
    for offset in (0, 1, 63, 64, 65, 200, 399):
        got = consume(t, offset)
        equal(got[0].offset(), offset)
        equal(pairs(got), want[offset:], f"from {offset}")
    equal(consume(t, 400), [], "from the log end")
    reader = consumer()
    for stamp, offset in ((start - 1, 0), (start, 0), (start + 1, 1), (start + 640, 64), (start + 1999, 200), (start + 3990, 399), (start + 3991, OFFSET_END)):
        answer = reader.offsets_for_times([TopicPartition(t, 0, stamp)], timeout=10)
        equal(answer[0].offset, offset, f"offset for {stamp - start}")
    equal(reader.get_watermark_offsets(TopicPartition(t, 0), timeout=10), (0, 400))
    reader.close()


@case
def offset_out_of_range():
    t = create(topic("range"))
    produce(t, rows(10))
    raises(KafkaException, lambda e: code(e) in (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET), lambda: consume(t, 50))
    equal(pairs(consume(t, 50, auto_offset_reset="earliest")), rows(10))
    equal(consume(t, 50, auto_offset_reset="latest"), [])


@case
def waiting_consumer_gets_new_records():
    t = create(topic("tail"))
    reader = consumer(enable_partition_eof=False, fetch_wait_max_ms=5_000)
    reader.assign([TopicPartition(t, 0, OFFSET_BEGINNING)])
    equal(reader.poll(1.5), None)
    started = time.monotonic()
    produce(t, [(b"k", b"v")])
    message = reader.poll(8)
    equal(message.value(), b"v")
    equal(time.monotonic() - started < 3, True, "woken before the wait was over")
    reader.close()


@case
def many_partitions():
    t = create(topic("many"), partitions=12)
    items = rows(100)
    for p in range(12):
        produce(t, items[p:], partition=p)
    got = consume(t, partitions=range(12), fetch_max_bytes=20_000, message_max_bytes=10_000)
    for p in range(12):
        equal(pairs(m for m in got if m.partition() == p), items[p:], f"partition {p}")


@case
def small_fetches():
    t = create(topic("small-fetches"))
    items = rows(500, seed=13, value_bytes=3000)
    produce(t, items, batch_num_messages=7)
    equal(pairs(consume(t, fetch_message_max_bytes=1000, fetch_max_bytes=2000, message_max_bytes=1500)), items)


@case
def seek_and_pause():
    t = create(topic("seek"))
    items = rows(50)
    produce(t, items)
    reader = consumer()
    reader.assign([TopicPartition(t, 0, 10)])
    equal(reader.poll(10).offset(), 10)
    reader.seek(TopicPartition(t, 0, 3))
    equal(reader.poll(10).offset(), 3)
    reader.pause([TopicPartition(t, 0)])
    equal(reader.poll(0.5), None)
    reader.resume([TopicPartition(t, 0)])
    equal(reader.poll(10).offset(), 4)
    reader.close()


# --- administration


def described(kind, name):
    resource = kadmin.ConfigResource(kind, name)
    return ADMIN.describe_configs([resource])[resource].result(20)


@case
def cluster_metadata():
    t = create(topic("meta"), partitions=3)
    equal(eventually(lambda: partition_count(t) == 3), True)
    metadata = ADMIN.list_topics(t, timeout=10)
    equal([f"{b.host}:{b.port}" for b in metadata.brokers.values()], [BOOTSTRAP])
    broker = next(iter(metadata.brokers))
    equal(metadata.controller_id, broker)
    equal(sorted(metadata.topics[t].partitions), [0, 1, 2])
    for partition in metadata.topics[t].partitions.values():
        equal((partition.leader, partition.replicas, partition.isrs), (broker, [broker], [broker]))
    equal(len(metadata.cluster_id), 22)


@case
def create_topic_refusals():
    t = create(topic("exists"))
    for wanted, call in (
        (KafkaError.TOPIC_ALREADY_EXISTS, lambda: create(t)),
        (KafkaError.INVALID_REPLICATION_FACTOR, lambda: create(topic("bad"), replication=5)),
        (KafkaError.INVALID_PARTITIONS, lambda: create(topic("bad"), partitions=0)),
        (KafkaError.INVALID_CONFIG, lambda: create(topic("bad"), config={"no.such.key": "1"})),
        (KafkaError.INVALID_CONFIG, lambda: create(topic("bad"), config={"retention.ms": "soon"})),
        (KafkaError.INVALID_CONFIG, lambda: create(topic("bad"), config={"segment.bytes": "-5"})),
        (KafkaError.TOPIC_EXCEPTION, lambda: create(topic("bad name!"))),
        (KafkaError.TOPIC_EXCEPTION, lambda: create("x" * 250)),
        (KafkaError.TOPIC_EXCEPTION, lambda: create("..")),
    ):
        raises(KafkaException, lambda e, wanted=wanted: code(e) == wanted, call)
    equal(topic("bad") in ADMIN.list_topics(timeout=10).topics, False)


@case
def create_topic_validate_only():
    t = create(topic("dry"), validate_only=True)
    equal(t in ADMIN.list_topics(timeout=10).topics, False)


@case
def create_topic_with_assignment():
    broker = next(iter(ADMIN.list_topics(timeout=10).brokers))
    t = topic("assigned")
    ADMIN.create_topics([kadmin.NewTopic(t, num_partitions=2, replica_assignment=[[broker], [broker]])])[t].result(20)
    equal(eventually(lambda: partition_count(t) == 2), True)
    bad = topic("bad-assignment")
    raises(
        KafkaException,
        lambda e: code(e) == KafkaError.INVALID_REPLICA_ASSIGNMENT,
        lambda: ADMIN.create_topics([kadmin.NewTopic(bad, num_partitions=1, replica_assignment=[[broker + 77]])])[bad].result(20),
    )


@case
def delete_topics():
    t = create(topic("gone"))
    produce(t, rows(5))
    ADMIN.delete_topics([t])[t].result(20)
    equal(eventually(lambda: t not in ADMIN.list_topics(timeout=10).topics), True)
    create(t)
    equal(eventually(lambda: partition_count(t) == 1), True)
    equal(consume(t), [], "a topic created again is empty")
    missing = topic("never")
    raises(KafkaException, lambda e: code(e) == KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: ADMIN.delete_topics([missing])[missing].result(20))


@case
def add_partitions():
    t = create(topic("grow"))

    def grow(name, count, **options):
        ADMIN.create_partitions([kadmin.NewPartitions(name, count)], **options)[name].result(20)

    grow(t, 4, validate_only=True)
    equal(eventually(lambda: partition_count(t) == 1), True)
    grow(t, 4)
    equal(eventually(lambda: partition_count(t) == 4), True)
    produce(t, rows(5), partition=3)
    equal(pairs(consume(t, partitions=(3,))), rows(5))
    raises(KafkaException, lambda e: code(e) == KafkaError.INVALID_PARTITIONS, lambda: grow(t, 2))
    raises(KafkaException, lambda e: code(e) == KafkaError.INVALID_PARTITIONS, lambda: grow(t, 4))
    raises(KafkaException, lambda e: code(e) == KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: grow(topic("nope"), 4))


@case
def describe_topic_configs():
    t = create(topic("configs"), config={"retention.ms": "12345", "cleanup.policy": "compact,delete"})
    configs = described("topic", t)
    equal(configs["retention.ms"].value, "12345")
    equal(configs["retention.ms"].source, kadmin.ConfigSource.DYNAMIC_TOPIC_CONFIG.value)
    equal(configs["cleanup.policy"].value, "compact,delete")
    equal(configs["max.message.bytes"].value, "1048588")
    equal(configs["max.message.bytes"].source, kadmin.ConfigSource.DEFAULT_CONFIG.value)
    equal(configs["compression.type"].value, "producer")
    equal(configs["segment.bytes"].is_default, True)
    raises(KafkaException, lambda e: code(e) == KafkaError.UNKNOWN_TOPIC_OR_PART, lambda: described("topic", topic("none")))


@case
def describe_broker_configs():
    broker = str(next(iter(ADMIN.list_topics(timeout=10).brokers)))
    configs = described("broker", broker)
    for key in ("node.id", "log.dirs", "listeners", "message.max.bytes", "num.partitions", "log.retention.hours"):
        equal(key in configs, True, key)
    equal(configs["message.max.bytes"].value, "1048588")
    equal(configs["node.id"].is_read_only, True)


@case
def alter_topic_configs():
    t = create(topic("alter"), config={"retention.ms": "1000"})
    resource = kadmin.ConfigResource("topic", t, set_config={"max.message.bytes": "5000"})
    ADMIN.alter_configs([resource])[resource].result(20)
    configs = eventually(lambda: (lambda c: c if c["max.message.bytes"].value == "5000" else None)(described("topic", t)))
    equal(configs["max.message.bytes"].value, "5000")
    equal(configs["retention.ms"].value, "604800000", "the legacy call replaces all overrides")
    bad = kadmin.ConfigResource("topic", t, set_config={"max.message.bytes": "many"})
    raises(KafkaException, lambda e: code(e) == KafkaError.INVALID_CONFIG, lambda: ADMIN.alter_configs([bad])[bad].result(20))


@case
def refused_acls():
    binding = kadmin.AclBinding(
        kadmin.ResourceType.TOPIC, "t", kadmin.ResourcePatternType.LITERAL, "User:a", "*", kadmin.AclOperation.READ, kadmin.AclPermissionType.ALLOW
    )
    raises(KafkaException, lambda e: code(e) == KafkaError.SECURITY_DISABLED, lambda: ADMIN.create_acls([binding])[binding].result(20))


def needs(method):
    """Registers a test when this version's AdminClient has `method`."""
    return case if hasattr(kadmin.AdminClient, method) else lambda function: function


def newer_cases():
    """What librdkafka learned in 2.3 and later."""
    from confluent_kafka import TopicCollection
    from confluent_kafka.admin import AlterConfigOpType, ConfigEntry, ConfigResource, OffsetSpec, ResourceType

    def change(name, *entries):
        resource = ConfigResource(
            ResourceType.TOPIC, name, incremental_configs=[ConfigEntry(k, v, incremental_operation=op) for k, v, op in entries]
        )
        ADMIN.incremental_alter_configs([resource])[resource].result(20)

    @case
    def incremental_alter_configs():
        t = create(topic("incremental"), config={"retention.ms": "1000"})
        op = AlterConfigOpType
        change(t, ("max.message.bytes", "5000", op.SET), ("cleanup.policy", "compact", op.APPEND))

        def seen(key, value):
            return eventually(lambda: described("topic", t)[key].value == value)

        equal(seen("cleanup.policy", "delete,compact"), True, "appended")
        equal(seen("max.message.bytes", "5000"), True)
        equal(seen("retention.ms", "1000"), True, "untouched keys stay")
        change(t, ("retention.ms", None, op.DELETE), ("cleanup.policy", "delete", op.SUBTRACT))
        equal(seen("retention.ms", "604800000"), True, "deleted")
        equal(seen("cleanup.policy", "compact"), True, "subtracted")
        raises(KafkaException, lambda e: code(e) == KafkaError.INVALID_CONFIG, lambda: change(t, ("retention.ms", "x", op.SET)))
        raises(KafkaException, lambda e: code(e) == KafkaError.INVALID_CONFIG, lambda: change(t, ("no.such.key", "x", op.SET)))
        raises(KafkaException, lambda e: code(e) == KafkaError.INVALID_CONFIG, lambda: change(t, ("retention.ms", "1", op.APPEND)))
        missing = topic("not-there")
        raises(
            KafkaException,
            lambda e: code(e) == KafkaError.UNKNOWN_TOPIC_OR_PART,
            lambda: change(missing, ("retention.ms", "1", op.SET)),
        )

    @case
    def list_offsets():
        t = create(topic("list-offsets"))
        start = int(time.time() * 1000) - 50_000
        stamps = [start, start + 900, start + 300]
        produce(t, [(b"k", b"v", None, s) for s in stamps])
        place = TopicPartition(t, 0)
        for spec, offset, stamp in (
            (OffsetSpec.earliest(), 0, None),
            (OffsetSpec.latest(), 3, None),
            (OffsetSpec.max_timestamp(), 1, start + 900),
            (OffsetSpec.for_timestamp(start + 200), 1, start + 900),
            (OffsetSpec.for_timestamp(start + 901), -1, -1),
        ):
            answer = ADMIN.list_offsets({place: spec})[place].result(20)
            equal(answer.offset, offset)
            if stamp is not None:
                equal(answer.timestamp, stamp)
        bad = TopicPartition(t, 5)
        raises(
            KafkaException,
            lambda e: code(e) == KafkaError._NOENT,  # it finds no leader in Metadata and asks nobody
            lambda: ADMIN.list_offsets({bad: OffsetSpec.latest()})[bad].result(20),
        )

    @needs("delete_records")
    def delete_records():
        t = create(topic("delete-records"))
        produce(t, rows(100), batch_num_messages=10)
        place = TopicPartition(t, 0, 37)
        equal(ADMIN.delete_records([place])[place].result(20).low_watermark, 37)
        equal(consume(t)[0].offset(), 37)
        equal(pairs(consume(t)), rows(100)[37:])
        raises(KafkaException, lambda e: code(e) in (KafkaError.OFFSET_OUT_OF_RANGE, KafkaError._AUTO_OFFSET_RESET), lambda: consume(t, 36))
        to_end = TopicPartition(t, 0, OFFSET_END)
        equal(ADMIN.delete_records([to_end])[to_end].result(20).low_watermark, 100)
        equal(consume(t), [])
        far = TopicPartition(t, 0, 101)
        raises(KafkaException, lambda e: code(e) == KafkaError.OFFSET_OUT_OF_RANGE, lambda: ADMIN.delete_records([far])[far].result(20))

    @case
    def describe_cluster():
        cluster = ADMIN.describe_cluster(include_authorized_operations=True).result(20)
        equal(f"{cluster.controller.host}:{cluster.controller.port}", BOOTSTRAP)
        equal(len(cluster.nodes), 1)
        equal(len(cluster.cluster_id), 22)

    @case
    def describe_topics():
        t = create(topic("describe"), partitions=2)
        described_topic = ADMIN.describe_topics(TopicCollection([t]))[t].result(20)
        equal(described_topic.name, t)
        equal(described_topic.is_internal, False)
        equal([p.id for p in described_topic.partitions], [0, 1])
        equal(str(described_topic.topic_id) != "AAAAAAAAAAAAAAAAAAAAAA", True, "topic id")
        missing = topic("absent")
        raises(
            KafkaException,
            lambda e: code(e) == KafkaError.UNKNOWN_TOPIC_OR_PART,
            lambda: ADMIN.describe_topics(TopicCollection([missing]))[missing].result(20),
        )

    @needs("elect_leaders")
    def elect_leaders():
        from confluent_kafka import ElectionType

        t = create(topic("elect"))
        place = TopicPartition(t, 0)
        answer = ADMIN.elect_leaders(ElectionType.PREFERRED, [place]).result(20)
        equal(answer[place].code(), KafkaError.ELECTION_NOT_NEEDED)

    @case
    def broker_configs_change():
        broker = str(next(iter(ADMIN.list_topics(timeout=10).brokers)))

        def alter(value, op):
            resource = ConfigResource(
                ResourceType.BROKER, broker, incremental_configs=[ConfigEntry("log.cleaner.backoff.ms", value, incremental_operation=op)]
            )
            ADMIN.incremental_alter_configs([resource])[resource].result(20)

        alter("14000", AlterConfigOpType.SET)
        entry = eventually(lambda: (lambda c: c if c.value == "14000" else None)(described("broker", broker)["log.cleaner.backoff.ms"]))
        equal(entry.source, kadmin.ConfigSource.DYNAMIC_BROKER_CONFIG.value)
        alter(None, AlterConfigOpType.DELETE)
        entry = eventually(lambda: (lambda c: c if c.value == "15000" else None)(described("broker", broker)["log.cleaner.backoff.ms"]))
        equal(entry.value, "15000")


if hasattr(kadmin, "OffsetSpec"):
    newer_cases()

if __name__ == "__main__":
    main()
