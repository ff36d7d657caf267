"""One Ottla whose data lies on a `Device`: started, cut off, killed and started again on the same port."""

import os
import signal
import subprocess
import time

from device import Device

LIBRARY = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "lib.sh")
START_SECONDS = 30
STOP_SECONDS = 30
SERVES = "Kafka Server started"
CONFIG = {
    "node.id": "1",
    "offsets.topic.replication.factor": "1",
    "offsets.topic.num.partitions": "4",
    "transaction.state.log.replication.factor": "1",
    "transaction.state.log.min.isr": "1",
    "transaction.state.log.num.partitions": "4",
    "group.initial.rebalance.delay.ms": "0",
    # Compaction goes on all the time, and deletion comes to its end within a round.
    "log.cleaner.backoff.ms": "100",
    "log.retention.check.interval.ms": "500",
    "log.segment.delete.delay.ms": "200",
}


class Node:
    """`wrapper` is put before the command: a tracer, say. `settings` are on top of `CONFIG`."""

    def __init__(self, home, binary, device=None, wrapper=(), settings=None):
        self.home = home
        self.binary = binary
        self.device = device or Device(os.path.join(home, "data"))
        self.wrapper = list(wrapper)
        self.settings = settings or {}
        self.port = free_port()
        self.process = None
        self.starts = 0

    @property
    def address(self):
        return f"127.0.0.1:{self.port}"

    @property
    def data(self):
        return self.device.path

    def launch(self):
        """Starts the process and does not wait for it."""
        self.starts += 1
        command = [*self.wrapper, self.binary, "serve", "--config", self._config()]
        with open(self._log(), "wb") as log:
            self.process = subprocess.Popen(command, stdout=log, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
                                            start_new_session=True)

    def start(self):
        """Starts the process; it serves when this returns."""
        self.launch()
        deadline = time.monotonic() + START_SECONDS
        while SERVES not in self.log():
            if self.process.poll() is not None or time.monotonic() > deadline:
                raise RuntimeError(f"the broker does not start: {self.log()[-600:]}")
            time.sleep(0.02)

    def stop(self):
        """A clean stop."""
        self.process.send_signal(signal.SIGTERM)
        code = self.process.wait(STOP_SECONDS)
        if code != 0:
            raise RuntimeError(f"a clean stop ends with {code}: {self.log()[-600:]}")

    def kill(self):
        """Answers how it ended; it may have seen the dead disk before."""
        if self.process.poll() is None:
            # A group of its own: what a wrapper traces would outlive it.
            os.killpg(self.process.pid, signal.SIGKILL)
        return self.process.wait(STOP_SECONDS)

    def power_fails(self):
        """The power is cut, and is back; the broker is not started."""
        self.device.cut()
        code = self.kill()
        self.device.restore()
        return code

    def log(self, start=None):
        """What the last process has said, or that of another start."""
        with open(self._log(start), encoding="utf-8", errors="replace") as log:
            return log.read()

    def panics(self):
        """Lines of panics in what any process has said."""
        starts = range(1, self.starts + 1)
        return [line for start in starts for line in self.log(start).splitlines() if "panicked at" in line]

    def close(self):
        if self.process is not None:
            self.kill()
        self.device.close()

    def _log(self, start=None):
        return os.path.join(self.home, f"server.{start or self.starts}.log")

    def _config(self):
        path = os.path.join(self.home, "server.properties")
        settings = {**CONFIG, **self.settings, "listeners": f"PLAINTEXT://{self.address}", "log.dirs": self.data}
        with open(path, "w", encoding="utf-8") as out:
            out.writelines(f"{key}={value}\n" for key, value in settings.items())
        return path


def free_port():
    """A port of 127.0.0.1 that no client is given while the broker is down; see lib.sh."""
    done = subprocess.run(["bash", "-c", '. "$0"; free_port', LIBRARY], capture_output=True, text=True, check=True)
    return int(done.stdout)
