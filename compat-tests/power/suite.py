"""Power cuts under load: power/suite.py ROUNDS KIND [MOUNT_OPTIONS]

Each round the load goes on for a moment, the power fails in one of several ways, the broker starts on what the disk has, and
everything that was acknowledged is looked for. In the end real Kafka takes the directory over from a broker that was killed
after it had recovered from a cut.
"""

import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
import traceback

import load
from device import Device, Unavailable, check
from node import Node, free_port
from verify import Verifier

HERE = os.path.dirname(os.path.abspath(__file__))
OTTLA = os.environ["OTTLA"]
# Ended by the test, or by itself because the disk is gone.
ENDS = (-9, 74)


def plain(node, dice):
    """The power fails under load."""
    return [node.power_fails()]


def after_clean_stop(node, dice):
    """Soon after a start that trusted what it found: a marker of a clean end that comes back would lie."""
    node.stop()
    node.start()
    time.sleep(dice.uniform(0, 0.6))
    return [node.power_fails()]


def behind_a_stop(node, dice):
    """A clean stop leaves nothing in memory that the disk does not have."""
    node.stop()
    node.device.cut()
    node.device.restore()
    return []


def in_a_start(node, dice):
    """The power fails again while the start after it recovers."""
    codes = [node.power_fails()]
    for _ in range(dice.randrange(1, 4)):
        node.launch()
        time.sleep(dice.uniform(0.002, 0.08))
        codes.append(node.power_fails())
    return codes


def after_kill(node, dice):
    """The process is killed, and the power fails when another has taken over what the page cache shows."""
    codes = [node.kill()]
    node.launch()
    time.sleep(dice.uniform(0.02, 0.4))
    return [*codes, node.power_fails()]


WAYS = [plain, after_clean_stop, plain, in_a_start, plain, behind_a_stop, after_kill]
if "WAYS" in os.environ:
    WAYS = [globals()[name] for name in os.environ["WAYS"].split(",")]


# Syncs that are answered, and not done.
NO_SYNCS = ["strace", "-f", "-qq", "-o", "/dev/null", "--seccomp-bpf", "-e", "trace=fdatasync,fsync",
            "-e", "inject=fdatasync,fsync:retval=0"]


class Run:
    """One device with its clients, from an empty directory on."""

    def __init__(self, home, kind, options, seed, wrapper=()):
        self.name = f"{kind}{f'({options})' if options else ''}"
        self.dice = random.Random(seed)
        self.home = home
        self.node = Node(home, OTTLA, Device(os.path.join(home, "data"), kind, options), wrapper)
        self.clients = []
        self.verifier = None
        self.codes = []

    def cuts(self, rounds):
        """The rounds, and the end of the clients; the broker runs on."""
        self.node.device.make()
        self.node.start()
        load.create(self.node.address)
        self.clients = load.clients(self.node.address)
        self.verifier = Verifier(self.clients)
        for client in self.clients:
            client.start()
        for number in range(rounds):
            way = WAYS[number % len(WAYS)]
            time.sleep(self.dice.uniform(0.2, 1.0))
            self.codes += way(self.node, self.dice)
            self.node.start()
            self.verifier.check(self.node.address, f"round {number}, {way.__name__}")
            if self.verifier.found:
                if os.environ.get("KEEP"):
                    subprocess.run(["cp", "-a", "--sparse=always", self.node.data, os.path.join(self.home, "failed")], check=True)
                break
        for client in self.clients:
            client.ended.set()
        for client in self.clients:
            client.join(90)

    def last(self):
        """One more cut, after which everything is read from the beginning."""
        self.codes.append(self.node.power_fails())
        self.node.start()
        self.verifier.check(self.node.address, "in the end", whole=True)
        # Small appends are durable in Ottla's journal first; its start has put them into the logs, where Kafka looks.
        self.codes.append(self.node.kill())
        os.mkdir(os.path.join(self.home, "kafka"))
        # The files of an active segment's indexes are almost empty.
        subprocess.run(["cp", "-a", "--sparse=always", self.node.data, os.path.join(self.home, "kafka", "data")], check=True)

    def kafka(self):
        """Apache Kafka opens what the recovery after the last cut left."""
        home = os.path.join(self.home, "kafka")
        start = subprocess.run([f"{HERE}/../oracle/start", str(free_port()), home, os.environ["KAFKA_VERSION"]],
                               capture_output=True, text=True, timeout=150, check=False)
        if start.returncode != 0:
            raise RuntimeError(f"Kafka does not start: {start.stderr[-600:]}")
        try:
            with open(os.path.join(home, "port"), encoding="utf-8") as port:
                self.verifier.check(f"127.0.0.1:{port.read().strip()}", "in Kafka", whole=True)
        finally:
            subprocess.run([f"{HERE}/../oracle/stop", home], capture_output=True, timeout=90, check=False)

    def report(self):
        """What is to be said of the rounds so far, as (test, why it failed or None)."""
        writers = [client for client in self.clients if isinstance(client, load.Writer)]
        acked = sum(len(writer.acked) + len(writer.unplaced) for writer in writers)
        found, self.verifier.found = self.verifier.found, []
        refused = [f"{writer.name}: {writer.refused[0]}" for writer in writers if writer.refused]
        failures = [client.failure or f"{client.name} does not end" for client in self.clients if client.failure or client.is_alive()]
        odd = [code for code in self.codes if code not in ENDS]
        print(f"{self.name}: {len(self.codes)} cuts, {acked} records acknowledged, {self.verifier.checked} checks, "
              f"{self.verifier.lost_cached} records of the topic without syncs lost")
        yield "nothing acknowledged is lost", "; ".join(found[:4])
        yield "clients go on", "; ".join((failures + refused)[:4])
        yield "the broker ends as documented", f"codes {odd}" if odd else "; ".join(self.node.panics()[:2])


