"""What the page offers: the checkpoints of the catalog with their scores, and the work that is done with them.

`Offer` knows nothing of the page's framework; `app.py` ties it to events. `added` is always one visitor's own
checkpoints by name: they are offered to that visitor alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from PIL import Image

from zoo import examples
from zoo.additions import load_offered
from zoo.catalog import Catalog, name_of
from zoo.checkpoint_info import CheckpointInfo
from zoo.comparison import Comparison, Once, Segmenter, Truth, choose, presets
from zoo.controls import picker_value
from zoo.download import Progress
from zoo.page import Message, translate
from zoo.presentation import describe
from zoo.segment import FULL_LONG_SIDE, LONG_SIDE, ImageError, best_device, decode_image, segment
from zoo.stages import stages
from zoo.truth import decode_truth

if TYPE_CHECKING:
    from zoo.inference import PlainEngine

logger = logging.getLogger("zoo")

# What a program reads of a leaderboard row unless it asks for all of it.
LEADERBOARD_FIELDS = ("rank", "name", "variant", "loss", "backbone", "dataset", "split", "images", "sha256")
LEADERBOARD_FIELDS += ("miou", "miou_interval", "pixel_accuracy", "mean_accuracy", "frequency_weighted_iou")
LEADERBOARD_FIELDS += ("boundary_f", "class_iou", "parameters", "gmacs", "milliseconds", "device")


class Offer:
    """The checkpoints on offer and their scores; `board()` gives the leaderboard's payload, one dict until it changes.

    `run` and `climb` are `zoo.segment.segment` and `zoo.stages.stages` or wrappers of them.
    """

    def __init__(self, catalog: Catalog, board: Callable[[], dict], run: Callable = segment, climb: Callable = stages):
        self.catalog = catalog
        self.read_board, self.kept = board, Once(budget=2)
        self.segmenter = Segmenter(self.engine, run, climb)

    def engine(self, info: CheckpointInfo, progress: Progress | None = None) -> PlainEngine:
        """A checkpoint made ready for photos; `progress(done, total)` gets bytes if it has to be downloaded."""
        from zoo.inference import prepared  # with torch, which the page is served before

        return prepared(load_offered(self.catalog, info, progress), best_device())

    @property
    def board(self) -> dict:
        """The leaderboard's payload at this moment."""
        return self.read_board()

    @property
    def scores(self) -> dict[str, dict]:
        """The leaderboard's row of each checkpoint by weights sha256; of several rows, the first."""
        board = self.board
        # The board is kept beside its scores, so that no other one can get its id.
        return self.kept.get(id(board), lambda: (board, scores_of(board["rows"])))[1]

    @property
    def infos(self) -> dict[str, CheckpointInfo]:
        """The checkpoints on offer to everyone at this moment, by the name that the catalog gives them."""
        snapshot = self.catalog.snapshot()
        return {name_of(info): info for info in (*snapshot.checkpoints, *snapshot.baselines)}

    def default_names(self) -> list[str]:
        """The checkpoints ticked at first: the ladder, or the first one there is."""
        infos = self.infos
        return presets(list(infos.values()), self.scores).get("ladder") or list(infos)[:1]

    def warm_up(self):
        """Read the leaderboard, import torch, segment the first example, so that the first visitor need not wait.

        A request that comes meanwhile waits for what it needs, and for no more than that.
        The first pass of a model on an image size is slow and its time says little; the one that is kept comes after.
        """
        logger.debug("the leaderboard has %d results", len(self.scores))
        with Image.open(examples.examples()[0].photo) as photo:
            for info in choose(self.infos, self.default_names()):
                segment(self.segmenter.model(info), photo)
                self.segmenter.segment(info, photo)

    def prepare(
        self,
        path: str | None,
        names: list[str],
        truth_path: str | None = None,
        added: dict[str, CheckpointInfo] | None = None,
        full_resolution: bool = False,
    ) -> Comparison:
        """Decode the photo and its ground truth, if any; raises ImageError for input that cannot be used."""
        if any(given and not Path(given).is_file() for given in (path, truth_path)):
            raise ImageError(Message("error_expired"))
        decoded = decode_image(path, FULL_LONG_SIDE if full_resolution else LONG_SIDE)
        infos = choose((added or {}) | self.infos, names)
        example = examples.match(Path(path).read_bytes())
        truth = None
        if truth_path:
            truth = Truth(decode_truth(truth_path, infos[0].labels, decoded), infos[0].labels)
        elif example:
            truth = Truth(decode_truth(example.truth, example.labels, decoded), example.labels)
        return Comparison(example.name if example else Path(path).stem, decoded, infos, truth)

    def picker(self, selected: list[str], language: str, added: dict[str, CheckpointInfo] | None = None) -> dict:
        """The value of the checkpoint list; names that are not on offer are not ticked."""
        infos = (added or {}) | self.infos
        return picker_value(list(infos.values()), self.scores, [name for name in selected if name in infos], language)

    def note(self, language: str) -> str:
        """The state of the Hub's part of the list, in one sentence."""
        return translate(self.catalog.snapshot().note(), language)

    def checkpoints(self) -> list[dict]:
        """List the checkpoints that can segment an image; "segment" takes their names.

        Returns:
            Name, variant (fcn32s is the coarsest, fcn8s the finest), loss, dataset, classes, version and mIoU of each.
        """
        return [describe(info, self.scores) | {"classes": list(info.labels.classes)} for info in self.infos.values()]

    def leaderboard(self) -> dict:
        """Read the leaderboard: every evaluated checkpoint with its rank, mIoU, 95 % interval and cost.

        Returns:
            Rows in order of rank; metrics are fractions in [0, 1]. "leaderboard_details" has more.
        """
        return {"rows": [{key: row.get(key) for key in LEADERBOARD_FIELDS} for row in self.board["rows"]]}

    def leaderboard_details(self) -> dict:
        """Read everything that was measured of every evaluated checkpoint, and published figures of other work.

        Returns:
            Rows in order of rank with confusion matrix, calibration and provenance; paired differences; published rows
        """
        return self.board


def scores_of(rows: list[dict]) -> dict[str, dict]:
    """Rows by weights sha256, torchvision's by the eight digits that are known before a download."""
    return {row["sha256"][:8] if row["source"] == "torchvision" else row["sha256"]: row for row in reversed(rows)}
