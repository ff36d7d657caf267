#!/usr/bin/env python3
"""figures.py BINARY: start to the first Metadata answer, idle memory and binary size, each beside its aim."""
import os
import signal
import socket
import struct
import subprocess
import sys
import tempfile
import time

STARTS = 5
SECONDS_MAX = 20


def main(binary):
    times = []
    for n in range(STARTS):
        with tempfile.TemporaryDirectory() as home:
            port = free_port()
            log = open(os.path.join(home, "server.log"), "wb")
            started = time.perf_counter()
            broker = subprocess.Popen(
                [binary, "serve", "--override", f"listeners=PLAINTEXT://127.0.0.1:{port}", "--override", f"log.dirs={home}/data"],
                stdout=log,
                stderr=subprocess.STDOUT,
                stdin=subprocess.DEVNULL,
            )
            try:
                first_metadata(port, started)
                times.append((time.perf_counter() - started) * 1000)
                if n == STARTS - 1:
                    time.sleep(3)
                    rss = idle_kib(broker.pid)
            finally:
                broker.send_signal(signal.SIGTERM)
                try:
                    broker.wait(15)
                except subprocess.TimeoutExpired:
                    broker.kill()
                    broker.wait()
                log.close()
    times.sort()
    print(f"start to first Metadata answer: {times[len(times) // 2]:.0f} ms (median of {STARTS} fresh starts, aim 50 ms)")
    print(f"idle memory (VmRSS): {rss / 1024:.1f} MiB (aim 12 MiB)")
    print(f"binary: {os.path.getsize(binary) / 1e6:.1f} MB (aim 15 MB)")


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def first_metadata(port, started):
    """Metadata v1 for all topics, tried until it is answered."""
    request = struct.pack(">hhi", 3, 1, 7) + struct.pack(">h", -1) + struct.pack(">i", -1)
    while time.perf_counter() - started < SECONDS_MAX:
        try:
            with socket.create_connection(("127.0.0.1", port), timeout=5) as peer:
                peer.sendall(struct.pack(">i", len(request)) + request)
                head = receive(peer, 8)
                assert struct.unpack(">i", head[4:])[0] == 7, head
                receive(peer, struct.unpack(">i", head[:4])[0] - 4)
                return
        except OSError:
            time.sleep(0.001)
    raise TimeoutError("no Metadata answer")


def receive(peer, count):
    data = b""
    while len(data) < count:
        part = peer.recv(count - len(data))
        if not part:
            raise OSError("closed")
        data += part
    return data


def idle_kib(pid):
    with open(f"/proc/{pid}/status", encoding="ascii") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


if __name__ == "__main__":
    main(sys.argv[1])
