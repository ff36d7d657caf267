"""Holds what clients were told against what a broker has."""

import time

from confluent_kafka import Consumer, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient

from load import CLIENT, TOPICS, Committer, Reader, Topics, Writer

PLACES = [(topic, partition) for topic, (count, _) in TOPICS.items() for partition in range(count)]
# Records before the last verified end that a check between rounds reads again.
OVERLAP = 300
READ_SECONDS = 60
PATIENCE_SECONDS = 30


class Verifier:
    """Collects violations, as sentences, in `found`; `lost_cached` counts what the topic without syncs has lost."""

    def __init__(self, clients):
        self.clients = clients
        self.found = []
        self.lost_cached = 0
        self.checked = 0
        self.ends = {}
        self.asking = {}

    def check(self, bootstrap, when, whole=False):
        """Everything that was acknowledged up to now; between rounds only the ends of the logs."""
        acked, seen, groups, unplaced = {}, {}, {}, {}
        for client in self.clients:
            if isinstance(client, Writer):
                with client.lock:
                    acked[client] = dict(client.acked)
                    unplaced[client] = set(client.unplaced)
            elif isinstance(client, Reader):
                with client.lock:
                    seen[client] = dict(client.seen)
            elif isinstance(client, Committer):
                groups[client] = client.acked
        self._topics(bootstrap, when)
        if self.found:
            return
        self._offsets(bootstrap, when, groups)
        for topic, log in self._read(bootstrap, whole).items():
            writers = [writer for writer in acked if writer.topic == topic]
            for writer in writers:
                self._records(when, log, writer, acked[writer], unplaced[writer], whole)
            for reader in [reader for reader in seen if reader.topic == topic]:
                self._placed(when, log, f"read {topic}", seen[reader])
            self.ends.update({(topic, partition): end for partition, (_, end) in log.bounds.items()})

    def _records(self, when, log, writer, acked, unplaced, whole):
        if writer.topic == "cached":
            lost = [place for place, record in acked.items() if log.covers(place) and log.records.get(place) != record]
            self.lost_cached += len(lost)
            # Their offsets are given to others.
            with writer.lock:
                for place in lost:
                    writer.acked.pop(place, None)
            return
        if writer.topic == "compacted":
            if whole:
                self._versions(when, log, writer, acked)
        elif writer.is_promised:
            self._placed(when, log, f"acknowledged to {writer.name}", acked)
        if writer.idempotent and writer.topic != "compacted":
            self._once(when, log, writer, unplaced, whole)

    def _placed(self, when, log, what, places):
        missing = 0
        for place, record in places.items():
            if not log.covers(place):
                continue
            self.checked += 1
            if log.records.get(place) != record:
                missing += 1
                first = place if missing == 1 else first
        if missing:
            self.found.append(f"{when}: {missing} of {len(places)} records {what} are gone, first {first} of {log.bounds}")

    def _once(self, when, log, writer, unplaced, whole):
        """No record twice, each producer's in order, and none missing that was called a duplicate."""
        prefix = f"{writer.name} ".encode()
        for partition in log.bounds:
            numbers = [number_of(value) for (at, _), (_, value) in log.records.items() if at == partition and value.startswith(prefix)]
            if any(later <= earlier for earlier, later in zip(numbers, numbers[1:])):
                self.found.append(f"{when}: records of {writer.name} come twice or out of order in {log.topic}-{partition}")
        if whole and writer.topic != "short":
            values = {value for _, value in log.records.values()}
            missing = sum(value not in values for value in unplaced)
            if missing:
                self.found.append(f"{when}: {missing} records of {writer.name} are gone that were called duplicates")

    def _versions(self, when, log, writer, acked):
        """The value of a key is the newest that was acknowledged, or newer."""
        newest = {}
        for (partition, _), (key, value) in sorted(log.records.items()):
            newest[partition, key] = number_of(value)
        for (partition, _), (key, value) in acked.items():
            self.checked += 1
            if newest.get((partition, key), -1) < number_of(value):
                self.found.append(f"{when}: {key} of {writer.topic} is version {newest.get((partition, key))}, not {number_of(value)}")
                return

    def _topics(self, bootstrap, when):
        exist, gone = self._certain_topics()
        admin = self._client(AdminClient, bootstrap)
        topics = _patiently(lambda: set(admin.list_topics(timeout=10).topics))
        # The clients go on: what they have begun to delete since the first look may be in the list or not.
        missing = exist & self._certain_topics()[0] - topics
        if missing:
            self.found.append(f"{when}: topics are gone: {sorted(missing)[:5]}")
        if gone & topics:
            self.found.append(f"{when}: deleted topics are back: {sorted(gone & topics)[:5]}")
        self.checked += len(exist) + len(gone)

    def _certain_topics(self):
        """Those whose creation was acknowledged and whose deletion nobody has asked for, and those whose deletion was acknowledged."""
        exist, gone = set(TOPICS), set()
        for client in self.clients:
            if isinstance(client, Topics):
                with client.lock:
                    exist |= client.exist
                    gone |= client.gone
        return exist, gone

    def _offsets(self, bootstrap, when, groups):
        for client, acked in groups.items():
            group = client.name
            consumer = self._client(Consumer, bootstrap, **{"group.id": group, "enable.auto.commit": False})
            place = TopicPartition("steady", 0)
            committed = _patiently(lambda: consumer.committed([place], timeout=10))[0].offset
            self.checked += 1
            # librdkafka's word for none.
            if max(committed, -1) < acked:
                self.found.append(f"{when}: {group} has committed {acked}, and {committed} is what is left: {list(client.answers)}")

    def _read(self, bootstrap, whole):
        consumer = self._client(Consumer, bootstrap, **{"group.id": "nobody", "enable.auto.commit": False, "check.crcs": True,
                                                        "fetch.wait.max.ms": 10})

        def bounds(topic, partition):
            return _patiently(lambda: consumer.get_watermark_offsets(TopicPartition(topic, partition), timeout=10))

        logs = {topic: Log(topic) for topic in TOPICS}
        starts = []
        left = set()
        for topic, partition in PLACES:
            low, high = bounds(topic, partition)
            known = self.ends.get((topic, partition), 0)
            if topic != "cached" and high < known:
                self.found.append(f"{topic}-{partition} ended at {known}, and now ends at {high}")
            start = low if whole else min(max(low, known - OVERLAP), high)
            logs[topic].bounds[partition] = (start, high)
            if start < high:
                left.add((topic, partition))
                starts.append(TopicPartition(topic, partition, start))
        consumer.assign(starts)
        deadline = time.monotonic() + READ_SECONDS
        while left:
            if time.monotonic() > deadline:
                raise TimeoutError(f"these are not read to their ends: {left}")
            for message in consumer.consume(5000, 0.02):
                place = message.topic(), message.partition()
                if message.error() is not None:
                    continue
                end = logs[place[0]].bounds[place[1]][1]
                if message.offset() < end:
                    logs[place[0]].records[place[1], message.offset()] = message.key(), message.value()
                if message.offset() + 1 >= end:
                    left.discard(place)
        consumer.unassign()
        # What retention has removed meanwhile is not missing.
        for topic, partition in PLACES:
            start, end = logs[topic].bounds[partition]
            logs[topic].bounds[partition] = (max(start, bounds(topic, partition)[0]), end)
        return logs

    def _client(self, kind, bootstrap, **settings):
        """One client of each sort and broker, which lives on."""
        which = kind, bootstrap, settings.get("group.id")
        if which not in self.asking:
            self.asking[which] = kind({"bootstrap.servers": bootstrap, **settings, **CLIENT})
        return self.asking[which]


class Log:
    """What was read of a topic: {(partition, offset): (key, value)} between the bounds of each partition."""

    def __init__(self, topic):
        self.topic = topic
        self.records = {}
        self.bounds = {}

    def covers(self, place):
        """Whether this place was read; past the end only if the log should reach that far."""
        partition, offset = place
        return offset >= self.bounds[partition][0]


def number_of(value):
    """The number that a `Writer` gave a value."""
    return int(value.split(b" ", 2)[1])


def _patiently(ask):
    """A broker that has just started may not lead a partition yet."""
    deadline = time.monotonic() + PATIENCE_SECONDS
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
