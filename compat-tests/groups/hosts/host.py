"""What the Python hosts share: one thread per member, commands from standard input, events to one file.

A host holds members of one group. `start NAME` and `close NAME` on standard input; each event is one line, appended in one
write, so that the lines of all hosts of a group stand in the order in which things happened:

    NAME own P...       the member may read these partitions from now on
    NAME give P...      it no longer reads them
    NAME read P O ID    one record
    NAME commit P O     the broker acknowledged this offset
    NAME anew           its client is at a dead end (FINDINGS.md); it goes on with another one
    NAME closed
"""
import os
import sys
import threading

BOOTSTRAP, GROUP, TOPIC, PROTOCOL = (os.environ[name] for name in ("BOOTSTRAP", "GROUP", "TOPIC", "PROTOCOL"))
SESSION_MS = 6000
_events = os.open(os.environ["EVENTS"], os.O_WRONLY | os.O_APPEND | os.O_CREAT)


def event(*words):
    os.write(_events, (" ".join(str(word) for word in words) + "\n").encode())


def partitions(verb, name, indexes):
    indexes = sorted(indexes)
    if indexes:
        event(name, verb, *indexes)


def main(member):
    """`member(name, stop)` runs one member until the event `stop` is set."""
    running = {}
    for line in sys.stdin:
        command, _, name = line.strip().partition(" ")
        if command == "start":
            stop = threading.Event()
            thread = threading.Thread(target=_run, args=(member, name, stop), daemon=True)
            running[name] = (thread, stop)
            thread.start()
        elif command == "close":
            running[name][1].set()


def _run(member, name, stop):
    try:
        member(name, stop)
        event(name, "closed")
    except BaseException as error:  # noqa: BLE001 - whatever ends a member is an event
        event(name, "error", repr(error)[:400])
