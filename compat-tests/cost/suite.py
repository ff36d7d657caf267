"""What requests cost, against `baseline.txt`; see `run`."""
import os
import sys
import tempfile

from count import instructions_and_allocations, system_calls

HERE = os.path.dirname(os.path.abspath(__file__))
BASELINE = f"{HERE}/baseline.txt"
RENEW = "compat-tests/cost/run --renew"
# How much more than the baseline is let pass: a share of it, or a part of one, whichever is more.
GATES = {"instructions": (0.15, 0), "allocations": (0.025, 0.7), "syscalls": (0.05, 0.5)}
# Its rounds of the disk meet, or do not, as the threads are scheduled.
WIDER = {"transaction": 0.15}
HEAD = f"""# What one request costs the release build; see `run`. `{RENEW}` writes it anew. That may be done
# - when a change is worth what it costs: its commit message says so, with both numbers;
# - when requests have become cheaper, so that they stay so;
# - when a new compiler has moved the instructions: then nothing else is in the commit.
"""


def main(arguments):
    if arguments == ["--renew"]:
        return renew(*counted(lambda kind: True))
    baseline, before = read()
    found, names = counted(lambda kind: True)
    # Once more what is above: chance does not come twice, a regression does.
    again = {kind for kind in found if kind in baseline and reasons(found[kind], baseline[kind], WIDER.get(kind, 0))}
    if again:
        figures, calls = counted(again.__contains__)
        for kind in again:
            found[kind] = {name: min(found[kind][name], figures[kind][name]) for name in GATES}
            names[kind] = min(names[kind], calls[kind], key=lambda of: sum(of.values()))
    for kind in found | baseline:
        if kind not in baseline or kind not in found:
            print(f"not ok {kind}: it is not in both, the baseline and what is counted: {RENEW}", flush=True)
            continue
        why = reasons(found[kind], baseline[kind], WIDER.get(kind, 0))
        if why:
            if any(reason.startswith("syscalls") for reason in why):
                why.append("of them " + ", ".join(moved(names[kind], before[kind])))
            print(f"not ok {kind}: " + "; ".join(why), flush=True)
            print(f"If the change is worth that, and its commit says so with both numbers: {RENEW}", flush=True)
        else:
            told = ", ".join(f"{name} {number(value)}" for name, value in found[kind].items())
            print(f"ok {kind}: {told}{cheaper(found[kind], baseline[kind])}", flush=True)
    print("end", flush=True)
    return 0


def counted(wanted):
    """Figures of each kind, and its system calls by name."""
    binary = os.environ["OTTLA"]
    with tempfile.TemporaryDirectory(prefix="cost-") as home:
        figures = instructions_and_allocations(binary, f"{home}/callgrind", wanted)
        names = system_calls(binary, f"{home}/strace", wanted)
    return {kind: figures[kind] | {"syscalls": sum(names[kind].values())} for kind in figures}, names


def reasons(found, baseline, wider=0):
    return [reason for name in GATES for reason in above(name, found[name], baseline[name], wider=wider)]


def above(name, found, baseline, times=1, wider=0):
    share, part = GATES[name]
    share = max(share, wider)
    limit = baseline + times * max(baseline * share, part)
    if found <= limit:
        return []
    return [f"{name} {number(found)} for each request, {percent(found, baseline)} above the baseline of {number(baseline)} (limit {number(limit)})"]


def cheaper(found, baseline):
    """Says so where as much was gained as must not be lost."""
    gained = [name for name in GATES if above(name, baseline[name], found[name], times=2)]
    told = ", ".join(f"{name} {number(baseline[name])} before" for name in gained)
    return f" (cheaper: {told}; renew the baseline to keep it)" if gained else ""


def moved(found, baseline):
    """The names whose number has risen."""
    risen = {name: value for name, value in found.items() if value > baseline.get(name, 0) + 0.1}
    return [f"{name} {number(baseline.get(name, 0))} -> {number(value)}" for name, value in risen.items()]


def percent(found, baseline):
    return f"{(found / baseline - 1) * 100:.0f} %" if baseline else "all of it"


def number(value):
    return f"{value:,.0f}" if value >= 1000 else f"{value:g}"


def renew(found, names):
    with open(BASELINE, "w", encoding="ascii") as file:
        file.write(HEAD)
        for kind, figures in found.items():
            calls = " ".join(f"{name}={round(value, 2):g}" for name, value in sorted(names[kind].items(), key=lambda call: -call[1]))
            file.write(f"{kind} instructions={figures['instructions']:.0f} allocations={round(figures['allocations'], 2):g} syscalls={round(figures['syscalls'], 2):g} : {calls}\n")
    with open(BASELINE, encoding="ascii") as file:
        print(file.read(), end="")
    return 0


def read():
    """The figures of each kind, and its system calls by name."""
    figures, names = {}, {}
    with open(BASELINE, encoding="ascii") as lines:
        for line in lines:
            if line.startswith("#"):
                continue
            kind, _, rest = line.partition(" ")
            counted, _, calls = rest.partition(" : ")
            figures[kind], names[kind] = pairs(counted), pairs(calls)
    return figures, names


def pairs(text):
    return {name: float(value) for name, value in (pair.split("=") for pair in text.split())}


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
