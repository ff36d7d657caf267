#!/usr/bin/env python3
"""capture.py OUT CLIENT COMMAND...: keeps small request frames that real clients send, to become golden frames.

Starts the binary OTTLA behind a proxy, runs COMMAND with BOOTSTRAP set to the proxy, and writes for every (API, version)
the most telling frame of at most 2 KiB to OUT/<api>_v<version>_<CLIENT>.hex, the form that src/wire/testdata has:

    OTTLA=target/release/ottla compat-tests/capture.py src/wire/testdata sarama compat-tests/sarama/run

Look at every frame before you commit it: names of hosts, users and folders do not belong into the repository.
"""
import os
import pathlib
import re
import socket
import struct
import subprocess
import sys
import tempfile
import threading

HERE = pathlib.Path(__file__).resolve().parent
# A frame above the first size says nothing that a smaller one does not; one above the second is never kept.
BYTES_WANTED = 400
BYTES_MAX = 2048


def api_names():
    """Number -> name in snake case, from the broker's one list of APIs."""
    table = (HERE.parent / "src/wire/api_table.rs").read_text(encoding="utf-8")
    rows = re.findall(r"^    (\w+) = (\d+),$", table, re.MULTILINE)
    return {int(number): re.sub(r"(?<!^)(?=[A-Z])", "_", name).lower() for name, number in rows}


class Kept:
    """The best frame so far of every (API, version)."""

    def __init__(self):
        self.lock = threading.Lock()
        self.frames = {}

    def offer(self, frame):
        key = struct.unpack_from(">hh", frame, 4)
        with self.lock:
            if len(frame) <= BYTES_MAX and better(frame, self.frames.get(key)):
                self.frames[key] = frame


def better(frame, than):
    """The longest of those that are not too long, else the shortest."""
    if than is None:
        return True
    if len(frame) <= BYTES_WANTED:
        return len(than) > BYTES_WANTED or len(than) < len(frame)
    return len(than) > len(frame)


def read_exactly(source, count):
    data = bytearray()
    while len(data) < count:
        piece = source.recv(min(count - len(data), 1 << 20))
        if not piece:
            return None
        data += piece
    return bytes(data)


def requests(client, broker, kept):
    try:
        while (prefix := read_exactly(client, 4)) is not None:
            body = read_exactly(client, struct.unpack(">i", prefix)[0])
            if body is None:
                break
            kept.offer(prefix + body)
            broker.sendall(prefix + body)
        broker.shutdown(socket.SHUT_WR)
    except OSError:
        broker.close()


def responses(client, broker):
    try:
        while piece := broker.recv(1 << 20):
            client.sendall(piece)
        client.shutdown(socket.SHUT_WR)
    except OSError:
        client.close()


def serve(listener, broker_port, kept):
    while True:
        client, _ = listener.accept()
        broker = socket.create_connection(("127.0.0.1", broker_port))
        for end in (client, broker):
            end.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        threading.Thread(target=requests, args=(client, broker, kept), daemon=True).start()
        threading.Thread(target=responses, args=(client, broker), daemon=True).start()


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


def write(out, client, kept):
    names = api_names()
    out.mkdir(parents=True, exist_ok=True)
    for (api, version), frame in sorted(kept.frames.items()):
        name = f"{names.get(api, f'api{api}')}_v{version}_{client}.hex"
        lines = [frame[at : at + 32].hex() for at in range(0, len(frame), 32)]
        (out / name).write_text("\n".join(lines) + "\n", encoding="ascii")
        print(f"{name}: {len(frame)} bytes")


def main():
    if len(sys.argv) < 4:
        sys.exit(__doc__)
    out, client, command = pathlib.Path(sys.argv[1]), sys.argv[2], sys.argv[3:]
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)
    bootstrap = f"127.0.0.1:{listener.getsockname()[1]}"
    kept, port = Kept(), free_port()
    with tempfile.TemporaryDirectory() as home:
        start = dict(os.environ, EXTRA_PROPERTIES=f"advertised.listeners=PLAINTEXT://{bootstrap}")
        subprocess.run([HERE / "ottla/start", str(port), home], env=start, check=True, stdout=subprocess.DEVNULL)
        try:
            threading.Thread(target=serve, args=(listener, port, kept), daemon=True).start()
            subprocess.run(command, env=dict(os.environ, BOOTSTRAP=bootstrap), check=False)
        finally:
            subprocess.run([HERE / "ottla/stop", home], check=False)
    with kept.lock:
        write(out, client, kept)


if __name__ == "__main__":
    main()
