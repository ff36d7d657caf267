"""Asks a broker for its address from two places on one network, with raw Metadata, FindCoordinator and DescribeCluster requests."""
import socket
import struct
import time

BROKER = ("10.77.0.2", 9092)
PORT_MAPPING, NEIGHBOUR = "10.77.0.1", "10.77.0.3"
# Its topic is made when it is first asked for.
COORDINATOR_SECONDS = 20


def connect(source):
    return socket.create_connection(BROKER, timeout=10, source_address=(source, 0))


def ask(peer, key, version, body, flexible=False):
    header = struct.pack(">hhih", key, version, 7, -1) + (b"\0" if flexible else b"")
    peer.sendall(struct.pack(">i", len(header) + len(body)) + header + body)
    length = struct.unpack(">i", receive(peer, 4))[0]
    return receive(peer, length)[4:]


def receive(peer, count):
    data = b""
    while len(data) < count:
        part = peer.recv(count - len(data))
        if not part:
            raise AssertionError("the broker closed the connection")
        data += part
    return data


def addresses(peer):
    """Host and port from three answers: Metadata v1, FindCoordinator v1 and DescribeCluster v0."""
    metadata = ask(peer, 3, 1, struct.pack(">i", 0))
    length = struct.unpack(">h", metadata[8:10])[0]
    found = {(metadata[10 : 10 + length].decode(), struct.unpack(">i", metadata[10 + length : 14 + length])[0])}
    group = b"g"
    deadline = time.monotonic() + COORDINATOR_SECONDS
    while True:
        coordinator = ask(peer, 10, 1, struct.pack(">h", len(group)) + group + b"\0")
        error = struct.unpack(">h", coordinator[4:6])[0]
        if error == 0:
            break
        if time.monotonic() > deadline:
            raise AssertionError(f"no coordinator within {COORDINATOR_SECONDS} s: error {error}")
        time.sleep(0.02)
    message = struct.unpack(">h", coordinator[6:8])[0]
    at = 8 + max(message, 0) + 4
    length = struct.unpack(">h", coordinator[at : at + 2])[0]
    found.add((coordinator[at + 2 : at + 2 + length].decode(), struct.unpack(">i", coordinator[at + 2 + length : at + 6 + length])[0]))
    # Flexible: tagged fields, throttle, error, null message, cluster id, controller id, then the array of brokers.
    cluster = ask(peer, 60, 0, b"\0\0", flexible=True)
    at = 1 + 4 + 2 + 1
    at += cluster[at] + 4  # the cluster id's length byte counts itself
    at += 1 + 4  # one broker, its id
    length = cluster[at] - 1
    found.add((cluster[at + 1 : at + 1 + length].decode(), struct.unpack(">i", cluster[at + 1 + length : at + 5 + length])[0]))
    return found


def test(name, check):
    try:
        check()
        print(f"ok {name}", flush=True)
    except Exception as error:  # noqa: BLE001 - a test program reports whatever went wrong
        print(f"not ok {name}: {type(error).__name__}: {error}", flush=True)


def equal(got, want):
    if got != want:
        raise AssertionError(f"want {want}, got {got}")


def both():
    with connect(PORT_MAPPING) as mapped, connect(NEIGHBOUR) as neighbour:
        for _ in range(3):
            equal(addresses(mapped), {("localhost", 9092)})
            equal(addresses(neighbour), {("10.77.0.2", 9092)})


def one(source, host):
    with connect(source) as peer:
        equal(addresses(peer), {(host, 9092)})


test("through-the-port-mapping", lambda: one(PORT_MAPPING, "localhost"))
test("from-a-neighbour", lambda: one(NEIGHBOUR, "10.77.0.2"))
test("both-at-once", both)
print("end")
