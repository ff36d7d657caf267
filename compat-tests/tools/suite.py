"""Compares the Java tools with ours, command by command."""
import difflib
import json
import os
import re
import shlex
import statistics
import subprocess
import sys
import tempfile
import time

from commands import CLASSES, COMMANDS

OTTLA = os.environ["OTTLA"]


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


def ours(tool, arguments, stdin):
    done = subprocess.run([OTTLA, tool, *arguments], input=stdin.encode(), capture_output=True, timeout=90, check=False)
    return done.returncode, done.stdout.decode("utf-8", "replace"), done.stderr.decode("utf-8", "replace")


STAMP = re.compile(r"^\[\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3}\] ")


def normalise(text, who):
    text = text.replace(f"-{who}-", "-WHO-")
    # What a tool that catches everything makes of the end of its process, in one JVM with others.
    text = re.sub(r"\n?Error: Executing consumer group command failed due to exited\n", "", text)
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


def compare(name, case, java, scratch, bootstrap):
    """A broker of Kafka shows what was changed a moment later: what only looks may look twice."""
    looks = "--list" in case["line"] or "--describe" in case["line"]
    results = both(case, java, scratch, bootstrap)
    if looks and results[0] != results[1]:
        time.sleep(1)
        results = both(case, java, scratch, bootstrap)
    report(name, case, *results)


def both(case, java, scratch, bootstrap):
    results = []
    for who, run in (("java", java.run), ("ours", ours)):
        words = [word.replace("{who}", f"-{who}-").replace("{b}", bootstrap).replace("{dir}", scratch)
                 for word in shlex.split(case["line"])]
        for file, content in case.get("files", {}).items():
            with open(f"{scratch}/{file}", "w", encoding="utf-8") as out:
                out.write(content.replace("{who}", f"-{who}-").replace("{dir}", scratch))
        rc, out, err = run(words[0], words[1:], case.get("stdin", "").replace("{who}", f"-{who}-"))
        out = normalise(out, who)
        if case.get("only"):
            out = "\n".join(re.findall(case["only"], out))
        if case.get("sorted"):
            out = "\n".join(sorted(out.splitlines()))
        results.append((rc, out, "" if case.get("any_error") else first_line(err, who), logged(err)))
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
    for label, bootstrap in (("subject", os.environ["BOOTSTRAP"]), ("kafka", os.environ.get("KAFKA_BOOTSTRAP"))):
        if not bootstrap:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            for name, case in names():
                if not wanted or any(word in name for word in wanted):
                    compare(f"{label}/{name}", case, java, scratch, bootstrap)
    start_up(os.environ["BOOTSTRAP"])
    java.end()
    print("end")


if __name__ == "__main__":
    main()
