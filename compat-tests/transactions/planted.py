"""The checker of histories finds what is planted: in a small history where each breach has its name, and in a real one."""
import copy
import random

from history import History

EVENTS = """\
w.1 init W
w.1 sends 1 in/0 in/1 in/0
w.1 ending 1 commit
w.1 ended 1 committed
watch read in 0 0 w.1/1 0 -
watch read in 0 1 w.1/1 2 -
watch read in 1 0 w.1/1 1 -
w.1 sends 2 in/0 in/1
w.1 ending 2 abort
w.1 ended 2 aborted
w.1 sends 3 in/0 in/1
w.1 ending 3 commit
watch read in 0 5 w.1/3 0 -
watch read in 1 4 w.1/3 1 -
w.1 sends 4 in/0
w.2 init W
w.1 ending 4 commit
w.2 sends 1 in/0
w.2 ending 1 commit
w.2 ended 1 committed
watch read in 0 9 w.2/1 0 -
c.1 init C
c.1 sends 1 out/0 out/0 out/1
c.1 ending 1 commit
c.1 ended 1 committed
watch read out 0 0 c.1/1 0 in/0/0
watch read out 0 1 c.1/1 1 in/0/1
watch read out 1 0 c.1/1 2 in/1/0
c.1 sends 2 out/0 out/1 out/0
c.1 ending 2 commit
c.1 ended 2 committed
watch read out 0 3 c.1/2 0 in/0/5
watch read out 0 4 c.1/2 2 in/0/9
watch read out 1 2 c.1/2 1 in/1/4
"""
COPIES = {"out": ["in"]}
ABORTED = {("in", 0): [(3, ("w.1/2", 0, "-")), (7, ("w.1/4", 0, "-"))], ("in", 1): [(2, ("w.1/2", 1, "-"))]}


def small(events=EVENTS):
    """The history of the events, and what its readers saw."""
    history = History("")
    for line in events.splitlines():
        history.take(line)
    committed = copy.deepcopy(dict(history.watched))
    log = {place: sorted(records + ABORTED.get(place, [])) for place, records in committed.items()}
    return history, committed, log


def names(history, committed, log, copies=COPIES):
    return {problem.split(":")[0] for problem in history.problems(committed, log, copies)}


def everywhere(change, *readers):
    """The same change to what each reader saw."""
    for reader in readers:
        change(reader)


def breaches():
    """Name, what it must be found as, and how it is planted into (history, committed, log)."""

    def see(place, record):
        return lambda history, committed, log: everywhere(
            lambda reader: reader.update({place: sorted({*reader[place], record})}), history.watched, committed, log
        )

    def lose(place, *offsets):
        return lambda history, committed, log: everywhere(
            lambda reader: reader.update({place: [one for one in reader[place] if one[0] not in offsets]}), history.watched, committed, log
        )

    def of_committed(place, change):
        return lambda history, committed, log: committed.update({place: change(committed[place])})

    yield "one record of a committed transaction is lost", "lost-write", lose(("in", 0), 1)
    yield "a part of a transaction in doubt is lost", "torn", lose(("in", 0), 5)
    yield "a record is there twice", "duplicate", see(("in", 0), (11, ("w.1/1", 0, "-")))
    yield "an aborted record is read", "aborted-read", see(("in", 0), (3, ("w.1/2", 0, "-")))
    yield "a fenced transaction is read", "zombie", see(("in", 0), (7, ("w.1/4", 0, "-")))
    yield "nobody wrote it", "strange", see(("in", 0), (11, ("w.7/1", 0, "-")))
    yield "it is in another partition", "strange", see(("in", 1), (11, ("w.2/1", 0, "-")))
    yield "two values at one offset", "inconsistent-offset", of_committed(("in", 0), lambda records: [(0, ("w.2/1", 0, "-")), *records[1:]])
    yield "the reader that followed missed one", "skipped", lambda history, committed, log: history.watched[("in", 0)].pop()
    yield "what was read is gone", "vanished", of_committed(("in", 0), lambda records: records[:-1])
    yield "an input is copied twice", "input-twice", see(("out", 0), (9, ("c.1/2", 3, "in/0/9")))
    yield "an input is not copied", "lost-input", lose(("out", 0), 4)
    yield "copies are out of order", "copy-order", see(("out", 0), (9, ("c.1/2", 3, "in/0/1")))
    yield "an aborted input is copied", "strange-input", see(("out", 0), (9, ("c.1/2", 3, "in/0/3")))


def find_all():
    """What of the planted breaches is not found, or found where nothing is planted."""
    missed = [] if not names(*small()) else [f"a good history: {names(*small())}"]
    for what, name, plant in breaches():
        readers = small()
        plant(*readers)
        if name not in names(*readers):
            missed.append(f"{what}: not {name} but {names(*readers)}")
    for what, name, events in [
        ("records change places", "order", EVENTS.replace("watch read in 0 0 w.1/1 0", "watch read in 0 0 w.1/1 2").replace("0 1 w.1/1 2", "0 1 w.1/1 0")),
        ("an open transaction is read", "precommitted-read", EVENTS.replace("w.1 ending 3 commit\n", "")),
        ("it is read before the end is asked for", "precommitted-read", EVENTS.replace("w.1 ending 3 commit\n", "").replace("w.1 sends 4", "w.1 ending 3 commit\nw.1 sends 4")),
        ("a reader goes back", "went-back", EVENTS + "watch read out 1 0 c.1/1 2 in/1/0\n"),
    ]:
        if name not in names(*small(events)):
            missed.append(f"{what}: not {name} but {names(*small(events))}")
    return missed


def find_in(history, committed, log, copies):
    """Removes, and doubles, one record in eight places of a real history that has no breach; what is not found."""
    dice, missed = random.Random(len(log)), []
    places = [place for place, records in committed.items() if records]
    for turn in range(8):
        place = dice.choice(places)
        records, at = committed[place], dice.randrange(len(committed[place]))
        if turn % 2:
            planted = records[:at] + records[at + 1 :]
        else:
            planted = [*records, (records[-1][0] + 1, records[at][1])]
        if not history.problems(committed | {place: planted}, log, copies):
            missed.append(f"{place} {records[at]}")
    return missed
