"""Exactly once: applications copy a topic in transactions while they, and the broker, are ended under them.

Two instances of one client copy INPUT to OUTPUT and abort every fifth transaction; one instance is killed with SIGKILL and comes
back, the broker is restarted. Whoever reads only what is committed must find every record once.
"""
import collections
import os
import subprocess
import tempfile
import threading
import time

from confluent_kafka import Producer
from confluent_kafka.admin import AdminClient, NewTopic
from harness import BOOTSTRAP, case, equal, eventually, main, topic

ROOT = os.environ["COMPAT_ROOT"]
CLIENT = {"bootstrap.servers": BOOTSTRAP, "log_level": 0, "reconnect.backoff.max.ms": 500}
RECORDS = 3000
CLIENTS = ["librdkafka", "java", "franz_go"]


def create(name, partitions):
    admin = AdminClient(CLIENT)
    admin.create_topics([NewTopic(name, partitions, 1)])[name].result(30)


def read(name, isolation):
    command = ["kcat", "-b", BOOTSTRAP, "-C", "-e", "-q", "-t", name, "-X", f"isolation.level={isolation}", "-f", "%s\n"]
    return subprocess.run(command, capture_output=True, check=True, timeout=60).stdout.decode().splitlines()


class Copying:
    """Two instances of one client, and what flows into their input."""

    def __init__(self, client, folder):
        self.client = client
        self.name = topic(client.replace("_", "-"))
        self.output = f"{self.name}-out"
        self.log = f"{folder}/{client}.log"
        create(self.name, 4)
        create(self.output, 4)
        self.feeding = threading.Thread(target=self.feed, daemon=True)
        self.feeding.start()
        self.instances = [self.start(0), self.start(1)]

    def start(self, number):
        environment = os.environ | {
            "INPUT": self.name, "OUTPUT": self.output, "GROUP": f"{self.name}-group", "TXID": f"{self.name}-{number}", "ABORT_EVERY": "5",
        }
        with open(self.log, "ab") as log:
            return subprocess.Popen(os.environ[f"COPY_{self.client}"].split(), stdout=log, stderr=log, env=environment)

    def feed(self):
        producer = Producer(CLIENT | {"enable.idempotence": True})
        for number in range(RECORDS):
            producer.produce(self.name, f"r{number}".encode(), key=f"k{number % 100}".encode())
            producer.poll(0)
            time.sleep(0.005)
        producer.flush(60)

    def kill_and_come_back(self):
        self.instances[1].kill()
        self.instances[1].wait()
        self.instances[1] = self.start(1)

    def has_copied(self, count):
        return len(read(self.output, "read_committed")) >= count

    def judge(self):
        want = {f"r{number}" for number in range(RECORDS)}
        eventually(lambda: set(read(self.output, "read_committed")) >= want, 90)
        for instance in self.instances:
            instance.terminate()
        for instance in self.instances:
            instance.wait(30)
        copied = collections.Counter(read(self.output, "read_committed"))
        twice = [record for record, count in copied.items() if count > 1]
        with open(self.log, encoding="utf-8", errors="replace") as log:
            lines = log.read().splitlines()
        equal((len(want - set(copied)), len(twice), len(set(copied) - want)), (0, 0, 0), f"lost, twice, strange; {twice[:3]} {lines[-3:]}")
        equal(len(read(self.output, "read_uncommitted")) > RECORDS, True, "aborted records are in the log")
        said = collections.Counter(line.split()[0] for line in lines if line)
        print(f"  {self.client}: {said['committed']} transactions committed, {said['aborted']} aborted, {said['starts']} new starts")

    def end(self):
        for instance in self.instances:
            instance.kill()
            instance.wait()


def exactly_once(clients):
    with tempfile.TemporaryDirectory() as folder:
        copying = [Copying(client, folder) for client in clients]
        try:
            for one in copying:
                equal(eventually(lambda one=one: one.has_copied(RECORDS // 6), 60), True, f"{one.client} copies")
            for one in copying:
                one.kill_and_come_back()
            time.sleep(2)
            subprocess.run(os.environ["RESTART"].split(), check=True, stdout=subprocess.DEVNULL)
            for one in copying:
                one.feeding.join(120)
                one.judge()
        finally:
            for one in copying:
                one.end()


@case
def exactly_once_under_kills_and_a_restart():
    exactly_once(CLIENTS)


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
    equal(read(name, "read_committed"), ["of the second"], "what is committed")


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
    equal(read(name, "read_committed"), ["open"], "after its end")


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


@case
def transactions_tool():
    name = topic("tool")
    create(name, 1)
    producer = Producer(CLIENT | {"transactional.id": name})
    producer.init_transactions(30)
    producer.begin_transaction()
    producer.produce(name, b"open")
    producer.flush(10)

    def tool(*arguments):
        command = [f"{ROOT}/oracle/tool", "org.apache.kafka.tools.TransactionsCommand", "--bootstrap-server", BOOTSTRAP, *arguments]
        return subprocess.run(command, capture_output=True, timeout=90).stdout.decode()

    def row(text, first):
        return next((line.split() for line in text.splitlines() if line.split()[:1] == [first]), None)

    listed = row(tool("list"), name)
    equal(listed is not None and listed[3] == "Ongoing", True, f"list: {listed}")
    described = tool("describe", "--transactional-id", name)
    equal("Ongoing" in described and f"{name}-0" in described, True, f"describe: {described}")
    producers = tool("describe-producers", "--topic", name, "--partition", "0")
    equal(row(producers, listed[2]) is not None, True, f"describe-producers: {producers}")
    tool("abort", "--topic", name, "--partition", "0", "--start-offset", "0")
    equal(eventually(lambda: row(tool("describe-producers", "--topic", name, "--partition", "0"), listed[2])[-1] == "None", 10), True, "aborted by the tool")


main()
