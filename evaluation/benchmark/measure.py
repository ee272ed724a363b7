"""What every section of the benchmark shares: its settings, its rows, and timing in turns."""

import statistics
import time
from collections.abc import Callable
from dataclasses import dataclass

import torch

from evaluation.datasets import SegmentationDataset


@dataclass(frozen=True)
class Settings:
    """What is measured, and for how long.

    checkpoint: name of a bundled checkpoint; model: its network; dataset: None where no data was named;
    quick: sizes and counts so small that the figures say nothing, for a check that the command works.
    """

    checkpoint: str
    model: torch.nn.Module
    dataset: SegmentationDataset | None
    device: torch.device
    precision: str
    batch_size: int
    rounds: int
    quick: bool


@dataclass(frozen=True)
class Row:
    """One measured value; `goal` says what it should be, if anything."""

    what: str
    value: float
    unit: str = ""
    goal: str = ""


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
