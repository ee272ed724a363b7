"""From a figure to its images: which images stand behind a class, a confusion, a sequence, an interval or a pair.

Everything follows from the stored per-image counts; nothing is measured anew. What a figure of the whole split would be
without one image (leave one out) tells how much that image weighs in it.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np

from evaluation.counting.confusion import class_iou, mean_of_defined, none_if_nan, ratio, totals
from evaluation.counting.images import image_mious
from evaluation.measuring.results import Result
from zoo.text import Message

MOST = 300  # images in an answer
# In which order the images of one row, and of two, can be had; the first is the usual one.
ORDERS = {1: ("worst", "pixels", "pulls", "best"), 2: ("decides", "first", "second", "disagreement")}


class DrillError(ValueError):
    """A question that cannot be answered; the message is one for people."""


@dataclass(frozen=True)
class Counted:
    """What was counted on each of n images of a row: matrices (n, C, C) of whole numbers C[target, prediction].

    dataset, split: what the result calls its images, whatever the row calls them.
    """

    dataset: str
    split: str
    classes: tuple[str, ...]
    image_ids: tuple[str, ...]
    sequences: tuple[str, ...]
    contents: tuple[str, ...]
    matrices: np.ndarray

    @classmethod
    def of(cls, result: Result) -> "Counted":
        """From a result with counts."""
        dataset, matrices = result.document["dataset"], result.counts.matrices
        narrow = matrices.astype(np.uint32) if matrices.max(initial=0) < 2**32 else matrices
        classes = tuple(dataset["classes"])
        names = result.image_ids, result.sequences, result.contents
        return cls(dataset["name"], dataset["split"], classes, *names, narrow)

    def matrices_like(self, first: "Counted") -> np.ndarray:
        """The matrices in the order of another row's images; DrillError where these are others."""
        if self.image_ids == first.image_ids and self.contents == first.contents:
            return self.matrices
        if not self.contents or sorted(self.contents) != sorted(first.contents):
            raise DrillError(Message("drill_other_images"))
        order = np.empty(len(first.contents), int)
        order[np.argsort(first.contents, kind="stable")] = np.argsort(self.contents, kind="stable")
        return self.matrices[order]


@dataclass(frozen=True)
class Question:
    """Which images: of one or two `rows` (keys); of a class, of its pixels predicted as another, of a sequence.

    label, prediction: names of classes or ''; sequence: its name or ''; order: one of `ORDERS`.
    """

    rows: tuple[str, ...]
    label: str = ""
    prediction: str = ""
    sequence: str = ""
    order: str = ""

    @classmethod
    def read(cls, asked: Mapping) -> "Question":
        """From what a browser sent; DrillError where that is no question."""
        rows = asked.get("rows")
        words = {name: asked.get(name) or "" for name in ("label", "prediction", "sequence", "order")}
        if not isinstance(rows, list) or not 1 <= len(rows) <= 2 or len(set(map(str, rows))) != len(rows):
            raise DrillError(Message("drill_unknown"))
        if not all(isinstance(text, str) for text in (*rows, *words.values())):
            raise DrillError(Message("drill_unknown"))
        return cls(tuple(rows), **words)


@dataclass(frozen=True)
class Measure:
    """What a question looks at: `of_images`, a score of each of (n, C, C) matrices, NaN where an image has none;
    `of_split`, that of summed (..., C, C) matrices; `pixels` (n,) that count against it; whether high is good.
    """

    kind: str
    of_images: Callable[[np.ndarray], np.ndarray]
    of_split: Callable[[np.ndarray], np.ndarray]
    pixels: Callable[[np.ndarray], np.ndarray]
    high_is_good: bool = True


def measure_of(question: Question, classes: tuple[str, ...]) -> Measure:
    """What `question` looks at; DrillError where it names a class that the row does not have."""
    wanted = [name for name in (question.label, question.prediction) if name]
    if any(name not in classes for name in wanted) or (question.prediction and not question.label):
        raise DrillError(Message("drill_unknown"))
    if not question.label:
        return Measure(
            "miou",
            image_mious,
            lambda matrices: mean_of_defined(class_iou(totals(matrices))),
            lambda matrices: matrices.sum((1, 2)) - np.trace(matrices, axis1=1, axis2=2),
        )
    label = classes.index(question.label)
    if not question.prediction:
        iou = _class_iou(label)
        return Measure("iou", iou, iou, lambda matrices: _wrong(matrices, label))
    prediction = classes.index(question.prediction)

    def share(matrices: np.ndarray) -> np.ndarray:
        return ratio(matrices[..., label, prediction], matrices[..., label, :].sum(-1))

    right = label == prediction
    return Measure(
        "recall" if right else "confusion",
        share,
        share,
        (lambda matrices: matrices[:, label].sum(-1) - matrices[:, label, label])
        if right
        else (lambda matrices: matrices[:, label, prediction]),
        high_is_good=right,
    )


