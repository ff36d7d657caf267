"""What is counted: requests of one kind, one after the other on a connection of their own."""
import functools
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
        self.topic = self.ask(frames.create_topic("cost", 1), frames.created)

    def kinds(self):
        return {
            "produce-record-acks-1": lambda: self.producing(self.one_record, 1),
            "produce-record-acks-all": lambda: self.producing(self.one_record, -1),
            "produce-16k-acks-all": lambda: self.producing(self.batch, -1),
            "fetch-16k": lambda: self.fetching(1),
            "fetch-1m": lambda: self.fetching(64),
            "metadata": lambda: self.asking(frames.metadata("cost"), frames.known),
            "offset-commit": self.committing,
            "heartbeat": self.beating,
            "group-heartbeat": self.group_beating,
            "transaction": self.transactions,
        }

    def close(self):
        self.peer.close()

    def ask(self, request, read):
        return read(self.peer.call(request))

    def asking(self, request, read):
        """The same request every time, the first time when the broker is ready for it."""
        one = functools.partial(self.ask, request, read)
        until_ready(one)
        return one

    def producing(self, records, acks):
        return self.asking(frames.produce(self.topic, records, acks), frames.produced)

    def fetching(self, batches):
        """The first `batches` of a topic of its own, again and again."""
        topic = self.ask(frames.create_topic(f"cost-{batches}", 1), frames.created)
        produce = self.asking(frames.produce(topic, self.batch, -1), frames.produced)
        for _ in range(batches):
            produce()
        size = batches * len(self.batch)
        session, _ = self.ask(frames.fetch(topic, 0, 0, 0, size), frames.fetched)
        epoch = 0

        def one():
            nonlocal epoch
            epoch += 1
            _, found = self.ask(frames.fetch(topic, session, epoch, 0, size), frames.fetched)
            if found != size:
                raise frames.Refused(f"Fetch: {found} bytes where {size} were asked for")

        return one

    def committing(self):
        self.asking(frames.find_coordinator("cost", GROUP), frames.found)
        return self.asking(frames.offset_commit("cost", "cost", 1), frames.committed)

    def beating(self):
        group = "cost-classic"
        self.asking(frames.find_coordinator(group, GROUP), frames.found)
        generation, member = until_ready(lambda: self.ask(frames.join_group(group), frames.joined))
        self.ask(frames.sync_group(group, generation, member), frames.beat)
        return self.asking(frames.heartbeat(group, generation, member), frames.beat)

    def group_beating(self):
        group, member = "cost-consumer", "Y29zdC1jb25zdW1lcg"
        self.asking(frames.find_coordinator(group, GROUP), frames.found)
        epoch = until_ready(lambda: self.ask(frames.group_heartbeat(group, member, 0, ["cost"]), frames.group_epoch))

        def one():
            nonlocal epoch
            epoch = self.ask(frames.group_heartbeat(group, member, epoch), frames.group_epoch)

        return one

    def transactions(self):
        """One record each, in the second version of the protocol (KIP-890): one Produce and one EndTxn."""
        name = "cost-transactions"
        self.asking(frames.find_coordinator(name, TRANSACTION), frames.found)
        producer = until_ready(lambda: self.ask(frames.init_producer_id(name), frames.producer))

        def one():
            nonlocal producer
            records = frames.batch(1, b"v" * 100, (*producer, 0), transactional=True)
            # The transaction before may not be complete.
            until_ready(lambda: self.ask(frames.produce(self.topic, records, -1, name), frames.produced))
            producer = self.ask(frames.end_txn(name, *producer), frames.producer)

        return one


def until_ready(ask):
    """Its first answer without an error."""
    deadline = time.monotonic() + WAIT_SECONDS_MAX
    while True:
        try:
            return ask()
        except frames.Refused as refused:
            if refused.code not in TOO_EARLY or time.monotonic() > deadline:
                raise
        time.sleep(0.02)
