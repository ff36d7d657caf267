"""A disk that fills up: power/full.py

On a filesystem of 64 MiB everything is written until there is no room. Producers are refused with an error that they retry,
everything else goes on, space that is given back is used again without a restart, a start on the full disk succeeds, and
nothing that was acknowledged is missing.
"""

import os
import random
import time

from confluent_kafka import Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

import steps
from device import Device
from load import CLIENT
from node import Node

OTTLA = os.environ["OTTLA"]
DISK_BYTES = 64 << 20
VALUE_BYTES = 100_000
PATIENCE_SECONDS = 60
# A disk that is busy with others' data as well takes its time: what is too late is no refusal.
CLIENT = CLIENT | {"socket.timeout.ms": 20_000}
# A new segment of the metadata log is due all the time, for which there is no room.
CONFIG = {"metadata.log.segment.ms": "300"}


class Disk:
    """A broker on a small disk, and what it has acknowledged."""

    def __init__(self, home):
        self.node = Node(home, OTTLA, Device(os.path.join(home, "data"), size=DISK_BYTES), settings=CONFIG)
        self.acked = {}
        self.node.device.make()
        self.node.start()
        self.admin = AdminClient({"bootstrap.servers": self.node.address, **CLIENT})
        topics = [NewTopic(name, 1, 1, config={"segment.bytes": "1048576"}) for name in ["kept", "ballast", "transacted"]]
        self.wait(self.admin.create_topics(topics))
        self.consumer = Consumer({"bootstrap.servers": self.node.address, "group.id": "group", "enable.auto.commit": False, **CLIENT})

    @staticmethod
    def wait(futures):
        """The answers of an administrative request."""
        for future in futures.values():
            future.result(20)

    def produce(self, topic, seconds, size=VALUE_BYTES):
        """Produces until something is refused, or the time is over; the refusal."""
        producer = Producer({"bootstrap.servers": self.node.address, "linger.ms": 0, "retries": 0, "acks": "all",
                             "message.max.bytes": 1_000_000, **CLIENT})
        refusals = []

        def delivered(error, message):
            if error is None:
                self.acked[message.topic(), message.offset()] = message.value()
            else:
                refusals.append(error)

        deadline = time.monotonic() + seconds
        while not refusals and time.monotonic() < deadline:
            producer.produce(topic, random.randbytes(size), on_delivery=delivered)
            producer.flush(20)
        return refusals[0] if refusals else None

    def begin(self):
        """A transaction with a record and an offset, open until there is room again."""
        settings = {"transactional.id": "open", "transaction.timeout.ms": 800_000, "metadata.recovery.strategy": "none"}
        self.transaction = Producer({"bootstrap.servers": self.node.address, **settings, **CLIENT})
        self.transaction.init_transactions(PATIENCE_SECONDS)
        self.transaction.begin_transaction()
        self.transaction.produce("transacted", b"begun")
        assert self.transaction.flush(PATIENCE_SECONDS) == 0
        place = [TopicPartition("kept", 0, 7)]
        self.transaction.send_offsets_to_transaction(place, self.member().consumer_group_metadata(), PATIENCE_SECONDS)

    def member(self):
        settings = {"group.id": "in-transaction", "enable.auto.commit": False, "isolation.level": "read_committed"}
        return Consumer({"bootstrap.servers": self.node.address, **settings, **CLIENT})

    def end(self):
        """Commits it, and finds what was in it."""
        self.transaction.commit_transaction(PATIENCE_SECONDS)
        consumer = self.member()
        consumer.assign([TopicPartition("transacted", 0, 0)])
        found, deadline = [], time.monotonic() + PATIENCE_SECONDS
        while not found and time.monotonic() < deadline:
            found = [message.value() for message in consumer.consume(1, 0.5) if message.error() is None]
        committed = consumer.committed([TopicPartition("kept", 0)], timeout=20)[0].offset
        consumer.close()
        assert (found, committed) == ([b"begun"], 7), f"{found} and offset {committed} were committed"

    def commit(self, offset):
        """Commits an offset, and reads it back."""
        place = TopicPartition("kept", 0, offset)
        self.consumer.commit(offsets=[place], asynchronous=False)
        assert self.consumer.committed([place], timeout=20)[0].offset == offset

    def alter(self, number):
        """Changes a setting, and reads it back."""
        entry = ConfigEntry("retention.ms", str(10**9 + number), incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, "kept", incremental_configs=[entry])
        self.wait(self.admin.incremental_alter_configs([resource]))

    def missing(self):
        """Offsets that were acknowledged, are not deleted, and cannot be read."""
        consumer = Consumer({"bootstrap.servers": self.node.address, "group.id": "nobody", "enable.auto.commit": False, **CLIENT})
        lost = []
        for topic in {topic for topic, _ in self.acked}:
            low, high = consumer.get_watermark_offsets(TopicPartition(topic, 0), timeout=20)
            consumer.assign([TopicPartition(topic, 0, low)])
            found, deadline = {}, time.monotonic() + 30
            while len(found) < high - low and time.monotonic() < deadline:
                found.update({m.offset(): m.value() for m in consumer.consume(100, 0.05) if m.error() is None})
            lost += [place for place, value in self.acked.items() if place[0] == topic and place[1] >= low and found.get(place[1]) != value]
        consumer.close()
        return lost


