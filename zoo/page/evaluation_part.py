"""What the page needs of evaluation: the live board and the scores of a mask.

`app.py` hands it in, so that nothing in zoo imports evaluation.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from zoo.hub.settings import HubSettings
from zoo.labels import LabelSet
from zoo.text import Message


class Board(Protocol):
    """The leaderboard of a running page: `payload()` answers at once, `refresh()` reads the Hub's results."""

    settings: HubSettings

    def payload(self) -> dict: ...

    def refresh(self, *, force: bool = False, wait: float = 0.0) -> dict: ...

    def notes(self) -> tuple[Message, ...]: ...


class Drill(Protocol):
    """From figures to images: `images(asked)` lists them, `picture(asked)` gives one with its mask, and its counts.

    Both raise ValueError with a Message where they are asked for what is not there.
    """

    def images(self, asked: dict) -> dict: ...

    def picture(self, asked: dict) -> tuple[Any, list[tuple[str, np.ndarray]]]: ...


@dataclass(frozen=True)
class Evaluation:
    """The board, and functions of evaluation.

    score_mask(mask, truth, classes, void): JSON-ready scores of one (H, W) mask of ids; count(mask, truth): its counts,
    which add up, and score_counts(counts, classes, void) their scores.
    count_masks(predictions, truth, labels): per-image counts of two zips of masks, by their paths; definitions(counts,
    claimed, language): as Markdown, what they score by each definition of mIoU, and which of them a figure is ('' for
    none). drill: from the leaderboard's figures to images.
    """

    board: Board
    score_mask: Callable[[np.ndarray, np.ndarray, tuple[str, ...], int], dict]
    count: Callable[[np.ndarray, np.ndarray], np.ndarray]
    score_counts: Callable[[np.ndarray, tuple[str, ...], int], dict]
    count_masks: Callable[[str, str, LabelSet], np.ndarray]
    definitions: Callable[[np.ndarray, str, str], str]
    drill: Drill
