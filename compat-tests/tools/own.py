"""Our own commands (docs/CLI.md) against a running broker: what they print, and how they end."""
import json
import os
import pty
import re
import signal
import subprocess
import threading
import time

OTTLA = os.environ["OTTLA"]


class Broker:
    def __init__(self, label, bootstrap):
        self.label, self.topic, self.group = label, f"own-{label}-orders", f"own-{label}-app"
        self.environment = {**os.environ, "OTTLA_BOOTSTRAP": bootstrap, "NO_COLOR": "1"}

    def run(self, *words, stdin="", status=0):
        done = subprocess.run([OTTLA, *words], input=stdin.encode(), capture_output=True, timeout=90, check=False, env=self.environment)
        out, err = done.stdout.decode(), done.stderr.decode()
        assert done.returncode == status, f"status {done.returncode}, not {status}: {words}\n{out}{err}"
        return out, err

    def json(self, *words, **more):
        return json.loads(self.run(*words, "--json", **more)[0])

    def lines(self, *words, **more):
        return [json.loads(line) for line in self.run(*words, "--json", **more)[0].splitlines()]

    def on_a_terminal(self, *words):
        """What a terminal shows: standard output and standard error are one."""
        ours, theirs = pty.openpty()
        environment = {**self.environment, "TERM": "xterm"}
        del environment["NO_COLOR"]
        with subprocess.Popen([OTTLA, *words], stdin=theirs, stdout=theirs, stderr=theirs, env=environment) as process:
            os.close(theirs)
            shown = b""
            while True:
                try:
                    piece = os.read(ours, 65536)
                except OSError:  # the other side is closed
                    break
                if not piece:
                    break
                shown += piece
            os.close(ours)
            assert process.wait(60) == 0, shown
        return shown.decode()


def becomes(wanted, look):
    """Kafka shows what was changed a moment later."""
    deadline = time.monotonic() + 60
    while (found := look()) != wanted and time.monotonic() < deadline:
        time.sleep(0.1)
    assert found == wanted, found


def topics(b):
    out, _ = b.run("topics", "create", b.topic, "-p", "2", "-r", "1", "-c", "retention.ms=3600000")
    assert out == f"created topic {b.topic}\n", out
    _, err = b.run("topics", "create", b.topic, status=1)
    assert "is there already" in err and "hint: --if-not-exists" in err, err
    assert b.json("topics", "create", b.topic, "--if-not-exists") == []
    becomes(True, lambda: b.topic in b.run("topics", "list", "-q")[0].splitlines())
    listed = b.json("topics", "list", b.topic)
    assert [(one["name"], one["partitions"], one["replicas"]) for one in listed] == [(b.topic, 2, 1)], listed
    assert b.run("topics", "-q", f"{b.topic[:-2]}*")[0] == f"{b.topic}\n"
    table = b.run("topics", "list", b.topic)[0].splitlines()
    assert re.split(" {2,}", table[0]) == ["NAME", "PARTITIONS", "REPLICAS", "STATE"], table
    assert re.split(" {2,}", table[1]) == [b.topic, "2", "1", "ok"], table
    out, _ = b.run("topics", "alter", b.topic, "-p", "3", "-c", "segment.bytes=2000000", "-d", "retention.ms")
    assert out == f"changed topic {b.topic}\n", out
    becomes([3], lambda: [one["partitions"] for one in b.json("topics", "list", b.topic)])
    becomes("2000000", lambda: b.json("topics", "describe", b.topic)[0]["configs"].get("segment.bytes"))


def produce(b):
    sent = b.lines("produce", b.topic, "-p", "1", "-K", ":", "-H", "a=b", stdin="k1:one\nk2:two\n")
    assert [(one["partition"], one["offset"]) for one in sent] == [(1, 0), (1, 1)], sent
    out, err = b.run("produce", b.topic, "three", "-k", "k3", "-p", "1", "-z", "zstd")
    assert out == "" and err == f"sent 1 record to {b.topic} (partition 1 offset 2)\n", out + err
    b.run("produce", b.topic, "-k", "k1", "-p", "2", "--tombstone")
    _, err = b.run("produce", b.topic.replace("orders", "ordesr"), "x", status=1)
    assert f"did you mean '{b.topic}'?" in err, err
    _, err = b.run("produce", b.topic, "x", "-p", "9", status=1)
    assert "has no partition 9" in err, err


