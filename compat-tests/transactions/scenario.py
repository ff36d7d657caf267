"""Transactional applications, what is done to them and to the broker, and the reader that follows it all."""
import contextlib
import os
import random
import signal
import subprocess
import threading
import time
from collections import Counter

from confluent_kafka import OFFSET_BEGINNING, Consumer, IsolationLevel, KafkaError, KafkaException, TopicPartition
from confluent_kafka.admin import AdminClient, NewTopic, OffsetSpec
from harness import BOOTSTRAP, equal, topic
from history import History

CLIENT = {"bootstrap.servers": BOOTSTRAP, "log_level": 0, "reconnect.backoff.max.ms": 500}
PROGRESS_SECONDS = 90


class Hanging(AssertionError):
    """A transaction that nobody ends holds the last stable offset, so that nothing after it can be judged."""


class Application:
    """One transactional id, and the process that has it."""

    def __init__(self, scenario, client, role, number):
        self.scenario, self.client, self.role = scenario, client, role
        self.label = f"{client}-{role}{number}"
        self.turn, self.wanted = 0, False
        self.process = None

    def start(self):
        self.turn += 1
        scenario = self.scenario
        environment = os.environ | {
            "NAME": f"{self.label}.{self.turn}", "ROLE": self.role, "TXID": f"{scenario.name}-{self.label}", "EVENTS": scenario.events,
            "INPUTS": ",".join(f"{name}:{count}" for name, count in scenario.inputs.items()),
            "OUTPUT": scenario.output_of(self.client), "GROUP": scenario.output_of(self.client),
        }
        with open(f"{scenario.events}.{self.client}.log", "ab") as log:
            self.process = subprocess.Popen(os.environ[f"APP_{self.client}"].split(), stdout=log, stderr=log, env=environment)
        self.wanted = True

    def kill(self):
        self.wanted = False
        self.process.kill()
        self.process.wait()

    def stop(self):
        self.wanted = False
        self.process.terminate()

    @contextlib.contextmanager
    def paused(self):
        """Another process takes its id while it does not run; then it goes on, and is killed once it was refused. A copier may
        have nothing left to do."""
        zombie, name = self.process, f"{self.label}.{self.turn}"
        self.wanted = False
        zombie.send_signal(signal.SIGSTOP)
        try:
            self.start()
            yield name
            zombie.send_signal(signal.SIGCONT)
            with contextlib.suppress(*([AssertionError] if self.role == "copy" else [])):
                refused = lambda history: history.said[name]["fenced"] + history.said[name]["anew"]
                self.scenario.wait(refused, f"{name} is refused", 5 if self.role == "copy" else 30)
        finally:
            zombie.kill()
            zombie.wait()


