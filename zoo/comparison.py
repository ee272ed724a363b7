"""One photo, several checkpoints: choose them, run them, and remember the work.

`Segmenter` keeps the models and results last used, each made once however many visitors ask for it at the same time.
A `Comparison` is what one visitor sees; `zoo.presentation` puts it into the forms that the page needs.
"""

from __future__ import annotations

import hashlib
import importlib
import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from zoo.catalog import name_of
from zoo.checkpoint_info import CheckpointInfo
from zoo.labels import LabelSet
from zoo.page import Message
from zoo.segment import (
    Decoded,
    ImageError,
    Segmentation,
    confidence_levels,
    encode_confidence,
    encode_mask,
    segment,
)
from zoo.stages import Stage, stages
from zoo.titles import rank
from zoo.waiting import Amount, watched

if TYPE_CHECKING:
    import torch

    from zoo.fcn import FCN
    from zoo.inference import PlainEngine

MAXIMUM_PANELS = 9

logger = logging.getLogger("zoo")

IMPORTING = threading.Lock()  # torch imports itself in circles, over which two threads at once could trip


@dataclass(frozen=True)
class Memory:
    """How much work is kept: bytes of models, of results, and of ladders of rungs."""

    model_bytes: int = 1_500_000_000
    result_bytes: int = 32_000_000
    ladder_bytes: int = 32_000_000


class Once:
    """The values last used whose weights add up to at most `budget`, the last one whatever it weighs.

    Without `weigh` every value weighs 1. A value that several threads want at once is made by one of them.
    """

    def __init__(self, budget: int, weigh: Callable = lambda value: 1):
        self.budget, self.weigh, self.lock, self.entries = budget, weigh, threading.Lock(), OrderedDict()

    def get(self, key: Hashable, make: Callable):
        """The value for `key`, made by `make()` if it is not at hand; an error is raised and not remembered."""
        with self.lock:
            entry = self.entries.setdefault(key, {"lock": threading.Lock()})
        with entry["lock"]:
            try:
                if "value" not in entry:
                    value = make()
                    entry.update(value=value, weight=self.weigh(value))
            finally:
                with self.lock:
                    self.settle(key, entry)
            return entry["value"]

    def settle(self, key: Hashable, entry: dict):
        """Put a made value last and drop the first ones that exceed the budget; forget one that was not made."""
        if "value" in entry:
            self.entries[key] = entry
            self.entries.move_to_end(key)
        elif self.entries.get(key) is entry:
            del self.entries[key]
        made = [other for other, held in self.entries.items() if "value" in held]
        total = sum(self.entries[other]["weight"] for other in made)
        for other in made[:-1]:
            if total <= self.budget:
                break
            total -= self.entries.pop(other)["weight"]

    def __contains__(self, key: Hashable) -> bool:
        with self.lock:
            return "value" in self.entries.get(key, ())


@dataclass(frozen=True)
class Result:
    """What one checkpoint says of one photo: mask (H, W) uint8 and as PNG, `confidence_levels` (H, W) uint8.

    mean_confidence is in [0, 1]; precision is 'fp32' or 'bf16', in which the network worked.
    """

    info: CheckpointInfo
    mask: np.ndarray
    mask_png: bytes
    confidence: np.ndarray
    mean_confidence: float
    milliseconds: float
    precision: str

    @cached_property
    def confidence_png(self) -> bytes:
        """The confidence as PNG, which the page shows and the API does not ask for."""
        return encode_confidence(self.confidence)

    @cached_property
    def pixels(self) -> list[int]:
        """Number of pixels of each class."""
        return np.bincount(self.mask.ravel(), minlength=len(self.info.labels.classes)).tolist()


def model_bytes(model: torch.nn.Module) -> int:
    """Bytes that the parameters and buffers of a model take in memory."""
    return sum(tensor.numel() * tensor.element_size() for tensor in (*model.parameters(), *model.buffers()))


def result_bytes(result: Result | Rung) -> int:
    """Bytes that a result takes in memory, its largest parts counted twice for what is made of them later."""
    return 2 * (result.mask.nbytes + len(result.mask_png))


