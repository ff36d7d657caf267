"""aiokafka: produces, consumes assigned partitions, administers."""
import asyncio
import os
import random
import sys
import time

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "python"))
from aiokafka import AIOKafkaConsumer, AIOKafkaProducer, TopicPartition  # noqa: E402
from aiokafka import errors as kerrors  # noqa: E402
from aiokafka.admin import AIOKafkaAdminClient, NewPartitions, NewTopic, RecordsToDelete  # noqa: E402
from aiokafka.admin.config_resource import ConfigResource, ConfigResourceType  # noqa: E402
from harness import BOOTSTRAP, CODECS, case as plain_case, each as plain_each, equal, main, rows, topic  # noqa: E402


def case(function):
    def run():
        asyncio.run(function())

    run.__name__ = function.__name__
    plain_case(run)
    return function


def each(values):
    def register(function):
        def run(value):
            asyncio.run(function(value))

        run.__name__ = function.__name__
        plain_each(values)(run)
        return function

    return register


class Admin:
    """An admin client as a context."""

    async def __aenter__(self):
        self.client = AIOKafkaAdminClient(bootstrap_servers=BOOTSTRAP)
        await self.client.start()
        return self.client

    async def __aexit__(self, *_):
        await self.client.close()


async def eventually(check, seconds=20):
    deadline = time.monotonic() + seconds
    while True:
        answer = await check()
        if answer or time.monotonic() > deadline:
            return answer
        await asyncio.sleep(0.05)


async def create(name, partitions=1, replication=1, config=None, **options):
    async with Admin() as admin:
        answer = await admin.create_topics(
            [NewTopic(name=name, num_partitions=partitions, replication_factor=replication, topic_configs=config or {})], **options
        )
        check(answer.topic_errors)

        async def there():
            topics = await admin.describe_topics([name])
            return topics[0]["error_code"] == 0 and len(topics[0]["partitions"]) == partitions

        if not options.get("validate_only"):
            equal(await eventually(there), True, "topic seen in Metadata")
    return name


def check(topic_errors):
    for error in topic_errors:
        if error[1]:
            raise kerrors.for_code(error[1])(error)


async def refused(code, call):
    try:
        answer = await call
    except kerrors.KafkaError as error:
        if error.errno != code:
            raise AssertionError(f"want error {code}, got {error!r}") from error
        return
    raise AssertionError(f"want error {code}, got {answer!r}")


async def produce(name, items, partition=0, **config):
    """Sends (key, value[, headers[, timestamp]]) items in order."""
    config.setdefault("linger_ms", 5)
    config.setdefault("max_request_size", 2_000_000)
    async with AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, **config) as producer:
        futures = []
        for item in items:
            key, value, headers, stamp = (*item, None, None)[:4]
            futures.append(await producer.send(name, value, key, partition, timestamp_ms=stamp, headers=headers))
        return await asyncio.gather(*futures)


async def consume(name, offset=0, partitions=(0,), **config):
    """Everything from `offset` ("begin" and "end" too) up to each partition's end, asked for beforehand."""
    config.setdefault("auto_offset_reset", "none")
    config.setdefault("fetch_max_wait_ms", 100)
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, enable_auto_commit=False, **config) as reader:
        places = [TopicPartition(name, p) for p in partitions]
        reader.assign(places)
        ends = await reader.end_offsets(places)
        for place in places:
            if offset == "begin":
                await reader.seek_to_beginning(place)
            elif offset == "end":
                await reader.seek_to_end(place)
            else:
                reader.seek(place, offset)
        out = []
        while not all([await reader.position(p) >= ends[p] for p in places]):
            for messages in (await reader.getmany(timeout_ms=1000)).values():
                out.extend(messages)
        return out


def pairs(messages):
    return [(m.key, m.value) for m in messages]


# --- produce and consume


@each(CODECS)
async def codec(name):
    t = await create(topic(f"codec-{name}"))
    items = rows(1500)
    await produce(t, items, compression_type=None if name == "none" else name)
    equal(pairs(await consume(t)), items)


@case
async def transactions():
    t, items = await create(topic("transactions")), rows(30)
    group, place = f"{t}-group", TopicPartition(t, 0)

    def committed_is(want):
        async def check():
            async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, group_id=group, enable_auto_commit=False) as reader:
                reader.assign([place])
                return await reader.committed(place) == want

        return check

    def producer():
        return AIOKafkaProducer(bootstrap_servers=BOOTSTRAP, transactional_id=t)

    async with producer() as first:
        for n, want in enumerate([7, 7, 27]):
            await first.begin_transaction()
            sent = [await first.send(t, value, key, 0) for key, value in items[10 * n : 10 * n + 10]]
            await asyncio.gather(*sent)
            await first.send_offsets_to_transaction({place: 10 * n + 7}, group)
            await (first.abort_transaction if n == 1 else first.commit_transaction)()
            equal(await eventually(committed_is(want)), True, "the group's offset")
        equal(pairs(await consume(t)), items, "uncommitted records")

        async def all_committed():
            return pairs(await consume(t, isolation_level="read_committed")) == items[:10] + items[20:]

        equal(await eventually(all_committed), True, "committed records")
        await first.begin_transaction()
        await first.send_and_wait(t, b"of the first", partition=0)
        async with producer():
            try:
                await first.commit_transaction()
            except kerrors.KafkaError:
                return
            raise AssertionError("the first producer commits after the second began")


