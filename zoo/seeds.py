"""One recipe trained with several seeds: how much of a figure is chance of the training.

Works on result documents as `python -m evaluation` writes them. Two are of one recipe when their checkpoints agree in
architecture and in everything that is recorded of the training but the seed, and were measured on the same images.
"""

import statistics
from dataclasses import dataclass


@dataclass(frozen=True)
class Spread:
    """mIoU in [0, 1] of a recipe's checkpoints by seed, at least two, in the order of the seeds."""

    mious: dict[int, float]

    @property
    def mean(self) -> float:
        """Mean over the seeds."""
        return statistics.mean(self.mious.values())

    @property
    def deviation(self) -> float:
        """Standard deviation of a sample (n - 1)."""
        return statistics.stdev(self.mious.values())

    def __str__(self) -> str:
        values = ", ".join(f"{100 * value:.1f}" for value in self.mious.values())
        seeds = ", ".join(map(str, self.mious))
        return f"seeds {seeds}: {values} %; mean {100 * self.mean:.1f}, standard deviation {100 * self.deviation:.1f}"


def spread(document: dict, others: list[dict]) -> Spread | None:
    """The spread of the recipe behind a result, from that result and those of `others` that are of the same recipe.

    None where no other seed has been measured; of two results with one seed the first counts.
    """
    found = {}
    for other in (document, *others):
        if _recipe(other) == _recipe(document):
            found.setdefault(other["checkpoint"].get("training", {}).get("seed"), other["scores"]["miou"])
    known = {seed: found[seed] for seed in sorted(seed for seed in found if isinstance(seed, int))}
    return Spread(known) if len(known) > 1 else None


def _recipe(document: dict) -> tuple:
    checkpoint, dataset = document["checkpoint"], document["dataset"]
    training = {"processes": 1} | checkpoint.get("training", {})  # older records leave out the one process
    training.pop("seed", None)
    architecture = [checkpoint.get(name) for name in ("variant", "backbone", "loss")]
    return architecture, training, [dataset.get(name) for name in ("name", "split", "image_list_sha256")]
