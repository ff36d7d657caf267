"""What the members of one group wrote down, and what must hold of it.

The lines of all members stand in one file in the order of their writing, and a member writes `give` before it tells the broker.
So the file alone says who owned which partition when.
"""
from collections import defaultdict


class History:
    def __init__(self, path):
        self.path, self.position = path, 0
        self.owner = {}
        self.committed = defaultdict(int)
        self.next = {}
        self.identities = set()
        self.closed, self.errors = set(), []
        self.wrong = []
        self.records = self.repeated = self.rebalances = self.commits = self.anew = 0

    def note(self, line):
        with open(self.path, "ab") as file:
            file.write((line + "\n").encode())

    def read(self):
        """Takes in what was written since the last call."""
        with open(self.path, "rb") as file:
            file.seek(self.position)
            for line in file:
                if not line.endswith(b"\n"):
                    break
                self.position += len(line)
                name, verb, *words = line.decode().split()
                getattr(self, f"_{verb}")(name, *words)
        return self

    def owned(self):
        """Member: its partitions."""
        owned = defaultdict(list)
        for index, name in self.owner.items():
            owned[name].append(index)
        return dict(owned)

    def problems(self, sent):
        """Every breach of the promises; `sent` are the records that the broker acknowledged."""
        lost = sent - self.identities
        return self.wrong + ([f"{len(lost)} of {len(sent)} records were never read, {sorted(lost)[:3]}"] if lost else [])

    def summary(self, sent):
        anew = f", {self.anew} times a member began anew" if self.anew else ""
        return f"{len(sent)} records, {self.repeated} read again, {self.rebalances} assignments, {self.commits} commits{anew}"

    def _own(self, name, *indexes):
        self.rebalances += 1
        for index in map(int, indexes):
            if self.owner.get(index, name) != name:
                self.wrong.append(f"{name} got partition {index} while {self.owner[index]} owned it")
            self.owner[index] = name
            self.next[index] = None

    def _give(self, name, *indexes):
        for index in map(int, indexes):
            if self.owner.get(index) == name:
                del self.owner[index]

    def _read(self, name, index, offset, identity):
        index, offset = int(index), int(offset)
        if self.owner.get(index) != name:
            self.wrong.append(f"{name} read {index}@{offset} without owning it")
        follows = self.next.get(index)
        if follows is None and offset < self.committed[index]:
            self.wrong.append(f"{name} began partition {index} at {offset}, before the committed {self.committed[index]}")
        if follows is not None and offset != follows:
            self.wrong.append(f"{name} read {index}@{offset} after {follows - 1}")
        self.next[index] = offset + 1
        self.records += 1
        self.repeated += identity in self.identities
        self.identities.add(identity)

    def _commit(self, _name, index, offset):
        self.commits += 1
        self.committed[int(index)] = max(self.committed[int(index)], int(offset))

    def _anew(self, name):
        self.anew += 1
        self._killed(name)

    def _closed(self, name):
        self.closed.add(name)
        self._killed(name)

    def _killed(self, name):
        self._give(name, *[index for index, owner in self.owner.items() if owner == name])

    def _error(self, name, *words):
        self.errors.append(f"{name}: {' '.join(words)}")