def fills_up(disk):
    disk.commit(0)
    disk.begin()
    refusal = disk.produce("kept", 5, size=1000) if len(disk.acked) else None
    refusal = refusal or disk.produce("ballast", PATIENCE_SECONDS)
    assert refusal is not None, "the disk does not fill up"
    assert refusal.code() == KafkaError.KAFKA_STORAGE_ERROR, f"the refusal is {refusal}"
    # To the last byte, as far as small records go.
    while disk.produce("ballast", 1, size=2000) is None:
        pass


def everything_else_goes_on(disk):
    for number in range(20):
        disk.commit(number)
        disk.alter(number)
    assert disk.missing() == [], f"{disk.missing()} are gone"
    assert disk.node.process.poll() is None


def starts_when_full(disk):
    disk.node.stop()
    disk.node.start()
    assert disk.missing() == []
    disk.commit(100)
    disk.node.kill()
    disk.node.start()
    assert disk.missing() == []
    disk.commit(101)
    disk.node.power_fails()
    disk.node.start()
    assert disk.missing() == []
    disk.alter(101)


def recovers_by_itself(disk):
    start = disk.node.starts
    end = max(offset for topic, offset in disk.acked if topic == "ballast")
    disk.wait(disk.admin.delete_records([TopicPartition("ballast", 0, end)]))
    deadline = time.monotonic() + PATIENCE_SECONDS
    while disk.produce("kept", 0.5) is not None:
        assert time.monotonic() < deadline, "space that is free again is not used"
        time.sleep(0.5)
    print(f"space that is free again is used after {PATIENCE_SECONDS - (deadline - time.monotonic()):.1f} s", flush=True)
    disk.end()
    assert disk.missing() == []
    assert disk.node.starts == start and disk.node.process.poll() is None


def a_deleted_topic_makes_room(disk):
    while disk.produce("kept", 1) is None:
        pass
    disk.wait(disk.admin.delete_topics(["ballast"]))
    disk.acked = {place: value for place, value in disk.acked.items() if place[0] != "ballast"}
    disk.produce("kept", 2)
    disk.node.power_fails()
    disk.node.start()
    assert disk.missing() == []


if __name__ == "__main__":
    STEPS = [fills_up, everything_else_goes_on, starts_when_full, recovers_by_itself, a_deleted_topic_makes_room]
    steps.run("full", "full-disk", Disk, STEPS, node_of=lambda disk: disk.node)
