"""Ottla and Kafka side by side: each measurement is made of both in turns, the order changing with every pair."""
import json
import os
import statistics
import subprocess
import sys
import tempfile

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
TARGET = os.environ.get("CARGO_TARGET_DIR", f"{ROOT}/target")


class Broker:
    """`kind` is a folder of compat-tests with `start` and `stop`."""

    def __init__(self, kind, home, properties):
        self.kind, self.home = kind, f"{home}/{kind}"
        port = subprocess.run(["bash", "-c", f". {ROOT}/compat-tests/lib.sh; free_port"], capture_output=True, text=True, check=True)
        binary = os.environ.get("OTTLA", f"{TARGET}/release/ottla")
        environment = os.environ | {"EXTRA_PROPERTIES": properties, "OTTLA": binary}
        command = [f"{ROOT}/compat-tests/{kind}/start", port.stdout.strip(), self.home]
        self.pid = subprocess.run(command, capture_output=True, text=True, check=True, env=environment).stdout.strip()
        self.address = f"127.0.0.1:{port.stdout.strip()}"

    def measure(self, arguments):
        kbench = os.environ.get("KBENCH", f"{TARGET}/release/kbench")
        command = [kbench, "--bootstrap", self.address, "--pid", self.pid, *arguments.split()]
        answer = subprocess.run(command, capture_output=True, text=True, timeout=300)
        if answer.returncode != 0:
            raise SystemExit(f"{self.kind}: {arguments}: {answer.stderr}")
        print(f"  {self.kind:7} {answer.stdout.strip()}", flush=True)
        return json.loads(answer.stdout)

    def stop(self):
        subprocess.run([f"{ROOT}/compat-tests/{self.kind}/stop", self.home], check=False, stdout=subprocess.DEVNULL)


def compare(measurements, warm_up, properties):
    """`measurements`: arguments of kbench, the figure, and whether more of it is better. The JVM compiles its hot paths during
    `warm_up`, a list of arguments. OTTLA and KBENCH name other binaries than the release build."""
    pairs = int(sys.argv[1]) if len(sys.argv) > 1 else 3
    if "OTTLA" not in os.environ or "KBENCH" not in os.environ:
        subprocess.run(["cargo", "build", "-q", "--release", "--locked", "-p", "ottla", "-p", "bench"], cwd=ROOT, check=True)
    ratios = {}
    brokers = []
    with tempfile.TemporaryDirectory() as home:
        try:
            for kind in ("ottla", "oracle"):
                brokers.append(Broker(kind, home, properties))
            for arguments in warm_up:
                for broker in brokers:
                    broker.measure(arguments)
            for pair in range(pairs):
                print(f"pair {pair + 1}", flush=True)
                for arguments in dict.fromkeys(arguments for arguments, _, _ in measurements):
                    order = brokers if pair % 2 == 0 else brokers[::-1]
                    figures = {broker.kind: broker.measure(arguments) for broker in order}
                    for of, figure, more in measurements:
                        if of == arguments:
                            ours, theirs = figures["ottla"][figure], figures["oracle"][figure]
                            ratio = ours / max(theirs, 1e-9) if more else theirs / max(ours, 1e-9)
                            ratios.setdefault((of, figure), []).append(ratio)
        finally:
            for broker in brokers:
                broker.stop()
    for (arguments, figure), values in ratios.items():
        print(f"{arguments:45} {figure:24} {statistics.median(values):6.1f} x Kafka (of {min(values):.1f} to {max(values):.1f})")
