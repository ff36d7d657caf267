"""What the Python suites share: inputs, and a runner that prints the lines which `tally` of lib.sh reads."""
import os
import random
import signal
import sys
import time
import traceback

BOOTSTRAP = os.environ["BOOTSTRAP"]
LABEL = os.environ.get("LABEL", "")
CASE_SECONDS = int(os.environ.get("CASE_SECONDS", "60"))
RUN = f"{os.environ.get('SUITE', 'python')}-{int(time.time())}-{os.getpid()}"
CODECS = ["none", "gzip", "snappy", "lz4", "zstd"]

_cases = []


def case(function):
    """Registers a test; its name is the function's, with dashes."""
    _cases.append((function.__name__.replace("_", "-"), function))
    return function


def each(values):
    """Registers one test per value."""

    def register(function):
        for value in values:
            _cases.append((f"{function.__name__.replace('_', '-')}-{value}", lambda value=value: function(value)))
        return function

    return register


def topic(name):
    """A topic name that no other run uses."""
    return f"{RUN}-{name}"


def rows(count, seed=1, value_bytes=200):
    """`count` (key, value) pairs: text, random bytes, keys with every byte value, some null keys, some empty values."""
    rng = random.Random(seed)
    out = []
    for n in range(count):
        key = [
            f"key-{n}".encode(),
            rng.randbytes(rng.randrange(1, 30)),
            None,
            f"ключ-{n}-鍵-🔑".encode(),
            bytes(range(256)),
        ][n % 5]
        value = [
            rng.randbytes(rng.randrange(1, value_bytes)),
            f"значение {n} 値 🙂 ".encode() * rng.randrange(1, 9),
            b"",
            b"a line that repeats and repeats\n" * rng.randrange(1, 20),
        ][n % 4]
        out.append((key, value))
    return out


def eventually(check, seconds=20):
    """Polls until `check()` is true; its last answer is returned."""
    deadline = time.monotonic() + seconds
    while True:
        answer = check()
        if answer or time.monotonic() > deadline:
            return answer
        time.sleep(0.05)


def equal(got, want, what="value"):
    if got != want:
        raise AssertionError(f"{what}: want {_short(want)}, got {_short(got)}")


def raises(kind, check, call):
    """`call` must raise `kind`, and `check(error)` must hold."""
    try:
        answer = call()
    except kind as error:
        if not check(error):
            raise AssertionError(f"another error than expected: {error!r}") from error
        return error
    raise AssertionError(f"no error, but {_short(answer)}")


def main():
    """Runs every case (or those whose names stand on the command line); each has CASE_SECONDS."""

    def expired(*_):
        raise TimeoutError(f"more than {CASE_SECONDS} s")

    signal.signal(signal.SIGALRM, expired)
    wanted = sys.argv[1:]
    for name, function in _cases:
        if wanted and name not in wanted:
            continue
        signal.alarm(CASE_SECONDS)
        full = f"{LABEL}{name}"
        try:
            function()
            signal.alarm(0)
            print(f"ok {full}", flush=True)
        except BaseException as error:  # noqa: BLE001 - a test program reports whatever went wrong
            signal.alarm(0)
            line = next((f.lineno for f in reversed(traceback.extract_tb(error.__traceback__)) if "suite" in f.filename), 0)
            why = f"{type(error).__name__}: {error}".replace("\n", " ")[:600]
            print(f"not ok {full}: line {line}: {why}", flush=True)
    print("end", flush=True)


def _short(value):
    text = repr(value)
    return text if len(text) <= 300 else f"{text[:200]}... ({len(text)} characters)"
