"""The images behind figures, where they lie on this machine: those of the user's folders, and the bundled examples.

An image is shown for a row only when it and its mask are, by content, what the row was measured on. Files are found by
name and compared when they are opened.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from threading import Lock

import numpy as np

from evaluation.board.drill import Counted, DrillError, Question, drill
from evaluation.board.rows import row_keys
from evaluation.counting.content import image_digest
from evaluation.datasets import DATASETS, DatasetError, SegmentationDataset, open_dataset
from evaluation.datasets.folder import SPLITS
from zoo.images import examples
from zoo.labels import LabelSet
from zoo.text import Message

MOST_FOLDERS = 50  # that are looked into


@dataclass(frozen=True)
class Measured:
    """An image (H, W, 3) uint8 and its mask (H, W) uint8 of ids and void, as they were measured."""

    name: str
    image: np.ndarray
    mask: np.ndarray
    labels: LabelSet


class Pictures:
    """The images in `folder`, if there is one, and the bundled examples. Safe from any thread.

    The folder holds a data set in its own layout, or one such folder for each data set.
    """

    def __init__(self, folder: Path | None = None):
        self._folder = folder
        self._opened: dict[tuple[str, str], tuple[SegmentationDataset, ...]] = {}
        self._lock = Lock()

    def there(self, counted: Counted) -> frozenset[str]:
        """Names of a row's images of which there is a file here."""
        return frozenset(name for dataset in self._datasets(counted) for name in dataset.image_ids)

    def read(self, counted: Counted, place: int) -> Measured | None:
        """The image at a place of a row's images; None where its file is not here, is broken, or holds another one."""
        name = counted.image_ids[place]
        for dataset in self._datasets(counted):
            if name not in dataset.image_ids:
                continue
            index = dataset.image_ids.index(name)
            try:
                image, mask = dataset.image(index), dataset.mask(index)
            except DatasetError:
                continue
            same = counted.contents and image_digest(image, mask, dataset.labels.void) == counted.contents[place]
            if same and dataset.labels.classes == counted.classes:
                return Measured(name, image, mask, dataset.labels)
        return None

    def _datasets(self, counted: Counted) -> tuple[SegmentationDataset, ...]:
        key = counted.dataset, counted.split
        with self._lock:
            if key not in self._opened:
                found = [opened for folder in places(self._folder) if (opened := _opened(folder, *key))]
                own = self._examples
                self._opened[key] = (*found, own) if own.labels.name == counted.dataset else tuple(found)
            return self._opened[key]

    @cached_property
    def _examples(self) -> SegmentationDataset:
        known = [example for example in examples.examples() if example.truth]
        names = tuple(example.name for example in known)
        sequences = tuple(name.split("_")[0] for name in names)
        photos, masks = tuple(example.photo for example in known), tuple(example.truth for example in known)
        return SegmentationDataset("examples", "", known[0].labels, names, sequences, photos, masks)


def _opened(folder: Path, name: str, split: str) -> SegmentationDataset | None:
    """The split of a data set in a folder, in that data set's layout or that of own data; None where it is neither."""
    for layout in (name, "folder"):
        if layout in DATASETS:
            try:
                return open_dataset(layout, folder, split)
            except (DatasetError, OSError):
                continue
    return None


def places(folder: Path | None) -> list[Path]:
    """Where data sets may lie in a folder: itself, and the folders in it."""
    if folder is None:
        return []
    inside = [path for path in sorted(folder.iterdir()) if path.is_dir() and path.name not in SPLITS]
    return [folder, *inside[:MOST_FOLDERS]]


def readable_splits(folder: Path) -> list[str]:
    """Which data sets and splits a folder holds, as 'camvid val'; empty where it holds none that can be opened."""
    return [
        f"{name} {split}"
        for place in places(folder)
        for name in DATASETS
        for split in ("train", "val", "test")
        if _opened(place, name, split)
    ]


class DrillDown:
    """Answers a page's questions: which images stand behind a figure, and what one of them holds.

    `board()` gives the leaderboard's `rows.Payload`; one without counts answers no question. What a browser sends is
    read as the work of strangers.
    """

    def __init__(self, board: Callable[[], dict], pictures: Pictures):
        self._board, self._pictures = board, pictures

    def images(self, asked: dict) -> dict:
        """`drill`'s answer to a question as a browser asks it, each image with "shown": whether its file is here.

        Raises DrillError where that is no question, or nothing was counted.
        """
        question, counted = Question.read(asked), self._counted()
        found = drill(question, counted)
        there = self._pictures.there(counted[question.rows[0]])
        return found | {"images": [one | {"shown": one["name"] in there} for one in found["images"]]}

    def picture(self, asked: dict) -> tuple[Measured | None, list[tuple[str, np.ndarray]]]:
        """The image at "place" of the rows asked for, and of each row (weights sha256, stored matrix of that image).

        Raises DrillError where there is no such row or place.
        """
        question, counted, place = Question.read(asked), self._counted(), asked.get("place")
        if any(key not in counted for key in question.rows):
            raise DrillError(Message("drill_no_counts"))
        first = counted[question.rows[0]]
        if not isinstance(place, int) or not 0 <= place < len(first.image_ids):
            raise DrillError(Message("drill_unknown"))
        board = self._board()
        rows = dict(zip(row_keys(board["rows"]), board["rows"], strict=True))
        stored = [(rows[key]["sha256"], counted[key].matrices_like(first)[place]) for key in question.rows]
        return self._pictures.read(first, place), stored

    def _counted(self) -> dict[str, Counted]:
        return getattr(self._board(), "counted", {})
