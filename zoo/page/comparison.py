"""One photo, several checkpoints: choose them, run them, and remember the work.

`Segmenter` keeps the models and results last used, each made once however many visitors ask for it at the same time.
A `Comparison` is what one visitor sees; `zoo.page.values` puts it into the forms that the page needs.
"""

from __future__ import annotations

import hashlib
import logging
import math
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager, nullcontext
from dataclasses import dataclass, field, replace
from functools import cached_property, reduce
from itertools import pairwise

import numpy as np
from PIL import Image

from zoo.checkpoints.alike import trained_alike
from zoo.checkpoints.information import CheckpointInfo
from zoo.checkpoints.titles import rank
from zoo.config import MAXIMUM_PANELS
from zoo.hub.background import Amount, watched
from zoo.hub.once import Kept, Ledger, Once
from zoo.hub.requests import HubUnreachable
from zoo.images.encoding import confidence_levels, encode_confidence, encode_mask
from zoo.images.photo import Decoded, ImageError
from zoo.labels import LabelSet
from zoo.models.engine import Engine
from zoo.models.score_maps import Stage, stages
from zoo.models.segmentation import Segmentation, segment
from zoo.page.freshness import Asked
from zoo.text import Message, dataset_named
from zoo.working_size import network_side

STREETS = ("camvid", "cityscapes")  # datasets of nothing but streets

logger = logging.getLogger("zoo")

REMOTE = ("hub", "torchvision")  # sources whose weights may have to be downloaded


@dataclass(frozen=True)
class Memory:
    """How much work is kept: bytes of models, of results, and of ladders of rungs."""

    model_bytes: int = 1_500_000_000
    result_bytes: int = 32_000_000
    ladder_bytes: int = 32_000_000


class Alone:
    """The turns of work that shares the machine with none; a served page has its queue's in this place."""

    aside = staticmethod(nullcontext)  # a context in which there is nothing to do but wait for a download

    def between(self) -> bool:
        """Called between two forward passes; False where nobody wants the second any more."""
        return True


ALONE = Alone()


@dataclass(frozen=True)
class View:
    """How checkpoints see a photo and label it: arguments of `zoo.segment`, (width, height) of the masks and `size`."""

    mask_size: tuple[int, int]
    size: str | int = "trained"


