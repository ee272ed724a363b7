"""The project's one metric: scores from an int64 confusion matrix `C[target, prediction]`.

Pixels whose target is void are dropped and nothing else is. `IoU_c = C_cc / (sum C_c. + sum C_.c - C_cc)`: a class
that neither target nor prediction holds (empty union) is left out of the mean; a class that is never hit but has a
union counts as 0. Matrices are summed over the split before a ratio is taken; per-image IoUs are never averaged.
Same semantics as the FCN paper's `score.py`, cityscapesScripts and the VOC devkit. Torch is imported where pixels
are counted, so that stored counts can be scored, and the leaderboard shown, without it.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from zoo.text import counted

if TYPE_CHECKING:
    import torch


CHANCE = 0.05  # a kappa below this says that masks and predictions have nothing to do with one another


class LabelRangeError(ValueError):
    """A mask holds a value that is neither a class nor void."""


@dataclass(frozen=True)
class Scores:
    """Scores in [0, 1]; NaN where nothing can be measured (no labelled pixel, class with an empty union).

    The first four are the FCN paper's pixel accuracy, mean accuracy, mean IoU and frequency-weighted IoU; `dice` is
    the mean of the per-class Dice over classes with a non-empty union.
    """

    pixel_accuracy: float
    mean_accuracy: float
    miou: float
    frequency_weighted_iou: float
    dice: float
    class_iou: dict[str, float]
    class_dice: dict[str, float]
    class_accuracy: dict[str, float]

    def to_dict(self) -> dict:
        """A JSON-ready dict in which NaN is None."""
        return {
            name: {key: none_if_nan(score) for key, score in value.items()}
            if isinstance(value, dict)
            else none_if_nan(value)
            for name, value in vars(self).items()
        }


def none_if_nan(value: float) -> float | None:
    """The float itself, or None when it is NaN (JSON has no NaN)."""
    return None if math.isnan(value) else float(value)


def confusion_matrix(prediction: torch.Tensor, target: torch.Tensor, classes: int, void: int) -> torch.Tensor:
    """Count pixels: (classes, classes) int64, rows are targets, columns predictions.

    `prediction` and `target` are integer tensors of one shape, class ids 0..classes-1; `target` may also hold `void`,
    whose pixels are dropped. Raises LabelRangeError for any other value and ValueError when the shapes differ.
    """
    import torch
    from torchmetrics.functional.classification import multiclass_confusion_matrix

    if prediction.shape != target.shape:
        raise ValueError(f"prediction is {tuple(prediction.shape)} but target is {tuple(target.shape)}")
    if not target.numel():
        return torch.zeros(classes, classes, dtype=torch.int64, device=target.device)
    # Void becomes one more row that is cut off again: the counts of `ignore_index` without its slow indexing.
    rows = target if void == classes else torch.where(target == void, classes, target)
    _check_range("prediction", prediction, range(classes), f"classes are 0 to {classes - 1}")
    _check_range("target", rows, range(classes + 1), f"classes are 0 to {classes - 1}, void is {void}")
    if void != classes and (target == classes).any():
        raise LabelRangeError(f"target holds {classes}; classes are 0 to {classes - 1}, void is {void}")
    return multiclass_confusion_matrix(prediction, rows, classes + 1, validate_args=False)[:classes, :classes]


def mask_scores(prediction: np.ndarray, target: np.ndarray, classes: tuple[str, ...], void: int) -> Scores:
    """Scores of one mask: uint8 arrays of class ids of one shape, `target` may hold `void`.

    Raises as `confusion_matrix`, whose counts it takes without torchmetrics: that import costs the page 93 MB.
    """
    return scores_of_pairs(count_pairs(prediction, target), classes, void)


def count_pairs(prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """(256, 256) int64 counts [target, prediction] of two uint8 arrays of one shape; those of several masks add up.

    Raises ValueError for arrays of different shapes.
    """
    if prediction.shape != target.shape:
        raise ValueError(f"prediction is {prediction.shape} but target is {target.shape}")
    return np.bincount((target.astype(np.int32) << 8 | prediction).ravel(), minlength=2**16).reshape(256, 256)


def scores_of_pairs(pairs: np.ndarray, classes: tuple[str, ...], void: int) -> Scores:
    """Scores of the (256, 256) counts of `count_pairs`; raises LabelRangeError for values that are no class."""
    check_pairs(pairs, len(classes), void)
    pairs = pairs.copy()
    pairs[void] = 0
    return scores(pairs[: len(classes), : len(classes)], classes)


def check_pairs(pairs: np.ndarray, classes: int, void: int) -> None:
    """Raise LabelRangeError naming the first value in the (256, 256) counts of `count_pairs` that is no class."""
    allowed = {"prediction": np.arange(256) < classes}
    allowed["target"] = allowed["prediction"] | (np.arange(256) == void)
    for name, found in (("prediction", pairs.sum(0)), ("target", pairs.sum(1))):
        if wrong := np.flatnonzero((found > 0) & ~allowed[name]).tolist():
            raise LabelRangeError(f"{name} holds {wrong[0]}; classes are 0 to {classes - 1}, void is {void}")


def _check_range(name: str, tensor: torch.Tensor, allowed: range, explanation: str) -> None:
    for value in tensor.aminmax():
        if int(value) not in allowed:
            raise LabelRangeError(f"{name} holds {int(value)}; {explanation}")


def ratio(numerator: np.ndarray, denominator: np.ndarray) -> np.ndarray:
    """Element-wise quotient in float64, NaN where the denominator is 0."""
    numerator, denominator = np.broadcast_arrays(np.asarray(numerator, float), np.asarray(denominator, float))
    return np.divide(numerator, denominator, out=np.full(denominator.shape, np.nan), where=denominator != 0)


def mean_of_defined(values: np.ndarray) -> np.ndarray:
    """Mean over the last axis of the values that are not NaN; NaN where none is."""
    defined = ~np.isnan(values)
    return ratio(np.where(defined, values, 0).sum(-1), defined.sum(-1))


def totals(matrices: np.ndarray) -> np.ndarray:
    """Reduce (..., C, C) matrices to what every score needs: (..., 3, C) hits, target pixels, predicted pixels."""
    matrices = np.asarray(matrices)
    return np.stack([np.diagonal(matrices, axis1=-2, axis2=-1), matrices.sum(-1), matrices.sum(-2)], axis=-2)


def class_iou(counts: np.ndarray) -> np.ndarray:
    """Per-class IoU (..., C) from `totals` (..., 3, C), NaN for an empty union."""
    hits, target, prediction = np.moveaxis(counts, -2, 0)
    return ratio(hits, target + prediction - hits)


def scores(matrix: torch.Tensor | np.ndarray, class_names: tuple[str, ...]) -> Scores:
    """Score one (C, C) confusion matrix, or (n, C, C) per-image matrices, which are summed first.

    Raises ValueError when the matrix is not square or does not fit `class_names`.
    """
    summed = np.asarray(matrix)
    if summed.ndim == 3:
        summed = summed.sum(0)
    if summed.shape != (len(class_names), len(class_names)):
        raise ValueError(
            f"confusion matrix is {summed.shape}, expected "
            f"{counted(len(class_names), 'class', 'classes')} on both sides"
        )
    counts = totals(summed)
    hits, target, prediction = counts
    iou, dice, accuracy = class_iou(counts), ratio(2 * hits, target + prediction), ratio(hits, target)
    frequency = ratio(target, target.sum())
    weighted = np.where(target > 0, frequency * np.nan_to_num(iou), 0).sum() if target.sum() else math.nan

    def by_name(values):
        return {name: float(value) for name, value in zip(class_names, values, strict=True)}

    return Scores(
        pixel_accuracy=float(ratio(hits.sum(), target.sum())),
        mean_accuracy=float(mean_of_defined(accuracy)),
        miou=float(mean_of_defined(iou)),
        frequency_weighted_iou=float(weighted),
        dice=float(mean_of_defined(dice)),
        class_iou=by_name(iou),
        class_dice=by_name(dice),
        class_accuracy=by_name(accuracy),
    )


def foreground(matrix: torch.Tensor | np.ndarray, class_names: tuple[str, ...]) -> dict | None:
    """F1, precision and recall, each in [0, 1] or None, of the second of two classes; None for other numbers of them.

    `matrix` (C, C) or (n, C, C) holds C[target, prediction]. F1 is the class's Dice, recall its accuracy.
    """
    if len(class_names) != 2:
        return None
    counts = np.asarray(matrix).reshape(-1, 2, 2).sum(0)
    hit, missed, false = int(counts[1, 1]), int(counts[1, 0]), int(counts[0, 1])

    def share(part: int, whole: int) -> float | None:
        return part / whole if whole else None

    return {
        "class": class_names[1],
        "f1": share(2 * hit, 2 * hit + missed + false),
        "precision": share(hit, hit + false),
        "recall": share(hit, hit + missed),
    }


def kappa(matrix: torch.Tensor | np.ndarray) -> float | None:
    """Cohen's kappa of a (C, C) or (n, C, C) matrix C[target, prediction]: 0 is agreement by chance, 1 all of it.

    None where the targets hold fewer than two classes: any constant answer is then as good as the shares say.
    """
    counts = np.asarray(matrix, np.float64)
    counts = counts.reshape(-1, *counts.shape[-2:]).sum(0)
    rows, columns, total = counts.sum(1), counts.sum(0), counts.sum()
    if (rows > 0).sum() < 2:
        return None
    expected = (rows * columns).sum() / total**2
    return float((np.trace(counts) / total - expected) / (1 - expected))