def _class_iou(label: int) -> Callable[[np.ndarray], np.ndarray]:
    return lambda matrices: class_iou(totals(matrices))[..., label]


def _wrong(matrices: np.ndarray, label: int) -> np.ndarray:
    """Pixels of a class that were missed, and those that were taken for it."""
    hits = matrices[:, label, label]
    return matrices[:, label].sum(-1) + matrices[:, :, label].sum(-1) - 2 * hits


def drill(question: Question, counted: Mapping[str, Counted]) -> dict:
    """The images behind a question, in its order, JSON-ready.

    {"kind", "orders", "order", "high_is_good", "rows", "split": the figures of the split, one a row; "total" of images;
    "images": at most `MOST` of {"place" in the row's images, "name", "sequence", "scores" one a row, "difference",
    "pixels" that count against it, one a row, "without": by how much the figure (of two rows, their difference)
    changes without the image}}. Fractions in [0, 1], None where there is none. DrillError where a row is unknown.
    """
    if any(key not in counted for key in question.rows):
        raise DrillError(Message("drill_no_counts"))
    found = [counted[key] for key in question.rows]
    first = found[0]
    measure = measure_of(question, first.classes)
    matrices = [one.matrices_like(first).astype(np.int64) for one in found]
    scores = np.stack([measure.of_images(one) for one in matrices])  # (rows, n)
    pixels = np.stack([measure.pixels(one) for one in matrices])
    split = [measure.of_split(one.sum(0)) for one in matrices]
    left = np.stack([measure.of_split(one.sum(0)[None] - one) for one in matrices])  # without each image
    several = len(found) == 2
    lead = split[0] - split[1] if several else split[0]
    without = (left[0] - left[1] if several else left[0]) - lead
    keep = ~np.isnan(scores).all(0)
    if measure.kind == "confusion":
        keep &= pixels.sum(0) > 0  # images without any such pixel have nothing to show
    if question.sequence:
        keep &= np.asarray(first.sequences) == question.sequence
    order = question.order if question.order in ORDERS[len(found)] else ORDERS[len(found)][0]
    places = np.flatnonzero(keep)
    places = places[np.argsort(_rank(order, measure, scores, pixels, without, lead)[places], kind="stable")]
    difference = scores[0] - scores[-1]
    return {
        "kind": measure.kind,
        "orders": list(ORDERS[len(found)]),
        "order": order,
        "high_is_good": measure.high_is_good,
        "rows": list(question.rows),
        "split": [none_if_nan(float(value)) for value in split],
        "total": len(places),
        "images": [
            {
                "place": int(place),
                "name": first.image_ids[place],
                "sequence": first.sequences[place],
                "scores": [none_if_nan(float(value)) for value in scores[:, place]],
                "difference": none_if_nan(float(difference[place])) if several else None,
                "pixels": [int(count) for count in pixels[:, place]],
                "without": none_if_nan(float(without[place])),
            }
            for place in places[:MOST]
        ],
    }


def _rank(order: str, measure: Measure, scores, pixels, without, lead) -> np.ndarray:
    """A number for each image, smallest first; images without a score come last."""
    sign = 1 if measure.high_is_good else -1
    most = pixels.max() + 1
    if order in ("worst", "best"):
        turn = 1 if order == "worst" else -1
        found = turn * (sign * scores[0] - pixels[0] / most / 1e6)  # of equal scores, the one with more pixels at stake
    elif order == "pixels":
        found = -pixels[0].astype(float)
    elif order == "pulls":
        found = -sign * without
    elif order == "decides":
        found = (without if lead >= 0 else -without) + 0.0  # those that carry the lead: without them it shrinks
    else:
        difference = sign * np.nan_to_num(scores[0] - scores[1])
        found = {"first": -difference, "second": difference, "disagreement": -np.abs(difference)}[order]
    return np.where(np.isnan(found), np.inf, found)
