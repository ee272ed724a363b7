"""The two sides of `against.py`: another commit and this code, each in a folder of its own, and what both are asked."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from evaluation.benchmark.server import without_settings


class AgainstError(ValueError):
    """A comparison that cannot be made; the message says why."""


@dataclass(frozen=True)
class Side:
    """One of the two: `name` for the reader, `folder` with its code, and `scratch`, a folder of its own."""

    name: str
    folder: Path
    scratch: Path


@dataclass(frozen=True)
class Wanted:
    """What is compared: `data` is the folder of CamVid or '', `requests` are those before the memory is read.

    With `quick` sizes the figures say nothing.
    """

    checkpoint: str
    recipe: str
    data: str
    rounds: int
    requests: int
    quick: bool


Turn = Callable[[], dict[str, float]]


def environment(side: Side) -> dict[str, str]:
    """The variables of a process that works with a side's code, and knows no settings of the page."""
    return without_settings() | {"PYTHONPATH": str(side.folder)}
