"""Exactly once under every fault, and what a transaction is to those who look at it."""
import glob
import json
import os
import subprocess

import planted
from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic
from exactly_once import HISTORY_SECONDS, at_random, one_after_the_other
from harness import BOOTSTRAP, case, equal, eventually, main, raises, topic
from scenario import CLIENT

ROOT = os.environ["COMPAT_ROOT"]
FAULTS = ["kill_writers", "kill_copiers", "kill_broker", "zombies", "restart_broker", "kill_broker_twice"]


def create(name, partitions):
    admin = AdminClient(CLIENT)
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)


def read(name, isolation):
    command = ["kcat", "-b", BOOTSTRAP, "-C", "-e", "-q", "-t", name, "-X", f"isolation.level={isolation}", "-f", "%s\n"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode().splitlines()


def soon(name, want):
    """What is committed; a commit is answered before its markers are written."""
    eventually(lambda: read(name, "read_committed") == want)
    return read(name, "read_committed")


@case
def the_checker_finds_what_is_planted():
    equal(planted.find_all(), [], "planted and not found")


@case
def exactly_once_under_every_fault():
    one_after_the_other(FAULTS)


if HISTORY_SECONDS:

    @case
    def exactly_once_for_a_long_time():
        at_random(FAULTS)


@case
def a_second_producer_fences_the_first():
    name = topic("fencing")
    create(name, 1)
    first, second = (Producer(CLIENT | {"transactional.id": name}) for _ in range(2))
    first.init_transactions(30)
    first.begin_transaction()
    first.produce(name, b"of the first")
    first.flush(10)
    second.init_transactions(30)
    second.begin_transaction()
    second.produce(name, b"of the second")
    second.commit_transaction(30)
    refused = None
    try:
        first.commit_transaction(30)
    except Exception as error:  # noqa: BLE001 - which error it is, is checked below
        refused = error.args[0]
    equal(refused is not None and refused.fatal(), True, f"the first producer is fenced: {refused}")
    equal(soon(name, ["of the second"]), ["of the second"], "what is committed")


@case
def what_is_open_is_not_read():
    name = topic("open")
    create(name, 1)
    producer = Producer(CLIENT | {"transactional.id": name})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"open")
    producer.flush(10)
    equal(read(name, "read_committed"), [], "before its end")
    equal(read(name, "read_uncommitted"), ["open"], "for those who do not mind")
    producer.commit_transaction(30)
    equal(soon(name, ["open"]), ["open"], "after its end")


@case
def a_transaction_that_times_out_is_aborted():
    name = topic("timeout")
    create(name, 1)
    producer = Producer(CLIENT | {"transactional.id": name, "transaction.timeout.ms": 2000})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"too late")
    producer.flush(10)
    plain = Producer(CLIENT)
    plain.produce(name, b"plain")
    plain.flush(10)
    equal(eventually(lambda: read(name, "read_committed") == ["plain"], 30), True, "the last stable offset moves on")


def tool(name, *arguments):
    command = [f"{ROOT}/oracle/tool", f"org.apache.kafka.tools.{name}", *arguments]
    answer = subprocess.run(command, capture_output=True, timeout=90)
    return answer.stdout.decode() + answer.stderr.decode()


def transactions(*arguments):
    return tool("TransactionsCommand", "--bootstrap-server", BOOTSTRAP, *arguments)


def row(text, first):
    return next((line.split() for line in text.splitlines() if line.split()[:1] == [first]), None)


def opened(name):
    """A producer with an open transaction that has one record in the topic `name`, which is its id too."""
    # Tools are slow where there is much to do: it is not to be aborted meanwhile.
    producer = Producer(CLIENT | {"transactional.id": name, "transaction.timeout.ms": 600_000})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"open")
    producer.flush(30)
    return producer


@case
def transactions_tool():
    name = topic("tool")
    create(name, 1)
    producer = opened(name)
    listed = row(transactions("list"), name)
    equal(listed is not None and listed[3] == "Ongoing", True, f"list: {listed}")
    described = transactions("describe", "--transactional-id", name)
    equal("Ongoing" in described and f"{name}-0" in described, True, f"describe: {described}")
    producers = transactions("describe-producers", "--topic", name, "--partition", "0")
    equal(row(producers, listed[2]) is not None, True, f"describe-producers: {producers}")
    hanging = transactions("find-hanging", "--broker-id", "1", "--max-transaction-timeout", "1")
    equal(row(hanging, "Topic") is not None and name not in hanging, True, f"find-hanging: {hanging}")
    transactions("abort", "--topic", name, "--partition", "0", "--start-offset", "0")
    producers = transactions("describe-producers", "--topic", name, "--partition", "0")
    equal(row(producers, listed[2])[-1], "None", "the transaction's start after abort")
    del producer


@case
def transactions_tool_terminates():
    name = topic("terminated")
    create(name, 1)
    producer = opened(name)
    transactions("forceTerminateTransaction", "--transactionalId", name)
    state = row(transactions("list"), name)
    equal(state is not None and state[3] in ("CompleteAbort", "Empty"), True, f"its state: {state}")
    raises(KafkaException, lambda error: error.args[0].fatal(), lambda: producer.commit_transaction(30))
    equal(read(name, "read_committed"), [], "what is committed")


@case
def the_log_dumper_reads_our_state():
    """Kafka's own reader of __transaction_state, and of offsets that are pending in __consumer_offsets."""
    name = topic("dumped")
    create(name, 1)
    reader = Consumer(CLIENT | {"group.id": f"{name}-group"})
    producer = opened(name)
    producer.send_offsets_to_transaction([TopicPartition(name, 0, 4711)], reader.consumer_group_metadata(), 30)

    def dumped(internal, decoder):
        files = [path for path in glob.glob(f"{os.environ['BROKER_DIR']}/data/{internal}-*/*.log") if os.path.getsize(path)]
        text = tool("DumpLogSegments", decoder, "--files", ",".join(files))
        equal("Exception" in text or "isvalid: false" in text, False, f"{internal}: {text[-300:]}")
        return [line for line in text.splitlines() if name in line and "payload" in line]

    def states():
        return [json.loads(line.split("payload:")[1])["data"] for line in dumped("__transaction_state", "--transaction-log-decoder")]

    ongoing = states()
    last = ongoing[-1]
    equal(last["transactionStatus"], 1, "ongoing")
    partitions = {one["topic"]: one["partitionIds"] for one in last["transactionPartitions"]}
    equal((partitions.get(name), len(partitions.get("__consumer_offsets", []))), ([0], 1), "its partitions")
    pending = dumped("__consumer_offsets", "--offsets-decoder")
    equal(any('"offset":4711' in line for line in pending), True, f"the pending offset: {pending}")
    producer.commit_transaction(30)
    # The commit is answered once it is prepared.
    ended = eventually(lambda: found if len(found := states()[len(ongoing) :]) > 1 else None, 60) or []
    equal([one["transactionStatus"] for one in ended], [2, 4], "prepared and complete")
    equal(reader.committed([TopicPartition(name, 0)], 20)[0].offset, 4711, "the committed offset")


main()
