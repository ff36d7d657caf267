"""What the transactional applications of the history have in common.

ROLE=write: transactions of a few records, now and then many, over all partitions of INPUTS (`topic:partitions,...`).
ROLE=copy: a member of GROUP reads INPUTS (read_committed) and copies to OUTPUT in transactions that carry its offsets; the
n-th partition of INPUTS goes to partition n. One transaction in five is aborted. SIGTERM lets the current transaction end.

A record's value is `NAME/NUMBER INDEX SOURCE`: its transaction, its place in it, and for a copy `topic/partition/offset` of
what was copied, else `-`. EVENTS is one file for all applications, appended to line by line, so that its order is a true one:

    NAME init TXID                         the producer has its id and epoch
    NAME sends NUMBER topic/partition...   what the transaction is going to write, in this order
    NAME ending NUMBER commit|abort        the end is about to be asked for
    NAME ended NUMBER committed|aborted    the broker said so
    NAME fenced                            another instance has the id; the application ends
    NAME anew WHY                          an error; the application begins anew with the same id
"""
import os
import random
import signal

BOOTSTRAP, NAME, ROLE, TXID = (os.environ[name] for name in ("BOOTSTRAP", "NAME", "ROLE", "TXID"))
GROUP, OUTPUT = os.environ.get("GROUP"), os.environ.get("OUTPUT")
INPUTS = [
    (topic.split(":")[0], partition) for topic in os.environ["INPUTS"].split(",") for partition in range(int(topic.split(":")[1]))
]
DICE = random.Random(NAME)
_events = os.open(os.environ["EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)
_number = 0
stopping = False


def _stop(*_):
    global stopping
    stopping = True


signal.signal(signal.SIGTERM, _stop)


def event(*words):
    os.write(_events, (" ".join([NAME, *(str(word).replace("\n", " ") for word in words)]) + "\n").encode())


def written():
    """The places of one transaction of a writer."""
    count = 60 if DICE.randrange(20) == 0 else DICE.randrange(1, 7)
    return [(*DICE.choice(INPUTS), "-") for _ in range(count)]


def copied(records):
    """The places of one transaction that copies (topic, partition, offset)s, and the offsets after them."""
    places = [(OUTPUT, INPUTS.index((topic, partition)), f"{topic}/{partition}/{offset}") for topic, partition, offset in records]
    return places, {(topic, partition): offset + 1 for topic, partition, offset in records}


def next_transaction(places):
    """Its number, and the records to send: (topic, partition, value)."""
    global _number
    _number += 1
    event("sends", _number, *(f"{topic}/{partition}" for topic, partition, _ in places))
    return _number, [
        (topic, partition, f"{NAME}/{_number} {index} {source}".encode()) for index, (topic, partition, source) in enumerate(places)
    ]


def shall_commit():
    return DICE.randrange(5) > 0
