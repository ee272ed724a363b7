"""Learning from a teacher: a trained network sees the crops too, and its probabilities are learned beside the labels.

The teacher speaks on every pixel, void ones included: where a mask says nothing, or its dataset leaves classes out,
nobody else does. Its gradients are not computed, and it stays out of the saved states and of the checkpoint.
"""

import torch
from torch import nn

from evaluation.datasets import SegmentationDataset
from training import TrainingError
from training.losses import this_process
from training.mixture import Labelled, Mixture, labelled_classes
from training.recipe import Recipe
from training.weights import check_unseen
from zoo.labels import LabelSet


def ready_teacher(recipe: Recipe, teacher: nn.Module | None, labels: LabelSet, device: torch.device):
    """The teacher on the run's device and fixed, None where the recipe names none; TrainingError unless it fits."""
    if not recipe.distill_from:
        return None
    if teacher is None:
        raise TrainingError(f"distill_from: the checkpoint {recipe.distill_from} was not loaded")
    check_unseen(recipe, teacher, "distill_from")
    if teacher.config.classes != labels.classes:
        raise TrainingError(
            f"distill_from: {recipe.distill_from} has other classes than {labels.title}; a teacher needs the same ones "
            "in the same order"
        )
    return teacher.to(device=device, memory_format=torch.channels_last).eval().requires_grad_(False)


def taught_images(recipe: Recipe, batch: torch.Tensor, labelled: Labelled | None) -> torch.Tensor:
    """The images or logits (N, ...) of a batch that are taught, (K, ...)."""
    if recipe.distill_images == "all":
        return batch
    return batch[:0] if labelled is None else batch.index_select(0, labelled.partial)


def check_images(recipe: Recipe, dataset: SegmentationDataset | Mixture) -> None:
    """Raise TrainingError where the recipe's teacher would not say a word."""
    if recipe.distill_images == "partial" and labelled_classes(dataset, []) is None:
        raise TrainingError("distill_images: no dataset here has partial labels; choose all, or give an extra_dataset")


def identity(teacher: nn.Module) -> dict:
    """Name and sha256 of a teacher's weights, for the run's record."""
    info = getattr(teacher, "info", None)
    return {} if info is None else {"name": info.name, "sha256": info.sha256}


def divergence(logits, taught_logits, *, pixels: int, temperature: float, total=this_process) -> torch.Tensor:
    """T^2 KL(teacher || student) of softmax(logits / T), added up over all pixels and divided by the batch's `pixels`.

    Both logits are (N, C, H, W) of the images that are taught, of any float dtype; computed in float32. T^2 keeps the
    gradient's size at every temperature (Hinton, Vinyals, Dean 2015, arXiv 1503.02531).
    """
    learned = (logits.float() / temperature).log_softmax(1)
    given = (taught_logits.detach().float() / temperature).log_softmax(1)
    value = total((given.exp() * (given - learned)).sum())
    return temperature**2 * value / total(value.new_full((), float(pixels)))