class Scenario:
    def __init__(self, clients, folder, broker, writers=()):
        self.name = topic("history")
        self.events = f"{folder}/events"
        open(self.events, "wb").close()
        self.history = History(self.events)
        self.broker = broker
        self.inputs = {f"{self.name}-a": 3, f"{self.name}-b": 2}
        self.clients = clients
        topics = self.inputs | {self.output_of(client): 5 for client in clients}
        self.partitions = [TopicPartition(name, index, OFFSET_BEGINNING) for name, count in topics.items() for index in range(count)]
        self.admin = AdminClient(CLIENT)
        for created in self.admin.create_topics([NewTopic(name, count, 1) for name, count in topics.items()]).values():
            created.result(30)
        self.writers = [Application(self, client, "write", 0) for client in [*clients, *writers]]
        self.copiers = [Application(self, client, "copy", number) for client in clients for number in range(2)]
        self.ended = threading.Event()
        self.threads = [threading.Thread(target=part, daemon=True) for part in (self.watch, self.supervise)]

    def output_of(self, client):
        return f"{self.name}-{client}"

    def start(self):
        for application in self.writers + self.copiers:
            application.start()
        for thread in self.threads:
            thread.start()

    def watch(self):
        """Follows every partition as a reader of what is committed, and writes down what it reads."""
        consumer = Consumer(CLIENT | {
            "group.id": "nobody", "isolation.level": "read_committed", "enable.auto.commit": False, "auto.offset.reset": "error",
        })
        consumer.assign(self.partitions)
        with open(self.events, "ab", buffering=0) as events:
            while not self.ended.is_set():
                records = [message for message in consumer.consume(500, 0.1) if message.error() is None]
                lines = (f"watch read {m.topic()} {m.partition()} {m.offset()} {m.value().decode()}\n" for m in records)
                events.write("".join(lines).encode())
        consumer.close()

    def supervise(self):
        """An application that ends by itself is started anew, as an operator would."""
        while not self.ended.wait(0.2):
            for application in self.writers + self.copiers:
                if application.wanted and application.process.poll() is not None and application.turn < 100:
                    application.start()

    def wait(self, condition, what, seconds=PROGRESS_SECONDS):
        deadline = time.monotonic() + seconds
        while not condition(self.history.read()):
            if time.monotonic() > deadline:
                raise AssertionError(f"within {seconds} s not: {what}; {self.history.errors[-3:]}")
            time.sleep(0.1)

    def goes_on(self, after):
        """Every writer commits again, and every group too."""
        groups = [f"{writer.label}." for writer in self.writers] + [f"{client}-copy" for client in self.clients]
        before = {group: self.history.read().committed_by(group) for group in groups}
        started = time.monotonic()
        for group in groups:
            self.wait(lambda history, group=group: history.committed_by(group) >= before[group] + 3, f"{group} commits after {after}")
        print(f"  {after}: every application committed again within {time.monotonic() - started:.1f} s", flush=True)

    # --- what may happen

    def kill_writers(self):
        for writer in self.writers:
            writer.kill()
            writer.start()

    def kill_copiers(self):
        for copier in self.copiers[1::2]:
            copier.kill()
            copier.start()

    def zombies(self):
        """One copier and the writer of each client wake up after others have taken their ids."""
        with contextlib.ExitStack() as stack:
            for application in self.writers + self.copiers[::2]:
                stack.enter_context(application.paused())
            # Longer than the groups' sessions, so that partitions have moved too.
            time.sleep(7)

    def restart_broker(self):
        self.broker("restart")

    def kill_broker(self):
        self.broker("kill")

    def kill_broker_twice(self):
        self.broker("kill")
        time.sleep(1)
        self.broker("kill")

    def cut_power(self):
        self.broker("cut")

    def cut_power_twice(self):
        self.broker("cut")
        time.sleep(1)
        self.broker("cut")

    def at_random(self, seconds, faults):
        """One after the other, or two at once, for some time."""
        seed = int(os.environ.get("HISTORY_SEED", time.time()))
        dice, until = random.Random(seed), time.monotonic() + seconds
        print(f"  HISTORY_SEED={seed}", flush=True)
        while time.monotonic() < until:
            chosen = dice.sample(faults, dice.choice([1, 1, 2]))
            for fault in chosen:
                getattr(self, fault)()
                time.sleep(dice.uniform(0, 2))
            self.goes_on(" and ".join(chosen).replace("_", " "))

    # --- the end

    def settle(self):
        """The writers stop, the copiers come to the end of their input, everything is read once more and judged."""
        self.stop(self.writers)
        self.nothing_is_open()
        wanted = sum(map(len, (records for place, records in self.read("read_committed").items() if place[0] in self.inputs)))

        def copied(history):
            return all(
                sum(len(records) for place, records in history.watched.items() if place[0] == self.output_of(client)) >= wanted
                for client in self.clients
            )

        with contextlib.suppress(AssertionError):  # the checker says what is missing
            self.wait(copied, "all is copied")
        self.stop(self.copiers)
        self.nothing_is_open()
        committed, uncommitted = self.read("read_committed"), self.read("read_uncommitted")
        last = {place: records[-1][0] for place, records in committed.items() if records}
        with contextlib.suppress(AssertionError):
            self.wait(lambda history: all(history.watched[place] and history.watched[place][-1][0] >= offset for place, offset in last.items()), "all is watched", 20)
        self.ended.set()
        for thread in self.threads:
            thread.join(20)
        return committed, uncommitted, {self.output_of(client): list(self.inputs) for client in self.clients}

    def nothing_is_open(self):
        """A transaction of a killed application is open until it times out."""
        try:
            self.wait(lambda _: self.ends(IsolationLevel.READ_COMMITTED) == self.ends(IsolationLevel.READ_UNCOMMITTED), "every transaction has ended", 40)
        except AssertionError as error:
            raise Hanging(str(error)) from error

    def stop(self, applications):
        for application in applications:
            application.stop()
        for application in applications:
            application.process.wait(40)

    def ends(self, isolation):
        wanted = {TopicPartition(one.topic, one.partition): OffsetSpec.latest() for one in self.partitions}
        listed = self.admin.list_offsets(wanted, isolation_level=isolation, request_timeout=20)
        return {(one.topic, one.partition): future.result(20).offset for one, future in listed.items()}

    def read(self, isolation):
        """{(topic, partition): [(offset, (tag, index, source))]} from the beginning to the end."""
        consumer = Consumer(CLIENT | {
            "group.id": "nobody", "isolation.level": isolation, "enable.auto.commit": False, "enable.partition.eof": True,
        })
        consumer.assign(self.partitions)
        out = {(one.topic, one.partition): [] for one in self.partitions}
        left, deadline = set(out), time.monotonic() + 60
        while left and time.monotonic() < deadline:
            for message in consumer.consume(1000, 0.5):
                place = message.topic(), message.partition()
                if message.error() is None:
                    tag, index, source = message.value().decode().split()
                    out[place].append((message.offset(), (tag, int(index), source)))
                elif message.error().code() == KafkaError._PARTITION_EOF:
                    left.discard(place)
        consumer.close()
        equal(left, set(), "partitions that were not read to their end")
        return out

    def summary(self):
        for client in self.clients:
            count = sum((said for name, said in self.history.said.items() if name.startswith(f"{client}-")), Counter())
            print(f"  {client}: {count['committed']} transactions committed, {count['aborted']} aborted, {count['fenced']} fenced, {count['anew']} began anew")
        print(f"  {sum(map(len, self.history.watched.values()))} records followed, {self.history.in_doubt()} commits in doubt", flush=True)

    def end(self):
        self.ended.set()
        for application in self.writers + self.copiers:
            if application.process:
                application.process.kill()
                application.process.wait()
