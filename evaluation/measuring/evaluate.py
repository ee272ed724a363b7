"""Run a model over a dataset and count, image by image.

Logits are brought to the mask's own size, never masks to the logits. Every image keeps its own counts, so batch size,
order, number of threads and number of processes change nothing: the sums are over the same integers.
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

from evaluation.counting.boundary import boundary_counts, nested_confusion_matrices
from evaluation.counting.calibration import UNIT, calibration_counts
from evaluation.counting.confusion import confusion_matrix
from evaluation.counting.counts import Counts
from zoo.models.devices import device_fault
from zoo.models.fcn import FCN
from zoo.models.tiles import TILE_PIXELS, logits_in_tiles

PRECISIONS = ("fp32", "bf16")


class EvaluationError(ValueError):
    """A model that cannot be evaluated on this dataset; the message says why."""


def check_device(device: str) -> None:
    """Raise EvaluationError for a device that torch does not have here."""
    if fault := device_fault(device):
        raise EvaluationError(fault)


@dataclass(frozen=True)
class Batch:
    """Images of one size: `indices` in the dataset, `images` (N, 3, H, W) uint8, `masks` N arrays (H, W) uint8."""

    indices: list[int]
    images: torch.Tensor
    masks: list[np.ndarray]


def evaluate(
    model: nn.Module,
    dataset,
    *,
    device: str | torch.device = "cpu",
    precision: str = "fp32",
    batch_size: int = 1,
    workers: int = 0,
    progress: bool = False,
    shared: bool = False,
) -> tuple[Counts, float]:
    """Count everything that the result file needs; returns the counts and the seconds that it took.

    Arguments as for `confusion_matrices`. With `shared=True` the processes of the running torch.distributed group
    divide the images among themselves, none twice, and each returns the counts of all images.
    """
    counts = Counts.zeros(len(dataset), len(dataset.labels.classes))
    rank, processes = (distributed.get_rank(), distributed.get_world_size()) if shared else (0, 1)
    indices = range(rank, len(dataset), processes)

    def count(index, prediction, confidence, mask):
        count_image(counts, index, prediction, confidence, mask, dataset.labels)

    start = time.perf_counter()
    with progress_bar(len(indices), progress and rank == 0) as bar:
        _run(model, dataset, indices, count, bar, device, precision, batch_size, workers)
    if shared:
        _add_up(counts, device)
    return counts, time.perf_counter() - start


def count_image(counts: Counts, index: int, prediction, confidence, mask, labels) -> None:
    """Fill row `index` of `counts` from what `predict` returned and the mask (H, W)."""
    classes, void = len(labels.classes), labels.void
    *counts.bands[index], counts.matrices[index] = nested_confusion_matrices(prediction, mask, classes, void)
    counts.boundary[index] = boundary_counts(prediction, mask, classes, void)
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
    workers: int = 0,
    progress: bool = False,
) -> torch.Tensor:
    """Per-image confusion matrices (n, C, C) int64 on the CPU, in the dataset's order; `metrics.scores` reads them.

    `model` maps (N, 3, H, W) float RGB in [0, 1] to logits (N, C, h, w); it is put into eval mode for the run and
    back afterwards, but not moved: it must be on `device` already. `precision` is "fp32" or "bf16" (autocast).
    `workers` threads share the work, 0 means one per CPU thread of torch. On a CPU with `batch_size=1` each takes an
    image from file to counts on its share of the cores, which keeps all of them busy; otherwise batches pass one
    after another while the threads read and count. Raises EvaluationError when a logit is not finite.
    """
    labels = dataset.labels
    matrices = torch.zeros(len(dataset), len(labels.classes), len(labels.classes), dtype=torch.int64)

    def count(index, prediction, _, mask):
        pair = torch.from_numpy(prediction), torch.from_numpy(mask)
        matrices[index] = confusion_matrix(*pair, len(labels.classes), labels.void)

    with progress_bar(len(dataset), progress) as bar:
        _run(model, dataset, range(len(dataset)), count, bar, device, precision, batch_size, workers)
    return matrices


def _run(model, dataset, indices, count, bar, device, precision, batch_size, workers) -> None:
    """Call `count(index, prediction, confidence, mask)` for every image, from several threads."""
    device, threads = torch.device(device), torch.get_num_threads()
    workers = workers or threads
    with inference(model):
        if device.type == "cpu" and batch_size == 1:
            with intra_op_threads(max(1, threads // workers)):
                _image_by_image(model, dataset, indices, count, bar, precision, workers)
        else:
            _batch_by_batch(model, dataset, indices, count, bar, device, precision, batch_size, workers)


def _image_by_image(model, dataset, indices, count, bar, precision, workers) -> None:
    def measure(index):
        _, image, mask = _read(dataset, index)
        logits = forward(model, _stack([image]), "cpu", precision)[0]
        count(index, *predict(at_size(logits, mask.shape), dataset.image_ids[index]), mask)

    pool = ThreadPoolExecutor(workers, thread_name_prefix="measure")
    try:
        for _ in pool.map(measure, indices):
            bar.update()
    finally:
        pool.shutdown(cancel_futures=True)  # after an error or Ctrl-C only the images under way are finished


def _batch_by_batch(model, dataset, indices, count, bar, device, precision, batch_size, workers) -> None:
    waiting = deque()
    pool = ThreadPoolExecutor(workers, thread_name_prefix="count")
    try:
        for batch in batches(dataset, indices, batch_size, workers):
            logits = forward(model, batch.images, device, precision)
            for index, image_logits, mask in zip(batch.indices, logits, batch.masks, strict=True):
                answer = predict(at_size(image_logits, mask.shape), dataset.image_ids[index])
                waiting.append(pool.submit(count, index, *answer, mask))
            while len(waiting) > 2 * workers:
                waiting.popleft().result()
            bar.update(len(batch.indices))
        for future in waiting:
            future.result()
    finally:
        pool.shutdown(cancel_futures=True)


@contextmanager
def intra_op_threads(threads: int) -> Iterator[None]:
    """Let threads that start inside use `threads` CPU threads each for one operator; the earlier number comes back."""
    before = torch.get_num_threads()
    torch.set_num_threads(threads)
    try:
        yield
    finally:
        torch.set_num_threads(before)


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


@torch.no_grad()  # a setting of each thread
def forward(model: nn.Module, images: torch.Tensor, device: str | torch.device, precision: str) -> list[torch.Tensor]:
    """Logits (C, h, w) float32 on `device` of each of (N, 3, H, W) uint8 images.

    On a CPU every image passes alone: batches are no faster there, and kernels chosen by batch size round differently.
    """
    if precision not in PRECISIONS:
        raise ValueError(f"precision is {precision!r}; choose one of {', '.join(PRECISIONS)}")
    device = torch.device(device)
    images = images.to(device, non_blocking=True).float() / 255
    parts = images.split(1) if device.type == "cpu" else [images]
    with torch.autocast(device.type, torch.bfloat16, enabled=precision == "bf16"):
        return [logits.float() for part in parts for logits in whole_logits(model, part)]


def whole_logits(model: nn.Module, images: torch.Tensor) -> torch.Tensor:
    """Logits (N, C, h, w) of images (N, 3, H, W) in [0, 1]; an FCN sees large images one by one and in tiles."""
    if not isinstance(model, FCN) or images.shape[-2] * images.shape[-1] <= TILE_PIXELS:
        return model(images)
    found = [logits_in_tiles(model, image) for image in images.split(1)]
    return found[0] if len(found) == 1 else torch.cat(found)  # which would copy the one


def predict(logits: torch.Tensor, name: str) -> tuple[np.ndarray, np.ndarray]:
    """Class ids (H, W) uint8 and softmax confidence (H, W) int32 in units of 1 / UNIT, from logits (C, H, W).

    The logits are overwritten, which saves the memory traffic of a copy. Raises EvaluationError naming the image when
    a logit is not finite.
    """
    classes = len(logits)
    best = logits.amax(0)
    if not best.isfinite().all():
        raise EvaluationError(f"{name}: the model's logits are not finite")
    prediction = first_of(logits, best)
    logits.sub_(best).exp_()
    pixels = logits.permute(1, 2, 0)
    if pixels.is_contiguous():  # channels-last: a product with ones adds short rows faster than `sum`
        total = (pixels.reshape(-1, classes) @ torch.ones(classes, device=logits.device)).view(best.shape)
    else:
        total = logits.sum(0)
    confidence = total.reciprocal_().mul_(UNIT).round_()
    return prediction.cpu().numpy(), confidence.to(torch.int32).cpu().numpy()


def first_of(logits: torch.Tensor, best: torch.Tensor) -> torch.Tensor:
    """Lowest class (H, W) uint8 whose logit (C, H, W) is the `best` (H, W); `max` with indices takes twice as long."""
    classes = len(logits)
    countdown = torch.arange(classes, 0, -1, dtype=torch.uint8, device=logits.device)
    return classes - ((logits == best).view(torch.uint8) * countdown.view(-1, 1, 1)).amax(0)


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
            yield _batch(pending)
            pending = []
        pending.append(item)
    if pending:
        yield _batch(pending)


def _read(dataset, index: int) -> tuple[int, np.ndarray, np.ndarray]:
    return index, dataset.image(index), np.array(dataset.mask(index))  # a copy: torch wants it writable


def _read_ahead(dataset, indices, ahead: int, workers: int):
    pool = ThreadPoolExecutor(max(1, workers), thread_name_prefix="read")
    queue = deque()
    try:
        for index in indices:
            queue.append(pool.submit(_read, dataset, index))
            if len(queue) > ahead:
                yield queue.popleft().result()
        while queue:
            yield queue.popleft().result()
    finally:
        pool.shutdown(cancel_futures=True)


def _batch(items) -> Batch:
    indices, images, masks = zip(*items, strict=True)
    return Batch(list(indices), _stack(images), list(masks))


def _stack(images) -> torch.Tensor:
    """(N, 3, H, W) uint8 in channels-last order from N arrays (H, W, 3)."""
    return torch.from_numpy(np.stack(images)).permute(0, 3, 1, 2)
