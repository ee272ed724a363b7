"""Losses for semantic segmentation that leave void pixels out.

Each takes logits (N, C, H, W) of any float dtype and targets (N, H, W) with class ids and `void`, computes in float32
and returns a scalar. Void pixels change neither value nor gradient, an all-void batch gives 0 with zero gradients,
and targets are never written to. `total` adds a tensor up over all processes (`training.processes.total`): with it
every process returns the loss of the global batch.
"""

import math
from collections.abc import Callable

import numpy as np
import torch
from torch.autograd.function import once_differentiable

Loss = Callable[[torch.Tensor, torch.Tensor], torch.Tensor]
LOSSES = ("ce", "focal", "dice")
REDUCTIONS = ("mean", "sum")


def this_process(tensor: torch.Tensor) -> torch.Tensor:
    """The total over one process."""
    return tensor


class _Facts(torch.autograd.Function):
    """What losses ask of a softmax, with its gradient in three passes over the logits; see `softmax_facts`."""

    @staticmethod
    def forward(context, logits, ids, labelled, sums: bool):
        with torch.autocast(logits.device.type, enabled=False):  # which would compute the products in bfloat16
            return _Facts.compute(context, logits, ids, labelled, sums)

    @staticmethod
    @once_differentiable
    def backward(context, *gradients):
        with torch.autocast(gradients[0].device.type, enabled=False):
            return _Facts.differentiate(context, *gradients)

    @staticmethod
    def compute(context, logits, ids, labelled, sums: bool):
        """Log-probabilities and sums, see `softmax_facts`."""
        log_probabilities = logits.log_softmax(1)
        log_p = log_probabilities.gather(1, ids.unsqueeze(1)).squeeze(1)
        context.save_for_backward(log_probabilities, log_p, ids, labelled)
        if not sums:
            return log_p, None, None
        known = labelled.to(logits.dtype)
        predicted = (log_probabilities.exp().flatten(2) @ known.flatten(1).unsqueeze(2)).sum((0, 2))
        right = log_p.exp() * known
        hits = torch.stack([(right * (ids == index)).sum() for index in range(logits.shape[1])])
        return log_p, predicted, hits

    @staticmethod
    def differentiate(context, *gradients):
        """The gradient of the logits, from those of what `compute` gave."""
        of_log_p, of_predicted, of_hits = gradients
        log_probabilities, log_p, ids, labelled = context.saved_tensors
        found = log_probabilities.exp()
        if of_predicted is None:
            found *= -of_log_p.unsqueeze(1)
        else:
            known = labelled.to(found.dtype)
            of_log_p = of_log_p + of_hits[ids] * log_p.exp() * known
            mean = (of_predicted @ found.flatten(2)).view_as(log_p)
            factor = of_predicted.view(-1, 1, 1) * known.unsqueeze(1)
            found *= factor.sub_((mean * known + of_log_p).unsqueeze(1))
        return found.scatter_add_(1, ids.unsqueeze(1), of_log_p.unsqueeze(1)), None, None, None


def softmax_facts(logits: torch.Tensor, targets: torch.Tensor, void: int, *, sums: bool) -> tuple:
    """Of logits (N, C, H, W) and targets (N, H, W), float32 but for the ids: all that the losses below need.

    Ids (N, H, W) int64, 0 where void; labelled (N, H, W) bool; the log-probability of each id (N, H, W); and with
    `sums`, else None, each class's probability summed over the labelled pixels (C,) and over those of the class (C,).
    """
    labelled = targets != void
    ids = torch.where(labelled, targets, 0).long()
    return (ids, labelled, *_Facts.apply(logits.float(), ids, labelled, sums))


def cross_entropy(logits, targets, **options) -> torch.Tensor:
    """Cross-entropy of the pixels that are not void; `options` as for `build_loss`."""
    return build_loss("ce", **options)(logits, targets)


def focal(logits, targets, **options) -> torch.Tensor:
    """Softmax focal loss, see `focal_of`; `options` as for `build_loss`."""
    return build_loss("focal", **options)(logits, targets)


def dice(logits, targets, **options) -> torch.Tensor:
    """Dice loss, see `dice_of`; `options` as for `build_loss`."""
    return build_loss("dice", **options)(logits, targets)


