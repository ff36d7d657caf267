"""`docs/BENCHMARKS.md` from the raw figures: ratios with their intervals, and under what conditions they hold."""
import os

import plot
from broker import ratios
from rows import Tier

# Fewer prove nothing.
PAIRS_MIN = 3

TOP = """# Benchmarks

Ottla and Apache Kafka on the same machine in the same run, in turns, the order changing from pair to pair. Made by
`compat-tests/bench/run`; do not edit. A ratio above 1 means that Ottla is better: it is the median of the pairs, with the 95 %
interval of a bootstrap over them, against the better of the Kafkas that ran ("K" names it). *Gate* is what the comparison fails
below; *goal* is what is aimed at, met when the whole interval is above it. A run is void, and not counted, where the same
percentile of the load generator's own lateness is more than a fifth of a percentile, where the generator rather than the broker set the pace of a
throughput, or where the host took more than 1 % of the CPU time.

In the same runs the logs were read back: every count of acknowledged records was found in the log, a sample of batches byte by
byte, and consumers saw every offset.
"""


class Report:
    def __init__(self, raw):
        self.raw = raw
        self.brokers = raw["brokers"]
        self.theirs = [name for name, broker in self.brokers.items() if broker["side"] == "theirs"]
        self.rows = {row["id"]: row for group in raw["sets"].values() for row in group["rows"]}
        self.verdicts = self.judge()

    def judge(self):
        """Of each row the Kafka that it does worst against."""
        asked = {}
        for row in self.rows.values():
            for theirs in self.opponents(row):
                parts = [self.rows[part] for part in row["of"]] or [row]
                pairs = [self.pairs(part, theirs) for part in parts]
                if all(pairs):
                    name = f"{row['id']}\t{theirs}"
                    asked[name] = {"more": row["more"]} | ({"of": pairs} if row["of"] else {"pairs": pairs[0]})
        verdicts = {}
        for name, found in (ratios(asked) if asked else {}).items():
            row, theirs = name.split("\t")
            if row not in verdicts or found["ratio"] < verdicts[row]["ratio"]:
                verdicts[row] = found | {"theirs": theirs}
        return verdicts

    def opponents(self, row):
        return [] if row["is_alone"] else ["disk"] if row["kind"] == "disk" else self.theirs

    def values(self, row, broker, is_ours):
        """Value by pair, without what is void."""
        key = f"run {row['run']}" if row["kind"] == "disk" and is_ours else f"{row['kind']} {row['run']}".strip()
        durability = row["ours"] if is_ours else row["theirs"]
        found = {}
        for run in self.raw["runs"]:
            figures = run["figures"]
            if (run["broker"], run["key"], run["durability"]) != (broker, key, durability):
                continue
            value = figures.get(row["figure"])
            if value and row["figure"] not in figures.get("void", []) and not figures.get("stolen_from"):
                found[run["pair"]] = value
        return found

    def pairs(self, row, theirs):
        ours, theirs = self.values(row, row["broker"], True), self.values(row, theirs, False)
        return [[ours[pair], theirs[pair]] for pair in sorted(ours.keys() & theirs.keys())]

    def below(self):
        """Ids of rows below their gate; a row with a gate and without a figure is one of them."""
        return [row["id"] for row in self.rows.values() if row["gate"] and not self.ratio(row) >= row["gate"]]

    def ratio(self, row):
        return self.verdicts.get(row["id"], {}).get("ratio", float("nan"))

    def misses(self):
        """Rows whose ratio is below their goal."""
        return [row for row in self.rows.values() if row["goal"] and self.ratio(row) < row["goal"]]

    def markdown(self, plots):
        lines = [TOP, self.conditions(), *self.headlines(plots)]
        for group in self.raw["sets"].values():
            lines += self.table(group)
        lines += self.explained() + self.units() + self.void() + self.failures() + self.commands()
        return "\n".join(lines) + "\n"

    def conditions(self):
        raw = self.raw["conditions"]
        effort = self.raw["effort"]
        lines = ["## Conditions", "", "| | |", "|---|---|"]
        lines += [f"| {name.replace('_', ' ')} | {', '.join(value) if isinstance(value, list) else value} |" for name, value in raw.items()]
        lines.append(f"| pairs | {self.raw['pairs']}, {effort['seconds']} s each after {effort['warm_up']} s (latencies {effort['long']} s); the JVMs were warmed for {effort['jvm_seconds']} s |")
        for name, broker in self.brokers.items():
            lines.append(f"| {name} | {broker['title']}: `{broker['command']}` |")
        lines.append("")
        lines.append("Durability: *disk* means that acks=all is answered when the records are synced, *cache* when they are in the page cache. Ottla's default is disk, Kafka's is cache.")
        return "\n".join(lines) + "\n"

    def headlines(self, plots):
        return [f"![{title}]({name})\n" for name, title in plots]

    def table(self, group):
        lines = [f"## {group['title']}", "", "| | what | Ottla | Kafka | K | durability | ratio | 95 % | gate | goal | |", "|---|---|---|---|---|---|---|---|---|---|---|"]
        for row in group["rows"]:
            found = self.verdicts.get(row["id"])
            durability = durability_of(row)
            if not found and row["is_alone"] and self.values(row, row["broker"], True):
                what = row["title"] + (f" ({row['note']})" if row["note"] else "")
                lines.append(f"| {row['id']} | {what} | {self.middle(row, row['broker'], True)} | | | {durability} | | | | | |")
                continue
            if not found:
                lines.append(f"| {row['id']} | {row['title']} | | | | {durability} | not measured | | {aim(row['gate'])} | {aim(row['goal'])} | |")
                continue
            ours, theirs = self.middle(row, row["broker"], True), self.middle(row, found["theirs"], False)
            what = row["title"] + (f" ({row['note']})" if row["note"] else "") + self.samples(row)
            lines.append(
                f"| {row['id']} | {what} | {ours} | {theirs} | {found['theirs'].removeprefix('kafka-')} | {durability} | **{found['ratio']:.2f}** "
                f"| {found['low']:.2f} to {found['high']:.2f} | {aim(row['gate'])} | {aim(row['goal'])} | {verdict(row, found)} |"
            )
        return lines + [""]

    def samples(self, row):
        """How many latencies a percentile is taken from: each run gives one, and the median of those is shown."""
        counts = [run["figures"].get("latency_samples", 0) for run in self.raw["runs"] if run["broker"] == row["broker"] and run["key"] == f"{row['kind']} {row['run']}"]
        return f", {sum(counts):,} samples in {len(counts)} runs" if row["unit"] == "ms" and any(counts) else ""

    def middle(self, row, broker, is_ours):
        if row["of"]:
            return ""
        values = sorted(self.values(row, broker, is_ours).values())
        return f"{number(values[len(values) // 2])} {row['unit']}"

    def explained(self):
        """What misses its goal, and where the time goes there."""
        lines = []
        for row in self.misses():
            found = self.verdicts[row["id"]]
            lines.append(f"- **{row['id']}**, {row['title']}: {found['ratio']:.2f}, the goal is {row['goal']:g}" + (f", the gate {row['gate']:g}" if row["gate"] else "") + ".")
            profile = self.raw.get("profiles", {}).get(f"{row['kind']} {row['run']}", {})
            if profile.get("functions"):
                lines.append("  CPU of Ottla: " + ", ".join(f"`{name}` {share:g} %" for name, share in profile["functions"].items()) + ".")
            if profile.get("calls"):
                of = profile["counted"].rstrip("s").removesuffix("e") if profile["counted"] == "fetches" else profile["counted"].rstrip("s")
                lines.append(f"  System calls for each {of}: " + ", ".join(f"{name} {value:.3g}" for name, value in profile["calls"].items()) + ".")
        head = ["## What misses its goal", "", "With the functions that most CPU samples of Ottla were in, and its system calls. Allocations and instructions of a request stand in `compat-tests/cost/baseline.txt`.", ""]
        return [*head, *lines, ""] if lines else []

    def units(self):
        """What a broker is made of, by which a figure can be taken apart."""
        units = self.raw.get("units", {})
        rows = []
        for name, value in units.items():
            if name in ("what", "void") or value is None:
                continue
            id, _, what = name.partition("_")
            rows += [(id, words, told) for words, told in unit(what.replace("_", " "), value)]
        lines = [f"| {id} | {what} | {value} |" for id, what, value in sorted(rows, key=lambda row: int(row[0][1:]))]
        head = ["## Unit costs", "", "CPU time of one thread that does only this, on this machine before the run: no broker gets below their sum.", "", "| | what | |", "|---|---|---|"]
        return [*head, *lines, ""] if lines else []

    def void(self):
        """What was not counted, and what was counted although the broker fell behind the rate that it was offered."""
        lines = []
        for said, is_so in (
            ("void", lambda figures: figures.get("void") or (["all"] if figures.get("stolen_from") else [])),
            ("behind the offered rate", lambda figures: [] if figures.get("kept_up", True) else [f"{figures['records_per_second']:,.0f} records a second"]),
        ):
            found = {}
            for run in self.raw["runs"]:
                if is_so(run["figures"]):
                    found.setdefault(f"{run['broker']}, {run['durability']}, `{self.told(run['key'])}`", []).append(is_so(run["figures"]))
            lines += [f"- {said}: {what}: {', '.join(reasons[0])} ({len(reasons)} of {self.raw['pairs']} runs)" for what, reasons in found.items()]
        return ["## Void runs, and brokers that fell behind", "", *lines, ""] if lines else []

    def failures(self):
        lines = [f"- {failure['broker']}, {failure['key']}: {failure['error']}" for failure in self.raw["failures"]]
        return ["## Failed", "", *lines, ""] if lines else []

    def commands(self):
        lines = ["## Command lines", "", f"All of it: `{self.raw['command']}`. Each run, against a broker at ADDRESS:", ""]
        for key in dict.fromkeys(run["key"] for run in self.raw["runs"]):
            if key.startswith(("run ", "cold ")):
                lines.append(f"- `kbench --bootstrap ADDRESS --pid PID {self.told(key)}`")
        return lines

    def told(self, key):
        return Tier(**self.raw["effort"]).timed(key.partition(" ")[2])

    def plots(self, folder):
        """Writes the plots and gives name and title of each."""
        os.makedirs(folder, exist_ok=True)
        names = ["ottla", *self.theirs]
        titles = {name: self.brokers[name]["title"] for name in names if name in self.brokers}
        made = []
        for name, title, unit, ids in (
            ("produce", "Produce: broker CPU per MiB", "us", [id for id in self.rows if id[0] == "P" and self.rows[id]["unit"] == "CPU us/MiB"]),
            ("fetch", "Fetch: broker CPU per MiB", "us", [id for id in self.rows if id[0] == "F" and self.rows[id]["unit"] == "CPU us/MiB"]),
            ("latency", "End to end at 10,000 records a second", "ms", [id for id in self.rows if id.startswith("E10k-p")]),
        ):
            groups = []
            for id in ids:
                row = self.rows[id]
                bars = {titles[broker]: self.values(row, row["broker"] if broker == "ottla" else broker, broker == "ottla") for broker in titles}
                bars = {broker: sorted(values.values()) for broker, values in bars.items() if values}
                if bars:
                    groups.append((id, bars))
            if groups:
                write(f"{folder}/{name}.svg", plot.bars(title, unit, groups))
                made.append((name, title))
        judged = [(row, self.verdicts[id]) for id, row in self.rows.items() if row["gate"] and id in self.verdicts]
        whiskers = [(row["id"], found["ratio"], found["low"], found["high"], row["gate"], row["goal"]) for row, found in judged]
        if whiskers:
            write(f"{folder}/ratios.svg", plot.whiskers("Kafka / Ottla, with gate and goal", whiskers))
            made.insert(0, ("ratios", "Kafka / Ottla, with gate and goal"))
        return made


