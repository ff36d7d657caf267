"""Where the time goes in a run whose goal is missed: CPU samples by function, and system calls of a request."""
import os
import shutil
import signal
import subprocess

import machine
from broker import RunFailed

RATE = 499
# Functions with less than this percentage are left out, and all after the first few.
SHARE_MIN = 1.5
FUNCTIONS_MAX = 12
STOP_SECONDS_MAX = 30
REPORT_SECONDS_MAX = 60
# A clock, which every machine has; no search through all programs and the kernel for their build ids, which may take minutes.
RECORD = ["perf", "record", "-q", "-e", "cpu-clock", "-F", str(RATE), "--no-buildid", "--no-buildid-cache"]
COUNTED = ("requests", "fetches", "records", "commits", "transactions")


def profile(broker, run, durability, trace):
    """Of one run; `trace()` is another one, under strace."""
    found = {}
    if shutil.which("perf"):
        try:
            found["functions"] = functions(broker, run, durability)
        except RunFailed as error:
            # The system calls tell something, too.
            found["without_functions"] = str(error)
    if shutil.which("strace"):
        traced = trace()
        counted, count = next(((name, traced[name]) for name in COUNTED if traced.get(name)), (None, 0))
        if count:
            calls = {name: calls / count for name, calls in traced["calls"].items()}
            found |= {"counted": counted, "calls": {name: value for name, value in sorted(calls.items(), key=lambda call: -call[1]) if value >= 0.05}}
    return found


def functions(broker, run, durability):
    """Name and percentage of the functions with most samples, those of a library or program without names as one."""
    data = f"{broker.home}.perf"
    machine.settle()
    perf = subprocess.Popen([*RECORD, "-p", str(broker.pid), "-o", data], stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        broker.measure(run, durability)
    finally:
        is_whole = stop(perf)
    report = ["perf", "report", "-i", data, "--stdio", "-q", "--no-children", "--no-inline", "-F", "overhead,dso,sym", "-t", "|"]
    try:
        if not is_whole:
            raise RunFailed(f"perf record does not end in {STOP_SECONDS_MAX} s")
        done = subprocess.run(report, capture_output=True, text=True, errors="replace", timeout=REPORT_SECONDS_MAX, check=False)
    except subprocess.TimeoutExpired as error:
        raise RunFailed(f"perf report does not end in {REPORT_SECONDS_MAX} s") from error
    finally:
        if os.path.exists(data):
            os.remove(data)
    if done.returncode != 0:
        raise RunFailed(f"perf report: {done.stderr.strip()[-200:]}")
    shares = {}
    for line in done.stdout.splitlines():
        percent, _, rest = line.partition("|")
        program, _, symbol = rest.partition("|")
        if not percent.strip().endswith("%"):
            continue
        name = symbol.strip().partition(" ")[2]
        name = program.strip() if not name or name.startswith("0x") else name
        shares[name] = shares.get(name, 0) + float(percent.strip().rstrip("%"))
    most = sorted(shares.items(), key=lambda share: -share[1])
    return {name: round(share, 1) for name, share in most[:FUNCTIONS_MAX] if share >= SHARE_MIN}


def stop(perf):
    """Whether it has ended by itself, with what it has found."""
    perf.send_signal(signal.SIGINT)
    try:
        perf.wait(STOP_SECONDS_MAX)
        return True
    except subprocess.TimeoutExpired:
        perf.kill()
        perf.wait()
        return False