def without_syncs():
    """The control: a broker whose syncs do nothing loses what it has acknowledged, and the suite sees it."""
    home = tempfile.mkdtemp(prefix="ottla-power-")
    run = Run(home, "ext4", "", 1, NO_SYNCS)
    try:
        run.cuts(3)
        found = run.verifier.found
    except Exception as error:  # noqa: BLE001 - that it does not even start is a loss as well
        found = [f"{type(error).__name__}: {error}"]
    finally:
        run.node.close()
        shutil.rmtree(home, ignore_errors=True)
    print(f"  without syncs: {found[0][:200]}" if found else "", flush=True)
    print("ok without-syncs-it-loses" if found else "not ok without-syncs-it-loses: nothing was missed", flush=True)
    print("end")


def main():
    if sys.argv[1] == "without-syncs":
        without_syncs()
        return
    rounds, kind = int(sys.argv[1]), sys.argv[2]
    options = sys.argv[3] if len(sys.argv) > 3 else ""
    seed = int(os.environ.get("SEED", random.randrange(1 << 32)))
    print(f"SEED={seed}", flush=True)
    try:
        check(kind)
    except Unavailable as error:
        print(f"not ok {kind}: {error}")
        print("end")
        return
    home = tempfile.mkdtemp(prefix="ottla-power-")
    run = Run(home, kind, options, seed)
    label = run.name.replace(" ", "-")
    kept = False
    try:
        for name, step in [("cuts", lambda: run.cuts(rounds)), ("last", run.last), ("kafka", run.kafka)]:
            if name == "kafka" and not os.environ.get("KAFKA_VERSION"):
                continue
            try:
                step()
            except Exception as error:  # noqa: BLE001 - a test program reports whatever went wrong
                kept = True
                traceback.print_exc(file=sys.stdout)
                print(f"not ok {label}-{name}: {type(error).__name__}: {error}", flush=True)
                break
            for test, why in run.report():
                test = f"{label}-{name}-{test.replace(' ', '-')}"
                kept |= bool(why)
                print(f"not ok {test}: {why}" if why else f"ok {test}", flush=True)
        bites = run.verifier is not None and run.verifier.lost_cached > 0
        print(f"ok {label}-the-cut-bites" if bites else f"not ok {label}-the-cut-bites: nothing was lost that could be")
    finally:
        if kept and os.environ.get("KEEP"):
            run.node.kill()
            print(f"kept, with the disk mounted: {home}")
        else:
            run.node.close()
            shutil.rmtree(home, ignore_errors=True)
    print("end")


if __name__ == "__main__":
    main()
