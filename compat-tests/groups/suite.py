"""Groups of real members under change: 1 member, 5, 3, one killed, the broker restarted, partitions added.

Every scenario is one group on a topic of its own, into which records flow all the time. The scenarios run at once, so that one
restart of the broker meets them all, or SCENARIOS_AT_ONCE of them. `history.py` then judges what the members wrote down.
"""
import os
import subprocess
import sys
import tempfile
import threading
import time
import traceback

from confluent_kafka import KafkaException, Producer
from confluent_kafka.admin import AdminClient, NewPartitions, NewTopic
from history import History

BOOTSTRAP = os.environ["BOOTSTRAP"]
CLIENT = {"bootstrap.servers": BOOTSTRAP, "log_level": 0, "reconnect.backoff.max.ms": 500}
RUN = f"groups-{int(time.time())}-{os.getpid()}"
PARTITIONS, PARTITIONS_LATER = 6, 8
RECORDS_PER_SECOND = 100
SETTLE_SECONDS = 120

# Name: the hosts' client and protocol, in the order in which members are spread over them.
SCENARIOS = {
    "java-eager": [("java", "eager")],
    "java-cooperative": [("java", "cooperative")],
    "java-consumer": [("java", "consumer")],
    "java-pattern": [("java", "pattern")],
    "librdkafka-eager": [("librdkafka", "eager")],
    "librdkafka-cooperative": [("librdkafka", "cooperative")],
    "librdkafka-consumer": [("librdkafka", "consumer")],
    "librdkafka-static": [("librdkafka", "static")],
    "franz-go-eager": [("franz_go", "eager")],
    "franz-go-cooperative": [("franz_go", "cooperative")],
    "sarama-eager": [("sarama", "eager")],
    "kafkajs-eager": [("kafkajs", "eager")],
    "aiokafka-eager": [("aiokafka", "eager")],
    "kafka-python-eager": [("kafka_python", "eager")],
    "mixed-eager": [("librdkafka", "eager"), ("franz_go", "eager"), ("sarama", "eager"), ("java", "eager")],
    "mixed-protocols": [("librdkafka", "eager"), ("java", "consumer")],
    # The third member brings the consumer protocol, and the last of those who speak it is killed: up, and down again.
    "mixed-and-back": [("aiokafka", "range"), ("franz_go", "eager"), ("librdkafka", "consumer"), ("librdkafka", "consumer")],
}


class Host:
    """A process with members of one group."""

    def __init__(self, group, client, protocol):
        environment = os.environ | {"GROUP": group.name, "TOPIC": group.name, "PROTOCOL": protocol, "EVENTS": group.events}
        self.members = []
        self.errors = open(group.events + f".{client}.log", "ab")
        command = os.environ[f"HOST_{client}"].split()
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=self.errors, stderr=self.errors, env=environment)

    def tell(self, command, name):
        if command == "start":
            self.members.append(name)
        self.process.stdin.write(f"{command} {name}\n".encode())
        self.process.stdin.flush()

    def kill(self):
        self.process.kill()
        self.process.wait()


