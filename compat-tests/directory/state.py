"""What a broker knows of groups and transactions, kept over a change of brokers in one directory.

directory/state.py write BOOTSTRAP PROTOCOL   groups of the classic protocol and of this one, transactions that ended, and two that nobody ends
directory/state.py read BOOTSTRAP FILE        groups, their offsets, transactions, and what of them a consumer sees
directory/state.py hold BOOTSTRAP FOLDER      a producer that lives while brokers change: what it began with one it commits with
                                              the next, when FOLDER/1 and FOLDER/2 appear; FOLDER/open-N and FOLDER/done-N say when
directory/state.py leave BOOTSTRAP ID         a process that goes away; its transaction stays open, and so do its group's offsets
directory/state.py abort BOOTSTRAP ID         takes a transactional id, and so aborts what is open
directory/state.py fresh BOOTSTRAP FILE       a new id has a producer id that nobody in FILE has
directory/state.py set BOOTSTRAP TOPIC KEY VALUE   a setting of a topic
"""
import json
import os
import subprocess
import sys
import time

from confluent_kafka import OFFSET_BEGINNING, Consumer, ConsumerGroupTopicPartitions, IsolationLevel, KafkaError, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, OffsetSpec, ResourceType

import java_tool

# Without the recovery of metadata: librdkafka #5511, see ../transactions/FINDINGS.md.
QUIET = {"log_level": 0, "reconnect.backoff.max.ms": 200, "metadata.recovery.strategy": "none"}
TOPICS = {"source": 3, "held": 2, "left": 1, "ended": 2, "doomed-1": 1, "doomed-2": 1}
GROUPS = ["classic", "modern", "in-transactions", "held-group", "left-1-group", "left-2-group", "left-3-group"]


def write(bootstrap, protocol):
    admin = AdminClient(QUIET | {"bootstrap.servers": bootstrap})
    for created in admin.create_topics([NewTopic(name, count, 1) for name, count in TOPICS.items()]).values():
        created.result(20)
    producer = Producer(QUIET | {"bootstrap.servers": bootstrap})
    for number in range(300):
        producer.produce("source", f"r{number}", partition=number % 3)
    assert producer.flush(30) == 0
    for group, spoken in [("classic", "classic"), ("modern", protocol)]:
        member(bootstrap, group, spoken)
    ended(bootstrap)
    for number in (1, 2):
        subprocess.run([sys.executable, "-W", "ignore", __file__, "leave", bootstrap, f"left-{number}"], check=True, timeout=60)


def member(bootstrap, group, protocol):
    """Reads some records as a member, commits, and leaves."""
    consumer = Consumer(QUIET | {
        "bootstrap.servers": bootstrap, "group.id": group, "group.protocol": protocol, "auto.offset.reset": "earliest", "enable.auto.commit": False,
    })
    consumer.subscribe(["source"])
    read, deadline = 0, time.monotonic() + 40
    while read < 150 and time.monotonic() < deadline:
        read += len([message for message in consumer.consume(150 - read, 1) if message.error() is None])
    assert read == 150, f"{group} read {read}"
    consumer.commit(asynchronous=False)
    consumer.close()


def begun(bootstrap, name, topic, group=None):
    """A producer with an open transaction in every partition of the topic."""
    producer = Producer(QUIET | {"bootstrap.servers": bootstrap, "transactional.id": name, "transaction.timeout.ms": 800_000})
    producer.init_transactions(60)
    fill(producer, bootstrap, name, topic, group, 0)
    return producer


def fill(producer, bootstrap, name, topic, group, number):
    producer.begin_transaction()
    for at in range(4):
        producer.produce(topic, f"{name} {number} {at}", partition=at % TOPICS[topic])
    assert producer.flush(60) == 0
    if group:
        reader = Consumer(QUIET | {"bootstrap.servers": bootstrap, "group.id": group})
        producer.send_offsets_to_transaction([TopicPartition("source", 0, 10 + number)], reader.consumer_group_metadata(), 60)
        reader.close()


def ended(bootstrap):
    for number, end in enumerate(["commit_transaction", "abort_transaction", "commit_transaction"]):
        producer = begun(bootstrap, f"ended-{number}", "ended", "in-transactions")
        getattr(producer, end)(30)


def leave(bootstrap, name):
    begun(bootstrap, name, "left", f"{name}-group")
    os._exit(0)


def hold(bootstrap, folder):
    producer = begun(bootstrap, "held", "held", "held-group")
    for turn in (1, 2):
        mark(folder, f"open-{turn}")
        deadline = time.monotonic() + 240
        while not os.path.exists(f"{folder}/{turn}"):
            assert time.monotonic() < deadline, "nobody goes on"
            time.sleep(0.1)
        producer.commit_transaction(60)
        mark(folder, f"done-{turn}")
        if turn == 1:
            fill(producer, bootstrap, "held", "held", "held-group", turn)


