"""One process or many: the Accelerator of a run, and sums over processes that gradients pass through.

Started by `torchrun` or `accelerate launch` the same command trains with DistributedDataParallel; started by itself it
is one process. `expected` processes are checked, because a launcher may start fewer without a word.
"""

import logging
from importlib.util import find_spec
from pathlib import Path

import torch
import torch.distributed as distributed
from accelerate import Accelerator
from accelerate.state import AcceleratorState
from torch import nn

from evaluation.measuring.evaluate import EvaluationError, check_device
from training import TrainingError
from training.recipe import Recipe
from zoo.models.torch_engine import multiplies_bfloat16
from zoo.text import counted

TRACKERS = ("none", "tensorboard", "trackio")


class _Total(torch.autograd.Function):
    """Sum over processes, forward and backward."""

    @staticmethod
    def forward(context, tensor):
        result = tensor.clone()
        distributed.all_reduce(result)
        return result

    @staticmethod
    def backward(context, gradient):
        gradient = gradient.clone()
        distributed.all_reduce(gradient)
        return gradient


def total(tensor: torch.Tensor) -> torch.Tensor:
    """`tensor` added up over all processes, the same in each.

    Its gradient is added up too; DistributedDataParallel's mean over processes then is the gradient of the global sum.
    """
    return _Total.apply(tensor) if distributed.is_initialized() and distributed.get_world_size() > 1 else tensor


def share_buffers(model: nn.Module) -> None:
    """Give every process the first one's buffers: batch-norm statistics are each process's own while it trains."""
    if distributed.is_initialized() and distributed.get_world_size() > 1:
        for buffer in model.buffers():
            distributed.broadcast(buffer, 0)


def computed_precision(recipe: Recipe, device: str | torch.device) -> str:
    """The recipe's precision, but 'fp32' for bf16 on a processor that would have to emulate it."""
    emulated = torch.device(device).type == "cpu" and not multiplies_bfloat16()
    return "fp32" if recipe.precision == "bf16" and emulated else recipe.precision


def start_accelerator(
    recipe: Recipe, *, device: str = "cpu", expected: int = 0, tracker: str = "none", out: Path | None = None
) -> Accelerator:
    """The Accelerator of a run on `device` ('cpu', 'cuda', 'cuda:1').

    Raises TrainingError for a device, precision, tracker or number of processes that this start does not have;
    `expected` 0 takes any number.
    """
    try:
        check_device(device)
    except EvaluationError as error:
        raise TrainingError(str(error)) from None
    kind = torch.device(device).type
    if recipe.precision == "fp16" and kind == "cpu":
        raise TrainingError("precision: fp16 needs a GPU; use bf16 or fp32 on a CPU")
    if recipe.sync_batch_norm and kind == "cpu":
        raise TrainingError("sync_batch_norm: works on GPUs only; leave it out on a CPU")
    if tracker != "none" and find_spec(tracker) is None:
        raise TrainingError(f"tracker: {tracker} is not installed; run 'pip install {tracker}' or leave --tracker out")
    precision = computed_precision(recipe, device)
    if precision != recipe.precision:
        logging.info(
            "precision: this processor has no instructions for %s, so the run computes in %s, which is three times as "
            "fast here", recipe.precision, precision,
        )  # fmt: skip
    if torch.device(device).index is not None:
        torch.cuda.set_device(device)
    AcceleratorState._reset_state()  # its precision is fixed otherwise, and recipes trained in turn may differ in it
    accelerator = Accelerator(
        cpu=kind == "cpu",
        mixed_precision={"fp32": "no"}.get(precision, precision),
        gradient_accumulation_steps=recipe.accumulate,
        log_with=None if tracker == "none" else tracker,
        project_dir=out,
    )
    if expected and accelerator.num_processes != expected:
        raise TrainingError(
            f"processes: {expected} were expected but {accelerator.num_processes} run; start them with "
            f"'torchrun --standalone --nproc-per-node {expected} -m training ...'"
        )
    parts = accelerator.num_processes * recipe.accumulate
    if recipe.batch_size % parts:
        raise TrainingError(
            f"batch_size: {counted(recipe.batch_size, 'image')} cannot be divided by "
            f"{counted(accelerator.num_processes, 'process', 'processes')} x "
            f"{recipe.accumulate} accumulated batches; choose a multiple of {parts}"
        )
    return accelerator
