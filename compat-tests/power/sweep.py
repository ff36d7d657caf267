"""Failing system calls: power/sweep.py every|sample [KIND]

One scripted session with a broker of its own, again and again; each time the k-th call of one kind fails once (in whichever
thread comes to its k-th first). The broker answers with an error or ends with a documented code, in bounded time; then the
power is cut, and on the sound disk everything that was acknowledged is there.
"""

import contextlib
import os
import random
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time

from confluent_kafka import Consumer, KafkaException, Producer, TopicPartition
from confluent_kafka.admin import AdminClient, AlterConfigOpType, ConfigEntry, ConfigResource, NewTopic, ResourceType

from device import Device, Unavailable, check
from load import CLIENT
from node import Node

OTTLA = os.environ["OTTLA"]
SAMPLES = 14
# The session takes about a second where nothing fails.
SESSION_SECONDS = 12
END_SECONDS = 20
# Codes of a start that is refused, of a disk that fails, and of a clean stop.
REFUSED, FAILED, CLEAN = 1, 74, 0
# Whatever one of them answers, it is not known what is on the disk.
SYNCS = ("fdatasync", "fsync")
CALLS = {
    "fdatasync": ["EIO", "ENOSPC"],
    "fsync": ["EIO", "ENOSPC"],
    "pwrite64,pwritev,pwritev2": ["EIO", "ENOSPC"],
    "rename,renameat,renameat2": ["EIO", "ENOSPC"],
    "ftruncate": ["EIO", "ENOSPC"],
    "mkdir,mkdirat": ["EIO", "ENOSPC"],
    "unlink,unlinkat,rmdir": ["EIO"],
    "fallocate": ["EIO", "ENOSPC"],
    "openat": ["EIO", "ENOSPC", "EMFILE"],
    "pread64,preadv2": ["EIO"],
    "getdents64": ["EIO"],
}


class Session:
    """What one session was told: `acked` has {(topic, offset): value}."""

    def __init__(self, node):
        self.node = node
        self.acked = {}
        self.topics = {}
        self.committed = -1
        self.low = 0

    def run(self):
        """Every kind of write, until the broker is gone or the time is over."""
        deadline = time.monotonic() + SESSION_SECONDS
        for step in [self._create, self._produce, self._commit, self._alter, self._delete_records, self._delete, self._produce]:
            if self._is_gone() or time.monotonic() > deadline:
                return
            try:
                step()
            except (KafkaException, TimeoutError):
                pass

    def _is_gone(self):
        return self.node.process.poll() is not None

    def _admin(self):
        return AdminClient({"bootstrap.servers": self.node.address, **CLIENT})

    def _wait(self, futures):
        for future in futures.values():
            deadline = time.monotonic() + 4
            while not future.done() and not self._is_gone() and time.monotonic() < deadline:
                time.sleep(0.01)
            future.result(0.1)

    def _create(self):
        for name in ["plain", "gone"]:
            config = {"segment.bytes": "1048576"}
            self._wait(self._admin().create_topics([NewTopic(name, 1, 1, config=config)], request_timeout=3))
            self.topics[name] = True

    def _produce(self):
        producer = Producer({"bootstrap.servers": self.node.address, "enable.idempotence": True, "delivery.timeout.ms": 3000,
                             "linger.ms": 0, **CLIENT})

        def delivered(error, message):
            if error is None and message.offset() >= 0:
                self.acked[message.offset()] = message.value()

        for _ in range(6):
            producer.produce("plain", os.urandom(300_000), on_delivery=delivered)
            deadline = time.monotonic() + 4
            while len(producer) and not self._is_gone() and time.monotonic() < deadline:
                producer.poll(0.02)
        producer.purge()

    def _commit(self):
        consumer = Consumer({"bootstrap.servers": self.node.address, "group.id": "group", "enable.auto.commit": False, **CLIENT})
        try:
            deadline = time.monotonic() + 3
            for offset in range(3):
                # One after the other: the client repeats one that was refused, and would go back with it.
                consumer.commit(offsets=[TopicPartition("plain", 0, offset)], asynchronous=True)
                while self.committed < offset and not self._is_gone():
                    if time.monotonic() > deadline:
                        print(f"offset {offset} was not committed in 3 s", flush=True)
                        return
                    found = consumer.committed([TopicPartition("plain", 0)], timeout=1)[0].offset
                    self.committed = max(self.committed, found)
        finally:
            consumer.close()

    def _alter(self):
        entry = ConfigEntry("retention.ms", "123456789", incremental_operation=AlterConfigOpType.SET)
        resource = ConfigResource(ResourceType.TOPIC, "plain", incremental_configs=[entry])
        self._wait(self._admin().incremental_alter_configs([resource], request_timeout=3))
        self.topics["plain"] = "altered"

    def _delete_records(self):
        self._wait(self._admin().delete_records([TopicPartition("plain", 0, 4)], request_timeout=3))
        self.low = 4

    def _delete(self):
        self.topics.pop("gone", None)
        self._wait(self._admin().delete_topics(["gone"], request_timeout=3))
        self.topics["gone"] = False

    def missing(self):
        """What of it the broker has not, as a sentence."""
        listed = set(patiently(lambda: self._admin().list_topics(timeout=10)).topics)
        for name, state in self.topics.items():
            if (name in listed) != bool(state):
                return f"topic {name} is {'there' if name in listed else 'gone'}"
        if self.topics.get("plain") == "altered":
            described = self._admin().describe_configs([ConfigResource(ResourceType.TOPIC, "plain")])
            if next(iter(described.values())).result(10)["retention.ms"].value != "123456789":
                return "a configuration is gone"
        if self.committed >= 0:
            consumer = Consumer({"bootstrap.servers": self.node.address, "group.id": "group", **CLIENT})
            found = patiently(lambda: consumer.committed([TopicPartition("plain", 0)], timeout=5))[0].offset
            consumer.close()
            if found < self.committed:
                return f"offset {self.committed} was committed, and {found} is left"
        return self._missing_records()

    def _missing_records(self):
        if not self.acked:
            return ""
        consumer = Consumer({"bootstrap.servers": self.node.address, "group.id": "nobody", "enable.auto.commit": False,
                             "check.crcs": True, **CLIENT})
        low, high = patiently(lambda: consumer.get_watermark_offsets(TopicPartition("plain", 0), timeout=5))
        if low < self.low:
            return f"records below {self.low} were deleted, and the log begins at {low}"
        found = {}
        consumer.assign([TopicPartition("plain", 0, low)])
        deadline = time.monotonic() + 15
        while len(found) < high - low and time.monotonic() < deadline:
            for message in consumer.consume(100, 0.02):
                if message.error() is None:
                    found[message.offset()] = message.value()
        consumer.close()
        lost = [offset for offset, value in self.acked.items() if offset >= low and found.get(offset) != value]
        return f"offsets {lost} were acknowledged and are gone, the log has {low} to {high}" if lost else ""


