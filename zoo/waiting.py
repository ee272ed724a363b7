"""Work in a thread of its own, so that whoever waits for it can tell how far it is."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import Future, wait

Amount = tuple[int, int]  # bytes that have come, bytes in all

TICK_SECONDS = 0.3


def watched(work: Callable[[], object], look: Callable[[], Amount | None]) -> Iterator[Amount]:
    """Run `work()` in a thread and yield what `look()` says whenever it has changed, every `TICK_SECONDS` at most.

    Raises what the work raises. Whoever leaves early leaves the work to itself.
    """
    outcome, last = Future(), None

    def run() -> None:
        try:
            outcome.set_result(work())
        except BaseException as error:  # raised again below, where the visitor's request is
            outcome.set_exception(error)

    threading.Thread(target=run, daemon=True, name="zoo-waiting").start()
    while not wait([outcome], TICK_SECONDS).done:
        amount = look()
        if amount and amount != last:
            last = amount
            yield amount
    outcome.result()