class Group:
    """One scenario."""

    def __init__(self, scenario, folder):
        self.scenario, self.name = scenario, f"{RUN}-{scenario}"
        self.events = os.path.join(folder, scenario)
        open(self.events, "wb").close()
        self.history = History(self.events)
        self.failure = None
        self.sent = set()
        self.hosts, self.host_of = [], {}
        self.producing = threading.Event()
        self.partitions = PARTITIONS

    def attempt(self, part):
        """Runs one part of the scenario unless an earlier one failed."""
        if self.failure is None:
            try:
                part(self)
            except Exception as error:  # noqa: BLE001 - reported as this scenario's result
                line = traceback.extract_tb(error.__traceback__)[-1].lineno
                self.failure = f"line {line}: {error}"

    def start(self, name, host):
        self.host_of[name] = host
        host.tell("start", name)

    def close(self, name):
        self.host_of.pop(name).tell("close", name)

    def settled(self, what, ended=()):
        """Waits until the living members own every partition, each at least one."""
        living = set(self.host_of)
        deadline = time.monotonic() + SETTLE_SECONDS
        while time.monotonic() < deadline:
            owned = self.history.read().owned()
            everything = sorted(index for indexes in owned.values() for index in indexes)
            ended_well = all(name in self.history.closed for name in ended)
            if everything == list(range(self.partitions)) and set(owned) == living and ended_well:
                return
            time.sleep(0.1)
        raise AssertionError(f"not settled after {what}: {len(living)} members, owned: {self.history.owned()}, {self.history.errors[-3:]}")

    def produce(self):
        producer = Producer(CLIENT | {"enable.idempotence": True, "linger.ms": 5, "topic.metadata.refresh.interval.ms": 500})
        number = 0
        while not self.producing.is_set():
            try:
                producer.produce(self.name, f"r{number}".encode(), partition=number % self.partitions, on_delivery=self.delivered)
                number += 1
            except KafkaException:
                pass  # a partition that its metadata does not have yet
            producer.poll(0)
            time.sleep(1 / RECORDS_PER_SECOND)
        producer.flush(30)

    def delivered(self, error, message):
        if error is None:
            self.sent.add(message.value().decode())

    def end(self):
        for host in self.hosts:
            host.kill()


def scale(group):
    kinds = SCENARIOS[group.scenario]
    admin = AdminClient(CLIENT)
    admin.create_topics([NewTopic(group.name, PARTITIONS, 1)])[group.name].result(30)
    group.producer = threading.Thread(target=group.produce, daemon=True)
    group.producer.start()
    group.hosts = [Host(group, *kind) for kind in kinds]
    group.start("m1", group.hosts[0])
    group.settled("the first member")
    doomed = Host(group, *kinds[-1])
    group.hosts.append(doomed)
    for number in (2, 3, 4):
        group.start(f"m{number}", group.hosts[(number - 1) % len(kinds)])
    group.start("m5", doomed)
    group.settled("five members")
    group.close("m3")
    group.close("m4")
    group.settled("two left", ended=("m3", "m4"))
    doomed.kill()
    group.host_of.pop("m5")
    group.history.note("m5 killed")
    group.settled("one was killed")


def finish(group):
    group.settled("the broker's restart")
    admin = AdminClient(CLIENT)
    admin.create_partitions([NewPartitions(group.name, PARTITIONS_LATER)])[group.name].result(30)
    group.partitions = PARTITIONS_LATER
    group.settled("new partitions")
    time.sleep(1)
    group.producing.set()
    group.producer.join(60)
    deadline = time.monotonic() + SETTLE_SECONDS
    while group.sent - group.history.read().identities and time.monotonic() < deadline:
        time.sleep(0.1)
    names = list(group.host_of)
    for name in names:
        group.close(name)
    while not all(name in group.history.read().closed for name in names) and time.monotonic() < deadline:
        time.sleep(0.1)


def together(groups, part):
    threads = [threading.Thread(target=group.attempt, args=(part,)) for group in groups]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def report(group):
    if group.failure:
        print(f"not ok {group.scenario}: {group.failure}", flush=True)
        return
    problems = group.history.read().problems(group.sent)
    if problems:
        print(f"not ok {group.scenario}: {len(problems)} problems: {'; '.join(problems[:3])}", flush=True)
        return
    print(f"  {group.scenario}: {group.history.summary(group.sent)}")
    print(f"ok {group.scenario}", flush=True)


def restarted_under(wanted, folder):
    groups = [Group(scenario, folder) for scenario in wanted]
    try:
        together(groups, scale)
        subprocess.run(os.environ["RESTART"].split(), check=True, stdout=subprocess.DEVNULL)
        together(groups, finish)
        for group in groups:
            report(group)
    finally:
        for group in groups:
            group.end()


def main():
    wanted = sys.argv[1:] or list(SCENARIOS)
    folder = os.environ.get("EVENTS_FOLDER") or tempfile.mkdtemp()
    at_once = int(os.environ.get("SCENARIOS_AT_ONCE") or len(wanted))
    for first in range(0, len(wanted), at_once):
        restarted_under(wanted[first:first + at_once], folder)
    print("end", flush=True)


if __name__ == "__main__":
    main()
