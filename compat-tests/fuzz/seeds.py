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


# Of the files of the target `directory`: what only a clean end leaves.
MARKER = ".kafka_cleanshutdown"


def directories(kafka, files):
    """Names and inputs for the target `directory`: some segments of the directory that Kafka has left in `kafka`. The target
    knows each of `files` by its number."""

    def some(wanted):
        said = b""
        for number, name in enumerate(files):
            path = kafka / name
            if wanted(name) and path.exists():
                data = path.read_bytes()
                said += struct.pack(">BH", number, len(data)) + data
        return said

    def base(name):
        digits = name.rpartition("/")[2].partition(".")[0]
        return int(digits) if digits.isdigit() else None

    clean = some(lambda name: name == MARKER)
    for name, bases in (("older", (0, 6, 12)), ("newest", (15,)), ("gap", (0, 12))):
        left = some(lambda file: file != MARKER and base(file) in (None, *bases))
        # Bits of the first byte: is it left clean, may it be repaired, is it compacted?
        yield f"{name}-0", b"\x00" + left
        yield f"{name}-1", b"\x01" + left + clean
        yield f"{name}-5", b"\x05" + left + clean


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
    files = (src / "storage/fuzz/files.txt").read_text().splitlines()
    for kafka in (src / "storage/testdata").glob("kafka-*"):
        for name, data in directories(kafka, files):
            (out / "directory" / name).write_bytes(data)


if __name__ == "__main__":
    main()
