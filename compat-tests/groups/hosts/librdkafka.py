"""Members on librdkafka."""
import host
from confluent_kafka import Consumer, KafkaException, TopicPartition

STRATEGY = {"eager": "range", "static": "range", "cooperative": "cooperative-sticky"}


def member(name, stop):
    settings = {
        "bootstrap.servers": host.BOOTSTRAP,
        "client.id": name,
        "group.id": host.GROUP,
        "auto.offset.reset": "earliest",
        "enable.auto.commit": False,
        "topic.metadata.refresh.interval.ms": 1000,
        "reconnect.backoff.max.ms": 500,
    }
    if host.PROTOCOL == "consumer":
        settings["group.protocol"] = "consumer"
    else:
        settings |= {
            "partition.assignment.strategy": STRATEGY[host.PROTOCOL],
            "session.timeout.ms": host.SESSION_MS,
            "heartbeat.interval.ms": 500,
        }
    if host.PROTOCOL == "static":
        # Who finds its own session over while the broker is away joins again under another id, and what is on the way with the
        # old one gets it fenced: for good. A static member's session outlasts a slow restart.
        settings |= {"group.instance.id": name, "session.timeout.ms": 4 * host.SESSION_MS}
    consumer = Consumer(settings)
    unsaved = {}

    def save():
        if unsaved:
            wanted = [TopicPartition(host.TOPIC, partition, offset) for partition, offset in unsaved.items()]
            unsaved.clear()
            for done in consumer.commit(offsets=wanted, asynchronous=False):
                if done.error is None:
                    host.event(name, "commit", done.partition, done.offset)

    def revoked(_, given):
        try:
            save()
        except KafkaException:
            pass  # the next owner reads these again
        host.partitions("give", name, (one.partition for one in given))

    def lost(_, given):
        unsaved.clear()
        host.partitions("give", name, (one.partition for one in given))

    def assigned(_, taken):
        host.partitions("own", name, (one.partition for one in taken))

    consumer.subscribe([host.TOPIC], on_assign=assigned, on_revoke=revoked, on_lost=lost)
    while not stop.is_set():
        for message in consumer.consume(50, 0.2):
            if message.error() is None:
                host.event(name, "read", message.partition(), message.offset(), message.value().decode())
                unsaved[message.partition()] = message.offset() + 1
        try:
            save()
        except KafkaException:
            pass  # a rebalance or a broker that restarts: read again by whoever owns the partition
    consumer.close()


host.main(member)
