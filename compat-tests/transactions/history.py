"""What transactional applications wrote down, what was read of their topics, and what must hold of it.

apps/app.py describes the lines of the applications. The reader that follows everything (`watch`, read_committed) appends to the
same file `watch read TOPIC PARTITION OFFSET VALUE`, where VALUE is the record's. So the file says what had happened before what.
"""
from collections import Counter, defaultdict


class Transaction:
    def __init__(self, name, number, txid, places):
        self.tag, self.name, self.number, self.txid, self.places = f"{name}/{number}", name, number, txid, places
        self.asked = None  # for a commit, or an abort
        self.ended = None  # committed, aborted
        self.fenced = False  # whether somebody else had its id before it asked for its end


class History:
    def __init__(self, path):
        self.path, self.position = path, 0
        self.transactions = {}
        self.owner = {}  # transactional id: the application that had it last
        self.id_of = {}
        self.watched = defaultdict(list)  # (topic, partition): (offset, value)
        self.said = defaultdict(Counter)  # application: how often each verb
        self.errors = []
        self.wrong = []

    def read(self):
        """Takes in what was written since the last call."""
        with open(self.path, "rb") as file:
            file.seek(self.position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.position += len(line)
                self.take(line.decode())
        return self

    def take(self, line):
        name, verb, *words = line.split()
        self.said[name][verb if verb != "ended" else words[1]] += 1
        getattr(self, f"_{verb}")(name, *words)

    def _init(self, name, txid):
        self.owner[txid] = self.id_of[name] = name, txid

    def _sends(self, name, number, *places):
        txid = self.id_of[name][1]
        one = Transaction(name, int(number), txid, [split(place) for place in places])
        self.transactions[one.tag] = one

    def _ending(self, name, number, end):
        one = self.transactions[f"{name}/{number}"]
        one.asked = end
        one.fenced = self.owner[one.txid] != self.id_of[name]

    def _ended(self, name, number, end):
        self.transactions[f"{name}/{number}"].ended = end

    def _fenced(self, _name):
        pass

    def _anew(self, name, *words):
        self.errors.append(f"{name}: {' '.join(words)}")

    def _read(self, _name, topic, partition, offset, tag, index, source):
        place, offset = (topic, int(partition)), int(offset)
        seen = self.watched[place]
        if seen and offset <= seen[-1][0]:
            self.wrong.append(f"went-back: {place} {offset} was read after {seen[-1][0]}")
        seen.append((offset, (tag, int(index), source)))
        one = self.transactions.get(tag)
        if one is None or one.asked != "commit":
            self.wrong.append(f"precommitted-read: {tag} was read at {place} {offset} before anybody asked to commit it")

    def committed_by(self, prefix):
        """How many transactions the applications of this name have committed."""
        return sum(said["committed"] for name, said in self.said.items() if name.startswith(prefix))

    def in_doubt(self):
        return sum(one.asked == "commit" and one.ended is None for one in self.transactions.values())

    def problems(self, committed, uncommitted, copies):
        """Every breach. `committed` and `uncommitted` are {(topic, partition): [(offset, (tag, index, source))]} of readers of
        either isolation level who began at the beginning; `copies` is {output topic: input topics}."""
        found = list(self.wrong)
        found += self._offsets(committed, uncommitted)
        found += self._watch(committed)
        found += self._atomic(committed)
        found += self._once("log", uncommitted) + self._once("committed", committed)
        found += self._order("log", uncommitted)
        for output, inputs in copies.items():
            found += self._copies(committed, output, inputs)
        return found

    def _offsets(self, committed, uncommitted):
        """One offset has one value, whoever reads it."""
        for place in set(committed) | set(uncommitted) | set(self.watched):
            log = dict(uncommitted.get(place, []))
            for offset, value in committed.get(place, []) + self.watched.get(place, []):
                if log.get(offset) != value:
                    yield f"inconsistent-offset: {place} {offset} is {value} and {log.get(offset)}"

    def _watch(self, committed):
        """Who follows the log reads what stands in it at the end, nothing more and nothing less."""
        for place in set(committed) | set(self.watched):
            want, got = committed.get(place, []), self.watched.get(place, [])
            for missing in sorted(set(want) - set(got))[:1]:
                yield f"skipped: {place} {missing} was passed over by the reader that followed"
            for strange in sorted(set(got) - set(want))[:1]:
                yield f"vanished: {place} {strange} was read once, and is no longer there"

    def _atomic(self, committed):
        """All of a transaction or nothing, as it was ended, where it was sent to."""
        seen = defaultdict(dict)
        for place, records in committed.items():
            for _, (tag, index, _) in records:
                seen[tag][index] = place
        for tag in set(seen) - set(self.transactions):
            yield f"strange: {tag} was never begun"
        for tag, one in self.transactions.items():
            places = seen.get(tag, {})
            if any(index >= len(one.places) or one.places[index] != place for index, place in places.items()):
                yield f"strange: {tag} is where it was not sent to"
            if 0 < len(places) < len(one.places):
                yield f"torn: {len(places)} of {len(one.places)} records of {tag} ({one.asked}, {one.ended}) are committed"
            if one.ended == "committed" and len(places) < len(one.places):
                yield f"lost-write: {len(one.places) - len(places)} records of {tag}, which was committed"
            if one.ended == "aborted" and places:
                yield f"aborted-read: {len(places)} records of {tag}, which was aborted"
            if one.asked != "commit" and places:
                yield f"precommitted-read: {len(places)} records of {tag}, whose commit nobody asked for"
            if one.fenced and places:
                yield f"zombie: {tag} is committed, but {one.txid} had a new owner before"

    def _once(self, what, records):
        count = Counter((tag, index) for place in records.values() for _, (tag, index, _) in place)
        return [f"duplicate: record {index} of {tag} is {times} times in the {what}" for (tag, index), times in count.items() if times > 1]

    def _order(self, what, records):
        """What one application sent to one partition stands there in this order."""
        for place, in_place in records.items():
            last = {}
            for offset, (tag, index, _) in sorted(in_place):
                name, number = tag.rsplit("/", 1)
                if last.get(name, (0, 0)) >= (int(number), index):
                    yield f"order: {place} {offset} in the {what} is record {index} of {tag}, after {last[name]}"
                last[name] = int(number), index

    def _copies(self, committed, output, inputs):
        """Every committed record of the inputs is copied once, and in its order."""
        want = {(*place, offset) for place, records in committed.items() if place[0] in inputs for offset, _ in records}
        got = Counter()
        for place, records in committed.items():
            if place[0] != output:
                continue
            last = -1
            for offset, (tag, _, source) in sorted(records):
                got[split_source(source)] += 1
                source_offset = split_source(source)[2]
                if source_offset <= last:
                    yield f"copy-order: {place} {offset} ({tag}) is a copy of {source}, after {last}"
                last = source_offset
        lost, strange = sorted(want - set(got)), sorted(set(got) - want)
        if lost:
            yield f"lost-input: {output} has no copy of {len(lost)} of {len(want)} records, {lost[:3]}"
        if strange:
            yield f"strange-input: {output} has copies of {len(strange)} records that were not committed, {strange[:3]}"
        for source, times in got.items():
            if times > 1:
                yield f"input-twice: {output} has {times} copies of {source}"


def split(place):
    topic, partition = place.rsplit("/", 1)
    return topic, int(partition)


def split_source(source):
    topic, partition, offset = source.rsplit("/", 2)
    return topic, int(partition), int(offset)
