"""What is counted: requests of one kind, one after the other on a connection of their own."""
import time

import frames

WAIT_SECONDS_MAX = 60
KIB = 1024
# Coordinator not there yet, or still loading; a topic without a leader; the transaction before is not complete.
TOO_EARLY = {3, 5, 6, 14, 15, 16, 51}
TRANSACTION = 1
GROUP = 0


class Work:
    """`kinds` gives names, and what prepares for each and then gives what sends one request; all against the broker on `port`."""

    def __init__(self, port):
        self.peer = frames.Peer(port)
        self.one_record = frames.batch(1, b"v" * 100)
        self.batch = frames.batch(15, b"v" * KIB)
        self.topic = frames.created(self.peer.call(frames.create_topic("cost", 1)))
        self.until_ready(lambda: frames.metadata_error(self.peer.call(frames.metadata("cost"))))

    def kinds(self):
        return {
            "produce-record-acks-1": lambda: self.producing(self.one_record, 1),
            "produce-record-acks-all": lambda: self.producing(self.one_record, -1),
            "produce-16k-acks-all": lambda: self.producing(self.batch, -1),
            "fetch-16k": lambda: self.fetching(1),
            "fetch-1m": lambda: self.fetching(64),
            "metadata": lambda: self.asking(frames.metadata("cost"), is_known),
            "offset-commit": self.committing,
            "heartbeat": self.beating,
            "group-heartbeat": self.group_beating,
            "transaction": self.transactions,
        }

    def close(self):
        self.peer.close()

    def asking(self, request, check):
        return lambda: check(self.peer.call(request))

    def producing(self, records, acks):
        request = frames.produce(self.topic, records, acks)

        def one():
            code = frames.produce_error(self.peer.call(request))
            if code:
                raise frames.Refused(f"Produce: error {code}")

        return one

    def fetching(self, batches):
        """The first `batches` of a topic of its own, again and again."""
        name = f"cost-{batches}"
        topic = frames.created(self.peer.call(frames.create_topic(name, 1)))
        self.until_ready(lambda: frames.produce_error(self.peer.call(frames.produce(topic, self.batch, -1))))
        for _ in range(batches):
            frames.produce_error(self.peer.call(frames.produce(topic, self.batch, -1)))
        size = batches * len(self.batch)
        session, _ = frames.fetched(self.peer.call(frames.fetch(topic, 0, 0, 0, size)))
        epoch = 0

        def one():
            nonlocal epoch
            epoch += 1
            _, found = frames.fetched(self.peer.call(frames.fetch(topic, session, epoch, 0, size)))
            if found != size:
                raise frames.Refused(f"Fetch: {found} bytes where {size} were asked for")

        return one

    def committing(self):
        self.until_ready(lambda: frames.coordinator_error(self.peer.call(frames.find_coordinator("cost", GROUP))))
        return self.asking(frames.offset_commit("cost", "cost", 1), frames.committed)

    def beating(self):
        generation, member = frames.joined(self.peer.call(frames.join_group("cost-classic")))
        self.peer.call(frames.sync_group("cost-classic", generation, member)).take("i")
        return self.asking(frames.heartbeat("cost-classic", generation, member), is_beat)

    def group_beating(self):
        group, member = "cost-consumer", "Y29zdC1jb25zdW1lcg"
        epoch = frames.group_epoch(self.peer.call(frames.group_heartbeat(group, member, 0, ["cost"])))

        def one():
            nonlocal epoch
            epoch = frames.group_epoch(self.peer.call(frames.group_heartbeat(group, member, epoch)))

        return one

    def transactions(self):
        """One record each, in the second version of the protocol (KIP-890): one Produce and one EndTxn."""
        name = "cost-transactions"
        self.until_ready(lambda: frames.coordinator_error(self.peer.call(frames.find_coordinator(name, TRANSACTION))))
        producer = ()

        def begin():
            nonlocal producer
            try:
                producer = frames.producer(self.peer.call(frames.init_producer_id(name)), "InitProducerId")
                return 0
            except frames.Refused:
                return 14

        self.until_ready(begin)

        def one():
            nonlocal producer
            records = frames.batch(1, b"v" * 100, (*producer, 0), transactional=True)
            self.until_ready(lambda: frames.produce_error(self.peer.call(frames.produce(self.topic, records, -1, name))))
            producer = frames.producer(self.peer.call(frames.end_txn(name, *producer)), "EndTxn")

        return one

    def until_ready(self, ask):
        """Until it answers without an error."""
        deadline = time.monotonic() + WAIT_SECONDS_MAX
        while code := ask():
            if code not in TOO_EARLY or time.monotonic() > deadline:
                raise frames.Refused(f"error {code}")
            time.sleep(0.02)


def is_beat(answer):
    answer.take("i")
    answer.no_error("Heartbeat")


def is_known(answer):
    code = frames.metadata_error(answer)
    if code:
        raise frames.Refused(f"Metadata: error {code}")