@each([0, 1, "all"])
async def acks(level):
    t = await create(topic(f"acks-{level}"))
    items = rows(200)
    await produce(t, items, acks=level)

    async def arrived():
        got = pairs(await consume(t))
        return got if len(got) == 200 else None

    equal(await eventually(arrived), items)


@each(CODECS)
async def idempotent(name):
    t = await create(topic(f"idempotent-{name}"))
    items = rows(800, seed=3)
    sent = await produce(t, items, enable_idempotence=True, compression_type=None if name == "none" else name, max_batch_size=2000)
    equal([m.offset for m in sent], list(range(800)))
    equal(pairs(await consume(t)), items)


@each(CODECS)
async def large_records(name):
    t = await create(topic(f"large-{name}"))
    items = [(b"random", random.Random(5).randbytes(1_000_000)), (b"text", b"0123456789abcdef" * 62_500), (b"last", b"x")]
    await produce(t, items, compression_type=None if name == "none" else name)
    equal(pairs(await consume(t)), items)


@case
async def headers():
    t = await create(topic("headers"))
    sent = [("a", b"1"), ("b", b""), ("a", b"2"), ("ключ-鍵", "значение".encode()), ("bin", bytes(range(256))), ("", b"empty key")]
    await produce(t, [(b"k", b"v", sent), (b"k", b"none")])
    got = await consume(t)
    equal(list(got[0].headers), sent)
    equal(list(got[1].headers), [])


@case
async def tombstones():
    t = await create(topic("tombstones"), config={"cleanup.policy": "compact"})
    items = [(b"a", b"1"), (b"a", None), (b"b", b""), (b"", None)]
    await produce(t, items)
    equal(pairs(await consume(t)), items)


@case
async def refused_records():
    compacted = await create(topic("compacted"), config={"cleanup.policy": "compact"})
    await refused(-1, produce(compacted, [(None, b"v")]))  # 87, which this client does not know
    small = await create(topic("small"), config={"max.message.bytes": "1000"})
    await refused(10, produce(small, [(b"k", random.randbytes(2000))]))
    equal(await consume(small), [])


@case
async def topic_is_created_by_the_first_record():
    t = topic("auto")
    await produce(t, [(b"k", b"v")])
    equal(pairs(await consume(t)), [(b"k", b"v")])


@case
async def timestamps():
    t = await create(topic("create-time"))
    now = int(time.time() * 1000)
    stamps = [now - 5000, now, now - 9000]
    await produce(t, [(b"k", b"v", None, s) for s in stamps])
    equal([(m.timestamp, m.timestamp_type) for m in await consume(t)], [(s, 0) for s in stamps])
    t = await create(topic("append-time"), config={"message.timestamp.type": "LogAppendTime"})
    sent = await produce(t, [(b"k", b"v", None, 1000)])
    got = (await consume(t))[0]
    equal((got.timestamp_type, got.timestamp), (1, sent[0].timestamp))
    equal(abs(got.timestamp - now) < 60_000, True, "broker's own time")


@case
async def empty_topic():
    t = await create(topic("empty"), partitions=2)
    equal(await consume(t, "begin", (0, 1)), [])
    equal(await consume(t, "end", (0, 1)), [])
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP) as reader:
        place = TopicPartition(t, 0)
        equal((await reader.beginning_offsets([place]))[place], 0)
        equal((await reader.end_offsets([place]))[place], 0)


@case
async def consume_from_each_place():
    t = await create(topic("places"))
    start = int(time.time() * 1000) - 100_000
    items = [(b"k%d" % n, b"v%d" % n, None, start + n * 10) for n in range(300)]
    await produce(t, items, compression_type="lz4", max_batch_size=1000)
    want = [item[:2] for item in items]
    equal(pairs(await consume(t, "begin")), want)
    equal(await consume(t, "end"), [])
    for offset in (0, 1, 17, 64, 299):
        got = await consume(t, offset)
        equal((got[0].offset, pairs(got)), (offset, want[offset:]), f"from {offset}")
    equal(await consume(t, 300), [])
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP) as reader:
        place = TopicPartition(t, 0)
        for stamp, offset in ((start - 1, 0), (start + 1, 1), (start + 640, 64), (start + 2990, 299), (start + 2991, None)):
            found = (await reader.offsets_for_times({place: stamp}))[place]
            equal(found and found.offset, offset, f"offset for {stamp - start}")


@case
async def offset_out_of_range():
    t = await create(topic("range"))
    await produce(t, rows(10))
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, auto_offset_reset="none") as reader:
        place = TopicPartition(t, 0)
        reader.assign([place])
        reader.seek(place, 50)
        try:
            await asyncio.wait_for(reader.getone(), 20)
            raise AssertionError("no error")
        except kerrors.OffsetOutOfRangeError:
            pass
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, auto_offset_reset="earliest") as reader:
        reader.assign([place])
        reader.seek(place, 50)
        equal((await asyncio.wait_for(reader.getone(), 20)).offset, 0)


