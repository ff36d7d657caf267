"""A broker that is measured: what its descriptor (`brokers/NAME.toml`) says, running."""
import json
import os
import shlex
import signal
import subprocess
import time
import tomllib

import machine

HERE = os.path.dirname(os.path.abspath(__file__))
COMPAT = os.path.dirname(HERE)
ROOT = os.path.dirname(COMPAT)
TARGET = os.environ.get("CARGO_TARGET_DIR", f"{ROOT}/target")
OTTLA = os.environ.get("OTTLA", f"{TARGET}/release/ottla")
KBENCH = os.environ.get("KBENCH", f"{TARGET}/release/kbench")
# Runs that make a topic take its configuration; a removed one leaves at once, before it reaches the disk.
TOPIC_RUNS = ("produce", "fetch", "end-to-end")
GONE_SECONDS_MAX = 60
EMPTY_SECONDS_MAX = 5
TOPIC_ALWAYS = {"file.delete.delay.ms": "0"}


class RunFailed(Exception):
    """A run that gave no figures: the broker answered wrongly, too late or not at all."""


class Broker:
    """`start` (PORT DIR, prints the pid) and `stop` (DIR) are programs of compat-tests, or of anywhere by an absolute path."""

    def __init__(self, name, home, properties, pin=False):
        """`pin`: the broker has the first CPU, by which a JVM sizes itself, and the load generator the second."""
        self.on_broker, self.on_generator = (["taskset", "-c", cpu] if pin else [] for cpu in "01")
        with open(f"{HERE}/brokers/{name}.toml", "rb") as descriptor:
            self.descriptor = tomllib.load(descriptor)
        self.name, self.home, self.side = name, f"{home}/{name}", self.descriptor["side"]
        self.title = self.descriptor["title"]
        self.port = free_port()
        self.address = f"127.0.0.1:{self.port}"
        lines = self.descriptor.get("properties", []) + properties
        self.environment = os.environ | self.descriptor.get("environment", {}) | {"OTTLA": OTTLA, "EXTRA_PROPERTIES": "\n".join(lines)}
        self.pid = self.cgroup = self.remembered = None

    def start(self):
        done = subprocess.run([*self.on_broker, self.program("start"), str(self.port), self.home], capture_output=True, text=True, env=self.environment, timeout=180, check=False)
        if done.returncode != 0:
            raise SystemExit(f"{self.name} does not start: {done.stderr}")
        self.pid = int(done.stdout.split()[-1])
        parent = machine.cgroup_parent()
        if parent:
            self.cgroup = f"{parent}/bench-{self.name}-{os.getpid()}"
            os.makedirs(self.cgroup, exist_ok=True)
            with open(f"{self.cgroup}/cgroup.procs", "w", encoding="ascii") as members:
                members.write(str(self.pid))

    def stop(self):
        if self.pid is None:
            return
        self.pid = None
        subprocess.run([self.program("stop"), self.home], check=False, capture_output=True, timeout=180)
        self.leave_cgroup()

    def kill(self):
        """As a crash would; gives back when the process is no more."""
        pid, self.pid = self.pid, None
        os.kill(pid, signal.SIGKILL)
        deadline = time.monotonic() + GONE_SECONDS_MAX
        while not is_gone(pid) and time.monotonic() < deadline:
            time.sleep(0.01)
        self.leave_cgroup()

    def leave_cgroup(self):
        if self.cgroup:
            # The threads of a process that was killed leave a moment after it.
            deadline = time.monotonic() + EMPTY_SECONDS_MAX
            while True:
                try:
                    os.rmdir(self.cgroup)
                    break
                except OSError as error:
                    if time.monotonic() > deadline:
                        print(f"note: {self.cgroup} stays: {error}", flush=True)
                        break
                time.sleep(0.05)
            self.cgroup = None

    def program(self, name):
        return os.path.join(COMPAT, self.descriptor[name])

    def serves(self, durability):
        """Whether its descriptor knows topics of this durability."""
        return durability in self.descriptor["topic"]

    def command(self):
        """The command line and environment that it runs with, by which it can be started without any script around it."""
        with open(f"/proc/{self.pid}/cmdline", "rb") as line:
            command = line.read().decode().split("\0")[:-1]
        with open(f"/proc/{self.pid}/environ", "rb") as pairs:
            environment = dict(pair.split("=", 1) for pair in pairs.read().decode(errors="replace").split("\0") if "=" in pair)
        return command, environment, os.readlink(f"/proc/{self.pid}/cwd")

    def remember(self):
        """Keeps that for when it no longer runs."""
        self.remembered = self.command()

    def arguments(self, run, durability):
        command = [*self.on_generator, *machine.ahead_of_all(run), KBENCH, "--bootstrap", self.address, "--pid", str(self.pid)]
        command += ["--cgroup", self.cgroup] if self.cgroup else []
        command += shlex.split(run)
        if run.split()[0] in TOPIC_RUNS:
            for key, value in (TOPIC_ALWAYS | self.descriptor["topic"][durability]).items():
                command += ["--topic-config", f"{key}={value}"]
        return command

    def measure(self, run, durability="cached", timeout=240):
        """The figures of one run of kbench."""
        return figures(self.arguments(run, durability), timeout)


def figures(command, timeout, **options):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=timeout, check=False, **options)
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"no end after {timeout} s") from error
    if done.returncode != 0:
        raise RunFailed(done.stderr.strip().replace("\n", " ")[:300])
    return json.loads(done.stdout)


def ratios(rows):
    """Medians and intervals of paired figures; see `kbench ratios --help`."""
    done = subprocess.run([KBENCH, "ratios"], input=json.dumps(rows), capture_output=True, text=True, timeout=60, check=False)
    if done.returncode != 0:
        raise SystemExit(f"kbench ratios: {done.stderr}")
    return json.loads(done.stdout)


def is_gone(pid):
    """Whether it has ended, be it that nobody has asked for its exit code yet."""
    try:
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] in ("Z", "X")
    except OSError:
        return True


def free_port():
    done = subprocess.run(["bash", "-c", f". {COMPAT}/lib.sh; free_port"], capture_output=True, text=True, check=True)
    return int(done.stdout)