@dataclass(frozen=True)
class Rung:
    """One score map inside a checkpoint, ready for the page: its name, stride, mask (H, W) uint8, and PNGs."""

    name: str
    stride: int
    mask: np.ndarray
    mask_png: bytes
    confidence_png: bytes
    mean_confidence: float


class Segmenter:
    """Runs checkpoints on photos and keeps the models and results last used, as many as `memory` allows.

    `load` turns a CheckpointInfo into an `Engine` or a model in eval mode, and tells its second argument how many bytes
    of how many have come; `run` and `climb` are `zoo.segment.segment` and `zoo.stages.stages` or wrappers of them.
    """

    def __init__(
        self,
        load: Callable[[CheckpointInfo, Callable[[int, int], None]], FCN | PlainEngine],
        run: Callable = segment,
        climb: Callable = stages,
        memory: Memory | None = None,
    ):
        memory = memory or Memory()
        self.load, self.run, self.climb = load, run, climb
        self.models = Once(memory.model_bytes, model_bytes)
        self.results = Once(memory.result_bytes, result_bytes)
        self.ladders = Once(memory.ladder_bytes, lambda rungs: sum(map(result_bytes, rungs)))
        self.amounts: dict[tuple, Amount] = {}

    def model(self, info: CheckpointInfo) -> FCN | PlainEngine:
        """The model of a checkpoint."""
        with IMPORTING:
            importlib.import_module("zoo.inference")
        return self.models.get(version(info), lambda: self.make_model(info))

    def make_model(self, info: CheckpointInfo) -> FCN | PlainEngine:
        """Load a model, and keep what has come of it for every visitor who waits."""
        key = version(info)
        try:
            return self.load(info, lambda *amount: self.amounts.update({key: amount}))
        finally:
            self.amounts.pop(key, None)

    def coming(self, info: CheckpointInfo, digest: str) -> Iterator[Amount]:
        """Make a model in a thread unless it or its result is at hand, and tell how much of its download has come."""
        if version(info) not in self.models and work_key(info, digest) not in self.results:
            yield from watched(lambda: self.model(info), lambda: self.amounts.get(version(info)))

    def segment(self, info: CheckpointInfo, image: Image.Image, digest: str | None = None) -> Result:
        """The result of a checkpoint on an RGB image; equal weights and equal pixels are computed once.

        `digest` is the image's `pixel_digest`, where it is known.
        """
        key = work_key(info, digest or pixel_digest(image))
        return self.results.get(key, lambda: self.make_result(info, self.run(self.model(info), image)))

    def rungs(self, info: CheckpointInfo, image: Image.Image) -> list[Rung]:
        """The score maps inside a checkpoint for an RGB image, in the network's order; kept as results are."""
        return self.ladders.get(
            work_key(info, pixel_digest(image)),
            lambda: [make_rung(info, stage) for stage in self.climb(self.model(info), image)],
        )

    def make_result(self, info: CheckpointInfo, segmentation: Segmentation) -> Result:
        """Encode a segmentation once, for every visitor who asks for it."""
        return Result(
            info,
            segmentation.mask,
            encode_mask(segmentation.mask, info.labels),
            confidence_levels(segmentation.confidence),
            float(segmentation.confidence.mean()),
            segmentation.milliseconds,
            segmentation.precision,
        )


def make_rung(info: CheckpointInfo, stage: Stage) -> Rung:
    """Encode one score map once, for every visitor who asks for it."""
    mask_png = encode_mask(stage.mask, info.labels)
    confidence_png = encode_confidence(confidence_levels(stage.confidence))
    return Rung(stage.name, stage.stride, stage.mask, mask_png, confidence_png, float(stage.confidence.mean()))


@dataclass(frozen=True)
class Truth:
    """Ground truth of a photo: mask (H, W) uint8 of ids and void, and the label set they belong to."""

    mask: np.ndarray
    labels: LabelSet


