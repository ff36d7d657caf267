"""Requests of a client, written by hand: each is built once and sent as it is, so that every one costs the broker the same."""
import socket
import struct
import time

TIMEOUT_SECONDS = 60


class Refused(Exception):
    """An answer that is not the one that is measured; with the error's code, if it has one."""

    def __init__(self, what, code=0):
        super().__init__(f"{what}: error {code}" if code else what)
        self.code = code


class Peer:
    """One connection, one request in flight."""

    def __init__(self, port):
        self.socket = socket.create_connection(("127.0.0.1", port), timeout=TIMEOUT_SECONDS)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self.buffer = bytearray(2 << 20)

    def call(self, request):
        """The answer's body, behind its header."""
        key, version, is_flexible, body = request
        head = struct.pack(">hhih", key, version, 1, 4) + b"cost" + (b"\0" if is_flexible else b"")
        self.socket.sendall(struct.pack(">i", len(head) + len(body)) + head + body)
        size = struct.unpack(">i", self.receive(4))[0]
        return Reader(bytes(self.receive(size)), 5 if is_flexible else 4)

    def receive(self, count):
        if count > len(self.buffer):
            raise Refused(f"an answer of {count} bytes")
        view, done = memoryview(self.buffer)[:count], 0
        while done < count:
            more = self.socket.recv_into(view[done:])
            if not more:
                raise Refused("the broker closed the connection")
            done += more
        return view

    def close(self):
        self.socket.close()


class Reader:
    def __init__(self, data, at):
        self.data, self.at = data, at

    def take(self, form):
        value = struct.unpack_from(f">{form}", self.data, self.at)[0]
        self.at += struct.calcsize(form)
        return value

    def bytes(self, count):
        self.at += count
        return self.data[self.at - count : self.at]

    def varint(self):
        value = shift = 0
        while True:
            byte = self.take("B")
            value |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return value

    def compact(self):
        return self.bytes(max(self.varint() - 1, 0))

    def no_error(self, what):
        code = self.take("h")
        if code:
            raise Refused(what, code)


def varint(value):
    out = bytearray()
    while value > 127:
        out.append(value & 127 | 128)
        value >>= 7
    return bytes(out + bytes([value]))


def zigzag(value):
    return varint(value << 1 if value >= 0 else (-value << 1) - 1)


def compact(text):
    """A compact string or bytes."""
    data = text.encode() if isinstance(text, str) else text
    return varint(len(data) + 1) + data


def array(*items):
    return varint(len(items) + 1) + b"".join(items)


def string(text):
    return struct.pack(">h", len(text)) + text.encode()


NULL = b"\0"
TAGS = b"\0"


def crc32c_table():
    table = []
    for byte in range(256):
        for _ in range(8):
            byte = byte >> 1 ^ (0x82F63B78 if byte & 1 else 0)
        table.append(byte)
    return table


TABLE = crc32c_table()


def crc32c(data):
    crc = 0xFFFFFFFF
    for byte in data:
        crc = crc >> 8 ^ TABLE[(crc ^ byte) & 255]
    return crc ^ 0xFFFFFFFF


def batch(count, value, producer=(-1, -1, -1), transactional=False):
    """`count` records of one value; `producer`: id, epoch, first sequence number."""
    records = b""
    for number in range(count):
        record = b"\0" + zigzag(0) + zigzag(number) + zigzag(-1) + zigzag(len(value)) + value + zigzag(0)
        records += zigzag(len(record)) + record
    # Not older than what is kept.
    now = time.time_ns() // 1_000_000
    body = struct.pack(">hiqqqhii", 16 if transactional else 0, count - 1, now, now, *producer, count) + records
    return struct.pack(">qiibI", 0, len(body) + 9, -1, 2, crc32c(body)) + body


def create_topic(name, partitions):
    topic = compact(name) + struct.pack(">ih", partitions, 1) + array() + array() + TAGS
    return 19, 7, True, array(topic) + struct.pack(">i?", 30_000, False) + TAGS


def created(answer):
    answer.take("i")
    answer.varint()
    answer.compact()
    topic = answer.bytes(16)
    answer.no_error("CreateTopics")
    return topic


def metadata(name):
    return 3, 13, True, array(bytes(16) + compact(name) + TAGS) + b"\0\0" + TAGS


def known(answer):
    answer.take("i")
    for _ in range(answer.varint() - 1):
        answer.take("i")
        answer.compact()
        answer.take("i")
        answer.compact()
        answer.varint()
    answer.compact()
    answer.take("i")
    answer.varint()
    answer.no_error("Metadata")


