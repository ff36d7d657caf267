#!/usr/bin/env python3
"""Seeded inputs for the kcat suite.

generate.py log BYTES FILE        an access log, one line per message
generate.py pairs COUNT FILE      binary keys and values between the delimiters that the suite gives to kcat
generate.py blob BYTES SEED FILE  random bytes
"""
import random
import sys

KEY_END = b"|:k:|"
MESSAGE_END = b"|:m:|"


def log(bytes_min, path):
    rng = random.Random(7)
    paths = [f"/api/v{rng.randrange(3)}/{rng.choice(['orders', 'users', 'Größe', '商品', 'search'])}/{rng.randrange(10**6)}" for _ in range(2000)]
    agents = ["Mozilla/5.0 (X11; Linux x86_64)", "curl/8.5.0", "kube-probe/1.29", "Go-http-client/2.0"]
    size = 0
    with open(path, "wb") as out:
        n = 0
        while size < bytes_min:
            lines = []
            for _ in range(20000):
                n += 1
                lines.append(
                    f"10.{rng.randrange(256)}.{rng.randrange(256)}.{n % 256} - - [{n:010d}] \"GET {paths[rng.randrange(2000)]} HTTP/1.1\" "
                    f"{200 if n % 17 else 503} {rng.randrange(100000)} \"{agents[n & 3]}\" {'x' * (n % 97)}\n"
                )
            block = "".join(lines).encode()
            out.write(block)
            size += len(block)


def pairs(count, path):
    rng = random.Random(11)
    with open(path, "wb") as out:
        for n in range(count):
            key = rng.randbytes(rng.randrange(1, 40)).replace(b"|", b"/")
            # Every byte value, NUL and newline included, stands in some key and some value.
            value = bytes((n + i) % 256 for i in range(rng.randrange(1, 600))).replace(b"|", b"/")
            out.write(key + KEY_END + value + MESSAGE_END)


def blob(size, seed, path):
    with open(path, "wb") as out:
        out.write(random.Random(seed).randbytes(size))


if __name__ == "__main__":
    kind, *rest = sys.argv[1:]
    if kind == "log":
        log(int(rest[0]), rest[1])
    elif kind == "pairs":
        pairs(int(rest[0]), rest[1])
    else:
        blob(int(rest[0]), int(rest[1]), rest[2])
