"""What is compared: the rows of the report and the runs of kbench that they come from.

Every ratio is above 1 where Ottla is better. A gate fails the comparison; a goal is what is aimed at. Both are those of
issue 6, in the same run, on the same machine, against the better Kafka of those that were started.
"""
from dataclasses import dataclass, field

QUICK, HEADLINE, FULL = "quick", "headline", "full"


@dataclass
class Row:
    id: str
    title: str
    figure: str
    # Arguments of kbench; {seconds} and {warm_up} are those of the tier, {whole} the same without a fraction, {long} of a run
    # whose tail is looked at.
    run: str = ""
    unit: str = ""
    more: bool = False
    # Durability of the topic on each side: acks=all waits for the page cache ("cached") or the disk ("synced").
    ours: str = "cached"
    theirs: str = "cached"
    broker: str = "ottla"
    gate: float = None
    goal: float = None
    # Other rows, whose ratios' geometric mean this is.
    of: list = field(default_factory=list)
    # How it is measured: by one run, or by a procedure of measure.py ("cold", "disk", "traced", "loaded") or alone.py.
    kind: str = "run"
    # Only Ottla's figure: there is nothing to compare it with, which the note explains.
    is_alone: bool = False
    tier: str = FULL
    note: str = ""

    def key(self):
        """Rows of one key take their figures from the same runs."""
        return f"{self.kind} {self.run}".strip()


FROM_DISK = {"ours": "synced", "note": "Ottla answers from the disk, Kafka from the page cache"}
PRODUCE = "produce --seconds {seconds} --warm-up-seconds {warm_up} --mib-max 512 --in-flight 5"
COST = {"figure": "broker_cpu_us_per_mib", "unit": "CPU us/MiB"}


def produce(id, title, arguments, gate=None, goal=None, tier=FULL, figure="broker_cpu_us_per_mib", **more):
    unit = {"broker_cpu_us_per_mib": "CPU us/MiB", "broker_cpu_us_per_request": "CPU us/request"}[figure]
    return Row(id, title, figure, f"{PRODUCE} {arguments}", unit, gate=gate, goal=goal, tier=tier, **more)


PRODUCE_ROWS = [
    produce("P1", "1 KiB records, one batch of 1 MiB per request", "--batch-bytes 1048000", 1.3, 1.6, HEADLINE),
    produce("P2", "1 KiB records, one batch of 128 KiB", "--batch-bytes 131072", tier=HEADLINE),
    produce("P3", "1 KiB records, 8 batches of 16 KiB", "--partitions 8 --partitions-per-request 8", tier=HEADLINE),
    produce("P4", "1 KiB records, one batch of 16 KiB", "", 2, 3, QUICK),
    produce("P5", "100 B records, 8 batches of 16 KiB", "--record-bytes 100 --partitions 8 --partitions-per-request 8", 2, 3, HEADLINE),
    produce("P6", "10 KiB records, one batch of 128 KiB", "--record-bytes 10240 --batch-bytes 131072", tier=HEADLINE),
    produce("P7", "one record of 1 KiB per request", "--batch-bytes 1", 3, 6, QUICK),
    produce("P8", "lz4, 64 KiB on the wire, every record checked", "--content json --compression lz4 --batch-bytes 65536", 1.1, 1.4, HEADLINE),
    produce("P9", "zstd, 64 KiB on the wire, every record checked", "--content json --compression zstd --batch-bytes 65536", 1.1, 1.4, tier=HEADLINE),
    produce("P8h", "lz4 as P8, Ottla checks the header only", "--content json --compression lz4 --batch-bytes 65536", 3, 5, broker="ottla-header", tier=HEADLINE),
    produce("P9h", "zstd as P9, Ottla checks the header only", "--content json --compression zstd --batch-bytes 65536", 4, 7, broker="ottla-header", tier=HEADLINE),
    produce("P10h", "gzip, 64 KiB on the wire, Ottla checks the header only", "--content json --compression gzip --batch-bytes 65536", broker="ottla-header"),
    Row("G1", "produce, geometric mean of P1 to P7 and P8, P9 with header checks", of=["P1", "P2", "P3", "P4", "P5", "P6", "P7", "P8h", "P9h"], gate=2, goal=3, **COST, tier=HEADLINE),
    Row("G1p", "produce, geometric mean of P1 to P7", of=["P1", "P2", "P3", "P4", "P5", "P6", "P7"], **COST, tier=HEADLINE),
    produce("P4d", "P4 with Ottla's default durability", "", ours="synced", note="Ottla answers from the disk, Kafka from the page cache"),
    produce("P4i", "P4, idempotent", "--idempotent"),
    produce("P4l", "P4, acks=1", "--acks 1"),
    produce("P4c", "P4 on 16 connections to 16 partitions", "--connections 16 --partitions 16"),
    produce("P7r", "one record of 100 B per request, one request in flight", "--record-bytes 100 --batch-bytes 1 --in-flight 1", figure="broker_cpu_us_per_request"),
    produce("P7c", "one record of 1 KiB per request, 16 connections", "--batch-bytes 1 --connections 16 --partitions 16", figure="broker_cpu_us_per_request"),
]

