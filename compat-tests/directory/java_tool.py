"""One program of the classpath, in the JVM that stays: directory/java_tool.py CLASS ARGUMENT...

JAVA_TOOLS_AT is a folder with two pipes, `in` and `out`, of tools/JavaTools.java; beside it are the JVM's pid.java and java.log.
One call at a time.
"""

import json
import os
import select
import sys
import time

FOLDER = os.environ["JAVA_TOOLS_AT"]
# After the first the JVM answers that it takes too long; after the second nobody waits for it. Callers are stopped after 120.
CALL_SECONDS = 90
ANSWER_SECONDS = 100


class NoAnswer(Exception):
    """The JVM does not answer; with the last that it said."""

    def __init__(self, why):
        super().__init__(f"{why}; {last_said()}")


def called(name, *arguments):
    """The status, what was printed, and what was complained of."""
    call = f"{os.getpid()} {time.monotonic_ns()}"
    out = os.open(f"{FOLDER}/out", os.O_RDONLY | os.O_NONBLOCK)
    try:
        with open(f"{FOLDER}/in", "w", encoding="utf-8") as calls:
            asked = {"id": call, "class": name, "args": list(arguments), "stdin": "", "seconds": CALL_SECONDS}
            calls.write(json.dumps(asked) + "\n")
        for line in lines(out, time.monotonic() + ANSWER_SECONDS):
            answer = parsed(line)
            # A caller that was stopped has left its answer behind, or the rest of it.
            if answer.get("id") == call:
                return answer["rc"], answer["out"], answer["err"]
    finally:
        os.close(out)
    raise NoAnswer(f"no answer in {ANSWER_SECONDS} s")


def lines(out, deadline):
    """What the JVM answers, line by line, until the deadline; fails when it is gone."""
    rest = b""
    while time.monotonic() < deadline:
        alive = is_alive()
        # Asked before: what it has answered before its end is read.
        ready, _, _ = select.select([out], [], [], 0.5 if alive else 0)
        if ready:
            *whole, rest = (rest + os.read(out, 1 << 16)).split(b"\n")
            yield from whole
        elif not alive:
            raise NoAnswer("the JVM is gone")


def parsed(line):
    try:
        answer = json.loads(line)
    except ValueError:
        return {}
    return answer if isinstance(answer, dict) else {}


def is_alive():
    try:
        with open(f"{FOLDER}/../pid.java", encoding="ascii") as noted:
            pid = int(noted.read())
        with open(f"/proc/{pid}/stat", encoding="utf-8", errors="replace") as stat:
            return stat.read().rpartition(")")[2].split()[0] not in ("Z", "X")
    except OSError:
        return False


def last_said():
    try:
        with open(f"{FOLDER}/../java.log", encoding="utf-8", errors="replace") as log:
            return "java.log: " + " | ".join(log.read().splitlines()[-10:])[-1000:]
    except OSError as error:
        return str(error)


if __name__ == "__main__":
    try:
        status, printed, complaint = called(*sys.argv[1:])
    except NoAnswer as error:
        sys.exit(f"{sys.argv[1]}: {error}")
    sys.stdout.write(printed)
    sys.stderr.write(complaint)
    sys.exit(status)
