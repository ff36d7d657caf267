"""What needs a broker of its own: starts, recovery, footprints. Each has a directory that nobody else has and the machine for
itself, before the brokers of the pairs are there, whose compiled code no restart is to cost."""
import pathlib
import shutil
import time

import machine
from broker import KBENCH, RunFailed, figures
from rows import FILES_MAX

START_SECONDS_MAX = 300
RUN_SECONDS_MAX = 1200
MANY = {"start-10k": 10_000, "start-100k": 100_000}
TOPIC = "bench-alone"
RECOVERY_POINTS = "recovery-point-offset-checkpoint"
FEW = "--seconds 0.5 --warm-up-seconds 0 --rate 1000 --batch-bytes 1"
RECOVERED = f"produce --topic {TOPIC} --partitions 4 --batch-bytes 65536 --in-flight 16 --seconds 600 --warm-up-seconds 0 --mib-max 2048"


class Alone:
    """`make(name)` gives a broker that is not started. Finds for `comparison` what `rows` ask for."""

    def __init__(self, rows, names, make, comparison):
        self.names, self.make, self.comparison = names, make, comparison
        self.procedures = {"start": self.start, **dict.fromkeys(MANY, self.start), "recovery": self.recovery, "recovery-all": self.recovery, "fresh": self.runs, "kept": self.runs}
        self.rows = {}
        for row in rows:
            # What is created is then started with.
            kind = row.kind.replace("create-", "start-")
            if kind in self.procedures:
                self.rows.setdefault(kind, []).append(row)

    def all(self, deadline):
        """A repeat that would end after `deadline` is not begun, the first apart."""
        for kind, rows in self.rows.items():
            repeats = 1 if kind == "start-100k" else self.comparison.effort.alone
            self.comparison.say(f"alone, {kind}: {repeats} times")
            brokers = [broker for broker in map(self.make, self.names) if broker.name == rows[0].broker or broker.side == "theirs" and not rows[0].is_alone]
            try:
                self.repeated(kind, rows, brokers, repeats, deadline)
            finally:
                for broker in brokers:
                    broker.stop()
                    shutil.rmtree(broker.home, ignore_errors=True)

    def repeated(self, kind, rows, brokers, repeats, deadline):
        longest = 0
        for repeat in range(repeats):
            begun = time.monotonic()
            if repeat and begun + longest > deadline:
                self.comparison.say(f"no time for the {repeats - repeat} left")
                return
            for broker in brokers[:: 1 if repeat % 2 == 0 else -1]:
                self.one(kind, rows, repeat, broker)
            longest = max(longest, time.monotonic() - begun)

    def one(self, kind, rows, repeat, broker):
        durability = rows[0].ours if broker.side == "ours" else rows[0].theirs
        try:
            self.procedures[kind](kind, rows, repeat, broker, durability)
        except (RunFailed, SystemExit) as error:
            self.comparison.failed(broker.name, kind, error)

    def start(self, kind, _rows, repeat, broker, durability):
        """On a directory that was left clean, filled before the first time."""
        if repeat == 0:
            if kind in MANY and broker.side == "ours":
                broker.on_broker = [*broker.on_broker, "prlimit", f"--nofile={FILES_MAX}:{FILES_MAX}"]
            broker.start()
            if kind in MANY:
                made = broker.measure(f"footprint partitions --count {MANY[kind]} --before 0 --topic {TOPIC} --seconds 1", durability, RUN_SECONDS_MAX)
                self.comparison.note(repeat, broker.name, kind.replace("start-", "create-"), durability, made)
            broker.measure(f"produce --topic {TOPIC} {FEW}", durability)
            broker.remember()
            broker.stop()
        self.started(kind, repeat, broker, durability)

    def recovery(self, kind, _rows, repeat, broker, durability):
        """Killed when it has acknowledged everything."""
        shutil.rmtree(broker.home, ignore_errors=True)
        broker.start()
        filled = broker.measure(RECOVERED, durability, RUN_SECONDS_MAX)
        broker.remember()
        broker.kill()
        if kind == "recovery-all":
            # Without it the recovery point of each log is its beginning.
            pathlib.Path(broker.home, "data", RECOVERY_POINTS).unlink(missing_ok=True)
        self.started(kind, repeat, broker, durability, "--records-min", str(filled["records_verified"]))

    def started(self, kind, repeat, broker, durability, *options):
        """By its own command line, without the script around it."""
        machine.settle()
        command, environment, folder = broker.remembered
        start = [KBENCH, "start", "--at", broker.address, "--topic", TOPIC, *options, "--", *broker.on_broker, *command]
        self.comparison.note(repeat, broker.name, kind, durability, figures(start, START_SECONDS_MAX, env=environment, cwd=folder))

    def runs(self, _kind, rows, repeat, broker, durability):
        """One after the other on a fresh broker: what the one before has made is still there."""
        shutil.rmtree(broker.home, ignore_errors=True)
        broker.start()
        # What the first records load is not counted.
        broker.measure(f"produce {FEW}", durability)
        machine.settle()
        for key in dict.fromkeys(row.key() for row in rows):
            _, _, run = key.partition(" ")
            self.comparison.note(repeat, broker.name, key, durability, broker.measure(run, durability, RUN_SECONDS_MAX))
        broker.stop()