def patiently(ask):
    """A broker that has just started may not lead a partition yet."""
    deadline = time.monotonic() + 15
    while True:
        try:
            return ask()
        except KafkaException:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.05)


class Sweep:
    """Sessions in one directory after the other."""

    def __init__(self, home):
        self.home = home
        self.number = 0
        self.reached = 0
        self.device = Device(os.path.join(home, "data"))

    def session(self, strace):
        """One session under strace with these arguments, on an empty disk."""
        self.number += 1
        if self.number % 50 == 0:
            self.renew()
        for name in os.listdir(self.device.path):
            path = os.path.join(self.device.path, name)
            shutil.rmtree(path) if os.path.isdir(path) else os.remove(path)
        self.device.sync()
        home = os.path.join(self.home, str(self.number))
        os.mkdir(home)
        node = Node(home, OTTLA, self.device, ["strace", "-f", "-qq", "-o", os.path.join(home, "trace"), *strace])
        return node, Session(node)

    def counts(self):
        """How often the thread that does it most calls each kind in a session without faults."""
        names = ",".join(CALLS)
        node, session = self.session(["-e", f"trace={names}"])
        node.start()
        session.run()
        stop(node)
        per_thread = {}
        with open(os.path.join(node.home, "trace"), encoding="utf-8", errors="replace") as trace:
            for line in trace:
                if found := re.match(r"(\d+) +(\w+)\(", line):
                    kind = next((kind for kind in CALLS if found[2] in kind.split(",")), None)
                    per_thread.setdefault(kind, {}).setdefault(found[1], 0)
                    per_thread[kind][found[1]] += 1
        if missing := self.missing(node, session):
            raise RuntimeError(f"without a fault: {missing}")
        return {kind: max(per_thread.get(kind, {"": 0}).values()) for kind in CALLS}

    def one(self, kind, error, at):
        """The session with one fault; answers why it is not well, or nothing."""
        node, session = self.session(["--seccomp-bpf", "-y", "-e", f"trace={kind}", "-e", f"inject={kind}:error={error}:when={at}"])
        try:
            return self._judge(node, session, kind, error)
        finally:
            node.kill()
            self.reached += bool(injected(node))

    def _judge(self, node, session, kind, error):
        try:
            node.start()
        except RuntimeError:
            code = node.process.poll()
            if code is None:
                node.kill()
                return f"a start hangs: {node.log()[-300:]}"
            if code not in (REFUSED, FAILED) or not any(told in node.log() for told in ("ottla: ", "the node stops")):
                if self._is_foreign(node):
                    return ""
                return f"a start ends with {code}: {node.log()[-300:]}"
        else:
            session.run()
            code = stop(node)
            if code not in (CLEAN, FAILED):
                return f"it ends with {code}: {node.log()[-300:]}"
            if code == FAILED and error == "ENOSPC" and kind not in SYNCS:
                return f"a full disk ends it: {node.log()[-300:]}"
        if node.panics():
            return f"it panics: {node.panics()[0]}"
        return self.missing(node, session)

    def _is_foreign(self, node):
        """Whether what failed was no file of the broker's: a library that is loaded before `main`, say."""
        failed = injected(node)
        return bool(failed) and not any(self.device.path in line for line in failed)

    def renew(self):
        """Another disk, whatever became of the last."""
        self.device.close()
        self.device.make()

    def missing(self, node, session):
        """What the session was told and the disk does not have, after a cut of its power."""
        node.power_fails()
        again = Node(node.home, OTTLA, self.device)
        again.starts = node.starts
        session.node = again
        try:
            again.start()
            return session.missing()
        finally:
            again.kill()


