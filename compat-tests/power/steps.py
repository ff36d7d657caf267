"""A test that is a row of steps, each of which needs those before it."""

import os
import shutil
import tempfile

from device import Unavailable, check


def run(program, label, make, steps, node_of=lambda subject: subject):
    """Prints what came of each step of what `make(home)` answers, up to the first that fails; its node is there to be asked and ended."""
    try:
        check()
    except Unavailable as error:
        print(f"not ok {program}: {error}")
        print("end")
        return
    home = tempfile.mkdtemp(prefix=f"ottla-{program}-")
    subject = make(home)
    node = node_of(subject)
    try:
        for step in steps:
            name = f"{label}-{step.__name__.replace('_', '-')}"
            try:
                step(subject)
                print(f"ok {name}", flush=True)
            except Exception as error:  # noqa: BLE001 - a test program reports whatever went wrong
                log = node.log()[-500:].replace("\n", " ") if node.starts else ""
                print(f"not ok {name}: {type(error).__name__}: {error}; {log}".replace("\n", " "), flush=True)
                break
    finally:
        node.close()
        if not os.environ.get("KEEP"):
            shutil.rmtree(home, ignore_errors=True)
    print("end")
