"""Optimizers, learning-rate schedules and averaged weights, as the recipe names them.

AdamW with a one-cycle schedule is the modern recipe. SGD with momentum 0.99, doubled rate and no decay on biases,
a constant rate and the loss summed over pixels is that of the FCN paper's published solvers.
"""

import math

import torch
from torch import nn
from torch.optim.lr_scheduler import LambdaLR, LRScheduler, OneCycleLR
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from training.recipe import Recipe


def build_optimizer(model: nn.Module, recipe: Recipe) -> torch.optim.Optimizer:
    """The recipe's optimizer over the parameters that are not frozen.

    Biases and norms are not decayed; biases learn at `bias_rate` times the rate, the encoder at `encoder_rate` times.
    """
    groups: dict[tuple[float, float], list[nn.Parameter]] = {}
    for name, parameter in model.named_parameters():
        factor = recipe.bias_rate if name.endswith(".bias") else 1.0
        factor *= recipe.encoder_rate if name.startswith("encoder.") else 1.0
        decay = recipe.weight_decay if parameter.ndim > 1 else 0.0
        if parameter.requires_grad:
            groups.setdefault((factor, decay), []).append(parameter)
    # Those that learn at the recipe's own rate come first: it is the one that is recorded.
    ordered = sorted(groups.items(), key=lambda group: group[0][0] != 1)
    settings = [
        {"params": parameters, "weight_decay": decay, "lr": recipe.learning_rate * factor}
        for (factor, decay), parameters in ordered
    ]
    if recipe.optimizer == "adamw":
        return torch.optim.AdamW(settings, lr=recipe.learning_rate, fused=True)
    return torch.optim.SGD(settings, lr=recipe.learning_rate, momentum=recipe.momentum)


def build_schedule(optimizer: torch.optim.Optimizer, recipe: Recipe, total_steps: int) -> LRScheduler:
    """The recipe's schedule over all steps; `warm_up` of them rise, linearly but for one-cycle."""
    if recipe.schedule == "one-cycle":
        # One step more than is taken, because the schedule also sets the rate after the last one; and at least two
        # steps of rise among five, because OneCycleLR divides by the length of each of its phases less one.
        steps = max(total_steps + 1, 5)
        peaks = [group["lr"] for group in optimizer.param_groups]
        rise = max(recipe.warm_up, 2 / steps)
        cycle = recipe.optimizer == "adamw"
        return OneCycleLR(optimizer, peaks, total_steps=steps, pct_start=rise, cycle_momentum=cycle)
    rising = round(recipe.warm_up * total_steps)

    def factor(step: int) -> float:
        if step < rising:
            return (step + 1) / rising
        done = min(1.0, (step - rising) / max(1, total_steps - rising))
        if recipe.schedule == "poly":
            return (1 - done) ** recipe.power
        return (1 + math.cos(math.pi * done)) / 2 if recipe.schedule == "cosine" else 1.0

    return LambdaLR(optimizer, factor)


def build_average(model: nn.Module, decay: float) -> AveragedModel | None:
    """Exponential moving average of weights and batch-norm statistics; None for decay 0."""
    if not decay:
        return None
    return AveragedModel(model, multi_avg_fn=get_ema_multi_avg_fn(decay), use_buffers=True)
