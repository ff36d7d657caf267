"""Two log directories, of which one fails: power/dirs.py

The second directory is a `Device` that is cut while the broker runs: every write and sync there fails from then on. What is
in the first goes on, also after a restart without the second; and with the second back nothing that was acknowledged is
missing.
"""

import os
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

import steps
from device import Device
from load import CLIENT
from node import Node

OTTLA = os.environ["OTTLA"]
PARTITIONS = 6
PATIENCE_SECONDS = 30
# How long a record is offered to a partition that nobody leads.
OFFER_SECONDS = 1.5


class Dirs(Node):
    """A broker with its metadata log in a directory beside the device."""

    def __init__(self, home):
        super().__init__(home, OTTLA, Device(os.path.join(home, "failing")))
        self.sound = os.path.join(home, "sound")
        self.acked = {}
        self.lost = self.kept = []

    def begin(self):
        """Starts it with a topic in both directories."""
        self.device.make()
        self.start()
        self.create("spread")
        self.lost = self.partitions_in(self.device.path, "spread")
        self.kept = sorted(set(range(PARTITIONS)) - set(self.lost))

    @property
    def data(self):
        return f"{self.sound},{self.device.path}"

    @staticmethod
    def partitions_in(path, topic):
        """By the names of their directories."""
        names = (name.rpartition("-") for name in os.listdir(path))
        return sorted(int(index) for name, _, index in names if name == topic)

    def create(self, topic):
        admin = AdminClient({"bootstrap.servers": self.address, **CLIENT})
        for future in admin.create_topics([NewTopic(topic, PARTITIONS, 1)]).values():
            future.result(PATIENCE_SECONDS)

    def leaders(self, topic):
        """The leader of each partition, -1 for none."""
        listed = AdminClient({"bootstrap.servers": self.address, **CLIENT}).list_topics(topic, timeout=PATIENCE_SECONDS)
        return {index: partition.leader for index, partition in listed.topics[topic].partitions.items()}

    def produce(self, topic, partitions, seconds):
        """One record each; those that were acknowledged."""
        producer = Producer({"bootstrap.servers": self.address, "linger.ms": 0, "acks": "all",
                             "message.timeout.ms": int(seconds * 1000), **CLIENT})
        acked = []

        def delivered(error, message):
            if error is None:
                self.acked.setdefault((topic, message.partition()), []).append(message.value())
                acked.append(message.partition())

        for partition in partitions:
            producer.produce(topic, os.urandom(100), partition=partition, on_delivery=delivered)
        producer.flush(seconds + PATIENCE_SECONDS)
        return sorted(acked)

    def missing(self, topic, partitions):
        """What was acknowledged and cannot be read."""
        consumer = Consumer({"bootstrap.servers": self.address, "group.id": "nobody", "enable.auto.commit": False, **CLIENT})
        wanted = {(topic, index): self.acked.get((topic, index), []) for index in partitions}
        consumer.assign([TopicPartition(topic, index, 0) for index in partitions])
        found = {place: [] for place in wanted}
        deadline = time.monotonic() + PATIENCE_SECONDS
        while any(len(found[place]) < len(values) for place, values in wanted.items()) and time.monotonic() < deadline:
            for message in consumer.consume(100, 0.05):
                if message.error() is None:
                    found[message.topic(), message.partition()].append(message.value())
        consumer.close()
        return [place for place, values in wanted.items() if [value for value in found[place] if value in values] != values]

    def commits(self, groups):
        """How many groups can commit an offset now; each tries once it knows its coordinator."""
        consumers = [Consumer({"bootstrap.servers": self.address, "group.id": group, "enable.auto.commit": False, **CLIENT})
                     for group in groups]
        done = 0
        for consumer in consumers:
            try:
                consumer.commit(offsets=[TopicPartition("spread", self.kept[0], 1)], asynchronous=False)
                done += 1
            except KafkaException:
                pass
            consumer.close()
        return done


def patiently(is_so, what):
    """Waits for a state."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not in {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.05)


def partitions_are_spread(node):
    node.begin()
    assert node.lost and node.kept, f"all partitions are in one directory: {node.lost}, {node.kept}"
    everything = list(range(PARTITIONS))
    assert node.produce("spread", everything, PATIENCE_SECONDS) == everything
    assert node.commits(["group"]) == 1


def one_fails_alone(node):
    node.device.cut()
    assert node.produce("spread", node.lost, OFFER_SECONDS) == [], "a dead disk acknowledges"
    expected = {**{index: 1 for index in node.kept}, **{index: -1 for index in node.lost}}
    patiently(lambda: node.leaders("spread") == expected, "the partitions of the failed directory have no leader")
    assert node.produce("spread", node.kept, PATIENCE_SECONDS) == node.kept
    assert node.missing("spread", node.kept) == []
    node.create("later")
    assert node.produce("later", range(PARTITIONS), PATIENCE_SECONDS) == list(range(PARTITIONS))
    assert node.partitions_in(node.sound, "later") == list(range(PARTITIONS))
    assert node.process.poll() is None and "is offline until the next start" in node.log()


def a_start_goes_on_without_it(node):
    node.stop()
    node.start()
    assert node.produce("spread", node.kept, PATIENCE_SECONDS) == node.kept
    assert node.leaders("spread") == {index: 1 if index in node.kept else -1 for index in range(PARTITIONS)}
    assert node.partitions_in(node.sound, "spread") == node.kept, "nothing is made anew"
    assert node.missing("spread", node.kept) == [] and node.missing("later", range(PARTITIONS)) == []


def it_comes_back(node):
    node.stop()
    node.device.restore()
    node.start()
    everything = list(range(PARTITIONS))
    assert node.missing("spread", everything) == []
    assert node.produce("spread", everything, PATIENCE_SECONDS) == everything
    assert node.missing("spread", everything) == [] and node.missing("later", everything) == []
    node.stop()
    assert not node.panics(), node.panics()


if __name__ == "__main__":
    steps.run("dirs", "two-dirs", Dirs, [partitions_are_spread, one_fails_alone, a_start_goes_on_without_it, it_comes_back])