@dataclass(frozen=True)
class Result:
    """What one checkpoint says of one photo: mask (H, W) uint8 and as PNG, `confidence_levels` (H, W) uint8.

    mean_confidence is in [0, 1]; precision is 'fp32', 'bf16' or 'int8', in which the network worked; working_size is
    (width, height) of what it saw; distance as in `zoo.segment`'s answer.
    """

    info: CheckpointInfo
    mask: np.ndarray
    mask_png: bytes
    confidence: np.ndarray
    mean_confidence: float
    milliseconds: float
    precision: str
    working_size: tuple[int, int]
    distance: float | None = None

    @cached_property
    def confidence_png(self) -> bytes:
        """The confidence as PNG, which the page shows and the API does not ask for."""
        return encode_confidence(self.confidence)

    @cached_property
    def pixels(self) -> list[int]:
        """Number of pixels of each class."""
        return np.bincount(self.mask.ravel(), minlength=len(self.info.labels.classes)).tolist()


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
    """Runs checkpoints on photos and keeps the engines and results last used, as many as `memory` allows.

    Results count in `ledger` too, beside what visitors look at. `load(info, progress)` gives a checkpoint's engine
    and tells `progress(done, total)` how many bytes have come; `run` and `climb` are `segment` and `stages`
    or wrappers of them.
    """

    def __init__(
        self,
        load: Callable[[CheckpointInfo, Callable[[int, int], None]], Engine],
        run: Callable = segment,
        climb: Callable = stages,
        memory: Memory | None = None,
        ledger: Ledger | None = None,
    ):
        memory, self.ledger = memory or Memory(), ledger or Ledger(math.inf)
        self.load, self.run, self.climb = load, run, climb
        self.models = Once(memory.model_bytes)
        self.results = Kept(memory.result_bytes, self.ledger)
        self.ladders = Kept(memory.ladder_bytes, self.ledger)
        self.amounts: dict[tuple, Amount] = {}
        self.waiting: Counter[tuple] = Counter()  # how many want a model that is not there yet
        self.counting = threading.Lock()
        self.turn = threading.Lock()  # one forward pass at a time: the machine's cores are one model's worth
        self.used = threading.Event()  # set whenever an engine is wanted, for whoever clears it

    def model(self, info: CheckpointInfo) -> Engine:
        """The engine of a checkpoint; whoever waits for a download learns from `amounts` how much of it has come."""
        self.used.set()
        with self.wanting(version(info)):
            return self.made(info)

    def coming(self, info: CheckpointInfo, digest: str, view: View) -> Iterator[Amount]:
        """Make a model in a thread unless it or its result is at hand, and tell how much of its download has come."""
        key = version(info)
        if key not in self.models and work_key(info, digest, view) not in self.results:
            with self.wanting(key):
                yield from watched(lambda: self.made(info), lambda: self.amounts.get(key))

    def made(self, info: CheckpointInfo) -> Engine:
        """As `model`, without wanting it: the work of a thread that nobody may be waiting for any more."""
        key = version(info)
        with self.models.at(key) as slot:
            if slot.empty:
                try:
                    engine = self.load(info, lambda *amount: self.note(key, amount))
                finally:
                    self.amounts.pop(key, None)
                slot.put(engine, engine.nbytes)
            return slot.value

    @contextmanager
    def wanting(self, key: tuple) -> Iterator[None]:
        """Count one more who wants a model, in the block."""
        with self.counting:
            self.waiting[key] += 1
        try:
            yield
        finally:
            with self.counting:
                self.waiting[key] -= 1
                if not self.waiting[key]:
                    del self.waiting[key]

    def note(self, key: tuple, amount: Amount) -> None:
        """Remember how much of a model has come; raises HubUnreachable, which ends the download, if all have left."""
        if key not in self.waiting:
            raise HubUnreachable(Message("hub_given_up"))
        self.amounts[key] = amount

    def segment(
        self, info: CheckpointInfo, image: Image.Image, digest: str | None = None, view: View | None = None
    ) -> Result:
        """The result of a checkpoint on an RGB image; equal weights, pixels and views are computed once.

        `digest` is the image's `pixel_digest`, where it is known.
        """
        view = view or View(image.size)
        with self.results.at(work_key(info, digest or pixel_digest(image), view)) as slot:
            if slot.empty:
                result = self.compute(info, image, **vars(view))
                slot.put(result, result_bytes(result))
            return slot.value

    def compute(self, info: CheckpointInfo, image: Image.Image, **view) -> Result:
        """The result of a checkpoint on an RGB image, computed now, when it is this thread's turn, and not kept."""
        model = self.model(info)
        with self.turn:
            segmentation = self.run(model, image, **view)
        return make_result(info, segmentation)

    def rungs(self, info: CheckpointInfo, image: Image.Image, view: View | None = None) -> list[Rung]:
        """The score maps inside a checkpoint for an RGB image, in the network's order; kept as results are."""
        view = view or View(image.size)
        with self.ladders.at(work_key(info, pixel_digest(image), view)) as slot:
            if slot.empty:
                model = self.model(info)
                with self.turn:
                    found = self.climb(model, image, **vars(view))
                rungs = [make_rung(info, stage) for stage in found]
                slot.put(rungs, sum(map(result_bytes, rungs)))
            return slot.value

    def rest(self) -> None:
        """Let the engines at hand give back what their passes needed, once none runs."""
        with self.turn:
            for engine in self.models.values():
                engine.rest()

    def forget(self, digest: str) -> None:
        """Drop everything that was kept of an image with this `pixel_digest`."""
        for kept in (self.results, self.ladders):
            kept.forget(lambda key: digest in key)


