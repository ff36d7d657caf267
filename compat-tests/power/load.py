"""Clients that go on across power cuts, and note what they were told: whatever was acknowledged is held against the disk.

Every client is a thread with an object of its own, and lives until the end: what it has in flight when the power fails it
sends again afterwards, which is how producers' sequences are tested.
"""

import collections
import itertools
import os
import random
import threading
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic

CLIENT = {
    "reconnect.backoff.ms": 20,
    "reconnect.backoff.max.ms": 100,
    "retry.backoff.ms": 20,
    "socket.timeout.ms": 4000,
    "topic.metadata.refresh.interval.ms": 500,
    "log_level": 0,
}
# The smallest that a broker accepts.
SEGMENT = "1048576"
TOPICS = {
    "steady": (6, {}),
    "rolling": (2, {"segment.bytes": SEGMENT}),
    "compacted": (2, {"cleanup.policy": "compact", "segment.bytes": SEGMENT, "min.cleanable.dirty.ratio": "0.01"}),
    "short": (1, {"segment.bytes": SEGMENT, "retention.bytes": "3145728"}),
    "cached": (2, {"write.caching": "true"}),
}
# Not in flight and not answered: let go, so that memory is bounded.
TIMEOUT_MS = 60_000


class Client(threading.Thread):
    """`step` is called again and again; what a broker that is away causes is no failure."""

    def __init__(self, name, bootstrap):
        super().__init__(name=name, daemon=True)
        self.bootstrap = bootstrap
        self.ended = threading.Event()
        self.failure = None

    def run(self):
        try:
            while not self.ended.is_set():
                try:
                    self.step()
                except KafkaException as error:
                    if error.args[0].fatal():
                        raise
                    time.sleep(0.05)
            self.finish()
        except Exception as error:  # noqa: BLE001 - told by the one who waits for it
            self.failure = f"{self.name}: {type(error).__name__}: {error}"

    def step(self):
        raise NotImplementedError

    def finish(self):
        pass


class Writer(Client):
    """Produces to a topic as fast as it is acknowledged, `pending_max` records at a time.

    `acked` has {(partition, offset): value}; `unplaced` what was acknowledged as a duplicate, without its offset.
    """

    def __init__(self, name, bootstrap, topic, pending_max=50, size=200, keys=None, per_second=2000, **settings):
        super().__init__(name, bootstrap)
        self.topic = topic
        self.pending_max = pending_max
        self.size = size
        self.keys = keys
        self.per_second = per_second
        self.numbers = itertools.count()
        self.acked = {}
        self.unplaced = set()
        self.refused = []
        self.idempotent = settings.get("enable.idempotence", False)
        self.is_promised = settings.get("acks") != 1
        self.lock = threading.Lock()
        self.producer = Producer({"bootstrap.servers": bootstrap, "acks": "all", "partitioner": "consistent_random",
                                  "delivery.timeout.ms": TIMEOUT_MS, "sticky.partitioning.linger.ms": 5,
                                  **CLIENT, **settings})

    def step(self):
        if len(self.producer) >= self.pending_max:
            self.producer.poll(0.02)
            return
        for _ in range(min(10, self.pending_max)):
            number = next(self.numbers)
            # Random bytes: what is lost is never taken for what is there.
            value = f"{self.name} {number} ".encode() + os.urandom(self.size // 2).hex().encode()
            key = None if self.keys is None else f"{self.name} {random.randrange(self.keys)}".encode()
            self.producer.produce(self.topic, value, key, on_delivery=self._delivered)
        due = time.monotonic() + min(10, self.pending_max) / self.per_second
        while (left := due - time.monotonic()) > 0:
            self.producer.poll(left)

    def finish(self):
        left = self.producer.flush(TIMEOUT_MS / 1000)
        if left:
            raise TimeoutError(f"{left} records were not delivered")

    def _delivered(self, error, message):
        with self.lock:
            if error is not None:
                self.refused.append(str(error))
            elif message.offset() < 0:
                self.unplaced.add(message.value())
            else:
                self.acked[message.partition(), message.offset()] = message.key(), message.value()


class Reader(Client):
    """Follows a topic; what it was shown must never be gone."""

    def __init__(self, bootstrap, topic, partitions):
        super().__init__(f"reader of {topic}", bootstrap)
        self.topic = topic
        self.seen = {}
        self.lock = threading.Lock()
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": "nobody", "enable.auto.commit": False,
                                  "fetch.wait.max.ms": 50, "auto.offset.reset": "error", **CLIENT})
        self.consumer.assign([TopicPartition(topic, partition, OFFSET_BEGINNING) for partition in range(partitions)])

    def step(self):
        for message in self.consumer.consume(200, 0.05):
            if message.error() is None:
                with self.lock:
                    self.seen[message.partition(), message.offset()] = message.key(), message.value()
            elif message.error().code() in (KafkaError._AUTO_OFFSET_RESET, KafkaError.OFFSET_OUT_OF_RANGE):
                raise RuntimeError(f"what it was shown is gone: {message.error()}")

    def finish(self):
        self.consumer.close()


