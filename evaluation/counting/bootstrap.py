"""How far would a score move with other images? Percentile bootstrap over images and over blocks of frames.

Neighbouring video frames show almost the same scene, so drawing single images makes intervals too narrow. The block
bootstrap draws runs of consecutive frames, circularly within each sequence (Politis and Romano 1992), and keeps every
sequence's number of images. Both are computed; the wider one is shown. Resamples are weights on images: one matrix
product turns per-image counts into the counts of all resamples.
"""

from collections.abc import Callable
from functools import partial

import numpy as np

from evaluation.counting.boundary import boundary_f_per_image
from evaluation.counting.confusion import class_iou, mean_of_defined, ratio, totals

RESAMPLES = 10_000
BLOCK = 10  # frames
LEVEL = 0.95
SCORES = ("pixel_accuracy", "mean_accuracy", "miou", "frequency_weighted_iou", "dice")
_CHUNK = 4_000_000  # weights held in memory at once


def image_weights(images: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """How often each image is drawn: (resamples, images) int64, every row sums to `images`."""
    return _multiplicities(generator.integers(images, size=(resamples, images)), images)


def block_weights(sequences: tuple[str, ...], block: int, resamples: int, generator: np.random.Generator) -> np.ndarray:
    """Like `image_weights`, drawing `block` consecutive images of a sequence at a time; images stand in frame order."""
    names, owner = np.unique(np.asarray(sequences), return_inverse=True)
    drawn = []
    for index in range(len(names)):
        members = np.flatnonzero(owner == index)
        length = min(block, len(members))
        starts = generator.integers(len(members), size=(resamples, -(-len(members) // length), 1))
        positions = (starts + np.arange(length)) % len(members)
        drawn.append(members[positions.reshape(resamples, -1)[:, : len(members)]])
    return _multiplicities(np.concatenate(drawn, axis=1), len(sequences))


def _multiplicities(drawn: np.ndarray, images: int) -> np.ndarray:
    offsets = np.arange(len(drawn))[:, None] * images
    return np.bincount((drawn + offsets).ravel(), minlength=len(drawn) * images).reshape(len(drawn), images)


def resample(
    sequences: tuple[str, ...],
    statistic: Callable[[np.ndarray], np.ndarray],
    *,
    block: int = 0,
    resamples: int = RESAMPLES,
    seed: int = 0,
) -> np.ndarray:
    """`statistic` of every resample, (resamples, ...).

    `sequences` names the video sequence of each image; `block=0` draws single images, otherwise runs of `block`
    frames. `statistic` maps weights (r, images) to (r, ...). Equal seeds give equal resamples, so that the samples of
    two checkpoints on the same images are paired.
    """
    generator = np.random.default_rng(seed)
    parts, images = [], len(sequences)
    if not images:
        raise ValueError("the bootstrap needs at least one image")
    step = max(1, _CHUNK // images)
    for start in range(0, resamples, step):
        size = min(step, resamples - start)
        draw = partial(block_weights, sequences, block) if block else partial(image_weights, images)
        parts.append(statistic(draw(size, generator)))
    return np.concatenate(parts)


def interval(samples: np.ndarray, level: float = LEVEL) -> np.ndarray:
    """Percentile interval over the first axis: (2, ...) low and high; NaN where every sample is NaN."""
    tail = 100 * (1 - level) / 2
    undefined = np.isnan(samples).all(0)
    low, high = np.nanpercentile(np.where(undefined, 0, samples), [tail, 100 - tail], axis=0)
    return np.where(undefined, np.nan, np.stack([low, high]))


def score_statistic(matrices: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Statistic of per-image matrices (n, C, C): the five figures of `SCORES`, then the C class IoUs."""
    counts = totals(matrices)  # (n, 3, C)
    flat = counts.reshape(len(counts), -1).astype(float)

    def statistic(weights):
        summed = (weights @ flat).reshape(len(weights), *counts.shape[1:])
        hits, target, prediction = np.moveaxis(summed, 1, 0)
        iou = class_iou(summed)
        weighted = ratio((target * np.nan_to_num(iou)).sum(-1), target.sum(-1))
        figures = [
            ratio(hits.sum(-1), target.sum(-1)),
            mean_of_defined(ratio(hits, target)),
            mean_of_defined(iou),
            weighted,
            mean_of_defined(ratio(2 * hits, target + prediction)),
        ]
        return np.concatenate([np.stack(figures, axis=1), iou], axis=1)

    return statistic


def miou_statistic(matrices: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Statistic of per-image matrices (n, C, C): mIoU alone."""
    counts = totals(matrices)
    flat = counts.reshape(len(counts), -1).astype(float)
    return lambda weights: mean_of_defined(class_iou((weights @ flat).reshape(len(weights), *counts.shape[1:])))


def boundary_statistic(counts: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Statistic of per-image boundary counts (n, C, 4): boundary F, the mean over images that have a boundary."""
    per_image = boundary_f_per_image(counts)
    defined = (~np.isnan(per_image)).astype(float)
    return lambda weights: ratio(weights @ np.nan_to_num(per_image), weights @ defined)


def both_intervals(sequences, statistic, *, block=BLOCK, resamples=RESAMPLES, seed=0) -> dict[str, np.ndarray]:
    """Intervals (2, ...) by "images" and, for video (sequences have names), by "blocks"; "shown" is the wider."""
    found = {"images": interval(resample(sequences, statistic, resamples=resamples, seed=seed))}
    if any(sequences):
        found["blocks"] = interval(resample(sequences, statistic, block=block, resamples=resamples, seed=seed))
    return found | {"shown": wider(*found.values())}


def wider(first: np.ndarray, second: np.ndarray | None = None) -> np.ndarray:
    """Of two arrays of intervals (2, ...), element by element the wider one."""
    if second is None:
        return first
    return np.where(second[1] - second[0] > first[1] - first[0], second, first)


def paired_difference(first: np.ndarray, second: np.ndarray, sequences, *, block=BLOCK, resamples=RESAMPLES, seed=0):
    """95 % interval (low, high) of mIoU(first) - mIoU(second), per-image matrices (n, C, C) of the same images.

    Raises ValueError when the two do not have as many images as `sequences`.
    """
    if not len(first) == len(second) == len(sequences):
        raise ValueError(f"not the same images: {len(first)}, {len(second)} matrices, {len(sequences)} sequence names")
    one, other = miou_statistic(first), miou_statistic(second)
    found = both_intervals(
        sequences, lambda weights: one(weights) - other(weights), block=block, resamples=resamples, seed=seed
    )
    return tuple(float(value) for value in found["shown"])