def make_result(info: CheckpointInfo, segmentation: Segmentation) -> Result:
    """Encode a segmentation once, for every visitor who asks for it."""
    return Result(
        info,
        segmentation.mask,
        encode_mask(segmentation.mask, info.labels),
        confidence_levels(segmentation.confidence),
        float(segmentation.confidence.mean()),
        segmentation.milliseconds,
        segmentation.precision,
        segmentation.working_size,
        segmentation.distance,
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

    @cached_property
    def png(self) -> bytes:
        """The mask as indexed PNG."""
        return encode_mask(self.mask, self.labels)


@dataclass
class Comparison:
    """What one visitor compares: a photo, checkpoints in order, and per checkpoint its result or an error message.

    amounts: how much has come of a checkpoint that is being downloaded; frames: what stays the same of what is shown of
    it, by language, made by `zoo.page.values`; example: its name, where the photo is one; refused: why the ground truth
    that was brought is not used; asked: what this answers; view: by default as trained, masks as the photo is
    displayed; files: what was made of it to fetch; digest: of the photo's pixels; finished: names of the results that
    it had when it let go of them, and of the photo, which is None then.
    """

    name: str
    decoded: Decoded | None
    infos: list[CheckpointInfo]
    truth: Truth | None = None
    results: dict[str, Result] = field(default_factory=dict)
    errors: dict[str, str] = field(default_factory=dict)
    amounts: dict[str, Amount] = field(default_factory=dict)
    frames: dict[str, dict] = field(default_factory=dict)
    seen: dict[int | None, Image.Image] = field(default_factory=dict)
    example: str | None = None
    refused: Message | None = None
    asked: Asked | None = None
    files: list[str] = field(default_factory=list)
    view: View | None = None
    finished: tuple[str, ...] = ()
    recalling: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def __post_init__(self):
        self.view = self.view or View(self.decoded.display.size)

    @cached_property
    def digest(self) -> str:
        """`pixel_digest` of the photo, which outlives its pixels."""
        return pixel_digest(self.decoded.image)

    @property
    def unlike(self) -> tuple[Message, ...]:
        """That the photo is unlike what the checkpoints know, where most of those that can tell say so."""
        return unlike(list(self.results.values()))

    @property
    def notes(self) -> tuple[str, ...]:
        """What the person should know of the photo and its ground truth."""
        refused = (Message("note_truth_refused", reason=self.refused),) if self.refused else ()
        return (*refused, *self.decoded.notes)

    def advance(self, segmenter: Segmenter, turns: Alone = ALONE, seconds: float = math.inf) -> Iterator[None]:
        """Run the checkpoints one after the other, yielding after each and while one is downloaded.

        One that fails spoils no other. `turns` lets others have theirs during downloads and between two passes; after
        `seconds`, that time left out, no further checkpoint is begun.
        """
        digest, left = self.digest, seconds
        for info in self.infos:
            if info is not self.infos[0] and not turns.between():
                return
            name, begin = info.offered_as, time.monotonic()
            if left <= 0:
                self.stop(Message("error_time_up", seconds=round(seconds)))
                yield
                return
            try:
                with turns.aside() if info.source in REMOTE else nullcontext():
                    for amount in segmenter.coming(info, digest, self.view):
                        self.amounts = {name: amount}
                        yield
                begin = time.monotonic()
                self.results[name] = segmenter.segment(info, self.seen_by(info), digest, self.view)
            except Exception as error:  # whatever is wrong with one checkpoint belongs in its own panel
                logger.exception("checkpoint %s failed", name)
                self.errors[name] = error_text(error)
            left -= time.monotonic() - begin
            self.amounts = {}
            yield

    def own_masks(self, segmenter: Segmenter, turns: Alone = ALONE) -> dict[str, bytes]:
        """The finished checkpoints' masks at the photo's own size, as PNG by name; made now if that is another size.

        `turns` as in `advance`.
        """
        view = replace(self.view, mask_size=self.decoded.own_size)
        if view == self.view:
            return {name: result.mask_png for name, result in self.results.items()}
        found = {}
        for name, result in self.results.items():
            if found and not turns.between():
                break
            found[name] = segmenter.segment(result.info, self.seen_by(result.info), self.digest, view).mask_png
        return found

    def seen_by(self, info: CheckpointInfo) -> Image.Image:
        """The photo at the size at which a checkpoint sees it, which `zoo.segment` then leaves as it is."""
        if info.working_size not in self.seen:
            side = network_side(info.working_size, self.decoded.image.size, self.view.size)
            self.seen[info.working_size] = self.decoded.seen(side)
        return self.seen[info.working_size]

    def let_go(self) -> None:
        """Drop everything that `zoo.page.offer.Offer.recall` makes again: pixels, masks, and what shows them."""
        if self.decoded is None:
            return
        self.finished, _ = tuple(self.results), self.digest
        self.decoded = self.truth = None
        self.results, self.frames, self.seen = {}, {}, {}

    def stop(self, message: str):
        """Mark every checkpoint that has not finished with `message`."""
        for info in self.infos:
            if info.offered_as not in self.results:
                self.errors.setdefault(info.offered_as, message)


def most_say_unlike(distances: list[float | None]) -> bool:
    """Whether most of the checkpoints that can tell find a photo unlike what they know; None for one that cannot."""
    known = [distance for distance in distances if distance is not None]
    return 2 * sum(distance > 1 for distance in known) > len(known)


def unlike(results: list[Result]) -> tuple[Message, ...]:
    """That a picture is unlike what these results' checkpoints know, where most of those that can tell say so."""
    if not most_say_unlike([result.distance for result in results]):
        return ()
    streets = all(result.info.dataset in STREETS for result in results)
    first, *others = (dataset_named(name) for name in sorted({result.info.labels.title for result in results}))
    datasets = reduce(lambda found, other: Message("datasets_and", first=found, second=other), others, first)
    return (Message("note_unlike_streets") if streets else Message("note_unlike", datasets=datasets),)


def error_text(error: Exception) -> Message:
    """What an error says, a Message: the one that it carries, or a sentence that quotes what a library says."""
    if error.args and isinstance(error.args[0], Message):
        return error.args[0]
    return Message("error_quoted", reason=str(error).strip() or type(error).__name__)


def version(info: CheckpointInfo) -> tuple[str, str | None, str]:
    """What tells a checkpoint from every other: name, revision and weights."""
    return info.offered_as, info.revision, info.sha256


def pixel_digest(image: Image.Image) -> str:
    """What equal images share: size and sha256 of their pixels."""
    return f"{image.width}x{image.height} {hashlib.sha256(image.tobytes()).hexdigest()}"


def work_key(info: CheckpointInfo, digest: str, view: View) -> tuple:
    """What equal work shares: the same weights, the same pixels and the same view of them."""
    return *version(info), digest, view


def choose(infos: dict[str, CheckpointInfo], names: list[str] | None) -> list[CheckpointInfo]:
    """The checkpoints called `names`, each once; raises ImageError for none, too many or an unknown one."""
    if not isinstance(names or [], list) or not all(isinstance(name, str) for name in names or []):
        raise ImageError(Message("error_checkpoint_names"))
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
    alike; best: the highest mIoU; all: the best and the first others, `MAXIMUM_PANELS` in all. Where several sets would
    do, the longest is taken, then one of the dataset that most checkpoints know, then a ladder whose smallest step is
    the largest, so that it is seen, and then the best scored. Scores are compared on the same
    images alone: those that most of these checkpoints were measured on.
    """

    def score(info):
        return scores.get(info.sha256, {}).get("miou") or 0.0

    def alike(info):
        return trained_alike(info.training, info.loss)

    infos = [info for info in infos if info.source != "torchvision"]  # they would all be downloaded
    common = Counter(info.dataset for info in infos)

    def images(info):
        return tuple(scores[info.sha256].get(name) for name in ("dataset", "split"))

    def longest(groups, told=lambda group: 0.0):
        def worth(group):
            return len(group), common[group[0].dataset], told(group), max(map(score, group))

        return max([group for group in groups if len(group) > 1], key=worth, default=[])

    def smallest_step(group):
        found = [score(info) for info in sorted(group, key=rank)]
        return min(after - before for before, after in pairwise(found)) if all(found) else 0.0

    most = [info for info in infos if common[info.dataset] == max(common.values())]
    rivals = max(group_by([info for info in most if score(info)], images), key=len, default=[])
    ladders = group_by(infos, lambda info: (info.backbone_label, info.loss, info.trained_on))
    told = [info for info in infos if alike(info)]
    losses = group_by(told, lambda info: (info.variant, info.backbone_label, info.trained_on, alike(info)))
    best = [max(rivals, key=score)] if rivals else []
    others = [info for info in sorted(infos, key=rank) if info not in best]
    found = {
        "ladder": sorted(longest(ladders, smallest_step), key=rank),
        "losses": sorted(longest(losses), key=rank),
        "best": best,
        "all": sorted([*best, *others[: MAXIMUM_PANELS - len(best)]], key=rank),
    }
    return {name: [info.offered_as for info in group] for name, group in found.items() if group}


def group_by(infos: list[CheckpointInfo], key: Callable) -> list[list[CheckpointInfo]]:
    """Checkpoints that share `key`, in their order."""
    groups = {}
    for info in infos:
        groups.setdefault(key(info), []).append(info)
    return list(groups.values())