def injected(node):
    """The lines of a session's trace that failed on demand: none where no thread came to that call."""
    with open(os.path.join(node.home, "trace"), encoding="utf-8", errors="replace") as trace:
        return [line for line in trace if "(INJECTED)" in line]


def stop(node):
    """A clean stop, in bounded time; answers the code of the broker's end, not the tracer's."""
    if node.process.poll() is None:
        # It may end by itself meanwhile, because of the fault.
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):
            with open(f"/proc/{node.process.pid}/task/{node.process.pid}/children", encoding="ascii") as children:
                for pid in children.read().split():
                    os.kill(int(pid), signal.SIGTERM)
    try:
        return node.process.wait(END_SECONDS)
    except subprocess.TimeoutExpired:
        node.kill()
        return "SIGKILL after a stop that hangs"


def main():
    try:
        check()
    except Unavailable as error:
        print(f"not ok sweep: {error}")
        print("end")
        return
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    home = tempfile.mkdtemp(prefix="ottla-sweep-")
    sweep = Sweep(home)
    try:
        sweep.device.make()
        counts = sweep.counts()
        cases = [(kind, error, at) for kind, errors in CALLS.items() for error in errors for at in range(1, counts[kind] + 1)]
        if sys.argv[1] == "sample":
            cases = random.Random(seed).sample(cases, min(SAMPLES, len(cases)))
        print(f"SEED={seed}, {len(cases)} faults, calls: {counts}", flush=True)
        wanted = sys.argv[2] if len(sys.argv) > 2 else ""
        results, tried = {}, 0
        for kind, error, at in cases:
            if wanted not in f"{kind} {error}":
                continue
            tried += 1
            try:
                why = sweep.one(kind, error, at)
            except Exception as failure:  # noqa: BLE001 - a test program reports whatever went wrong
                why = f"{type(failure).__name__}: {failure}"
                sweep.renew()
            results.setdefault(f"{kind.split(',')[0]}-{error}", []).extend([f"call {at}: {why}"] if why else [])
            if why:
                print(f"{kind} {error} {at} (session {sweep.number}): {why}".replace("\n", " "), flush=True)
        for name, reasons in results.items():
            told = "; ".join(reasons[:3]).replace("\n", " ")
            print(f"not ok sweep-{name}: {len(reasons)} times, {told}" if reasons else f"ok sweep-{name}", flush=True)
        # Which thread does how much is not the same twice, so some calls never come; a sweep without faults finds nothing.
        told = f"{sweep.reached} of {tried} faults were reached"
        print(told, flush=True)
        print(f"not ok sweep-reaches: {told}" if 2 * sweep.reached < tried else "ok sweep-reaches", flush=True)
    finally:
        sweep.device.close()
        if not os.environ.get("KEEP"):
            shutil.rmtree(home, ignore_errors=True)
    print("end")


if __name__ == "__main__":
    main()
