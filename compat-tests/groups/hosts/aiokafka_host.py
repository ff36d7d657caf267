"""Members on aiokafka."""
import asyncio

import host
from aiokafka import AIOKafkaConsumer, ConsumerRebalanceListener, TopicPartition
from aiokafka.coordinator.assignors.range import RangePartitionAssignor
from aiokafka.coordinator.assignors.roundrobin import RoundRobinPartitionAssignor
from aiokafka.errors import KafkaError

# Others know `range` too.
ASSIGNOR = RangePartitionAssignor if host.PROTOCOL == "range" else RoundRobinPartitionAssignor


class Listener(ConsumerRebalanceListener):
    def __init__(self, name, save):
        self.name, self.save = name, save

    async def on_partitions_revoked(self, revoked):
        await self.save()
        host.partitions("give", self.name, (one.partition for one in revoked))

    async def on_partitions_assigned(self, assigned):
        host.partitions("own", self.name, (one.partition for one in assigned))


async def run(name, stop):
    consumer = AIOKafkaConsumer(
        bootstrap_servers=host.BOOTSTRAP,
        client_id=name,
        group_id=host.GROUP,
        auto_offset_reset="earliest",
        enable_auto_commit=False,
        session_timeout_ms=host.SESSION_MS,
        heartbeat_interval_ms=500,
        metadata_max_age_ms=1000,
        partition_assignment_strategy=[ASSIGNOR],
    )
    unsaved = {}

    async def save():
        if not unsaved:
            return
        wanted = dict(unsaved)
        unsaved.clear()
        try:
            await consumer.commit(wanted)
        except KafkaError:
            return  # the next owner reads these again
        for partition, offset in wanted.items():
            host.event(name, "commit", partition.partition, offset)

    consumer.subscribe([host.TOPIC], listener=Listener(name, save))
    await consumer.start()
    while not stop.is_set():
        for partition, records in (await consumer.getmany(timeout_ms=200, max_records=50)).items():
            for record in records:
                host.event(name, "read", partition.partition, record.offset, record.value.decode())
                unsaved[TopicPartition(host.TOPIC, partition.partition)] = record.offset + 1
        await save()
    await consumer.stop()


host.main(lambda name, stop: asyncio.run(run(name, stop)))