FETCH = "fetch --seconds {seconds} --warm-up-seconds {warm_up}"
BIG = "--topic bench-fetch-64k --fill-mib 512 --batch-bytes 65536"
MIDDLE = "--topic bench-fetch-16k --fill-mib 256 --batch-bytes 16384"
SMALL = "--topic bench-fetch-4k --fill-mib 128 --record-bytes 100 --batch-bytes 4000"
SESSION = "--topic bench-session --partitions 1000 --tail --rate 1000 --active 10 --record-bytes 100"

FETCH_ROWS = [
    Row("F8M", "answers of 8 MiB", run=f"{FETCH} {BIG} --max-bytes 8388608", gate=1.0, goal=1.1, **COST, tier=HEADLINE),
    Row("F1M", "answers of 1 MiB", run=f"{FETCH} {BIG} --max-bytes 1048576", gate=1.2, goal=1.5, tier=HEADLINE, **COST),
    Row("F64K", "answers of 64 KiB", run=f"{FETCH} {MIDDLE} --max-bytes 65536", gate=3, goal=5, tier=QUICK, **COST),
    Row("F4K", "answers of 4 KiB", run=f"{FETCH} {SMALL} --max-bytes 4096", gate=3, goal=5, **COST, tier=HEADLINE),
    Row("G2", "fetch, geometric mean of the four sizes", of=["F8M", "F1M", "F64K", "F4K"], gate=1.7, goal=2.5, **COST, tier=HEADLINE),
    Row("F1Mx5", "answers of 1 MiB, 5 consumers", run=f"{FETCH} {BIG} --max-bytes 1048576 --sessions 5", **COST),
    Row("F1000", "a session of 1,000 partitions, 10 of them active", "broker_cpu_us_per_fetch", f"{FETCH} {SESSION}", "CPU us/fetch", gate=5, goal=15, tier=HEADLINE),
]

E2E = "end-to-end --seconds {long} --warm-up-seconds {warm_up} --batch-bytes 1"
TEN_K = f"{E2E} --rate 10000 --in-flight 100"


def percentiles(id, title, run, aims, **more):
    """A row for each percentile, with its gate and goal."""
    return [Row(f"{id}-{figure.removesuffix('_ms')}", f"{title}, {figure.removesuffix('_ms')}", figure, run, "ms", gate=gate, goal=goal, **more) for figure, gate, goal in aims]


LATENCY_ROWS = [
    *percentiles("E10k", "end to end, 10,000 records of 1 KiB a second, linger 0", TEN_K, [("p50_ms", 1.5, 2.5), ("p99_ms", 2, 4), ("p999_ms", 4, 10)], tier=QUICK),
    Row("E10k-cpu", "the same, CPU of each record", "broker_cpu_us_per_record", TEN_K, "CPU us/record", tier=QUICK),
    *percentiles("E1k", "end to end, 1,000 records a second", f"{E2E} --rate 1000 --in-flight 100", [("p50_ms", None, None), ("p99_ms", None, None), ("p999_ms", None, None)]),
    *percentiles("Ecold", "end to end, 10,000 a second, while another consumer reads 2 GiB from the disk", TEN_K, [("p99_ms", None, None), ("p999_ms", 2, 5)], kind="cold"),
]

