#!/usr/bin/env python3
"""tally.py DIR [PROGRAMS]: reads the lines of one or more test programs and prints the summary.

A test program prints one line per test: `ok NAME`, or `not ok NAME: why`. Other lines are notes. A program that came to
its end prints `end`, so that a crash half-way counts as a failure. DIR/allow.txt lists tests that may fail, one name per
line; such a failure counts as skipped. The exit code is 1 on any failure, and when nothing ran.
"""
import sys
import time


def allowed(path):
    with open(path, encoding="utf-8") as lines:
        return {line.split("#")[0].strip() for line in lines} - {""}


def main():
    allow = allowed(f"{sys.argv[1]}/allow.txt")
    programs = int(sys.argv[2]) if len(sys.argv) > 2 else 1
    passed = failed = skipped = 0
    last = time.monotonic()
    for raw in sys.stdin.buffer:
        line = raw.decode("utf-8", "replace").rstrip("\n")
        now = time.monotonic()
        took = f" ({now - last:.1f} s)" if now - last >= 2 else ""
        if line.startswith("ok "):
            passed += 1
            name = line.split()[1]
            stale = " (stands in allow.txt, but passes)" if name in allow else ""
            print(f"{line}{took}{stale}", flush=True)
            last = now
        elif line.startswith("not ok "):
            last = now
            if line[len("not ok ") :].split(": ")[0].strip() in allow:
                skipped += 1
                print(f"skip {line[len('not ok ') :]}{took}", flush=True)
            else:
                failed += 1
                print(f"{line}{took}", flush=True)
        elif line == "end":
            programs -= 1
            last = now
        elif line:
            print(f"  {line[:400]}", flush=True)
    if programs > 0:
        failed += 1
        print("not ok came-to-its-end: a test program stopped early")
    print(f"{passed} passed, {failed} failed" + (f", {skipped} skipped" if skipped else ""), flush=True)
    return failed > 0 or passed == 0


if __name__ == "__main__":
    sys.exit(main())
