"""Counting from outside: a broker under callgrind or under strace, and what windows of requests have cost it."""
import collections
import os
import signal
import socket
import subprocess
import time

import frames
from work import Work

# In a window. The cheapest of them counts: what goes by the clock, such as a checkpoint, falls into some and only adds.
REQUESTS = 16
WINDOWS = 7
START_SECONDS_MAX = 180
STOP_SECONDS_MAX = 120
# What follows an answer is over, and is in the window that it belongs to.
SETTLE_SECONDS = 0.03
ALLOCATORS = {"malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign", "memalign"}


class Broker:
    """The binary under a tool, with its files in `home`."""

    def __init__(self, binary, home, tool):
        self.home = home
        os.makedirs(home)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        lines = ["node.id=1", f"listeners=PLAINTEXT://127.0.0.1:{self.port}", f"log.dirs={home}/data"]
        lines += [f"{topic}.replication.factor=1" for topic in ("offsets.topic", "transaction.state.log")]
        lines += ["transaction.state.log.min.isr=1", "group.initial.rebalance.delay.ms=0"]
        with open(f"{home}/server.properties", "w", encoding="ascii") as properties:
            properties.write("\n".join(lines) + "\n")
        with open(f"{home}/server.log", "wb") as log:
            self.process = subprocess.Popen(
                [*tool, binary, "serve", "--config", f"{home}/server.properties"], stdin=subprocess.DEVNULL, stdout=log, stderr=log, preexec_fn=two_processors
            )
        try:
            self.wait()
        except BaseException:
            self.stop()
            raise

    def wait(self):
        deadline = time.monotonic() + START_SECONDS_MAX
        while time.monotonic() < deadline:
            if self.process.poll() is not None:
                break
            try:
                frames.Peer(self.port).close()
                return
            except OSError:
                time.sleep(0.05)
        with open(f"{self.home}/server.log", encoding="utf-8", errors="replace") as log:
            raise SystemExit(f"the broker does not serve: {log.read()[-500:]}")

    def stop(self):
        self.process.send_signal(signal.SIGTERM)
        try:
            self.process.wait(STOP_SECONDS_MAX)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()


def two_processors():
    """As many threads everywhere."""
    os.sched_setaffinity(0, sorted(os.sched_getaffinity(0))[:2])


def instructions_and_allocations(binary, home, wanted):
    """Of each kind that `wanted` takes the instructions and the calls of the allocator, for one request."""
    tool = ["valgrind", "-q", "--tool=callgrind", "--compress-strings=no", "--compress-pos=no", f"--callgrind-out-file={home}/calls", f"--vgdb-prefix={home}-vgdb"]
    broker = Broker(binary, home, tool)
    dumps = 0

    def dump():
        nonlocal dumps
        dumps += 1
        done = subprocess.run(
            ["vgdb", f"--pid={broker.process.pid}", f"--vgdb-prefix={home}-vgdb", "dump"], stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=120, check=False
        )
        if done.returncode != 0:
            raise SystemExit(f"vgdb: {done.stderr.strip()[-300:]}")
        return f"{home}/calls.{dumps}"

    try:
        found = {}
        work = Work(broker.port)
        for kind, prepare in work.kinds().items():
            if not wanted(kind):
                continue
            one = prepare()
            repeat(one, REQUESTS)
            dump()
            totals = []
            for _ in range(WINDOWS):
                repeat(one, REQUESTS)
                totals.append(totals_of(dump()))
            found[kind] = {name: min(total[name] for total in totals) / REQUESTS for name in ("instructions", "allocations")}
        work.close()
        return found
    finally:
        broker.stop()


def totals_of(path):
    """Of a file of callgrind: all instructions, and calls of the allocator from outside of it."""
    instructions = allocations = 0
    function = called = ""
    with open(path, encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if line.startswith("fn="):
                function = line[3:].strip()
            elif line.startswith("cfn="):
                called = line[4:].strip()
            elif line.startswith("calls="):
                if called in ALLOCATORS and function not in ALLOCATORS:
                    allocations += int(line[6:].split()[0])
            elif line.startswith("totals:"):
                instructions = int(line.split()[1])
    os.remove(path)
    return {"instructions": instructions, "allocations": allocations}


def system_calls(binary, home, wanted):
    """Of each kind that `wanted` takes, how many system calls of each name one request makes."""
    trace = f"{home}.trace"
    broker = Broker(binary, home, ["strace", "-D", "-f", "-ttt", "-s", "0", "-e", "signal=none", "-o", trace])
    windows = []
    try:
        work = Work(broker.port)
        for kind, prepare in work.kinds().items():
            if not wanted(kind):
                continue
            one = prepare()
            repeat(one, REQUESTS)
            for _ in range(WINDOWS):
                time.sleep(SETTLE_SECONDS)
                begun = time.time()
                repeat(one, REQUESTS)
                time.sleep(SETTLE_SECONDS)
                windows.append((kind, begun, time.time(), collections.Counter()))
        work.close()
    finally:
        broker.stop()
    with open(trace, encoding="utf-8", errors="replace") as lines:
        into(windows, lines)
    found = {}
    for kind, _, _, calls in sorted(windows, key=lambda window: -window[3].total()):
        found[kind] = {name: count / REQUESTS for name, count in calls.items()}
    return found


def into(windows, lines):
    """Counts each call where it began."""
    at = 0
    # Threads write in the order in which they were stopped, which is nearly that of the times.
    calls = []
    for line in lines:
        _, moment, rest = line.split(None, 2)
        name, bracket, _ = rest.partition("(")
        if bracket and name.isidentifier():
            calls.append((float(moment), name))
    for moment, name in sorted(calls):
        while at < len(windows) and windows[at][2] < moment:
            at += 1
        if at < len(windows) and windows[at][1] <= moment:
            windows[at][3][name] += 1


def repeat(one, times):
    for _ in range(times):
        one()
