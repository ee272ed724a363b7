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

if TYPE_CHECKING:
    import torch


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
    if prediction.shape != target.shape:
        raise ValueError(f"prediction is {prediction.shape} but target is {target.shape}")
    pairs = np.bincount((target.astype(np.int32) << 8 | prediction).ravel(), minlength=2**16).reshape(256, 256)
    allowed = {"prediction": np.arange(256) < len(classes)}
    allowed["target"] = allowed["prediction"] | (np.arange(256) == void)
    for name, found in (("prediction", pairs.sum(0)), ("target", pairs.sum(1))):
        if wrong := np.flatnonzero((found > 0) & ~allowed[name]).tolist():
            raise LabelRangeError(f"{name} holds {wrong[0]}; classes are 0 to {len(classes) - 1}, void is {void}")
    pairs[void] = 0
    return scores(pairs[: len(classes), : len(classes)], classes)


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
    matrix = np.asarray(matrix)
    if matrix.ndim == 3:
        matrix = matrix.sum(0)
    if matrix.shape != (len(class_names), len(class_names)):
        raise ValueError(f"confusion matrix is {matrix.shape}, expected {len(class_names)} classes on both sides")
    counts = totals(matrix)
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
