"""Run a model over a dataset and count, image by image.

Logits are brought to the mask's own size, never masks to the logits. Every image keeps its own counts, so batch size,
order, number of loading threads and number of processes change nothing: the sums are over the same integers.
"""

import time
from collections import deque
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np
import torch
import torch.distributed as distributed
import torch.nn.functional as F
from torch import nn
from tqdm import tqdm

from evaluation.boundary import BAND_WIDTHS, band_confusion_matrices, boundary_counts
from evaluation.calibration import BINS, UNIT, calibration_counts
from evaluation.metrics import confusion_matrix

PRECISIONS = ("fp32", "bf16")


class EvaluationError(ValueError):
    """A model that cannot be evaluated on this dataset; the message says why."""


@dataclass(frozen=True)
class Batch:
    """Images of one size: `indices` in the dataset, `images` (N, 3, H, W) uint8, `masks` N arrays (H, W) uint8."""

    indices: list[int]
    images: torch.Tensor
    masks: list[np.ndarray]


@dataclass(frozen=True)
class Counts:
    """What was counted on each of n images, int64, in the dataset's order; every figure follows from these.

    matrices (n, C, C); boundary (n, C, 4) as in `boundary.COUNTS`; bands (n, len(BAND_WIDTHS), C, C);
    calibration (n, BINS, 3) as in `calibration.COUNTS`.
    """

    matrices: np.ndarray
    boundary: np.ndarray
    bands: np.ndarray
    calibration: np.ndarray

    @classmethod
    def zeros(cls, images: int, classes: int) -> "Counts":
        return cls(
            np.zeros((images, classes, classes), np.int64),
            np.zeros((images, classes, 4), np.int64),
            np.zeros((images, len(BAND_WIDTHS), classes, classes), np.int64),
            np.zeros((images, BINS, 3), np.int64),
        )


def evaluate(
    model: nn.Module,
    dataset,
    *,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    batch_size: int = 1,
    workers: int = 1,
    progress: bool = False,
    shared: bool = False,
) -> tuple[Counts, float]:
    """Count everything that the result file needs; returns the counts and the seconds that it took.

    Arguments as for `confusion_matrices`. `workers` threads read images and count while the next forward pass runs.
    With `shared=True` the processes of the running torch.distributed group divide the images among themselves, none
    twice, and each returns the counts of all images.
    """
    labels = dataset.labels
    counts = Counts.zeros(len(dataset), len(labels.classes))
    rank, processes = (distributed.get_rank(), distributed.get_world_size()) if shared else (0, 1)
    indices = range(rank, len(dataset), processes)
    waiting = deque()
    start = time.perf_counter()
    with (
        ThreadPoolExecutor(max(1, workers), thread_name_prefix="count") as pool,
        inference(model),
        progress_bar(len(indices), progress and rank == 0) as bar,
    ):
        for batch in batches(dataset, indices, batch_size, workers):
            logits = forward(model, batch.images, device, precision)
            for index, image_logits, mask in zip(batch.indices, logits, batch.masks, strict=True):
                prediction, confidence = predict(at_size(image_logits, mask.shape), dataset.image_ids[index])
                waiting.append(pool.submit(_count, counts, index, prediction, confidence, mask, labels))
            while len(waiting) > 2 * max(1, workers):
                waiting.popleft().result()
            bar.update(len(batch.indices))
        for future in waiting:
            future.result()
    if shared:
        _add_up(counts, device)
    return counts, time.perf_counter() - start


def _count(counts, index, prediction, confidence, mask, labels) -> None:
    classes, void = len(labels.classes), labels.void
    counts.matrices[index] = confusion_matrix(torch.from_numpy(prediction), torch.from_numpy(mask), classes, void)
    counts.boundary[index] = boundary_counts(prediction, mask, classes, void)
    counts.bands[index] = band_confusion_matrices(prediction, mask, classes, void)
    counts.calibration[index] = calibration_counts(confidence, prediction, mask, void)


def _add_up(counts: Counts, device) -> None:
    """Rows of other processes' images are zero here, so a sum over the processes fills them in."""
    target = device if distributed.get_backend() == "nccl" else "cpu"
    for array in vars(counts).values():
        tensor = torch.from_numpy(array).to(target)
        distributed.all_reduce(tensor)
        array[:] = tensor.cpu().numpy()


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
    Raises EvaluationError when the logits are not finite or do not fit the dataset's classes.
    """
    labels = dataset.labels
    matrices = torch.zeros(len(dataset), len(labels.classes), len(labels.classes), dtype=torch.int64)
    with inference(model), progress_bar(len(dataset), progress) as bar:
        for batch in batches(dataset, range(len(dataset)), batch_size, workers):
            logits = forward(model, batch.images, device, precision)
            for index, image_logits, mask in zip(batch.indices, logits, batch.masks, strict=True):
                prediction, _ = predict(at_size(image_logits, mask.shape), dataset.image_ids[index])
                pair = torch.from_numpy(prediction), torch.from_numpy(mask)
                matrices[index] = confusion_matrix(*pair, len(labels.classes), labels.void)
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
    """Logits (N, C, h, w) float32 on `device` for (N, 3, H, W) uint8 images.

    On a CPU every image passes alone: batches are no faster there, and kernels chosen by batch size round differently.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    device = torch.device(device)
    images = images.to(device, non_blocking=True).float() / 255
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        parts = images.split(1) if device.type == "cpu" else [images]
        logits = [model(part).float() for part in parts]
    return torch.cat(logits) if len(logits) > 1 else logits[0]


def predict(logits: torch.Tensor, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Class ids (H, W) uint8 and softmax confidence (H, W) int32 in units of 1 / UNIT, from logits (C, H, W).

    Raises EvaluationError naming the image when a logit is not finite.
    """
    best, prediction = logits.max(0)  # also the confidence needs the maximum, and `argmax` alone is slower
    if not best.isfinite().all():
        raise EvaluationError(f"{name}: the model's logits are not finite")
    confidence = UNIT / (logits - best).exp_().sum(0)
    return prediction.to(torch.uint8).cpu().numpy(), confidence.round_().to(torch.int32).cpu().numpy()


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
        return index, dataset.image(index), np.array(dataset.mask(index))  # a copy: torch wants it writable

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