class Committer(Client):
    """Commits growing offsets for one group; `acked` is the last that was acknowledged, `asked` the last it tried."""

    def __init__(self, number, bootstrap):
        super().__init__(f"group-{number}", bootstrap)
        self.acked = -1
        self.asked = 0
        # The last answers, for whoever has to find out what went wrong.
        self.answers = collections.deque(maxlen=8)
        self.consumer = Consumer({"bootstrap.servers": bootstrap, "group.id": self.name, "enable.auto.commit": False, **CLIENT})

    def step(self):
        offset = self.asked = self.asked + 1
        asked = time.time()
        try:
            committed = self.consumer.commit(offsets=[TopicPartition("steady", 0, offset)], asynchronous=False)
        except KafkaException as error:
            self.answers.append((offset, asked, time.time(), error.args[0].name()))
            raise
        self.answers.append((offset, asked, time.time(), str(committed[0].error)))
        if committed[0].error is None:
            self.acked = offset

    def finish(self):
        self.consumer.close()


class Topics(Client):
    """Creates topics and deletes some of them; remembers what is certain of each."""

    def __init__(self, bootstrap):
        super().__init__("topics", bootstrap)
        self.admin = AdminClient({"bootstrap.servers": bootstrap, **CLIENT})
        self.numbers = itertools.count()
        self.exist = set()
        self.gone = set()
        self.lock = threading.Lock()

    def step(self):
        name = f"made-{next(self.numbers)}"
        self._done(self.admin.create_topics([NewTopic(name, 2, 1)], request_timeout=3))
        with self.lock:
            self.exist.add(name)
        victims = sorted(self.exist)[:-20]
        if victims:
            victim = random.choice(victims)
            with self.lock:
                # Until it is acknowledged nothing is certain.
                self.exist.discard(victim)
            self._done(self.admin.delete_topics([victim], request_timeout=3))
            with self.lock:
                self.gone.add(victim)
        time.sleep(0.05)

    @staticmethod
    def _done(futures):
        for future in futures.values():
            future.result(5)


def create(bootstrap):
    """The topics that clients write to."""
    admin = AdminClient({"bootstrap.servers": bootstrap, **CLIENT})
    wanted = [NewTopic(name, partitions, 1, config=config) for name, (partitions, config) in TOPICS.items()]
    for future in admin.create_topics(wanted).values():
        future.result(20)


def clients(bootstrap):
    """Everybody who works while the power is cut."""
    exactly_once = {"enable.idempotence": True}
    return [
        Writer("at-once", bootstrap, "steady", pending_max=5, per_second=500, **{"linger.ms": 0}),
        Writer("in-batches", bootstrap, "steady", pending_max=500, **{"linger.ms": 20, "compression.type": "lz4"}),
        Writer("once", bootstrap, "steady", pending_max=20, per_second=500, **exactly_once, **{"linger.ms": 1}),
        Writer("leader-only", bootstrap, "steady", per_second=500, **{"linger.ms": 5, "acks": 1}),
        Writer("rolling-once", bootstrap, "rolling", size=30_000, per_second=40, **exactly_once, **{"linger.ms": 5}),
        Writer("rolling-plain", bootstrap, "rolling", size=8000, per_second=100, **{"linger.ms": 0}),
        Writer("versions", bootstrap, "compacted", size=4000, keys=40, per_second=200, **exactly_once, **{"linger.ms": 2}),
        Writer("retained", bootstrap, "short", size=20_000, per_second=50, **exactly_once, **{"linger.ms": 2}),
        Writer("cached", bootstrap, "cached", per_second=500, **{"linger.ms": 1}),
        Reader(bootstrap, "steady", TOPICS["steady"][0]),
        Reader(bootstrap, "rolling", TOPICS["rolling"][0]),
        *(Committer(number, bootstrap) for number in range(3)),
        Topics(bootstrap),
    ]
