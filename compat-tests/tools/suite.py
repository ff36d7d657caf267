"""Compares the Java tools with ours, command by command."""
import difflib
import glob
import json
import os
import re
import shlex
import shutil
import statistics
import subprocess
import sys
import tempfile
import time

import own
from commands import CLASSES, COMMANDS

OTTLA = os.environ["OTTLA"]
FIXTURE = os.environ["FIXTURE"]


class Java:
    """Kafka's tools in one JVM."""

    def __init__(self):
        self.process = subprocess.Popen(
            shlex.split(os.environ["JAVA_TOOLS"]), stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True, encoding="utf-8")

    def run(self, tool, arguments, stdin):
        call = {"class": CLASSES[tool], "args": arguments, "stdin": stdin}
        self.process.stdin.write(json.dumps(call) + "\n")
        self.process.stdin.flush()
        answer = json.loads(self.process.stdout.readline())
        return answer["rc"], answer["out"], answer["err"]

    def end(self):
        self.process.stdin.close()
        self.process.wait(20)


def own_jvm(tool, arguments, stdin):
    """For the tools that tell more when their JVM ends."""
    command = [*shlex.split(os.environ["JAVA_OWN"]), CLASSES[tool], *arguments]
    done = subprocess.run(command, input=stdin.encode(), capture_output=True, timeout=90, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


def ours(tool, arguments, stdin):
    done = subprocess.run([OTTLA, tool, *arguments], input=stdin.encode(), capture_output=True, timeout=90, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


STAMP = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] ")


def normalise(text, who):
    text = text.replace(f"-{who}-", "-WHO-")
    # What a tool that catches everything makes of the end of its process, in one JVM with others.
    text = re.sub(r"\n?Error: Executing consumer group command failed due to exited\n", "", text)
    text = re.sub(r"Error while executing ACL command: exited\nJavaTools\$Exited: exited\n+", "", text)
    text = re.sub(r"TopicId: [\w-]{22}", "TopicId: ID", text)
    # The newest version that a client speaks is its own affair.
    text = re.sub(r" \[(usable: \d+|unusable: [a-z ]+)\]", "", text)
    text = re.sub(r"(Epoch|HighWatermark|Lag\w*): +-?\d+", r"\1: N", text)
    text = re.sub(r"(?m)^(\d+) +\t([\w-]{22})\t.*\t(\w+) *\t$", r"\1 \2 \3", text)
    text = re.sub(r"(CreateTime|LogAppendTime):\d{13}", r"\1:MS", text)
    return text


def first_line(text, who):
    """What a tool says first on standard error, without logs, stack traces and the words of its usage."""
    text = re.sub(r"(?m)^(JavaTools\$Exited: )?exited$|^Did you mean:\n(\s+--.*\n)+", "", text)
    refused = re.search(r":\s+error:\s(.*)", text, re.S) if text.startswith("usage: ") else None
    if refused:  # argparse4j breaks and justifies its lines
        return normalise("".join(refused[1].split()), who)
    text = re.split(r"(?m)^Option +Description", text)[0]
    lines = [re.sub(r"^Exception in thread \"main\" (joptsimple\.\w+: )?", "", line) for line in text.splitlines()]
    lines = [" ".join(line.split()) for line in lines if line.strip() and not STAMP.match(line)]
    lines = [line for line in lines if not line.startswith(("at ", "... ", "Caused by", "(")) and not line.endswith("exited")]
    return normalise(lines[0] if lines else "", who)


def logged(text):
    """Levels of the log lines on standard error."""
    found = [STAMP.sub("", line).split(" ")[0] for line in text.splitlines() if STAMP.match(line)]
    return sorted(set(found) - {"INFO", "DEBUG"})


def compare(name, case, java, scratch, broker):
    """A broker of Kafka shows what was changed a moment later: what only looks may look twice."""
    looks = case.get("again") or "--list" in case["line"] or "--describe" in case["line"]
    results = both(case, java, scratch, broker)
    if looks and results[0] != results[1]:
        time.sleep(1)
        results = both(case, java, scratch, broker)
    report(name, case, *results)


def copied(pattern, scratch):
    """The paths of copies: the broker goes on writing while the two tools read."""
    copies = []
    for path in sorted(path for path in glob.glob(pattern) if os.path.getsize(path)):
        copy = os.path.join(scratch, "logs", *path.split("/")[-2:])
        os.makedirs(os.path.dirname(copy), exist_ok=True)
        shutil.copyfile(path, copy)
        copies.append(copy)
    return ",".join(copies)


def shown(out, case):
    """What of standard output is compared."""
    for pattern, instead in case.get("mask", ()):
        out = re.sub(pattern, instead, out)
    if case.get("json"):  # the order of fields is an accident of the Java tool's reflection
        events = [json.loads(line) for line in out.splitlines() if line.startswith("{")]
        out = "\n".join(json.dumps({**event, "timestamp": 0, "avg_throughput": 0}, sort_keys=True) for event in events)
    if case.get("only"):
        out = "\n".join(re.findall(case["only"], out))
    if case.get("sorted"):
        out = "\n".join(sorted(out.splitlines()))
    return out


def both(case, java, scratch, broker):
    results = []
    bootstrap, data, controller = broker
    logs = copied(case["logs"].replace("{data}", data), scratch) if "logs" in case else ""
    for who, run in (("java", own_jvm if case.get("own_jvm") else java.run), ("ours", ours)):
        words = [word.replace("{who}", f"-{who}-").replace("{b}", bootstrap).replace("{c}", controller).replace("{dir}", scratch)
                 .replace("{logs}", logs).replace("{fixture}", FIXTURE)
                 for word in shlex.split(case["line"])]
        for file, (source, cut) in case.get("copies", {}).items():
            with open(source.replace("{fixture}", FIXTURE), "rb") as original, open(f"{scratch}/{file}", "wb") as out:
                out.write(original.read()[:cut])
        for file, content in case.get("files", {}).items():
            with open(f"{scratch}/{file}", "w", encoding="utf-8") as out:
                out.write(content.replace("{who}", f"-{who}-").replace("{dir}", scratch))
        rc, out, err = run(words[0], words[1:], case.get("stdin", "").replace("{who}", f"-{who}-"))
        if logs:  # the same copies for both, with names of both in them
            out = normalise(normalise(out, "java"), "ours")
        out = shown(normalise(out, who), case)
        results.append((rc, out, "" if case.get("any_error") else first_line(err, who), [] if case.get("any_logs") else logged(err)))
    return results


def report(name, case, java_result, our_result):
    if java_result == our_result:
        print(f"ok {name}", flush=True)
        return
    for what, a, b in zip(("status", "stdout", "stderr", "logs"), java_result, our_result):
        if a != b:
            for line in list(difflib.unified_diff(str(a).splitlines(), str(b).splitlines(), "java", "ours", lineterm=""))[:12]:
                print(f"{what}: {line}")
    different = [what for what, a, b in zip(("status", "stdout", "stderr", "logs"), java_result, our_result) if a != b]
    print(f"not ok {name}: {' and '.join(different)} differ: {case['line']}", flush=True)


def names():
    """A short name for every command: the tool and its options, numbered where two are alike."""
    seen = {}
    for case in COMMANDS:
        words = [word.lstrip("-") for word in shlex.split(case["line"])]
        dashed = [word for word in shlex.split(case["line"])[1:] if word.startswith("--") and "bootstrap" not in word]
        name = case.get("name") or "-".join([words[0].removeprefix("kafka-"), *(word.lstrip("-").split("=")[0] for word in dashed[:3])])
        seen[name] = seen.get(name, 0) + 1
        yield (name if seen[name] == 1 else f"{name}-{seen[name]}"), case


def start_up(bootstrap):
    """Ten starts of the two commands that health checks call."""
    for tool, arguments in (("kafka-broker-api-versions", []), ("kafka-topics", ["--list"])):
        times = []
        for _ in range(10):
            begun = time.monotonic()
            status = ours(tool, [*arguments, "--bootstrap-server", bootstrap], "")[0]
            times.append((time.monotonic() - begun) * 1000)
        middle = statistics.median(times)
        good = status == 0 and middle < 50
        print(f"{'ok' if good else 'not ok'} {tool}-answers-at-once: {middle:.1f} ms (median of ten), at most 50 ms are allowed", flush=True)


def main():
    java = Java()
    wanted = sys.argv[1:]
    brokers = {
        label: (os.environ.get(prefix + "BOOTSTRAP"), os.environ.get(directory, "") + "/data", os.environ.get(prefix + "CONTROLLER", ""))
        for label, prefix, directory in [("subject", "", "BROKER_DIR"), ("kafka", "KAFKA_", "KAFKA_DIR")]
    }
    for label, broker in brokers.items():
        if not broker[0]:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            for name, case in names():
                if case.get("once") and label == "kafka" or case.get("kafka") and label != "kafka":
                    continue
                if not wanted or any(word in name for word in wanted):
                    begun = time.monotonic()
                    compare(f"{label}/{name}", case, java, scratch, broker)
                    if "TIMES" in os.environ:
                        print(f"# {time.monotonic() - begun:.1f} s {name}", flush=True)
        if not wanted or "own" in wanted:
            own.run(label, broker[0])
    start_up(os.environ["BOOTSTRAP"])
    java.end()
    print("end")


if __name__ == "__main__":
    main()
