"""Run a model over a dataset and count, image by image.

Logits are brought to the mask's own size, never masks to the logits. Every image keeps its own counts, so batch size,
order, number of loading threads and number of processes change nothing: the sums are over the same integers.
"""

from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from evaluation.metrics import confusion_matrix

PRECISIONS = {"fp32": torch.float32, "bf16": torch.bfloat16}


@dataclass(frozen=True)
class Batch:
    """Images of one size: `indices` in the dataset, `images` (N, 3, H, W) uint8, `masks` N arrays (H, W) uint8."""

    indices: list[int]
    images: torch.Tensor
    masks: list[np.ndarray]


def confusion_matrices(
    model: nn.Module,
    dataset,
    *,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    batch_size: int = 1,
    workers: int = 1,
    progress: bool = False,
) -> torch.Tensor:
    """Per-image confusion matrices (n, C, C) int64 on the CPU, in the dataset's order; `metrics.scores` reads them.

    `model` maps (N, 3, H, W) float RGB in [0, 1] to logits (N, C, h, w); it is put into eval mode for the run and
    back afterwards, but not moved: it must be on `device` already. `precision` is "fp32" or "bf16" (autocast).
    """
    labels = dataset.labels
    matrices = torch.zeros(len(dataset), len(labels.classes), len(labels.classes), dtype=torch.int64)
    with inference(model), progress_bar(len(dataset), progress) as bar:
        for batch in batches(dataset, range(len(dataset)), batch_size, workers):
            logits = forward(model, batch.images, device, precision)
            for index, image_logits, mask in zip(batch.indices, logits, batch.masks, strict=True):
                prediction = at_size(image_logits, mask.shape).argmax(0).cpu()
                matrices[index] = confusion_matrix(prediction, torch.from_numpy(mask), len(labels.classes), labels.void)
            bar.update(len(batch.indices))
    return matrices


@contextmanager
def inference(model: nn.Module) -> Iterator[None]:
    """Eval mode without gradients; the model's own mode comes back afterwards."""
    was_training = model.training
    model.eval()
    try:
        with torch.no_grad():
            yield
    finally:
        model.train(was_training)


def progress_bar(images: int, shown: bool) -> tqdm:
    """A bar on standard error that counts images and shows images/s."""
    return tqdm(total=images, unit=" images", disable=not shown, mininterval=0.5)


def forward(model: nn.Module, images: torch.Tensor, device: str | torch.device, precision: str) -> torch.Tensor:
    """Logits (N, C, h, w) float32 on `device` for (N, 3, H, W) uint8 images."""
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    images = images.to(device, non_blocking=True).float() / 255
    with torch.autocast(torch.device(device).type, torch.bfloat16, enabled=precision == "bf16"):
        logits = model(images)
    return logits.float()


def at_size(logits: torch.Tensor, size: tuple[int, int]) -> torch.Tensor:
    """Logits (C, h, w) resized bilinearly to `size` (H, W) where they differ."""
    if logits.shape[-2:] == size:
        return logits
    return F.interpolate(logits[None], size=size, mode="bilinear", align_corners=False)[0]


def batches(dataset, indices, batch_size: int = 1, workers: int = 1) -> Iterator[Batch]:
    """Read the images of `indices` ahead of use on `workers` threads; a batch never mixes sizes."""
    pending: list[tuple[int, np.ndarray, np.ndarray]] = []
    for item in _read_ahead(dataset, indices, ahead=2 * batch_size, workers=workers):
        if pending and (len(pending) == batch_size or item[1].shape != pending[0][1].shape):
            yield _stack(pending)
            pending = []
        pending.append(item)
    if pending:
        yield _stack(pending)


def _read_ahead(dataset, indices, ahead: int, workers: int):
    def read(index):
        return index, dataset.image(index), dataset.mask(index)

    with ThreadPoolExecutor(max(1, workers), thread_name_prefix="read") as pool:
        queue = deque()
        try:
            for index in indices:
                queue.append(pool.submit(read, index))
                if len(queue) > ahead:
                    yield queue.popleft().result()
            while queue:
                yield queue.popleft().result()
        finally:
            for future in queue:
                future.cancel()


def _stack(items) -> Batch:
    indices, images, masks = zip(*items, strict=True)
    stacked = torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2).contiguous()
    return Batch(list(indices), stacked, list(masks))
