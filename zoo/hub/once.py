"""Values that are made once however many threads ask for them, and what is remembered under a budget of bytes.

`Once` keeps values that are the same for everybody. A `Ledger` counts what several holders remember, comparisons of
visitors above all: a part that two of them share counts once, and pixels count as Pillow stores them. What was not used
for longest goes first; a holder has a method `let_go`, and makes again what it is asked for afterwards.
"""

import threading
import weakref
from collections import Counter, OrderedDict, deque
from collections.abc import Callable, Hashable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, is_dataclass
from typing import Any

import numpy as np
from PIL import Image

from zoo.checkpoints.information import CheckpointInfo
from zoo.labels import LabelSet

SMALL = 1000  # bytes: smaller parts are counted together, as `REST`
REST = 20_000  # bytes of a holder's small parts
EVERYBODYS = (CheckpointInfo, LabelSet, Callable, type(None), int, float)  # of the catalog, or of no weight
NARROW = {"1": 1, "L": 1, "P": 1, "I;16": 2}  # bytes of a pixel; Pillow stores all other modes in four

Parts = dict[int, tuple[object, int]]  # by id: the part, kept so that its id stays its own, and its bytes


class Slot:
    """The place of one value: empty until `put`."""

    def __init__(self):
        self.lock, self.value, self.weight, self.empty = threading.Lock(), None, 0, True

    def put(self, value: Any, weight: int = 1) -> Any:
        """Keep a value that weighs so much of the budget; gives it back."""
        self.value, self.weight, self.empty = value, weight, False
        return value


class Once:
    """The values last used whose weights add up to at most `budget`, the last one whatever it weighs."""

    def __init__(self, budget: int):
        self.budget, self.lock, self.slots = budget, threading.Lock(), OrderedDict()

    @contextmanager
    def at(self, key: Hashable) -> Iterator[Slot]:
        """The slot of `key`, for this thread alone: whoever finds it empty makes the value and puts it there.

        A slot that is left empty, by an error for example, is forgotten.
        """
        with self.lock:
            slot = self.slots.setdefault(key, Slot())
        with slot.lock:
            try:
                yield slot
            finally:
                with self.lock:
                    self._settle(key, slot)

    def get(self, key: Hashable, make: Callable[[], Any]) -> Any:
        """The value for `key`, made by `make()` if it is not at hand; an error is raised and not remembered."""
        with self.at(key) as slot:
            return slot.put(make()) if slot.empty else slot.value

    def forget(self, unwanted: Callable[[Hashable], bool]) -> None:
        """Drop the values whose key is `unwanted`."""
        with self.lock:
            for key in [key for key, slot in self.slots.items() if unwanted(key) and not slot.empty]:
                del self.slots[key]

    def _settle(self, key: Hashable, slot: Slot) -> None:
        """Put a full slot last and drop the first ones that exceed the budget."""
        if not slot.empty:
            self.slots[key] = slot
            self.slots.move_to_end(key)
        elif self.slots.get(key) is slot:
            del self.slots[key]
        full = [other for other, held in self.slots.items() if not held.empty]
        total = sum(self.slots[other].weight for other in full)
        for other in full[:-1]:
            if total <= self.budget:
                break
            total -= self.slots.pop(other).weight

    def __contains__(self, key: Hashable) -> bool:
        with self.lock:
            return key in self.slots and not self.slots[key].empty

    def values(self) -> list:
        """The values at hand."""
        with self.lock:
            return [slot.value for slot in self.slots.values() if not slot.empty]


def parts(*values: Any) -> Parts:
    """The parts of values that take more than `SMALL` bytes: arrays, images, text and bytes inside of containers."""
    found: Parts = {}
    waiting = list(values)
    while waiting:
        value = waiting.pop()
        if isinstance(value, EVERYBODYS):
            continue
        if isinstance(value, dict):
            waiting += value.values()
        elif isinstance(value, list | tuple):
            waiting += value
        elif is_dataclass(value):
            waiting += vars(value).values()  # what was computed and is remembered too
        elif (size := weight(value)) > SMALL:
            owner = value.base if isinstance(value, np.ndarray) and isinstance(value.base, np.ndarray) else value
            found[id(owner)] = owner, max(size, weight(owner))
    return found


