"""Members on kafka-python."""
import host
from kafka import ConsumerRebalanceListener, KafkaConsumer, OffsetAndMetadata, TopicPartition
from kafka.coordinator.assignors.range import RangePartitionAssignor
from kafka.errors import KafkaError


class Listener(ConsumerRebalanceListener):
    def __init__(self, name, save):
        self.name, self.save = name, save

    def on_partitions_revoked(self, revoked):
        self.save()
        host.partitions("give", self.name, (one.partition for one in revoked))

    def on_partitions_assigned(self, assigned):
        host.partitions("own", self.name, (one.partition for one in assigned))


def member(name, stop):
    consumer = KafkaConsumer(
        bootstrap_servers=host.BOOTSTRAP,
        client_id=name,
        group_id=host.GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=host.SESSION_MS,
        heartbeat_interval_ms=500,
        metadata_max_age_ms=1000,
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
    while not stop.is_set():
        for partition, records in consumer.poll(200, max_records=50).items():
            for record in records:
                host.event(name, "read", partition.partition, record.offset, record.value.decode())
                unsaved[partition.partition] = record.offset + 1
        save()
    consumer.close()


host.main(member)
