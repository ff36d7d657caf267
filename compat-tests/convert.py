#!/usr/bin/env python3
"""convert.py go|cargo DIR [MUST]: turns the output of `go test -v` or `cargo test` into the lines that tally.py reads.

Tests that DIR/allow.txt names are not run by the callers; they are reported as skipped. The file MUST names tests and subtests of
Go that have to say PASS: elsewhere one that skips itself, or is there no more, is no failure.
"""
import os
import re
import sys

from tally import allowed

GO = re.compile(r"^--- (PASS|FAIL|SKIP): (\S+)")
OF_GO = re.compile(r"^\s*--- (PASS|FAIL|SKIP): (\S+)")
RUNNING = re.compile(r"^\s+Running \S+ \((\S+)\)")
CARGO = re.compile(r"^test (\S+)(?: - [^.]*)? \.\.\. (ok|FAILED|ignored)")


def main():
    kind, folder, *must = sys.argv[1:]
    missing = set().union(*map(allowed, must))
    program = None
    for raw in sys.stdin.buffer:
        line = raw.decode("utf-8", "replace").rstrip("\n")
        if notable(kind, line):
            print(f"  {line[:300]}", flush=True)
        begins = RUNNING.match(line)
        if begins or line.startswith("test result: "):
            stopped_early(program if begins else None)
            program = os.path.basename(begins[1]) if begins else None
        result = OF_GO.match(line) if kind == "go" else None
        if result and result[1] == "PASS":
            missing.discard(result[2])
        elif result and result[1] == "SKIP":
            print(f"  {result[2]} skips itself", flush=True)
        match = (GO if kind == "go" else CARGO).match(line)
        if not match:
            continue
        name, outcome = (match[2], match[1]) if kind == "go" else (match[1], match[2])
        if outcome in ("PASS", "ok"):
            print(f"ok {name}", flush=True)
        elif outcome in ("FAIL", "FAILED"):
            print(f"not ok {name}: see the output above or below", flush=True)
    stopped_early(program)
    for name in sorted(missing):
        print(f"not ok {name}: it must pass, and did not say so", flush=True)
    for name in sorted(allowed(f"{folder}/allow.txt")):
        print(f"not ok {name}: not run")


def stopped_early(program):
    """A test program that another follows, or the end, without its `test result`."""
    if program:
        print(f"not ok {program}: it died", flush=True)


def notable(kind, line):
    """Lines that say why something failed."""
    if kind == "go":
        return bool(re.match(r"^\s+\S+_test\.go:\d+: (?!deleting topic)|^panic:|^fatal error:", line))
    return bool(re.search(r"panicked at|didn't exit successfully|^error(\[|:)|assertion", line))


if __name__ == "__main__":
    main()
