"""What the page offers: the checkpoints of the catalog with their scores, and the work that is done with them.

`Offer` knows nothing of the page's framework; `app.py` ties it to events. `added` is always one visitor's own
checkpoints by name: they are offered to that visitor alone.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from PIL import Image

from zoo.checkpoints.information import CheckpointInfo
from zoo.config import FCNConfig
from zoo.hub.catalog import Catalog
from zoo.hub.once import Ledger, parts, weight
from zoo.images import examples
from zoo.images.photo import FULL_LONG_SIDE, LONG_SIDE, ImageError
from zoo.images.workers import decode_image, decode_truth
from zoo.models.score_maps import stages
from zoo.models.segmentation import segment
from zoo.page.comparison import Comparison, Segmenter, Truth, View, choose, presets
from zoo.page.controls import picker_value
from zoo.page.freshness import Asked
from zoo.text import Message, in_language
from zoo.working_size import LARGER, SIZES

logger = logging.getLogger("zoo")

SPLIT_ORDER = {"val": 0, "test": 1, "train": 3}  # the first is what a checkpoint is known by; others come in between


class Offer:
    """The checkpoints on offer and their scores; `board()` gives the leaderboard's payload, one dict until it changes.

    `run` and `climb` are `segment` and `stages` or wrappers of them.
    """

    def __init__(self, catalog: Catalog, board: Callable[[], dict], run: Callable = segment, climb: Callable = stages):
        self.catalog = catalog
        self.read_board, self.scored = board, (None, {})
        # The other half is for what the allocator keeps between two passes, and for what decoding leaves in pieces.
        self.ledger = Ledger(catalog.settings.memory_megabytes * 1e6 / 2)
        self.segmenter = Segmenter(catalog.load_engine, run, climb, ledger=self.ledger)

    @property
    def board(self) -> dict:
        """The leaderboard's payload at this moment."""
        return self.read_board()

    @property
    def scores(self) -> dict[str, dict]:
        """The leaderboard's row of each checkpoint by weights sha256; of several rows, the first."""
        board, scored = self.board, self.scored
        if board is not scored[0]:
            self.scored = scored = board, scores_of(board["rows"])  # replaced as one, since visitors' threads read it
        return scored[1]

    @property
    def infos(self) -> dict[str, CheckpointInfo]:
        """The checkpoints on offer to everyone at this moment, by the name that the catalog gives them."""
        snapshot = self.catalog.snapshot()
        return {info.offered_as: info for info in (*snapshot.checkpoints, *snapshot.baselines)}

    def default_names(self) -> list[str]:
        """The checkpoints ticked at first: the ladder, or the first one there is."""
        infos = self.infos
        return presets(list(infos.values()), self.scores).get("ladder") or list(infos)[:1]

    def warm_up(self):
        """Read the leaderboard and segment the first example, so that the first visitor need not wait.

        A request that comes meanwhile waits for what it needs, and for no more than that.
        The first pass of a model on an image size is slow and its time says little; the one that is kept comes after.
        What is downloaded when a visitor picks it is not made ready.
        """
        logger.debug("the leaderboard has %d results", len(self.scores))
        infos = self.infos
        ready = [infos[name] for name in self.default_names() if infos[name].source != "torchvision"]
        with Image.open(examples.examples()[0].photo) as photo:
            for info in ready:
                engine = self.segmenter.model(info)
                with self.segmenter.turn:
                    segment(engine, photo)
                self.segmenter.segment(info, photo)
            if ready and isinstance(ready[-1].config, FCNConfig):
                self.segmenter.rungs(ready[-1], photo)  # of the last one, whose inside is shown below the masks

    def prepare(
        self,
        path: str | None,
        names: list[str],
        truth_path: str | None = None,
        added: dict[str, CheckpointInfo] | None = None,
        size: str = "trained",
        own_size: bool = False,
    ) -> Comparison:
        """Decode the photo and its ground truth, if any; raises ImageError for a photo or checkpoints of no use.

        Ground truth that cannot be used is left out, and the comparison says why. `size` is one of
        `zoo.working_size.SIZES`. Masks are as large as the photo is displayed, or with `own_size` as it was sent.
        """
        infos = choose((added or {}) | self.infos, names)
        return self.read(Asked(path or None, frozenset(names), truth_path or None, size), infos, own_size)

    def read(self, asked: Asked, infos: list[CheckpointInfo], own_size: bool = False) -> Comparison:
        """The comparison that is asked for, its files decoded and nothing computed. Raises ImageError."""
        path, size = asked.photo, asked.size
        if any(given and not Path(given).is_file() for given in (path, asked.truth)):
            raise ImageError(Message("error_expired"))
        decoded = decode_image(path, widest_view(infos, size))
        if (used := self.ledger.in_use) and used + weight(decoded.image) > self.ledger.budget:
            raise ImageError(Message("error_memory"))
        view = View(decoded.own_size if own_size else decoded.display.size, size)
        decoded = replace(decoded, notes=decoded.notes_at(view.mask_size))
        try:
            example = examples.match(Path(path).read_bytes())
        except FileNotFoundError:  # it was deleted meanwhile
            raise ImageError(Message("error_expired")) from None
        work = Comparison(example.name if example else Path(path).stem, decoded, infos, view=view)
        work.example, work.asked = example and example.name, asked
        try:
            if asked.truth:
                work.truth = Truth(decode_truth(asked.truth, infos[0].labels, decoded), infos[0].labels)
            elif example and example.truth:
                work.truth = Truth(decode_truth(example.truth, example.labels, decoded), example.labels)
        except ImageError as error:  # the masks are wanted all the same, and no truth of another file beside them
            work.refused = error.args[0]
        return work

    def remember(self, work: Comparison) -> None:
        """Count what a comparison holds now; what was not used for longest may have to go for it."""
        self.ledger.hold(work, parts(work.decoded, work.results, work.truth, work.frames, work.seen))

    def recall(self, work: Comparison) -> None:
        """Make again what a comparison let go of, if it did. Raises ImageError where its files have gone."""
        with work.recalling:
            if work.decoded is None:
                again = self.read(work.asked, work.infos)
                for info in work.infos:
                    if info.offered_as in work.finished:
                        found = self.segmenter.segment(info, again.seen_by(info), again.digest, again.view)
                        again.results[info.offered_as] = found
                work.results, work.truth, work.seen, work.decoded = (
                    again.results,
                    again.truth,
                    again.seen,
                    again.decoded,
                )
            self.remember(work)

    def picker(self, selected: list[str], language: str, added: dict[str, CheckpointInfo] | None = None) -> dict:
        """The value of the checkpoint list; names that are not on offer are not ticked."""
        infos = (added or {}) | self.infos
        return picker_value(list(infos.values()), self.scores, [name for name in selected if name in infos], language)

    def note(self, language: str) -> str:
        """The state of the Hub's part of the list, in one sentence."""
        return in_language(self.catalog.snapshot().note(), language)


def widest_view(infos: list[CheckpointInfo], size: str) -> int:
    """Long side in pixels to which a photo may be reduced for these checkpoints; ImageError for an unknown `size`."""
    if size not in SIZES:
        raise ImageError(Message("error_size", size=str(size)[:80], sizes=", ".join(SIZES)))
    seen = [round(LARGER * (info.working_size or 0)) for info in infos]
    return FULL_LONG_SIDE if size == "full" else max(LONG_SIDE, *seen)


def scores_of(rows: list[dict]) -> dict[str, dict]:
    """The row of each checkpoint by weights sha256, torchvision's by the eight digits known before a download.

    Of several rows it is the one on the data set that the checkpoint was trained on, on the split kept for that.
    """

    def place(row):
        foreign = row["dataset"] != row.get("training", {}).get("dataset", row["dataset"])
        return foreign, SPLIT_ORDER.get(row["split"], 2)

    found: dict[str, dict] = {}
    for row in sorted(rows, key=place):
        found.setdefault(row["sha256"][:8] if row["source"] == "torchvision" else row["sha256"], row)
    return found