def mark(folder, name):
    with open(f"{folder}/{name}", "w", encoding="utf-8"):
        pass


def abort(bootstrap, name):
    producer = Producer(QUIET | {"bootstrap.servers": bootstrap, "transactional.id": name})
    producer.init_transactions(60)


def fresh(bootstrap, path):
    with open(path, encoding="utf-8") as file:
        known = {words[1] for words in json.load(file)["transactions"]}
    name = f"fresh-{time.time()}"
    abort(bootstrap, name)
    new = next(words[1] for words in transactions(bootstrap) if words[0] == name)
    assert new not in known, f"producer id {new} is handed out twice"


def change(bootstrap, topic, key, value):
    entry = ConfigEntry(key, value, incremental_operation=AlterConfigOpType.SET)
    resource = ConfigResource(ResourceType.TOPIC, topic, incremental_configs=[entry])
    admin = AdminClient(QUIET | {"bootstrap.servers": bootstrap})
    admin.incremental_alter_configs([resource])[resource].result(20)


def read(bootstrap, path):
    admin = AdminClient(QUIET | {"bootstrap.servers": bootstrap})
    wait_for_leaders(admin)
    found = {
        "groups": groups(admin),
        "offsets": {group: [offsets(admin, group, stable) for stable in (False, True)] for group in GROUPS},
        "transactions": transactions(bootstrap),
        "ends": {str(isolation): ends(admin, isolation) for isolation in (IsolationLevel.READ_COMMITTED, IsolationLevel.READ_UNCOMMITTED)},
        "records": {isolation: records(bootstrap, isolation) for isolation in ("read_committed", "read_uncommitted")},
    }
    with open(path, "w", encoding="utf-8") as out:
        json.dump(found, out, indent=0, sort_keys=True)


def wait_for_leaders(admin):
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            ends(admin, IsolationLevel.READ_UNCOMMITTED)
            for group in GROUPS:
                offsets(admin, group, False)
            return
        except KafkaException:
            time.sleep(0.2)


def groups(admin):
    listed = admin.list_consumer_groups(request_timeout=20).result(30)
    assert not listed.errors, listed.errors
    # The coordinator of Kafka 3 forgets a group that never committed anything when it is started again.
    ignored = ("left-",) if "IGNORE_LEFT" in os.environ else ()
    known = [group for group in listed.valid if group.group_id in GROUPS and not group.group_id.startswith(ignored)]
    return sorted([group.group_id, group.type.name, group.state.name] for group in known)


def offsets(admin, group, stable):
    partitions = [TopicPartition("source", index) for index in range(3)]
    wanted = [ConsumerGroupTopicPartitions(group, partitions)]
    answer = admin.list_consumer_group_offsets(wanted, require_stable=stable, request_timeout=20)[group]
    found = answer.result(30).topic_partitions
    return [[one.partition, one.offset, one.metadata, one.leader_epoch, one.error and one.error.name()] for one in found]


def transactions(bootstrap):
    status, listed, complaint = java_tool.called("org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server", bootstrap, "list")
    assert status == 0, complaint
    # Transactional id, coordinator, producer id, state.
    rows = [line.split() for line in listed.splitlines()[1:] if line.strip()]
    return sorted([words[0], words[2], words[3]] for words in rows)


def places():
    return [TopicPartition(name, index) for name in ("held", "left", "ended") for index in range(TOPICS[name])]


def ends(admin, isolation):
    listed = admin.list_offsets({place: OffsetSpec.latest() for place in places()}, isolation_level=isolation, request_timeout=20)
    return {f"{place.topic}-{place.partition}": future.result(20).offset for place, future in listed.items()}


def records(bootstrap, isolation):
    consumer = Consumer(QUIET | {
        "bootstrap.servers": bootstrap, "group.id": "nobody", "isolation.level": isolation, "enable.auto.commit": False, "enable.partition.eof": True,
    })
    consumer.assign([TopicPartition(place.topic, place.partition, OFFSET_BEGINNING) for place in places()])
    found, left, deadline = [], len(places()), time.monotonic() + 60
    while left and time.monotonic() < deadline:
        for message in consumer.consume(500, 0.05):
            if message.error() is None:
                found.append([message.topic(), message.partition(), message.offset(), message.value().decode()])
            elif message.error().code() == KafkaError._PARTITION_EOF:
                left -= 1
    consumer.close()
    assert left == 0, f"{left} partitions were not read to their ends"
    return sorted(found)


if __name__ == "__main__":
    commands = {"write": write, "read": read, "hold": hold, "leave": leave, "abort": abort, "fresh": fresh, "set": change}
    commands[sys.argv[1]](*sys.argv[2:])
