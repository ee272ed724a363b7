"""One recipe trained with several seeds: how much of a figure is chance of the training.

Works on result documents as `python -m evaluation` writes them. Two are of one recipe when their checkpoints agree in
architecture and in everything that is recorded of the training but the seed, and were measured on the same images.
"""

import statistics
from collections.abc import Iterable
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """mIoU in [0, 1] of a recipe's checkpoints by seed, at least two, in the order of the seeds.

    class_iou: IoU in [0, 1] of each class that was measured with every seed, in the same order.
    """

    mious: dict[int, float]
    class_iou: dict[str, list[float]]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(self.mious.values())

    @property
    def deviation(self) -> float:
        """Standard deviation of a sample (n - 1)."""
        return statistics.stdev(self.mious.values())

    def __str__(self) -> str:
        seeds = ", ".join(map(str, self.mious))
        deviation = f"mean {100 * self.mean:.1f}, standard deviation {100 * self.deviation:.1f}"
        return f"seeds {seeds}: {_percents(self.mious.values())} %; {deviation}"

    def least_certain(self, count: int = 3) -> str:
        """The classes whose IoU depends most on the seed, with their IoU by seed."""
        found = sorted(self.class_iou, key=lambda name: statistics.stdev(self.class_iou[name]), reverse=True)
        return "; ".join(f"{name} {_percents(self.class_iou[name])} %" for name in found[:count])


def spread(document: dict, others: list[dict]) -> Spread | None:
    """The spread of the recipe behind a result, from that result and those of `others` that are of the same recipe.

    None where no other seed has been measured; of two results with one seed the first counts.
    """
    known = {seed: one["scores"] for seed, one in same_recipe(document, others).items()}
    if len(known) < 2:
        return None
    classes = {
        name: [scores.get("class_iou", {}).get(name) for scores in known.values()]
        for name in document["scores"].get("class_iou", {})
    }
    measured = {name: values for name, values in classes.items() if None not in values}
    return Spread({seed: scores["miou"] for seed, scores in known.items()}, measured)


def same_recipe(document: dict, others: list[dict]) -> dict[int, dict]:
    """The results of the recipe behind a result by seed, in the order of the seeds, from that result and `others`.

    Of two results with one seed the first counts; results that name no seed are left out.
    """
    found: dict = {}
    for other in (document, *others):
        if _recipe(other) == _recipe(document):
            found.setdefault(other["checkpoint"].get("training", {}).get("seed"), other)
    return {seed: found[seed] for seed in sorted(seed for seed in found if isinstance(seed, int))}


def _percents(values: Iterable[float]) -> str:
    return ", ".join(f"{100 * value:.1f}" for value in values)


def _recipe(document: dict) -> tuple:
    checkpoint, dataset = document["checkpoint"], document["dataset"]
    training = {"processes": 1} | checkpoint.get("training", {})  # older records leave out the one process
    training.pop("seed", None)
    architecture = [checkpoint.get(name) for name in ("variant", "backbone", "loss")]
    architecture += [document.get("cost", {}).get(name) for name in ("parameters", "gmacs")]  # tell widths and heads
    images = dataset.get("content_sha256") or dataset.get("image_list_sha256")
    return architecture, training, [*map(dataset.get, ("name", "split")), images]
