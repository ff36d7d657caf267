"""Whether a broker can do more than serve what it has found: directory/alive.py BOOTSTRAP TURN PROTOCOL

Every topic's configuration is altered, a topic is created and written to, one is deleted, and groups go on from the offsets
that they have committed.
"""
import sys
import time

from confluent_kafka import Consumer, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from state import QUIET, TOPICS

SOURCES = [TopicPartition("source", index) for index in range(TOPICS["source"])]
PATIENCE_SECONDS = 60


def alters(admin, turn):
    names = [name for name in admin.list_topics(timeout=20).topics if name != "__cluster_metadata"]
    wanted = {"max.message.bytes": str(1_000_000 + turn), "segment.jitter.ms": str(turn)}
    entries = [ConfigEntry(name, value, incremental_operation=AlterConfigOpType.SET) for name, value in wanted.items()]
    resources = [ConfigResource(ResourceType.TOPIC, name, incremental_configs=entries) for name in names]
    for resource, altered in admin.incremental_alter_configs(resources).items():
        try:
            altered.result(20)
        except Exception as error:
            raise AssertionError(f"{resource.name} is not altered: {error}") from error

    def is_in_force():
        found = admin.describe_configs([ConfigResource(ResourceType.TOPIC, name) for name in names])
        described = [future.result(20) for future in found.values()]
        return all(config[name].value == value for config in described for name, value in wanted.items())

    patiently(is_in_force, "what was altered")
    assert {"__consumer_offsets", "compacted", "both", "plain", "stamped", "source"} <= set(names), names


def creates_and_deletes(admin, bootstrap, turn):
    created, doomed = f"alive-{turn}", f"doomed-{turn}"
    admin.create_topics([NewTopic(created, 2, 1, config={"segment.bytes": "1048576"})])[created].result(20)
    produce(bootstrap, created, 2, 10)
    consumer = Consumer(QUIET | {"bootstrap.servers": bootstrap, "group.id": "nobody", "enable.auto.commit": False})
    consumer.assign([TopicPartition(created, index, 0) for index in range(2)])
    found = []
    patiently(lambda: found.extend(taken(consumer)) or len(found) == 10, "the records of a new topic")
    consumer.close()
    admin.delete_topics([doomed])[doomed].result(20)
    patiently(lambda: doomed not in admin.list_topics(timeout=20).topics, "the end of a topic")


def group_goes_on(bootstrap, group, protocol):
    """A member reads what was not committed, and nothing else."""
    settings = QUIET | {
        "bootstrap.servers": bootstrap, "group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest", "enable.auto.commit": False,
    }
    before = offsets(settings)
    assert sum(before) > 0, f"{group} has committed nothing"
    produce(bootstrap, "source", 3, 30)
    consumer = Consumer(settings)
    ends = [consumer.get_watermark_offsets(place, 20)[1] for place in SOURCES]
    due = sorted((index, offset) for index in range(3) for offset in range(before[index], ends[index]))
    assert len(due) >= 30
    consumer.subscribe(["source"])
    found = []
    patiently(lambda: found.extend(taken(consumer)) or len(found) >= len(due), "the records that a group has not read")
    assert sorted(found) == due, f"{group} reads {len(found)} records in place of {len(due)}"
    consumer.commit(asynchronous=False)
    consumer.close()
    assert offsets(settings) == ends, f"{group} has not committed {ends}"


def offsets(settings):
    consumer = Consumer(settings)
    # Where nothing was committed a group begins at the beginning.
    found = [max(place.offset, 0) for place in consumer.committed(SOURCES, 20)]
    consumer.close()
    return found


def taken(consumer):
    messages = consumer.consume(100, 0.5)
    errors = [str(message.error()) for message in messages if message.error() is not None]
    assert not errors, errors
    return [(message.partition(), message.offset()) for message in messages]


def produce(bootstrap, topic, partitions, count):
    failed = []
    producer = Producer(QUIET | {"bootstrap.servers": bootstrap, "acks": "all"})
    for at in range(count):
        producer.produce(topic, f"alive {at}", partition=at % partitions, on_delivery=lambda error, _: error and failed.append(error))
    assert producer.flush(PATIENCE_SECONDS) == 0 and not failed, failed


def patiently(is_so, what):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not is_so():
        assert time.monotonic() < deadline, f"not in {PATIENCE_SECONDS} s: {what}"
        time.sleep(0.05)


def main():
    bootstrap, turn, protocol = sys.argv[1], int(sys.argv[2]), sys.argv[3]
    admin = AdminClient(QUIET | {"bootstrap.servers": bootstrap})
    alters(admin, turn)
    creates_and_deletes(admin, bootstrap, turn)
    for group, spoken in [("classic", "classic"), ("modern", protocol)]:
        group_goes_on(bootstrap, group, spoken)


if __name__ == "__main__":
    main()
