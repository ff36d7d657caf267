"""What a broker serves of a directory: written by one, read back and compared after the other has had it.

directory/suite.py write BOOTSTRAP       creates the topics and fills them
directory/suite.py read BOOTSTRAP FILE   everything a consumer of committed records sees, and the topics' configuration
"""

import hashlib
import json
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, ConfigResource, NewTopic

CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]
TOPICS = {
    # min.cleanable.dirty.ratio: nothing is left for later.
    "compacted": (1, {"cleanup.policy": "compact", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01"}),
    "both": (1, {"cleanup.policy": "compact,delete", "segment.bytes": "1048576", "min.cleanable.dirty.ratio": "0.01",
                 "retention.ms": "-1"}),
    "plain": (3, {"retention.ms": "-1", "segment.bytes": "1048576"}),
    "stamped": (1, {"message.timestamp.type": "LogAppendTime", "compression.type": "zstd"}),
}


def write(bootstrap):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    topics = [NewTopic(name, partitions, 1, config=config) for name, (partitions, config) in TOPICS.items()]
    for future in admin.create_topics(topics).values():
        future.result(20)
    for name in ["compacted", "both"]:
        fill(bootstrap, name, 1400)
        in_transactions(bootstrap, name)
        fill(bootstrap, name, 1000)
    for name in ["plain", "stamped"]:
        fill(bootstrap, name, 500)


def fill(bootstrap, topic, count):
    for codec in CODECS:
        producer = Producer({"bootstrap.servers": bootstrap, "compression.type": codec, "acks": "all",
                             "enable.idempotence": codec in ("none", "lz4"), "linger.ms": 5})
        for at in range(count // len(CODECS)):
            key = f"key {at % 83}"
            # Random enough that no codec makes the segments small.
            noise = "".join(hashlib.sha512(f"{codec} {at} {part}".encode()).hexdigest() for part in range(24))
            value = None if at % 11 == 7 else f"{codec} {at} {noise}"
            headers = [("twice", b"1"), ("twice", None), ("bytes", b"\xff\x00")]
            producer.produce(topic, value, key, headers=headers if at % 3 else None, timestamp=1_700_000_000_000 + at)
            producer.poll(0)
        left = producer.flush(60)
        assert left == 0, f"{left} records were not delivered"


def in_transactions(bootstrap, topic):
    producer = Producer({"bootstrap.servers": bootstrap, "transactional.id": f"writer of {topic}",
                         "compression.type": "lz4"})
    producer.init_transactions(30)
    for number in range(12):
        producer.begin_transaction()
        for at in range(20):
            producer.produce(topic, f"transaction {number} " + "x" * 4000, f"key {(number * 7 + at) % 97}")
        producer.flush(30)
        (producer.abort_transaction if number % 3 == 1 else producer.commit_transaction)(30)


def read(bootstrap, path):
    admin = AdminClient({"bootstrap.servers": bootstrap})
    found = {"configs": {}, "records": {}}
    partitions = []
    for name, (count, _) in TOPICS.items():
        described = admin.describe_configs([ConfigResource(ConfigResource.Type.TOPIC, name)])
        entries = next(iter(described.values())).result(20).values()
        found["configs"][name] = {entry.name: entry.value for entry in entries if int(entry.source) == 1}
        partitions += [TopicPartition(name, partition, OFFSET_BEGINNING) for partition in range(count)]
    found["records"] = records(bootstrap, partitions)
    with open(path, "w", encoding="utf-8") as out:
        json.dump(found, out, indent=0, sort_keys=True)


def records(bootstrap, partitions):
    consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "nobody", "isolation.level": "read_committed",
                         "enable.auto.commit": False, "enable.partition.eof": True})
    out = {f"{p.topic}-{p.partition}": [watermarks(consumer, p)] for p in partitions}
    consumer.assign(partitions)
    left = len(partitions)
    deadline = time.monotonic() + 60
    while left and time.monotonic() < deadline:
        for message in consumer.consume(500, 0.1):
            if message.error() and message.error().code() == KafkaError._PARTITION_EOF:
                left -= 1
                continue
            if message.error():
                raise RuntimeError(message.error())
            value = message.value()
            digest = None if value is None else hashlib.sha256(value).hexdigest()
            headers = [[key, None if data is None else data.hex()] for key, data in message.headers() or []]
            key, timestamp = message.key().decode(), list(message.timestamp())
            place = out[f"{message.topic()}-{message.partition()}"]
            place.append([message.offset(), key, digest, headers, timestamp])
    assert left == 0, f"{left} partitions were not read to their ends"
    consumer.close()
    return out


def watermarks(consumer, partition):
    """A broker that has just started may not lead the partition yet."""
    deadline = time.monotonic() + 20
    while True:
        try:
            return list(consumer.get_watermark_offsets(partition, 20))
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.2)


if __name__ == "__main__":
    {"write": write, "read": read}[sys.argv[1]](*sys.argv[2:])
