"""A history of transactional applications and of what was done to them, judged."""
import os
import re
import shutil
import subprocess
import tempfile

import planted
from harness import equal
from scenario import Hanging, Scenario

HISTORY_SECONDS = int(os.environ.get("HISTORY_SECONDS", "0"))
CLIENTS = ["librdkafka", "java", "franz_go"]


def one_after_the_other(faults):
    def happens(scenario):
        for fault in faults:
            getattr(scenario, fault)()
            scenario.goes_on(fault.replace("_", " "))

    exactly_once(happens)


def at_random(faults):
    exactly_once(lambda scenario: scenario.at_random(HISTORY_SECONDS, faults))


def exactly_once(happens):
    with tempfile.TemporaryDirectory() as folder:
        scenario = Scenario(CLIENTS, folder, broker)
        try:
            scenario.start()
            scenario.goes_on("the start")
            happens(scenario)
            committed, uncommitted, copies = scenario.settle()
            problems = scenario.history.read().problems(committed, uncommitted, copies)
            scenario.summary()
            for error in scenario.history.errors[:3]:
                print(f"  {error}")
            known = kafkas_own(problems)
            equal(sorted(set(problems) - known)[:4], [], f"{len(problems)} problems")
            if not known:
                equal(planted.find_in(scenario.history, committed, uncommitted, copies), [], "planted and not found")
        except Hanging as error:
            if not given_up_by_kafka():
                keep(folder)
                raise
            print(f"  Kafka gave up markers, and nothing more can be judged: {str(error)[:80]}", flush=True)
        except Exception:
            keep(folder)
            raise
        finally:
            scenario.end()


def keep(folder):
    if os.environ.get("KEEP"):
        shutil.copytree(folder, os.environ["KEEP"], dirs_exist_ok=True)


def given_up_by_kafka():
    """Whose markers Kafka gave up when its only broker ended or started; FINDINGS.md."""
    skipped = set()
    if os.environ.get("SUBJECT_IS") == "oracle":
        for name in ("earlier.log", "server.log"):
            with open(f"{os.environ['BROKER_DIR']}/{name}", encoding="utf-8", errors="replace") as log:
                skipped |= set(re.findall(r"while trying to send transaction markers for \S+-history-(\S+), these", log.read()))
    return skipped


def kafkas_own(problems):
    """The problems of such transactions."""
    skipped = given_up_by_kafka()
    if not skipped:
        return set()
    outputs = {f"-history-{label.split('-')[0]} " for label in skipped if "-copy" in label}
    known = {problem for problem in problems if any(f"{label}." in problem for label in skipped) or any(one in problem for one in outputs)}
    print(f"  Kafka gave up markers of {sorted(skipped)}: {len(known)} problems are its own", flush=True)
    return known


def broker(how):
    """Ends the broker and starts it again: `restart` lets it stop, `kill` does not; `cut` cuts the power of its disk."""
    words = {"restart": [], "kill": ["kill"], "cut": []}[how]
    script = os.environ["POWER_RESTART" if how == "cut" else "RESTART"]
    subprocess.run([*script.split(), *words], check=True, stdout=subprocess.DEVNULL, timeout=180)
