#!/usr/bin/env python3
"""seeds.py SRC SEEDS: writes what each fuzz target starts from to SEEDS/<target>/, made of the golden request frames,
group records and Kafka's own directory in SRC."""
import pathlib
import shutil
import struct
import sys

PRODUCE = 0
BATCH_HEADER_BYTES = 61
MAGIC_AT = 16


def batches(frame):
    """The record batches of a Produce frame, found by their own length and magic."""
    at = 0
    while at + BATCH_HEADER_BYTES <= len(frame):
        base_offset, length = struct.unpack_from(">qi", frame, at)
        end = at + 12 + length
        if base_offset == 0 and length >= BATCH_HEADER_BYTES - 12 and end <= len(frame) and frame[at + MAGIC_AT] == 2:
            yield frame[at:end]
            at = end
        else:
            at += 1


def seeds(frame):
    """Pairs of a target and an input for it."""
    yield "frame", frame
    whole = frame[4:]
    yield "header", whole
    key, version = struct.unpack_from(">hh", whole)
    (client_bytes,) = struct.unpack_from(">h", whole, 8)
    body = whole[10 + max(client_bytes, 0) :]
    # A flexible header ends with a count of tagged fields; where the API has none, the first byte belongs to the body.
    for body in [body, body[1:]]:
        yield "request", bytes([key, version]) + body
    if key == PRODUCE:
        for batch in batches(whole):
            for choice in (0x10, 0x11, 0x43):
                yield "batch", bytes([choice]) + batch


def group_records(lines):
    """Names and inputs for the target `record`: a byte for the key's length, the key, the value."""
    for line in lines:
        name, key, value = line.split()
        key = bytes.fromhex(key)
        yield name, bytes([len(key)]) + key + bytes.fromhex(value.strip("-"))


# What the target `directory` knows files by: a number of four segments and their files, then of everything else.
BASES = (0, 6, 12, 15)
SUFFIXES = (".log", ".index", ".timeindex", ".txnindex", ".snapshot", ".log.swap")
CHECKPOINTS = (
    "fixture-0/leader-epoch-checkpoint",
    "fixture-0/partition.metadata",
    "recovery-point-offset-checkpoint",
    "log-start-offset-checkpoint",
    "replication-offset-checkpoint",
    "cleaner-offset-checkpoint",
    "meta.properties",
)
MARKER = ".kafka_cleanshutdown"


def directories(kafka):
    """Names and inputs for the target `directory`: some segments of the directory that Kafka has left in `kafka`."""

    def one(number, path):
        data = path.read_bytes() if path.exists() else b""
        return struct.pack(">BH", number, len(data)) + data if path.exists() else b""

    others = len(BASES) * len(SUFFIXES)
    for name, bases in (("older", (0, 6, 12)), ("newest", (15,)), ("gap", (0, 12))):
        files = b""
        for at, base in enumerate(BASES):
            for of, suffix in enumerate(SUFFIXES):
                if base in bases:
                    files += one(at * len(SUFFIXES) + of, kafka / "fixture-0" / f"{base:020}{suffix}")
        for at, checkpoint in enumerate(CHECKPOINTS):
            files += one(others + at, kafka / checkpoint)
        clean = one(others + len(CHECKPOINTS), kafka / MARKER)
        # Bits of the first byte: is it left clean, may it be repaired, is it compacted?
        yield f"{name}-0", b"\x00" + files
        yield f"{name}-1", b"\x01" + files + clean
        yield f"{name}-5", b"\x05" + files + clean


def main():
    src, out = map(pathlib.Path, sys.argv[1:])
    shutil.rmtree(out, ignore_errors=True)
    for target in ("frame", "header", "request", "response", "batch", "record", "directory"):
        (out / target).mkdir(parents=True)
    for path in sorted((src / "wire/testdata").glob("*.hex")):
        for number, (target, data) in enumerate(seeds(bytes.fromhex(path.read_text()))):
            (out / target / f"{path.stem}-{number}").write_bytes(data)
    for path in (src / "coordinator/group/record/testdata").glob("*.txt"):
        for name, data in group_records(path.read_text().splitlines()):
            (out / "record" / name).write_bytes(data)
    for kafka in (src / "storage/testdata").glob("kafka-*"):
        for name, data in directories(kafka):
            (out / "directory" / name).write_bytes(data)


if __name__ == "__main__":
    main()
