"""The two sides of `against.py`: another commit and this code, each in a folder of its own, and what both are asked."""

import os
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path


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
    kept = {name: value for name, value in os.environ.items() if not name.startswith("FCN_ZOO_")}
    return kept | {"PYTHONPATH": str(side.folder)}