def bytes_stay_bytes(b):
    """What is no text, and what ends no line, reaches the topic and comes back as it is."""
    topic = f"own-{b.label}-bytes"
    b.run("topics", "-p", "1", "create", topic)
    lines = [b"\xff\xfe\x00", b"a\rb", b"\xc3(", b"", "\N{SNOWMAN}".encode()]
    for line_end in (b"\n", b"\r\n"):
        sent = line_end.join(lines) + line_end
        done = subprocess.run([OTTLA, "produce", topic, "-p", "0"], input=sent, capture_output=True, timeout=90, check=False, env=b.environment)
        assert done.returncode == 0, done.stderr
    done = subprocess.run([OTTLA, "consume", topic, "-e"], capture_output=True, timeout=90, check=False, env=b.environment)
    assert done.stdout == b"".join(line + b"\n" for line in lines) * 2, done.stdout
    done = subprocess.run([OTTLA, "produce", topic, b"\xff"], capture_output=True, timeout=90, check=False, env=b.environment)
    assert done.returncode == 1 and b"not UTF-8" in done.stderr, done.stderr
    b.run("topics", "-b", b.environment["OTTLA_BOOTSTRAP"], "delete", topic)


def consume(b):
    assert b.run("consume", b.topic, "-e", "-p", "1")[0] == "one\ntwo\nthree\n"
    assert b.run("consume", b.topic, "-e", "-p", "1", "-o", "-2", "-f", "%k=%v@%o {%h}\\n")[0] == "k2=two@1 {a=b}\nk3=three@2 {}\n"
    assert b.run("consume", b.topic, "-n", "1", "-p", "1", "-o", "1")[0] == "two\n"
    assert b.run("consume", b.topic, "-e", "-o", "@-1h", "-f", "%p\\n")[0].count("1\n") == 3
    assert b.run("consume", b.topic, "-e", "-o", "end")[0] == ""
    record = b.lines("consume", b.topic, "-e", "-p", "2")[0]
    assert record["key"] == "k1" and record["value"] is None and record["timestamp"] > 0, record
    assert sorted(b.run("consume", b.topic, "-n", "4", "-g", b.group)[0].splitlines()) == ["", "one", "three", "two"]
    assert b.run("consume", b.topic, "-e", "-g", b.group)[0] == ""


def interrupted(b):
    group = f"{b.group}-stopped"
    command = [OTTLA, "consume", b.topic, "-g", group]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, env=b.environment) as process:
        late = threading.Timer(60, process.kill)
        late.start()
        for _ in range(4):
            process.stdout.readline()
        # By now it waits for more, most likely: whatever it is at, it commits and leaves.
        time.sleep(0.2)
        process.send_signal(signal.SIGINT)
        _, err = process.communicate()
        late.cancel()
    assert process.returncode == 130 and not err, f"status {process.returncode}: {err.decode()}"
    described = b.json("groups", "describe", group)[0]
    assert described["state"] == "Empty" and described["lag"] == 0, described


def groups(b):
    assert b.json("groups", "list", b.group)[0]["state"] in ("Empty", ""), "the member has left"
    described = b.json("groups", "describe", b.group)[0]
    committed = {one["partition"]: (one["committedOffset"], one["lag"]) for one in described["partitions"]}
    assert committed[1] == (3, 0) and committed[2] == (1, 0) and described["lag"] == 0, described
    text, _ = b.run("groups", "describe", b.group)
    assert text.startswith(f"{b.group}: Empty, 0 members, lag 0"), text
    shown, note = b.run("groups", "reset", b.group, "--to", "-1", "-t", f"{b.topic}:1", status=1)
    assert re.search(rf"{b.topic} +1 +3 +2 +-1 +1\n", shown) and "Nothing was changed" in note, shown + note
    assert b.json("groups", "reset", b.group, "--to", "1", "-t", f"{b.topic}:1", "-y")["moved"] is True
    described = b.json("groups", "describe", b.group)[0]
    assert described["lag"] == 2, described
    _, err = b.run("groups", "reset", b.group, "--to", "soon", status=1)
    assert "is no place" in err, err
    assert b.run("groups", "delete", b.group)[0] == f"deleted group {b.group}\n"
    _, err = b.run("groups", "describe", b.group, status=1)
    assert f"there is no group '{b.group}'" in err, err


def perf(b):
    sent = b.json("perf", "produce", b.topic, "-n", "2000", "-s", "50")
    assert sent["records"] == 2000 and sent["failed"] == 0 and sent["bytes"] == 100000, sent
    read = b.json("perf", "consume", b.topic)
    assert read["records"] == 2004, read
    assert "records/s" in b.run("perf", "consume", b.topic, "-n", "10")[0]


