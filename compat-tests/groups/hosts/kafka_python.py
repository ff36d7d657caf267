"""Members on kafka-python."""
import host
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError, RetriableError


class Listener(ConsumerRebalanceListener):
    def __init__(self, name, save):
        self.name, self.save = name, save

    def on_partitions_revoked(self, revoked):
        self.save()
        host.partitions("give", self.name, (one.partition for one in revoked))

    def on_partitions_assigned(self, assigned):
        host.partitions("own", self.name, (one.partition for one in assigned))


def member(name, stop):
    """A consumer that has lost its way into the group is closed and another one begins, as a supervisor would have it."""
    while consume(name, stop):
        host.event(name, "anew")


def consume(name, stop):
    """Reads until `stop`, or until the consumer would never read again; then the answer is true."""
    consumer = KafkaConsumer(
        bootstrap_servers=host.BOOTSTRAP,
        client_id=name,
        group_id=host.GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=host.SESSION_MS,
        heartbeat_interval_ms=500,
        metadata_max_age_ms=1000,
        reconnect_backoff_max_ms=500,
        partition_assignment_strategy=[RangePartitionAssignor],
    )
    unsaved = {}

    def save():
        if not unsaved:
            return
        wanted = dict(unsaved)
        unsaved.clear()
        try:
            consumer.commit({TopicPartition(host.TOPIC, index): OffsetAndMetadata(offset, "", -1) for index, offset in wanted.items()})
        except KafkaError:
            return  # the next owner reads these again
        for index, offset in wanted.items():
            host.event(name, "commit", index, offset)

    consumer.subscribe([host.TOPIC], listener=Listener(name, save))
    stuck = False
    while not stop.is_set() and not stuck:
        try:
            batches = consumer.poll(1000, max_records=50)
        except RetriableError:
            batches = {}  # it says so while the broker is away
        for partition, records in batches.items():
            for record in records:
                host.event(name, "read", partition.partition, record.offset, record.value.decode())
                unsaved[partition.partition] = record.offset + 1
        save()
        stuck = has_dropped_its_assignment(consumer)
    consumer.close()
    return stuck


def has_dropped_its_assignment(consumer):
    """Its joining is over, but no poll will take the outcome any more: FINDINGS.md has this defect of 3.0.12.

    A broker that is late with an answer is not excused by this: joining goes on until the client has it."""
    coordinator = consumer._coordinator  # nothing public tells an answer that is missing from one that is not taken
    joined = coordinator._join_task
    return joined is not None and joined.is_done and not coordinator.need_rejoin()


host.main(member)
