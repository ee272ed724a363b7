"""Timing that compares: functions in turns, so that whatever else a machine does falls on all of them alike."""

import statistics
import time
from collections.abc import Callable


def in_turns(functions: dict[str, Callable[[], object]], rounds: int, warm_up: int = 2) -> dict[str, float]:
    """Median seconds of each function: all are called once per round, the first `warm_up` rounds do not count."""
    seconds = {name: [] for name in functions}
    for turn in range(warm_up + rounds):
        for name, function in functions.items():
            start = time.perf_counter()
            function()
            if turn >= warm_up:
                seconds[name].append(time.perf_counter() - start)
    return {name: statistics.median(values) for name, values in seconds.items()}
