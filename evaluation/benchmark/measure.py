"""What every section of the benchmark shares: its settings and its rows."""

from dataclasses import dataclass
from pathlib import Path

import torch

from evaluation.datasets import SegmentationDataset


@dataclass(frozen=True)
class Settings:
    """What is measured, and for how long.

    checkpoint: name of a bundled checkpoint; model: its network; dataset: None where no data was named;
    quick: sizes and counts so small that the figures say nothing, for a check that the command works; sessions and
    requests: of the section soak; into and families: of the section faults, the file that
    gets its table and what is attacked, all if none is named.
    """

    checkpoint: str
    model: torch.nn.Module
    dataset: SegmentationDataset | None
    device: torch.device
    precision: str
    batch_size: int
    rounds: int
    quick: bool
    sessions: int = 50
    requests: int = 2000
    into: Path | None = None
    families: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """One measured value; `goal` says what it should be, if anything."""

    what: str
    value: float
    unit: str = ""
    goal: str = ""