def described(b):
    found = b.json("topics", "describe", b.topic)[0]
    assert [one["partition"] for one in found["partitions"]] == [0, 1, 2] and found["configs"]["segment.bytes"] == "2000000", found
    assert "retention.ms" not in found["configs"], found
    assert sum(one["endOffset"] - one["startOffset"] for one in found["partitions"]) == 2004, found
    text, _ = b.run("topics", "describe", b.topic)
    assert text.startswith(f"{b.topic}: 3 partitions, 1 replica each, id ") and re.search(r"\nsegment\.bytes +2000000\n", text), text


def terminal(b):
    shown = b.on_a_terminal("topics", "list", b.topic)
    assert "\x1b[1mNAME\x1b[0m" in shown and "\x1b[32mok\x1b[0m" in shown, shown
    assert "\x1b" not in b.run("topics", "list", b.topic)[0]
    assert "records/s" in b.on_a_terminal("perf", "produce", b.topic, "-n", "500")


def refusals(b):
    for words, told in [
        (("topics", "lsit"), "did you mean `ottla topics list`?"),
        (("topics", "create", "x", "--partition", "3"), "did you mean --partitions?"),
        (("topics", "create"), "needs the name of a topic"),
        (("topics", "list", "-b", "127.0.0.1:1"), "hint: `ottla doctor 127.0.0.1:1`"),
        (("topics", "delete", f"{b.topic[:-2]}*"), "repeat it with -y"),
    ]:
        out, err = b.run(*words, status=1)
        assert out == "" and "error: " in err and told in err, f"{words}: {out}{err}"
    assert "Usage: ottla topics create NAME... [options]" in b.run("topics", "create", "--help")[0]
    assert "describe" in b.run("help", "groups")[0]


def completion(_b):
    script = subprocess.run([OTTLA, "completion", "bash"], capture_output=True, text=True, check=True).stdout
    for words, wanted in [("ottla gro", "groups"), ("ottla topics des", "describe"), ("ottla topics create x --part", "--partitions")]:
        cut = words.split(" ")
        line = f"COMP_WORDS=({' '.join(cut)}); COMP_CWORD={len(cut) - 1}; _ottla; echo \"${{COMPREPLY[@]}}\""
        done = subprocess.run(["bash", "-c", f"{script}\n{line}"], capture_output=True, text=True, timeout=30, check=False)
        assert done.stdout.split() == [wanted], f"{words}: {done.stdout}{done.stderr}"


def end(b):
    assert b.json("topics", "delete", f"{b.topic}*", "-y") == [{"name": b.topic, "ok": True, "error": None}]


def share_groups(b):
    """Kafka has them; where they are not built, that is one sentence."""
    if b.label == "kafka":
        return
    _, err = b.run("kafka-share-groups", "--bootstrap-server", b.environment["OTTLA_BOOTSTRAP"], "--describe", "--group", "g", status=1)
    assert err.count("\n") == 1 and err.startswith("This cluster has no share groups: "), err


def not_built(b):
    """What the Java tools have and these have not ends with one sentence and status 1, before anybody is asked."""
    servers = "--bootstrap-server localhost:9"
    for line, what in [
        (f"kafka-features {servers} upgrade --metadata 4.1", "kafka-features upgrade"),
        (f"kafka-metadata-quorum {servers} add-controller", "kafka-metadata-quorum add-controller"),
        ("kafka-run-class org.apache.kafka.tools.JmxTool", "kafka-jmx"),
        ("kafka-delegation-tokens --describe", "kafka-delegation-tokens"),
        ("connect-standalone worker.properties", "connect-standalone"),
        ("trogdor agent", "trogdor"),
    ]:
        out, err = b.run(*line.split(), status=1)
        told = f"{what} is not built in Ottla's tools yet: use Apache Kafka's own tool for it.\n"
        assert (out, err) == ("", told), f"{line}: {out}{err}"


def run(label, bootstrap):
    broker = Broker(label, bootstrap)
    for part in (topics, produce, consume, interrupted, groups, perf, described, terminal, refusals, completion, share_groups, bytes_stay_bytes, not_built, end):
        try:
            part(broker)
            print(f"ok {label}/own-{part.__name__}", flush=True)
        except Exception as error:  # noqa: BLE001 - whatever ends a part is its result, and the others go on
            print(f"not ok {label}/own-{part.__name__}: {type(error).__name__}: {error}".replace("\n", " "), flush=True)
