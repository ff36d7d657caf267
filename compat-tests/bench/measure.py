"""The runs: warm-up, then pair after pair, every broker in turn and the order changing, until the pairs or the time are done."""
import concurrent.futures
import dataclasses
import os
import re
import signal
import subprocess
import threading
import time

import machine
from broker import KBENCH, RunFailed, figures
from explain import profile
from rows import WARM_UPS

TRIES = 2
ATTACH_SECONDS_MAX = 30


# The kinds that are measured pair after pair; those of alone.py come before them.
IN_PAIRS = ("run", "cold", "disk", "traced", "loaded")


class Comparison:
    """`rows` of all sets, on `brokers` that run. What is found is in `runs` and `failures` at any moment."""

    def __init__(self, rows, brokers, effort, say):
        self.rows = [row for row in rows if not row.of]
        self.brokers, self.effort, self.say = brokers, effort, say
        self.runs, self.failures = [], []
        # What the disk alone is compared with is a run as any other.
        keys = [key for row in self.rows for key in ([f"run {row.run}"] if row.kind == "disk" else []) + [row.key()]]
        self.measurements = [key for key in dict.fromkeys(keys) if key.partition(" ")[0] in IN_PAIRS]
        self.filled = set()

    def warm_up(self, sets):
        """All brokers at once: the compilers of the JVMs use the CPUs anyway."""
        steps = [(share, run) for name in sets for share, run in WARM_UPS.get(name, [])]
        total = sum(share for share, _ in steps) or 1

        def warm(broker):
            # A native broker has nothing to compile.
            seconds = self.effort.jvm_seconds if broker.side == "theirs" else 5
            for share, run in steps:
                timed = run + (f" --seconds {max(1, round(seconds * share / total))}" if share else "")
                timed += " --warm-up-seconds 0" if run.split()[0] in ("produce", "fetch", "end-to-end") else ""
                try:
                    broker.measure(timed)
                except RunFailed as error:
                    self.failed(broker.name, "warm-up: " + run, error)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            list(pool.map(warm, self.brokers))

    def all_pairs(self, deadline, save):
        """Gives how many pairs were whole. A pair that would end after `deadline` is not begun, the first apart."""
        longest = 0
        for pair in range(self.effort.pairs):
            begun = time.monotonic()
            if pair and begun + longest > deadline:
                self.say(f"no time for pair {pair + 1}")
                return pair
            for number, key in enumerate(self.measurements):
                self.say(f"pair {pair + 1} of {self.effort.pairs}, {number + 1} of {len(self.measurements)}: {self.timed(key)}")
                self.one(pair, key)
            self.loaded(pair)
            save(pair + 1)
            longest = max(longest, time.monotonic() - begun)
        return self.effort.pairs

    def one(self, pair, key):
        """One measurement of every broker that a row asks for."""
        kind, _, run = key.partition(" ")
        if kind == "loaded":
            return
        if kind == "disk":
            try:
                self.note(pair, "disk", key, "synced", self.disk(self.timed(run)))
            except RunFailed as error:
                self.failed("disk", key, error)
            return
        for broker, durability in self.wanted(key)[:: 1 if pair % 2 == 0 else -1]:
            try:
                procedure = {"cold": self.cold, "traced": self.traced}.get(kind, self.plain)
                measured = procedure(broker, self.timed(run), durability)
                self.note(pair, broker.name, key, durability, measured)
            except RunFailed as error:
                self.failed(broker.name, key, error)

    def wanted(self, key):
        """The brokers and durabilities that the rows of this key compare."""
        wanted = []
        for row in self.rows:
            # Ours is also what the disk alone is compared with.
            if row.key() != key and not (row.kind == "disk" and f"run {row.run}" == key):
                continue
            for broker in self.brokers:
                side = {row.broker: row.ours}.get(broker.name) if broker.side == "ours" else row.theirs if row.kind != "disk" else None
                if side and broker.serves(side) and (broker, side) not in wanted:
                    wanted.append((broker, side))
        return wanted

    def timed(self, run):
        return self.effort.timed(run)

    def note(self, pair, broker, key, durability, found):
        self.runs.append({"pair": pair, "broker": broker, "key": key, "durability": durability, "figures": found})
        told = ("broker_cpu_us_per_mib", "broker_cpu_us_per_fetch", "mib_per_second", "p50_ms", "p99_ms", "p999_ms", "first_ack_ms", "served_ms", "stop_ms", "made_ms", "rss_kib", "bytes_each", "cpu_us_per_second", "wakeups_per_second", "calls_per_request", "syncs_per_request", "per_second", "join_ms")
        said = " ".join(f"{name}={found[name]:.6g}" for name in told if isinstance(found.get(name), (int, float)))
        self.say(f"  {broker:14} {durability:6} {said}{' VOID: ' + ','.join(found['void']) if found.get('void') else ''}")

    def failed(self, broker, key, error):
        self.failures.append({"broker": broker, "key": key, "error": str(error)})
        self.say(f"  {broker:14} FAILED: {error}")

    def plain(self, broker, run, durability):
        """Once more where the host took CPU time away: the other one of the pair had it."""
        for _ in range(TRIES):
            machine.settle()
            found = broker.measure(run, durability)
            if not found.get("stolen_from"):
                break
        return found

    def cold(self, broker, run, durability):
        """The tail of `run` while another consumer reads, over and over, what is no longer in memory."""
        fill = "fetch --topic bench-cold --fill-mib 2048 --batch-bytes 65536 --max-bytes 1048576"
        if broker.name not in self.filled:
            broker.measure(f"{fill} --seconds 1 --warm-up-seconds 0", durability)
            self.filled.add(broker.name)
        machine.settle()
        if not machine.drop_caches():
            raise RunFailed("the page cache cannot be emptied without being root")
        done = threading.Event()

        def read():
            while not done.is_set() and machine.drop_caches():
                broker.measure(f"{fill} --once", durability)

        with concurrent.futures.ThreadPoolExecutor() as pool:
            reader = pool.submit(read)
            try:
                found = broker.measure(run, durability)
            finally:
                done.set()
            reader.result()
            return found

    def traced(self, broker, run, durability):
        """System calls of a request: of twice as many requests there are so many more, and all else happens once. Takes no time
        into account, since a traced broker is slow."""
        few = self.trace(broker, run, durability)
        many = self.trace(broker, re.sub(r"(?<=--mib-max )\S+", lambda mib: f"{float(mib[0]) * 2:g}", run), durability)
        requests = many["requests"] - few["requests"]
        if requests <= 0:
            raise RunFailed(f"{few['requests']} and then {many['requests']} requests were traced")
        calls = {name: (many["calls"].get(name, 0) - few["calls"].get(name, 0)) / requests for name in many["calls"]}
        syncs = sum(calls.get(name, 0) for name in ("fsync", "fdatasync", "msync", "sync_file_range"))
        return {"what": "traced", "calls_per_request": sum(calls.values()), "syncs_per_request": syncs, "calls": calls, "requests": requests, "void": []}

    def trace(self, broker, run, durability):
        """The requests of one run and the broker's system calls by name meanwhile, those of the run's own making included."""
        trace = f"{broker.home}.trace"
        with open(f"{trace}.said", "w+", encoding="utf-8", errors="replace") as said:
            strace = subprocess.Popen(["strace", "-c", "-f", "-o", trace, "-p", str(broker.pid)], stderr=said)
            try:
                deadline = time.monotonic() + ATTACH_SECONDS_MAX
                while "attached" not in open(f"{trace}.said", encoding="utf-8", errors="replace").read():
                    if strace.poll() is not None or time.monotonic() > deadline:
                        raise RunFailed("strace does not attach")
                    time.sleep(0.05)
                found = broker.measure(run, durability)
            finally:
                strace.send_signal(signal.SIGINT)
                strace.wait(ATTACH_SECONDS_MAX)
        calls = {}
        with open(trace, encoding="ascii") as table:
            for line in table:
                words = line.split()
                # Percent, seconds, each, calls, perhaps errors, name.
                if len(words) >= 5 and words[3].isdigit() and words[-1] != "total":
                    calls[words[-1]] = int(words[3])
        return found | {"calls": calls}

    def explain(self, rows, deadline):
        """Profiles of ours in the runs of these rows, by key, as far as time allows."""
        explained = {}
        for row in rows:
            broker = next((broker for broker in self.brokers if broker.name == row["broker"]), None)
            key = f"{row['kind']} {row['run']}"
            if row["kind"] != "run" or key in explained or broker is None or time.monotonic() > deadline:
                continue
            self.say(f"profile of {row['id']}: {self.timed(row['run'])}")
            short = dataclasses.replace(self.effort, long=self.effort.seconds)
            run, traced = (some.timed(row["run"]) for some in (short, dataclasses.replace(short, warm_up=0)))
            try:
                explained[key] = profile(broker, run, row["ours"], lambda: self.trace(broker, traced, row["ours"]))
                without = explained[key].pop("without_functions", None)
                if without:
                    self.say(f"  without functions: {without}")
            except (RunFailed, OSError, subprocess.TimeoutExpired) as error:
                self.failed(broker.name, f"profile of {row['id']}", error)
        return explained

    def disk(self, run):
        """What the disk alone gives, as long as `run`."""
        machine.settle()
        seconds = run.split("--seconds ")[1].split()[0]
        return figures([KBENCH, "disk", "--folder", os.path.dirname(self.brokers[0].home), "--seconds", seconds], 120)

    def loaded(self, pair):
        """The most memory that any run of the pair has left a broker with."""
        rows = [row for row in self.rows if row.kind == "loaded"]
        for broker in self.brokers if rows else []:
            sizes = [run["figures"]["rss_kib"] for run in self.runs if run["pair"] == pair and run["broker"] == broker.name and run["key"].startswith("run ") and "rss_kib" in run["figures"]]
            if sizes:
                durability = rows[0].ours if broker.side == "ours" else rows[0].theirs
                self.note(pair, broker.name, rows[0].key(), durability, {"what": "loaded", "rss_kib": max(sizes), "void": []})