def produce(topic, records, acks, transactional_id=None, partition=0):
    """By topic id; a transactional one as the newest clients send it, which adds its partition by itself."""
    parts = array(struct.pack(">i", partition) + compact(records) + TAGS)
    who = compact(transactional_id) if transactional_id else NULL
    return 0, 13, True, who + struct.pack(">hi", acks, 30_000) + array(topic + parts + TAGS) + TAGS


def produced(answer):
    answer.varint()
    answer.bytes(16)
    answer.varint()
    answer.take("i")
    answer.no_error("Produce")


def fetch(topic, session, epoch, offset, partition_bytes_max):
    """In a session, as consumers fetch."""
    part = struct.pack(">iiqiqi", 0, -1, offset, -1, -1, partition_bytes_max) + TAGS
    limits = struct.pack(">iiibii", 500, 1, 50 << 20, 0, session, epoch)
    return 1, 17, True, limits + array(topic + array(part) + TAGS) + array() + compact("") + TAGS


def fetched(answer):
    """The session, and how many bytes of records are in the answer."""
    answer.take("i")
    answer.no_error("Fetch")
    session = answer.take("i")
    if answer.varint() != 2:
        raise Refused("Fetch: no topic in the answer")
    answer.bytes(16)
    answer.varint()
    answer.take("i")
    answer.no_error("Fetch of the partition")
    answer.bytes(24)
    for _ in range(answer.varint() - 1):
        answer.bytes(16)
        answer.varint()
    answer.take("i")
    return session, answer.varint() - 1


def find_coordinator(name, kind):
    return 10, 4, True, struct.pack(">b", kind) + array(compact(name)) + TAGS


def found(answer):
    answer.take("i")
    answer.varint()
    answer.compact()
    answer.take("i")
    answer.compact()
    answer.take("i")
    answer.no_error("FindCoordinator")


def offset_commit(group, topic, offset):
    """Of a consumer that manages its partitions itself."""
    part = struct.pack(">iqi", 0, offset, -1) + compact("") + TAGS
    who = compact(group) + struct.pack(">i", -1) + compact("") + NULL
    return 8, 9, True, who + array(compact(topic) + array(part) + TAGS) + TAGS


def committed(answer):
    answer.take("i")
    answer.varint()
    answer.compact()
    answer.varint()
    answer.take("i")
    answer.no_error("OffsetCommit")


def join_group(group):
    """The last version that lets a member in without a second round."""
    protocols = struct.pack(">i", 1) + string("range") + struct.pack(">i", 0)
    return 11, 3, False, string(group) + struct.pack(">ii", 600_000, 600_000) + string("") + string("consumer") + protocols


def joined(answer):
    """Generation and member."""
    answer.take("i")
    answer.no_error("JoinGroup")
    generation = answer.take("i")
    for _ in range(2):
        answer.bytes(answer.take("h"))
    return generation, answer.bytes(answer.take("h")).decode()


def sync_group(group, generation, member):
    assignments = struct.pack(">i", 1) + string(member) + struct.pack(">i", 0)
    return 14, 2, False, string(group) + struct.pack(">i", generation) + string(member) + assignments


def heartbeat(group, generation, member):
    return 12, 4, True, compact(group) + struct.pack(">i", generation) + compact(member) + NULL + TAGS


def beat(answer):
    answer.take("i")
    answer.no_error("Heartbeat")


def group_heartbeat(group, member, epoch, topics=None):
    """KIP-848: the first one names the topics, the others tell only what has changed, which is nothing."""
    is_first = topics is not None
    names = array(*map(compact, topics)) if is_first else NULL
    owned = array() if is_first else NULL
    who = compact(group) + compact(member) + struct.pack(">i", epoch) + NULL + NULL
    return 68, 1, True, who + struct.pack(">i", 600_000 if is_first else -1) + names + NULL + NULL + owned + TAGS


def group_epoch(answer):
    answer.take("i")
    answer.no_error("ConsumerGroupHeartbeat")
    answer.compact()
    answer.compact()
    return answer.take("i")


def init_producer_id(transactional_id):
    return 22, 5, True, compact(transactional_id) + struct.pack(">iqh", 60_000, -1, -1) + TAGS


def producer(answer):
    """Id and epoch, of the answer to InitProducerId or EndTxn."""
    answer.take("i")
    answer.no_error("producer")
    return answer.take("q"), answer.take("h")


def end_txn(transactional_id, producer_id, epoch):
    return 26, 5, True, compact(transactional_id) + struct.pack(">qh?", producer_id, epoch, True) + TAGS