@dataclass
class Comparison:
    """What one visitor compares: a photo, checkpoints in order, and per checkpoint its result or an error message.

    amounts: how much has come of a checkpoint that is being downloaded.
    """

    name: str
    decoded: Decoded
    infos: list[CheckpointInfo]
    truth: Truth | None = None
    results: dict[str, Result] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    amounts: dict[str, Amount] = field(default_factory=dict)

    def advance(self, segmenter: Segmenter) -> Iterator[None]:
        """Run the checkpoints one after the other, yielding after each and while one is downloaded.

        One that fails spoils no other.
        """
        image, digest = self.decoded.image, pixel_digest(self.decoded.image)
        for info in self.infos:
            name = name_of(info)
            try:
                for amount in segmenter.coming(info, digest):
                    self.amounts = {name: amount}
                    yield
                self.results[name] = segmenter.segment(info, image, digest)
            except Exception as error:  # whatever is wrong with one checkpoint belongs in its own panel
                logger.exception("checkpoint %s failed", name)
                self.errors[name] = error_text(error)
            self.amounts = {}
            yield

    def stop(self, message: str):
        """Mark every checkpoint that has not finished with `message`."""
        for info in self.infos:
            if name_of(info) not in self.results:
                self.errors.setdefault(name_of(info), message)


def error_text(error: Exception) -> str:
    """What an error says, as the Message that it carries where it has one."""
    return error.args[0] if error.args and isinstance(error.args[0], Message) else str(error)


def version(info: CheckpointInfo) -> tuple[str, str | None, str]:
    """What tells a checkpoint from every other: name, revision and weights."""
    return name_of(info), info.revision, info.sha256


def pixel_digest(image: Image.Image) -> str:
    """What equal images share: size and sha256 of their pixels."""
    return f"{image.width}x{image.height} {hashlib.sha256(image.tobytes()).hexdigest()}"


def work_key(info: CheckpointInfo, digest: str) -> tuple[str | None, ...]:
    """What equal work shares: the same weights and the same pixels."""
    return *version(info), digest


def choose(infos: dict[str, CheckpointInfo], names: list[str] | None) -> list[CheckpointInfo]:
    """The checkpoints called `names`, each once; raises ImageError for none, too many or an unknown one."""
    names = list(dict.fromkeys(names or []))
    if not names:
        raise ImageError(Message("error_no_checkpoint"))
    if len(names) > MAXIMUM_PANELS:
        raise ImageError(Message("error_many_checkpoints", maximum=MAXIMUM_PANELS))
    if unknown := [name for name in names if name not in infos]:
        raise ImageError(Message("error_unknown_checkpoint", name=unknown[0], names=", ".join(infos)))
    return [infos[name] for name in names]


def presets(infos: list[CheckpointInfo], scores: dict[str, dict]) -> dict[str, list[str]]:
    """Names of the checkpoints behind each preset; a preset that this set of checkpoints cannot fill is left out.

    `scores` gives the 'miou' of checkpoints by weights sha256, if known.
    ladder: FCN-32s, 16s, 8s that differ in nothing else; losses: one architecture with every loss it was trained with
    alike; best: the highest mIoU; all: the first `MAXIMUM_PANELS`. Where several sets would do, the longest and then
    the best scored is taken.
    """

    def score(info):
        return scores.get(info.sha256, {}).get("miou") or 0.0

    def longest(groups):
        filled = [group for group in groups if len(group) > 1]
        return max(filled, key=lambda group: (len(group), max(map(score, group))), default=[])

    infos = [info for info in infos if info.source != "torchvision"]  # they would all be downloaded
    ladders = group_by(infos, lambda info: (info.backbone_label, info.loss, info.dataset))
    losses = group_by(infos, lambda info: (info.variant, info.backbone_label, info.dataset, effort(info)))
    found = {
        "ladder": sorted(longest(ladders), key=rank),
        "losses": sorted(longest(losses), key=rank),
        "best": [max(infos, key=score)] if any(map(score, infos)) else [],
        "all": sorted(infos, key=rank)[:MAXIMUM_PANELS],
    }
    return {name: [name_of(info) for info in group] for name, group in found.items() if group}


def effort(info: CheckpointInfo) -> tuple[str, ...]:
    """What must be equal where losses are compared: how long, on what crops and how fast a checkpoint was trained."""
    return tuple(str(info.training.get(name)) for name in ("epochs", "batch_size", "crop", "learning_rate"))


def group_by(infos: list[CheckpointInfo], key: Callable) -> list[list[CheckpointInfo]]:
    """Checkpoints that share `key`, in their order."""
    groups = {}
    for info in infos:
        groups.setdefault(key(info), []).append(info)
    return list(groups.values())