SATURATED = f"{PRODUCE} --connections 4 --partitions 16 --partitions-per-request 4"
STEADY = "produce --seconds {long} --warm-up-seconds {warm_up} --batch-bytes 1 --rate 10000 --connections 4 --partitions 16 --in-flight 100"
SLOW = "produce --seconds {long} --warm-up-seconds {warm_up} --batch-bytes 1 --rate 1000 --connections 16 --partitions 16 --in-flight 100"

DURABLE_ROWS = [
    Row("D-sat", "at saturation, 4 connections, 16 partitions, 4 batches of 16 KiB", "mib_per_second", SATURATED, "MiB/s", more=True, gate=0.8, goal=1.0, tier=HEADLINE, **FROM_DISK),
    *percentiles("D10k", "answers at 10,000 records of 1 KiB a second", STEADY, [("p50_ms", 0.4, 0.8)], tier=HEADLINE, **FROM_DISK),
    Row("D10k-disk", "the same, p99 of Ottla against that of appends and syncs alone", "p99_ms", STEADY, "ms", gate=0.67, goal=1.0, kind="disk", ours="synced", theirs="synced", tier=HEADLINE, note="above 0.67: within 1.5 x of the disk alone"),
    *percentiles("S16", "synced on both sides, 16 connections and partitions, 1,000 records a second", SLOW, [("p50_ms", None, None), ("p99_ms", 1.5, 3)], ours="synced", theirs="synced", tier=HEADLINE),
]

APPEND = f"{PRODUCE} --acks 1"
DIRTY = "--record-bytes 100 --batch-bytes 1 --in-flight 1"


def dirty(partitions, mib):
    """One record to each of so many partitions, which are all synced before the answer. `mib` is some of those requests."""
    made = f"--topic bench-dirty-{partitions} --partitions {partitions} --partitions-per-request {partitions} {DIRTY}"
    timed = f"produce --seconds {{seconds}} --warm-up-seconds {{warm_up}} {made}"
    traced = f"produce --seconds 60 --warm-up-seconds 0 --mib-max {mib} {made}"
    both = {"ours": "synced", "theirs": "synced"}
    what = f"group commit, {partitions:,} dirty partition{'s' if partitions > 1 else ''}"
    return [
        Row(f"G{partitions}-p50", f"{what}: answer", "p50_ms", timed, "ms", **both),
        Row(f"G{partitions}-cpu", f"{what}: CPU", "broker_cpu_us_per_request", timed, "CPU us/request", **both),
        Row(f"G{partitions}-syncs", f"{what}: syncs", "syncs_per_request", traced, "a request", kind="traced", **both),
        Row(f"G{partitions}-calls", f"{what}: system calls", "calls_per_request", traced, "a request", kind="traced", **both),
    ]


def traced(id, title, run, mib):
    run = run.replace(" --mib-max 512", f" --mib-max {mib}").format(seconds=60, warm_up=0)
    return Row(id, title, "calls_per_request", run, "a request", kind="traced")


# With so many partitions Ottla may have only so many files open. Kafka, whose logs are always open, would not start.
FILES_MAX = 4096
FEW_FILES = f"Ottla may have {FILES_MAX:,} files open, Kafka as many as it needs"

STORAGE_ROWS = [
    Row("A1", "append of one 1 KiB record, acks=1", "broker_cpu_us_per_request", f"{APPEND} --batch-bytes 1", "CPU us/request"),
    traced("A1-calls", "the same: system calls", f"{APPEND} --batch-bytes 1", 1),
    Row("A16", "append of a 16 KiB batch, acks=1", "broker_cpu_us_per_request", APPEND, "CPU us/request"),
    traced("A16-calls", "the same: system calls", APPEND, 8),
    Row("A1M", "append of a 1 MiB batch, acks=1", "broker_cpu_us_per_request", f"{APPEND} --batch-bytes 1048000", "CPU us/request"),
    *dirty(1, 0.05),
    *dirty(100, 0.3),
    *dirty(10_000, 1.5),
    Row("recovery", "2 GiB in 4 partitions, kill -9, start: until every partition serves its end", "served_ms", unit="ms", kind="recovery", **FROM_DISK),
    Row("recovery-all", "the same, when nobody wrote down up to where it is on disk: all of it is read again", "served_ms", unit="ms", kind="recovery-all", ours="synced", note="Ottla reads it from the disk, Kafka from the page cache"),
    Row("create-10k", "10,000 partitions are created and serve", "made_ms", unit="ms", kind="create-10k", note=FEW_FILES),
    Row("each-10k", "memory of each of those", "bytes_each", unit="bytes", kind="create-10k", note=FEW_FILES),
    Row("start-10k", "start with 10,000 partitions to the first acknowledged record", "first_ack_ms", unit="ms", gate=20, goal=50, kind="start-10k", note=FEW_FILES),
    Row("stop-10k", "clean stop with 10,000 partitions", "stop_ms", unit="ms", kind="start-10k", note=FEW_FILES),
    Row("create-100k", "100,000 partitions are created and serve", "made_ms", unit="ms", kind="create-100k", is_alone=True, note="Kafka ends at 33,000, where `vm.max_map_count` is the default"),
    Row("start-100k", "start with 100,000 partitions to the first acknowledged record", "first_ack_ms", unit="ms", kind="start-100k", is_alone=True),
    Row("rss-100k", "resident memory with 100,000 partitions, 3 s after that", "rss_kib", unit="KiB", kind="start-100k", is_alone=True),
]