@case
async def waiting_consumer_gets_new_records():
    t = await create(topic("tail"))
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP, fetch_max_wait_ms=5_000, auto_offset_reset="earliest") as reader:
        reader.assign([TopicPartition(t, 0)])
        equal(await reader.getmany(timeout_ms=1000), {})
        started = time.monotonic()
        await produce(t, [(b"k", b"v")])
        equal((await asyncio.wait_for(reader.getone(), 20)).value, b"v")
        equal(time.monotonic() - started < 3, True, "woken before the wait was over")


@case
async def many_partitions():
    t = await create(topic("many"), partitions=8)
    items = rows(60)
    for p in range(8):
        await produce(t, items[p:], partition=p)
    got = await consume(t, "begin", range(8), fetch_max_bytes=5000, max_partition_fetch_bytes=2000)
    for p in range(8):
        equal(pairs(m for m in got if m.partition == p), items[p:], f"partition {p}")


# --- administration


@case
async def describe_cluster():
    async with Admin() as admin:
        cluster = await admin.describe_cluster()
        equal([f"{b['host']}:{b['port']}" for b in cluster["brokers"]], [BOOTSTRAP])
        equal(cluster["controller_id"], cluster["brokers"][0]["node_id"])
        equal(len(cluster["cluster_id"]), 22)


@case
async def topics():
    async with Admin() as admin:
        t = await create(topic("a"), partitions=3)
        equal(t in await admin.list_topics(), True)
        described = (await admin.describe_topics([t]))[0]
        equal(sorted(p["partition"] for p in described["partitions"]), [0, 1, 2])
        check((await admin.delete_topics([t])).topic_error_codes)

        async def gone():
            return t not in await admin.list_topics()

        equal(await eventually(gone), True)
        equal((await admin.delete_topics([topic("missing")])).topic_error_codes[0][1], 3)


@case
async def create_topic_refusals():
    t = await create(topic("exists"))
    bad = topic("bad")
    await refused(36, create(t))
    await refused(38, create(bad, replication=5))
    await refused(37, create(bad, partitions=0))
    await refused(40, create(bad, config={"no.such.key": "1"}))
    await refused(40, create(bad, config={"retention.ms": "soon"}))
    await refused(17, create("bad name!"))
    await create(topic("dry"), validate_only=True)
    async with Admin() as admin:
        equal([n for n in await admin.list_topics() if n in (bad, topic("dry"))], [])


@case
async def add_partitions():
    t = await create(topic("grow"))
    async with Admin() as admin:
        equal((await admin.create_partitions({t: NewPartitions(4)})).topic_errors[0][1], 0)

        async def grown():
            return len((await admin.describe_topics([t]))[0]["partitions"]) == 4

        equal(await eventually(grown), True)
        await refused(37, admin.create_partitions({t: NewPartitions(2)}))
        await refused(3, admin.create_partitions({topic("nope"): NewPartitions(2)}))
    await produce(t, rows(5), partition=3)
    equal(pairs(await consume(t, "begin", (3,))), rows(5))


@case
async def configs():
    t = await create(topic("configs"), config={"retention.ms": "12345"})
    async with Admin() as admin:

        async def entry(key):
            answer = await admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, t)])
            resource = answer[0].resources[0]
            equal(resource[0], 0, "error code")
            return next(e for e in resource[4] if e[0] == key)

        equal((await entry("retention.ms"))[1:2], ("12345",))
        equal((await entry("max.message.bytes"))[1], "1048588")
        answer = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, t, {"max.message.bytes": "5000"})])
        equal(answer[0].resources[0][0], 0)

        async def altered():
            return (await entry("max.message.bytes"))[1] == "5000"

        equal(await eventually(altered), True)
        equal((await entry("retention.ms"))[1], "604800000")
        answer = await admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, t, {"max.message.bytes": "x"})])
        equal(answer[0].resources[0][0], 40)
        broker = (await admin.describe_cluster())["brokers"][0]["node_id"]
        answer = await admin.describe_configs([ConfigResource(ConfigResourceType.BROKER, str(broker))])
        entries = {e[0]: e[1] for e in answer[0].resources[0][4]}
        equal(entries["message.max.bytes"], "1048588")


@case
async def delete_records():
    t = await create(topic("delete-records"))
    await produce(t, rows(100), max_batch_size=500)
    place = TopicPartition(t, 0)
    async with Admin() as admin:
        equal(await admin.delete_records({place: RecordsToDelete(before_offset=37)}), {place: 37})
    got = await consume(t, 37)
    equal((got[0].offset, pairs(got)), (37, rows(100)[37:]))
    async with AIOKafkaConsumer(bootstrap_servers=BOOTSTRAP) as reader:
        equal((await reader.beginning_offsets([place]))[place], 37)


if __name__ == "__main__":
    main()
