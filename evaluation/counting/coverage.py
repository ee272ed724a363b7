"""How often do our 95 % intervals hold the true value? Simulated on stored per-image matrices.

The images of a stored result are taken for a whole world whose mIoU is known. Samples are drawn from it as a split may
arise, each gets the intervals that a result gets, and it is counted how many hold the known value.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from scipy.stats import t

from evaluation.counting.bootstrap import BLOCK, both_intervals
from evaluation.counting.confusion import class_iou, mean_of_defined, totals

KINDS = ("images", "blocks", "shown")


@dataclass(frozen=True)
class World:
    """How a sample arises. run: consecutive frames drawn at a time, 0 draws single images; stretch: one run alone.

    share: size of a sample as a share of the world's images.
    """

    title: str
    run: int = 0
    stretch: bool = False
    share: float = 1.0

    def draw(self, sequences: tuple[str, ...], generator: np.random.Generator) -> np.ndarray:
        """Indices of one sample. Runs stay within their sequence and go on at its start."""
        size = max(2, round(self.share * len(sequences)))
        if not (self.run or self.stretch):
            return generator.integers(len(sequences), size=size)
        run, names, drawn = size if self.stretch else self.run, np.asarray(sequences), []
        while sum(map(len, drawn)) < size:
            members = np.flatnonzero(names == names[generator.integers(len(names))])
            start = generator.integers(len(members))
            drawn.append(members[(start + np.arange(min(run, len(members)))) % len(members)])
        return np.concatenate(drawn)[:size]


WORLDS = (
    World("images drawn one by one"),
    World("runs of 10 frames", run=10),
    World("runs of 25 frames", run=25),
    World("one stretch, half of the video", stretch=True, share=0.5),
    World("one stretch, a quarter of the video", stretch=True, share=0.25),
)


@dataclass(frozen=True)
class Coverage:
    """What became of the samples of one world.

    held: share of intervals of each of KINDS that hold the true value, in [0, 1], those that the world has no use for
    left out; width: their mean width; spread: width of the middle 95 % of the samples' own values, which an interval
    would need.
    """

    samples: int
    held: dict[str, float]
    width: dict[str, float]
    spread: float


def miou_of(counts: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
    """Statistic of `totals` (n, 3, C): weights (r, n) to mIoU (r,)."""
    flat = counts.reshape(len(counts), -1).astype(float)
    return lambda weights: mean_of_defined(class_iou((weights @ flat).reshape(len(weights), *counts.shape[1:])))


def coverage(
    matrices: np.ndarray,
    sequences: tuple[str, ...],
    world: World,
    *,
    other: np.ndarray | None = None,
    samples: int,
    resamples: int,
    block: int = BLOCK,
    seed: int = 0,
) -> Coverage:
    """Coverage of the intervals of mIoU in samples of one result's images, matrices (n, C, C).

    other: matrices of a second result on the same images; then it is the paired difference of mIoU, first less second.
    """
    generator = np.random.default_rng([seed, 1])
    everything = [totals(one) for one in (matrices, other) if one is not None]

    def statistic_of(chosen: np.ndarray) -> Callable[[np.ndarray], np.ndarray]:
        parts = [miou_of(counts[chosen]) for counts in everything]
        return parts[0] if other is None else lambda weights: parts[0](weights) - parts[1](weights)

    truth = float(statistic_of(np.arange(len(sequences)))(np.ones((1, len(sequences))))[0])
    values, found = [], {kind: [] for kind in KINDS}
    for number in range(samples):
        chosen = world.draw(sequences, generator)
        statistic = statistic_of(chosen)
        values.append(statistic(np.ones((1, len(chosen))))[0])
        names = tuple(np.asarray(sequences)[chosen])
        intervals = both_intervals(names, statistic, block=block, resamples=resamples, seed=seed * samples + number)
        for kind, pair in intervals.items():
            found[kind].append(pair)
    return summary(values, found, truth)


def pooled(parts: list[Coverage]) -> Coverage:
    """Several results' coverage as one, each counting alike."""
    mean = {name: {kind: float(np.mean([getattr(one, name)[kind] for one in parts])) for kind in parts[0].held}
            for name in ("held", "width")}  # fmt: skip
    return Coverage(sum(one.samples for one in parts), **mean, spread=float(np.mean([one.spread for one in parts])))


def summary(values: list[float], found: dict[str, list], truth: float) -> Coverage:
    """Coverage from the samples' values and their intervals (low, high) by kind."""
    pairs = {kind: np.array(those) for kind, those in found.items() if those}
    return Coverage(
        samples=len(values),
        held={kind: float(((one[:, 0] <= truth) & (truth <= one[:, 1])).mean()) for kind, one in pairs.items()},
        width={kind: float((one[:, 1] - one[:, 0]).mean()) for kind, one in pairs.items()},
        spread=float(np.diff(np.percentile(values, [2.5, 97.5]))[0]),
    )


def seed_coverage(
    runs: list[np.ndarray],
    sequences: tuple[str, ...],
    *,
    samples: int,
    resamples: int,
    block: int = BLOCK,
    seed: int = 0,
) -> dict[str, Coverage]:
    """Do intervals of one training, and of as many as are stored, hold the mean of the recipe?

    runs: matrices (n, C, C) of one recipe's trainings on the same images. A simulated training moves mIoU by a normal
    deviate with the standard deviation of the stored ones; its images are drawn in runs of `block`. "images": the shown
    interval of one training; "images and seeds": mean of as many trainings as are stored, whose interval adds their
    variance of the mean, by Student's t, to that of the images.
    """
    generator, counts = np.random.default_rng(seed), totals(runs[0])
    base = float(mean_of_defined(class_iou(counts.sum(0))))
    deviation = float(np.std([mean_of_defined(class_iou(totals(one).sum(0))) for one in runs], ddof=1))
    world, number = World("", run=block if any(sequences) else 0), len(runs)
    values: dict[str, list] = {"images": [], "images and seeds": []}
    found: dict[str, list] = {name: [] for name in values}
    for index in range(samples):
        chosen = world.draw(sequences, generator)
        statistic = miou_of(counts[chosen])
        names = tuple(np.asarray(sequences)[chosen])
        here = statistic(np.ones((1, len(chosen))))[0]
        moved = generator.normal(0, deviation, number)
        pair = both_intervals(names, statistic, block=block, resamples=resamples, seed=seed + index)["shown"]
        values["images"].append(here + moved[0])
        found["images"].append(pair + moved[0])
        middle = here + moved.mean()
        by_seeds = t.ppf(0.975, number - 1) * moved.std(ddof=1) / np.sqrt(number)
        half = np.hypot((pair[1] - pair[0]) / 2, by_seeds)
        values["images and seeds"].append(middle)
        found["images and seeds"].append([middle - half, middle + half])
    return {name: summary(values[name], {"shown": found[name]}, base) for name in values}