ACTIVE = "produce --seconds {long} --warm-up-seconds {warm_up} --batch-bytes 1 --rate 10000 --connections 1000 --partitions 16 --in-flight 100"


def each(of, count, what, tier=FULL):
    return Row(f"each-{of.removesuffix('s')}", f"memory of {what}, of {count:,}", "bytes_each", f"footprint {of} --count {count} --seconds 3", "bytes", kind="fresh" if of == "connections" else "kept", tier=tier)


FOOTPRINT_ROWS = [
    Row("start", "start to the first acknowledged record", "first_ack_ms", unit="ms", gate=50, goal=100, kind="start", tier=QUICK),
    Row("start-meta", "start to the first Metadata answer", "metadata_ms", unit="ms", kind="start", tier=QUICK),
    Row("stop", "clean stop", "stop_ms", unit="ms", kind="start", tier=QUICK),
    Row("rss-idle", "resident memory, 3 s after the start", "rss_kib", unit="KiB", gate=20, goal=30, kind="start", tier=QUICK),
    Row("rss-loaded", "resident memory after the loads above, the most", "rss_kib", unit="KiB", gate=15, goal=25, kind="loaded", tier=QUICK),
    Row("idle-cpu", "CPU while nobody asks for anything", "cpu_us_per_second", "idle --seconds 5", "CPU us/s", kind="fresh", tier=HEADLINE),
    Row("idle-wakeups", "the same: wake-ups", "wakeups_per_second", "idle --seconds 5", "per s", kind="fresh", tier=HEADLINE),
    each("connections", 10_000, "an idle connection", HEADLINE),
    Row("idle-10k-cpu", "CPU with 10,000 idle connections", "cpu_us_per_second", "footprint connections --count 10000 --seconds 3", "CPU us/s", kind="fresh", tier=HEADLINE),
    each("partitions", 9_000, "a partition without a record"),
    each("producers", 10_000, "a producer id"),
    each("groups", 5_000, "a group"),
    *percentiles("active-1k", "1,000 connections of 10 records a second each", ACTIVE, [("p50_ms", None, None), ("p99_ms", None, None)]),
    Row("active-1k-cpu", "the same: CPU", "broker_cpu_us_per_request", ACTIVE, "CPU us/request"),
    Row("active-1k-rss", "the same: resident memory", "rss_kib", ACTIVE, "KiB"),
]

GROUP_ROWS = [
    Row(f"C{groups}x{in_flight}-{name}", f"offset commits, {groups} groups, {in_flight} in flight each", figure, f"commits --groups {groups} --in-flight {in_flight} --seconds {{whole}}", unit, more=more, tier=HEADLINE if (groups, in_flight) in ((1, 1), (100, 16)) else FULL, **FROM_DISK)
    for in_flight in (1, 16)
    for groups in (1, 16, 100)
    for name, figure, unit, more in (("cpu", "per_broker_cpu_second", "per CPU s", True), ("p50", "p50_ms", "ms", False))
] + [
    Row(f"R-{protocol}-{name}", f"rebalance of 100 members, {protocol} protocol: {what}", figure, f"rebalance --protocol {protocol}", "ms", ours="synced")
    for protocol in ("classic", "consumer")
    for name, what, figure in (("join", "all join", "join_ms"), ("death", "one dies", "after_death_ms"))
]

