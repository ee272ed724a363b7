"""Losses for semantic segmentation that leave void pixels out.

Each takes logits (N, C, H, W) of any float dtype and targets (N, H, W) with class ids and `void`, computes in float32
and returns a scalar. Void pixels change neither value nor gradient, an all-void batch gives 0 with zero gradients,
and targets are never written to. `total` adds a tensor up over all processes (`training.processes.total`): with it
every process returns the loss of the global batch.
"""

from collections.abc import Callable

import numpy as np
import torch
import torch.nn.functional as F

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LOSSES = ("ce", "focal", "dice")
REDUCTIONS = ("mean", "sum")


def this_process(tensor: torch.Tensor) -> torch.Tensor:
    """The total over one process."""
    return tensor


def cross_entropy(logits, targets, *, void: int, **options) -> torch.Tensor:
    """Cross-entropy of the pixels that are not void; `options` as for `focal`."""
    return focal(logits, targets, void=void, gamma=0.0, **options)


def focal(
    logits,
    targets,
    *,
    void: int,
    gamma: float = 2.0,
    class_weights: torch.Tensor | None = None,
    reduction: str = "mean",
    total=this_process,
) -> torch.Tensor:
    """Softmax focal loss, -(1 - p)^gamma log p over the labelled pixels (Lin et al. 2017, arXiv 1708.02002).

    reduction 'mean' divides by the number of labelled pixels, or by the sum of their `class_weights` (C,); 'sum' does
    not divide, as in the FCN paper's solver.
    """
    labelled = targets != void
    ids = torch.where(labelled, targets, 0).long()
    log_p = -F.cross_entropy(logits.float(), ids, reduction="none")
    # Above 0, because the power's gradient is infinite there for a gamma below 1.
    values = -log_p if gamma == 0 else -((1 - log_p.exp()).clamp(min=torch.finfo(log_p.dtype).eps) ** gamma) * log_p
    weights = labelled.float() if class_weights is None else class_weights.float()[ids] * labelled
    value = total((values * weights).sum())
    return value if reduction == "sum" else value / total(weights.sum()).clamp(min=torch.finfo(torch.float32).tiny)


def dice(logits, targets, *, void: int, total=this_process) -> torch.Tensor:
    """1 - Dice over the whole batch, averaged over the classes that the batch's targets hold.

    Sums run over all labelled pixels of the batch, not per image (Milletari et al. 2016, arXiv 1606.04797, without
    squares). A class that no target pixel has neither raises nor lowers the loss by an entry of its own; predicting
    it costs the classes that are there.
    """
    labelled = (targets != void).unsqueeze(1)
    classes = torch.arange(logits.shape[1], device=targets.device, dtype=targets.dtype).view(1, -1, 1, 1)
    belongs = (targets.unsqueeze(1) == classes) & labelled  # (N, C, H, W), an eighth of one_hot's int64
    probabilities = logits.float().softmax(1)
    overlap = total(torch.where(belongs, probabilities, 0).sum((0, 2, 3)))
    size = total(belongs.sum((0, 2, 3)).float())
    both = total(torch.where(labelled, probabilities, 0).sum((0, 2, 3))) + size
    present = size > 0
    loss = 1 - 2 * overlap / both.clamp(min=torch.finfo(torch.float32).tiny)
    return torch.where(present, loss, 0).sum() / present.sum().clamp(min=1)


def build_loss(
    name: str,
    *,
    void: int,
    gamma: float = 2.0,
    class_weights: torch.Tensor | None = None,
    reduction: str = "mean",
    total=this_process,
) -> Loss:
    """The loss called `name`: 'ce', 'focal', 'dice', or a sum such as 'ce+dice' or '0.5*focal+dice'.

    `class_weights` (C,) and `reduction` go to cross-entropy and focal. Raises ValueError for a name that is none of
    these.
    """
    terms = []
    for term in name.split("+"):
        factor, _, kind = term.rpartition("*")
        if kind not in LOSSES:
            raise ValueError(f"loss {name!r}: {kind!r} is not one of {', '.join(LOSSES)}; sums look like 'ce+dice'")
        try:
            terms.append((float(factor) if factor else 1.0, kind))
        except ValueError:
            raise ValueError(f"loss {name!r}: {factor!r} is not a number") from None
    of_pixels = {"void": void, "class_weights": class_weights, "reduction": reduction, "total": total}

    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        values = {
            "ce": lambda: cross_entropy(logits, targets, **of_pixels),
            "focal": lambda: focal(logits, targets, gamma=gamma, **of_pixels),
            "dice": lambda: dice(logits, targets, void=void, total=total),
        }
        return sum(factor * values[kind]() for factor, kind in terms)

    return loss


def median_frequency_weights(dataset) -> torch.Tensor:
    """(C,) float32 class weights of a split: median frequency / frequency (Eigen and Fergus 2015, arXiv 1411.4734).

    A class's frequency is its share of the labelled pixels of the images that hold it; one that no image holds gets 1.
    """
    classes = len(dataset.labels.classes)
    counts = np.stack([np.bincount(dataset.mask(i).ravel(), minlength=256)[:classes] for i in range(len(dataset))])
    pixels = np.where(counts > 0, counts.sum(1, keepdims=True), 0).sum(0)
    frequency = counts.sum(0) / np.maximum(pixels, 1)
    present = frequency > 0
    weights = np.ones(classes)
    weights[present] = np.median(frequency[present]) / frequency[present]
    return torch.from_numpy(weights).float()
