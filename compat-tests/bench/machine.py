"""The machine that the figures hold for, and the quiet that they need."""
import functools
import os
import platform
import subprocess
import time

DIRTY_MB_MAX = 50
SETTLE_SECONDS_MAX = 30
REAL_TIME = ["chrt", "--fifo", "1"]
CONGESTION = "/proc/sys/net/ipv4/tcp_congestion_control"


def conditions(root, title):
    """What a reader needs to judge the figures, or to make them again."""
    return {
        "set": title,
        "date": time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime()),
        "commit": output("git", "-C", root, "rev-parse", "--short=12", "HEAD"),
        "changed_files": len(output("git", "-C", root, "status", "--porcelain", "--", "src", "Cargo.lock").splitlines()),
        "cpu": field("/proc/cpuinfo", "model name"),
        "cpus": os.cpu_count(),
        "memory_gib": round(int(field("/proc/meminfo", "MemTotal").split()[0]) / 2**20, 1),
        "kernel": platform.release(),
        "file_system": output("stat", "-f", "-c", "%T", os.environ.get("TMPDIR", "/tmp")),
        "tcp_congestion_control": read(CONGESTION),
        "java": output("java", "-version", err=True).splitlines()[0:1],
        "kafka": next(line.split("=")[1].split()[0] for line in read(f"{root}/compat-tests/lib.sh").splitlines() if line.startswith("KAFKA_NEWEST=")),
        "rustc": output("rustc", "--version"),
        "busy_percent_before": busy_percent(2),
        "load_generator": "real-time priority where it keeps to a schedule" if has_real_time() else "no priority: it may be late",
        "cpu_accounts": "cgroup" if cgroup_parent() else "/proc, in ticks of 10 ms",
    }


def settle():
    """Nothing waits for the disk when a run begins."""
    os.sync()
    deadline = time.monotonic() + SETTLE_SECONDS_MAX
    while dirty_mb() > DIRTY_MB_MAX and time.monotonic() < deadline:
        time.sleep(0.1)
    time.sleep(0.2)


def drop_caches():
    """Whether the page cache could be emptied."""
    os.sync()
    try:
        with open("/proc/sys/vm/drop_caches", "w", encoding="ascii") as caches:
            caches.write("1")
        return True
    except OSError:
        return False


def ahead_of_all(run):
    """The command before a load generator that keeps to a schedule: nobody else keeps it from a CPU, as nobody would where it had
    a machine of its own. Without, on two CPUs, its lateness would be a broker's time slice. A run that goes as fast as it is
    answered has no such need, and would take from the broker what it should leave to it."""
    is_timed = run.split()[0] == "end-to-end" or run.split()[0] == "produce" and " --rate " in run
    return REAL_TIME if is_timed and has_real_time() else []


@functools.cache
def has_real_time():
    try:
        return subprocess.run([*REAL_TIME, "true"], capture_output=True, timeout=10, check=False).returncode == 0
    except OSError:
        return False


def dirty_mb():
    with open("/proc/meminfo", encoding="ascii") as lines:
        return sum(int(line.split()[1]) for line in lines if line.startswith(("Dirty:", "Writeback:"))) / 1024


def busy_percent(seconds):
    """Share of all CPUs that others use right now."""
    before = cpu_ticks()
    time.sleep(seconds)
    after = cpu_ticks()
    total = sum(after) - sum(before)
    idle = after[3] + after[4] - before[3] - before[4]
    return round(100 * (1 - idle / max(total, 1)), 1)


def cpu_ticks():
    with open("/proc/stat", encoding="ascii") as lines:
        return [int(ticks) for ticks in lines.readline().split()[1:9]]


class Tuned:
    """`cubic` for loopback while it lasts, where that may be set: the pacing of `bbr` distorts it."""

    def __enter__(self):
        self.before = read(CONGESTION)
        self.set("cubic")

    def __exit__(self, *_):
        self.set(self.before)

    @staticmethod
    def set(value):
        try:
            with open(CONGESTION, "w", encoding="ascii") as setting:
                setting.write(value)
        except OSError as error:
            print(f"note: {CONGESTION} stays {read(CONGESTION)}: {error}", flush=True)


def cgroup_parent():
    """Folder of this process's own cgroup that accounts CPU time and in which others can be made, if there is one."""
    with open("/proc/self/cgroup", encoding="ascii") as lines:
        own = {controllers: path.strip() for _, controllers, path in (line.split(":", 2) for line in lines)}
    roots = [f"/sys/fs/cgroup/{controllers}" for controllers in own if "cpuacct" in controllers.split(",")]
    for root in roots + ["/sys/fs/cgroup/cpuacct", "/sys/fs/cgroup"]:
        controllers = next((names for names in own if "cpuacct" in names.split(",")), "")
        parent = root + own.get(controllers, "/").rstrip("/")
        account = "cpuacct.usage" if "cpuacct" in root else "cpu.stat"
        if os.path.exists(f"{parent}/{account}") and os.access(parent, os.W_OK):
            return parent
    return None


def field(path, name):
    with open(path, encoding="utf-8") as lines:
        return next((line.split(":", 1)[1].strip() for line in lines if line.startswith(name)), "unknown")


def read(path):
    with open(path, encoding="utf-8") as text:
        return text.read().strip()


def output(*command, err=False):
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)
    except OSError:
        return "unknown"
    return (done.stderr if err else done.stdout).strip()