TRANSACTION_ROWS = [
    Row(f"T{producers}x{records}-{name}", f"transactions of {records} records, {producers} producers", figure, f"transactions --producers {producers} --records {records} --seconds {{whole}}", unit, more=more, tier=HEADLINE if records == 1 else FULL, **FROM_DISK)
    for producers in (1, 16)
    for records in (1, 100)
    for name, figure, unit, more in (("cpu", "per_broker_cpu_second", "per CPU s", True), ("rate", "per_second", "per s", True), ("p50", "p50_ms", "ms", False))
]

SETS = {
    "produce": ("Produce: broker CPU per MiB on the wire, acks=all", PRODUCE_ROWS),
    "fetch": ("Fetch from memory: broker CPU", FETCH_ROWS),
    "latency": ("Latency, from the intended send", LATENCY_ROWS),
    "durable": ("On the disk", DURABLE_ROWS),
    "footprint": ("Start and memory", FOOTPRINT_ROWS),
    "storage": ("Appends, group commit, recovery, many partitions", STORAGE_ROWS),
    "groups": ("Group coordination", GROUP_ROWS),
    "transactions": ("Transactions", TRANSACTION_ROWS),
}

# What a set needs of every broker.
PROPERTIES = {
    "groups": [
        "group.initial.rebalance.delay.ms=0",
        "group.min.session.timeout.ms=6000",
        *(f"group.consumer.{key}=6000" for key in ("session.timeout.ms", "min.session.timeout.ms")),
        *(f"group.consumer.{key}=1000" for key in ("heartbeat.interval.ms", "min.heartbeat.interval.ms")),
    ]
}

# The JVM compiles its hot paths before anything counts. The share is of the time that the set allows for it.
WARM_UPS = {
    "produce": [(0.25, "produce --batch-bytes 1 --connections 4 --partitions 4 --in-flight 16"), (0.2, "produce --mib-max 4096"), (0.1, "produce --content json --compression lz4 --batch-bytes 65536 --mib-max 1024")],
    "fetch": [(0.15, f"fetch {MIDDLE} --max-bytes 65536"), (0.05, f"fetch {BIG} --max-bytes 1048576")],
    "latency": [(0.15, "end-to-end --batch-bytes 1 --rate 5000 --in-flight 100")],
    "storage": [(0.2, "produce --acks 1 --batch-bytes 1 --connections 4 --partitions 4 --in-flight 16"), (0.1, "produce --acks 1 --mib-max 2048")],
    "durable": [(0.1, "produce --batch-bytes 1 --rate 4000 --connections 4 --partitions 16")],
    "groups": [(1.0, "commits --groups 100"), (0, "rebalance --protocol classic"), (0, "rebalance --protocol consumer")],
    "transactions": [(0.8, "transactions --producers 16"), (0.2, "transactions --producers 1 --records 100")],
}

TIERS = [QUICK, HEADLINE, FULL]


@dataclass
class Tier:
    pairs: int
    minutes: float
    seconds: float
    warm_up: float
    long: float
    jvm_seconds: float
    # How often what needs a broker of its own is measured.
    alone: int

    def timed(self, run):
        """The arguments of a run, with its seconds."""
        return run.format(seconds=self.seconds, whole=max(2, round(self.seconds)), long=self.long, warm_up=self.warm_up)


EFFORT = {
    QUICK: Tier(pairs=2, minutes=3, seconds=1.5, warm_up=0.5, long=3, jvm_seconds=20, alone=1),
    HEADLINE: Tier(pairs=7, minutes=19.5, seconds=1.5, warm_up=0.5, long=5, jvm_seconds=60, alone=3),
    FULL: Tier(pairs=9, minutes=240, seconds=5, warm_up=2, long=30, jvm_seconds=90, alone=5),
}


def chosen(tier, sets):
    """Sets and their rows: those of the tier, or all of the sets that are named."""
    picked = {}
    for name, (title, rows) in SETS.items():
        if sets and name not in sets:
            continue
        depth = TIERS.index(FULL if sets else tier)
        some = [row for row in rows if TIERS.index(row.tier) <= depth]
        names = {row.id for row in some}
        some = [row for row in some if set(row.of) <= names]
        if some:
            picked[name] = (title, some)
    return picked
