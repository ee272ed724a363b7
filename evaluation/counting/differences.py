"""Two results on the same images: which classes differ, and on how few images the order of the two hangs.

Many classes compared at once find differences by chance. The intervals here are simultaneous: the largest studentised
deviation of a bootstrap resample over all comparisons (max-t; Westfall and Young 1993, Romano and Wolf 2005) sets one
factor for all of them, so that in 95 of 100 data sets every interval holds. Unlike Bonferroni's correction it uses that
classes and pairs of the same images rise and fall together.
"""

from collections.abc import Callable
from dataclasses import dataclass
from itertools import combinations
from math import comb

import numpy as np

from evaluation.counting.bootstrap import BLOCK, LEVEL, RESAMPLES, resample, wider
from evaluation.counting.confusion import class_iou, mean_of_defined, totals

MOST_SUBSETS = 20_000  # sets of images that are all tried


def class_statistic(matrices: list[np.ndarray], couples: list[tuple[int, int]]) -> Callable[[np.ndarray], np.ndarray]:
    """Statistic of weights (r, n): differences (r, couples * C) of class IoU, first less second of each couple."""
    counts = [totals(one) for one in matrices]
    flat = [one.reshape(len(one), -1).astype(float) for one in counts]

    def statistic(weights: np.ndarray) -> np.ndarray:
        shape = len(weights), *counts[0].shape[1:]
        ious = [class_iou((weights @ one).reshape(shape)) for one in flat]
        return np.concatenate([ious[first] - ious[second] for first, second in couples], axis=1)

    return statistic


def simultaneous(samples: np.ndarray, observed: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Intervals (2, K) that hold all at once, from bootstrap samples (B, K) of the observed differences (K,).

    NaN where a difference is undefined. A difference that no resample moves has an interval of no width.
    """
    deviation = np.nanstd(np.where(np.isnan(samples).all(0), 0, samples), axis=0)
    moving = (deviation > 0) & ~np.isnan(observed)
    if not moving.any():
        return np.stack([observed, observed])
    studentised = np.abs(samples[:, moving] - observed[moving]) / deviation[moving]
    factor = np.quantile(np.nanmax(studentised, axis=1), level)
    return observed + np.array([[-1], [1]]) * factor * deviation


def class_differences(
    matrices: list[np.ndarray],
    couples: list[tuple[int, int]],
    sequences: tuple[str, ...],
    *,
    block: int = BLOCK,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> tuple[np.ndarray, np.ndarray]:
    """Differences (couples, C) of class IoU and their intervals (2, couples, C), which hold all at once.

    matrices: (n, C, C) of each result on the same images. For video, images and blocks are drawn, and the wider shown.
    """
    statistic, classes = class_statistic(matrices, couples), matrices[0].shape[1]
    observed = statistic(np.ones((1, len(sequences))))[0]
    found = [
        simultaneous(resample(sequences, statistic, block=length, resamples=resamples, seed=seed), observed)
        for length in ((0, block) if any(sequences) else (0,))
    ]
    return observed.reshape(-1, classes), wider(*found).reshape(2, -1, classes)


@dataclass(frozen=True)
class Flip:
    """images: places of images without which the order of two results turns; exact: whether no fewer would do."""

    images: tuple[int, ...]
    exact: bool


def flip(first: np.ndarray, second: np.ndarray) -> Flip | None:
    """How few images must go before the result with the higher mIoU has the lower; None where no such set is found.

    first, second: (n, C, C). Images go one at a time, always the one without which the difference is smallest. mIoU is
    no sum over images, so this can take more than is needed: smaller sets are all tried, where they are at most
    MOST_SUBSETS of a size, and `exact` says that all were.
    """
    counts = np.stack([totals(first), totals(second)], axis=1)  # (n, 2, 3, C)
    whole = counts.sum(0)
    sign = float(np.sign(difference(whole)))
    if sign == 0:
        return Flip((), True)
    removed = greedy(counts, whole, sign)
    if removed is None:
        return None
    for size in range(1, len(removed)):
        if comb(len(counts), size) > MOST_SUBSETS:
            return Flip(removed, False)
        subsets = np.array(list(combinations(range(len(counts)), size)))
        turned = sign * difference(whole - counts[subsets].sum(1)) < 0
        if turned.any():
            return Flip(tuple(subsets[int(turned.argmax())].tolist()), True)
    return Flip(removed, True)


def greedy(counts: np.ndarray, whole: np.ndarray, sign: float) -> tuple[int, ...] | None:
    """Places of the images that go, in order; counts (n, 2, 3, C), whole their sum, sign that of the difference."""
    left, removed = whole.copy(), []
    remaining = np.ones(len(counts), bool)
    while remaining.sum() > 1:
        values = np.where(remaining, sign * difference(left - counts), np.inf)
        worst = int(np.nanargmin(values))
        remaining[worst] = False
        left = left - counts[worst]
        removed.append(worst)
        if sign * difference(left) < 0:
            return tuple(removed)
    return None


def difference(counts: np.ndarray) -> np.ndarray:
    """mIoU of the first less that of the second, from (..., 2, 3, C)."""
    mious = mean_of_defined(class_iou(counts))
    return mious[..., 0] - mious[..., 1]
