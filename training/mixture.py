"""Training on two datasets at once: a share of every batch comes from another one, whose labels may be partial.

Both label the same classes. Where a dataset's masks leave some of them out, what they would mark lies under the label
of whatever is behind, so `restrict` takes those classes out of the softmax of its images: they then are neither
rewarded nor punished there.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Self

import numpy as np
import torch

from evaluation.counting.confusion import mean_of_defined, scores
from evaluation.datasets import SegmentationDataset, open_dataset
from training import TrainingError
from training.losses import this_process
from training.recipe import Recipe
from zoo.labels import LabelSet

OUT_OF_REACH = 1e9  # taken off a logit: its probability is exactly 0 and no gradient reaches it


@dataclass(frozen=True)
class Mixture:
    """The images of two datasets in a row, read like one; TrainingError unless both have one label set."""

    main: SegmentationDataset
    extra: SegmentationDataset

    def __post_init__(self):
        if self.main.labels != self.extra.labels:
            raise TrainingError(
                f"extra_dataset: {self.extra.name} has other classes or another void than {self.main.name}; a batch "
                "needs one label set"
            )

    @property
    def labels(self) -> LabelSet:
        """The label set of both."""
        return self.main.labels

    def __len__(self) -> int:
        return len(self.main) + len(self.extra)

    def image(self, index: int) -> np.ndarray:
        """(H, W, 3) uint8 RGB, as `SegmentationDataset.image`."""
        dataset, place = self._find(index)
        return dataset.image(place)

    def size(self, index: int) -> tuple[int, int]:
        """(width, height), as `SegmentationDataset.size`."""
        dataset, place = self._find(index)
        return dataset.size(place)

    def mask(self, index: int) -> np.ndarray:
        """(H, W) uint8 class ids and void, as `SegmentationDataset.mask`."""
        dataset, place = self._find(index)
        return dataset.mask(place)

    def _find(self, index: int) -> tuple[SegmentationDataset, int]:
        beyond = index - len(self.main)
        return (self.main, index) if beyond < 0 else (self.extra, beyond)


def open_extra(recipe: Recipe, data: str | Path | None) -> SegmentationDataset | None:
    """The training split of the recipe's other dataset, None where it names none; its folder is `data`."""
    if not recipe.extra_dataset:
        return None
    if data is None:
        raise TrainingError(f"extra_dataset: give the folder that holds {recipe.extra_dataset} with --extra-data")
    return open_dataset(recipe.extra_dataset, data, "train")


def sizes(dataset: SegmentationDataset | Mixture) -> tuple[int, int]:
    """Images of the recipe's own dataset, and of the other one."""
    return (len(dataset.main), len(dataset.extra)) if isinstance(dataset, Mixture) else (len(dataset), 0)


@dataclass(frozen=True)
class Labelled:
    """What the masks of a batch label: `classes` (N, C) bool, and `partial` (K,) int64, the images that lack some.

    `partial` is told apart because finding it in `classes` would make a processor wait for its GPU.
    """

    classes: torch.Tensor
    partial: torch.Tensor

    @classmethod
    def of(cls, classes: torch.Tensor) -> Self:
        """From `classes` alone, on its device."""
        return cls(classes, (~classes.all(1)).nonzero().flatten())

    def to(self, device: torch.device) -> Self:
        """The same on another device."""
        return type(self)(self.classes.to(device, non_blocking=True), self.partial.to(device, non_blocking=True))


def labelled_classes(dataset: SegmentationDataset | Mixture, indices: Sequence[int]) -> Labelled | None:
    """What the masks of these images label; None where that is every class."""
    parts = (dataset.main, dataset.extra) if isinstance(dataset, Mixture) else (dataset, dataset)
    if all(part.labelled is None for part in parts):
        return None
    classes = dataset.labels.classes
    first, second = ([part.labelled is None or name in part.labelled for name in classes] for part in parts)
    rows = [first if index < len(parts[0]) else second for index in indices]
    return Labelled.of(torch.tensor(rows, dtype=torch.bool).view(len(rows), len(classes)))


def restrict(logits: torch.Tensor, labelled: Labelled | None) -> torch.Tensor:
    """Logits (N, C, H, W) of which softmax leaves out the classes that are not labelled."""
    if labelled is None:
        return logits
    return logits.float() - (~labelled.classes).float()[:, :, None, None] * OUT_OF_REACH


def labelled_miou(matrix: np.ndarray | torch.Tensor, dataset: SegmentationDataset) -> float:
    """mIoU in [0, 1] of a (C, C) confusion matrix over the classes that the dataset's masks label; NaN where none is.

    As in `training.compare`. A class that no mask can show would count as 0 as soon as a pixel is predicted to be one.
    """
    found = scores(matrix, dataset.labels.classes).class_iou
    return float(mean_of_defined(np.array([found[name] for name in dataset.labelled or found])))


def unlabelled_probability(logits, targets, labelled: Labelled, *, void: int, total=this_process) -> torch.Tensor:
    """Mean probability of unlabelled classes over the labelled pixels of the batch, images labelled in full included.

    Its gradient q (1 - q) is small where the network is sure (q near 1) that something without a label stands there,
    which is why it is not the cross-entropy's -log(1 - q) (noise-robust losses: Ghosh et al., arXiv 1712.09482).
    """
    known = targets != void
    partial = labelled.partial
    probabilities = logits.index_select(0, partial).float().softmax(1)
    unlabelled = (probabilities * ~labelled.classes[partial][:, :, None, None]).sum(1)
    value = total((unlabelled * known[partial]).sum())
    return value / total(known.sum().float()).clamp(min=1)
