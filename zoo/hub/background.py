"""Work in a thread of its own, so that whoever waits for it can tell how far it is, and locks for it."""

import contextlib
import contextvars
import threading
import time
from collections.abc import Callable, Hashable, Iterator
from concurrent.futures import Future, wait

Amount = tuple[int, int]  # bytes that have come, bytes in all

TICK_SECONDS = 0.3
BEAT_SECONDS = 2.0


def start(work: Callable[[], object], name: str) -> Future:
    """Run `work()` in a daemon thread called `name`; its value or error is in the Future once it is done."""
    outcome, context = Future(), contextvars.copy_context()

    def run() -> None:
        try:
            outcome.set_result(context.run(work))
        except BaseException as error:  # raised again where somebody asks for the value
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True, name=name).start()
    return outcome


def watched(work: Callable[[], object], look: Callable[[], Amount | None]) -> Iterator[Amount]:
    """Run `work()` in a thread and yield what `look()` says whenever it has changed, every `TICK_SECONDS` at most.

    It is said again every `BEAT_SECONDS`, so that a reader who has gone is noticed. Raises what the work raises. A
    reader who leaves early leaves the work to itself.
    """
    outcome, last, said = start(work, "zoo-waiting"), None, 0.0
    while not wait([outcome], TICK_SECONDS).done:
        amount = look()
        if amount and (amount != last or time.monotonic() - said > BEAT_SECONDS):
            last, said = amount, time.monotonic()
            yield amount
    outcome.result()


class Locks:
    """One lock per key, forgotten when nobody holds or wants it."""

    def __init__(self):
        self._guard, self._entries = threading.Lock(), {}

    @contextlib.contextmanager
    def hold(self, key: Hashable, seconds: float = -1) -> Iterator[None]:
        """Hold the lock of `key` in the block. Raises TimeoutError when it is not free within `seconds`."""
        with self._guard:
            entry = self._entries.setdefault(key, [threading.Lock(), 0])
            entry[1] += 1
        try:
            if not entry[0].acquire(timeout=seconds):
                raise TimeoutError
            try:
                yield
            finally:
                entry[0].release()
        finally:
            with self._guard:
                entry[1] -= 1
                if not entry[1]:
                    del self._entries[key]

    def __len__(self) -> int:
        return len(self._entries)
