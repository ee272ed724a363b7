"""What a model costs, measured: parameters, multiply-accumulates, milliseconds and memory of one forward pass."""

import os
import platform
import statistics
import time
import weakref
from collections.abc import Callable
from pathlib import Path

import torch
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from torch.utils.flop_counter import FlopCounterMode

from evaluation.measuring.evaluate import forward, inference
from zoo.text import counted


def measure_cost(
    model: nn.Module, height: int, width: int, *, precision: str = "fp32", repeats: int = 20, warm_up: int = 3
) -> dict:
    """Cost of one (1, 3, height, width) image on the device that holds `model`, and on the CPU if that is another.

    Returns parameters, gmacs (10^9 multiply-accumulates, torch's flop counter), height, width and `timings`: one entry
    per device with its name, threads, precision, median milliseconds of `repeats` passes, and peak_memory_bytes.
    """
    home = next(model.parameters()).device
    image = torch.randint(256, (1, 3, height, width), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    timings = []
    for device in dict.fromkeys((torch.device("cpu"), home)):
        model.to(device)
        timings.append(_time(model, image, device, precision, repeats, warm_up))
    return {
        "parameters": sum(parameter.numel() for parameter in model.parameters()),
        "gmacs": multiply_accumulates(model, image.to(home)) / 1e9,
        "height": height,
        "width": width,
        "timings": timings,
    }


def multiply_accumulates(model: nn.Module, image: torch.Tensor) -> int:
    """Multiply-accumulates of one forward pass in fp32: half of what torch's FlopCounterMode counts.

    The image (1, 3, H, W) uint8 passes whole: the overlap of tiles is no part of the network.
    """
    with inference(model), FlopCounterMode(display=False) as counter:
        model(image.float() / 255)
    return counter.get_total_flops() // 2


def _time(model, image, device, precision, repeats, warm_up) -> dict:
    seconds = []
    with inference(model):
        for _ in range(warm_up + repeats):
            synchronize(device)
            start = time.perf_counter()
            forward(model, image, device, precision)
            synchronize(device)
            seconds.append(time.perf_counter() - start)
    return {
        "device": device_name(device),
        "kind": device.type,
        "threads": torch.get_num_threads() if device.type == "cpu" else None,
        "precision": precision,
        "milliseconds": statistics.median(seconds[warm_up:]) * 1000,
        "passes": repeats,
        "peak_memory_bytes": peak_memory(model, image, device, precision),
    }


def synchronize(device: torch.device) -> None:
    """Wait until `device` has done what was asked of it (only GPUs run ahead)."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def peak_memory(model: nn.Module, image: torch.Tensor, device: torch.device, precision: str) -> int:
    """Most bytes of tensors alive at once in one forward pass, weights included.

    On a GPU as its allocator counts them; on a CPU by following every tensor that an operator returns, so that the
    number does not depend on the allocator or on what else the process holds. Library workspaces are not in it.
    """
    if device.type == "cuda":
        torch.cuda.reset_peak_memory_stats(device)
        with inference(model):
            forward(model, image, device, precision)
        return torch.cuda.max_memory_allocated(device)
    return held_bytes(model, image, lambda: forward(model, image, device, precision))


def held_bytes(model: nn.Module, image: torch.Tensor, work: Callable[[], object]) -> int:
    """Most bytes of tensors alive at once in `work`, with the weights and the image; also on the device 'meta'."""
    with inference(model), _LiveTensors([*model.parameters(), *model.buffers(), image]) as live:
        work()
    return live.peak


class _LiveTensors(TorchDispatchMode):
    """Adds up the storages that operators return and takes them off again when they are freed."""

    def __init__(self, tensors):
        super().__init__()
        self.alive, self.peak, self._seen = 0, 0, weakref.WeakSet()
        self._follow(tensors)

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        result = function(*args, **(kwargs or {}))
        self._follow(tensor for tensor in tree_leaves(result) if isinstance(tensor, torch.Tensor))
        return result

    def _follow(self, tensors) -> None:
        for tensor in tensors:
            storage = tensor.untyped_storage()
            if storage in self._seen:
                continue
            self._seen.add(storage)
            size = storage.nbytes()
            self.alive += size
            self.peak = max(self.peak, self.alive)
            weakref.finalize(storage, self._freed, size)

    def _freed(self, size: int) -> None:
        self.alive -= size


def device_name(device: torch.device) -> str:
    """The device's own name, 'AMD EPYC 7R13' or 'NVIDIA H100 80GB HBM3'."""
    if device.type == "cuda":
        return torch.cuda.get_device_name(device)
    cpu_facts = Path("/proc/cpuinfo")
    if cpu_facts.is_file():
        for line in cpu_facts.read_text(encoding="utf-8", errors="replace").splitlines():
            key, _, value = line.partition(":")
            if key.strip() == "model name" and value.strip():
                return f"{value.strip()}, {counted(os.cpu_count() or 1, 'core')}"
    return f"{platform.processor() or platform.machine()}, {counted(os.cpu_count() or 1, 'core')}"