def focal_of(
    facts: tuple,
    *,
    gamma: float,
    class_weights: torch.Tensor | None = None,
    reduction: str = "mean",
    total=this_process,
) -> torch.Tensor:
    """Softmax focal loss, -(1 - p)^gamma log p over the labelled pixels (Lin et al. 2017, arXiv 1708.02002).

    reduction 'mean' divides by the number of labelled pixels, or by the sum of their `class_weights` (C,); 'sum' does
    not divide, as in the FCN paper's solver.
    """
    ids, labelled, log_p, _, _ = facts
    # Above 0, because the power's gradient is infinite there for a gamma below 1.
    values = -log_p if gamma == 0 else -((1 - log_p.exp()).clamp(min=torch.finfo(log_p.dtype).eps) ** gamma) * log_p
    weights = labelled.float() if class_weights is None else class_weights.float()[ids] * labelled
    value = total((values * weights).sum())
    return value if reduction == "sum" else value / total(weights.sum()).clamp(min=torch.finfo(torch.float32).tiny)


def dice_of(facts: tuple, *, total=this_process) -> torch.Tensor:
    """1 - Dice over the whole batch, averaged over the classes that the batch's targets hold.

    Sums run over all labelled pixels of the batch, not per image (Milletari et al. 2016, arXiv 1606.04797, without
    squares). A class that no target pixel has neither raises nor lowers the loss by an entry of its own; predicting
    it costs the classes that are there.
    """
    ids, labelled, _, predicted, hits = facts
    size = class_sizes(ids, labelled, len(hits))
    size, overlap, predicted = total(size.float()), total(hits), total(predicted)
    present = size > 0
    loss = 1 - 2 * overlap / (predicted + size).clamp(min=torch.finfo(torch.float32).tiny)
    return torch.where(present, loss, 0).sum() / present.sum().clamp(min=1)


def class_sizes(ids: torch.Tensor, labelled: torch.Tensor, classes: int) -> torch.Tensor:
    """(C,) int64: labelled pixels of each class, of ids and labelled (N, H, W)."""
    if ids.is_cuda:  # where bincount makes the processor wait
        return torch.stack([((ids == index) & labelled).sum() for index in range(classes)])
    return torch.bincount(torch.where(labelled, ids, classes).flatten(), minlength=classes + 1)[:-1]


def loss_terms(name: str) -> list[tuple[float, str]]:
    """(factor, kind) of each term of a loss such as 'ce + 0.5 * dice'; ValueError naming the term that is none."""
    terms = []
    for term in "".join(name.split()).split("+"):
        factor, _, kind = term.rpartition("*")
        if kind not in LOSSES:
            raise ValueError(f"loss {name!r}: {kind!r} is not one of {', '.join(LOSSES)}; sums look like 'ce+dice'")
        try:
            terms.append((float(factor) if factor else 1.0, kind))
        except ValueError:
            raise ValueError(f"loss {name!r}: {factor!r} is not a number") from None
        if not 0 < terms[-1][0] < math.inf:
            raise ValueError(
                f"loss {name!r}: the factor {factor} is not above 0; leave the term out if it is not meant"
            )
    return terms


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
    terms = loss_terms(name)
    sums = any(kind == "dice" for _, kind in terms)
    of_pixels = {"class_weights": class_weights, "reduction": reduction, "total": total}

    def loss(logits: torch.Tensor, targets: torch.Tensor) -> torch.Tensor:
        facts = softmax_facts(logits, targets, void, sums=sums)  # once for all terms: it is most of a loss's time
        values = {
            "ce": lambda: focal_of(facts, gamma=0.0, **of_pixels),
            "focal": lambda: focal_of(facts, gamma=gamma, **of_pixels),
            "dice": lambda: dice_of(facts, total=total),
        }
        return sum(factor * values[kind]() for factor, kind in terms)

    return loss


def listed_weights(text: str) -> list[float]:
    """Class weights given as numbers, such as '1, 5'; ValueError for anything that is no list of weights."""
    try:
        weights = [float(part) for part in text.split(",")]
    except ValueError:
        raise ValueError(
            f"class_weights: {text!r} is neither none, nor median-frequency, nor a number for each class such as 1,5"
        ) from None
    if not all(0 <= weight < math.inf for weight in weights) or not any(weights):
        raise ValueError(f"class_weights: {text!r}: needs finite numbers that are not negative and not all 0")
    return weights


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