def weight(value: object) -> int:
    """Bytes of an array, an image, or text; 0 of anything else."""
    if isinstance(value, np.ndarray):
        return value.nbytes
    if isinstance(value, Image.Image):
        return value.width * value.height * NARROW.get(value.mode, 4)
    return len(value) if isinstance(value, bytes | str) else 0


@dataclass
class Entry:
    """One holder, known weakly, and what it holds."""

    holder: weakref.ref
    parts: Parts


class Ledger:
    """Who holds what. `total` never exceeds `budget` but by what calls that run need at this moment.

    freed: bytes that were let go since somebody set it to 0.
    """

    def __init__(self, budget: float):
        self.budget, self.lock = budget, threading.RLock()
        self.entries: OrderedDict[int, Entry] = OrderedDict()  # by id of the holder, the one used last at the end
        self.users: Counter[int] = Counter()
        self.shares: Counter[int] = Counter()  # how many holders have a part
        self.counted, self.freed, self.dead = 0, 0, deque()

    @property
    def total(self) -> int:
        """Bytes that are held."""
        with self.lock:
            self._bury()
            return self.counted

    @property
    def in_use(self) -> int:
        """Bytes that calls need which run at this moment, parts that they share counted for each."""
        with self.lock:
            self._bury()
            used = [entry for key, entry in self.entries.items() if self.users[key]]
            return sum(size for entry in used for _, size in entry.parts.values())

    def hold(self, holder: Any, held: Parts) -> None:
        """Note what a holder has now, in place of what it had; others, or it itself, may have to let go."""
        key = id(holder)
        with self.lock:
            self._bury()
            before = self.freed
            self._leave(key)
            self.freed = before
            # A holder may die while this or another lock is held: its end is only noted.
            self.entries[key] = Entry(weakref.ref(holder, lambda _: self.dead.append(key)), held)
            for part, (_, size) in held.items():
                self.counted += size if not self.shares[part] else 0
                self.shares[part] += 1
            self.counted += REST
            self._settle()

    @contextmanager
    def using(self, holder: Any) -> Iterator[None]:
        """Whatever the holder has stays while the block runs."""
        key = id(holder)
        with self.lock:
            self.users[key] += 1
            if key in self.entries:
                self.entries.move_to_end(key)
        try:
            yield
        finally:
            with self.lock:
                self.users[key] -= 1
                self.users += Counter()  # forgets those that are 0
                self._settle()

    def dismiss(self, holder: Any) -> None:
        """Let a holder go unless it is in use."""
        with self.lock:
            if not self.users[id(holder)] and self._leave(id(holder)):
                holder.let_go()

    def _settle(self) -> None:
        self._bury()
        for key in list(self.entries):
            if self.counted <= self.budget:
                return
            if not self.users[key]:
                holder = self.entries[key].holder()
                self._leave(key)
                if holder is not None:
                    holder.let_go()

    def _bury(self) -> None:
        while self.dead:
            self._leave(self.dead.popleft())

    def _leave(self, key: int) -> bool:
        entry = self.entries.pop(key, None)
        if entry is None:
            return False
        for part, (_, size) in entry.parts.items():
            self.shares[part] -= 1
            if not self.shares[part]:
                del self.shares[part]
                self.counted -= size
                self.freed += size
        self.counted -= REST
        return True


class Kept(Once):
    """`Once` whose values are also counted in a ledger, which may drop them."""

    def __init__(self, budget: int, ledger: Ledger):
        super().__init__(budget)
        self.ledger = ledger

    @contextmanager
    def at(self, key: Hashable) -> Iterator[Slot]:
        """As of `Once`; the ledger is told when the slot is left."""
        with super().at(key) as slot:
            yield slot
        if not slot.empty:
            slot.let_go = lambda: self.forget(lambda other: other == key)
            self.ledger.hold(slot, parts(slot.value))