def write(path, text):
    with open(path, "w", encoding="utf-8") as file:
        file.write(text)


def number(value):
    """Three digits or more, and no exponent."""
    return f"{value:,.0f}" if value >= 100 else f"{value:.3g}"


def aim(value):
    return "" if value is None else f"{value:g}"


def durability_of(row):
    words = {"synced": "disk", "cached": "cache"}
    return words[row["ours"]] if row["ours"] == row["theirs"] else f"{words[row['ours']]} / {words[row['theirs']]}"


def unit(what, value):
    """Rows of one unit cost: what it is, and how much."""
    if isinstance(value, list):
        return [(f"{what}, {entry['bytes']:,} bytes".strip(), ", ".join(f"{name.replace('_us', '').replace('_', ' ')} {number(us)} us" for name, us in entry.items() if name != "bytes")) for entry in value]
    for ending, told in ((" us per mib", "us/MiB"), (" us", "us"), (" from bytes", "bytes")):
        if what.endswith(ending):
            return [(what.removesuffix(ending), f"{number(value)} {told}")]
    return [(what, number(value))]


def verdict(row, found):
    if row["gate"] and found["ratio"] < row["gate"]:
        return "**below the gate**"
    if found["pairs"] < PAIRS_MIN:
        return f"only {found['pairs']} pairs"
    if row["goal"] is None:
        return ""
    if found["low"] >= row["goal"]:
        return "goal met"
    return "at the goal" if found["ratio"] >= row["goal"] else "above the gate"
